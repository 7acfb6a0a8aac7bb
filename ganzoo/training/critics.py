"""The critics that a model was trained against: in its folder, or in the run around it."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from ganzoo.errors import RunError
from ganzoo.models import config as configs
from ganzoo.models import roles
from ganzoo.models.config import Config
from ganzoo.models.model import Model
from ganzoo.plugins.registry import Registry, construct
from ganzoo.recipe.scope import extractor_arguments
from ganzoo.training import checkpoint
from ganzoo.training.run_folder import RunFolder


def critics(config: Config) -> list[str]:
    """Return the roles of a model's discriminators."""
    names = ["discriminator"] if config.discriminator else []
    return names + [role for role, part in config.networks.items() if part.kind == "discriminator"]


def checkpoint_of(folder: Path, config: Config) -> Path | None:
    """Return the checkpoint that a model folder in a run was made from, if it is still there."""
    states = checkpoint.steps(RunFolder(folder.resolve().parent).checkpoints)
    step = config.training.get("steps")
    return states.get(step) if isinstance(step, int) else None


def critic(model: Model, registry: Registry) -> nn.Module:
    """Build the first critic of a model, frozen, in eval mode, on the CPU.

    An extractor whose features it judges is built as the model's recipe says.  Raises RunError if
    the model has no critic, or its weights are neither in the folder nor in the run around it.
    """
    config, folder = model.config, model.path
    names = critics(config)
    if not names:
        raise RunError(f"{folder} has no critic: its config does not say what it learnt from.")
    role, elsewhere = names[0], None
    if not (folder / configs.weights_file(role)).is_file():
        state = checkpoint_of(folder, config)
        if state is None:
            raise RunError(
                f"{folder} has no critic at hand: critics stay with the run that trained them. "
                "Give the run folder."
            )
        elsewhere = state / f"{role}.safetensors"
    part = config.networks.get(role, config.discriminator)
    assert part  # it has this role
    eyes = {}
    known = (model.recipe or {}).get("extractors") or {}
    for argument in extractor_arguments(registry.get("discriminator", part.use).signature):
        if spec := known.get(part.arguments.get(argument)):
            arguments = {key: value for key, value in spec.items() if key != "use"}
            eyes[argument] = construct(registry, "extractor", spec["use"], arguments).eval()
    network = roles.network(role, config, folder, registry, elsewhere, eyes)
    return network.eval().requires_grad_(False)
