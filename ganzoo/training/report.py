"""``report.html``: one self-contained page about a run, readable with or without JavaScript.

The page's templates are ``report.html`` and ``chart.html`` in this package.  A run in any state has
a report: half-way, stopped, empty.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganzoo.errors import GanzooError, RecipeError, RunError, TrainingStopped
from ganzoo.files import write_atomic
from ganzoo.formats.page import render
from ganzoo.formats.yaml import parse
from ganzoo.models import config as configs
from ganzoo.models import pictures
from ganzoo.plugins.manager import installed
from ganzoo.progress import duration
from ganzoo.recipe.flow import Made, flow
from ganzoo.recipe.recipe import load_recipe
from ganzoo.training import diagnosis, scores
from ganzoo.training import manifest as manifests
from ganzoo.training.charts import COLOURS, Axes, charts_of, number, numeric
from ganzoo.training.manifest import Evaluation, Manifest
from ganzoo.training.run_folder import RunFolder

if TYPE_CHECKING:
    from ganzoo.training.run import Run

#: most grids embedded, and the bytes of the last one and of each earlier one
FRAMES, LAST_BYTES, FRAME_BYTES = 12, 600_000, 125_000


def write_report(folder: RunFolder, out: Path | None = None) -> Path:
    """Write the report of a run in any state, as a whole or not at all; return its path.

    It goes to ``out``, by default into the run.  Raises RunError if it cannot be written.
    """
    path, page = out or folder.report, page_of(folder)
    try:
        write_atomic(path, page.encode("utf-8", "replace").decode("utf-8"))
    except OSError as error:
        raise RunError(
            f"the report cannot be written to {path}: {error.strerror or error}. "
            "`ganzoo report RUN --out FILE` writes it elsewhere."
        ) from error
    return path


def reporting(train: Callable[[], Run], path: Path) -> tuple[Run, str]:
    """Train into the run ``path`` and write its report, even if the training stops.

    Also returns why there is no report, if so.  Only the main process writes it.  A report that
    cannot be written does not hide why a training stopped: it becomes a note of that error.
    """
    try:
        run = train()
    except TrainingStopped as error:
        from accelerate import PartialState

        if PartialState().is_main_process and (problem := _unwritten(path)):
            error.add_note(f"warning: {problem}")
        raise
    return run, _unwritten(path) if run.processes.is_main else ""


def _unwritten(path: Path) -> str:
    """Write the report of the run ``path``; return why it failed, if it did."""
    try:
        write_report(RunFolder.open(path))
    except RunError as error:
        return str(error)
    except Exception as error:  # even a bug in the page must not hide the training's result
        return f"the report of {path} could not be written: {type(error).__name__}: {error}"
    return ""


def page_of(folder: RunFolder) -> str:
    """Write the report of a run in any state, which is only read."""
    try:
        manifest, damage = manifests.read(folder.manifest), ""
    except RunError as error:
        manifest, damage = Manifest(), str(error)
    evaluation = manifest.evaluation
    all_rows, damage_note = folder.read_rows()
    ours = scores.under(all_rows, evaluation.protocol) if evaluation else all_rows
    rows = numeric(ours)
    text = folder.recipe.read_text(encoding="utf-8", errors="replace")
    try:
        recipe = parse(text, folder.recipe.name).plain()
    except RecipeError:  # edited by hand; the page shows it as it is
        recipe = None
    frames = list(_frames(folder))
    step = manifest.step if manifest.status in ("finished", "stopped") else None
    if step is None:
        step = max([row["step"] for row in rows] + [frame.step for frame in frames], default=0)
    stages = _stages(recipe)
    best = _best(evaluation, rows) if evaluation else None
    reason = manifest.reason or "" if manifest.status == "stopped" else ""
    if manifest.status == "running":
        reason = "Still training, or it ended without a word."
    words, colours = _made(folder)
    return render(
        "training/report.html",
        name=manifest.recipe or _at(recipe, "recipe") or folder.path.name,
        status="unknown" if damage else manifest.status,
        reason=damage or reason,
        frames=frames,
        facts=_facts(manifest, recipe, rows, step, sum(steps for _, steps in stages), best),
        too_early=diagnosis.too_early(rows),
        findings=diagnosis.findings(rows),
        lost=damage_note,
        charts=charts_of(
            rows, evaluation.higher_is_better if evaluation else {}, best[0] if best else None
        ),
        end=max([1] + [row["step"] for row in rows]),
        stages=stages,
        axes=Axes,
        commands=_commands(folder, manifest, stages),
        made=words,
        colours=colours,
        recipe=text.split("\n"),
        manifest=dict(_flat(asdict(manifest))),
        number=number,
    )


# -- what the run folder says ---------------------------------------------------------------


def _at(data: Any, *path: str) -> Any:
    for key in path:
        data = data.get(key) if isinstance(data, dict) else None
    return data


def _made(folder: RunFolder) -> tuple[list[Made], dict[str, int]]:
    """Return the words of the recipe that are made, and the colour of each role and player.

    Nothing if the recipe was edited by hand, or needs a plugin that is not here.
    """
    try:
        registry = installed().registry
        recipe = load_recipe(folder.recipe, (), registry)
        words = flow(recipe, registry)
    except GanzooError:
        return [], {}
    players = dict.fromkeys([*COLOURS, *recipe.players])
    colours = {player: i % 6 for i, player in enumerate(players)}
    roles = {role: colours[p] for p, roles in recipe.players.items() for role in roles}
    return words, roles | colours


def _stages(recipe: Any) -> list[tuple[str, int]]:
    stages = _at(recipe, "stages")
    stages = stages if isinstance(stages, list | tuple) else ()
    pairs = [(_at(stage, "name"), _at(stage, "steps")) for stage in stages]
    return [(str(name), steps) for name, steps in pairs if isinstance(steps, int)]


def _best(evaluation: Evaluation, rows: Sequence[diagnosis.Row]) -> tuple[int, str] | None:
    """Return the best step and its score; None if nothing was measured."""
    name = evaluation.primary
    if name not in evaluation.higher_is_better:
        return None
    by_step = scores.scored(rows)
    step = scores.best_step(by_step, name, evaluation.higher_is_better[name])
    if step is None:
        return None
    return step, f"{name} {number(by_step[step][name])} at step {step:,}"


def _facts(
    manifest: Manifest,
    recipe: Any,
    rows: Sequence[diagnosis.Row],
    step: int,
    total: int,
    best: tuple[int, str] | None,
) -> dict[str, str]:
    """Return the facts by their terms; those unknown are empty."""
    over = manifest.status != "running"
    seconds = manifest.seconds if over else None
    if seconds is None:
        seconds = next((r["seconds"] for r in reversed(rows) if "seconds" in r), math.nan)
    where = manifest.environment
    threads = where.get("threads")
    device = [
        where.get("device"),
        where.get("device_name"),
        threads and f"{threads} thread{'s' * (threads != 1)}",
    ]
    precision = manifest.precision
    layout = "channels_last" if precision.get("channels_last") else ""
    size = _at(recipe, "dataset", "size")
    dataset = [_at(recipe, "dataset", key) for key in ("use", "style", "path")]
    dataset += [size and f"{size} px"]
    return {
        "Steps": f"{step:,} of {total:,}" if total else f"{step:,}",
        "Images seen": f"{manifest.images:,}" if over and manifest.images is not None else "",
        "Time": duration(seconds),
        "Speed": f"{step / seconds:.3g} steps/s" if seconds > 0 and step else "",
        "Best": best[1] if best else "",
        "Benchmark": manifest.evaluation.benchmark if manifest.evaluation else "",
        "Device": ", ".join(str(part) for part in device if part),
        "Precision": " ".join(filter(None, [precision.get("format"), layout])),
        "Dataset": ", ".join(str(part) for part in dataset if part),
        "Dataset hash": (manifest.dataset_sha256 or "")[:12],
        "Networks": _networks(recipe),
        "Seed": "" if manifest.seed is None else str(manifest.seed),
    }


def _networks(recipe: Any) -> str:
    """Name the networks: ``dcgan against dcgan``; by role if there are other roles."""
    pair = {role: _at(recipe, role) for role in ("generator", "discriminator")}
    others = _at(recipe, "networks")
    if not (isinstance(others, dict) and others):
        return " against ".join(str(net["use"]) for net in pair.values() if _at(net, "use"))
    return ", ".join(
        f"{role} {_at(net, 'use')}" for role, net in (pair | others).items() if _at(net, "use")
    )


def _commands(
    folder: RunFolder, manifest: Manifest, stages: Sequence[tuple[str, int]]
) -> dict[str, str]:
    """Return commands by their purpose."""
    run = shlex.quote(str(folder.path))
    resume, longer = f"ganzoo resume {run}", ""
    if manifest.status == "finished" and stages:
        longer = f" --set 'stages[{len(stages) - 1}].steps={2 * stages[-1][1]}'"
    commands = {}
    best = shlex.quote(str(folder.best))
    for what, model, path in (
        ("Draw new pictures", folder.model, run),
        ("Draw with the best step's model", folder.best, best),
    ):
        if not (model / configs.FILE).is_file():
            continue
        try:
            noise = configs.read(model / configs.FILE).input.kind == "noise"
        except RunError as error:
            commands[f"{what}: not now"] = str(error)
            continue
        how = f"sample {path} -n 64" if noise else f"translate {path} PHOTO --out drawn"
        commands[what] = f"ganzoo {how}"
    commands["Go on training" + (" for longer" if longer else "")] = resume + longer
    commands["Look for trouble in numbers"] = f"ganzoo diagnose {run}"
    return commands


def _flat(data: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in data.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key} · ")
        elif value is not None:
            yield prefix + key, value


# -- pictures ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Frame:
    step: int
    uri: str
    width: int


def _frames(folder: RunFolder) -> Iterator[_Frame]:
    """Return at most FRAMES grids, evenly chosen, with the first and the last."""
    paths = sorted((p for p in folder.samples.glob("*.png") if p.stem.isdecimal()), key=_step)
    count = min(FRAMES, len(paths))
    for place in range(count):
        path = paths[place * (len(paths) - 1) // max(1, count - 1)]
        if picture := pictures.opened(path):
            last = place == count - 1
            budget = LAST_BYTES if last else FRAME_BYTES
            yield _Frame(_step(path), *pictures.embed(picture, budget))


def _step(path: Path) -> int:
    return int(path.stem)
