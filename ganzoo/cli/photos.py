"""Turn photos into pictures and codes: translate, avatar and encode."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganzoo.cli import completion
from ganzoo.cli.options import Json, Upscale
from ganzoo.cli.results import ModelName, open_model
from ganzoo.cli.training import set_option
from ganzoo.text import say, say_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ganzoo.models.translate_files import Outcome, Plan
    from ganzoo.scan import Scan

Photos = Annotated[
    list[Path], typer.Argument(metavar="PHOTO", help="Photos, videos, and folders of them.")
]
Out = Annotated[Path, typer.Option(metavar="FOLDER", help="Where the pictures go.")]
Sheet = Annotated[
    bool, typer.Option(help="Draw FOLDER-sheet.png: up to 12 photos beside their pictures.")
]
Tile = Annotated[
    int,
    typer.Option(
        min=256, metavar="N", help="Photos of more than N x N pixels go through in tiles."
    ),
]


def add_to(app: typer.Typer) -> None:
    app.command(rich_help_panel="Use a model")(translate)
    app.command(rich_help_panel="Use a model")(avatar)
    app.command(rich_help_panel="Use a model")(encode)


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
    photos: Photos,
    out: Out,
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
    tile: Tile = 512,
    sheet: Sheet = True,
    as_json: Json = False,
) -> None:
    """Turn photos and videos into pictures of the same size, name and format.

    An upscaler, such as ganzoo/upscaler, makes them larger.
    Videos and moving GIFs keep their times and their sound; they need ganzoo[video].
    """
    check_photos(photos)
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
    with progress("translating", work.pictures(), "pictures") as advance:
        outcome = translate(work, translator, advance)
    if (size := translator.size) and outcome.successes and not as_json:
        say(f"the model makes {size}x{size} pictures: photos were resized to that and back")
    _say_outcome(work, outcome, "translated", as_json)


def avatar(
    photos: Photos,
    out: Out,
    overrides: Annotated[list[str], set_option("detector, as min_size=0.05")],
    model: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="A run or model folder, or user/repo; by default ganzoo/photo-avatar.",
            autocompletion=completion.models,
        ),
    ] = None,
    paste: Annotated[
        bool,
        typer.Option("--paste/--crop", help="Put each face back into its photo, or draw it alone."),
    ] = False,
    detector: Annotated[
        str, typer.Option(metavar="NAME", help="What finds faces; `ganzoo list detectors`.")
    ] = "lbp",
    landmarks: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The extractor of 68 landmarks that aligns faces, or none; by default face68 if "
            "its weights are there.",
        ),
    ] = None,
    upscale: Upscale = 1,
    sheet: Sheet = True,
    as_json: Json = False,
) -> None:
    """Draw the faces in photos and videos: each found, upright, and cropped as the model knows it.

    A face becomes FOLDER/NAME-1, the next one FOLDER/NAME-2.  With --paste the photo keeps its size
    and name.  Videos and moving GIFs need ganzoo[video]; each face gets a video of its own.
    """
    check_photos(photos)
    from ganzoo.plugins.manager import installed
    from ganzoo.recipe.single import component

    registry = installed().registry
    spec = component("detector", detector, overrides, registry)
    if landmarks not in (None, "none"):
        registry.get("extractor", landmarks)
    gan = None if model is None else open_model(model)
    from ganzoo.models import avatar as artists
    from ganzoo.models.avatar_files import draw
    from ganzoo.models.translate_files import plan
    from ganzoo.progress import progress

    chosen = {name: spec.arguments[name] for name in (o.partition("=")[0] for o in overrides)}
    finder = artists.finder(registry, spec.use, landmarks, chosen)
    artist, name = artists.artist(gan, finder, registry, upscale=upscale)
    work = plan(photos, out, sheet, is_numbered=not paste)
    # the faces of a video are found first, and then drawn
    with progress("drawing", work.pictures(passes=2), "pictures") as advance:
        outcome = draw(work, artist, paste, advance)
    if not as_json:
        say(f"drawn by {name}, {artist.size}x{artist.size} pixels a face")
    _say_outcome(work, outcome, "drawn", as_json)


def check_photos(photos: Iterable[Path]) -> None:
    """Raise DataError if one of the photos, or of the folders, does not exist."""
    from ganzoo.files import check_exists

    for photo in photos:
        check_exists(photo, "photos, videos, or folders")


def _say_outcome(work: Plan, outcome: Outcome, verb: str, as_json: bool) -> None:
    """Say what was written and what was not; exit with 1 if something failed, 2 if all did."""
    if as_json:
        say_json(outcome.facts())
    else:
        if pngs := [job for job in outcome.successes if job.renamed]:
            names = {job.target.suffix for job in pngs}
            say(f"written as {' and '.join(sorted(names))}: {len(pngs)}")
        for note, sources in outcome.notes.items():
            say(f"{note}: {len(sources)} ({sources[0].name})")
        for done in outcome.successes.values():
            for file, flicker in zip(done.files, done.flicker, strict=False):
                say(f"{file.name}: {flicker}")
        if count := sum(len(done.files) for done in outcome.successes.values()):
            say(f"{count} picture{'s' * (count != 1)} in {work.out}")
        if outcome.sheet:
            say(f"compare them: {outcome.sheet}")
        _say_left_out(work.scans, verb, outcome.failures)
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
