"""The checks of each job; see ``check.py``.  A check returns what to report, or raises."""

from __future__ import annotations

import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import loop
import numpy as np
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import avg_pool2d

from ganzoo import hookimpl
from ganzoo.errors import TrainingStopped
from ganzoo.interfaces import Extractor
from ganzoo.plugins.manager import Plugins
from ganzoo.plugins.registry import Origin
from ganzoo.recipe.recipe import load_recipe, shipped_recipes
from ganzoo.training.loop import resume, start
from ganzoo.training.run import Run
from ganzoo.training.run_folder import RunFolder

TINY = bool(os.environ.get("GANZOO_GPU_CHECK_TINY"))
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
WORK = Path(tempfile.mkdtemp(prefix="ganzoo-check-"))
NAMES = ["dcgan-avatars", "fastgan-avatars"] if TINY else sorted(shipped_recipes())
SMALL = {"size": 32, "count": 64, "channels": 8, "width": 8, "blocks": 1, "max_bad": 1.0}
Check = tuple[str, Callable[[], str]]


class Eye(Extractor):
    """Landmarks and a map of any image, without weights."""

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        shares = avg_pool2d(image, 4).mean(1).flatten(1).softmax(1)
        where = torch.linspace(-1, 1, 68 * 2 * shares.shape[1], device=image.device)
        points = torch.einsum("ns,ksd->nkd", shares, where.reshape(68, -1, 2).sin())
        sure = torch.ones(len(image), device=image.device)
        return {"map": avg_pool2d(image, 8), "points": points, "confidence": sure}


class Maps(Extractor):
    """A map of any image."""

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        return {"map": avg_pool2d(image, 8)}


class Substitutes:
    """Extractors in place of those whose weights are missing, and images in memory."""

    @hookimpl
    def register_extractors(self, register) -> None:
        register("eye", Eye)
        register("maps", Maps)

    @hookimpl
    def register_datasets(self, register) -> None:
        register("resident", loop.Resident)


class Interrupt:
    """An observer that ends a training like two Ctrl-C: at once, saving nothing."""

    def __init__(self, step: int):
        self.step = step

    @hookimpl
    def step_ended(self, step: int) -> None:
        if step == self.step:
            raise KeyboardInterrupt


def plugins(*observers: object) -> Plugins:
    made = loop.silent_plugins()
    made.add(Substitutes, Origin("substitutes", "checks", "1"))
    for observer in observers:
        made.manager.register(observer)
    return made


def pictures() -> Path:
    """Write two folders of smooth noise."""
    folder = WORK / "pictures"
    if not folder.exists():
        rng = np.random.default_rng(0)
        for name in ("photos", "drawings"):
            (folder / name).mkdir(parents=True)
            for i in range(64):
                pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
                image = Image.fromarray(pixels).resize((80, 80), Image.Resampling.BICUBIC)
                image.save(folder / name / f"{i}.png")
    return folder


def small(name: str, steps: int, **keys: object) -> Path:
    """Write a shipped recipe to a file, with small networks and few images."""
    recipe = load_recipe(name, registry=plugins().registry).resolved()
    for section in ("dataset", "generator", "discriminator"):
        part = recipe[section]
        part |= {key: value for key, value in SMALL.items() if key in part}
    for argument, folder in (("path", "photos"), ("photo", "photos"), ("real", "drawings")):
        if argument in recipe["dataset"]:
            recipe["dataset"][argument] = str(pictures() / folder)
    if recipe["dataset"]["use"] == "paired":
        recipe["dataset"]["target"] = str(pictures() / "drawings")
    for extractor in recipe["extractors"]:
        recipe["extractors"][extractor] = {"use": "eye" if extractor == "face" else "maps"}
    for stage in recipe["stages"]:
        stage["steps"] = steps
    recipe |= {"batch": 8, "log": {"every": 5}, "samples": {"every": 100, "count": 4}}
    recipe |= {"checkpoint": {"every": 5, "keep": 9}, "evaluate": None} | keys
    file = Path(tempfile.mkdtemp(dir=WORK)) / "recipe.yaml"
    file.write_text(yaml.safe_dump(recipe), encoding="utf-8")
    return file


def train(file: Path, *observers: object) -> Run:
    known = plugins(*observers)
    out = Path(tempfile.mkdtemp(dir=WORK)) / "run"
    return start(load_recipe(file, registry=known.registry), out, known)


def weights(run: Path) -> dict[str, Tensor]:
    last = sorted((run / "checkpoints").iterdir())[-1]
    return {
        f"{file.stem}/{name}": value
        for file in sorted(last.glob("*.safetensors"))
        for name, value in load_file(file).items()
    }


