"""The page: its tabs, laid out with Gradio."""

from __future__ import annotations

from html import escape
from pathlib import Path

import gradio as gr

from ganzoo.play import board_tab, draw_tab, photo_tab, recipe_tab, watch_tab
from ganzoo.play.downloads import Downloads
from ganzoo.play.shelf import Shelf
from ganzoo.play.trainings import Trainings
from ganzoo.plugins.registry import Registry

_TITLE = '<header class="gz gz-title"><h1>ganzoo</h1></header>'


def build(registry: Registry, shelf: Shelf, downloads: Downloads, root: Path) -> gr.Blocks:
    """Build the page of ``ganzoo play``; ``root`` is the folder whose runs it shows."""
    page: gr.Blocks
    with gr.Blocks(analytics_enabled=False, title="ganzoo", fill_width=True) as page:
        gr.HTML(_TITLE, apply_default_css=False)
        with gr.Tabs(elem_id="tabs") as tabs:
            with gr.Tab("Draw", id="draw") as draw:
                drawing = draw_tab.build(shelf, downloads, registry, page)
            with gr.Tab("Photo", id="photo") as photo:
                turning = photo_tab.build(shelf, downloads, registry, page)
            with gr.Tab("Watch", id="watch") as watch:
                timer = watch_tab.build(downloads, page, root, watch)
            with gr.Tab("Leaderboard", id="board") as board:
                board_tab.build(shelf, tabs, board, drawing, turning)
            with gr.Tab("Recipe", id="recipe") as recipe:
                recipe_tab.build(registry, downloads, Trainings(root), root, recipe)
        quietly = {"api_visibility": "private", "show_progress": "hidden"}
        watch.select(lambda: gr.Timer(active=True), None, timer, **quietly)
        for other in (draw, photo, board, recipe):
            other.select(lambda: gr.Timer(active=False), None, timer, **quietly)
    return page


def build_one(registry: Registry, shelf: Shelf, downloads: Downloads, name: str) -> gr.Blocks:
    """Build the page of a Space, which has one model."""
    title = name.rpartition("/")[2]
    page: gr.Blocks
    with gr.Blocks(analytics_enabled=False, title=title, fill_width=True) as page:
        gr.HTML(_TITLE.replace("ganzoo", escape(title)), apply_default_css=False)
        if shelf.offer(name).draws_from_noise:
            draw_tab.build(shelf, downloads, registry, page)
        else:
            photo_tab.build(shelf, downloads, registry, page)
    return page
