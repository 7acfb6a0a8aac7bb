"""Entries as ``ganzoo evaluate`` writes them, and what it refuses, as it is typed."""

from __future__ import annotations

import errno
import importlib
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import toy
from PIL import Image
from profiles import ADOBE
from torch import nn
from typed import Result, Run, typist

from ganzoo.errors import DataError
from ganzoo.evaluation import image_store, submission
from ganzoo.evaluation import result as entry
from ganzoo.evaluation.image_sources import Files, Generated
from ganzoo.evaluation.interpretation import references
from ganzoo.evaluation.measure import measure
from ganzoo.interfaces import Generator
from ganzoo.models import config, writing
from ganzoo.plugins.registry import Origin, Registration

pytestmark = pytest.mark.usefixtures("one_thread")
ENTRIES = Path("data/entries/toys")


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty folder with cache and data folder, and the toy plugin with the folder dataset."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("GANZOO_DATA", "data")
    monkeypatch.setattr(image_store, "CHUNK", 7)
    made = toy.plugins()
    made.add(lambda: importlib.import_module("ganzoo_folders"), Origin("folders", "dist", "1.0"))
    made.registry.add(entry_of("bare", Bare))
    monkeypatch.setattr("ganzoo.plugins.manager.installed", lambda: made)
    toy.benchmark(tmp_path)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return typist(monkeypatch, capsys)


@pytest.fixture
def measured(run: Run) -> Callable[..., Result]:
    """``measured(words...)`` types ``ganzoo evaluate --benchmark toys.yaml words...``."""
    return lambda *words: run("evaluate", "--benchmark", "toys.yaml", *words)


class Bare(Generator):
    """Noise without tanh.

    Args:
        size: pixels of a side.
        factor: what the noise is multiplied by.
    """

    def __init__(self, size: int = 8, factor: float = 1.0):
        super().__init__()
        self.size, self.factor = size, factor
        self.shift = nn.Parameter(torch.zeros(()))

    def sample_latent(self, n: int, rng: torch.Generator) -> torch.Tensor:
        return torch.rand(n, 3, self.size, self.size, generator=rng)

    def forward(self, latent: torch.Tensor) -> torch.Tensor:
        return latent * self.factor + self.shift


def entry_of(name: str, kind: type[Generator]) -> Registration:
    return Registration("generator", name, kind, Origin("own", "own-dist", "1.0"))


def saved(name: str, use: str = "toy", seed: int = 0, shift: float = 0, **arguments: Any) -> Path:
    """A model folder."""
    torch.manual_seed(seed)
    kinds = {"toy": toy.ToyGenerator, "toy-translator": toy.ToyTranslator, "bare": Bare}
    net = kinds[use](**arguments).eval()
    with torch.no_grad():
        next(net.parameters()).add_(shift)
    spec = config.part(entry_of(use, kinds[use]), use, arguments)
    training = {"recipe": "toy", "steps": 9, "images": 36, "seconds": 1.5}
    recipe = "recipe: toy\nseed: 3\n" if use == "toy" else None
    writing.save(Path(name), net, {"generator": spec}, training, recipe)
    return Path(name)


def pictures(name: str, count: int, size: int = 8, seed: int = 0) -> Path:
    """A folder of PNG files."""
    Path(name).mkdir()
    pixels = np.random.default_rng(seed).integers(0, 255, (count, size, size, 3), dtype=np.uint8)
    for i, picture in enumerate(pixels):
        Image.fromarray(picture).save(Path(name) / f"{i:03d}.png")
    return Path(name)


