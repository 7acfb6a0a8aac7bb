"""Differentiable Augmentation, Zhao et al. 2020, https://arxiv.org/abs/2006.10738."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import pad

from ganzoo.errors import RecipeError, nearest
from ganzoo.interfaces import Transform
from ganzoo_adversarial._beside import beside


class DiffAugment(Transform):
    """Random color, translation and cutout, seen by D on real and fake alike (Zhao 2020).

    The paper's strengths. Every sample draws its own numbers, on the CPU, so that one seed
    means one augmentation on every device. Colors may leave [-1, 1], as they do in the paper.

    Args:
        policy: what to do, in this order; by default color, translation and cutout.
    """

    def __init__(self, policy: list[Literal["color", "translation", "cutout"]] | None = None):
        words = list(_POLICIES) if policy is None else list(policy)
        problems = [
            f"diffaugment's policy has '{word}'{nearest(word, _POLICIES)} Allowed: "
            f"{', '.join(_POLICIES)}."
            for word in words
            if word not in _POLICIES
        ]
        if not words:
            problems = ["diffaugment's policy is empty: name what to do, or leave `augment` out."]
        if problems:
            raise RecipeError(problems)
        self.policy = words

    def __call__(self, image: Tensor) -> Tensor:
        """Augment (N, C, H, W), each sample in its own way, keeping the shape."""
        for word in self.policy:
            image = _POLICIES[word](image)
        return image


def color(image: Tensor) -> Tensor:
    """Brightness ±0.5, then saturation x [0, 2], then contrast x [0.5, 1.5]."""
    image = image + _uniform(image, -0.5, 0.5)
    image = _away_from(image.mean(dim=1, keepdim=True), image, _uniform(image, 0, 2))
    return _away_from(image.mean(dim=(1, 2, 3), keepdim=True), image, _uniform(image, 0.5, 1.5))


def translation(image: Tensor) -> Tensor:
    """Shift by up to 1/8 of each side, whole pixels; zeros come in."""
    n, channels, height, width = image.shape
    down, right = height // 8, width // 8
    rows = torch.arange(height) + torch.randint(2 * down + 1, (n, 1))
    columns = torch.arange(width) + torch.randint(2 * right + 1, (n, 1))
    return pad(image, (right, right, down, down))[
        torch.arange(n, device=image.device)[:, None, None, None],
        torch.arange(channels, device=image.device)[:, None, None],
        rows.to(image.device, non_blocking=image.is_cuda)[:, None, :, None],
        columns.to(image.device, non_blocking=image.is_cuda)[:, None, None, :],
    ]


def cutout(image: Tensor) -> Tensor:
    """Zero a rectangle of half the sides; its centre is anywhere, so it may be cut off."""
    n, _, height, width = image.shape
    inside = _stripe(n, height)[:, None, :, None] & _stripe(n, width)[:, None, None, :]
    return image * beside(image, ~inside)


_POLICIES = {"color": color, "translation": translation, "cutout": cutout}


def _uniform(image: Tensor, low: float, high: float) -> Tensor:
    """Draw one number for each sample, (N, 1, 1, 1), like ``image``."""
    return beside(image, torch.empty(len(image), 1, 1, 1).uniform_(low, high))


def _away_from(mean: Tensor, image: Tensor, factor: Tensor) -> Tensor:
    return mean + (image - mean) * factor


def _stripe(n: int, side: int) -> Tensor:
    """Return ``side`` flags for each of ``n`` samples, true over a random half, (n, side)."""
    half = side // 2
    start = torch.randint(side + 1 - half % 2, (n, 1)) - half // 2
    place = torch.arange(side)
    return (place >= start) & (place < start + half)
