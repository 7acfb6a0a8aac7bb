"""``ganzoo train RECIPE --seeds 0,1,2``: a series of runs, and what takes it as a whole."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest
import toy
from short_runs import At, equal, weights
from typed import Run, typist

from ganzoo.training.run_folder import RunFolder

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Type a command in a folder with ``toy.yaml``, with nothing but the toy plugin installed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("ganzoo.plugins.manager.installed", toy.plugins)
    toy.recipe(tmp_path)
    return typist(monkeypatch, capsys)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The seeds 0 and 1, each trained alone."""
    from ganzoo.training.loop import start

    folder = tmp_path_factory.mktemp("trained")
    for seed in (0, 1):
        recipe = toy.recipe(folder, seed=seed)
        start(recipe, folder / "runs" / f"toy-seed{seed}", toy.plugins())
    return folder / "runs"


def test_a_stopped_series_goes_on_and_ends_as_if_each_seed_was_trained_alone(
    run: Run, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(observed: object) -> None:
        if observed.recipe.seed == 1:  # type: ignore[attr-defined]
            os.kill(os.getpid(), signal.SIGINT)

    series = ("train", "toy.yaml", "--seeds", "0,1")
    with monkeypatch.context() as patch:
        patch.setattr("ganzoo.plugins.manager.installed", lambda: toy.plugins(At(4, stop)))
        stopped = run(*series, "--set", "samples.every=2")
    assert stopped.code == 130
    assert "step 4 of 9" in stopped.err
    assert "ganzoo train toy.yaml --seeds 0,1 --set samples.every=2" in stopped.err
    finished = RunFolder(Path("runs/toy-seed0"))
    before = finished.manifest.read_bytes()
    again = run(*series)
    assert again.code == 0
    assert f"{finished.path} is finished" in again.out
    assert "ganzoo compare runs/toy-seed0 runs/toy-seed1" in again.out
    assert finished.manifest.read_bytes() == before
    for name in ("toy-seed0", "toy-seed1"):
        assert equal(weights(Path("runs", name)), weights(trained / name))
    assert not equal(weights(trained / "toy-seed0"), weights(trained / "toy-seed1"))


def test_a_seed_that_fails_is_named_and_can_be_left_out(run: Run) -> None:
    diverge = ("--set", "optimizer.lr=1e30", "--out", "wild")
    failed = run("train", "toy.yaml", "--seeds", "3,4", *diverge)
    assert failed.code == 1
    assert "NON_FINITE" in failed.err
    assert "ganzoo train toy.yaml --seeds 4 --set optimizer.lr=1e30 --out wild" in failed.err
    assert not Path("wild-seed4").exists()


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ("--seeds zero,one", ["--seeds", "'zero'"]),
        ("--seeds 0,,1", ["--seeds", "''"]),
        ("--seeds 0,-1", ["'-1'"]),
        ("--seeds 0,1.5", ["'1.5'"]),
        ("--seeds 2,0,2", ["2 is there twice"]),
        ("--seeds 0,1 --set seed=3", ["--set seed=3", "--seeds"]),
        ("--seeds 0,1 --seed 3", ["--seed"]),
        ("--seeds 0,1 --out runs/toy-seed0", ["runs/toy-seed0 holds a run", "--out"]),
        ("--seeds 2,1 --set batch=8", ["runs/toy-seed1", "batch: 4 -> 8", "--out"]),
        ("--seeds 2,5", ["runs/toy-seed5 holds something else"]),
    ],
)
def test_what_a_series_refuses_before_it_trains(
    run: Run, trained: Path, options: str, parts: list[str]
) -> None:
    shutil.copytree(trained, "runs")
    Path("runs/toy-seed5").mkdir()
    Path("runs/toy-seed5/notes.txt").touch()
    refused = run("train", "toy.yaml", *options.split())
    assert refused.code == 2
    for part in parts:
        assert part in refused.err
    assert not Path("runs/toy-seed2").exists()


def test_a_dry_run_of_a_series_estimates_each_seed(run: Run) -> None:
    tried = run("train", "toy.yaml", "--seeds", "0,1,2", "--dry-run")
    assert tried.code == 0
    assert "3 seeds" in tried.out
    assert not Path("runs").exists()


def test_evaluate_and_leaderboard_take_a_series(run: Run, trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained, "runs")
    toy.benchmark(tmp_path)
    runs = ("runs/toy-seed0", "runs/toy-seed1")
    measured = run("evaluate", *runs, "--benchmark", "toys.yaml")
    assert measured.code == 0
    for path in map(Path, runs):
        assert (path / "evaluation" / "toys" / f"{path.name}.json").is_file()
    assert "toy, 9 steps, 2 seeds" in run("leaderboard", "toys").out
    assert "benchmark" in run("evaluate", *runs).err
    for words in ((*runs, "--name", "x"), (*runs, runs[0])):
        refused = run("evaluate", *words, "--benchmark", "toys.yaml")
        assert refused.code == 2
        assert words[-1].removeprefix("runs/") in refused.err
