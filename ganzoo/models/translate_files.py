"""Turn files and folders of photos and videos into pictures, of any size and format."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ganzoo import colour, images
from ganzoo.errors import DataError, RunError
from ganzoo.files import atomic_file
from ganzoo.images import BadImage, Picture
from ganzoo.models import footage
from ganzoo.models.footage import Flicker, Output
from ganzoo.models.tiling import Pixels
from ganzoo.models.translate import Translator
from ganzoo.scan import Scan, others_in, refuse_others, scan, sheet_beside

#: The format by file ending; PNG for others.
_FORMATS: Mapping[str, tuple[str, dict[str, Any]]] = {
    ".jpg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".jpeg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".jpe": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".jfif": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".png": ("PNG", {}),
    ".webp": ("WEBP", {"quality": 95}),
    ".avif": ("AVIF", {"quality": 90, "subsampling": "4:4:4"}),
    ".ppm": ("PPM", {}),
    ".bmp": ("BMP", {}),
    ".tif": ("TIFF", {"compression": "tiff_lzw"}),
    ".tiff": ("TIFF", {"compression": "tiff_lzw"}),
}
_PAIRS, _SIDE, _GAP = 12, 320, 4  # of the sheet


@dataclass(frozen=True)
class Job:
    """A photo and the file that its translation goes to."""

    source: Path
    target: Path
    is_video: bool = False
    #: most pixels of a photo, by default ``images.MOST_PIXELS``
    most: int | None = None

    @property
    def renamed(self) -> bool:
        """Whether the translation cannot have the photo's format."""
        return self.source.suffix != self.target.suffix


@dataclass
class Plan:
    """Photos and videos to translate, and their target files."""

    jobs: list[Job]
    out: Path
    #: the sheet of photos beside their translations, or None
    sheet: Path | None
    #: the folders that were scanned
    scans: list[Scan]

    def pictures(self, passes: int = 1) -> int:
        """Count the photos, and the frames of the videos, which are read ``passes`` times."""
        return sum(_length(job, passes) for job in self.jobs)


def _length(job: Job, passes: int) -> int:
    try:
        return passes * footage.Video(job.source).length if job.is_video else 1
    except (BadImage, OSError):  # its conversion says why
        return 1


def plan(photos: Iterable[Path], out: Path, sheet: bool, is_numbered: bool = False) -> Plan:
    """Plan the translation of files and folders; if ``is_numbered``, a file may become several.

    A folder of photos becomes a set, so ``out`` may hold no other image.  Single photos may join
    those of earlier calls.  Raises DataError if a photo is missing, two photos would become one
    file, a photo would be overwritten, or ``out`` holds images that do not belong to this set.
    """
    scans: list[Scan] = []
    every = (job for path in photos for job in _jobs(path, out, scans))
    jobs = list({job.source.absolute(): job for job in every}.values())
    sheet_path = sheet_beside(out) if sheet else None
    _refuse_collisions(jobs, sheet_path)
    targets = {job.target for job in jobs}
    if is_numbered:
        targets = {path for target in targets for path in numbered(target)}
    if scans:
        refuse_others(out, targets)
    elif others_in(out, targets):  # pictures of an earlier call
        for target in sorted(targets):
            if target.exists():
                raise DataError(
                    f"{target} exists already and would be replaced. "
                    "Name another folder with --out, or remove that picture."
                )
    return Plan(jobs, out, sheet_path, scans)


def numbered(target: Path) -> list[Path]:
    """List the files ``NAME-1.png``, ``NAME-2.png``, ... that exist for a target ``NAME.png``."""
    files = target.parent.glob(f"*{target.suffix}")
    number = re.compile(re.escape(target.stem) + r"-[1-9]\d*")
    return sorted(file for file in files if number.fullmatch(file.stem))


