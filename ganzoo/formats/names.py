"""Names that become part of a path."""

from __future__ import annotations

from typing import Annotated

from ganzoo.errors import RunError
from ganzoo.formats.types import Pattern

#: a name of a component, plugin or recipe, which is part of commands too
COMPONENT = Pattern(
    r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}", "name (up to 80 letters, digits, '-', '_' and '.')"
)
#: a name of a benchmark, or of a model under one
EntryName = Annotated[
    str,
    Pattern(r"[A-Za-z0-9][A-Za-z0-9._+@=-]{0,99}", "letters, digits and ._+@=-, at most 100"),
]


def check_name(name: str) -> None:
    """Raise RunError if ``name`` cannot name an entry."""
    from ganzoo.formats.json import Wrong, typed  # listing names checks none, and needs none of it

    try:
        typed(EntryName, name, "name")
    except Wrong as wrong:
        raise RunError(str(wrong)) from None
