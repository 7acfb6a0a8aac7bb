"""Use models and runs: import, export, report and diagnose."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganzoo.cli import completion
from ganzoo.cli.options import Json
from ganzoo.cli.training import RunPath
from ganzoo.errors import RunError
from ganzoo.models.hub_id import from_address
from ganzoo.progress import status
from ganzoo.text import say, say_json

if TYPE_CHECKING:
    from torch import nn

    from ganzoo.models.model import Model

ModelName = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A run or model folder, or user/repo from the Hub.",
        autocompletion=completion.models,
    ),
]


def add_to(app: typer.Typer) -> None:
    app.command("import", rich_help_panel="Use a model")(import_)
    app.command(rich_help_panel="Use a model")(export)
    app.command(rich_help_panel="Train")(report)
    app.command(rich_help_panel="Train")(diagnose)


def open_model(name: str) -> Model:
    """Open the model that MODEL names, on the CPU."""
    from ganzoo.hub.locate import load, locate
    from ganzoo.models.folder import find
    from ganzoo.plugins.manager import installed

    registry = installed().registry
    place = locate(name, registry)
    if place.note:
        say(place.note, err=True)
    find(place.folder)
    with status(f"opening {name}"):
        return load(place, registry)  # imports torch, so cheap mistakes come first


def import_(
    format: Annotated[
        str,
        typer.Argument(
            metavar="FORMAT",
            help="A name from `ganzoo list importers`.",
            autocompletion=completion.importers,
        ),
    ],
    path: Annotated[Path, typer.Argument(metavar="PATH", help="The weights: a file or folder.")],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="The new model folder.")],
) -> None:
    """Make a model folder from another project's weights."""
    from ganzoo.files import check_exists
    from ganzoo.models.folder import refuse_taken
    from ganzoo.plugins.manager import installed

    registry = installed().registry
    registry.get("importer", format)
    refuse_taken(out)
    check_exists(path, "the weights")
    from ganzoo.models.model import load  # imports torch, so cheap mistakes come first
    from ganzoo.models.writing import import_weights

    source = import_weights(format, path, out, registry).source
    licence = source.get("licence")
    say(f"{source.get('title', path)} in {out}")
    if licence:
        say(f"licence: {licence}")
    if load(out, registry).config.input.kind == "image":
        say(f"next: ganzoo translate {out} PHOTO... --out drawn")
    else:
        say(f"next: ganzoo sample {out}")


class Format(StrEnum):
    """The kind of file."""

    onnx = "onnx"
    torch_export = "torch-export"


def export(
    model: ModelName,
    format: Annotated[Format, typer.Option(help="onnx runs anywhere; torch-export in PyTorch.")],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Default the model's name, .onnx or .pt2.")
    ] = None,
    role: Annotated[
        str, typer.Option(metavar="ROLE", help="Another network of the model, such as encoder.")
    ] = "generator",
) -> None:
    """Write the generator, or another network, as one file for other programs.

    The file is tested against the original at three sizes, and states the largest difference.
    """
    suffix = {"onnx": "onnx", "torch-export": "pt2"}[format.value]
    name = Path(from_address(model).partition("@")[0]).resolve().name
    name += f"-{role}" if role != "generator" else ""
    out = out or Path(f"{name}.{suffix}")
    if out.suffix != f".{suffix}":  # it might replace some other file
        raise RunError(f"--out {out}: a file for {format.value} is called NAME.{suffix}.")
    gan = open_model(model)
    from ganzoo.models import roles
    from ganzoo.models.config import text as config_text
    from ganzoo.models.export import export
    from ganzoo.plugins.manager import installed

    about = {"model": model, "role": role, "config": config_text(gan.config)}
    network: nn.Module = gan.generator
    if role != "generator":
        network = roles.network(role, gan.config, gan.path, installed().registry)
    with status(f"exporting, and comparing with {model}"):
        parity = export(network, format.value, out, about, gan.generator)
    say(f"{out}: {out.stat().st_size / 1e6:.1f} MB")
    shapes = ", ".join("x".join(map(str, next(iter(s.values())))) for s in parity.shapes)
    scale = " in [-1, 1]" if "image" in parity.output else ""
    say(f"at most {parity.difference:.1g} off{scale}, with inputs of {shapes}")
    for name, what in {**parity.inputs, **parity.output}.items():
        say(f"  {name}: {what}")
    names = ", ".join(f'"{n}": {n}' for n in parity.inputs)
    keywords, (result,) = ", ".join(f"{n}={n}" for n in parity.inputs), parity.output
    how = {
        "onnx": f'onnxruntime.InferenceSession("{out}").run(["{result}"], {{{names}}})',
        "torch-export": f'torch.export.load("{out}").module()({keywords})',
    }
    say(f"next: {how[format.value]}")


def report(
    run: RunPath,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The page; default RUN/report.html.")
    ] = None,
) -> None:
    """Write report.html: curves, grids, findings and recipe."""
    from ganzoo.training.report import write_report
    from ganzoo.training.run_folder import RunFolder

    say(write_report(RunFolder.open(run), out))


def diagnose(
    run: RunPath,
    as_json: Json = False,
) -> None:
    """Report training problems in numbers; exit code 1 if there are any."""
    from ganzoo.training import diagnosis
    from ganzoo.training.run_folder import RunFolder

    rows, damage = RunFolder.open(run).read_rows()
    if damage:
        say(f"warning: {damage}", err=True)
    if not rows:
        raise RunError(f"{run} has no metrics yet.")
    findings = diagnosis.findings(rows)
    if as_json:
        say_json([finding.as_dict() for finding in findings])
    elif findings:
        say(*findings)
    elif why := diagnosis.too_early(rows):
        say(f"too early to say, at step {rows[-1]['step']}: {why}")
    else:
        say(f"these numbers show no problem at step {rows[-1]['step']}")
    raise typer.Exit(1 if findings else 0)
