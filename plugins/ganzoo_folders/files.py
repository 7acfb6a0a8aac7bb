"""The digests of files, without reading all of them every time."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from ganzoo.errors import DataError
from ganzoo.files import cache_folder, sha256
from ganzoo.progress import progress
from ganzoo.text import plain

Item = TypeVar("Item")
Result = TypeVar("Result")

#: The digest of a file that cannot be read begins with this.
UNREADABLE = "unreadable"
#: A file that changed this shortly before it was hashed is hashed again next time: it may change
#: once more within the same tick of the file system's clock.
_SETTLED = 2_000_000_000  # nanoseconds
_SHOWN = 5  # files named in a message


def digests(path: Path, names: list[str]) -> list[str]:
    """Return the sha256 of each file's bytes, or ``unreadable: why``.

    Files with the same size and times of change as last time are not read again.
    """
    table = cache_folder() / f"files-{hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:16]}"
    before = _read_table(table)
    limit = time.time_ns() - _SETTLED
    rows: dict[str, list[Any]] = {}
    fresh = []
    for name in names:
        try:
            status = (path / name).stat()
        except OSError as error:
            rows[name] = [[], f"{UNREADABLE}: {error.strerror}"]
            continue
        stamp = [status.st_size, status.st_mtime_ns, status.st_ctime_ns]
        row = before.get(name)
        if row and row[0] == stamp:
            rows[name] = row
        else:
            rows[name] = [stamp, ""]
            fresh.append(name)

    def digest_of(name: str) -> str:
        try:
            return sha256(path / name)
        except OSError as error:
            return f"{UNREADABLE}: {error.strerror}"

    with progress(f"Reading {path}", len(fresh), "files") as advance:
        for name, digest in zip(fresh, in_threads(digest_of, fresh), strict=True):
            rows[name][1] = digest
            advance(1)
    if fresh:
        _write_table(
            table,
            {
                name: (stamp, digest)
                for name, (stamp, digest) in rows.items()
                if not digest.startswith(UNREADABLE) and stamp[1] < limit
            },
        )
    return [rows[name][1] for name in names]


def read(path: Path, digest: str) -> bytes:
    """Read a file; raises DataError if its bytes no longer match ``digest``."""
    try:
        data = path.read_bytes()
    except OSError:
        data = None
    if data is None or hashlib.sha256(data).hexdigest() != digest:
        raise DataError(
            f"'{path}' changed while it was being read. "
            f"Run again when nothing writes to the folder."
        )
    return data


def listed(lines: Sequence[object]) -> list[str]:
    """Indent the first lines and count the rest, for messages that name files."""
    more = len(lines) - _SHOWN
    first = [f"  {plain(line)}" for line in lines[:_SHOWN]]
    return first + [f"  and {more} more"] * (more > 0)


def noted(note: str, names: Sequence[str]) -> str:
    """Format a note on some images: the note, their number, and the first name."""
    return f"{note}: {len(names):,} ({names[0]}{' ...' * (len(names) > 1)})"


def in_threads(
    work: Callable[[Item], Result], items: Iterable[Item], ahead: int = 256
) -> Iterator[Result]:
    """Yield ``map(work, items)`` in order, computed in threads, at most ``ahead`` results early.

    Reading, hashing, decoding and resizing all release Python's global lock.
    """
    with ThreadPoolExecutor(min(8, max(2, os.cpu_count() or 2))) as pool:
        queue = []
        for item in items:
            queue.append(pool.submit(work, item))
            if len(queue) >= ahead:
                yield queue.pop(0).result()
        for future in queue:
            yield future.result()


def _read_table(table: Path) -> dict[str, Any]:
    try:
        rows = json.loads(table.read_text(encoding="utf-8"))
        return rows if isinstance(rows, dict) else {}
    except (OSError, ValueError):
        return {}  # the table only saves time


def _write_table(table: Path, rows: dict[str, Any]) -> None:
    try:
        table.parent.mkdir(parents=True, exist_ok=True)
        handle, aside = tempfile.mkstemp(prefix=".files-", dir=table.parent)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(rows, file)
        Path(aside).replace(table)
    except OSError:
        pass  # the table only saves time; an unusable cache is reported with the images


def face_of(folder: Path) -> tuple[tuple[float, float], ...] | None:
    """Return where faces lie in a folder that `ganzoo data faces` filled; None for any other.

    These are the left eye, the right eye and the mouth, x and y from 0 to 1.
    """
    try:
        manifest = json.loads((folder.parent / "manifest.json").read_text(encoding="utf-8"))
        left, right, mouth = ((float(x), float(y)) for x, y in manifest["face"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return left, right, mouth
