"""The exponential moving average of a network: a model has it in the network's place."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class EMA:
    """A copy of ``network`` whose parameters trail it; its buffers are copied as they are.

    The decay ramps up as (1 + t) / (10 + t) until it reaches ``decay`` (the schedule of
    TensorFlow's ExponentialMovingAverage), so that the start does not dominate early samples.
    """

    def __init__(self, network: nn.Module, decay: float, ramp: bool = True):
        self.network = copy.deepcopy(network).requires_grad_(False).eval()
        self._parameters = list[Tensor](self.network.parameters())
        self._buffers = list(self.network.buffers())
        #: the layers with running statistics
        self.norms = [
            module
            for module in self.network.modules()
            if isinstance(module, _BatchNorm) and module.track_running_stats
        ]
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

    @contextmanager
    def estimating(self) -> Iterator[None]:
        """Replace running statistics by their means over the batches that go through in the block.

        Those of the training network do not fit averaged weights, whose activations spread less.
        As torch.optim.swa_utils.update_bn (Izmailov et al. 2018, https://arxiv.org/abs/1803.05407),
        but the rest of the network stays in eval mode, without dropout and noise.
        """
        momenta = [norm.momentum for norm in self.norms]
        for norm in self.norms:
            norm.reset_running_stats()
            norm.momentum = None  # a mean of all batches
            norm.train()
        try:
            with torch.no_grad():
                yield
        finally:
            for norm, momentum in zip(self.norms, momenta, strict=True):
                norm.momentum = momentum
                norm.eval()
