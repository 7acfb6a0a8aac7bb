"""What is out of focus behind a head: a room, a street, a garden or a wall."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ganzoo_heads.lens import blur, enlarge
from ganzoo_heads.light import Light, warmth
from ganzoo_heads.noise import layers
from ganzoo_heads.people import Person

Floats = NDArray[np.float32]
_SIDE = 64  # of the picture before it is enlarged, as it is blurred anyway


def paint(person: Person, side: int, light: Light) -> Floats:
    """Return the ground (n, n, 3) in linear light."""
    rng = np.random.default_rng([person.seed, 7])
    painter = {"room": _room, "street": _street, "garden": _garden, "wall": _wall}[person.ground]
    picture = painter(rng)
    sharp = rng.uniform(0.5, 2.2)
    picture = blur(picture.astype(np.float32), sharp).clip(0.004, 3)
    bright = 0.4 + 0.6 * float(light.sky.mean())
    return np.asarray(enlarge(picture, side).clip(0.002) * bright, np.float32)


def _grid() -> tuple[Floats, Floats]:
    rows, columns = np.mgrid[:_SIDE, :_SIDE] / _SIDE
    return rows.astype(np.float32), columns.astype(np.float32)


def _wall(rng: np.random.Generator) -> Floats:
    rows, columns = _grid()
    base = rng.uniform(0.03, 0.75) * warmth(float(rng.uniform(-1, 1))) * rng.uniform(0.85, 1.1, 3)
    slope = rng.uniform(-0.6, 0.6) * rows + rng.uniform(-0.6, 0.6) * columns
    spot = np.exp(-((rows - rng.random()) ** 2 + (columns - rng.random()) ** 2) / 0.2)
    return np.asarray(base * (0.8 + slope + 0.5 * spot)[..., None].clip(0.1), np.float32)


def _boxes(
    rng: np.random.Generator, picture: Floats, count: int, tall: float, bright: float
) -> Floats:
    """Put ``count`` boxes of things into ``picture``, in muted colours and a few strong ones."""
    for _ in range(count):
        x, y = rng.integers(-10, _SIDE, 2)
        w, h = rng.integers(2, 24), int(rng.integers(2, 24) * tall)
        strong = 0.45 if rng.random() < 0.25 else 0.12
        colour = (
            rng.uniform(0.01, bright)
            * warmth(float(rng.uniform(-1, 1)))
            * (1 + rng.normal(0, strong, 3)).clip(0.1)
        )
        share = rng.uniform(0.6, 0.95)
        part = picture[max(0, y) : max(0, y + h), max(0, x) : max(0, x + w)]
        part *= 1 - share
        part += share * colour
    return picture


def _room(rng: np.random.Generator) -> Floats:
    picture = _boxes(rng, _wall(rng), int(rng.integers(4, 16)), 1.3, 0.5)
    if rng.random() < 0.5:  # a window or a lamp
        x, y, w, h = (
            rng.integers(0, _SIDE),
            rng.integers(0, 30),
            rng.integers(6, 18),
            rng.integers(8, 30),
        )
        picture[y : y + h, x : x + w] = rng.uniform(0.7, 1.6) * warmth(float(rng.uniform(-1, 1)))
    return picture


def _street(rng: np.random.Generator) -> Floats:
    picture = _boxes(rng, _wall(rng), int(rng.integers(8, 22)), 2.2, 0.6)
    return _discs(rng, picture, int(rng.integers(0, 14)))


def _garden(rng: np.random.Generator) -> Floats:
    rows, columns = _grid()
    points = np.stack([columns.ravel(), rows.ravel(), rows.ravel() * 0], axis=1)
    leaves = layers(points, rng.uniform(5, 12), 4, int(rng.integers(999))).reshape(_SIDE, _SIDE, 1)
    spots = layers(points, rng.uniform(16, 26), 1, int(rng.integers(999))).reshape(_SIDE, _SIDE, 1)
    green = np.array([0.12, 0.19, 0.05]) * rng.uniform(0.3, 1.7) * (1 + rng.normal(0, 0.15, 3))
    sky = np.array([0.75, 0.85, 0.95]) * rng.uniform(0.3, 1.1)
    share = np.clip(rng.uniform(-0.3, 0.4) + 1.4 * leaves + (0.3 - rows[..., None]) * 1.3, 0, 1)
    picture = green * (1 + 1.1 * leaves + 0.6 * spots).clip(0.1) * (1 - share) + sky * share
    if rng.random() < 0.4:
        picture = _boxes(rng, picture, int(rng.integers(1, 6)), 2.0, 0.5)
    return _discs(rng, picture.astype(np.float32), int(rng.integers(0, 16)))


def _discs(rng: np.random.Generator, picture: Floats, count: int) -> Floats:
    """Add lights that are out of focus."""
    rows, columns = _grid()
    for _ in range(count):
        x, y, r = rng.random(), rng.random() * 0.8, rng.uniform(0.015, 0.06)
        disc = np.clip((r - np.hypot(columns - x, rows - y)) / 0.012, 0, 1)[..., None]
        picture = picture + disc * rng.uniform(0.1, 0.6) * warmth(float(rng.uniform(-0.5, 1)))
    return picture
