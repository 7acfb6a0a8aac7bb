"""Write pieces of MyST Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ganzoo.cli.show_recipe import optional_words
from ganzoo.plugins.registry import Registration


def page(title: str, *parts: str) -> str:
    """Write a page; empty parts are left out."""
    return "\n\n".join([f"# {title}", *filter(None, parts)]) + "\n"


def fence(language: str, text: str) -> str:
    """Write a block of code, or a directive."""
    return f"````{language}\n{text.rstrip()}\n````"


def toctree(names: Iterable[str]) -> str:
    """List pages below this one only in the margin: the page lists them itself."""
    return fence("{toctree}", "\n".join([":hidden:", "", *names]))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table, or nothing if it has no rows."""
    lines = [" | ".join(cell.replace("|", r"\|") for cell in row) for row in rows]
    start = [" | ".join(head), " | ".join("---" for _ in head)]
    return "\n".join(f"| {line} |" for line in [*start, *lines]) if lines else ""


def prose(doc: str) -> str:
    """Write a docstring: addresses become links, HTML is escaped."""
    text = re.sub(r"<(?=[A-Za-z/!?])", r"\\<", doc)
    return re.sub(r"https://[^\s,;)`]*[^\s,;:.)`]", r"<\g<0>>", text)


def code(text: object) -> str:
    """Write a word of code."""
    return f"`{text}`"


def label(entry: Registration) -> str:
    """Return the anchor of a component's section."""
    return f"{entry.kind}-{entry.name}".lower().replace(".", "-").replace("_", "-")


def link(entry: Registration) -> str:
    """Link a component's name to its section."""
    return f"[`{entry.name}`](#{label(entry)})"


def needs(words: Iterable[tuple[str, bool]]) -> str:
    """Write what a method reads."""
    return optional_words((code(word), is_required) for word, is_required in words)
