"""``ganzoo compare``: runs and models side by side."""

from __future__ import annotations

import base64
import io
import json
import shutil
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toy
from pages import Page
from PIL import Image
from typed import Result, Run, typist

from ganzoo.evaluation.leaderboard import reading
from ganzoo.evaluation.result import read_entry
from ganzoo.models import model, samples
from ganzoo.training.loop import start
from ganzoo.training.run_folder import RunFolder
from ganzoo.training.scores import scored

pytestmark = pytest.mark.usefixtures("one_thread")
PHOTO = {"dataset": {"use": "toy", "photo": True}, "generator": {"use": "toy-translator"}}
LABELS = {"dataset": {"use": "toy", "label": ["hue"]}}
#: what is trained: a recipe's changes by the name of its run
RUNS: dict[str, dict[str, Any]] = {
    "seed0": {"evaluate": {"every": 4, "benchmark": "toys.yaml"}},
    "seed1": {"evaluate": {"every": 4, "benchmark": "toys.yaml"}, "seed": 1},
    "large": {"batch": 8, "optimizer": {"use": "adam", "lr": 0.002}},
    "labelled": LABELS,
    "wide": {"dataset": {"use": "toy", "size": 16}},
    "painter": PHOTO,
    "sketcher": {**PHOTO, "batch": 8},
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    toy.benchmark(folder)
    for name, changes in RUNS.items():
        start(toy.recipe(folder, **changes), folder / "runs" / name, toy.plugins())
    return folder


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    trained: Path,
) -> Run:
    """Type a command beside copies of the runs, with nothing but the toy plugin installed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("ganzoo.plugins.manager.installed", toy.plugins)
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    return typist(monkeypatch, capsys)


def compare(run: Run, *words: str) -> Result:
    done = run("compare", *(f"runs/{word}" if word in RUNS else word for word in words))
    assert done.code == 0, done.err
    return done


def page(run: Run, *words: str) -> Page:
    compare(run, *words, "--html", "page.html")
    return Page(Path("page.html").read_text(encoding="utf-8"))


def grids(shown: Page) -> dict[str, np.ndarray]:
    """The pictures of a page by what is said of them."""
    pictures = {}
    for image in shown.all("img"):
        data = base64.b64decode(str(image["src"]).removeprefix("data:image/png;base64,"))
        pictures[str(image["alt"])] = np.asarray(Image.open(io.BytesIO(data)))
    return pictures


def test_the_terminal_has_scores_recipes_training_and_last_values(run: Run) -> None:
    said = compare(run, "seed0", "large").out
    assert max(map(len, said.splitlines())) <= 80
    for words in (
        "ganzoo evaluate runs/seed0 runs/large --benchmark",
        "batch 4 8",
        "optimizer.lr 0.01 0.002",
        "steps 9 9",
        "images seen 36 72",
        "machine cpu",
        "generator 2,580 parameters",
        "--html FILE",
    ):
        assert words in " ".join(said.split()), words
    assert "optimizer.use" not in said


def test_runs_of_other_seeds_are_told_as_such_with_mean_and_spread(run: Run) -> None:
    data = json.loads(compare(run, "seed0", "seed1", "large", "--json").out)
    assert data["groups"] == {"toy, seeds 0, 1": ["seed0", "seed1"], "large": ["large"]}
    last = [scored(RunFolder(Path("runs", name)).rows())[9] for name in ("seed0", "seed1")]
    values = [each["distance-toy"] for each in last]
    (spread,) = (one for one in data["over_seeds"] if one["score"] == "distance-toy")
    assert spread["mean"] == pytest.approx(statistics.fmean(values))
    assert spread["half"] == pytest.approx(12.7062 * abs(values[0] - values[1]) / 2, rel=1e-4)
    assert [spread["low"], spread["high"]] == sorted(values)
    said = compare(run, "seed0", "seed1").out
    assert "seed alone" in said
    assert f"{min(values):.4g} to {max(values):.4g}" in said


def test_recipes_that_are_the_same_are_told_as_such(run: Run) -> None:
    shutil.copytree("runs/large", "again")
    assert "recipes are the same" in compare(run, "large", "again").out


def test_scores_have_their_intervals_wherever_their_entries_are(run: Run) -> None:
    for name, out in (("seed0", "entries"), ("large", "entries"), ("seed1", "other")):
        assert run("evaluate", f"runs/{name}", "-b", "toys.yaml", "--out", out).code == 0
    Path("runs/seed1/model/entries").mkdir()
    shutil.copy("other/toys/seed1.json", "runs/seed1/model/entries/toys.json")
    shutil.copytree("runs/large", "renamed")
    names = ("seed0", "seed1", "renamed")
    said = compare(run, *names, "--entries", "entries").out
    shown = page(run, *names, "--entries", "entries").said
    for path in ("entries/toys/seed0.json", "entries/toys/large.json", "other/toys/seed1.json"):
        for score in read_entry(Path(path)).scores.values():
            assert reading(score) in said
            assert reading(score) in shown
    assert "renamed" in said
    data = json.loads(compare(run, *names, "--entries", "entries", "--json").out)
    (over_seeds,) = data["scores"][0]["tables"][0]["over_seeds"]
    seeds = [Path("entries/toys/seed0.json"), Path("other/toys/seed1.json")]
    values = [read_entry(path).scores["distance-toy"].value for path in seeds]
    assert over_seeds["scores"]["distance-toy"]["value"] == pytest.approx(statistics.fmean(values))
    assert "ganzoo evaluate" not in said
    assert (
        "ganzoo evaluate runs/wide"
        in compare(run, "seed0", "wide", "--no-pictures", "--entries", "entries").out
    )


def test_the_page_draws_every_model_from_the_same_latents(run: Run) -> None:
    shown = page(run, "seed0", "large", "--seed", "5")
    assert "http" not in shown.text.replace("http-equiv", "")
    pictures = grids(shown)
    for name in ("seed0", "large"):
        generator = model.load(Path("runs", name), toy.plugins().registry).generator
        expected = samples.grid(samples.sample(generator, 16, 5), 4)
        assert (pictures[f"Pictures of {name}"] == np.asarray(expected)).all()
    assert "labels" in page(run, "seed0", "labelled").said


def test_the_page_lays_curves_over_one_another(run: Run) -> None:
    shown = page(run, "seed0", "seed1", "large")
    charts = len(shown.all("figure", **{"class": "chart"}))
    smooth = len(shown.all("polyline", **{"class": "smooth"}))
    scores = 2  # large was not measured
    assert charts > 8
    assert smooth == 2 * charts - scores
    assert "toy, seeds 0, 1" in shown.said
    two = page(run, "seed0", "large")
    assert len(two.all("polyline", **{"class": "smooth"})) == smooth


def test_the_page_gives_translators_the_same_photos(run: Run) -> None:
    pictures = grids(page(run, "painter", "sketcher"))
    assert list(pictures) == ["The photos", "Pictures of painter", "Pictures of sketcher"]
    Image.effect_noise((40, 40), 80).convert("RGB").save("photo.png")
    Path("models").mkdir()
    for name in ("painter", "sketcher"):
        shutil.copytree(f"runs/{name}/model", f"models/{name}")
    both = ("models/painter", "models/sketcher")
    assert "--photo" in page(run, *both).said
    pictures = grids(page(run, *both, "--photo", "photo.png"))
    assert len({picture.tobytes() for picture in pictures.values()}) == 3


def test_a_run_without_a_model_yet_has_curves_and_a_recipe(run: Run) -> None:
    shutil.rmtree("runs/large/model")
    shown = page(run, "seed0", "large")
    assert len(shown.all("img")) == 1
    assert "optimizer.lr" in shown.said


def test_models_of_other_sizes_are_compared_without_pictures(run: Run) -> None:
    shown = page(run, "seed0", "wide", "--no-pictures")
    assert "dataset.size" in shown.said
    assert not shown.all("img")


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ("runs/seed0", ["two"]),
        ("runs/seed0 runs/seed0", ["runs/seed0", "twice"]),
        ("runs/seed0 runs/seed0/model", ["runs/seed0/model", "same model"]),
        ("runs/seed0 empty", ["empty is no run and no model"]),
        ("runs/seed0 runs/nosuch", ["runs/nosuch does not exist"]),
        ("runs/seed0 runs/painter", ["seed0", "painter", "kinds"]),
        ("runs/seed0 runs/painter --no-pictures", ["seed0", "painter", "kinds"]),
        ("runs/seed0 runs/wide", ["8x8", "16x16", "--no-pictures"]),
        ("runs/seed0 runs/seed1 --photo x.png", ["--photo", "noise"]),
        ("runs/painter runs/sketcher --photo x.png --html a.html", ["--photo x.png"]),
        ("runs/painter runs/sketcher --photo empty --html a.html", ["empty"]),
        ("runs/seed0 runs/seed1 --entries nosuch", ["--entries nosuch"]),
        ("runs/seed0 runs/seed1 --html no/such/a.html", ["--html no/such/a.html"]),
    ],
)
def test_what_cannot_be_compared(run: Run, words: str, parts: list[str]) -> None:
    Path("empty").mkdir()
    refused = run("compare", *words.split())
    assert refused.code == 2
    assert refused.out == ""
    assert len(refused.err.splitlines()) == 1
    for part in parts:
        assert part in refused.err
