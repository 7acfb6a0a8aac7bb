"""Draw the pictures that the page asks for, and write the line that draws the same."""

from __future__ import annotations

import base64
import io
import json
import secrets
import shlex
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ganzoo import images
from ganzoo.errors import RunError
from ganzoo.formats.json import Wrong, parse, typed
from ganzoo.images import BadImage
from ganzoo.interfaces import Dataset
from ganzoo.models import samples, walks
from ganzoo.models import video as videos
from ganzoo.models.model import Model
from ganzoo.plugins.registry import Registry, construct

#: most pictures at once, largest seed, and most pictures that were clicked one after the other
MOST, LARGEST_SEED, DEEPEST = 256, 2**31, 64
#: directions and numbers of the latent that have a slider, and how far each goes
DIRECTIONS, NUMBERS, FURTHEST = 8, 256, 4.0
#: example layouts of a dataset that is drawn
EXAMPLES = 64
#: bytes of a layout as the page keeps it
LARGEST_LAYOUT = 80_000
#: frames of a walk there and back
FRAMES = 50


@dataclass(frozen=True)
class Step:
    """A picture that became the centre: number ``index`` of ``seed``, ``spread`` from the last."""

    seed: int
    index: int
    spread: float


@dataclass(frozen=True)
class Shift:
    """How the latents of all pictures are changed: first the numbers, then as ``sample`` does.

    ``directions`` and ``numbers`` are pairs: which one, and how far it moves.
    """

    truncation: float = 1.0
    directions: list[tuple[int, float]] = field(default_factory=list)
    numbers: list[tuple[int, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Wish:
    """What to draw: ``n`` pictures of ``seed``, around the centre if there are ``steps`` to one."""

    model: str
    n: int = 16
    seed: int = 0
    label: dict[str, str] = field(default_factory=dict)
    #: what to draw in words, if the model reads them
    words: str = ""
    #: what is where, if the model reads it: a PNG in its palette's colours, in base64
    layout: str = ""
    steps: list[Step] = field(default_factory=list)
    spread: float = 0.3
    shift: Shift = field(default_factory=Shift)

    @property
    def directions(self) -> dict[int, float]:
        return dict(self.shift.directions)

    @property
    def text(self) -> str:
        return json.dumps(self, default=vars, ensure_ascii=False)

    def checked(self) -> Wish:
        """Return the wish; raises RunError if it asks for too much."""
        shift = self.shift
        for name, value, low, high in (
            ("pictures", self.n, 1, MOST),
            ("seed", self.seed, 0, LARGEST_SEED),
            ("letters", len(self.words), 0, 1000),
            ("bytes of a layout", len(self.layout), 0, LARGEST_LAYOUT),
            ("how far", self.spread, 0, 1),
            ("truncation", shift.truncation, 0, 1),
            ("clicks", len(self.steps), 0, DEEPEST),
            ("directions", len(shift.directions), 0, DIRECTIONS),
            ("numbers", len(shift.numbers), 0, NUMBERS),
            *(("number", one, 0, NUMBERS - 1) for one, _ in shift.numbers),
            *(
                ("how far", amount, -FURTHEST, FURTHEST)
                for _, amount in (*shift.directions, *shift.numbers)
            ),
            *(("index", step.index, 0, MOST - 1) for step in self.steps),
            *(("how far", step.spread, 0, 1) for step in self.steps),
            *(("seed", step.seed, 0, LARGEST_SEED) for step in self.steps),
        ):
            if not low <= value <= high:  # also refuses NaN
                raise RunError(f"{name}: choose {low} to {high}, not {value}.")
        return self


def read_wish(text: str) -> Wish:
    """Read a wish that the browser sent back; raises RunError if it is none."""
    wish: Wish = _read(Wish, text)
    return wish.checked()


def read_shift(text: str) -> Shift:
    """Read the latents' change that the page sent; raises RunError if it is none."""
    shift: Shift = _read(Shift, text)
    return shift


def read_labels(text: str) -> dict[str, str]:
    """Read the labels that the page sent; raises RunError if they are none."""
    labels: dict[str, str] = _read(dict[str, str], text)
    return labels


def _read(kind: Any, text: str) -> Any:
    try:
        return typed(kind, parse(text.encode(), "mapping of values", 100_000))
    except (Wrong, UnicodeError) as wrong:
        raise RunError(f"the page sent what it should not: {wrong}. Reload it.") from None


def latents(model: Model, wish: Wish) -> Tensor:
    """Return the latents (n, ...) of a wish before truncation; the first is the centre, if any.

    Raises RunError if they have no number that the wish moves.
    """
    middle = None
    for step in wish.steps:
        drawn = model.latents(step.index + 1, seed=step.seed, around=middle, spread=step.spread)
        middle = drawn[-1:]
    chosen = model.latents(wish.n, seed=wish.seed, around=middle, spread=wish.spread)
    flat = chosen.flatten(1)
    for number, amount in wish.shift.numbers:
        if number >= flat.shape[1]:
            raise RunError(f"number {number}: this model's latents have {flat.shape[1]} numbers.")
        flat[:, number] += amount
    return flat.reshape(chosen.shape)


def draw(model: Model, wish: Wish) -> Iterator[Image.Image]:
    """Draw the pictures of a wish, some at a time; raises RunError if it does not fit the model."""
    words = samples.inputs(
        model.generator,
        wish.n,
        wish.seed,
        wish.label,
        latents(model, wish),
        conditions=_conditions(model, wish),
    )
    words["latent"] = model.edit(wish.shift.truncation, wish.directions)(words["latent"])
    return map(Image.fromarray, samples.pixels(samples.drawn(model.generator, words)))


def _conditions(model: Model, wish: Wish) -> dict[str, Tensor]:
    wanted: dict[str, Any] = {"text": wish.words} if wish.words else {}
    if wish.layout:
        wanted["layout"] = layout_picture(wish)
    return dict(samples.read_conditions(model.generator, wanted, wish.label))


def layout_file(wish: Wish) -> bytes:
    """Return the layout of a wish as a PNG; raises RunError if it is none."""
    try:
        return base64.b64decode(wish.layout, validate=True)
    except ValueError as error:
        raise RunError(f"the layout: {error}. Give it again.") from None


def layout_picture(wish: Wish) -> Image.Image:
    """Return the layout of a wish; raises RunError if it is no picture."""
    try:
        return images.decode(layout_file(wish)).image
    except BadImage as error:
        raise RunError(f"the layout: {error}. Give it again.") from None


def read_layout(model: Model, picture: Image.Image) -> str:
    """Return a layout as a wish holds it; raises RunError if the model cannot read it."""
    return shown_layout(model, model.generator.read_condition("layout", picture))


def shown_layout(model: Model, layout: Tensor) -> str:
    """Return a layout (1, 1, H, W) as a wish holds it."""
    shown = model.generator.show_condition("layout", layout)
    assert shown is not None  # whoever reads layouts draws them
    (pixels,) = samples.pixels([samples.to_uint8(shown)])
    return base64.b64encode(as_png(Image.fromarray(pixels))).decode()


def example_layout(model: Model, registry: Registry) -> str:
    """Return a layout at random, of the dataset that a model was trained on, as a wish holds it.

    Raises RunError or DataError if the dataset has none.
    """
    settings = dict((model.recipe or {}).get("dataset") or {})
    use = str(settings.pop("use", ""))
    if "count" in settings:
        settings["count"] = min(settings["count"], EXAMPLES)
    dataset: Dataset = construct(registry, "dataset", use, settings)
    dataset.demand(["layout"])
    dataset.prepare()
    number = secrets.randbelow(len(dataset))
    return shown_layout(model, dataset[number]["layout"][None])


def walk(model: Model, wish: Wish, first: int, last: int) -> Iterator[NDArray[np.uint8]]:
    """Yield the frames, uint8 (H, W, 3), of a walk from one picture of a wish to another and back.

    All frames have the labels of the first.
    """
    generator = model.generator
    stops = latents(model, wish)[[first, last]]
    edit = model.edit(wish.shift.truncation, wish.directions)
    words = {"latent": edit(walks.loop(stops, FRAMES))}
    table = samples.labels(generator, wish.seed, first + 1, wish.label)
    conditions = _conditions(model, wish)
    for word, value in conditions.items():
        words[word] = value[:1].expand(FRAMES, *value.shape[1:])
    if table is not None and not conditions:
        words["label"] = table[first].expand(FRAMES, -1)
    yield from samples.pixels(samples.drawn(generator, words))


def video(frames: Iterable[NDArray[np.uint8]], kind: str) -> bytes:
    """Encode frames as ``.gif`` or ``.mp4``; raises RunError if that cannot be written here."""
    with tempfile.TemporaryDirectory(prefix="ganzoo-play-") as folder:
        path = Path(folder, f"walk{kind}")
        videos.check(path)
        videos.write(frames, path)
        return path.read_bytes()


def labels_of(model: Model, wish: Wish) -> list[dict[str, str]]:
    """Return the labels that each picture was drawn with."""
    table = samples.labels(model.generator, wish.seed, wish.n, wish.label)
    if table is None or wish.words:
        return [{}] * wish.n
    names = {name: list(values) for name, values in (model.generator.label or {}).items()}
    rows = [zip(names.items(), row, strict=True) for row in table.tolist()]
    return [{name: values[place] for (name, values), place in row} for row in rows]


def around(model: Model, wish: Wish, index: int) -> Wish:
    """Return the wish that has picture ``index`` of ``wish`` as its centre."""
    steps = wish.steps
    if not steps or index:
        steps = [*steps, Step(wish.seed, index, wish.spread if steps else 1.0)]
    label = labels_of(model, wish)[index]
    return replace(wish, steps=steps, label=label, seed=wish.seed + 1).checked()


def shell_line(wish: Wish) -> str:
    """Write the command that draws the same pictures; empty if there is none."""
    if wish.steps or wish.shift.numbers:
        return ""
    label = (f"--label {shlex.quote(f'{name}={value}')}" for name, value in wish.label.items())
    parts = ["ganzoo sample", shlex.quote(wish.model), f"-n {wish.n} --seed {wish.seed}", *label]
    if wish.words:
        parts.append(f"--text {shlex.quote(wish.words)}")
    if wish.layout:
        parts.append("--layout layout.png")
    if wish.shift.truncation != 1:
        parts.append(f"--truncation {wish.shift.truncation}")
    parts += [f"--direction {number}={amount}" for number, amount in wish.shift.directions]
    return " ".join([*parts, "--out pictures"])


def python_lines(wish: Wish) -> list[str]:
    """Write Python that draws the same pictures."""
    lines = ["import ganzoo", "", f"model = ganzoo.load({wish.model!r})"]
    how = f", label={wish.label!r}" if wish.label else ""
    how += f", text={wish.words!r}" if wish.words else ""
    how += ", layout='layout.png'" if wish.layout else ""
    how += f", truncation={wish.shift.truncation}" if wish.shift.truncation != 1 else ""
    how += f", directions={wish.directions}" if wish.directions else ""
    if not (wish.steps or wish.shift.numbers):
        return [*lines, f"pictures = model.sample({wish.n}, seed={wish.seed}{how})"]
    for number, step in enumerate(wish.steps):
        middle = f", around=centre, spread={step.spread}" if number else ""
        lines.append(f"centre = model.latents({step.index + 1}, seed={step.seed}{middle})[-1:]")
    middle = f", around=centre, spread={wish.spread}" if wish.steps else ""
    lines.append(f"latents = model.latents({wish.n}, seed={wish.seed}{middle})")
    for number, amount in wish.shift.numbers:
        lines.append(f"latents.flatten(1)[:, {number}] += {amount}")
    return [*lines, f"pictures = model.sample(latents=latents, seed={wish.seed}{how})"]


def as_png(picture: Image.Image) -> bytes:
    """Encode a picture as PNG."""
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def archive(pictures: Sequence[Image.Image]) -> bytes:
    """Put pictures into a zip, as the folder that ``ganzoo sample`` writes."""
    return zipped({f"{index:05d}.png": as_png(one) for index, one in enumerate(pictures)})


def grid(pictures: Sequence[Image.Image]) -> Image.Image:
    """Place pictures on one sheet."""
    stacked = np.stack([np.asarray(one) for one in pictures])
    return samples.grid(torch.from_numpy(stacked).permute(0, 3, 1, 2))


def zipped(files: Mapping[str, bytes]) -> bytes:
    """Put files, which are compressed already, into a zip."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()
