"""Observers and trackers hear of everything, and none can harm the training."""

from __future__ import annotations

import csv
import json
import os
import random
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TextIO

import numpy as np
import pytest
import torch
import toy
import yaml
from accelerate.tracking import LOGGER_TYPE_TO_CLASS, GeneralTracker

from ganzoo import hookimpl
from ganzoo.errors import RecipeError
from ganzoo.models import model
from ganzoo.plugins.registry import Origin
from ganzoo.recipe.recipe import load_recipe
from ganzoo.training.loop import resume, start
from ganzoo.training.run import Run
from ganzoo.training.run_folder import RunFolder
from ganzoo.training.scores import is_score
from ganzoo_console import Console

Train = Callable[..., Path]
Rows = list[Mapping[str, Any]]
EVENTS = (
    *("run_started", "samples_drawn", "step_ended"),
    *("checkpoint_saved", "evaluated", "run_ended"),
)
GAN = "generator/non-saturating"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def busy(tmp_path: Path) -> dict[str, Any]:
    """A recipe that calls every hook, and whose steps draw random numbers."""
    stage = {
        **toy.GAN["stages"][0],
        "discriminator": [{"use": "wasserstein"}, {"use": "gradient-penalty"}],
    }
    return {
        "augment": {"use": "diffaugment"},
        "stages": [stage],
        "evaluate": {"every": 4, "benchmark": str(toy.benchmark(tmp_path / "recipes"))},
    }


class Watching:
    """Hears every hook, and does something in some of them."""

    def __init__(self, act: Callable[[], object], *events: str):
        self.act, self.events = act, events or EVENTS
        self.heard: list[str] = []

    def hear(self, event: str) -> None:
        self.heard.append(event)
        if event in self.events:
            self.act()

    @hookimpl
    def run_started(self) -> None:
        self.hear("run_started")

    @hookimpl
    def samples_drawn(self) -> None:
        self.hear("samples_drawn")

    @hookimpl
    def step_ended(self, logs: Mapping[str, Any]) -> None:
        self.hear("step_ended")

    @hookimpl
    def checkpoint_saved(self) -> None:
        self.hear("checkpoint_saved")

    @hookimpl
    def evaluated(self, scores: Mapping[str, float], step: int) -> None:
        self.hear("evaluated")

    @hookimpl
    def run_ended(self, error: BaseException | None) -> None:
        self.hear("run_ended")


def fail() -> None:
    raise LookupError("no such\ndashboard.")


def quit_it() -> None:
    sys.exit("I am done")


def interrupt() -> None:
    raise KeyboardInterrupt


@pytest.fixture
def unread() -> Iterator[TextIO]:
    """A file that nobody reads any more, as standard output is in ``ganzoo train | head``."""
    read, write = os.pipe()
    os.close(read)
    with suppress(BrokenPipeError), os.fdopen(write, "w", buffering=1) as file:
        yield file


# -- observers ------------------------------------------------------------------------------


