"""Wind: every image is moved by a pixel or so, round its edges."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor

from ganzoo.interfaces import Transform


class Rustle(Transform):
    """Moves a batch to the side by so many pixels, which are drawn anew each time.

    Args:
        reach: the most pixels, to the left or to the right.
    """

    def __init__(self, reach: Annotated[int, Ge(0)] = 1):
        self.reach = reach

    def __call__(self, image: Tensor) -> Tensor:
        """(N, 3, H, W) to the same."""
        shift = torch.randint(-self.reach, self.reach + 1, ())
        return image.roll(int(shift), dims=3)
