"""Clothes, painted on the mesh's neck and shoulders."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ganzoo_heads.lens import linear
from ganzoo_heads.noise import layers, smooth_noise
from ganzoo_heads.people import Person

Floats = NDArray[np.float32]


def covers(person: Person, base: Floats) -> NDArray[np.bool_]:
    """Return which points ``base`` (N, 3) of the mesh at rest are under cloth."""
    x, y, z = np.abs(base[:, 0]), base[:, 1], base[:, 2]
    front = np.clip(z / 1.0, 0, 1)
    if person.clothes == "crew":
        line = 5.83 - 0.25 * front + 0.05 * x
    elif person.clothes == "vee":
        line = 5.87 - front * np.clip(0.75 - 1.4 * x, 0.1, 0.75)
    elif person.clothes == "wide":
        line = 5.62 - 0.35 * front + 0.12 * x
    else:  # a shirt and what is worn over it end in a collar
        line = 6.02 - 0.30 * front - front * np.clip(0.22 - 0.9 * x, 0, 0.3)
    return np.asarray(y < line, np.bool_)


def paint(person: Person, base: Floats, normal: Floats) -> tuple[Floats, Floats]:
    """Return the albedo and the normals (N, 3) of cloth at ``base`` (N, 3)."""
    rng = np.random.default_rng([person.seed, 6])
    hue, grey = rng.random(), rng.random()
    wheel = 0.5 + 0.5 * np.cos(2 * np.pi * (hue + np.array([0, 0.33, 0.67])))
    colour = linear(np.clip(0.10 + 0.75 * rng.random() * (0.35 * wheel + 0.65 * grey), 0.03, 0.9))
    albedo = (
        np.broadcast_to(colour, (len(base), 3)) * (1 + 0.12 * smooth_noise(base, 60, 3))[:, None]
    )
    x, y = np.abs(base[:, 0]), base[:, 1]
    pattern = rng.random()
    if pattern < 0.2:
        stripes = (np.sin(y * rng.uniform(25, 60)) > 0.2)[:, None]
        albedo = np.where(stripes, albedo, linear(rng.uniform(0.2, 0.95, 3)))
    elif pattern < 0.3:
        wide = rng.uniform(18, 40)
        checks = (np.sin(y * wide) > 0.3) * 0.25 + (np.sin(x * wide) > 0.3) * 0.25
        albedo = albedo * (1 - checks[:, None]) + checks[:, None] * linear(rng.uniform(0.1, 0.9, 3))
    normal = normal + 0.45 * np.stack(
        [layers(base * np.array([1, 0.6, 1], np.float32), 3.2, 3, 17 + axis) for axis in range(3)],
        axis=1,
    )
    if person.clothes == "suit":
        opening = 0.06 + 0.75 * (y - 4.9).clip(0)
        shirt = x < opening
        shade = linear(rng.choice([0.92, 0.85, 0.75])) * (1 - 0.25 * (np.abs(x - opening) < 0.05))
        albedo = np.where(
            shirt[:, None], shade[:, None] * np.array([1, 1, 1.02], np.float32), albedo
        )
        if rng.random() < 0.5:
            tie = (x < 0.09 + 0.04 * (5.9 - y)) & (y < 5.85)
            albedo[tie] = linear(rng.uniform(0.1, 0.5, 3))
        lapel = np.abs(x - opening - 0.16) < 0.012
        albedo[lapel] *= 0.5
    if person.clothes == "shirt":
        albedo[(np.abs(x - 0.30) < 0.02) & (y > 5.55)] *= 0.6  # the collar's edge
        albedo[x < 0.012] *= 0.6
    return albedo.astype(np.float32), normal.astype(np.float32)
