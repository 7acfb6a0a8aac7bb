"""The weights that a recipe's ``init_from`` starts from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ganzoo.errors import RunError
from ganzoo.models import config as configs
from ganzoo.models.config import WEIGHTS
from ganzoo.models.weights import bytes_of
from ganzoo.plugins.shipped import shipped_models
from ganzoo.training import checkpoint

Weights = dict[str, dict[str, Tensor]]


def initialise(source: str, networks: Mapping[str, nn.Module]) -> str:
    """Load weights into ``networks`` by role; return the hash of all weights of the source.

    From a run, load all networks of its newest checkpoint; from a checkpoint, its own; from a model
    folder, those that it has.  Raises RunError if there are none or they do not fit.
    """
    weights = _weights(source)
    for role in weights.keys() & networks.keys():
        try:
            networks[role].load_state_dict(weights[role])
        except RuntimeError as error:
            misfits = [line.strip() for line in str(error).splitlines()[1:]]
            raise RunError(
                f"init_from: {source} does not fit this {role}; misfits: "
                f"{len(misfits)}, the first: {misfits[0] if misfits else error} "
                f"Give the {role} the arguments that it had there."
            ) from error
    return _sha256(weights)


def initial_hash(source: str) -> str:
    """Return the hash of a source's weights, as ``initialise`` does.  Raises RunError."""
    return _sha256(_weights(source))


def _weights(init_from: str) -> Weights:
    if init_from.startswith("hf://"):
        source = _cached(init_from)
    else:
        source = shipped_models().get(init_from, Path(init_from))
    if checkpoint.steps(source / "checkpoints"):
        return checkpoint.newest(source / "checkpoints")[0]
    if (source / checkpoint.STATE).is_file():
        return checkpoint.read(source)[0]
    folder = source / "model" if (source / "model").is_dir() else source
    roles = dict.fromkeys(WEIGHTS)
    if (folder / configs.FILE).is_file():
        roles |= dict.fromkeys(configs.read(folder / configs.FILE).networks)
    files = {
        role: file for role in roles if (file := folder / configs.weights_file(role)).is_file()
    }
    if "generator" not in files:
        raise RunError(
            f"init_from: {source} holds no weights; give a checkpoint, run or model folder, or "
            "user/repo on the Hub."
        )
    try:
        return {name: load_file(file) for name, file in files.items()}
    except (OSError, SafetensorError) as error:
        raise RunError(f"init_from: {folder} is damaged: {error}") from error


def _cached(repo: str) -> Path:
    """Return the folder of ``hf://user/repo@commit``, which was pulled before training."""
    from huggingface_hub import try_to_load_from_cache

    name, _, commit = repo.removeprefix("hf://").partition("@")
    file = try_to_load_from_cache(name, WEIGHTS["generator"], revision=commit)
    if not isinstance(file, str):
        raise RunError(
            f"init_from: {repo} is not in the Hub's cache. Get it: ganzoo pull {name}@{commit}"
        )
    return Path(file).parent


def _sha256(weights: Weights) -> str:
    sha = hashlib.sha256()
    for network, state in sorted(weights.items()):
        for name, value in sorted(state.items()):
            sha.update(f"{network} {name} {value.dtype} {tuple(value.shape)}".encode())
            sha.update(bytes_of(value))
    return sha.hexdigest()
