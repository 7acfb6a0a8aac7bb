"""Draw pictures from a generator: a seed gives the same pictures, in any number.

Every image has a latent of its own, a function of (seed, index).  All batches are padded to one
size, so that not even rounding differs between ``-n 5`` and ``-n 64``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ganzoo.errors import RunError, nearest, one_of
from ganzoo.images import MOST_PIXELS
from ganzoo.interfaces import Generator
from ganzoo.models.network import anchor, reads
from ganzoo.models.randomness import rng
from ganzoo.scan import refuse_others

CHUNK = 16

#: changes latents (n, ...) before they are drawn
Edit = Callable[[Tensor], Tensor]


class Sampling(TypedDict, total=False):
    """The options of ``Model.sample`` beside ``n`` and ``as_tensor``, for its overloads.

    The last are conditions.  A generator of yours may have others.
    """

    seed: int
    label: Mapping[str, str] | None
    latents: Tensor | None
    truncation: float
    directions: Mapping[int, float] | None
    batch_size: int
    upscale: int
    layout: str | Path | Image.Image | None


def latents(generator: Generator, seed: int, n: int, start: int = 0) -> Tensor:
    """Draw the latents of ``n`` images from number ``start`` on, ``(n, ...)``."""
    places = range(start, start + n)
    return torch.cat([generator.sample_latent(1, rng(seed, "latent", i)) for i in places])


def labels(
    generator: Generator, seed: int, n: int, choice: Mapping[str, str], start: int = 0
) -> Tensor | None:
    """Return label indices (n, A): the choice, others drawn evenly; None if unconditional.

    Raises RunError for an unknown attribute or value.
    """
    attributes = generator.label
    if not attributes:
        if choice:
            raise RunError(
                "this model has no labels: it was trained without `dataset.label`. "
                "Ask for none, or train one with e.g. `--set dataset.label=[hair]`."
            )
        return None
    for attribute, value in choice.items():
        if attribute not in attributes:
            raise RunError(
                f"label {attribute}={value}: there is no '{attribute}'"
                f"{nearest(attribute, attributes)} Available: {one_of(attributes)}."
            )
        if value not in (values := attributes[attribute]):
            raise RunError(
                f"label {attribute}={value}: '{value}' is no {attribute}"
                f"{nearest(value, values)} Available: {one_of(values)}."
            )
    rows = []
    for index in range(start, start + n):
        draw = rng(seed, "label", index)
        row = [
            int(torch.randint(len(values), (), generator=draw)) for values in attributes.values()
        ]
        rows.append(row)
    table = torch.tensor(rows, dtype=torch.int64).reshape(n, len(attributes))
    for column, (attribute, values) in enumerate(attributes.items()):
        if attribute in choice:
            table[:, column] = list(values).index(choice[attribute])
    return table


def draw(generator: Generator, inputs: Mapping[str, Tensor]) -> Tensor:
    """Run the generator in eval mode on CPU tensors ``inputs``; uint8 ``(n, 3, H, W)``."""
    return to_uint8(generate(generator, inputs))


@torch.no_grad()  # tensors made in inference mode could not be used in training
def generate(generator: Generator, inputs: Mapping[str, Tensor], batch: int = CHUNK) -> Tensor:
    """Run the generator in eval mode on CPU tensors ``inputs``; float ``(n, 3, H, W)``.

    Every batch is padded to ``batch`` images.  Beside a text, labels are what it leaves unsaid.
    """
    weight = anchor(generator)
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
        said = [word for word in generator.instead_of_label if word in chunk]
        if said and (label := chunk.pop("label", None)) is not None:
            chunk |= {w: generator.complete_condition(w, chunk[w], label) for w in said}
        pictures.append(generator(**chunk)[: n - start].float().cpu())
    generator.train(was_training)
    return torch.cat(pictures)


def to_uint8(images: Tensor) -> Tensor:
    """Convert [-1, 1] float to 0..255, rounded to nearest."""
    return ((images.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


def from_uint8(pictures: Tensor) -> Tensor:
    """Convert 0..255 to float in [-1, 1]."""
    return pictures.float() / 127.5 - 1


def needed(generator: Generator) -> list[str]:
    """Return those of the generator's ``conditions`` that it cannot do without."""
    return [word for word in generator.conditions if word in reads(generator).required]


def read_conditions(
    generator: Generator, values: Mapping[str, Any], label: Mapping[str, str] | None = None
) -> dict[str, Tensor]:
    """Read what a user gave for the generator's ``conditions``, by word, each (n, ...).

    Those that it can do without, and nobody gave, are left out.  Raises RunError for a word that
    the generator does not read, an unusable or missing value, or one beside a ``label`` that it
    should say itself.
    """
    for word, value in values.items():
        if value is not None and word not in generator.conditions:
            raise RunError(
                f"this model draws from no {word}{nearest(word, generator.conditions)} It reads: "
                f"{one_of(reads(generator).words)}."
            )
        if value is not None and label and word in generator.instead_of_label:
            raise RunError(f"{word} and label: say what the label is in the {word}.")
    wanted = {*needed(generator), *(word for word, value in values.items() if value is not None)}
    return {
        word: generator.read_condition(word, values.get(word))
        for word in generator.conditions
        if word in wanted
    }


