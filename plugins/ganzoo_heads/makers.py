"""What a process that makes pictures of heads runs: one class for each kind of picture."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ganzoo_heads import attributes, buffers, drawn, landmarks, mesh, people, photo

#: Increase when the same head would give another picture or landmark.
VERSION = 2
#: of landmarks in labels, which are kept as whole millionths
FIXED = 1_000_000
COORDINATES = 2 * len(landmarks.POINTS)
_LEAST = 256  # pixels of a side, below which hair becomes specks


class Maker:
    """Makes pictures (3, size, size) uint8 of the heads of ``seed``.

    The style is one of ``drawn.STYLES``; fields of ``people.Options`` that are on may follow it,
    as in ``anime dyed beards``.
    """

    def __init__(self, style: str, size: int, seed: int):
        self.style, *names = style.split()
        self.options = people.Options(**{field: field in names for field in people.Options._fields})
        self.size = size
        #: of the camera's picture: twice the size or a multiple of that, as hair is fine
        self.side = 2 * size * -(-_LEAST // (2 * size))
        self.seed = seed

    def head(self, index: int) -> photo.Head:
        """Return head ``index`` before its camera."""
        person = people.person(self.seed, index, mesh.load().targets, self.options)
        return photo.build(person, self.side)

    def reduced(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return a picture (n, n, 3) as (3, size, size)."""
        small = Image.fromarray(picture).resize((self.size, self.size), Image.Resampling.BOX)
        return np.asarray(small).transpose(2, 0, 1)


class Photos(Maker):
    """Makes photos; their labels are landmarks in millionths, and attributes."""

    columns = COORDINATES + len(attributes.VALUES)

    def __call__(self, index: int) -> tuple[NDArray[np.uint8], list[int]]:
        """Return the photo of head ``index`` and its labels."""
        head = self.head(index)
        row = _fixed(landmarks.of(head)) + attributes.indices(head.person)
        return self.reduced(photo.take(head)), row


class Drawings(Maker):
    """Makes the drawn twins; their labels are landmarks in millionths."""

    columns = COORDINATES

    def __call__(self, index: int) -> tuple[NDArray[np.uint8], list[int]]:
        """Return the drawing of head ``index`` and its labels."""
        head = self.head(index)
        points = drawn.landmarks(head) * np.float32(2 / head.camera.side) - 1
        return self.reduced(drawn.draw(head, self.style)), _fixed(points)


def _fixed(points: NDArray[np.float32]) -> list[int]:
    return [round(float(x) * FIXED) for x in points.ravel()]


class _Measurer(Maker):
    stored: Callable[[buffers.Buffers, int], NDArray[np.uint8]]

    def __call__(self, index: int) -> NDArray[np.uint8]:
        return type(self).stored(buffers.measure(self.head(index)), self.size)


class Normals(_Measurer):
    """Makes the normals of photos."""

    stored = staticmethod(buffers.stored_normal)


class Depths(_Measurer):
    """Makes the depths of photos."""

    stored = staticmethod(buffers.stored_depth)


class Layouts(_Measurer):
    """Makes the layouts of photos."""

    stored = staticmethod(buffers.stored_layout)
