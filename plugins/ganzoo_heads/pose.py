"""A shaped head in front of a camera: turned, and projected as a portrait is cropped."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganzoo_heads.people import Person

Floats = NDArray[np.float32]
NECK = np.array([0.0, 6.0, 0.15], np.float32)  # around which a head turns


def turn(person: Person, points: Floats, vectors: bool = False) -> Floats:
    """Return ``points`` (N, 3) with the head turned; ``vectors`` turn as at their own ``points``.

    The shoulders follow by a third; the neck bends between them and the head.
    """
    share = np.clip((points[:, 1] - 5.3) / 1.1, 0, 1)
    share = (0.35 + 0.65 * share * share * (3 - 2 * share)).astype(np.float32)
    return NECK + rotate(person, points - NECK, share)


def rotate(person: Person, vectors: Floats, share: Floats | float = 1.0) -> Floats:
    """Return ``vectors`` (N, 3) turned by ``share`` (N,) of the head's angles."""
    x, y, z = vectors[:, 0], vectors[:, 1], vectors[:, 2]
    for angle, axis in ((person.yaw, "y"), (-person.pitch, "x"), (person.roll, "z")):
        turned = np.radians(angle) * share
        c, s = np.cos(turned), np.sin(turned)
        if axis == "y":
            x, z = c * x + s * z, c * z - s * x
        elif axis == "x":
            y, z = c * y - s * z, c * z + s * y
        else:
            x, y = c * x - s * y, c * y + s * x
    return np.stack([x, y, z], axis=1).astype(np.float32)


@dataclass(frozen=True)
class Camera:
    """A camera in front of the face: ``centre`` of the picture, ``width`` that it shows, in dm."""

    centre: Floats
    width: float
    distance: float
    side: int

    def project(self, points: Floats) -> Floats:
        """Return ``points`` (N, 3) in pixels, x to the right and y down, and their depth in dm."""
        offset = points - self.centre
        depth = self.distance - offset[:, 2]
        scale = self.side * self.distance / self.width / depth
        half = self.side / 2
        return np.stack(
            [half + offset[:, 0] * scale, half - offset[:, 1] * scale, depth], axis=1
        ).astype(np.float32)


def camera(person: Person, eyes: Floats, mouth: Floats, side: int) -> Camera:
    """Frame a face by its turned ``eyes`` (2, 3) and ``mouth`` (3,), loosely as FFHQ is cropped.

    Karras et al. 2019 (StyleGAN), https://arxiv.org/abs/1812.04948, appendix A.
    """
    rng = np.random.default_rng([person.seed, 2])
    middle = eyes.mean(axis=0)
    down = mouth - middle
    apart = 4.0 * float(np.linalg.norm(eyes[1] - eyes[0]))
    width = max(3.6 * float(np.linalg.norm(down)), apart) * rng.uniform(0.90, 1.02)
    centre = middle + 0.1 * down
    centre = centre + np.append(rng.normal(0, 0.012, 2) * width, 0)
    return Camera(centre.astype(np.float32), width, person.distance, side)
