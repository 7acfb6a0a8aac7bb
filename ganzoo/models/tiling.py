"""Cut a picture into overlapping tiles, and fade one into the next."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

#: Pixels that tiles share with a neighbour on each side of the cut.  With CartoonGAN and the true
#: statistics, 32 changes pixels by up to 6 levels of 255, 48 by one.
MARGIN = 64
FADE = 16  # pixels on each side of the cut over which one tile fades into the next
PATCH = 64  # the side of the patches for statistics; larger ones see less
ALIGN = 32  # tiles begin at its multiples, so that strided layers see the same grid


@dataclass(frozen=True)
class Span:
    """A window along one side of a picture, from ``start`` to ``stop``."""

    start: int
    stop: int
    begins: bool  # at the border of the picture, so that no neighbour covers this end
    ends: bool

    @property
    def slice(self) -> slice:
        """The window as a slice of the picture."""
        return slice(self.start, self.stop)

    @property
    def part(self) -> tuple[float, float]:
        """The start and end of the part that counts, as shares of the window."""
        length = self.stop - self.start
        first = 0 if self.begins else MARGIN
        last = length if self.ends else length - MARGIN
        return first / length, last / length


def spans(length: int, tile: int) -> list[Span]:
    """Cut ``length`` into windows of at most ``tile``, each sharing 2 MARGIN with the next.

    All begin at multiples of ALIGN and, except for the last, are equally long.
    """
    if length <= tile:
        return [Span(0, length, True, True)]
    room = (tile - 2 * MARGIN) // ALIGN * ALIGN
    count = math.ceil((length - 2 * MARGIN) / room)
    step = math.ceil((length - 2 * MARGIN) / count / ALIGN) * ALIGN
    stops = [start + step + 2 * MARGIN for start in range(0, length - 2 * MARGIN, step)]
    return [
        Span(stop - step - 2 * MARGIN, min(stop, length), i == 0, stop >= length)
        for i, stop in enumerate(stops)
    ]


def tiled(run: Callable[[Pixels], Pixels], pixels: Pixels, tile: int, scale: int = 1) -> Pixels:
    """Run ``run`` on overlapping tiles of a picture, fading one into the next.

    ``run`` makes its tiles ``scale`` times as high and wide.
    """
    height, width = pixels.shape[:2]
    picture = np.empty((scale * height, scale * width, 3), np.uint8)
    for rows in spans(height, tile):
        band = np.empty((scale * (rows.stop - rows.start), scale * width, 3), np.uint8)
        for columns in spans(width, tile):
            piece = run(pixels[rows.slice, columns.slice])
            _lay(band.swapaxes(0, 1), piece.swapaxes(0, 1), scale * columns.start, scale)
        _lay(picture, band, scale * rows.start, scale)
    return picture


def _lay(canvas: Pixels, piece: Pixels, start: int, scale: int) -> None:
    """Add rows to ``canvas`` from ``start`` on, fading out earlier pieces."""
    if start == 0:
        canvas[: len(piece)] = piece
        return
    first, last = scale * (MARGIN - FADE), scale * (MARGIN + FADE)
    share = ((np.arange(last - first, dtype=np.float32) + 0.5) / (last - first))[:, None, None]
    old = canvas[start + first : start + last]
    old[:] = np.rint(old + share * (piece[first:last].astype(np.float32) - old))
    canvas[start + last : start + len(piece)] = piece[last:]


def patches(pixels: Pixels, budget: int) -> Iterator[Pixels]:
    """Yield evenly spaced patches of a picture, of ``budget`` pixels together."""
    height, width = pixels.shape[:2]
    high, wide = min(PATCH, height), min(PATCH, width)
    count = budget // (high * wide)
    rows = min(max(1, round(math.sqrt(count * height / width))), height // high)
    columns = min(max(1, count // rows), width // wide)
    for top in np.linspace(0, height - high, rows).round().astype(int):
        for left in np.linspace(0, width - wide, columns).round().astype(int):
            yield pixels[top : top + high, left : left + wide]
