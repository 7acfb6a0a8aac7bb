"""Scan folders of images: which files are images, and what else is there, by kind."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ganzoo import images
from ganzoo.errors import DataError
from ganzoo.files import refusals

#: Files that are not images: their endings, and what to do to use them.
_OTHERS: dict[str, tuple[str, str]] = {
    "text": (
        ".txt .csv .tsv .json .jsonl .xml .yaml .yml .toml .md .html .htm .log .caption .py .ini",
        "",
    ),
    "video": (
        ".mp4 .m4v .mov .avi .mkv .webm .mpg .mpeg .wmv .3gp",
        "ffmpeg -i VIDEO %06d.png takes out its frames",
    ),
    "camera raw": (".arw .cr2 .cr3 .dng .nef .orf .raf .rw2 .pef .srw", "develop it to JPEG"),
    "vector drawing": (".svg .svgz .eps .ps .ai .wmf .emf .pdf", "export it as PNG"),
    "archive": (".zip .tar .gz .tgz .bz2 .xz .7z .rar", "unpack it"),
    "array": (".npy .npz .pt .pth .safetensors .h5 .hdf5 .mat .pkl .parquet .tfrecord", ""),
}
#: endings of videos
VIDEO_ENDINGS = frozenset(_OTHERS["video"][0].split())
_KIND = {ending: kind for kind, (endings, _) in _OTHERS.items() for ending in endings.split()}
_REMEDY = {kind: remedy for kind, (_, remedy) in _OTHERS.items()} | images.REMEDIES
#: Other reasons why a file is skipped.
_HIDDEN, _SHEET, _LINK, _DEVICE = "hidden", "contact sheet", "folder seen already", "special file"
_UNKNOWN, _LOCKED = "unknown", "unreadable"
_SHEET_ENDS = "-sheet.png"


@dataclass(frozen=True)
class Scan:
    """The images below a folder: their names, relative, with forward slashes, sorted.

    ``others`` are the names of all other files, by kind.
    """

    path: Path
    names: list[str]
    others: dict[str, list[str]] = field(default_factory=dict)

    def not_looked_at(self) -> str:
        """Say what was left out: ``HEIC 3 (a.heic ...: convert it ...), text 2 (b.txt ...)``."""
        parts = []
        for kind, names in sorted(self.others.items()):
            example = min(names) + (" ..." if len(names) > 1 else "")
            remedy = f": {_REMEDY[kind]}" if _REMEDY.get(kind) else ""
            parts.append(f"{kind} {len(names):,} ({example}{remedy})")
        return ", ".join(parts)


def scan(path: Path, videos: bool = False) -> Scan:
    """Look through a folder and its subfolders.

    A file is an image by its ending; without an ending, or with an unknown one, by its first
    bytes.  With ``videos`` these count too.  Raises DataError if the folder does not exist, cannot
    be read, or holds no image.
    """
    with refusals():
        exists = path.exists()
    if not exists:
        raise DataError(
            f"there is no folder '{path}' (from {Path.cwd()}). "
            f"Check the path: it must be a folder with images, in it or below it."
        )
    if not path.is_dir():
        raise DataError(f"'{path}' is a file. Give the folder that holds the images.")
    names: list[str] = []
    others: dict[str, list[str]] = {}
    for name, kind in _files(path):
        is_wanted = kind is None or (videos and kind == "video")
        names.append(name) if is_wanted else others.setdefault(str(kind), []).append(name)
    result = Scan(path, sorted(names), others)
    if not names:
        contents = result.not_looked_at() or "it is empty"
        raise DataError(
            f"no image in '{path}' or below it: {contents}. "
            f"What can be read here: {', '.join(images.readable())}."
        )
    return result


def sheet_beside(folder: Path) -> Path:
    """Return the path of a folder's contact sheet, beside it; ``scan`` ignores it."""
    folder = folder if folder.name not in ("", "..") else folder.resolve()
    return folder.with_name(f"{folder.name}{_SHEET_ENDS}")


def others_in(out: Path, targets: Collection[Path]) -> list[str]:
    """List the images in a folder to write into, except ``targets``; none if it does not exist."""
    if not out.is_dir():
        return []
    try:
        names = scan(out).names
    except DataError:  # empty or unreadable, which its writer will report
        return []
    return [name for name in names if out / name not in set(targets)]


def refuse_others(out: Path, targets: Collection[Path] = ()) -> None:
    """Raise DataError if a folder to fill holds images that would mix with the new ones.

    ``targets`` are the files to write, which may exist.
    """
    if others := others_in(out, targets):
        images = "image" if len(others) == 1 else "images"
        raise DataError(
            f"--out {out} holds {len(others):,} other {images}, such as {others[0]}, which would "
            "stay among the new ones. Name a new folder, or empty this one."
        )


def _files(path: Path) -> Iterator[tuple[str, str | None]]:
    """Yield every file below ``path``, and its kind; None for images."""
    endings = frozenset(ending for kind in images.readable().values() for ending in kind)
    visits, queue = {_identity(path)}, [""]
    while queue:
        inside = queue.pop()
        try:
            with os.scandir(path / inside) as entries:
                content = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            raise DataError(
                f"folder '{path / inside}' cannot be read: {error.strerror}. "
                "Change its permissions."
            ) from error
        folders = set()
        for entry in content:
            name = f"{inside}{entry.name}"
            if entry.name.startswith("."):
                yield name, _HIDDEN
            elif _is(entry.is_dir):
                folders.add(entry.name)
                if (identity := _identity(path / name)) in visits:  # a link to a folder on the way
                    yield name, _LINK
                else:
                    visits.add(identity)
                    queue.append(f"{name}/")
            else:
                kind = _kind(entry, endings)
                is_sheet = entry.name.endswith(_SHEET_ENDS)
                if is_sheet and entry.name.removesuffix(_SHEET_ENDS) in folders:
                    kind = _SHEET
                yield name, kind


def _kind(entry: os.DirEntry[str], endings: frozenset[str]) -> str | None:
    """Return the kind of a file that is not an image; None for an image."""
    ending = "".join(entry.name.lower().rpartition(".")[1:])
    if not _is(entry.is_file):  # a broken link named like an image counts as damaged
        return None if entry.is_symlink() and ending in endings else _DEVICE
    if ending in endings:
        return None
    if ending in _KIND:
        return _KIND[ending]
    try:
        with Path(entry.path).open("rb") as file:
            kind = images.kind_of(file.read(64))
    except OSError:
        return _LOCKED
    if kind in images.readable():
        return None
    return kind or _UNKNOWN


def _is(question: Callable[[], bool]) -> bool:
    try:
        return question()
    except OSError:  # a circular or unreadable link
        return False


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino
