"""A light R3GAN: Huang, Gokaslan, Kuleshov and Tompkin 2024, https://arxiv.org/abs/2501.05441.

From the paper (section 3): residual blocks 1x1, 3x3, 1x1 with leaky ReLU and no normalisation,
their last layer zero and the others scaled by L^(-1/4) at the start (fix-up, for L blocks in all),
bilinear resampling with a 1x1 layer where channels change, and at 4x4 a learnt basis in G and a
depthwise layer in D.  Use it with ``relativistic``, ``r1`` and ``r2``.

Departures from the paper, to be affordable on a CPU:

- ``expansion`` is 1 and 3x3 layers are not grouped (the paper: 2, and groups of 16 channels, which
  take a CPU longer although they are less arithmetic);
- one block per resolution (the paper: 2), and far fewer channels (the paper: 768 at most);
- ``stride`` 2: the blocks stop at half the size, and one layer each leads to and from the pixels
  (the paper: 1, that is blocks at the full size and 1x1 layers to and from RGB);
- downsampling is a plain 2x2 mean, and G ends in a tanh, to keep ganzoo's promise of [-1, 1].

The first three are arguments, so the paper's blocks are available.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Annotated, Literal, TypeVar

import torch
from annotated_types import Ge
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, leaky_relu

from ganzoo.errors import RecipeError
from ganzoo.interfaces import Discriminator, Generator
from ganzoo.labels import LabelEmbedding, embed, with_label

Layer = TypeVar("Layer", nn.Linear, nn.Conv2d)

SIZES = (32, 64, 128)
SLOPE = 0.2
GAIN = math.sqrt(2 / (1 + SLOPE**2))  # keeps the variance through a leaky ReLU
LABEL_DIM = 16  # width of each attribute's vector beside the latent


class R3GANGenerator(Generator):
    """A learnt 4x4 basis scaled by the latent, residual blocks, bilinear upsampling; tanh.

    Labels are embedded and concatenated to the latent.

    Args:
        size: side of the images in pixels; by default the dataset's.
        width: channels at the finest resolution, doubled at each halving up to four times this.
        blocks: residual blocks at each resolution.
        latent: length of the latent.
        expansion: channels inside a block, as a multiple of those outside.
        group: channels in each group of the 3x3 layers; by default ungrouped.
        stride: 1 for blocks at the full size, 2 to stop at half of it: the last step is then a
            bilinear upsampling and a 3x3 layer.
        label: attribute -> its values; by default the dataset's, null for unconditional.
    """

    def __init__(
        self,
        size: Literal[32, 64, 128],
        width: Annotated[int, Ge(1)] = 48,
        blocks: Annotated[int, Ge(1)] = 1,
        latent: Annotated[int, Ge(1)] = 64,
        expansion: Annotated[int, Ge(1)] = 1,
        group: Annotated[int, Ge(1)] | None = None,
        stride: Literal[1, 2] = 2,
        label: dict[str, list[str]] | None = None,
    ):
        super().__init__()
        channels = _channels(size, width, expansion, group, stride, "generator")[::-1]
        self.size = size
        self.latent = latent
        self.label = label
        self.embedding = LabelEmbedding(label, LABEL_DIM, 1.0) if label is not None else None

        inputs = latent + (LABEL_DIM * len(label) if label else 0)
        self.basis = nn.Parameter(torch.randn(channels[0], 4, 4))
        self.scale = scaled(nn.Linear(inputs, channels[0], bias=False))
        depth = blocks * len(channels)
        stages: list[nn.Module] = [_blocks(channels[0], blocks, expansion, group, depth)]
        for before, after in pairwise(channels):
            stages += [Up(before, after), _blocks(after, blocks, expansion, group, depth)]
        last = channels[-1]
        if stride == 2:
            last = max(last // 2, 3)
            stages += [Up(channels[-1], last)]
        pixels = scaled(nn.Conv2d(last, 3, 2 * stride - 1, 1, stride - 1, bias=False))
        self.stages = nn.Sequential(*stages, pixels, nn.Tanh())

    def sample_latent(self, n: int, rng: torch.Generator) -> Tensor:
        """Draw (n, latent) from a standard normal."""
        return torch.randn(n, self.latent, generator=rng)

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        """Images (N, 3, size, size) in [-1, 1] from latents (N, latent), labels int64 (N, A).

        Raises ValueError if a label is missing, or an unconditional generator gets one.
        """
        scale = self.scale(with_label(latent, self.embedding, label))
        return self.stages(self.basis * scale[:, :, None, None])


class R3GANDiscriminator(Discriminator):
    """Residual blocks and 2x2 means down to 4x4, a depthwise and a linear layer; one logit.

    Labels act by projection: the inner product of the features with the sum of the attributes'
    embeddings is added to the logit (Miyato and Koyama 2018, https://arxiv.org/abs/1802.05637).

    Args:
        size: side of the images in pixels; by default the dataset's.
        width: channels at the finest resolution, doubled at each halving up to four times this.
        blocks: residual blocks at each resolution.
        expansion: channels inside a block, as a multiple of those outside.
        group: channels in each group of the 3x3 layers; by default ungrouped.
        stride: 1 for blocks at the full size, 2 to start at half of it, with a strided 4x4 layer.
        label: attribute -> its values; by default the dataset's, null for unconditional.
    """

    def __init__(
        self,
        size: Literal[32, 64, 128],
        width: Annotated[int, Ge(1)] = 48,
        blocks: Annotated[int, Ge(1)] = 1,
        expansion: Annotated[int, Ge(1)] = 1,
        group: Annotated[int, Ge(1)] | None = None,
        stride: Literal[1, 2] = 2,
        label: dict[str, list[str]] | None = None,
    ):
        super().__init__()
        channels = _channels(size, width, expansion, group, stride, "discriminator")
        last = channels[-1]
        depth = blocks * len(channels)
        stages: list[nn.Module] = [
            scaled(nn.Conv2d(3, channels[0], stride**2, stride, stride - 1, bias=False)),
            _blocks(channels[0], blocks, expansion, group, depth),
        ]
        for before, after in pairwise(channels):
            stages += [Down(before, after), _blocks(after, blocks, expansion, group, depth)]
        stages += [scaled(nn.Conv2d(last, last, 4, groups=last, bias=False)), nn.Flatten()]
        self.stages = nn.Sequential(*stages)
        self.head = scaled(nn.Linear(last, 1, bias=False))
        # small embeddings: at first only the picture counts
        self.embedding = LabelEmbedding(label, last, 0.002) if label is not None else None

    def forward(self, image: Tensor, label: Tensor | None = None) -> Tensor:
        """Raw logits (N,) of images (N, 3, size, size), with labels int64 (N, A) if conditional.

        Raises ValueError if a label is missing, or an unconditional discriminator gets one.
        """
        vectors = embed(self.embedding, label)
        features = self.stages(image)
        logits = self.head(features).squeeze(1)
        if vectors is not None:
            logits = logits + (features * vectors.sum(dim=1)).sum(dim=1)
        return logits


class Residual(nn.Module):
    """x + 1x1(lrelu(3x3(lrelu(1x1(x))))), the identity at the start; ``depth`` is L."""

    def __init__(self, channels: int, expansion: int, group: int | None, depth: int):
        super().__init__()
        inner = channels * expansion
        gain = GAIN * depth**-0.25
        groups = inner // group if group else 1
        self.reduce = scaled(nn.Conv2d(channels, inner, 1), gain)
        self.mix = scaled(nn.Conv2d(inner, inner, 3, 1, 1, groups=groups), gain)
        self.restore = scaled(nn.Conv2d(inner, channels, 1, bias=False), 0.0)

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) to the same."""
        y = leaky_relu(self.reduce(x), SLOPE)
        y = leaky_relu(self.mix(y), SLOPE)
        return x + self.restore(y)


class Up(nn.Module):
    """Twice the sides, bilinearly, after a 1x1 layer where channels change."""

    def __init__(self, before: int, after: int):
        super().__init__()
        self.layer = _change(before, after)

    def forward(self, x: Tensor) -> Tensor:
        """(N, before, H, W) to (N, after, 2H, 2W)."""
        return interpolate(self.layer(x), scale_factor=2, mode="bilinear", align_corners=False)


class Down(nn.Module):
    """Half the sides, by 2x2 means, before a 1x1 layer where channels change."""

    def __init__(self, before: int, after: int):
        super().__init__()
        self.layer = _change(before, after)

    def forward(self, x: Tensor) -> Tensor:
        """(N, before, H, W) to (N, after, H/2, W/2)."""
        return self.layer(avg_pool2d(x, 2))


def scaled(layer: Layer, gain: float = 1.0) -> Layer:
    """Draw weights from N(0, gain² / fan-in), with biases 0."""
    fan_in = layer.weight[0].numel()
    nn.init.normal_(layer.weight, 0.0, gain / math.sqrt(fan_in))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def _change(before: int, after: int) -> nn.Module:
    same = before == after
    return nn.Identity() if same else scaled(nn.Conv2d(before, after, 1, bias=False))


def _blocks(
    channels: int, blocks: int, expansion: int, group: int | None, depth: int
) -> nn.Sequential:
    return nn.Sequential(*(Residual(channels, expansion, group, depth) for _ in range(blocks)))


def _channels(
    size: int, width: int, expansion: int, group: int | None, stride: int, kind: str
) -> list[int]:
    """Return channels at each resolution from size / stride down to 4; raises RecipeError."""
    problems = []
    if size not in SIZES:
        problems.append(
            f"{kind} 'r3gan' works at 32, 64 or 128 px, not at {size}: set the dataset's `size` "
            f"to one of these, or choose another {kind} (`ganzoo list {kind}`)."
        )
    if group and width * expansion % group:
        problems.append(
            f"{kind} 'r3gan' cannot split {width * expansion} channels (width x expansion) into "
            f"groups of {group}: choose a `group` that divides them, or leave it out."
        )
    if problems:
        raise RecipeError(problems)
    resolutions = int(math.log2(size // stride // 4)) + 1
    return [width * min(2**halvings, 4) for halvings in range(resolutions)]
