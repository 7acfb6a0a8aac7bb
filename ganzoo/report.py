"""``report.html``: one self-contained page about a run, readable with or without JavaScript.

The page's frame is ``report.html`` in this package, its charts come from ``charts.py``.
Everything the run says is escaped, and a run in any state has a report: half-way, stopped, empty.
"""

from __future__ import annotations

import base64
import io
import json
import math
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from PIL import Image

from ganzoo import findings
from ganzoo.charts import draw_all, number
from ganzoo.errors import RecipeError, RunError
from ganzoo.files import write_atomic
from ganzoo.folder import RunFolder
from ganzoo.yaml12 import parse

#: grids embedded at most, and the bytes that the last one and each earlier one may take
FRAMES, LAST_BYTES, FRAME_BYTES = 12, 600_000, 125_000


def write_report(folder: RunFolder) -> Path:
    """Write the report of a run in any state, as a whole or not at all; its path.

    Raises RunError where the run cannot be read or the page cannot be written.
    """
    try:
        page = _page(folder)
        write_atomic(folder.report, page.encode("utf-8", "replace").decode("utf-8"))
    except OSError as error:
        raise RunError(f"cannot write the report of {folder.path}: {error}") from error
    return folder.report


def _page(folder: RunFolder) -> str:
    rows = [_numbers(row) for row in folder.rows() if 0 <= row["step"] < 1e15]
    text = folder.recipe.read_text(encoding="utf-8", errors="replace")
    try:
        recipe = parse(text, folder.recipe.name).plain()
    except RecipeError:  # edited by hand; the page shows it as it is
        recipe = None
    manifest = _json(folder.manifest)
    frames = list(_frames(folder))
    over = manifest.get("status") in ("finished", "stopped")
    step = manifest.get("step") if over else None
    if not isinstance(step, int):
        step = max([row["step"] for row in rows] + [frame.step for frame in frames], default=0)
    stages = _stages(recipe)
    name = manifest.get("recipe") or _at(recipe, "recipe") or folder.path.name
    template = Template(resources.files("ganzoo").joinpath("report.html").read_text("utf-8"))
    return template.substitute(
        name=escape(str(name)),
        status=_status(manifest),
        samples=_samples(frames),
        facts=_facts(manifest, recipe, rows, step, sum(steps for _, steps in stages)),
        findings=_findings(rows),
        curves=draw_all(rows, stages) or "<p class=note>Nothing has been logged yet.</p>",
        commands=_commands(folder, manifest, stages),
        recipe=escape(text),
        manifest="".join(_table(manifest)),
    )


# -- what the run folder says ---------------------------------------------------------------


