"""Any image file to RGB, and the reason where it cannot be done."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")
#: The filter of every resize; named in the cache's key.
FILTER = "lanczos"


class BadImage(Exception):
    """Why an image file cannot be used, in a few words."""


@dataclass(frozen=True)
class Picture:
    """A decoded file: upright RGB pixels, and what the file said it held."""

    image: Image.Image
    format: str
    mode: str


def decode(data: bytes) -> Picture:
    """The first frame, upright as EXIF says, transparency on white, 8 bits; or BadImage.

    Embedded colour profiles are not applied.
    """
    if not data:
        raise BadImage("the file is empty")
    try:
        with Image.open(io.BytesIO(data)) as image:
            _refuse_bomb(image)
            mode, kind = image.mode, image.format or "?"
            image.load()
            upright = ImageOps.exif_transpose(image) or image
            return Picture(_to_rgb(upright, kind), kind, mode)
    except UnidentifiedImageError:
        raise BadImage("not an image, or damaged at its start") from None
    except Image.DecompressionBombError:
        raise BadImage(f"more than {_pixel_limit():,} pixels") from None
    except (BadImage, MemoryError):
        raise
    except Exception as error:  # PIL's readers raise all sorts of things on damaged files
        raise BadImage(str(error).strip().rstrip(".") or type(error).__name__) from error


def square(image: Image.Image, size: int) -> NDArray[np.uint8]:
    """The centre of ``image``, its shorter side resized to ``size``, as (3, size, size).

    An image that would have to grow more than twofold is refused with BadImage.
    """
    short = min(image.size)
    if 2 * short < size:
        raise BadImage(f"{image.width}x{image.height} pixels would grow more than twofold")
    left, top = (image.width - short) / 2, (image.height - short) / 2
    box = (left, top, left + short, top + short)
    if image.size != (size, size):
        image = image.resize((size, size), Image.Resampling.LANCZOS, box=box)
    return np.asarray(image).transpose(2, 0, 1)


def _to_rgb(image: Image.Image, kind: str) -> Image.Image:
    if image.mode.startswith("I;16") or (image.mode == "I" and kind == "PNG"):
        gray = np.asarray(image).astype(np.float64) / 257
        return Image.fromarray(gray.round().clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        raise BadImage("32-bit pixels have no agreed range; save it with 8 or 16 bits")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")


def _pixel_limit() -> int:
    return Image.MAX_IMAGE_PIXELS or 1 << 62


def _refuse_bomb(image: Image.Image) -> None:
    if image.width * image.height > _pixel_limit():
        raise BadImage(f"more than {_pixel_limit():,} pixels")
