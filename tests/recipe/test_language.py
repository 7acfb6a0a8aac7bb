"""Every key is explained from the grammar, and a new recipe is right as it is written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typed import Run, typist

from ganzoo.formats.yaml import parse
from ganzoo.plugins.manager import installed
from ganzoo.recipe.language import arguments, explain, keys
from ganzoo.recipe.recipe import load_recipe, shipped_recipes
from ganzoo.recipe.schema import schema

#: a recipe in which every example of a key makes sense
SHOWN = """\
recipe: shown
batch: 32
dataset: {use: folder, path: faces}
generator: {use: dcgan}
discriminator: {use: dcgan}
networks: {backward: {kind: generator, use: cartoongan}}
players: {generator: [generator, backward]}
optimizer: {use: adam, lr: 2e-4, generator: {}, discriminator: {}}
ema: {decay: 0.9}
views:
  NAME: {use: grayscale, of: real}
  gray: {use: grayscale, of: real}
  drawn: {apply: backward, to: real}
extractors: {NAME: {use: random}, features: {use: random}}
evaluate: {every: 100, benchmark: avatars-64}
verify: {benchmark: avatars-64, seeds: [0], expected: {kid-efflite0: [0, 1]}}
stages:
  - name: first
    steps: 100
    generator:
      - {use: content, extractor: features, inputs: {photo: real}}
      - {use: content, extractor: features, inputs: {photo: drawn}}
    discriminator: [{use: hinge}]
