"""Names that become part of a path."""

from __future__ import annotations

from typing import Annotated

from ganzoo.errors import RunError
from ganzoo.formats.json import Pattern, Wrong, typed

#: a benchmark's or model's name, which is part of a path
Name = Annotated[
    str,
    Pattern(r"[A-Za-z0-9][A-Za-z0-9._+@=-]{0,99}", "letters, digits and ._+@=-, at most 100"),
]


def check_name(name: str) -> None:
    """Raise RunError if ``name`` cannot name an entry."""
    try:
        typed(Name, name, "name")
    except Wrong as wrong:
        raise RunError(str(wrong)) from None
