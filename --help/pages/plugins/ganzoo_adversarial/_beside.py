"""Move small CPU tensors to an image's device."""

from __future__ import annotations

from torch import Tensor


def beside(image: Tensor, value: Tensor) -> Tensor:
    """Return ``value`` on the device and in the format of ``image``, without waiting for CUDA."""
    return value.to(image.dtype).to(image.device, non_blocking=image.is_cuda)
