"""Draw the live lines of a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleRenderable, Group, RenderHook
from rich.control import Control
from rich.live import Live
from rich.segment import ControlType

from ganzoo.text import cell

if TYPE_CHECKING:
    from rich.text import Text  # noqa: TID251

#: redraws per second, also during a slow step; each costs about 1 ms
PER_SECOND = 2
_BAR, _SHORTEST_BAR = 40, 5


@dataclass(frozen=True)
class Progress:
    """The first line's content: steps done and in all, speed, and time left."""

    step: int
    steps: int
    rate: str
    left: str


def first_line(now: Progress, width: int, ascii_only: bool) -> Text:
    """Fit steps, bar, rate and time left into ``width`` columns, dropping what has no room."""
    count = f"{now.step}/{now.steps}"
    for tail in ([now.rate, now.left], [now.left], [now.rate], []):
        end = "".join(f"  {part}" for part in tail if part)
        room = width - len(count) - len(end)
        if room >= 0:
            break
    text = cell(no_wrap=True).append(count[:width], "bold")
    if room > _SHORTEST_BAR:
        length = min(room - 1, _BAR)
        full = length * now.step // max(now.steps, 1)
        marks = "#-" if ascii_only else "━─"
        text.append(" ").append(marks[0] * full, "green").append(marks[1] * (length - full), "dim")
    return text.append(end)


def second_line(terms: str, width: int, ascii_only: bool) -> Text:
    """Write the terms, cut from the right."""
    if cell_len(terms) > width:
        dots = "..." if ascii_only else "…"
        terms = set_cell_size(terms, max(width - len(dots), 0)).rstrip() + dots
        terms = terms[:width]
    return cell(terms, no_wrap=True, end="")


class Display(RenderHook):
    """Two lines at the bottom of a terminal; printed text goes above them."""

    def __init__(self, progress: Callable[[], Progress], terms: Callable[[], str]):
        self._progress, self._terms = progress, terms
        self.console = Console()
        self._width = self.console.width
        self._lengths = self._next = [0, 0]  # the lines' lengths, now and in the next frame
        self._live = Live(
            console=self.console,
            get_renderable=self._lines,
            refresh_per_second=PER_SECOND,
            redirect_stderr=sys.stderr.isatty(),
        )

    @staticmethod
    def is_possible() -> bool:
        """Whether stdout is a terminal that can move its cursor."""
        return sys.stdout.isatty() and Console().is_interactive

    def open(self) -> None:
        self._live.start(refresh=True)
        self._lengths = self._next
        self.console.push_render_hook(self)

    def close(self) -> None:
        """Draw one last time and leave the lines on the screen."""
        self.console.pop_render_hook()
        self._live.stop()

    def print(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _lines(self) -> Group:
        # a terminal may wrap a line that fills its last column
        width, ascii_only = max(self.console.width - 1, 1), self.console.options.ascii_only
        lines = (
            first_line(self._progress(), width, ascii_only),
            second_line(self._terms(), width, ascii_only),
        )
        self._next = [line.cell_len for line in lines]
        return Group(*lines)

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Remove the extra rows that the lines take after the terminal became narrower."""
        width, before, lengths = self.console.width, self._width, self._lengths
        self._width, self._lengths = width, self._next
        if width >= before:
            return renderables
        more = sum((length - 1) // width for length in lengths if length)
        up = [(ControlType.CURSOR_UP, 1), (ControlType.ERASE_IN_LINE, 2)] * more
        return [Control((ControlType.ERASE_IN_LINE, 2), *up), *renderables]
