"""Projected GANs Converge Faster: Sauer, Chitta, Müller and Geiger 2021.

https://arxiv.org/abs/2111.01007, and the authors' code (autonomousvision/projected-gan).

From the paper: a frozen network sees the image; random 1x1 layers mix the channels of its maps, and
a random pyramid from the coarsest map to the finest mixes the scales (section 3.2); each mixed map
has a head of its own.  From the code: the channels of every layer, one halving more in each finer
head, and spectral and batch normalisation in the heads.  Use it with ``hinge`` and ``diffaugment``,
as the authors do.  They resize images to 224 px, which is the extractor's ``size`` here.

Departures: the random layers have no bias, and variance 1 / fan-in (in the code a third of that, by
torch's default); those of the pyramid are 1x1, as in the code (the paper: 3x3), and come before the
upsampling, with which 1x1 layers commute; upsampling does not align corners (the code does); a head
stops halving where its map would get smaller than 4x4; with labels there is a logit of the image
alone beside the projection, which the code scales by 1 / 8.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Any

import torch
from annotated_types import Ge
from torch import Tensor, nn
from torch.nn.functional import conv2d, interpolate
from torch.nn.utils.parametrizations import spectral_norm

from ganzoo.errors import RecipeError
from ganzoo.interfaces import Discriminator, Extractor
from ganzoo.labels import LabelEmbedding, embed

SLOPE = 0.2
SMALLEST = 4  # side of the map that a head's last layer sees
LABEL_DIM = 64  # width of each attribute's vector, and of what it is compared with (the code's)


class ProjectedDiscriminator(Discriminator):
    """Judges an extractor's maps, mixed at random over channels and scales, with a head for each.

    Only the heads learn.  The random layers follow from ``seed`` and the extractor is the recipe's,
    so neither is saved with the weights.  Labels act by projection: the inner product of a head's
    last maps with the sum of the attributes' embeddings is added to its logits (Miyato and Koyama
    2018, https://arxiv.org/abs/1802.05637).

    Args:
        size: side of the images in pixels; by default the dataset's.
        extractor: whose layers are judged; the paper takes four, of strides 4 to 32.
        width: channels of the finest mixed map, up to 8 times as many in coarser ones (the code:
            64).
        seed: of the random layers.
        label: attribute -> its values; by default the dataset's, null for unconditional.
    """

    def __init__(
        self,
        size: Annotated[int, Ge(8)],
        extractor: Extractor,
        width: Annotated[int, Ge(1)] = 64,
        seed: int = 0,
        label: dict[str, list[str]] | None = None,
    ):
        super().__init__()
        # in a tuple, so that it is no submodule: its weights are not this network's to save
        self._extractor = (extractor,)
        shapes = _maps(extractor, size)
        self.layers = tuple(shapes)
        sides = [shape[2] for shape in shapes.values()]
        widths = [width * min(2**level, 8) for level in range(len(sides))]
        #: the side of every mixed map: that of the next finer one, and twice the finest
        self.sides = [2 * sides[0], *sides[:-1]]

        rng = torch.Generator().manual_seed(seed)
        after = [widths[0], *widths[:-1]]
        self.channel_mixers = nn.ModuleList(
            RandomMixer(shape[1], channels, rng)
            for shape, channels in zip(shapes.values(), widths, strict=True)
        )
        self.scale_mixers = nn.ModuleList(
            RandomMixer(channels, fewer, rng) for channels, fewer in zip(widths, after, strict=True)
        )
        self.embedding = LabelEmbedding(label, LABEL_DIM, 0.02) if label is not None else None
        outputs = 1 if label is None else 1 + LABEL_DIM
        self.judges = nn.ModuleList(
            Head(channels, side, len(sides) - level, widths[-1], outputs)
            for level, (channels, side) in enumerate(zip(after, self.sides, strict=True))
        )

    def forward(self, image: Tensor, label: Tensor | None = None) -> Tensor:
        """Raw logits (N, places) of images (N, 3, size, size), labels int64 (N, A) if conditional.

        Raises ValueError if a label is missing, or an unconditional discriminator gets one.
        """
        vectors = embed(self.embedding, label)
        if vectors is not None:
            vectors = vectors.sum(dim=1)[:, :, None, None]
        (extractor,) = self._extractor
        features = extractor(image)
        logits, coarse = [], None
        for level in reversed(range(len(self.layers))):  # from the coarsest map to the finest
            x = self.channel_mixers[level](features[self.layers[level]])
            if coarse is not None:
                x = x + coarse
            x = self.scale_mixers[level](x)
            coarse = interpolate(x, size=self.sides[level], mode="bilinear", align_corners=False)
            output = self.judges[level](coarse)
            logit = output[:, 0]
            if vectors is not None:
                logit = logit + (output[:, 1:] * vectors).sum(dim=1)
            logits.append(logit.flatten(1))
        return torch.cat(logits, dim=1)

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> ProjectedDiscriminator:
        """Take the extractor along to another device or number format."""
        self._extractor[0]._apply(fn)  # type: ignore[no-untyped-call]
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self


class RandomMixer(nn.Module):
    """A 1x1 layer that stays as it was drawn from ``rng``; variance 1 / fan-in."""

    weight: Tensor

    def __init__(self, before: int, after: int, rng: torch.Generator):
        super().__init__()
        # rand is exact on every machine, unlike randn
        weight = torch.rand(after, before, 1, 1, generator=rng) * 2 - 1
        self.register_buffer("weight", weight * math.sqrt(3 / before), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, before, H, W) to (N, after, H, W)."""
        return conv2d(x, self.weight)


class Head(nn.Sequential):
    """Halvings of a map down to ``last`` channels, and a 4x4 layer.

    Args:
        channels: of the map.
        side: of the map.
        halvings: at most so many.
        last: channels after the last halving, half as many before it, and so on.
        outputs: of the last layer, at each place.
    """

    def __init__(self, channels: int, side: int, halvings: int, last: int, outputs: int):
        while side >> halvings < SMALLEST and halvings:
            halvings -= 1
        layers: list[nn.Module] = []
        for remainder in reversed(range(halvings)):
            after = max(last >> remainder, 1)
            layers += [
                spectral_norm(nn.Conv2d(channels, after, 4, 2, 1, bias=False)),
                nn.BatchNorm2d(after),
                nn.LeakyReLU(SLOPE),
            ]
            channels = after
        kernel = min(SMALLEST, side >> halvings)
        layers.append(spectral_norm(nn.Conv2d(channels, outputs, kernel, bias=False)))
        super().__init__(*layers)


def _maps(extractor: Extractor, size: int) -> dict[str, torch.Size]:
    """Return the extractor's layers and their shapes, the finest first.

    Raises RecipeError if one of them is no map.
    """
    with torch.no_grad():
        features = extractor(torch.zeros(1, 3, size, size))
    flat = [name for name, value in features.items() if value.ndim != 4]
    if flat or not features:
        raise RecipeError(
            [
                f"discriminator 'projected' judges maps (N, C, h, w), and its extractor gives "
                f"{', '.join(flat) or 'nothing'}: choose `layers` of the extractor that are maps, "
                f"such as stage2, stage3, stage5 and stage7 of efficientnet-lite0."
            ]
        )
    shapes = {name: value.shape for name, value in features.items()}
    return dict(sorted(shapes.items(), key=lambda item: -item[1][2]))
