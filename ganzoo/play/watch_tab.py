"""The tab that watches runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from ganzoo.errors import RunError, nearest
from ganzoo.play import watching
from ganzoo.play.downloads import Downloads, File
from ganzoo.play.telling import telling
from ganzoo.training.report import page_of
from ganzoo.training.run_folder import RunFolder

#: seconds between two looks
EVERY = 2.0
_NONE = "none"
_EMPTY = (
    '<div class="gz gz-invitation"><h2>No runs here yet</h2><p>A training that runs in this folder '
    "appears here by itself. <code>ganzoo train dcgan-avatars</code> starts one, and so does the "
    "tab Recipe.</p></div>"
)


def build(downloads: Downloads, page: gr.Blocks, root: Path, tab: gr.Tab) -> gr.Timer:
    """Lay the tab out; the timer that it returns is to tick while the tab is open."""
    watch = Watching(downloads, root)
    with gr.Row(elem_classes="gz-choice"):
        first = gr.Dropdown(label="Run", elem_id="run")
        second = gr.Dropdown(label="Beside it", elem_id="beside")
    with gr.Row():
        left = gr.HTML(_EMPTY, elem_id="watched", apply_default_css=False)
        right = gr.HTML(elem_id="watched-beside", apply_default_css=False, visible=False)
    seen = gr.Textbox(visible=False)
    timer = gr.Timer(EVERY, active=False)
    quietly: dict[str, Any] = {
        "api_visibility": "private",
        "show_progress": "hidden",
        "trigger_mode": "once",
        "concurrency_limit": 4,
    }
    views = [first, second, left, right, seen]
    for trigger in (page.load, timer.tick):
        trigger(telling(watch.refresh), [first, second, seen], views, **quietly)
    tab.select(telling(watch.arrive), [first, second, seen], views, **quietly)
    for chooser in (first, second):
        chooser.input(
            telling(watch.look),
            [first, second],
            [left, right, seen],
            **quietly | {"trigger_mode": "always_last"},
        )
    return timer


class Watching:
    """What the tab's controls do."""

    def __init__(self, downloads: Downloads, root: Path):
        self._downloads, self._root = downloads, root

    def refresh(self, first: str | None, second: str | None, seen: str | None) -> tuple[Any, ...]:
        """Update the lists of runs, and the views of those that changed."""
        runs = watching.runs(self._root)
        choices = [(f"{run.name} ({run.status})", run.name) for run in runs]
        names = [run.name for run in runs]
        first = first if first in names else next(iter(names), None)
        second = second if second in names else _NONE
        now = self._signature(first, second)
        choosers = (
            gr.update(choices=choices, value=first),
            gr.update(choices=[("no other", _NONE), *choices], value=second),
        )
        is_same = now == (seen or "")
        return (*choosers, *((gr.skip(),) * 3 if is_same else self.look(first, second)))

    def arrive(self, first: str | None, second: str | None, seen: str | None) -> tuple[Any, ...]:
        """Show a run in progress to a user who opens the tab, unless one is shown already."""
        running = [run.name for run in watching.runs(self._root) if run.status == "running"]
        if running and first not in running:
            first = running[0]
        return self.refresh(first, second, seen)

    def look(self, first: str | None, second: str | None) -> tuple[Any, ...]:
        """Write the views of one or two runs."""
        seen = self._signature(first, second)  # first: what comes meanwhile is shown next time
        left = self._view(first) if first else _EMPTY
        beside = second not in (None, "", _NONE)
        right = gr.update(value=self._view(second or "") if beside else "", visible=beside)
        return left, right, seen

    def _view(self, name: str) -> str:
        path = self._path(name)
        file = File(
            "report.html", "text/html", lambda: page_of(RunFolder(path)).encode(), inline=True
        )
        return watching.view(path, name, self._downloads.offer(file))

    def _signature(self, *names: str | None) -> str:
        paths = (self._path(name) for name in names if name not in (None, "", _NONE))
        return " | ".join(f"{path} {watching.signature(path)}" for path in paths)

    def _path(self, name: str | None) -> Path:
        """Return the folder of a run in the list; raises RunError for any other name."""
        known = {run.name: run.path for run in watching.runs(self._root)}
        if name not in known:
            raise RunError(f"there is no run '{name}' here{nearest(str(name), known)}")
        return known[name]
