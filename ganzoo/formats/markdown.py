"""Show foreign Markdown as HTML, such as a model's card: no markup of its own, nothing fetched."""

from __future__ import annotations

import re


def html_of(text: str) -> str:
    """Render Markdown; HTML in it is shown as text, pictures are left out, and so is metadata."""
    from markdown_it import MarkdownIt

    body = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)
    renderer = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    return str(renderer.render(body))
