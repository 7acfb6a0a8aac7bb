"""Who a head is, and how it is photographed: drawn at random from (seed, index) alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

ANCESTRIES = ("african", "asian", "caucasian")
CUTS = ("bald", "buzz", "short", "spiky", "bob", "long", "ponytail", "bun", "afro", "curly")
CLOTHES = ("crew", "vee", "wide", "shirt", "suit")
GROUNDS = ("room", "street", "garden", "wall")
BEARDS = ("none", "stubble", "moustache", "goatee", "full")
EXPRESSIONS = ("neutral", "smile", "laugh", "sad", "angry", "surprised", "wink")
#: colours of hair in sRGB: the natural ones, and after them those of the avatars
HAIR = {
    "black": (0.085, 0.072, 0.068),
    "dark-brown": (0.18, 0.12, 0.085),
    "brown": (0.29, 0.195, 0.13),
    "light-brown": (0.42, 0.29, 0.18),
    "blond": (0.70, 0.55, 0.34),
    "red": (0.47, 0.20, 0.09),
    "gray": (0.48, 0.47, 0.46),
    "white": (0.80, 0.79, 0.77),
}
DYED = {
    "pink": (0.87, 0.42, 0.62),
    "purple": (0.47, 0.30, 0.66),
    "blue": (0.22, 0.40, 0.72),
    "green": (0.22, 0.55, 0.38),
}
EYES = {
    "brown": (0.22, 0.11, 0.05),
    "hazel": (0.38, 0.26, 0.11),
    "green": (0.30, 0.38, 0.22),
    "blue": (0.32, 0.47, 0.62),
    "gray": (0.42, 0.46, 0.49),
}
#: colours of lips in sRGB; bare ones have that of the skin
LIPS = {
    "bare": (0.72, 0.40, 0.38),
    "red": (0.66, 0.14, 0.18),
    "pink": (0.74, 0.30, 0.34),
    "wine": (0.55, 0.22, 0.24),
}
#: skin in sRGB from light to dark
SKIN = np.array(
    [
        (0.93, 0.80, 0.74),
        (0.89, 0.73, 0.65),
        (0.82, 0.65, 0.55),
        (0.70, 0.53, 0.43),
        (0.53, 0.38, 0.30),
        (0.38, 0.27, 0.21),
        (0.26, 0.19, 0.16),
    ]
)
#: units of MakeHuman's expressions, left and right together, that make up each expression
UNITS: Mapping[str, Mapping[str, float]] = {
    "neutral": {},
    "smile": {
        "mouth-corner-puller": 0.75,
        "mouth-elevation": 0.55,
        "mouth-upward-retraction": 0.3,
        "mouth-open": 0.06,
        "eye-slit": 0.12,
    },
    "laugh": {
        "mouth-corner-puller": 0.85,
        "mouth-elevation": 0.75,
        "mouth-upward-retraction": 0.45,
        "mouth-open": 0.22,
        "eye-slit": 0.25,
    },
    "sad": {"mouth-depression": 0.6, "eyebrows-inner-up": 0.7, "eye-slit": 0.2},
    "angry": {
        "eyebrows-down": 0.9,
        "mouth-compression": 0.5,
        "nose-compression": 0.3,
        "eye-slit": 0.2,
    },
    "surprised": {"mouth-open": 0.5, "eyebrows-up": 0.9, "eye-opened-up": 0.7},
    "wink": {"mouth-corner-puller": 0.5, "eye-left-closure": 1.0},
}


class Options(NamedTuple):
    """What some heads may have: the avatars' colours of hair, beards, glasses."""

    dyed: bool = False
    beards: bool = True
    glasses: bool = True


DEFAULTS = Options()


