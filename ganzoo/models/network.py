"""A network that is called with words: its parameters are filled by name."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

#: words that are drawn, where others are taken from examples
RANDOM = ("latent", "label")


@dataclass(frozen=True)
class Reads:
    """The words that ``forward`` reads, in order; those without a default are ``required``."""

    words: tuple[str, ...]
    required: tuple[str, ...]


def reads(network: nn.Module) -> Reads:
    """Return the words that ``network`` reads: the parameters of its class's ``forward``."""
    if isinstance(own := getattr(network, "reads", None), Reads):  # it is made of several
        return own
    _, *parameters = inspect.signature(type(network).forward).parameters.values()
    names = (p.name for p in parameters if p.default is p.empty)
    return Reads(tuple(p.name for p in parameters), tuple(names))


def anchor(network: nn.Module) -> Tensor:
    """Return a tensor on the network's device and in its number format.

    A generator without parameters has neither, except by a buffer: it then counts as float32 on the
    CPU.
    """
    tensors = (*network.parameters(), *network.buffers())
    return next((one for one in tensors if one.is_floating_point()), torch.empty(0))


class Words(Protocol):
    """Values by name, as an update of training has them."""

    def __contains__(self, word: str, /) -> bool: ...
    def __getitem__(self, word: str, /) -> Any: ...


class Network:
    """A network as training calls it: ``forward``'s parameters are words, filled by name.

    ``module`` may be wrapped (DDP, autocast); ``bare`` is the network itself.  With
    ``channels_last`` it computes in that memory layout, but returns contiguous tensors, as losses
    and transforms may rely on that.
    """

    def __init__(
        self, bare: nn.Module, module: nn.Module | None = None, channels_last: bool = False
    ):
        self.bare = bare
        self.channels_last = channels_last
        #: the part that is trained: a plugin may freeze the rest
        self.learning = [p for p in bare.parameters() if p.requires_grad]
        self.module = module if module is not None else bare
        self.reads = list(reads(bare).words)

    def __call__(self, words: Words, inputs: Mapping[str, Tensor] | None = None) -> Tensor:
        """Run on ``inputs`` by parameter; the other parameters are filled from ``words``."""
        values = dict(inputs or {})
        values |= {name: words[name] for name in self.reads if name not in values and name in words}
        if self.channels_last:
            layout = torch.channels_last
            for name, value in values.items():
                values[name] = value.contiguous(memory_format=layout) if value.ndim == 4 else value
        output: Tensor = self.module(**values)
        return output.contiguous() if self.channels_last else output


def stride(network: nn.Module) -> int:
    """Return the stride of the network's innermost layer in pixels, at most 32."""
    product = 1
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)):
            by = module.stride
            product *= max(by) if isinstance(by, tuple) else by
    return min(product, 32)
