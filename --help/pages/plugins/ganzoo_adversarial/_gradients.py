"""The gradient of a discriminator's logits with respect to an image, for the penalties."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, autograd
from torch.linalg import vector_norm


def squared_norm(logits: Tensor, image: Tensor) -> Tensor:
    """||d logits / d image||² of each sample, (N,), differentiable once more.

    ``logits`` (N, ...) must hang on ``image`` (N, C, H, W); those of one sample are summed
    first, so a patch discriminator is penalised for the gradient of the sum of its patches.
    """
    return _gradient(logits, image).square().sum(dim=1)


def norm_at(image: Tensor, discriminator: Callable[[Tensor], Tensor]) -> Tensor:
    """||d D(image) / d image|| of each sample, (N,), in full precision whatever the autocast."""
    with torch.autocast(image.device.type, enabled=False):
        image = _full(image.detach()).requires_grad_()
        # vector_norm's derivative at 0 is 0; a square root's would be infinite
        return vector_norm(_gradient(discriminator(image), image), dim=1)


def _gradient(logits: Tensor, image: Tensor) -> Tensor:
    """The gradient as (N, C·H·W), computed and returned in at least float32."""
    with torch.autocast(image.device.type, enabled=False):
        (gradient,) = autograd.grad(_full(logits).sum(), image, create_graph=True)
        return _full(gradient).flatten(1)


def _full(x: Tensor) -> Tensor:
    """Convert half precision to float32; keep float32 and float64."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
