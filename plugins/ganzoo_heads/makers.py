"""What a process that makes pictures of heads runs: one class for each kind of picture."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ganzoo_heads import buffers, drawn, mesh, people, photo

#: Increase when the same head would give another picture or landmark.
VERSION = 1
_LEAST = 256  # pixels of a side, below which hair becomes specks
DYED = "dyed"  # after a style, as in ``anime dyed``: heads have the avatars' colours of hair too


class Maker:
    """Makes pictures (3, size, size) uint8 of the heads of ``seed``.

    The style is one of ``drawn.STYLES``, and ``dyed`` may follow it.
    """

    def __init__(self, style: str, size: int, seed: int):
        self.style, _, dyed = style.partition(" ")
        self.dyed = dyed == DYED
        self.size = size
        #: of the camera's picture: twice the size or a multiple of that, as hair is fine
        self.side = 2 * size * -(-_LEAST // (2 * size))
        self.seed = seed

    def head(self, index: int, grown: bool = True) -> photo.Head:
        """Return head ``index`` before its camera, without hair if not ``grown``."""
        person = people.person(self.seed, index, mesh.load().targets, self.dyed)
        return photo.build(person, self.side, grown)

    def reduced(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return a picture (n, n, 3) as (3, size, size)."""
        small = Image.fromarray(picture).resize((self.size, self.size), Image.Resampling.BOX)
        return np.asarray(small).transpose(2, 0, 1)


class Photos(Maker):
    """Makes photos."""

    def __call__(self, index: int) -> NDArray[np.uint8]:
        """Return the photo of head ``index``."""
        return self.reduced(photo.take(self.head(index)))


class Drawings(Maker):
    """Makes the drawn twins."""

    def __call__(self, index: int) -> NDArray[np.uint8]:
        """Return the drawing of head ``index``."""
        return self.reduced(drawn.draw(self.head(index), self.style))


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


class Parts(_Measurer):
    """Makes maps of the parts of photos."""

    stored = staticmethod(buffers.stored_parts)
