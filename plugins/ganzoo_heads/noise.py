"""Smooth noise in space, from integers alone, so that a texture sticks to the skin."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def smooth_noise(points: Floats, frequency: float, seed: int) -> Floats:
    """Return noise in [-1, 1] at ``points`` (N, D): random at the corners of cells, smooth between.

    ``frequency`` is in cells per unit of length.
    """
    place = points * np.float32(frequency)
    cell = np.floor(place).astype(np.int64)
    inside = place - cell
    inside = inside * inside * (3 - 2 * inside)
    total = np.zeros(len(points), np.float32)
    dimensions = points.shape[1]
    for corner in range(2**dimensions):
        bits = [(corner >> axis) & 1 for axis in range(dimensions)]
        weight = np.ones(len(points), np.float32)
        code = np.full(len(points), seed * 0x9E3779B1 + 0x7F4A7C15, np.uint64)
        for axis, bit in enumerate(bits):
            weight = weight * (inside[:, axis] if bit else 1 - inside[:, axis])
            code = _mix(code ^ (cell[:, axis] + bit).astype(np.uint64))
        total += weight * ((code >> np.uint64(40)).astype(np.float32) / 2**23 - 1)
    return total


def layers(points: Floats, frequency: float, count: int, seed: int) -> Floats:
    """Return ``count`` layers of noise, each twice as fine and half as strong, in about [-1, 1]."""
    total = np.zeros(len(points), np.float32)
    for octave in range(count):
        total += smooth_noise(points, frequency * 2**octave, seed + octave) / 2**octave
    return total / np.float32(2 - 2.0 ** (1 - count))


def _mix(code: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Scramble 64-bit integers, as the last steps of SplitMix64 do (Steele et al. 2014)."""
    code = (code ^ (code >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    code = (code ^ (code >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return code ^ (code >> np.uint64(31))
