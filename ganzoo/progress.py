"""Show how far a long job is and how long it will take."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from ganzoo.text import cell, plain, say

if TYPE_CHECKING:
    from rich.text import Text  # noqa: TID251

LINE_EVERY = 10.0  # seconds between lines without a terminal
WORTH_A_LINE = 2.0  # seconds; shorter jobs are silent

#: early steps whose time is not typical: memory is allocated, values are logged
WARM_UP = 3
#: span of the moving average of steps: seconds, or steps if these take longer
SECONDS, STEPS = 30.0, 10


def duration(seconds: float) -> str:
    """Write ``0.35 s``, ``42 s``, ``4 min 10 s``, ``1 h 20 min``, ``62 h``; empty for no time."""
    if not 0 <= seconds < 1e9:
        return ""
    if seconds < 9.95:
        return f"{seconds if seconds >= 0.001 else 0:.2g} s"
    if round(seconds) < 60:
        return f"{seconds:.0f} s"
    if round(seconds) < 3600:
        (much, more), unit, small = divmod(round(seconds), 60), "min", "s"
    else:
        (much, more), unit, small = divmod(round(seconds / 60), 60), "h", "min"
    if unit == "h" and much >= 10:
        return f"{seconds / 3600:.0f} h"
    return f"{much} {unit} {more} {small}" if more else f"{much} {unit}"


class Pace:
    """How long a step takes: a moving average of recent steps, without the first ones.

    Work between steps, such as saving, is spread over all steps.  ``clock`` gives seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._began: float | None = None
        self._last_end: float | None = None
        self._count = 0
        self._time = self._weight = self._between = 0.0

    def begin_step(self) -> None:
        """Note that a step begins."""
        self._began = self._clock()
        if self._last_end is not None:
            self._between += self._began - self._last_end

    def end_step(self) -> None:
        """Note that it ends."""
        self._last_end = self._clock()
        took = self._last_end - (self._last_end if self._began is None else self._began)
        self._began = None
        self._count += 1
        decay = 0.0
        if self._count > WARM_UP + 1:
            steps = (STEPS - 1) / max(self._weight, STEPS)
            decay = max(math.exp(-took / SECONDS), steps)
        self._time = decay * self._time + took
        self._weight = decay * self._weight + 1

    @property
    def step(self) -> float | None:
        """Seconds per step; None before the first has ended."""
        return self._time / self._weight if self._weight else None

    @property
    def elapsed(self) -> float | None:
        """Seconds since the step in progress began; None between steps."""
        began = self._began
        return None if began is None else self._clock() - began

    def left(self, steps: int) -> float | None:
        """Seconds for the next ``steps`` steps, one of which may have begun."""
        if self.step is None:
            return None
        each = self.step + self._between / self._count
        return max(steps * each - min(self.elapsed or 0.0, each), 0.0)

    def rate(self) -> str:
        """``9.8 steps/s`` or ``75 s/step``; empty before the first step has ended."""
        step = self.step
        if not step:
            return ""
        return f"{step:.3g} s/step" if step >= 1 else f"{1 / step:.3g} steps/s"


@contextmanager
def status(text: str) -> Iterator[None]:
    """Show ``text`` on a terminal's stderr while the block runs, and clear it afterwards.

    Anything printed meanwhile, such as a bar, overwrites it.
    """

    def show(line: str) -> None:
        with suppress(OSError, ValueError):
            if sys.stderr.isatty():
                sys.stderr.write(f"{line}\r")
                sys.stderr.flush()

    show(text)
    try:
        yield
    finally:
        show(" " * len(text))


@contextmanager
def progress(what: str, total: int, unit: str = "images") -> Iterator[Callable[[int], None]]:
    """Show ``what`` on stderr while the block runs; call the result with each number of items."""
    if sys.stderr.isatty():
        yield from _bar(what, total, unit)
    else:
        yield from _lines(what, total, unit)


def _bar(what: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
    )

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return cell(f"{_rate(task.speed)} {unit}/s" if task.speed else "", style="cyan")

    class Left(ProgressColumn):
        max_refresh = 0.5

        def render(self, task: Task) -> Text:
            seconds = task.time_remaining
            return cell("" if seconds is None else f"{duration(seconds)} left")

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        Left(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(plain(what), total=total)
        yield lambda n: bar.advance(task, n)


def _lines(what: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
    start = last = time.monotonic()
    count = 0

    def advance(n: int) -> None:
        nonlocal count, last
        count += n
        now = time.monotonic()
        if now - last >= LINE_EVERY or (count == total and now - start >= WORTH_A_LINE):
            last = now
            rate = count / max(now - start, 1e-9)
            seconds = (total - count) / max(rate, 1e-9)
            text = f"{what}: {count:,} of {total:,} {unit}, {_rate(rate)}/s"
            say(text + (f", {duration(seconds)} left" if seconds >= 1 else ""), err=True)

    yield advance


def _rate(speed: float) -> str:
    return f"{speed:,.0f}" if speed >= 10 else f"{speed:.2g}"
