"""Draw avatars: attributes are drawn by lot, DiceBear turns them into SVG, resvg into pixels.

Avatar ``index`` depends on the style, the seed and the index alone, so that a larger count begins
with the same images, and an attribute depends on nothing but its own name besides.

resvg holds Python's global lock, so that threads gain nothing: other processes draw, each started
as ``python -m ganzoo_data.render``.  That needs no guard in a user's script, forks no process that
may already hold locks, and imports no torch.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Callable, Generator, Mapping
from importlib import import_module, resources
from importlib.metadata import version
from typing import IO, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ganzoo.errors import DataError
from ganzoo_data.styles import LOOKS, Look

#: Images are drawn this many times larger and then reduced: thin outlines stay smooth.
OVERSAMPLE = 2
#: Raise when the same tables would give other pixels.
VERSION = 1
Drawings: TypeAlias = Generator[NDArray[np.uint8], None, None]
#: Given a style, a size and a seed, what draws the picture of an index.
Artist: TypeAlias = Callable[[str, int, int], Callable[[int], NDArray[np.uint8]]]
_ALONE = 64  # so few images are drawn sooner than another process starts
#: DiceBear clips every drawing to its whole canvas. A group of its own gives the same pixels, and
#: spares resvg the mask: a tenth of the time.
_CLIPPED = re.compile(
    r'(rx="0" ry="0"/></clipPath>.*?)<g clip-path="url\(#clip-[\w-]+\)">', re.DOTALL
)


def definition(style: str) -> dict[str, Any]:
    """DiceBear's definition of ``style``; raises DataError where the packages are missing."""
    try:
        import_module("dicebear")
        import_module("resvg_py")
        text = resources.files("dicebear_styles").joinpath(f"{style}.json").read_text("utf-8")
    except ModuleNotFoundError as error:
        raise DataError(
            f"avatars are drawn with a package that is not installed ({error.name}). "
            f"Install it: pip install 'ganzoo[avatars]'"
        ) from error
    found: dict[str, Any] = json.loads(text)
    return found


def key(style: str, count: int, size: int, seed: int) -> dict[str, Any]:
    """Everything that the pixels depend on."""
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
    """The attributes of avatar ``index``: one of ``values`` each."""
    chosen = {}
    for name, allowed in values.items():
        part = look.parts.get(name)
        weights = None if part is None or part.weights is None else list(part.weights.values())
        chosen[name] = random.Random(f"{seed}/{index}/{name}").choices(allowed, weights)[0]
    return chosen


def options(look: Look, chosen: Mapping[str, str], seed: int, index: int) -> dict[str, Any]:
    """DiceBear's options for an avatar with the attributes ``chosen``."""
    found: dict[str, Any] = {"seed": f"{seed}/{index}", **look.fixed}
    for component in look.hidden:
        found[f"{component}Probability"] = 0
    for attribute, palette in look.colors.items():
        roles = [role for role, source in look.roles.items() if source == attribute]
        for role in [attribute, *roles]:
            found[f"{role}Color"] = palette[chosen[attribute]]
    for attribute, part in look.parts.items():
        if chosen[attribute] == "none":
            found[f"{part.component}Probability"] = 0
        else:
            found[f"{part.component}Probability"] = 100
            found[f"{part.component}Variant"] = chosen[attribute]
    return found


def rasterise(svg: str, side: int) -> Image.Image:
    """The drawing as (side, side) pixels, RGBA."""
    import resvg_py

    svg = _CLIPPED.sub(r'\1<g style="isolation:isolate">', svg, count=1)
    png = resvg_py.svg_to_bytes(svg_string=svg, width=side, height=side, skip_system_fonts=True)
    return Image.open(io.BytesIO(bytes(png))).convert("RGBA")


class Renderer:
    """Draws the avatars of one style; reading the style takes some tenths of a second."""

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
        """Avatar ``index`` as (3, size, size)."""
        import dicebear

        avatar = dicebear.Avatar(self._style, self.options(index))
        image = rasterise(str(avatar), self.size * OVERSAMPLE).convert("RGB")
        small = image.resize((self.size, self.size), Image.Resampling.LANCZOS)
        return np.asarray(small).transpose(2, 0, 1)

    def options(self, index: int) -> dict[str, Any]:
        """DiceBear's options for avatar ``index``."""
        chosen = choose(self.look, self.values, self.seed, index)
        return options(self.look, chosen, self.seed, index)


AVATARS = "ganzoo_data.render:Renderer"


def render(style: str, count: int, size: int, seed: int, artist: str = AVATARS) -> Drawings:
    """Drawings 0 to ``count`` - 1 in order, each (3, size, size); close it to stop early.

    ``artist`` names the class that draws, "module:Class", called as ``Renderer`` is.
    """
    workers = min(_cores(), -(-count // _ALONE))
    if workers == 1:
        yield from map(_artist(artist)(style, size, seed), range(count))
    else:
        yield from _render_in_processes(style, count, size, seed, artist, workers)


def _artist(name: str) -> Artist:
    module, _, cls = name.partition(":")
    found: Artist = getattr(import_module(module), cls)
    return found


def _render_in_processes(
    style: str, count: int, size: int, seed: int, artist: str, workers: int
) -> Drawings:
    command = [sys.executable, "-P", "-m", "ganzoo_data.render"]  # -P: not from this folder
    jobs = [[style, size, seed, first, count, workers, artist] for first in range(workers)]
    running: list[subprocess.Popen[bytes]] = []
    try:
        for job in jobs:  # in sessions of their own: Ctrl-C is for us to handle
            arguments = [*command, json.dumps(job)]
            running.append(
                subprocess.Popen(arguments, stdout=subprocess.PIPE, start_new_session=True)
            )
        for index in range(count):
            process = running[index % workers]
            assert process.stdout is not None  # it is a pipe
            pixels = process.stdout.read(3 * size * size)
            if len(pixels) < 3 * size * size:
                raise DataError(
                    f"a process that was drawing avatars ended early "
                    f"(exit code {process.wait()}), maybe for want of memory. "
                    f"Nothing was kept; run it again."
                )
            yield np.frombuffer(pixels, dtype=np.uint8).reshape(3, size, size)
    finally:
        for process in running:
            process.kill()
            if process.stdout is not None:
                process.stdout.close()
            process.wait()


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def licence(style: str) -> str:
    """The licence of a style's drawings, as an SPDX identifier."""
    name: str = definition(style)["meta"]["license"]["name"]  # CC BY 4.0, CC0 1.0
    return name.replace(" ", "-")


def attribution(style: str) -> str:
    """Whose drawings these are, under which terms, and what was done to them (Markdown)."""
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


def _serve(job: str, out: IO[bytes]) -> None:
    style, size, seed, first, count, step, artist = json.loads(job)
    draw = _artist(artist)(style, size, seed)
    for index in range(first, count, step):
        out.write(np.ascontiguousarray(draw(index)).data)
        out.flush()


if __name__ == "__main__":
    try:
        _serve(sys.argv[1], sys.stdout.buffer)
    except (BrokenPipeError, KeyboardInterrupt):  # whoever wanted the images is gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
