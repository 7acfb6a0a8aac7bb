"""What a drawn face stands on: ears, neck, shoulders and clothes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops

from ganzoo_heads.ink import Canvas, curve, moved
from ganzoo_heads.palette import Palette
from ganzoo_heads.sketch import Sketch

Floats = NDArray[np.float32 | np.float64]
#: half of a figure from the ear down: how far out in widths of the neck or of the shoulders
#: (the first four, the rest), height, depth
_SIDE = np.array(
    [
        (1.08, 6.75, 0.35),
        (1.0, 6.30, 0.35),
        (1.0, 6.02, 0.40),
        (1.22, 5.86, 0.40),
        (0.85, 5.72, 0.30),
        (1.35, 5.58, 0.25),
        (1.75, 5.28, 0.25),
        (1.95, 4.70, 0.30),
        (2.0, 3.60, 0.30),
    ]
)
#: half of each neckline from its middle outwards: widths of the neck, height
_NECKLINES = {
    "crew": [(0, 5.54), (0.55, 5.60), (1.0, 5.74), (1.22, 5.87)],
    "vee": [(0, 5.02), (0.6, 5.42), (1.15, 5.72), (1.35, 5.86)],
    "wide": [(0, 5.25), (1.0, 5.36), (1.75, 5.62), (2.0, 5.80)],
    "shirt": [(0, 5.42), (0.45, 5.70), (0.85, 5.90), (1.12, 6.02)],
    "suit": [(0, 5.42), (0.45, 5.70), (0.85, 5.90), (1.12, 6.02)],
}


def body(canvas: Canvas, sketch: Sketch, colours: Palette, face: Floats) -> None:
    """Draw the neck with the shadow of the chin, the shoulders and the clothes."""
    thin = (0.33 + 0.13 * sketch.male) * (1 - 0.12 * sketch.child)
    broad = (0.80 + 0.16 * sketch.male) * (1 - 0.16 * sketch.child)
    wide = _SIDE[:, 0] * np.where(np.arange(len(_SIDE)) < 4, thin, broad)
    borders = [curve(sketch.screen(np.column_stack([s * wide, _SIDE[:, 1:]])), 5) for s in (-1, 1)]
    shape = np.concatenate([borders[0], borders[1][::-1]])
    inside = canvas.mask(shape)
    canvas.fill(shape, colours.skin)
    chin = canvas.mask(moved(face, 0, 0.20 * sketch.pixel))
    canvas.shadow(ImageChops.multiply(inside, chin), colours, colours.shade)
    if sketch.person.clothes == "wide":
        for s in (-1, 1):
            bone = [(s * 0.16, 5.60, 0.75), (s * 0.34, 5.66, 0.68), (s * 0.62, 5.68, 0.55)]
            canvas.stroke(curve(sketch.screen(bone), 5), colours.ink, 0.6, 0.3, 0.1)
    _clothes(canvas, sketch, colours, inside, thin, moved(face, 0, 0.62 * sketch.pixel))
    for border in borders:
        canvas.stroke(border, colours.ink, 1.1, 0.6, 1.0)
    if sketch.person.clothes in ("shirt", "suit"):
        _collar(canvas, sketch, colours, thin)


def _clothes(
    canvas: Canvas,
    sketch: Sketch,
    colours: Palette,
    inside: Image.Image,
    thin: float,
    shaded: Floats,
) -> None:
    """Draw clothes on the mask ``inside`` of a figure, with the head's shadow ``shaded``."""
    half = np.array(_NECKLINES[sketch.person.clothes])
    line = np.concatenate([half[:0:-1] * (-1, 1), half]) * (thin, 1)
    depth = 0.40 + 0.42 * np.clip(1 - (line[:, 0] / (2 * thin)) ** 2, 0, 1)
    neckline = sketch.screen(np.column_stack([line, depth]))
    if sketch.person.clothes in ("crew", "wide"):
        neckline = curve(neckline, 5)
    far = canvas.size * 1.2
    ends = [
        (far, neckline[-1, 1] - far * 0.1),
        (far, far),
        (-far * 0.2, far),
        (-far * 0.2, neckline[0, 1] - far * 0.1),
    ]
    dress = np.concatenate([neckline, ends])
    clothed = ImageChops.multiply(inside, canvas.mask(dress))
    canvas.tone(clothed, colours.cloth)
    if colours.hatched:
        low = canvas.mask(moved(dress, 0, 0.55 * sketch.pixel))
        canvas.hatch(ImageChops.multiply(clothed, low), colours.ink, 5, 0.6)
    else:
        canvas.tone(ImageChops.multiply(clothed, canvas.mask(shaded)), colours.cloth_dark)
    canvas.stroke(neckline, colours.ink, 1.0, 0.5, 0.5, inside)
    if sketch.person.clothes in ("crew", "vee"):
        hem = moved(neckline, 0, 0.07 * sketch.pixel)
        canvas.stroke(hem, colours.ink, 0.6, 0.2, 0.2, inside)


def _collar(canvas: Canvas, sketch: Sketch, colours: Palette, thin: float) -> None:
    """Draw the collar of a shirt, and the lapels of what is worn over it."""
    suit = sketch.person.clothes == "suit"
    white = colours.white if suit else colours.cloth
    if suit:
        front = [
            (-1.1, 5.85, 0.6),
            (0, 4.3, 0.95),
            (1.1, 5.85, 0.6),
            (0.4, 5.70, 0.8),
            (0, 5.42, 0.85),
        ]
        front.append((-0.4, 5.70, 0.8))
        shirt = sketch.screen(np.array(front) * (thin, 1, 1))
        canvas.fill(shirt, white)
        canvas.outline(shirt, colours.ink, 0.8)
    for s in (-1, 1):
        flap = [
            (1.03, 6.02, 0.42),
            (0.5, 5.78, 0.78),
            (0.02, 5.42, 0.86),
            (0.55, 5.22, 0.86),
            (1.28, 5.82, 0.52),
        ]
        shape = sketch.screen(np.array(flap) * (s * thin, 1, 1))
        canvas.fill(shape, white)
        canvas.outline(shape, colours.ink, 0.8)


def ears(canvas: Canvas, sketch: Sketch, colours: Palette) -> None:
    """Draw both ears; the head and its hair are drawn over them."""
    for s in (-1, 1):
        shell = np.array(
            [
                (0.70, 7.00, 0.62),
                (0.76, 7.25, 0.52),
                (0.83, 7.36, 0.42),
                (0.90, 7.31, 0.36),
                (0.91, 7.17, 0.36),
                (0.86, 7.02, 0.42),
                (0.81, 6.90, 0.50),
                (0.75, 6.85, 0.56),
            ]
        ) * (s, 1, 1)
        shape = curve(sketch.screen(shell), 5, closed=True)
        canvas.fill(shape, colours.skin)
        inner = curve(
            sketch.screen(
                np.array(
                    [(0.78, 7.22, 0.5), (0.85, 7.25, 0.42), (0.86, 7.12, 0.42), (0.80, 7.03, 0.5)]
                )
                * (s, 1, 1)
            ),
            5,
        )
        canvas.stroke(inner, colours.ink if colours.hatched else colours.shade, 1.0)
        canvas.outline(shape, colours.ink)
