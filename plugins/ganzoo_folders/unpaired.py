"""Dataset ``unpaired``: photos and cartoons that are not pictures of the same thing."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Interval
from numpy.typing import NDArray
from torch import Tensor

from ganzoo.errors import DataError
from ganzoo.interfaces import Dataset
from ganzoo_folders import cache, domains, edges, files
from ganzoo_folders.cache import Cached
from ganzoo_folders.cached import as_tensor
from ganzoo_folders.folder import Folder
from ganzoo_folders.pairs import partners
from ganzoo_folders.survey import FEW

#: The value of ``smooth`` that makes the smoothed cartoons from ``real``.
EDGES = "edges"


class Unpaired(Dataset):
    """Photos and cartoons from two folders, drawn independently, and cartoons with smooth edges.

    Both are read as dataset ``folder`` reads them.  An epoch has as many examples as the larger
    folder has images; the images of the smaller one are repeated.  ``photo``, ``real`` and
    ``smooth`` are drawn independently, as in CartoonGAN's code (Chen, Lai and Liu, 2018).  The seed
    and the epoch decide the order of each.

    Args:
        photo: Folder of the photos to start from.
        real: Folder of the cartoons to resemble.
        smooth: The cartoons with smoothed edges: ``edges`` makes them from ``real`` (and needs
            OpenCV); otherwise a folder of them, made by `ganzoo data edges`.
        size: Height and width in pixels.
        mirror: Flip each image left to right with a chance of one half, drawn in every epoch.
        paired: The fields that go with ``real`` and are flipped alike: ``smooth`` is then of the
            same picture, ``photo`` of the same file name apart from its ending.
        max_bad: The largest share of unusable files in a folder; more are an error.
        check: Look at both folders first, and stop if ``photo`` seems to hold drawings and
            ``real`` photos.
    """

    fields: ClassVar[Mapping[str, str]] = {"photo": "image", "real": "image", "smooth": "image"}
    shuffled = True

    def __init__(
        self,
        photo: Path,
        real: Path,
        smooth: Literal["edges"] | Path | None = None,
        size: Annotated[int, Ge(8)] = 256,
        mirror: bool = False,
        paired: list[Literal["photo", "smooth"]] = [],  # noqa: B006
        max_bad: Annotated[float, Interval(ge=0, le=1)] = 0.01,
        check: bool = True,
    ):
        super().__init__()
        self.size: int = size
        self.mirror = mirror
        self.check = check
        self.paired = tuple(paired)
        self._photo = Folder(photo, size, max_bad=max_bad)
        self._real = Folder(real, size, max_bad=max_bad)
        self._smooth = (
            None
            if smooth is None or smooth == EDGES
            else Folder(Path(smooth), size, max_bad=max_bad)
        )
        self._makes_edges = smooth == EDGES
        self._open: dict[str, Cached] = {}
        #: for each paired field, the row of its own cache entry that goes with each row of ``real``
        self._partners: dict[str, NDArray[np.int64]] = {}
        self._epoch = (0, 0)
        self._draws: dict[str, tuple[NDArray[np.int64], NDArray[np.bool_]]] = {}
        if "smooth" in self.paired and smooth is None:
            raise DataError(
                "unpaired: paired names 'smooth', but the argument smooth is missing. "
                f"Say smooth: {EDGES}, or take it out of paired."
            )

    def prepare(self) -> None:
        """Read and resize the images and smooth the edges, or open them if they are in the cache.

        Raises DataError if a folder is missing, empty or damaged beyond ``max_bad``, if two are
        the same or seem to be swapped, if an image of a pair has no partner, or if the smoothed
        cartoons equal the cartoons.
        """
        if self._open:
            return
        self._refuse_the_same_folder()
        entries = {"photo": self._photo.entry(), "real": self._real.entry()}
        if entries["photo"].path == entries["real"].path:
            raise DataError(
                f"unpaired: photo, '{self._photo.path}', and real, '{self._real.path}', hold the "
                f"same images. photo is a folder of photos, real one of cartoons."
            )
        if self.check:
            self._check_domains(entries["photo"], entries["real"])
        if self._makes_edges:
            cartoons = entries["real"]
            key = {
                "real": cartoons.index["arrays"]["images.npy"]["sha256"],
                "edges": edges.VERSION,
                "opencv": edges.opencv().__version__,
            }
            entries["smooth"] = cache.get(
                "edges", key, self.size, lambda writer: edges.fill(writer, cartoons.images)
            )
        elif self._smooth is not None:
            entries["smooth"] = self._smooth.entry()
        if "smooth" in entries:
            self._check_smooth(entries["smooth"], entries["real"])
        if len(entries["real"].images) < FEW:
            cache.log.warning(
                "Only %d cartoons in %s: below %d a GAN tends to learn them by heart; the authors "
                "of CartoonGAN used thousands. Collect more, set mirror: true, use augment.",
                len(entries["real"].images),
                self._real.path,
                FEW,
            )
        self._partners = {field: self._match(field, entries) for field in self.paired}
        self.face = files.face_of(self._photo.path)
        self._open = entries

    def __len__(self) -> int:
        self.prepare()
        return max(len(self._open[field].images) for field in ("photo", "real"))

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """Return example ``index``: ``photo``, ``real``, ``smooth`` (3, size, size) in [-1, 1]."""
        return {word: batch[0] for word, batch in self.__getitems__([index]).items()}

    def __getitems__(self, indices: list[int]) -> dict[str, Tensor]:
        """Return a batch: ``photo``, ``real`` and perhaps ``smooth``, each (N, 3, size, size)."""
        self.prepare()
        examples = np.asarray(indices, dtype=np.int64)
        batch = {}
        for field, entry in self._open.items():
            rows, flips = self._draw(field)
            pixels = entry.images.take(rows[examples], axis=0)
            mirrors = np.flatnonzero(flips[examples])
            pixels[mirrors] = pixels[mirrors][..., ::-1]
            batch[field] = as_tensor(pixels)
        return batch

    def set_epoch(self, seed: int, epoch: int) -> None:
        """Draw the order of each field, and the images to flip, from these two numbers."""
        self._epoch = (seed, epoch)
        self._draws = {}

    def fingerprint(self) -> str:
        """Return a sha256 of the pixels of all fields, and of how they are drawn."""
        self.prepare()
        sha = hashlib.sha256(f"{self.mirror} {sorted(self.paired)}".encode())
        for field, entry in self._open.items():
            images = entry.index["arrays"]["images.npy"]
            sha.update(f"\n{field} {images['shape']} {images['sha256']}".encode())
        for field, rows in sorted(self._partners.items()):
            sha.update(f"\n{field} ".encode() + rows.tobytes())
        return sha.hexdigest()

    def rejected(self) -> dict[str, str]:
        """Return the paths of the files that were left out, and why."""
        folders = [folder for folder in (self._photo, self._real, self._smooth) if folder]
        return {
            str(folder.path / name): why
            for folder in folders
            for name, why in folder.rejected().items()
        }

    def _draw(self, field: str) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return the row of ``field`` for each example of this epoch, and whether to flip it."""
        if field not in self._draws:
            if field in self.paired:
                rows, flips = self._draw("real")
                self._draws[field] = self._partners[field][rows], flips
            else:
                rng = np.random.default_rng([*self._epoch, list(self.fields).index(field)])
                n, count = len(self), len(self._open[field].images)
                rounds = [rng.permutation(count) for _ in range(-(-n // count))]
                flips = rng.random(n) < (0.5 if self.mirror else 0)
                self._draws[field] = np.concatenate(rounds)[:n], flips
        return self._draws[field]

    def _match(self, field: str, entries: Mapping[str, Cached]) -> NDArray[np.int64]:
        """Return the row of ``field`` that goes with each row of ``real``."""
        if field == "smooth" and self._smooth is None:
            return np.arange(len(entries["real"].images))
        other = self._photo if field == "photo" else self._smooth
        assert other is not None  # a field is a folder or made from ``real``
        both = entries["real"], entries[field]
        return partners(self._real, other, both, "unpaired", f", or take '{field}' out of paired")

    def _check_domains(self, photo: Cached, real: Cached) -> None:
        """Refuse folders that seem to be swapped; warn if only one is of the wrong kind."""
        source, target = domains.of_planes(photo.images), domains.of_planes(real.images)
        if domains.swapped(source, target):
            raise DataError(
                f"unpaired: photo and real seem to be swapped: photo, '{self._photo.path}', looks "
                f"like drawings ({source.score:+.1f}; photos are below 0), and real, "
                f"'{self._real.path}', like photos ({target.score:+.1f}). Exchange them, or say "
                f"check: false if they are right."
            )
        for field, folder, domain, wrong in (
            ("photo", self._photo, source, "drawings"),
            ("real", self._real, target, "photos"),
        ):
            if domain.verdict == wrong:
                cache.log.warning(
                    "%s, %s, looks like %s (%+.1f). If that is right, ignore this.",
                    field,
                    folder.path,
                    wrong,
                    domain.score,
                )

    def _check_smooth(self, smooth: Cached, real: Cached) -> None:
        """Refuse smoothed cartoons that equal the cartoons; warn if a few do."""
        same, count = equal(smooth.images, real.images), len(smooth.images)
        if self._smooth is not None and same > edges.SAME * min(count, len(real.images)):
            raise DataError(
                f"unpaired: {same} of {count} images in smooth, '{self._smooth.path}', equal "
                f"images in real, '{self._real.path}': the discriminator would have to call the "
                f"same image true and false. Make them with "
                f"`ganzoo data edges '{self._real.path}' --out DIR`, or say smooth: {EDGES}."
            )
        if same:
            cache.log.warning(
                "%d of %d images in smooth equal their originals in %s: they have no edges to "
                "smooth.",
                same,
                count,
                self._real.path,
            )

    def _refuse_the_same_folder(self) -> None:
        folders = {"photo": self._photo, "real": self._real, "smooth": self._smooth}
        fields: dict[Path, str] = {}
        for field, folder in folders.items():
            if folder is None:
                continue
            place = folder.path.resolve()
            if place in fields:
                raise DataError(
                    f"unpaired: {fields[place]} and {field} are the same folder, '{folder.path}'. "
                    f"photo is a folder of photos, real one of cartoons, smooth one of cartoons "
                    f"with smoothed edges."
                )
            fields[place] = field


def equal(smooth: NDArray[np.uint8], real: NDArray[np.uint8]) -> int:
    """Count the images of ``smooth`` (N, 3, S, S) that equal one of ``real`` to the last bit."""
    originals = {_hash(image) for image in real}
    return sum(_hash(image) in originals for image in smooth)


def _hash(image: NDArray[np.uint8]) -> bytes:
    return hashlib.blake2b(image.data, digest_size=16).digest()
