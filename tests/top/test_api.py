"""The front door: ``ganzoo.load``, ``train`` and the others, as a script uses them."""

from __future__ import annotations

import doctest
import hashlib
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import toy
from hub_server import HubServer, hermetic
from PIL import Image

import ganzoo
from ganzoo import api
from ganzoo.errors import DataError, GanzooError, HubError, RecipeError, RunError, TrainingStopped
from ganzoo.evaluation import result
from ganzoo.evaluation.standings import read_standings
from ganzoo.hub.locate import locate
from ganzoo.models import config, model
from ganzoo.models.samples import from_uint8, to_uint8
from ganzoo.plugins.shipped import shipped_models
from ganzoo.training import loop

pytestmark = pytest.mark.usefixtures("one_thread")
FUNCTIONS = (
    "avatar", "component", "evaluate", "leaderboard", "list", "load", "pull", "push", "sample",
    "search", "train", "translate",
)  # fmt: skip
LICENCES = {"licence": "cc-by-4.0", "data_licence": "cc0-1.0"}
TRANSLATOR: dict[str, Any] = {
    "dataset": {"use": "toy", "photo": True},
    "generator": {"use": "toy-translator"},
}


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The toy plugin is what is installed."""
    monkeypatch.setattr(api, "installed", toy.plugins)
    monkeypatch.setattr(config, "code_licence", lambda _: "MIT")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    with HubServer(xet=False) as found:
        hermetic(monkeypatch, tmp_path, found.url)
        monkeypatch.setenv("HF_TOKEN", found.token("ann"))
        yield found


def test_importing_ganzoo_brings_no_torch() -> None:
    code = """
import sys, ganzoo
heavy = {"torch", "numpy", "PIL", "huggingface_hub", "httpx2", "safetensors"} & set(sys.modules)
assert not heavy, heavy
assert "load" in dir(ganzoo)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_no_module_hides_a_function() -> None:
    code = """
import importlib, pkgutil, sys, ganzoo
names = [m.name for m in pkgutil.walk_packages(ganzoo.__path__, "ganzoo.")]
for name in names:
    if not name.endswith("__main__") and ".template" not in name:
        importlib.import_module(name)
assert len(sys.modules.keys() & set(names)) > 50
for name in sys.argv[1:]:
    assert type(getattr(ganzoo, name)).__name__ == "function", name
others = {"GanzooError", "Model", "TrainedRun", "hookimpl", "__version__"}
assert set(dir(ganzoo)) == {*sys.argv[1:], *others}
from ganzoo import *
assert load is ganzoo.load and list((1, 2)) == [1, 2]
"""
    subprocess.run([sys.executable, "-c", code, *FUNCTIONS], check=True, timeout=120)
    with pytest.raises(AttributeError, match="has no attribute 'lode'"):
        _ = ganzoo.lode  # type: ignore[attr-defined]


def test_listing() -> None:
    found = ganzoo.list()
    assert {"dcgan"} < set(found["generators"])
    assert found["recipes"] == ganzoo.list("recipes") == ganzoo.list("recipe")
    assert "dcgan-avatars" in found["recipes"]
    with pytest.raises(RecipeError, match=r"kind 'recipies', .*mean 'recipe'"):
        ganzoo.list("recipies")


# -- load --------------------------------------------------------------------------------------


