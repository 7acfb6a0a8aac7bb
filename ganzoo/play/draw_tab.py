"""The tab that draws from noise."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

import gradio as gr
from markupsafe import Markup

from ganzoo.errors import RunError
from ganzoo.formats.page import render
from ganzoo.models import samples
from ganzoo.play import drawing, look, photos
from ganzoo.play.downloads import Downloads, File
from ganzoo.play.drawing import DIRECTIONS, FRAMES, FURTHEST, LARGEST_SEED, MOST, NUMBERS, Wish
from ganzoo.play.sheets import Sheet, Sheets
from ganzoo.play.shelf import Offer, Shelf
from ganzoo.play.telling import telling
from ganzoo.plugins.registry import Registry

#: pictures at first
FIRST = 16
#: seconds in which a sheet is drawn at once, and between two looks at one that takes longer
_SOON, _OFTEN = 1.0, 1.0


@dataclass(frozen=True)
class Controls:
    """What other tabs may set: the model."""

    model: gr.Dropdown


def build(shelf: Shelf, downloads: Downloads, registry: Registry, page: gr.Blocks) -> Controls:
    """Lay the tab out, and connect its controls."""
    draw = Drawing(shelf, downloads, registry)
    names = draw.names()
    with gr.Row(elem_classes="gz-stage"):
        with gr.Column(scale=1, min_width=270, elem_classes="gz-panel"):
            model = gr.Dropdown(
                names,
                value=names[0] if names else None,
                allow_custom_value=True,
                label="Model",
                visible=not shelf.is_closed,
                elem_id="model",
            )
            words = gr.Textbox(
                label="Say what to draw",
                placeholder="pink hair, smiling",
                visible=False,
                elem_id="words",
            )
            with gr.Column(visible=False) as plan:
                layout = look.upload("Layout", ["upload", "clipboard"], 200, "png")
                palette = _html("palette")
                example = gr.Button("Use an example", size="sm", elem_id="example")
            choosers = _html("choosers", look.script("choosers"))
            new = gr.Button("New pictures", variant="primary", elem_id="new")
            with gr.Group(visible=False) as strip:
                spread = _slider("How far from the picture", 0, 1, 0.3, "spread")
                forget = gr.Button("Forget the picture", size="sm", elem_id="forget")
        with gr.Column(scale=3, min_width=320, elem_classes="gz-main"):
            pictures = _html("pictures", look.script("pictures"))
            halt = look.stop("stop-sheet")
        with gr.Column(scale=1, min_width=270, elem_classes="gz-panel"):
            with gr.Accordion("Number and seed", open=False):
                n = gr.Slider(1, MOST, FIRST, step=1, label="Pictures", elem_id="count")
                seed = gr.Number(
                    0, precision=0, minimum=0, maximum=LARGEST_SEED, label="Seed", elem_id="seed"
                )
            with gr.Accordion("Truncation, directions, latents", open=False):
                shift = _html("shift", look.script("shift"))
            with gr.Accordion("A walk between two pictures", open=False):
                with gr.Row():
                    first = gr.Number(1, precision=0, minimum=1, label="From picture", min_width=90)
                    last = gr.Number(2, precision=0, minimum=1, label="To picture", min_width=90)
                walk = gr.Button("Make the walk", elem_id="walk")
                stop = gr.Button("Stop", variant="stop", visible=False, elem_id="stop-walk")
                film = _html("film")
    current, unfinished = gr.Textbox(visible=False), gr.Textbox(visible=False)
    sheet = [pictures, current, unfinished, halt]
    values = [current, n, seed, spread]
    hidden: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    rest = unfinished.change(
        telling(draw.finished), unfinished, [pictures, halt], concurrency_limit=4, **hidden
    )
    quietly = hidden | {
        "trigger_mode": "always_last",
        "concurrency_id": "draw",
        "concurrency_limit": 4,
        "preprocess": False,  # Gradio would hand each value to a thread
        "cancels": rest,
    }
    plainly = quietly | {"postprocess": False}
    opened = [*sheet, choosers, shift, strip, words, plan, layout, palette, example]
    for trigger in (page.load, model.change):
        trigger(telling(draw.opened), [model, n, seed], opened, **quietly)
    model.focus(lambda: gr.update(choices=draw.names()), None, model, **hidden)
    new.click(telling(draw.fresh), values, [*sheet, seed], **quietly)
    pictures.pick(telling(draw.picked), current, [*sheet, choosers, strip, seed, spread], **quietly)
    forget.click(telling(draw.forgotten), values, [*sheet, strip], **quietly)
    choosers.relabel(telling(draw.relabelled), current, [*sheet, words], **plainly)
    words.submit(telling(draw.described), [current, words], [*sheet, choosers], **plainly)
    shift.shift(telling(draw.shifted), current, sheet, **plainly)
    for slider in (n, spread):
        slider.release(telling(draw.again), values, sheet, **plainly)
    seed.submit(telling(draw.again), values, sheet, **plainly)
    checked = quietly | {"preprocess": True}  # Gradio checks that a path is an upload
    for trigger in (layout.upload, layout.clear):
        trigger(telling(draw.laid), [current, layout], sheet, **checked)
    example.click(telling(draw.example), current, [*sheet, layout], **quietly)
    halt.click(telling(draw.stopped), unfinished, sheet, **quietly)
    job = walk.click(telling(draw.walked), [current, first, last], [film, stop], **hidden)
    stop.click(lambda: ("", gr.update(visible=False)), None, [film, stop], cancels=job, **hidden)
    return Controls(model)


def _html(name: str, script: str | None = None) -> gr.HTML:
    return gr.HTML(elem_id=name, js_on_load=script, apply_default_css=False)


def _slider(label: str, low: float, high: float, value: float, name: str) -> gr.Slider:
    return gr.Slider(low, high, value, step=0.05, label=label, elem_id=name, buttons=[])


class Drawing:
    """What the tab's controls do."""

    def __init__(self, shelf: Shelf, downloads: Downloads, registry: Registry):
        self._shelf, self._downloads, self._registry = shelf, downloads, registry
        self._sheets = Sheets()

    def names(self) -> list[str]:
        """List the models that draw from noise."""
        return [name for name, offer in self._shelf.offers().items() if offer.draws_from_noise]

    def opened(self, name: str | None, n: Any, seed: Any) -> tuple[Any, ...]:
        """Show a model that was chosen."""
        if not name:
            raise RunError("choose a model, or write user/repo for one on the Hub.")
        wish = self._wish(Wish(name), n, seed, 0.3)
        pictures = self._sheet(wish)
        shift = render(
            "play/shift.html",
            directions=DIRECTIONS,
            numbers=self._shelf.get(name).model.latents(1).numel(),
            most=NUMBERS,
            furthest=FURTHEST,
        )
        config = self._noise(name).config
        shown = [
            gr.update(visible=False),
            gr.update(value="", visible="text" in config.input.words),
            gr.update(visible="layout" in config.input.words),
            None,  # no layout
            render("play/layout.html", palette=config.generator.arguments.get("palette") or {}),
            gr.update(visible=self._shelf.has_examples(name)),
        ]
        return (*pictures, self._choosers(wish), shift, *shown)

    def again(self, text: str, *values: Any) -> tuple[Any, ...]:
        """Draw with other values of the controls."""
        return self._sheet(self._wish(drawing.read_wish(text), *values))

    def fresh(self, text: str, n: Any, seed: Any, spread: Any) -> tuple[Any, ...]:
        """Draw with the next seed."""
        seed = (int(seed or 0) + 1) % LARGEST_SEED
        return (*self.again(text, n, seed, spread), seed)

    def relabelled(self, text: str, event: gr.EventData) -> tuple[Any, ...]:
        """Draw with the labels that were chosen."""
        label = drawing.read_labels(_sent(event, "labels"))
        return (*self._sheet(replace(drawing.read_wish(text), label=label, words="")), "")

    def described(self, text: str, words: Any) -> tuple[Any, ...]:
        """Draw what the words say; labels are then left to them."""
        wish = replace(drawing.read_wish(text), words=str(words or "").strip(), label={})
        return (*self._sheet(wish.checked()), self._choosers(wish))

    def laid(self, text: str, path: str | None) -> tuple[Any, ...]:
        """Draw what a layout shows, or ask for one."""
        wish = drawing.read_wish(text)
        if not path:
            return self._sheet(replace(wish, layout=""))
        picture = photos.opened(Path(path), "the layout").image
        loaded = self._shelf.get(wish.model)
        with loaded.lock:
            layout = drawing.read_layout(loaded.model, picture)
        return self._sheet(replace(wish, layout=layout).checked())

    def example(self, text: str) -> tuple[Any, ...]:
        """Draw what a layout of the dataset shows that the model was trained on."""
        wish = drawing.read_wish(text)
        if not self._shelf.has_examples(wish.model):
            raise RunError("there is no example for this model: paint one in its colours.")
        loaded = self._shelf.get(wish.model)
        with loaded.lock:
            layout = drawing.example_layout(loaded.model, self._registry)
        wish = replace(wish, layout=layout).checked()
        return (*self._sheet(wish), drawing.layout_picture(wish))

    def shifted(self, text: str, event: gr.EventData) -> tuple[Any, ...]:
        """Draw with latents that are changed as the sliders say."""
        shift = drawing.read_shift(_sent(event, "shift"))
        return self._sheet(replace(drawing.read_wish(text), shift=shift).checked())

    def picked(self, text: str, event: gr.EventData) -> tuple[Any, ...]:
        """Draw around the picture that was clicked."""
        wish = drawing.read_wish(text)
        index = self._checked(wish, (event._data or {}).get("index"))
        loaded = self._shelf.get(wish.model)
        with loaded.lock:
            new = drawing.around(loaded.model, wish, index)
        shown = gr.update(visible=True)
        return (*self._sheet(new), self._choosers(new), shown, new.seed, new.spread)

    def forgotten(self, text: str, *values: Any) -> tuple[Any, ...]:
        """Draw without a centre."""
        wish = replace(drawing.read_wish(text), steps=[])
        return (*self._sheet(self._wish(wish, *values)), gr.update(visible=False))

    def walked(self, text: str, first: Any, last: Any) -> Iterator[tuple[str, Any]]:
        """Make a walk between two pictures; yield how far it is."""
        wish = drawing.read_wish(text)
        numbers = (number - 1 if isinstance(number, int) else None for number in (first, last))
        ends = [self._checked(wish, number) for number in numbers]
        loaded = self._shelf.get(wish.model)
        frames = []
        stop = gr.update(visible=True)
        yield render("play/progress.html", done=0, total=FRAMES, what="frames"), stop
        with loaded.lock:
            for frame in drawing.walk(loaded.model, wish, *ends):
                frames.append(frame)
                if len(frames) % samples.CHUNK == 0:
                    done = len(frames)
                    yield render("play/progress.html", done=done, total=FRAMES, what="frames"), stop
        gif = drawing.video(frames, ".gif")
        file = File("walk.gif", "image/gif", lambda: gif)
        mp4 = File("walk.mp4", "video/mp4", lambda: drawing.video(frames, ".mp4"))
        html = render(
            "play/film.html",
            address=f"data:image/gif;base64,{base64.b64encode(gif).decode()}",
            gif=self._downloads.offer(file),
            mp4=self._downloads.offer(mp4) if find_spec("av") else "",
            ends=(first, last),
        )
        yield html, gr.update(visible=False)

    def _checked(self, wish: Wish, index: object) -> int:
        if not isinstance(index, int) or not 0 <= index < wish.n:
            raise RunError(f"choose a picture from 1 to {wish.n}.")
        return index

    def _wish(self, wish: Wish, *values: Any) -> Wish:
        """Take the values of the controls into a wish; raises RunError if they do not fit."""
        if not all(isinstance(value, int | float) and math.isfinite(value) for value in values):
            raise RunError("every field takes a number: one is empty.")
        n, seed, spread = values
        return replace(wish, n=int(n), seed=int(seed), spread=float(spread)).checked()

    def _sheet(self, wish: Wish) -> tuple[Any, ...]:
        """Draw a wish, or the beginning of a slow one: its HTML, its text, its key, and Stop."""
        self._noise(wish.model)
        loaded = self._shelf.get(wish.model)
        if "layout" in samples.needed(loaded.model.generator) and not wish.layout:
            return render("play/unlaid.html"), wish.text, gr.skip(), gr.update(visible=False)
        sheet = Sheet(loaded, wish)
        sheet.go_on(_SOON)
        key = gr.skip() if sheet.is_done else self._sheets.keep(sheet)
        return self._shown(sheet), wish.text, key, gr.update(visible=not sheet.is_done)

    def finished(self, key: str) -> Iterator[tuple[str, Any]]:
        """Draw what is left of a sheet; yield how far it is."""
        sheet = self._sheets.get(key)
        while not sheet.is_done:
            sheet.go_on(_OFTEN)
            yield self._shown(sheet), gr.update(visible=not sheet.is_done)
        self._sheets.forget(key)

    def stopped(self, key: str) -> tuple[Any, ...]:
        """Draw no more of a sheet, and show what there is."""
        sheet = self._sheets.get(key)
        sheet.stop()
        self._sheets.forget(key)
        return self._shown(sheet), sheet.wish.text, gr.skip(), gr.update(visible=False)

    def _shown(self, sheet: Sheet) -> str:
        """Write the HTML of a sheet, with what can be done with it once it is finished."""
        wish, drawn = sheet.wish, list(sheet.drawn)
        pictures = [picture for picture, _ in drawn]
        done: dict[str, Any] = {}
        if sheet.is_done:
            files = {
                "archive": File(
                    "pictures.zip", "application/zip", lambda: drawing.archive(pictures)
                ),
                "sheet": File(
                    "sheet.png", "image/png", lambda: drawing.as_png(drawing.grid(pictures))
                ),
            }
            if wish.layout:
                files["layout"] = File("layout.png", "image/png", lambda: drawing.layout_file(wish))
            done = {
                **{name: self._downloads.offer(file) for name, file in files.items()},
                "shell": drawing.shell_line(wish),
                "python": drawing.python_lines(wish),
            }
        texts = map(_text, count(1), sheet.labels)
        return render(
            "play/pictures.html",
            pictures=[(address, text) for (_, address), text in zip(drawn, texts, strict=False)],
            total=wish.n,
            columns=max(1, round(wish.n**0.5)),
            size=pictures[0].width,
            centred=bool(wish.steps),
            note=_note(wish),
            newline=Markup("\n"),
            done=done,
        )

    def _choosers(self, wish: Wish) -> str:
        """Write the choosers of the model's labels."""
        labels = self._noise(wish.model).config.labels or {}
        return render("play/choosers.html", labels=labels, chosen=wish.label)

    def _noise(self, name: str) -> Offer:
        offer = self._shelf.offer(name)
        if not offer.draws_from_noise:
            raise RunError(f"{name} turns photos into pictures: choose it in the tab for photos.")
        return offer


def _sent(event: gr.EventData, name: str) -> str:
    return str((event._data or {}).get(name))


def _text(number: int, labels: Mapping[str, str]) -> str:
    """Say what a picture is, for those who hear the page."""
    facts = ", ".join(f"{name} {value}" for name, value in labels.items())
    return f"Picture {number}: {facts}" if facts else f"Picture {number}"


def _note(wish: Wish) -> str:
    if wish.steps:
        return "The first picture is the one that you clicked; the others are near it."
    return "Click a picture to draw more like it."
