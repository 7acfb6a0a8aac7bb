"""Small tensors of the CPU, where an image is."""

from __future__ import annotations

from torch import Tensor


def beside(image: Tensor, value: Tensor) -> Tensor:
    """``value`` on the device and in the format of ``image``; CUDA is not waited for."""
    return value.to(image.dtype).to(image.device, non_blocking=image.is_cuda)
