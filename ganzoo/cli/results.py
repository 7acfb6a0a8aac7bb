"""Use models and runs: translate, encode, import, export, report and diagnose."""

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
    from collections.abc import Iterable, Mapping

    from torch import nn

    from ganzoo.models.model import Model
    from ganzoo.scan import Scan

ModelName = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A run or model folder, or user/repo from the Hub.",
        autocompletion=completion.models,
    ),
]


def add_to(app: typer.Typer) -> None:
    app.command(rich_help_panel="Use a model")(translate)
    app.command(rich_help_panel="Use a model")(encode)
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


class Precision(StrEnum):
    """The generator's number format."""

    auto = "auto"
    fp32 = "fp32"
    bf16 = "bf16"


class Backend(StrEnum):
    """The engine that runs the generator."""

    torch = "torch"
    openvino = "openvino"


def translate(
    model: ModelName,
    photos: Annotated[list[Path], typer.Argument(metavar="PHOTO", help="Files and folders.")],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the pictures go.")],
    precision: Annotated[
        Precision,
        typer.Option(
            help="bf16: a level or two of 255 off, and about twice as fast on CPUs that have it; "
            "auto: bf16 on those, else fp32."
        ),
    ] = Precision.auto,
    backend: Annotated[
        Backend, typer.Option(help="openvino: faster still on CPUs; needs ganzoo[openvino].")
    ] = Backend.torch,
    tile: Annotated[
        int,
        typer.Option(
            min=256, metavar="N", help="Photos of more than N x N pixels go through in tiles."
        ),
    ] = 512,
    sheet: Annotated[
        bool, typer.Option(help="Draw FOLDER-sheet.png: up to 12 photos beside their pictures.")
    ] = True,
) -> None:
    """Turn photos into pictures of the same size, name and format."""
    from ganzoo.files import check_exists

    for photo in photos:
        check_exists(photo, "photos, or folders")
    gan = open_model(model)
    from ganzoo.models.model import device
    from ganzoo.models.precision import CPU, inference_format, native_bf16
    from ganzoo.models.translate import Translator
    from ganzoo.models.translate_files import plan, translate
    from ganzoo.progress import progress

    where = CPU if backend is Backend.openvino else device()
    if precision is Precision.auto:
        precision = Precision(inference_format(gan.generator, where))
    elif precision is Precision.bf16 and where == CPU and not native_bf16(CPU):
        say("warning: this CPU emulates bf16: --precision fp32 is faster.", err=True)
    compiler = None
    if backend is Backend.openvino:
        from ganzoo.models.openvino import compiler as make

        compiler = make(precision.value)
    translator = Translator(gan.generator, where, precision.value, tile, compiler)
    work = plan(photos, out, sheet)
    with progress("translating", len(work.jobs), "pictures") as advance:
        outcome = translate(work, translator, advance)
    count = len(outcome.successes)
    if (size := translator.size) and count:
        say(f"the model makes {size}x{size} pictures: photos were resized to that and back")
    if pngs := [job for job in outcome.successes if job.renamed]:
        say(f"written as .png: {len(pngs)}")
    for note, sources in outcome.notes.items():
        say(f"{note}: {len(sources)} ({sources[0].name})")
    if count:
        say(f"{count} picture{'s' * (count != 1)} in {work.out}")
    if outcome.sheet:
        say(f"compare them: {outcome.sheet}")
    _say_left_out(work.scans, "translated", outcome.failures)
    if outcome.failures:
        raise typer.Exit(1 if outcome.successes else 2)


def encode(
    model: ModelName,
    photos: Annotated[list[Path], typer.Argument(metavar="IMAGE", help="Files and folders.")],
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="A new folder for the codes and a sheet.")
    ],
) -> None:
    """Write the codes of images, and a sheet of what the model draws from them.

    For models with an encoder, of which `ganzoo list encoders` shows some.  Images are cut to their
    middle square and resized to the model's size.
    """
    from ganzoo.files import check_exists
    from ganzoo.models.folder import refuse_taken

    for photo in photos:
        check_exists(photo, "images, or folders")
    refuse_taken(out, "the codes")
    gan = open_model(model)
    from ganzoo.models import encode_files
    from ganzoo.models.model import device
    from ganzoo.progress import progress

    gan.require_encoder().to(device())
    gan.generator.to(device())
    images, scans = encode_files.sources(photos)
    with progress("encoding", len(images), "images") as advance:
        outcome = encode_files.encode(images, gan, out, advance)
    for note, paths in outcome.notes.items():
        say(f"{note}: {len(paths)} ({paths[0].name})")
    if count := outcome.count:
        say(f"{count} code{'s' * (count != 1)} in {out / encode_files.CODES}")
    if outcome.has_sheet:
        say(f"compare them: {out / encode_files.SHEET}")
    elif count:
        say("no sheet: the generator of this model draws from photos, not from codes")
    _say_left_out(scans, "encoded", outcome.failures)
    if outcome.failures:
        raise typer.Exit(1 if outcome.count else 2)


def _say_left_out(scans: Iterable[Scan], verb: str, failures: Mapping[Path, str]) -> None:
    for scan in scans:
        if scan.others:
            say(f"not looked at in {scan.path}: {scan.not_looked_at()}", err=True)
    if failures:
        say(f"not {verb}: {len(failures)}", err=True)
    for source, reason in failures.items():
        say(f"  {source}: {reason}", err=True)


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
