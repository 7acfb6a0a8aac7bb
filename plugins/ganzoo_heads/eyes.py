"""Eyes: the iris, what is mirrored in them, and the lashes around them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ganzoo_heads.lens import linear
from ganzoo_heads.people import EYES, Person

Floats = NDArray[np.float32]
IRIS = 0.43  # of the iris, the angle between its middle and its rim, in radians


def gaze(person: Person, number: int) -> Floats:
    """Return where the right (0) or left (1) eye looks, a unit vector, before the head turns."""
    yaw, pitch = np.radians(person.gaze)
    toe = (1, -1)[number] * 0.02
    way = np.array([np.sin(yaw + toe), np.sin(pitch), np.cos(yaw) * np.cos(pitch)], np.float32)
    return np.asarray(way / np.linalg.norm(way), np.float32)


def paint(person: Person, offset: Floats, number: int) -> Floats:
    """Return the albedo (N, 3) of an eyeball at ``offset`` (N, 3) from its centre."""
    direction = offset / np.linalg.norm(offset, axis=1, keepdims=True).clip(1e-6)
    ahead = gaze(person, number)
    along = direction @ ahead
    angle = np.arccos(along.clip(-1, 1))
    side = direction - along[:, None] * ahead
    around = np.arctan2(side[:, 1], side[:, 0])
    veins = (
        np.clip(angle - 0.55, 0, 1)[:, None]
        * (0.8 + 0.4 * np.sin(around * 17 + angle * 9))[:, None]
    )
    colour = linear((0.70, 0.66, 0.63)) * (1 - veins * (0.15, 0.50, 0.50))
    colour = colour * (1 - 0.45 * np.clip(direction[:, 1:2] / 0.3, 0, 1))  # the lid's shadow
    iris = linear(EYES[person.eyes])
    rays = 1 + 0.3 * np.sin(around * 23 + 3 * np.sin(around * 7)) * np.clip(angle / IRIS, 0, 1)
    bright = 0.75 + 0.9 * np.clip(1 - np.abs(angle / IRIS - 0.55) / 0.4, 0, 1)
    bright = bright * (1 - 0.35 * np.clip(side[:, 1] / IRIS, -1, 1))  # light gathers below
    inner = iris * (rays * bright)[:, None]
    inner = inner * (1 - 0.75 * np.clip((angle / IRIS - 0.76) / 0.24, 0, 1))[:, None]
    share = np.clip((IRIS - angle) / 0.09 + 0.5, 0, 1)[:, None]
    colour = colour * (1 - share) + inner * share
    pupil = np.clip((0.165 - angle) / 0.06 + 0.5, 0, 1)[:, None]
    return np.asarray(colour * (1 - pupil) + pupil * 0.005, np.float32)


def wet(normal: Floats, key: Floats, seed: int) -> Floats:
    """Return how brightly ``normal`` (N, 3) of a wet eye mirrors a lamp or a window, 1 at most."""
    rng = np.random.default_rng([seed, 9])
    ahead = np.array([0, 0, 1], np.float32)
    mirror = 2 * normal[:, 2:3] * normal - ahead  # where light to the camera came from
    way = key * np.array([0.8, 0.7, 1], np.float32) + np.array([0, 0.15, 0], np.float32)
    way = way / np.linalg.norm(way)
    if rng.random() < 0.5:  # a round lamp
        size = rng.uniform(0.90, 0.975)
        return np.asarray(np.clip((mirror @ way - size) / 0.04, 0, 1), np.float32)
    right = np.cross(np.array([0, 1, 0], np.float32), way)
    right /= np.linalg.norm(right)
    above = np.cross(way, right)
    x, y = np.abs(mirror @ right), np.abs(mirror @ above)
    reach = rng.uniform(0.18, 0.40, 2)
    inside = np.clip((reach[0] - x) / 0.08, 0, 1) * np.clip((reach[1] - y) / 0.08, 0, 1)
    return np.asarray(inside * (mirror @ way > 0), np.float32)