def test_one_that_raises_is_reported_once_and_switched_off_and_changes_nothing(
    train: Train, busy: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    alone = train("alone", **busy)
    bad = [Watching(act, event) for event in EVENTS for act in (fail, quit_it)]
    good = Watching(fail, "never")
    watched = train("watched", observers=[*bad, good], **busy)
    assert toy.contents(watched) == toy.contents(alone)
    assert set(good.heard) == set(EVENTS)
    assert good.heard.count("step_ended") == 9

    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == len(bad)
    for number, observer in enumerate(bad):
        (event,) = observer.events
        assert observer.heard[-1] == event
        assert observer.heard.count(event) == 1
        name = f"observer-{number}"
        what = "SystemExit: I am done" if number % 2 else "LookupError: no such dashboard"
        (line,) = [line for line in lines if f"(plugin '{name}') failed in {event} " in line]
        assert line.startswith(f"observer {name}-dist 1.0 ")
        assert f": {what}. " in line
        assert f"uninstall '{name}-dist'" in line
        assert "GANZOO_STRICT_PLUGINS=1" in line


def test_one_that_meddles_with_the_process_changes_nothing(
    train: Train, busy: dict[str, Any]
) -> None:
    def meddle() -> None:
        torch.manual_seed(7)
        np.random.seed(7)
        random.seed(7)
        torch.rand(3), np.random.rand(3), random.random()
        torch.set_grad_enabled(False)
        torch.set_num_threads(2)

    class Emptying:
        @hookimpl
        def step_ended(self, logs: dict[str, Any]) -> None:
            logs.clear()

        @hookimpl
        def evaluated(self, scores: dict[str, float]) -> None:
            scores.clear()

    seen = set()
    after = Watching(lambda: seen.add((torch.is_grad_enabled(), torch.get_num_threads())))
    alone = train("alone", **busy)
    watched = train("watched", observers=[Watching(meddle), Emptying(), after], **busy)
    assert toy.contents(watched) == toy.contents(alone)
    assert seen == {(True, 1)}


@pytest.mark.parametrize("event", ["run_started", "step_ended"])
def test_a_keyboard_interrupt_stops_the_run_and_resume_goes_on(
    train: Train, tmp_path: Path, event: str, busy: dict[str, Any]
) -> None:
    observer = Watching(interrupt, event)
    with pytest.raises(KeyboardInterrupt):
        train(observers=[observer], **busy)
    assert observer.heard[-2:] == [event, "run_ended"]
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert (manifest["status"], manifest["reason"]) == ("stopped", "KeyboardInterrupt")
    resume(tmp_path / "run", (), toy.plugins())
    assert toy.contents(tmp_path / "run") == toy.contents(train("whole", **busy))


def test_its_plugin_stays_and_the_next_run_tells_it_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Both(Watching):
        @hookimpl
        def register_losses(self, register: Any) -> None:
            register("mine", toy.Bright)

    both = Both(fail, "step_ended")
    plugins = toy.plugins()
    assert plugins.add(lambda: both, Origin("both", "both-dist", "1.0")).error is None
    stage = toy.GAN["stages"][0]
    later = {**stage, "name": "later", "steps": 3, "generator": [{"use": "mine"}]}
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump({**toy.GAN, "stages": [stage, later]}))
    for number in (1, 2):
        loaded = load_recipe(path, (), plugins.registry)
        run = start(loaded, tmp_path / f"run-{number}", plugins)
        assert run.step == 12
        assert model.load(run.path, plugins.registry).generator
        assert both.heard.count("run_started") == both.heard.count("step_ended") == number
    assert capsys.readouterr().err.count("both-dist 1.0") == 2
    assert "run_ended" not in both.heard


