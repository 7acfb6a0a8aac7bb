"""The exponential moving average of a generator, from which samples are drawn."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


class EMA:
    """A copy of ``network`` whose parameters trail it; its buffers are copied as they are.

    The decay ramps up as (1 + t) / (10 + t) until it reaches ``decay`` (the schedule of
    TensorFlow's ExponentialMovingAverage), so that the start does not dominate early samples.
    """

    def __init__(self, network: nn.Module, decay: float, ramp: bool = True):
        self.network = copy.deepcopy(network).requires_grad_(False).eval()
        self._parameters = list[Tensor](self.network.parameters())
        self._buffers = list(self.network.buffers())
        self.decay = decay
        self.ramp = ramp

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Move towards ``network`` after training step ``step``, counted from 0."""
        decay = min(self.decay, (1 + step) / (10 + step)) if self.ramp else self.decay
        if self._parameters:
            theirs = list[Tensor](network.parameters())
            torch._foreach_lerp_(self._parameters, theirs, 1 - decay)
        if self._buffers:
            torch._foreach_copy_(self._buffers, list(network.buffers()))