def _refuse_collisions(jobs: Sequence[Job], sheet: Path | None) -> None:
    """Raise DataError if two of all targets and photos are the same file."""

    def key(path: Path) -> str:  # equal for paths of one file on this system
        return os.path.normcase(path.resolve())

    sources = {job.source.resolve() for job in jobs}
    owners = {key(sheet): "the side-by-side sheet (--no-sheet)"} if sheet else {}
    for job in jobs:
        target = key(job.target)
        if target in owners:
            raise DataError(
                f"{job.source} and {owners[target]} would both become {job.target}. "
                "Translate them into different folders, or rename one."
            )
        if job.target.resolve() in sources:
            raise DataError(
                f"{job.source} would be written to {job.target}, which is one of the photos. "
                "Give another folder with --out."
            )
        owners[target] = str(job.source)
    if sheet and sheet.resolve() in sources:
        raise DataError(f"the sheet would be written over the photo {sheet}: add --no-sheet.")


def _jobs(path: Path, out: Path, scans: list[Scan]) -> Iterator[Job]:
    folder = path if path.is_dir() else path.parent
    if folder.resolve() == out.resolve():
        raise DataError(f"--out {out} is the folder of the photos. Give another one.")
    if path.is_dir():
        scans.append(scan(path, videos=True))
        for name in scans[-1].names:
            if (path / name).resolve().is_relative_to(out.resolve()):
                raise DataError(
                    f"--out {out} lies in {path} and holds images already: {path / name} could "
                    "be a photo or an earlier picture. Name a folder outside, or empty it."
                )
            yield _job(path / name, out / name)
    elif path.exists():
        yield _job(path, out / path.name)
    else:
        raise DataError(f"there is no '{path}' (from {Path.cwd()}). Give photos, or folders.")


def _job(source: Path, path: Path) -> Job:
    is_video = footage.is_video(source)
    return Job(source, target(path, is_video), is_video)


def target(path: Path, is_video: bool) -> Path:
    """Return the path to write; a PNG if the ending names no format that can be written."""
    if is_video:
        return footage.target(path)
    if path.suffix.lower() in _FORMATS:
        return path
    return path.with_name(f"{images.stem(path.name)}.png")


@dataclass
class Done:
    """What became of one photo or video."""

    #: the files that were written
    files: list[Path]
    #: some of it before and after
    pairs: list[tuple[Image.Image, Image.Image]]
    #: notes on unused parts, such as further frames
    notes: Sequence[str] = ()
    #: of each file, if they are videos
    flicker: Sequence[Flicker] = ()


@dataclass
class Outcome:
    """The photos and videos that were translated, and why the others were not."""

    successes: dict[Job, Done] = field(default_factory=dict)
    failures: dict[Path, str] = field(default_factory=dict)
    notes: dict[str, list[Path]] = field(default_factory=dict)
    sheet: Path | None = None

    def facts(self) -> dict[str, Any]:
        """Return all as plain data."""
        return {
            "pictures": [
                {
                    "source": str(job.source),
                    "files": [str(file) for file in done.files],
                    "notes": list(done.notes),
                    "videos": [flicker.facts() for flicker in done.flicker],
                }
                for job, done in self.successes.items()
            ],
            "failures": [
                {"source": str(path), "reason": reason} for path, reason in self.failures.items()
            ],
            "sheet": None if self.sheet is None else str(self.sheet),
        }


def translate(
    plan: Plan,
    translator: Translator,
    advance: Callable[[int], None] = lambda n: None,
) -> Outcome:
    """Translate photos and videos into files, each whole or absent.

    An unusable one does not stop the rest.  Raises RunError if the folder cannot be written.
    """

    def one(job: Job) -> Done:
        make = _translate_video if job.is_video else _translate_photo
        return make(job, translator, advance)

    return run(plan, one)


