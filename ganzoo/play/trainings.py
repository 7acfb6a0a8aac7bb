"""Start a training that goes on when the page is closed, and stop one that was started here."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ganzoo.errors import RunError
from ganzoo.text import plain
from ganzoo.training.run_folder import free_folder

#: trainings at once: more only slow each other down
AT_ONCE = 2
#: last letters of a log that are shown
_SHOWN = 2000


@dataclass
class Training:
    """A training's process, its run folder, and the file that holds what it says."""

    process: subprocess.Popen[bytes]
    run: Path
    log: Path

    @property
    def is_over(self) -> bool:
        return self.process.poll() is not None

    @property
    def has_begun(self) -> bool:
        """Whether the run folder is there, to be watched."""
        return (self.run / "manifest.json").is_file()

    @property
    def said(self) -> str:
        """The end of what it said."""
        try:
            text = self.log.read_text(encoding="utf-8", errors="replace")[-_SHOWN:]
        except OSError as error:
            return str(error)
        return " ".join(plain(line) for line in text.splitlines()[-6:])


class Trainings:
    """The trainings that this page started, in ``root``."""

    def __init__(self, root: Path):
        self._root = root
        self._started: list[Training] = []
        self._lock = threading.Lock()

    def start(self, recipe: str, overrides: Sequence[str]) -> Training:
        """Start a training in a new folder of ``runs``; raises RunError if there are too many."""
        with self._lock:
            running = [one for one in self._started if not one.is_over]
            if len(running) >= AT_ONCE:
                names = " and ".join(str(one.run) for one in running)
                raise RunError(f"{names} are training. Stop one, or wait: more are no faster.")
            taken = {one.run for one in running}
            run = free_folder(recipe.replace("/", "-"), self._root / "runs")
            while run in taken:  # it has not made its folder yet
                run = run.with_name(f"{run.name}-again")
            log = run.with_name(f"{run.name}.log")
            log.parent.mkdir(parents=True, exist_ok=True)
            command = [
                sys.executable,
                "-P",
                "-m",
                "ganzoo",
                *arguments(recipe, overrides),
                "--out",
                str(run),
            ]
            environment = {k: v for k, v in os.environ.items() if not k.startswith("GRADIO_")}
            with log.open("wb") as file:
                process = subprocess.Popen(
                    command,
                    cwd=self._root,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            self._started.append(Training(process, run, log))
            return self._started[-1]

    def stop(self, run: str) -> Training:
        """Stop a training that was started here, which saves it; raises RunError otherwise."""
        for one in self._started:
            if str(one.run) == run and not one.is_over:
                with suppress(ProcessLookupError):
                    one.process.send_signal(signal.SIGTERM)
                return one
        raise RunError(f"{run} is no training that this page started and that still runs.")


def arguments(recipe: str, overrides: Sequence[str]) -> list[str]:
    """Return the command's words after ``ganzoo``."""
    return ["train", recipe, *(word for text in overrides for word in ("--set", text))]


def line(recipe: str, overrides: Sequence[str]) -> str:
    """Write the command that trains a recipe."""
    return shlex.join(["ganzoo", *arguments(recipe, overrides)])
