"""Find the 68 landmarks of a face in a drawing or a photo, by a small network.

``python -m ganzoo_heads.finder_training`` trains it on heads, whose landmarks are known exactly.
Its weights, and how far off it is on heads that it has not seen, are in ``finder.safetensors`` and
``finder.json`` beside this file.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad

from ganzoo_avatars.trained import filled

WEIGHTS, FACTS = "finder.safetensors", "finder.json"
#: the hash of the weights that ganzoo ships; with others, ``LandmarkTruth.version`` rises
SHA256 = "eae39e31cb9b097bf845de51c145f86a82ea74811be87abf897d1056456f707d"
#: height and width of what the network sees, and the border around it, in which points may lie too
SIDE, BORDER = 64, 8
POINTS = 68
_WIDTH = 64


def _block(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )


class LandmarkNet(nn.Module):
    """A small U-net: (N, 3, H, W) in [-1, 1] to one map of each landmark, and its middle.

    Places are read off the maps as in Nibali et al. 2018, Numerical coordinate regression with
    convolutional neural networks, https://arxiv.org/abs/1801.07372.
    """

    places: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(_block(3, 24, 2), _block(24, 48, 2), _block(48, _WIDTH))
        self.middle = _block(_WIDTH, _WIDTH, 2)
        self.low = nn.Sequential(_block(_WIDTH, _WIDTH, 2), _block(_WIDTH, _WIDTH))
        self.up_middle, self.up = _block(_WIDTH, _WIDTH), _block(_WIDTH, _WIDTH)
        self.maps = nn.Conv2d(_WIDTH, POINTS, 1)
        cells = (SIDE + 2 * BORDER) // 4
        middles = (2 * torch.arange(cells) + 1 - cells) * 4 / SIDE
        rows, columns = torch.meshgrid(middles, middles, indexing="ij")
        self.register_buffer("places", torch.stack([columns, rows], -1).reshape(-1, 2), False)

    def logits(self, image: Tensor) -> Tensor:
        """Return how likely each landmark lies in each of ``places``: logits (N, 68, cells)."""
        if image.shape[2:] != (SIDE, SIDE):
            image = interpolate(
                image, (SIDE, SIDE), mode="bilinear", antialias=True, align_corners=False
            )
        whole = self.stem(pad(image, (BORDER,) * 4, mode="replicate"))
        half = self.middle(whole)
        half = self.up_middle(half + interpolate(self.low(half), half.shape[2:]))
        return self.maps(self.up(whole + interpolate(half, whole.shape[2:]))).flatten(2)

    def forward(self, image: Tensor) -> Tensor:
        """Return landmarks (N, 68, 2), x and y in [-1, 1] from edge to edge."""
        return self.logits(image).softmax(2) @ self.places


def trained() -> LandmarkNet:
    """Open the shipped network; raises DataError if its file is not the one that was shipped."""
    return filled(LandmarkNet(), __name__, "finder_training", WEIGHTS, SHA256)


def error(points: Tensor, truth: Tensor) -> Tensor:
    """Return the mean distance (N,) of ``points`` from ``truth`` (N, 68, 2).

    It is over the distance of the outer corners of the true eyes, as in 300-W (Sagonas et al. 2013,
    https://doi.org/10.1109/ICCVW.2013.59).
    """
    across = (truth[:, 36] - truth[:, 45]).norm(dim=1)
    return (points - truth).norm(dim=2).mean(1) / across
