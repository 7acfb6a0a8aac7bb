"""The tab that turns photos into pictures."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from threading import Event
from typing import Any

import gradio as gr
from PIL import Image

from ganzoo.errors import DataError, RunError
from ganzoo.formats.page import render
from ganzoo.models.pictures import jpeg
from ganzoo.play import look
from ganzoo.play.downloads import Downloads, File
from ganzoo.play.drawing import zipped
from ganzoo.play.photos import FRAMES, How, Studio, as_png
from ganzoo.play.shelf import Shelf
from ganzoo.play.stepping import Stopped, stepwise
from ganzoo.play.telling import telling
from ganzoo.plugins.registry import Registry

#: most models side by side, and videos that are shown
ABREAST, _VIDEOS = 4, 4
#: the longest side of a picture on the page, in pixels; downloads have them all
_SHOWN = 1024
PARTS = [
    ("The faces, each alone", "faces"),
    ("The faces, in the photo", "in place"),
    ("The whole picture", "whole"),
]


@dataclass(frozen=True)
class Controls:
    """What other tabs may set: the models."""

    models: gr.Dropdown


def build(shelf: Shelf, downloads: Downloads, registry: Registry, page: gr.Blocks) -> Controls:
    """Lay the tab out, and connect its controls."""
    tab = Turning(shelf, downloads, registry)
    names = tab.names()
    has_video = find_spec("av") is not None
    with gr.Row(elem_classes="gz-stage"):
        with gr.Column(scale=1, min_width=270, elem_classes="gz-panel"):
            models = gr.Dropdown(
                names,
                value=names[:1],
                multiselect=True,
                max_choices=ABREAST,
                allow_custom_value=True,
                label="Models, side by side",
                visible=not shelf.is_closed,
                elem_id="translators",
            )
            photo = look.upload("Photo", ["upload", "clipboard", "webcam"], 230)
            part = gr.Radio(PARTS, value=tab.part(names[:1]), label="Draw", elem_id="part")
            strength = gr.Slider(
                0, 1, 1, step=0.05, label="Strength: 0 is the photo", elem_id="strength", buttons=[]
            )
            many = "Many photos and videos" if has_video else "Many photos"
            with gr.Accordion(many, open=False):
                files = gr.File(
                    file_count="multiple",
                    file_types=["image", "video"] if has_video else ["image"],
                    label=f"Photos, and videos of at most {FRAMES} frames"
                    if has_video
                    else "Photos",
                    elem_id="photos",
                )
                folder = gr.UploadButton(
                    "Choose a folder", file_count="directory", size="sm", elem_id="folder"
                )
                begin = gr.Button("Draw them all", elem_id="draw-all")
                archive = gr.HTML(elem_id="archive", apply_default_css=False)
        with gr.Column(scale=3, min_width=320, elem_classes="gz-main"):
            result = gr.HTML(tab.invitation(), elem_id="drawn", apply_default_css=False)
            stop = look.stop("stop-photo")
    batch = gr.State()  # what stops the newest set of uploads
    quietly: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    hidden = partial(gr.update, visible=False)
    shown = partial(gr.update, visible=True)

    def one(path: str | None, *how: Any) -> Iterator[tuple[str, Any]]:
        for html in tab.drawn(path, *how):
            yield html, shown() if path else hidden()
        yield html, hidden()

    def every(paths: Sequence[str] | None, *how: Any) -> Iterator[tuple[str, Any, Event]]:
        halt = Event()
        for html in tab.archive(halt, paths, *how):
            yield html, gr.update(visible=not halt.is_set()), halt

    how = [models, part, strength]
    events = [photo.change, models.change, part.input, strength.release]
    last = quietly | {"trigger_mode": "always_last"}  # one after the other, the newest at the end
    job = gr.on(events, telling(one), [photo, *how], [result, stop], **last)
    begin.click(telling(every), [files, *how], [archive, stop, batch], **quietly)
    models.focus(lambda: gr.update(choices=tab.names()), None, models, **quietly)
    models.input(tab.part, models, part, **last)
    folder.upload(lambda paths: paths, folder, files, **quietly)
    stop.click(_halted, batch, stop, cancels=job, **quietly).then(
        _stopped, result, [result, stop], **quietly
    )
    page.load(lambda: gr.update(choices=tab.names()), None, models, **quietly)
    return Controls(models)


class Turning:
    """What the tab's controls do."""

    def __init__(self, shelf: Shelf, downloads: Downloads, registry: Registry):
        self._shelf, self._downloads = shelf, downloads
        self._studio = Studio(shelf, registry)

    def names(self) -> list[str]:
        """List the models that take a photo."""
        return [name for name, offer in self._shelf.offers().items() if not offer.draws_from_noise]

    def part(self, models: Sequence[str]) -> str:
        """Return what the first model draws best: faces, if it was trained on crops of them."""
        offers = self._shelf.offers()
        first = offers.get(models[0]) if models else None
        return "faces" if first and first.config.face else "whole"

    def invitation(self) -> str:
        """Say how to begin."""
        return render("play/invitation.html", names=self.names())

    def drawn(self, path: str | None, models: Sequence[str], *how: Any) -> Iterator[str]:
        """Yield the page's HTML again and again, until every model has drawn the photo."""
        if path is None:
            yield self.invitation()
            return
        models, wish = self._checked(models), _how(*how)
        picture = self._studio.picture(Path(path))
        notes = "; ".join(picture.notes)
        pictures = [("Photo", _shown(picture.image), "")]
        for model in models:
            yield render("play/pair.html", pictures=pictures, waiting=model, notes=notes)
            drawings = self._studio.drawn(model, Path(path), wish)
            for number, drawing in enumerate(drawings, 1):
                make = partial(as_png, drawing)
                held = drawing.width * drawing.height * len(drawing.getbands())
                file = File("drawing.png", "image/png", make, held=held)
                title = f"{model}, face {number}" if len(drawings) > 1 else model
                pictures.append((title, _shown(drawing), self._downloads.offer(file)))
        yield render("play/pair.html", pictures=pictures, waiting="", notes=notes)

    def archive(
        self, halt: Event, paths: Sequence[str] | None, models: Sequence[str], *how: Any
    ) -> Iterator[str]:
        """Yield how far a set of uploads is, and in the end where to get their pictures.

        When ``halt`` is set, that is where to get those that were drawn until then; it is set in
        the end in any case.
        """
        models, wish = self._checked(models), _how(*how)
        if not paths:
            raise DataError("give photos first: drop them into the field above the button.")
        uploads = [Path(path) for path in paths]
        yield _progress(0, 1)
        jobs, failures = self._studio.plan(uploads)
        total = self._studio.steps(models, jobs, wish)
        with tempfile.TemporaryDirectory(
            prefix="ganzoo-play-", ignore_cleanup_errors=True
        ) as folder:
            out = Path(folder)
            draw = partial(self._studio.files, models, jobs, wish, out)
            is_stopped = False
            try:
                failures |= yield from stepwise(draw, lambda done: _progress(done, total), halt)
            except Stopped:
                is_stopped = True
            files = {
                path.relative_to(out).as_posix(): path.read_bytes()
                for path in sorted(out.rglob("*"))
                if path.is_file()
            }
        address = self._offer("drawings.zip", "application/zip", zipped(files)) if files else ""
        videos = [name for name in files if name.endswith((".mp4", ".webm"))][:_VIDEOS]
        yield render(
            "play/archive.html",
            is_stopped=is_stopped,
            count=len(files),
            address=address,
            failures=failures,
            videos={
                name: self._offer(Path(name).name, f"video/{name[-4:].strip('.')}", files[name])
                for name in videos
            },
        )

    def _offer(self, name: str, kind: str, content: bytes) -> str:
        return self._downloads.offer(File(name, kind, lambda: content, held=len(content)))

    def _checked(self, models: Sequence[str] | None) -> list[str]:
        if not models:
            raise RunError(
                "choose a model that takes photos, or write user/repo for one on the Hub. "
                "`ganzoo train cartoon-avatars` trains one."
            )
        if len(models) > ABREAST:
            raise RunError(f"{len(models)} models: choose at most {ABREAST}.")
        for name in models:
            if self._shelf.offer(name).draws_from_noise:
                raise RunError(f"{name} draws from noise and takes no photo: see the tab Draw.")
        return list(models)


def _how(part: Any, strength: Any) -> How:
    if part not in dict(PARTS).values() or not isinstance(strength, int | float):
        raise RunError("choose what to draw, and how strongly.")
    return How(part, min(1.0, max(0.0, float(strength))))


def _halted(batch: Event | None) -> Any:
    """End a set of uploads at its next step; the button goes."""
    if batch:
        batch.set()
    return gr.update(visible=False)


def _stopped(drawn: str | None) -> tuple[Any, ...]:
    """Take away what looks as if work went on; drawings that are there stay."""
    drawn = re.sub('<figure class="gz-waiting">.*?</figure>', "", drawn or "", flags=re.DOTALL)
    return drawn, gr.update(visible=False)


def _shown(picture: Image.Image) -> str:
    small = picture.convert("RGB")
    small.thumbnail((_SHOWN, _SHOWN), Image.Resampling.LANCZOS)
    return jpeg(small)


def _progress(done: int, total: int) -> str:
    return render("play/progress.html", done=min(done, total), total=total, what="steps")