"""


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)
    return typist(monkeypatch, capsys)


#: path -> the name in the place of NAME, and what else must be set for its example
NAMES = {
    **{
        path: ("", ["networks={}", "players={}", "views={}", "stages.0.generator=[{use: hinge}]"])
        for path in ("views", "stages", "stages[].generator")
    },
    "networks.NAME": ("backward", []),
    "networks.NAME.kind": ("backward", []),
    "players.NAME": ("generator", []),
    "optimizer.NAME": (
        "backward",
        ["players={}", "stages.0.backward=[{use: hinge, inputs: {fake: drawn}}]"],
    ),
    "stages[].NAME": ("backward", ["players={}"]),
    "views.NAME.apply": ("drawn", []),
    "views.NAME.to": ("drawn", []),
    "stages[].discriminator[].judge": (
        "",
        [
            "networks.photo_critic={kind: discriminator, use: dcgan}",
            "players.discriminator=[discriminator, photo_critic]",
        ],
    ),
}


@pytest.mark.parametrize("key", [key for key in keys() if key.example], ids=lambda key: key.path)
def test_an_example_is_right(key, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("shown.yaml").write_text(SHOWN)
    if key.path == "extends":
        Path("shown.yaml").write_text(f"extends: {key.example}")
        load_recipe("shown.yaml")
        return
    path = key.path.replace("stages[].generator[]", "stages[].discriminator[]")
    name, before = NAMES.get(path, ("NAME", []))
    sets = [*before, f"{path.replace('[]', '.0').replace('NAME', name)}={key.example}"]
    scheduled = re.fullmatch(r"(.*[.](?:weight|lr))[.](from|to|over|after)", path)
    if scheduled:  # they come together
        sets.insert(0, f"{scheduled[1].replace('[]', '.0')}={{from: 1, to: 0.5, over: 5}}")
    if key.path.endswith("[].extractor"):
        sets = [f"stages.0.generator.0.extractor={key.example}"]
    load_recipe("shown.yaml", sets)


def test_every_key_is_explained_by_what_it_may_be():
    described = list(keys())
    assert len({(key.path, key.of) for key in described}) == len(described)
    for key in described:
        assert key.help[0].isupper(), key
        assert key.help.endswith("."), key
        found, inside = explain(key.path, installed().registry)
        assert key in found
        assert all(one.path.startswith(key.path) for one in inside)
    for kind in ("dataset", "generator", "loss", "extractor", "transform"):
        assert all(key.of for key in arguments(kind, kind, installed().registry))


def test_the_schema_has_the_same_words():
    top = schema(installed().registry)["properties"]
    for key in keys():
        if "." not in key.path and "[" not in key.path:
            assert top[key.path]["description"] == key.help
            if key.example:
                assert top[key.path]["examples"] == [parse(key.example, "example").plain()]
    assert set(top) == {key.path for key in keys() if "." not in key.path and "[" not in key.path}


@pytest.mark.parametrize(
    ("key", "parts"),
    [
        ("stages.0.generator.0.weight", ["number, or {from,", "default 1.0", "{from: 1, to: 0.1"]),
        ("stages[0].discriminator[1].every", ["integer of at least 1", "lazy"]),
        ("stages.discriminator.weight", ["number, or {from,", "default 1.0"]),
        ("every", ["stages[].generator[].every\n", "samples.every\n", "checkpoint.every\n"]),
        ("label", ["dataset.label, of folder\n", "generator.label, of dcgan"]),
        ("stages.0.optimizer.lr", ["optimizer.lr\n", "number above 0, or {from"]),
        ("optimizer.discriminator.betas", ["of adam, adamw", "default [0.9, 0.999]"]),
        ("optimizer.weight_decay", ["default 0.0", "default 0.01", "of adamw"]),
        ("precision", ["one of auto, fp32, bf16, fp16", "example  precision: auto"]),
        ("dataset.path", ["of folder", "path; required"]),
        ("generator.size", ["default the dataset's"]),
        ("views.gray.of", ["The image word"]),
        ("extractors.face.weights", ["path or null"]),
        ("stages.0.generator.0.label_smoothing", ["of non-saturating"]),
        ("ema", ["keys inside", "decay", "ramp"]),
        ("stages.0", ["list of stages", "discriminator_steps"]),
        ("dataset", [" folder: The folder;", " avatars: How many"]),
    ],
)
def test_explain(run: Run, key: str, parts: list[str]):
    result = run("recipe", "explain", key)
    assert result.code == 0
    for part in parts:
        assert part in result.out


def test_explain_an_unknown_key(run: Run):
    assert "did you mean 'precision'?" in run("recipe", "explain", "precison").err
    result = run("recipe", "explain", "stages.0.generator.0.wieght")
    assert (result.code, "weight" in result.err) == (2, True)
    assert "stages" in run("recipe", "explain").out


@pytest.mark.parametrize("source", sorted(shipped_recipes()))
def test_a_new_recipe_is_its_source_with_every_key_explained(run: Run, source: str):
    assert run("recipe", "new", "mine", "--from", source).code == 0
    text = Path("mine.yaml").read_text()
    made, wanted = load_recipe("mine.yaml"), load_recipe(source)
    assert (made.name, made.hash) == ("mine", wanted.hash)
    assert (made.samples, made.checkpoint) == (wanted.samples, wanted.checkpoint)
    for key in keys():
        if "." not in key.path and key.path not in ("extends", "verify"):
            assert re.search(rf"^#?{key.path}:", text, re.MULTILINE), key.path
    assert max(map(len, text.splitlines())) <= 100


def test_a_new_recipe_replaces_nothing(run: Run):
    assert run("recipe", "new", "mine").code == 0
    Path("mine.yaml").write_text("precious")
    for name in ("mine", "mine.yaml", "no/such", "../bad name", ".."):
        result = run("recipe", "new", name)
        assert (result.code, result.out) == (2, "")
    assert Path("mine.yaml").read_text() == "precious"
    assert "unknown recipe 'dcgn'" in run("recipe", "new", "other", "--from", "dcgn").err
    assert [path.name for path in Path().iterdir()] == ["mine.yaml"]


def test_a_new_recipe_of_one_elsewhere_keeps_its_folders(run: Run, tmp_path: Path):
    Path("sub").mkdir()
    own = "extends: dcgan\nrecipe: own\ndataset: {path: ../faces}\nviews: {}\naugment: null\n"
    Path("sub/own.yaml").write_text(own)
    assert run("recipe", "new", "mine", "--from", "sub/own.yaml").code == 0
    wanted = load_recipe("sub/own.yaml").dataset
    assert load_recipe("mine.yaml").dataset == wanted
    assert wanted.arguments["path"] == str(tmp_path / "sub/../faces")