def _numbers(row: dict[str, Any]) -> dict[str, Any]:
    """The row without what is no number; whatever is not finite becomes NaN."""
    numbers = {
        key: float(value) if abs(value) < 1e100 else math.nan
        for key, value in row.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    return numbers | {"step": int(row["step"])}


def _json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _at(data: Any, *path: str) -> Any:
    for key in path:
        data = data.get(key) if isinstance(data, dict) else None
    return data


def _stages(recipe: Any) -> list[tuple[str, int]]:
    stages = _at(recipe, "stages")
    stages = stages if isinstance(stages, list | tuple) else ()
    found = [(_at(stage, "name"), _at(stage, "steps")) for stage in stages]
    return [(str(name), steps) for name, steps in found if isinstance(steps, int)]


def _status(manifest: dict[str, Any]) -> str:
    status = str(manifest.get("status") or "unknown")
    reason = str(manifest.get("reason") or "")
    if status != "stopped":
        reason = "Still training, or ended without a word." if status == "running" else ""
    kind = status if status in ("finished", "stopped") else "open"
    return f'<p class="status {kind}"><b>{escape(status)}</b> {escape(reason)}</p>'


def _facts(
    manifest: dict[str, Any], recipe: Any, rows: Sequence[findings.Row], step: int, total: int
) -> str:
    seconds = manifest.get("seconds") if manifest.get("status") != "running" else None
    if not isinstance(seconds, int | float):
        seconds = next((r["seconds"] for r in reversed(rows) if "seconds" in r), math.nan)
    where = manifest.get("environment")
    threads = _at(where, "threads")
    device = [_at(where, "device"), _at(where, "device_name"), threads and f"{threads} threads"]
    size = _at(recipe, "dataset", "size")
    dataset = [_at(recipe, "dataset", key) for key in ("use", "style", "path")]
    dataset += [size and f"{size} px"]
    nets = [_at(recipe, player, "use") for player in ("generator", "discriminator")]
    images = manifest.get("images") if manifest.get("status") != "running" else None
    sha = str(manifest.get("dataset_sha256") or "")
    facts = {
        "Steps": f"{step:,} of {total:,}" if total else f"{step:,}",
        "Images seen": f"{images:,}" if isinstance(images, int) else "",
        "Time": _duration(seconds),
        "Speed": f"{step / seconds:.3g} steps/s" if seconds > 0 and step else "",
        "Device": ", ".join(str(part) for part in device if part),
        "Dataset": ", ".join(str(part) for part in dataset if part),
        "Dataset hash": sha[:12],
        "Networks": " against ".join(str(net) for net in nets if net),
        "Seed": str(manifest.get("seed", "")),
    }
    return "".join(
        f"<div><dt>{name}</dt><dd>{escape(fact)}</dd></div>" for name, fact in facts.items() if fact
    )


def _duration(seconds: float) -> str:
    if not 0 <= seconds < 1e9:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{seconds:.3g} s"


def _findings(rows: Sequence[findings.Row]) -> str:
    if sum(row["step"] > findings.WARM_UP for row in rows) < findings.PATIENCE:
        return (
            f"<p>Too early to say: the rules look at {findings.PATIENCE} logged rows "
            f"after step {findings.WARM_UP}.</p>"
        )
    cards = [
        f'<article class="finding"><h3>{escape(f.name)} <small>{escape(f.subject)}</small></h3>'
        f"<p>{escape(f.remedy)}</p><p class=note>since step {f.step:,} · value {number(f.value)}"
        f" · threshold {number(f.threshold)}</p></article>"
        for f in findings.find(rows)
    ]
    fine = "<p>Nothing wrong that these numbers show; the pictures have the last word.</p>"
    return "".join(cards) or fine


def _commands(folder: RunFolder, manifest: dict[str, Any], stages: Sequence[Any]) -> str:
    run = shlex.quote(str(folder.path))
    resume, longer = f"ganzoo resume {run}", ""
    if manifest.get("status") == "finished" and stages:
        longer = f" --set 'stages[{len(stages) - 1}].steps={2 * stages[-1][1]}'"
    commands = {"Go on training" + (" for longer" if longer else ""): resume + longer}
    if _json(folder.model / "config.json").get("input") == "noise":
        commands = {"Draw new pictures": f"ganzoo sample {run} -n 64"} | commands
    commands["Look for trouble in numbers"] = f"ganzoo diagnose {run}"
    return "".join(
        f"<div><dt>{title}</dt><dd><code>{escape(command)}</code></dd></div>"
        for title, command in commands.items()
    )


def _table(data: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in data.items():
        if isinstance(value, dict):
            yield from _table(value, f"{prefix}{key} · ")
        elif value is not None:
            yield f"<tr><th>{escape(prefix + key)}</th><td>{escape(str(value))}</td></tr>"


# -- pictures ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Frame:
    step: int
    uri: str
    width: int


def _frames(folder: RunFolder) -> Iterator[_Frame]:
    """At most FRAMES grids, evenly chosen, the first and the last among them."""
    paths = sorted((p for p in folder.samples.glob("*.png") if p.stem.isdecimal()), key=_step)
    count = min(FRAMES, len(paths))
    for place in range(count):
        path = paths[place * (len(paths) - 1) // max(1, count - 1)]
        try:
            with Image.open(path) as image:
                picture = image.convert("RGB")
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
            continue  # cut short by a crash
        last = place == count - 1
        yield _Frame(_step(path), *_embed(picture, LAST_BYTES if last else FRAME_BYTES))


def _step(path: Path) -> int:
    return int(path.stem)


def _embed(picture: Image.Image, budget: int) -> tuple[str, int]:
    """A data URI of at most ``budget`` bytes of image, and the image's width in it.

    PNG if it fits, else JPEG with full colour resolution, else the same at half the size.
    """
    kinds: tuple[tuple[str, dict[str, Any]], ...] = (
        ("png", {}),
        ("jpeg", {"quality": 92, "subsampling": 0}),
        ("jpeg", {"quality": 82, "subsampling": 0}),
    )
    while True:
        for kind, options in kinds:
            file = io.BytesIO()
            picture.save(file, kind, **options)
            if file.tell() <= budget:
                data = base64.b64encode(file.getvalue()).decode()
                return f"data:image/{kind};base64,{data}", picture.width
        picture = picture.reduce(2)


def _samples(frames: Sequence[_Frame]) -> str:
    if not frames:
        return "<p class=note>No samples have been drawn yet.</p>"
    *earlier, last = frames
    zoom = max(1, 640 // last.width)  # whole pixels, so that small pictures stay crisp
    sharp = ' class="sharp"' if zoom > 1 else ""
    strip = "".join(
        f'<figure data-step="{frame.step:,}"><img src="{frame.uri}" '
        f'alt="Samples at step {frame.step:,}"><figcaption>{frame.step:,}</figcaption></figure>'
        for frame in earlier
    )
    return (
        f'<div style="max-width:{last.width * zoom}px"><figure class="final" '
        f'data-step="{last.step:,}"><img{sharp} src="{last.uri}" '
        f'alt="Samples at step {last.step:,}"><figcaption><b>Step {last.step:,}</b></figcaption>'
        "</figure>" + (f'<div class="strip">{strip}</div>' if strip else "") + "</div>"
    )
