"""The colours of a drawing: few and flat, near those of the photo."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ganzoo_heads import clothes
from ganzoo_heads.people import EYES, LIPS, Person

Floats = NDArray[np.float32 | np.float64]
Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Palette:
    """The colours of a drawing.  ``hatched`` says that shadows are hatched rather than toned."""

    skin: Colour
    shade: Colour
    blush: Colour
    lips: Colour
    hair: Colour
    dark: Colour
    light: Colour
    ink: Colour
    hair_ink: Colour
    cloth: Colour
    cloth_dark: Colour
    iris: tuple[Colour, Colour, Colour]
    white: Colour
    mouth: Colour
    tongue: Colour
    ground: tuple[Colour, Colour]
    hatched: bool


def rgb(colour: object) -> Colour:
    """Return sRGB in [0, 1] as three bytes."""
    red, green, blue = (
        (np.asarray(colour, np.float64).clip(0, 1) * 255).round().astype(int).tolist()
    )
    return red, green, blue


def _toned(colour: object, light: float = 1.0, rich: float = 1.0, turn: float = 0.0) -> Floats:
    """Return an sRGB colour with its value and saturation multiplied and its hue turned."""
    hue, saturation, value = colorsys.rgb_to_hsv(*np.asarray(colour, float).clip(0, 1))
    return np.array(
        colorsys.hsv_to_rgb((hue + turn) % 1, min(1, saturation * rich), min(1, value * light))
    )


def _cloth(person: Person) -> Floats:
    """Return the colour of the photo's clothes."""
    at = np.linspace((-0.3, 4.6, 1.0), (0.3, 5.2, 1.0), 24, dtype=np.float32)
    albedo, _ = clothes.paint(person, at, np.zeros_like(at))
    return np.median(albedo, axis=0).clip(0, 1) ** (1 / 2.2)


def anime(person: Person) -> Palette:
    """Return the colours of an anime drawing of ``person``."""
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
    cloth = np.clip(_toned(_cloth(person), 1.12, 1.3), 0.08, 0.97)
    return Palette(
        skin=rgb(skin),
        shade=rgb(skin * np.array([0.86, 0.71, 0.70])),
        blush=rgb(skin * np.array([1.0, 0.66, 0.64])),
        lips=rgb(0.35 * skin * np.array([1.0, 0.66, 0.64]) + 0.65 * np.array(LIPS[person.lips])),
        hair=rgb(base),
        dark=rgb(_toned(base, 0.62 + 0.18 * float(base.mean()), 1.15, 0.015)),
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


def anime_on_white(person: Person) -> Palette:
    """Return the colours of an anime drawing whose ground is white."""
    white = (255, 255, 255)
    return replace(anime(person), ground=(white, white))


def paper(person: Person) -> Palette:
    """Return the greys of an ink drawing of ``person``."""
    hair = float(np.mean(person.hair_colour))
    skin = float(np.mean(person.skin))

    def grey(value: float) -> Colour:
        return rgb(np.array([1.0, 0.985, 0.95]) * value)

    sheet = grey(0.97)
    tone = 0.12 if hair < 0.16 else 0.55 if hair < 0.35 else 0.94
    face = grey(0.97 if skin > 0.55 else 0.80 if skin > 0.33 else 0.62)
    cloth = 0.97 if float(_cloth(person).mean()) > 0.4 else 0.42
    black = grey(0.09)
    return Palette(
        skin=face,
        shade=black,
        blush=grey(0.6),
        lips=grey(0.45),
        hair=grey(tone),
        dark=grey(tone * 0.62 if tone < 0.9 else 0.72),
        light=grey(0.97 if tone > 0.2 else 0.55),
        ink=black,
        hair_ink=black if tone > 0.2 else grey(0.5),
        cloth=grey(cloth),
        cloth_dark=black,
        iris=(black, grey(0.28), grey(0.62)),
        white=grey(0.99),
        mouth=grey(0.2),
        tongue=grey(0.75),
        ground=(sheet, sheet),
        hatched=True,
    )
