"""A U-Net whose first half has seen photos: EfficientNet-Lite0, frozen, as trained on ImageNet.

Networks that learn from rendered pictures alone rely on what only these have.  With frozen layers
that were trained on photos they carry over to photos (Hinterstoisser et al. 2018,
https://arxiv.org/abs/1710.10710).  The second half and all sizes are ours.
"""

from __future__ import annotations

from typing import Annotated, Any

import torch
from annotated_types import Ge
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ganzoo.errors import DataError
from ganzoo.interfaces import Generator
from ganzoo_features.efficientnet import STAGES, packaged_chain
from ganzoo_pix2pix.networks import extended

#: the stages that are read, and their strides
EYES = {"stage2": 4, "stage3": 8, "stage5": 16}
ZOOM = 2  # faces of 128 px are small for a network that was trained on 224
DEEPEST = 32  # stride of the innermost layer
WIDEST = 8  # times the width of the last layer


class Lite0UNet(Generator):
    """A U-Net on EfficientNet-Lite0's frozen features, which learns from renders and draws photos.

    Images of any size keep theirs: if a side is not a multiple of 32, the image is extended at the
    right and the bottom, and the result is cropped.  The features are part of the weights; only a
    training needs the package that they come from.

    Args:
        width: channels of the last layer; they double with each halving, up to 8 times as many.
    """

    def __init__(self, width: Annotated[int, Ge(1)] = 20):
        super().__init__()
        self._missing: DataError | None = None
        try:
            chain = packaged_chain(is_filled=True)
        except DataError as error:  # no matter if weights are loaded next
            self._missing = error
            chain = packaged_chain(is_filled=False)
        names = list(chain)
        used = names[: names.index(max(EYES)) + 1]
        self.eyes = nn.ModuleDict({name: chain[name] for name in used}).requires_grad_(False)
        for parameter in self.eyes.parameters():
            parameter.data = parameter.data.contiguous()  # as safetensors demands
        self.register_load_state_dict_post_hook(_fill)  # type: ignore[no-untyped-call]

        seen = {
            stride // ZOOM: STAGES[int(name.removeprefix("stage")) - 1].channels
            for name, stride in EYES.items()
        }
        strides = [2**k for k in range(DEEPEST.bit_length())]
        widths = {stride: width * min(stride, WIDEST) for stride in strides}
        self.down, self.up, self.fuse = nn.ModuleDict(), nn.ModuleDict(), nn.ModuleDict()
        before = seen[max(seen)]
        for stride in strides:
            if stride > max(seen):
                self.down[str(stride)] = layer(before, widths[stride], 2)
                before = widths[stride]
        for stride in reversed(strides[:-1]):
            after = widths[stride]
            self.up[str(stride)] = layer(before, after)
            skipped = widths[stride] if stride > max(seen) else seen.get(stride, 0)
            self.fuse[str(stride)] = layer(after + skipped, after)
            before = after
        self.last = nn.Sequential(nn.Conv2d(before, 3, 3, 1, 1), nn.Tanh())

    def forward(self, photo: Tensor) -> Tensor:
        """Turn images (N, 3, H, W) in [-1, 1], at least 1x1, into others of their size."""
        if self._missing is not None:
            raise self._missing
        height, width = photo.shape[-2:]
        skips = self.look(extended(photo, DEEPEST, 2 * DEEPEST))
        x = skips[max(skips)]
        for stride, halving in self.down.items():
            x = skips[int(stride)] = halving(x)
        for stride, doubling in self.up.items():
            x = interpolate(doubling(x), scale_factor=2.0, mode="nearest")
            skip = skips.get(int(stride))
            x = self.fuse[stride](x if skip is None else torch.cat([x, skip], dim=1))
        return self.last(x)[..., :height, :width]

    def look(self, photo: Tensor) -> dict[int, Tensor]:
        """Return the frozen features of photos (N, 3, H, W), by their strides in these."""
        x = interpolate(photo, scale_factor=float(ZOOM), mode="bilinear")
        x = x.contiguous(memory_format=torch.channels_last)  # twice as fast on a CPU
        skips = {}
        for name, stage in self.eyes.items():
            x = stage(x)
            if name in EYES:
                skips[EYES[name] // ZOOM] = x.contiguous()
        return skips


def layer(before: int, after: int, stride: int = 1) -> nn.Sequential:
    """Build a convolution with its norm and rectifier."""
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride, 1, bias=False),
        nn.InstanceNorm2d(after, affine=True),
        nn.LeakyReLU(0.2),
    )


def _fill(network: Any, _: object) -> None:
    """Note that weights were loaded."""
    network._missing = None
