"""Encode files and folders of images, of any size and format."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image
from torch import Tensor

from ganzoo import images
from ganzoo.errors import RunError
from ganzoo.files import atomic_folder
from ganzoo.images import BadImage
from ganzoo.models import samples
from ganzoo.models.model import Model
from ganzoo.models.weights import write_tensors
from ganzoo.scan import Scan, scan

CODES, SHEET = "codes.safetensors", "reconstructions.png"
#: most pairs on the sheet, and the side to which small pictures are enlarged
_PAIRS, _SIDE = 48, 128


@dataclass
class Outcome:
    """The number of images that have a code, and why the others have none."""

    count: int = 0
    failures: dict[Path, str] = field(default_factory=dict)
    #: notes on unused parts of images, such as further frames
    notes: dict[str, list[Path]] = field(default_factory=dict)
    has_sheet: bool = False


def sources(paths: Iterable[Path]) -> tuple[list[Path], list[Scan]]:
    """List the images of files and folders, each once, and the folders that were scanned.

    Raises DataError if a folder holds no image.
    """
    images: dict[Path, Path] = {}
    scans: list[Scan] = []
    for path in paths:
        several = [path]
        if path.is_dir():
            scans.append(scan(path))
            several = [path / name for name in scans[-1].names]
        for one in several:
            images.setdefault(one.absolute(), one)
    return list(images.values()), scans


def encode(
    photos: Sequence[Path],
    model: Model,
    out: Path,
    advance: Callable[[int], None] = lambda n: None,
) -> Outcome:
    """Write the codes of images into a new folder; an unusable one does not stop the rest.

    ``codes.safetensors`` holds a float tensor (n,) for each image, by its path.
    ``reconstructions.png`` shows the first images beside what the model draws from their codes;
    there is none if the generator does not draw from codes.  Nothing is written if no image can be
    used.

    Raises RunError if the model has no encoder or the folder cannot be written.
    """
    model.require_encoder()
    outcome, codes = Outcome(), dict[str, Tensor]()
    pairs: list[tuple[Image.Image, Image.Image]] = []
    for start in range(0, len(photos), samples.CHUNK):
        chunk = photos[start : start + samples.CHUNK]
        squares = {path: image for path in chunk if (image := _square(path, model, outcome))}
        if squares:
            batch = model.encode(list(squares.values()))
            codes |= {_key(path): code for path, code in zip(squares, batch, strict=True)}
            if len(pairs) < _PAIRS and model.config.input.kind == "noise":
                pairs += zip(squares.values(), model.sample(latents=batch), strict=True)
        advance(len(chunk))
    outcome.count, outcome.has_sheet = len(codes), bool(pairs)
    if codes:
        try:
            with atomic_folder(out, replace=False) as folder:
                write_tensors(folder / CODES, codes)
                if pairs:
                    _sheet(pairs[:_PAIRS]).save(folder / SHEET)
        except OSError as error:
            raise RunError(f"--out {out} cannot be written: {error.strerror or error}.") from error
    return outcome


def _square(path: Path, model: Model, outcome: Outcome) -> Image.Image | None:
    try:
        picture = images.decode(path.read_bytes(), images.MOST_PIXELS)
    except (BadImage, OSError) as error:
        outcome.failures[path] = getattr(error, "strerror", None) or str(error)
        return None
    for note in picture.notes:
        outcome.notes.setdefault(note, []).append(path)
    return model.square(picture.image)


def _key(path: Path) -> str:
    """Return an image's name in the file of codes, which is UTF-8."""
    return path.as_posix().encode("utf-8", "replace").decode("utf-8")


def _sheet(pairs: Sequence[tuple[Image.Image, Image.Image]]) -> Image.Image:
    """Put each image beside its reconstruction, enlarged by a whole factor if they are small."""
    columns = max(1, round((len(pairs) / 2) ** 0.5))
    wide, high = pairs[0][0].size
    factor = max(1, _SIDE // wide)
    wide, high, gap = wide * factor, high * factor, max(4, wide * factor // 16)
    cell = (2 * wide + 2 * gap, high + gap)
    rows = -(-len(pairs) // columns)
    sheet = Image.new("RGB", (columns * cell[0], rows * cell[1] + gap), "white")
    for index, pair in enumerate(pairs):
        row, column = divmod(index, columns)
        for place, image in enumerate(pair):
            left = column * cell[0] + gap + place * (wide + gap // 4)
            large = image.resize((wide, high), Image.Resampling.NEAREST)
            sheet.paste(large, (left, gap + row * cell[1]))
    return sheet
