"""``ganzoo model new``, and what can be done with a model that has no weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typed import Result, Run, typist

import ganzoo
from ganzoo.models import folder as folders
from ganzoo.models.config import read
from ganzoo.models.model import load
from ganzoo.plugins.manager import installed


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Type a command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return typist(monkeypatch, capsys)


def refused(result: Result, *parts: str) -> None:
    assert result.code == 2
    assert "Traceback" not in result.err
    for part in parts:
        assert part in result.err


def photo(side: int = 40) -> Path:
    noise = np.random.default_rng(0).integers(0, 256, (side, side + 8, 3), np.uint8)
    Image.fromarray(noise).resize((side + 8, side)).save("photo.png")
    return Path("photo.png")


def test_a_model_without_weights_translates(run: Run) -> None:
    made = run("model", "new", "xdog", "--set", "softness=1000000", "--out", "models/ink")
    assert made.code == 0, made.err
    assert "ganzoo translate models/ink PHOTO... --out drawn" in made.out
    config = read(Path("models/ink/config.json"))
    assert config.generator.arguments["softness"] == 1000000
    assert set(vars(config.licences).values()) == {"Apache-2.0"}
    assert config.files["model.safetensors"].parameters == 0
    assert run("translate", "models/ink", photo(), "--out", "drawn").code == 0
    drawn = np.asarray(Image.open("drawn/photo.png"))
    assert drawn.shape == (40, 48, 3)
    assert set(drawn.flat) <= {0, 255}
    model = ganzoo.load("models/ink")
    assert "0 parameters" in repr(model)
    assert np.array_equal(np.asarray(model.translate(Image.open("photo.png"))), drawn)


def test_it_can_be_exported_and_pushed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("model", "new", "xdog", "--out", "ink").code == 0
    export = run("export", "ink", "--format", "torch-export")
    assert export.code == 0, export.err
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for name in ("xdog", "cel"):
        run("model", "new", name, "--out", name)
        plan = run("push", name, f"me/{name}", "--dry-run")
        assert plan.code == 0, plan.err
        assert "It was not trained" in plan.out


def test_models_of_other_arguments_are_told_apart(run: Run) -> None:
    for name, sigma in (("a", 1), ("b", 1), ("c", 2)):
        run("model", "new", "xdog", "--set", f"sigma={sigma}", "--out", name)
    registry = installed().registry
    a, b, c = (load(Path(name), registry).weights_sha256 for name in "abc")
    assert a == b != c


def test_what_cannot_be_made_is_refused(run: Run) -> None:
    refused(run("model", "new", "l00", "--out", "m"), "did you mean 'l0'?")
    refused(run("model", "new", "l0", "--set", "smoothnes=1", "--out", "m"), "'smoothness'")
    refused(run("model", "new", "l0", "--set", "smoothness=3", "--out", "m"), "at most 1, not 3")
    refused(run("model", "new", "gan", "--out", "m"), "'size'")
    refused(run("model", "new", "dcgan", "--set", "size=32", "--out", "m"), "ganzoo train")
    assert not Path("m").exists()
    Path("m").mkdir()
    Path("m/x").touch()
    refused(run("model", "new", "l0", "--out", "m"), "not empty")


def test_verbs_that_do_not_suit_it_say_what_does(run: Run) -> None:
    run("model", "new", "l0", "--out", "l0")
    made = run("model", "new", "cel", "--out", "cel")
    assert "ganzoo evaluate cel" in made.out
    sampled = run("sample", "l0")
    refused(sampled, "ganzoo translate l0 PHOTO")
    assert len(sampled.err.splitlines()) == 1
    refused(run("translate", "cel", photo(), "--out", "x"), "normal and depth", "ganzoo evaluate")
    refused(run("export", "cel", "--format", "onnx"), "normal and depth")


def test_a_portrait_is_not_cut_into_tiles(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from ganzoo.models.translate import Translator

    for name, parts in (("xdog", 4), ("opie", 1)):
        how = ["--set", "finder=frame"] if name == "opie" else []
        assert run("model", "new", name, *how, "--out", name).code == 0
        generator = load(Path(name), installed().registry).generator
        assert Translator(generator, torch.device("cpu"), tile=256).tiles(300, 300) == parts


def test_a_translator_of_geometry_is_measured_beside_the_twin(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("dicebear", reason="the extra 'avatars' is not installed")
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))
    Path("twins.yaml").write_text(
        """
benchmark: twins
version: 1
seed: 0
dataset: {use: figurines, count: 40, size: 32}
reference: 20
fakes: 20
primary: psnr
evaluators: [{use: psnr}, {use: pixels}, {use: ssim}, {use: attribute-accuracy}]
"""
    )
    run("model", "new", "gbuffer-lines", "--out", "lines")
    found = run("evaluate", "lines", "--benchmark", "twins.yaml", "--out", "entries", "--json")
    assert found.code == 0, found.err
    (entry,) = json.loads(found.out)
    assert {"psnr", "pixels", "ssim", "attribute-accuracy", "hair-accuracy"} <= set(entry["scores"])
    assert 5 < entry["scores"]["psnr"]["value"] < 30
    rows = run("evaluate", "--references", "-b", "twins.yaml", "--out", "entries", "--json")
    assert rows.code == 0, rows.err
    best, *others = (row["scores"]["psnr"]["value"] for row in json.loads(rows.out))
    assert best == 100 > max(others)
    assert folders.find(Path("lines"))


def test_training_one_says_that_there_is_no_need(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("dicebear", reason="the extra 'avatars' is not installed")
    monkeypatch.setenv("GANZOO_CACHE", str(Path("cache").absolute()))
    Path("ink.yaml").write_text(
        """
recipe: ink
batch: 2
dataset: {use: figurines, count: 2, size: 32}
generator: {use: xdog}
optimizer: {use: adam, lr: 1e-4}
stages: [{name: only, steps: 1, generator: [{use: total-variation}]}]
"""
    )
    refused(run("train", "ink.yaml"), "nothing to learn", "ganzoo model new")
