"""The folders that a recipe or benchmark expects its user to have."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from ganzoo.errors import DataError
from ganzoo.plugins.registry import Registry
from ganzoo.plugins.signature import REQUIRED
from ganzoo.recipe.component import Component


def check_folders(dataset: Component, registry: Registry, command: str) -> None:
    """Raise DataError if a folder of the dataset is missing, with the ``command`` to give it.

    This needs no torch, so a user learns of it at once.
    """
    if absent := absent_folders(dataset, registry):
        lines = [f"dataset.{name}: there is no folder '{path}'." for name, path in absent.items()]
        options = " ".join(f"--set dataset.{name}=FOLDER" for name in absent)
        raise DataError(*lines, f"Name yours: {command} {options}")


def absent_folders(dataset: Component, registry: Registry) -> dict[str, Path]:
    """Return every argument that is a path, has no default, and does not exist."""
    signature = registry.get("dataset", dataset.use).signature
    absent = {}
    for parameter in signature.parameters:
        if parameter.default is not REQUIRED:
            continue
        value = dataset.arguments[parameter.name]
        if () in parameter.type.paths(value):
            with suppress(OSError):  # no permission to look; whoever reads it says why
                if not Path(value).exists():
                    absent[parameter.name] = Path(value)
    return absent
