"""The look of each avatar style: named colours, parts and framing.

DiceBear's own palettes are muted, and some styles are black and white.  These tables give every
style the same named colours, leave out what hides a face (masks, sunglasses, hands), and frame the
head so that it fills a small picture.  An avatar's attributes are the keys of these tables.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

StyleName = Literal[
    "toon-head",
    "adventurer",
    "lorelei",
    "big-ears",
    "micah",
    "big-smile",
    "personas",
    "open-peeps",
    "notionists",
]
STYLES: tuple[str, ...] = get_args(StyleName)

HAIR = {
    "black": "#2d2736",
    "brown": "#75482b",
    "blond": "#f5c862",
    "red": "#c93a2b",
    "orange": "#ee8434",
    "pink": "#f58ab4",
    "purple": "#8a5fc0",
    "blue": "#4b8fe2",
    "green": "#45ab72",
    "silver": "#c3cad8",
}
SKIN = {
    "fair": "#fde3cf",
    "light": "#f6c9a3",
    "tan": "#dba274",
    "brown": "#a96f48",
    "dark": "#835540",
}
BACKGROUND = {
    "sky": "#cbe5fb",
    "rose": "#fbd3de",
    "mint": "#cff0dc",
    "lemon": "#fdf0bd",
    "lilac": "#e0d5f7",
    "white": "#f7f7f9",
}
CLOTHES = {
    "red": "#dd4f4b",
    "yellow": "#f2b93b",
    "green": "#4fa878",
    "blue": "#4576c9",
    "violet": "#8e62bd",
    "white": "#f2f3f5",
    "black": "#3a3944",
}
INK = "#2d2736"


@dataclass(frozen=True)
class Part:
    """An attribute that is a shape: a DiceBear component and the odds of its variants.

    Without ``weights`` every variant is equally likely.  The variant ``none`` leaves the component
    out.
    """

    component: str
    weights: Mapping[str, int] | None = None


@dataclass(frozen=True)
class Look:
    """One style: ``colors`` and ``parts`` by attribute; the rest is the same for every avatar.

    ``roles`` maps further colour names of DiceBear to the attribute that sets them.  ``fixed``
    holds DiceBear options, ``hidden`` the components that are never drawn.  ``recolor`` gives the
    ink or paper of a component a colour of its own.
    """

    parts: Mapping[str, Part]
    colors: Mapping[str, Mapping[str, str]] = field(
        default_factory=lambda: {"hair": HAIR, "skin": SKIN, "background": BACKGROUND}
    )
    roles: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    hidden: tuple[str, ...] = ()
    recolor: Mapping[tuple[str, str], str] = field(default_factory=dict)

    @property
    def attributes(self) -> tuple[str, ...]:
        """The names of all attributes, colours first."""
        return (*self.colors, *self.parts)

    def values(self, definition: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
        """Return the values of each attribute, from DiceBear's definition of the style."""
        values = {name: tuple(palette) for name, palette in self.colors.items()}
        for name, part in self.parts.items():
            variants = definition["components"][part.component]["variants"]
            values[name] = tuple(variants if part.weights is None else part.weights)
        return values

    def edit(self, definition: dict[str, Any]) -> None:
        """Apply ``recolor`` to DiceBear's definition, in place, and soften its overlays.

        resvg draws a masked ``overlay`` as plain paint, which turns skin gray; it is made faint.
        """
        for (component, old), new in self.recolor.items():
            _repaint(definition["components"][component], old, new)
            definition["colors"].setdefault(new, {"values": [INK]})
        _soften(definition["canvas"])
        _soften(definition["components"])


def _repaint(element: object, old: str, new: str) -> None:
    if isinstance(element, list):
        for child in element:
            _repaint(child, old, new)
    elif isinstance(element, dict):
        if element.get("type") == "color" and element.get("name") == old:
            element["name"] = new
        for child in element.values():
            _repaint(child, old, new)


def _soften(element: object) -> None:
    if isinstance(element, list):
        for child in element:
            _soften(child)
    elif isinstance(element, dict):
        if "mix-blend-mode:overlay" in str(element.get("style", "")):
            element["opacity"] = ".1"
        for child in element.values():
            _soften(child)


def _dressed(clothes: Mapping[str, str] = CLOTHES) -> dict[str, Mapping[str, str]]:
    return {"hair": HAIR, "skin": SKIN, "background": BACKGROUND, "clothes": clothes}


def _named(names: str) -> dict[str, int]:
    return dict.fromkeys(names.split(), 1)


def _numbered(
    pattern: str, numbers: Iterable[int], leave_out: Container[int] = ()
) -> dict[str, int]:
    return {pattern.format(number): 1 for number in numbers if number not in leave_out}