def run(plan: Plan, one: Callable[[Job], Done]) -> Outcome:
    """Do ``one`` job after the other, and put some of them on the sheet; see ``translate``."""
    outcome = Outcome()
    pairs: list[tuple[Image.Image, Image.Image]] = []
    try:
        plan.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"--out {plan.out} cannot be made: {error.strerror}.") from error
    for job in plan.jobs:
        try:
            done = one(job)
        except BadImage as error:
            outcome.failures[job.source] = str(error)
        except OSError as error:
            outcome.failures[job.source] = error.strerror or str(error)
        else:
            outcome.successes[job] = replace(done, pairs=[])
            for note in done.notes:
                outcome.notes.setdefault(note, []).append(job.source)
            if plan.sheet:
                missing = done.pairs[: _PAIRS - len(pairs)]
                pairs += [_thumbnails(before, after) for before, after in missing]
    if plan.sheet and pairs:
        write(side_by_side(pairs), plan.sheet)
        outcome.sheet = plan.sheet
    return outcome


def read(job: Job) -> Picture:
    """Read the photo of a job; raises BadImage."""
    return images.decode(job.source.read_bytes(), job.most or images.MOST_PIXELS)


def _translate_photo(job: Job, translator: Translator, advance: Callable[[int], None]) -> Done:
    photo = read(job)
    after = Image.fromarray(translator(np.asarray(photo.image)))
    if photo.alpha:
        after.putalpha(photo.alpha.resize(after.size, Image.Resampling.BICUBIC))
    write(after, job.target)
    advance(1)
    return Done([job.target], [(photo.image, after)], photo.notes)


def _translate_video(job: Job, translator: Translator, advance: Callable[[int], None]) -> Done:
    flicker = Flicker()
    pairs: list[tuple[Image.Image, Image.Image]] = []

    def draw(index: int, frame: Pixels) -> Pixels:
        drawing = translator(frame)
        flicker.add(frame, drawing)
        if not index:
            pairs.append((Image.fromarray(frame), Image.fromarray(drawing)))
        advance(1)
        return drawing

    source = footage.Video(job.source)
    size = translator.scale * source.width, translator.scale * source.height
    source.convert([Output(job.target, draw, size)])
    return Done([job.target], pairs, flicker=[flicker])


def write(image: Image.Image, path: Path) -> None:
    """Write a picture, as a whole or not at all, in the format of its ending; raises BadImage."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kind, options = _FORMATS[path.suffix.lower()]
    if kind == "JPEG" and image.mode == "RGBA":
        image = _on_white(image)
    try:
        with atomic_file(path) as aside:
            image.save(aside, kind, icc_profile=colour.srgb(), **options)
    except (ValueError, MemoryError) as error:  # a side too long for the format
        raise BadImage(f"cannot be written as {kind}: {error}") from error


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode != "RGBA":
        return image
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image).convert("RGB")


def _thumbnails(before: Image.Image, after: Image.Image) -> tuple[Image.Image, Image.Image]:
    """Shrink both to at most _SIDE a side, and give ``before`` the size of ``after``."""
    small = after.copy()
    small.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    grows = before.width < small.width
    how = Image.Resampling.BICUBIC if grows else Image.Resampling.LANCZOS
    return _on_white(before.resize(small.size, how)), _on_white(small)


def side_by_side(pairs: Sequence[tuple[Image.Image, Image.Image]]) -> Image.Image:
    """Put each photo beside its translation, of equal size, on a white sheet."""
    columns = min(3, math.ceil(math.sqrt(len(pairs) / 2)))
    rows = [pairs[i : i + columns] for i in range(0, len(pairs), columns)]
    wide = max(before.width for before, _ in pairs)
    heights = [max(before.height for before, _ in row) for row in rows]
    cell = 2 * wide + 4 * _GAP
    sheet = Image.new(
        "RGB", (columns * cell + _GAP, sum(heights) + 2 * _GAP * (len(rows) + 1)), "white"
    )
    top = 2 * _GAP
    for row, height in zip(rows, heights, strict=True):
        for column, (before, after) in enumerate(row):
            left = column * cell + 2 * _GAP + (wide - before.width)
            sheet.paste(before, (left, top + (height - before.height) // 2))
            middle = column * cell + wide + 3 * _GAP
            sheet.paste(after, (middle, top + (height - after.height) // 2))
        top += height + 2 * _GAP
    return sheet
