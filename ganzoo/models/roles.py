"""The networks of a model folder, by role."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from ganzoo.errors import RecipeError, RunError, nearest, one_of
from ganzoo.models import config as configs
from ganzoo.models import weights
from ganzoo.models.config import Config, Network, Part
from ganzoo.models.folder import CONFIG, check_plugin
from ganzoo.plugins.registry import Registry, construct


def network(
    role: str,
    config: Config,
    folder: Path,
    registry: Registry,
    elsewhere: Path | None = None,
    arguments: Mapping[str, Any] | None = None,
) -> nn.Module:
    """Build a network of a model folder by its role, with its weights, on the CPU.

    ``elsewhere`` is the file of its weights if that is not in the folder.  ``arguments`` replace
    the config's, which holds only the names of extractors.

    Raises RunError if the folder does not know the role, has no weights of it, or is altered, or a
    plugin is missing.
    """
    parts: dict[str, Part | None] = {
        "generator": config.generator,
        "discriminator": config.discriminator,
        **config.networks,
    }
    part, file = parts.get(role), elsewhere or folder / configs.weights_file(role)
    there = [name for name in parts if (folder / configs.weights_file(name)).is_file()]
    if part is None:
        raise RunError(
            f"{folder} has no {role}{nearest(role, there)} Networks there: {one_of(there)}."
        )
    kind = part.kind if isinstance(part, Network) else role
    use = check_plugin(kind, part, registry, folder)
    if kind == "discriminator" and not file.is_file():
        raise RunError(
            f"{folder} has no weights of its {role}: discriminators stay with the run that trained "
            f"them. Networks there: {one_of(there)}."
        )
    if not file.is_file():
        raise RunError(f"{folder} is incomplete: {file.name} is missing. Get the folder again.")
    try:
        with weights.budget(file.stat().st_size):
            module: nn.Module = construct(
                registry, kind, use, {**part.arguments, **(arguments or {})}
            )
    except (RecipeError, RunError) as error:
        raise RunError(f"{folder / CONFIG} cannot be built here: {error}") from error
    record = None if elsewhere else config.files.get(file.name)
    weights.load(file, module, record, f"{kind} '{part.use}'")
    return module
