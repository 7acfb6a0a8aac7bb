"""``ganzoo inpaint`` and ``ganzoo project``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganzoo.errors import DataError, RunError
from ganzoo.files import atomic_file
from ganzoo.text import say

if TYPE_CHECKING:
    from PIL import Image

    from ganzoo import Model
    from ganzoo_inpainting.search import Match

ModelName = Annotated[
    str,
    typer.Argument(metavar="MODEL", help="A run or model folder, or user/repo from the Hub."),
]
ImagePath = Annotated[
    Path, typer.Argument(metavar="IMAGE", help="Its middle square is what the model sees.")
]
Labels = Annotated[
    list[str],
    typer.Option(
        metavar="NAME=VALUE",
        default_factory=list,
        show_default=False,
        help="A label of the image, as hair=pink; the others are searched. Repeatable.",
    ),
]
Steps = Annotated[int, typer.Option(min=1, metavar="N", help="Steps of the search.")]
Restarts = Annotated[
    int, typer.Option(min=1, metavar="N", help="Places to start from; the best end counts.")
]
Seed = Annotated[int, typer.Option(min=0, metavar="N", help="The same seed, the same result.")]


def inpaint(
    model: ModelName,
    image: ImagePath,
    mask: Annotated[
        Path,
        typer.Option(
            metavar="FILE", help="An image of the same size, white where the hole is, else black."
        ),
    ],
    label: Labels,
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="The filled picture; its latent goes beside it.")
    ] = Path("filled.png"),
    steps: Steps = 500,
    restarts: Restarts = 8,
    prior: Annotated[
        float,
        typer.Option(
            min=0, metavar="X", help="Weight of the critic's judgement; 0 needs no critic."
        ),
    ] = 0.003,
    seed: Seed = 0,
) -> None:
    """Fill the hole of a picture with what a model would draw there.

    Searches for the latent whose picture fits what is known (Yeh et al. 2017), and blends it in.
    Known pixels stay as they are.  Needs the critic that the model was trained with, so give a run.
    """
    import numpy as np

    picture = _read(image, out)
    hole = np.asarray(_read(mask, out).convert("L")) >= 128
    width, height = picture.size
    if hole.shape != (height, width):
        raise DataError(
            f"--mask {mask} has {hole.shape[1]}x{hole.shape[0]} pixels, and {image} "
            f"{width}x{height}: they must be equal."
        )
    if hole.all():
        raise DataError(f"--mask {mask} is all white: leave black what is known.")
    if not hole.any():
        raise DataError(f"--mask {mask} is all black: paint white what is to be filled.")
    labels = _labels(label)
    gan = _load(model, prior)
    from ganzoo.progress import progress
    from ganzoo_inpainting import filling

    effort = filling.Effort(steps, restarts, prior, seed)
    with progress("searching", steps, "steps") as advance:
        filled, match = filling.inpaint(gan, picture, hole, labels, effort, advance)
    _write(gan, model, image, out, filled, match)


def project(
    model: ModelName,
    image: ImagePath,
    label: Labels,
    out: Annotated[
        Path,
        typer.Option(
            metavar="FILE", help="The image beside its drawing; the latent goes beside it."
        ),
    ] = Path("projected.png"),
    steps: Steps = 500,
    restarts: Restarts = 8,
    prior: Annotated[
        float,
        typer.Option(
            min=0, metavar="X", help="Weight of the critic's judgement; more than 0 needs one."
        ),
    ] = 0.0,
    seed: Seed = 0,
) -> None:
    """Find the latent of a picture, to change it with `ganzoo sample --latent`.

    This is the search of `ganzoo inpaint` with every pixel known.  A model with an encoder starts
    from the picture's code.
    """
    picture = _read(image, out)
    labels = _labels(label)
    gan = _load(model, prior)
    from ganzoo.progress import progress
    from ganzoo_inpainting import filling

    effort = filling.Effort(steps, restarts, prior, seed)
    with progress("searching", steps, "steps") as advance:
        pair, match = filling.project(gan, picture, labels, effort, advance)
    _write(gan, model, image, out, pair, match)


def _read(path: Path, out: Path) -> Image.Image:
    """Open an image as RGB; raises DataError if it cannot be used, or ``out`` would replace it."""
    from ganzoo.images import read

    if out.suffix.lower() not in {".png", ".jpg", ".jpeg", ".webp"}:
        raise RunError(f"--out {out}: the picture is a .png, .jpg or .webp.")
    image = read(path).image
    if out.absolute() == path.absolute():
        raise RunError(f"--out {out} would replace what is read: name another file.")
    return image


def _labels(items: list[str]) -> dict[str, str]:
    labels = {}
    for item in items:
        name, equals, value = item.partition("=")
        if not equals:
            raise RunError(f"--label {item}: write it as NAME=VALUE, for example hair=pink.")
        labels[name.strip()] = value.strip()
    return labels


def _load(name: str, prior: float) -> Model:
    """Load a model, with its critic if there is a prior; raises RunError if it has none."""
    from ganzoo import load

    model = load(name)
    if not prior or model.config.input.kind != "noise":
        return model
    try:
        return load(name, discriminator=True)
    except RunError as error:
        raise RunError(f"{error} Or search without one: --prior 0") from error


def _write(
    gan: Model, name: str, image: Path, out: Path, picture: Image.Image, match: Match
) -> None:
    """Write the picture and its latent, and say what came of the search."""
    latents = out.with_suffix(".safetensors")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(out) as aside:
            picture.save(
                aside,
                {".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}.get(out.suffix.lower(), "PNG"),
            )
        key = image.name.encode("utf-8", "replace").decode("utf-8")
        gan.save_latents(latents, {key: match.latent[0]}, {key: match.label} if match.label else {})
    except OSError as error:
        raise RunError(f"--out {out} cannot be written: {error.strerror or error}.") from error
    say(f"{out}, and its latent in {latents}")
    labels = ", ".join(f"{key}={value}" for key, value in match.label.items())
    if labels:
        say(f"labels: {labels}")
    say(f"known pixels are {match.context * 127.5:.1f} of 255 levels off in the model's picture")
    say(f"next: ganzoo sample {name} --latent {latents} --out edited.png")
