"""A stand-in for NVIDIA's Inception: the same names and shapes, and random weights.

The network is pytorch-fid's, in the copy that clean-fid brings, so that nothing here is ganzoo's.
"""

from __future__ import annotations

import math
from pathlib import Path
from unittest import mock

import torch
from cleanfid import inception_pytorch
from torch import Tensor, nn

STAGES = ("conv", "conv_1", "conv_2", "pool0", "conv_3", "conv_4", "pool1", "mixed")
STAGES += tuple(f"mixed_{i}" for i in range(1, 11))
#: pytorch-fid's name of a branch in a block of each kind -> NVIDIA's
TOWERS = {
    "InceptionA": {"branch5x5": "tower", "branch3x3dbl": "tower_1"},
    "InceptionB": {"branch3x3dbl": "tower"},
    "InceptionC": {"branch7x7": "tower", "branch7x7dbl": "tower_1"},
    "InceptionD": {"branch3x3": "tower", "branch7x7x3": "tower_1"},
}
LAST = {
    "branch1x1": "conv",
    "branch3x3_1": "tower_conv",
    "branch3x3_2a": "tower_mixed_conv",
    "branch3x3_2b": "tower_mixed_conv_1",
    "branch3x3dbl_1": "tower_1_conv",
    "branch3x3dbl_2": "tower_1_conv_1",
    "branch3x3dbl_3a": "tower_1_mixed_conv",
    "branch3x3dbl_3b": "tower_1_mixed_conv_1",
    "branch_pool": "tower_2_conv",
}


class Layers(nn.Module):
    """What the file calls ``layers``: a network, and beside it its tensors by NVIDIA's names."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x)


class File(nn.Module):
    def __init__(self, layers: nn.Module):
        super().__init__()
        self.layers = layers

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class Node(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x


def write(path: Path, seed: int = 0) -> None:
    """Write a TorchScript file that clean-fid can run and ganzoo can read."""
    network = reference(seed)
    with torch.no_grad():
        example = torch.zeros(1, 3, 299, 299)
        layers = Layers(torch.jit.trace(network, example, check_trace=False))
    for name, tensor in tensors(network).items():
        *above, last = name.split(".")
        node: nn.Module = layers
        for part in above:
            if part not in dict(node.named_children()):
                node.add_module(part, Node())
            node = node.get_submodule(part)
        node.register_buffer(last, tensor)
    torch.jit.script(File(layers).eval()).save(str(path))


def reference(seed: int = 0) -> nn.Module:
    """(N, 3, 299, 299), scaled, to (N, 2048, 1, 1)."""
    with (
        mock.patch.object(inception_pytorch, "load_state_dict_from_url"),
        mock.patch.object(nn.Module, "load_state_dict"),
    ):
        blocks = inception_pytorch.InceptionV3().blocks
    rng = torch.Generator().manual_seed(seed)

    def draw(like: Tensor, low: float, high: float) -> None:
        like.data = torch.rand(like.shape, generator=rng) * (high - low) + low

    for module in blocks.modules():
        if isinstance(module, nn.Conv2d):
            reach = math.sqrt(6 / module.weight[0].numel())
            draw(module.weight, -reach, reach)
        elif isinstance(module, nn.BatchNorm2d):
            draw(module.running_mean, -0.2, 0.2)
            draw(module.running_var, 0.5, 1.5)
            draw(module.bias, -0.2, 0.2)
    return nn.Sequential(*blocks).eval()


def tensors(network: nn.Module) -> dict[str, Tensor]:
    """The tensors of ``reference`` by NVIDIA's names, less ``layers.``."""
    found = {}
    stages = (stage for block in network for stage in block)
    for name, stage in zip(STAGES, stages, strict=False):
        for unit, module in stage.named_modules():
            if hasattr(module, "bn"):
                place = f"{name}.{renamed(stage, unit)}" if unit else name
                found[f"{place}.weight"] = module.conv.weight.data
                found[f"{place}.beta"] = module.bn.bias.data
                found[f"{place}.mean"] = module.bn.running_mean
                found[f"{place}.var"] = module.bn.running_var
    return found


def renamed(block: nn.Module, unit: str) -> str:
    kind = next(c.__name__ for c in type(block).__mro__ if not c.__name__.startswith("FID"))
    if kind == "InceptionE":
        return LAST[unit]
    if unit == "branch_pool":
        return "tower_2.conv"
    branch, _, number = unit.rpartition("_")
    if branch not in TOWERS[kind]:
        return "conv"
    return f"{TOWERS[kind][branch]}.conv" + (f"_{int(number) - 1}" if number != "1" else "")
