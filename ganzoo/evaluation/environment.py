"""What a number depends on besides recipe and data: versions, device, threads."""

from __future__ import annotations

import platform

import accelerate
import torch

from ganzoo import __version__
from ganzoo.models import model


def environment() -> dict[str, str | int]:
    """Return what a number depends on besides the recipe: versions, device, threads."""
    where = model.device()
    name = torch.cuda.get_device_name() if where.type == "cuda" else platform.processor()
    return {
        "ganzoo": __version__,
        "torch": torch.__version__,
        "accelerate": accelerate.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": where.type,
        "device_name": name or platform.machine(),
        "threads": torch.get_num_threads(),
    }
