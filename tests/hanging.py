"""Train the toy recipe into ``FOLDER/run``; its first step does not come back from C.

``python hanging.py FOLDER`` says ``hanging`` when it is there.
"""

from __future__ import annotations

import ctypes
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import toy
import yaml

from ganzoo import hookimpl, startup
from ganzoo.errors import Interrupted
from ganzoo.interfaces import Loss
from ganzoo.plugins.registry import Origin
from ganzoo.recipe.recipe import load_recipe
from ganzoo.training import interrupts
from ganzoo.training.loop import start


class Hang(Loss):
    """Returns while the run is built, and not when it has begun."""

    begun = False

    def generator(self, fake: Any) -> Any:
        """The mean of the fakes."""
        if Hang.begun:
            print("hanging", flush=True)
            # a signal goes to another thread, and does not end the sleep
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            ctypes.CDLL(None).sleep(600)
        return fake.mean()


class Plugin:
    @hookimpl
    def register_losses(self, register: Any) -> None:
        register("hang", Hang)

    @hookimpl
    def run_started(self) -> None:
        Hang.begun = True


def command() -> Callable[[], None]:
    root = Path(sys.argv[1])
    interrupts.GRACE = 0.01
    plugins = toy.plugins()
    assert plugins.add(Plugin, Origin("hang", "hang-dist", "1.0")).error is None
    stage = {"name": "only", "steps": 9, "generator": [{"use": "hang"}]}
    path = root / "hang.yaml"
    path.write_text(yaml.safe_dump({**toy.GAN, "stages": [stage]}), encoding="utf-8")
    recipe = load_recipe(path, (), plugins.registry)

    def train() -> None:
        try:
            start(recipe, root / "run", plugins)
        except Interrupted as stopped:
            sys.exit(str(stopped))

    return train


if __name__ == "__main__":
    startup.run(command)