def test_its_author_may_have_the_traceback(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GANZOO_STRICT_PLUGINS", "1")
    with pytest.raises(LookupError, match="no such"):
        train(observers=[Watching(fail, "step_ended")])
    assert json.loads((tmp_path / "run" / "manifest.json").read_text())["status"] == "stopped"


def test_a_gone_standard_error_does_not_stop_the_run(
    train: Train, unread: TextIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", unread)
        run = train(observers=[Watching(fail, "step_ended")])
    assert RunFolder(run).rows()[-1]["step"] == 9


def test_an_observer_keeps_a_table_of_its_own(train: Train, tmp_path: Path) -> None:
    class Table:
        """All that a plugin needs to log elsewhere: two hooks."""

        @hookimpl
        def step_ended(self, run: Run, logs: Mapping[str, Any]) -> None:
            if logs:
                with (run.path / "table.csv").open("a", newline="") as file:
                    csv.writer(file).writerow([logs["step"], logs[GAN]])

        @hookimpl
        def run_ended(self, run: Run) -> None:
            shutil.copy(run.path / "table.csv", tmp_path / "copy.csv")

    run = train(observers=[Table()])
    with (tmp_path / "copy.csv").open(newline="") as file:
        table = [(int(step), float(value)) for step, value in csv.reader(file)]
    assert table == [(row["step"], row[GAN]) for row in RunFolder(run).rows()]
    assert len(table) == 6


# -- trackers -------------------------------------------------------------------------------


def trained(run: Path) -> Rows:
    return [row for row in RunFolder(run).rows() if not is_score(row)]


def measured(run: Path) -> Rows:
    return [row for row in RunFolder(run).rows() if is_score(row)]


class Csv(GeneralTracker):  # type: ignore[misc]
    """A tracker as Accelerate has them, of W&B's manners; it may fail in one of its methods."""

    requires_logging_directory = False
    failing = ""

    def __init__(self, run_name: str):
        super().__init__()
        self.path = Path(f"{run_name}-{self.name}.csv")

    @property
    def tracker(self) -> Path:
        return self.path

    def write(self, method: str, *row: object) -> None:
        if method == self.failing:
            raise OSError(28, "No space left on device")
        with self.path.open("a", newline="") as file:
            csv.writer(file).writerow([method, *row])

    def start(self) -> None:
        self.write("start")

    def store_init_configuration(self, values: dict[str, Any]) -> None:
        self.write("config", json.dumps(values))

    def log(self, values: dict[str, Any], step: int | None = None, **_: Any) -> None:
        self.write("log", step, json.dumps(values))

    def finish(self) -> None:
        self.write("finish")


@pytest.fixture
def tracker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """``tracker(name, failing="")``: the name, which Accelerate knows, stands for ``Csv``."""
    installed: list[SimpleNamespace] = []
    monkeypatch.setattr("ganzoo.training.observers.get_available_trackers", lambda: installed)
    monkeypatch.chdir(tmp_path)

    def made(name: str, failing: str = "") -> None:
        kind = type("Csv", (Csv,), {"name": name, "failing": failing})
        monkeypatch.setitem(LOGGER_TYPE_TO_CLASS, name, kind)
        installed.append(SimpleNamespace(value=name))

    return made


Tracker = Callable[..., None]


def table(name: str) -> list[list[str]]:
    with Path(f"ganzoo-{name}.csv").open(newline="") as file:
        return list(csv.reader(file))


def test_a_tracker_gets_the_recipe_every_number_and_every_score(
    train: Train, tracker: Tracker, busy: dict[str, Any], tmp_path: Path
) -> None:
    tracker("trackio")
    run = train(**busy | {"log": {"every": 2, "trackers": ["trackio", "trackio"]}})
    (started,), (_, config), *logs, (finished,) = table("trackio")
    assert (started, finished) == ("start", "finish")

    settings = json.loads(config)
    assert settings["recipe"] == "toy"
    assert settings["stages.0.steps"] == 9
    assert settings["stages.0.discriminator.1.use"] == "gradient-penalty"
    assert settings["optimizer.betas.1"] == 0.99
    assert settings["evaluate.benchmark"] == "toys.yaml"
    assert str(tmp_path) not in config  # a service that others read needs none of its paths

    told = [(int(step), json.loads(values)) for _, step, values in logs]
    assert [one for one in told if not is_score(one[1])] == [
        (row["step"], {k: v for k, v in row.items() if k not in ("step", "stage")})
        for row in trained(run)
    ]
    assert [one for one in told if is_score(one[1])] == [
        (row["step"], {k: v for k, v in row.items() if is_score({k: v})}) for row in measured(run)
    ]
    assert len(measured(run)) == 3


def test_a_tracker_that_raises_is_reported_once_and_switched_off(
    train: Train, tracker: Tracker, capsys: pytest.CaptureFixture[str]
) -> None:
    failing = {"aim": "start", "mlflow": "config", "clearml": "log", "swanlab": "finish"}
    for name, method in {**failing, "trackio": ""}.items():
        tracker(name, method)
    run = train(log={"every": 2, "trackers": [*failing, "trackio"]})
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 4
    for name, event in zip(
        failing, ("run_started",) * 2 + ("step_ended", "run_ended"), strict=True
    ):
        (line,) = [
            line for line in lines if line.startswith(f"tracker '{name}' failed in {event} ")
        ]
        assert "OSError: [Errno 28]" in line
        assert "metrics.jsonl" in line
        assert "GANZOO_STRICT_PLUGINS=1" in line
    assert not Path("ganzoo-aim.csv").exists()
    assert [row[0] for row in table("clearml")] == ["start", "config"]
    assert [row[0] for row in table("trackio")] == ["start", "config", *["log"] * 6, "finish"]
    alone = train("alone")
    weights = Path("model") / "model.safetensors"
    assert (run / weights).read_bytes() == (alone / weights).read_bytes()


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("tensorboard", "is not installed: pip install 'ganzoo[tensorboard]'"),
        ("wandb", "is not installed: pip install wandb"),
        ("wandbb", "is not installed, did you mean 'wandb'? Accelerate has: aim, clearml"),
    ],
)
def test_a_tracker_that_is_not_installed_is_refused_before_anything_is_written(
    train: Train, tracker: Tracker, tmp_path: Path, name: str, remedy: str
) -> None:
    with pytest.raises(RecipeError) as refused:
        train(log={"trackers": [name]})
    assert f"log.trackers: '{name}' {remedy}" in str(refused.value)
    assert not (tmp_path / "run").exists()


