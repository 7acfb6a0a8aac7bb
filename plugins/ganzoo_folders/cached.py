"""Datasets whose examples come from one cache entry."""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganzoo.interfaces import Dataset
from ganzoo_folders.cache import Cached


def as_tensor(pixels: NDArray[np.uint8]) -> Tensor:
    """Convert images of 0..255 to float32 in [-1, 1].

    numpy does it, because torch would share the little work among threads.  On a busy machine they
    wait for each other a hundred times longer than the work takes.
    """
    values = pixels.astype(np.float32)
    values /= 127.5
    values -= 1
    return torch.from_numpy(values)


class CachedDataset(Dataset):
    """Examples from a cache entry.

    ``prepare`` sets ``_entry``, and ``_labels`` (N, A) if the recipe asks for labels.  ``mirror``
    adds a left-right flipped copy of every image, after all the others.
    """

    size: int
    mirror = False

    def __init__(self) -> None:
        self._entry: Cached | None = None
        self._labels: NDArray[np.int64] | None = None

    def entry(self) -> Cached:
        """Return the open cache entry; prepare the dataset first if needed."""
        if self._entry is None:
            self.prepare()
        assert self._entry is not None  # every ``prepare`` sets it or raises
        return self._entry

    def __len__(self) -> int:
        return len(self.entry().images) * (2 if self.mirror else 1)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """Return example ``index``: ``real`` (3, size, size) in [-1, 1], perhaps ``label`` (A,)."""
        return {word: batch[0] for word, batch in self.__getitems__([index]).items()}

    def __getitems__(self, indices: list[int]) -> dict[str, Tensor]:
        """Return a batch: ``real`` (N, 3, size, size) in [-1, 1], perhaps ``label`` (N, A)."""
        entry = self.entry()
        rows = np.asarray(indices, dtype=np.int64)
        mirrors = None
        if self.mirror:
            rows = np.where(rows < 0, rows + len(self), rows)
            count = len(entry.images)
            mirrors = np.flatnonzero((rows >= count) & (rows < 2 * count))
            rows[mirrors] -= count
        pixels: NDArray[np.uint8] = entry.images.take(rows, axis=0)
        if mirrors is not None and len(mirrors):
            pixels[mirrors] = pixels[mirrors][..., ::-1]
        batch = {"real": as_tensor(pixels)}
        if self._labels is not None:
            batch["label"] = torch.from_numpy(self._labels[rows])
        return batch

    def fingerprint(self) -> str:
        """Return a sha256 of the pixels, and of the labels if there are any."""
        entry = self.entry()
        images = entry.index["arrays"]["images.npy"]
        sha = hashlib.sha256(f"{images['shape']} {images['sha256']} {self.mirror}".encode())
        if self._labels is not None:
            sha.update(self._labels.data)
        return sha.hexdigest()