def sample(
    generator: Generator,
    n: int,
    seed: int,
    label: Mapping[str, str] | None = None,
    conditions: Mapping[str, Tensor] | None = None,
) -> Tensor:
    """Draw ``n`` pictures from noise, uint8 ``(n, 3, H, W)``."""
    return torch.cat(list(stream(generator, n, seed, label, conditions=conditions)))


def stream(
    generator: Generator,
    n: int,
    seed: int,
    label: Mapping[str, str] | None = None,
    edit: Edit = lambda latents: latents,
    conditions: Mapping[str, Tensor] | None = None,
) -> Iterator[Tensor]:
    """Yield the pictures of ``sample``, of latents that ``edit`` changed, a batch at a time."""
    for start in range(0, n, CHUNK):
        count = min(CHUNK, n - start)
        words = inputs(generator, count, seed, label or {}, None, start, conditions)
        yield draw(generator, {**words, "latent": edit(words["latent"])})


def drawn(
    generator: Generator,
    inputs: Mapping[str, Tensor],
    conditions: Mapping[str, Tensor] | None = None,
) -> Iterator[Tensor]:
    """Yield the pictures of ``inputs``, uint8 (m, 3, H, W), a batch at a time.

    ``conditions`` (1, ...) are those of every picture.
    """
    for start in range(0, len(inputs["latent"]), CHUNK):
        words = {k: value[start : start + CHUNK] for k, value in inputs.items()}
        n = len(words["latent"])
        shared = {k: v.expand(n, *v.shape[1:]) for k, v in (conditions or {}).items()}
        yield draw(generator, words | shared)


def inputs(
    generator: Generator,
    n: int,
    seed: int,
    label: Mapping[str, str],
    latent: Tensor | None = None,
    start: int = 0,
    conditions: Mapping[str, Tensor] | None = None,
) -> dict[str, Tensor]:
    """Return the inputs of ``n`` pictures from number ``start`` on.

    ``conditions`` are those of ``read_conditions``, or have rows to take in turn.
    Raises RunError as ``labels`` does, and if the generator needs conditions and gets none.
    """
    words = {"latent": latents(generator, seed, n, start) if latent is None else latent}
    if conditions is None:
        conditions = read_conditions(generator, {})
    for word, value in conditions.items():
        words[word] = value[[index % len(value) for index in range(start, start + n)]]
    indices = labels(generator, seed, n, label, start)
    if indices is not None:
        words["label"] = indices
    return words


def grid(pictures: Tensor, columns: int | None = None, gap: int = 2) -> Image.Image:
    """Place pictures uint8 (n, 3, H, W) on a white sheet, as square as possible."""
    return _grid([pictures], len(pictures), columns, gap)


def _grid(batches: Iterable[Tensor], n: int, columns: int | None, gap: int = 2) -> Image.Image:
    columns = columns or max(1, round(n**0.5))
    rows = -(-n // columns)
    sheet = None
    for index, picture in enumerate(pixels(batches)):
        height, width, _ = picture.shape
        if sheet is None:
            shape = (rows * (height + gap) + gap, columns * (width + gap) + gap, 3)
            if shape[0] * shape[1] > MOST_PIXELS:
                raise RunError(
                    f"a grid of {n:,} pictures has {shape[1]:,} x {shape[0]:,} pixels, which is "
                    "too large for one image. Name a folder with --out, or ask for fewer."
                )
            sheet = np.full(shape, 255, dtype=np.uint8)
        row, column = divmod(index, columns)
        top, left = gap + row * (height + gap), gap + column * (width + gap)
        sheet[top : top + height, left : left + width] = picture
    assert sheet is not None  # there is at least one picture
    return Image.fromarray(sheet)


def pairs(before: Tensor, after: Tensor) -> Image.Image:
    """Put two batches of pictures uint8 (n, 3, H, W) side by side, pair after pair.

    The first may be smaller by a whole factor: its pixels are then drawn as squares.
    """
    scale = after.shape[-1] // before.shape[-1]
    before = before.repeat_interleave(scale, -1).repeat_interleave(scale, -2)
    both = torch.stack([before, after], dim=1).flatten(0, 1)
    return grid(both, 2 * max(1, round((len(before) / 2) ** 0.5)))


def pixels(batches: Iterable[Tensor]) -> Iterator[NDArray[np.uint8]]:
    """Yield each picture of batches uint8 (n, 3, H, W) as (H, W, 3)."""
    for batch in batches:
        yield from batch.permute(0, 2, 3, 1).numpy()


def is_grid(out: Path) -> bool:
    """Whether ``write`` makes one image of ``out`` rather than a folder."""
    return out.suffix.lower() in {".png", ".jpg", ".jpeg", ".webp"}


def write(batches: Iterable[Tensor], n: int, out: Path, columns: int | None = None) -> None:
    """Write ``n`` pictures, uint8 (m, 3, H, W) at a time: one grid if ``out`` is an image file.

    A grid of one is that picture, without a border.  Otherwise each becomes a PNG in that folder,
    with one batch in memory at a time.  Raises DataError if the folder holds other images, RunError
    if a grid would be too large.
    """
    if is_grid(out):
        sheet = _grid(batches, n, columns, gap=2 if n > 1 else 0)
        out.parent.mkdir(parents=True, exist_ok=True)
        sheet.save(out)
        return
    paths = [out / f"{index:05d}.png" for index in range(n)]
    refuse_others(out, paths)
    for path, picture in zip(paths, pixels(batches), strict=True):
        out.mkdir(parents=True, exist_ok=True)  # only once there is a picture
        Image.fromarray(picture).save(path)
