"""``--upscale``: pictures four times as high and wide, by the upscaler that comes with ganzoo."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typed import Result, Run, typist

import ganzoo
from ganzoo.errors import RunError
from ganzoo.models import config
from ganzoo.models.samples import from_uint8, to_uint8
from ganzoo.models.upscale import UPSCALER, Upscaler
from ganzoo.plugins.shipped import shipped_models

CPU = torch.device("cpu")


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    one_thread: None,
) -> Run:
    monkeypatch.chdir(tmp_path)
    return typist(monkeypatch, capsys)


def refused(result: Result, *nouns: str) -> None:
    assert result.code == 2
    assert result.err.startswith("error: ")
    assert len(result.err.splitlines()) == 1
    assert all(noun in result.err for noun in nouns)


def reduced(image: Image.Image) -> np.ndarray:
    side = image.width // 4, image.height // 4
    return np.asarray(image.resize(side, Image.Resampling.BICUBIC)).astype(int)


def test_the_upscaler_in_the_box_is_small_and_open() -> None:
    folder = shipped_models()[UPSCALER]
    facts = config.read(folder / config.FILE)
    assert (folder / "model.safetensors").stat().st_size <= 2_000_000
    assert (facts.output.scale, facts.output.size) == (4, None)
    assert facts.licences.weights
    assert facts.licences.data


def test_samples_are_enlarged_and_stay_the_same_pictures(run: Run) -> None:
    model = ganzoo.load("ganzoo/avatars-64", device="cpu")
    small, large = model.sample(2, seed=3), model.sample(2, seed=3, upscale=4)
    for before, after in zip(small, large, strict=True):
        assert after.size == (256, 256)
        assert np.abs(reduced(after) - np.asarray(before)).mean() < 4
    floats = model.sample(1, seed=3, upscale=4, as_tensor=True)
    assert floats.shape == (1, 3, 256, 256)
    assert torch.equal(from_uint8(to_uint8(floats)), floats)
    assert run("sample", "ganzoo/avatars-64", "-n", 2, "--seed", 3, "--upscale", 4,
               "--out", "large").code == 0  # fmt: skip
    with Image.open("large/00001.png") as file:
        assert np.abs(np.asarray(file).astype(int) - np.asarray(large[1])).max() <= 2
    grid = ganzoo.sample("ganzoo/avatars-64", 1, upscale=4)
    assert grid[0].size == (256, 256)


def test_a_picture_is_enlarged_as_the_model_translates_it(one_thread: None) -> None:
    picture = np.asarray(ganzoo.sample("ganzoo/avatars-64", 1)[0])
    model = ganzoo.load(UPSCALER, device="cpu")
    theirs = np.asarray(model.translate(Image.fromarray(picture)))
    assert (Upscaler(4, CPU)(picture) == theirs).all()


@pytest.mark.parametrize("times", [0, 2, 3, 8])
def test_other_factors_are_refused(times: int, run: Run) -> None:
    with pytest.raises(RunError, match="4 times"):
        Upscaler(times, CPU)
    if times:
        refused(run("sample", "ganzoo/avatars-64", "--upscale", times), f"upscale {times}")
        assert not Path("samples.png").exists()


def test_an_upscaler_draws_nothing_from_noise(run: Run) -> None:
    refused(run("sample", UPSCALER), "translate", UPSCALER)
    refused(run("directions", UPSCALER), UPSCALER)
    with pytest.raises(RunError, match="translate"):
        ganzoo.sample(UPSCALER, 1)


def test_what_measures_an_upscaler_must_have_small_images(run: Run) -> None:
    few = ("--set", "dataset.count=30", "--set", "reference=20", "--set", "fakes=10")
    result = run("evaluate", UPSCALER, "-b", "avatars-64", *few)
    assert result.code == 2
    said = result.err.splitlines()[-1]
    assert said.startswith("error: ")
    assert "'low'" in said
    assert "list benchmarks" in said
