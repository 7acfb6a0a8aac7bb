"""Draw from noise: ``ganzoo sample`` and ``ganzoo directions``."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganzoo.cli.options import Json, Upscale
from ganzoo.cli.results import ModelName, open_model
from ganzoo.errors import RunError
from ganzoo.files import check_exists
from ganzoo.text import say, say_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from torch import Tensor

    from ganzoo.interfaces import Generator
    from ganzoo.models.latent_files import Latents
    from ganzoo.models.model import Model

#: names that mean a picture, and would become folders
_NO_GRID = {".avif", ".bmp", ".pdf", ".svg", ".tif", ".tiff"}
#: names that mean a video that ganzoo does not write
_NO_VIDEO = {".avi", ".mkv", ".mov", ".webm"}
#: pictures in a row of a walk; frames between two pictures of a video, and of one by default
_ROW, _LEG, _FRAMES = 8, 32, 256

Seed = Annotated[
    int, typer.Option(min=0, metavar="N", help="The same seed draws the same pictures.")
]
Labels = Annotated[
    list[str],
    typer.Option(
        metavar="NAME=VALUE",
        default_factory=list,
        show_default=False,
        help="What a model with labels draws, as hair=pink; repeatable.",
    ),
]


def add_to(app: typer.Typer) -> None:
    app.command(rich_help_panel="Use a model")(sample)
    app.command(rich_help_panel="Use a model")(directions)


def sample(
    model: ModelName,
    label: Labels,
    direction: Annotated[
        list[str],
        typer.Option(
            metavar="N=AMOUNT",
            default_factory=list,
            show_default=False,
            help="Go along a direction of `ganzoo directions`, as 3=2.0; repeatable.",
        ),
    ],
    n: Annotated[
        int | None,
        typer.Option(
            "-n",
            min=1,
            metavar="N",
            show_default=False,
            help="How many pictures, default 64; frames of a video, default 256.",
        ),
    ] = None,
    seed: Seed = 0,
    out: Annotated[
        Path,
        typer.Option(
            metavar="PATH",
            help="A grid (.png, .jpg, .webp), a video (.gif, .mp4), or a folder of files.",
        ),
    ] = Path("samples.png"),
    interpolate: Annotated[
        bool,
        typer.Option(
            "--interpolate", help="Walk between latents: in rows of 8, or through all of a video."
        ),
    ] = False,
    truncation: Annotated[
        float,
        typer.Option(
            min=0, max=1, metavar="X", help="Less than 1: more usual, and less various, pictures."
        ),
    ] = 1.0,
    latent: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            show_default=False,
            help="Draw the latents of a file of `encode` or `project`.",
        ),
    ] = None,
    text: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TEXT",
            show_default=False,
            help="What to draw, for a model that reads it; repeatable: a row of 8 for each.",
        ),
    ] = None,
    layout: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            show_default=False,
            help="What is where, for a model that reads it; `ganzoo show MODEL` lists the colours.",
        ),
    ] = None,
    upscale: Upscale = 1,
) -> None:
    """Draw pictures from noise."""
    from ganzoo.models import video

    is_video = video.is_video(out)
    _check_out(out, is_video, interpolate)
    labels, amounts = _labels(label), _amounts(direction)
    if latent:
        check_exists(latent, "a file of latents, as `ganzoo encode` writes it")
        if n and not is_video:
            raise RunError(f"-n {n}: --latent draws the latents of its file, once each.")
    gan = open_model(model)
    import torch

    from ganzoo.models import latent_files, samples
    from ganzoo.models.model import device
    from ganzoo.models.upscale import Upscaler
    from ganzoo.progress import progress

    _refuse_photos(gan, model, f"Give it some: ganzoo translate {model} PHOTO --out DIR")
    upscaler = Upscaler(upscale, device()) if upscale != 1 else None
    generator = gan.generator.to(device())
    conditions = _conditions(generator, {"layout": layout, "text": text or None}, labels)
    edit = gan.edit(truncation, amounts)
    stops = latent_files.read(latent, generator) if latent else None
    batches: Iterable[Tensor]
    columns = _ROW if interpolate else None
    rows = max([1, *map(len, conditions.values())])
    if rows > 1 and (interpolate or stops):
        raise RunError(
            f"--text: {rows} texts are a row of pictures each; a walk, or --latent, takes one."
        )
    if interpolate:
        words = _walk(gan, n, seed, labels, stops, is_video)
        n = len(words["latent"])
        batches = samples.drawn(generator, {**words, "latent": edit(words["latent"])}, conditions)
    elif stops:
        words = stops.inputs(generator, seed, labels)
        n = len(words["latent"])
        batches = samples.drawn(generator, {**words, "latent": edit(words["latent"])}, conditions)
    elif rows > 1:
        columns = n or _ROW
        n = columns * rows
        words = samples.inputs(generator, columns, seed, labels, conditions={})
        words = {k: torch.cat([value] * rows) for k, value in words.items()}
        words |= {k: value.repeat_interleave(columns, 0) for k, value in conditions.items()}
        batches = samples.drawn(generator, {**words, "latent": edit(words["latent"])})
    else:
        n = n or 64
        batches = samples.stream(generator, n, seed, labels, edit, conditions)

    def counted(advance: Callable[[int], None]) -> Iterator[Tensor]:
        for batch in batches:
            yield upscaler.batch(batch) if upscaler else batch
            advance(len(batch))

    try:
        with progress("drawing", n, "pictures") as advance:
            if is_video:
                video.write(samples.pixels(counted(advance)), out)
            else:
                samples.write(counted(advance), n, out, columns=columns)
    except OSError as error:
        raise RunError(f"--out {out} cannot be written: {error.strerror or error}.") from error
    if is_video:
        say(f"{n / video.RATE:.3g} seconds in {out}")
    else:
        say(f"{n} {'picture' if n == 1 else 'pictures'} in {out}")


def _conditions(
    generator: Generator, values: Mapping[str, object], labels: Mapping[str, str]
) -> dict[str, Tensor]:
    """Read what the model is asked for; say what it left out of that."""
    from ganzoo.models import samples

    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always")
        conditions = samples.read_conditions(generator, values, labels)
    for note in notes:
        say(note.message, err=True)
    return conditions


def _check_out(out: Path, is_video: bool, interpolate: bool) -> None:
    """Raise RunError if ``--out`` is no place for what is drawn."""
    from ganzoo.models import video

    ending = out.suffix.lower()
    if is_video and not interpolate:
        raise RunError(f"--out {out}: a video is a walk between latents: add --interpolate.")
    if is_video:
        video.check(out)
    if ending in _NO_VIDEO:
        raise RunError(f"--out {out}: a video is a .gif or .mp4; else name a folder.")
    if ending in _NO_GRID:
        raise RunError(f"--out {out}: a grid is a .png, .jpg or .webp; else name a folder.")
    for file in ("recipe.yaml", "config.json"):
        if (out / file).is_file():
            raise RunError(f"--out {out} is a run or model folder: name another for the pictures.")


def _labels(items: list[str]) -> dict[str, str]:
    labels = {}
    for item in items:
        attribute, equals, value = item.partition("=")
        if not equals:
            raise RunError(f"--label {item}: write it as NAME=VALUE, for example hair=pink.")
        labels[attribute.strip()] = value.strip()
    return labels


def _amounts(items: list[str]) -> dict[int, float]:
    amounts = {}
    for item in items:
        number, _, amount = item.partition("=")
        try:
            amounts[int(number)] = float(amount)
        except ValueError:
            raise RunError(f"--direction {item}: write it as NUMBER=AMOUNT, as 3=2.0.") from None
    return amounts


def _refuse_photos(gan: Model, name: str, remedy: str) -> None:
    if gan.config.input.kind != "noise":
        raise RunError(f"{name} turns images into images; it does not draw from noise. {remedy}")


def _walk(
    gan: Model,
    n: int | None,
    seed: int,
    labels: Mapping[str, str],
    stops: Latents | None,
    is_video: bool,
) -> dict[str, Tensor]:
    """Return the inputs of a walk through ``stops``, or through latents of the seed.

    A row of a grid keeps its labels, and so does a video: labels have nothing between them.
    """
    import torch

    from ganzoo.models import samples, walks

    generator = gan.generator
    if is_video:
        frames = n or (_LEG * len(stops.values) if stops else _FRAMES)
        count = max(2, round(frames / _LEG))
        points = stops.values if stops else samples.latents(generator, seed, count)
        rows, latents = 1, walks.loop(points, frames)
    elif stops:
        pairs = torch.stack([stops.values[:-1], stops.values[1:]], 1)
        if not len(pairs):
            raise RunError("--interpolate: the file of --latent has one latent; a walk needs two.")
        rows, latents = len(pairs), walks.rows(pairs, _ROW)
    else:
        rows = -(-(n or 64) // _ROW)
        pairs = samples.latents(generator, seed, 2 * rows).unflatten(0, (rows, 2))
        latents = walks.rows(pairs, _ROW)
    if stops:
        indices = stops.inputs(generator, seed, labels).get("label")
    else:
        indices = samples.labels(generator, seed, rows, labels)
    if indices is None:
        return {"latent": latents}
    return {
        "latent": latents,
        "label": indices[:rows].repeat_interleave(len(latents) // rows, 0),
    }


def directions(
    model: ModelName,
    label: Labels,
    n: Annotated[int, typer.Option("-n", min=1, metavar="N", help="How many, at most.")] = 8,
    seed: Seed = 0,
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="A sheet that shows what each does.")
    ] = Path("directions.png"),
    as_json: Json = False,
) -> None:
    """Find what a model's latents can change, without labels, and draw it.

    Directions are the principal components of the generator's first layer.  A row of the sheet is
    one direction: two faces, moved along it by -4, -2, 0, 2 and 4 standard deviations.  `ganzoo
    sample MODEL --direction 3=2.0` goes along number 3.
    """
    labels = _labels(label)
    if out.suffix.lower() not in {".png", ".jpg", ".jpeg", ".webp"}:
        raise RunError(f"--out {out}: the sheet is a .png, .jpg or .webp.")
    gan = open_model(model)
    from ganzoo.models.direction_sheet import sheet
    from ganzoo.models.model import device

    _refuse_photos(gan, model, "So it has no latents, and no directions.")
    gan.generator.to(device())
    axes = gan.directions()
    n = min(n, len(axes))
    picture = sheet(gan, n, seed, labels)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        picture.save(out)
    except OSError as error:
        raise RunError(f"--out {out} cannot be written: {error.strerror or error}.") from error
    if as_json:
        say_json(
            {
                "layer": axes.layer,
                "shares": [round(share, 6) for share in axes.shares.tolist()],
                "sheet": str(out),
            }
        )
        return
    shares = (f"{number}: {share:.1%}" for number, share in enumerate(axes.shares[:n].tolist()))
    say(f"{n} of {len(axes)} directions, and their shares of the change in layer '{axes.layer}':")
    say("  " + ", ".join(shares))
    say(f"what each does: {out}")
    say(f"next: ganzoo sample {model} --direction 0=2.0")
