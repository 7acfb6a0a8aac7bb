"""Recipes: reading, checking, merging, resolving; and that nothing but RecipeError escapes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import pytest
import toy
import yaml
from annotated_types import Ge
from fake_components import registry
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ganzoo.errors import RecipeError
from ganzoo.plugins.registry import Origin, Registration, Registry
from ganzoo.recipe.grammar import EMA, MEASURING, SCHEDULE, SECTIONS, STAGE, TERM, TOP
from ganzoo.recipe.recipe import diff, find_recipe, load_recipe, shipped_recipes
from ganzoo.recipe.recipe_types import Evaluate, Schedule, Verify
from ganzoo.recipe.schema import schema


class Noise:
    """From noise."""

    def __init__(self, size: Literal[32, 64], width: Annotated[int, Ge(1)] = 64):
        pass

    def forward(self, latent):
        pass


class Images:
    """Images.

    Args:
        path: where they are.
    """

    fields: ClassVar = {"real": "image", "photo": "image", "smooth": "image", "label": "label"}

    def __init__(
        self,
        path: Path,
        size: int = 64,
        photo: Path | None = None,
        smooth: Path | None = None,
        label: str | None = None,
    ):
        pass


class Edges:
    """For D."""

    def discriminator(self, smooth_logits):
        pass


class Style:
    """For G, of features."""

    def generator(self, fake_features, real_features):
        pass


class Gap:
    """A score."""

    higher_is_better: ClassVar = {"gap": False}

    def real(self, image):
        pass

    def fake(self, image):
        pass


class Grayscale:
    """Gray."""

    def __call__(self, image):
        pass


def make_registry() -> Registry:
    return registry(
        ("generator", "noise", Noise),
        ("dataset", "images", Images),
        ("loss", "edge-promoting", Edges),
        ("loss", "style", Style),
        ("transform", "grayscale", Grayscale),
        ("evaluator", "gap", Gap),
    )


REGISTRY = make_registry()
VALID = """\
recipe: tiny
batch: 8
dataset: {use: images, path: pictures}
generator: {use: noise, width: 32}
discriminator: {use: judge}
optimizer: {use: adam, lr: 2e-4, betas: [0.5, 0.999], discriminator: {lr: 1e-8}}
ema: 0.999
views:
  gray: {use: grayscale, of: real}
extractors: {vgg: {use: network, layers: [a]}, other: {use: network}}
stages:
  - name: first
    steps: 100
    generator: [{use: adversarial}]
    discriminator:
      - use: adversarial
        weight: {from: 1, to: 0.5, over: 10}
      - {use: adversarial, weight: 3, every: 4, inputs: {real: gray}}
  - name: second
    steps: 5
    optimizer: {lr: {from: 1e-4, to: 0, over: 5}}
    generator:
      - {use: adversarial}
      - {use: style, extractor: vgg, inputs: {real: gray}}
