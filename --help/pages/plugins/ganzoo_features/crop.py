"""Cut a face out of an image so that gradients flow, and map its points back."""

from __future__ import annotations

import torch
from torch import Tensor

from ganzoo.errors import RecipeError

#: left, top, right and bottom as fractions of the image
Crop = tuple[float, float, float, float]


def check_crop(crop: Crop) -> Crop:
    """Return the crop; RecipeError if it is empty or extends past the image."""
    left, top, right, bottom = crop
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise RecipeError(
            [
                f"crop: {list(crop)} is no part of an image. It is [left, top, right, bottom] as "
                f"fractions of the image, 0 <= left < right <= 1 and 0 <= top < bottom <= 1; "
                f"[0, 0, 1, 1] is all of it."
            ]
        )
    return crop


def cut(image: Tensor, crop: Crop, size: int) -> Tensor:
    """Cut the part ``crop`` of ``image`` (N, C, H, W), resized to (N, C, size, size).

    Bilinear with antialiasing, like Pillow's and torch's; a crop may begin between pixels, and past
    the edge the border repeats.
    """
    left, top, right, bottom = crop
    rows = _triangles(image, image.shape[-2], top, bottom, size)
    columns = _triangles(image, image.shape[-1], left, right, size)
    return rows @ image @ columns.mT


def _triangles(like: Tensor, length: int, low: float, high: float, size: int) -> Tensor:
    """Return (size, length): the weights of ``length`` pixels in each of the ``size`` new ones."""
    step = (high - low) * length / size  # old pixels per new one
    new = low * length + (torch.arange(size, device=like.device) + 0.5) * step
    old = torch.arange(length, device=like.device) + 0.5
    new = new.clamp(0.5, length - 0.5)[:, None]
    weights = (1 - (old - new).abs() / max(step, 1.0)).relu()
    return (weights / weights.sum(dim=1, keepdim=True)).to(like.dtype)


def back(points: Tensor, crop: Crop) -> Tensor:
    """Map points (..., 2) in [0, 1] of the crop to [-1, 1] of the whole image."""
    left, top, right, bottom = crop
    origin, extent = points.new_tensor([left, top]), points.new_tensor([right - left, bottom - top])
    return (origin + points * extent) * 2 - 1
