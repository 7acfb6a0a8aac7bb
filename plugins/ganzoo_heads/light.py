"""The lamps of a photo, and what lies in their shadow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganzoo_heads import raster
from ganzoo_heads.lens import blur
from ganzoo_heads.people import Person

Floats = NDArray[np.float32]
_SIDE = 192  # of the map in which the key light looks for what is in its way
_HAIR = 96  # of the map of the hair that is in its way
_WIDTH = 4.4  # of both, in dm
_AHEAD = np.array([0, 0, 1], np.float32)


@dataclass(frozen=True)
class Lamp:
    """A lamp far away: the unit vector towards it, and its colour in linear light."""

    way: Floats
    colour: Floats


@dataclass(frozen=True)
class Light:
    """Three lamps, and what comes from above and from below.

    The key lamp is from cold (-1) to warm (1), and from a cloudy sky (0) to a bare bulb (1).
    """

    key: Lamp
    fill: Lamp
    rim: Lamp
    sky: Floats
    ground: Floats
    warm: float
    hard: float

    def around(self, normal: Floats) -> Floats:
        """Return the light (N, 3) that falls on ``normal`` (N, 3) from everywhere."""
        height = normal[:, 1:2] * 0.5 + 0.5
        return np.asarray(self.ground * (1 - height) + self.sky * height, np.float32)


def warmth(value: float) -> Floats:
    """Return a white from cold (-1) to warm (1)."""
    return np.array([1 + 0.16 * value, 1.0, 1 - 0.22 * value], np.float32)


def light_of(person: Person) -> Light:
    """Draw the lights at random."""
    rng = np.random.default_rng([person.seed, 3])

    def lamp(azimuth: float, height: float, white: float, strength: float) -> Lamp:
        a, h = np.radians([azimuth, height])
        way = np.array([np.sin(a) * np.cos(h), np.sin(h), np.cos(a) * np.cos(h)], np.float32)
        return Lamp(way, warmth(white) * np.float32(strength))

    side = float(rng.choice([-1, 1]))
    warm = float(rng.uniform(-0.8, 0.9))
    hard = float(rng.uniform(0.15, 1.0))
    ambient = 0.75 - 0.45 * hard + rng.uniform(-0.1, 0.1)
    rim = float(rng.uniform(0.4, 1.4) * (rng.random() < 0.4))
    return Light(
        key=lamp(side * rng.uniform(5, 60), rng.uniform(18, 55), warm, 0.7 + 1.1 * hard),
        fill=lamp(
            -side * rng.uniform(20, 80), rng.uniform(-5, 25), -0.5 * warm, rng.uniform(0.1, 0.4)
        ),
        rim=lamp(-side * rng.uniform(115, 160), rng.uniform(10, 45), rng.uniform(-1, 1), rim),
        sky=warmth(float(rng.uniform(-0.5, 0.3))) * np.float32(ambient),
        ground=warmth(0.4) * np.float32(ambient * rng.uniform(0.35, 0.7)),
        warm=warm,
        hard=hard,
    )


class Shadow:
    """What the key lamp sees: skin and cloth stop its light, hair thins it."""

    def __init__(self, lamp: Lamp, points: Floats, triangles: NDArray[np.int32], hair: Floats):
        x = np.cross(np.array([0, 1, 0], np.float32), lamp.way)
        x /= np.linalg.norm(x)
        self.axes = np.stack([x, np.cross(lamp.way, x), -lamp.way]).astype(np.float32)
        middle = np.array([0, 7.1, 0.5], np.float32) @ self.axes.T
        self.low = middle[:2] - _WIDTH / 2
        self.solid = raster.look(self._pixels(points, _SIDE), triangles, _SIDE).depth
        self.amount = np.zeros((_HAIR, _HAIR), np.float32)
        self.front = np.full((_HAIR, _HAIR), np.inf, np.float32)
        if len(hair):
            place = self._pixels(hair, _HAIR)
            cell = place[:, :2].astype(np.int64)
            inside = ((cell >= 0) & (cell < _HAIR)).all(axis=1)
            pixel = (cell[:, 1] * _HAIR + cell[:, 0])[inside]
            depth = place[inside, 2]
            amount = np.bincount(pixel, minlength=_HAIR**2).reshape(_HAIR, _HAIR)
            total = np.bincount(pixel, depth, minlength=_HAIR**2).reshape(_HAIR, _HAIR)
            self.amount = blur(amount.astype(np.float32), 1.2)
            self.front = blur(total.astype(np.float32), 1.2) / self.amount.clip(1e-3)
            self.front[self.amount < 0.05] = np.inf

    def _pixels(self, points: Floats, side: int) -> Floats:
        place = points @ self.axes.T
        scale = np.float32(side / _WIDTH)
        x = (place[:, 0] - self.low[0]) * scale
        y = side - (place[:, 1] - self.low[1]) * scale
        return np.stack([x, y, place[:, 2]], axis=1).astype(np.float32)

    def past_skin(self, points: Floats, bias: float, reach: float) -> Floats:
        """Return how much light skin and cloth let pass to ``points`` (N, 3), in [0, 1].

        ``reach``, in pixels of the map, softens the edge of the shadow.
        """
        place = self._pixels(points, _SIDE)
        total = np.zeros(len(points), np.float32)
        taps = 12
        for tap in range(taps):
            radius, angle = reach * np.sqrt((tap + 0.5) / taps), tap * 2.39996
            x = (
                (place[:, 0] + np.float32(radius * np.cos(angle)))
                .astype(np.int32)
                .clip(0, _SIDE - 1)
            )
            y = (
                (place[:, 1] + np.float32(radius * np.sin(angle)))
                .astype(np.int32)
                .clip(0, _SIDE - 1)
            )
            total += self.solid[y, x] > place[:, 2] - bias
        return np.asarray(total / taps, np.float32)

    def past_hair(self, points: Floats, density: float) -> Floats:
        """Return how much light hair lets pass to ``points`` (N, 3), in [0, 1]."""
        place = self._pixels(points, _HAIR)
        column, row = (place[:, i] - np.float32(0.5) for i in (0, 1))
        low = [np.floor(v).astype(np.int32) for v in (row, column)]
        part = [row - low[0], column - low[1]]
        total = np.zeros(len(points), np.float32)
        for i in (0, 1):
            for j in (0, 1):
                r, c = (low[0] + i).clip(0, _HAIR - 1), (low[1] + j).clip(0, _HAIR - 1)
                weight = (part[0] if i else 1 - part[0]) * (part[1] if j else 1 - part[1])
                behind = ((place[:, 2] - self.front[r, c]) / np.float32(0.12)).clip(0, 1)
                total += weight * self.amount[r, c] * behind
        return np.asarray(np.exp(-density * total), np.float32)


def shine(normal: Floats, gloss: Floats, lamp: Lamp) -> Floats:
    """Return the light (N,) of a white ``lamp`` that ``normal`` (N, 3) throws to the camera."""
    half = lamp.way + _AHEAD
    half = half / np.linalg.norm(half)
    sharp = (normal @ half).clip(0, 1)
    edge = (1 - normal[:, 2].clip(0, 1)) ** 4
    facing = (normal @ lamp.way).clip(0, 1)
    lobes = 0.13 * sharp**10 + 0.22 * sharp**36
    return np.asarray((lobes + 0.22 * edge) * gloss * np.sqrt(facing), np.float32)


def diffuse(normal: Floats, lamp: Lamp, wrap: Floats) -> Floats:
    """Return the light (N, 3) of a white ``lamp`` that enters; it reaches around by ``wrap``."""
    facing = (normal @ lamp.way)[:, None]
    return np.asarray(
        ((facing + wrap) / (1 + wrap)).clip(0, None) * (1 / (1 + 0.4 * wrap)), np.float32
    )
