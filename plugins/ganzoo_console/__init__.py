"""Progress on the terminal: a live line where there is one, else a line per log interval."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganzoo import hookimpl
from ganzoo.text import plain

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Console:
    """An observer of training, with the state of one progress display."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._said: set[tuple[str, str]] = set()
        self._began = (0, 0, 0.0)

    @hookimpl
    def run_started(self, run: Any) -> None:
        """Say what is trained, and begin the display."""
        self._said.clear()
        self._began = (run.step, run.images, time.monotonic())
        going = f"going on at step {run.step}" if run.step else "new run"
        stages = ", ".join(f"{stage.name} {stage.steps}" for stage in run.recipe.stages)
        device = run.accelerator.device
        self._print(
            f"{run.recipe.name}: {going}, {len(run.dataset)} images, {run.steps} steps ({stages}), "
            f"batch {run.recipe.batch}, {run.precision} on {device} -> {run.path}"
        )
        if sys.stdout.isatty():
            self._open(run)

    def _open(self, run: Any) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        self._progress = Progress(
            BarColumn(20),
            MofNCompleteColumn(),
            TextColumn("{task.description}", markup=False),
            redirect_stderr=sys.stderr.isatty(),
        )
        self._task = self._progress.add_task("", total=run.steps, completed=run.step)
        self._progress.start()

    @hookimpl
    def step_ended(self, run: Any, step: int, logs: Mapping[str, Any]) -> None:
        """Show rate, time left and every term; print new findings once."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=step)
        if not logs:
            return
        text = f"{self._pace(run, step)}  {_terms(logs)}"
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, description=plain(text))
        else:
            self._print(f"step {step}/{run.steps}  {text}")
        for finding in run.findings:
            if (key := (finding.name, finding.subject)) not in self._said:
                self._said.add(key)
                self._print(f"finding: {finding}")

    def _pace(self, run: Any, step: int) -> str:
        step_then, images_then, then = self._began
        seconds = max(time.monotonic() - then, 1e-9)
        left = int((run.steps - step) * seconds / (step - step_then))
        rate = (run.images - images_then) / seconds
        return f"{rate:.0f} img/s, {left // 60}:{left % 60:02d} left"

    def _print(self, line: str) -> None:
        text = plain(line)
        try:
            if self._progress is not None:
                self._progress.console.print(text, markup=False, highlight=False)
            else:
                print(text, flush=True)  # noqa: T201
        except (OSError, SystemExit):  # nobody reads any more; rich exits then
            self._close()
            with suppress(OSError, ValueError), Path(os.devnull).open("w") as nowhere:
                os.dup2(nowhere.fileno(), sys.stdout.fileno())  # or it fails again at exit
            raise

    def _close(self) -> None:
        if self._progress is not None:
            with suppress(OSError, SystemExit):
                self._progress.stop()
            self._progress = self._task = None

    @hookimpl
    def samples_drawn(self, path: Path) -> None:
        """Say where the newest pictures are."""
        if self._progress is not None:
            self._print(f"samples: {path}")

    @hookimpl
    def evaluated(self, run: Any, step: int, scores: Mapping[str, float]) -> None:
        """Say what a step scored, the score that ranks first."""
        primary = run.scoring.primary
        shown = sorted(scores.items(), key=lambda score: score[0] != primary)
        text = "  ".join(f"{name} {value:.4g}" for name, value in shown)
        self._print(
            f"scores at step {step}: {text}{'  (the best yet)' * (run.scoring.best == step)}"
        )

    @hookimpl
    def run_ended(self, run: Any, error: BaseException | None) -> None:
        """Close the display."""
        self._close()
        if error is None:
            minutes, seconds = divmod(round(run.seconds), 60)
            self._print(
                f"{run.recipe.name}: {run.step} steps in {minutes}:{seconds:02d} -> {run.path}"
            )


def _terms(logs: Mapping[str, Any]) -> str:
    """Every term's value, and of the generator's their shares of the gradient at the fake."""
    shown = []
    for key, value in logs.items():
        player, _, term = key.partition("/")
        if player in ("discriminator", "generator"):
            text = f"{player[0].upper()}:{term} {value:.3g}"
            share = logs.get(f"share/{term}", 1) if player == "generator" else 1
            shown.append(text if share == 1 else f"{text} ({share:.0%})")
    return "  ".join(shown)


console = Console()
