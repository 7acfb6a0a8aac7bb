"""Find the parts of an avatar to the pixel, its landmarks, and its pose.

An avatar is drawn a second time with codes for colours: each paint of each component of its style
has its own code, without shadows or highlights and with hard edges.  The codes tell the components
apart to the pixel, even where one hides another.  Landmarks come from each component drawn alone,
with the head upright, once per variant; the pose then moves them into place.
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

from ganzoo_avatars.render import Renderer, choose, definition, options, rasterise
from ganzoo_avatars.styles import LOOKS, Look

StyleName = Literal["toon-head", "adventurer"]
STYLES: tuple[str, ...] = get_args(StyleName)

#: The order of the field ``landmarks``; left and right are those of the picture.
LANDMARKS = (
    "left eye",
    "right eye",
    "mouth",
    "left mouth corner",
    "right mouth corner",
    "left brow",
    "right brow",
)
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
#: Increase when the same drawing would give another pose or other landmarks.
VERSION = 1
_STEP = 4  # between two codes, so that a rounded code is not taken for its neighbour
_ALONE = 384  # the side of a drawing of one component alone


class Paint(NamedTuple):
    """One paint of one component."""

    component: str
    color: str
    material: str


@dataclass(frozen=True)
class Pose:
    """The pose of a figure: turned by degrees, scaled, then moved by shares of the picture."""

    rotate: float
    scale: float
    x: float
    y: float

    def options(self) -> dict[str, float]:
        return {
            "rotate": self.rotate,
            "scale": self.scale,
            "translateX": 100 * self.x,
            "translateY": 100 * self.y,
        }

    def __call__(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Move points (K, 2) of the upright figure, in [-1, 1], as the pose does."""
        angle = math.radians(self.rotate)
        turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        return self.scale * points @ turn.T + 2 * np.array([self.x, self.y])


def pose(look: Look, seed: int, index: int) -> Pose:
    """Draw the pose of figure ``index``, around the framing of its style."""
    rng = random.Random(f"{seed}/{index}/pose")
    return Pose(
        rotate=round(rng.uniform(-10, 10), 2),
        scale=round(look.fixed.get("scale", 1) * rng.uniform(0.94, 1.08), 3),
        x=round(rng.uniform(-0.06, 0.06), 3),
        y=round(look.fixed.get("translateY", 0) / 100 + rng.uniform(-0.04, 0.04), 3),
    )


class PosedRenderer(Renderer):
    """Draws avatars as ``Renderer`` does, each in its pose."""

    def options(self, index: int) -> dict[str, Any]:
        return super().options(index) | pose(self.look, self.seed, index).options()


class Coded:
    """Finds the paint of each pixel of an avatar, and its landmarks."""

    def __init__(self, style: str, seed: int):
        self.look = LOOKS[style]
        self.seed = seed
        self.values = self.look.values(definition(style))
        self.paints, self._components, self._style = _coded_style(style)
        self._spots = cache(self._find_spots)

    def paint_map(self, index: int, side: int) -> NDArray[np.uint8]:
        """Return (side, side) indices into ``paints``; the background has their number."""
        choice = choose(self.look, self.values, self.seed, index)
        settings = options(self.look, choice, self.seed, index)
        settings.pop("backgroundColor")
        return self._draw(settings | pose(self.look, self.seed, index).options(), side)

    def landmarks(self, index: int) -> NDArray[np.float64]:
        """Return ``LANDMARKS`` of figure ``index`` as (K, 2), x and y in [-1, 1]."""
        choice = choose(self.look, self.values, self.seed, index)
        eyes, mouth, brows = (
            self._spots(self.look.parts[name].component, choice[name])
            for name in ("eyes", "mouth", "brows")
        )
        upright = [*eyes[:2], mouth[2], *mouth[3:], *brows[:2]]
        return pose(self.look, self.seed, index)(np.array(upright))

    def _find_spots(self, component: str, variant: str) -> NDArray[np.float64]:
        """Find the centres of a component's left half, right half and whole, and its two ends.

        Each half of the component ``eyes`` holds one eye.
        """
        others = {f"{name}Probability": 0 for name in self._components if name != component}
        alone = {f"{component}Variant": variant, f"{component}Probability": 100}
        mask = self._draw({"seed": "0", **others, **alone}, _ALONE) < len(self.paints)
        y, x = np.nonzero(mask)
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
    """Read the paints, the components and the coded style; it takes tenths of a second."""
    import dicebear

    raw = definition(style)
    paints = encode(raw)
    return paints, tuple(raw["components"]), dicebear.Style(raw)


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
