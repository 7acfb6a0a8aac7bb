"""The history of generated images: Shrivastava et al. 2017 (CVPR), section 2.3.

https://arxiv.org/abs/1612.07828.  As CycleGAN's code has it: a new fake is shown as it is, or, once
the pool is full and with a chance of one half, an older one is shown and gives its place to it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed, nn


class ImagePool(nn.Module):
    """Keeps past fakes in a buffer, so that checkpoints hold them.

    Which ones are shown comes from torch's default generator, which training seeds by seed, step
    and rank.  Several processes keep one pool of all their fakes, as their networks are equal too.
    In eval mode fakes pass through and leave the pool as it is.

    Args:
        capacity: images to keep; with 0, all fakes pass through.
    """

    images: Tensor

    def __init__(self, capacity: int):
        super().__init__()
        self.capacity = capacity
        self.register_buffer("images", torch.zeros(0))

    @torch.no_grad()
    def forward(self, fake: Tensor) -> Tensor:
        """Return images (N, 3, H, W) to show in the place of as many fakes."""
        if not self.training or not self.capacity:
            return fake
        count = len(fake)
        older = torch.rand(count) < 0.5
        places = torch.randint(self.capacity, (count,))
        places[~older] = -1
        if self.images.shape[1:] != fake.shape[1:]:  # the first fakes, or weights of another size
            self.images = fake.new_zeros(0, *fake.shape[1:])
        pictures = [
            self._exchange(one, place)
            for one, place in zip(gathered(fake), gathered(places).tolist(), strict=True)
        ]
        first = count * rank()
        return torch.stack(pictures[first : first + count])

    def _exchange(self, fake: Tensor, place: int) -> Tensor:
        """Return the fake, or the image at ``place``, which the fake replaces."""
        if len(self.images) < self.capacity:
            self.images = torch.cat([self.images, fake[None]])
            return fake
        if place < 0:
            return fake
        older = self.images[place].clone()
        self.images[place] = fake
        return older

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        """Take a pool of any number and size of images."""
        images = state_dict.get(f"{prefix}images")
        if images is not None:
            self.images = self.images.new_zeros(images.shape)
        super()._load_from_state_dict(state_dict, prefix, *args)


def rank() -> int:
    """Return the number of this process among those that train together."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def gathered(value: Tensor) -> Tensor:
    """Join the values (N, ...) of all processes, by rank."""
    if not distributed.is_initialized():
        return value
    parts = [torch.empty_like(value) for _ in range(distributed.get_world_size())]
    distributed.all_gather(parts, value.contiguous())
    return torch.cat(parts)
