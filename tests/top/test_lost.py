"""Losing the thread: what moved, was damaged or deleted does not end a run, and is said."""

from __future__ import annotations

import errno
import json
import os
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import short_runs
import torch
import toy
from PIL import Image
from short_runs import differences, stage, stop_at

from ganzoo import cli, hookimpl
from ganzoo.errors import CheckpointError, DataError, RunError, TrainingStopped
from ganzoo.interfaces import Extractor
from ganzoo.plugins.registry import Origin
from ganzoo.recipe.recipe import load_recipe
from ganzoo.training import checkpoint, report
from ganzoo.training.loop import resume, start
from ganzoo.training.report import reporting
from ganzoo.training.run_folder import RunFolder

Train = Callable[..., Path]


# -- what moved -------------------------------------------------------------------------------


class StoredEye(toy.ToyExtractor):
    """An extractor whose weights are in a file.

    Args:
        weights: the file.
    """

    def __init__(self, weights: Path):
        Extractor.__init__(self)
        if not Path(weights).is_file():
            raise DataError(f"there is no '{weights}'")
        self.register_buffer("weight", torch.full((4, 3, 3, 3), float(Path(weights).read_text())))


class StoredDataset(toy.ToyDataset):
    """A dataset in folders.

    Args:
        path: a folder.
        more: other folders.
    """

    def __init__(self, path: Path, more: list[Path] | None = None):
        for folder in (path, *(more or [])):
            if not Path(folder).is_dir():
                raise DataError(f"there is no folder '{folder}'")
        super().__init__(int((Path(path) / "count").read_text()), photo=True)


def stored_plugins() -> Any:
    class Stored:
        @hookimpl
        def register_extractors(self, register: Any) -> None:
            register("stored", StoredEye)

        @hookimpl
        def register_datasets(self, register: Any) -> None:
            register("stored", StoredDataset)

    plugins = toy.plugins()
    plugins.add(Stored, Origin("stored", "stored-dist", "1"))
    return plugins


@pytest.fixture
def moved(tmp_path: Path, one_thread: None) -> tuple[Path, Path]:
    """A run that stopped, and where its data, weights and first weights are now."""
    old, new = tmp_path / "old place", tmp_path / "new place"
    old.mkdir()
    (old / "eye").write_text("0.5")
    (old / "images").mkdir()
    (old / "images" / "count").write_text("16")
    plugins = stored_plugins()
    base = {
        **short_runs.RECIPES["translation"],
        "dataset": {"use": "stored", "path": str(old / "images"), "more": [str(old)]},
        "extractors": {"eye": {"use": "stored", "weights": str(old / "eye")}},
    }
    for key in ("dataset", "extractors"):
        assert str(old) in str(base[key])
    first = _recipe(tmp_path, plugins, base)
    start(first, old / "first", plugins)
    second = _recipe(tmp_path, plugins, base | {"init_from": str(old / "first")})
    stopping = stored_plugins()
    stopping.add(lambda: stop_at(5), Origin("stop", "stop-dist", "1"))
    with pytest.raises(TrainingStopped):
        start(second, tmp_path / "run", stopping)
    start(second, tmp_path / "whole", plugins)
    old.rename(new)
    return tmp_path / "run", new


def _recipe(folder: Path, plugins: Any, changes: dict[str, Any]) -> Any:
    path = folder / "recipe.yaml"
    path.write_text(json.dumps({**toy.GAN, **changes}))
    return load_recipe(path, (), plugins.registry)


def now(new: Path) -> list[str]:
    """What ``--set`` has to say."""
    return [
        f"dataset.path={new / 'images'}",
        f"dataset.more=['{new}']",
        f"extractors.eye.weights={new / 'eye'}",
    ]


def test_what_moved_and_is_the_same_goes_on_exactly(moved: tuple[Path, Path]):
    run, new = moved
    with pytest.raises(DataError) as refused:
        resume(run, (), stored_plugins())
    sets = "--set dataset.path=NEW --set dataset.more=NEW --set extractors.eye.weights=NEW"
    assert f"ganzoo resume {run} {sets}" in str(refused.value)
    resume(run, now(new), stored_plugins())
    whole = toy.contents(run.with_name("whole"))
    apart = differences(toy.contents(run), whole)
    assert not [name for name in apart if name.endswith((".safetensors", ".png", ".jsonl"))]
    resume(run, (), stored_plugins())  # the new places are the run's now


