"""``ganzoo encode``: images of any kind into codes, and the sheet of reconstructions."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import toy
from PIL import Image
from profiles import P3
from safetensors.torch import load_file
from short_runs import ROLES
from torch.testing import assert_close
from typed import Result, Run, typist

import ganzoo.plugins.manager
from ganzoo.models.model import load
from ganzoo.training.loop import start

SIZE = 8  # of the toy's images


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models with and without an encoder."""
    root = tmp_path_factory.mktemp("models")
    for name, keys in (("encoder", ROLES["encoder"]), ("plain", {})):
        start(toy.recipe(root / "recipes", **keys), root / "runs" / name, toy.plugins())
        shutil.copytree(root / "runs" / name / "model", root / name)
    return root


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    one_thread: None,
) -> Run:
    """Type a command in an empty folder, with the toy plugin installed."""
    plugins = toy.plugins()
    monkeypatch.setattr(ganzoo.plugins.manager, "installed", lambda: plugins)
    monkeypatch.chdir(tmp_path)
    return typist(monkeypatch, capsys)


def put(path: str, width: int, height: int, mode: str = "RGB", **options: object) -> Path:
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(width).integers(0, 256, (height, width, 3), np.uint8)
    Image.fromarray(noise).convert(mode).save(file, **options)
    return file


def refused(result: Result, *parts: str) -> None:
    assert result.code == 2
    assert result.err.startswith("error: ")
    for part in parts:
        assert part in result.err


def test_images_of_any_kind_have_the_codes_that_python_gives(run: Run, folders: Path) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    files = [
        put("in/wide.png", 40, 12),
        put("in/deep/tiny.bmp", 3, 4),
        put("in/gray.png", 9, 9, "L"),
        put("in/clear.png", 20, 30, "RGBA"),
        put("in/p3.png", 16, 16, icc_profile=P3.profile()),
        put("one.png", 30, 11, exif=turned),
        *(put(f"in/{side}.jpg", side, 20) for side in range(8, 30)),  # more than one batch
    ]
    result = run("encode", folders / "encoder", "in", "one.png", "in/wide.png", "--out", "a/b")
    assert result.code == 0, result.err
    assert result.out == (
        f"{len(files)} codes in a/b/codes.safetensors\ncompare them: a/b/reconstructions.png\n"
    )
    assert {path.name for path in Path("a/b").iterdir()} == {
        "codes.safetensors",
        "reconstructions.png",
    }
    codes = load_file("a/b/codes.safetensors")
    assert codes.keys() == {file.as_posix() for file in files}
    model = load(folders / "encoder", toy.plugins().registry)
    for file in files:
        with Image.open(file) as image:
            assert_close(codes[file.as_posix()], model.encode(image)[0])
    upright = Image.fromarray(np.rot90(np.asarray(Image.open("one.png")), -1))
    assert_close(codes["one.png"], model.encode(upright)[0])


def test_the_sheet_shows_each_image_beside_its_reconstruction(run: Run, folders: Path) -> None:
    file = put("a.png", SIZE, SIZE)
    assert run("encode", folders / "encoder", file, "--out", "out").code == 0
    sheet = np.asarray(Image.open("out/reconstructions.png"))
    image = Image.open(file)
    (drawn,) = load(folders / "encoder", toy.plugins().registry).reconstruct(image)
    factor, gap = 128 // SIZE, SIZE
    left, right = (
        sheet[gap : gap + 128 : factor, start : start + 128 : factor]
        for start in (gap, gap + 128 + gap // 4)
    )
    assert np.array_equal(left, np.asarray(image))
    assert np.array_equal(right, np.asarray(drawn))


def test_the_encoder_is_exported_by_its_role(run: Run, folders: Path) -> None:
    made = run("export", folders / "encoder", "--format", "torch-export", "--role", "encoder")
    assert made.code == 0, made.err
    image = torch.rand(3, 3, SIZE, SIZE) * 2 - 1
    codes = torch.export.load("encoder-encoder.pt2").module()(image=image)
    assert_close(codes, load(folders / "encoder", toy.plugins().registry).encode(image))
    export = ("export", folders / "encoder", "--format", "torch-export", "--role")
    refused(run(*export, "encodr"), "no encodr", "'encoder'?", "there: encoder, generator.")
    refused(run(*export, "discriminator"), "no weights", "there: encoder, generator.")


def test_what_cannot_be_used_is_named_and_the_rest_is_done(run: Run, folders: Path) -> None:
    put("in/good.png", 12, 12)
    Path("in/page.jpg").write_text("<!doctype html>")
    Path("in/notes.txt").write_text("not an image")
    result = run("encode", folders / "encoder", "in", "--out", "out")
    assert result.code == 1
    assert "not encoded: 1" in result.err
    assert "in/page.jpg: not an image" in result.err
    assert "notes.txt" in result.err
    assert load_file("out/codes.safetensors").keys() == {"in/good.png"}
    result = run("encode", folders / "encoder", "in/page.jpg", "--out", "none")
    assert result.code == 2
    assert not Path("none").exists()


def test_mistakes_cost_nothing(run: Run, folders: Path) -> None:
    put("a.png", 8, 8)
    refused(run("encode", folders / "plain", "a.png", "--out", "out"), "no encoder", "'encoder'")
    refused(run("encode", folders / "encoder", "b.png", "--out", "out"), "there is no 'b.png'")
    refused(run("encode", "nosuch", "a.png", "--out", "out"), "nosuch does not exist")
    refused(run("encode", folders / "encoder", "a.png", "--out", "."), "not empty", "the codes")
    Path("empty").mkdir()
    refused(run("encode", folders / "encoder", "empty", "--out", "out"), "no image in 'empty'")
    refused(run("encode", folders / "encoder", "a.png", "--out", "a.png/x"), "--out a.png/x")
    assert not Path("out").exists()
