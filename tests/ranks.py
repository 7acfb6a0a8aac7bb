"""Train or measure on two processes: ``python ranks.py FOLDER PORT JOB...``.

A JOB is the name of a run; ``NAME:STEP`` sends SIGTERM to the second process after that step.
Each process writes its networks to ``JOB-RANK.pt``, or why it stopped to ``JOB-RANK.txt``; see
``short_runs.py``.  The jobs ``entry`` and ``ill`` are for ``evaluation/test_measure.py``.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from functools import partial
from pathlib import Path
from typing import Any

import short_runs
import torch
import toy
from accelerate.state import AcceleratorState, PartialState
from killing import forked
from torch import Tensor

from ganzoo.errors import RunError, TrainingStopped
from ganzoo.evaluation import image_store
from ganzoo.evaluation.image_sources import Generated
from ganzoo.evaluation.result import Candidate
from ganzoo.evaluation.submission import submit
from ganzoo.models.randomness import derive
from ganzoo.training import loop
from ganzoo.training.loop import resume, start
from ganzoo.training.run import Run


def work(root: Path, job: str, rank: int, port: str, begun: bool) -> None:
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    if job in ("entry", "ill"):
        return measure(root, job, rank)
    name, _, stop = job.partition(":")
    others = {"plain": short_runs.PLAIN, "headed": short_runs.HEADED}
    others |= {role: {**keys, "batch": 8} for role, keys in short_runs.ROLES.items()}
    keys: dict[str, Any] = others.get(name, short_runs.TWO)
    if name == "measured":
        os.environ["GANZOO_CACHE"] = str(root / "cache")
        benchmark = toy.benchmark(root / f"recipes-{rank}")
        keys = {**keys, "evaluate": {"every": 3, "benchmark": str(benchmark)}}
    if name == "poisoned":
        poison = {"use": "poison", "at": 2 if rank else 99}
        keys = {**keys, "stages": [short_runs.stage(generator=[poison])]}
    recipe = toy.recipe(root / f"recipes-{rank}", **keys)
    plugins = toy.plugins()
    if stop and rank:
        _signal_after(int(stop))
    out = root / name
    try:
        run = resume(out, (), plugins) if begun else start(recipe, out, plugins)
    except TrainingStopped as stopped:
        (root / f"{job}-{rank}.txt").write_text(str(stopped))
    else:
        state = {name: net.bare.state_dict() for name, net in run.parts.networks.items()}
        for role, average in run.parts.averages.items():
            state["ema" if role == "generator" else f"ema-{role}"] = average.network.state_dict()
        torch.save(state, root / f"{job}-{rank}.pt")


def measure(root: Path, job: str, rank: int) -> None:
    """Write an entry, and what this process knows of it; or why there is none."""
    PartialState(cpu=True)
    image_store.CHUNK = 7
    os.environ["GANZOO_CACHE"] = str(root / f"cache-{job}")
    protocol = toy.protocol(root / f"benchmark-{rank}", fakes=40)
    torch.manual_seed(0)
    net = Ill() if job == "ill" else toy.ToyGenerator()
    subject = Candidate(name="toy", kind="model")
    try:
        made = submit(protocol, Generated(net.eval(), protocol), subject, root / job)[1]
    except RunError as error:
        (root / f"{job}-{rank}.txt").write_text(str(error))
    else:
        found = {name: [s.value, s.low, s.high] for name, s in made.scores.items()}
        (root / f"{job}-{rank}.json").write_text(json.dumps(found))


class Ill(toy.ToyGenerator):
    """Its tenth image is NaN."""

    def sample_latent(self, n: int, rng: torch.Generator) -> Tensor:
        is_tenth = rng.initial_seed() == derive(derive(0, "evaluation"), "latent", 9)
        return super().sample_latent(n, rng) + (float("nan") if is_tenth else 0)


def _signal_after(step: int) -> None:
    """Observers live on the first process, so this one is caught where it looks for signals."""
    obey = loop.obey_signal

    def obey_signal(run: Run) -> None:
        if run.step == step:
            os.kill(os.getpid(), signal.SIGTERM)
        obey(run)

    loop.obey_signal = obey_signal


def main(root: Path, port: str, *jobs: str) -> None:
    torch.set_num_threads(1)
    start(toy.recipe(root / "recipes-0"), root / "warm-up", toy.plugins())  # what is imported late
    AcceleratorState._reset_state(True)
    for job in jobs:
        begun = (root / job).exists()
        second = os.fork()
        if second == 0:
            os._exit(forked(partial(work, root, job, 1, port, begun)))
        first = forked(partial(work, root, job, 0, port, begun))
        if first or os.waitstatus_to_exitcode(os.waitpid(second, 0)[1]):
            sys.exit(f"{job} failed")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
