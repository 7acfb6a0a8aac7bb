"""Survey a folder of images: the numbers behind ``ganzoo data check``."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ganzoo.images import BadImage, decode, square
from ganzoo.progress import progress
from ganzoo.scan import Scan, scan
from ganzoo_folders import domains, files
from ganzoo_folders.domains import Domain

#: A GAN tends to learn fewer images than this by heart, unless they are augmented.
FEW = 1000
#: An image counts as gray if no pixel's channels differ by more (JPEG blurs a little).
GRAY_TOLERANCE = 8
#: Images look alike if their 64-bit hashes differ in no more bits.
NEAR_BITS = 3


@dataclass(frozen=True)
class Look:
    """The facts about one usable image."""

    width: int
    height: int
    format: str
    mode: str
    gray: bool
    pixels: str
    look: int
    #: the hash of its square at the size to train at
    square: str
    #: ``domains.score``: the higher, the more it looks like a drawing
    drawing: float
    #: notes on unused parts of the file, such as further frames
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Survey:
    """All images of a folder: the usable ones, and why the others were ``rejected``."""

    scan: Scan
    usable: list[Look]
    rejects: dict[str, str]
    tiles: list[NDArray[np.uint8]]

    @property
    def path(self) -> Path:
        return self.scan.path

    def domain(self) -> Domain:
        """Judge whether the images are photos or drawings."""
        return domains.of_scores([one.drawing for one in self.usable])

    def same_as(self, other: Survey) -> int:
        """Count the images that equal one of ``other`` to the last bit, at the size to train at."""
        theirs = {one.square for one in other.usable}
        return sum(one.square in theirs for one in self.usable)

    def report(self) -> dict[str, Any]:
        """Return counts and spreads, ready for JSON."""
        distinct = {one.pixels: one for one in self.usable}
        domain = self.domain()
        return {
            "files": len(self.usable) + len(self.rejects),
            "usable": len(self.usable),
            "width": _spread(one.width for one in self.usable),
            "height": _spread(one.height for one in self.usable),
            "smallest_side": _spread(min(one.width, one.height) for one in self.usable),
            "formats": dict(Counter(one.format for one in self.usable).most_common()),
            "modes": dict(Counter(one.mode for one in self.usable).most_common()),
            "gray_share": sum(one.gray for one in self.usable) / max(1, len(self.usable)),
            "exact_duplicates": len(self.usable) - len(distinct),
            "near_duplicates": _lookalikes([one.look for one in distinct.values()]),
            "looks_like": domain.verdict,
            "drawn": round(domain.score, 2),
            "rejected": self.rejects,
            "notes": dict(Counter(note for one in self.usable for note in one.notes)),
            "not_looked_at": {kind: len(names) for kind, names in self.scan.others.items()},
        }


def survey(path: Path, size: int, keep: int = 0) -> Survey:
    """Read every image below ``path`` as dataset ``folder`` would at ``size``.

    ``keep`` images, spread evenly over the folder, are kept as ``tiles`` (size, size, 3).
    Raises DataError if the folder has no images.
    """
    listing = scan(path)
    names = listing.names
    places = {int(i) for i in np.linspace(0, len(names) - 1, min(keep, len(names)))}
    usable: list[Look] = []
    rejects: dict[str, str] = {}
    tiles = []
    with progress(f"Reading {path}", len(names)) as advance:
        results = files.in_threads(lambda name: _look_at(path / name, size), names)
        for index, (name, result) in enumerate(zip(names, results, strict=True)):
            if isinstance(result, str):
                rejects[name] = result
            else:
                one, tile = result
                usable.append(one)
                if index in places:
                    tiles.append(tile)
            advance(1)
    return Survey(listing, usable, rejects, tiles)


def difference_hash(image: Image.Image) -> int:
    """Hash the look of an image: is each cell of an 8x9 gray grid darker than the next?

    Krawetz, "Kind of Like That", 2013.  Copies in another size or quality mostly have the same 64
    bits.
    """
    grid = np.asarray(image.convert("L").resize((9, 8), Image.Resampling.BOX)).astype(np.int16)
    bits = np.packbits(grid[:, 1:] > grid[:, :-1])
    return int.from_bytes(bits.tobytes(), "big")


def _look_at(path: Path, size: int) -> tuple[Look, NDArray[np.uint8]] | str:
    try:
        picture = decode(path.read_bytes())
        tile = square(picture.image, size).transpose(1, 2, 0)
    except OSError as error:
        return f"unreadable: {error.strerror}"
    except BadImage as error:
        return str(error)
    image = picture.image
    pixels = np.asarray(image)
    spread = pixels.max(axis=2).astype(np.int16) - pixels.min(axis=2)
    name = f"{image.size}".encode()
    return (
        Look(
            width=image.width,
            height=image.height,
            format=picture.format,
            mode=picture.mode,
            gray=bool(spread.max() <= GRAY_TOLERANCE),
            pixels=hashlib.sha256(name + pixels.tobytes()).hexdigest(),
            look=difference_hash(image),
            square=hashlib.sha256(tile.tobytes()).hexdigest(),
            drawing=domains.score(np.ascontiguousarray(tile)),
            notes=picture.notes,
        ),
        tile,
    )


def _lookalikes(looks: list[int]) -> int:
    """Count the hashes that are within ``NEAR_BITS`` of an earlier one."""
    hashes = np.array(looks, dtype=np.uint64)
    count = 0
    for start in range(0, len(hashes), 512):
        block = hashes[start : start + 512, None]
        near = np.bitwise_count(block ^ hashes[: start + 512]) <= NEAR_BITS
        count += int(np.tril(near, start - 1).any(axis=1).sum())
    return count


def _spread(values: Iterable[int]) -> dict[str, float] | None:
    numbers = list(values)
    if not numbers:
        return None
    return {"min": min(numbers), "median": median(numbers), "max": max(numbers)}