@dataclass(frozen=True)
class Person:
    """A head: its shape, its colours, what it does and wears, and how it is photographed.

    Angles are in degrees.  ``blush`` and ``freckles`` are of the skin; ``distance`` of the camera
    is in decimetres, and ``exposure`` is around 1.
    """

    number: int
    ancestry: tuple[float, float, float]
    male: float
    age: float
    weight: float
    shape: Mapping[str, float]
    skin: tuple[float, float, float]
    cut: str
    hair: str
    hair_colour: tuple[float, float, float]
    eyes: str
    expression: str
    strength: float
    yaw: float
    pitch: float
    roll: float
    gaze: tuple[float, float]
    beard: float
    beard_cut: str
    clothes: str
    ground: str
    glasses: bool
    seed: int
    lips: str
    freckles: bool
    blush: float
    distance: float
    exposure: float

    def targets(self) -> dict[str, float]:
        """Return the weights of the mesh's targets."""
        weights: dict[str, float] = dict(self.shape)
        ages = {
            "child": max(0.0, 1 - self.age / 18),
            "old": min(1.0, max(0.0, (self.age - 30) / 45)),
        }
        ages["young"] = 1 - ages["child"] - ages["old"]
        for sex, share in (("female", 1 - self.male), ("male", self.male)):
            for age, part in ages.items():
                for ancestry, blood in zip(ANCESTRIES, self.ancestry, strict=True):
                    weights[f"{ancestry}-{sex}-{age}"] = share * part * blood
                fat = "maxweight" if self.weight > 0 else "minweight"
                weights[f"universal-{sex}-{age}-averagemuscle-{fat}"] = (
                    share * part * abs(self.weight)
                )
        for unit, amount in UNITS[self.expression].items():
            muscle, _, rest = unit.partition("-")
            sides = [unit]
            if muscle in ("eye", "eyebrows") and not rest.startswith(("left", "right")):
                sides = [f"{muscle}-{side}-{rest}" for side in ("left", "right")]
            for side in sides:
                for ancestry, blood in zip(ANCESTRIES, self.ancestry, strict=True):
                    weights[f"{ancestry}/{side}"] = amount * self.strength * blood
        return weights


#: pairs of opposite targets and how far each goes; every head takes its own step on each
TRAITS: Mapping[str, float] = {
    "head-fat": 0.35,
    "head-scale-horiz": 0.25,
    "head-scale-vert": 0.25,
    "forehead-scale-vert": 0.4,
    "forehead-temple": 0.5,
    "eyebrows-angle": 0.5,
    "eyebrows-trans": 0.4,
    "eye-scale": 0.4,
    "eye-trans-in": 0.4,
    "eye-corner1": 0.4,
    "eye-corner2": 0.4,
    "eye-height2": 0.4,
    "nose-scale-horiz": 0.4,
    "nose-scale-vert": 0.4,
    "nose-scale-depth": 0.4,
    "nose-hump": 0.5,
    "nose-point": 0.5,
    "nose-point-width": 0.5,
    "nose-nostrils-width": 0.5,
    "nose-base": 0.4,
    "mouth-scale-horiz": 0.4,
    "mouth-scale-vert": 0.4,
    "mouth-upperlip-volume": 0.5,
    "mouth-lowerlip-volume": 0.5,
    "mouth-cupidsbow": 0.5,
    "mouth-trans": 0.3,
    "cheek-bones": 0.5,
    "cheek-volume": 0.5,
    "chin-width": 0.5,
    "chin-height": 0.4,
    "chin-prominent": 0.4,
    "chin-bones": 0.5,
    "ear-scale": 0.4,
    "ear-wing": 0.6,
    "neck-scale-horiz": 0.3,
}
#: where the middle of a trait is not 0: the mesh has a broad head with small features
MIDDLE: Mapping[str, float] = {
    "head-scale-horiz": -0.35,
    "head-fat": -0.30,
    "neck-scale-horiz": -0.45,
    "eye-scale": 0.40,
    "mouth-scale-horiz": 0.25,
    "nose-scale-vert": -0.15,
    "forehead-scale-vert": -0.25,
}
#: whole shapes of a head, of which each takes some of one
OUTLINES = (
    "head-oval",
    "head-round",
    "head-square",
    "head-diamond",
    "head-invertedtriangular",
    "head-triangular",
)
_ENDS = (("decr", "incr"), ("down", "up"), ("in", "out"))


