"""Checkpoints: atomic folders of safetensors and JSON, each file hashed.

A checkpoint is written aside, flushed to the disk and renamed, so a folder with the final name is
always whole.  ``SHA256SUMS`` (the format of ``sha256sum -c``) lists every file.  A checkpoint that
was cut short or altered is recognised and skipped.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import torch as safetensors
from torch import Tensor

from ganzoo.errors import CheckpointError
from ganzoo.files import atomic_folder
from ganzoo.models.weights import write_tensors

STATE, SUMS = "state.json", "SHA256SUMS"
_PREFIX = "step-"


def save(
    root: Path, step: int, tensors: Mapping[str, Mapping[str, Tensor]], state: Mapping[str, Any]
) -> Path:
    """Write ``root/step-N``: one safetensors file per entry of ``tensors``, and ``state``."""
    path = root / f"{_PREFIX}{step:08d}"
    with atomic_folder(path) as aside:
        for name, values in tensors.items():
            write_tensors(aside / f"{name}.safetensors", values)
        body = json.dumps({**state, "step": step}, indent=1)
        (aside / STATE).write_text(body, encoding="utf-8")
        lines = [f"{_sha256(file.read_bytes())}  {file.name}\n" for file in sorted(aside.iterdir())]
        (aside / SUMS).write_text("".join(lines), encoding="utf-8")
    return path


def read(path: Path) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]]:
    """Read a checkpoint; raises CheckpointError if a file is missing or altered."""
    try:
        lines = (path / SUMS).read_text(encoding="utf-8").splitlines()
        digests = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
        files = {name: (path / name).read_bytes() for name in digests}
        state = files.pop(STATE)
        extras = {file.name for file in path.glob("*.safetensors")} - set(files)
    except PermissionError:  # it may be whole
        raise
    except (OSError, ValueError, KeyError) as error:
        raise CheckpointError(f"{path} is cut short: {error}") from error
    if extras:
        raise CheckpointError(f"{path} is damaged: {SUMS} does not list {min(extras)}")
    for name, body in {**files, STATE: state}.items():
        if _sha256(body) != digests[name]:
            raise CheckpointError(f"{path} is damaged: {name} is not what was written")
    tensors = {Path(name).stem: safetensors.load(body) for name, body in files.items()}
    return tensors, json.loads(state)


def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def state(path: Path) -> dict[str, Any]:
    """Read the state of a checkpoint, with its resolved recipe, but not its tensors.

    Raises CheckpointError if the state is missing or altered.
    """
    try:
        body, sums = (path / STATE).read_bytes(), (path / SUMS).read_text(encoding="utf-8")
    except PermissionError:  # it may be whole
        raise
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} is cut short: {error}") from error
    if f"{_sha256(body)}  {STATE}" not in sums.splitlines():
        raise CheckpointError(f"{path} is damaged: {STATE} is not what was written")
    data: dict[str, Any] = json.loads(body)
    return data


def steps(root: Path) -> dict[int, Path]:
    """List the checkpoints under ``root`` by step, oldest first; empty if ``root`` does not exist.

    Raises OSError if the folder cannot be read, which is not the same as empty.
    """
    if not root.is_dir():
        return {}
    names = (path.name for path in root.iterdir() if path.name.startswith(_PREFIX))
    numbers = filter(str.isdecimal, (name.removeprefix(_PREFIX) for name in names))
    return {int(n): root / f"{_PREFIX}{n}" for n in sorted(numbers, key=int)}


def prune(root: Path, step: int, keep: int, best: int | None = None) -> None:
    """Remove all checkpoints up to ``step`` except the newest ``keep`` and step ``best``.

    Newer ones are damaged and will be written again, so they do not count.
    """
    old = {number: path for number, path in steps(root).items() if number <= step}
    for number in list(old)[:-keep]:
        if number != best:
            shutil.rmtree(old[number])


def newest(root: Path) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any], list[str]]:
    """Read the newest whole checkpoint; also return a line for every newer one skipped.

    Raises CheckpointError if none is whole, FileNotFoundError if there are none.
    """
    checkpoints = steps(root)
    if not checkpoints:
        raise FileNotFoundError(root)
    problems: list[str] = []
    for path in reversed(checkpoints.values()):
        try:
            return *read(path), problems
        except CheckpointError as error:
            problems.append(str(error))
    raise CheckpointError(
        "no checkpoint of this run is whole:",
        *problems,
        f"Restore one from a backup, or delete {root} to start this run from step 0.",
    )


def flatten_optimizer(state: Mapping[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Split an optimiser's ``state_dict`` into tensors for safetensors and the rest for JSON."""
    tensors: dict[str, Tensor] = {}
    scalars: dict[str, Any] = {"param_groups": state["param_groups"], "state": {}}
    for index, slot in state["state"].items():
        scalars["state"][str(index)] = {}
        for key, value in slot.items():
            if isinstance(value, Tensor):
                tensors[f"{index}.{key}"] = value
            else:
                scalars["state"][str(index)][key] = value
    return tensors, scalars


def unflatten_optimizer(
    tensors: Mapping[str, Tensor], scalars: Mapping[str, Any]
) -> dict[str, Any]:
    state: dict[int, dict[str, Any]] = {int(i): dict(slot) for i, slot in scalars["state"].items()}
    for name, value in tensors.items():
        index, key = name.split(".", 1)
        state[int(index)][key] = value
    return {"param_groups": scalars["param_groups"], "state": state}


def first_nonfinite(tensors: Mapping[str, Tensor]) -> str | None:
    """Return the name of the first tensor that holds a NaN or an infinity, or None."""
    for name, value in tensors.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            return name
    return None
