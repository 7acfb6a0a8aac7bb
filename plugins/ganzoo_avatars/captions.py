"""Captions of avatars: what somebody might write of one, by a grammar.

A caption says some of an avatar's attributes, in any order, each in one of several ways: ``spiky
pink hair, a person with dark skin, smiling``.  It is a function of its seed and the avatar alone.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ganzoo.captions import Vocabulary, words

#: tokens of a caption; the longest has 40 or so
LENGTH = 48

Said = dict[str, frozenset[str]]

#: openings of a caption; most have none
_OPENINGS = (
    "", "", "", "a person", "someone", "a portrait", "a face", "an avatar",
    "a cartoon of a person", "a picture of someone",
)  # fmt: skip
#: what stands between two clauses
_JOINTS = (", ", ", ", ", ", " and ")
#: how often each attribute is said
_ODDS = {"hair": 0.7, "skin": 0.6, "background": 0.6, "clothes": 0.5}
_ODDS_OF_SHAPES = 0.35

#: attribute -> value -> words for it; the first is what a label is called
COLOURS: dict[str, dict[str, tuple[str, ...]]] = {
    "hair": {
        "black": ("black", "raven"),
        "brown": ("brown", "brunette", "chestnut"),
        "blond": ("blond", "blonde", "golden"),
        "red": ("red", "scarlet"),
        "orange": ("orange", "ginger"),
        "pink": ("pink",),
        "purple": ("purple", "violet"),
        "blue": ("blue",),
        "green": ("green",),
        "silver": ("silver", "gray", "grey"),
    },
    "skin": {
        "fair": ("fair", "pale"),
        "light": ("light", "peach"),
        "tan": ("tan", "tanned", "olive"),
        "brown": ("brown",),
        "dark": ("dark", "deep"),
    },
    "background": {
        "sky": ("sky blue", "light blue", "pale blue"),
        "rose": ("rose", "pale pink", "light pink"),
        "mint": ("mint", "pale green", "light green"),
        "lemon": ("lemon", "pale yellow", "light yellow"),
        "lilac": ("lilac", "lavender", "pale purple"),
        "white": ("white", "plain white"),
    },
    "clothes": {
        "red": ("red",),
        "yellow": ("yellow",),
        "green": ("green",),
        "blue": ("blue",),
        "violet": ("violet", "purple"),
        "white": ("white",),
        "black": ("black",),
    },
}
#: attribute -> ways to say a colour; the first is how a label is said
_FORMS: dict[str, tuple[str, ...]] = {
    "hair": ("{} hair", "with {} hair", "{} haired", "hair in {}", "the hair is {}"),
    "skin": ("{} skin", "with {} skin", "{} skinned", "a {} complexion", "the skin is {}"),
    "background": (
        "{} background", "on a {} background", "against {}", "a {} backdrop",
        "in front of a {} wall",
    ),
    "clothes": (
        "{} clothes", "wearing {}", "dressed in {}", "in a {} top", "wearing a {} {noun}",
        "in a {} {noun}", "a {} {noun}",
    ),
}  # fmt: skip
_GARMENTS = {
    "dress": ("dress",),
    "openJacket": ("jacket", "open jacket"),
    "shirt": ("shirt",),
    "tShirt": ("shirt", "tee"),
    "turtleNeck": ("turtleneck", "sweater"),
}
#: attribute -> value -> ways to say it
_SHAPES: dict[str, dict[str, tuple[str, ...]]] = {
    "mouth": {
        "smile": ("smiling", "with a smile", "a slight smile"),
        "laugh": ("laughing", "with a big laugh", "a laughing mouth"),
        "agape": ("surprised", "with an open mouth", "astonished"),
        "sad": ("sad", "frowning", "with a sad mouth"),
    },
    "eyes": {
        "wide": ("eyes open", "with open eyes"),
        "happy": ("eyes open", "with open eyes"),
        "humble": ("eyes closed", "with closed eyes"),
        "bow": ("eyes closed", "with closed eyes"),
        "wink": ("winking", "with a wink"),
    },
    "hairstyle": {
        "bun": ("hair in a bun", "with a bun", "hair tied up"),
        "sideComed": ("combed hair", "hair combed to the side"),
        "spiky": ("spiky hair", "with spikes"),
        "undercut": ("an undercut", "shaved sides"),
    },
    "length": {
        "none": ("short hair", "with short hair"),
        "neckHigh": ("neck length hair", "hair down to the neck"),
        "shoulderHigh": ("shoulder length hair", "hair down to the shoulders"),
        "longStraight": ("long straight hair", "long hair", "with long hair"),
        "longWavy": ("long wavy hair", "long hair", "with long hair", "wavy hair"),
    },
}


@dataclass(frozen=True)
class Caption:
    """A text, and what it says: attribute -> the values that it may mean."""

    text: str
    said: Said

    def fits(self, attributes: Mapping[str, str]) -> bool:
        """Whether nothing that it says is untrue of an avatar."""
        return all(attributes[name] in values for name, values in self.said.items())


def caption(attributes: Mapping[str, str], key: str) -> Caption:
    """Write a caption of an avatar; another ``key`` writes another one."""
    rng = random.Random(f"caption/{key}")
    clauses: list[str] = []
    said: Said = {}
    names = [name for name in attributes if name in _FORMS or _says(name, attributes)]
    rng.shuffle(names)
    for name in names:
        if rng.random() < _ODDS.get(name, _ODDS_OF_SHAPES):
            _say(name, attributes, rng, clauses, said)
    if not clauses:
        _say(names[0], attributes, rng, clauses, said)
    opening = rng.choice(_OPENINGS)
    text = opening + ", " if opening else ""
    for number, clause in enumerate(clauses):
        text += (rng.choice(_JOINTS) if number else "") + clause
    return Caption(text, said)


def _says(name: str, attributes: Mapping[str, str]) -> bool:
    """Whether there are words for a shape: those of other styles have only numbers."""
    if name == "length" and attributes.get("hairstyle") == "bun":
        return False  # long or tied up?
    return attributes[name] in _SHAPES.get(name, {})


def _say(
    name: str, attributes: Mapping[str, str], rng: random.Random, clauses: list[str], said: Said
) -> None:
    value = attributes[name]
    if name in _SHAPES:
        text = rng.choice(_SHAPES[name][value])
        said[name] = frozenset(other for other, ways in _SHAPES[name].items() if text in ways)
    else:
        forms = _FORMS[name]
        garments = _GARMENTS.get(attributes.get("outfit", ""))
        if garments is None:
            forms = tuple(form for form in forms if "{noun}" not in form)
        colour = rng.choice(COLOURS[name][value])
        text = rng.choice(forms).format(colour, noun=rng.choice(garments or ("",)))
        said[name] = frozenset(other for other, ways in COLOURS[name].items() if colour in ways)
    clauses.append(text)


class Captioner:
    """Captions of avatars, as the numbers of their words; a ``key`` tells epochs apart."""

    def __init__(self, avatars: Sequence[Mapping[str, str]], known: Sequence[str]):
        self._avatars, self._vocabulary = avatars, Vocabulary(known)

    def caption(self, index: int, key: str) -> Caption:
        """Write the caption of avatar ``index``."""
        return caption(self._avatars[index], f"{key}/{index}")

    def own(self, index: int, key: str) -> list[int]:
        """Return the tokens of the caption of avatar ``index``."""
        return self._vocabulary.tokens(self.caption(index, key).text, LENGTH)

    def another(self, index: int, key: str) -> list[int]:
        """Return the tokens of a caption of another avatar that is untrue of avatar ``index``.

        If 50 captions are all true of it, the tokens are 0: no text.
        """
        rng = random.Random(f"another/{key}/{index}")
        for _ in range(50):
            other = rng.randrange(len(self._avatars))
            text = caption(self._avatars[other], f"{key}/another/{other}")
            if not text.fits(self._avatars[index]):
                return self._vocabulary.tokens(text.text, LENGTH)
        return [0] * LENGTH


def phrases(attributes: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return how a text says each value of the colours among ``attributes``."""
    return {
        name: {value: _FORMS[name][0].format(ways[0]) for value, ways in values.items()}
        for name, values in COLOURS.items()
        if name in attributes
    }


def vocabulary() -> list[str]:
    """Return every word of every caption, and some more that users write, sorted."""
    texts = [*_OPENINGS, *_JOINTS]
    texts += [form.format("", noun="") for forms in _FORMS.values() for form in forms]
    texts += [word for values in COLOURS.values() for ways in values.values() for word in ways]
    texts += [word for ways in _GARMENTS.values() for word in ways]
    texts += [text for values in _SHAPES.values() for ways in values.values() for text in ways]
    return sorted({word for text in texts for word in words(text)})