def test_a_model_loads_from_wherever_it_is(
    train: Callable[..., Path], server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = train()
    pushed = ganzoo.push(run, "ann/toy", tag="v1", **LICENCES)
    assert isinstance(pushed, api.Pushed)
    names: dict[Any, str | None] = {
        run: None,
        str(run): None,
        run / "model": None,
        "ann/toy": None,
        "hf://ann/toy": None,
        "ann/toy@v1": None,
        f"ann/toy@{pushed.commit}": None,
    }
    wanted = ganzoo.load(run).sample(3, as_tensor=True)
    for name, revision in [*names.items(), ("ann/toy", "v1"), ("ann/toy", pushed.commit)]:
        found = ganzoo.load(name, revision, device="cpu")
        assert torch.equal(found.sample(3, as_tensor=True), wanted)
    assert found.card == server.files("ann/toy")["README.md"].decode()
    assert found.recipe == toy.recipe(tmp_path / "again").resolved()
    assert ganzoo.load(run).card is None

    server.stop()
    count = len(server.requests)
    assert torch.equal(ganzoo.load("ann/toy", pushed.commit).sample(3, as_tensor=True), wanted)
    with pytest.warns(UserWarning, match="the Hub was not reached; this is commit"):
        ganzoo.load("ann/toy")
    assert len(server.requests) == count


def test_models_that_come_with_ganzoo() -> None:
    if not shipped_models():
        pytest.skip("no model comes with ganzoo")
    from ganzoo.plugins.manager import installed

    registry = installed().registry
    for name in shipped_models():
        found = locate(name, registry)
        shipped = model.load(found.folder, registry)
        is_translator = shipped.config.input.kind == "image"
        photo, words = Image.new("RGB", (96, 64), "tan"), {}
        if palette := getattr(shipped.generator, "palette", None):
            words["layout"] = Image.new("RGB", (64, 64), next(iter(palette.values())))
        drawn = shipped.translate(photo) if is_translator else shipped.sample(1, **words)[0]
        assert drawn.mode == "RGB"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": "nothing"}, "nothing does not exist"),
        ({"name": Path("ann/toy")}, "ann/toy does not exist"),
        ({"name": "."}, "is no run and no model"),
        ({"name": ".", "revision": "v1"}, "is a folder here, and has no revision"),
        ({"name": "a@b@c"}, "does not exist"),
        ({"name": ".", "dtype": torch.float16}, "torch.float32 or torch.bfloat16"),
        ({"name": ".", "device": "nonsense"}, "device 'nonsense' cannot be used.*'cpu' always can"),
        ({"name": ".", "device": "meta"}, "device 'meta' cannot be used"),
    ],
)
def test_what_load_refuses(given: dict[str, Any], message: str) -> None:
    with pytest.raises(GanzooError, match=message):
        ganzoo.load(**given)


# -- sample ------------------------------------------------------------------------------------


def test_sampling(train: Callable[..., Path]) -> None:
    drawn = ganzoo.load(train())
    assert not drawn.generator.training
    five = drawn.sample(5, seed=3)
    assert [picture.tobytes() for picture in drawn.sample(3, seed=3)] == [
        picture.tobytes() for picture in five[:3]
    ]
    assert {(picture.mode, picture.size) for picture in five} == {("RGB", (8, 8))}
    tensor = drawn.sample(5, seed=3, as_tensor=True)
    assert (tensor.shape, tensor.dtype, tensor.device.type) == ((5, 3, 8, 8), torch.float32, "cpu")
    assert -1 <= tensor.min() < tensor.max() <= 1
    pixels = np.stack([np.asarray(picture) for picture in five]).transpose(0, 3, 1, 2)
    assert np.array_equal(to_uint8(tensor).numpy(), pixels)
    assert drawn.sample(1, seed=4)[0].tobytes() != five[0].tobytes()
    for wrong, message in [
        (lambda: drawn.sample(0), "n is 1 or more"),
        (lambda: drawn.sample(label={"hue": "red"}), "this model has no labels"),
        (lambda: drawn.translate(five[0]), "draws from noise and takes no photo"),
        (lambda: drawn.translate(tensor), "draws from noise and takes no photo"),
    ]:
        with pytest.raises(RunError, match=message):
            wrong()


def test_latents_in_and_out(train: Callable[..., Path]) -> None:
    drawn = ganzoo.load(train(dataset={"use": "toy", "label": ["hue"]}))
    latents = drawn.latents(5, seed=3)
    wanted = drawn.sample(5, seed=3, as_tensor=True)
    assert torch.equal(drawn.sample(latents=latents, seed=3, as_tensor=True), wanted)
    assert torch.equal(drawn.latents(2, seed=3), latents[:2])
    red = drawn.sample(latents=latents[1:2].double(), label={"hue": "red"}, as_tensor=True)
    assert torch.equal(red, drawn.sample(2, seed=3, label={"hue": "red"}, as_tensor=True)[1:])
    assert not torch.equal(
        red, drawn.sample(latents=-latents[1:2], label={"hue": "red"}, as_tensor=True)
    )
    shape = tuple(latents.shape[1:])
    for wrong, message in [
        (latents[:, :-1], rf"expected \(n, {shape[0]}"),
        (latents[0], rf"expected \(n, {shape[0]}"),
        (latents[:0], rf"expected \(n, {shape[0]}"),
        (latents.int(), "expected a float tensor"),
        (latents.tolist(), "expected a float tensor"),
    ]:
        with pytest.raises(RunError, match=message):
            drawn.sample(latents=wrong)
    with pytest.raises(RunError, match="there are 5"):
        drawn.sample(4, latents=latents)
    with pytest.raises(RunError, match="seed 0 or more"):
        drawn.latents(1, seed=-1)


