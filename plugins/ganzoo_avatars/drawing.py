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
from importlib import import_module
from typing import IO, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ganzoo.errors import DataError

Drawings: TypeAlias = Generator[NDArray[np.uint8], None, None]
#: Takes a style, a size and a seed, and returns what draws the picture of an index.
Artist: TypeAlias = Callable[[str, int, int], Callable[[int], NDArray[np.uint8]]]
_ALONE = 64  # so few pictures are drawn sooner than another process starts


def draw(artist: str, style: str, count: int, size: int, seed: int) -> Drawings:
    """Yield the pictures 0 to ``count`` - 1 in order, each (3, size, size) uint8.

    ``artist`` is the ``"module:Class"`` that draws them.  Close the generator to stop early.
    Raises DataError if a process dies.
    """
    workers = min(_cores(), -(-count // _ALONE))
    if workers == 1:
        yield from map(_artist(artist)(style, size, seed), range(count))
    else:
        yield from _draw_in_processes(artist, style, count, size, seed, workers)


def _draw_in_processes(
    artist: str, style: str, count: int, size: int, seed: int, workers: int
) -> Drawings:
    command = [sys.executable, "-P", "-m", "ganzoo_avatars.drawing"]  # -P: not from this folder
    processes: list[subprocess.Popen[bytes]] = []
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
            pixels = process.stdout.read(3 * size * size)
            if len(pixels) < 3 * size * size:
                raise DataError(
                    f"a process that was drawing pictures ended early (exit code "
                    f"{process.wait()}). It may have run out of memory. Nothing was kept; "
                    f"run it again."
                )
            yield np.frombuffer(pixels, dtype=np.uint8).reshape(3, size, size)
    finally:
        for process in processes:
            process.kill()
            if process.stdout is not None:
                process.stdout.close()
            process.wait()


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
        out.write(np.ascontiguousarray(picture(index)).data)
        out.flush()


if __name__ == "__main__":
    try:
        _serve(sys.argv[1], sys.stdout.buffer)
    except (BrokenPipeError, KeyboardInterrupt):  # the parent stopped reading
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
