"""Shared parts of the convolutional extractors: frozen layers in a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from ganzoo.errors import DataError, RecipeError, nearest
from ganzoo.interfaces import Extractor
from ganzoo_features.weights import Source, Weights

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
CAFFE_MEAN = (103.939, 116.779, 123.68)  # of blue, green and red


class Frozen(Extractor):
    """An extractor that stays in eval mode; see ``freeze``."""

    def freeze(self) -> None:
        """Freeze everything at the end of the constructor."""
        self.requires_grad_(False).eval()

    def say_weights(self, name: str, file: Weights, source: Source) -> None:
        """Set ``weights_sha256`` to the file's, and ``tag``; see ``Weights.tag``."""
        self.weights_sha256 = file.sha256
        self.tag = file.tag(name, source.sha256)

    def train(self, mode: bool = True) -> Frozen:
        """Stay in eval mode."""
        super().train(False)
        return self


class Prepare(nn.Module):
    """From [-1, 1] to a network's training range: ``((image + 1) * scale - mean) / std``.

    Args:
        scale: 0.5 for [0, 1], 127.5 for 0..255.
        mean: Per channel, after scaling, in the network's order of channels.
        std: Likewise.
        bgr: The network takes blue first.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        scale: float,
        mean: Sequence[float] = (0.0, 0.0, 0.0),
        std: Sequence[float] = (1.0, 1.0, 1.0),
        bgr: bool = False,
    ):
        super().__init__()
        self.scale, self.bgr = scale, bgr
        self.register_buffer("mean", torch.tensor(mean)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(std)[:, None, None], persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        """(N, 3, H, W) to the same."""
        if self.bgr:
            image = image.flip(1)
        return ((image + 1) * self.scale - self.mean) / self.std


def caffe() -> Prepare:
    """0..255, blue first, minus the means: the input of networks from Caffe."""
    return Prepare(127.5, CAFFE_MEAN, bgr=True)


class Backbone(Frozen):
    """Layers in a row, some of which are returned; the images keep their size.

    Args:
        prepare: From [-1, 1] to the first layer's input.
        chain: The layers by name, first to last; see ``needed``.
        layers: Those to return.
    """

    #: fewest pixels of the shorter side that leave anything after the last layer
    smallest: int = 1

    def __init__(self, prepare: nn.Module, chain: Mapping[str, nn.Module], layers: Sequence[str]):
        super().__init__()
        self.layers = tuple(layers)
        self.prepare = prepare
        self.chain = nn.ModuleDict(chain)
        for module in self.chain.modules():
            if isinstance(module, nn.ReLU):
                module.inplace = False  # it would overwrite a returned output
        self.freeze()

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """(N, 3, H, W) in [-1, 1] to layer -> features, (N, C, h, w)."""
        height, width = image.shape[-2:]
        if min(height, width) < self.smallest:
            raise DataError(
                f"images of {width}x{height} pixels are too small for the layers "
                f"{', '.join(self.layers)}, which need {self.smallest}. Use larger images, or "
                f"earlier layers."
            )
        x, features = self.prepare(image), {}
        for name, layer in self.chain.items():
            x = layer(x)
            if name in self.layers:
                features[name] = x
        return features


def fill(chain: Mapping[str, nn.Module], file: Weights, prefix: str = "") -> None:
    """Fill the layers from tensors that torchvision numbers by their places in the chain."""
    for index, layer in enumerate(chain.values()):
        file.load_into(layer, f"{prefix}{index}.")


def needed(chain: Mapping[str, nn.Module], layers: Sequence[str]) -> dict[str, nn.Module]:
    """Cut the chain after the last of ``layers``.

    Names that begin with ``_`` are internal.  Raises RecipeError for no layer at all, and for an
    unknown one.
    """
    names = list(chain)
    public = [name for name in names if not name.startswith("_")]
    available = f"Available: {', '.join(public)}."
    if not layers:
        raise RecipeError([f"layers: name at least one. {available}"])
    problems = [
        f"layers: no '{layer}' here{nearest(layer, public)} {available}"
        for layer in layers
        if layer not in public
    ]
    if problems:
        raise RecipeError(problems)
    depth = max(map(names.index, layers)) + 1
    return {name: chain[name] for name in names[:depth]}
