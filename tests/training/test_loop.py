"""Training: what a step does, and that stopping, dying and watching change nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import killing
import pytest
import torch
import toy
from filelock import FileLock
from short_runs import (
    HEADED,
    PLAIN,
    RECIPES,
    At,
    differences,
    equal,
    ranks,
    stage,
    stop_at,
    weights,
)

from ganzoo import hookimpl
from ganzoo.errors import (
    CheckpointError,
    DataError,
    Interrupted,
    RecipeError,
    RunError,
    TrainingStopped,
)
from ganzoo.interfaces import Extractor
from ganzoo.models.randomness import batches
from ganzoo.training import checkpoint
from ganzoo.training.ema import EMA
from ganzoo.training.loop import resume, start
from ganzoo.training.run import Run
from ganzoo.training.run_folder import RunFolder

Train = Callable[..., Path]


@pytest.mark.parametrize("name", RECIPES)
def test_a_stopped_run_ends_as_one_never_stopped(train: Train, tmp_path: Path, name: str):
    whole = toy.contents(train("whole", **RECIPES[name]))
    assert whole["manifest.json"]["status"] == "finished"
    logged = {row["step"] for row in whole["metrics.jsonl"]}
    assert logged - {4} == {1, 2, 6, 8, 9}  # 4 both on its own and as a second stage's first
    run = tmp_path / "stopped"
    with pytest.raises(TrainingStopped, match="stopped at step 3"):
        train(run.name, observers=[stop_at(3)], **RECIPES[name])
    with pytest.raises(TrainingStopped, match="stopped at step 5"):
        resume(run, (), toy.plugins(stop_at(5)))
    resume(run, (), toy.plugins())
    assert differences(toy.contents(run), whole) == set()


def test_what_a_stage_begins_at_is_logged(train: Train):
    run = train(**RECIPES["translation"])
    rows = {row["step"]: row for row in toy.contents(run)["metrics.jsonl"]}
    first, second = rows[1], rows[4]
    assert first["share/content"] == 1
    assert first["generator/content.size"] > 0
    assert 0 < second["share/content"] < 1
    assert "G/identity" not in first  # reconstructing, it should return what it is given
    assert second["G/identity"] > 0


def test_resume_refuses_an_extractor_with_other_weights(train: Train, tmp_path: Path, monkeypatch):
    with pytest.raises(TrainingStopped, match="stopped at step 3"):
        train("stopped", observers=[stop_at(3)], **RECIPES["translation"])
    before = toy.contents(tmp_path / "stopped")

    def other(self: Any, seed: int = 0) -> None:
        Extractor.__init__(self)
        self.register_buffer("weight", torch.ones(4, 3, 3, 3))

    monkeypatch.setattr(toy.ToyExtractor, "__init__", other)
    with pytest.raises(CheckpointError, match="weights of extractor 'eye' have changed"):
        resume(tmp_path / "stopped", (), toy.plugins())
    assert toy.contents(tmp_path / "stopped").keys() == before.keys()


# -- kill -9 --------------------------------------------------------------------------------


def test_a_killed_run_ends_as_one_never_killed(
    tmp_path: Path, one_thread: None, monkeypatch: pytest.MonkeyPatch
):
    if not hasattr(os, "fork"):
        pytest.skip("needs fork")
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "caches" / "whole"))
    start(killing.recipe(tmp_path), tmp_path / "whole", toy.plugins())
    whole = toy.contents(tmp_path / "whole")
    # of about 370 operations, 90 to 132 of which measure the third step; a negative one is cut
    # short, further ones kill the resumed run
    points = ["4", "9", "-30", "41", "-57 20", "88", "-98 15 30", "-114", "-118", "119", "130 21"]
    points += ["-229 40", "243", "-290 33", "-343", "357"]
    lines = [f"run{i} {line}" for i, line in enumerate(points)]
    done = subprocess.run(
        [sys.executable, "killing.py", str(tmp_path)],
        cwd=Path(__file__).parents[1],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        input="\n".join(lines),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    reports = [json.loads(said) for said in done.stdout.splitlines() if said[:1] == "{"]
    for line, report in zip(lines, reports, strict=True):
        name, *kills = line.split()
        assert report["statuses"] == [-signal.SIGKILL] * len(kills) + [0], line
        assert differences(toy.contents(tmp_path / name), whole) == set(), line
        assert {path.name for path in (tmp_path / name).rglob(".*")} == {".lock"}, line


# -- signals --------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_says_how_to_go_on(train: Train, tmp_path: Path, number: signal.Signals):
    before = signal.getsignal(number)
    with pytest.raises(Interrupted) as stopped:
        train(observers=[stop_at(5, number)])
    run = tmp_path / "run"
    name = "Ctrl-C" if number == signal.SIGINT else "SIGTERM"
    assert f"step 5 of 9 by {name};" in str(stopped.value)
    assert str(stopped.value).endswith(f": ganzoo resume {run}")
    assert stopped.value.exit_code == 130
    assert signal.getsignal(number) is before
    assert list(checkpoint.steps(run / "checkpoints")) == [3, 5]
    manifest = json.loads((run / "manifest.json").read_text())
    assert (manifest["status"], manifest["step"]) == ("stopped", 5)
    assert manifest["reason"] == str(stopped.value)


def test_two_processes_cannot_train_one_run(train: Train, tmp_path: Path):
    with pytest.raises(Interrupted):
        train(observers=[stop_at(5, signal.SIGTERM)])
    run = tmp_path / "run"
    before = toy.contents(run)
    with FileLock(run / ".lock"), pytest.raises(RunError, match="another process"):
        resume(run, [], toy.plugins())
    assert toy.contents(run) == before


def test_a_second_ctrl_c_ends_at_once(train: Train, tmp_path: Path):
    def twice(run: Run) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted, match="second Ctrl-C, in step 6") as stopped:
        train(observers=[At(5, twice)])
    run = tmp_path / "run"
    assert list(checkpoint.steps(run / "checkpoints")) == [3]
    assert f"The last checkpoint is {run / 'checkpoints' / 'step-00000003'}." in str(stopped.value)
    assert json.loads((run / "manifest.json").read_text())["status"] == "stopped"


def test_ctrl_c_ends_a_measurement_at_once_for_everything_is_saved(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    evaluate = {"every": 3, "benchmark": str(toy.benchmark(tmp_path / "recipes"))}
    whole = toy.contents(train("whole", evaluate=evaluate))

    def interrupt(*arguments: Any, **options: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        pytest.fail("it went on")

    with monkeypatch.context() as patch:
        patch.setattr("ganzoo.training.scoring.measure", interrupt)
        with pytest.raises(Interrupted, match="step 3 of 9 by Ctrl-C"):
            train(evaluate=evaluate)
    resume(tmp_path / "run", [], toy.plugins())
    assert differences(toy.contents(tmp_path / "run"), whole) == set()


def test_a_step_that_does_not_come_back_answers_ctrl_c_and_ends_at_the_second(tmp_path: Path):
    if not hasattr(signal, "pthread_sigmask"):
        pytest.skip("needs POSIX signals")
    script = [sys.executable, "hanging.py", str(tmp_path)]
    pipe = subprocess.PIPE
    here = Path(__file__).parents[1]
    with subprocess.Popen(script, cwd=here, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "hanging\n"
        process.send_signal(signal.SIGINT)
        answer = process.stderr.readline()
        assert answer.startswith("finishing step 1; press Ctrl-C again")
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
        assert process.wait() == 130
    assert "second Ctrl-C, in step 1 " in rest
    assert rest.endswith(f"Begin again with: ganzoo resume {tmp_path / 'run'}\n")
    assert "Traceback" not in rest


# -- what is not finite ---------------------------------------------------------------------


def test_a_term_that_is_not_finite_stops_the_run_by_name(train: Train, tmp_path: Path):
    terms = [{"use": "non-saturating"}, {"use": "poison", "at": 5}]
    with pytest.raises(TrainingStopped) as stopped:
        train(stages=[stage(generator=terms)])
    run = tmp_path / "run"
    message = str(stopped.value)
    assert "NON_FINITE at step 4: the generator's term" in message
    assert "'poison'" in message
    assert f"The last checkpoint is {run / 'checkpoints' / 'step-00000003'}." in message
    assert f"ganzoo train {run / 'recipe.yaml'} --set init_from={run} --set optimizer.lr" in message
    checkpoint.read(run / "checkpoints" / "step-00000003")
    assert list(checkpoint.steps(run / "checkpoints")) == [3]


def test_weights_that_are_not_finite_are_never_saved(train: Train, tmp_path: Path):
    def spoil(run: Run) -> None:
        run.parts.networks["discriminator"].bare.get_parameter("outer.bias").data.fill_(
            float("inf")
        )

    with pytest.raises(TrainingStopped, match=r"step 6: 'outer.bias' of discriminator") as stopped:
        train(observers=[At(6, spoil)])
    assert "step-00000003" in str(stopped.value)
    assert list(checkpoint.steps(tmp_path / "run" / "checkpoints")) == [3]


# -- refused before anything is written -----------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        ({"batch": 32}, DataError, "has 16 images, fewer than one batch of 32.*--set batch=16"),
        (
            {"stages": [stage(), stage(name="later", generator=[{"use": "poison", "at": 0}])]},
            RecipeError,
            "loss 'poison': at is 0",
        ),
        ({"log": {"trackers": ["abacus"]}}, RecipeError, "log.trackers: 'abacus' is not installed"),
        (
            RECIPES["translation"] | {"dataset": {"use": "toy", "photo": True, "size": 2}},
            RecipeError,
            r"stage 'reconstruct': the generator's term 'content' .* photo \(3, 2, 2\), .* Kernel",
        ),
    ],
)
def test_refused_before_anything_is_written(
    train: Train, tmp_path: Path, changes: dict[str, Any], kind: type[Exception], message: str
):
    with pytest.raises(kind, match=message):
        train(**changes)
    assert [path.name for path in tmp_path.iterdir()] == ["recipes"]


def test_looking_whether_all_fits_leaves_no_trace(tmp_path: Path):
    run = Run(toy.recipe(tmp_path), RunFolder(tmp_path / "run"), toy.plugins())
    for network in run.parts.networks.values():
        assert network.bare.training
        assert network.bare.norm.num_batches_tracked == 0
        assert all(p.requires_grad and p.grad is None for p in network.bare.parameters())


def test_a_batch_must_split_over_processes_and_parts(tmp_path: Path):
    from ganzoo.training.build import check_split

    recipe = toy.recipe(tmp_path, batch=12, accumulate=2)
    check_split(recipe, 3)
    with pytest.raises(RecipeError, match=r"over 4 .* multiple of 8"):
        check_split(recipe, 4)


# -- watching changes nothing ---------------------------------------------------------------


def test_intervals_of_logs_samples_and_checkpoints_change_no_weight(train: Train):
    often = weights(train("often", **(every := {k: {"every": 1} for k in INTERVALS})))
    rarely = weights(train("rarely", **{key: {"every": 1000} for key in every}))
    assert equal(often, rarely)


INTERVALS = ("log", "samples", "checkpoint")


class Recorder:
    def __init__(self) -> None:
        self.heard: list[tuple[Any, ...]] = []

    @hookimpl
    def run_started(self, run: Run) -> None:
        self.heard.append(("started", run.step))

    @hookimpl
    def step_ended(self, step: int, logs: Mapping[str, float]) -> None:
        self.heard.append(("step", step, bool(logs)))

    @hookimpl
    def samples_drawn(self, step: int, path: Path) -> None:
        self.heard.append(("samples", step, path.name))

    @hookimpl
    def checkpoint_saved(self, step: int, path: Path) -> None:
        assert (path / "state.json").is_file()
        self.heard.append(("checkpoint", step, path.name))

    @hookimpl
    def run_ended(self, error: BaseException | None) -> None:
        self.heard.append(("ended", type(error).__name__))


def test_observers_are_told_everything_in_order(train: Train):
    recorder = Recorder()
    train(stages=[stage(5)], observers=[recorder])
    assert recorder.heard == [
        ("started", 0),
        ("samples", 0, "00000000.png"),
        ("step", 1, True),
        ("step", 2, True),
        ("step", 3, False),
        ("checkpoint", 3, "step-00000003"),
        ("step", 4, True),
        ("samples", 4, "00000004.png"),
        ("step", 5, True),
        ("samples", 5, "00000005.png"),
        ("checkpoint", 5, "step-00000005"),
        ("ended", "NoneType"),
    ]


# -- one step -------------------------------------------------------------------------------


class Counting:
    """Counts forward passes, and looks at D's gradients when the generator's update is done."""

    def __init__(self) -> None:
        self.forwards: Counter[str] = Counter()
        self.leaked: list[str] = []

    @hookimpl
    def run_started(self, run: Run) -> None:
        for name, network in run.parts.networks.items():
            network.bare.register_forward_hook(lambda *_, name=name: self.forwards.update([name]))

    @hookimpl
    def step_ended(self, run: Run) -> None:
        for name, network in run.parts.networks.items():
            for key, parameter in network.bare.named_parameters():
                if parameter.grad is not None or not parameter.requires_grad:
                    self.leaked.append(f"{name}.{key}")


@pytest.mark.parametrize(
    ("changes", "generator", "discriminator"),
    [
        ({}, 1, 3),
        ({"stages": [stage(4, discriminator_steps=3)], "batch": 4}, 3, 7),
        ({"accumulate": 2}, 4, 6),
        (
            {"stages": [stage(4, discriminator=[{"use": "hinge"}, {"use": "r1"}, {"use": "r2"}])]},
            1,
            3,
        ),
        ({"stages": [{"name": "g", "steps": 4, "generator": [{"use": "bright"}]}]}, 1, 0),
    ],
)
def test_no_network_runs_more_often_than_it_must(
    train: Train, changes: dict[str, Any], generator: int, discriminator: int
):
    counting = Counting()
    train(observers=[counting], ema=0.9, **{"stages": [stage(4)], **changes})
    assert counting.forwards["generator"] == 4 * generator
    assert counting.forwards["discriminator"] == 4 * discriminator
    assert counting.leaked == []


def test_accumulated_parts_make_the_step_of_the_whole_batch(train: Train):
    plain = {
        "generator": {"use": "toy", "norm": False},
        "discriminator": {"use": "toy", "norm": False, "dropout": 0.0},
        "optimizer": {"use": "sgd", "lr": 0.1},
    }
    whole = weights(train("whole", **plain))
    parts = weights(train("parts", accumulate=2, **plain))
    for name in ("generator", "discriminator", "ema"):
        for key, value in whole[name].items():
            torch.testing.assert_close(parts[name][key], value)


def test_images_seen_count_every_update_of_the_discriminator(tmp_path: Path, one_thread: None):
    stages = [stage(3, "one"), stage(4, "two", discriminator_steps=2)]
    recipe = toy.recipe(tmp_path, stages=stages)
    run = Run(recipe, RunFolder(tmp_path / "run"), toy.plugins())
    seen = []
    for run.step in range(8):
        seen.append(run.images // recipe.batch)
    assert seen == [0, 1, 2, 3, 5, 7, 9, 11]


def test_an_epoch_shows_every_example_once_and_can_be_entered_anywhere():
    whole = [pair for pair, _ in zip(batches(10, 3, 7, 0), range(9), strict=False)]
    assert [epoch for epoch, _ in whole] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    for epoch in range(3):
        seen = [i for e, indices in whole if e == epoch for i in indices]
        assert len(set(seen)) == 9
    for first in range(9):
        assert next(batches(10, 3, 7, first)) == whole[first]


# -- the moving average ---------------------------------------------------------------------


def test_the_moving_average_follows_its_formula_and_copies_buffers():
    network = torch.nn.BatchNorm1d(1)
    ema = EMA(network, decay=0.5)
    expected = 1.0
    for step, weight in enumerate([2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0]):
        network.weight.data.fill_(weight)
        network(torch.full((4, 1), weight))
        ema.update(network, step)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * weight
        assert float(ema.network.weight) == pytest.approx(expected, rel=1e-6)
        assert torch.equal(ema.network.running_mean, network.running_mean)
        assert torch.equal(ema.network.num_batches_tracked, network.num_batches_tracked)
    assert not ema.network.training
    assert not any(p.requires_grad for p in ema.network.parameters())


def test_without_ramp_the_decay_is_constant():
    network = torch.nn.Linear(1, 1, bias=False)
    network.weight.data.fill_(0.0)
    ema = EMA(network, decay=0.9, ramp=False)
    network.weight.data.fill_(1.0)
    ema.update(network, 0)
    assert float(ema.network.weight) == pytest.approx(0.1)


# -- two processes --------------------------------------------------------------------------


def test_two_processes_stay_equal_and_resume_exactly(train: Train, tmp_path: Path):
    if not hasattr(os, "fork"):
        pytest.skip("needs fork")
    ranks(tmp_path, "whole", "stopped:4", "stopped", "measured", "plain", "headed", "poisoned")
    for job in ("whole", "stopped", "measured", "plain", "headed"):
        first, second = (torch.load(tmp_path / f"{job}-{rank}.pt") for rank in (0, 1))
        assert equal(first, second), job
    stopped = "by SIGTERM; everything is saved"
    assert all(stopped in (tmp_path / f"stopped:4-{rank}.txt").read_text() for rank in (0, 1))
    assert (
        differences(toy.contents(tmp_path / "stopped"), toy.contents(tmp_path / "whole")) == set()
    )
    assert equal(weights(tmp_path / "whole"), weights(tmp_path / "measured"))
    rows = RunFolder(tmp_path / "measured").rows()
    assert [row["step"] for row in rows if "score/brightness" in row] == [3, 6, 7]
    manifest = json.loads((tmp_path / "whole" / "manifest.json").read_text())
    assert (manifest["processes"], manifest["status"]) == (2, "finished")

    headed = weights(train("headed-alone", **HEADED))
    for name, values in weights(tmp_path / "headed").items():
        for key, value in values.items():
            torch.testing.assert_close(headed[name][key], value, rtol=1e-3, atol=1e-4)

    alone = train("alone", **PLAIN)
    two = tmp_path / "plain"
    assert {p.name for p in two.iterdir()} == {p.name for p in alone.iterdir()}
    for name, values in weights(alone).items():
        for key, value in values.items():
            torch.testing.assert_close(weights(two)[name][key], value, rtol=1e-3, atol=1e-4)
    for ours, theirs in zip(RunFolder(two).rows(), RunFolder(alone).rows(), strict=True):
        assert list(ours) == list(theirs)
        for key in {"generator/bright", "discriminator/hinge", "discriminator/r1"} & ours.keys():
            assert ours[key] == pytest.approx(theirs[key], rel=1e-3)

    messages = [(tmp_path / f"poisoned-{rank}.txt").read_text() for rank in (0, 1)]
    assert "on another process" in messages[0]
    assert "term 'poison'" in messages[1]
