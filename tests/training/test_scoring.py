"""Evaluation during training: it finds the best step, and changes nothing of what it measures."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import short_runs
import torch
import toy
from short_runs import differences, equal, stage, stop_at, weights

from ganzoo import hookimpl
from ganzoo.errors import DataError, GanzooError, RunError, TrainingStopped
from ganzoo.models import model, samples
from ganzoo.training import checkpoint
from ganzoo.training.loop import resume
from ganzoo.training.run import Run
from ganzoo.training.run_folder import RunFolder
from ganzoo.training.scores import best_step, is_score
from ganzoo_console import Console

Train = Callable[..., Path]
Row = Mapping[str, Any]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def watch(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """``watch(every, **changes)``: a recipe's ``evaluate`` under a toy benchmark with changes."""

    def made(every: int = 2, **changes: Any) -> dict[str, Any]:
        return {"every": every, "benchmark": str(toy.benchmark(tmp_path / "recipes", **changes))}

    return made


Watch = Callable[..., dict[str, Any]]


class Script:
    """Says what each step scores; whatever is left out is as it is."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, kind: type, name: str):
        self.values: dict[int, float] = {}
        self.step = 0
        compute = kind.compute

        def scripted(evaluator: Any) -> dict[str, float]:
            torch.rand(3), np.random.rand(3)  # a careless evaluator
            known = compute(evaluator)
            return {name: self.values[self.step]} if self.step in self.values else known

        monkeypatch.setattr(kind, "compute", scripted)

    @hookimpl
    def run_started(self, run: Run) -> None:
        self.step = run.step

    @hookimpl
    def step_ended(self, step: int) -> None:
        self.step = step


def trained(rows: list[Row]) -> list[Row]:
    return [row for row in rows if not is_score(row)]


def measured(run: Path) -> list[Row]:
    return [row for row in RunFolder(run).rows() if is_score(row)]


# -- what it must not change ----------------------------------------------------------------


@pytest.mark.parametrize("name", ["lazy penalties", "two stages", "no ema", "bf16", "translation"])
def test_a_measured_run_trains_as_one_that_is_not(
    train: Train, watch: Watch, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = short_runs.RECIPES[name] | {"checkpoint": {"every": 1, "keep": 99}}
    alone = toy.contents(train("alone", **changes))
    bench = toy.PAIRS if name == "translation" else {}
    Script(monkeypatch, toy.Brightness, "brightness")  # draws random numbers
    run = train("measured", evaluate=watch(2, **bench), **changes)
    again = toy.contents(run)
    assert trained(again["metrics.jsonl"]) == alone["metrics.jsonl"]
    assert len(again["metrics.jsonl"]) == len(alone["metrics.jsonl"]) + 5
    kept = {file for file in alone if file.endswith((".safetensors", ".png"))}
    assert sum("optimizer" in file for file in kept) >= 9
    assert {file for file in kept if alone[file] != again[file]} == set()
    assert {f for f in again if f not in alone and f.partition("/")[0] != "best"} == set()


def test_evaluation_is_not_part_of_the_seconds_of_training(
    train: Train, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr("ganzoo.training.run.time", SimpleNamespace(monotonic=lambda: clock[0]))
    compute = toy.Brightness.compute

    def slow(evaluator: Any) -> dict[str, float]:
        clock[0] += 1000
        return compute(evaluator)

    monkeypatch.setattr(toy.Brightness, "compute", slow)
    run = train(evaluate=watch(4))
    assert clock[0] >= 3000
    assert {row["seconds"] for row in RunFolder(run).rows()} == {0}
    for folder in ("model", "best"):
        assert json.loads((run / folder / "config.json").read_text())["training"]["seconds"] == 0


# -- what it says ---------------------------------------------------------------------------


@pytest.mark.parametrize(("every", "steps"), [(4, [4, 8, 9]), (3, [3, 6, 9]), (100, [9])])
def test_steps_are_measured_when_due_and_at_the_end(
    train: Train, watch: Watch, every: int, steps: list[int]
) -> None:
    run = train(evaluate=watch(every))
    rows = measured(run)
    assert [row["step"] for row in rows] == steps
    told = json.loads((run / "manifest.json").read_text())["evaluation"]
    for row in rows:
        assert row.keys() == {
            *("step", "seconds", "protocol"),
            *("score/brightness", "score/distance-toy"),
        }
        assert row["protocol"] == told["protocol"]
    assert told["benchmark"] == "toys@1"
    assert told["primary"] == "distance-toy"
    assert told["higher_is_better"] == {"brightness": True, "distance-toy": False}
    assert told["ids"]["distance-toy"].startswith("distance-toy/toy-")
    assert not (run / ".evaluating").exists()


def test_a_score_is_that_of_the_model_that_is_saved(train: Train, watch: Watch) -> None:
    from ganzoo.evaluation.image_sources import Generated
    from ganzoo.evaluation.measure import measure
    from ganzoo.plugins.manager import Plugins

    run = train(evaluate=watch(100))
    plugins: Plugins = toy.plugins()
    protocol = toy.protocol(run.parent / "recipes")
    loaded = model.load(run, plugins.registry)
    again = measure(protocol, Generated(loaded.generator, protocol), quiet=True)
    (row,) = measured(run)
    for name, estimate in again.scores.items():
        assert row[f"score/{name}"] == pytest.approx(estimate.value, rel=1e-5)


REGISTRY = toy.plugins().registry


def test_observers_are_told(train: Train, watch: Watch, capsys: pytest.CaptureFixture[str]) -> None:
    heard: list[tuple[int, dict[str, float]]] = []

    class Listener:
        @hookimpl
        def evaluated(self, run: Run, step: int, scores: Mapping[str, float]) -> None:
            assert (run.folder.checkpoints / f"step-{step:08d}").is_dir()
            assert measured(run.path)[-1]["step"] == step
            heard.append((step, dict(scores)))

    run = train(evaluate=watch(4), observers=[Listener(), Console()])
    rows = {row["step"]: row for row in measured(run)}
    assert [step for step, _ in heard] == [4, 8, 9]
    for step, scores in heard:
        assert {f"score/{name}": value for name, value in scores.items()} == {
            key: value for key, value in rows[step].items() if key.startswith("score/")
        }
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("scores at")]
    assert len(said) == 3
    first = rows[4]["score/distance-toy"]
    assert said[0].startswith(f"scores at step 4: distance-toy {first:.4g}  brightness ")
    assert said[0].endswith("  (the best yet)")


# -- the best -------------------------------------------------------------------------------


def test_the_best_step_is_the_first_of_equals_either_way() -> None:
    found = {2: {"x": 1.0}, 4: {"x": 3.0, "y": 0.0}, 6: {"x": 3.0}, 8: {"x": 1.0}, 9: {"y": 9.0}}
    assert best_step(found, "x", True) == 4
    assert best_step(found, "x", False) == 2
    assert best_step(found | {1: {"x": float("nan")}}, "x", False) == 2
    assert best_step(found, "z", True) is None


@pytest.mark.parametrize(
    ("primary", "kind", "values", "best"),
    [
        ("brightness", toy.Brightness, {2: 0.1, 4: 0.5, 6: 0.5, 8: 0.3, 9: 0.2}, 4),
        ("distance", toy.Distance, {2: 0.9, 4: 0.2, 6: 0.2, 8: 0.3, 9: 0.4}, 4),
        ("brightness", toy.Brightness, {2: 0.1, 4: 0.5, 6: 0.5, 8: 0.3, 9: 0.7}, 9),
    ],
)
def test_the_best_checkpoint_and_its_model_are_kept(
    train: Train,
    watch: Watch,
    monkeypatch: pytest.MonkeyPatch,
    primary: str,
    kind: type,
    values: dict[int, float],
    best: int,
) -> None:
    script = Script(monkeypatch, kind, primary)
    script.values = values
    run = train(
        evaluate=watch(2, primary=primary),
        checkpoint={"every": 3, "keep": 1},
        observers=[script],
    )
    assert list(checkpoint.steps(run / "checkpoints")) == sorted({best, 9})
    found = model.load(run / "best", REGISTRY)
    assert found.path == run / "best"
    assert found.config.training["steps"] == best
    saved = checkpoint.read(run / "checkpoints" / f"step-{best:08d}")[0]["ema"]
    state = found.generator.state_dict()
    assert all(torch.equal(state[key], saved[key]) for key in saved)
    assert samples.sample(found.generator, 2, seed=0).shape == (2, 3, 8, 8)
    assert model.load(run, REGISTRY).config.training["steps"] == 9


def test_a_run_begins_from_the_best_of_another(train: Train, watch: Watch) -> None:
    run = train("first", evaluate=watch(4))
    train("second", init_from=str(run / "best"))


# -- stopped, killed, resumed ---------------------------------------------------------------


@pytest.mark.parametrize("name", ["lazy penalties", "two stages", "no ema", "translation"])
def test_a_stopped_run_is_measured_as_one_never_stopped(
    train: Train, watch: Watch, tmp_path: Path, name: str
) -> None:
    bench = toy.PAIRS if name == "translation" else {}
    changes = short_runs.RECIPES[name] | {"evaluate": watch(2, **bench)}
    whole = toy.contents(train("whole", **changes))
    run = tmp_path / "stopped"
    with pytest.raises(TrainingStopped, match="stopped at step 3"):
        train(run.name, observers=[stop_at(3)], **changes)
    with pytest.raises(TrainingStopped, match="stopped at step 6"):
        resume(run, (), toy.plugins(stop_at(6)))
    resume(run, (), toy.plugins())
    assert differences(toy.contents(run), whole) == set()


def test_a_longer_last_stage_is_measured_on(train: Train, watch: Watch, tmp_path: Path) -> None:
    changes = {"evaluate": watch(4), "checkpoint": {"every": 100, "keep": 1}}
    longer = train("longer", stages=[stage(12)], **changes)
    run = train("run", **changes)
    resume(run, ["stages.0.steps=12"], toy.plugins())
    assert [row["step"] for row in measured(run)] == [4, 8, 9, 12]
    kept = [row for row in measured(run) if row["step"] != 9]
    assert [{**row, "seconds": 0} for row in kept] == [
        {**row, "seconds": 0} for row in measured(longer)
    ]
    assert equal(weights(run), weights(longer))


def test_evaluate_may_change_at_resume(train: Train, watch: Watch, tmp_path: Path) -> None:
    alone = train("alone")
    run = tmp_path / "run"
    with pytest.raises(TrainingStopped):
        train("run", observers=[stop_at(4)], evaluate=watch(4))
    with pytest.raises(TrainingStopped):  # other images to compare with: another protocol
        resume(run, ["evaluate.set=[reference=40]"], toy.plugins(stop_at(6)))
    first, second = measured(run)
    assert (first["step"], second["step"]) == (4, 4)
    assert first["protocol"] != second["protocol"]
    with pytest.raises(TrainingStopped):
        resume(run, ["evaluate=null"], toy.plugins(stop_at(8)))
    assert len(measured(run)) == 2
    resume(run, [f"evaluate={json.dumps(watch(2))}"], toy.plugins())
    assert [row["step"] for row in measured(run)] == [4, 4, 8, 9]
    assert equal(weights(run), weights(alone))


def test_scores_of_another_protocol_are_not_compared(
    train: Train, watch: Watch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Script(monkeypatch, toy.Distance, "distance")
    script.values = {2: 0.0}
    run = tmp_path / "run"
    with pytest.raises(TrainingStopped):
        train("run", observers=[script, stop_at(3)], evaluate=watch(2))
    assert model.load(run / "best", REGISTRY).config.training["steps"] == 2
    script.values = {4: 1.0, 6: 0.5, 8: 2.0, 9: 3.0}
    resume(run, ["evaluate.set=[reference=40]"], toy.plugins(script))
    assert model.load(run / "best", REGISTRY).config.training["steps"] == 6


# -- what goes wrong ------------------------------------------------------------------------


def test_a_measurement_that_fails_keeps_the_training(
    train: Train, watch: Watch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = {"evaluate": watch(3)}
    whole = train("whole", **changes)
    script = Script(monkeypatch, toy.Distance, "distance")
    script.values = {6: float("nan")}
    run = tmp_path / "run"
    with pytest.raises(TrainingStopped, match=r"step 6 .* the score 'distance'"):
        train("run", observers=[script], **changes)
    with pytest.raises(TrainingStopped) as stopped:
        resume(run, (), toy.plugins(script))
    message = str(stopped.value)
    assert f"The last checkpoint is {run / 'checkpoints' / 'step-00000006'}." in message
    assert f"To try again: ganzoo resume {run};" in message
    assert message.endswith(f"without scores: ganzoo resume {run} --set evaluate=null")
    assert stopped.value.exit_code == 1
    checkpoint.read(run / "checkpoints" / "step-00000006")
    assert [row["step"] for row in measured(run)] == [3]
    assert json.loads((run / "manifest.json").read_text())["status"] == "stopped"

    script.values = {}
    resume(run, (), toy.plugins(script))
    assert differences(toy.contents(run), toy.contents(whole)) == set()


def test_without_scores_a_failed_run_goes_on(
    train: Train, watch: Watch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Script(monkeypatch, toy.Distance, "distance")
    script.values = {6: float("nan")}
    with pytest.raises(TrainingStopped):
        train("run", observers=[script], evaluate=watch(3))
    run = tmp_path / "run"
    assert (run / ".evaluating").is_dir()  # what was begun, for another try
    resume(run, ["evaluate=null"], toy.plugins())
    assert not (run / ".evaluating").exists()
    assert equal(weights(run), weights(train("alone")))


@pytest.mark.parametrize(
    ("changes", "bench", "kind", "message"),
    [
        ({}, {"dataset": {"use": "toy", "count": 80, "size": 6}}, RunError, "3x8x8, and .* 3x6x6"),
        ({}, toy.PAIRS, RunError, "draws from noise, and benchmark toys compares"),
        (short_runs.RECIPES["translation"], {}, RunError, "images from 'photo', and benchmark"),
        ({}, {"reference": 70}, DataError, "the dataset has 80"),
        ({}, {"dataset_sha256": "0" * 64}, DataError, "the dataset's hash is"),
    ],
)
def test_a_benchmark_that_does_not_suit_is_refused_before_anything_is_written(
    train: Train,
    watch: Watch,
    tmp_path: Path,
    changes: dict[str, Any],
    bench: dict[str, Any],
    kind: type[GanzooError],
    message: str,
) -> None:
    with pytest.raises(kind, match=message):
        train(evaluate=watch(2, **bench), **changes)
    assert {path.name for path in tmp_path.iterdir()} <= {"recipes", "cache"}


def test_a_relative_benchmark_is_found_from_another_folder(
    train: Train, watch: Watch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch()
    monkeypatch.chdir(tmp_path / "recipes")
    with pytest.raises(TrainingStopped):
        train("run", observers=[stop_at(3)], evaluate={"every": 2, "benchmark": "toys.yaml"})
    monkeypatch.chdir(tmp_path)
    resume(tmp_path / "run", (), toy.plugins())
    for folder in ("model", "best"):  # which are for others
        text = (tmp_path / "run" / folder / "recipe.yaml").read_text()
        assert str(tmp_path) not in text
        assert "benchmark: toys.yaml" in text


def test_a_model_tells_no_path_of_a_benchmarks_set(
    train: Train, watch: Watch, tmp_path: Path
) -> None:
    from ganzoo.recipe.recipe import without_paths

    given = {"set": [f"dataset.path={tmp_path}/photos", "fakes=3"], "path": f"{tmp_path}/a=b/c"}
    assert without_paths(given) == {"set": ["dataset.path=photos", "fakes=3"], "path": "c"}
