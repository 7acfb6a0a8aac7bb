"""Draw many pictures in several processes, in order.

resvg holds Python's global lock, so threads gain nothing.  Each worker runs
``python -m ganzoo_avatars.drawing``: that needs no guard in a user's script, forks no process that
may already hold locks, and imports no torch.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import closing
from importlib import import_module
from typing import IO, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ganzoo.errors import DataError

Drawings: TypeAlias = Generator[NDArray[np.uint8], None, None]
#: A picture (3, size, size) and a row of labels (columns,).
Labelled: TypeAlias = tuple[NDArray[np.uint8], NDArray[np.int64]]
#: Takes a style, a size and a seed, and returns what draws the picture of an index.  If it has an
#: attribute ``columns``, it draws the picture and so many labels.
Artist: TypeAlias = Callable[[str, int, int], Callable[[int], Any]]
_ALONE = 64  # so few pictures are drawn sooner than another process starts


def draw(artist: str, style: str, count: int, size: int, seed: int) -> Drawings:
    """Yield the pictures 0 to ``count`` - 1 in order, each (3, size, size) uint8.

    ``artist`` is the ``"module:Class"`` that draws them.  Close the generator to stop early.
    Raises DataError if a process dies.
    """
    with closing(draw_labelled(artist, style, count, size, seed)) as drawings:
        for picture, _ in drawings:
            yield picture


def draw_labelled(
    artist: str, style: str, count: int, size: int, seed: int
) -> Generator[Labelled, None, None]:
    """Yield what :func:`draw` yields, each with its row of labels (columns,) int64.

    The row is empty if the artist has no labels.
    """
    workers = min(_cores(), -(-count // _ALONE))
    if workers == 1:
        picture = _artist(artist)(style, size, seed)
        yield from (_labelled(picture, index) for index in range(count))
    else:
        yield from _draw_in_processes(artist, style, count, size, seed, workers)


def _draw_in_processes(
    artist: str, style: str, count: int, size: int, seed: int, workers: int
) -> Generator[Labelled, None, None]:
    command = [sys.executable, "-P", "-m", "ganzoo_avatars.drawing"]  # -P: not from this folder
    processes: list[subprocess.Popen[bytes]] = []
    pixels = 3 * size * size
    whole = pixels + 8 * _columns(_artist(artist))
    try:
        for first in range(workers):
            job = json.dumps([artist, style, size, seed, first, count, workers])
            processes.append(
                subprocess.Popen(
                    [*command, job],
                    stdout=subprocess.PIPE,
                    start_new_session=True,  # Ctrl-C is for this process to handle
                )
            )
        for index in range(count):
            process = processes[index % workers]
            assert process.stdout is not None  # it is a pipe
            content = process.stdout.read(whole)
            if len(content) < whole:
                raise DataError(
                    f"a process that was drawing pictures ended early (exit code "
                    f"{process.wait()}). It may have run out of memory. Nothing was kept; "
                    f"run it again."
                )
            picture = np.frombuffer(content, np.uint8, pixels).reshape(3, size, size)
            yield picture, np.frombuffer(content, np.int64, offset=pixels)
    finally:
        for process in processes:
            process.kill()
            if process.stdout is not None:
                process.stdout.close()
            process.wait()


def _columns(artist: object) -> int:
    return int(getattr(artist, "columns", 0))


def _labelled(picture: Callable[[int], Any], index: int) -> Labelled:
    if _columns(picture):
        pixels, row = picture(index)
        return pixels, np.asarray(row, np.int64)
    return picture(index), np.zeros(0, np.int64)


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _artist(name: str) -> Artist:
    module, _, cls = name.partition(":")
    artist: Artist = getattr(import_module(module), cls)
    return artist


def _serve(job: str, out: IO[bytes]) -> None:
    """Write a worker's share of the pictures to ``out``, which the parent reads."""
    artist, style, size, seed, first, count, step = json.loads(job)
    picture = _artist(artist)(style, size, seed)
    for index in range(first, count, step):
        pixels, row = _labelled(picture, index)
        out.write(pixels.tobytes() + row.tobytes())
        out.flush()


if __name__ == "__main__":
    try:
        _serve(sys.argv[1], sys.stdout.buffer)
    except (BrokenPipeError, KeyboardInterrupt):  # the parent stopped reading
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
