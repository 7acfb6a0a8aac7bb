"""A drawn face: its skin and shadow, and its features from the beard to the glasses."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw

from ganzoo_heads.ink import Canvas, curve, moved, ribbon
from ganzoo_heads.palette import Palette
from ganzoo_heads.sketch import EYES_AT, Sketch

Floats = NDArray[np.float32 | np.float64]


def face(
    canvas: Canvas, sketch: Sketch, colours: Palette, contour: Floats, key: Floats
) -> Image.Image:
    """Draw the skin, its shadow away from the key light, blush and freckles; return its mask."""
    canvas.fill(contour, colours.skin)
    skin = canvas.mask(contour)
    step = 0.10 * sketch.pixel
    if not colours.hatched:
        lit = canvas.mask(moved(contour, -step if key[0] < 0 else step, -0.35 * step))
        canvas.tone(ImageChops.subtract(skin, lit), colours.shade)
    for s in (-1, 1):
        x = s * (sketch.apart + 0.10)
        if colours.hatched:
            for across in (x - 0.06, x, x + 0.06):
                line = sketch.on_face([(across + 0.02, 7.0), (across - 0.02, 6.94)])
                canvas.stroke(curve(line, 4), colours.ink, 0.5)
        else:
            wide = 0.17 * (1 - 0.3 * abs(np.sin(np.radians(sketch.person.yaw))))
            radii = (wide * sketch.pixel, 0.09 * sketch.pixel)
            middle = sketch.on_face([(x, 6.98)])[0]
            strength = (0.48 - 0.26 * sketch.male) * (0.55 + 0.9 * sketch.person.blush)
            canvas.glow(middle, radii, colours.blush, strength, skin)
        if sketch.person.freckles:
            _freckles(canvas, sketch, colours, s)
    canvas.outline(contour, colours.ink, 1.1)
    return skin


def _freckles(canvas: Canvas, sketch: Sketch, colours: Palette, side: int) -> None:
    """Draw a few dots on a cheek, each where the others leave room."""
    turn = np.linspace(0, 2 * np.pi, 9)
    dot = np.column_stack([np.cos(turn), np.sin(turn)]) * 0.014 * sketch.pixel
    colour = colours.ink if colours.hatched else colours.shade
    for across, y in ((0.16, 7.01), (0.24, 6.95), (0.26, 7.04), (0.33, 6.99), (0.40, 7.04)):
        canvas.fill(sketch.on_face([(side * across, y)]) + dot, colour)


#: where beards end above, from the middle outwards, and how strong they are
_BEARDS = {
    "stubble": (
        [(0, 6.79), (0.24, 6.76), (0.42, 6.66), (0.62, 6.80), (0.66, 7.05), (0.80, 7.15)],
        0.30,
    ),
    "full": ([(0, 6.79), (0.22, 6.77), (0.36, 6.66), (0.56, 6.74), (0.64, 7.0), (0.80, 7.15)], 0.9),
    "goatee": (
        [(0, 6.79), (0.2, 6.76), (0.26, 6.62), (0.24, 6.45), (0.22, 6.30), (0.20, 6.0)],
        0.85,
    ),
    "moustache": ([(0, 6.80), (0.10, 6.80), (0.22, 6.74), (0.30, 6.64)], 0.9),
}


def beard(canvas: Canvas, sketch: Sketch, colours: Palette, skin: Image.Image) -> None:
    """Draw a beard; stubble is a tone."""
    cut = sketch.person.beard_cut
    if cut not in _BEARDS:
        return
    half, strength = _BEARDS[cut]
    rim = np.array(half)
    below = [(0.95, 6.6), (0.6, sketch.chin - 0.1), (0, sketch.chin - 0.2)]
    if cut == "goatee":
        below = [(0, sketch.chin - 0.2)]
    if cut == "moustache":
        below = [(0.16, 6.67), (0, 6.70)]
    right = np.concatenate([curve(rim, 5), below])
    shape = np.concatenate([right[::-1] * (-1, 1), right])
    lips = [(-0.2, 6.63), (0, 6.68), (0.2, 6.63), (0.14, 6.53), (0, 6.50), (-0.14, 6.53)]
    mask = ImageChops.multiply(canvas.mask(sketch.on_face(shape)), skin)
    mask = ImageChops.subtract(mask, canvas.mask(curve(sketch.on_face(lips), 5, closed=True)))
    if colours.hatched:
        canvas.hatch(mask, colours.ink, 2.4, 0.8)
    else:
        canvas.tone(mask, colours.dark, strength)


def nose(canvas: Canvas, sketch: Sketch, colours: Palette, key: Floats) -> None:
    """Draw the nose: a shadow on its dark side, a short line, and the folds of age around it."""
    away = 1.0 if key[0] < 0 else -1.0
    if abs(sketch.person.yaw) > 14:
        away = float(np.sign(sketch.person.yaw))
    y = sketch.nose

    def at(places: list[tuple[float, float, float]]) -> Floats:
        flat = np.array(places)
        return sketch.screen(
            sketch.surface(flat[:, :2]) + np.column_stack([0 * flat[:, :2], flat[:, 2]])
        )

    faint = colours.ink if colours.hatched else colours.shade
    if not colours.hatched:
        side = [(0.0, y, 0.19), (away * 0.085, y - 0.045, 0.05), (0.0, y - 0.075, 0.12)]
        canvas.fill(at(side), colours.shade)
    tip = [
        (-0.012 * away, y + 0.01, 0.20),
        (0.02 * away, y - 0.045, 0.19),
        (-0.02 * away, y - 0.07, 0.12),
    ]
    canvas.stroke(curve(at(tip), 5), colours.ink, 0.75, 0.15, 0.3)
    if sketch.male > 0.5 or colours.hatched:
        bridge = [(0.07 * away, 7.20, 0.03), (0.045 * away, 7.08, 0.10)]
        bridge.append((0.03 * away, y + 0.04, 0.17))
        canvas.stroke(curve(at(bridge), 5), faint, 0.8, 0.1, 0.4)
    if sketch.person.age > 55:
        for s in (-1, 1):
            fold = sketch.on_face([(s * 0.17, 6.90), (s * 0.26, 6.79), (s * 0.30, 6.68)])
            canvas.stroke(curve(fold, 5), faint, 0.8, 0.2, 0.1)
            bag = sketch.on_face([(s * 0.20, 7.03), (s * 0.30, 6.99), (s * 0.42, 7.03)])
            canvas.stroke(curve(bag, 5), faint, 0.7, 0.1, 0.1)


def mouth(canvas: Canvas, sketch: Sketch, colours: Palette) -> None:
    """Draw the mouth: a line, or an opening with teeth and tongue."""
    top, below = sketch.mouth()
    upper = curve(sketch.on_face(top), 5)
    if sketch.person.lips != "bare":
        u = np.linspace(-1, 1, len(top))
        bow = 0.030 * np.sqrt(1 - u**2) * (1 - 0.35 * np.exp(-((u / 0.18) ** 2)))
        under = top if below is None else below
        edges = (top + np.column_stack([0 * u, bow]), under - np.column_stack([0 * u, 1.6 * bow]))
        rims = [curve(sketch.on_face(edge), 5) for edge in edges]
        canvas.fill(np.concatenate([rims[0], rims[1][::-1]]), colours.lips)
    if below is None:
        canvas.stroke(upper, colours.ink, 1.0, 0.45, 0.45)
        lip = sketch.on_face([(-0.05, 6.55), (0, 6.545), (0.05, 6.55)])
        canvas.stroke(
            curve(lip, 5), colours.ink if colours.hatched else colours.shade, 1.0, 0.2, 0.2
        )
        return
    lower = curve(sketch.on_face(below), 5)
    shape = np.concatenate([upper, lower[::-1]])
    opening = canvas.mask(shape)
    canvas.fill(shape, colours.mouth)
    middle = lower[len(lower) // 2]
    if sketch.person.expression != "surprised":
        height = float(middle[1] - upper[len(upper) // 2, 1])
        teeth = np.concatenate([upper, moved(upper[::-1], 0, 0.2 * height)])
        canvas.tone(ImageChops.multiply(opening, canvas.mask(teeth)), colours.white)
    wide = 0.11 * sketch.pixel
    round_ = np.linspace(0, 2 * np.pi, 24)
    tongue = middle + np.column_stack([wide * np.cos(round_), 0.6 * wide * np.sin(round_)])
    canvas.tone(ImageChops.multiply(opening, canvas.mask(tongue)), colours.tongue)
    canvas.outline(shape, colours.ink, 0.75)


def eye(canvas: Canvas, sketch: Sketch, colours: Palette, side: int, key: Floats) -> None:
    """Draw an eye: white, iris, lashes, crease and lower line."""
    up, low = sketch.lids(side)
    upper, lower = (curve(sketch.on_eyes(lid), 6) for lid in (up, low))
    if sketch.closed(side):
        canvas.stroke(upper, colours.ink, 2.0, 0.3, 0.5)
        return
    lash = sketch.pixel * (0.062 - 0.018 * sketch.male)
    shape = np.concatenate([upper, lower[::-1]])
    canvas.fill(shape, colours.white)
    lid = np.concatenate([upper, moved(upper[::-1], 0, lash * 1.5)])
    _iris(canvas, sketch, colours, side, shape, lid, key)
    # the upper lashes swell towards the outer corner and end in a flick
    share = np.linspace(0, 1, len(upper))
    flick = sketch.on_eyes(up[-1:] + np.array([[side * 0.045, 0.055 * (1 - sketch.male)]]))
    thick = lash * (0.25 + 0.95 * share**0.8) + 1
    outer = np.concatenate([upper - np.column_stack([0 * share, thick]), flick])
    canvas.fill(np.concatenate([outer, moved(upper[::-1], 0, lash * 0.25)]), colours.ink)
    canvas.stroke(lower[len(lower) * 2 // 5 :], colours.ink, 0.85, 0.1, 0.7)
    crease = curve(sketch.on_eyes(up[1:6] + np.array([0, 0.075])), 5)
    canvas.stroke(crease, colours.ink if colours.hatched else colours.shade, 0.7, 0.1, 0.2)


def _iris(
    canvas: Canvas,
    sketch: Sketch,
    colours: Palette,
    side: int,
    shape: Floats,
    lid: Floats,
    key: Floats,
) -> None:
    """Draw what lies inside the ``shape`` of an eye, under the shadow of its ``lid``."""
    left, top = (int(v) for v in np.floor(shape.min(axis=0)) - 2)
    right, bottom = (int(v) for v in np.ceil(shape.max(axis=0)) + 2)
    box = (left, top, right, bottom)
    opening = canvas.mask(shape).crop(box)
    at, wide, high = sketch.eye(side)
    gaze = sketch.person.gaze
    x, y = at - 0.01 * side + 0.0042 * gaze[0], EYES_AT[1] + 0.004 * gaze[1] + 0.02 * high
    turn = np.linspace(0, 2 * np.pi, 32)

    def within(points: Floats, strength: int = 255) -> Image.Image:
        mask = Image.new("L", opening.size)
        ImageDraw.Draw(mask).polygon((points - (left, top)).ravel().tolist(), fill=strength)
        return ImageChops.multiply(mask, opening)

    def disc(across: float, up: float, width: float, height: float) -> Image.Image:
        columns = x + wide * (across + width * np.cos(turn))
        rows = y + high * (up + height * np.sin(turn))
        return within(sketch.on_eyes(np.column_stack([columns, rows])))

    dark, middle, light = colours.iris
    small = 0.84 if sketch.person.expression == "surprised" else 1.0
    canvas.image.paste(dark, box, disc(0, 0, 0.70 * small, 0.98 * small))
    inner = disc(0, -0.02, 0.62 * small, 0.90 * small)
    canvas.gradient(inner, [dark, middle, middle, light], box)
    canvas.image.paste(dark, box, disc(0, 0.04, 0.29 * small, 0.44 * small))
    canvas.image.paste(light, box, disc(0, -0.62, 0.34, 0.14))
    canvas.image.paste(colours.ink, box, within(lid, 95))
    lit = -1.0 if key[0] < 0 else 1.0
    canvas.image.paste(colours.white, box, disc(0.26 * lit, 0.40, 0.20, 0.24))
    canvas.image.paste(colours.white, box, disc(-0.28 * lit, -0.42, 0.10, 0.13))


def brow(canvas: Canvas, sketch: Sketch, colours: Palette, side: int) -> None:
    """Draw a brow; it shows through a fringe."""
    line = curve(sketch.on_eyes(sketch.brow_line(side)), 5)
    share = np.linspace(0, 1, len(line))
    thick = sketch.pixel * (0.038 + 0.040 * sketch.male) * (1 - 0.3 * sketch.child)
    left, right = ribbon(
        line, thick * np.clip(1.15 - share, 0, 1) ** 0.7 * np.clip(share * 6 + 0.35, 0, 1)
    )
    canvas.fill(
        np.concatenate([left, right[::-1]]), colours.ink if colours.hatched else colours.hair_ink
    )


def glasses(canvas: Canvas, sketch: Sketch, colours: Palette) -> None:
    """Draw glasses around both eyes, their bridge and their temples."""
    turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    c, s = (np.sign(f(turn)) * np.abs(f(turn)) ** 0.7 for f in (np.cos, np.sin))
    inner = []
    for side in (-1, 1):
        middle, wide, high = sketch.eye(side)
        flat = np.column_stack(
            [
                middle + 0.02 * side + (wide + 0.055) * c,
                EYES_AT[1] - 0.02 + (high + 0.035) * s,
            ]
        )
        rim = sketch.screen(np.column_stack([flat, 1.48 - 0.5 * flat[:, 0] ** 2]))
        canvas.tone(canvas.mask(rim), colours.white, 0.08)
        canvas.outline(rim, colours.ink, 1.25)
        inner.append(middle - side * (wide + 0.03))
        end = middle + side * (wide + 0.07)
        arm = sketch.screen([(end, 7.30, 1.48 - 0.5 * end**2), (side * 0.80, 7.31, 0.75)])
        canvas.stroke(arm, colours.ink, 1.2, 1, 1)
    bridge = sketch.screen([(inner[0], 7.30, 1.48), (0, 7.335, 1.54), (inner[1], 7.30, 1.48)])
    canvas.stroke(curve(bridge, 5), colours.ink, 1.2, 1, 1)
