"""The image cache: uint8 arrays under a key of their content, memory-mapped, checked when opened.

An entry is a folder ``<kind>-<16 hex digits of its key>`` with ``images.npy`` (N, 3, S, S),
optionally ``labels.npy`` (N, A), and ``index.json``, which holds the key and each array's hash.
It is built aside under a lock and moved into place in one step, so it is either whole or absent.
If two processes need it, one builds and the other waits.  The lock dies with its process, and the
next builder removes the leftovers of a killed one.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from ganzoo.errors import DataError
from ganzoo.files import cache_folder, flush

FORMAT = 1
#: Arrays up to this many bytes are hashed whenever they are opened (about 0.6 s per GB); of
#: larger ones only the header and the size are checked.
HASH_LIMIT = 4 << 30

log = logging.getLogger("ganzoo.data")


class _Spoilt(Exception):
    """A cache entry differs from its index."""


@dataclass(frozen=True)
class Cached:
    """An open entry: memory-mapped ``images`` (N, 3, S, S) uint8, ``labels`` (N, A) int64."""

    path: Path
    images: NDArray[np.uint8]
    labels: NDArray[np.int64] | None
    index: dict[str, Any]

    def __reduce__(self) -> tuple[Any, ...]:
        # A memory map pickles as all its bytes; worker processes reopen the files instead.
        return _open, (self.path, None, False)


class Writer:
    """Writes the images of a new entry, block by block, in order."""

    def __init__(self, folder: Path, size: int):
        self.folder = folder
        self.index: dict[str, Any] = {}
        self._size = size
        self._count = 0
        self._labels: NDArray[np.int64] | None = None
        self._sha = hashlib.sha256()
        self._file = (folder / "images.npy").open("w+b")
        self._write_header()

    def add(self, images: NDArray[np.uint8]) -> None:
        """Append ``images`` (n, 3, S, S)."""
        block = np.ascontiguousarray(images, dtype=np.uint8)
        if block.shape[1:] != (3, self._size, self._size):
            raise ValueError(f"images of shape {block.shape}, not (n, 3, {self._size}, ...)")
        self._file.write(block.data)
        self._sha.update(block.data)
        self._count += len(block)

    def set_labels(self, labels: NDArray[np.int64]) -> None:
        """Store the labels (N, A) of all images."""
        self._labels = np.ascontiguousarray(labels, dtype=np.int64)

    def text(self, name: str, text: str) -> None:
        """Write a text file beside the images."""
        (self.folder / name).write_text(text, encoding="utf-8")

    def finish(self, kind: str, key: Mapping[str, Any]) -> None:
        """Complete the arrays, write the index, and flush all of it to the disk."""
        self._file.seek(0)
        self._write_header()  # of the same length: numpy leaves room for the count to grow
        shape = [self._count, 3, self._size, self._size]
        arrays = {"images.npy": {"shape": shape, "sha256": self._sha.hexdigest()}}
        _sync_and_close(self._file)
        if self._labels is not None:
            with (self.folder / "labels.npy").open("wb") as file:
                np.save(file, self._labels, allow_pickle=False)
                _sync_and_close(file)
            shape, sha = list(self._labels.shape), _sha256(self._labels)
            arrays["labels.npy"] = {"shape": shape, "sha256": sha}
        index = {"format": FORMAT, "kind": kind, "key": dict(key), "arrays": arrays, **self.index}
        with (self.folder / "index.json").open("wb") as file:
            file.write(json.dumps(index, indent=1).encode())
            _sync_and_close(file)

    def close(self) -> None:
        """Close the file; safe to call twice."""
        with suppress(OSError):
            self._file.close()

    def _write_header(self) -> None:
        shape = (self._count, 3, self._size, self._size)
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._file, header)


def get(kind: str, key: Mapping[str, Any], size: int, build: Callable[[Writer], None]) -> Cached:
    """Open the entry for ``key``, or let ``build`` fill a new one.

    ``key`` is JSON and must hold everything that changes a byte of the images.  Raises DataError if
    the cache folder cannot be used.  An exception in ``build`` leaves the cache untouched.
    """
    key = json.loads(json.dumps(key))
    digest = hashlib.sha256(json.dumps([FORMAT, kind, key], sort_keys=True).encode()).hexdigest()
    place = cache_folder() / f"{kind}-{digest[:16]}"
    entry = _open_if_good(place, key)
    if entry is not None:
        return entry
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(str(place.parent / f".{place.name}.lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            log.warning("Another process is preparing %s; waiting for it.", place)
            lock.acquire()
        try:
            return _open_if_good(place, key, say=True) or _build(place, kind, key, size, build)
        finally:
            lock.release()
    except OSError as error:
        raise DataError(
            f"the image cache at {place.parent} cannot be used: {error.strerror or error}. "
            f"Free some space or permit writing there, or set GANZOO_CACHE to another folder."
        ) from error


def _build(
    place: Path,
    kind: str,
    key: Mapping[str, Any],
    size: int,
    build: Callable[[Writer], None],
) -> Cached:
    for leftover in place.parent.glob(f".{place.name}.building-*"):
        shutil.rmtree(leftover, ignore_errors=True)  # its builder is dead: the lock is ours
    aside = Path(tempfile.mkdtemp(prefix=f".{place.name}.building-", dir=place.parent))
    writer = None
    try:
        new = aside / "new"
        new.mkdir()
        writer = Writer(new, size)
        build(writer)
        writer.finish(kind, key)
        if place.exists():
            place.rename(aside / "old")
        new.rename(place)
        flush(place.parent)
    finally:
        if writer is not None:
            writer.close()
        shutil.rmtree(aside, ignore_errors=True)
    return _open(place, key, verify=False)


def _open_if_good(place: Path, key: Mapping[str, Any], say: bool = False) -> Cached | None:
    if not place.exists():
        return None
    try:
        return _open(place, key)
    except (_Spoilt, OSError, EOFError, ValueError, KeyError, TypeError) as error:
        if say:  # only the process that builds it again says so
            log.warning(
                "The cached images at %s are damaged (%s); making them again.", place, error
            )
        return None


def _open(path: Path, key: Mapping[str, Any] | None, verify: bool = True) -> Cached:
    index = json.loads((path / "index.json").read_text(encoding="utf-8"))
    if key is not None and (index["format"] != FORMAT or index["key"] != key):
        raise _Spoilt("its index is of another key")
    arrays = {}
    for name, entry in index["arrays"].items():
        array = np.load(path / name, mmap_mode="r", allow_pickle=False)
        if list(array.shape) != entry["shape"]:
            raise _Spoilt(f"{name} has shape {list(array.shape)}, not {entry['shape']}")
        end = array.offset + array.nbytes
        if (path / name).stat().st_size != end:
            raise _Spoilt(f"{name} is not {end} bytes long")
        arrays[name] = array.view(np.ndarray)
        if verify and array.nbytes <= HASH_LIMIT and _sha256(arrays[name]) != entry["sha256"]:
            raise _Spoilt(f"{name} was altered")
    return Cached(path, arrays["images.npy"], arrays.get("labels.npy"), index)


def _sha256(array: NDArray[Any]) -> str:
    return hashlib.sha256(array.data).hexdigest()


def _sync_and_close(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
    file.close()
