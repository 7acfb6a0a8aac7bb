"""Dataset ``folder``: your own images, as squares of one size."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Interval
from numpy.typing import NDArray
from PIL import Image

from ganzoo.errors import DataError, one_of
from ganzoo.files import expand
from ganzoo.images import FILTER, BadImage, decode, square
from ganzoo.progress import progress
from ganzoo.scan import scan
from ganzoo.text import plain
from ganzoo_folders import cache, files
from ganzoo_folders import low as lows
from ganzoo_folders.cached import CachedDataset

#: Increase when the same files would give other pixels.
VERSION = 2
_BLOCK = 64  # images written at once


class Folder(CachedDataset):
    """Every image below a folder, its shorter side resized to ``size`` and its centre cut out.

    Reads every format that Pillow knows, by content: PNG, JPEG, WebP, AVIF, BMP, GIF, TIFF and
    others.  Only the first frame or page is used.  Images are turned upright by EXIF, put on white
    if they are transparent, converted from gray, palette, CMYK and 16 bits to RGB and by their
    profile to sRGB, and resized by Lanczos with antialiasing.  Hidden files and files that are no
    images are counted and skipped.  Damaged images, and those that would grow more than twofold,
    are left out and named.

    Args:
        path: The folder; images may lie in folders below it.
        size: Height and width in pixels.
        mirror: Add every image flipped left to right, which doubles the dataset.
        max_bad: The largest share of unusable files; more are an error.
        label: ``[class]`` labels each image with its folder directly below ``path``;
            `ganzoo sample --label class=NAME` then draws that class.
        crop: Pixels of a random square that is cut out of each image, another one in every epoch.
        low: Adds ``low``, the image reduced so many times, for super-resolution.
    """

    fields: ClassVar[Mapping[str, str]] = {"real": "image", "label": "label", "low": "image"}
    later: ClassVar[tuple[str, ...]] = ("label", "crop", "low")
    #: of the cache entries; it names what ``pixels`` makes
    kind: str = "folder"

    def __init__(
        self,
        path: Path,
        size: Annotated[int, Ge(8)] = 64,
        mirror: bool = False,
        max_bad: Annotated[float, Interval(ge=0, le=1)] = 0.01,
        label: list[Literal["class"]] | None = None,
        crop: Annotated[int, Ge(8)] | None = None,
        low: Annotated[int, Interval(ge=2, le=16)] | None = None,
    ):
        super().__init__()
        self.path = expand(Path(path))
        self.side = size  # of the whole images
        self.size = lows.check("folder", {"size": size}, crop, low)
        self.crop = crop
        self.low = low
        self.mirror = mirror
        self.max_bad = max_bad
        self.label = label
        if label is not None and label != ["class"]:
            raise DataError(f"folder: label {label} must be [class], or be left out.")

    def prepare(self) -> None:
        """Read and resize the images, or open them if they are in the cache.

        Raises DataError if the folder is missing, unreadable or without images, if more than
        ``max_bad`` of them cannot be used, or if labels are asked for and its folders make no
        classes.
        """
        if self._entry is not None:
            return
        listing = scan(self.path)
        names = listing.names
        classes = _classes(self.path, names) if self.label else []
        digests = files.digests(self.path, names)
        content = hashlib.sha256()
        for name, digest in zip(names, digests, strict=True):
            content.update(f"{name}\0{digest}\n".encode("utf-8", "surrogateescape"))
        key = {
            "content": content.hexdigest(),
            "size": self.side,
            "resize": FILTER,
            "version": VERSION,
        }
        entry = cache.get(
            self.kind, key, self.side, lambda writer: self._fill(writer, names, digests)
        )
        if rejects := entry.index["rejected"]:
            if len(rejects) > self.max_bad * len(names):
                self._refuse(rejects, len(names))
            cache.log.warning(
                "%d of %d images in %s are left out:\n%s",
                len(rejects),
                len(names),
                plain(self.path),
                "\n".join(_listed(rejects)),
            )
        if listing.others:
            cache.log.warning(
                "Files in %s that are not images are skipped: %s.",
                self.path,
                listing.not_looked_at(),
            )
        for item in entry.index["notes"].items():
            cache.log.warning("%s: %s", self.path, files.noted(*item))
        if self.label:
            self._label(entry.index["files"], classes)
        self._entry = entry

    def pixels(self, image: Image.Image) -> NDArray[np.uint8]:
        """Convert a decoded image to (3, size, size); raises BadImage if it cannot be used."""
        return square(image, self.side)

    def _label(self, names: Sequence[str], classes: list[str]) -> None:
        """Label every image by its class; raises DataError if a class has no usable image."""
        indices = [classes.index(_class(name)) for name in names]
        if empty := [name for i, name in enumerate(classes) if i not in set(indices)]:
            raise DataError(
                f"no image of class {one_of(empty)} in '{self.path}' can be used. Repair them "
                f"(`ganzoo data check '{self.path}'` names them), or remove the folder."
            )
        self.label_values = {"class": classes}
        self._labels = np.array(indices, dtype=np.int64)[:, None]

    def rejected(self) -> dict[str, str]:
        """Return the files that were left out, and why."""
        return dict(self.entry().index["rejected"])

    def _fill(self, writer: cache.Writer, names: list[str], digests: list[str]) -> None:
        usable: list[str] = []
        rejects: dict[str, str] = {}
        notes: dict[str, list[str]] = {}
        results = files.in_threads(self._load, zip(names, digests, strict=True))
        pairs = zip(names, results, strict=True)
        with progress(f"Resizing {self.path} to {self.side} px", len(names)) as advance:
            while block := list(islice(pairs, _BLOCK)):
                good = {n: r for n, r in block if not isinstance(r, str)}
                rejects |= {n: r for n, r in block if isinstance(r, str)}
                for name, (_, remarks) in good.items():
                    for note in remarks:
                        notes.setdefault(note, []).append(name)
                if good:
                    writer.add(np.stack([pixels for pixels, _ in good.values()]))
                    usable += good
                advance(len(block))
        if not usable:
            self._refuse(rejects, len(names))
        writer.index |= {"files": usable, "rejected": rejects, "notes": notes}

    def _load(self, item: tuple[str, str]) -> tuple[NDArray[np.uint8], Sequence[str]] | str:
        """Return the pixels of a file and notes on it, or why it cannot be used."""
        name, digest = item
        if digest.startswith(files.UNREADABLE):
            return digest
        data = files.read(self.path / name, digest)
        try:
            picture = decode(data)
            return self.pixels(picture.image), picture.notes
        except BadImage as error:
            return str(error)

    def _refuse(self, rejects: dict[str, str], total: int) -> None:
        raise DataError(
            f"{len(rejects)} of {total} images in '{self.path}' cannot be used; "
            f"max_bad allows a share of {self.max_bad:g}:",
            *_listed(rejects),
            f"Repair or remove them (`ganzoo data check '{self.path}'` names them all), "
            f"or choose a smaller size or a larger max_bad.",
        )


def _class(name: str) -> str:
    """Return an image's folder directly below the dataset's, or nothing."""
    return name.partition("/")[0] if "/" in name else ""


def _classes(path: Path, names: Sequence[str]) -> list[str]:
    """Return the classes of images ``names`` below ``path``, sorted.

    Raises DataError if there are fewer than two, or if images lie beside the folders.
    """
    classes = sorted({_class(name) for name in names})
    how = "label: [class] needs a folder for each class, as cat/1.png and dog/1.png"
    if classes == [""]:
        raise DataError(f"'{path}' has no folders with images in it: {how}.")
    if "" in classes:
        beside = [name for name in names if not _class(name)]
        raise DataError(
            f"{len(beside)} images in '{path}' lie beside the folders of its classes: {how}.",
            *files.listed(beside),
            "Move them into a folder, or leave out label.",
        )
    if len(classes) == 1:
        raise DataError(
            f"'{path}' has only one folder with images in it, '{classes[0]}', so there is one "
            f"class: {how}. Leave out label to train without."
        )
    return classes


def _listed(rejects: dict[str, str]) -> list[str]:
    return files.listed([f"{name}: {why}" for name, why in rejects.items()])
