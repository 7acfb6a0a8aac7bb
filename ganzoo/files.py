"""Write files and folders that are whole or absent, even if the process is killed.

Also decides whether files may be fetched.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import TypeVar

import platformdirs

from ganzoo.errors import DataError, DiskFull, FileError
from ganzoo.text import OutputError

T = TypeVar("T")

#: longest path in a message
_LONGEST_PATH = 100
_FULL = (errno.ENOSPC, errno.EDQUOT)
_downloads = ContextVar("downloads", default=True)


def may_download() -> bool:
    """Whether a plugin may fetch a missing large file; see ``without_downloads``."""
    return _downloads.get()


@contextmanager
def without_downloads() -> Iterator[None]:
    """Forbid fetching missing files in this block."""
    before = _downloads.set(False)
    try:
        yield
    finally:
        _downloads.reset(before)


def refusal(error: OSError) -> FileError | None:
    """Turn a system's refusal of a file into an error for the user; None for other errors."""
    if isinstance(error, OutputError):  # the command line handles this itself
        return None
    if error.errno in _FULL:
        where = f" ({error.filename})" if error.filename else ""
        return DiskFull(f"the disk is full{where}. Make room, and run it again.")
    if not isinstance(error.filename, str | bytes):
        if not working_folder():
            return FileError(NO_WORKING_FOLDER)
        if error.strerror and "temporary directory" in error.strerror:  # raised by tempfile
            return FileError(f"{error.strerror}. Set TMPDIR to a folder that may be written.")
        return None
    path = Path(os.fsdecode(error.filename))
    name = str(path) if len(str(path)) <= _LONGEST_PATH else f"{str(path)[:_LONGEST_PATH]}..."
    why = (error.strerror or str(error)).lower()
    if error.errno in (errno.EACCES, errno.EPERM):
        barrier = next((p for p in reversed(path.parents) if not os.access(p, os.X_OK)), None)
        if barrier and os.path.lexists(barrier):
            return FileError(
                f"{name} cannot be reached: {why} for the folder {barrier}. {_NO_RIGHT}"
            )
        how = "written" if os.access(path, os.R_OK) or not os.path.lexists(path) else "read"
        return FileError(f"{name} cannot be {how}: {why}. {_NO_RIGHT}")
    if error.errno == errno.ENOENT and not working_folder():
        return FileError(NO_WORKING_FOLDER)
    if error.errno == errno.EROFS:
        return FileError(f"{name} cannot be written: {why}. Name a place on another disk.")
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return FileError(f"{name} cannot be opened: {why}. Raise the limit: ulimit -n 4096")
    return FileError(f"{name} cannot be used: {why}. Check the path.")


_NO_RIGHT = "Change its permissions, or name another place."
NO_WORKING_FOLDER = "the folder that you are in was removed. Change to one that exists: cd ~"


def working_folder() -> bool:
    """Whether the current folder still exists."""
    try:
        return bool(Path.cwd())
    except OSError:
        return False


@contextmanager
def refusals() -> Iterator[None]:
    """Raise the system's refusals in this block as FileError.  Also a decorator."""
    try:
        yield
    except OSError as error:
        if file_error := refusal(error):
            raise file_error from error
        raise


def expand(path: Path) -> Path:
    """Replace a leading ``~`` by the home folder; raises FileError if it does not exist."""
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise FileError(
            f"{path}: there is no such home folder. Write the path in full, or set HOME."
        ) from error


def cache_folder() -> Path:
    """Return the cache folder: ``GANZOO_CACHE``, or the platform's place for caches.

    Raises FileError if there is no home folder for it.
    """
    return _user_folder("GANZOO_CACHE", "the cache", platformdirs.user_cache_path)


def data_folder() -> Path:
    """Return the user's data folder: ``GANZOO_DATA``, or the platform's place for such data.

    Raises FileError if there is no home folder for it.
    """
    return _user_folder("GANZOO_DATA", "your scores", platformdirs.user_data_path)


