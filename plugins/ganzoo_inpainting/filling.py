"""Search for pictures of any size: cut out what the model sees, search, put it back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ganzoo import Model
from ganzoo.errors import DataError, RunError
from ganzoo.images import BadImage, shortest
from ganzoo_inpainting.poisson import blend
from ganzoo_inpainting.search import Match, Search


@dataclass(frozen=True)
class Effort:
    """How hard to search: ``steps`` from ``restarts`` places, and the weight of the ``prior``."""

    steps: int = 500
    restarts: int = 8
    prior: float = 0.0
    seed: int = 0


#: the paper's weight of the prior is meant for a sum over pixels; this one, for their mean
PRIOR = 0.003


def inpaint(
    model: Model,
    image: Image.Image,
    hole: NDArray[np.bool_],
    label: Mapping[str, str] | None = None,
    effort: Effort = Effort(prior=PRIOR),
    advance: Callable[[int], None] = lambda n: None,
) -> tuple[Image.Image, Match]:
    """Fill the ``hole`` (H, W) of an RGB image; known pixels stay as they are, to the bit.

    The model sees the middle square, in its own size.  Its picture is enlarged and blended in.
    ``label`` are known labels; the others are searched.  The prior needs ``model.discriminator``.
    Raises DataError if the hole or the image does not fit, and RunError if the model does not.
    """
    box, size = _square(model, image)
    left, top, right, bottom = box
    seen = hole[top:bottom, left:right]
    if seen.sum() != hole.sum():
        raise DataError(
            "the hole reaches beyond the middle square of the image, which is all that the model "
            "sees: crop the image."
        )
    if not hole.any():
        raise DataError("the mask has no hole: paint white what is to be filled.")
    square = image.crop(box)
    # no pixel of the hole may shine through: each small pixel is the mean of those below it
    small = square.resize((size, size), Image.Resampling.BOX)
    share = Image.fromarray(seen.astype(np.float32)).resize((size, size), Image.Resampling.BOX)
    small_hole = torch.from_numpy(np.asarray(share) > 1e-6)
    if small_hole.all():
        raise DataError("the hole covers all that the model sees: leave something known.")
    search = _search(model, small, small_hole, effort, label)
    match = search.run(effort.steps, effort.restarts, effort.seed, None, advance)
    patch = _picture(match.image).resize(square.size, Image.Resampling.BICUBIC)
    mixed = blend(np.asarray(patch), np.asarray(square), seen)
    result = np.array(image)
    result[top:bottom, left:right][seen] = mixed[seen].round().clip(0, 255).astype(np.uint8)
    return Image.fromarray(result), match


def project(
    model: Model,
    image: Image.Image,
    label: Mapping[str, str] | None = None,
    effort: Effort = Effort(),
    advance: Callable[[int], None] = lambda n: None,
) -> tuple[Image.Image, Match]:
    """Find the latent of an RGB image; also return it beside what the model draws of the latent.

    If the model has an encoder, one of the places to start from is the image's code.  Arguments and
    errors are those of ``inpaint``.
    """
    box, size = _square(model, image)
    square = image.crop(box).resize((size, size), Image.Resampling.LANCZOS)
    nothing = torch.zeros(size, size, dtype=torch.bool)
    start = None if model.encoder is None else model.encode(square)
    search = _search(model, square, nothing, effort, label)
    match = search.run(effort.steps, effort.restarts, effort.seed, start, advance)
    pair = Image.new("RGB", (2 * size, size))
    pair.paste(square, (0, 0))
    pair.paste(_picture(match.image), (size, 0))
    return pair, match


def _square(model: Model, image: Image.Image) -> tuple[tuple[int, int, int, int], int]:
    """Return the box of the middle square, and the side of the model's pictures."""
    size = model.config.output.size
    if model.config.input.kind != "noise" or model.generator.conditions or size is None:
        raise RunError(
            f"{model.path} does not draw from noise alone, so a picture has no latent in it."
        )
    try:
        side = shortest(image, size)
    except BadImage as error:
        raise DataError(f"the image cannot be used: {error}.") from error
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return (left, top, left + side, top + side), size


def _search(
    model: Model, image: Image.Image, hole: Tensor, effort: Effort, label: Mapping[str, str] | None
) -> Search:
    if label:
        model.sample(1, label=label)  # refuses labels that the model does not have
    critic = model.discriminator if effort.prior else None
    if effort.prior and critic is None:
        raise RunError("the prior needs a critic: ganzoo.load(name, discriminator=True).")
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 127.5 - 1
    return Search(model.generator, critic, pixels, hole, effort.prior, label or {})


def _picture(image: Tensor) -> Image.Image:
    pixels = ((image + 1) * 127.5).round().to(torch.uint8)
    return Image.fromarray(pixels.permute(1, 2, 0).numpy())
