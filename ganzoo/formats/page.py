"""Fill self-contained pages from a template of this package and the shared style."""

from __future__ import annotations

import html
from importlib import resources
from string import Template

from ganzoo.text import plain


def escape(text: object) -> str:
    """Escape text for HTML, visibly and on one line."""
    return html.escape(plain(text))


def fill(template: str, /, **parts: str) -> str:
    """Fill ``template``, such as ``training/report.html``, with its ``parts``, which are HTML."""
    package = resources.files("ganzoo")
    style = package.joinpath("formats/page.css").read_text("utf-8")
    return Template(package.joinpath(template).read_text("utf-8")).substitute(parts, style=style)