def largest_difference(one: Path, other: Path) -> float:
    a, b = weights(one), weights(other)
    assert a.keys() == b.keys(), "other tensors"
    return max((a[name].double() - b[name].double()).abs().max().item() for name in a)


# -- recipes -----------------------------------------------------------------------------------


def trains(name: str, precision: str) -> str:
    run = train(small(name, 3, precision=precision))
    assert run.parts.accelerator.device.type == DEVICE, f"trained on {run.parts.accelerator.device}"
    rows = RunFolder(run.path).rows()
    assert run.step == run.steps, "it stopped early"
    assert all(np.isfinite(v) for row in rows for v in row.values() if isinstance(v, float))
    return str(run.precision) if precision == "auto" else ""


# -- exact -------------------------------------------------------------------------------------


def two_runs_are_equal(name: str, precision: str) -> str:
    """Compare two runs, and one that is interrupted and resumed."""
    size = {"size": 32 if TINY else 64}
    keys = {"precision": precision, "batch": 8 if TINY else 32}
    file = small(name, 12, **keys)
    recipe = yaml.safe_load(file.read_text())
    recipe["dataset"] |= size if "size" in recipe["dataset"] else {}
    for role in ("generator", "discriminator"):
        recipe[role] |= {k: 32 for k in ("width", "channels") if k in recipe[role]}
        recipe[role] |= size if "size" in recipe[role] else {}
    file.write_text(yaml.safe_dump(recipe), encoding="utf-8")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        one, other = train(file).path, train(file).path
        known = plugins(Interrupt(8))
        out = Path(tempfile.mkdtemp(dir=WORK)) / "run"
        try:
            start(load_recipe(file, registry=known.registry), out, known)
        except KeyboardInterrupt:
            pass
        else:
            raise AssertionError("it was not interrupted")
        assert len(RunFolder(out).rows()) > 0
        resume(out, (), plugins())
    named = {
        m[1] for w in caught if (m := re.match(r"(\S+) does not have a determ", f"{w.message}"))
    }
    again, resumed = largest_difference(one, other), largest_difference(one, out)
    detail = f"again {again:.3g}, resumed {resumed:.3g}"
    detail += f"; not deterministic: {', '.join(sorted(named))}" if named else ""
    assert again == resumed == 0, detail
    return detail


def non_finite_is_named() -> str:
    """Name the term and the step of a NaN, though the device is checked only now and then."""
    file = small("dcgan-avatars", 30, precision="fp32", log={"every": 25})
    recipe = yaml.safe_load(file.read_text())
    lr = {"lr": 1e30} | {k: v for k, v in recipe["optimizer"].items() if k != "lr"}
    file.write_text(yaml.safe_dump(recipe | {"optimizer": lr}), encoding="utf-8")
    said = ""
    try:
        train(file)
    except TrainingStopped as error:
        said = str(error)
    assert re.match("NON_FINITE at step .*'s term '", said), said or "it did not stop"
    return said.partition(". ")[0]


# -- commands ----------------------------------------------------------------------------------


def ganzoo(*arguments: object, seconds: float = 100) -> str:
    command = [sys.executable, "-m", "ganzoo", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-5:]
        raise AssertionError(f"{' '.join(command[2:5])}: exit {done.returncode}: {' '.join(last)}")
    return done.stdout


