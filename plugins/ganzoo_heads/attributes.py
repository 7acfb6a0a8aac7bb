"""The attributes of a head, which are its labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ganzoo_heads.light import light_of
from ganzoo_heads.people import (
    ANCESTRIES,
    BEARDS,
    CLOTHES,
    CUTS,
    DYED,
    EXPRESSIONS,
    EYES,
    GROUNDS,
    HAIR,
    LIPS,
    SKIN,
    Person,
)

_AGES = {"child": 16, "young": 35, "middle": 55, "old": 200}
_TURNS = 9.0  # degrees from which a head is turned, up or down
_LOOKS = 5.0  # degrees from which eyes look aside, as seen from the nose
#: the values of each attribute, in the order of their numbers
VALUES: Mapping[str, Sequence[str]] = {
    "ancestry": ANCESTRIES,
    "sex": ("female", "male"),
    "age": tuple(_AGES),
    "weight": ("thin", "average", "heavy"),
    "skin": ("pale", "light", "fair", "tan", "brown", "dark", "deep"),
    "hair": (*HAIR, *DYED),
    "cut": CUTS,
    "eyes": tuple(EYES),
    "gaze": ("left", "ahead", "right"),
    "lips": tuple(LIPS),
    "blush": ("faint", "some", "strong"),
    "freckles": ("no", "yes"),
    "expression": EXPRESSIONS,
    "beard": BEARDS,
    "glasses": ("no", "yes"),
    "clothes": CLOTHES,
    "ground": GROUNDS,
    "facing": ("left", "ahead", "right"),
    "tilt": ("down", "level", "up"),
    "lens": ("wide", "normal", "long"),
    "exposure": ("dark", "even", "bright"),
    "light": ("left", "right"),
    "warmth": ("cold", "white", "warm"),
    "hardness": ("soft", "medium", "hard"),
    "rim": ("no", "yes"),
}


def of(person: Person) -> dict[str, str]:
    """Return the value of each attribute; left and right are those of the picture."""
    tones = ((np.array(person.skin) - SKIN) ** 2).sum(axis=1)
    lamps = light_of(person)

    def third(name: str, value: float, low: float, high: float) -> str:
        return VALUES[name][int(value > low) + int(value > high)]

    return {
        "ancestry": ANCESTRIES[int(np.argmax(person.ancestry))],
        "sex": VALUES["sex"][int(person.male > 0.5)],
        "age": next(name for name, below in _AGES.items() if person.age < below),
        "weight": third("weight", person.weight, -0.25, 0.25),
        "skin": VALUES["skin"][int(np.argmin(tones))],
        "hair": person.hair,
        "cut": person.cut,
        "eyes": person.eyes,
        "gaze": third("gaze", person.gaze[0], -_LOOKS, _LOOKS),
        "lips": person.lips,
        "blush": third("blush", person.blush, 0.3, 0.7),
        "freckles": VALUES["freckles"][int(person.freckles)],
        "expression": person.expression,
        "beard": person.beard_cut,
        "glasses": VALUES["glasses"][int(person.glasses)],
        "clothes": person.clothes,
        "ground": person.ground,
        "facing": third("facing", person.yaw, -_TURNS, _TURNS),
        "tilt": third("tilt", person.pitch, -_TURNS, _TURNS),
        "lens": third("lens", person.distance, 11.0, 13.5),
        "exposure": third("exposure", person.exposure, 0.9, 1.1),
        "light": VALUES["light"][int(lamps.key.way[0] > 0)],
        "warmth": third("warmth", lamps.warm, -0.25, 0.3),
        "hardness": third("hardness", lamps.hard, 0.43, 0.72),
        "rim": VALUES["rim"][int(lamps.rim.colour.max() > 0)],
    }


def indices(person: Person) -> list[int]:
    """Return the number of the value of each attribute, in the order of ``VALUES``."""
    return [VALUES[name].index(value) for name, value in of(person).items()]
