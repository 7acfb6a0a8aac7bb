"""Walk between latents along great circles.

White 2016, Sampling Generative Networks, https://arxiv.org/abs/1609.04468, section 2.1: straight
lines leave the shell where Gaussian latents live.
"""

from __future__ import annotations

import torch
from torch import Tensor


def rows(ends: Tensor, frames: int) -> Tensor:
    """Walk between the pairs of latents in ``ends`` (n, 2, ...): (n * frames, ...)."""
    steps = torch.linspace(0, 1, frames)
    return torch.stack([slerp(a, b, t) for a, b in ends for t in steps])


def loop(stops: Tensor, frames: int) -> Tensor:
    """Walk through all ``stops`` (k, ...) and back to the first, which is not repeated.

    Returns (frames, ...), with ``frames`` / k on each part of the way.
    """
    places = torch.arange(frames) * len(stops) / frames
    return torch.stack(
        [slerp(stops[int(x)], stops[(int(x) + 1) % len(stops)], x.frac()) for x in places]
    )


def around(middle: Tensor, latents: Tensor, spread: float) -> Tensor:
    """Go from ``middle`` (1, ...) ``spread`` of the way to each latent but the first.

    Returns (n, ...), of which ``middle`` is the first.
    """
    share = torch.tensor(float(spread))
    return torch.cat([middle, *(slerp(middle, one[None], share) for one in latents[1:])])


def slerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Go the part ``t`` of the way from ``a`` to ``b``; straight if no great circle is theirs."""
    cosine = (a * b).sum() / (a.norm() * b.norm())
    angle = torch.arccos(cosine.clamp(-1, 1))
    if angle.sin().abs() < 1e-6:
        return torch.lerp(a, b, t)
    return (torch.sin((1 - t) * angle) * a + torch.sin(t * angle) * b) / torch.sin(angle)