LOOKS: dict[str, Look] = {
    "toon-head": Look(
        colors=_dressed(),
        parts={
            "hairstyle": Part("hair"),
            "length": Part(
                "rearHair",
                {"none": 4, "neckHigh": 1, "shoulderHigh": 1, "longStraight": 1, "longWavy": 1},
            ),
            "eyes": Part("eyes", {"wide": 4, "happy": 1, "humble": 1, "bow": 1, "wink": 1}),
            "mouth": Part("mouth", {"smile": 2, "laugh": 2, "agape": 1, "sad": 1}),
            "brows": Part("eyebrows", {"neutral": 1, "happy": 1, "raised": 1}),
            "outfit": Part("clothes"),
        },
        fixed={"scale": 1.18, "translateY": 6, "strokeColor": INK},
        hidden=("beard",),
    ),
    "adventurer": Look(
        parts={
            "hairstyle": Part("hair"),
            "eyes": Part(
                "eyes", _numbered("variant{:02}", (1, 2, 3, 5, 10, 19, 21, 22, 23, 24, 25, 26))
            ),
            "mouth": Part(
                "mouth",
                _numbered("variant{:02}", (1, 2, 4, 5, 6, 8, 18, 21, 22, 23, 25, 26, 27, 28, 30)),
            ),
            "brows": Part("eyebrows"),
            "glasses": Part("glasses", {"none": 18} | _numbered("variant{:02}", range(2, 6))),
        },
        fixed={"inkColor": INK, "scale": 1.1, "translateY": 3},
        hidden=("details", "earrings"),
    ),
    "lorelei": Look(
        parts={
            "hairstyle": Part("hair"),
            "eyes": Part("eyes"),
            "mouth": Part("mouth"),
            "glasses": Part("glasses", {"none": 18} | _numbered("variant{:02}", (1, 3, 4, 5))),
        },
        fixed={
            "scale": 1.12,
            "mouthColor": "#b8324a",
            "eyesColor": INK,
            "eyebrowsColor": INK,
            "noseColor": INK,
            "outlineColor": INK,
            "glassesColor": INK,
        },
        hidden=("beard", "earrings", "freckles", "hairAccessories"),
    ),
    "big-ears": Look(
        parts={
            "hairstyle": Part("hair"),
            "eyes": Part("eyes", _numbered("variant{:02}", range(1, 33), leave_out=(1, 10, 13))),
            "mouth": Part("mouth"),
            "head": Part("head", _numbered("variant{:02}", (1, 6, 7, 8, 9, 10))),
        },
        fixed={"scale": 1.05, "translateY": 1},
        hidden=("details",),
    ),
    "micah": Look(
        colors=_dressed(),
        parts={
            "hairstyle": Part("hair", {"full": 1, "pixie": 1, "dannyPhantom": 1, "fonze": 1}),
            "eyes": Part("eyes", {"eyes": 2, "round": 2, "smiling": 1}),
            "mouth": Part("mouth", {"smile": 2, "laughing": 2, "smirk": 1, "surprised": 1}),
            "brows": Part("eyebrows"),
            "glasses": Part("glasses", {"none": 8, "round": 1, "square": 1}),
            "outfit": Part("clothes"),
        },
        roles={"base": "skin", "shirt": "clothes"},
        hidden=("facialHair", "earrings"),
        fixed={"glassesColor": INK, "scale": 1.1, "translateY": 3},
    ),
    "big-smile": Look(
        parts={
            "hairstyle": Part("hair"),
            "eyes": Part("eyes"),
            "mouth": Part("mouth"),
            "accessory": Part("accessories", {"none": 8, "glasses": 1, "catEars": 1}),
        },
        fixed={"translateX": 2, "translateY": 6},
    ),
    "personas": Look(
        colors=_dressed(),
        parts={
            "hairstyle": Part(
                "hair",
                _named(
                    "bobBangs bobCut bunUndercut curly curlyBun curlyHighTop extraLong long mohawk "
                    "pigtails shortCombover shortComboverChops sideShave straightBun"
                ),
            ),
            "eyes": Part("eyes", {"open": 3, "happy": 2, "wink": 1, "glasses": 1}),
            "mouth": Part("mouth", {"smile": 2, "bigSmile": 2, "lips": 1, "smirk": 1}),
            "outfit": Part("clothes"),
        },
        roles={"clothing": "clothes", "facialHair": "hair"},
        hidden=("facialHair",),
        fixed={"scale": 1.15, "translateY": 4},
    ),
    "open-peeps": Look(
        colors=_dressed(),
        parts={
            "hairstyle": Part(
                "head",
                _named(
                    "afro bangs bangs2 bantuKnots bun bun2 buns cornrows cornrows2 dreads1 dreads2 "
                    "flatTop flatTopLong long longAfro longBangs longCurly medium1 medium2 medium3 "
                    "mediumBangs mediumBangs2 mediumBangs3 mediumStraight mohawk pomp "
                    "short1 short2 short3 short4 short5 twists twists2"
                ),
            ),
            "face": Part(
                "expression",
                _named(
                    "awe blank calm cheeky concerned cute driven explaining eyesClosed lovingGrin1 "
                    "lovingGrin2 serious smile smileBig smileLOL smileTeethGap solemn suspicious"
                ),
            ),
            "glasses": Part(
                "accessories", {"none": 12, "glasses": 1, "glasses2": 1, "glasses3": 1}
            ),
        },
        roles={"headContrast": "hair", "clothing": "clothes"},
        hidden=("facialHair", "mask"),
        fixed={"inkColor": INK},
        recolor={("head", "ink"): "hair"},
    ),
    "notionists": Look(
        colors=_dressed(),
        parts={
            "hairstyle": Part("hair"),
            "eyes": Part("eyes"),
            "mouth": Part("mouth"),
            "glasses": Part("glasses", {"none": 12} | _numbered("variant{:02}", (3, 8, 11))),
            "outfit": Part("clothes"),
        },
        hidden=("beard", "gesture", "clothesGraphic"),
        fixed={"inkColor": INK, "scale": 1.5, "translateY": 19},
        recolor={
            ("hair", "ink"): "hair",
            ("head", "paper"): "skin",
            ("clothes", "paper"): "clothes",
        },
    ),
}
