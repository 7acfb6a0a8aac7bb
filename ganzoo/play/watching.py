"""Look at runs while they train, without touching them: only files are read."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganzoo.errors import RecipeError, RunError
from ganzoo.files import refusals
from ganzoo.formats.page import render
from ganzoo.formats.yaml import parse
from ganzoo.models import pictures
from ganzoo.progress import duration
from ganzoo.training import diagnosis, scores
from ganzoo.training import manifest as manifests
from ganzoo.training.charts import Axes, charts_of, number, numeric
from ganzoo.training.manifest import Manifest
from ganzoo.training.run_folder import RECIPE, RunFolder

#: bytes of the newest grid, and folders that are looked at
_GRID, _FOLDERS = 600_000, 2000
#: a run that has written nothing for so many seconds may have ended without a word
_SILENT = 600.0


@dataclass(frozen=True)
class Glimpse:
    """A run in the list: its name, its state in a word, and when it was written to last."""

    name: str
    path: Path
    status: str
    changed: float


def runs(root: Path) -> list[Glimpse]:
    """List the runs in ``root`` and one level below: those in progress first, then the newest."""
    level = [path for path in root.glob("*") if path.is_dir() and not path.name.startswith(".")]
    below = (path for folder in level for path in folder.glob("*") if path.is_dir())
    paths = [*level, *below][:_FOLDERS]
    glimpses = [glimpse for path in paths if (glimpse := _glimpse(path, root))]
    return sorted(glimpses, key=lambda one: (one.status != "running", -one.changed))


def _glimpse(path: Path, root: Path) -> Glimpse | None:
    folder = RunFolder(path)
    if not (folder.recipe.is_file() and folder.manifest.is_file()):
        return None
    status = "damaged"
    with suppress(RunError):
        status = manifests.read(folder.manifest).status
    return Glimpse(str(path.relative_to(root)), path, status, _changed(folder))


def _changed(folder: RunFolder) -> float:
    """Return when the run was written to last, in seconds since the epoch."""
    times = [0.0]
    for path in (folder.manifest, folder.metrics, folder.samples):
        with suppress(OSError):
            times.append(path.stat().st_mtime)
    return max(times)


def signature(path: Path) -> str:
    """Return a text that changes whenever the run does."""
    folder = RunFolder(path)
    facts = []
    for one in (folder.manifest, folder.metrics, folder.samples, folder.report):
        with suppress(OSError):
            about = one.stat()
            facts.append(f"{about.st_mtime_ns}-{about.st_size}")
    return " ".join(facts)


def view(path: Path, name: str, report: str) -> str:
    """Write what a run shows now as HTML; ``report`` is the address of its page.

    Raises RunError if the run is gone.
    """
    folder = RunFolder(path)
    with refusals():
        if not folder.recipe.is_file():
            raise RunError(f"{name} holds no run any more: it was moved or removed.")
        try:
            manifest = manifests.read(folder.manifest)
        except RunError as error:
            manifest = Manifest(reason=str(error))
        rows = folder.rows()
        total = sum(steps for _, steps in stages(folder))
    evaluation = manifest.evaluation
    ours = scores.under(rows, evaluation.protocol) if evaluation else rows
    numbers = numeric(ours)
    step = max([row["step"] for row in numbers], default=manifest.step or 0)
    is_running = manifest.status == "running"
    silent = is_running and time.time() - _changed(folder) > _SILENT
    return render(
        "play/run.html",
        name=name,
        status=manifest.status,
        reason=manifest.reason or "",
        silent=silent,
        step=step,
        total=total,
        left=_time_left(numbers, step, total) if is_running and not silent else "",
        grid=_newest(folder),
        too_early=diagnosis.too_early(numbers),
        findings=diagnosis.findings(numbers),
        charts=charts_of(numbers, evaluation.higher_is_better if evaluation else {}),
        end=max([1, *(int(row["step"]) for row in numbers)]),
        stages=list(stages(folder)),
        axes=Axes,
        number=number,
        report=report,
    )


def stages(folder: RunFolder) -> Iterator[tuple[str, int]]:
    """Yield the name and steps of each stage of a run's recipe; nothing if it is unreadable."""
    try:
        recipe: Any = parse(folder.recipe.read_text(encoding="utf-8", errors="replace"), RECIPE)
        plan = recipe.plain().get("stages")
    except (OSError, RecipeError, AttributeError):
        return
    for stage in plan if isinstance(plan, list) else []:
        if isinstance(stage, dict) and isinstance(stage.get("steps"), int):
            yield str(stage.get("name")), stage["steps"]


def _time_left(rows: list[dict[str, Any]], step: int, total: int) -> str:
    """Estimate the rest from the pace of the last rows."""
    timed = [(row["step"], row["seconds"]) for row in rows if row.get("seconds", 0) > 0]
    recent = timed[-20:]
    if len(recent) < 2 or total <= step:
        return ""
    (first, began), (last, ended) = recent[0], recent[-1]
    if last <= first or ended <= began:
        return ""
    return duration((total - step) * (ended - began) / (last - first))


def _newest(folder: RunFolder) -> tuple[str, int, int] | None:
    """Return the newest grid's address, width and step; None if there is none."""
    steps = [int(path.stem) for path in folder.samples.glob("*.png") if path.stem.isdecimal()]
    for step in sorted(steps, reverse=True)[:2]:  # the newest may be half-written
        path = next(folder.samples.glob(f"*{step}.png"), None)
        if path and (picture := pictures.opened(path)):
            return (*pictures.embed(picture, _GRID), step)
    return None
