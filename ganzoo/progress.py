"""How far a long job is: a bar on a terminal, a line now and then anywhere else."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ganzoo.text import cell, plain, say

if TYPE_CHECKING:
    from rich.text import Text  # noqa: TID251

LINE_EVERY = 10.0  # seconds, where there is no terminal
WORTH_A_LINE = 2.0  # seconds; of a shorter job nothing is said


@contextmanager
def progress(what: str, total: int, unit: str = "images") -> Iterator[Callable[[int], None]]:
    """Show ``what`` on stderr while the block runs; call the result with each number done."""
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
        TimeRemainingColumn,
    )

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return cell(f"{_rate(task.speed)} {unit}/s" if task.speed else "", style="cyan")

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(plain(what), total=total)
        yield lambda n: bar.advance(task, n)


def _lines(what: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
    start = last = time.monotonic()
    done = 0

    def advance(n: int) -> None:
        nonlocal done, last
        done += n
        now = time.monotonic()
        if now - last >= LINE_EVERY or (done == total and now - start >= WORTH_A_LINE):
            last = now
            rate = done / max(now - start, 1e-9)
            left = (total - done) / max(rate, 1e-9)
            text = f"{what}: {done:,} of {total:,} {unit}, {_rate(rate)}/s"
            say(text + (f", {left:,.0f} s left" if left >= 1 else ""), err=True)

    yield advance


def _rate(speed: float) -> str:
    return f"{speed:,.0f}" if speed >= 10 else f"{speed:.2g}"
