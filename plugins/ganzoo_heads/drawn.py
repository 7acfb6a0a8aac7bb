"""The drawn twin of a photo: the same head as an artist would draw it, in flat tones and ink."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ganzoo_heads import features, figure, locks, palette, photo, tresses
from ganzoo_heads.ink import Canvas, curve, even
from ganzoo_heads.light import light_of
from ganzoo_heads.sketch import EYES_AT, Sketch

Floats = NDArray[np.float32 | np.float64]
STYLES = {"anime": palette.anime, "anime-white": palette.anime_on_white, "ink": palette.paper}
_PIXELS = 640  # of a canvas at least, so that lines are smooth


def draw(head: photo.Head, style: str = "anime") -> NDArray[np.uint8]:
    """Draw ``head`` at its camera's side: (n, n, 3).  ``style`` is one of ``STYLES``."""
    if style not in STYLES:
        raise ValueError(f"style={style!r}: heads are drawn as {' or '.join(STYLES)}.")
    side = head.camera.side
    sketch = Sketch(head, max(2, -(-_PIXELS // side)))
    colours = STYLES[style](head.person)
    ground = Image.fromarray(np.array(colours.ground, np.uint8)[:, None])
    canvas = Canvas(side, ground, sketch.scale)
    hair = locks.style(head, sketch)
    key = light_of(head.person).key.way
    tresses.paint_back(canvas, sketch, colours, hair)
    face = sketch.face()
    figure.body(canvas, sketch, colours, face)
    figure.ears(canvas, sketch, colours)
    skin = features.face(canvas, sketch, colours, face, key)
    features.beard(canvas, sketch, colours, skin)
    features.nose(canvas, sketch, colours, key)
    features.mouth(canvas, sketch, colours)
    front = tresses.front(sketch, hair)
    tresses.cast(canvas, sketch, colours, front, skin)
    for eye in (-1, 1):
        features.eye(canvas, sketch, colours, eye, key)
    tresses.paint_front(canvas, sketch, colours, front)
    for eye in (-1, 1):
        features.brow(canvas, sketch, colours, eye)
    if head.person.glasses:
        features.glasses(canvas, sketch, colours)
    return canvas.finish()


def landmarks(head: photo.Head) -> Floats:
    """Return the 68 points (68, 2) of 300-W of the drawing, in pixels of the picture.

    The eyes lie around the photo's eyeballs and are larger; the mouth lies at the photo's and is
    smaller; the jaw is the drawing's contour, whose chin lies a little above the photo's.
    """
    sketch = Sketch(head, 1)
    left, right = (curve(border[4:], 8) for border in sketch.contour())
    jaw = np.concatenate([even(left, 9), even(right, 9)[-2::-1]])
    groups = [jaw]
    for side in (-1, 1):
        line = sketch.on_eyes(sketch.brow_line(side))
        groups.append(line[::-1] if side < 0 else line)
    bridge = np.linspace(EYES_AT[1] - 0.02, sketch.nose, 4)
    out = np.linspace(0.0, 0.20, 4)
    groups.append(
        np.concatenate([sketch.on_face([(0.0, y)], o) for y, o in zip(bridge, out, strict=True)])
    )
    under = np.linspace(-0.09, 0.09, 5)
    groups.append(
        sketch.screen(
            sketch.surface(np.column_stack([under, np.full(5, sketch.nose - 0.07)]))
            + np.column_stack([0 * under, 0 * under, 0.12 - 8 * under**2])
        )
    )
    for side in (-1, 1):
        up, low = sketch.lids(side)
        points = np.stack([up[0], up[2], up[4], up[6], low[4], low[2]])
        groups.append(sketch.on_eyes(points[[3, 2, 1, 0, 5, 4]] if side < 0 else points))
    top, below = sketch.mouth()
    low = top - (0, 0.012) if below is None else below
    outer = np.concatenate([top, low[-2:0:-1]])
    inner = np.stack([top[0], top[2], top[3], top[4], top[6], low[4], low[3], low[2]])
    groups.append(sketch.on_face(np.concatenate([outer, inner])))
    return np.concatenate(groups).astype(np.float32)
