"""Build optimisers by the names that recipes use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn
from torch.utils._foreach_utils import _get_fused_kernels_supported_devices

from ganzoo.errors import RecipeError
from ganzoo.recipe.recipe_types import Schedule

_CLASSES: dict[str, type[torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
    "rmsprop": torch.optim.RMSprop,
}


def make_optimizer(
    use: str, parameters: Iterable[nn.Parameter], arguments: Mapping[str, Any]
) -> tuple[torch.optim.Optimizer, Schedule]:
    """Build the optimiser and the schedule of its learning rate.

    ``fused`` only affects speed and is dropped on a device without such kernels.  Raises
    RecipeError if torch refuses the arguments, or there is nothing to learn.
    """
    options = {name: value for name, value in arguments.items() if name != "lr"}
    lr: Schedule = arguments["lr"]
    parameters = list(parameters)
    if not parameters:
        raise RecipeError(
            [
                f"optimizer '{use}': its player has nothing to learn. A generator without weights "
                "needs no training: `ganzoo model new NAME --out FOLDER`."
            ]
        )
    devices = _get_fused_kernels_supported_devices()
    if options.get("fused") and any(p.device.type not in devices for p in parameters):
        options["fused"] = None
    try:
        return _CLASSES[use](parameters, lr=lr.at(0), **options), lr  # type: ignore[call-arg]
    except (TypeError, ValueError, RuntimeError) as error:
        raise RecipeError([f"optimizer '{use}': {error}"]) from error
