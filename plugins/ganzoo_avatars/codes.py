"""Which part of an avatar is at each pixel.

An avatar is drawn a second time with codes for colours: each paint of each component of its style
has its own code, without shadows or highlights and with hard edges.  The codes tell the components
apart to the pixel, even where one hides another.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ganzoo_avatars.render import choose, definition, options, rasterise
from ganzoo_avatars.styles import LOOKS

#: Increase when the same drawing would give another layout.
VERSION = 1
#: The artist of ``drawing.draw`` that draws layouts.
LAYOUTS = "ganzoo_avatars.codes:Layouts"
#: Style -> component -> the part of a layout that it is; the ground is the first part.
PARTS = {
    "toon-head": {
        "head": "skin",
        "body": "skin",
        "hair": "hair",
        "rearHair": "hair",
        "clothes": "clothes",
        "eyes": "eyes",
        "eyebrows": "brows",
        "mouth": "mouth",
    },
    "adventurer": {
        "head": "skin",
        "hair": "hair",
        "eyes": "eyes",
        "eyebrows": "brows",
        "mouth": "mouth",
        "glasses": "glasses",
    },
}
#: The colours of parts in layouts; those of an avatar's own parts are attributes.
COLOURS = {
    "ground": "#dfe7ee",
    "skin": "#f2b48c",
    "lips": "#f46fa3",
    "mouth": "#d4213d",
    "eyes": "#1d5fd6",
    "brows": "#6b4a1e",
    "beard": "#5b6f7a",
    "hair": "#7a3fb0",
    "clothes": "#2f9e63",
    "glasses": "#101018",
}
#: The material of a paint, of a paint in one component, or of a paint in one shape of it.  All
#: other paints are plastic of their colour.
MATERIALS = {
    "skin": "skin",
    "hair": "hair",
    "clothes": "cloth",
    "#CBECF7": "shirt",
    "stroke": "ink",
    "ink": "ink",
    "sclera": "eyeball",
    "eyes": "iris",
    "throat": "throat",
    "uvula": "tongue",
    "tongue": "tongue",
    "lips": "lip",
    "teeth": "teeth",
    "glasses": "frame",
    "eyebrows/hair": "brow",
    "eyebrows/stroke": "brow",
    "eyebrows/ink": "brow",
    "eyes/ink": "lid",
    "eyes/#F6F1E4": "eyeball",
    "eyes/#4B2422": "lash",
    "eyes/#4B2422/circle": "iris",
    "mouth/ink": "lip",
    "mouth/#611519": "throat",
    "mouth/#3F2626": "lip",
    "mouth/#E0564B": "tongue",
    "mouth/#F6F1E4": "teeth",
}
_STEP = 4  # between two codes, so that a rounded code is not taken for its neighbour


class Paint(NamedTuple):
    """One paint of one component."""

    component: str
    color: str
    material: str


class CodedStyle:
    """A style in codes; reading it takes tenths of a second."""

    def __init__(self, style: str):
        import dicebear

        raw = definition(style)
        self.paints = encode(raw)
        self.components = tuple(raw["components"])
        self._style = dicebear.Style(raw)

    def draw(self, options: Mapping[str, Any], side: int) -> NDArray[np.uint8]:
        """Return (side, side) indices into ``paints``; the background has their number."""
        import dicebear

        svg = str(dicebear.Avatar(self._style, dict(options)))
        svg = svg.replace('shape-rendering="auto"', 'shape-rendering="crispEdges"', 1)
        return decode(rasterise(svg, side), len(self.paints))


coded_style = cache(CodedStyle)


def palette(style: str) -> dict[str, str] | None:
    """Return the parts of a style's layouts and their colours; None if they are not known."""
    parts = {"ground", *PARTS.get(style, {}).values()}
    return {part: c for part, c in COLOURS.items() if part in parts} if style in PARTS else None


class Layouts:
    """Draws the layouts of one style's avatars."""

    def __init__(self, style: str, size: int, seed: int):
        self.look = LOOKS[style]
        self.values = self.look.values(definition(style))
        self.size = size
        self.seed = seed
        self._coded = coded_style(style)
        parts, names = PARTS[style], list(palette(style) or ())
        paints = [names.index(parts.get(paint.component, "ground")) for paint in self._coded.paints]
        self._numbers = np.array([*paints, 0], np.uint8)

    def __call__(self, index: int) -> NDArray[np.uint8]:
        """Return the numbers of the parts of avatar ``index``, thrice: (3, size, size) uint8."""
        attributes = choose(self.look, self.values, self.seed, index)
        settings = options(self.look, attributes, self.seed, index)
        settings.pop("backgroundColor")
        numbers = self._numbers[self._coded.draw(settings, self.size)]
        return np.repeat(numbers[None], 3, axis=0)


def encode(definition: dict[str, Any]) -> list[Paint]:
    """Replace every paint of a style by a code, in place; return the paints in order of code."""
    paints: dict[Paint, int] = {}

    def visit(element: object, component: str) -> None:
        if isinstance(element, list):
            for child in element:
                visit(child, component)
        elif isinstance(element, dict) and element.get("name") != "mask":
            attributes = element.get("attributes", {})
            if _is_light(attributes, component):
                attributes |= {"fill": "none", "stroke": "none"}
            for key in ("fill", "stroke"):
                color = attributes.get(key, "none")
                color = color["name"] if isinstance(color, dict) else color
                if color != "none":
                    places = (
                        f"{component}/{color}/{element['name']}",
                        f"{component}/{color}",
                        color,
                    )
                    material = next((MATERIALS[p] for p in places if p in MATERIALS), "plastic")
                    paint = Paint(component, color, material)
                    red = _STEP * paints.setdefault(paint, len(paints))
                    attributes[key] = f"#{red:02x}{255 - red:02x}80"
            for child in element.values():
                visit(child, component)

    for name, component in definition["components"].items():
        visit([variant["elements"] for variant in component["variants"].values()], name)
    return list(paints)


def decode(image: Image.Image, count: int) -> NDArray[np.uint8]:
    """Read the codes of an RGBA drawing; empty pixels get ``count``.

    A pixel that mixes codes takes the last whole code before it in its row.
    """
    pixels = np.asarray(image)
    red, green, blue, alpha = np.moveaxis(pixels, 2, 0)
    codes = np.where(alpha < 128, np.uint8(count), red // _STEP)
    blends = (alpha >= 128) & ((red % _STEP > 0) | (green != 255 - red) | (blue != 128))
    blends |= codes > count
    place = np.where(blends, 0, np.arange(codes.shape[1]))
    return np.take_along_axis(codes, np.maximum.accumulate(place, axis=1), axis=1)


def _is_light(attributes: dict[str, Any], component: str) -> bool:
    """Tell whether this is a shadow or highlight; a faint line of the mouth is made solid."""
    faint = {"opacity", "fill-opacity"} & set(attributes)
    if component == "mouth" and attributes.get("fill") != "black":
        for key in faint:
            del attributes[key]
        return False
    return bool(faint)
