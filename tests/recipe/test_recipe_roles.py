"""Any number of networks: roles, players, and words made by networks."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from fake_components import registry
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ganzoo.errors import RecipeError
from ganzoo.formats.yaml import parse
from ganzoo.recipe.flow import flow
from ganzoo.recipe.recipe import load_recipe
from ganzoo.recipe.recipe_types import Application, Recipe
from ganzoo.recipe.schema import schema
from ganzoo.recipe.vocabulary import full_word, makers


class Extractor:
    """Stands for ``ganzoo.interfaces.Extractor``, whose name alone is read."""


class Noise:
    """From noise."""

    def __init__(self, size: int, latent: int = 8):
        pass

    def forward(self, latent):
        pass


class Reader:
    """Codes of images."""

    def forward(self, image):
        pass


class JointJudge:
    """Of images and codes."""

    def forward(self, image, latent):
        pass


class Projected:
    """Of features."""

    def __init__(self, extractor: Extractor, other: Extractor | None = None, width: int = 4):
        pass

    def forward(self, image):
        pass


class Images:
    """Pairs of a kind."""

    fields = {"real": "image", "photo": "image", "label": "label"}  # noqa: RUF012


class Joint:
    """ALI's, whose generator reads both."""

    def generator(self, real_logits, fake_logits):
        pass

    def discriminator(self, real_logits, fake_logits):
        pass


class Penalty:
    """Of the network itself."""

    def discriminator(self, discriminator, real):
        pass


class Codes:
    """Of a code."""

    def generator(self, latent):
        pass


