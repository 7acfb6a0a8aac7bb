"""Frame photos and their drawn twins alike in another way: turned, enlarged, moved, flipped."""

from __future__ import annotations

import math
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

IMAGES = {"photo", "real", "smooth"}
DEGREES = 50.0  # of turning, for each whole side of enlarging
#: each point of 300-W -> the one on the other side of the face
# fmt: off
OTHER_SIDE = [
    *range(16, -1, -1), *range(26, 16, -1),  # jaw, brows
    *range(27, 31), *range(35, 30, -1),  # nose
    45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,  # eyes
    *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), *range(67, 64, -1),  # mouth
]
# fmt: on


@dataclass(frozen=True)
class Framing:
    """How far pictures are reframed.

    Args:
        jitter: The largest share of the side that is cut off, 0 to 0.5.
        mirror: Whether half of the pictures are flipped.
    """

    jitter: float
    mirror: bool

    def __bool__(self) -> bool:
        return self.jitter > 0 or self.mirror

    def apply(
        self, batch: MutableMapping[str, Tensor], numbers: Sequence[torch.Generator]
    ) -> Tensor:
        """Reframe the images (N, 3, H, W) and the landmarks (N, 68, 2) of a batch.

        Returns which examples were flipped, (N,).
        """
        drawn = [self._draw(own) for own in numbers]
        matrix = torch.stack([matrix for matrix, _ in drawn])
        flips = torch.tensor([flip for _, flip in drawn])
        for word in IMAGES & batch.keys():
            image = batch[word]
            if self.jitter:
                grid = affine_grid(matrix, list(image.shape), align_corners=False)
                image = grid_sample(
                    image, grid, mode="bicubic", padding_mode="reflection", align_corners=False
                ).clamp(-1, 1)
            batch[word] = torch.where(flips[:, None, None, None], image.flip(3), image)
        for name in ("landmarks", "real_landmarks"):
            points = (batch[name] - matrix[:, None, :, 2]) @ matrix[:, :, :2].inverse().mT
            flipped = points[:, OTHER_SIDE] * torch.tensor([-1.0, 1.0])
            batch[name] = torch.where(flips[:, None, None], flipped, points)
        return flips

    def _draw(self, numbers: torch.Generator) -> tuple[Tensor, bool]:
        """Draw the way from new places to old ones (2, 3), and whether to flip."""
        turn, shrink, right, down, flip = torch.rand(5, generator=numbers).tolist()
        angle = math.radians((turn * 2 - 1) * DEGREES * self.jitter)
        zoom = 1 - shrink * self.jitter
        c, s = zoom * math.cos(angle), zoom * math.sin(angle)
        x, y = ((share * 2 - 1) * (1 - zoom) for share in (right, down))
        return torch.tensor([[c, -s, x], [s, c, y]]), self.mirror and flip < 0.5


def flipped_labels(label: Tensor, flips: Tensor, values: Sequence[Sequence[str]]) -> Tensor:
    """Return labels (N, A) with left and right exchanged where ``flips`` (N,) says so."""
    columns = []
    for column, names in zip(label.T, values, strict=True):
        others = {"left": "right", "right": "left"}
        swapped = torch.tensor([names.index(others.get(name, name)) for name in names])
        columns.append(torch.where(flips, swapped[column], column))
    return torch.stack(columns, dim=1)


def rng(*seed: int) -> torch.Generator:
    """Return a generator of random numbers that follow from ``seed``."""
    (state,) = np.random.SeedSequence([int(part) for part in seed]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state >> np.uint64(1)))