def test_the_batch_size_changes_no_picture(train: Callable[..., Path]) -> None:
    drawn = ganzoo.load(train(), device="cpu")
    batches: list[int] = []
    drawn.generator.register_forward_hook(lambda module, given, made: batches.append(len(made)))
    wanted = drawn.sample(37, as_tensor=True)
    for size in (1, 5, 16, 32, 64):
        batches.clear()
        made = drawn.sample(37, batch_size=size, as_tensor=True)
        assert set(batches) == {size}
        torch.testing.assert_close(made, wanted, rtol=0, atol=1e-6)
    with pytest.raises(RunError, match=r"batch_size=0.*1 or more"):
        drawn.sample(2, batch_size=0)


def test_the_functions_are_the_methods(train: Callable[..., Path]) -> None:
    noise, painter = train(), train("painter", **TRANSLATOR)
    wanted = ganzoo.load(noise).sample(2, seed=1, as_tensor=True)
    for source in (noise, str(noise), ganzoo.load(noise)):
        assert torch.equal(ganzoo.sample(source, 2, seed=1, as_tensor=True), wanted)
    given = photo()
    assert (
        ganzoo.translate(painter, given).tobytes()
        == ganzoo.load(painter).translate(given).tobytes()
    )


def test_what_a_model_shows(train: Callable[..., Path]) -> None:
    drawn = ganzoo.load(train(dataset={"use": "toy", "label": ["hue"]}))
    assert all(word in repr(drawn) for word in (str(drawn.path), "noise to 8x8", "labels hue"))
    assert '<img src="data:image/png;base64,' in drawn._repr_html_()
    (drawn.path / "samples.png").write_bytes(b"torn")
    assert "<img" not in drawn._repr_html_()
    empty = object.__new__(model.Model)
    assert "Model" in repr(empty)
    assert "Model" in empty._repr_html_()


def test_sampling_by_label(train: Callable[..., Path]) -> None:
    drawn = ganzoo.load(train(dataset={"use": "toy", "label": ["hue", "side"]}))
    red = drawn.sample(4, label={"hue": "red"}, as_tensor=True)
    assert torch.equal(red, drawn.sample(4, label={"hue": "red"}, as_tensor=True))
    assert not torch.equal(red, drawn.sample(4, label={"hue": "blue"}, as_tensor=True))
    with pytest.raises(RunError, match=r"'rad' is no hue, .*'red'"):
        drawn.sample(label={"hue": "rad"})


def test_bfloat16(train: Callable[..., Path]) -> None:
    run = train()
    coarse, fine = ganzoo.load(run, dtype=torch.bfloat16), ganzoo.load(run)
    assert {weight.dtype for weight in coarse.generator.parameters()} == {torch.bfloat16}
    made, wanted = (drawn.sample(4, as_tensor=True) for drawn in (coarse, fine))
    assert made.dtype == torch.float32
    assert 0 < (made - wanted).abs().max() < 0.1


# -- translate ---------------------------------------------------------------------------------


@pytest.fixture
def painter(train: Callable[..., Path]) -> model.Model:
    return ganzoo.load(train(**TRANSLATOR))


def photo(mode: str = "RGB", size: tuple[int, int] = (13, 7)) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 4), dtype=np.uint8)
    given = Image.fromarray(pixels, "RGBA")
    return given.convert("RGB").quantize(16) if mode == "P" else given.convert(mode)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "PA", "L", "LA", "1", "CMYK"])
