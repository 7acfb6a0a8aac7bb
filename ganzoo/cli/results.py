"""``ganzoo sample``, ``ganzoo report`` and ``ganzoo diagnose``: what a run has made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from ganzoo.errors import RunError

ModelFolder = Annotated[Path, typer.Argument(metavar="MODEL", help="A run or model folder.")]
RunPath = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")]
#: names that mean a picture, and would become folders
_NO_GRID = {".avif", ".bmp", ".gif", ".pdf", ".svg", ".tif", ".tiff"}


def add_to(app: typer.Typer) -> None:
    """Add this group's verbs."""
    app.command()(sample)
    app.command()(report)
    app.command()(diagnose)


def sample(
    model: ModelFolder,
    label: Annotated[
        list[str],
        typer.Option(
            metavar="NAME=VALUE",
            default_factory=list,
            show_default=False,
            help="What a conditional model shall draw, as hair=pink; repeatable.",
        ),
    ],
    n: Annotated[int, typer.Option("-n", min=1, metavar="N", help="How many pictures.")] = 64,
    seed: Annotated[
        int, typer.Option(min=0, metavar="N", help="The same seed draws the same pictures.")
    ] = 0,
    out: Annotated[
        Path,
        typer.Option(metavar="PATH", help="A grid (.png, .jpg, .webp), or a folder of files."),
    ] = Path("samples.png"),
    interpolate: Annotated[
        bool, typer.Option("--interpolate", help="Rows of 8 that walk between two latents.")
    ] = False,
) -> None:
    """Draw pictures from noise."""
    if interpolate and label:
        raise RunError("--interpolate draws its labels itself: leave out --label.")
    if out.suffix.lower() in _NO_GRID:
        raise RunError(f"--out {out}: a grid is a .png, .jpg or .webp; else name a folder.")
    for file in ("recipe.yaml", "config.json"):
        if (out / file).is_file():
            raise RunError(f"--out {out} is a run or model folder: name another for the pictures.")
    chosen = dict(_pair(item) for item in label)
    from ganzoo import samples
    from ganzoo.model import device, load
    from ganzoo.plugins import installed

    loaded = load(model, installed().registry)
    if loaded.config["input"] != "noise":
        raise RunError(f"{model} turns images into images; it does not draw from noise.")
    generator = loaded.generator.to(device())
    if interpolate:
        pictures = samples.interpolate(generator, -(-n // 8), seed)
    else:
        pictures = samples.sample(generator, n, seed, chosen)
    try:
        paths = samples.write(pictures, out, columns=8 if interpolate else None)
    except OSError as error:
        raise RunError(f"--out {out} cannot be written: {error.strerror or error}.") from error
    typer.echo(f"{len(pictures)} pictures in {paths[0] if len(paths) == 1 else out}")


def _pair(item: str) -> tuple[str, str]:
    name, equals, value = item.partition("=")
    if not equals:
        raise RunError(f"--label {item}: write it as NAME=VALUE, for example hair=pink.")
    return name.strip(), value.strip()


def report(run: RunPath) -> None:
    """Write report.html: curves, grids, findings and recipe."""
    from ganzoo.folder import RunFolder
    from ganzoo.report import write_report

    typer.echo(f"{write_report(RunFolder.open(run))}")


def diagnose(
    run: RunPath,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say in numbers what is wrong; exit code 1 if something is."""
    from ganzoo.findings import find
    from ganzoo.folder import RunFolder

    rows = RunFolder.open(run).rows()
    if not rows:
        raise RunError(f"{run} has no metrics yet.")
    found = find(rows)
    if as_json:
        typer.echo(json.dumps([finding.as_dict() for finding in found], indent=1))
    elif found:
        typer.echo("\n".join(map(str, found)))
    else:
        typer.echo(f"nothing wrong that these numbers show, at step {rows[-1]['step']}")
    raise typer.Exit(1 if found else 0)
