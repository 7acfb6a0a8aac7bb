"""Cut what is drawn out of its plain ground, so that a photo shows around it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Mask = NDArray[np.bool_]

#: Colours differ by their channel that differs most, of 255. Up to NEAR they are one.
NEAR = 24
#: Pixels next to the ground are mixed with it; from this difference on they have nothing of it.
FAR = 200
#: A ground covers this share of the border, or there is none.
LEAST = 0.3
#: The subject covers the middle of the picture, this far from its centre, in shares of the side.
MIDDLE = 0.15


def cut_out(drawing: Image.Image) -> Image.Image:
    """Return a drawing as RGBA, transparent where its plain ground is.

    The ground is what reaches the border in the border's commonest colour, and all that it cuts
    off from the subject in the middle.  Pixels between the two are transparent in part.  A drawing
    without a plain ground stays opaque, and so does one whose ground reaches the middle: a drawing
    of lines.
    """
    pixels = np.asarray(drawing.convert("RGB")).astype(np.int16)
    opaque = drawing.convert("RGBA")
    colour = _border_colour(pixels)
    if colour is None:
        return opaque
    difference = np.abs(pixels - colour).max(axis=2)
    edge, middle = np.ones(difference.shape, bool), np.zeros(difference.shape, bool)
    edge[1:-1, 1:-1] = False
    height, width = difference.shape
    y, x = round(MIDDLE * height), round(MIDDLE * width)
    middle[height // 2 - y : height // 2 + y + 1, width // 2 - x : width // 2 + x + 1] = True
    ground = _flood(difference <= NEAR, edge)
    if (ground & middle).any():
        return opaque
    ground = ~_flood(~ground, middle)
    beside = Image.fromarray(ground).convert("L").filter(ImageFilter.MaxFilter(5))
    share = np.where(np.asarray(beside) > 0, ((difference - NEAR) / (FAR - NEAR)).clip(0, 1), 1)
    share[ground] = 0
    # a pixel is share * subject + (1 - share) * ground: take the ground out of it
    subject = (pixels - (1 - share[..., None]) * colour) / share.clip(1 / 255, 1)[..., None]
    layers = np.dstack([subject.clip(0, 255), 255 * share])
    return Image.fromarray(np.rint(layers).astype(np.uint8))


def _border_colour(pixels: NDArray[np.int16]) -> NDArray[np.float64] | None:
    """Return the colour that most of the border has, or None if no colour has enough of it."""
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    some = border[:: 1 + len(border) // 500]
    alike = np.abs(some[:, None] - some).max(axis=2) <= NEAR
    most = alike[alike.sum(axis=1).argmax()]
    return some[most].mean(axis=0) if most.mean() >= LEAST else None


def _flood(allowed: Mask, start: Mask) -> Mask:
    """Return the pixels that are joined to ``start`` by allowed ones, side by side."""
    reached, count = allowed & start, -1
    while (total := int(reached.sum())) != count:
        count = total
        reached = _along_rows(allowed, reached)
        reached = _along_rows(allowed.T, reached.T).T
    return reached


def _along_rows(allowed: Mask, reached: Mask) -> Mask:
    """Return the runs of allowed pixels in a row that hold a reached one."""
    walls = np.pad(~allowed, ((0, 0), (1, 0)), constant_values=True)
    runs = walls.ravel().cumsum().reshape(walls.shape)[:, 1:]
    hit = np.zeros(int(runs.max()) + 1, bool)
    hit[runs[reached]] = True
    joined: Mask = allowed & hit[runs]
    return joined
