"""Show the progress of a training: two live lines on a terminal, else a line now and then.

Without a terminal a line is written at most every ``EVERY`` seconds, when values are logged, and at
least every ``SILENCE`` seconds, even in the middle of a slow step.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganzoo import hookimpl
from ganzoo.progress import duration
from ganzoo.text import plain, wrapped

if TYPE_CHECKING:
    from ganzoo.interfaces import ObservedRun
    from ganzoo_console.display import Display

#: least and most seconds between two lines
EVERY, SILENCE = 10.0, 15.0


class Console:
    """An observer of training, with the state of one progress display."""

    def __init__(self) -> None:
        self._display: Display | None = None
        self._notes: set[tuple[str, str]] = set()
        self._terms = ""
        self._lock = threading.Lock()
        self._spoke = 0.0  # when the last line was written
        self._end = threading.Event()

    @hookimpl
    def run_started(self, run: ObservedRun) -> None:
        """Say what is trained, and start the display."""
        from ganzoo_console.display import Display, Progress

        self._notes.clear()
        self._terms = ""
        self._end = threading.Event()
        for line in wrapped("", _headline(run)):
            self._print(line)
        if Display.is_possible():
            self._display = Display(
                lambda: Progress(run.step, run.steps, run.pace.rate(), _time_left(run)),
                lambda: self._terms,
            )
            self._display.open()
        else:
            arguments = (run, self._end)
            threading.Thread(target=self._keep_talking, args=arguments, daemon=True).start()

    @hookimpl
    def step_ended(self, run: ObservedRun, step: int, logs: Mapping[str, Any]) -> None:
        """Show every term; print new findings once."""
        if not logs:
            return
        self._terms = _terms(logs)
        is_end = step in (1, run.steps)
        if self._display is None and (is_end or time.monotonic() - self._spoke >= EVERY):
            self._print(_line(run, self._terms))
        for finding in run.findings:
            if (key := (finding.name, finding.subject)) not in self._notes:
                self._notes.add(key)
                self._print(f"finding: {finding}")

    def _keep_talking(self, run: ObservedRun, end: threading.Event) -> None:
        """Write a line after each long silence."""
        while not end.wait(max(self._spoke + SILENCE - time.monotonic(), 0.01)):
            if time.monotonic() - self._spoke >= SILENCE:
                with suppress(Exception):  # the main thread gets the error when it writes
                    self._print(_line(run, self._terms))

    def _print(self, line: str) -> None:
        text = plain(line)
        try:
            with self._lock:
                self._spoke = time.monotonic()
                if self._display is not None:
                    self._display.print(text)
                else:
                    print(text, flush=True)  # noqa: T201
        except (OSError, SystemExit):  # the reader has gone; rich exits then
            self._close()
            with suppress(OSError, ValueError), Path(os.devnull).open("w") as nowhere:
                os.dup2(nowhere.fileno(), sys.stdout.fileno())  # otherwise it fails again at exit
            raise

    def _close(self) -> None:
        self._end.set()
        display, self._display = self._display, None
        if display is not None:
            with suppress(OSError, SystemExit):
                display.close()

    @hookimpl
    def samples_drawn(self, path: Path) -> None:
        """Say where the newest pictures are."""
        if self._display is not None:
            self._print(f"samples: {path}")

    @hookimpl
    def evaluated(self, run: ObservedRun, step: int, scores: Mapping[str, float]) -> None:
        """Report a step's scores, the ranking one first."""
        scoring = run.scoring
        assert scoring is not None
        ranking_first = sorted(scores.items(), key=lambda score: score[0] != scoring.primary)
        text = "  ".join(f"{name} {value:.4g}" for name, value in ranking_first)
        self._print(f"scores at step {step}: {text}{'  (the best yet)' * (scoring.best == step)}")

    @hookimpl
    def run_ended(self, run: ObservedRun, error: BaseException | None) -> None:
        self._close()
        if error is None:
            self._print(
                f"{run.recipe.name}: {run.step} steps in {duration(run.seconds)} -> {run.path}"
            )


def _headline(run: ObservedRun) -> str:
    """Say what is trained, on what, and how."""
    begins = f"resumed at step {run.step}" if run.step else "new run"
    stages = ", ".join(f"{stage.name} {stage.steps}" for stage in run.recipe.stages)
    steps = f"{run.steps} steps" + (f" ({stages})" if len(run.recipe.stages) > 1 else "")
    return (
        f"{run.recipe.name}: {begins}, {len(run.dataset)} images, {steps}, batch "
        f"{run.recipe.batch}, {run.precision} on {run.device} -> {run.path}"
    )


def _time_left(run: ObservedRun) -> str:
    """Say how long the run still takes; before that is known, how long the first step took."""
    if run.doing:
        return f"{run.doing} ..."
    seconds = run.pace.left(run.steps - run.step)
    if seconds is None:
        return f"in its first step for {duration(round(run.pace.elapsed or 0.0))}"
    return f"{duration(round(seconds))} left"


def _line(run: ObservedRun, terms: str) -> str:
    """Write a log line with the run's progress."""
    seconds = run.pace.elapsed or 0.0
    parts = [f"step {run.step}/{run.steps}", run.pace.rate(), _time_left(run)]
    if seconds >= EVERY and run.pace.step is not None:
        parts.append(f"in step {run.step + 1} for {duration(round(seconds))}")
    return "  ".join(filter(None, [*parts, terms]))


def _terms(logs: Mapping[str, Any]) -> str:
    """Format every term's value, and the generator's shares of the gradient at the fake."""
    texts = []
    for key, value in logs.items():
        player, _, term = key.partition("/")
        if player in ("discriminator", "generator"):
            text = f"{player[0].upper()}:{term} {value:.3g}"
            share = logs.get(f"share/{term}", 1) if player == "generator" else 1
            texts.append(text if share == 1 else f"{text} ({share:.0%})")
    return "  ".join(texts)


console = Console()
