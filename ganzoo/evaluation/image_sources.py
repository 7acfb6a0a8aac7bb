"""The images that a benchmark measures: a model's, a folder's, or real ones, spoilt or not.

Reference rows show what a benchmark's scores are worth: held-out real images are the best that a
model could reach; each of the others is the worst in one way.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from ganzoo.errors import DataError, RunError
from ganzoo.evaluation.protocol import Protocol
from ganzoo.formats.json import digest
from ganzoo.images import BadImage, decode
from ganzoo.interfaces import Generator
from ganzoo.models import samples
from ganzoo.models.network import RANDOM, reads
from ganzoo.models.randomness import rng
from ganzoo.models.weights import weights_hash
from ganzoo.recipe.benchmark import Benchmark
from ganzoo.scan import scan

#: a generator's outputs beyond this are not in [-1, 1], even if its last layer overshoots a little
_FAR = 4.0
#: reference rows, ``photo`` in benchmarks of photos alone
ROWS = ("held-out", "lightly-blurred", "grain", "blurred", "noise", "repeated", "photo")
#: standard deviations of blurs as shares of an image's side: outlines soften, or melt
BLURS = {"lightly-blurred": 1 / 64, "blurred": 1 / 24}
#: the grain's standard deviation, 10 of 255 gray values, in [-1, 1]
_GRAIN = 20 / 255


class ImageSource:
    """Images to measure.

    ``key`` hashes everything that decides them beside the protocol.  ``selection`` says what they
    were drawn from, if only some are measured.
    """

    kind = "model"
    key: str
    selection = ""

    def notes(self) -> list[str]:
        """List what was not used of the files; called after measuring."""
        return []

    def labels(self, start: int, stop: int) -> dict[str, Tensor]:
        """Return the labels asked of images ``start`` to ``stop``: ``hair=pink`` -> bool (n,)."""
        return {}

    def draw(self, start: int, stop: int) -> Tensor:
        """Draw images ``start`` to ``stop``, uint8 (n, 3, S, S).

        Raises RunError or DataError for unusable images.
        """
        raise NotImplementedError


class Generated(ImageSource):
    """A generator's images, from noise or from the benchmark's held-out images.

    ``origin`` is plain data that tells models with the same weights apart.
    """

    def __init__(self, generator: Generator, protocol: Protocol, origin: object = None):
        self.generator, self.protocol = generator, protocol
        self.key = digest([weights_hash(generator), origin])
        inputs, fields = reads(generator), protocol.fields
        self._draws_latents = "latent" in inputs.words
        # labels are known to evaluators, what says them in other words is not
        drawn = {*RANDOM, *(generator.instead_of_label if generator.label else ())}
        self._reads = [word for word in inputs.words if word in fields and word not in drawn]
        protocol.dataset.demand(self._reads)
        benchmark = protocol.benchmark.name
        if absent := [w for w in inputs.required if w not in fields and w not in RANDOM]:
            raise RunError(
                f"the model makes its images from '{absent[0]}', and benchmark {benchmark} has "
                f"none. Measure it on one that has: `ganzoo list benchmarks`."
            )
        if protocol.has_pairs and not self._reads:
            raise RunError(
                f"the model draws from noise, and benchmark {benchmark} compares pictures with "
                "what they are made from. Measure it on one of avatars or faces: `ganzoo list "
                "benchmarks`."
            )

    def draw(self, start: int, stop: int) -> Tensor:
        """Generate images from the protocol's own seed; each depends only on its number.

        Raises RunError if they do not suit the benchmark, or are not finite and in [-1, 1].
        """
        generator, protocol, n = self.generator, self.protocol, stop - start
        inputs: dict[str, Tensor] = {}
        if self._draws_latents:
            inputs["latent"] = samples.latents(generator, protocol.seed, n, start)
        if (label := samples.labels(generator, protocol.seed, n, {}, start)) is not None:
            inputs["label"] = label  # not the dataset's, which may have other attributes
        if self._reads:
            examples = protocol.examples(protocol.held_out[start:stop])
            inputs |= {word: examples[word] for word in self._reads}
        try:
            images = samples.generate(generator, inputs)
        except (RuntimeError, ValueError) as error:
            raise RunError(
                f"the model cannot make images of what benchmark {protocol.benchmark.name} gives "
                f"it: {str(error).splitlines()[0]}. Was it trained for another size?"
            ) from error
        size = protocol.size
        if size and images.shape[1:] != (3, size, size):
            raise RunError(
                f"the model makes images of {'x'.join(map(str, images.shape[1:]))}, and benchmark "
                f"{protocol.benchmark.name} is for 3x{size}x{size}. Choose one of its size: "
                "`ganzoo list benchmarks`."
            )
        bad = ~images.isfinite().flatten(1).all(1)
        if bad.any():
            raise RunError(
                f"image {start + int(bad.nonzero()[0])} of the model holds NaN or infinity: its "
                "weights are damaged, or its training went wrong. `ganzoo diagnose RUN` tells."
            )
        if (largest := float(images.abs().max())) > _FAR:
            raise RunError(
                f"the model's images have values up to {largest:.3g}, and [-1, 1] is wanted: they "
                "look like 0..255. Its generator should end with tanh, or rescale."
            )
        return samples.to_uint8(images)

    def labels(self, start: int, stop: int) -> dict[str, Tensor]:
        """Return the labels that ``draw`` gives the generator."""
        classes = self.generator.label or {}
        indices = samples.labels(self.generator, self.protocol.seed, stop - start, {}, start)
        if indices is None:
            return {}
        return {
            f"{name}={value}": indices[:, column] == number
            for column, (name, values) in enumerate(classes.items())
            for number, value in enumerate(values)
        }


class Files(ImageSource):
    """The images of a folder.

    If there are more than needed, the protocol's seed draws some: the first by name may all be of
    one class.
    """

    kind = "images"

    def __init__(self, path: Path, protocol: Protocol):
        self.path, self.protocol = path, protocol
        target, size = protocol.benchmark.fakes, protocol.size
        if protocol.has_pairs:
            raise RunError(
                f"benchmark {protocol.benchmark.name} compares each image with what it is made "
                "from, which a folder cannot tell: measure the model."
            )
        self._scan = scan(path)
        self._files_by_note: dict[str, set[str]] = {}
        self.names = self._scan.names
        count = len(self.names)
        refuse_few(path, count, protocol.benchmark)
        if count > target:
            order = torch.randperm(count, generator=rng(protocol.benchmark.seed, "images"))
            self.names = [self.names[i] for i in sorted(order[:target].tolist())]
            self.selection = (
                f"{target:,} of {path}'s {count:,} images, drawn by the benchmark's seed"
            )
        sha = hashlib.sha256(f"{size}".encode())
        for name in self.names:
            sha.update(hashlib.sha256((path / name).read_bytes()).digest())
        self.key = sha.hexdigest()

    def notes(self) -> list[str]:
        """List what was not used of the files that this process read."""
        notes = [
            f"{note}: {len(names):,} ({min(names)})" for note, names in self._files_by_note.items()
        ]
        if rest := self._scan.not_looked_at():
            notes.append(f"not looked at: {rest}")
        return notes

    def draw(self, start: int, stop: int) -> Tensor:
        """Read the files' pixels, which must have the right size: resizing changes scores."""
        pictures, size = [], self.protocol.size
        for name in self.names[start:stop]:
            path = self.path / name
            try:
                content = decode(path.read_bytes())
            except (OSError, BadImage) as error:
                raise DataError(
                    f"{path} cannot be used: {error}. Remove it, or mend it."
                ) from error
            for note in content.notes:
                self._files_by_note.setdefault(note, set()).add(name)
            picture = content.image
            if picture.size != (size, size):
                raise DataError(
                    f"{path} has {picture.width}x{picture.height} pixels, and benchmark "
                    f"{self.protocol.benchmark.name} is for {size}x{size}. Resize the images all "
                    "in one way, which belongs to what is measured; or choose a benchmark of "
                    "their size."
                )
            pictures.append(torch.from_numpy(np.asarray(picture).copy()).permute(2, 0, 1))
        return torch.stack(pictures)


