"""Datasets whose examples come from one cache entry."""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganzoo.interfaces import Dataset
from ganzoo_folders.cache import Cached
from ganzoo_folders.low import reduced


def as_tensor(pixels: NDArray[np.uint8]) -> Tensor:
    """Convert images of 0..255 to float32 in [-1, 1].

    numpy does it, because torch would share the little work among threads.  On a busy machine they
    wait for each other a hundred times longer than the work takes.
    """
    values = pixels.astype(np.float32)
    values /= 127.5
    values -= 1
    return torch.from_numpy(values)


def as_pixels(images: Tensor) -> NDArray[np.uint8]:
    """Convert images in [-1, 1] to 0..255, rounded to nearest."""
    pixels: NDArray[np.uint8] = np.rint((images.numpy() + 1) * 127.5).astype(np.uint8)
    return pixels


class CachedDataset(Dataset):
    """Examples from a cache entry.

    ``prepare`` sets ``_entry``, and ``_labels`` (N, A) if the recipe asks for labels.  ``mirror``
    adds a left-right flipped copy of every image, after all the others.  With ``crop``, an example
    is a square of so many pixels, cut out anew in every epoch.  With ``low``, ``low`` is the
    example reduced so many times.
    """

    size: int
    mirror = False
    crop: int | None = None
    low: int | None = None

    def __init__(self) -> None:
        self._entry: Cached | None = None
        self._labels: NDArray[np.int64] | None = None
        self._epoch = [0, 0]
        #: this epoch's upper left corner of each crop (N, 2)
        self._corners: NDArray[np.int64] | None = None
        #: the images that are examples, if not all are
        self._kept: NDArray[np.int64] | None = None

    def entry(self) -> Cached:
        """Return the open cache entry; prepare the dataset first if needed."""
        if self._entry is None:
            self.prepare()
        assert self._entry is not None  # every ``prepare`` sets it or raises
        return self._entry

    def __len__(self) -> int:
        count = len(self.entry().images) if self._kept is None else len(self._kept)
        return count * (2 if self.mirror else 1)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """Return example ``index``: ``real`` (3, size, size) in [-1, 1], perhaps more."""
        return {word: batch[0] for word, batch in self.__getitems__([index]).items()}

    def __getitems__(self, indices: list[int]) -> dict[str, Tensor]:
        """Return a batch: ``real`` (N, 3, size, size) in [-1, 1].

        Perhaps ``label`` (N, A), and ``low`` (N, 3, size / low, size / low) in [-1, 1].
        """
        entry = self.entry()
        rows = np.asarray(indices, dtype=np.int64)
        mirrors = None
        if self.mirror:
            rows = np.where(rows < 0, rows + len(self), rows)
            count = len(self) // 2
            mirrors = np.flatnonzero((rows >= count) & (rows < 2 * count))
            rows[mirrors] -= count
        if self._kept is not None:
            rows = self._kept[rows]
        if self.crop:
            pixels = self._cut(entry.images, rows, np.arange(len(self))[indices])
        else:
            pixels = entry.images.take(rows, axis=0)
        if mirrors is not None and len(mirrors):
            pixels[mirrors] = pixels[mirrors][..., ::-1]
        batch = {"real": as_tensor(pixels)}
        if self.low:
            batch["low"] = as_tensor(reduced(pixels, self.low))
        if self._labels is not None:
            batch["label"] = torch.from_numpy(self._labels[rows])
        return batch

    def _cut(
        self, images: NDArray[np.uint8], rows: NDArray[np.int64], examples: NDArray[np.int64]
    ) -> NDArray[np.uint8]:
        """Cut this epoch's squares of ``examples`` out of the images ``rows``."""
        if self._corners is None:
            rng = np.random.default_rng(self._epoch)
            self._corners = rng.integers(images.shape[-1] - self.size + 1, size=(len(self), 2))
        pixels = np.empty((len(rows), 3, self.size, self.size), np.uint8)
        for square, row, (top, left) in zip(pixels, rows, self._corners[examples], strict=True):
            square[:] = images[row, :, top : top + self.size, left : left + self.size]
        return pixels

    def set_epoch(self, seed: int, epoch: int) -> None:
        """Draw the crops from these two numbers."""
        self._epoch = [seed, epoch]
        self._corners = None

    def fingerprint(self) -> str:
        """Return a sha256 of the pixels, of labels if there are any, and of how they are cut."""
        entry = self.entry()
        images = entry.index["arrays"]["images.npy"]
        sha = hashlib.sha256(f"{images['shape']} {images['sha256']} {self.mirror}".encode())
        if self._labels is not None:
            sha.update(self._labels.data)
        if self.crop or self.low:
            sha.update(f" crop {self.crop} low {self.low}".encode())
        return sha.hexdigest()
