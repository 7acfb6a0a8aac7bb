"""A page that needs nothing but itself: a template of this package, and the style of them all."""

from __future__ import annotations

import html
from importlib import resources
from string import Template

from ganzoo.text import plain


def escape(text: object) -> str:
    """Text of anybody as HTML, on one line, that shows what it is."""
    return html.escape(plain(text))


def fill(template: str, /, **parts: str) -> str:
    """The file ``template`` with its ``parts``, which are HTML, put in."""
    package = resources.files("ganzoo")
    style = package.joinpath("page.css").read_text("utf-8")
    return Template(package.joinpath(template).read_text("utf-8")).substitute(parts, style=style)
