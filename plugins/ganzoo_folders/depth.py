"""Depths in a cache of pictures of 8 bits: the three bytes of a number of 24 bits, highest first.

Creases are second differences of a depth, for which 8 bits are too coarse.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: the largest number that a depth is stored as; a depth of 1
FARTHEST = (1 << 24) - 1


def to_pixels(depth: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Return depths (S, S) in [0, 1] as they are stored, (3, S, S)."""
    whole = np.rint(depth * float(FARTHEST)).astype(np.int64)
    return np.stack([whole >> shift & 255 for shift in (16, 8, 0)]).astype(np.uint8)


def from_pixels(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Read stored depths (N, 3, S, S): (N, 1, S, S) in [0, 1]."""
    high, middle, low = np.moveaxis(pixels.astype(np.int64), 1, 0)
    whole = (high << 16) + (middle << 8) + low
    return np.asarray(whole[:, None] / FARTHEST, np.float32)
