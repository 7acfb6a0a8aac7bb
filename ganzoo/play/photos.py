"""Photos and videos that the page's users upload: bounded, decoded with care, drawn by models."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from ganzoo import colour, images
from ganzoo.errors import DataError
from ganzoo.images import BadImage, Picture
from ganzoo.models import avatar, avatar_files, footage, translate_files
from ganzoo.models.avatar import Artist
from ganzoo.models.avatar_files import NO_FACE
from ganzoo.models.face_finder import Face, FaceFinder
from ganzoo.models.tiling import Pixels
from ganzoo.models.translate import Translator
from ganzoo.models.translate_files import Job, Plan
from ganzoo.play.server import FILE_BYTES
from ganzoo.play.shelf import Loaded, Shelf
from ganzoo.plugins.registry import Registry

#: what of a photo is drawn: its faces alone, its faces in their place, or all of it
Part = Literal["faces", "in place", "whole"]
#: most pixels of a photo and of a video's frame, frames of a video, faces of a photo, and files
PIXELS, FRAME_PIXELS, FRAMES, FACES, MOST = 40_000_000, 2_100_000, 1500, 24, 300
#: decoded photos that are kept, since they are drawn again and again
_KEPT = 4


@dataclass(frozen=True)
class How:
    """How photos are drawn: which part of them, and how much of the drawing is in the mixture."""

    part: Part = "whole"
    strength: float = 1.0


class Mixed(Translator):
    """The translator of a model in memory, whose drawings are mixed with the photo.

    ``strength`` 1 is the drawing alone.  Two users may call it at once.
    """

    def __init__(self, loaded: Loaded, strength: float):
        vars(self).update(vars(loaded.model.translator))  # the same network
        self._lock, self._strength = loaded.lock, strength

    def __call__(self, pixels: Pixels) -> Pixels:
        with self._lock:
            drawing = super().__call__(pixels)
        if self._strength == 1:
            return drawing
        after = Image.fromarray(drawing)
        before = Image.fromarray(pixels).resize(after.size, Image.Resampling.LANCZOS)
        return np.asarray(Image.blend(before, after, self._strength))


class Studio:
    """Draws uploads with the models of a shelf."""

    def __init__(self, shelf: Shelf, registry: Registry):
        self._shelf, self._registry = shelf, registry
        self._pictures: dict[Path, Picture] = {}
        self._faces: dict[Path, list[Face]] = {}
        self._lock = threading.Lock()

    def picture(self, path: Path) -> Picture:
        """Decode an upload; raises DataError if it cannot be used."""
        with self._lock:
            if path not in self._pictures:
                for old in list(self._pictures)[: 1 - _KEPT]:
                    self._faces.pop(old, None)
                    del self._pictures[old]
                self._pictures[path] = opened(path)
            return self._pictures[path]

    def drawn(self, model: str, path: Path, how: How) -> list[Image.Image]:
        """Draw an upload: one picture, or one of each face.

        Raises RunError or DataError if the model, or the photo, cannot be used.
        """
        translator = Mixed(self._shelf.get(model), how.strength)
        picture = self.picture(path)
        try:
            if how.part == "whole":
                result = Image.fromarray(translator(np.asarray(picture.image)))
            else:
                artist = self._artist(model, translator)
                with self._lock:
                    if path not in self._faces:
                        self._faces[path] = artist.find(picture.image)[:FACES]
                done = [artist.draw(picture.image, face) for face in self._faces[path]]
                if not done:
                    raise BadImage(f"{NO_FACE}. Choose the whole picture")
                if how.part == "faces":
                    return [one.drawing for one in done]
                result = avatar.put_back(picture.image, done)
        except BadImage as error:
            raise DataError(f"the photo: {error}.") from error
        if picture.alpha and picture.alpha.size == result.size:
            result.putalpha(picture.alpha)
        return [result]

    def files(
        self,
        models: Sequence[str],
        jobs: Sequence[Job],
        how: How,
        out: Path,
        advance: Callable[[int], None],
    ) -> dict[str, str]:
        """Draw planned uploads into files below ``out``; each of several models has a folder.

        ``advance`` hears of the steps, of which there are ``steps``.  Returns why some uploads
        could not be drawn, by name.
        """
        failures: dict[str, str] = {}
        for model in models:
            folder = out / model.replace("/", "-") if len(models) > 1 else out
            targets = [Job(job.source, folder / job.target, job.is_video, PIXELS) for job in jobs]
            plan = Plan(targets, folder, None, [])
            translator = Mixed(self._shelf.get(model), how.strength)
            if how.part == "whole":
                outcome = translate_files.translate(plan, translator, advance)
            else:
                artist = self._artist(model, translator)
                outcome = avatar_files.draw(plan, artist, how.part == "in place", advance)
            failures |= {path.name: reason for path, reason in outcome.failures.items()}
        return failures

    def steps(self, models: Sequence[str], jobs: Sequence[Job], how: How) -> int:
        """Count the steps of ``files``: photos and frames of videos, of which faces take two."""
        plan = Plan(list(jobs), Path(), None, [])
        return len(models) * plan.pictures(1 if how.part == "whole" else 2)

    def plan(self, uploads: Sequence[Path]) -> tuple[list[Job], dict[str, str]]:
        """Plan uploads: jobs with names of their own, and why others cannot be drawn, by name.

        Two of one name get a number.  Raises DataError if there are too many.
        """
        failures: dict[str, str] = {}
        if len(uploads) > MOST:
            raise DataError(f"{len(uploads)} files: give at most {MOST} at once.")
        jobs: dict[Path, Job] = {}
        for path in uploads:
            is_video = footage.is_video(path)
            try:
                if is_video:
                    _check_video(path)
            except (BadImage, OSError) as error:
                failures[path.name] = getattr(error, "strerror", None) or str(error)
                continue
            target, number = translate_files.target(Path(path.name), is_video), 1
            while target in jobs:
                number += 1
                target = target.with_stem(f"{images.stem(path.name)}-{number}")
            jobs[target] = Job(path, target, is_video)
        return list(jobs.values()), failures

    def _artist(self, model: str, translator: Translator) -> Artist:
        framing = self._shelf.offer(model).config.face or avatar.FRAMING
        return Artist(translator, framing, self._finder)

    @cached_property
    def _finder(self) -> FaceFinder:
        return avatar.finder(self._registry)


def opened(path: Path, what: str = "the photo") -> Picture:
    """Decode an upload; raises DataError if it cannot be used."""
    try:
        if path.stat().st_size > FILE_BYTES:
            raise BadImage(f"it has more than {FILE_BYTES >> 20} MB")
        return images.decode(path.read_bytes(), PIXELS)
    except (BadImage, OSError) as error:
        raise DataError(f"{what}: {getattr(error, 'strerror', None) or error}.") from error


def _check_video(path: Path) -> None:
    """Raise BadImage if a video is damaged or too large."""
    video = footage.Video(path)
    if video.width * video.height > FRAME_PIXELS:
        size = f"{video.width} x {video.height}"
        raise BadImage(f"{size}: at most {FRAME_PIXELS / 1e6:.1f} million pixels, as 1920 x 1080")
    if video.length > FRAMES:
        raise BadImage(f"{video.length} frames: at most {FRAMES}, a minute at 25 a second")


def as_png(picture: Image.Image) -> bytes:
    """Encode a picture for a download: PNG in sRGB, whatever the photo was."""
    file = io.BytesIO()
    picture.save(file, "PNG", icc_profile=colour.srgb(), compress_level=4)
    return file.getvalue()
