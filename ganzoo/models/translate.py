"""Translate photos of any size and format, whole or in tiles.

A picture of more than ``tile * tile`` pixels is computed in overlapping tiles.  Convolutions do not
notice, but instance norm (Ulyanov 2016, https://arxiv.org/abs/1607.08022) does: it takes mean and
variance over its whole input, so separate tiles would differ in tone.  Here all tiles of a picture
share statistics, which are close to those of the whole picture; that takes one more pass over all
tiles.
"""

from __future__ import annotations

import copy
import inspect
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from ganzoo import colour, images
from ganzoo.errors import DataError, RunError
from ganzoo.files import atomic_file
from ganzoo.images import BadImage, Picture
from ganzoo.interfaces import Generator
from ganzoo.models.samples import to_uint8
from ganzoo.scan import Scan, others_in, refuse_others, scan, sheet_beside

Pixels = NDArray[np.uint8]
Function = Callable[[Tensor], Tensor]  # photos (N, 3, H, W) to pictures

TILE = 512
#: What tiles share with a neighbour on each side of the cut.  Of CartoonGAN, with true statistics,
#: 32 changes pixels by up to 6 levels of 255, 48 by one.
MARGIN = 64
FADE = 16  # pixels on each side of the cut over which one tile fades into the next
PATCH = 64  # the side of the patches for statistics; larger ones see less
ALIGN = 32  # tiles begin at its multiples, so that strided layers see the same grid
SMALLEST_TILE = 256


# -- the generator -----------------------------------------------------------------------------


class SharedNorm(nn.Module):
    """An instance norm that can keep its statistics and share them between inputs.

    ``mode`` sets what a forward pass does: ``measure`` takes the statistics of the whole batch, as
    instance norm does of one picture; ``keep`` uses those it has; ``compare`` does too, and adds up
    what they would have been over the ``part`` of each input that counts.
    """

    def __init__(self, norm: nn.InstanceNorm2d):
        super().__init__()
        self.weight, self.bias, self.eps = norm.weight, norm.bias, norm.eps
        self.channels = norm.num_features
        self.mean = self.variance = torch.empty(0)
        self.forget()

    def forget(self) -> None:
        """Become an instance norm again."""
        self.mode = "measure"
        self.part = (0.0, 1.0, 0.0, 1.0)  # top, bottom, left, right, as shares of the input
        self.shift, self.stretch = torch.zeros(1), torch.ones(1)
        self._clear()

    def _clear(self) -> None:
        # Sums in place: one small tensor per tile would keep the freed memory around it from being
        # used again.
        self.count = 0
        self.sum, self.squares = torch.zeros(2, self.channels, dtype=torch.float64)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (N, C, H, W) of one picture."""
        if self.mode == "measure":
            _, mean, variance = moments(x)
            self.mean = mean + self.shift.to(mean) * variance.sqrt()
            self.variance = variance * self.stretch.to(mean)
        elif self.mode == "compare":
            count, *both = moments(_part(x, self.part))
            mean, variance = (value.cpu().double() for value in both)
            self.count += count
            self.sum += count * mean
            self.squares += count * (variance + mean.square())
        return functional.batch_norm(
            x, self.mean, self.variance, self.weight, self.bias, eps=self.eps
        )

    def correct(self) -> None:
        """Correct future measurements by the comparison so far."""
        mean = self.sum / self.count
        spread = (self.squares / self.count - mean.square()).to(self.variance)
        mean = mean.to(self.mean)
        floor = self.variance + self.eps
        self.shift = self.shift.to(mean) + (mean - self.mean) / floor.sqrt()
        self.stretch = self.stretch.to(mean) * (spread + self.eps) / floor
        self._clear()


def moments(x: Tensor) -> tuple[int, Tensor, Tensor]:
    """Return each channel's number of values in (N, C, H, W), mean and variance, float32.

    Batch norm computes them several times faster than ``torch.var_mean``.
    """
    count = x[:, 0].numel()
    mean, variance = x.new_zeros(2, x.shape[1], dtype=torch.float32)
    functional.batch_norm(x, mean, variance, training=True, momentum=1.0)
    return count, mean, variance * ((count - 1) / count)


def _part(x: Tensor, part: tuple[float, float, float, float]) -> Tensor:
    (top, bottom), (left, right) = (
        [round(share * side) for share in shares]
        for shares, side in ((part[:2], x.shape[2]), (part[2:], x.shape[3]))
    )
    return x[..., top:bottom, left:right]


def share_norms(generator: nn.Module) -> tuple[nn.Module, list[SharedNorm]]:
    """Copy the generator with shared norms in place of instance norms; also return the norms."""
    generator = copy.deepcopy(generator)
    shared = []
    for parent in list(generator.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.InstanceNorm2d) and not child.track_running_stats:
                shared.append(SharedNorm(child))
                setattr(parent, name, shared[-1])
    return generator, shared


def halve(network: nn.Module) -> None:
    """Prepare for autocast to bf16: cast weights once and use the faster layout."""
    network.to(memory_format=torch.channels_last)
    for module in network.modules():
        if type(module) in (nn.Conv2d, nn.ConvTranspose2d, nn.Linear):
            module.to(torch.bfloat16)


def image_word(generator: Generator) -> str:
    """Return the word of the generator's photo; RunError if it needs anything else."""
    parameters = list(inspect.signature(type(generator).forward).parameters.values())[1:]
    needed = [parameter.name for parameter in parameters if parameter.default is parameter.empty]
    if needed == ["latent"] or needed == ["latent", "label"]:
        raise RunError("this model draws from noise and takes no photo: `ganzoo sample` shows it.")
    if len(needed) != 1 or needed[0] in ("latent", "label"):
        raise RunError(
            f"this model needs {' and '.join(needed) or 'nothing'}; "
            "`translate` gives a photo and nothing else."
        )
    return needed[0]


