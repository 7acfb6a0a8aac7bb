"""Cheap numbers about one batch, from which ``findings.py`` recognises trouble."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d


def spread(images: Tensor) -> Tensor:
    """Mean pairwise distance of (N, 3, H, W), on 16x16 averages so that noise counts little."""
    small = adaptive_avg_pool2d(images.float(), 16).flatten(1)
    return torch.pdist(small).mean()


@torch.no_grad()
def image_statistics(
    fake: Tensor, real: Tensor | None = None, source: Tensor | None = None
) -> dict[str, Tensor]:
    """Compute statistics of the fakes.

    ``std`` over the batch; ``saturation``, the share beyond 0.99; ``diversity``, spread over the
    spread of ``real``; ``identity``, the distance to ``source``, the generator's input image.
    """
    fake = fake.detach().float()
    statistics = {"G/saturation": (fake.abs() > 0.99).float().mean()}
    if len(fake) > 1:
        statistics["G/std"] = fake.std(0).mean()
        if real is not None:
            statistics["G/diversity"] = spread(fake) / spread(real).clamp_min(1e-6)
    if source is not None and source.shape == fake.shape:
        statistics["G/identity"] = (fake - source).abs().mean()
    return statistics


@torch.no_grad()
def ranking(real_logits: Tensor, fake_logits: Tensor) -> dict[str, Tensor]:
    """D's mean logits, and the share of (real, fake) pairs in which the real one scores higher.

    0.5 is blind, 1 is sure.  Unlike a loss, it means the same for every objective.
    """
    real, fake = _per_image(real_logits), _per_image(fake_logits)
    wins = (real[:, None] > fake[None]).float().mean()
    ties = (real[:, None] == fake[None]).float().mean()
    return {"D/real": real.mean(), "D/fake": fake.mean(), "D/ranking": wins + ties / 2}


def _per_image(logits: Tensor) -> Tensor:
    return logits.float().reshape(len(logits), -1).mean(1)
