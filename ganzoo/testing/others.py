"""The promises of detectors and importers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ganzoo.errors import DataError
from ganzoo.testing.attempt import attempt
from ganzoo.testing.subject import Subject

Promise = Callable[[Subject], None]

_SIZES = ((1, 1), (40, 200), (300, 200))


def of_detectors(subject: Subject) -> list[Promise]:
    """Return the promises of a detector."""
    return [finds_no_face_in_an_empty_image]


def of_importers(subject: Subject) -> list[Promise]:
    """Return the promises of an importer."""
    return [refuses_a_missing_path]


def finds_no_face_in_an_empty_image(subject: Subject) -> None:
    """It finds no face in an empty image, however small or long."""
    detector = subject.build()
    for height, width in _SIZES:
        image = np.full((height, width, 3), 200, dtype=np.uint8)
        faces = attempt(f"detect of an image {height} x {width}", detector.detect, image)
        if faces != []:
            raise AssertionError(
                f"detect gives {faces!r} of an image {height} x {width} of one gray."
            )


def refuses_a_missing_path(subject: Subject) -> None:
    """It refuses a missing path, and an empty folder, with a DataError that names it."""
    empty = subject.workspace.folder / "empty"
    empty.mkdir(exist_ok=True)
    for path in (empty / "nowhere", empty):
        refusal = attempt(f"read({str(path)!r})", _refusal, subject, path)
        if refusal is None:
            raise AssertionError(f"read accepts '{path}', which is missing or empty.")
        if str(path) not in refusal:
            raise AssertionError(f"its refusal does not name '{path}': {refusal}")


def _refusal(subject: Subject, path: Path) -> str | None:
    try:
        subject.build().read(path)
    except DataError as error:
        return str(error)
    return None
