"""The tab that changes and trains recipes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from ganzoo.errors import RunError
from ganzoo.formats.page import render
from ganzoo.play import look, recipes
from ganzoo.play.downloads import Downloads, File
from ganzoo.play.recipes import Form
from ganzoo.play.telling import telling
from ganzoo.play.trainings import Trainings, line
from ganzoo.plugins.registry import Registry
from ganzoo.training.charts import COLOURS

#: the recipe at first
FIRST = "dcgan-avatars"
#: seconds between two looks at a training that begins, and looks
_PAUSE, _LOOKS = 0.5, 240


def build(
    registry: Registry, downloads: Downloads, trainings: Trainings, root: Path, tab: gr.Tab
) -> None:
    """Lay the tab out, and connect its controls."""
    editing = Editing(registry, downloads, trainings, root)
    names = recipes.names(registry)
    with gr.Row():
        with gr.Column(scale=1, min_width=320):
            name = gr.Dropdown(
                names, value=FIRST if FIRST in names else names[0], label="Recipe", elem_id="recipe"
            )
            fields = gr.HTML(
                js_on_load=look.script("form"), elem_id="form", apply_default_css=False
            )
        with gr.Column(scale=1, min_width=320, elem_classes="gz-beside"):
            plan = gr.HTML(elem_id="plan", apply_default_css=False)
            start = gr.Button("Start the training", variant="primary", elem_id="start")
            state = gr.HTML(elem_id="training", apply_default_css=False)
            stop = gr.Button("Stop the training", visible=False, elem_id="stop")
    changes = gr.Textbox("{}", visible=False)
    run = gr.Textbox(visible=False)
    quietly: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    outputs = [fields, plan, start, changes]

    def opened(chosen: str, now: str) -> tuple[Any, ...]:
        return editing.shown(chosen, recipes.read_changes(now))

    def chosen(wanted: str) -> tuple[Any, ...]:
        return editing.shown(wanted, {})

    def edited(chosen: str, event: gr.EventData) -> tuple[Any, ...]:
        return editing.edited(chosen, event)

    tab.select(telling(opened), [name, changes], outputs, **quietly)
    name.input(telling(chosen), name, outputs, trigger_mode="always_last", **quietly)
    fields.edit(telling(edited), name, outputs, trigger_mode="multiple", **quietly)
    start.click(telling(editing.started), [name, changes], [state, stop, run], **quietly)
    stop.click(telling(editing.stopped), run, [state, stop], **quietly)


class Editing:
    """What the tab's controls do."""

    def __init__(self, registry: Registry, downloads: Downloads, trainings: Trainings, root: Path):
        self._registry, self._root = registry, root
        self._downloads, self._trainings = downloads, trainings

    def shown(self, name: str, changes: dict[str, str]) -> tuple[Any, ...]:
        """Show a recipe with changes: its form, what it does, and whether it can be trained."""
        form = recipes.form(name, changes, self._registry, self._root)
        text = json.dumps(changes, ensure_ascii=False)
        can_start = gr.update(interactive=form.recipe is not None)
        return self._fields(form), self._plan(form), can_start, text

    def edited(self, name: str, event: gr.EventData) -> tuple[Any, ...]:
        """Take over what was changed in the form."""
        data = dict(event._data or {})
        changes = recipes.read_changes(str(data.get("changes", "{}")))
        if "place" in data or "remove" in data:
            form = recipes.form(name, changes, self._registry, self._root)
            if "remove" in data:
                changes = recipes.without_term(changes, str(data["remove"]), form)
            else:
                changes = recipes.with_term(changes, str(data["place"]), str(data.get("use")), form)
        return self.shown(name, changes)

    def started(self, name: str, changes: str) -> Iterator[tuple[Any, ...]]:
        """Start the training; yield how it begins."""
        form = recipes.form(name, recipes.read_changes(changes), self._registry, self._root)
        if form.recipe is None:
            raise RunError("correct the mistakes first: they are marked in the form.")
        training = self._trainings.start(name, form.changes)
        run = str(training.run)
        for _ in range(_LOOKS):
            if training.is_over or training.has_begun:
                break
            yield self._state(run, "is beginning", ""), gr.update(visible=True), run
            time.sleep(_PAUSE)
        if training.is_over:
            yield self._state(run, "ended", training.said), gr.update(visible=False), run
        else:
            text = "is training. It goes on when this page is closed; the tab Watch shows it."
            yield self._state(run, text, ""), gr.update(visible=True), run

    def stopped(self, run: str) -> tuple[Any, ...]:
        """Stop the training that was started last."""
        self._trainings.stop(run)
        text = f"is stopped and saved. It goes on with: ganzoo resume {run}"
        return self._state(run, text, ""), gr.update(visible=False)

    def _state(self, run: str, text: str, said: str) -> str:
        return render("play/training.html", run=run, text=text, said=said)

    def _fields(self, form: Form) -> str:
        last: dict[str, str] = {}
        for group in form.groups:
            if group.within:
                last = {path: place for path, place in last.items() if place != group.within}
                last[group.path] = group.within
        return render(
            "play/form.html",
            form=form,
            hidden=json.dumps(dict(form.hidden), ensure_ascii=False),
            last_of={group.path: last.get(group.path, "") for group in form.groups},
        )

    def _plan(self, form: Form) -> str:
        download, command = "", ""
        colours: dict[str, int] = {}
        if recipe := form.recipe:
            text = recipe.to_yaml().encode()
            file = File(f"{form.name.replace('/', '-')}.yaml", "application/yaml", lambda: text)
            download = self._downloads.offer(file)
            command = line(form.name, form.changes)
            players = dict.fromkeys([*COLOURS, *recipe.players])
            colours = {player: number % 6 for number, player in enumerate(players)}
            for player, roles in recipe.players.items():
                colours |= dict.fromkeys(roles, colours[player])
        faults = len(form.problems) + sum(group.faults for group in form.groups)
        return render(
            "play/plan.html",
            form=form,
            faults=faults,
            download=download,
            line=command,
            colours=colours,
        )