def test_init_from_may_move_and_not_change(moved: tuple[Path, Path]):
    run, new = moved
    resume(run, [*now(new), f"init_from={new / 'first'}"], stored_plugins())
    with pytest.raises(CheckpointError, match="weights of init_from"):
        resume(run, [f"init_from={run}"], stored_plugins())
    with pytest.raises(RunError, match="holds no weights"):
        resume(run, [f"init_from={new / 'images'}"], stored_plugins())
    with pytest.raises(CheckpointError, match=r"init_from: .* -> null"):
        resume(run, ["init_from=null"], stored_plugins())


@pytest.mark.parametrize(
    ("file", "text", "what"),
    [("images/count", "20", "images of dataset"), ("eye", "0.25", "weights of extractor 'eye'")],
)
def test_what_moved_and_is_another_is_refused_with_the_command_that_works(
    moved: tuple[Path, Path], file: str, text: str, what: str
):
    run, new = moved
    (new / file).write_text(text)
    with pytest.raises(CheckpointError, match=what) as refused:
        resume(run, now(new), stored_plugins())
    assert f"--set init_from={run}" in str(refused.value)
    for change in now(new):
        assert f"--set {shlex.quote(change)}" in str(refused.value)


def test_the_folders_of_unpaired_may_move(tmp_path: Path, one_thread: None, monkeypatch):
    from ganzoo.plugins.manager import installed

    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))
    for folder in ("photo", "real", "smooth"):
        (tmp_path / "a" / folder).mkdir(parents=True)
        for i in range(8):
            noise = np.random.default_rng([i, len(folder)]).integers(0, 256, (16, 16, 3), np.uint8)
            Image.fromarray(noise).save(tmp_path / "a" / folder / f"{i}.png")
    plugins = installed()
    data = {"use": "unpaired", "size": 16, "check": False} | {
        name: str(tmp_path / "a" / name) for name in ("photo", "real", "smooth")
    }
    recipe = {
        "batch": 4,
        "dataset": data,
        "generator": {"use": "cartoongan", "channels": 4, "blocks": 1},
        "discriminator": {"use": "cartoongan-patch"},
        "stages": [stage(2, generator=[{"use": "lsgan"}], discriminator=[{"use": "lsgan"}])],
    }
    start(_recipe(tmp_path, plugins, recipe), tmp_path / "run", plugins)
    (tmp_path / "a").rename(tmp_path / "b")
    with pytest.raises(DataError, match=r"--set dataset\.smooth=NEW"):
        resume(tmp_path / "run", (), plugins)
    sets = [f"dataset.{name}={tmp_path / 'b' / name}" for name in ("photo", "real", "smooth")]
    assert resume(tmp_path / "run", [*sets, "stages.0.steps=3"], plugins).step == 3


# -- what is damaged --------------------------------------------------------------------------


def edit(state: Path, how: str) -> None:
    """Damage of a state.json that may leave it readable as JSON."""
    text = state.read_text()
    said = json.loads(text)
    if how == "another rate":
        said["recipe"]["optimizer"]["lr"] = 0.5
        state.write_text(json.dumps(said))
    elif how == "no recipe":
        state.write_text("{}")
    elif how == "a list":
        state.write_text("[]")
    elif how == "no UTF-8":
        state.write_bytes(b"\xff\xfe" + text.encode())
    elif how == "cut":
        state.write_text(text[: len(text) // 2])
    elif how == "a folder":
        state.unlink()
        state.mkdir()
    else:
        state.unlink()


@pytest.mark.parametrize(
    "how", ["another rate", "no recipe", "a list", "no UTF-8", "cut", "a folder", "gone"]
)
def test_a_damaged_state_is_passed_over(train: Train, capsys, how: str):
    run = train()
    whole = toy.contents(run)
    newest = list(checkpoint.steps(run / "checkpoints").values())[-1]
    edit(newest / "state.json", how)
    resume(run, (), toy.plugins())
    said = capsys.readouterr().out
    assert f"warning: {newest} is" in said
    assert "going on from an earlier checkpoint" in said
    assert differences(toy.contents(run), whole) == set()


# -- what is gone -----------------------------------------------------------------------------

PARTS = [
    *("samples", "checkpoints", "model", "best", "metrics.jsonl", "recipe.yaml"),
    *("manifest.json", "report.html", ".lock"),
]


def remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


@pytest.mark.parametrize("part", PARTS)
def test_a_part_of_a_run_that_was_deleted_is_made_again(
    train: Train, tmp_path: Path, monkeypatch, capsys, part: str
):
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))
    benchmark = {"every": 3, "benchmark": str(toy.benchmark(tmp_path / "benchmarks"))}
    with pytest.raises(TrainingStopped):
        train(evaluate=benchmark, observers=[stop_at(5)])
    run = tmp_path / "run"
    before = json.loads((run / "manifest.json").read_text())
    remove(run / part)
    reporting(lambda: resume(run, (), toy.plugins()), run)
    assert (run / part).exists()
    after = json.loads((run / "manifest.json").read_text())
    assert (after["status"], after["step"]) == ("finished", 9)
    for fact in ("seed", "recipe", "dataset_sha256", "evaluation"):
        assert after[fact] == before[fact]
    assert after["plugins"]["toy"] == before["plugins"]["toy"]
    said = capsys.readouterr()
    lost = "starts again at step 0"
    assert (lost in said.out) == (part == "checkpoints")
    assert ("recipe.yaml was lost" in said.err) == (part == "recipe.yaml")


