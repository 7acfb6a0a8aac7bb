"""Images as users have them: find the files, decode any of them, say why one cannot be used."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from ganzoo.errors import DataError

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")
#: The filter of every resize; named in the cache's key.
FILTER = "lanczos"


class BadImage(Exception):
    """Why an image file cannot be used, in a few words."""


@dataclass(frozen=True)
class Picture:
    """A decoded file: upright RGB pixels, what the file said it held, and its transparency."""

    image: Image.Image
    format: str
    mode: str
    #: mode L, of the same size; None where nothing is transparent
    alpha: Image.Image | None = None


def decode(data: bytes) -> Picture:
    """The first frame, upright as EXIF says, transparency on white, 8 bits; or BadImage.

    Embedded colour profiles are not applied.
    """
    if not data:
        raise BadImage("the file is empty")
    try:
        with Image.open(io.BytesIO(data)) as image:
            _refuse_bomb(image)
            image.load()
            return picture(image)
    except UnidentifiedImageError:
        raise BadImage("not an image, or damaged at its start") from None
    except Image.DecompressionBombError:
        raise BadImage(f"more than {_pixel_limit():,} pixels") from None
    except (BadImage, MemoryError):
        raise
    except Exception as error:  # PIL's readers raise all sorts of things on damaged files
        raise BadImage(str(error).strip().rstrip(".") or type(error).__name__) from error


def picture(image: Image.Image) -> Picture:
    """An opened image upright as EXIF says, transparency on white, 8 bits; or BadImage."""
    mode, kind = image.mode, image.format or "?"
    upright = ImageOps.exif_transpose(image) or image
    alpha = upright.convert("RGBA").getchannel("A") if _transparent(upright) else None
    return Picture(_to_rgb(upright, kind), kind, mode, alpha)


def square(image: Image.Image, size: int) -> NDArray[np.uint8]:
    """The centre of ``image``, its shorter side resized to ``size``, as (3, size, size).

    An image that would have to grow more than twofold is refused with BadImage.
    """
    short = shortest(image, size)
    left, top = (image.width - short) / 2, (image.height - short) / 2
    box = (left, top, left + short, top + short)
    if image.size != (size, size):
        image = image.resize((size, size), Image.Resampling.LANCZOS, box=box)
    return np.asarray(image).transpose(2, 0, 1)


def shortest(image: Image.Image, size: int) -> int:
    """The shorter side; BadImage where it would have to grow more than twofold to ``size``."""
    short = min(image.size)
    if 2 * short < size:
        raise BadImage(f"{image.width}x{image.height} pixels would grow more than twofold")
    return short


def _to_rgb(image: Image.Image, kind: str) -> Image.Image:
    if image.mode.startswith("I;16") or (image.mode == "I" and kind == "PNG"):
        gray = np.asarray(image).astype(np.float64) / 257
        return Image.fromarray(gray.round().clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        raise BadImage("32-bit pixels have no agreed range; save it with 8 or 16 bits")
    if _transparent(image):
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")


def _transparent(image: Image.Image) -> bool:
    return bool(image.has_transparency_data)


def _pixel_limit() -> int:
    return Image.MAX_IMAGE_PIXELS or 1 << 62


def _refuse_bomb(image: Image.Image) -> None:
    if image.width * image.height > _pixel_limit():
        raise BadImage(f"more than {_pixel_limit():,} pixels")


def find(path: Path) -> list[str]:
    """Every image below ``path``, relative, with forward slashes, sorted; hidden ones left out.

    Raises DataError where there is no such folder, it cannot be read, or it holds no image.
    """
    try:
        there = path.exists()
    except OSError as error:
        raise DataError(f"'{path}' cannot be read: {error.strerror}. Mend the path.") from error
    if not there:
        raise DataError(
            f"there is no folder '{path}' (from {Path.cwd()}). "
            f"Check the path: it must be a folder with images, in it or below it."
        )
    if not path.is_dir():
        raise DataError(f"'{path}' is a file. Give the folder that holds the images.")
    found, others = [], 0
    for folder, names in _walk(path):
        for name in names:
            if name.lower().endswith(SUFFIXES):
                found.append((folder / name).relative_to(path).as_posix())
            else:
                others += 1
    if not found:
        said = f"{others} other files" if others else "it is empty"
        raise DataError(
            f"no image in '{path}' or below it ({said}). "
            f"Images are files that end in {' '.join(SUFFIXES)}."
        )
    return sorted(found)


def _walk(path: Path) -> Iterator[tuple[Path, list[str]]]:
    seen = set()

    def refuse(error: OSError) -> None:
        raise DataError(
            f"folder '{error.filename}' cannot be read: {error.strerror}. Change its permissions."
        ) from error

    for folder, folders, names in os.walk(path, onerror=refuse, followlinks=True):
        status = Path(folder).stat()
        if (status.st_dev, status.st_ino) in seen:  # a link back to where we were
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield Path(folder), [name for name in names if not name.startswith(".")]
