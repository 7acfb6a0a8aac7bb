"""Train on two processes: ``python ranks.py FOLDER PORT JOB...``; see ``test_train.py``.

A JOB is the name of a run; ``NAME:STEP`` sends SIGTERM to the second process after that step.
Each process writes its networks to ``JOB-RANK.pt``, or why it stopped to ``JOB-RANK.txt``.
"""

from __future__ import annotations

import os
import signal
import sys
from functools import partial
from pathlib import Path
from typing import Any

import test_train
import torch
import toy
from accelerate.state import AcceleratorState
from killing import forked

from ganzoo.errors import TrainingStopped
from ganzoo.run import Run
from ganzoo.train import resume, start


def work(root: Path, job: str, rank: int, port: str, begun: bool) -> None:
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    name, _, stop = job.partition(":")
    keys: dict[str, Any] = test_train.PLAIN if name == "plain" else test_train.TWO
    if name == "poisoned":
        poison = {"use": "poison", "at": 2 if rank else 99}
        keys = {**keys, "stages": [test_train.stage(generator=[poison])]}
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
        assert run.ema
        state = {name: net.bare.state_dict() for name, net in run.networks.items()}
        torch.save({**state, "ema": run.ema.network.state_dict()}, root / f"{job}-{rank}.pt")


def _signal_after(step: int) -> None:
    """Observers live on the first process, so this one is caught where it looks for signals."""
    obey = Run.obey_signal

    def obey_signal(run: Run) -> None:
        if run.step == step:
            os.kill(os.getpid(), signal.SIGTERM)
        obey(run)

    Run.obey_signal = obey_signal  # type: ignore[method-assign]


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