def test_a_picture_keeps_its_size_and_transparency(painter: model.Model, mode: str) -> None:
    given = photo(mode)
    before = given.tobytes()
    made = painter.translate(given)
    assert made.size == given.size
    assert given.tobytes() == before
    if given.has_transparency_data:
        assert made.mode == "RGBA"
        alpha = given.convert("RGBA").getchannel("A")
        assert made.getchannel("A").tobytes() == alpha.tobytes()
    else:
        assert made.mode == "RGB"
        pixels = torch.from_numpy(np.asarray(given.convert("RGB")).copy()).permute(2, 0, 1)
        wanted = to_uint8(painter.translate(from_uint8(pixels))).permute(1, 2, 0).int()
        assert np.abs(np.asarray(made).astype(int) - wanted.numpy()).max() <= 1


def test_a_picture_stands_upright(painter: model.Model) -> None:
    turned = photo()
    turned.getexif()[0x0112] = 6
    made = painter.translate(turned)
    assert made.size == (7, 13)
    assert (
        made.tobytes() == painter.translate(photo().transpose(Image.Transpose.ROTATE_270)).tobytes()
    )


def test_several_pictures_and_tensors(painter: model.Model) -> None:
    photos = [photo(), photo("RGBA", (5, 6))]
    one_by_one = [painter.translate(one).tobytes() for one in photos]
    for given in (photos, tuple(photos)):
        assert [made.tobytes() for made in painter.translate(given)] == one_by_one
    assert painter.translate([]) == []
    batch = torch.rand(2, 3, 6, 5) * 2 - 1
    made = painter.translate(batch)
    assert (made.shape, made.dtype, made.requires_grad) == (batch.shape, torch.float32, False)
    torch.testing.assert_close(painter.translate(batch[0]), made[0])


@pytest.mark.parametrize(
    "wrong",
    [
        "photo.jpg", b"bytes", Path("photo.jpg"), ["photo.jpg"], [torch.zeros(3, 4, 4)], None,
        np.zeros((4, 4, 3), np.uint8), torch.zeros(4, 4), torch.zeros(1, 1, 4, 4),
        torch.zeros(3, 4, 4, dtype=torch.uint8), torch.zeros(0, 3, 4, 4), Image.new("F", (4, 4)),
    ],
    ids=lambda wrong: type(wrong).__name__,
)  # fmt: skip
def test_what_translate_refuses(painter: model.Model, wrong: Any) -> None:
    with pytest.raises(DataError, match=r"^translate: ") as caught:
        painter.translate(wrong)
    assert len(str(caught.value)) < 300
    with pytest.raises(RunError, match=r"turns images into images.*model.translate"):
        painter.sample()


def test_translating_in_bfloat16(train: Callable[..., Path]) -> None:
    run = train(**TRANSLATOR)
    made = ganzoo.load(run, dtype=torch.bfloat16).translate(photo())
    wanted = ganzoo.load(run).translate(photo())
    assert np.abs(np.asarray(made).astype(int) - np.asarray(wanted)).max() <= 4


# -- train -------------------------------------------------------------------------------------


def test_training_gives_a_run(tmp_path: Path) -> None:
    toy.recipe(tmp_path)
    overrides = {"stages.0.steps": 2, "generator": {"use": "toy", "norm": False}, "seed": 5}
    by_path = ganzoo.train(tmp_path / "toy.yaml", overrides=overrides)
    assert (by_path.path, by_path.model.path) == (Path("runs/toy"), Path("runs/toy/model"))
    assert by_path.report == Path("runs/toy/report.html")
    assert by_path.report.is_file()
    assert [row["step"] for row in by_path.metrics][-1] == 2
    assert by_path.scores == []
    recipe = by_path.model.recipe
    assert recipe is not None
    assert (recipe["seed"], recipe["generator"]["norm"]) == (5, False)
    changed = {"stages": [{**toy.GAN["stages"][0], "steps": 2}], "seed": 5}
    by_mapping = ganzoo.train(
        {**toy.GAN, **changed, "generator": {"use": "toy", "norm": False}}, out="mine"
    )
    assert by_mapping.path == Path("mine")
    assert by_mapping.model.recipe == recipe
    wanted = by_path.model.sample(2, as_tensor=True)
    assert torch.equal(by_mapping.model.sample(2, as_tensor=True), wanted)
    extended = ganzoo.train({"recipe": "closer", "extends": Path("toy.yaml")}, overrides=overrides)
    assert torch.equal(ganzoo.sample(extended, 2, as_tensor=True), wanted)
    assert torch.equal(ganzoo.load(by_path).sample(2, as_tensor=True), wanted)