"""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def load(text: str = VALID, *overrides: str, name: str = "x.yaml"):
    Path(name).write_text(text, encoding="utf-8")
    return load_recipe(name, overrides, REGISTRY)


def problems(text: str, *overrides: str) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        load(text, *overrides)
    return list(caught.value.problems)


def test_a_whole_recipe():
    recipe = load()
    assert (recipe.name, recipe.seed, recipe.batch, recipe.accumulate) == ("tiny", 0, 8, 1)
    assert recipe.dataset.arguments["path"] == str(Path("pictures").absolute())
    assert recipe.networks["generator"].arguments == {"width": 32}  # size comes from the data
    assert recipe.ema.decay == 0.999
    assert recipe.views["gray"].of == "real"
    assert recipe.extractors["vgg"].arguments == {"layers": ["a"]}
    first, second = recipe.stages
    assert first.terms["discriminator"][0].weight == Schedule(1.0, 0.5, 10)
    assert first.terms["discriminator"][1].inputs == {"real": "gray"}
    assert first.terms["discriminator"][1].every == 4
    assert second.terms["discriminator"] == ()
    assert [term.extractor for term in second.terms["generator"]] == [None, "vgg"]
    use, arguments = first.optimizers["generator"]
    assert (use, arguments["lr"].at(7), arguments["betas"]) == ("adam", 2e-4, (0.5, 0.999))
    assert first.optimizers["discriminator"][1]["lr"].at(0) == 1e-8
    assert second.optimizers["generator"][1]["lr"] == Schedule(1e-4, 0.0, 5)
    assert second.optimizers["discriminator"][1]["lr"].at(0) == 1e-8  # the player's own wins


def test_plugins_are_recorded_with_the_resolved_recipe_and_change_nothing():
    recipe = load()
    assert recipe.plugins == {"tests": "1"}
    assert recipe.resolved()["plugins"] == {"tests": "1"}
    stated = load(VALID + 'plugins: {tests: "0"}\n')
    assert stated.plugins == {"tests": "1"}
    assert stated.hash == recipe.hash
    again = load(stated.to_yaml(), name="again.yaml")
    assert again == stated


def test_a_plugin_of_which_nothing_is_used_may_have_been_replaced():
    text = VALID + 'plugins: {other-gans: "2.10"}\n'
    (problem,) = problems(text)
    assert problem.startswith("x.yaml:25:11 plugins.other-gans: no component")
    assert problem.endswith("pip install 'other-gans==2.10'")
    Path("base.yaml").write_text(text)
    assert load("recipe: own\nextends: base.yaml\n").plugins == {"tests": "1"}


def test_a_component_of_a_missing_plugin_is_told_with_its_install_line():
    needing = VALID.replace("use: noise", "use: swirl") + "plugins: {ganzoo-swirl: '0.3'}\n"
    (problem,) = problems(needing)
    assert problem.startswith("x.yaml:4:18 generator.use: unknown generator 'swirl'")
    assert problem.endswith("pip install 'ganzoo-swirl==0.3'")


@pytest.mark.parametrize(
    ("plugins", "expected"),
    [
        ("{ganzoo-swirl: 0.10}", "plugins.ganzoo-swirl: expected text, not 0.1"),
        ("{\"a' b\": '1'}", "plugins.a' b: expected the name of a distribution"),
        ('{a: "1\'; rm -r x"}', "plugins.a: expected a version"),
        ("[a]", "plugins: expected a mapping"),
    ],
)
def test_nothing_but_names_and_versions_gets_into_an_install_line(plugins, expected):
    mistaken = problems(VALID.replace("use: noise", "use: swirl") + f"plugins: {plugins}\n")
    assert any(expected in problem for problem in mistaken), mistaken
    assert not any("pip install" in problem for problem in mistaken)


def test_schedule():
    schedule = Schedule(1.0, 3.0, 10)
    assert [schedule.at(step) for step in (0, 5, 10, 99)] == [1.0, 2.0, 3.0, 3.0]
    held = Schedule(1.0, 3.0, 10, after=4)
    assert [held.at(step) for step in (0, 4, 9, 14, 99)] == [1.0, 1.0, 2.0, 3.0, 3.0]


def test_resolved_round_trip_and_origins():
    recipe = load(VALID, "stages.0.steps=7", "seed=3")
    again = load(recipe.to_yaml(), name="again.yaml")
    assert again == recipe
    assert again.hash == recipe.hash
    assert load(yaml.safe_dump(recipe.resolved()), name="dumped.yaml") == recipe
    assert recipe.origin("batch") == "x.yaml:2"
    assert recipe.origin("stages[0].steps") == recipe.origin("stages.0.steps") == "--set"
    assert recipe.origin("precision") == "default"
    with pytest.raises(KeyError):
        recipe.origin("stages[0].nothing")
    text = recipe.to_yaml()
    assert "lr: 0.0002  # x.yaml:6" in text
    assert "seed: 3  # --set" in text
    assert "keep: 3  # default" in text


def test_hash_and_diff():
    recipe = load()
    harmless = load(VALID, "samples.every=1", "log.every=2", "recipe=other", "checkpoint.keep=9")
    assert harmless.hash == recipe.hash
    changed = load(VALID, "stages.0.discriminator.1.weight=5", "optimizer.betas=[0, 0.9]")
    assert changed.hash != recipe.hash
    assert diff(recipe.resolved(), changed.resolved()) == [
        "optimizer.betas: [0.5, 0.999] -> [0.0, 0.9]",
        "stages[0].discriminator[1].weight: 3.0 -> 5.0",
    ]
    assert diff(recipe.resolved(), load().resolved()) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("batch: 8", "bacth: 8", "x.yaml:2:1 bacth: unknown key, did you mean 'batch'?"),
        ("batch: 8", "", "x.yaml:1:1 missing 'batch'"),
        ("batch: 8", "batch: abc", "x.yaml:2:8 batch: expected an integer"),
        ("batch: 8", "batch: true", "batch: expected an integer"),
        ("batch: 8", "batch: 0", "batch: expected an integer"),
        ("batch: 8", "batch: 8\nbatch: 9", "x.yaml:3:1 batch: the key stands here twice"),
        ("batch: 8", "batch: 8\n1: 9", "x.yaml:3:1 a key must be a text, not 1"),
        ("batch: 8", "batch: 8\naccumulate: 3", "batch of 8 does not split into accumulate: 3"),
        ("batch: 8", "batch: 8\n\tseed: 1", "x.yaml:3:1 not valid YAML"),
        ("path: pictures", "path: 3", "x.yaml:3:30 dataset.path: expected a path, not 3"),
        ("path: pictures", "size: 3", "x.yaml:3:1 dataset: missing 'path'"),
        ("use: noise", "use: niose", "unknown generator 'niose', did you mean 'noise'?"),
        ("use: noise, ", "", "x.yaml:4:1 generator: missing 'use'"),
        ("{use: noise, width: 32}", "noise", "generator: expected a section, {use: NAME"),
        ("width: 32", "wdth: 32", "x.yaml:4:25 generator.wdth: unknown key"),
        ("use: noise, width: 32", "use: translator", "generator 'translator' needs 'photo'"),
        ("discriminator: {use: judge}", "", "the recipe has no discriminator"),
        ("lr: 2e-4", "lr: 0", "x.yaml:6:28 optimizer.lr: expected a number"),
        ("lr: 2e-4, ", "", "x.yaml:6:1 optimizer: missing 'lr'"),
        ("0.999]", "1]", "x.yaml:6:47 optimizer.betas[1]: expected a number"),
        ("use: adam", "use: adm", "unknown optimizer 'adm', did you mean 'adam'?"),
        ("use: adam", "use: sgd", "optimizer.betas: unknown key"),
        ("{lr: 1e-8}", "{lrr: 1}", "optimizer.discriminator.lrr: unknown key"),
        ("ema: 0.999", "ema: 1", "ema.decay: expected a number"),
        ("of: real", "of: rael", "x.yaml:9:30 views.gray.of: view 'gray' needs 'rael', which"),
        ("of: real", "of: gray", "views go in a circle: gray -> gray"),
        ("gray: {use", "fake: {use", "views.fake: 'fake' is a word already"),
        ("name: second", "name: first", "stages[1].name: stages[0] has the name 'first' already"),
        ("weight: 3", "wieght: 3", "stages[0].discriminator[1].wieght: unknown key"),
        ("weight: 3", "weight: .nan", "weight: expected a number, not nan"),
        ("to: 0.5, ", "", "stages[0].discriminator[0].weight: missing 'to'"),
        ("{real: gray}", "{rael: gray}", "loss 'adversarial' does not read 'rael', did you mean"),
        ("{real: gray}", "{real: smoth}", "needs 'smoth_logits', which nothing provides"),
        (
            "- {use: adversarial}",
            "- {use: content}",
            "stages[1].generator[0]: loss 'content' needs",
        ),
        ("- {use: adversarial}", "- {use: edge-promoting}", "'edge-promoting' is not for the gen"),
        (
            "use: adversarial, weight: 3",
            "use: edge-promoting",
            "needs 'smooth_logits', which nothing",
        ),
        ("extractor: vgg", "extractor: vg", "has no 'vg', did you mean 'vgg'? Available: other"),
        ("extractor: vgg, ", "", "real_features: of which extractor? Add extractor: NAME, which"),
        ("- {use: adversarial}", "- {use: adversarial, extractor: vgg}", "reads no features, so"),
        ("use: network, layers", "use: netwrk, layers", "unknown extractor 'netwrk', did you mean"),
        ("layers: [a]", "layres: [a]", "extractors.vgg.layres: unknown key"),
        (
            "extractors: {vgg: {use: network, layers: [a]}, other: {use: network}}",
            "",
            "has no 'extractors'",
        ),
        ("gray: {use", "gray_features: {use", "does not end in _features, _logits"),
        ("steps: 5", "steps: 1.5", "stages[1].steps: expected an integer"),
        ("recipe: tiny", "recipe: !!python/name:os.system ''", "has no place in a recipe"),
        ("recipe: tiny", "---\nrecipe: tiny\n---\n", "a second document starts here"),
        ("recipe: tiny", 'recipe: "\\ud800"', "recipe: not a valid str"),
        ("recipe: tiny", "recipe: \x07", "x.yaml:1:9 character #x0007 is not allowed"),
        ("batch: 8", f"batch: {'9' * 5000}", "x.yaml:2:8 batch: not a valid int"),
    ],
)
def test_mistakes(old, new, expected):
    assert old in VALID
    found = problems(VALID.replace(old, new, 1))
    assert any(expected in line for line in found), found


def test_all_mistakes_at_once_in_order():
    text = VALID.replace("batch: 8", "batch: x").replace("width", "wdth").replace("steps: 5", "")
    assert [line.split(" ")[0] for line in problems(text)] == [
        "x.yaml:2:8",
        "x.yaml:4:25",
        "x.yaml:19:5",
    ]


def test_a_field_exists_where_its_argument_is_given():
    text = VALID.replace("use: adversarial, weight: 3", "use: edge-promoting, weight: 3")
    text = text.replace(", inputs: {real: gray}", "")
    (line,) = problems(text)
    assert line.startswith("x.yaml:18:9 stages[0].discriminator[1]: loss 'edge-promoting'")
    assert "Dataset 'images' provides 'smooth'" in line
    assert "argument 'smooth'" in line
    assert (
        load(text, "dataset.smooth=edges").stages[0].terms["discriminator"][1].use
        == "edge-promoting"
    )
    text = text.replace("path: pictures", "path: pictures, smooth: 3")
    (line,) = problems(text)  # no second complaint that follows from it
    assert "expected a path" in line


def test_yaml_1_2():
    text = VALID.replace("recipe: tiny", "recipe: no").replace("batch: 8", "batch: 0o17")
    recipe = load(text, "optimizer.lr=.5", "optimizer.discriminator.lr=1E-3")
    assert (recipe.name, recipe.batch) == ("no", 15)
    assert recipe.stages[0].optimizers["generator"][1]["lr"].at(0) == 0.5
    assert recipe.stages[0].optimizers["discriminator"][1]["lr"].at(0) == 1e-3
    assert load(text, "recipe=2020-01-01").name == "2020-01-01"
    assert load(text, "recipe=on").resolved()["recipe"] == "on"


def test_anchors_within_limits():
    bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
    for one, two in zip("abcdef", "bcdefg", strict=True):
        bomb += f"{two}: &{two} [{', '.join([f'*{one}'] * 10)}]\n"
    assert any("too many values" in line for line in problems(bomb))
    assert any("nested too deeply" in line for line in problems("a: &a [*a]"))
    assert any("nested too deeply" in line for line in problems("[" * 5000))
    text = VALID.replace("path: pictures", "path: &p pictures, photo: *p")
    assert load(text).dataset.arguments["photo"] == str(Path("pictures").absolute())


def test_files_that_are_none():
    Path("binary.yaml").write_bytes(b"a: 1\nb: \xff")
    Path("empty.yaml").write_bytes(b" \n")
    Path("big.yaml").write_bytes(b"#" * 1_000_001)
    Path("folder.yaml").mkdir()
    for name, expected in {
        "binary.yaml": "binary.yaml:2:4 not UTF-8",
        "empty.yaml": "empty.yaml is empty",
        "big.yaml": "more than 1000000 bytes",
        "folder.yaml": "is a folder",
        "missing.yaml": "there is no file 'missing.yaml'",
        "x" * 5000: "unknown recipe 'xxx",
        "\0": "unknown recipe",
    }.items():
        with pytest.raises(RecipeError, match=expected):
            load_recipe(name, registry=REGISTRY)


def test_a_byte_order_mark_and_windows_lines_do_no_harm():
    Path("x.yaml").write_bytes(b"\xef\xbb\xbf" + VALID.replace("\n", "\r\n").encode())
    assert load_recipe("x.yaml", registry=REGISTRY) == load(name="y.yaml")


def test_extends():
    Path("base.yaml").write_text(VALID)
    recipe = load("extends: base.yaml\nrecipe: mine\ngenerator: {width: 8}\nseed: 1\n")
    assert (recipe.name, recipe.seed, recipe.batch) == ("mine", 1, 8)
    assert recipe.networks["generator"].arguments == {"width": 8}
    assert recipe.origin("generator.width") == "x.yaml:3"
    assert recipe.origin("generator.use") == "base.yaml:4"
    assert "extends" not in recipe.resolved()
    changed = load("extends: base.yaml\noptimizer: {use: rmsprop, lr: 1}\n")
    assert "betas" not in changed.stages[0].optimizers["generator"][1]
    assert load("extends: base.yaml\nema: null\n").ema is None


def test_extends_goes_wrong():
    Path("base.yaml").write_text(VALID.replace("batch: 8", "batch: x"))
    own, inherited = problems("extends: base.yaml\nseed: x")
    assert own.startswith("x.yaml:2:7 seed: expected")
    assert inherited.startswith("base.yaml:2:8 batch: expected")
    circle = problems("extends: x.yaml")[0]
    assert "x.yaml:1:10 extends:" in circle
    assert "circle" in circle
    assert "extends: unknown recipe 'bse'" in problems("extends: bse")[0]
    assert "extends: expected the name or path" in problems("extends: [a]")[0]


def test_a_path_is_relative_to_the_file_that_has_it(tmp_path):
    for folder in ("base", "own"):
        Path(folder).mkdir()
    Path("base/base.yaml").write_text(VALID.replace("path: pictures", "path: a, photo: ../p"))
    Path("own/own.yaml").write_text("extends: ../base/base.yaml\ndataset: {smooth: /s}\n")
    recipe = load_recipe("own/own.yaml", ["dataset.photo=q"], REGISTRY)
    assert recipe.dataset.arguments["path"] == str(tmp_path / "base/a")
    assert recipe.dataset.arguments["photo"] == str(tmp_path / "q")
    assert recipe.dataset.arguments["smooth"] == "/s"
    Path("run").mkdir()
    Path("run/recipe.yaml").write_text(recipe.to_yaml())
    assert load_recipe("run/recipe.yaml", (), REGISTRY) == recipe
    Path("own/own.yaml").write_text("extends: ../base/base.yaml\ninit_from: runs/a\n")
    recipe = load_recipe("own/own.yaml", (), REGISTRY, folder=tmp_path)
    assert recipe.init_from == str(tmp_path / "runs/a")
    assert recipe.dataset.arguments["photo"] == str(tmp_path / "../p")


def test_the_benchmark_of_a_recipe_is_sought_beside_it(tmp_path):
    Path("own").mkdir()
    Path("own/mine.yaml").write_text(
        "benchmark: mine\nversion: 1\ndataset: {use: images, path: there}\nreference: 9\n"
        "fakes: 10\nprimary: gap\nevaluators: [{use: gap}]\n"
    )
    watch = "evaluate: {every: 5, benchmark: mine.yaml, set: [fakes=20, dataset.path=here]}\n"
    Path("own/own.yaml").write_text(VALID + watch)
    evaluate = load_recipe("own/own.yaml", (), REGISTRY).evaluate
    assert evaluate.benchmark == str(tmp_path / "own/mine.yaml")
    assert evaluate.set == ("fakes=20", f"dataset.path={tmp_path / 'own/here'}")


@pytest.mark.parametrize(
    ("extends", "expected"),
    [
        ("nothing.yaml", "x.yaml:1:10 extends: there is no file 'nothing.yaml'"),
        ("x.yaml", "x.yaml:1:10 extends: recipes extend in a circle"),
        ("[a]", "x.yaml:1:10 extends: expected the name or path"),
        ("torn.yaml", "torn.yaml:2:1 not valid YAML"),
        ("text.yaml", "text.yaml:1:1 a recipe is a mapping of keys, not 'a'"),
        ("empty.yaml", "empty.yaml is empty"),
    ],
)
def test_a_bad_extends_hides_no_other_mistake(extends, expected):
    Path("torn.yaml").write_text("{a\n")
    Path("text.yaml").write_text("a")
    Path("empty.yaml").write_text("")
    text = f"extends: {extends}\nseed: x\noptimizer: {{lr: 0}}\nstages:\n- steps: 5\n"
    text += "  generator: [{use: edge-promoting, wieght: 1}]\n"
    mistaken = problems(text, "batch=x", "recipe")
    for part in (
        expected,
        "x.yaml:2:7 seed: expected",
        "x.yaml:3:17 optimizer.lr: expected",
        "x.yaml:5:3 stages[0]: missing 'name'",
        "x.yaml:6:37 stages[0].generator[0].wieght: unknown key",
        "x.yaml:6:15 stages[0].generator[0]: loss 'edge-promoting' is not for the generator",
        "--set batch=x batch: expected",
        "--set recipe expected KEY=VALUE",
    ):
        assert any(line.startswith(part) for line in mistaken), (part, mistaken)
    assert len(mistaken) == 8  # and none of what the file may have inherited


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("use: images", "use: imges"),
        ("use: noise", "use: niose"),
        ("use: judge", "use: jugde"),
        ("use: adam", "use: adm"),
        ("dataset: {use: images, path: pictures}\n", ""),
        ("optimizer: {use: adam, lr: 2e-4, betas: [0.5, 0.999], discriminator: {lr: 1e-8}}\n", ""),
        ("gray: {use: grayscale, of: real}", "gray: 3"),
        ("recipe: tiny", "recipe: tiny\nbatch: 4"),
    ],
)
def test_a_mistake_of_grammar_hides_none_of_meaning(old, new):
    assert old in VALID
    text = VALID.replace(old, new)
    assert len(problems(text)) == 1, problems(text)
    text = text.replace("optimizer: {lr:", "optimizer: {lrr: 1, lr:")
    text = text.replace("- {use: adversarial}\n", "- {use: edge-promoting}\n")
    text = text.replace("extractor: vgg", "extractor: vg")
    found = problems(text)
    assert len(found) == 4, found
    assert any("stages[1].optimizer.lrr: unknown key" in line for line in found)
    assert any("'edge-promoting' is not for the generator" in line for line in found)
    assert any("'extractors' has no 'vg'" in line for line in found)


def test_a_registered_recipe_is_found_by_name(tmp_path):
    registry = make_registry()
    file = tmp_path / "some.yaml"
    file.write_text(VALID)
    registry.add(Registration("recipe", "some-name", str(file), Origin("tests", "tests", "1")))
    assert find_recipe("some-name", registry) == file
    assert load_recipe("some-name", registry=registry).origin("batch") == "some.yaml:2"
    with pytest.raises(RecipeError, match=r"recipe 'some-nmae', .* 'some-name'"):
        find_recipe("some-nmae", registry)


def test_set():
    recipe = load(
        VALID,
        "stages[0].steps=9",
        "samples.count=4",
        "optimizer.lr=0.1",
        "optimizer.use=sgd",
        "discriminator=null",
        "stages.0.discriminator=[]",
        "stages.0.generator=[{use: content, weight: 2, layers: [3]}]",
        "stages.1.generator.0.use=content",
        "dataset.photo=p",
    )
    assert recipe.stages[0].steps == 9
    assert recipe.samples.count == 4
    assert list(recipe.networks) == ["generator"]
    assert recipe.stages[0].terms["generator"][0].arguments == {"layers": (3,), "scale": 1.0}
    use, arguments = recipe.stages[0].optimizers["generator"]
    assert (use, arguments["lr"].at(0)) == ("sgd", 0.1)  # set before `use`, kept all the same


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("batch=abc", "--set batch=abc batch: expected an integer"),
        ("smaples.count=4", "--set smaples.count=4 smaples: unknown key"),
        ("stages.0.generator.0.wieght=1", "[0].wieght: unknown key"),
        ("stages.5.steps=1", "'stages' is a list of 2; give an index from 0 to 1, not '5'"),
        ("stages.first.steps=1", "give an index from 0 to 1, not 'first'"),
        ("batch.x=1", "'batch' is 8, which has no 'x' inside"),
        ("batch", "expected KEY=VALUE"),
        ("=3", "expected KEY=VALUE"),
        ("batch=[", "--set batch=[ not valid YAML"),
        ("extends=other", "extends cannot be set"),
    ],
)
def test_set_goes_wrong(override, expected):
    (line,) = problems(VALID, override)
    assert line.startswith(f"--set {override} ")
    assert expected in line


def _path_set(value, key="dataset.path"):
    recipe = load_recipe("dcgan", [f"{key}={value}"])
    again = recipe.resolved()
    for step in key.split("."):
        again = again[step]
    return again


@pytest.mark.parametrize(
    "name",
    ["in/faces #2", "2023", "1e5", "[HD] faces", "[a, b]", "{a: b}", "@x", "%x", "*x", "&x faces",
     "#x", "a: b", "- a", "null", "yes", "true", "'tis", "it's", "x: {", "!x", ".inf", "a\tb"],
)  # fmt: skip
def test_a_path_or_text_that_is_set_is_taken_to_the_letter(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for text in (name, f"  {name} ", '"' + name.replace("\t", "\\t") + '"'):
        assert _path_set(text) == str(tmp_path / name)
    named = load_recipe("dcgan", [f"stages.0.name={name}"]).resolved()
    assert named["stages"][0]["name"] == name  # a text
    if name != "null":
        assert _path_set(name, "init_from") == str(tmp_path / name)  # a path or null
    recipe = load_recipe("dcgan", [f"dataset.path={name}"])
    (tmp_path / "resolved.yaml").write_text(recipe.to_yaml(), encoding="utf-8")
    assert load_recipe(tmp_path / "resolved.yaml").dataset == recipe.dataset


@pytest.mark.parametrize("name", ["faces #2", "2023", '"faces"', "a\x7fb", "\N{GRINNING FACE}"])
def test_a_path_in_the_overrides_of_python_is_that_path(name, tmp_path):
    from ganzoo import api

    for path in (tmp_path / name, str(tmp_path / name)):
        recipe = load_recipe("dcgan", api._pairs({"dataset.path": path}))
        assert recipe.dataset.arguments["path"] == str(tmp_path / name)


def test_what_else_than_a_text_is_set_is_yaml():
    assert _path_set("null", "init_from") is None
    assert _path_set("5 # the fifth", "seed") == 5
    assert _path_set("true", "dataset.mirror") is True
    assert _path_set("[tensorboard]", "log.trackers") == ["tensorboard"]
    for wrong in ("dataset.size=@x", "optimizer=@x", "stages=[1,", "precision=bf16 #", "batch=[1"):
        (line,) = problems(VALID, wrong)
        assert line.startswith(f"--set {wrong} ")
    (line,) = problems(VALID, "dataset.path=caf\udce9")
    assert "UTF-8" in line


def test_optimizer_overrides():
    text = VALID.replace("{lr: {from: 1e-4, to: 0, over: 5}}", "{use: sgd, lr: 1, nesterov: true}")
    assert "nesterov needs a momentum above 0" in problems(text)[0]
    stage = load(text.replace("nesterov", "momentum: 0.9, nesterov")).stages[1]
    use, arguments = stage.optimizers["discriminator"]
    assert (use, arguments["momentum"], arguments["lr"].at(0)) == ("sgd", 0.9, 1.0)


def test_schema_accepts_what_loads_and_refuses_typos():
    jsonschema = pytest.importorskip("jsonschema")
    found = schema(REGISTRY)
    jsonschema.Draft202012Validator.check_schema(found)
    validator = jsonschema.Draft202012Validator(found)
    assert not list(validator.iter_errors(load().resolved()))
    assert validator.is_valid({"extends": "tiny", "generator": {"width": 3}})
    for key, value in {
        "generator": {"use": "noise", "wdth": 3},
        "dataset": {"use": "nothing"},
        "bacth": 3,
        "ema": 1.5,
        "optimizer": {"use": "sgd", "lr": 1, "betas": [0, 0]},
        "stages": [],
    }.items():
        assert not validator.is_valid(load().resolved() | {key: value})
    assert found["$defs"]["dataset"]["allOf"][0]["then"]["properties"]["path"]["description"]


@pytest.mark.parametrize("name", sorted(shipped_recipes()))
def test_shipped_recipes(name):
    jsonschema = pytest.importorskip("jsonschema")
    from ganzoo.plugins.manager import installed

    registry = installed().registry
    # the one thing that a recipe may leave to its user
    written = yaml.safe_load(find_recipe(name).read_text(encoding="utf-8"))
    missing = written.get("dataset", {}).get("use") == "folder" and "path" not in written["dataset"]
    recipe = load_recipe(name, ["dataset.path=pictures"] if missing else [])
    validator = jsonschema.Draft202012Validator(schema(registry))
    assert not list(validator.iter_errors(recipe.resolved()))
    Path("again.yaml").write_text(recipe.to_yaml(), encoding="utf-8")
    assert load_recipe("again.yaml") == recipe


BENCHMARK = """\
benchmark: small
version: 1
dataset: {use: images, path: pictures}
reference: 20
fakes: 20
primary: gap
evaluators: [{use: gap}]
"""
MEASURED = (
    VALID
    + """\
