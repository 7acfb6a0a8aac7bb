"""LPIPS, a learned distance of images: Zhang et al. 2018, https://arxiv.org/abs/1801.03924."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from ganzoo.errors import DataError
from ganzoo_features import squeezenet, vgg16, vgg19
from ganzoo_features.backbone import Backbone, Frozen, Prepare, fill, needed
from ganzoo_features.weights import Source, Weights, verify

# ImageNet's, for images in [-1, 1], rounded as in LPIPS's training
SHIFT = (-0.030, -0.088, -0.188)
SCALE = (0.458, 0.448, 0.450)
EPS = 1e-10


def alexnet() -> dict[str, nn.Module]:
    """Return AlexNet's convolutions (Krizhevsky 2014, https://arxiv.org/abs/1404.5997) in order."""
    return {
        "conv1": nn.Conv2d(3, 64, 11, stride=4, padding=2),
        "relu1": nn.ReLU(),
        "pool1": nn.MaxPool2d(3, stride=2),
        "conv2": nn.Conv2d(64, 192, 5, padding=2),
        "relu2": nn.ReLU(),
        "pool2": nn.MaxPool2d(3, stride=2),
        "conv3": nn.Conv2d(192, 384, 3, padding=1),
        "relu3": nn.ReLU(),
        "conv4": nn.Conv2d(384, 256, 3, padding=1),
        "relu4": nn.ReLU(),
        "conv5": nn.Conv2d(256, 256, 3, padding=1),
        "relu5": nn.ReLU(),
    }


class Net(NamedTuple):
    """A network whose layers LPIPS compares."""

    source: Source
    network: Callable[[], dict[str, nn.Module]]
    layers: tuple[str, ...]
    smallest: int  # pixels of the shorter side
    linear: str  # SHA-256 of the weights of the layers


def _torchvision(what: str, place: str) -> Source:
    what = f"{what} ImageNet weights (BSD-3-Clause, torchvision)"
    return Source.download(what, f"https://download.pytorch.org/models/{place}")


NETS = {
    "alex": Net(
        _torchvision("AlexNet's", "alexnet-owt-7be5be79.pth"),
        alexnet,
        ("relu1", "relu2", "relu3", "relu4", "relu5"),
        31,
        "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",
    ),
    "vgg": Net(
        vgg16.PUBLISHED,
        partial(vgg19.network, vgg16.BLOCKS),
        ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3"),
        16,
        "a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868",
    ),
    "squeeze": Net(
        _torchvision("SqueezeNet 1.1's", "squeezenet1_1-b8a52dc0.pth"),
        squeezenet.network,
        ("relu1", "fire3", "fire5", "fire6", "fire7", "fire8", "fire9"),
        17,
        "4a5350f23600cb79923ce65bb07cbf57dca461329894153e05a1346bd531cf76",
    ),
}


class LPIPS(Frozen):
    """Features whose squared distance is LPIPS, a distance learnt from people's judgements.

    Version 0.1 with the linear layers of the package lpips (SHA-256 df73285e... for alex,
    a78928a0... for vgg, 4a5350f2... for squeeze), on a network trained on ImageNet, from the cache
    or downloaded. alex is usual for scores, vgg for losses.  Input: RGB in [-1, 1], plus 0.030,
    0.088, 0.188, over 0.458, 0.448, 0.450; images keep their size, from 31 pixels for alex, 16 for
    vgg and 17 for squeeze.

    Returns ``lpips`` (N, D): over the net's layers, features of length 1 at each place times sqrt(w
    / places), flattened, so that LPIPS of x and y is the sum of the squares of lpips(x) -
    lpips(y).  D grows with the image: at 64 pixels 31,872 for alex, 499,712 for vgg and 118,976 for
    squeeze.

    Args:
        net: The network.
        weights: Its weights, a .pth or .safetensors file with torchvision's names.
    """

    def __init__(
        self, net: Literal["alex", "vgg", "squeeze"] = "alex", weights: Path | None = None
    ):
        super().__init__()
        self.net = net
        source, network, layers, *_ = NETS[net]
        spec = find_spec("lpips")  # its weights are read without importing it
        if spec is None or spec.origin is None:
            raise DataError(
                "the extractor lpips takes its linear layers from the package lpips, which is not "
                "installed. Do: pip install 'ganzoo[evaluation]'."
            )
        path = Path(spec.origin).parent / "weights" / "v0.1" / f"{net}.pth"
        verify(path, NETS[net].linear)
        linear = Weights.read(path)
        file = Weights.read(source.find(weights))
        chain = needed(network(), layers)
        fill(chain, file, "features.")
        prepare = Prepare(1.0, [1 + shift for shift in SHIFT], SCALE)  # of [0, 2]
        self.backbone = Backbone(prepare, chain, layers)
        for i, layer in enumerate(layers):
            weight = linear.tensors[f"lin{i}.model.1.weight"]  # (1, C, 1, 1), none negative
            self.register_buffer(f"root_{layer}", weight.sqrt())
        self.freeze()
        self.say_weights(f"lpips-{net}", file, source)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """(N, 3, H, W) in [-1, 1] to lpips (N, D)."""
        height, width = image.shape[-2:]
        smallest = NETS[self.net].smallest
        if min(height, width) < smallest:
            raise DataError(
                f"images of {width}x{height} pixels are too small for LPIPS with net: {self.net}, "
                f"which needs {smallest}. Use larger images."
            )
        parts = []
        for layer, features in self.backbone(image).items():
            length = torch.linalg.vector_norm(features, dim=1, keepdim=True)
            places = features.shape[2] * features.shape[3]
            root = getattr(self, f"root_{layer}") / places**0.5
            parts.append((features / (length + EPS) * root).flatten(1))
        return {"lpips": torch.cat(parts, dim=1)}
