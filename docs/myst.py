"""Pieces of Markdown, as MyST reads it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ganzoo.annotation import finite
from ganzoo.registry import Entry
from ganzoo.yaml12 import scalar


def page(title: str, *parts: str) -> str:
    """A page; empty parts are left out."""
    return "\n\n".join([f"# {title}", *filter(None, parts)]) + "\n"


def fence(language: str, text: str) -> str:
    """A block of code, or a directive."""
    return f"````{language}\n{text.rstrip()}\n````"


def toctree(names: Iterable[str]) -> str:
    """Pages below this one, in the margin alone: the page lists them itself."""
    return fence("{toctree}", "\n".join([":hidden:", "", *names]))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table, or nothing where it has no rows."""
    lines = [" | ".join(cell.replace("|", r"\|") for cell in row) for row in rows]
    start = [" | ".join(head), " | ".join("---" for _ in head)]
    return "\n".join(f"| {line} |" for line in [*start, *lines]) if lines else ""


def prose(doc: str) -> str:
    """A docstring: addresses become links, and nothing becomes HTML."""
    text = re.sub(r"<(?=[A-Za-z/!?])", r"\\<", doc)
    return re.sub(r"https://[^\s,;)`]*[^\s,;:.)`]", r"<\g<0>>", text)


def code(text: object) -> str:
    """A word of code."""
    return f"`{text}`"


def label(entry: Entry) -> str:
    """The anchor of a component's section."""
    return f"{entry.kind}-{entry.name}".lower().replace(".", "-").replace("_", "-")


def link(entry: Entry) -> str:
    """A component's name, leading to its section."""
    return f"[`{entry.name}`](#{label(entry)})"


def written(value: Any) -> str:
    """A plain value as a recipe has it."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{written(k)}: {written(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(written, value))}]"
    return scalar(value) if value is None or not finite(value) else f"{value:g}"


def needs(words: Iterable[tuple[str, bool]]) -> str:
    """What a method reads, as ``ganzoo show`` says it."""
    shown = [code(word) + ("" if required else " (where there is one)") for word, required in words]
    return ", ".join(shown) or "nothing"
