"""``ganzoo sample`` and ``ganzoo directions``: walks, videos, latents of files, directions."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import toy
from PIL import Image, ImageSequence
from typed import Result, Run, typist

import ganzoo.plugins.manager
from ganzoo.models import latent_files
from ganzoo.models.model import load
from ganzoo.training.loop import start


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with labels, one without, and a translator."""
    root = tmp_path_factory.mktemp("models")
    photos = {"dataset": {"use": "toy", "photo": True}, "generator": {"use": "toy-translator"}}
    labels = {"dataset": {"use": "toy", "label": ["hue"]}}
    for name, keys in (("plain", {}), ("labels", labels), ("painter", photos)):
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
    plugins = toy.plugins()
    monkeypatch.setattr(ganzoo.plugins.manager, "installed", lambda: plugins)
    monkeypatch.chdir(tmp_path)
    return typist(monkeypatch, capsys)


def done(result: Result) -> None:
    assert result.code == 0, result.err


def refused(result: Result, noun: str) -> None:
    assert result.code == 2
    assert result.err.startswith("error: ")
    assert len(result.err.splitlines()) == 1
    assert noun in result.err


def pixels(path: str) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def test_rows_of_a_walk_and_frames_of_a_video(run: Run, folders: Path) -> None:
    done(run("sample", folders / "plain", "--interpolate", "-n", "9", "--out", "walk.png"))
    assert pixels("walk.png").shape == (2 * 10 + 2, 8 * 10 + 2, 3)
    done(run("sample", folders / "labels", "--interpolate", "-n", "9", "--out", "walk.gif"))
    with Image.open("walk.gif") as video:
        frames = ImageSequence.all_frames(video)
    assert sum(frame.info["duration"] for frame in frames) == 9 * 40  # equal ones are shown longer


def test_a_label_of_a_walk(run: Run, folders: Path) -> None:
    for hue in ("red", "blue"):
        line = ("sample", folders / "labels", "--interpolate", "-n", "8", "--label", f"hue={hue}")
        done(run(*line, "--out", f"{hue}.png"))
    assert not np.array_equal(pixels("red.png"), pixels("blue.png"))


def test_latents_of_a_file_are_drawn_with_their_labels(run: Run, folders: Path) -> None:
    registry = toy.plugins().registry
    model = load(folders / "labels", registry)
    latents = model.latents(3, seed=5)
    named = {f"{i}": latent for i, latent in enumerate(latents)}
    latent_files.write(Path("f"), named, {str(i): {"hue": "blue"} for i in range(3)})
    line = ("sample", folders / "labels", "--latent", "f")
    done(run(*line, "--out", "own"))
    done(run(*line, "--label", "hue=red", "--out", "red"))
    for hue, folder in (("blue", "own"), ("red", "red")):
        for index, picture in enumerate(model.sample(latents=latents, label={"hue": hue})):
            drawn = pixels(f"{folder}/{index:05d}.png")
            assert np.abs(drawn - np.asarray(picture).astype(int)).max() <= 1
    done(run(*line, "--interpolate", "--out", "rows.png"))
    assert pixels("rows.png").shape[0] == 2 * 10 + 2
    done(run(*line, "--interpolate", "-n", "6", "--out", "loop.gif"))


def test_directions_move_what_sample_draws(run: Run, folders: Path) -> None:
    model = load(folders / "plain", toy.plugins().registry)
    line = ("sample", folders / "plain", "-n", "1", "--direction", "1=2", "--direction", "0=-1.5")
    done(run(*line, "--truncation", "0.5", "--out", "a.png"))
    (expected,) = model.sample(1, directions={1: 2, 0: -1.5}, truncation=0.5)
    assert np.abs(pixels("a.png") - np.asarray(expected).astype(int)).max() <= 1


def test_directions_says_and_draws_what_there_is(run: Run, folders: Path) -> None:
    result = run("directions", folders / "labels", "--label", "hue=red")
    done(result)
    assert "4 of 4 directions" in result.out
    assert "'inner'" in result.out
    assert Path("directions.png").is_file()
    data = json.loads(run("directions", folders / "plain", "--json", "--out", "a/b.png").out)
    assert len(data["shares"]) == 4
    assert sum(data["shares"]) == pytest.approx(1, abs=1e-4)
    assert Path(data["sheet"]).is_file()


@pytest.mark.parametrize(
    ("line", "noun"),
    [
        ("sample plain --out walk.gif", "--interpolate"),
        ("sample plain --interpolate --out walk.mov", ".mp4"),
        ("sample plain --direction 3", "NUMBER=AMOUNT"),
        ("sample plain --direction 9=1", "0 to 3"),
        ("sample plain --direction 0=inf", "finite"),
        ("sample plain --latent nosuch", "nosuch"),
        ("sample plain --latent one -n 3", "-n 3"),
        ("sample plain --latent one --interpolate", "two"),
        ("sample plain --latent far", "(7,)"),
        ("directions painter", "turns images into images"),
        ("directions plain --out sheet.gif", ".png"),
        ("directions plain --label hue=red", "no labels"),
    ],
)
def test_mistakes(run: Run, folders: Path, line: str, noun: str) -> None:
    latent_files.write(Path("one"), {"a": torch.ones(4)}, {})
    latent_files.write(Path("far"), {"a": torch.ones(7)}, {})
    verb, model, *words = line.split()
    refused(run(verb, folders / model, *words), noun)
