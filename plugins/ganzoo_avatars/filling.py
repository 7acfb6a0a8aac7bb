"""Fill a cache with the pictures of an artist."""

from __future__ import annotations

from contextlib import closing
from itertools import islice

import numpy as np

from ganzoo.progress import progress
from ganzoo_avatars.drawing import draw_labelled
from ganzoo_folders import cache

_BLOCK = 20  # images between two steps of the progress bar


def fill(
    writer: cache.Writer, what: str, artist: str, style: str, count: int, size: int, seed: int
) -> None:
    """Write the pictures of ``artist``, and its labels if it has some; ``what`` names the work.

    Raises DataError if a process that draws dies.
    """
    rows = []
    with (
        closing(draw_labelled(artist, style, count, size, seed)) as drawings,
        progress(what, count) as advance,
    ):
        while block := list(islice(drawings, _BLOCK)):
            writer.add(np.stack([picture for picture, _ in block]))
            rows += [row for _, row in block]
            advance(len(block))
    if rows and rows[0].size:
        writer.set_labels(np.stack(rows))
