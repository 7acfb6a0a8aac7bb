"""Inception v3 as the FID has it: Szegedy et al. 2015, https://arxiv.org/abs/1512.00567.

FID (Heusel et al. 2017, https://arxiv.org/abs/1706.08500) uses Google's graph of 2015-12-05, whose
average pools leave out the padding, and whose last block has a maximum instead of an average.
Resizing is that of Parmar et al. 2022, https://arxiv.org/abs/2104.11222 (clean-fid).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from ganzoo_features.backbone import Frozen
from ganzoo_features.resize import bicubic
from ganzoo_features.weights import Source, Weights

SIZE = 299
EPS = 1e-3
FILE = "inception-2015-12-05.pt"
URL = f"https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/metrics/{FILE}"
PUBLISHED = Source.download(
    "FID's Inception v3 (Apache-2.0, Google's of 2015 as NVIDIA's TorchScript, 96 MB)",
    URL,
    "f58cb9b6ec323ed63459aa4fb441fe750cfe39fafad6da5cb504a16f19e958f4",
)

# A convolution is "channels height width stride"; with "same" it keeps the size except for its
# stride; " | " separates two that take the same input.
STEM = "32 3 3 2, 32 3 3 1, 64 3 3 1 same, halve, 80 1 1 1, 192 3 3 1, halve"
ONE, THREE, HALVING = "1 1 1", "3 3 1 same", "3 3 2"
WIDE, TALL = "1 7 1 same", "7 1 1 same"
FORK = "384 1 3 1 same | 384 3 1 1 same"


def _a(channels: int) -> dict[str, str]:
    return {
        ".": f"64 {ONE}",
        ".tower.": f"48 {ONE}, 64 5 5 1 same",
        ".tower_1.": f"64 {ONE}, 96 {THREE}, 96 {THREE}",
        ".tower_2.": f"average, {channels} {ONE}",
    }


def _c(inner: int) -> dict[str, str]:
    once = f"{inner} {ONE}, {inner} {WIDE}, 192 {TALL}"
    twice = f"{inner} {ONE}, {inner} {TALL}, {inner} {WIDE}, {inner} {TALL}, 192 {WIDE}"
    last = f"average, 192 {ONE}"
    return {".": f"192 {ONE}", ".tower.": once, ".tower_1.": twice, ".tower_2.": last}


def _e(pool: str) -> dict[str, str]:
    return {
        ".": f"320 {ONE}",
        ".tower_": f"384 {ONE}, {FORK}",
        ".tower_1_": f"448 {ONE}, 384 {THREE}, {FORK}",
        ".tower_2_": f"{pool}, 192 {ONE}",
    }


_B = {
    ".": f"384 {HALVING}",
    ".tower.": f"64 {ONE}, 96 {THREE}, 96 {HALVING}",
    ".pool": "halve",
}
_D = {
    ".tower.": f"192 {ONE}, 320 {HALVING}",
    ".tower_1.": f"192 {ONE}, 192 {WIDE}, 192 {TALL}, 192 {HALVING}",
    ".pool": "halve",
}
#: mixed, mixed_1, ..., mixed_10: the branches by the file's names
BLOCKS = (
    *(_a(32), _a(64), _a(64), _B),
    *(_c(128), _c(160), _c(160), _c(192), _D),
    *(_e("average"), _e("maximum")),
)


class Inception(Frozen):
    """The Inception v3 of FID and KID, with clean-fid's resizing.

    Weights: NVIDIA's inception-2015-12-05.pt, which clean-fid loads (SHA-256 f58cb9b6..., as
    k-diffusion pins it), from the cache or downloaded.  The file is TorchScript, which is code;
    only its tensors are read, into the network that is written out here.

    Input: any size; scaled to 0..255, resized to 299x299 by Pillow's bicubic without rounding,
    clipped to 0..255, minus 128, over 128.  Batch norms are folded into the convolutions before
    them and channels come last in memory: features are within 1e-6 of clean-fid's, as a share of
    the largest.

    Returns ``features`` (N, 2048), the mean of the last block's ReLUs, so none is negative.

    Args:
        weights: A TorchScript file like NVIDIA's, or its tensors as .safetensors or .pth with
            the same names (layers.conv.weight, .beta, .mean, .var and so on).
    """

    def __init__(self, weights: Path | None = None):
        super().__init__()
        file = Weights.read(PUBLISHED.find(weights))
        # everything up to the last pooling
        self.layers, channels = _row(file, "layers.", 3, STEM)
        for i, block in enumerate(BLOCKS):
            name = f"layers.mixed_{i}" if i else "layers.mixed"
            rows = [_row(file, name + branch, channels, steps) for branch, steps in block.items()]
            self.layers.append(_Branches(layers for layers, _ in rows))
            channels = sum(outputs for _, outputs in rows)
        self.freeze()
        self.say_weights("inception", file, PUBLISHED)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """(N, 3, H, W) in [-1, 1] to features (N, 2048)."""
        pixels = bicubic((image + 1) * 127.5, SIZE).clamp(0, 255)
        x = ((pixels - 128) / 128).contiguous(memory_format=torch.channels_last)
        return {"features": self.layers(x).mean(dim=(2, 3))}


POOLS: dict[str, Callable[[], nn.Module]] = {
    "average": partial(nn.AvgPool2d, 3, stride=1, padding=1, count_include_pad=False),
    "maximum": partial(nn.MaxPool2d, 3, stride=1, padding=1),
    "halve": partial(nn.MaxPool2d, 3, stride=2),
}


class _Branches(nn.ModuleList):
    """Layers side by side on the same input, their channels concatenated."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, D, h, w)."""
        return torch.cat([branch(x) for branch in self], dim=1)


def _row(file: Weights, name: str, channels: int, steps: str) -> tuple[nn.Sequential, int]:
    """Build the layers of ``steps``, named conv, conv_1, conv_2 ...; also return their channels."""
    layers, number = nn.Sequential(), 0
    for step in steps.split(", "):
        if step in POOLS:
            layers.append(POOLS[step]())
        elif " | " in step:
            sides = zip(("mixed_conv", "mixed_conv_1"), step.split(" | "), strict=True)
            pair = [_conv(file, name + side, channels, text) for side, text in sides]
            layers.append(_Branches(conv for conv, _ in pair))
            channels = sum(outputs for _, outputs in pair)
        else:
            suffix = f"_{number}" if number else ""
            conv, channels = _conv(file, f"{name}conv{suffix}", channels, step)
            layers.append(conv)
            number += 1
    return layers, channels


def _conv(file: Weights, name: str, inputs: int, step: str) -> tuple[nn.Sequential, int]:
    """Build a convolution with its batch norm folded in, and a ReLU; also return its channels."""
    outputs, height, width, stride = map(int, step.removesuffix(" same").split())
    padding = (height // 2, width // 2) if step.endswith("same") else 0
    conv = nn.Conv2d(inputs, outputs, (height, width), stride, padding, device="meta")
    weight = file.take(f"{name}.weight", conv.weight.shape).double()
    beta, mean, var = (
        file.take(f"{name}.{part}", (outputs,)).double() for part in ("beta", "mean", "var")
    )
    gain = (var + EPS).rsqrt()  # there is no gamma
    weight = (weight * gain[:, None, None, None]).float()
    conv.weight = nn.Parameter(weight.contiguous(memory_format=torch.channels_last))
    conv.bias = nn.Parameter((beta - mean * gain).float())
    return nn.Sequential(conv, nn.ReLU(inplace=True)), outputs