class ReferenceRow(ImageSource):
    """A row that shows what scores mean: held-out real images, whole or spoilt, or photos."""

    kind = "reference"

    def __init__(self, name: str, protocol: Protocol):
        self.name, self.protocol = name, protocol
        self.key = name

    def draw(self, start: int, stop: int) -> Tensor:
        """Return images of the row, rounded to 8 bits."""
        protocol = self.protocol
        if self.name in ("noise", "repeated"):
            one = protocol.examples(protocol.reference[:1])["real"]
            images = one.expand(stop - start, *one.shape[1:])
            if self.name == "noise":
                noise = [
                    torch.rand(one.shape[1:], generator=rng(protocol.seed, "noise", i))
                    for i in range(start, stop)
                ]
                images = torch.stack(noise) * 2 - 1
        else:
            examples = protocol.examples(protocol.held_out[start:stop])
            images = examples["photo" if self.name == "photo" else "real"]
            if self.name in BLURS:
                images = blur(images, BLURS[self.name])
            elif self.name == "grain":
                images = add_grain(images, protocol.seed, start)
        return samples.to_uint8(images)


#: the fewest images that a benchmark may be for, as its grammar says
FEWEST = 10


def refuse_few(path: Path, count: int, benchmark: Benchmark) -> None:
    """Raise DataError if a folder holds fewer images than a benchmark needs."""
    if count < benchmark.fakes:
        fewer = ", or measure with fewer, which is another protocol: --set fakes="
        raise DataError(
            f"{path} holds {count} {'image' if count == 1 else 'images'}, and benchmark "
            f"{benchmark.name} is for {benchmark.fakes}. Make more"
            f"{f'{fewer}{count}' if count >= FEWEST else '.'}"
        )


def reference_rows(protocol: Protocol) -> list[str]:
    """List the reference rows of a benchmark; ``photo`` if it has photos."""
    return [row for row in ROWS if row != "photo" or "photo" in protocol.fields]


def add_grain(images: Tensor, seed: int, start: int = 0) -> Tensor:
    """Add Gaussian noise to (N, 3, H, W) in [-1, 1], of which the first is image ``start``."""
    noise = [
        torch.randn(image.shape, generator=rng(seed, "grain", i))
        for i, image in enumerate(images, start)
    ]
    return images + _GRAIN * torch.stack(noise)


def blur(pictures: Tensor, share: float) -> Tensor:
    """Blur (N, 3, H, W) with a Gaussian whose standard deviation is a ``share`` of their side."""
    sigma = pictures.shape[-1] * share
    reach = int(3 * sigma) + 1
    steps = torch.arange(-reach, reach + 1, dtype=torch.float32)
    kernel = torch.exp(-(steps**2) / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).expand(3, 1, 1, -1)
    canvas = pad(pictures, [reach] * 4, mode="reflect")
    return conv2d(conv2d(canvas, kernel, groups=3), kernel.mT, groups=3)
