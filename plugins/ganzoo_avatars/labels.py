"""The attributes that a recipe asks for as ``label``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ganzoo.errors import DataError, nearest, one_of


def columns(dataset: str, owner: str, names: Iterable[str], label: Sequence[str]) -> list[int]:
    """Return where the attributes of ``label`` are among ``names``.

    Raises DataError, in the name of ``dataset``, if ``owner`` has no such attribute.
    """
    names = list(names)
    for name in label:
        if name not in names:
            raise DataError(
                f"{dataset}: label '{name}' is no attribute of {owner}"
                f"{nearest(name, names)} Available: {one_of(names)}."
            )
    if not label or len(set(label)) < len(label):
        raise DataError(
            f"{dataset}: label {label} must name one or more attributes, each once. "
            f"{owner[0].upper()}{owner[1:]} has: {one_of(names)}."
        )
    return [names.index(name) for name in label]
