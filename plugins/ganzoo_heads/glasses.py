"""Glasses: a frame of fine lines before the eyes, and what their lenses mirror."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganzoo_heads.lens import linear
from ganzoo_heads.people import Person

Floats = NDArray[np.float32]
_ROUND = 96  # points of a rim


@dataclass(frozen=True)
class Glasses:
    """A frame before the head turns: its lines (S, L, 3), its colour, its rims (2, R, 3)."""

    lines: Floats
    colour: Floats
    rims: Floats


def wear(person: Person, rest: Floats, eyes: Floats, ears: Floats) -> Glasses | None:
    """Return the glasses of ``person``, or None without them.

    ``rest`` (V, 3) is the shaped head, ``eyes`` (2, 3) are the eyeballs' centres, ``ears`` (V,) is
    a mask.
    """
    if not person.glasses:
        return None
    rng = np.random.default_rng([person.seed, 13])
    width = rng.uniform(0.20, 0.245)
    height = width * rng.uniform(0.66, 0.98)
    power = rng.choice([2.0, 2.6, 3.6])
    thick = rng.choice([0.005, 0.009, 0.015], p=[0.4, 0.3, 0.3])
    shades = [
        (0.04, 0.04, 0.045),
        (0.12, 0.08, 0.06),
        (0.35, 0.33, 0.32),
        (0.45, 0.33, 0.16),
        (0.25, 0.05, 0.06),
    ]
    colour = linear(shades[int(rng.choice(5, p=[0.5, 0.18, 0.18, 0.08, 0.06]))])
    angle = np.linspace(0, 2 * np.pi, _ROUND)
    c, s = np.cos(angle), np.sin(angle)
    x = np.sign(c) * np.abs(c) ** (2 / power) * width
    y = np.sign(s) * np.abs(s) ** (2 / power) * height
    y = y * (1 + 0.12 * np.where(y < 0, 1, 0))
    front = (
        float(
            rest[
                (np.abs(rest[:, 1] - eyes[:, 1].mean()) < 0.12) & (np.abs(rest[:, 0]) < 0.1), 2
            ].max()
        )
        + 0.015
    )
    rims = []
    for eye in eyes:
        middle = np.array([np.sign(eye[0]) * max(abs(eye[0]), width + 0.055), eye[1] - 0.03, front])
        bend = -0.16 * ((middle[0] + x) ** 2) - 0.06 * y
        rims.append(np.stack([middle[0] + x, middle[1] + y, middle[2] + bend], axis=1))
    right, left = (rims[0], rims[1]) if eyes[0, 0] < 0 else (rims[1], rims[0])
    inner = right[np.argmax(right[:, 0])], left[np.argmin(left[:, 0])]
    share = np.linspace(0, 1, _ROUND)[:, None]
    arch = np.array([0, 0.05, 0.02]) * np.sin(np.pi * share)
    paths = [right, left, inner[0] + (inner[1] - inner[0]) * share + arch + (0, 0.03, 0)]
    for side, rim in ((-1, right), (1, left)):
        hinge = rim[np.argmax(side * rim[:, 0])] + (0, 0.5 * height, 0)
        ear = rest[(ears > 0.5) & (side * rest[:, 0] > 0)]
        end = np.array(
            [side * (np.abs(ear[:, 0]).min() + 0.02), hinge[1] - 0.02, ear[:, 2].mean() - 0.02]
        )
        paths.append(
            hinge + (end - hinge) * share + np.array([side * 0.03, 0, 0]) * np.sin(np.pi * share)
        )
    copies = 3 if thick < 0.01 else 7
    lines = np.concatenate(
        [path[None] + rng.normal(0, thick / 2, (copies, 1, 3)) for path in paths]
    )
    return Glasses(lines.astype(np.float32), colour, np.stack([right, left]).astype(np.float32))


def mirrored(glasses: Glasses, rims: Floats, side: int, rng: np.random.Generator) -> Floats:
    """Return how much of what is around each pixel (n, n) of the lenses mirrors.

    ``rims`` (2, R, 3) are in pixels.
    """
    rows, columns = np.mgrid[:side, :side].astype(np.float32) + np.float32(0.5)
    total = np.zeros((side, side), np.float32)
    slope, place = rng.normal(0, 0.5), rng.uniform(-0.6, 0.6)
    for rim in rims:
        middle, reach = rim[:, :2].mean(axis=0), np.ptp(rim[:, :2], axis=0) / 2
        x, y = (columns - middle[0]) / max(reach[0], 1), (rows - middle[1]) / max(reach[1], 1)
        inside = np.clip((1 - np.abs(x) ** 3 - np.abs(y) ** 3) * 6, 0, 1)
        band = np.clip(1 - np.abs(x + slope * y - place) / 0.35, 0, 1)
        total += inside * (0.03 + 0.14 * band * band)
    return total.clip(0, 1)