class Translator:
    """Translates pictures of any size, uint8 (H, W, 3), and keeps their size.

    ``compile`` turns a network into a faster function of the same images, as ``openvino.py``
    does.  It is called for the generator and, with fixed statistics, for every tiled picture.
    """

    def __init__(
        self,
        generator: Generator,
        device: torch.device,
        precision: str = "fp32",
        tile: int = TILE,
        compile: Callable[[nn.Module], Function] | None = None,
    ):
        self.word = image_word(generator)
        self.size, self.tile, self.device = generator.size, tile, device
        self._autocast = precision == "bf16"
        self._layout = torch.channels_last if self._autocast else torch.contiguous_format
        self._network, self._norms = share_norms(generator)
        self._network.to(device).eval().requires_grad_(False)
        if self._autocast:
            halve(self._network)
        self._compile = compile
        self._whole = compile(generator) if compile else self._eager

    def tiles(self, height: int, width: int) -> int:
        """Return the number of tiles of a picture."""
        if self.size or height * width <= self.tile**2:
            return 1
        return len(spans(height, self.tile)) * len(spans(width, self.tile))

    def __call__(self, pixels: Pixels) -> Pixels:
        """Translate a picture, keeping its size; BadImage if the generator refuses it."""
        height, width = pixels.shape[:2]
        try:
            if self.size:
                made = _run(self._whole, _resized(pixels, self.size, self.size))
                return _resized(made, height, width)
            if self.tiles(height, width) > 1:
                return self._in_tiles(pixels)
            return _run(self._whole, pixels)
        except (RuntimeError, ValueError) as error:
            reason = str(error).strip().splitlines()[0].rstrip(".")
            raise BadImage(f"the generator refuses {width}x{height} pixels: {reason}") from error

    def _in_tiles(self, pixels: Pixels) -> Pixels:
        try:
            if self._norms:
                self._measure(pixels)
            function = self._compile(self._network) if self._compile else self._eager
            return tiled(partial(_run, function), pixels, self.tile)
        finally:
            for norm in self._norms:
                norm.forget()

    def _measure(self, pixels: Pixels) -> None:
        """Set the norms' statistics that all tiles share.

        A batch of small patches, which must fit into memory together, misses what is between them.
        Tiles, one after the other, show how much.  Then the patches are measured again, layer by
        layer, with each layer corrected by what it had missed.
        """
        sample = torch.cat([_tensor(patch) for patch in patches(pixels, self.tile**2)])
        self._eager(sample)
        self._set("compare")
        for rows, columns in product(*(spans(side, self.tile) for side in pixels.shape[:2])):
            for norm in self._norms:
                norm.part = (*rows.part, *columns.part)
            self._eager(_tensor(pixels[rows.slice, columns.slice]))
        for norm in self._norms:
            norm.correct()
        self._set("measure")
        self._eager(sample)
        self._set("keep")

    def _set(self, mode: str) -> None:
        for norm in self._norms:
            norm.mode = mode

    @torch.inference_mode()
    def _eager(self, photos: Tensor) -> Tensor:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._autocast):
            made: Tensor = self._network(
                **{self.word: photos.to(self.device, memory_format=self._layout)}
            )
        return made.float()