def test_what_a_run_shows(tmp_path: Path) -> None:
    watch = {"every": 1, "benchmark": str(toy.benchmark(tmp_path))}
    run = ganzoo.train({**toy.GAN, "evaluate": watch}, overrides={"stages.0.steps": 2})
    assert [row["step"] for row in run.scores] == [1, 2]
    assert not any(key.startswith("score/") for row in run.metrics for key in row)
    assert all(word in repr(run) for word in ("runs/toy", "step 2", list(run.scores[-1])[1]))
    assert '<img src="data:image/png;base64,' in run._repr_html_()
    shutil.rmtree(run.path)
    assert "runs/toy" in repr(run)
    assert "runs/toy" in run._repr_html_()


def test_all_mistakes_of_a_recipe_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    mapping = {**toy.GAN, "batch": "many", "dataset": {"use": "toy", "sise": 8}}
    with pytest.raises(RecipeError) as caught:
        ganzoo.train(mapping)
    assert [re.match(r"recipe: \S+", line) is not None for line in caught.value.problems] == [
        True, True,
    ]  # fmt: skip
    assert "did you mean 'size'?" in str(caught.value)
    with pytest.raises(RecipeError, match="--set batch=0 batch: expected"):
        ganzoo.train(toy.GAN, overrides={"batch": 0})
    with pytest.raises(RecipeError, match="unknown recipe 'nothing'"):
        ganzoo.train("nothing")
    assert not Path("runs").exists()


def test_training_that_stops_leaves_a_run_with_a_report() -> None:
    poisoned = {"use": "poison", "at": 2}
    stage = {**toy.GAN["stages"][0], "generator": [{"use": "non-saturating"}, poisoned]}
    with pytest.raises(TrainingStopped, match="NaN"):
        ganzoo.train({**toy.GAN, "stages": [stage]})
    report = Path("runs/toy/report.html")
    before = report.stat().st_mtime_ns
    with pytest.raises(RunError, match="holds a run already"):
        ganzoo.train(toy.GAN, out="runs/toy")
    assert report.stat().st_mtime_ns == before


# -- evaluate ----------------------------------------------------------------------------------


def test_evaluating(train: Callable[..., Path], tmp_path: Path) -> None:
    run, benchmark = train(), toy.benchmark(tmp_path)
    measured = ganzoo.evaluate(ganzoo.load(run), benchmark, name="one", out="entries")
    assert measured.model.name == "one"
    assert measured == ganzoo.evaluate(run, benchmark, name="one", out="entries")
    assert result.read_entry(Path(f"entries/{measured.benchmark}/one.json")) == measured
    subject, training = measured.model, ganzoo.load(run).config.training
    text = (run / "model" / "recipe.yaml").read_bytes()
    assert (subject.recipe, subject.seed, subject.generator) == ("toy", 0, "toy")
    assert (subject.steps, subject.images) == (training["steps"], training["images"]) == (9, 36)
    assert subject.training_seconds == training["seconds"]
    assert subject.recipe_sha256 == hashlib.sha256(text).hexdigest()
    ganzoo.evaluate(train("other", seed=2), benchmark, out="entries")
    (table,) = read_standings([Path("entries")], measured.benchmark).tables
    assert {row.entry.model.name for row in table.rows} == {"one", "other"}
    assert [(group.recipe, group.steps, group.seeds) for group in table.seeds] == [
        ("toy", 9, (0, 2))
    ]
    fewer = ganzoo.evaluate(run, benchmark, overrides={"fakes": 11}, name="few", out="entries")
    assert fewer.counts.fakes == 11
    changed = ganzoo.load(run)
    next(changed.generator.parameters()).add_(1)
    with pytest.raises(RunError, match="weights were changed"):
        ganzoo.evaluate(changed, benchmark)
    with pytest.raises(RunError, match="nothing does not exist"):
        ganzoo.evaluate("nothing", benchmark)


