"""A canvas for drawings: smooth shapes, lines that swell and taper, and tones."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from ganzoo_heads.palette import Colour, Palette

Floats = NDArray[np.float32 | np.float64]


def moved(shape: Floats, x: float, y: float) -> Floats:
    """Return a shape (N, 2) moved to the right and down."""
    return shape + np.array([x, y], np.float32)


@cache
def _basis(count: int, dense: int, closed: bool) -> Floats:
    """Return the matrix (M, ``count``) that turns points into a Catmull-Rom curve through them."""
    spans = count if closed else count - 1
    place = np.arange(spans * dense + (not closed)) / dense
    low = np.minimum(place.astype(int), spans - 1)
    t = (place - low)[:, None]
    weights = 0.5 * np.concatenate(
        [-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2],
        axis=1,
    )
    matrix = np.zeros((len(place), count), np.float32)
    for column in range(4):
        index = low + column - 1
        index = index % count if closed else index.clip(0, count - 1)
        np.add.at(matrix, (np.arange(len(place)), index), weights[:, column])
    return matrix


def curve(points: Floats, dense: int = 6, closed: bool = False) -> Floats:
    """Return a smooth curve (M, D) through ``points`` (N, D), ``dense`` points a span."""
    return _basis(len(points), dense, closed) @ np.asarray(points, np.float32)


def even(line: Floats, count: int) -> Floats:
    """Return ``count`` points at equal distances along ``line`` (N, D)."""
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    at = np.linspace(0, along[-1], count)
    return np.stack([np.interp(at, along, column) for column in line.T], axis=1).astype(np.float32)


def ribbon(spine: Floats, widths: Floats) -> tuple[Floats, Floats]:
    """Return both edges (N, 2) of a band of ``widths`` (N,) along ``spine`` (N, 2)."""
    way = np.gradient(spine, axis=0)
    way /= np.linalg.norm(way, axis=1, keepdims=True).clip(1e-6)
    side = np.stack([-way[:, 1], way[:, 0]], axis=1) * (np.asarray(widths)[:, None] / 2)
    return spine + side, spine - side


class Canvas:
    """A square picture of ``side`` pixels, drawn ``scale`` times as large to smooth its edges.

    All places are in large pixels.
    """

    def __init__(self, side: int, ground: Image.Image, scale: int):
        self.side = side
        self.scale = scale
        self.size = side * scale
        self.image = ground.resize((self.size, self.size), Image.Resampling.BICUBIC)
        self._pen = ImageDraw.Draw(self.image)
        #: width of an ordinary line
        self.line = max(1.0, 0.0068 * self.size)

    def fill(self, shape: Floats, colour: Colour) -> None:
        """Fill a closed shape (N, 2)."""
        self._pen.polygon(shape.ravel().tolist(), fill=colour)

    def stroke(
        self,
        line: Floats,
        colour: Colour,
        width: float,
        start: float = 0.3,
        end: float = 0.3,
        inside: Image.Image | None = None,
    ) -> None:
        """Draw a ``line`` (N, 2), ``width`` lines thick in its middle.

        Its ends are ``start`` and ``end`` of that.  Draw only what lies in the mask ``inside``.
        """
        share = np.linspace(0, 1, len(line))
        swell = np.sin(np.pi * share) ** 0.6
        ends = start + (end - start) * share
        left, right = ribbon(line, self.line * width * (ends + (1 - ends) * swell))
        shape = np.concatenate([left, right[::-1]])
        if inside is None:
            self.fill(shape, colour)
        else:
            self.tone(ImageChops.multiply(self.mask(shape), inside), colour)

    def outline(self, shape: Floats, colour: Colour, width: float = 1.0) -> None:
        """Draw the border of a closed shape (N, 2), heavier where it runs level and below."""
        way = np.roll(shape, -1, axis=0) - np.roll(shape, 1, axis=0)
        way /= np.linalg.norm(way, axis=1, keepdims=True).clip(1e-6)
        thick = self.line * width * (0.7 + 0.45 * np.abs(way[:, :1])) / 2
        side = np.column_stack([-way[:, 1], way[:, 0]]) * thick
        rings = [np.concatenate([ring, ring[:1]]) for ring in (shape + side, shape - side)]
        self.fill(np.concatenate([rings[0], rings[1][::-1]]), colour)

    def mask(self, *shapes: Floats) -> Image.Image:
        """Return the union of shapes as a mask of the whole canvas."""
        mask = Image.new("L", (self.size, self.size))
        pen = ImageDraw.Draw(mask)
        for shape in shapes:
            pen.polygon(shape.ravel().tolist(), fill=255)
        return mask

    def tone(self, mask: Image.Image, colour: Colour, amount: float = 1.0) -> None:
        """Lay ``amount`` of a colour over ``mask``."""
        box = mask.getbbox()
        if box is None:
            return
        part = mask.crop(box)
        if amount < 1:
            part = part.point([round(value * amount) for value in range(256)])
        self.image.paste(colour, box, part)

    def hatch(
        self, mask: Image.Image, colour: Colour, gap: float = 4.5, width: float = 1.0
    ) -> None:
        """Hatch ``mask`` with slanting lines, ``gap`` lines apart."""
        self.image.paste(
            colour,
            (0, 0),
            ImageChops.multiply(mask, _hatching(self.size, self.line * gap, self.line * width)),
        )

    def shadow(self, mask: Image.Image, colours: Palette, colour: Colour) -> None:
        """Lay a shadow over ``mask``: a tone, or hatching in a drawing on paper."""
        if colours.hatched:
            self.hatch(mask, colours.ink, gap=3.2, width=0.75)
        else:
            self.tone(mask, colour)

    def gradient(
        self, mask: Image.Image, colours: list[Colour], box: tuple[int, int, int, int]
    ) -> None:
        """Lay a gradient from top to bottom over ``mask``, which is as large as ``box``."""
        strip = Image.fromarray(np.array(colours, np.uint8)[:, None])
        grown = strip.resize((1, max(2, box[3] - box[1])), Image.Resampling.BICUBIC)
        self.image.paste(grown.resize((box[2] - box[0], box[3] - box[1])), box[:2], mask)

    def glow(
        self,
        middle: Floats,
        radii: tuple[float, float],
        colour: Colour,
        amount: float,
        inside: Image.Image,
    ) -> None:
        """Lay a soft ellipse over the part of it that lies in the mask ``inside``."""
        across, down = radii
        left, top = round(float(middle[0] - 2 * across)), round(float(middle[1] - 2 * down))
        size = (max(2, round(4 * across)), max(2, round(4 * down)))
        soft = _soft_disc().resize(size).point([round(value * amount) for value in range(256)])
        part = inside.crop((left, top, left + size[0], top + size[1]))
        self.image.paste(colour, (left, top), ImageChops.multiply(soft, part))

    def finish(self) -> NDArray[np.uint8]:
        """Return the picture (side, side, 3)."""
        return np.asarray(self.image.reduce(self.scale))


@cache
def _soft_disc() -> Image.Image:
    disc = Image.new("L", (64, 64))
    ImageDraw.Draw(disc).ellipse((16, 16, 48, 48), fill=255)
    return disc.filter(ImageFilter.GaussianBlur(7))


@cache
def _hatching(size: int, gap: float, width: float) -> Image.Image:
    rows, columns = np.mgrid[:size, :size].astype(np.float32)
    place = (columns + rows * 0.8) % np.float32(gap * 1.28)
    return Image.fromarray(((place < width * 1.28) * 255).astype(np.uint8))
