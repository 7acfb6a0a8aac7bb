"""``ganzoo stylize``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganzoo.errors import DataError, RunError
from ganzoo.files import check_exists
from ganzoo.text import say

if TYPE_CHECKING:
    from PIL import Image

    from ganzoo_style.transfer import Look


class Optimizer(StrEnum):
    """How the picture is searched."""

    lbfgs = "lbfgs"
    adam = "adam"


class Start(StrEnum):
    """Where the search begins."""

    photo = "photo"
    noise = "noise"


def stylize(
    photo: Annotated[list[Path], typer.Argument(metavar="PHOTO", help="What to draw again.")],
    style: Annotated[
        list[Path],
        typer.Option(metavar="DRAWING", help="A picture in the style; repeatable, for a mixture."),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="A folder for the results.")],
    share: Annotated[
        list[float],
        typer.Option(
            metavar="X",
            default_factory=list,
            show_default=False,
            help="How much each --style counts, in their order; by default alike. Repeatable.",
        ),
    ],
    extractor: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="The network that sees style; `ganzoo list extractors` has more."
        ),
    ] = "efficientnet-lite0",
    steps: Annotated[int, typer.Option(min=1, metavar="N", help="Steps of the search.")] = 200,
    size: Annotated[
        int, typer.Option(min=32, max=2048, metavar="N", help="Longer side of the result.")
    ] = 256,
    strength: Annotated[
        float, typer.Option(min=0, metavar="X", help="More style for more than 1, less for less.")
    ] = 1.0,
    scale: Annotated[
        float,
        typer.Option(
            min=0.1, max=4, metavar="X", help="Size of the strokes, as shares of the style's own."
        ),
    ] = 1.0,
    keep_colors: Annotated[
        bool, typer.Option("--keep-colors", help="Keep the photo's colours; take lightness alone.")
    ] = False,
    optimizer: Annotated[
        Optimizer, typer.Option(help="lbfgs is the paper's; adam needs less memory.")
    ] = Optimizer.lbfgs,
    start: Annotated[Start, typer.Option(help="What the search starts from.")] = Start.photo,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Of the noise.")] = 0,
    every: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", show_default=False, help="Keep a picture every N steps too."
        ),
    ] = None,
) -> None:
    """Draw photos again in the style of other pictures.

    Moves the photo's pixels until a network sees the photo's shapes and the style's textures and
    colours (Gatys et al. 2016). Nothing is trained. With efficientnet-lite0 it works offline; the
    paper's network is vgg19, whose weights are fetched once.
    """
    styles = [_read(path, "--style") for path in style]
    if share and len(share) != len(styles):
        raise RunError(f"{len(share)} --share for {len(styles)} --style: give one for each.")
    for bad in (one for one in share if not one > 0):
        raise RunError(f"--share {bad}: it is more than 0.")
    _check(photo, out)
    from ganzoo.progress import progress
    from ganzoo_style.transfer import stylize as draw
    from ganzoo_style.transfer import to_image

    for path in photo:
        source = _read(path, "PHOTO")
        target, done = out / f"{path.stem}.png", 0
        with progress(f"drawing {path.name}", steps, "steps") as advance:

            def look(one: Look, target: Path = target) -> None:
                nonlocal done
                if every and one.step // every > done // every and one.step < steps:
                    _write(to_image(one.image), target.with_stem(f"{target.stem}-{one.step:05d}"))
                advance(one.step - done)
                done = one.step

            result = draw(
                source,
                styles,
                shares=share or None,
                extractor=extractor,
                steps=steps,
                size=size,
                strength=strength,
                scale=scale,
                keep_colors=keep_colors,
                optimizer=optimizer.value,
                start=start.value,
                seed=seed,
                look=look,
            )
            advance(steps - done)
        _write(result, target)
        say(f"{target}")


def _check(photos: list[Path], out: Path) -> None:
    """Raise RunError if two photos would become one file, or ``out`` is a file."""
    if out.exists() and not out.is_dir():
        raise RunError(f"--out {out} is a file: name a folder.")
    targets: dict[str, Path] = {}
    for path in photos:
        check_exists(path, "a photo")
        if other := targets.get(path.stem):
            raise RunError(f"{other} and {path} would both become {out / path.stem}.png.")
        targets[path.stem] = path
        if (out / f"{path.stem}.png").resolve() == path.resolve():
            raise RunError(f"--out {out}: {path} would be replaced. Name another folder.")


def _read(path: Path, what: str) -> Image.Image:
    """Open an image as RGB; raises DataError if it cannot be used."""
    from ganzoo.images import read

    image = read(path).image
    if min(image.size) < 8:
        raise DataError(
            f"{what} {path} has {image.width}x{image.height} pixels, too few to see anything in: "
            "8 are the least."
        )
    return image


def _write(picture: Image.Image, target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        picture.save(target)
    except OSError as error:
        raise RunError(f"{target} cannot be written: {error.strerror or error}.") from error
