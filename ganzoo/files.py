"""Files and folders that are whole or absent, whatever kills the process that writes them.

And whether files may be fetched from elsewhere.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

import platformdirs

from ganzoo.errors import DataError

_downloads = ContextVar("downloads", default=True)


def may_download() -> bool:
    """Whether a plugin may fetch a large file that it misses; see ``without_downloads``."""
    return _downloads.get()


@contextmanager
def without_downloads() -> Iterator[None]:
    """What is missing stays missing in this block: nobody asked for it."""
    before = _downloads.set(False)
    try:
        yield
    finally:
        _downloads.reset(before)


def cache_folder() -> Path:
    """The cache folder: ``GANZOO_CACHE``, or the platform's place for caches."""
    chosen = os.environ.get("GANZOO_CACHE")
    return Path(chosen).expanduser() if chosen else platformdirs.user_cache_path("ganzoo")


def check_exists(path: Path, what: str) -> None:
    """Raise DataError where there is no such file or folder; ``what`` is what it should be."""
    try:
        there = path.exists()
    except OSError as error:
        raise DataError(f"'{path}' cannot be read: {error.strerror}. Mend the path.") from error
    if not there:
        raise DataError(f"there is no '{path}' (from {Path.cwd()}). Give {what}.")


def sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal; raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def atomic_folder(path: Path, replace: bool = True) -> Iterator[Path]:
    """A folder to fill, which becomes ``path`` as a whole or not at all.

    An existing ``path`` is renamed away first and removed last; without ``replace`` it is kept,
    and OSError raised, unless it is empty.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.writing")
    old = path.with_name(f".{path.name}.old")
    _tidy(path, old, aside)  # after a kill
    aside.mkdir()
    try:
        yield aside
        for file in aside.rglob("*"):
            if file.is_file():
                _flush(file)
        _flush(aside)
        if path.exists() and replace:
            path.rename(old)
        aside.rename(path)
        _flush(path.parent)
    finally:
        _tidy(path, old, aside)


def _tidy(path: Path, old: Path, aside: Path) -> None:
    """Put back what was renamed away where nothing took its place; remove leftovers."""
    if old.exists() and not path.exists():
        old.rename(path)
    for leftover in (aside, old):
        shutil.rmtree(leftover, ignore_errors=True)


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """A file to write, which becomes ``path`` as a whole or not at all."""
    aside = path.with_name(f".{path.name}.writing")
    try:
        yield aside
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def write_atomic(path: Path, text: str) -> None:
    """Write a text file as a whole or not at all, and see it on the disk."""
    with atomic_file(path) as aside:
        aside.write_text(text, encoding="utf-8")
        _flush(aside)


def _flush(path: Path) -> None:
    if path.is_dir() and os.name == "nt":  # Windows cannot open folders
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