evaluate: {every: 50, benchmark: small.yaml, set: [fakes=30]}
verify:
  benchmark: small.yaml
  seeds: [0, 1]
  expected: {gap: [1, 2.5]}
"""
)


def test_a_measured_recipe():
    Path("small.yaml").write_text(BENCHMARK)
    recipe = load(MEASURED)
    path = str(Path("small.yaml").absolute())
    assert recipe.evaluate == Evaluate(50, path, ("fakes=30",))
    assert recipe.verify == Verify(path, (), (), (0, 1), {"gap": (1.0, 2.5)})
    assert recipe.hash == load().hash
    assert load(recipe.to_yaml(), name="again.yaml") == recipe
    off = load(MEASURED, "evaluate=null", "verify=null")
    assert (off.evaluate, off.verify) == (None, None)
    assert load("extends: x.yaml\nbatch: 4\n", name="y.yaml").verify is None


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "benchmark: small.yaml, set",
            "benchmark: avatars-46, set",
            "x.yaml:25:34 evaluate.benchmark: unknown benchmark 'avatars-46', did you mean",
        ),
        (
            "benchmark: small.yaml, set",
            "benchmark: none.yaml, set",
            "x.yaml:25:34 evaluate.benchmark: there is no file 'none.yaml'",
        ),
        ("benchmark: small.yaml, ", "", "x.yaml:25:1 evaluate: missing 'benchmark'"),
        (
            "fakes=30",
            "fakse=30",
            "x.yaml:25:51 evaluate.set: --set fakse=30 fakse: unknown key",
        ),
        ("fakes=30", "fakes=one", "evaluate.set: --set fakes=one fakes: expected an integer"),
        ("fakes=30", "fakes", "evaluate.set: --set fakes expected KEY=VALUE"),
        ("every: 50", "every: 0", "evaluate.every: expected an integer"),
        ("every: 50, ", "", "evaluate: missing 'every'"),
        ("  benchmark: small.yaml\n", "  benchmark: 3\n", "verify.benchmark: expected text, not 3"),
        ("  seeds: [0, 1]", "  seed: [0, 1]", "verify.seed: unknown key"),
    ],
)
def test_mistakes_in_what_is_measured(old, new, expected):
    Path("small.yaml").write_text(BENCHMARK)
    assert MEASURED.count(old) == 1
    found = problems(MEASURED.replace(old, new))
    assert any(expected in line for line in found), found


def test_mistakes_in_a_benchmark_are_those_of_the_recipe_that_names_it():
    Path("small.yaml").write_text(BENCHMARK.replace("use: gap", "use: gpa"))
    found = problems(MEASURED)
    assert [line.split(" ")[:3] for line in found] == [
        ["x.yaml:25:34", "evaluate.benchmark:", "small.yaml:7:20"],
        ["x.yaml:27:14", "verify.benchmark:", "small.yaml:7:20"],
    ]
    assert re.search("evaluator 'gpa', .* 'gap'", found[0])


def test_the_schema_knows_what_is_measured():
    jsonschema = pytest.importorskip("jsonschema")
    Path("small.yaml").write_text(BENCHMARK)
    validator = jsonschema.Draft202012Validator(schema(REGISTRY))
    resolved = load(MEASURED).resolved()
    assert not list(validator.iter_errors(resolved))
    for section, key, value in [
        ("evaluate", "every", 0),
        ("evaluate", "evry", 5),
        ("evaluate", "set", "fakes=3"),
        ("verify", "seeds", [-1]),
        ("verify", "expected", {"gap": [1]}),
        ("verify", "expected", {"gap": 1}),
    ]:
        wrong = {**resolved, section: {**resolved[section], key: value}}
        assert list(validator.iter_errors(wrong)), (section, key, value)


def test_no_torch():
    code = (
        "import sys, ganzoo.recipe.recipe, ganzoo.recipe.schema, ganzoo.plugins.manager as p\n"
        "from ganzoo.errors import RecipeError\n"
        "r = p.installed().registry\n"
        "ganzoo.recipe.schema.schema(r)\n"
        "for name in ganzoo.recipe.recipe.shipped_recipes(r):\n"
        "    try: ganzoo.recipe.recipe.load_recipe(name, registry=r)\n"
        "    except RecipeError: pass\n"
        "evaluate = 'evaluate={every: 5, benchmark: avatars-64, set: [fakes=%s]}'\n"
        "ganzoo.recipe.recipe.load_recipe('dcgan', [evaluate % 99], r)\n"
        "try: ganzoo.recipe.recipe.load_recipe('dcgan', [evaluate % 'x'], r)\n"
        "except RecipeError: pass\n"
        "else: raise AssertionError\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


FUZZ = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
KEYS = st.sampled_from(
    [
        *TOP,
        *SECTIONS,
        *STAGE,
        *TERM,
        *SCHEDULE,
        *EMA,
        *MEASURING["verify"],
        *("use", "weight", "lr", "betas", "nesterov", "of", "trackers", "path", "size", "width"),
    ]
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["noise", "judge", "images", "adversarial", "content", "adam", "sgd", "real"]),
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=25,
)


def only_recipe_errors(text: str, *overrides: str) -> Any:
    Path("fuzz.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        recipe = load_recipe("fuzz.yaml", overrides, REGISTRY)
    except RecipeError:
        return
    Path("again.yaml").write_text(recipe.to_yaml(), encoding="utf-8")
    again = load_recipe("again.yaml", registry=REGISTRY)
    assert again == recipe
    assert again.hash == recipe.hash


@FUZZ
@given(st.text() | st.text(alphabet="{}[]:,-&*!|>'\"%@#?\n\t ab01.~<="))
def test_fuzz_text(text):
    only_recipe_errors(text)


@FUZZ
@given(st.dictionaries(KEYS, TREES, max_size=8))
def test_fuzz_trees(tree):
    only_recipe_errors(yaml.safe_dump(tree, allow_unicode=True))


@FUZZ
@given(st.data())
def test_fuzz_mutations(data):
    text = VALID
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 12)))
        text = text[:start] + data.draw(st.text(max_size=6)) + text[end:]
    only_recipe_errors(text)


def branches(tree: Any) -> list[Any]:
    inside = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
    found = [tree] if isinstance(tree, (dict, list)) and tree else []
    return found + [branch for item in inside for branch in branches(item)]


@FUZZ
@given(st.data())
def test_fuzz_values_of_a_valid_recipe(data):
    tree = yaml.safe_load(VALID)
    for _ in range(data.draw(st.integers(1, 3))):
        branch = data.draw(st.sampled_from(branches(tree)))
        key = data.draw(
            st.sampled_from(list(branch if isinstance(branch, dict) else range(len(branch))))
        )
        branch[key] = data.draw(TREES)
    only_recipe_errors(yaml.safe_dump(tree, allow_unicode=True))


STEPS = KEYS | st.integers(-1, 3).map(str) | st.text(max_size=3)
PATHS = st.lists(STEPS, min_size=1, max_size=5).map(".".join)


@FUZZ
@given(st.lists(st.text() | st.builds("{}={}".format, PATHS, SCALARS | st.text()), max_size=3))
def test_fuzz_set(overrides):
    only_recipe_errors(VALID, *overrides)


def test_an_argument_of_a_later_version_is_in_no_recipe_that_leaves_it_out():
    without = load_recipe("dcgan", ["dataset.path=faces"])
    assert "label" not in without.resolved()["dataset"]
    labelled = load_recipe("dcgan", ["dataset.path=faces", "dataset.label=[class]"])
    assert labelled.resolved()["dataset"]["label"] == ["class"]
    with pytest.raises(RecipeError, match=r"dataset\.label\[0\]: expected class, not 'clas'"):
        load_recipe("dcgan", ["dataset.label=[clas]"])


def test_merge_keys_are_told_what_to_use(tmp_path: Path) -> None:
    data = yaml.safe_dump({**toy.GAN, "ema": None}, sort_keys=False)
    merged = data.replace("ema: null", "ema: {<<: {ramp: 1}, decay: 0.9, halflife: 3}")
    (tmp_path / "x.yaml").write_text(merged)
    with pytest.raises(RecipeError) as caught:
        load_recipe(tmp_path / "x.yaml", registry=toy.plugins().registry)
    merge, other = caught.value.problems
    assert all(text in merge for text in ("ema.<<: ", "extends", "*NAME"))
    assert "halflife" in other


def test_init_from_is_a_path_or_a_repository(tmp_path: Path) -> None:
    def read(source: str) -> str | None:
        return toy.recipe(tmp_path, init_from=source).init_from

    assert read("ann/toy@v1") == "hf://ann/toy@v1"
    assert read("https://huggingface.co/ann/toy/tree/v1") == "hf://ann/toy@v1"
    assert read("runs/toy") == str(tmp_path / "runs" / "toy")
    assert read("toy") == str(tmp_path / "toy")
    (tmp_path / "ann").mkdir()
    assert read("ann/toy") == str(tmp_path / "ann" / "toy")
    assert read("hf://ann/toy") == "hf://ann/toy"
    for wrong in ("", "hf://a", "a\0b", "hf://ann/a..b"):
        with pytest.raises(RecipeError, match="init_from: "):
            read(wrong)
