"""The tab that turns photos into pictures."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from ganzoo.errors import DataError, RunError
from ganzoo.formats.page import render
from ganzoo.play import photos
from ganzoo.play.downloads import Downloads, File
from ganzoo.play.drawing import zipped
from ganzoo.play.photos import Photo
from ganzoo.play.shelf import Shelf
from ganzoo.play.telling import telling

#: most models side by side
ABREAST = 4


@dataclass(frozen=True)
class Controls:
    """What other tabs may set: the models."""

    models: gr.Dropdown


def build(shelf: Shelf, downloads: Downloads, page: gr.Blocks) -> Controls:
    """Lay the tab out, and connect its controls."""
    tab = Turning(shelf, downloads)
    names = tab.names()
    with gr.Row(elem_classes="gz-stage"):
        with gr.Column(scale=1, min_width=270, elem_classes="gz-panel"):
            models = gr.Dropdown(
                names,
                value=names[:1],
                multiselect=True,
                max_choices=ABREAST,
                allow_custom_value=True,
                label="Models, side by side",
                elem_id="translators",
            )
            photo = gr.Image(
                type="filepath",
                image_mode=None,
                sources=["upload", "clipboard", "webcam"],
                label="Photo",
                height=230,
                buttons=[],
                elem_id="photo",
            )
            # Gradio does not decode the upload: photos.py does, with bounds
            photo.preprocess = lambda upload: upload.path if upload else None  # type: ignore[assignment, method-assign]
            stop = gr.Button("Stop", variant="stop", visible=False, elem_id="stop-photo")
            with gr.Accordion("Many photos", open=False):
                files = gr.File(
                    file_count="multiple", file_types=["image"], label="Photos", elem_id="photos"
                )
                begin = gr.Button("Draw them all", elem_id="draw-all")
                many = gr.HTML(elem_id="archive", apply_default_css=False)
        with gr.Column(scale=3, min_width=320, elem_classes="gz-main"):
            result = gr.HTML(tab.invitation(), elem_id="drawn", apply_default_css=False)
    quietly: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    hidden = partial(gr.update, visible=False)
    shown = partial(gr.update, visible=True)

    def one(path: str | None, chosen: Sequence[str]) -> Iterator[tuple[str, Any]]:
        for html in tab.drawn(path, chosen):
            yield html, shown()
        yield html, hidden()

    def every(paths: Sequence[str] | None, chosen: Sequence[str]) -> Iterator[tuple[str, Any]]:
        for html in tab.archive(paths, chosen):
            yield html, shown()
        yield html, hidden()

    jobs: list[Any] = [
        photo.change(telling(one), [photo, models], [result, stop], **quietly),
        models.change(telling(one), [photo, models], [result, stop], **quietly),
        begin.click(telling(every), [files, models], [many, stop], **quietly),
    ]
    models.focus(lambda: gr.update(choices=tab.names()), None, models, **quietly)
    stop.click(hidden, None, stop, cancels=jobs, **quietly)
    page.load(lambda: gr.update(choices=tab.names()), None, models, **quietly)
    return Controls(models)


class Turning:
    """What the tab's controls do."""

    def __init__(self, shelf: Shelf, downloads: Downloads):
        self._shelf, self._downloads = shelf, downloads

    def names(self) -> list[str]:
        """List the models that take a photo."""
        return [name for name, offer in self._shelf.offers().items() if not offer.draws_from_noise]

    def invitation(self) -> str:
        """Say how to begin."""
        return render("play/invitation.html", names=self.names())

    def drawn(self, path: str | None, models: Sequence[str]) -> Iterator[str]:
        """Yield the page's HTML again and again, until every model has drawn the photo."""
        if path is None:
            yield self.invitation()
            return
        models = self._checked(models)
        photo = photos.opened(Photo("the photo", Path(path)))
        pictures = [("Photo", _address(photos.shown(photo.image)), "")]
        notes = "; ".join(photo.notes)
        for model in models:
            yield self._pairs(pictures, model, notes)
            picture = photos.drawn(self._shelf, model, photo)
            file = File("drawing.png", "image/png", partial(photos.as_png, picture))
            address = self._downloads.offer(file)
            pictures.append((model, _address(photos.shown(picture)), address))
        yield self._pairs(pictures, "", notes)

    def _pairs(self, pictures: Sequence[tuple[str, str, str]], waiting: str, notes: str) -> str:
        return render("play/pair.html", pictures=pictures, waiting=waiting, notes=notes)

    def archive(self, paths: Sequence[str] | None, models: Sequence[str]) -> Iterator[str]:
        """Yield how far a set of photos is, and in the end where to get their pictures."""
        models = self._checked(models)
        if not paths:
            raise DataError("give photos first: drop them into the field above the button.")
        uploads = [Photo(Path(path).name, Path(path)) for path in paths]
        failures: dict[str, str] = {}
        files: dict[str, bytes] = {}
        total = len(uploads) * len(models)
        yield _progress(0, total)
        for name, content in photos.all_drawn(self._shelf, models, uploads, failures):
            files[name] = content
            yield _progress(len(files) + len(failures) * len(models), total)
        address = ""
        if files:
            content = zipped(files)
            file = File("drawings.zip", "application/zip", lambda: content)
            address = self._downloads.offer(file)
        yield render(
            "play/archive.html", count=len(files), address=address, failures=failures.values()
        )

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


def _address(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"


def _progress(done: int, total: int) -> str:
    return render("play/progress.html", done=done, total=total, what="pictures")
