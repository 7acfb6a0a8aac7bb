"""The drawn twin of a photo: the same head as an artist would draw it, in flat tones and ink."""

from __future__ import annotations

import colorsys

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw

from ganzoo_heads import locks as lay
from ganzoo_heads import clothes, photo
from ganzoo_heads.ink import Canvas, Colour, Palette, curve, even, rgb, ribbon
from ganzoo_heads.light import light_of
from ganzoo_heads.people import EYES
from ganzoo_heads.sketch import EYES_AT, Sketch

Floats = NDArray[np.float32]
STYLES = ("anime", "ink")
_PIXELS = 640  # of a canvas at least, so that lines are smooth


def draw(head: photo.Head, style: str = "anime") -> NDArray[np.uint8]:
    """Draw ``head`` at its camera's side: (n, n, 3).  ``style`` is one of ``STYLES``."""
    if style not in STYLES:
        raise ValueError(f"style={style!r}: heads are drawn as {' or '.join(STYLES)}.")
    side = head.camera.side
    sketch = Sketch(head, max(2, -(-_PIXELS // side)))
    colours = _paper(head) if style == "ink" else _colours(head)
    ground = Image.fromarray(np.array(colours.ground, np.uint8)[:, None])
    canvas = Canvas(side, ground, sketch.scale)
    hair = lay.style(head, sketch)
    key = light_of(head.person).key.way
    lay.paint_back(canvas, sketch, colours, hair)
    face = sketch.face()
    _body(canvas, sketch, colours, face)
    _ears(canvas, sketch, colours)
    skin = _face(canvas, sketch, colours, face, key)
    _beard(canvas, sketch, colours, skin)
    _nose(canvas, sketch, colours, key)
    _mouth(canvas, sketch, colours)
    front = lay.front(sketch, hair)
    lay.cast(canvas, sketch, colours, front, skin)
    for eye in (-1, 1):
        _eye(canvas, sketch, colours, eye, key)
    lay.paint_front(canvas, sketch, colours, front)
    for eye in (-1, 1):
        _brow(canvas, sketch, colours, eye)
    if head.person.glasses:
        _glasses(canvas, sketch, colours)
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


def _toned(colour: object, light: float = 1.0, rich: float = 1.0, turn: float = 0.0) -> Floats:
    """Return an sRGB colour with its value and saturation multiplied and its hue turned."""
    hue, saturation, value = colorsys.rgb_to_hsv(*np.asarray(colour, float).clip(0, 1))
    return np.array(
        colorsys.hsv_to_rgb((hue + turn) % 1, min(1, saturation * rich), min(1, value * light))
    )


def _cloth(head: photo.Head) -> Floats:
    """Return the colour of the photo's clothes."""
    at = np.linspace((-0.3, 4.6, 1.0), (0.3, 5.2, 1.0), 24, dtype=np.float32)
    albedo, _ = clothes.paint(head.person, at, np.zeros_like(at))
    return np.median(albedo, axis=0).clip(0, 1) ** (1 / 2.2)


def _colours(head: photo.Head) -> Palette:
    """Return the colours of an anime drawing of ``head``."""
    person = head.person
    rng = np.random.default_rng([person.seed, 9])
    tone = np.array(person.skin)
    pale = 0.22 * float(tone.mean()) ** 1.5
    skin = _toned(tone * (1 - pale) + pale * np.array([1.0, 0.93, 0.88]), 1.08, 1.08)
    bright = float(skin.mean())
    hair = np.array(person.hair_colour)
    base = _toned(hair**0.85, 1.08, 1.15) * 0.92 + (0.075, 0.06, 0.085)
    base = np.minimum(base, (0.93, 0.92, 0.95))
    iris = _toned(np.array(EYES[person.eyes]), 1.5, 1.25)
    ink = np.array([0.16, 0.09, 0.10]) if bright > 0.45 else np.array([0.10, 0.05, 0.06])
    hue = rng.random()
    quiet = rng.random() < 0.72
    ground = colorsys.hsv_to_rgb(
        hue,
        rng.uniform(0.05, 0.22) if quiet else rng.uniform(0.25, 0.5),
        rng.uniform(0.9, 1.0) if quiet else rng.uniform(0.55, 0.85),
    )
    cloth = np.clip(_toned(_cloth(head), 1.12, 1.3), 0.08, 0.97)
    return Palette(
        skin=rgb(skin),
        shade=rgb(skin * np.array([0.86, 0.71, 0.70])),
        blush=rgb(skin * np.array([1.0, 0.66, 0.64])),
        hair=rgb(base),
        dark=rgb(_toned(base, 0.66, 1.15, 0.015)),
        light=rgb(
            np.array(base) * 0.6
            + 0.4 * (0.5 * _toned(base, 1.5, 0.8) + 0.5 * np.array([0.93, 0.92, 0.97]))
        ),
        ink=rgb(ink),
        hair_ink=rgb(_toned(base, 0.38, 1.2)),
        cloth=rgb(cloth),
        cloth_dark=rgb(cloth * np.array([0.74, 0.70, 0.78])),
        iris=(rgb(_toned(iris, 0.42, 1.1)), rgb(iris), rgb(_toned(iris, 1.55, 0.75))),
        white=(252, 251, 252) if bright > 0.5 else (240, 238, 238),
        mouth=rgb((0.56, 0.16, 0.17)),
        tongue=rgb((0.92, 0.50, 0.50)),
        ground=(rgb(ground), rgb(_toned(ground, 1.0 if quiet else 1.25, 0.5))),
        hatched=False,
    )


def _paper(head: photo.Head) -> Palette:
    """Return the greys of an ink drawing of ``head``."""
    hair = float(np.mean(head.person.hair_colour))
    skin = float(np.mean(head.person.skin))

    def grey(value: float) -> Colour:
        return rgb(np.array([1.0, 0.985, 0.95]) * value)

    paper = grey(0.97)
    tone = 0.12 if hair < 0.16 else 0.55 if hair < 0.35 else 0.94
    face = grey(0.97 if skin > 0.55 else 0.80 if skin > 0.33 else 0.62)
    cloth = 0.97 if float(_cloth(head).mean()) > 0.4 else 0.42
    black = grey(0.09)
    return Palette(
        skin=face, shade=black, blush=grey(0.6), hair=grey(tone), dark=grey(tone * 0.62 if tone < 0.9 else 0.72),
        light=grey(0.97 if tone > 0.2 else 0.55), ink=black, hair_ink=black if tone > 0.2 else grey(0.5),
        cloth=grey(cloth), cloth_dark=black, iris=(black, grey(0.28), grey(0.62)), white=grey(0.99),
        mouth=grey(0.2), tongue=grey(0.75), ground=(paper, paper), hatched=True,
    )  # fmt: skip


def _moved(shape: Floats, x: float, y: float) -> Floats:
    return shape + np.array([x, y], np.float32)


def _body(canvas: Canvas, sketch: Sketch, colours: Palette, face: Floats) -> None:
    """Draw the neck with the chin's shadow, the shoulders and the clothes."""
    person = sketch.person
    thin = (0.33 + 0.13 * sketch.male) * (1 - 0.12 * sketch.child)
    broad = (0.80 + 0.16 * sketch.male) * (1 - 0.16 * sketch.child)
    side = np.array(
        [(thin * 1.08, 6.75), (thin, 6.3), (thin, 6.02), (thin * 1.22, 5.86), (0.85 * broad, 5.72), (1.35 * broad, 5.58), (1.75 * broad, 5.28), (1.95 * broad, 4.7), (2.0 * broad, 3.6)]
    )  # fmt: skip
    depth = np.array([0.35, 0.35, 0.4, 0.4, 0.3, 0.25, 0.25, 0.3, 0.3])
    borders = [
        curve(sketch.screen(np.column_stack([s * side[:, 0], side[:, 1], depth])), 5)
        for s in (-1, 1)
    ]
    body = np.concatenate([borders[0], borders[1][::-1]])
    canvas.fill(body, colours.skin)
    below = _moved(face, 0, 0.20 * sketch.pixel)
    inside = canvas.mask(body)
    shadow = ImageChops.multiply(inside, canvas.mask(below))
    canvas.shadow(shadow, colours, colours.shade)
    kind = np.random.default_rng([person.seed, 5]).choice(["crew", "vee", "wide"])
    line = {
        "crew": [
            (-1.22, 5.87),
            (-1.0, 5.74),
            (-0.55, 5.60),
            (0, 5.54),
            (0.55, 5.60),
            (1.0, 5.74),
            (1.22, 5.87),
        ],
        "vee": [
            (-1.35, 5.86),
            (-1.15, 5.72),
            (-0.6, 5.42),
            (0, 5.02),
            (0.6, 5.42),
            (1.15, 5.72),
            (1.35, 5.86),
        ],
        "wide": [
            (-2.0, 5.80),
            (-1.75, 5.62),
            (-1.0, 5.36),
            (0, 5.25),
            (1.0, 5.36),
            (1.75, 5.62),
            (2.0, 5.80),
        ],
    }[str(kind)]
    collar = np.array(line) * (thin, 1)
    z = 0.40 + 0.42 * np.clip(1 - (collar[:, 0] / (2 * thin)) ** 2, 0, 1)
    neckline = curve(sketch.screen(np.column_stack([collar, z])), 5)
    if kind == "vee":
        neckline = sketch.screen(np.column_stack([collar, z]))
    foot = canvas.size * 1.2
    dress = np.concatenate(
        [
            neckline,
            [
                [foot, neckline[-1, 1] - foot * 0.1],
                [foot, foot],
                [-foot * 0.2, foot],
                [-foot * 0.2, neckline[0, 1] - foot * 0.1],
            ],
        ]
    )
    clothed = ImageChops.multiply(inside, canvas.mask(dress))
    canvas.tone(clothed, colours.cloth)
    if colours.hatched:
        canvas.hatch(
            ImageChops.multiply(clothed, canvas.mask(_moved(dress, 0, 0.55 * sketch.pixel))),
            colours.ink,
            5,
            0.6,
        )
    else:
        canvas.tone(
            ImageChops.multiply(clothed, canvas.mask(_moved(face, 0, 0.62 * sketch.pixel))),
            colours.cloth_dark,
        )
    band = _moved(neckline, 0, 0.07 * sketch.pixel)
    for border in borders:
        canvas.stroke(border, colours.ink, 1.1, 0.6, 1.0)
    canvas.stroke(neckline, colours.ink, 1.0, 0.5, 0.5, inside)
    canvas.stroke(band, colours.ink, 0.6, 0.2, 0.2, inside)
    for s in (-1, 1):
        bone = curve(
            sketch.screen([(s * 0.16, 5.60, 0.75), (s * 0.34, 5.66, 0.68), (s * 0.62, 5.68, 0.55)]),
            5,
        )
        if kind == "wide":
            canvas.stroke(bone, colours.ink, 0.6, 0.3, 0.1)


def _ears(canvas: Canvas, sketch: Sketch, colours: Palette) -> None:
    """Draw both ears; the head and its hair are drawn over them."""
    for s in (-1, 1):
        shell = np.array(
            [(0.70, 7.00, 0.62), (0.76, 7.25, 0.52), (0.83, 7.36, 0.42), (0.90, 7.31, 0.36), (0.91, 7.17, 0.36), (0.86, 7.02, 0.42), (0.81, 6.90, 0.50), (0.75, 6.85, 0.56)]
        ) * (s, 1, 1)  # fmt: skip
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


def _face(
    canvas: Canvas, sketch: Sketch, colours: Palette, face: Floats, key: Floats
) -> Image.Image:
    """Draw the head's skin, its shadow away from the key light, and the blush; return its mask."""
    canvas.fill(face, colours.skin)
    skin = canvas.mask(face)
    step = 0.10 * sketch.pixel
    away = -1.0 if key[0] < 0 else 1.0
    lit = canvas.mask(_moved(face, away * step, -0.35 * step))
    if not colours.hatched:
        canvas.tone(ImageChops.subtract(skin, lit), colours.shade)
    for s in (-1, 1):
        middle = sketch.on_face([(s * (sketch.apart + 0.10), 6.98)])[0]
        across = 0.17 * sketch.pixel * (1 - 0.3 * abs(np.sin(np.radians(sketch.person.yaw))))
        if colours.hatched:
            for i in (-1, 0, 1):
                line = sketch.on_face(
                    [
                        (s * (sketch.apart + 0.1) + 0.06 * i + 0.02, 7.0),
                        (s * (sketch.apart + 0.1) + 0.06 * i - 0.02, 6.94),
                    ]
                )
                canvas.stroke(curve(line, 4), colours.ink, 0.5)
        else:
            canvas.glow(middle, (across, 0.09 * sketch.pixel), colours.blush, 0.45, skin)
    canvas.outline(face, colours.ink, 1.1)
    return skin


def _beard(canvas: Canvas, sketch: Sketch, colours: Palette, skin: Image.Image) -> None:
    """Draw a beard along the jaw, and its moustache; a short one is a tone."""
    person = sketch.person
    if not person.beard:
        return
    chin = sketch.chin
    rim = [
        (-0.80, 7.15),
        (-0.66, 7.05),
        (-0.62, 6.80),
        (-0.42, 6.66),
        (-0.24, 6.76),
        (0, 6.79),
        (0.24, 6.76),
        (0.42, 6.66),
        (0.62, 6.80),
        (0.66, 7.05),
        (0.80, 7.15),
    ]
    outer = [(0.95, 6.6), (0.6, chin - 0.1), (0, chin - 0.2), (-0.6, chin - 0.1), (-0.95, 6.6)]
    shape = np.concatenate([curve(sketch.on_face(rim), 5), sketch.on_face(outer)])
    lips = curve(
        sketch.on_face(
            [(-0.2, 6.63), (0, 6.68), (0.2, 6.63), (0.14, 6.53), (0, 6.50), (-0.14, 6.53)]
        ),
        5,
        closed=True,
    )
    mask = ImageChops.subtract(ImageChops.multiply(canvas.mask(shape), skin), canvas.mask(lips))
    if colours.hatched:
        canvas.hatch(mask, colours.ink, 2.4, 0.8)
        return
    canvas.tone(mask, colours.dark, 0.30 + 0.62 * person.beard**1.5)


def _nose(canvas: Canvas, sketch: Sketch, colours: Palette, key: Floats) -> None:
    """Draw the nose: a shadow on its dark side, and a short line below or along its bridge."""
    away = 1.0 if key[0] < 0 else -1.0
    if abs(sketch.person.yaw) > 14:
        away = float(np.sign(sketch.person.yaw))
    y = sketch.nose

    def at(places: list[tuple[float, float, float]]) -> Floats:
        flat = np.array(places)
        return sketch.screen(
            sketch.surface(flat[:, :2]) + np.column_stack([0 * flat[:, :2], flat[:, 2]])
        )

    if not colours.hatched:
        canvas.fill(
            at([(0.0, y + 0.0, 0.19), (away * 0.085, y - 0.045, 0.05), (0.0, y - 0.075, 0.12)]),
            colours.shade,
        )
    canvas.stroke(
        curve(
            at(
                [
                    (-0.012 * away, y + 0.01, 0.20),
                    (0.02 * away, y - 0.045, 0.19),
                    (-0.02 * away, y - 0.07, 0.12),
                ]
            ),
            5,
        ),
        colours.ink,
        0.75,
        0.15,
        0.3,
    )
    if sketch.male > 0.5 or colours.hatched:
        line = at(
            [(0.07 * away, 7.20, 0.03), (0.045 * away, 7.08, 0.10), (0.03 * away, y + 0.04, 0.17)]
        )
        canvas.stroke(
            curve(line, 5), colours.ink if colours.hatched else colours.shade, 0.8, 0.1, 0.4
        )
    if sketch.person.age > 55:
        for s in (-1, 1):
            fold = sketch.on_face([(s * 0.17, 6.90), (s * 0.26, 6.79), (s * 0.30, 6.68)])
            canvas.stroke(
                curve(fold, 5), colours.ink if colours.hatched else colours.shade, 0.8, 0.2, 0.1
            )
            bag = sketch.on_face([(s * 0.20, 7.03), (s * 0.30, 6.99), (s * 0.42, 7.03)])
            canvas.stroke(
                curve(bag, 5), colours.ink if colours.hatched else colours.shade, 0.7, 0.1, 0.1
            )


def _mouth(canvas: Canvas, sketch: Sketch, colours: Palette) -> None:
    """Draw the mouth: a line, or an opening with teeth and tongue."""
    top, below = sketch.mouth()
    upper = curve(sketch.on_face(top), 5)
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
        teeth = np.concatenate([upper, _moved(upper[::-1], 0, 0.2 * height)])
        canvas.tone(ImageChops.multiply(opening, canvas.mask(teeth)), colours.white)
    wide = 0.11 * sketch.pixel
    round_ = np.linspace(0, 2 * np.pi, 24)
    tongue = middle + np.column_stack([wide * np.cos(round_), 0.6 * wide * np.sin(round_)])
    canvas.tone(ImageChops.multiply(opening, canvas.mask(tongue)), colours.tongue)
    canvas.outline(shape, colours.ink, 0.75)


def _eye(canvas: Canvas, sketch: Sketch, colours: Palette, side: int, key: Floats) -> None:
    """Draw an eye: white, iris with pupil and highlights, lashes, crease and lower line."""
    up, low = sketch.lids(side)
    upper, lower = (curve(sketch.on_eyes(lid), 6) for lid in (up, low))
    at, wide, high = sketch.eye(side)
    lash = sketch.pixel * (0.062 - 0.018 * sketch.male)
    share = np.linspace(0, 1, len(upper))
    if sketch.closed(side):
        canvas.stroke(upper, colours.ink, 2.0, 0.3, 0.5)
        return
    shape = np.concatenate([upper, lower[::-1]])
    canvas.fill(shape, colours.white)
    low_x, low_y = np.floor(shape.min(axis=0)).astype(int) - 2
    high_x, high_y = np.ceil(shape.max(axis=0)).astype(int) + 2
    box = (int(low_x), int(low_y), int(high_x), int(high_y))
    opening = canvas.mask(shape).crop(box)
    gaze = sketch.person.gaze
    middle = (
        at - 0.01 * side + 0.0042 * gaze[0],
        EYES_AT[1] + 0.004 * gaze[1] + 0.02 * high,
    )

    def disc(x: float, y: float, rx: float, ry: float) -> Image.Image:
        turn = np.linspace(0, 2 * np.pi, 32)
        round_ = sketch.on_eyes(
            np.column_stack(
                [
                    middle[0] + wide * (x + rx * np.cos(turn)),
                    middle[1] + high * (y + ry * np.sin(turn)),
                ]
            )
        )
        mask = Image.new("L", opening.size)
        ImageDraw.Draw(mask).polygon((round_ - (low_x, low_y)).ravel().tolist(), fill=255)
        return ImageChops.multiply(mask, opening)

    small = 0.84 if sketch.person.expression == "surprised" else 1.0
    canvas.image.paste(colours.iris[0], box, disc(0, 0, 0.70 * small, 0.98 * small))
    canvas.gradient(
        disc(0, -0.02, 0.62 * small, 0.90 * small),
        [colours.iris[0], colours.iris[1], colours.iris[1], colours.iris[2]],
        box,
    )
    canvas.image.paste(colours.iris[0], box, disc(0, 0.04, 0.29 * small, 0.44 * small))
    canvas.image.paste(colours.iris[2], box, disc(0, -0.62, 0.34, 0.14))
    shade = Image.new("L", opening.size)
    ImageDraw.Draw(shade).polygon(
        (np.concatenate([upper, _moved(upper[::-1], 0, lash * 1.5)]) - (low_x, low_y))
        .ravel()
        .tolist(),
        fill=95,
    )
    canvas.image.paste(colours.ink, box, ImageChops.multiply(shade, opening))
    lit = -1.0 if key[0] < 0 else 1.0
    canvas.image.paste(colours.white, box, disc(0.26 * lit, 0.40, 0.20, 0.24))
    canvas.image.paste(colours.white, box, disc(-0.28 * lit, -0.42, 0.10, 0.13))
    # the upper lashes swell towards the outer corner and end in a flick
    flick = sketch.on_eyes(up[-1:] + np.array([[side * 0.045, 0.055 * (1 - sketch.male)]]))
    outer = np.concatenate(
        [
            _moved(upper, 0, -1) - np.column_stack([0 * share, lash * (0.25 + 0.95 * share**0.8)]),
            flick,
        ]
    )
    canvas.fill(np.concatenate([outer, _moved(upper[::-1], 0, lash * 0.25)]), colours.ink)
    start = len(lower) * 2 // 5
    canvas.stroke(lower[start:], colours.ink, 0.85, 0.1, 0.7)
    crease = sketch.on_eyes(up[1:6] + np.array([0, 0.075]))
    canvas.stroke(
        curve(crease, 5), colours.ink if colours.hatched else colours.shade, 0.7, 0.1, 0.2
    )


def _brow(canvas: Canvas, sketch: Sketch, colours: Palette, side: int) -> None:
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


def _glasses(canvas: Canvas, sketch: Sketch, colours: Palette) -> None:
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
