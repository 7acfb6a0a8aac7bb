"""Instance norm over the tiles of one picture.

Instance norm (Ulyanov 2016, https://arxiv.org/abs/1607.08022) takes mean and variance over its
whole input, so separate tiles would differ in tone.  Here all tiles of a picture share statistics,
which are close to those of the whole picture.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional


class SharedNorm(nn.Module):
    """An instance norm whose statistics can be shared between inputs.

    ``mode`` sets what a forward pass does.  ``measure`` takes the statistics of the whole batch, as
    instance norm does of one picture.  ``keep`` uses those of an earlier pass.  ``compare`` does
    too, and adds up the true ones over the ``part`` of each input that counts.
    """

    def __init__(self, norm: nn.InstanceNorm2d):
        super().__init__()
        self.weight, self.bias, self.eps = norm.weight, norm.bias, norm.eps
        self.channels = norm.num_features
        self.mean = self.variance = torch.empty(0)
        self.forget()

    def forget(self) -> None:
        """Become an instance norm again."""
        self.mode = "measure"
        self.part = (0.0, 1.0, 0.0, 1.0)  # top, bottom, left, right, as shares of the input
        self.shift, self.stretch = torch.zeros(1), torch.ones(1)
        self._clear()

    def _clear(self) -> None:
        # Sums in place: one small tensor per tile would keep the freed memory around it from being
        # used again.
        self.count = 0
        self.sum, self.squares = torch.zeros(2, self.channels, dtype=torch.float64)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (N, C, H, W), tiles of one picture."""
        if self.mode == "measure":
            _, mean, variance = moments(x)
            self.mean = mean + self.shift.to(mean) * variance.sqrt()
            self.variance = variance * self.stretch.to(mean)
        elif self.mode == "compare":
            height, width = x.shape[2:]
            top, bottom = (round(share * height) for share in self.part[:2])
            left, right = (round(share * width) for share in self.part[2:])
            count, *statistics = moments(x[..., top:bottom, left:right])
            mean, variance = (value.cpu().double() for value in statistics)
            self.count += count
            self.sum += count * mean
            self.squares += count * (variance + mean.square())
        return functional.batch_norm(
            x, self.mean, self.variance, self.weight, self.bias, eps=self.eps
        )

    def correct(self) -> None:
        """Correct future measurements by the comparison so far."""
        mean = self.sum / self.count
        spread = (self.squares / self.count - mean.square()).to(self.variance)
        mean = mean.to(self.mean)
        floor = self.variance + self.eps
        self.shift = self.shift.to(mean) + (mean - self.mean) / floor.sqrt()
        self.stretch = self.stretch.to(mean) * (spread + self.eps) / floor
        self._clear()


def moments(x: Tensor) -> tuple[int, Tensor, Tensor]:
    """Return the number of values of a channel of (N, C, H, W), and each mean and variance.

    Batch norm computes them several times faster than ``torch.var_mean``.
    """
    count = x[:, 0].numel()
    mean, variance = x.new_zeros(2, x.shape[1], dtype=torch.float32)
    functional.batch_norm(x, mean, variance, training=True, momentum=1.0)
    return count, mean, variance * ((count - 1) / count)


def share_norms(generator: nn.Module) -> tuple[nn.Module, list[SharedNorm]]:
    """Copy the generator with shared norms in place of instance norms; also return the norms."""
    generator = copy.deepcopy(generator)
    norms = []
    for parent in list(generator.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.InstanceNorm2d) and not child.track_running_stats:
                norms.append(SharedNorm(child))
                setattr(parent, name, norms[-1])
    return generator, norms
