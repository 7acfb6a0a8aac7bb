"""Dataset ``heads``: photo-like faces and their drawn twins, made when first used."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from annotated_types import Ge, Interval
from numpy.typing import NDArray
from torch import Tensor

from ganzoo.errors import DataError, nearest, one_of
from ganzoo.interfaces import Dataset
from ganzoo_avatars import codes, labels
from ganzoo_avatars.filling import fill
from ganzoo_folders import cache, depth, edges
from ganzoo_folders import low as lows
from ganzoo_folders.cached import as_pixels, as_tensor
from ganzoo_folders.camera import Camera
from ganzoo_heads import attributes, buffers, drawn, framing, makers, mesh, people

_MAKERS = {
    "photo": ("Photos", "Photographing heads"),
    "real": ("Drawings", "Drawing heads"),
    "normal": ("Normals", "Measuring heads: normal"),
    "depth": ("Depths", "Measuring heads: depth"),
    "layout": ("Layouts", "Measuring heads: layout"),
}


class Heads(Dataset):
    """Photo-like heads as ``photo`` and the same drawn as ``real``; offline, CC0 and cached.

    Nobody in these pictures exists: the heads are MakeHuman's mesh, shaped, lit and given hair at
    random.  ``landmarks`` (68, 2) are those of iBUG 300-W, x and y in [-1, 1] from the outer edge
    of the first pixel to that of the last.  They are points of the mesh, so they are exact even
    where hair hides them.

    ``normal`` holds the unit normals of the photo's surface: x to the right, y down, z towards the
    camera.  ``depth`` (1, size, size) is in shares of the side; the ground is at 1.  ``layout``
    (1, size, size) numbers what is seen, from 0: ground, skin, lips, mouth, eyes, brows, beard,
    hair, clothes, glasses.  These three are made, and cached, when something first reads them.

    Args:
        style: How the twins are drawn.  Nothing in a photo tells the ground of an ``anime``
            drawing; ``anime-white`` is the same on white, for models that make drawings of photos.
        count: How many different heads.
        size: Height and width in pixels.
        seed: Which heads; a larger count with the same seed begins with the same ones.
        smooth: ``edges`` adds ``smooth``, the drawings with blurred edges as in CartoonGAN; needs
            OpenCV, ``pip install 'ganzoo[cartoons]'``.
        paired: Whether ``real`` is the twin of ``photo``; if not, another one is drawn in every
            epoch.  ``landmarks`` are those of ``photo``, and ``real_landmarks`` those of ``real``.
        dyed: Whether four heads in ten have pink, purple, blue or green hair, as avatars have.
        beards: Whether some men have beards.
        glasses: Whether some heads wear glasses.
        label: The attributes of ``photo`` that make up ``label``, such as [hair, glasses].
        camera: The strength of transform ``camera``, which takes every photo anew in each epoch.
        jitter: In every epoch photo and twin are turned by up to 50 times as many degrees, and
            enlarged and cut by up to this share of their side, both alike.
        mirror: Flip half of the heads, drawn in every epoch, photo and twin alike.
        low: Adds ``low``, the drawing reduced so many times, for super-resolution.
    """

    fields: ClassVar[Mapping[str, str]] = {
        "photo": "image",
        "real": "image",
        "smooth": "image",
        "landmarks": "tensor",
        "real_landmarks": "tensor",
        "normal": "image",
        "depth": "tensor",
        "layout": "tensor",
        "label": "label",
        "low": "image",
    }
    later: ClassVar[tuple[str, ...]] = ("low",)
    on_demand: ClassVar[frozenset[str]] = frozenset({"normal", "depth", "layout"})
    shuffled = True
    #: means over 64 heads
    face = ((0.388, 0.478), (0.617, 0.479), (0.504, 0.734))

    size: int

    def __init__(
        self,
        style: Literal["anime", "anime-white", "ink"] = "anime",
        count: Annotated[int, Ge(1)] = 2000,
        size: Annotated[int, Interval(ge=16, le=512)] = 128,
        seed: Annotated[int, Ge(0)] = 0,
        smooth: Literal["edges"] | None = None,
        paired: bool = True,
        dyed: bool = False,
        beards: bool = True,
        glasses: bool = True,
        label: list[str] | None = None,
        camera: Annotated[float, Interval(ge=0, le=1)] = 0.0,
        jitter: Annotated[float, Interval(ge=0, le=0.5)] = 0.0,
        mirror: bool = False,
        low: Annotated[int, Interval(ge=2, le=16)] | None = None,
    ):
        if style not in drawn.STYLES:
            raise DataError(
                f"heads: unknown style '{style}'{nearest(style, drawn.STYLES)} "
                f"Available: {one_of(drawn.STYLES)}."
            )
        if smooth not in (None, "edges"):
            raise DataError(f"heads: smooth '{smooth}' must be 'edges', or left out.")
        self.style = style
        self.count = count
        self.size = lows.check("heads", {"size": size}, None, low)
        self.low = low
        self.seed = seed
        self.smooth = smooth
        self.paired = paired
        self.options = people.Options(dyed, beards, glasses)
        self.label = label
        self.camera = Camera(camera)
        self.framing = framing.Framing(jitter, mirror)
        if label is not None:
            self._columns = labels.columns("heads", "a head", attributes.VALUES, label)
            self.label_values = {name: attributes.VALUES[name] for name in label}
        self.palette = {part: codes.COLOURS[part] for part in buffers.PARTS}
        self._entries: dict[str, cache.Cached] = {}
        self._partner = np.arange(count)
        self.set_epoch(0, 0)
        self.licence = "CC0-1.0"
        self.attribution = ATTRIBUTION

    def prepare(self) -> None:
        """Make the photos and the drawings, or open them if they are in the cache."""
        if self.smooth is not None:
            edges.opencv()  # if it is missing, say so before an hour of work
        for word in self._images():
            self._entry(word)

    def _images(self) -> tuple[str, ...]:
        return ("photo", "real") if self.smooth is None else ("photo", "real", "smooth")

    def demand(self, words: Iterable[str]) -> None:
        """Make ``normal``, ``depth`` or ``layout`` too; raises DataError if heads are reframed."""
        super().demand(words)
        if self.framing and self.demanded:
            raise DataError(
                f"heads: jitter and mirror move photos, drawings and landmarks, but not "
                f"{one_of(sorted(self.demanded))}. Leave them out, or the words that need it."
            )

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """Return example ``index``: images (3, size, size) in [-1, 1], landmarks (68, 2)."""
        return {word: batch[0] for word, batch in self.__getitems__([index]).items()}

    def __getitems__(self, indices: list[int]) -> dict[str, Tensor]:
        """Return a batch: images (N, 3, size, size) in [-1, 1], landmarks (N, 68, 2)."""
        rows = np.asarray(indices, dtype=np.int64)
        partners = self._partner[rows]
        batch = {
            word: as_tensor(
                self._entry(word).images.take(rows if word == "photo" else partners, axis=0)
            )
            for word in self._images()
        }
        for word, name, of in (
            ("photo", "landmarks", rows),
            ("real", "real_landmarks", partners),
        ):
            points = self._labels(word)[of, : makers.COORDINATES] / makers.FIXED
            batch[name] = torch.from_numpy(points.astype(np.float32).reshape(len(of), -1, 2))
        heads = [int(row) % self.count for row in rows]
        flips = torch.zeros(len(heads), dtype=torch.bool)
        if self.framing:
            numbers = [framing.rng(*self._epoch, 0, head) for head in heads]
            flips = self.framing.apply(batch, numbers)
        if self.low:
            batch["low"] = as_tensor(lows.reduced(as_pixels(batch["real"]), self.low))
        if self.camera.strength:
            numbers = [framing.rng(*self._epoch, 1, head) for head in heads]
            photos = zip(batch["photo"][:, None], numbers, strict=True)
            batch["photo"] = torch.cat([self.camera(photo, rng) for photo, rng in photos])
        if self.label is not None:
            values = self._labels("photo")[rows, makers.COORDINATES :]
            batch["label"] = framing.flipped_labels(
                torch.from_numpy(values[:, self._columns]),
                flips,
                [attributes.VALUES[name] for name in self.label],
            )
        for word in sorted(self.demanded):
            pixels = self._entry(word).images.take(rows, axis=0)
            if word == "normal":
                batch[word] = as_tensor(pixels)
            elif word == "depth":
                batch[word] = torch.from_numpy(depth.from_pixels(pixels))
            else:
                batch[word] = torch.from_numpy(pixels[:, :1].astype(np.int64))
        return batch

    def set_epoch(self, seed: int, epoch: int) -> None:
        """Draw this epoch's partners, unless the dataset is paired, and its views of the heads."""
        self._epoch = seed, epoch
        if not self.paired:
            self._partner = np.random.default_rng([seed, epoch]).permutation(self.count)

    def fingerprint(self) -> str:
        """Return a sha256 of the pixels, landmarks and labels, and of whether they are paired."""
        self.prepare()
        sha = hashlib.sha256(f"paired {self.paired} label {self.label}".encode())
        if self.framing or self.camera.strength:
            sha.update(f" camera {self.camera.strength} {self.framing}".encode())
        if self.low:
            sha.update(f" low {self.low}".encode())
        for word in ("photo", "real"):
            for file in ("images.npy", "labels.npy"):
                array = self._entry(word).index["arrays"][file]
                sha.update(f" {word} {array['shape']} {array['sha256']}".encode())
        return sha.hexdigest()

    def attributes(self) -> dict[str, list[str]]:
        """Return the values of each attribute, in the order of the photos."""
        indices = self._labels("photo")[:, makers.COORDINATES :]
        return {
            name: [values[i] for i in indices[:, column]]
            for column, (name, values) in enumerate(attributes.VALUES.items())
        }

    def _entry(self, word: str) -> cache.Cached:
        if word not in self._entries:

            def make(writer: cache.Writer) -> None:
                self._fill(writer, word)

            key = {
                "seed": self.seed,
                "count": self.count,
                "size": self.size,
                **self.options._asdict(),
                "mesh": mesh.SHA256,
                "version": makers.VERSION,
                "packages": {name: version(name) for name in ("numpy", "pillow")},
            }
            if word in ("real", "smooth"):
                key["style"] = self.style
            if word == "smooth":
                key["edges"] = [edges.VERSION, edges.opencv().__version__]
            self._entries[word] = cache.get(f"heads-{word}", key, self.size, make)
        return self._entries[word]

    def _labels(self, word: str) -> NDArray[np.int64]:
        labels = self._entry(word).labels
        assert labels is not None  # photos and drawings have them
        return labels

    def _fill(self, writer: cache.Writer, word: str) -> None:
        if word == "smooth":
            edges.fill(writer, self._entry("real").images)
            writer.text("ATTRIBUTION.md", ATTRIBUTION + "Ganzoo then blurred their edges.\n")
            return
        mesh.load()  # if its file is damaged, say so before starting processes
        maker, what = _MAKERS[word]
        style = " ".join([self.style, *(k for k, on in self.options._asdict().items() if on)])
        artist = f"ganzoo_heads.makers:{maker}"
        fill(writer, what, artist, style, self.count, self.size, self.seed)
        if word == "photo":
            writer.index["attributes"] = {k: list(v) for k, v in attributes.VALUES.items()}
        writer.text("ATTRIBUTION.md", ATTRIBUTION)


ATTRIBUTION = (
    "# Attribution\n\n"
    "These pictures are synthetic: none is a photograph, and none shows a person. Ganzoo shaped, "
    "lit and drew them from the base mesh and the targets of MakeHuman "
    "(http://www.makehumancommunity.org), which are released under CC0 1.0. No credit is due.\n"
)