def _run(function: Function, pixels: Pixels) -> Pixels:
    made = to_uint8(function(_tensor(pixels)))[0].permute(1, 2, 0).cpu().numpy()
    if made.shape != pixels.shape:
        raise ValueError(f"it makes {made.shape[1]}x{made.shape[0]} of them")
    return made


def _tensor(pixels: Pixels) -> Tensor:
    """Convert (H, W, 3) uint8 to (1, 3, H, W) in [-1, 1]."""
    return torch.tensor(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1


def _resized(pixels: Pixels, height: int, width: int) -> Pixels:
    if pixels.shape[:2] == (height, width):
        return pixels
    image = Image.fromarray(pixels)
    return np.asarray(image.resize((width, height), Image.Resampling.LANCZOS))


# -- tiles -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Span:
    """A window along one side, ``start`` to ``stop``; a neighbour may cover an end."""

    start: int
    stop: int
    begins: bool  # whether the side begins here
    ends: bool

    @property
    def slice(self) -> slice:
        """Of the picture."""
        return slice(self.start, self.stop)

    @property
    def part(self) -> tuple[float, float]:
        """The start and end of the part that counts, as shares of the window."""
        length = self.stop - self.start
        first = 0 if self.begins else MARGIN
        last = length if self.ends else length - MARGIN
        return first / length, last / length


def spans(length: int, tile: int) -> list[Span]:
    """Cut ``length`` into windows of at most ``tile``, each sharing 2 MARGIN with the next.

    All begin at multiples of ALIGN and, except for the last, are equally long.
    """
    if length <= tile:
        return [Span(0, length, True, True)]
    room = (tile - 2 * MARGIN) // ALIGN * ALIGN
    count = math.ceil((length - 2 * MARGIN) / room)
    step = math.ceil((length - 2 * MARGIN) / count / ALIGN) * ALIGN
    stops = [start + step + 2 * MARGIN for start in range(0, length - 2 * MARGIN, step)]
    return [
        Span(stop - step - 2 * MARGIN, min(stop, length), i == 0, stop >= length)
        for i, stop in enumerate(stops)
    ]


def tiled(run: Callable[[Pixels], Pixels], pixels: Pixels, tile: int) -> Pixels:
    """Run ``run`` on overlapping tiles of a picture, fading one into the next."""
    height, width = pixels.shape[:2]
    made = np.empty_like(pixels)
    for rows in spans(height, tile):
        band = np.empty_like(pixels[rows.slice])
        for columns in spans(width, tile):
            piece = run(pixels[rows.slice, columns.slice])
            _lay(band.swapaxes(0, 1), piece.swapaxes(0, 1), columns.start)
        _lay(made, band, rows.start)
    return made


def _lay(canvas: Pixels, piece: Pixels, start: int) -> None:
    """Add rows to ``canvas`` from ``start`` on, fading out earlier pieces."""
    if start == 0:
        canvas[: len(piece)] = piece
        return
    first, last = MARGIN - FADE, MARGIN + FADE
    share = ((np.arange(2 * FADE, dtype=np.float32) + 0.5) / (2 * FADE))[:, None, None]
    old = canvas[start + first : start + last]
    old[:] = np.rint(old + share * (piece[first:last].astype(np.float32) - old))
    canvas[start + last : start + len(piece)] = piece[last:]


def patches(pixels: Pixels, budget: int) -> Iterator[Pixels]:
    """Yield evenly spaced patches of a picture, of ``budget`` pixels together."""
    height, width = pixels.shape[:2]
    high, wide = min(PATCH, height), min(PATCH, width)
    count = budget // (high * wide)
    rows = min(max(1, round(math.sqrt(count * height / width))), height // high)
    columns = min(max(1, count // rows), width // wide)
    for top in np.linspace(0, height - high, rows).round().astype(int):
        for left in np.linspace(0, width - wide, columns).round().astype(int):
            yield pixels[top : top + high, left : left + wide]


# -- files -------------------------------------------------------------------------------------

#: Format by file ending; PNG for others.
_WRITTEN: Mapping[str, tuple[str, dict[str, Any]]] = {
    ".jpg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".jpeg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".jpe": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".jfif": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".png": ("PNG", {}),
    ".webp": ("WEBP", {"quality": 95}),
    ".avif": ("AVIF", {"quality": 90, "subsampling": "4:4:4"}),
    ".ppm": ("PPM", {}),
    ".bmp": ("BMP", {}),
    ".tif": ("TIFF", {"compression": "tiff_lzw"}),
    ".tiff": ("TIFF", {"compression": "tiff_lzw"}),
}
_PAIRS, _SIDE, _GAP = 12, 320, 4  # of the sheet


@dataclass(frozen=True)
class Job:
    """A photo and the file that its translation goes to."""

    source: Path
    target: Path

    @property
    def renamed(self) -> bool:
        """Whether the translation cannot have the photo's format."""
        return self.source.suffix != self.target.suffix


@dataclass
class Plan:
    """Photos to translate, and their target files."""

    jobs: list[Job]
    out: Path
    #: the sheet of photos beside their translations, or None
    sheet: Path | None
    #: the folders that were scanned
    scans: list[Scan]


def plan(photos: Iterable[Path], out: Path, sheet: bool) -> Plan:
    """Plan the translation of files and folders.

    A folder of photos becomes a set, so ``out`` may hold no other image.  Single photos may be
    added to those of earlier calls.  Raises DataError if something is missing, two photos would
    become one file, a photo would be overwritten, or ``out`` holds images that do not belong.
    """
    scans: list[Scan] = []
    found = [job for path in photos for job in _jobs(path, out, scans)]
    jobs = list({job.source.absolute(): job for job in found}.values())
    shown = sheet_beside(out) if sheet else None
    sources = {job.source.resolve() for job in jobs}
    taken = {_same(shown): "the side-by-side sheet (--no-sheet)"} if shown else {}
    for job in jobs:
        target = _same(job.target)
        if target in taken:
            raise DataError(
                f"{job.source} and {taken[target]} would both become {job.target}. "
                "Translate them into different folders, or rename one."
            )
        if job.target.resolve() in sources:
            raise DataError(
                f"{job.source} would be written to {job.target}, which is one of the photos. "
                "Give another folder with --out."
            )
        taken[target] = str(job.source)
    if shown and shown.resolve() in sources:
        raise DataError(f"the sheet would be written over the photo {shown}: add --no-sheet.")
    targets = {job.target for job in jobs}
    if scans:
        refuse_others(out, targets)
    elif others_in(out, targets):  # so this is a different call
        _refuse_to_replace(targets)
    return Plan(jobs, out, shown, scans)


def _refuse_to_replace(targets: Iterable[Path]) -> None:
    for target in sorted(targets):
        if target.exists():
            raise DataError(
                f"{target} exists already and would be replaced. "
                "Name another folder with --out, or remove that picture."
            )


def _jobs(path: Path, out: Path, scans: list[Scan]) -> Iterator[Job]:
    folder = path if path.is_dir() else path.parent
    if folder.resolve() == out.resolve():
        raise DataError(f"--out {out} is the folder of the photos. Give another one.")
    if path.is_dir():
        scans.append(scan(path))
        for name in scans[-1].names:
            if (path / name).resolve().is_relative_to(out.resolve()):
                raise DataError(
                    f"--out {out} lies in {path} and holds images already: {path / name} could "
                    "be a photo or an earlier picture. Name a folder outside, or empty it."
                )
            yield Job(path / name, _named(out / name))
    elif path.exists():
        yield Job(path, _named(out / path.name))
    else:
        raise DataError(f"there is no '{path}' (from {Path.cwd()}). Give photos, or folders.")


def _named(target: Path) -> Path:
    """Return the file for a photo's name; a PNG if its ending names no format."""
    if target.suffix.lower() in _WRITTEN:
        return target
    return target.with_name(f"{images.stem(target.name)}.png")


def _same(path: Path) -> str:
    """Return a key that is equal for paths of one file on this system."""
    return os.path.normcase(path.resolve())


@dataclass
class Outcome:
    """What became of the photos."""

    done: list[Job] = field(default_factory=list)
    failed: dict[Path, str] = field(default_factory=dict)
    #: notes on what was not used of some photos
    notes: dict[str, list[Path]] = field(default_factory=dict)
    sheet: Path | None = None


def translate(
    plan: Plan,
    translator: Translator,
    advance: Callable[[int], None] = lambda n: None,
) -> Outcome:
    """Translate photos into files, each whole or absent; an unusable one does not stop the rest.

    Raises RunError if the folder cannot be written.
    """
    outcome = Outcome()
    pairs: list[tuple[Image.Image, Image.Image]] = []
    _make(plan.out)
    for job in plan.jobs:
        try:
            before, after = _translate(job, translator)
        except BadImage as error:
            outcome.failed[job.source] = str(error)
        else:
            outcome.done.append(job)
            for note in before.notes:
                outcome.notes.setdefault(note, []).append(job.source)
            if plan.sheet and len(pairs) < _PAIRS:
                pairs.append((_thumbnail(before.image), _thumbnail(after)))
        advance(1)
    if plan.sheet and pairs:
        _write(side_by_side(pairs), plan.sheet)
        outcome.sheet = plan.sheet
    return outcome


def _translate(job: Job, translator: Translator) -> tuple[Picture, Image.Image]:
    try:
        photo = images.decode(job.source.read_bytes(), images.MOST_PIXELS)
        after = Image.fromarray(translator(np.asarray(photo.image)))
        if photo.alpha:
            after.putalpha(photo.alpha)
        job.target.parent.mkdir(parents=True, exist_ok=True)
        _write(after, job.target)
    except OSError as error:
        raise BadImage(error.strerror or str(error)) from error
    return photo, after


def _write(image: Image.Image, path: Path) -> None:
    kind, options = _WRITTEN[path.suffix.lower()]
    if kind == "JPEG" and image.mode == "RGBA":
        image = _on_white(image)
    try:
        with atomic_file(path) as aside:
            image.save(aside, kind, icc_profile=colour.srgb(), **options)
    except (ValueError, MemoryError) as error:  # a side too long for the format
        raise BadImage(f"cannot be written as {kind}: {error}") from error


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"--out {folder} cannot be made: {error.strerror}.") from error


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode != "RGBA":
        return image
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image).convert("RGB")


def _thumbnail(image: Image.Image) -> Image.Image:
    """Shrink to at most _SIDE a side; never enlarge."""
    image = image.copy()
    image.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    return _on_white(image)


def side_by_side(pairs: Sequence[tuple[Image.Image, Image.Image]]) -> Image.Image:
    """Put each photo beside its translation, of equal size, on a white sheet."""
    columns = min(3, math.ceil(math.sqrt(len(pairs) / 2)))
    rows = [pairs[i : i + columns] for i in range(0, len(pairs), columns)]
    wide = max(before.width for before, _ in pairs)
    heights = [max(before.height for before, _ in row) for row in rows]
    cell = 2 * wide + 4 * _GAP
    sheet = Image.new(
        "RGB", (columns * cell + _GAP, sum(heights) + 2 * _GAP * (len(rows) + 1)), "white"
    )
    top = 2 * _GAP
    for row, height in zip(rows, heights, strict=True):
        for column, (before, after) in enumerate(row):
            left = column * cell + 2 * _GAP + (wide - before.width)
            sheet.paste(before, (left, top + (height - before.height) // 2))
            middle = column * cell + wide + 3 * _GAP
            sheet.paste(after, (middle, top + (height - after.height) // 2))
        top += height + 2 * _GAP
    return sheet
