"""Pairs of images in two folders: those whose names are equal apart from their endings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ganzoo.errors import DataError
from ganzoo.images import stem
from ganzoo_folders import files
from ganzoo_folders.cache import Cached
from ganzoo_folders.folder import Folder


def partners(
    one: Folder, other: Folder, entries: tuple[Cached, Cached], dataset: str, remedy: str = ""
) -> NDArray[np.int64]:
    """Return the row of the second entry that goes with each row of the first.

    Raises DataError, naming ``dataset`` and ending with ``remedy``, if an image has no partner or
    two of a folder have the same name.
    """
    ours, theirs = (
        _stems(folder.path, entry, dataset)
        for folder, entry in zip((one, other), entries, strict=True)
    )
    alone = [one.path / ours[s] for s in ours if s not in theirs]
    alone += [other.path / theirs[s] for s in theirs if s not in ours]
    if alone:
        raise DataError(
            f"{dataset}: {len(alone)} usable images in '{one.path}' and '{other.path}' have no "
            f"partner of the same name:",
            *files.listed(list(map(str, alone))),
            f"Give the two images of a pair the same name (the ending may differ), or remove the "
            f"images without a partner{remedy}.",
        )
    place = {name: row for row, name in enumerate(entries[1].index["files"])}
    return np.array([place[theirs[s]] for s in ours], dtype=np.int64)


def _stems(path: Path, entry: Cached, dataset: str) -> dict[str, str]:
    """Return the names of an entry's files by their names without the ending."""
    names: dict[str, str] = {}
    for name in entry.index["files"]:
        bare = stem(name)
        if bare in names:
            raise DataError(
                f"{dataset}: '{names[bare]}' and '{name}' in '{path}' have the same name apart "
                f"from its ending, so it is unclear which one belongs to the pair. Rename one."
            )
        names[bare] = name
    return names
