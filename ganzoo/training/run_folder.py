"""The run folder, which only training writes.

``recipe.yaml`` (resolved), ``manifest.json``, ``metrics.jsonl``, ``samples/``, ``checkpoints/``,
``model/``, ``report.html``, and, if the run is measured, ``best/``, the model of its best step.
"""

from __future__ import annotations

import errno
import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from ganzoo.errors import CheckpointError, RunError, TrainingStopped
from ganzoo.files import atomic_folder, write_atomic
from ganzoo.text import say
from ganzoo.training import manifest as manifests
from ganzoo.training.manifest import Manifest

RECIPE, METRICS = "recipe.yaml", "metrics.jsonl"


class RunFolder:
    """Paths and files of one run."""

    def __init__(self, path: Path):
        self.path = path
        self.recipe = path / RECIPE
        self.manifest = path / manifests.FILE
        self.metrics = path / METRICS
        self.samples = path / "samples"
        self.checkpoints = path / "checkpoints"
        self.model = path / "model"
        self.best = path / "best"
        self.evaluating = path / ".evaluating"
        self.report = path / "report.html"

    def refuse_taken(self) -> None:
        """Raise RunError if the folder is not empty."""
        path = self.path
        if not path.name:
            raise RunError(f"{path} cannot become a run: --out names a new folder.")
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            if self.recipe.is_file():
                raise RunError(
                    f"{path} holds a run already. `ganzoo resume {path}` goes on with it; "
                    "--out names another folder."
                )
            raise RunError(f"{path} holds something else already. --out names another folder.")

    def create(self, recipe_yaml: str, manifest: Manifest) -> None:
        """Begin a run: the folder appears with its recipe and manifest, or not at all.

        Raises RunError if it cannot, or if another process got there first.
        """
        try:
            with atomic_folder(self.path, replace=False) as aside:
                for part in (self.samples, self.checkpoints):
                    (aside / part.name).mkdir()
                manifests.write(aside / manifests.FILE, manifest)
                (aside / RECIPE).write_text(recipe_yaml, encoding="utf-8")
        except OSError as error:
            raise RunError(
                f"cannot write a run to {self.path}: {error.strerror or error}"
            ) from error

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """Open an existing run; raises RunError if there is none.

        A recipe that was deleted is written again from the newest whole checkpoint.
        """
        folder = cls(path)
        is_missing = not folder.recipe.is_file() or not folder.recipe.stat().st_size
        if is_missing and not folder._recall_recipe() and not folder.recipe.exists():
            raise RunError(
                f"{path} holds no run ({RECIPE} is missing). `ganzoo train RECIPE` makes one."
            )
        return folder

    def _recall_recipe(self) -> bool:
        if not self.checkpoints.is_dir():
            return False
        from ganzoo.training import checkpoint

        for path in reversed(checkpoint.steps(self.checkpoints).values()):
            with suppress(CheckpointError):
                recipe = checkpoint.state(path)["recipe"]
                write_atomic(self.recipe, yaml.safe_dump(recipe, sort_keys=False))
                say(f"warning: {self.recipe} was lost; it is written again from {path}", err=True)
                return True
        return False

    def last_checkpoint(self) -> str:
        """Name the newest checkpoint in a sentence."""
        from ganzoo.training import checkpoint

        *_, newest = [None, *checkpoint.steps(self.checkpoints).values()]
        return f"The last checkpoint is {newest}." if newest else "There is no checkpoint yet."

    def saved_state(self) -> dict[str, Any]:
        """Return the newest intact checkpoint's state; empty if there is none."""
        from ganzoo.training import checkpoint

        for path in reversed(checkpoint.steps(self.checkpoints).values()):
            with suppress(CheckpointError):
                return checkpoint.state(path)
        return {}

    def new_run(self, overrides: Sequence[str] = ()) -> str:
        """Return the command for a new run, from the weights of this one if it saved any."""
        from ganzoo.training import checkpoint

        states = checkpoint.steps(self.checkpoints)
        changes = [f"init_from={self.path}"] * bool(states) + list(overrides)
        sets = (f"--set {shlex.quote(change)}" for change in changes)
        return " ".join(["ganzoo train", shlex.quote(str(self.recipe)), *sets])

    @contextmanager
    def writing(self, what: str, step: int) -> Iterator[None]:
        """End the training with a sentence if the disk refuses ``what``."""
        try:
            yield
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            raise TrainingStopped(
                f"step {step}: {what} could not be written to {self.path}: "
                f"{'the disk is full' if full else error}. {self.last_checkpoint()} "
                f"{'Make room' if full else 'Fix that'}, then: ganzoo resume {self.path}"
            ) from error

    def is_complete(self, recipe_sha256: str, steps: int) -> bool:
        """Whether this recipe was trained for all its ``steps`` and the folder is complete."""
        try:
            manifest = manifests.read(self.manifest)
        except RunError:
            return False
        parts = [self.samples, self.checkpoints, self.metrics, self.model / "config.json"]
        if manifest.evaluation:
            parts.append(self.best / "config.json")
        return (
            manifest.status == "finished"
            and (manifest.recipe_sha256, manifest.step) == (recipe_sha256, steps)
            and all(part.exists() for part in parts)
        )

    def rows(self, until: int | None = None) -> list[dict[str, Any]]:
        """Return the rows of metrics.jsonl up to step ``until``, without unreadable ones."""
        return [row for row in self.read_rows()[0] if until is None or row["step"] <= until]

    def read_rows(self) -> tuple[list[dict[str, Any]], str]:
        """Return the rows of metrics.jsonl, and a note on skipped lines (empty if none).

        An unterminated last line, which a killed run leaves, does not count.
        """
        if not self.metrics.is_file():
            return [], ""
        *lines, tail = self.metrics.read_bytes().split(b"\n")
        rows = [_row(line) for line in [*lines, tail]]
        count = sum(row is None for row in rows[: len(lines)])
        note = f"{count} of {len(lines)} lines of {METRICS} cannot be read and are left out"
        return [row for row in rows if row is not None], note if count else ""

    def rewind(self, step: int) -> list[dict[str, Any]]:
        """Drop the rows after ``step``, which will be written again; return the rest."""
        rows = self.rows(until=step)
        write_atomic(self.metrics, "".join(json.dumps(row) + "\n" for row in rows))
        return rows

    def append(self, row: Mapping[str, Any]) -> None:
        """Add one row to metrics.jsonl."""
        with self.metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def note(self, otherwise: Manifest | None = None, **facts: Any) -> None:
        """Change facts of manifest.json; start from ``otherwise`` if it is lost or damaged."""
        try:
            manifest = manifests.read(self.manifest)
        except RunError:
            manifest = otherwise or Manifest()
        manifests.write(self.manifest, replace(manifest, **facts))


def to_train_longer(run: Path, stages: Sequence[int]) -> str:
    """Say how to train a finished run longer; ``stages`` are the steps of each."""
    last = len(stages) - 1
    return (
        f"{run} is finished; to train longer: ganzoo resume {run} "
        f"--set stages.{last}.steps={2 * stages[last]}"
    )


def _row(line: bytes) -> dict[str, Any] | None:
    """Read a line of metrics.jsonl: a step, numbers and texts; None if it is not that."""
    try:
        row = json.loads(line.decode("utf-8"))
        if not isinstance(row, dict) or not isinstance(row.get("step"), int):
            return None
        for key, value in row.items():
            if isinstance(value, str) and "/" not in key and key != "seconds":
                continue  # such as the name of the stage
            if isinstance(value, str | bool):
                return None
            float(value)  # refuses integers too large for a float
    except (ValueError, TypeError, OverflowError, RecursionError):
        return None
    return row


def free_folder(name: str, root: Path = Path("runs")) -> Path:
    """Return ``runs/name``, or ``runs/name-2``, ``-3`` ... if that is taken."""
    path, number = root / name, 1
    while path.exists():
        number += 1
        path = root / f"{name}-{number}"
    return path
