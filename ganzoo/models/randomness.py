"""Derive all randomness: from (seed, step, rank) in training, from (seed, epoch) for data order.

A checkpoint stores no random state, because nothing random depends on what came before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import torch
from torch import Tensor


def derive(seed: int, *words: object) -> int:
    """Derive a 63-bit seed for one purpose, unrelated to the seeds of all others."""
    text = "/".join(map(str, (seed, *words)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def rng(seed: int, *words: object) -> torch.Generator:
    """Return a separate CPU generator for one purpose."""
    return torch.Generator().manual_seed(derive(seed, *words))


def seed_default(seed: int, *words: object) -> None:
    """Seed the default generators, which dropout, augmentations and weight init use."""
    value = derive(seed, *words)
    torch.default_generator.manual_seed(value)  # torch.manual_seed is 100 times slower on a CPU
    if torch.cuda.is_available():
        torch.cuda.manual_seed(value)
    elif torch.backends.mps.is_available():
        torch.mps.manual_seed(value)


def epoch_order(n: int, seed: int, epoch: int) -> Tensor:
    """Return the order of ``n`` examples in one epoch, int64 (n,)."""
    return torch.randperm(n, generator=rng(seed, "order", epoch))


def batches(n: int, batch: int, seed: int, start: int) -> Iterator[tuple[int, list[int]]]:
    """Yield batches from number ``start`` on, forever: ``(epoch, indices)``.

    An epoch's last, incomplete batch is dropped; its examples come back in the next epoch.
    """
    epoch, first = divmod(start, n // batch)
    while True:
        order = epoch_order(n, seed, epoch)
        for number in range(first, n // batch):
            yield epoch, order[number * batch : (number + 1) * batch].tolist()
        epoch, first = epoch + 1, 0
