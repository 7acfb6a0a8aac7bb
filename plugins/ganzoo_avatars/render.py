"""Draw avatars: choose attributes at random, let DiceBear make SVG and resvg make pixels.

Avatar ``index`` depends only on the style, the seed and the index, so a larger count begins with
the same images.  Each attribute is drawn from a generator of its own: adding one changes no other.
"""

from __future__ import annotations

import hashlib
import io
import json
import random
import re
from collections.abc import Mapping
from importlib import import_module, resources
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ganzoo.errors import DataError
from ganzoo_avatars.styles import LOOKS, Look

#: Images are drawn this many times larger and then reduced: thin outlines stay smooth.
OVERSAMPLE = 2
#: Increase when the same tables would give other pixels.
VERSION = 1
#: The artist of ``drawing.draw`` that draws avatars.
AVATARS = "ganzoo_avatars.render:Renderer"
#: DiceBear clips every drawing to its whole canvas.  An isolated group gives the same pixels and
#: spares resvg the mask, a tenth of the time.
_CLIPPED = re.compile(
    r'(rx="0" ry="0"/></clipPath>.*?)<g clip-path="url\(#clip-[\w-]+\)">', re.DOTALL
)


def definition(style: str) -> dict[str, Any]:
    """Read DiceBear's definition of ``style``; raises DataError if the packages are missing."""
    try:
        import_module("dicebear")
        import_module("resvg_py")
        text = resources.files("dicebear_styles").joinpath(f"{style}.json").read_text("utf-8")
    except ModuleNotFoundError as error:
        raise DataError(
            f"avatars need a package that is not installed ({error.name}). "
            f"Install it: pip install 'ganzoo[avatars]'"
        ) from error
    data: dict[str, Any] = json.loads(text)
    return data


def key(style: str, count: int, size: int, seed: int) -> dict[str, Any]:
    """Return everything that the pixels depend on."""
    text = json.dumps(definition(style), sort_keys=True)
    return {
        "style": style,
        "count": count,
        "size": size,
        "seed": seed,
        "look": hashlib.sha256(repr(LOOKS[style]).encode()).hexdigest(),
        "definition": hashlib.sha256(text.encode()).hexdigest(),
        "renderer": [VERSION, OVERSAMPLE],
        "packages": {name: version(name) for name in ("dicebear-core", "resvg-py")},
    }


def choose(
    look: Look, values: Mapping[str, tuple[str, ...]], seed: int, index: int
) -> dict[str, str]:
    """Draw the attributes of avatar ``index``, each from its ``values``."""
    attributes = {}
    for name, alternatives in values.items():
        part = look.parts.get(name)
        weights = None if part is None or part.weights is None else list(part.weights.values())
        attributes[name] = random.Random(f"{seed}/{index}/{name}").choices(alternatives, weights)[0]
    return attributes


def options(look: Look, attributes: Mapping[str, str], seed: int, index: int) -> dict[str, Any]:
    """Return DiceBear's options for an avatar with these attributes."""
    settings: dict[str, Any] = {"seed": f"{seed}/{index}", **look.fixed}
    for component in look.hidden:
        settings[f"{component}Probability"] = 0
    for attribute, palette in look.colors.items():
        roles = [role for role, source in look.roles.items() if source == attribute]
        for role in [attribute, *roles]:
            settings[f"{role}Color"] = palette[attributes[attribute]]
    for attribute, part in look.parts.items():
        if attributes[attribute] == "none":
            settings[f"{part.component}Probability"] = 0
        else:
            settings[f"{part.component}Probability"] = 100
            settings[f"{part.component}Variant"] = attributes[attribute]
    return settings


def rasterise(svg: str, side: int) -> Image.Image:
    """Turn a drawing into (side, side) pixels, RGBA."""
    import resvg_py

    svg = _CLIPPED.sub(r'\1<g style="isolation:isolate">', svg, count=1)
    png = resvg_py.svg_to_bytes(svg_string=svg, width=side, height=side, skip_system_fonts=True)
    return Image.open(io.BytesIO(bytes(png))).convert("RGBA")


class Renderer:
    """Draws the avatars of one style.  Reading the style takes a few tenths of a second."""

    def __init__(self, style: str, size: int, seed: int):
        import dicebear

        raw = definition(style)
        self.look = LOOKS[style]
        self.values = self.look.values(raw)
        self.look.edit(raw)
        self.size = size
        self.seed = seed
        self._style = dicebear.Style(raw)

    def __call__(self, index: int) -> NDArray[np.uint8]:
        """Draw avatar ``index`` as (3, size, size) uint8."""
        import dicebear

        avatar = dicebear.Avatar(self._style, self.options(index))
        image = rasterise(str(avatar), self.size * OVERSAMPLE).convert("RGB")
        small = image.resize((self.size, self.size), Image.Resampling.LANCZOS)
        return np.asarray(small).transpose(2, 0, 1)

    def options(self, index: int) -> dict[str, Any]:
        """Return DiceBear's options for avatar ``index``."""
        attributes = choose(self.look, self.values, self.seed, index)
        return options(self.look, attributes, self.seed, index)


def licence(style: str) -> str:
    """Return the licence of a style's drawings, as an SPDX identifier."""
    name: str = definition(style)["meta"]["license"]["name"]  # CC BY 4.0, CC0 1.0
    return name.replace(" ", "-")


def attribution(style: str) -> str:
    """Return a Markdown notice: the artist, the licence, and how the images were made."""
    meta = definition(style)["meta"]
    licence, creator, source = meta["license"], meta["creator"], meta["source"]
    return (
        f"# Attribution\n\n"
        f"These images are a remix of [{source['name']}]({source['url']}) "
        f"by [{creator['name']}]({creator['url']}), "
        f"licensed under [{licence['name']}]({licence['url']}).\n\n"
        f"They were composed at random from the vector parts of that work, as published in "
        f"DiceBear's style `{style}` (https://www.dicebear.com), recoloured, and rasterised "
        f"with resvg by ganzoo. Keep this notice with the images, and name the work where you "
        f"publish a model that was trained on them.\n"
    )
