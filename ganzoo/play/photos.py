"""Photos that the page's users upload: bounded, decoded with care, drawn by several models."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from ganzoo import colour, images
from ganzoo.errors import DataError
from ganzoo.images import BadImage, Picture
from ganzoo.play.server import FILE_BYTES
from ganzoo.play.shelf import Shelf

#: most pixels of a photo, and photos of one set
PIXELS, MOST = 40_000_000, 300
#: the sides of pictures on the page; downloads have all pixels
_SHOWN = 1024


@dataclass(frozen=True)
class Photo:
    """An upload: its name without folders, and its file."""

    name: str
    path: Path


def opened(photo: Photo) -> Picture:
    """Decode an upload; raises DataError if it cannot be used."""
    try:
        if photo.path.stat().st_size > FILE_BYTES:
            raise BadImage(f"it has more than {FILE_BYTES >> 20} MB")
        return images.decode(photo.path.read_bytes(), PIXELS)
    except (BadImage, OSError) as error:
        raise DataError(f"{photo.name}: {getattr(error, 'strerror', None) or error}.") from error


def drawn(shelf: Shelf, model: str, photo: Picture) -> Image.Image:
    """Turn a photo into a picture; raises RunError or DataError if the model cannot."""
    loaded = shelf.get(model)
    with loaded.lock:
        picture = loaded.model.translate(photo.image)
    if photo.alpha:
        picture.putalpha(photo.alpha)
    return picture


def as_png(picture: Image.Image) -> bytes:
    """Encode a picture for a download: PNG in sRGB, whatever the photo was."""
    file = io.BytesIO()
    picture.save(file, "PNG", icc_profile=colour.srgb(), compress_level=4)
    return file.getvalue()


def shown(picture: Image.Image) -> bytes:
    """Encode a picture for the page, as JPEG of bounded size."""
    small = picture.convert("RGB")
    small.thumbnail((_SHOWN, _SHOWN), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    small.save(file, "JPEG", quality=90, subsampling=0)
    return file.getvalue()


def all_drawn(
    shelf: Shelf, models: Sequence[str], photos: Sequence[Photo], failures: dict[str, str]
) -> Iterator[tuple[str, bytes]]:
    """Yield each photo's pictures as the name and content of a file, one after the other.

    Photos that cannot be used are noted in ``failures``; two of one name get a number.
    """
    if len(photos) > MOST:
        raise DataError(f"{len(photos)} photos: give at most {MOST} at once.")
    taken: set[str] = set()
    for photo in photos:
        try:
            picture = opened(photo)
            for model in models:
                folder = f"{model.replace('/', '-')}/" if len(models) > 1 else ""
                name, count = f"{folder}{images.stem(photo.name)}.png", 1
                while name in taken:
                    count += 1
                    name = f"{folder}{images.stem(photo.name)}-{count}.png"
                taken.add(name)
                yield name, as_png(drawn(shelf, model, picture))
        except DataError as error:
            failures[photo.name] = str(error)
