"""Smooth noise in space, from a table of random numbers, so that a texture sticks to the skin."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
_SIDE = 32  # cells of the table along each axis, after which the noise repeats


@cache
def _table() -> Floats:
    return np.random.default_rng(0x4EAD).uniform(-1, 1, _SIDE**3).astype(np.float32)


def smooth_noise(points: Floats, frequency: float, seed: int) -> Floats:
    """Return noise (N,) in [-1, 1] at ``points`` (N, 3): random at corners of cells, else smooth.

    ``frequency`` is in cells per unit of length.
    """
    shift = np.array([seed * 7.31, seed * 3.77, seed * 5.13], np.float32) % _SIDE
    place = (points * np.float32(frequency) + shift).astype(np.float32)
    floor = np.floor(place)
    part = place - floor
    part = part * part * (3 - 2 * part)
    cell = floor.astype(np.int32)
    steps = (1, _SIDE, _SIDE**2)
    low = [(cell[:, axis] % _SIDE) * step for axis, step in enumerate(steps)]
    high = [((cell[:, axis] + 1) % _SIDE) * step for axis, step in enumerate(steps)]
    x, y, z = part[:, 0], part[:, 1], part[:, 2]
    table = _table()
    slabs = []
    for at_z in (low[2], high[2]):
        rows = []
        for at_y in (low[1], high[1]):
            base = at_z + at_y
            left = table[base + low[0]]
            rows.append(left + x * (table[base + high[0]] - left))
        slabs.append(rows[0] + y * (rows[1] - rows[0]))
    return np.asarray(slabs[0] + z * (slabs[1] - slabs[0]), np.float32)


def layers(points: Floats, frequency: float, count: int, seed: int) -> Floats:
    """Return ``count`` layers of noise, each twice as fine and half as strong, in about [-1, 1]."""
    total = np.zeros(len(points), np.float32)
    for octave in range(count):
        total += smooth_noise(points, frequency * 2**octave, seed + octave) / np.float32(2**octave)
    return total / np.float32(2 - 2.0 ** (1 - count))
