"""Find the paints of an avatar to the pixel, its landmarks, and its pose.

Paints are known from a drawing in codes, ``ganzoo_avatars.codes``.  Landmarks come from each
component drawn alone, with the head upright, once per variant; the pose then moves them into place.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ganzoo_avatars.codes import coded_style
from ganzoo_avatars.render import Renderer, choose, definition, options
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
#: Increase when the same drawing would give another pose or other landmarks.
VERSION = 1
_ALONE = 384  # the side of a drawing of one component alone


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
        self._coded = coded_style(style)
        self.paints = self._coded.paints
        self._spots = cache(self._find_spots)

    def paint_map(self, index: int, side: int) -> NDArray[np.uint8]:
        """Return (side, side) indices into ``paints``; the background has their number."""
        choice = choose(self.look, self.values, self.seed, index)
        settings = options(self.look, choice, self.seed, index)
        settings.pop("backgroundColor")
        return self._coded.draw(settings | pose(self.look, self.seed, index).options(), side)

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
        others = {f"{name}Probability": 0 for name in self._coded.components if name != component}
        alone = {f"{component}Variant": variant, f"{component}Probability": 100}
        mask = self._coded.draw({"seed": "0", **others, **alone}, _ALONE) < len(self.paints)
        y, x = np.nonzero(mask)
        middle = (x.min() + x.max()) / 2
        reach = 0.04 * (x.max() - x.min())
        groups = (x < middle, x >= middle, x >= 0, x <= x.min() + reach, x >= x.max() - reach)
        centres = [[x[group].mean(), y[group].mean()] for group in groups]
        return (np.array(centres) + 0.5) / _ALONE * 2 - 1
