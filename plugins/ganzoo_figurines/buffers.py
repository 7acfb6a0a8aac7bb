"""The geometry of a figurine, pixel by pixel: its normals and its depth.

They are stored as pictures of 8 bits: a normal as three channels, a depth as three bytes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ganzoo_figurines.fields import Field
from ganzoo_figurines.sculpt import Sculptor
from ganzoo_folders import depth

#: Increase when the same figurine would give other normals or depths.
VERSION = 1
#: how far the figurine stands in front of the wall, in shares of the side
STANDS_OFF = 0.15


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
        away = 1 - scene.heights() - STANDS_OFF * scene.figure  # 1 is the wall's depth
        return depth.to_pixels(reduced(away[inside, inside], self.size).clip(0, 1))


def reduced(field: Field, size: int) -> Field:
    """Average a field (n, n) down to (size, size), as the photo is."""
    image = Image.fromarray(np.ascontiguousarray(field, np.float32))
    return np.asarray(image.resize((size, size), Image.Resampling.BOX), np.float32)
