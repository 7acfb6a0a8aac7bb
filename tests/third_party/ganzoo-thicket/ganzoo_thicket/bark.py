"""Hand-made features: colours, and edges by the filters of Sobel and Feldman 1968."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from ganzoo.interfaces import Extractor

SOBEL = ((-1.0, 0.0, 1.0), (-2.0, 0.0, 2.0), (-1.0, 0.0, 1.0))


class Bark(Extractor):
    """What an image has of each colour, and of edges in it; needs no file.

    Layer ``bark``: (N, 9), the means of red, green and blue, and of how steep each is to the
    right and downwards.
    """

    tag = "bark"
    rankable = False  # nobody trained it

    filters: Tensor

    def __init__(self) -> None:
        super().__init__()
        across = torch.tensor(SOBEL) / 8
        self.register_buffer("filters", torch.stack([across, across.T]).repeat(3, 1, 1)[:, None])

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """(N, 3, H, W) in [-1, 1] to ``bark`` (N, 9)."""
        edges = conv2d(image, self.filters, padding=1, groups=3).abs()
        return {"bark": torch.cat([image, edges], 1).mean(dim=(2, 3))}
