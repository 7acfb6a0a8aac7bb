"""Find the usable faces of a picture, with a detector and perhaps landmarks."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ganzoo import faces
from ganzoo.errors import DataError
from ganzoo.faces import LANDMARK_MARGIN, LANDMARK_SIZE, MARGIN, Array
from ganzoo.files import cache_folder, write_atomic
from ganzoo.images import MOST_PIXELS, BadImage, decode
from ganzoo.progress import status
from ganzoo_folders import files

if TYPE_CHECKING:
    from ganzoo.interfaces import Box, Detector, Extractor

#: Increase when the same files would give other crops.
VERSION = 2


@dataclass(frozen=True)
class Settings:
    """How crops are made and which faces are left out; all of it is in the manifest."""

    size: int = 256
    margin: float = MARGIN
    min_score: float = 0.5
    min_confidence: float = 0.3
    min_size: float = 0
    max_outside: float = 0.3


@dataclass(frozen=True)
class Tool:
    """A detector or extractor with its arguments: how to record it, and how to make it."""

    name: str
    plugin: str
    arguments: Mapping[str, Any]
    load: Callable[[], Any]
    #: a hash of the files that its arguments name, which are its weights
    content: str = ""

    def record(self) -> dict[str, Any]:
        arguments = {
            name: str(value) if isinstance(value, Path) else value
            for name, value in self.arguments.items()
        }
        record = {"name": self.name, "plugin": self.plugin, "arguments": arguments}
        return record | ({"content": self.content} if self.content else {})

    def key(self) -> list[Any]:
        """Return everything that decides its results, its source code included."""
        try:
            source = inspect.getsource(inspect.getmodule(self.load()) or self.load())
        except (OSError, TypeError):
            source = ""
        return [self.record(), hashlib.sha256(source.encode()).hexdigest()]

    def make(self) -> Any:
        """Construct it; raises DataError with its name if it refuses its arguments."""
        try:
            return self.load()(**self.arguments)
        except (TypeError, ValueError) as error:
            raise DataError(f"'{self.name}': {error}.") from error


@dataclass(frozen=True)
class Reject:
    """A file without a crop, or the ``face``-th of its boxes, and the reason."""

    file: str
    reason: str
    detail: str
    face: int | None = None


@dataclass(frozen=True)
class Face:
    """A face to cut out; ``matrix`` is the place of its crop, see ``ganzoo.faces``."""

    box: Box
    matrix: Array
    landmarks: Array | None = None
    confidence: float | None = None


class Finder:
    """Finds faces; it makes the detector and the extractor only if the cache lacks an answer."""

    def __init__(
        self,
        detector: Tool,
        landmarks: Tool | None,
        settings: Settings,
        notes: dict[str, list[str]],
    ):
        self.settings, self._notes = settings, notes
        self._detector = detector
        self._landmarks = landmarks
        self._tools: dict[str, Any] = {}  # filled on first use
        self._boxes = _Memory([VERSION, detector.key()])
        marks = [LANDMARK_MARGIN, LANDMARK_SIZE, landmarks.key()] if landmarks else []
        self._points = _Memory([VERSION, detector.key(), marks])

    def faces(
        self, path: Path, name: str, digest: str
    ) -> Iterator[Reject | tuple[Image.Image, Face]]:
        """Yield the usable faces of a file, each with its picture, and the rejects."""
        from ganzoo.interfaces import Box  # imports torch

        if digest.startswith(files.UNREADABLE):
            yield Reject(name, "unreadable", digest)
            return
        try:
            photo = decode(files.read(path, digest), MOST_PIXELS)
        except BadImage as error:
            yield Reject(name, "cannot be decoded", str(error))
            return
        for note in photo.notes:
            self._notes.setdefault(note, []).append(name)
        picture = photo.image
        boxes = self._boxes.recall(digest, lambda: self._detect(picture))
        if not boxes:
            yield Reject(name, "no face found", f"'{self._detector.name}' finds none")
        for number, box in enumerate((Box(*row) for row in boxes), 1):
            face = self._judge(picture, box, f"{digest}-{number}")
            if isinstance(face, Face):
                yield picture, face
            else:
                yield Reject(name, *face, number if len(boxes) > 1 else None)

    def _judge(self, picture: Image.Image, box: Box, key: str) -> Face | tuple[str, str]:
        """Return the face in a box, or the reason why it is left out and its details."""
        settings = self.settings
        side = max(box.right - box.left, box.bottom - box.top)
        if box.score < settings.min_score:
            return "score too low", f"score {box.score:.2f} below {settings.min_score:g}"
        if side < settings.min_size:
            return "face too small", f"face {side:.0f} px, smaller than {settings.min_size:g} px"
        face = Face(box, faces.square(box, settings.margin))
        if self._landmarks is not None:
            points, sure = self._points.recall(key, lambda: self._mark(picture, box))
            landmarks = np.array(points)
            if sure < settings.min_confidence:
                reason = f"confidence {sure:.2f} below {settings.min_confidence:g}"
                return "landmarks unsure", reason
            if not faces.plausible(landmarks, box):
                return "landmarks implausible", "eyes and mouth are not where the face is"
            place = faces.align(faces.anchors(landmarks), faces.canonical(settings.margin))
            face = Face(box, place, landmarks, sure)
        share = faces.outside(face.matrix, *picture.size)
        if share > settings.max_outside:
            reason = f"{share:.0%} of the crop lie outside, more than {settings.max_outside:.0%}"
            return "too far outside the picture", reason
        return face

    def _detect(self, picture: Image.Image) -> list[list[float]]:
        if "detector" not in self._tools:
            with status(f"loading the detector {self._detector.name}"):
                self._tools["detector"] = self._detector.make()
        detector: Detector = self._tools["detector"]
        boxes = detector.detect(np.asarray(picture))
        return [[float(value) for value in numbers(box)] for box in boxes]

    def _mark(self, picture: Image.Image, box: Box) -> tuple[list[list[float]], float]:
        assert self._landmarks is not None
        if "landmarks" not in self._tools:
            with status(f"loading the extractor {self._landmarks.name}"):
                self._tools["landmarks"] = self._landmarks.make().eval()
        extractor: Extractor = self._tools["landmarks"]
        place = faces.square(box, LANDMARK_MARGIN)
        points, sure = faces.landmarks_in(picture, place, extractor, self._landmarks.name)
        return points.tolist(), sure


class _Memory:
    """Results by the content of a file, stored one by one, so that a kill loses only one."""

    def __init__(self, key: list[Any]):
        digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
        self.folder = cache_folder() / f"faces-{digest[:16]}"

    def recall(self, name: str, find: Callable[[], Any]) -> Any:
        """Return the stored result of ``name``, or that of ``find()``, and store it."""
        path = self.folder / f"{name}.json"
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            pass
        result = find()
        with suppress(OSError):  # the store only saves time
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomic(path, json.dumps(result))
        return result


def numbers(box: Box) -> tuple[float, float, float, float, float]:
    """Return left, top, right, bottom and score of a box."""
    return box.left, box.top, box.right, box.bottom, box.score
