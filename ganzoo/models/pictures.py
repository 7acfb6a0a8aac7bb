"""Embed a picture in a page as a data URI of bounded size."""

from __future__ import annotations

import base64
import io
import warnings
from html import escape
from pathlib import Path
from typing import Any

from PIL import Image

#: of a picture in a notebook, which is saved with it
NOTEBOOK_BYTES = 400_000


#: a picture that is opened has at most so many bytes and pixels: 64 of 1024 px on one sheet
MAX_BYTES, MAX_PIXELS = 100_000_000, 70_000_000


def opened(path: Path) -> Image.Image | None:
    """Open the picture in a file as RGB; None if it cannot be read.

    If it is too large, only the header is read.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            return None
        with warnings.catch_warnings():  # Pillow warns about the size, which is checked here
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(path)
        with image:
            large = image.width * image.height > MAX_PIXELS
            return None if large else image.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None  # cut short by a crash


def embed(picture: Image.Image, budget: int) -> tuple[str, int]:
    """Return a data URI of at most ``budget`` bytes of image, and the image's width in it.

    PNG if it fits, else JPEG with full colour resolution, else the same at half the size.
    """
    kinds: tuple[tuple[str, dict[str, Any]], ...] = (
        ("png", {}),
        ("jpeg", {"quality": 92, "subsampling": 0}),
        ("jpeg", {"quality": 82, "subsampling": 0}),
    )
    while True:
        for kind, options in kinds:
            file = io.BytesIO()
            picture.save(file, kind, **options)
            if file.tell() <= budget:
                data = base64.b64encode(file.getvalue()).decode()
                return f"data:image/{kind};base64,{data}", picture.width
        picture = picture.reduce(2)


def jpeg(picture: Image.Image) -> str:
    """Return a data URI of a picture as JPEG of good quality: PNG takes ten times as long."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=92, subsampling=0)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"


def figure(path: Path | None, caption: str, more: str = "") -> str:
    """Return HTML for a notebook: a file's picture, if readable, above the caption and ``more``."""
    image = ""
    if path and (picture := opened(path)):
        image = f'<img src="{embed(picture, NOTEBOOK_BYTES)[0]}"><br>'
    return f"{image}<code>{escape(caption)}</code>{more}"