def test_the_best_model_that_was_deleted_is_that_of_its_step_again(
    train: Train, tmp_path: Path, monkeypatch
):
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))
    benchmark = str(toy.benchmark(tmp_path / "benchmarks"))
    run = train(evaluate={"every": 3, "benchmark": benchmark})
    best = json.loads((run / "best" / "config.json").read_text())["training"]["steps"]
    before = toy.contents(run)
    assert best < 9, "or it is made as the last model is"
    remove(run / "best")
    (run / "recipe.yaml").write_bytes(b"")  # and a recipe that a full disk cut short
    resume(run, (), toy.plugins())
    assert differences(toy.contents(run), before) == {"recipe.yaml"}  # which has no origins now


@pytest.mark.parametrize("part", PARTS)
def test_a_part_of_a_run_that_is_deleted_while_it_trains_is_made_again(
    train: Train, tmp_path: Path, part: str
):
    run = tmp_path / "run"
    seen = short_runs.At(5, lambda _: remove(run / part))
    train(observers=[seen])
    assert json.loads((run / "manifest.json").read_text())["status"] == "finished"
    assert set(checkpoint.steps(run / "checkpoints")) >= {9}


# -- why it stopped ---------------------------------------------------------------------------


def command(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """The exit code of ``ganzoo WORDS`` with the toy plugins."""
    monkeypatch.setattr("ganzoo.plugins.manager.installed", toy.plugins)
    monkeypatch.setattr(sys, "argv", ["ganzoo", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def full(*_: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def broken(*_: Any) -> None:
    raise TypeError("a bug")


@pytest.mark.parametrize("fault", [full, broken])
@pytest.mark.parametrize("stops", [True, False])
def test_a_report_that_cannot_be_written_hides_nothing(
    train: Train, tmp_path: Path, monkeypatch, capsys, fault: Any, stops: bool
):
    with pytest.raises(TrainingStopped):
        train(observers=[stop_at(3)])
    run = tmp_path / "run"
    monkeypatch.setattr(report, "write_atomic" if fault is full else "page_of", fault)
    if stops:
        monkeypatch.setattr(checkpoint, "save", full)
    code = command(monkeypatch, "resume", str(run))
    out, err = capsys.readouterr()
    lines = err.strip().splitlines()
    assert code == (1 if stops else 0)
    assert "warning: the report" in lines[-1]
    if stops:
        assert "step 6: the checkpoint " in lines[-2]
        assert f"Make room, then: ganzoo resume {run}" in lines[-2]
    else:
        assert "report:" not in out
        assert "model:" in out


def test_a_run_folder_that_vanished_does_not_hide_why(train: Train, tmp_path: Path):
    run = tmp_path / "run"

    def go() -> Any:
        remove(run)
        raise TrainingStopped("NON_FINITE at step 4")

    train()
    with pytest.raises(TrainingStopped, match="NON_FINITE") as stopped:
        reporting(go, run)
    assert "holds no run" in stopped.value.__notes__[0]


def test_only_the_main_process_writes_the_report(train: Train, tmp_path: Path, monkeypatch):
    from accelerate import PartialState

    def go() -> Any:
        raise TrainingStopped("on all processes")

    run = train()
    monkeypatch.setattr(PartialState, "is_main_process", property(lambda self: False))
    with pytest.raises(TrainingStopped):
        reporting(go, run)
    assert not RunFolder(run).report.exists()
