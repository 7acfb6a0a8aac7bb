"""TensorFlow's ``SAME`` padding, for networks trained with it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import pad


class SameConv2d(nn.Conv2d):
    """A convolution whose output is ceil(size / stride): the odd pixel is padded at the end.

    On a CPU, oneDNN computes the gradient of a strided depthwise convolution in bfloat16 by its
    slow reference loops: four such layers took three quarters of EfficientNet-Lite0's forward and
    backward pass.  They are computed in float32 if a gradient is wanted.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, D, ceil(H / stride), ceil(W / stride))."""
        is_slow = self.groups > 1 and max(self.stride) > 1 and x.device.type == "cpu"
        if is_slow and x.requires_grad and x.dtype == torch.bfloat16:
            with torch.autocast("cpu", enabled=False):
                return self._convolve(x.to(self.weight.dtype))
        return self._convolve(x)

    def _convolve(self, x: Tensor) -> Tensor:
        sides: list[int] = []
        for size, kernel, stride in zip(
            reversed(x.shape[-2:]), reversed(self.kernel_size), reversed(self.stride), strict=True
        ):
            total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            sides += [total // 2, total - total // 2]
        return super().forward(pad(x, sides) if any(sides) else x)
