"""Train the toy recipe in forked processes that SIGKILL themselves between file operations.

``python killing.py FOLDER`` reads lines ``NAME POINT [POINT ...]`` and writes one JSON line for
each: a run into ``FOLDER/NAME`` that is killed at its POINT-th file operation, resumed, killed at
the next POINT of the resumed run, and so on, and at last resumed to its end.  What SIGKILL leaves
behind depends on the files alone, so these points stand for every moment.  A negative POINT kills
in the middle of the last write: its end is missing.

Forking from one process that has imported everything makes a point cost less than a second.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
import toy

from ganzoo.recipe.recipe_types import Recipe
from ganzoo.training.loop import resume, start

RECIPE: dict[str, Any] = {
    "stages": [
        {"name": "warm", "steps": 2, "generator": [{"use": "bright"}]},
        {
            "name": "adversarial",
            "steps": 7,
            "discriminator": [{"use": "non-saturating"}, {"use": "r1", "weight": 0.1, "every": 2}],
            "generator": [{"use": "non-saturating"}],
        },
    ],
    "checkpoint": {"every": 2, "keep": 2},
    "samples": {"every": 3, "count": 4},
}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC


def recipe(root: Path) -> Recipe:
    """The recipe, which is measured while it trains: its best step is first 3, then 6, then 9."""
    benchmark = toy.benchmark(root / "recipes", primary="brightness")
    evaluate = {"every": 3, "benchmark": str(benchmark)}
    return toy.recipe(root / "recipes", **RECIPE, evaluate=evaluate)


class Killer:
    """Counts operations on files under ``root``, and kills this process before the n-th."""

    def __init__(self, root: Path, point: int | None):
        self.root, self.point, self.count = str(root), point, 0
        self.written: str | None = None
        sys.addaudithook(self.hear)
        fsync = os.fsync

        def flush(handle: int) -> None:
            self.tick()
            fsync(handle)

        os.fsync = flush

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        changes = event in {"os.rename", "os.mkdir", "os.rmdir", "os.remove", "os.truncate"}
        opens = event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITES
        if (changes or opens) and os.path.abspath(str(arguments[0])).startswith(self.root):  # noqa: PTH100
            self.tick()
            self.written = str(arguments[0]) if opens else None

    def tick(self) -> None:
        self.count += 1
        if self.point is not None and self.count == abs(self.point):
            if self.point < 0 and self.written and Path(self.written).is_file():
                size = Path(self.written).stat().st_size
                if size > 7:
                    os.truncate(self.written, size - 7)
            os.kill(os.getpid(), signal.SIGKILL)


def forked(act: Callable[[], None]) -> int:
    """The exit status of ``act`` in a process of its own, negative where a signal ended it."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            act()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def advance(root: Path, name: str, point: int | None, report: Path | None = None) -> None:
    """Start the run, or go on with it where it exists; write the number of operations."""
    out = root / name
    os.environ["GANZOO_CACHE"] = str(root / "caches" / name)
    killer = Killer(root, point)
    if (out / "recipe.yaml").is_file():
        resume(out, (), toy.plugins())
    else:
        start(recipe(root), out, toy.plugins())
    if report:
        report.write_text(str(killer.count))


def main(root: Path) -> None:
    torch.set_num_threads(1)
    os.environ["GANZOO_CACHE"] = str(root / "caches" / "warm-up")
    start(recipe(root), root / "warm-up", toy.plugins())  # what is imported late
    for line in sys.stdin:
        name, *points = line.split()
        statuses = [forked(partial(advance, root, name, int(point))) for point in points]
        count = root / f"{name}-count"
        statuses.append(forked(partial(advance, root, name, None, count)))
        done = {"name": name, "statuses": statuses}
        if count.is_file():
            done["operations"] = int(count.read_text())
        print(json.dumps(done), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
