"""Render self-contained pages from jinja2 templates, which stand beside the modules they serve."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from ganzoo.text import plain

if TYPE_CHECKING:
    from jinja2 import Environment


def render(template: str, /, **values: Any) -> str:
    """Render ``template``, such as ``training/report.html``, with ``values``.

    All text is escaped for HTML, and shown as ``plain`` shows it: visibly and on one line.
    """
    return _environment().get_template(template).render(values)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    return Environment(
        loader=PackageLoader("ganzoo", ""),
        autoescape=True,
        finalize=lambda value: value if isinstance(value, Markup) else plain(value),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