@pytest.fixture
def board() -> Callable[[Path], Any]:
    """``board(run)``: what TensorBoard reads of a run."""
    events = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="needs tensorboard"
    )

    def read(run: Path) -> Any:
        (folder,) = {file.parent for file in run.rglob("events.out.tfevents.*")}
        assert folder == run / "tensorboard"
        return events.EventAccumulator(str(folder), {"scalars": 0, "images": 0}).Reload()

    return read


def test_tensorboard_reads_what_metrics_say_after_a_resume_too(
    train: Train, board: Callable[[Path], Any], busy: dict[str, Any]
) -> None:
    run = train(**busy | {"log": {"every": 2, "trackers": ["tensorboard"]}})
    whole = toy.contents(run)["metrics.jsonl"]
    shutil.rmtree(run / "checkpoints" / "step-00000009")  # as if killed before it was written
    resume(run, (), toy.plugins())
    assert toy.contents(run)["metrics.jsonl"] == whole

    read = board(run)
    tags = set().union(*RunFolder(run).rows()) - {"step", "stage", "protocol"}
    assert set(read.Tags()["scalars"]) == tags
    for tag in tags - {"seconds"}:
        told = [(event.step, event.value) for event in read.Scalars(tag)]
        rows = [(row["step"], float(np.float32(row[tag]))) for row in whole if tag in row]
        assert told == rows, tag
    assert [image.step for image in read.Images("samples")] == [0, 4, 8, 9]
    *_, recipe = read.Tensors("recipe/text_summary")
    assert "    - use: gradient-penalty" in recipe.tensor_proto.string_val[0].decode()


def test_tensorboard_that_cannot_write_does_not_stop_a_run(
    train: Train, board: object, capsys: pytest.CaptureFixture[str]
) -> None:
    run = train(log={"every": 2, "trackers": ["tensorboard"]})
    shutil.rmtree(run / "checkpoints" / "step-00000009")
    shutil.rmtree(run / "tensorboard")
    (run / "tensorboard").write_text("in the way")
    resume(run, (), toy.plugins())
    assert json.loads((run / "manifest.json").read_text())["status"] == "finished"
    assert capsys.readouterr().err.count("tracker 'tensorboard' failed in run_started") == 1


def test_weights_and_biases_gets_them_all_without_a_network(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wandb = pytest.importorskip("wandb", reason="needs wandb")
    for name, value in {"MODE": "offline", "SILENT": "true", "CONSOLE": "off"}.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    for name in ("CONFIG_DIR", "CACHE_DIR", "DATA_DIR"):
        monkeypatch.setenv(f"WANDB_{name}", str(tmp_path / "wandb-home"))
    monkeypatch.chdir(tmp_path)
    run = train(log={"every": 2, "trackers": ["wandb"]})
    wandb.teardown()  # its process writes the last of the file
    (kept,) = (run / "wandb").glob("offline-run-*")
    (file,) = kept.glob("run-*.wandb")
    for word in (GAN, "stages.0.steps", "ganzoo", run.name):
        assert word.encode() in file.read_bytes(), word
    assert len(list(kept.rglob("samples_*.png"))) == 4
    assert not (tmp_path / "wandb").exists()


# -- the console ----------------------------------------------------------------------------


def test_a_closed_pipe_stops_neither_the_run_nor_the_words_after_it(
    train: Train,
    unread: TextIO,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    console = Console()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", unread)
        run = train(observers=[console])
        print("report: ...", flush=True)  # as the command line does; nor does it fail at exit
    assert RunFolder(run).rows()[-1]["step"] == 9
    said = capsys.readouterr().err
    assert said.count("(plugin 'observer-0') failed in run_started ") == 1
    assert "BrokenPipeError" in said
    train("again", observers=[console])
    assert "toy: 9 steps in" in capsys.readouterr().out