@pytest.fixture
def evaluations(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was really measured."""
    done: list[str] = []

    def count(protocol: Any, fakes: Any, **how: Any) -> Any:
        done.append(fakes.key)
        return measure(protocol, fakes, **how)

    monkeypatch.setattr(submission, "measure", count)
    return done


def refused(result: Result, *told: str) -> None:
    assert result.code == 2
    assert result.err.startswith("error: ")
    assert "Traceback" not in result.err
    for words in told:
        assert words in result.err


# -- entries ------------------------------------------------------------------------------------


def test_a_model_gets_an_entry(measured: Callable[..., Result]) -> None:
    saved("runs/best-so-far/model")
    Path("runs/best-so-far/recipe.yaml").touch()
    said = measured("runs/best-so-far")
    assert said.code == 0, said.err
    path = Path("runs/best-so-far/evaluation/toys/best-so-far.json")
    first, *scores, last = said.out.splitlines()
    assert first == f"best-so-far under toys@1: {path}"
    assert [line.split()[0] for line in scores] == ["brightness", "distance-toy"]
    assert scores[0].endswith("higher is better")
    assert scores[1].endswith("lower is better")
    assert last == "compare: ganzoo leaderboard toys"
    made = entry.read_entry(path)
    subject = made.model
    assert (subject.name, subject.kind, subject.recipe, subject.seed) == (
        "best-so-far",
        "model",
        "toy",
        3,
    )
    assert (subject.generator, subject.steps, subject.training_seconds) == ("toy", 9, 1.5)
    assert (made.benchmark, made.version, made.primary) == ("toys", 1, "distance-toy")
    assert (made.counts.reference, made.counts.fakes) == (30, 20)
    assert made.record["dataset"]["arguments"]["count"] == 80
    for score in made.scores.values():
        assert score.low < score.value < score.high
    with Image.open(path.with_suffix(".jpg")) as grid:
        assert grid.size == (4 * 10 + 2, 5 * 10 + 2)
    assert not list(Path("cache/evaluations").iterdir())


def test_the_same_model_is_not_measured_again(
    measured: Callable[..., Result], evaluations: list[str]
) -> None:
    saved("a")
    first = measured("a")
    before = (ENTRIES / "a.json").read_bytes()
    again = measured("a/../a", "--force")
    assert "a under toys@1, measured already: data" in again.out
    assert again.out.splitlines()[1:] == first.out.splitlines()[1:]
    assert (ENTRIES / "a.json").read_bytes() == before
    assert len(evaluations) == 1


def test_entries_go_to_a_folder_of_the_user_where_the_leaderboard_finds_them(
    measured: Callable[..., Result], run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run keeps its own, in and below it; everything else goes to the data folder."""
    monkeypatch.setenv("GANZOO_DATA", str(tmp_path / "data"))
    for folder in ("runs/one/model", "runs/one/best", "far/two/model", "models/three"):
        saved(folder, seed=len(folder))
    for folder in ("runs/one", "far/two"):
        (Path(folder) / "recipe.yaml").touch()
    before = {path.name for path in tmp_path.iterdir()} | {"cache", "data"}
    files = {path.name for path in Path("models/three").iterdir()}
    places = {
        "runs/one": "runs/one/evaluation/toys/one.json",
        "runs/one/best": "runs/one/evaluation/toys/one-best.json",
        "far/two": "far/two/evaluation/toys/two.json",
        "models/three": tmp_path / "data/entries/toys/three.json",
    }
    for model, place in places.items():
        said = measured(model).out
        assert said.splitlines()[0].endswith(f" under toys@1: {place}")
        assert Path(place).is_file()
        hint = " --entries far/two/evaluation" if model == "far/two" else ""
        assert said.splitlines()[-1] == f"compare: ganzoo leaderboard toys{hint}"
    assert {path.name for path in tmp_path.iterdir()} == before
    assert {path.name for path in Path("models/three").iterdir()} == files
    for words, names in {
        (): {"one", "one-best", "three"},
        ("--entries", "far/two", "--entries", "runs/one"): {"two", "one", "one-best"},
    }.items():
        data = json.loads(run("leaderboard", "toys", "--json", *words).out)
        (table,) = data["benchmarks"][0]["tables"]
        assert {row["model"]["name"] for row in table["rows"]} == names


def test_an_older_entry_learns_how_many_parameters_its_model_has(
    measured: Callable[..., Result], evaluations: list[str]
) -> None:
    saved("a")
    measured("a")
    path = ENTRIES / "a.json"
    made = entry.read_entry(path)
    assert made.model.parameters
    data = json.loads(path.read_text())
    del data["model"]["parameters"]
    older = replace(made, model=replace(made.model, parameters=None))
    path.write_text(json.dumps(data | {"sha256": entry.digest(older)}))
    assert entry.read_entry(path).model.parameters is None
    assert "measured already" in measured("a").out
    assert entry.read_entry(path) == made
    assert len(evaluations) == 1


@pytest.mark.parametrize("change", ["weight", "argument", "recipe", "protocol"])
def test_another_model_does_not_take_the_place_of_an_entry(
    measured: Callable[..., Result], evaluations: list[str], change: str
) -> None:
    saved("a", "bare", factor=0.5)
    measured("a")
    path = ENTRIES / "a.json"
    before = json.loads(path.read_text())
    path.write_text(json.dumps(before | {"notes": "by hand"}))
    saved(
        "a", "bare", shift=1e-6 * (change == "weight"), factor=0.6 if change == "argument" else 0.5
    )
    if change == "recipe":
        Path("a/recipe.yaml").write_text("recipe: other\n")
    more = ["--set", "fakes=21"] if change == "protocol" else []
    refused(
        measured("a", *more),
        f"{path} is there already",
        "--name, or replace it with --force",
    )
    assert json.loads(path.read_text())["key"] == before["key"]
    assert measured("a", *more, "--name", "b").code == 0
    assert measured("a", *more, "--force").code == 0
    after = json.loads(path.read_text())
    assert after["key"] == entry.read_entry(ENTRIES / "b.json").key != before["key"]
    assert after["notes"] == "by hand"
    assert len(evaluations) == 3


def test_an_entry_edited_by_hand_is_measured_anew_with_force(
    measured: Callable[..., Result],
) -> None:
    saved("a")
    measured("a")
    path = ENTRIES / "a.json"
    data = json.loads(path.read_text())
    whole = data["scores"]
    data["scores"] = {**whole, "brightness": {**whole["brightness"], "value": 1.0, "high": 2.0}}
    path.write_text(json.dumps(data))
    refused(measured("a"), "it was edited by hand", "Add --force to replace it, or --name")
    assert measured("a", "--force").code == 0
    assert json.loads(path.read_text())["scores"] == whole


@pytest.mark.parametrize("name", ["a b", "../up", "-x", "ü"])
def test_a_name_that_is_none_is_refused_before_anything_is_measured(
    measured: Callable[..., Result], evaluations: list[str], name: str
) -> None:
    saved("a")
    refused(measured("a", f"--name={name}"), "letters, digits", "another name with --name")
    saved("has a space")
    refused(measured("has a space"), "letters, digits", "another name with --name")
    assert evaluations == []


def test_where_no_entry_can_be_written_nothing_is_measured(
    measured: Callable[..., Result], evaluations: list[str]
) -> None:
    saved("a")
    Path("file").touch()
    refused(measured("a", "--out", "file"), "file/toys cannot be made", "--out")
    assert evaluations == []


def test_a_folder_of_images_is_measured(measured: Callable[..., Result]) -> None:
    pictures("drawn", 20)
    said = measured("drawn", "--json", "--out", "elsewhere")
    (told,) = json.loads(said.out)
    made = entry.read_entry(Path("elsewhere/toys/drawn.json"))
    assert (told["model"]["kind"], told["key"]) == ("images", made.key)
    assert made.model.weights_sha256
    # files that are no images do not matter, and any other does
    (Path("drawn") / "notes.txt").touch()
    assert "measured already" in measured("drawn", "--out", "elsewhere").out
    (Path("drawn") / "000.png").rename("drawn/021b.png")
    refused(measured("drawn", "--out", "elsewhere"), "of another model")


def test_of_more_images_some_of_every_class_are_drawn(measured: Callable[..., Result]) -> None:
    Path("drawn").mkdir()
    for seed, kind in enumerate("abc"):
        pictures(f"drawn/{kind}", 40, seed=seed)
    said = measured("drawn")
    assert "20 of drawn's 120 images" in said.err
    made = entry.read_entry(ENTRIES / "drawn.json")
    assert made.notes.startswith("20 of drawn's 120 images")
    assert "measured already" in measured("drawn").out  # the same ones again
    protocol = toy.protocol(Path())
    names = Files(Path("drawn"), protocol).names
    assert {name[0] for name in names} == {"a", "b", "c"}
    assert made.protocol == protocol.id  # what a value means is not who was measured
    other = toy.protocol(Path(), seed=1)
    assert Files(Path("drawn"), other).names != names


def test_pictures_in_other_colours_and_what_is_no_picture(measured: Callable[..., Result]) -> None:
    pictures("drawn", 20)
    protocol = toy.protocol(Path())
    pixels = Files(Path("drawn"), protocol).draw(0, 20).permute(0, 2, 3, 1).numpy()
    for path in Path("drawn").iterdir():
        with Image.open(path) as picture:
            picture.save(path, icc_profile=ADOBE.profile())
    (Path("drawn") / "a.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    wanted = 255 * ADOBE.to_srgb(pixels / 255)
    shown = Files(Path("drawn"), protocol).draw(0, 20).permute(0, 2, 3, 1).numpy()
    assert np.abs(shown - wanted).max() < 1.6
    assert "HEIC 1 (a.heic: pip install pillow-heif" in measured("drawn").err


def test_photo_benchmarks_show_pairs(measured: Callable[..., Result], tmp_path: Path) -> None:
    toy.benchmark(tmp_path, **toy.PAIRS)
    saved("painter", "toy-translator")
    assert measured("painter").code == 0
    assert set(entry.read_entry(ENTRIES / "painter.json").scores) == {
        "brightness",
        "change-toy",
        "feature-change-toy",
    }
    with Image.open(ENTRIES / "painter.jpg") as grid:
        assert grid.size == (6 * 10 + 2, 7 * 10 + 2)  # 20 pairs


def test_reference_rows(measured: Callable[..., Result], tmp_path: Path) -> None:
    said = measured("--references")
    assert said.code == 0, said.err
    names = ["held-out", "lightly-blurred", "grain", "blurred", "noise", "repeated"]
    assert {p.stem for p in ENTRIES.glob("*.json")} == {*names}
    found = {name: entry.read_entry(ENTRIES / f"{name}.json") for name in names}
    assert {e.model.kind for e in found.values()} == {"reference"}
    values = {name: e.scores["distance-toy"].value for name, e in found.items()}
    assert values["held-out"] < min(values["noise"], values["repeated"])
    assert list(references(found["repeated"], [ENTRIES.parent])) == ["held-out", "blurred", "noise"]
    assert measured("--references").out.count("measured already") == 6
    toy.benchmark(tmp_path, **toy.PAIRS)
    said = measured("--references", "--out", "pairs")
    assert entry.read_entry(Path("pairs/toys/photo.json")).scores["change-toy"].value == 0


def test_what_is_left_out_is_told(
    measured: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    make = toy.ToyExtractor.__init__

    def refuse(self: toy.ToyExtractor, seed: int = 0) -> None:
        if seed:
            raise DataError("toy.pt is not here. Get it.")
        make(self)

    monkeypatch.setattr(toy.ToyExtractor, "__init__", refuse)
    more = {"net": {"use": "toy"}, "more": {"use": "toy", "seed": 1, "optional": True}}
    toy.benchmark(
        tmp_path,
        extractors=more,
        evaluators=[{"use": "distance", "extractor": name} for name in more],
    )
    saved("a")
    said = measured("a")
    told = "left out what needs 'more': toy.pt is not here. Get it.\n"
    assert (said.code, said.err) == (0, f"{told}--download fetches what can be fetched\n")
    assert measured("a", "--download").err == told
    refused(measured("a", "--set", "extractors.more.optional=false"), "toy.pt is not here")


# -- bad input ----------------------------------------------------------------------------------


def test_what_to_measure_must_be_said(measured: Callable[..., Result]) -> None:
    refused(measured(), "or --references")
    saved("a")
    refused(measured("a", "--references"), "not both")
    refused(measured("--references", "--name", "x"), "names of their own")
    refused(measured("nowhere"), "nowhere does not exist")
    Path("empty").mkdir()
    refused(measured("empty"), "empty")
    Path("file.txt").touch()
    refused(measured("file.txt"), "file.txt is no run and no model")


def test_images_of_other_sizes(measured: Callable[..., Result]) -> None:
    pictures("drawn", 20)
    Image.new("RGB", (9, 8)).save("drawn/011.png")
    refused(measured("drawn"), "011.png has 9x8 pixels", "is for 8x8", "Resize the images all")


def test_five_images(measured: Callable[..., Result]) -> None:
    pictures("few", 5)
    refused(measured("few"), "few holds 5 images", "is for 20")
    refused(measured("few", "--set", "fakes=5"), "an integer of at least 10, not 5")


def test_a_file_that_is_no_image(measured: Callable[..., Result]) -> None:
    pictures("drawn", 20)
    Path("drawn/003.png").write_bytes(b"\x89PNG")
    refused(measured("drawn"), "003.png cannot be used", "Remove it, or mend it")
    Path("drawn/003.png").unlink()
    refused(measured("drawn"), "drawn holds 19 images")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"factor": 255.0}, "0..255"),
        ({"shift": float("nan")}, "has NaN or infinity in tensor"),
        ({"factor": 1e39}, "holds NaN or infinity: its weights are damaged"),
        (
            {"size": 16},
            "benchmark toys is for 3x8x8",
        ),
    ],
)
def test_a_model_that_is_not_what_it_should_be(
    measured: Callable[..., Result], arguments: dict[str, Any], told: str
) -> None:
    saved("a", "bare", **arguments)
    refused(measured("a"), told)
    assert not list(ENTRIES.glob("*"))