def _user_folder(variable: str, what: str, default: Callable[[str], Path]) -> Path:
    if place := os.environ.get(variable):
        return expand(Path(place))
    try:
        return default("ganzoo")
    except RuntimeError as error:
        raise FileError(
            f"there is no home folder for {what}. Set HOME, or {variable} to a folder that may be "
            "written."
        ) from error


def check_exists(path: Path, what: str) -> None:
    """Raise DataError if the file or folder does not exist; ``what`` says what it should be."""
    with refusals():
        if path.exists():
            return
    raise DataError(f"there is no '{path}' (from {Path.cwd()}). Give {what}.")


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal; raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def atomic_folder(path: Path, replace: bool = True) -> Iterator[Path]:
    """Yield a folder to fill, which becomes ``path`` as a whole or not at all.

    An existing ``path`` is renamed away first and removed last.  Without ``replace`` it is kept,
    and OSError raised, unless it is empty.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.writing")
    old = path.with_name(f".{path.name}.old")
    _tidy(path, old, aside)  # after a kill
    with _named(aside, path):
        aside.mkdir()
    try:
        with _named(aside, path):
            yield aside
        for file in aside.rglob("*"):
            if file.is_file():
                flush(file)
        flush(aside)
        if path.exists() and replace:
            path.rename(old)
        aside.rename(path)
        flush(path.parent)
    finally:
        _tidy(path, old, aside)


def _tidy(path: Path, old: Path, aside: Path) -> None:
    """Restore a folder that was renamed away and not replaced; remove leftovers of a kill."""
    if old.exists() and not path.exists():
        old.rename(path)
    for leftover in (aside, old):
        shutil.rmtree(leftover, ignore_errors=True)


@contextmanager
def _named(aside: Path, path: Path) -> Iterator[None]:
    """Report errors about ``aside`` under the name that the user knows, ``path``."""
    try:
        yield
    except OSError as error:
        if error.filename == str(aside):
            error.filename = str(path)
        raise


@contextmanager
def alone(lock: Path, waiting: Callable[[], object]) -> Iterator[None]:
    """Hold the file ``lock`` in this block; if another process has it, call ``waiting`` and wait.

    The system frees the lock of a process that dies.
    """
    from filelock import FileLock, Timeout

    file = FileLock(lock)
    try:
        file.acquire(timeout=0)
    except Timeout:
        waiting()
        file.acquire()
    try:
        yield
    finally:
        file.release()


def build_once(
    path: Path,
    read: Callable[[], T | None],
    build: Callable[[Path], object],
    waiting: Callable[[], object],
) -> T | None:
    """Return what ``read`` finds at ``path``; if it is None, build the folder and return None.

    ``build`` fills a folder that becomes ``path`` as a whole or not at all.  If several processes
    want it, one builds it; the others call ``waiting``, and read what it built.
    """
    if (content := read()) is not None:
        return content
    path.parent.mkdir(parents=True, exist_ok=True)
    with alone(path.with_name(f".{path.name}.lock"), waiting):
        if (content := read()) is None:
            with atomic_folder(path) as aside:
                build(aside)
        return content


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a file to write, which becomes ``path`` as a whole or not at all."""
    aside = path.with_name(f".{path.name}.writing")
    try:
        with _named(aside, path):
            yield aside
            aside.replace(path)
    finally:
        with suppress(OSError):  # if it was never created, that was reported already
            aside.unlink()


def write_atomic(path: Path, text: str) -> None:
    """Write a text file as a whole or not at all, and flush it to the disk."""
    with atomic_file(path) as aside:
        aside.write_text(text, encoding="utf-8")
        flush(aside)


def flush(path: Path) -> None:
    """Wait until a file or folder is on the disk."""
    if path.is_dir() and os.name == "nt":  # Windows cannot open folders
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
