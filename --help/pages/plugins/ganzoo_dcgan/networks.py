"""DCGAN: Radford, Metz and Chintala 2015, https://arxiv.org/abs/1511.06434.

The authors' code (Newmu/dcgan_code) and the PyTorch tutorial (pytorch/examples) are often confused,
but they differ, so both are here:

=========================  ====================  =====================
``variant``                ``paper``             ``pytorch``
=========================  ====================  =====================
kernels                    5x5                   4x4
width (ngf, ndf)           128                   64
latent                     uniform in [-1, 1]    standard normal
batch norm on G's 4x4      per unit              per channel
=========================  ====================  =====================

Common to both: no biases beside batch norm, none on G's last and D's first layer, slope 0.2 in
D, weights N(0, 0.02), batch norm gains N(1, 0.02).
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Annotated, Literal

import torch
from annotated_types import Ge
from torch import Tensor, nn

from ganzoo.errors import RecipeError
from ganzoo.interfaces import Discriminator, Generator
from ganzoo.labels import LabelEmbedding, embed, with_label

KERNEL = {"paper": 5, "pytorch": 4}
WIDTH = {"paper": 128, "pytorch": 64}
SIZES = (32, 64, 128)
LABEL_DIM = 16  # width of each attribute's vector beside the latent


class DCGANGenerator(Generator):
    """A 4x4 map of the latent, doubled by transposed convolutions up to ``size``; tanh.

    Labels are embedded and concatenated to the latent (Mirza and Osindero 2014,
    https://arxiv.org/abs/1411.1784). Feature maps have ``width`` channels before the image and
    twice as many at each halving, so 64 px has 8 x width at 4x4.

    Args:
        size: side of the images in pixels; by default the dataset's.
        variant: ``pytorch`` is the tutorial's network, ``paper`` that of the authors' code.
        latent: length of the latent.
        width: channels of the largest feature map; by default the variant's own (64 or 128).  A
            list names the channels of every map, from the largest to 4x4: ``[8, 32, 128, 256]`` at
            64 px costs half of ``32``, most of it saved at 32x32.
        norm: ``batch`` normalisation after all but the last layer, or ``none``.
        upsample: ``transposed`` convolutions, or ``nearest`` upsampling before 3x3 convolutions,
            which leaves fewer checkerboards (Odena 2016, doi 10.23915/distill.00003).
        label: attribute -> its values; by default the dataset's, null for unconditional.
    """

    def __init__(
        self,
        size: Literal[32, 64, 128],
        variant: Literal["paper", "pytorch"] = "pytorch",
        latent: Annotated[int, Ge(1)] = 100,
        width: Annotated[int, Ge(1)] | list[Annotated[int, Ge(1)]] | None = None,
        norm: Literal["batch", "none"] = "batch",
        upsample: Literal["transposed", "nearest"] = "transposed",
        label: dict[str, list[str]] | None = None,
    ):
        super().__init__()
        widths = _widths(size, WIDTH[variant] if width is None else width, "generator")
        self.size = size
        self.variant = variant
        self.latent = latent
        self.label = label
        self.embedding = LabelEmbedding(label, LABEL_DIM, 1.0) if label is not None else None

        inputs = latent + (LABEL_DIM * len(label) if label else 0)
        layers = [*_first_layer(inputs, widths[-1], variant, norm), nn.ReLU(inplace=True)]
        for before, after in pairwise(reversed(widths)):
            layers += [
                _upsampling(before, after, KERNEL[variant], upsample, norm == "none"),
                *_norm(norm, after),
                nn.ReLU(inplace=True),
            ]
        layers += [_upsampling(widths[0], 3, KERNEL[variant], upsample, bias=False), nn.Tanh()]
        self.layers = nn.Sequential(*layers)
        self.layers.apply(initialise)

    def sample_latent(self, n: int, rng: torch.Generator) -> Tensor:
        """Draw (n, latent): standard normal, or uniform in [-1, 1] for ``variant: paper``."""
        if self.variant == "paper":
            return torch.rand(n, self.latent, generator=rng) * 2 - 1
        return torch.randn(n, self.latent, generator=rng)

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        """Images (N, 3, size, size) in [-1, 1] from latents (N, latent), labels int64 (N, A).

        Raises ValueError if a label is missing, or an unconditional generator gets one.
        """
        return self.layers(with_label(latent, self.embedding, label))


class DCGANDiscriminator(Discriminator):
    """Strided convolutions down to 4x4 and a linear layer; one logit per image.

    Labels act by projection: the inner product of the summed features with the sum of the
    attributes' embeddings is added to the logit (Miyato and Koyama 2018,
    https://arxiv.org/abs/1802.05637).

    Args:
        size: side of the images in pixels; by default the dataset's.
        variant: ``pytorch`` is the tutorial's network, ``paper`` that of the authors' code.
        width: channels of the largest feature map; by default the variant's own (64 or 128).  A
            list names the channels of every map, from the largest to 4x4.
        norm: ``batch`` normalisation after all but the first and last layer, or ``layer`` or
            ``none``, which keep the samples of a batch apart, as gradient penalties require.
        label: attribute -> its values; by default the dataset's, null for unconditional.
    """

    def __init__(
        self,
        size: Literal[32, 64, 128],
        variant: Literal["paper", "pytorch"] = "pytorch",
        width: Annotated[int, Ge(1)] | list[Annotated[int, Ge(1)]] | None = None,
        norm: Literal["batch", "layer", "none"] = "batch",
        label: dict[str, list[str]] | None = None,
    ):
        super().__init__()
        widths = _widths(size, WIDTH[variant] if width is None else width, "discriminator")
        kernel = KERNEL[variant]
        pad = (kernel - 1) // 2
        layers: list[nn.Module] = [
            nn.Conv2d(3, widths[0], kernel, 2, pad, bias=False),
            nn.LeakyReLU(0.2, inplace=True),
        ]
        for before, after in pairwise(widths):
            layers += [
                nn.Conv2d(before, after, kernel, 2, pad, bias=norm == "none"),
                *_norm(norm, after),
                nn.LeakyReLU(0.2, inplace=True),
            ]
        self.features = nn.Sequential(*layers)
        self.head = nn.Conv2d(widths[-1], 1, 4, bias=False)
        self.apply(initialise)
        # small embeddings: at first only the picture counts
        self.embedding = LabelEmbedding(label, widths[-1], 0.002) if label is not None else None

    def forward(self, image: Tensor, label: Tensor | None = None) -> Tensor:
        """Raw logits (N,) of images (N, 3, size, size), with labels int64 (N, A) if conditional.

        Raises ValueError if a label is missing, or an unconditional discriminator gets one.
        """
        vectors = embed(self.embedding, label)
        features = self.features(image)
        logits = self.head(features).reshape(len(image))
        if vectors is not None:
            logits = logits + (features.sum(dim=(2, 3)) * vectors.sum(dim=1)).sum(dim=1)
        return logits


def initialise(module: nn.Module) -> None:
    """Initialise as in section 3 of the paper and the code: N(0, 0.02), gains N(1, 0.02)."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d, nn.GroupNorm)):
        nn.init.normal_(module.weight, 1.0, 0.02)
    if isinstance(bias := getattr(module, "bias", None), nn.Parameter):
        nn.init.zeros_(bias)


def _widths(size: int, width: int | list[int], kind: str) -> list[int]:
    """Return channels of the feature maps, from the largest (half of ``size``) to 4x4.

    Raises RecipeError if ``size`` is not in SIZES, or a list has another length.
    """
    if size not in SIZES:
        raise RecipeError(
            [
                f"{kind} 'dcgan' works at 32, 64 or 128 px, not at {size}: set the dataset's "
                f"`size` to one of these, or choose another {kind} (`ganzoo list {kind}`)."
            ]
        )
    maps = int(math.log2(size // 4))
    if isinstance(width, int):
        return [width * 2**i for i in range(maps)]
    if len(width) != maps:
        sides = ", ".join(str(size // 2 ** (i + 1)) for i in range(maps))
        raise RecipeError(
            [
                f"{kind} 'dcgan' has {maps} feature maps at {size} px (of {sides} px), and "
                f"`width` lists {len(width)}: list {maps}, or give one number, which doubles "
                f"from map to map."
            ]
        )
    return width


def _first_layer(inputs: int, channels: int, variant: str, norm: str) -> list[nn.Module]:
    """Map the latent to (N, channels, 4, 4); the authors normalise each of its units separately."""
    bias = norm == "none"
    if variant == "paper":
        units = channels * 4 * 4
        layers: list[nn.Module] = [nn.Linear(inputs, units, bias=bias)]
        layers += [nn.BatchNorm1d(units)] if norm == "batch" else []
        return [*layers, nn.Unflatten(1, (channels, 4, 4))]
    return [
        nn.Unflatten(1, (inputs, 1, 1)),
        nn.ConvTranspose2d(inputs, channels, 4, bias=bias),
        *_norm(norm, channels),
    ]


def _upsampling(inputs: int, outputs: int, kernel: int, upsample: str, bias: bool) -> nn.Module:
    """Double the sides, exactly, with either kernel."""
    if upsample == "nearest":
        convolution = nn.Conv2d(inputs, outputs, 3, 1, 1, bias=bias)
        return nn.Sequential(nn.Upsample(scale_factor=2, mode="nearest"), convolution)
    odd = kernel % 2
    return nn.ConvTranspose2d(
        inputs, outputs, kernel, 2, (kernel - 1) // 2, output_padding=odd, bias=bias
    )


def _norm(norm: str, channels: int) -> list[nn.Module]:
    if norm == "batch":
        return [nn.BatchNorm2d(channels)]
    return [nn.GroupNorm(1, channels)] if norm == "layer" else []
