"""Optimisers by the names that recipes use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn

from ganzoo.errors import RecipeError
from ganzoo.recipe import Schedule

_CLASSES: dict[str, type[torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
    "rmsprop": torch.optim.RMSprop,
}


def make_optimizer(
    use: str, parameters: Iterable[nn.Parameter], arguments: Mapping[str, Any]
) -> tuple[torch.optim.Optimizer, Schedule]:
    """The optimiser, and the schedule of its learning rate.

    Raises RecipeError where torch refuses the arguments.
    """
    rest = {name: value for name, value in arguments.items() if name != "lr"}
    lr: Schedule = arguments["lr"]
    try:
        return _CLASSES[use](parameters, lr=lr.at(0), **rest), lr  # type: ignore[call-arg]
    except (TypeError, ValueError, RuntimeError) as error:
        raise RecipeError([f"optimizer '{use}': {error}"]) from error


def set_lr(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Set the learning rate of every parameter group."""
    for group in optimizer.param_groups:
        group["lr"] = lr