def test_a_model_of_the_other_kind(measured: Callable[..., Result], tmp_path: Path) -> None:
    saved("painter", "toy-translator")
    refused(measured("painter"), "makes its images from 'photo'", "ganzoo list benchmarks")
    toy.benchmark(tmp_path, **toy.PAIRS)
    saved("a")
    refused(measured("a"), "draws from noise", "ganzoo list benchmarks")
    refused(measured(pictures("drawn", 20)), "what it is made", "measure the model")


def test_a_folder_that_changed_since_its_hash_was_taken(
    measured: Callable[..., Result], tmp_path: Path
) -> None:
    real = pictures("real", 50, seed=1)
    data = {"use": "folder", "path": str(real), "size": 8}
    toy.benchmark(tmp_path, dataset=data)
    saved("a")
    assert measured("a").code == 0
    sha = entry.read_entry(ENTRIES / "a.json").record["dataset"]["sha256"]
    toy.benchmark(tmp_path, dataset=data, dataset_sha256=sha)
    assert measured("a", "--name", "b").code == 0
    Image.new("RGB", (8, 8)).save(real / "007.png")
    said = measured("a")
    refused(said, f"the benchmark is for {sha[:16]}...: images were added, removed or changed")
    option = said.err.rpartition("--set ")[2].strip()
    refused(measured("a", "--set", option), "of another model, protocol")
    assert measured("a", "--set", option, "--force").code == 0


