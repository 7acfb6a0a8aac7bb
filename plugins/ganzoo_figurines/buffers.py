"""The geometry of a figurine, pixel by pixel: its normals and its depth.

They are stored as pictures of 8 bits: a normal as three channels, a depth as the three bytes of a
number of 24 bits, because creases are second differences of it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ganzoo_figurines.fields import Field
from ganzoo_figurines.sculpt import Sculptor

#: Increase when the same figurine would give other normals or depths.
VERSION = 1
#: how far the figurine stands in front of the wall, in shares of the side
STANDS_OFF = 0.15
#: the largest number that a depth is stored as; 1 is the wall's depth
WALL = (1 << 24) - 1


class Normals(Sculptor):
    """Makes the normals of figurines, as ``Sculptor`` makes their photos."""

    def __call__(self, index: int) -> NDArray[np.uint8]:
        """Return (3, size, size) uint8: x, y and z of [-1, 1]; y points down, z to the camera."""
        scene = self.scene(index)
        normal = scene.normals(scene.heights())
        inside = slice(scene.margin, scene.margin + scene.side)
        small = np.stack([reduced(normal[inside, inside, i], self.size) for i in range(3)])
        unit = small / np.maximum(np.linalg.norm(small, axis=0), 1e-6)
        return np.rint((unit + 1) * 127.5).astype(np.uint8)


class Depths(Sculptor):
    """Makes the depths of figurines, likewise."""

    def __call__(self, index: int) -> NDArray[np.uint8]:
        """Return (3, size, size) uint8: the bytes of a depth, the highest first."""
        scene = self.scene(index)
        inside = slice(scene.margin, scene.margin + scene.side)
        depth = 1 - scene.heights() - STANDS_OFF * scene.figure
        whole = np.rint(reduced(depth[inside, inside], self.size).clip(0, 1) * float(WALL))
        return np.stack([whole.astype(np.int64) >> shift & 255 for shift in (16, 8, 0)]).astype(
            np.uint8
        )


def reduced(field: Field, size: int) -> Field:
    """Average a field (n, n) down to (size, size), as the photo is."""
    image = Image.fromarray(np.ascontiguousarray(field, np.float32))
    return np.asarray(image.resize((size, size), Image.Resampling.BOX), np.float32)


def depth_of(pixels: NDArray[np.uint8]) -> Field:
    """Read stored depths (N, 3, S, S): (N, 1, S, S), in shares of the side; the wall is at 1."""
    high, middle, low = np.moveaxis(pixels.astype(np.int64), 1, 0)
    whole = (high << 16) + (middle << 8) + low
    return np.asarray(whole[:, None] / WALL, np.float32)
