"""Draw the faces in files and folders of photos and videos."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from ganzoo.images import BadImage
from ganzoo.models import tracks
from ganzoo.models.avatar import Artist, put_back
from ganzoo.models.footage import Flicker, Output, Video
from ganzoo.models.tiling import Pixels
from ganzoo.models.tracks import Track
from ganzoo.models.translate_files import Done, Job, Outcome, Plan, numbered, read, run, write

Advance = Callable[[int], None]

NO_FACE = "no face found: it may be turned away, too small, covered, or drawn"
COARSE = "a face of few pixels, which is drawn coarsely"


def draw(plan: Plan, artist: Artist, is_pasted: bool, advance: Advance = lambda n: None) -> Outcome:
    """Draw the faces of photos and videos into files, each whole or absent.

    Each face becomes a file NAME-1, NAME-2, ...; or the photo with its faces drawn, NAME.  One
    without faces does not stop the rest.  Raises RunError if the folder cannot be written.
    """

    def one(job: Job) -> Done:
        make = _video if job.is_video else _photo
        return make(job, artist, is_pasted, advance)

    return run(plan, one)


def _photo(job: Job, artist: Artist, is_pasted: bool, advance: Advance) -> Done:
    photo = read(job)
    avatars = artist.avatars(photo.image)
    if not avatars:
        raise BadImage(NO_FACE)
    files = [job.target] if is_pasted else _numbers(job.target, len(avatars))
    notes = [*photo.notes, *([COARSE] if any(avatar.coarse for avatar in avatars) else [])]
    if is_pasted:
        result = put_back(photo.image, avatars)
        pairs = [(photo.image, result.copy())]
        if photo.alpha:
            result.putalpha(photo.alpha)
        write(result, job.target)
    else:
        pairs = [(avatar.crop, avatar.drawing) for avatar in avatars]
        for avatar, file in zip(avatars, files, strict=True):
            write(avatar.drawing, file)
        _remove_older(job.target, files)
    advance(1)
    return Done(files, pairs, notes)


def _video(job: Job, artist: Artist, is_pasted: bool, advance: Advance) -> Done:
    source = Video(job.source)
    found = tracks.follow(source, artist.find.glimpses, advance)
    if not found:
        raise BadImage(NO_FACE)
    make = _paste_video if is_pasted else _crop_videos
    return make(job, artist, source, found, advance)


def _paste_video(
    job: Job, artist: Artist, source: Video, found: list[Track], advance: Advance
) -> Done:
    flicker = Flicker()
    pairs: list[tuple[Image.Image, Image.Image]] = []

    def paint(index: int, frame: Pixels) -> Pixels:
        photo = Image.fromarray(frame)
        present = [face for track in found if (face := track.face(index))]
        result = put_back(photo, [artist.draw(photo, face) for face in present])
        drawing = np.asarray(result)
        flicker.add(frame, drawing)
        if present and not pairs:
            pairs.append((photo, result))
        advance(1)
        return drawing

    source.convert([Output(job.target, paint, (source.width, source.height))])
    return Done([job.target], pairs, flicker=[flicker])


def _crop_videos(
    job: Job, artist: Artist, source: Video, found: list[Track], advance: Advance
) -> Done:
    files = _numbers(job.target, len(found))
    pairs: list[tuple[Image.Image, Image.Image]] = []
    flickers = [Flicker() for _ in found]

    def paint(track: Track, flicker: Flicker, index: int, frame: Pixels) -> Pixels | None:
        if track is found[0]:
            advance(1)
        face = track.face(index)
        if face is None:
            return None
        avatar = artist.draw(Image.fromarray(frame), face)
        drawing = np.asarray(avatar.drawing)
        flicker.add(np.asarray(avatar.crop), drawing)
        if index == track.first:
            pairs.append((avatar.crop, avatar.drawing))
        return drawing

    size = artist.size, artist.size
    source.convert(
        [
            Output(file, partial(paint, track, flicker), size, track.span)
            for track, flicker, file in zip(found, flickers, files, strict=True)
        ]
    )
    _remove_older(job.target, files)
    return Done(files, pairs, flicker=flickers)


def _numbers(target: Path, count: int) -> list[Path]:
    return [target.with_stem(f"{target.stem}-{number}") for number in range(1, count + 1)]


def _remove_older(target: Path, files: list[Path]) -> None:
    """Remove the avatars of an earlier call that found more faces in the same photo."""
    for file in numbered(target):
        if file not in files:
            file.unlink()