def test_a_benchmark_with_an_unknown_evaluator(
    measured: Callable[..., Result], tmp_path: Path
) -> None:
    toy.benchmark(tmp_path, evaluators=[{"use": "brightnes"}, {"use": "distance"}])
    told = "unknown evaluator 'brightnes', did you mean 'brightness'?"
    refused(measured("--references"), "2 problems", "toys.yaml:13:8", told)


def test_benchmarks_are_listed_and_shown(run: Run) -> None:
    (listed,) = json.loads(run("list", "benchmarks", "--json").out).values()
    assert "avatars-64" in [row["name"] for row in listed]
    assert all(row["summary"] for row in listed)


# -- what is not lost, and what is told early ----------------------------------------------------


def test_a_full_disk_at_the_end_loses_nothing(
    measured: Callable[..., Result], train: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = str(train())
    drawn: list[int] = []
    draw = Generated.draw

    def count(self: Generated, start: int, stop: int) -> Any:
        drawn.append(start)
        return draw(self, start, stop)

    monkeypatch.setattr(Generated, "draw", count)
    for full in ("ganzoo.evaluation.result.write_atomic", "PIL.Image.Image.save"):
        with monkeypatch.context() as patch:
            patch.setattr(full, raising(OSError(errno.ENOSPC, "No space left on device")))
            refused(measured(run), "No space left", "What was computed is kept", "--out")
    first = len(drawn)
    assert first
    assert measured(run).code == 0
    assert len(drawn) == first
    evaluations = Path(os.environ["GANZOO_CACHE"], "evaluations")
    assert not list(evaluations.iterdir())


def raising(error: Exception) -> Callable[..., None]:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    return fail


def test_too_few_images_are_told_before_the_dataset_is_opened(
    measured: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "ganzoo.evaluation.protocol.Protocol.__init__", raising(AssertionError("too late"))
    )
    folder = pictures("few", 3)
    refused(measured(str(folder)), "few holds 3 images", "is for 20")
    Path("nothing").mkdir()
    refused(measured("nothing"), "no image in 'nothing'")
    refused(measured("none"), "none does not exist")
