"""The sheet that shows what each direction of a model's latents does."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from PIL import Image, ImageDraw, ImageFont

from ganzoo.models import samples
from ganzoo.models.model import Model

#: how far the faces are moved, in standard deviations
AMOUNTS = (-4, -2, 0, 2, 4)
FACES = 2
_GAP, _SIDE = 2, 64


def sheet(model: Model, n: int, seed: int, label: Mapping[str, str]) -> Image.Image:
    """Draw a row for each of the first ``n`` directions: two faces, moved by each amount.

    Both faces are moved by the same amounts, and have the labels of one picture.
    """
    faces = model.latents(FACES, seed=seed)
    vectors = model.directions().vectors[:n]
    amounts = torch.tensor(AMOUNTS, dtype=faces.dtype)
    # (n, faces, amounts, ...)
    steps = amounts.view(-1, *[1] * (faces.ndim - 1)) * vectors[:, None, None]
    latents = (faces[:, None] + steps).flatten(0, 2)
    inputs = {"latent": latents}
    if (indices := samples.labels(model.generator, seed, 1, label)) is not None:
        inputs["label"] = indices.expand(len(latents), -1)
    pictures = samples.pixels(samples.drawn(model.generator, inputs))
    images = [Image.fromarray(picture) for picture in pictures]
    factor = max(1, _SIDE // images[0].height)
    wide, high = (side * factor for side in images[0].size)
    margin, head = 28, 20
    across = FACES * len(AMOUNTS)
    width = margin + across * (wide + _GAP) + (FACES - 1) * 3 * _GAP
    paper = Image.new("RGB", (width, head + n * (high + _GAP)), "white")
    pen, font = ImageDraw.Draw(paper), ImageFont.load_default(13)
    for index, image in enumerate(images):
        row, column = divmod(index, across)
        face = column // len(AMOUNTS)
        left = margin + column * (wide + _GAP) + face * 3 * _GAP
        top = head + row * (high + _GAP)
        paper.paste(image.resize((wide, high), Image.Resampling.NEAREST), (left, top))
        if row == 0:
            text = f"{AMOUNTS[column % len(AMOUNTS)]:+d}".replace("+0", "0")
            pen.text((left + wide / 2, head / 2), text, "black", font, anchor="mm")
        if column == 0:
            pen.text((margin / 2, top + high / 2), str(row), "black", font, anchor="mm")
    return paper
