"""Fill a cache with the pictures of an artist."""

from __future__ import annotations

from contextlib import closing
from itertools import islice

import numpy as np

from ganzoo.progress import progress
from ganzoo_avatars.drawing import draw
from ganzoo_folders import cache

_BLOCK = 20  # images between two steps of the progress bar


def fill(
    writer: cache.Writer, what: str, artist: str, style: str, count: int, size: int, seed: int
) -> None:
    """Write the pictures that :func:`ganzoo_avatars.drawing.draw` yields; ``what`` names the work.

    Raises DataError if a process that draws dies.
    """
    with (
        closing(draw(artist, style, count, size, seed)) as images,
        progress(what, count) as advance,
    ):
        while block := list(islice(images, _BLOCK)):
            writer.add(np.stack(block))
            advance(len(block))
