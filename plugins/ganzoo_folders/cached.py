"""What the datasets share: examples from an open cache entry."""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganzoo.interfaces import Dataset
from ganzoo_data.cache import Cached


def as_tensor(pixels: NDArray[np.uint8]) -> Tensor:
    """Images of 0..255 as float32 in [-1, 1].

    In numpy, since torch would share so little work among threads: on a busy machine they wait for
    each other a hundred times longer than the work takes.
    """
    values = pixels.astype(np.float32)
    values /= 127.5
    values -= 1
    return torch.from_numpy(values)


class CachedDataset(Dataset):
    """Examples from a cache entry that ``prepare`` opens; it sets ``_labels`` (N, A) where asked.

    ``mirror`` adds a left-right flipped copy of every image, after all the others.
    """

    size: int
    mirror = False

    def __init__(self) -> None:
        self._cached: Cached | None = None
        self._labels: NDArray[np.int64] | None = None

    def _entry(self) -> Cached:
        if self._cached is None:
            self.prepare()
        assert self._cached is not None  # every ``prepare`` below sets it or raises
        return self._cached

    def __len__(self) -> int:
        return len(self._entry().images) * (2 if self.mirror else 1)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """Example ``index``: ``real`` (3, size, size) in [-1, 1], ``label`` (A,) if asked for."""
        return {word: batch[0] for word, batch in self.__getitems__([index]).items()}

    def __getitems__(self, indices: list[int]) -> dict[str, Tensor]:
        """A batch: ``real`` (N, 3, size, size) in [-1, 1], ``label`` int64 (N, A) if asked for."""
        entry = self._entry()
        rows = np.asarray(indices, dtype=np.int64)
        flipped = None
        if self.mirror:
            rows = np.where(rows < 0, rows + len(self), rows)
            count = len(entry.images)
            flipped = np.flatnonzero((rows >= count) & (rows < 2 * count))
            rows[flipped] -= count
        pixels: NDArray[np.uint8] = entry.images.take(rows, axis=0)
        if flipped is not None and len(flipped):
            pixels[flipped] = pixels[flipped][..., ::-1]
        batch = {"real": as_tensor(pixels)}
        if self._labels is not None:
            batch["label"] = torch.from_numpy(self._labels[rows])
        return batch

    def fingerprint(self) -> str:
        """A sha256 of the pixels, and of the labels where they are asked for."""
        entry = self._entry()
        known = entry.index["arrays"]["images.npy"]
        sha = hashlib.sha256(f"{known['shape']} {known['sha256']} {self.mirror}".encode())
        if self._labels is not None:
            sha.update(self._labels.data)
        return sha.hexdigest()
