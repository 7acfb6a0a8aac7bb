"""Pictures from a generator: the same seed gives the same pictures, however many are asked for.

Every image has a latent of its own, a function of (seed, index), and all batches are padded to
one size, so that not even rounding can differ between ``-n 5`` and ``-n 64``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ganzoo.errors import RunError, nearest, one_of
from ganzoo.interfaces import Generator
from ganzoo.randomness import rng

CHUNK = 16


def latents(generator: Generator, seed: int, n: int, start: int = 0) -> Tensor:
    """The latents of the ``n`` images from number ``start`` on, ``(n, ...)``."""
    places = range(start, start + n)
    return torch.cat([generator.sample_latent(1, rng(seed, "latent", i)) for i in places])


def labels(
    generator: Generator, seed: int, n: int, chosen: Mapping[str, str], start: int = 0
) -> Tensor | None:
    """Label indices (n, A): what was chosen, the rest drawn evenly; None where unconditional.

    Raises RunError where an attribute or value does not exist.
    """
    known = generator.label
    if not known:
        if chosen:
            raise RunError(
                "this model has no labels: it was trained without `dataset.label`. "
                "Ask for none, or train one with e.g. `--set dataset.label=[hair]`."
            )
        return None
    for attribute, value in chosen.items():
        if attribute not in known:
            raise RunError(
                f"label {attribute}={value}: there is no '{attribute}'"
                f"{nearest(attribute, known)} There is: {one_of(known)}."
            )
        if value not in known[attribute]:
            raise RunError(
                f"label {attribute}={value}: '{value}' is no {attribute}"
                f"{nearest(value, known[attribute])} There is: {one_of(known[attribute])}."
            )
    rows = []
    for index in range(start, start + n):
        draw = rng(seed, "label", index)
        row = [int(torch.randint(len(values), (), generator=draw)) for values in known.values()]
        rows.append(row)
    table = torch.tensor(rows, dtype=torch.int64).reshape(n, len(known))
    for column, (attribute, values) in enumerate(known.items()):
        if attribute in chosen:
            table[:, column] = list(values).index(chosen[attribute])
    return table


def draw(generator: Generator, inputs: Mapping[str, Tensor]) -> Tensor:
    """Run the generator in eval mode on CPU tensors ``inputs``; uint8 ``(n, 3, H, W)``."""
    return to_uint8(generate(generator, inputs))


@torch.no_grad()  # inference mode would leave tensors behind that training cannot use
def generate(generator: Generator, inputs: Mapping[str, Tensor], batch: int = CHUNK) -> Tensor:
    """Run the generator in eval mode on CPU tensors ``inputs``; float ``(n, 3, H, W)``, as made.

    Every batch is padded to ``batch`` images.
    """
    weight = next(generator.parameters())
    n = len(next(iter(inputs.values())))
    was_training = generator.training
    generator.eval()
    pictures = []
    for start in range(0, n, batch):
        chunk = {}
        for name, value in inputs.items():
            part = value[start : start + batch]
            padding = part[-1:].expand(batch - len(part), *part.shape[1:])
            chunk[name] = torch.cat([part, padding]).to(
                weight if part.is_floating_point() else weight.device
            )
        pictures.append(generator(**chunk)[: n - start].float().cpu())
    generator.train(was_training)
    return torch.cat(pictures)


def to_uint8(images: Tensor) -> Tensor:
    """[-1, 1] float to 0..255, rounded to nearest."""
    return ((images.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


def from_uint8(pictures: Tensor) -> Tensor:
    """0..255 to float in [-1, 1]."""
    return pictures.float() / 127.5 - 1


def sample(
    generator: Generator, n: int, seed: int, label: Mapping[str, str] | None = None
) -> Tensor:
    """``n`` pictures from noise, uint8 ``(n, 3, H, W)``."""
    return draw(generator, inputs(generator, n, seed, label or {}))


def inputs(
    generator: Generator,
    n: int,
    seed: int,
    label: Mapping[str, str],
    latent: Tensor | None = None,
) -> dict[str, Tensor]:
    """What ``n`` pictures from noise are made from; raises RunError as ``labels``."""
    found = {"latent": latents(generator, seed, n) if latent is None else latent}
    if (indices := labels(generator, seed, n, label)) is not None:
        found["label"] = indices
    return found


def interpolate(generator: Generator, n: int, seed: int, frames: int = 8) -> Tensor:
    """``n`` rows, each a walk of ``frames`` pictures between two latents, (n * frames, 3, H, W).

    Walks along the great circle (White 2016, Sampling Generative Networks, section 2.1), since
    straight lines leave the shell where Gaussian latents live.
    """
    ends = latents(generator, seed, 2 * n).unflatten(0, (n, 2))
    steps = torch.linspace(0, 1, frames)
    walks = torch.stack([_slerp(a, b, t) for a, b in ends for t in steps])
    inputs = {"latent": walks}
    if (indices := labels(generator, seed, n, {})) is not None:
        inputs["label"] = indices.repeat_interleave(frames, 0)
    return draw(generator, inputs)


def _slerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    cosine = (a * b).sum() / (a.norm() * b.norm())
    angle = torch.arccos(cosine.clamp(-1, 1))
    if angle.sin().abs() < 1e-6:
        return torch.lerp(a, b, t)
    return (torch.sin((1 - t) * angle) * a + torch.sin(t * angle) * b) / torch.sin(angle)


def grid(pictures: Tensor, columns: int | None = None, gap: int = 2) -> Image.Image:
    """Pictures uint8 (n, 3, H, W) on a white sheet, as square as can be."""
    n, _, height, width = pictures.shape
    columns = columns or max(1, round(n**0.5))
    rows = -(-n // columns)
    sheet = np.full(
        (rows * (height + gap) + gap, columns * (width + gap) + gap, 3), 255, dtype=np.uint8
    )
    for index, picture in enumerate(pictures.permute(0, 2, 3, 1).numpy()):
        row, column = divmod(index, columns)
        top, left = gap + row * (height + gap), gap + column * (width + gap)
        sheet[top : top + height, left : left + width] = picture
    return Image.fromarray(sheet)


def pairs(before: Tensor, after: Tensor) -> Image.Image:
    """Two batches of pictures uint8 (n, 3, H, W) side by side, a pair after the other."""
    both = torch.stack([before, after], dim=1).flatten(0, 1)
    return grid(both, 2 * max(1, round((len(before) / 2) ** 0.5)))


def write(pictures: Tensor, out: Path, columns: int | None = None) -> Sequence[Path]:
    """One grid where ``out`` names an image file, else one PNG per picture in the folder."""
    if out.suffix.lower() in {".png", ".jpg", ".jpeg", ".webp"}:
        out.parent.mkdir(parents=True, exist_ok=True)
        grid(pictures, columns).save(out)
        return [out]
    out.mkdir(parents=True, exist_ok=True)
    paths = []
    for index, picture in enumerate(pictures.permute(0, 2, 3, 1).numpy()):
        paths.append(out / f"{index:05d}.png")
        Image.fromarray(picture).save(paths[-1])
    return paths