def killed_run_goes_on() -> str:
    """Compare a process that is killed and resumed with one that is not."""
    file = small("dcgan-avatars", 20 if TINY else 150, precision="fp32")
    known = plugins()
    whole = start(load_recipe(file, registry=known.registry), WORK / "whole", known)
    out = WORK / "killed"
    command = [sys.executable, "-m", "ganzoo", "train", str(file), "--out", str(out)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        limit = time.monotonic() + 90
        while not (out / "checkpoints" / "step-00000010").exists() and time.monotonic() < limit:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    at = sorted(path.name for path in (out / "checkpoints").glob("step-*"))[-1]
    ganzoo("resume", out)
    difference = largest_difference(whole.path, out)
    assert difference == 0, f"killed at {at}, differs by {difference:.3g}"
    return f"killed at {at}; equal to the bit"


def samples() -> str:
    ganzoo("sample", "ganzoo/avatars-64", "-n", 16, "--out", WORK / "grid.png")
    with Image.open(WORK / "grid.png") as grid:
        return f"{grid.size}"


def translates() -> str:
    """Translate a photo of one tile, one of many, and with a model trained here."""
    run = train(small("cartoon-avatars", 2))
    for name, size in (("one", (300, 200)), ("many", (900, 700))):
        Image.new("RGB", size, "orange").save(WORK / f"{name}.png")
    photos = [WORK / "one.png", WORK / "many.png"]
    for precision in ("fp32", "bf16"):
        out = WORK / f"translated-{precision}"
        ganzoo("translate", run.path, *photos, "--out", out, "--precision", precision)
        with Image.open(out / "many.png") as made:
            assert made.size == (900, 700)
    return ""


def evaluates() -> str:
    file = small("dcgan-avatars", 5)
    recipe = yaml.safe_load(file.read_text())
    run = train(file)
    count = 40 if TINY else 200
    sets = [f"dataset.count={3 * count}", f"reference={count}", f"fakes={count}"]
    changes = [word for value in sets for word in ("--set", value)]
    out = ganzoo(
        "evaluate", run.path, "-b", "avatars-32", *changes, "--out", WORK / "entries", "--json"
    )
    assert "kid" in out, out[:200]
    return f"{recipe['recipe']}, {count} fakes"


# -- processes ---------------------------------------------------------------------------------


def _last_words(stderr: str) -> str:
    """Return what a rank said before torchrun reported on it."""
    own = stderr.partition("torch/distributed/elastic")[0].strip().splitlines()
    return " | ".join(own[-8:])


def torchrun(file: Path, out: Path, ranks: int, **environment: str) -> None:
    port = 20000 + os.getpid() % 20000
    run = [sys.executable, "-m", "torch.distributed.run", f"--nproc_per_node={ranks}"]
    command = [*run, f"--master_port={port}", "-m", "ganzoo", "train", file, "--out", out]
    done = subprocess.run(
        list(map(str, command)),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env=dict(os.environ) | environment,
    )
    assert not done.returncode, _last_words(done.stderr)


def one_process_of_ddp() -> str:
    file = small("r3gan-lite" if not TINY else "dcgan-avatars", 6, precision="fp32")
    alone = train(file).path
    torchrun(file, WORK / "ddp", 1)
    difference = largest_difference(alone, WORK / "ddp")
    assert difference < 1e-3, f"differs by {difference:.3g} from a run without torchrun"
    return f"differs by {difference:.3g} from a run without torchrun"


def two_processes_on_the_cpu() -> str:
    """Train on two ranks of gloo, since one GPU takes no two ranks of NCCL."""
    file = small("dcgan-avatars", 6, precision="fp32")
    torchrun(file, WORK / "gloo", 2, CUDA_VISIBLE_DEVICES="", OMP_NUM_THREADS="1")
    return f"{RunFolder(WORK / 'gloo').rows()[-1]['step']} steps"


def launched_by_accelerate() -> str:
    """Check that the environment of ``accelerate launch`` does not change the training."""
    file = small("dcgan-avatars", 6, precision="fp32")
    alone = train(file).path
    out = WORK / "launched"
    before = dict(os.environ)
    try:
        os.environ |= {"ACCELERATE_GRADIENT_ACCUMULATION_STEPS": "4"}
        os.environ |= {"ACCELERATE_MIXED_PRECISION": "bf16", "ACCELERATE_DYNAMO_BACKEND": "EAGER"}
        known = plugins()
        start(load_recipe(file, registry=known.registry), out, known)
    finally:
        os.environ.clear()
        os.environ |= before
    difference = largest_difference(alone, out)
    assert difference == 0, f"differs by {difference:.3g}"
    return ""


# -- loop --------------------------------------------------------------------------------------


def no_waits() -> str:
    """Check that nothing waits for the device between two log lines."""
    if DEVICE == "cpu":
        return "a CPU is not waited for"

    class Watch:
        @hookimpl
        def step_ended(self, step: int) -> None:
            torch.cuda.set_sync_debug_mode("warn" if 10 <= step < 40 else "default")

    found = {}
    for name in NAMES:
        keys = {"log": {"every": 1000}, "checkpoint": {"every": 1000}, "precision": "fp32"}
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            train(small(name, 45, **keys), Watch())
        torch.cuda.set_sync_debug_mode("default")
        waits = [w for w in caught if "synchronizing CUDA" in str(w.message)]
        places = {f"{Path(w.filename).name}:{w.lineno}" for w in waits}
        if waits:
            found[name] = f"{len(waits)} in 30 steps at {sorted(places)}"
    assert not found, str(found)
    return "none in 30 steps of each recipe"


def choices() -> str:
    """Report what ``precision: auto`` chooses for DCGAN of 64 px and width 32, by batch."""
    lines = []
    for batch in (4, 8) if TINY else (8, 32, 256, 1024):
        values = {"size": 64, "batch": batch, "precision": "auto", "width": 32, "log": 50}
        known = plugins()
        text = loop.RECIPE.format(**values, steps=1, count=1024)
        file = Path(tempfile.mkdtemp(dir=WORK)) / "recipe.yaml"
        file.write_text(text, encoding="utf-8")
        recipe = load_recipe(file, registry=known.registry)
        began = time.monotonic()
        run = Run(recipe, RunFolder(WORK / f"choice-{batch}"), known)
        lines.append(f"batch {batch}: {run.precision}, {time.monotonic() - began:.1f} s to start")
    return "\n".join(lines)


def profile(batch: int) -> str:
    """Profile a step with torch, in OUT/profile-BATCH.txt."""
    from torch.profiler import ProfilerActivity

    kinds = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * (DEVICE == "cuda")
    seen = torch.profiler.profile(activities=kinds, with_stack=False)

    class Watch:
        @hookimpl
        def step_ended(self, step: int) -> None:
            if step == 10:
                seen.start()
            elif step == 30:
                seen.stop()

    values = {"size": 64, "batch": batch, "precision": "fp32", "width": 32, "log": 1000}
    known = plugins(Watch())
    file = Path(tempfile.mkdtemp(dir=WORK)) / "recipe.yaml"
    file.write_text(loop.RECIPE.format(**values, steps=32, count=2048), encoding="utf-8")
    start(load_recipe(file, registry=known.registry), WORK / f"profile-{batch}", known)
    averages = seen.key_averages()
    text = "\n\n".join(
        averages.table(sort_by=key, row_limit=25)
        for key in ("self_cpu_time_total", "self_device_time_total")[: len(kinds)]
    )
    (Path(sys.argv[1]) / f"profile-{batch}.txt").write_text(text, encoding="utf-8")
    return f"profile-{batch}.txt"


# -- speed -------------------------------------------------------------------------------------


def speed(batch: int, precision: str, deterministic: bool) -> str:
    """Return steps per second of ganzoo's loop and of a bare one, in turn."""
    os.environ["GANZOO_DETERMINISTIC"] = "1" if deterministic else "0"
    block, blocks = (1, 4) if TINY else (25, 8)
    how = {"size": 64, "batch": batch, "precision": precision, "width": 32, "device": DEVICE}
    rivals = {"bare": loop.Bare(count=2048, **how)}
    if not deterministic:
        layout = torch.channels_last
        rivals["bare channels_last"] = loop.Bare(count=2048, layout=layout, **how)
    values = {"size": 64, "batch": batch, "precision": precision, "width": 32, "log": 50}
    seconds = loop.measure(rivals, block * blocks, block, count=2048, **values)
    rates = {name: 1 / statistics.median(took[1:]) for name, took in seconds.items()}
    shown = ", ".join(f"{name} {rate:.1f}" for name, rate in rates.items())
    return f"{shown} steps/s; ganzoo / bare {rates['ganzoo'] / rates['bare']:.2f}"


def _speeds() -> list[Check]:
    batches: Sequence[int] = (4,) if TINY else (32, 256)
    return [
        (
            f"batch {batch} {precision}{' deterministic' if deterministic else ''}",
            partial(speed, batch, precision, deterministic),
        )
        for batch in batches
        for precision in ("fp32", "bf16")
        for deterministic in (False, True)
    ]


_FORMATS = ("fp32", "bf16", *(("fp16",) if DEVICE == "cuda" else ()), "auto")
_EXACT = ["dcgan-avatars"] if TINY else [name for name in NAMES if "author" not in name]
_ALSO_BF16 = ["dcgan-avatars"] if TINY else ["dcgan-avatars", "r3gan-lite", "cartoongan-portrait"]
JOBS: dict[str, list[Check]] = {
    "recipes": [
        (f"{name} {precision}", partial(trains, name, precision))
        for precision in _FORMATS
        for name in NAMES
    ],
    "exact": [
        ("a NaN is named", non_finite_is_named),
        *(
            (f"{name} {precision}", partial(two_runs_are_equal, name, precision))
            for precision, names in {"fp32": _EXACT, "bf16": _ALSO_BF16}.items()
            for name in names
        ),
    ],
    "commands": [
        ("sample", samples),
        ("kill and resume", killed_run_goes_on),
        ("translate", translates),
        ("evaluate", evaluates),
    ],
    "processes": [
        ("torchrun, one process", one_process_of_ddp),
        ("torchrun, two processes on the CPU", two_processes_on_the_cpu),
        ("accelerate's environment", launched_by_accelerate),
    ],
    "loop": [
        ("no waits", no_waits),
        ("auto", choices),
        ("profile, batch 32", partial(profile, 4 if TINY else 32)),
        ("profile, batch 256", partial(profile, 8 if TINY else 256)),
    ],
    "speed": _speeds(),
}
