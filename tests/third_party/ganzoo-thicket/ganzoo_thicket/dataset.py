"""Thickets, drawn on the spot: brown stems and green leaves before a sky."""

from __future__ import annotations

import hashlib
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge
from torch import Tensor

from ganzoo.interfaces import Dataset

VERSION = 1  # raise it when the same arguments give other pictures


class Thicket(Dataset):
    """Stems and leaves in places that the seed and the index decide.

    Args:
        count: how many.
        size: side of the images in pixels.
        seed: which ones.
    """

    fields: ClassVar = {"real": "image"}
    licence = "CC0-1.0"
    size: int

    def __init__(
        self,
        count: Annotated[int, Ge(1)] = 64,
        size: Annotated[int, Ge(4)] = 8,
        seed: Annotated[int, Ge(0)] = 0,
    ):
        self.count, self.size, self.seed = count, size, seed

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """Thicket ``index``: ``real`` (3, size, size) in [-1, 1]."""
        if not 0 <= index < self.count:
            raise IndexError(index)
        rng = torch.Generator().manual_seed(self.seed * 1_000_003 + index)
        sky = torch.linspace(1, 0, self.size)[:, None].expand(-1, self.size)
        image = torch.stack([sky - 0.5, sky - 0.2, sky])
        stems = torch.randperm(self.size, generator=rng)[: self.size // 4]
        image[:, self.size // 3 :, stems] = torch.tensor([0.1, -0.3, -0.8])[:, None, None]
        leaves = torch.rand(self.size // 2, self.size, generator=rng) < 0.4
        image[:, : self.size // 2][:, leaves] = torch.tensor([-0.7, 0.4, -0.6])[:, None]
        return {"real": image}

    def fingerprint(self) -> str:
        """Of what decides every pixel."""
        facts = f"thicket {VERSION} {self.count} {self.size} {self.seed}"
        return hashlib.sha256(facts.encode()).hexdigest()
