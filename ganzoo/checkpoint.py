"""Checkpoints: atomic folders of safetensors and JSON, each file hashed.

A checkpoint is written aside, flushed to the disk and renamed, so that a folder with the final
name is always whole.  ``state.json`` holds a SHA-256 of every file; a checkpoint cut short or
altered afterwards is recognised and passed over.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from ganzoo.errors import CheckpointError

STATE = "state.json"
_PREFIX = "step-"


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """A folder to fill, which becomes ``path`` as a whole or not at all.

    An existing ``path`` is replaced: it is renamed away first and removed last.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.writing")
    old = path.with_name(f".{path.name}.old")
    shutil.rmtree(aside, ignore_errors=True)
    if old.exists() and not path.exists():  # killed between the two renames
        old.rename(path)
    aside.mkdir()
    try:
        yield aside
        for file in aside.rglob("*"):
            if file.is_file():
                _flush(file)
        _flush(aside)
        if path.exists():
            path.rename(old)
        aside.rename(path)
        _flush(path.parent)
    finally:
        if old.exists() and not path.exists():
            old.rename(path)
        for leftover in (aside, old):
            shutil.rmtree(leftover, ignore_errors=True)


def write_atomic(path: Path, text: str) -> None:
    """Write a text file as a whole or not at all."""
    aside = path.with_name(f".{path.name}.writing")
    try:
        aside.write_text(text, encoding="utf-8")
        _flush(aside)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    if path.is_dir() and os.name == "nt":  # Windows cannot open folders
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def save(
    root: Path, step: int, tensors: Mapping[str, Mapping[str, Tensor]], state: Mapping[str, Any]
) -> Path:
    """Write ``root/step-N``: one safetensors file per entry of ``tensors``, and ``state``."""
    path = root / f"{_PREFIX}{step:08d}"
    with atomic_folder(path) as aside:
        for name, values in tensors.items():
            save_file({k: v.contiguous() for k, v in values.items()}, aside / f"{name}.safetensors")
        hashes = {file.name: file_hash(file) for file in sorted(aside.iterdir())}
        body = {**state, "step": step, "sha256": hashes}
        (aside / STATE).write_text(json.dumps(body, indent=1), encoding="utf-8")
    return path


def load(path: Path) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]]:
    """Read a checkpoint back; raises CheckpointError where a file is missing or altered."""
    try:
        state = json.loads((path / STATE).read_text(encoding="utf-8"))
        hashes = state["sha256"]
    except (OSError, ValueError, KeyError) as error:
        raise CheckpointError(f"{path} is no whole checkpoint: {STATE}: {error}") from error
    for name, expected in hashes.items():
        if not (path / name).is_file():
            raise CheckpointError(f"{path} is cut short: {name} is missing")
        if file_hash(path / name) != expected:
            raise CheckpointError(f"{path} is damaged: {name} is not what was written")
    return {Path(name).stem: load_file(path / name) for name in hashes}, state


def steps(root: Path) -> list[Path]:
    """The checkpoints under ``root``, oldest first."""
    return sorted(root.glob(f"{_PREFIX}*")) if root.is_dir() else []


def prune(root: Path, keep: int) -> None:
    """Remove all but the newest ``keep`` checkpoints."""
    for path in steps(root)[:-keep]:
        shutil.rmtree(path)


def newest(root: Path) -> tuple[Path, dict[str, dict[str, Tensor]], dict[str, Any], list[str]]:
    """The newest whole checkpoint, and a line for every newer one that had to be passed over.

    Raises CheckpointError where none is whole; FileNotFoundError where there is none at all.
    """
    found = steps(root)
    if not found:
        raise FileNotFoundError(root)
    damaged = []
    for path in reversed(found):
        try:
            tensors, state = load(path)
            return path, tensors, state, damaged
        except CheckpointError as error:
            damaged.append(str(error))
    raise CheckpointError(
        "no checkpoint of this run is whole:\n"
        + "\n".join(damaged)
        + f"\nRestore one from a backup, or delete {root} to start this run from step 0."
    )


def flatten_optimizer(state: Mapping[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """An optimiser's ``state_dict`` as tensors for safetensors and the rest for JSON."""
    tensors: dict[str, Tensor] = {}
    rest: dict[str, Any] = {"param_groups": state["param_groups"], "state": {}}
    for index, slot in state["state"].items():
        rest["state"][str(index)] = {}
        for key, value in slot.items():
            if isinstance(value, Tensor):
                tensors[f"{index}.{key}"] = value
            else:
                rest["state"][str(index)][key] = value
    return tensors, rest


def unflatten_optimizer(tensors: Mapping[str, Tensor], rest: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse of ``flatten_optimizer``."""
    state: dict[int, dict[str, Any]] = {int(i): dict(slot) for i, slot in rest["state"].items()}
    for name, value in tensors.items():
        index, key = name.split(".", 1)
        state[int(index)][key] = value
    return {"param_groups": rest["param_groups"], "state": state}


def all_finite(tensors: Mapping[str, Tensor]) -> str | None:
    """The name of the first tensor that holds a NaN or an infinity, or None."""
    for name, value in tensors.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            return name
    return None
