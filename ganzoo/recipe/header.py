"""The comment at the top of a recipe: what it is and what to expect of it.

Its first line is a summary.  Sections of one word each follow in any order, with further lines
indented under the text.  Every recipe of ganzoo has all of them::

    # DCGAN networks learn to draw avatars: the demo.
    #
    # Needs   nothing: the avatars are drawn offline.
    # Takes   about 4 minutes on two CPU cores.
    # Expect  faces, hair and eyes after 500 steps,
    #         clean and various ones after 2,000.
    #
    # Anything else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

#: what must be there before training; how long it takes; what comes out
SECTIONS = ("Needs", "Takes", "Expect")


@dataclass(frozen=True)
class Header:
    """The ``summary``, the sections, each on one line, and the lines of all other paragraphs."""

    summary: str = ""
    sections: Mapping[str, str] = field(default_factory=dict)
    notes: str = ""


def read_header(path: Path) -> Header:
    """Read the header of a recipe's file; empty if the file begins with no comment."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        text = file.read(10_000)
    comment = re.match(r"(?:#.*\n?)*", text)
    lines = [line[1:].rstrip() for line in comment[0].splitlines()] if comment else []
    sections: dict[str, str] = {}
    notes: list[str] = []
    name = ""
    for line in lines[1:]:
        start = re.fullmatch(rf" ?({'|'.join(SECTIONS)})\s+(\S.*)", line)
        if start:
            name = start[1]
            sections[name] = start[2]
        elif name and line.startswith("   "):
            sections[name] += f" {line.strip()}"
        else:
            name = ""
            notes.append(line.removeprefix(" "))
    return Header(lines[0].strip() if lines else "", sections, "\n".join(notes).strip())