def _ends(trait: str, names: Mapping[str, object]) -> tuple[list[str], list[str]]:
    """Return the targets that ``trait`` means at its lower and at its upper end, on both sides."""
    stem, turned = (trait.removesuffix("-in"), True) if trait.endswith("-in") else (trait, False)
    for low, high in (("in", "out"),) if turned else _ENDS:
        ends = [[f"{side}{stem}-{end}" for side in ("", "l-", "r-")] for end in (low, high)]
        present = [[name for name in end if name in names] for end in ends]
        if all(present):
            return present[0], present[1]
    raise KeyError(trait)


def person(
    seed: int, index: int, names: Mapping[str, object], options: Options = DEFAULTS
) -> Person:
    """Return the head ``index`` of ``seed``; ``names`` are the mesh's targets.

    Without ``beards`` or ``glasses`` a head is the same but for these.
    """
    rng = np.random.default_rng([seed, index, 0x4EAD])
    main = int(rng.integers(3))
    mixed = rng.dirichlet((0.35, 0.35, 0.35))
    ancestry = 0.75 * np.eye(3)[main] + 0.25 * mixed
    male = float(np.clip(rng.normal(0.15 if rng.random() < 0.5 else 0.85, 0.12), 0, 1))
    age = float(
        rng.choice(
            [rng.uniform(6, 16), rng.uniform(16, 40), rng.uniform(40, 80)], p=[0.12, 0.6, 0.28]
        )
    )
    shape: dict[str, float] = {}
    for trait, reach in TRAITS.items():
        step = float(np.clip(rng.normal(MIDDLE.get(trait, 0), reach), -1, 1))
        for name in _ends(trait, names)[step > 0]:
            shape[name] = abs(step)
    outline = str(rng.choice(OUTLINES, p=[0.4, 0.15, 0.1, 0.1, 0.15, 0.1]))
    shape[outline] = float(rng.uniform(0, 0.8))
    # dark skin is likelier with African ancestry, light with European; all that lies between occurs
    tone = float(np.clip(ancestry @ (4.9, 1.7, 0.9) + rng.normal(0, 0.7), 0, len(SKIN) - 1))
    low = int(min(tone, len(SKIN) - 2))
    skin = SKIN[low] + (tone - low) * (SKIN[low + 1] - SKIN[low]) + rng.normal(0, 0.012, 3)
    hair = _hair(rng, main, age, options.dyed)
    colour = np.array((HAIR | DYED)[hair]) * rng.uniform(0.85, 1.15) + rng.normal(0, 0.01, 3)
    cut = _cut(rng, main, male, age)
    brown = tone > 2.2 or hair in ("black",) or main != 2
    eyes = "brown" if brown and rng.random() < 0.9 else str(rng.choice(list(EYES)))
    beard_cut = "none"
    if male > 0.6 and age > 22 and rng.random() < 0.45:
        beard_cut = str(rng.choice(BEARDS[1:], p=[0.35, 0.1, 0.2, 0.35]))
    thick = float(rng.uniform(0.3, 1)) if beard_cut != "none" else 0.0
    if not options.beards:
        beard_cut, thick = "none", 0.0
    dressed = [0.35, 0.15, 0.05, 0.2, 0.25] if male > 0.5 else [0.3, 0.25, 0.2, 0.15, 0.1]
    yaw, pitch = _pose(rng)
    return Person(
        number=index,
        ancestry=tuple(float(a) for a in ancestry),  # type: ignore[arg-type]
        male=male,
        age=age,
        weight=float(np.clip(rng.normal(0, 0.35), -0.8, 1)),
        shape=shape,
        skin=tuple(float(c) for c in skin.clip(0.03, 1)),  # type: ignore[arg-type]
        cut=cut,
        hair=hair,
        hair_colour=tuple(float(c) for c in colour.clip(0.02, 0.95)),  # type: ignore[arg-type]
        eyes=eyes,
        expression=str(rng.choice(EXPRESSIONS, p=[0.25, 0.34, 0.26, 0.04, 0.04, 0.05, 0.02])),
        strength=float(rng.uniform(0.7, 1.1)),
        yaw=yaw,
        pitch=pitch,
        roll=float(np.clip(rng.normal(0, 2.5), -8, 8)),
        gaze=(float(np.clip(rng.normal(0, 8), -22, 22)), float(np.clip(rng.normal(0, 2.5), -8, 8))),
        beard=thick,
        beard_cut=beard_cut,
        clothes=str(rng.choice(CLOTHES, p=dressed)),
        ground=str(rng.choice(GROUNDS, p=[0.32, 0.2, 0.26, 0.22])),
        glasses=bool(rng.random() < 0.12) and options.glasses,
        seed=int(rng.integers(2**31)),
        lips=_lips(rng, male, age),
        freckles=bool(rng.random() < 0.22 and tone < 2.6),
        blush=float(rng.uniform(0, 1)),
        distance=float(rng.uniform(9, 16)),
        exposure=float(np.exp(rng.normal(0, 0.13))),
    )


