"""The dataset: flowers, drawn from a formula.

Source   yours goes here: where the images are from, and under which licence they may be used.  As
         it stands the petals follow a rose curve, r = 1 + depth * cos(petals * angle), after
         Guido Grandi (Flores geometrici, 1728).
Shapes   example i is {"real": image (3, size, size) in [-1, 1]}.
Change   ``prepare``, which opens or draws everything, once.  What else an example holds goes into
         ``fields``, and losses and generators can ask for it by its name.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge
from ganzoo.interfaces import Dataset
from torch import Tensor

PETALS = ((0.93, 0.30, 0.38), (0.98, 0.60, 0.25), (0.60, 0.36, 0.85), (0.25, 0.50, 0.92))
GROUNDS = ((0.84, 0.93, 0.80), (0.82, 0.91, 0.97), (0.99, 0.93, 0.82))
HEARTS = ((1.0, 0.85, 0.3),)


class Flowers(Dataset):
    """A flower in each image; its petals, colours, size and turn differ.

    Args:
        count: number of images; a larger set begins with the same ones.
        size: height and width in pixels.
        seed: which flowers.
    """

    fields: ClassVar[Mapping[str, str]] = {"real": "image"}
    licence = "CC0-1.0"

    def __init__(
        self,
        count: Annotated[int, Ge(1)] = 4000,
        size: Annotated[int, Ge(8)] = 32,
        seed: Annotated[int, Ge(0)] = 0,
    ):
        self.count = count
        self.size: int = size
        self.seed = seed
        self._images: Tensor | None = None

    def prepare(self) -> None:
        """Draw all flowers, half a millisecond each."""
        self._drawn()

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """Flower ``index``: float (3, size, size) in [-1, 1]."""
        return {"real": self._drawn()[index] / 127.5 - 1}

    def fingerprint(self) -> str:
        """A hash of all pixels."""
        return hashlib.sha256(self._drawn().numpy().tobytes()).hexdigest()

    def _drawn(self) -> Tensor:
        """All images, uint8 (count, 3, size, size)."""
        if self._images is None:
            rng = torch.Generator().manual_seed(self.seed)
            self._images = torch.stack([_flower(self.size, rng) for _ in range(self.count)])
        return self._images


def _flower(size: int, rng: torch.Generator) -> Tensor:
    """One flower, uint8 (3, size, size)."""
    side = (torch.arange(size) + 0.5) / size * 2 - 1
    distance = torch.hypot(side, side[:, None])
    angle = torch.atan2(side[:, None], side)
    radius, turn = _between(0.6, 0.85, rng), _between(0, 2 * math.pi, rng)
    petals = int(torch.randint(3, 8, (), generator=rng))
    edge = radius * (0.75 + 0.25 * torch.cos(petals * (angle - turn)))

    image = _colour(GROUNDS, rng) * (1.05 - 0.2 * distance)
    for colour, shape in ((_colour(PETALS, rng), edge), (_colour(HEARTS, rng), 0.3 * radius)):
        inside = ((shape - distance) * size / 2 + 0.5).clamp(0, 1)  # smooth over one pixel
        image = image.lerp(colour * (1.2 - 0.4 * distance), inside)
    return image.clamp(0, 1).mul(255).round().to(torch.uint8)


def _between(low: float, high: float, rng: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand((), generator=rng)


def _colour(colours: Sequence[tuple[float, float, float]], rng: torch.Generator) -> Tensor:
    """One of the ``colours``, (3, 1, 1)."""
    chosen = int(torch.randint(len(colours), (), generator=rng))
    return torch.tensor(colours[chosen]).view(3, 1, 1)
