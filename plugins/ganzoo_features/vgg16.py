"""VGG16: Simonyan and Zisserman 2014, https://arxiv.org/abs/1409.1556."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from ganzoo_features.backbone import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    Backbone,
    Prepare,
    fill,
    needed,
)
from ganzoo_features.crop import cut
from ganzoo_features.vgg19 import network
from ganzoo_features.weights import Source, Weights

BLOCKS = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))  # convolutions and channels of each
SIZE = 224
FULLY_CONNECTED = {"fc6": ("classifier.0.", 25088), "fc7": ("classifier.3.", 4096)}
FILE = "vgg16-397923af.pth"
URL = f"https://download.pytorch.org/models/{FILE}"
PUBLISHED = Source.download(
    "VGG16's ImageNet weights (BSD-3-Clause, torchvision, 528 MB)",
    URL,
    "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
)


class VGG16(Backbone):
    """VGG16 trained on ImageNet-1k, whose fc7 is used for precision and recall.

    Kynkäänniemi et al. 2019 (https://arxiv.org/abs/1904.06991) use the second fully connected
    layer.  Weights: torchvision's vgg16-397923af.pth (SHA-256 397923af...), from the cache or
    downloaded.  Input: RGB, any size, resized to 224x224 (bilinear, antialiased), scaled to [0, 1],
    minus 0.485, 0.456, 0.406, over 0.229, 0.224, 0.225.

    Layers: fc6 and fc7 (N, 4096), after their ReLUs; conv1_1 to conv5_3 before their ReLUs,
    relu1_1 to relu5_3 after them, pool1 to pool5, as in the extractor vgg19.

    Args:
        layers: Which to return; nothing deeper is computed, or kept in memory.
        weights: A .pth or .safetensors file with torchvision's names.
    """

    def __init__(self, layers: list[str] = ["fc7"], weights: Path | None = None):  # noqa: B006
        classifier = {
            # on "meta", because these 411 MB are filled below
            name: nn.Sequential(nn.Linear(inputs, 4096, device="meta"), nn.ReLU())
            for name, (_, inputs) in FULLY_CONNECTED.items()
        }
        chain = needed(network(BLOCKS) | {"_flatten": nn.Flatten()} | classifier, layers)
        file = Weights.read(PUBLISHED.find(weights))
        for name, (prefix, _) in FULLY_CONNECTED.items():
            if name in chain:
                file.load_into(classifier[name][0], prefix)
        fill({n: layer for n, layer in chain.items() if n not in classifier}, file, "features.")
        prepare = nn.Sequential(_Resize(), Prepare(0.5, IMAGENET_MEAN, IMAGENET_STD))
        super().__init__(prepare, chain, layers)
        self.say_weights("vgg16", file, PUBLISHED)


class _Resize(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        """(N, 3, H, W) to (N, 3, 224, 224)."""
        return cut(image, (0, 0, 1, 1), SIZE)