# -- push and search ---------------------------------------------------------------------------


def test_push_and_search(train: Callable[..., Path], server: HubServer) -> None:
    run = train()
    planned = ganzoo.push(run, "ann/toy", dry_run=True, **LICENCES)
    assert isinstance(planned, api.Plan)
    assert not server.repos
    Path("card.md").write_text("# Hand-made\n")
    loaded = ganzoo.load(run)
    done = ganzoo.push(
        loaded, "ann/toy@dev", card="card.md", with_discriminator=True, message="Hello", **LICENCES
    )
    assert isinstance(done, api.Pushed)
    assert server.repos["ann/toy"].at("dev").title == "Hello"
    assert "discriminator.safetensors" in server.files("ann/toy", "dev")
    assert b"# Hand-made" in server.files("ann/toy", "dev")["README.md"]
    ganzoo.push(run, "ann/toy", **LICENCES)
    ganzoo.push(str(run), "ann/other", private=True, **LICENCES)
    assert {found.id for found in ganzoo.search()} == {"ann/toy", "ann/other"}
    assert [found.id for found in ganzoo.search("oth", author="ann", limit=1)] == ["ann/other"]
    assert [found.id for found in ganzoo.search(token=server.token("bob"))] == ["ann/toy"]
    with pytest.raises(HubError, match="no name of a model"):
        ganzoo.push(run, "toy", **LICENCES)
    assert ganzoo.pull("ann/toy", out="mine") == Path("mine")
    wanted = ganzoo.load(run).sample(1, as_tensor=True)
    for folder in ("mine", ganzoo.pull("ann/toy", "main")):
        assert torch.equal(ganzoo.load(folder).sample(1, as_tensor=True), wanted)
    with pytest.raises(RunError, match="--out mine exists"):
        ganzoo.pull("ann/toy", out="mine")


def test_training_from_a_model_of_the_hub(
    train: Callable[..., Path], server: HubServer, tmp_path: Path
) -> None:
    pushed = ganzoo.push(
        train("first", seed=1), "ann/toy", tag="v1", with_discriminator=True, **LICENCES
    )
    assert isinstance(pushed, api.Pushed)
    run = ganzoo.train({**toy.GAN, "init_from": "ann/toy"}, out="second")
    pinned = f"hf://ann/toy@{pushed.commit}"
    assert f'init_from: "{pinned}"' in (run.path / "recipe.yaml").read_text()
    local = ganzoo.train({**toy.GAN, "init_from": str(ganzoo.pull("ann/toy"))})
    wanted = local.model.sample(2, as_tensor=True)
    assert torch.equal(run.model.sample(2, as_tensor=True), wanted)

    server.stop()
    again = ganzoo.train({**toy.GAN, "init_from": pinned}, out="third")
    assert torch.equal(again.model.sample(2, as_tensor=True), wanted)
    loop.resume(run.path, ["stages.0.steps=10"], toy.plugins())
    shutil.rmtree(tmp_path / "hf")
    loop.resume(run.path, ["stages.0.steps=11"], toy.plugins())
    with pytest.raises(HubError, match="not whole in the cache"):
        ganzoo.train({**toy.GAN, "init_from": pinned}, out="fourth")
    assert not Path("fourth").exists()


def test_the_examples_call_what_there_is() -> None:
    """Each example parses, and names arguments that its function has."""
    import ast
    import inspect

    functions = {f"ganzoo.{name}": getattr(ganzoo, name) for name in FUNCTIONS}
    methods = ("sample", "translate", "latents")
    functions |= {f"model.{name}": getattr(model.Model, name) for name in methods}
    seen = set()
    for name in FUNCTIONS:
        for example in doctest.DocTestParser().get_examples(getattr(ganzoo, name).__doc__):
            for node in ast.walk(ast.parse(example.source)):
                if isinstance(node, ast.Call) and ast.unparse(node.func) in functions:
                    function = functions[ast.unparse(node.func)]
                    given = {str(keyword.arg): None for keyword in node.keywords}
                    own = [None] if ast.unparse(node.func).startswith("model.") else []
                    inspect.signature(function).bind(*own, *node.args, **given)
                    seen.add(ast.unparse(node.func))
    assert seen == set(functions)
