"""The materials that figurines are made of: their colours and their shine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ganzoo_figurines.fields import Field


@dataclass(frozen=True)
class Clay:
    """A material: its highlight, and its colour if the avatar does not set one."""

    color: str | None = None
    shine: float = 0.1  # of the highlight
    hardness: float = 12.0  # of the highlight: larger is smaller


CLAYS = {
    "skin": Clay(shine=0.16, hardness=14),
    "hair": Clay(shine=0.0),
    "brow": Clay(shine=0.0),
    "cloth": Clay(shine=0.03, hardness=6),
    "shirt": Clay("#cbdde4", shine=0.03, hardness=6),
    "eyeball": Clay("#e9e2d6", shine=0.3, hardness=60),
    "iris": Clay("#52301c", shine=0.1, hardness=60),
    "lash": Clay("#2a1812", shine=0.0),
    "lid": Clay(shine=0.05),
    "lip": Clay("#7d3a33", shine=0.25, hardness=25),
    "throat": Clay("#4a1216", shine=0.1),
    "tongue": Clay("#b9534c", shine=0.4, hardness=25),
    "teeth": Clay("#e8e0cf", shine=0.5, hardness=40),
    "frame": Clay("#2b2b30", shine=0.6, hardness=40),
    "plastic": Clay(shine=0.4, hardness=30),
}
#: Materials in one of the avatar's colours: which one, and the share of it that they reflect.
PALETTE = {
    "skin": ("skin", 0.9),
    "lid": ("skin", 0.2),
    "hair": ("hair", 0.7),
    "brow": ("hair", 0.45),
    "ink": ("hair", 0.25),
    "cloth": ("clothes", 0.9),
}


def paint_albedo(material: str, paint: str, colors: dict[str, str]) -> Field:
    """Return the linear RGB of a paint in clay; uncovered ink counts as a deep crease."""
    source, share = PALETTE.get(material, ("", 0.0))
    if source in colors:
        return np.asarray(linear(colors[source]) * share + 0.004, np.float32)
    color = CLAYS[material].color if material in CLAYS else None
    return linear(color or (paint if paint.startswith("#") else "#e8e4dc"))


def linear(color: str) -> Field:
    """Return a colour such as ``#2d2736`` as linear RGB (3,)."""
    value = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)], np.float32) / 255
    return np.asarray(value**2.2, np.float32)
