"""FAN, the Face Alignment Network: Bulat and Tzimiropoulos 2017, https://arxiv.org/abs/1703.07332."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ganzoo.errors import DataError
from ganzoo_features.backbone import Frozen
from ganzoo_features.crop import back, check_crop, cut
from ganzoo_features.torchscript import is_torchscript
from ganzoo_features.weights import Source, Weights

SIZE = 256
POINTS = 68
REACH = 3  # heatmap pixels around a peak that give its place, three sigmas of a FAN's
URL = "https://www.adrianbulat.com/downloads/python-fan/2DFAN4-11f355bf06.pth.tar"
PUBLISHED = Source(
    what="the 2D FAN's weights (BSD-3-Clause, face-alignment, about 90 MB)",
    get=f"download {URL}",
    place="2DFAN4-11f355bf06.pth.tar",
    sha256="11f355bf06",
    url=URL,
    offline="The extractor face68 finds the same 68 points with 0.4 MB of weights.",
)


class FAN(Frozen):
    """face-alignment's network of 68 landmarks, called directly, so that gradients flow.

    Weights: face-alignment 1.5's 2DFAN4-11f355bf06.pth.tar (SHA-256 11f355bf06...), from the cache,
    or where face-alignment put it, or downloaded.  Input: the crop, resized to 256x256; RGB, scaled
    to [0, 1], no mean.  It always computes in float32.

    Returns ``heatmaps`` (N, 68, 64, 64) of the crop; ``points`` (N, 68, 2), in the order of iBUG
    300-W, each the mean of its heatmap's 7x7 pixels around the highest, through which gradients
    flow; and ``confidence`` (N,), the mean height of the peaks, at most 1, without a gradient.

    Args:
        crop: Where the face is: left, top, right, bottom as fractions of the image.  FAN needs some
            room around it: a square of twice the face's width.
        weights: The network's state dict as a .pth or .safetensors file, or the whole network as
            TorchScript.
    """

    tag = "fan"

    def __init__(
        self,
        crop: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0),
        weights: Path | None = None,
    ):
        super().__init__()
        self.crop = check_crop(crop)
        self.path = PUBLISHED.find(weights)
        self.net = _network(self.path)
        self.freeze()

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """(N, 3, H, W) in [-1, 1] to heatmaps, points and confidence."""
        with torch.autocast(image.device.type, enabled=False):
            heatmaps = self._heatmaps((cut(image.float(), self.crop, SIZE) + 1) / 2)
            peaks = heatmaps.detach().amax(dim=(2, 3))
            return {
                "heatmaps": heatmaps,
                "points": back(soft_argmax(heatmaps), self.crop),
                "confidence": peaks.mean(dim=1).clamp(0, 1),
            }

    def _heatmaps(self, crop: Tensor) -> Tensor:
        out: Any = self.net(crop)
        if not isinstance(out, Tensor):
            out = out[-1]  # each stage returns its own; the last is the best
        if out.ndim != 4 or out.shape[1] != POINTS:
            raise DataError(
                f"weights '{self.path}': the network gives {tuple(out.shape)} for one batch of "
                f"crops, not (N, {POINTS}, h, w): this is no 2D FAN."
            )
        return out


def _network(path: Path) -> nn.Module:
    if is_torchscript(path):
        try:
            return torch.jit.load(str(path), map_location="cpu")
        except RuntimeError as error:
            raise DataError(
                f"weights '{path}' are TorchScript, but damaged. Get the file again."
            ) from error
    file = Weights.read(path)
    try:
        from face_alignment.models import FAN as Network
    except ImportError as error:
        raise DataError(
            "the extractor fan takes its network from face-alignment, which is not installed. "
            "Do: pip install 'ganzoo[faces]'. " + PUBLISHED.offline
        ) from error
    network = Network(4)
    file.load_into(network)
    return network


def soft_argmax(heatmaps: Tensor) -> Tensor:
    """(N, K, h, w) to (N, K, 2): x and y in [0, 1] of the mean place around each peak."""
    height, width = heatmaps.shape[-2:]
    peak = heatmaps.flatten(2).argmax(dim=-1)
    y, near_y = _near(height, peak // width)
    x, near_x = _near(width, peak % width)
    # the small constant gives a map without any positive value a peak
    mass = (heatmaps.relu() + 1e-6) * near_y[..., :, None] * near_x[..., None, :]
    total = mass.sum(dim=(2, 3))
    return (
        torch.stack([(mass.sum(dim=2) * x).sum(-1), (mass.sum(dim=3) * y).sum(-1)], -1)
        / (total[..., None])
    )


def _near(length: int, peak: Tensor) -> tuple[Tensor, Tensor]:
    """The pixels' places in [0, 1], (length,), and those around each peak, (N, K, length)."""
    index = torch.arange(length, device=peak.device)
    return (index + 0.5) / length, (index - peak[..., None]).abs() <= REACH
