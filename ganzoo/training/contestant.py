"""A run or model in a comparison: what its folder knows of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganzoo.errors import RecipeError, RunError
from ganzoo.formats.yaml import parse
from ganzoo.models import config as configs
from ganzoo.models.config import Config
from ganzoo.models.folder import CONFIG, RECIPE, find
from ganzoo.progress import duration
from ganzoo.training import manifest as manifests
from ganzoo.training import scores
from ganzoo.training.charts import numeric
from ganzoo.training.manifest import Manifest
from ganzoo.training.run_folder import RunFolder


@dataclass(frozen=True)
class Contestant:
    """What is known of a run or model; ``source`` is how the user named it.

    ``folder`` is the run's or model's; ``config`` is None if the run has no model yet, ``recipe``
    if the model came without one.  ``rows`` are numbers of metrics.jsonl, empty for a model.
    ``problem`` says what of it cannot be read.
    """

    name: str
    source: str
    folder: Path
    config: Config | None
    recipe: dict[str, Any] | None
    manifest: Manifest
    rows: Sequence[Mapping[str, Any]]
    problem: str = ""

    @property
    def is_run(self) -> bool:
        """Whether it is a run rather than a model."""
        return not (self.folder / CONFIG).is_file()

    @property
    def kind(self) -> str:
        """What it draws from: noise or images; empty if it has no model yet."""
        return self.config.input.kind if self.config else ""

    @property
    def size(self) -> int | None:
        """The side of its pictures; None if any, or if it has no model yet."""
        return self.config.output.size if self.config else None

    @property
    def step(self) -> int | None:
        """How many steps it was trained for."""
        if self.manifest.step is not None and self.manifest.status != "running":
            return self.manifest.step
        stated = self.config.training.get("steps") if self.config else None
        steps = [row["step"] for row in self.rows] + [stated] * isinstance(stated, int)
        return max(steps, default=None)

    def facts(self) -> dict[str, str]:
        """Return what training took, by term; unknown facts are left out."""
        manifest, training = self.manifest, self.config.training if self.config else {}
        seconds = manifest.seconds or training.get("seconds")
        seconds = seconds if isinstance(seconds, int | float) and seconds > 0 else math.nan
        images = manifest.images or training.get("images")
        where = manifest.environment or training.get("environment")
        where = where if isinstance(where, dict) else {}
        threads = where.get("threads")
        cores = f"{threads} thread{'s' * (threads != 1)}" if threads else ""
        machine = [where.get("device"), where.get("device_name"), cores]
        generator = self.config.files.get(configs.WEIGHTS["generator"]) if self.config else None
        facts = {
            "status": manifest.status if self.is_run else "",
            "steps": "" if self.step is None else f"{self.step:,}",
            "images seen": f"{images:,}" if isinstance(images, int) else "",
            "time": duration(seconds),
            "speed": f"{self.step / seconds:.3g} steps/s" if self.step and seconds > 0 else "",
            "machine": ", ".join(str(part) for part in machine if part),
            "torch": str(where.get("torch", "")),
            "precision": str(manifest.precision.get("format", "")),
            "generator": f"{generator.parameters:,} parameters" if generator else "",
        }
        return {term: fact for term, fact in facts.items() if fact}


def named(sources: Sequence[str]) -> list[str]:
    """Shorten sources to names: the last part, or all of it if that is another's too.

    ``model`` and ``best`` of a run are named after the run.
    """
    names = []
    for source in sources:
        path = Path(source).absolute()
        name, run = path.name, path.parent.name
        names.append({"best": f"{run}-best", "model": run}.get(name, name))
    return [s if names.count(n) > 1 else n for s, n in zip(sources, names, strict=True)]


def read_contestant(name: str, source: str, folder: Path) -> Contestant:
    """Read the run or model in ``folder``.

    Raises RunError if it is neither, or if its model's config is damaged.
    """
    is_model = (folder / CONFIG).is_file()
    if is_model or not (folder / RECIPE).is_file():
        model = find(folder)  # a run whose recipe was lost still has its model
    else:
        RunFolder.open(folder)
        model = folder / "model"
    config = configs.read(model / CONFIG) if (model / CONFIG).is_file() else None
    recipe = _recipe(folder / RECIPE if (folder / RECIPE).is_file() else model / RECIPE)
    if is_model:
        return Contestant(name, source, folder, config, recipe, Manifest(), [])
    run, manifest, problems = RunFolder(folder), Manifest(), []
    try:
        manifest = manifests.read(run.manifest)
    except RunError as error:
        problems.append(str(error))
    rows, damage = run.read_rows()
    problems += [damage] * bool(damage)
    under = manifest.evaluation
    own = scores.under(rows, under.protocol) if under else rows
    return Contestant(
        name, source, folder, config, recipe, manifest, numeric(own), "; ".join(problems)
    )


def _recipe(path: Path) -> dict[str, Any] | None:
    """Read a resolved recipe as plain data; None if there is none that can be read."""
    try:
        data = parse(path.read_text(encoding="utf-8", errors="replace"), path.name).plain()
    except (OSError, RecipeError):
        return None
    return data if isinstance(data, dict) else None


def refuse_unlike(contestants: Sequence[Contestant], pictures: bool) -> None:
    """Raise RunError if there are not two different ones, or if they cannot be compared.

    Those that draw from noise are not compared with those that translate photos, nor pictures of
    different sizes.
    """
    if len(contestants) < 2:
        raise RunError("`ganzoo compare` takes two runs or models, or more.")
    places: dict[Path, str] = {}
    for one in contestants:
        place = (one.folder / "model" if one.is_run else one.folder).resolve()
        if place in places:
            raise RunError(f"{places[place]} and {one.name} are the same model. Name each once.")
        places[place] = one.name
    from_noise = [one.name for one in contestants if one.kind == "noise"]
    from_images = [one.name for one in contestants if one.kind == "image"]
    if from_noise and from_images:
        raise RunError(
            f"{from_noise[0]} draws from noise and {from_images[0]} from images: models of "
            "different kinds have nothing to compare."
        )
    sizes = {one.size: one.name for one in contestants if one.size}
    if pictures and len(sizes) > 1:
        makes = " and ".join(f"{name} makes {n}x{n} pictures" for n, name in sizes.items())
        raise RunError(
            f"{makes}, which are not compared. --no-pictures compares scores, curves and recipes."
        )
