"""Dataset ``paired``: photos and their true drawings, as pix2pix and its data sets have them.

Isola, Zhu, Zhou and Efros 2017 (CVPR), https://arxiv.org/abs/1611.07004.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Interval
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ganzoo.errors import DataError
from ganzoo.images import BadImage, square
from ganzoo.interfaces import Dataset
from ganzoo_folders.cache import Cached
from ganzoo_folders.cached import as_tensor
from ganzoo_folders.folder import Folder
from ganzoo_folders.pairs import partners


class Half(Folder):
    """The left or the right half of every image below a folder."""

    def __init__(self, path: Path, size: int, max_bad: float, side: Literal["left", "right"]):
        super().__init__(path, size, max_bad=max_bad)
        self.kind = side

    def pixels(self, image: Image.Image) -> NDArray[np.uint8]:
        """Cut out the half, and its centre square; BadImage if this is no pair side by side."""
        width, height = image.size
        if width <= height or width % 2:
            raise BadImage(f"{width}x{height} pixels are not two equal images side by side")
        left = 0 if self.kind == "left" else width // 2
        return square(image.crop((left, 0, left + width // 2, height)), self.size)


class Paired(Dataset):
    """Pairs of a photo and its drawing: side by side in one image, or in two folders (Isola 2017).

    A is the left half of each image in ``path``.  With ``target``, A is the whole image, and B the
    one of the same name, apart from its ending, in ``target``.  Both are read as dataset ``folder``
    reads its images; both are cropped and flipped alike.

    Args:
        path: Folder of the pairs, A on the left and B on the right, as in pix2pix's data sets; or
            of A alone.
        target: Folder of B.
        direction: AtoB, where A is ``photo``, the source, and B ``real``, what to draw; or BtoA.
        size: Height and width in pixels.
        jitter: Pixels by which images are larger at first; a random square of ``size`` is then cut
            out in every epoch.  pix2pix has 30, for 256 px.
        mirror: Flip each pair left to right with a chance of one half, drawn in every epoch.
        max_bad: The largest share of unusable files; more are an error.
    """

    fields: ClassVar[Mapping[str, str]] = {"photo": "image", "real": "image"}

    def __init__(
        self,
        path: Path,
        target: Path | None = None,
        direction: Literal["AtoB", "BtoA"] = "AtoB",
        size: Annotated[int, Ge(8)] = 256,
        jitter: Annotated[int, Ge(0)] = 0,
        mirror: bool = False,
        max_bad: Annotated[float, Interval(ge=0, le=1)] = 0.01,
    ):
        super().__init__()
        self.size: int = size
        self.jitter = jitter
        self.mirror = mirror
        self._folders: tuple[Folder, Folder]
        whole = size + jitter
        if target is None:
            self._folders = Half(path, whole, max_bad, "left"), Half(path, whole, max_bad, "right")
        else:
            self._folders = (
                Folder(path, whole, max_bad=max_bad),
                Folder(target, whole, max_bad=max_bad),
            )
        self.direction = direction
        #: for each field, its cache entry and the entry's rows by example
        self._open: dict[str, tuple[Cached, NDArray[np.int64]]] = {}
        self._epoch = [0, 0]
        #: this epoch's upper left corner of each crop (N, 2), and whether to flip each pair (N,)
        self._draws: tuple[NDArray[np.int64], NDArray[np.bool_]] | None = None

    def prepare(self) -> None:
        """Read and resize the images, or open them if they are in the cache.

        Raises DataError if a folder is missing, empty or damaged beyond ``max_bad``, if both are
        the same, or if an image has no partner.
        """
        if self._open:
            return
        one, other = self._folders
        halves = isinstance(one, Half)
        if not halves and one.path.resolve() == other.path.resolve():
            raise DataError(
                f"paired: path and target are the same folder, '{one.path}'. Leave target out if "
                "its images have the two of a pair side by side."
            )
        entries = one.entry(), other.entry()
        remedy = "" if halves else f", or leave target out if '{one.path}' has pairs side by side"
        rows = partners(one, other, entries, "paired", remedy)
        sides = (entries[0], np.arange(len(rows))), (entries[1], rows)
        photo, real = sides if self.direction == "AtoB" else reversed(sides)
        self._open = {"photo": photo, "real": real}

    def __len__(self) -> int:
        self.prepare()
        return len(self._open["photo"][1])

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """Return example ``index``: ``photo`` and ``real`` (3, size, size) in [-1, 1]."""
        return {word: batch[0] for word, batch in self.__getitems__([index]).items()}

    def __getitems__(self, indices: list[int]) -> dict[str, Tensor]:
        """Return a batch: ``photo`` and ``real``, each (N, 3, size, size) in [-1, 1]."""
        self.prepare()
        examples = np.arange(len(self))[indices]
        if self._draws is None:
            rng = np.random.default_rng(self._epoch)
            corners = rng.integers(self.jitter + 1, size=(len(self), 2))
            self._draws = corners, rng.random(len(self)) < (0.5 if self.mirror else 0)
        corners, flips = self._draws
        batch = {}
        for field, (entry, rows) in self._open.items():
            pixels = np.empty((len(examples), 3, self.size, self.size), np.uint8)
            for i, index in enumerate(examples):
                top, left = corners[index]
                image = entry.images[rows[index], :, top : top + self.size, left : left + self.size]
                pixels[i] = image[..., ::-1] if flips[index] else image
            batch[field] = as_tensor(pixels)
        return batch

    def set_epoch(self, seed: int, epoch: int) -> None:
        """Draw the crops and the pairs to flip from these two numbers."""
        self._epoch = [seed, epoch]
        self._draws = None

    def fingerprint(self) -> str:
        """Return a sha256 of the pixels of both, how they are paired, cropped and flipped."""
        self.prepare()
        sha = hashlib.sha256(f"{self.jitter} {self.mirror}".encode())
        for field, (entry, rows) in self._open.items():
            images = entry.index["arrays"]["images.npy"]
            sha.update(f"\n{field} {images['shape']} {images['sha256']} ".encode())
            sha.update(rows.tobytes())
        return sha.hexdigest()

    def rejected(self) -> dict[str, str]:
        """Return the paths of the files that were left out, and why."""
        return {
            str(folder.path / name): why
            for folder in self._folders
            for name, why in folder.rejected().items()
        }
