"""The page's look: system fonts, the colours of ganzoo's reports, and one script."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from gradio import Button, Image
    from gradio.themes import Base

_HERE = Path(__file__).parent
Source = Literal["upload", "clipboard", "webcam"]


def theme() -> Base:
    """Return a quiet Gradio theme without fonts from anywhere."""
    import gradio

    sans = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif")
    mono = ("ui-monospace", "SF Mono", "Menlo", "Consolas", "monospace")
    return gradio.themes.Base(
        primary_hue="blue", neutral_hue="stone", radius_size="md", font=sans, font_mono=mono
    )


def head() -> str:
    """Return what goes into the page's head: a style sheet that Gradio does not rewrite.

    It has the colours of all of ganzoo's pages, the charts' style, and the page's own.
    """
    shared = (_HERE.parent / "formats" / "page.css").read_text(encoding="utf-8")
    colours = shared.partition("* { box-sizing")[0]
    charts = (_HERE.parent / "training" / "charts.css").read_text(encoding="utf-8")
    own = (_HERE / "play.css").read_text(encoding="utf-8")
    style = f"{colours}\n.gz {{\n{charts}\n}}\n{own}"
    return f'<meta name="color-scheme" content="light dark"><style>{style}</style>'


def stop(name: str) -> Button:
    """Return a button that ends slow work; it lies over its column, so that nothing moves."""
    import gradio

    return gradio.Button(
        "Stop", variant="stop", size="sm", visible=False, elem_id=name, elem_classes="gz-halt"
    )


def upload(label: str, sources: Sequence[Source], height: int, suffix: str = "webp") -> Image:
    """Return a field for a picture, which comes as the path of what was uploaded.

    Gradio does not decode it: photos.py does, with bounds.
    """
    import gradio

    field = gradio.Image(
        type="filepath",
        format=suffix,
        image_mode=None,
        sources=list(sources),
        label=label,
        height=height,
        buttons=[],
        elem_id=label.lower(),
    )
    field.preprocess = lambda upload: upload.path if upload else None  # type: ignore[assignment, method-assign]
    return field


def script(name: str) -> str:
    """Return the script of a part of the page, which runs when that part appears."""
    return (_HERE / f"{name}.js").read_text(encoding="utf-8")
