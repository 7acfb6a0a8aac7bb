"""What every pixel of an avatar shows, where its eyes and mouth are, and how its head is held.

An avatar is drawn a second time with a code for a colour: each paint of each component of its
style has a code of its own, shadows and highlights are left out, and edges are hard.  So the
components can be told apart to the pixel, whatever hides what.  Landmarks come from components
drawn alone, with the head upright, once per variant; the pose takes them where they belong.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ganzoo_data.render import Renderer, choose, definition, options, rasterise
from ganzoo_data.styles import LOOKS, Look

StyleName = Literal["toon-head", "adventurer"]
STYLES: tuple[str, ...] = get_args(StyleName)

#: In this order in the field ``landmarks``; left and right as seen in the picture.
LANDMARKS = (
    "left eye",
    "right eye",
    "mouth",
    "left mouth corner",
    "right mouth corner",
    "left brow",
    "right brow",
)
#: What a thing is made of, by its paint, where need be in one component alone.  Paints that are
#: not listed are plain plastic of their colour.
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
#: Raise when the same drawing would give another pose, or other landmarks.
VERSION = 1
_STEP = 4  # between two codes: a code and its neighbours cannot be mixed up
_ALONE = 384  # the side of a drawing of one component alone


class Paint(NamedTuple):
    """One paint of one component."""

    component: str
    color: str
    material: str


@dataclass(frozen=True)
class Pose:
    """How a figure is held: turned by degrees, grown, then moved by shares of the picture."""

    rotate: float
    scale: float
    x: float
    y: float

    def options(self) -> dict[str, float]:
        """The pose in DiceBear's options."""
        return {
            "rotate": self.rotate,
            "scale": self.scale,
            "translateX": 100 * self.x,
            "translateY": 100 * self.y,
        }

    def __call__(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points (K, 2) of the upright figure in [-1, 1], where the pose takes them."""
        angle = math.radians(self.rotate)
        turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        return self.scale * points @ turn.T + 2 * np.array([self.x, self.y])


def pose(look: Look, seed: int, index: int) -> Pose:
    """The pose of figure ``index``, about the framing that its style has."""
    rng = random.Random(f"{seed}/{index}/pose")
    return Pose(
        rotate=round(rng.uniform(-10, 10), 2),
        scale=round(look.fixed.get("scale", 1) * rng.uniform(0.94, 1.08), 3),
        x=round(rng.uniform(-0.06, 0.06), 3),
        y=round(look.fixed.get("translateY", 0) / 100 + rng.uniform(-0.04, 0.04), 3),
    )


class PosedRenderer(Renderer):
    """Draws avatars as ``Renderer`` does, but each in its pose."""

    def options(self, index: int) -> dict[str, Any]:
        """DiceBear's options for avatar ``index``."""
        return super().options(index) | pose(self.look, self.seed, index).options()


class Coded:
    """Draws which paint covers each pixel of an avatar, and finds its landmarks."""

    def __init__(self, style: str, seed: int):
        self.look = LOOKS[style]
        self.seed = seed
        self.values = self.look.values(definition(style))
        self.paints, self._components, self._style = _coded_style(style)
        self._spots = cache(self._find_spots)

    def paint_map(self, index: int, side: int) -> NDArray[np.uint8]:
        """(side, side): for each pixel the index of its paint in ``paints``, or their number."""
        chosen = choose(self.look, self.values, self.seed, index)
        found = options(self.look, chosen, self.seed, index)
        found.pop("backgroundColor")
        return self._draw(found | pose(self.look, self.seed, index).options(), side)

    def landmarks(self, index: int) -> NDArray[np.float64]:
        """``LANDMARKS`` of figure ``index`` as (K, 2), x and y in [-1, 1] inside the picture."""
        chosen = choose(self.look, self.values, self.seed, index)
        eyes, mouth, brows = (
            self._spots(self.look.parts[name].component, chosen[name])
            for name in ("eyes", "mouth", "brows")
        )
        upright = [*eyes[:2], mouth[2], *mouth[3:], *brows[:2]]
        return pose(self.look, self.seed, index)(np.array(upright))

    def _find_spots(self, component: str, variant: str) -> NDArray[np.float64]:
        """Of a component alone: the centres of its left half, right half and whole, and its ends.

        Halves of the component's own width: each half of ``eyes`` holds one eye.
        """
        hidden = {f"{name}Probability": 0 for name in self._components if name != component}
        alone = {f"{component}Variant": variant, f"{component}Probability": 100}
        shown = self._draw({"seed": "0", **hidden, **alone}, _ALONE) < len(self.paints)
        y, x = np.nonzero(shown)
        middle = (x.min() + x.max()) / 2
        reach = 0.04 * (x.max() - x.min())
        groups = (x < middle, x >= middle, x >= 0, x <= x.min() + reach, x >= x.max() - reach)
        centres = [[x[group].mean(), y[group].mean()] for group in groups]
        return (np.array(centres) + 0.5) / _ALONE * 2 - 1

    def _draw(self, options: Mapping[str, Any], side: int) -> NDArray[np.uint8]:
        import dicebear

        svg = str(dicebear.Avatar(self._style, dict(options)))
        svg = svg.replace('shape-rendering="auto"', 'shape-rendering="crispEdges"', 1)
        return decode(rasterise(svg, side), len(self.paints))


@cache
def _coded_style(style: str) -> tuple[list[Paint], tuple[str, ...], Any]:
    """The paints, the components and the coded style, which takes tenths of a second to read."""
    import dicebear

    raw = definition(style)
    paints = encode(raw)
    return paints, tuple(raw["components"]), dicebear.Style(raw)


def encode(definition: dict[str, Any]) -> list[Paint]:
    """Give every paint of a style a code for a colour, in place; the paints in order of code."""
    paints: dict[Paint, int] = {}

    def visit(element: Any, component: str) -> None:
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
                    paint = Paint(component, color, _material(component, color, element["name"]))
                    attributes[key] = _code(paints.setdefault(paint, len(paints)))
            for child in element.values():
                visit(child, component)

    for name, component in definition["components"].items():
        visit([variant["elements"] for variant in component["variants"].values()], name)
    return list(paints)


def decode(image: Image.Image, count: int) -> NDArray[np.uint8]:
    """The codes in an RGBA drawing; ``count`` where it is empty.

    A pixel that mixes codes takes the next whole code before it in the row.
    """
    pixels = np.asarray(image)
    red, green, blue, alpha = np.moveaxis(pixels, 2, 0)
    codes = np.where(alpha < 128, np.uint8(count), red // _STEP)
    mixed = (alpha >= 128) & ((red % _STEP > 0) | (green != 255 - red) | (blue != 128))
    mixed |= codes > count
    place = np.where(mixed, 0, np.arange(codes.shape[1]))
    return np.take_along_axis(codes, np.maximum.accumulate(place, axis=1), axis=1)


def _is_light(attributes: dict[str, Any], component: str) -> bool:
    """Whether this is a shadow or highlight; a faint line that is the mouth is made whole."""
    faint = {"opacity", "fill-opacity"} & set(attributes)
    if component == "mouth" and attributes.get("fill") != "black":
        for key in faint:
            del attributes[key]
        return False
    return bool(faint)


def _material(component: str, color: str, shape: str) -> str:
    keys = (f"{component}/{color}/{shape}", f"{component}/{color}", color)
    return next((MATERIALS[key] for key in keys if key in MATERIALS), "plastic")


def _code(index: int) -> str:
    red = index * _STEP
    return f"#{red:02x}{255 - red:02x}80"