REGISTRY = registry(
    ("generator", "noise", Noise),
    ("encoder", "reader", Reader),
    ("discriminator", "joint", JointJudge),
    ("discriminator", "projected", Projected),
    ("dataset", "images", Images),
    ("loss", "joint", Joint),
    ("loss", "penalty", Penalty),
    ("loss", "codes", Codes),
)
CYCLE = """\
recipe: cycle
batch: 1
dataset: {use: images}
networks:
  generator: {use: translator}
  backward: {kind: generator, use: translator}
  discriminator: {use: judge}
  photo_critic: {kind: discriminator, use: judge}
players:
  generator: [generator, backward]
views:
  photo_fake: {apply: backward, to: real}
  cycled: {apply: backward, to: fake}
optimizer: {use: adam, lr: 2e-4, photo_critic: {lr: 1e-4}}
stages:
  - name: both
    steps: 10
    discriminator: [{use: adversarial}]
    photo_critic:
      - {use: adversarial, judge: photo_critic, inputs: {real: photo, fake: photo_fake}}
    generator:
      - {use: adversarial}
      - {use: adversarial, judge: photo_critic, inputs: {fake: photo_fake}}
      - {use: content, weight: 10, inputs: {fake: cycled}}
    updates: [generator, discriminator, photo_critic]
"""
ALI = """\
recipe: ali
batch: 4
dataset: {use: images}
networks:
  encoder: {use: reader}
  generator: {use: noise, size: 8}
  discriminator: {use: joint}
players:
  generator: [generator, encoder]
views:
  code: {apply: encoder, to: real}
  real_logits: {apply: discriminator, to: {image: real, latent: code}}
optimizer: {use: adam, lr: 1e-4}
stages:
  - name: joint
    steps: 10
    discriminator: [{use: joint}]
    generator: [{use: joint}]
    updates: [[discriminator, generator]]
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def load(text: str, *overrides: str, name: str = "x.yaml") -> Recipe:
    Path(name).write_text(text, encoding="utf-8")
    return load_recipe(name, overrides, REGISTRY)


def problems(text: str, *overrides: str) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        load(text, *overrides)
    return list(caught.value.problems)


def reads(recipe: Recipe) -> dict[str, list[str]]:
    return {
        role: [word for word, _ in REGISTRY.get(net.kind, net.use).signature.methods["forward"]]
        for role, net in recipe.networks.items()
    }


def test_a_cycle() -> None:
    recipe = load(CYCLE)
    assert {role: net.kind for role, net in recipe.networks.items()} == {
        "generator": "generator",
        "discriminator": "discriminator",
        "backward": "generator",
        "photo_critic": "discriminator",
    }
    assert recipe.players == {
        "generator": ("generator", "backward"),
        "discriminator": ("discriminator",),
        "photo_critic": ("photo_critic",),
    }
    assert [recipe.method(player) for player in recipe.players] == [
        "generator",
        "discriminator",
        "discriminator",
    ]
    assert recipe.player_of("backward") == "generator"
    assert recipe.averaged == ("generator", "backward")
    assert recipe.views["cycled"] == Application("backward", {"photo": "fake"})
    (stage,) = recipe.stages
    assert stage.updates == (("generator",), ("discriminator",), ("photo_critic",))
    assert stage.batches == 1
    assert [term.judge for term in stage.terms["generator"]] == [None, "photo_critic", None]
    assert stage.optimizers["photo_critic"][1]["lr"].at(0) == 1e-4
    assert stage.optimizers["generator"][1]["lr"].at(0) == 2e-4


def test_words_and_who_makes_them() -> None:
    cycle, ali = load(CYCLE), load(ALI, name="ali.yaml")
    judged = cycle.stages[0].terms["generator"][1]
    word = full_word("fake_logits", judged.inputs, judged.judge, None, cycle.views)
    assert word == "photo_fake_logits@photo_critic"
    assert makers(word, cycle.views, reads(cycle)) == {"backward", "photo_critic"}
    assert makers("cycled", cycle.views, reads(cycle)) == {"generator", "backward"}
    assert makers("photo", cycle.views, reads(cycle)) == set()
    assert full_word("discriminator", {}, "photo_critic", None, cycle.views) == "photo_critic"
    assert full_word("fake_features", {}, None, "vgg", cycle.views) == "fake_features@vgg"
    assert full_word("real_logits", {}, None, None, ali.views) == "real_logits"
    assert full_word("real_logits", {}, "other", None, ali.views) == "real_logits@other"
    assert makers("real_logits", ali.views, reads(ali)) == {"encoder", "discriminator"}
    fake = full_word("fake_logits", {}, None, None, ali.views)
    assert makers(fake, ali.views, reads(ali)) == {"generator", "discriminator"}


def test_ali_updates_both_players_from_one_pass() -> None:
    (stage,) = load(ALI).stages
    assert stage.updates == (("discriminator", "generator"),)
    assert stage.batches == 1


def test_the_resolved_form_loads_again_and_has_shorthands_at_the_top() -> None:
    for text in (CYCLE, ALI):
        recipe = load(text)
        resolved = recipe.resolved()
        assert resolved["generator"]["use"] == recipe.networks["generator"].use
        assert "generator" not in resolved["networks"]
        assert load(recipe.to_yaml(), name="again.yaml") == recipe
        assert load(yaml.safe_dump(resolved), name="dumped.yaml").hash == recipe.hash


def test_where_generator_and_discriminator_stand_does_not_matter() -> None:
    top = CYCLE.replace("  generator: {use: translator}\n", "", 1).replace(
        "networks:", "generator: {use: translator}\nnetworks:"
    )
    assert load(top, name="top.yaml").hash == load(CYCLE).hash
    text = (
        "extends: x.yaml\nrecipe: own\ngenerator: {use: noise, size: 4}\n"
        "networks: {backward: {use: noise, size: 4}}\n"
        "views: {photo_fake: {to: latent}, cycled: {to: latent}}\n"
    )
    derived = load(text, name="y.yaml")
    assert derived.networks["generator"].use == derived.networks["backward"].use == "noise"
    changed = load(ALI, "networks.generator.latent=16")
    assert changed.networks["generator"].arguments["latent"] == 16
    assert load(ALI, "generator.latent=16").hash == changed.hash


def test_a_role_is_left_out_by_null() -> None:
    load(CYCLE)
    text = (
        "extends: x.yaml\nrecipe: own\nnetworks: {photo_critic: null}\n"
        "optimizer: {photo_critic: {}}\n"
        "stages:\n  - {name: a, steps: 1, generator: [{use: content, inputs: {fake: cycled}}]}\n"
    )
    assert "optimizer.photo_critic: unknown key" in "".join(problems(text))
    own = CYCLE.replace(", photo_critic: {lr: 1e-4}", "")
    Path("base.yaml").write_text(own)
    text = text.replace("x.yaml", "base.yaml").replace("optimizer: {photo_critic: {}}\n", "")
    assert "photo_critic" not in load(text, name="z.yaml").networks


def test_the_default_order_of_updates() -> None:
    text = CYCLE.replace("    updates: [generator, discriminator, photo_critic]\n", "")
    (stage,) = load(text, "stages.0.discriminator_steps=2").stages
    judges = (("discriminator",), ("photo_critic",))
    assert stage.updates == (*judges, *judges, ("generator",))
    assert stage.batches == 2


def test_an_argument_may_be_an_extractor_of_the_recipe() -> None:
    text = ALI.replace("use: joint}\nplayers", "use: projected, extractor: eyes}\nplayers")
    text = text.replace("to: {image: real, latent: code}", "to: real")
    codes = "generator: [{use: joint}, {use: codes, inputs: {latent: code}}]"
    text = text.replace("generator: [{use: joint}]", codes)
    (problem,) = problems(text)
    assert "networks.discriminator" not in problem
    assert "discriminator.extractor: the recipe has no 'extractors'" in problem
    text += "extractors: {eyes: {use: network}, ears: {use: network}}\n"
    network = load(text).networks["discriminator"]
    assert network.extractors == {"extractor": "eyes"}
    assert network.arguments == {"extractor": "eyes", "other": None, "width": 4}
    assert load(text, "discriminator.other=ears").networks["discriminator"].extractors == {
        "extractor": "eyes",
        "other": "ears",
    }
    (problem,) = problems(text, "discriminator.extractor=eye")
    assert re.search("no 'eye', .* 'eyes'", problem)


def test_what_survives_a_change_of_use() -> None:
    recipe = load(CYCLE, "stages.0.generator.1.use=joint", "networks.backward.use=translator")
    assert recipe.stages[0].terms["generator"][1].judge == "photo_critic"
    load(ALI, name="ali.yaml")
    text = "extends: ali.yaml\nrecipe: own\nviews: {code: {use: gray, of: real}}\n"
    assert any("views.code.use: unknown transform 'gray'" in p for p in problems(text))


@pytest.mark.parametrize(
    ("text", "old", "new", "expected"),
    [
        (CYCLE, "[generator, backward]", "[generator, bakward]",
         "x.yaml:10:26 players.generator[1]: there is no role 'bakward', did you mean 'backward'?"),
        (CYCLE, "players:\n", "players:\n  critics: [backward, discriminator, photo_critic]\n",
         "x.yaml:11:26 players.generator[1]: player 'critics' has the role 'backward' already"),
        (CYCLE, "[generator, backward]", "[backward]",
         "x.yaml:10:3 players.generator: player 'generator' lacks the role of its own name"),
        (CYCLE, "[generator, backward]", "backward", "players.generator: expected a list of roles"),
        (CYCLE, "generator: [generator, backward]", "lr: [generator, backward]",
         "x.yaml:10:3 players.lr: 'lr' has a meaning of its own"),
        (ALI, "  generator: [generator, encoder]\n", "  generator: [generator]\n",
         "x.yaml:5:3 networks.encoder: nothing trains 'encoder'"),
        (ALI, "  code: {apply: encoder, to: real}\n", "  code: {apply: generator}\n",
         "views.real_logits.to.latent: 'code' is an image, and 'latent' of"),
        (CYCLE, "apply: backward, to: fake", "apply: bakward, to: fake",
         "x.yaml:13:19 views.cycled.apply: there is no role 'bakward', did you mean 'backward'?"),
        (CYCLE, "apply: backward, to: real", "apply: backward, to: {image: real}",
         "x.yaml:12:38 views.photo_fake.to.image: backward (generator 'translator') does not"),
        (CYCLE, "apply: backward, to: fake", "apply: backward, to: fkae",
         "x.yaml:13:33 views.cycled.to: backward (generator 'translator') needs 'fkae', which"),
        (CYCLE, "apply: backward, to: fake", "apply: backward, to: label",
         "x.yaml:13:33 views.cycled.to: 'label' is a label, and 'photo' of"),
        (ALI, "latent: code}", "latent: real}",
         "views.real_logits.to.latent: 'real' is an image"),
        (ALI, "apply: encoder, to: real", "apply: encoder", "views.code: missing 'to'"),
        (CYCLE.replace("to: fake", "to: photo_fake"), "to: real", "to: cycled",
         "views.photo_fake.to: views go in a circle: photo_fake -> cycled -> photo_fake"),
        (CYCLE, "apply: backward, to: fake", "apply: backward, to: fake, of: real",
         "views.cycled.of: unknown key"),
        (CYCLE, "apply: backward, to: fake", "apply: backward, use: gray",
         "views.cycled: a view has 'use'"),
        (CYCLE, "cycled: {apply", "cycled_logits: {apply", "a view's name is one word"),
        (CYCLE, "cycled: {apply", "backward: {apply", "'backward' is a word already"),
        (CYCLE, "judge: photo_critic, inputs: {fake", "judge: backward, inputs: {fake",
         "x.yaml:23:35 stages[0].generator[1].judge: 'backward' judges nothing: it is of the kind"),
        (CYCLE, "judge: photo_critic, inputs: {fake", "judge: photo, inputs: {fake",
         "stages[0].generator[1].judge: there is no role 'photo'. Judges:"),
        (CYCLE, "{use: content,", "{use: content, judge: photo_critic,",
         "stages[0].generator[2].judge: loss 'content' reads no logits"),
        (CYCLE, "judge: photo_critic, inputs: {real", "inputs: {real",
         "x.yaml:20:9 stages[0].photo_critic[0]: loss 'adversarial' reads 'photo_logits', which"),
        (ALI, "generator: [{use: joint}]\n", "generator: [{use: joint}]\n    encoder: []\n",
         "stages[0].encoder: 'encoder' learns with player 'generator'"),
        (ALI, "  generator: [generator, encoder]\n", "  generator: [generator]\n",
         "nothing trains 'encoder': no term of player 'encoder' depends on it. Give it terms"),
        (CYCLE, "    photo_critic:\n", "    foto_critic:\n", "stages[0].foto_critic: unknown key"),
        (CYCLE, "    photo_critic:\n", "    backward:\n",
         "stages[0].backward: 'backward' learns with player 'generator'"),
        (CYCLE, "[generator, discriminator, photo_critic]", "[generator, discriminator]",
         "x.yaml:25:14 stages[0].updates: player 'photo_critic' has terms in this stage"),
        (CYCLE, "[generator, discriminator, photo_critic]", "[generator, backward]",
         "stages[0].updates[1]: there is no player 'backward'"),
        (ALI, "[[discriminator, generator]]", "[[generator, generator], discriminator]",
         "stages[0].updates[0]: players of one update are different"),
        (ALI, "[[discriminator, generator]]", "generator", "stages[0].updates: expected a list"),
        (ALI, "steps: 10", "steps: 10\n    discriminator_steps: 2",
         "stages[0].discriminator_steps: 'updates' says it already"),
        (CYCLE, "{kind: generator, use: translator}", "{use: translator}",
         "x.yaml:6:3 networks.backward: missing 'kind'"),
        (CYCLE, "{kind: generator, use: translator}", "{kind: genrator, use: translator}",
         "networks.backward.kind: there is no kind 'genrator', did you mean 'generator'?"),
        (CYCLE, "  generator: {use: translator}", "  generator: {kind: encoder, use: translator}",
         "x.yaml:5:21 networks.generator.kind: the role 'generator' is of the kind generator"),
        (CYCLE, "networks:\n", "generator: {use: noise, size: 8}\nnetworks:\n",
         "x.yaml:6:3 networks.generator: the recipe has a 'generator' at x.yaml:4:1 too"),
        (CYCLE, "  backward: {kind", "  Backward: {kind", "a role's name is one word of small"),
        (CYCLE, "photo_critic: {kind", "photo: {kind", "'photo' is a word of the dataset already"),
        (ALI, "code: {apply: encoder, to: real}", "code: {apply: encoder, to: fake}", ""),
    ],
)  # fmt: skip
def test_mistakes(text: str, old: str, new: str, expected: str) -> None:
    assert old in text
    if not expected:
        load(text.replace(old, new, 1))
        return
    found = problems(text.replace(old, new, 1))
    assert any(expected in line for line in found), found


def test_a_broken_base_causes_no_further_complaints() -> None:
    (problem,) = problems(
        "extends: nothing\nnetworks: {encoder: {use: reader}}\n"
        "players: {generator: [generator, encoder]}\n"
        "stages:\n  - {name: a, steps: 1, critic: [{use: adversarial}], updates: [critic]}\n"
    )
    assert "extends" in problem


def test_the_schema() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    found = schema(REGISTRY)
    jsonschema.Draft202012Validator.check_schema(found)
    validator = jsonschema.Draft202012Validator(found)
    for text in (CYCLE, ALI):
        assert not list(validator.iter_errors(parse(text, "x").plain()))
        assert not list(validator.iter_errors(load(text).resolved()))

    def refused(text: str, *changes: tuple[str, Any]) -> bool:
        data = parse(text, "x").plain()
        for path, value in changes:
            *above, last = path.split(".")
            inner = data
            for step in above:
                inner = inner[int(step) if step.isdecimal() else step]
            inner[last] = value
        return not validator.is_valid(data)

    assert refused(CYCLE, ("networks.backward", {"kind": "generator", "use": "nothing"}))
    assert refused(CYCLE, ("networks.backward", {"kind": "critic", "use": "judge"}))
    assert refused(ALI, ("networks.encoder", {"use": "reader", "width": 3}))
    assert refused(ALI, ("players.generator", "encoder"))
    assert refused(CYCLE, ("views.cycled", {"apply": "backward", "of": "fake"}))
    assert refused(CYCLE, ("stages.0.updates", "generator"))
    assert refused(CYCLE, ("stages.0.critic", {"use": "adversarial"}))


def branches(tree: Any) -> list[Any]:
    inside = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
    found = [tree] if isinstance(tree, (dict, list)) and tree else []
    return found + [branch for item in inside for branch in branches(item)]


NAMES = "real fake latent code cycled photo_fake real_logits use apply generator backward encoder"
WORDS = st.sampled_from([None, 3, True, "", "discriminator", "photo_critic", *NAMES.split()])
VALUES = st.recursive(
    WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS.map(str), inner, max_size=3),
    max_leaves=8,
)


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.data())
def test_fuzz(data: st.DataObject) -> None:
    tree = parse(data.draw(st.sampled_from([CYCLE, ALI])), "x").plain()
    for _ in range(data.draw(st.integers(1, 3))):
        branch = data.draw(st.sampled_from(branches(tree)))
        keys = list(branch) if isinstance(branch, dict) else list(range(len(branch)))
        key = data.draw(st.sampled_from(keys))
        branch[key] = data.draw(VALUES)
    try:
        recipe = load(yaml.safe_dump(tree))
    except RecipeError:
        return
    again = load(recipe.to_yaml(), name="again.yaml")
    assert (again, again.hash) == (recipe, recipe.hash)
    flow(recipe, REGISTRY)
