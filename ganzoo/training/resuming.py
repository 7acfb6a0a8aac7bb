"""What may change of a recipe while its run goes on, and what to do if something moved."""

from __future__ import annotations

import copy
import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ganzoo.errors import CheckpointError
from ganzoo.recipe.recipe import diff, leaves
from ganzoo.recipe.recipe_types import HARMLESS, Recipe
from ganzoo.training.run_folder import RunFolder

#: sections whose paths may change, since ``saving.restore`` compares their content by hash
_HASHED = ("dataset", "extractors", "init_from")


def refuse_changes(
    before: dict[str, Any], recipe: Recipe, folder: RunFolder, overrides: Sequence[str]
) -> None:
    """Raise CheckpointError if ``recipe`` would not go on exactly as the one ``before``.

    Only a longer last stage, the intervals of logs, drawings and saves, and the places of images
    and weights with the same hash may change.
    """
    old, new = (_training(data) for data in (copy.deepcopy(before), recipe.resolved()))
    for key in _HASHED:
        new[key] = _put_back(old.get(key), new.get(key))
    if len(old["stages"]) == len(new["stages"]):  # the last stage may be longer
        last = old["stages"][-1]
        last["steps"] = max(last["steps"], new["stages"][-1]["steps"])
    if old != new:
        raise CheckpointError(
            "the recipe has changed since the checkpoint was written:",
            *(f"  {line}" for line in diff(old, new)),
            "resume goes on exactly and refuses this. Undo the change, or start a new run from "
            f"these weights: {folder.new_run(overrides)}",
        )


def where_it_moved(recipe: Recipe, run: Path, new: bool) -> list[str]:
    """Say how to resume if images or weights have moved since the recipe was written.

    Only a ``new`` run, without a checkpoint, reads the first weights.
    """
    data = {k: v for k, v in recipe.resolved().items() if k in _HASHED and v}
    if not new:
        data.pop("init_from", None)
    values = {key: v if isinstance(v, list) else [v] for key, v in leaves(data)}
    keys = [
        key
        for key, places in values.items()
        if any(_is_path(value) and not os.path.lexists(value) for value in places)
    ]
    sets = " ".join(f"--set {shlex.quote(f'{key}=NEW')}" for key in keys)
    return [f"If they were moved: ganzoo resume {shlex.quote(str(run))} {sets}"] if keys else []


def _is_path(value: object) -> bool:
    return isinstance(value, str) and Path(value).is_absolute()


def _put_back(old: Any, new: Any) -> Any:
    """Return ``new`` with each differing path replaced by the one in ``old``."""
    if isinstance(old, dict) and isinstance(new, dict):
        return {key: _put_back(old.get(key), value) for key, value in new.items()}
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [_put_back(*pair) for pair in zip(old, new, strict=True)]
    return old if _is_path(old) and _is_path(new) else new


def _training(recipe: dict[str, Any]) -> dict[str, Any]:
    """Return what decides a training; ``plugin/name``, used after a clash, counts as the name."""
    settings = {key: value for key, value in recipe.items() if key not in HARMLESS}
    bare: dict[str, Any] = _bare(settings)
    return bare | {"plugins": sorted(recipe.get("plugins", ()))}


def _bare(value: Any) -> Any:
    if isinstance(value, list):
        return [_bare(item) for item in value]
    if not isinstance(value, dict):
        return value
    bare = {key: _bare(item) for key, item in value.items()}
    if isinstance(use := bare.get("use"), str):
        bare["use"] = use.rpartition("/")[2]
    return bare
