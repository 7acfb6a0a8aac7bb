"""The networks of a model folder, by role."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from ganzoo.errors import RecipeError, RunError, nearest, one_of
from ganzoo.models import config as configs
from ganzoo.models import weights
from ganzoo.models.config import Config, Network, Part
from ganzoo.models.folder import CONFIG, check_plugin
from ganzoo.plugins.registry import Registry, construct


def network(role: str, config: Config, folder: Path, registry: Registry) -> nn.Module:
    """Build a network of a model folder by its role, with its weights, on the CPU.

    Raises RunError if the folder does not know the role, has no weights of it, or is altered, or a
    plugin is missing.
    """
    parts: dict[str, Part | None] = {
        "generator": config.generator,
        "discriminator": config.discriminator,
        **config.networks,
    }
    part, file = parts.get(role), folder / configs.weights_file(role)
    there = [name for name in parts if (folder / configs.weights_file(name)).is_file()]
    if part is None:
        raise RunError(
            f"{folder} has no {role}{nearest(role, there)} Networks there: {one_of(there)}."
        )
    kind = part.kind if isinstance(part, Network) else role
    use = check_plugin(kind, part, registry, folder)
    if kind == "discriminator" and role not in there:
        raise RunError(
            f"{folder} has no weights of its {role}: discriminators stay with the run that trained "
            f"them. Networks there: {one_of(there)}."
        )
    if role not in there:
        raise RunError(f"{folder} is incomplete: {file.name} is missing. Get the folder again.")
    try:
        with weights.budget(file.stat().st_size):
            module: nn.Module = construct(registry, kind, use, part.arguments)
    except (RecipeError, RunError) as error:
        raise RunError(f"{folder / CONFIG} cannot be built here: {error}") from error
    weights.load(file, module, config.files.get(file.name), f"{kind} '{part.use}'")
    return module
