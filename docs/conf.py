"""Configure Sphinx; ``build.py`` runs it."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx

import ganzoo

project = "ganzoo"
copyright = "the authors of ganzoo, Apache-2.0"
version = release = ganzoo.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc"]
myst_enable_extensions = ["deflist", "html_image"]
myst_heading_anchors = 3
highlight_language = "text"
smartquotes = False
exclude_patterns = ["plugins"]

autodoc_member_order = "bysource"
add_module_names = False
#: only names of ganzoo have pages here
nitpick_ignore_regex = [("py:.*", r"(?!ganzoo\.).*")]

html_theme = "furo"
html_title = "ganzoo"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_math_renderer = "mathml"


def _inline(translator: Any, node: nodes.math) -> None:
    translator.body.append(tex2mathml(node.astext()))
    raise nodes.SkipNode


def _block(translator: Any, node: nodes.math_block) -> None:
    translator.body.append(f"<div class='formula'>{tex2mathml(node.astext(), as_block=True)}</div>")
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    """Render formulas as MathML, which browsers draw without a foreign script."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
