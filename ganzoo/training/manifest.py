"""``manifest.json`` of a run: what it is, what it depends on, and its status.

The dataclasses are the format.  ``run.py`` and ``folder.py`` write it, ``report.py`` reads it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from ganzoo.errors import RunError
from ganzoo.files import write_atomic
from ganzoo.formats.json import Count, Wrong, parse, typed

FILE = "manifest.json"
MAX_BYTES = 1_000_000


@dataclass(frozen=True)
class Evaluation:
    """The benchmark that measures a run; see ``scoring.py``."""

    benchmark: str
    protocol: str
    primary: str
    higher_is_better: dict[str, bool]
    ids: dict[str, str]


@dataclass(frozen=True)
class Manifest:
    """Facts about a run.  None is required, so that older runs can be read.

    ``reason`` says why it stopped; ``step``, ``images`` and ``seconds`` are those at the end of the
    last part; ``precision`` is the number format; ``plugins`` and ``environment`` hold versions.
    """

    status: Literal["new", "running", "stopped", "finished"] = "new"
    reason: str | None = None
    recipe: str | None = None
    recipe_sha256: str | None = None
    seed: int | None = None
    step: Count | None = None
    images: Count | None = None
    seconds: float | None = None
    processes: Count | None = None
    precision: dict[str, Any] = field(default_factory=dict)
    dataset_sha256: str | None = None
    extractors_sha256: dict[str, str] = field(default_factory=dict)
    plugins: dict[str, str] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    evaluation: Evaluation | None = None


def read(path: Path) -> Manifest:
    """Read the manifest in the file ``path``.

    Keys of a newer ganzoo are ignored.  Raises RunError if the file is missing or damaged.
    """
    try:
        with path.open("rb") as file:
            data = parse(file.read(MAX_BYTES + 1), "a run's manifest", MAX_BYTES)
        values = {part.name: data[part.name] for part in fields(Manifest) if part.name in data}
        manifest: Manifest = typed(Manifest, asdict(Manifest()) | values)
        return manifest
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror or error}") from error
    except Wrong as wrong:
        raise RunError(f"{path} is damaged: {wrong}") from None


def write(path: Path, manifest: Manifest) -> None:
    """Write ``manifest`` as a whole or not at all.  Raises OSError."""
    write_atomic(path, json.dumps(asdict(manifest), indent=1) + "\n")