def _pose(rng: np.random.Generator) -> tuple[float, float]:
    """Draw yaw and pitch: most people face a camera, and one in seven looks anywhere."""
    if rng.random() < 1 / 7:
        return float(rng.uniform(-35, 35)), float(rng.uniform(-15, 15))
    yaw, pitch = rng.normal(0, (9, 4.5))
    return float(np.clip(yaw, -35, 35)), float(np.clip(pitch, -15, 15))


def _hair(rng: np.random.Generator, main: int, age: float, dyed: bool) -> str:
    """Draw the colour of hair, which depends on the ``main`` ancestry and turns gray with age."""
    odds = {
        "african": (0.78, 0.17, 0.03, 0.0, 0.0, 0.01, 0.0, 0.01),
        "asian": (0.62, 0.28, 0.07, 0.01, 0.0, 0.01, 0.0, 0.01),
        "caucasian": (0.1, 0.22, 0.22, 0.17, 0.16, 0.1, 0.02, 0.01),
    }
    colour = str(rng.choice(list(HAIR), p=odds[ANCESTRIES[main]]))
    if age > 48 and rng.random() < (age - 45) / 40:
        colour = str(rng.choice(["gray", "white"]))
    if dyed and rng.random() < 0.4:
        colour = str(rng.choice(list(DYED)))
    return colour


def _lips(rng: np.random.Generator, male: float, age: float) -> str:
    """Draw the colour of the lips, which some women paint."""
    colour = str(rng.choice(list(LIPS)[1:]))
    return colour if rng.random() < 0.35 and male < 0.5 and age > 15 else "bare"


def _cut(rng: np.random.Generator, main: int, male: float, age: float) -> str:
    """Draw how the hair is cut; no child is bald."""
    if main == 0:
        cuts = [0.06, 0.2, 0.12, 0.04, 0.06, 0.08, 0.08, 0.1, 0.14, 0.12]
    else:
        cuts = [0.02, 0.06, 0.22, 0.1, 0.14, 0.2, 0.1, 0.07, 0.01, 0.08]
    weights = np.array(cuts) * np.where(
        np.isin(CUTS, ("bald", "buzz", "short", "spiky")), 0.15 + 1.7 * male, 1.85 - 1.7 * male
    )
    if age < 18:
        weights[0] = 0
    return str(rng.choice(CUTS, p=weights / weights.sum()))
