"""Dataset ``figurines``: avatars and their photo-like twins in clay, made when first used."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.metadata import version
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from annotated_types import Ge, Interval
from numpy.typing import NDArray
from torch import Tensor

from ganzoo.errors import DataError, nearest, one_of
from ganzoo.interfaces import Dataset
from ganzoo_avatars import codes, render
from ganzoo_avatars.filling import fill
from ganzoo_figurines import buffers, clay, parts, sculpt
from ganzoo_figurines.parts import LANDMARKS, STYLES, StyleName
from ganzoo_folders import cache, depth, edges
from ganzoo_folders import low as lows
from ganzoo_folders.cached import as_tensor

_FIXED = 1_000_000  # landmarks are kept as whole millionths


class Figurines(Dataset):
    """Avatars as ``real`` and the same in clay, lit by a lamp, as ``photo``; offline and cached.

    The ``photo`` is synthetic: it looks like a photographed figurine, never like a person.  Every
    pair has a pose of its own.  ``landmarks`` (K, 2) are in the order of ``LANDMARKS``, x and y in
    [-1, 1] from the outer edge of the first pixel to that of the last.  They are exact even where
    hair hides the part.

    ``normal`` holds the unit normals of the photo's surface: x to the right, y down, z towards the
    camera.  ``depth`` (1, size, size) is in shares of the side; the wall is at 1.  These two are
    made, and cached, when something first reads them.

    Needs ``pip install 'ganzoo[avatars]'``.  The artist's licence is kept beside the images.

    Args:
        style: Whose drawings; toon-head is frontal, adventurer has larger eyes and no body.
        count: How many different pairs.
        size: Height and width in pixels.
        seed: Which figurines; a larger count with the same seed begins with the same ones.
        smooth: ``edges`` adds ``smooth``, the avatars with blurred edges as in CartoonGAN; needs
            OpenCV, ``pip install 'ganzoo[cartoons]'``.
        paired: Whether ``real`` is the avatar of ``photo``; if not, another one is drawn in every
            epoch.  ``landmarks`` are those of ``photo``, and ``real_landmarks`` those of ``real``.
        low: Adds ``low``, the avatar reduced so many times, for super-resolution.
    """

    fields: ClassVar[Mapping[str, str]] = {
        "photo": "image",
        "real": "image",
        "smooth": "image",
        "landmarks": "tensor",
        "real_landmarks": "tensor",
        "normal": "image",
        "depth": "tensor",
        "low": "image",
    }
    later: ClassVar[tuple[str, ...]] = ("low",)
    on_demand: ClassVar[frozenset[str]] = frozenset({"normal", "depth"})
    shuffled = True

    size: int

    def __init__(
        self,
        style: StyleName = "toon-head",
        count: Annotated[int, Ge(1)] = 2000,
        size: Annotated[int, Interval(ge=8, le=512)] = 128,
        seed: Annotated[int, Ge(0)] = 0,
        smooth: Literal["edges"] | None = None,
        paired: bool = True,
        low: Annotated[int, Interval(ge=2, le=16)] | None = None,
    ):
        if style not in STYLES:
            raise DataError(
                f"figurines: style '{style}' cannot be made in clay{nearest(style, STYLES)} "
                f"Available: {one_of(STYLES)}."
            )
        if smooth not in (None, "edges"):
            raise DataError(f"figurines: smooth '{smooth}' must be 'edges', or left out.")
        self.style = style
        self.count = count
        self.size = lows.check("figurines", {"size": size}, None, low)
        self.low = low
        self.seed = seed
        self.smooth = smooth
        self.paired = paired
        self._entries: dict[str, cache.Cached] = {}
        self._buffers: dict[str, cache.Cached] = {}
        self._partner = np.arange(count)
        self.set_epoch(0, 0)

    def prepare(self) -> None:
        """Make the figurines, or open them if they are in the cache."""
        if self._entries:
            return
        if self.smooth is not None:
            edges.opencv()  # if it is missing, say so before an hour of work
        entries = {
            "photo": cache.get("figurines-photo", self._key("photo"), self.size, self._sculpt),
            "real": cache.get("figurines-real", self._key("real"), self.size, self._draw),
        }
        if self.smooth is not None:

            def blur(writer: cache.Writer) -> None:
                edges.fill(writer, entries["real"].images)
                writer.text("ATTRIBUTION.md", render.attribution(self.style) + _BLURRED)

            entries["smooth"] = cache.get("figurines-smooth", self._key("smooth"), self.size, blur)
        self._entries = entries
        self.licence = render.licence(self.style)
        self.attribution = render.attribution(self.style) + _SYNTHETIC

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """Return example ``index``: images (3, size, size) in [-1, 1], landmarks (K, 2)."""
        return {word: batch[0] for word, batch in self.__getitems__([index]).items()}

    def __getitems__(self, indices: list[int]) -> dict[str, Tensor]:
        """Return a batch: images (N, 3, size, size) in [-1, 1], landmarks (N, K, 2)."""
        self.prepare()
        rows = np.asarray(indices, dtype=np.int64)
        partners = self._partner[rows]
        batch = {
            word: as_tensor(entry.images.take(rows if word == "photo" else partners, axis=0))
            for word, entry in self._entries.items()
        }
        if self.low:
            drawings = self._entries["real"].images.take(partners, axis=0)
            batch["low"] = as_tensor(lows.reduced(drawings, self.low))
        batch |= {
            word: torch.from_numpy(
                (self._landmarks()[of] / _FIXED).astype(np.float32).reshape(len(of), -1, 2)
            )
            for word, of in (("landmarks", rows), ("real_landmarks", partners))
        }
        for word in sorted(self.demanded):
            pixels = self._buffer(word).images.take(rows, axis=0)
            batch[word] = (
                as_tensor(pixels)
                if word == "normal"
                else torch.from_numpy(depth.from_pixels(pixels))
            )
        return batch

    def _buffer(self, word: str) -> cache.Cached:
        """Make the normals or the depths, or open them if they are in the cache."""
        if word not in self._buffers:
            artist = {"normal": "Normals", "depth": "Depths"}[word]

            def measure(writer: cache.Writer) -> None:
                self._fill(
                    writer, f"Measuring figurines: {word}", f"ganzoo_figurines.buffers:{artist}"
                )
                writer.text("ATTRIBUTION.md", render.attribution(self.style) + _SYNTHETIC)

            key = self._key("photo") | {"buffers": buffers.VERSION}
            self._buffers[word] = cache.get(f"figurines-{word}", key, self.size, measure)
        return self._buffers[word]

    def set_epoch(self, seed: int, epoch: int) -> None:
        """Draw this epoch's partners, unless the dataset is paired."""
        if not self.paired:
            self._partner = np.random.default_rng([seed, epoch]).permutation(self.count)

    def fingerprint(self) -> str:
        """Return a sha256 of the pixels, the landmarks, and whether they are paired."""
        self.prepare()
        sha = hashlib.sha256(f"paired {self.paired}".encode())
        for word, entry in self._entries.items():
            images = entry.index["arrays"]["images.npy"]
            sha.update(f" {word} {images['shape']} {images['sha256']}".encode())
        sha.update(np.ascontiguousarray(self._landmarks()).data)
        if self.low:
            sha.update(f" low {self.low}".encode())
        return sha.hexdigest()

    def _landmarks(self) -> NDArray[np.int64]:
        labels = self._entries["photo"].labels
        assert labels is not None  # ``_sculpt`` writes them
        return labels

    def _key(self, word: str) -> dict[str, Any]:
        key = render.key(self.style, self.count, self.size, self.seed)
        key["parts"] = parts.VERSION
        if word == "photo":
            tables = repr([codes.MATERIALS, clay.CLAYS, clay.PALETTE, LANDMARKS])
            key["clay"] = hashlib.sha256(tables.encode()).hexdigest()
            key["sculptor"] = [sculpt.VERSION, sculpt.OVERSAMPLE]
            key["packages"] |= {name: version(name) for name in ("numpy", "pillow")}
        if word == "smooth":
            key["edges"] = [edges.VERSION, edges.opencv().__version__]
        return key

    def _sculpt(self, writer: cache.Writer) -> None:
        self._fill(writer, "Making figurines", "ganzoo_figurines.sculpt:Sculptor")
        renderer = parts.Coded(self.style, self.seed)
        points = np.stack([renderer.landmarks(i).ravel() for i in range(self.count)])
        writer.set_labels(np.rint(points * _FIXED).astype(np.int64))
        writer.index["landmarks"] = list(LANDMARKS)
        writer.text("ATTRIBUTION.md", render.attribution(self.style) + _SYNTHETIC)

    def _draw(self, writer: cache.Writer) -> None:
        artist = "ganzoo_figurines.parts:PosedRenderer"
        self._fill(writer, f"Drawing {self.style} avatars", artist)
        writer.text("ATTRIBUTION.md", render.attribution(self.style))

    def _fill(self, writer: cache.Writer, what: str, artist: str) -> None:
        fill(writer, what, artist, self.style, self.count, self.size, self.seed)


_SYNTHETIC = (
    "\nGanzoo then modelled the drawings as clay figurines under a lamp. These pictures are "
    "synthetic: none is a photograph, and none shows a person.\n"
)
_BLURRED = "\nGanzoo then blurred the edges in the drawings.\n"
