"""The tab of the leaderboard."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ganzoo.play import board, draw_tab, look, photo_tab
from ganzoo.play.shelf import Shelf
from ganzoo.play.telling import telling

_EMPTY = (
    '<div class="gz gz-invitation"><h2>Nothing measured yet</h2>'
    "<p><code>ganzoo evaluate MODEL</code> measures a model.</p></div>"
)


def build(
    shelf: Shelf,
    tabs: gr.Tabs,
    tab: gr.Tab,
    draw: draw_tab.Controls,
    photo: photo_tab.Controls,
) -> None:
    """Lay the tab out; a click on a row opens its model in one of the other tabs."""
    benchmark = gr.Dropdown(label="Benchmark", elem_id="benchmark")
    tables = gr.HTML(
        _EMPTY, js_on_load=look.script("board"), elem_id="board", apply_default_css=False
    )
    quietly: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}

    def opened(chosen: str | None) -> tuple[Any, str]:
        names = board.benchmarks()
        chosen = chosen if chosen in names else next((n for n in names if n == "avatars-64"), None)
        chosen = chosen or next(iter(names), None)
        return gr.update(choices=names, value=chosen), shown(chosen)

    def shown(chosen: str | None) -> str:
        return board.table(shelf, chosen) if chosen else _EMPTY

    def played(event: gr.EventData) -> tuple[Any, ...]:
        name = str(event.model)
        if shelf.offer(name).draws_from_noise:
            return gr.update(selected="draw"), name, gr.skip()
        return gr.update(selected="photo"), gr.skip(), [name]

    tab.select(telling(opened), benchmark, [benchmark, tables], **quietly)
    benchmark.input(telling(shown), benchmark, tables, trigger_mode="always_last", **quietly)
    tables.play(telling(played), None, [tabs, draw.model, photo.models], **quietly)
