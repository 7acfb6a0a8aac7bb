"""Folders of smoothed cartoons, as ``ganzoo data edges`` makes them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ganzoo.errors import DataError
from ganzoo.files import atomic_file, write_atomic
from ganzoo.images import BadImage, decode, shortest, stem
from ganzoo.progress import progress
from ganzoo.scan import scan
from ganzoo_folders import files
from ganzoo_folders.edges import VERSION, Blur, Mask, Pixels, changed, opencv, smooth

#: The file in a folder of smoothed copies that records how they were made.
MANIFEST = "edges.json"
#: A share of changed pixels outside of this is worth a warning: edges not found, or everywhere.
USUAL = (0.005, 0.60)


@dataclass(frozen=True)
class Smoothed:
    """A folder of smoothed copies: the copy of each file, and how much of it changed."""

    #: source -> {"copy": its copy's name, "changed": share of pixels, "sha256": of the source}
    copies: dict[str, dict[str, Any]]
    rejects: dict[str, str]
    #: the number of copies made by this run; the others are from earlier ones
    fresh: int
    #: copies whose source was removed or became unusable
    stale: list[str]
    #: the files that are not images, in words
    not_looked_at: str = ""

    def changed(self) -> list[float]:
        """Return the share of changed pixels of each image, in the order of ``copies``."""
        return [row["changed"] for row in self.copies.values()]

    def notes(self) -> list[str]:
        """List notes on unused parts of images, such as further frames."""
        names: dict[str, list[str]] = {}
        for name, row in self.copies.items():
            for note in row.get("notes", ()):
                names.setdefault(note, []).append(name)
        return [files.noted(*item) for item in names.items()]

    def unusual(self) -> tuple[list[str], list[str]]:
        """Return the files that hardly changed, and those that changed almost everywhere."""
        low = [name for name, row in self.copies.items() if row["changed"] < USUAL[0]]
        high = [name for name, row in self.copies.items() if row["changed"] > USUAL[1]]
        return low, high


@dataclass(frozen=True)
class Job:
    """Smoothed copies of all images below ``path``, in ``out``, as PNG under the same names.

    ``size`` resizes the shorter side and keeps the aspect ratio.  A copy is made again only if the
    content of its source changed.
    """

    path: Path
    out: Path
    size: int | None = None
    blur: Blur = "gaussian"
    mask: Mask = "hard"

    def run(self) -> Smoothed:
        """Make the missing copies.

        Raises DataError if a folder cannot be used, if ``out`` holds anything else, or if no image
        is usable.
        """
        listing = scan(self.path)
        names = listing.names
        sources: dict[str, str] = {}
        for name in names:
            other = sources.setdefault(copy := f"{stem(name)}.png", name)
            if other != name:
                raise DataError(
                    f"'{other}' and '{name}' in {self.path} would both become '{copy}'. Rename one."
                )
        copies = {name: copy for copy, name in sources.items()}
        settings = {
            "size": self.size,
            "blur": self.blur,
            "mask": self.mask,
            "version": VERSION,
            "opencv": opencv().__version__,
            "colours": "sRGB",
        }
        before = self._open_out(settings)
        digests = dict(zip(names, files.digests(self.path, names), strict=True))
        rows = {
            name: row
            for name, row in before.items()
            if row["sha256"] == digests.get(name) and (self.out / row["copy"]).is_file()
        }
        todo = [name for name in names if name not in rows]
        rejects: dict[str, str] = {}
        try:
            with progress(f"Smoothing the edges in {self.path}", len(todo)) as advance:
                results = files.in_threads(lambda name: self._make(name, copies[name]), todo)
                for name, result in zip(todo, results, strict=True):
                    if isinstance(result, str):
                        rejects[name] = result
                    else:
                        rows[name] = {"copy": copies[name], "sha256": digests[name], **result}
                    advance(1)
        finally:  # keep the copies that were made before Ctrl-C
            stale = {name: row for name, row in before.items() if name not in rows}
            if len(todo) > len(rejects):
                self._write_manifest(settings, stale | rows)
        if not rows:
            first = next(iter(rejects.items()))
            raise DataError(
                f"none of the {len(names)} images in '{self.path}' can be used, e.g. "
                f"{first[0]}: {first[1]}. `ganzoo data check '{self.path}'` names them all."
            )
        in_order = {name: rows[name] for name in names if name in rows}
        old = {row["copy"] for row in stale.values()} - {row["copy"] for row in rows.values()}
        leftover = sorted(copy for copy in old if (self.out / copy).exists())
        fresh = len(todo) - len(rejects)
        return Smoothed(in_order, rejects, fresh, leftover, listing.not_looked_at())

    def look(self, name: str) -> tuple[Pixels, Pixels, NDArray[np.bool_]]:
        """Return image ``name``, its smoothed copy, and the mask of where it was smoothed."""
        image, _ = self._read(name)
        return image, *smooth(image, self.blur, self.mask)

    def _open_out(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Read the rows of the manifest in ``out``; make the folder if it is missing."""
        inside, outside = self.out.resolve(), self.path.resolve()
        if inside == outside or outside in inside.parents:
            raise DataError(
                f"--out {self.out} lies in the folder of the originals, {self.path}: the copies "
                f"would count as originals next time. Choose a folder beside it."
            )
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            if (self.out / MANIFEST).exists():
                manifest = json.loads((self.out / MANIFEST).read_text(encoding="utf-8"))
                old, rows = manifest["settings"], dict(manifest["files"])
                others = [
                    f"{key} {old.get(key)}, not {settings[key]}"
                    for key in settings
                    if old.get(key) != settings[key]
                ]
                if others:
                    raise DataError(
                        f"--out {self.out} holds copies with other settings: {'; '.join(others)}. "
                        f"Choose a new folder, or empty this one."
                    )
                return rows
            full = any(self.out.iterdir())
        except (FileExistsError, NotADirectoryError) as error:
            raise DataError(
                f"--out {self.out}: there is a file of that name. Choose a folder."
            ) from error
        except OSError as error:
            raise DataError(f"--out {self.out} cannot be used: {error.strerror}.") from error
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{self.out / MANIFEST} is damaged, so nothing says how the images beside it were "
                f"made. Choose a new folder, or empty this one."
            ) from error
        if full:
            raise DataError(
                f"--out {self.out} is not empty and was not made by this command (it has no "
                f"{MANIFEST}). Choose a new folder, or empty this one."
            )
        self._write_manifest(settings, {})
        return {}

    def _write_manifest(self, settings: Mapping[str, Any], rows: Mapping[str, Any]) -> None:
        manifest = {"settings": dict(settings), "files": dict(sorted(rows.items()))}
        write_atomic(self.out / MANIFEST, json.dumps(manifest, indent=1) + "\n")

    def _read(self, name: str) -> tuple[Pixels, Sequence[str]]:
        picture = decode((self.path / name).read_bytes())
        image = picture.image if self.size is None else shorter_side(picture.image, self.size)
        return np.asarray(image), picture.notes

    def _make(self, name: str, copy: str) -> dict[str, Any] | str:
        """Write the copy of an image; return its row, or why there is no copy."""
        try:
            image, notes = self._read(name)
        except OSError as error:
            return f"{files.UNREADABLE}: {error.strerror}"
        except BadImage as error:
            return str(error)
        result, _ = smooth(image, self.blur, self.mask)
        place = self.out / copy
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            with atomic_file(place) as aside:
                Image.fromarray(result).save(aside, "PNG")
        except OSError as error:
            raise DataError(f"'{place}' cannot be written: {error.strerror or error}.") from error
        row: dict[str, Any] = {"changed": changed(image, result)}
        return row | ({"notes": list(notes)} if notes else {})


def shorter_side(image: Image.Image, size: int) -> Image.Image:
    """Resize the shorter side of ``image`` to ``size``, keeping the aspect ratio to a pixel.

    Raises BadImage if it would grow more than twofold.
    """
    short = shortest(image, size)
    width, height = (round(side * size / short) for side in image.size)
    return image if short == size else image.resize((width, height), Image.Resampling.LANCZOS)
