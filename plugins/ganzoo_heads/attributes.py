"""The attributes of a head, which are its labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

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
    SKIN,
    Person,
)

_AGES = {"child": 16, "young": 35, "middle": 55, "old": 200}
_TURNS = 9.0  # degrees from which a head is turned, up or down
#: the values of each attribute, in the order of their numbers
VALUES: Mapping[str, Sequence[str]] = {
    "ancestry": ANCESTRIES,
    "sex": ("female", "male"),
    "age": tuple(_AGES),
    "skin": ("pale", "light", "fair", "tan", "brown", "dark", "deep"),
    "hair": (*HAIR, *DYED),
    "cut": CUTS,
    "eyes": tuple(EYES),
    "expression": EXPRESSIONS,
    "beard": BEARDS,
    "glasses": ("no", "yes"),
    "clothes": CLOTHES,
    "ground": GROUNDS,
    "facing": ("left", "ahead", "right"),
    "tilt": ("down", "level", "up"),
}


def of(person: Person) -> dict[str, str]:
    """Return the value of each attribute; left and right are those of the picture."""
    tones = ((np.array(person.skin) - SKIN) ** 2).sum(axis=1)

    def turned(angle: float, names: Sequence[str]) -> str:
        return names[0 if angle < -_TURNS else 2 if angle > _TURNS else 1]

    return {
        "ancestry": ANCESTRIES[int(np.argmax(person.ancestry))],
        "sex": VALUES["sex"][int(person.male > 0.5)],
        "age": next(name for name, below in _AGES.items() if person.age < below),
        "skin": VALUES["skin"][int(np.argmin(tones))],
        "hair": person.hair,
        "cut": person.cut,
        "eyes": person.eyes,
        "expression": person.expression,
        "beard": person.beard_cut,
        "glasses": VALUES["glasses"][int(person.glasses)],
        "clothes": person.clothes,
        "ground": person.ground,
        "facing": turned(person.yaw, VALUES["facing"]),
        "tilt": turned(person.pitch, VALUES["tilt"]),
    }


def indices(person: Person) -> list[int]:
    """Return the number of the value of each attribute, in the order of ``VALUES``."""
    return [VALUES[name].index(value) for name, value in of(person).items()]
