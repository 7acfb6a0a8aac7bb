"""The contracts catch what they promise: faulty components, one fault each, beside good ones."""

from __future__ import annotations

import hashlib
import logging
import os
import pickle
import random
import re
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

import ganzoo.plugins.manager
from ganzoo import hookimpl
from ganzoo.errors import DataError, PluginError
from ganzoo.files import cache_folder, may_download
from ganzoo.interfaces import (
    GROUPS,
    Box,
    Dataset,
    Detector,
    Discriminator,
    Evaluator,
    Extractor,
    Generator,
    Imported,
    Importer,
    Loss,
    Transform,
)
from ganzoo.plugins.manager import Plugins
from ganzoo.plugins.registry import Origin
from ganzoo.testing import Unavailable, contracts

pytest_plugins = "pytester"

RECIPE = """
recipe: good
batch: 4
dataset: {use: good-made-up}
generator: {use: good}
discriminator: {use: good}
optimizer: {use: adam, lr: 1e-3}
stages:
  - {name: all, steps: 1, discriminator: [{use: good}], generator: [{use: good}]}
"""


@pytest.fixture(autouse=True)
def few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganzoo.testing.rows.COUNT", 30)
    monkeypatch.setattr("ganzoo.testing.rows.PAIRS", 10)


# -- a plugin as it should be -----------------------------------------------------------------


class GoodGenerator(Generator):
    """One hidden layer, which may be told what to draw.

    Args:
        size: pixels of a side.
        label: attribute -> values.
    """

    def __init__(self, size: int, label: dict[str, list[str]] | None = None):
        super().__init__()
        self.size, self.label = size, label
        self.inner = nn.Linear(4, 8)
        self.norm = nn.BatchNorm1d(8)
        self.outer = nn.Linear(8, 3 * size * size)
        self.tables = nn.ModuleList(nn.Embedding(len(v), 4) for v in (label or {}).values())
        self.begin()

    def begin(self) -> None:
        pass

    def sample_latent(self, n: int, rng: torch.Generator) -> Tensor:
        return torch.randn(n, 4, generator=rng)

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        for column, table in enumerate(self.tables):
            assert label is not None
            latent = latent + table(label[:, column])
        return self.draw(self.norm(self.inner(latent)).relu())

    def draw(self, hidden: Tensor) -> Tensor:
        assert self.size is not None
        return self.outer(hidden).tanh().unflatten(1, (3, self.size, self.size))


class GoodTranslator(Generator):
    """A photo and a picture, of any size from 48 pixels, to another."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(6, 3, 41, padding=20, padding_mode="reflect")

    def forward(self, photo: Tensor, real: Tensor) -> Tensor:
        return self.conv(torch.cat([photo, real], 1)).tanh()


class GoodDiscriminator(Discriminator):
    """A convolution for the logits, and one more for a head."""

    heads = ("describe",)

    def __init__(self) -> None:
        super().__init__()
        self.shared = nn.Conv2d(3, 4, 4, 4)
        self.last = nn.Conv2d(4, 1, 1)
        self.described = nn.Conv2d(4, 2, 1)

    def forward(self, image: Tensor) -> Tensor:
        return self.last(nn.functional.softplus(self.shared(image))).mean((1, 2, 3))

    def describe(self, image: Tensor) -> dict[str, Tensor]:
        return {"maps": self.described(self.shared(image).tanh())}


class GoodLoss(Loss):
    """Differences of logits, for both players."""

    def generator(self, fake_logits: Tensor) -> Tensor:
        return self.value(fake_logits)

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return self.value(real_logits) - self.value(fake_logits)

    def value(self, logits: Tensor) -> Tensor:
        return -logits.mean()


class GoodPenalty(Loss):
    """The squared gradient at the real images."""

    differentiates = ("real",)
    create_graph = True

    def discriminator(self, real: Tensor, real_logits: Tensor) -> Tensor:
        given = torch.autograd.grad(real_logits.sum(), real, create_graph=self.create_graph)
        return given[0].square().sum()


class GoodHeadLoss(Loss):
    """Of what a head of the same plugin's discriminator gives."""

    def discriminator(self, real: Tensor, discriminator: GoodDiscriminator) -> Tensor:
        return discriminator.describe(real)["maps"].square().mean()


class GoodVectorLoss(Loss):
    """Of features that are vectors, and of an image of the dataset's own."""

    def generator(self, fake_features: dict[str, Tensor], landmarks: Tensor) -> Tensor:
        (vector,) = fake_features.values()
        if vector.ndim != 2:
            raise DataError("vectors are wanted")
        return (vector - landmarks.sum()).square().mean()


class GoodFolder(Dataset):
    """Small pictures of a folder.

    Args:
        path: the folder.
        size: pixels of a side.
    """

    def __init__(self, path: Path, size: int = 64):
        self.path, self.size = path, size
        self.pixels: list[NDArray[np.uint8]] = []
        self.begin()

    def begin(self) -> None:
        pass

    def prepare(self) -> None:
        if not self.pixels:
            for file in sorted(Path(self.path).glob("*.png")):
                image = Image.open(file).resize((self.size, self.size))
                self.pixels.append(np.asarray(image).transpose(2, 0, 1))

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {"real": torch.from_numpy(self.pixels[index] / 127.5 - 1).float()}

    def fingerprint(self) -> str:
        return hashlib.sha256(b"".join(image.tobytes() for image in self.pixels)).hexdigest()


class GoodMadeUp(Dataset):
    """Noise, and what it is of.

    Args:
        count: how many.
        size: pixels of a side.
        label: whether to give labels.
    """

    fields = {"real": "image", "label": "label", "landmarks": "tensor"}  # noqa: RUF012

    def __init__(self, count: int = 10**9, size: int = 64, label: bool | None = None):
        self.count, self.size, self.shift = count, size, 0
        self.label_values = {"hue": ["red", "green"]} if label else None
        self.begin()

    def begin(self) -> None:
        pass

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        rng = torch.Generator().manual_seed(index + self.shift)
        found = {"real": torch.rand(3, self.size, self.size, generator=rng)}
        found["landmarks"] = torch.full((5, 2), index / self.count)
        if self.label_values:
            found["label"] = torch.tensor([index % 2])
        return found

    def __getitems__(self, indices: list[int]) -> dict[str, Tensor]:
        return torch.utils.data.default_collate([self[index] for index in indices])

    def set_epoch(self, seed: int, epoch: int) -> None:
        self.shift = 1000 * seed + epoch

    def fingerprint(self) -> str:
        return f"{self.count} {self.size}"


class GoodExtractor(Extractor):
    """One convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.requires_grad_(False)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        return {"conv": self.see(self.conv(image).tanh())}

    def see(self, maps: Tensor) -> Tensor:
        return maps


class GoodEvaluator(Evaluator):
    """How far the mean contrast of the fakes is from that of the reals."""

    higher_is_better = {"contrast-gap": False}  # noqa: RUF012
    blind = {"contrast-gap": ("repeated",)}  # noqa: RUF012

    def __init__(self) -> None:
        self.real_sum, self.reals = 0.0, 0
        self.sums, self.counts = torch.zeros(GROUPS).double(), torch.zeros(GROUPS).double()

    def real(self, image: Tensor) -> None:
        self.real_sum += self.contrast(image).sum().item()
        self.reals += len(image)

    def fake(self, image: Tensor, group: Tensor) -> None:
        self.sums.index_add_(0, group, self.contrast(image))
        self.counts.index_add_(0, group, torch.ones(len(group)).double())

    def contrast(self, image: Tensor) -> Tensor:
        return image.double().diff(dim=3).abs().mean((1, 2, 3))

    def compute(self, without: int | None = None) -> dict[str, float]:
        kept = torch.arange(GROUPS) != (-1 if without is None else without)
        mean = self.sums[kept].sum() / self.counts[kept].sum()
        return {"contrast-gap": abs(mean.item() - self.real_sum / self.reals)}


class GoodPairs(Evaluator):
    """The distance of features of the fake to those of the photo, which are maps."""

    higher_is_better = {"apart": False}  # noqa: RUF012
    blind = {"apart": ("blurred", "repeated")}  # noqa: RUF012

    def __init__(self) -> None:
        self.apart: list[float] = []

    def pair(self, photo_features: dict[str, Tensor], fake_features: dict[str, Tensor]) -> None:
        for layer, photo in photo_features.items():
            apart = (photo - fake_features[layer]).double().abs()
            self.apart += apart.mean((1, 2, 3)).tolist()

    def compute(self) -> dict[str, float]:
        return {"apart": sum(self.apart) / len(self.apart)}


class GoodTransform(Transform):
    """Brighter or darker.

    Args:
        most: by how much.
    """

    def __init__(self, most: float):
        self.most = most

    def __call__(self, image: Tensor) -> Tensor:
        return image + self.most * torch.rand(len(image), 1, 1, 1).to(image)


class GoodDetector(Detector):
    """Finds whatever is black."""

    def detect(self, image: NDArray[np.uint8]) -> list[Box]:
        return [] if image.any() else [Box(0, 0, *image.shape[1::-1], score=1)]


class GoodImporter(Importer):
    """Reads a pickle of nothing."""

    def read(self, path: Path) -> Imported:
        if not path.is_file():
            raise DataError(f"there is no file '{path}'")
        return pickle.loads(path.read_bytes())


GOOD: dict[str, dict[str, Any]] = {
    "generator": {"good": GoodGenerator, "good-translator": GoodTranslator},
    "discriminator": {"good": GoodDiscriminator},
    "loss": {
        "good": GoodLoss,
        "good-penalty": GoodPenalty,
        "good-head": GoodHeadLoss,
        "good-vector": GoodVectorLoss,
    },
    "dataset": {"good": GoodFolder, "good-made-up": GoodMadeUp},
    "extractor": {"good": GoodExtractor},
    "evaluator": {"good": GoodEvaluator, "good-pairs": GoodPairs},
    "transform": {"good": GoodTransform},
    "detector": {"good": GoodDetector},
    "importer": {"good": GoodImporter},
}


def plugins(components: dict[str, dict[str, Any]]) -> Plugins:
    """One plugin, ``acme``, with these components by kind and name."""
    found, made = ModuleType("acme"), Plugins()
    for kind, named in components.items():

        def add(register: Any, named: dict[str, Any] = named) -> None:
            for name, target in named.items():
                register(name, target)

        vars(found)[f"register_{kind.replace('loss', 'losse')}s"] = hookimpl(_hook(add))
    plugin = made.add(lambda: found, Origin("acme", "ganzoo-acme", "1.0"))
    assert plugin.error is None, plugin.traceback
    return made


def _hook(add: Any) -> Any:
    """A function of the hook's own parameter alone."""
    return lambda register: add(register)


def broken(
    components: dict[str, dict[str, Any]], component: str = "", **arguments: Any
) -> dict[str, str]:
    """Promise -> what is said of it, for all that ``component`` does not keep."""
    found = {}
    given = {component: arguments} if arguments else None
    for contract in contracts("acme", plugins(components), given):
        if contract.component == component or not component:
            try:
                contract()
            except AssertionError as error:
                found[contract.promise if component else str(contract)] = str(error)
            except Unavailable:
                continue  # as the order of a score whose words the reference rows have not
    return found


def test_good_components_keep_every_promise(tmp_path: Path) -> None:
    pytest.importorskip("dicebear", reason="pip install 'ganzoo[avatars]'")
    (tmp_path / "good.yaml").write_text(RECIPE)
    components = GOOD | {"recipe": {"good": tmp_path / "good.yaml"}}
    assert broken(components) == {}
    every = contracts("acme", plugins(components))
    assert {str(c.component) for c in every} == {
        f"{kind} {name}" for kind, named in components.items() for name in named
    }
    first = every[0]
    assert str(first) == f"{first.component}: {first.promise}"
    assert re.fullmatch(r"[\w.-]+", first.id)


# -- faults -----------------------------------------------------------------------------------


class Undocumented(GoodTransform):
    """Brighter or darker, by a number."""

    def __init__(self, most: float, least: float = 0.0):
        super().__init__(most)


class Wordless(GoodTransform):
    "Brighter"


class AnyArguments(GoodLoss):
    def generator(self, **words: Tensor) -> Tensor:
        return words["fake_logits"].mean()


class Patched(GoodPenalty):
    pass


Patched.differentiates = ()  # not what the source says


class Unbounded(GoodGenerator):
    def draw(self, hidden: Tensor) -> Tensor:
        return 3 * super().draw(hidden)


class NeverDark(GoodGenerator):
    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        return super().forward(latent, label).add(1).div(2)


class OneSize(GoodGenerator):
    def draw(self, hidden: Tensor) -> Tensor:
        return nn.functional.interpolate(super().draw(hidden), size=32)


class Unlabelled(GoodGenerator):
    def begin(self) -> None:
        self.label = None


class OwnLatents(GoodGenerator):
    def sample_latent(self, n: int, rng: torch.Generator) -> Tensor:
        return torch.randn(n, 4)


class Spare(GoodGenerator):
    def begin(self) -> None:
        self.spare = nn.Linear(2, 2)


class NumpyWeights(GoodGenerator):
    def begin(self) -> None:
        with torch.no_grad():
            self.inner.bias += float(np.random.random())


class NumpyNoise(GoodGenerator):
    def draw(self, hidden: Tensor) -> Tensor:
        return super().draw(hidden + (np.random.random() if self.training else 0))


class BatchNormalised(GoodGenerator):
    def draw(self, hidden: Tensor) -> Tensor:
        return super().draw(hidden - hidden.mean(0))


class PlainNumber(GoodGenerator):
    def begin(self) -> None:
        self.scale = torch.rand(()).item()

    def draw(self, hidden: Tensor) -> Tensor:
        return super().draw(hidden * self.scale)


class Tied(GoodGenerator):
    def begin(self) -> None:
        self.twin = self.inner


class Locked(GoodGenerator):
    def begin(self) -> None:
        self.lock = threading.Lock()


class OneImage(Generator):
    """The same learned image, whatever the latents are.

    Args:
        size: pixels of a side.
    """

    def __init__(self, size: int):
        super().__init__()
        self.image = nn.Parameter(torch.randn(3, size, size))

    def sample_latent(self, n: int, rng: torch.Generator) -> Tensor:
        return torch.randn(n, 4, generator=rng)

    def forward(self, latent: Tensor) -> Tensor:
        return self.image.tanh().expand(len(latent), -1, -1, -1)


class DeafToLabels(GoodGenerator):
    def begin(self) -> None:
        self.tables = nn.ModuleList()


class DropsOut(GoodGenerator):
    def draw(self, hidden: Tensor) -> Tensor:
        return super().draw(nn.functional.dropout(hidden))


class Noisy(GoodGenerator):
    def draw(self, hidden: Tensor) -> Tensor:
        return super().draw(hidden + torch.randn_like(hidden))


class SinglePrecision(GoodGenerator):
    def draw(self, hidden: Tensor) -> Tensor:
        return super().draw(hidden).float()


class OnTheCPU(GoodGenerator):
    def draw(self, hidden: Tensor) -> Tensor:
        return super().draw(hidden + torch.zeros(8, dtype=hidden.dtype))


class Sigmoid(GoodDiscriminator):
    def forward(self, image: Tensor) -> Tensor:
        return super().forward(image).sigmoid()


class Headless(GoodDiscriminator):
    heads = ("describe", "reconstruct")


class Detached(GoodDiscriminator):
    def forward(self, image: Tensor) -> Tensor:
        return super().forward(image.detach())


class Counting(GoodDiscriminator):
    def forward(self, image: Tensor) -> Tensor:
        logits = super().forward(image)
        return logits + torch.arange(len(logits)).to(logits)


class DeafToImages(GoodDiscriminator):
    def forward(self, image: Tensor, photo: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(image)


class Unreached(GoodDiscriminator):
    heads = ()


class Misspelt(GoodLoss):
    def generator(self, fake_logit: Tensor) -> Tensor:  # type: ignore[override]
        return fake_logit.mean()


class Elsewhere(GoodPenalty):
    differentiates = ("real", "fake")


class Vector(GoodLoss):
    def value(self, logits: Tensor) -> Tensor:
        return -logits


class Cut(GoodLoss):
    def value(self, logits: Tensor) -> Tensor:
        return logits.detach().mean()


class Infinite(GoodLoss):
    def generator(self, fake_logits: Tensor) -> Tensor:
        return (fake_logits.mean() * 0 + 200).exp()


class Constant(GoodLoss):
    def value(self, logits: Tensor) -> Tensor:
        return logits.mean() * 0


class NoGraph(GoodPenalty):
    create_graph = False


class NoLeaf(GoodPenalty):
    differentiates = ()


class Moving(GoodLoss):
    mean: Any = 0

    def value(self, logits: Tensor) -> Tensor:
        self.mean = 0.9 * self.mean + logits.mean().detach()
        return super().value(logits) + self.mean


class Dice(GoodLoss):
    def value(self, logits: Tensor) -> Tensor:
        return super().value(logits) * random.random()


class Learning(GoodLoss):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def value(self, logits: Tensor) -> Tensor:
        return super().value(logits) * self.scale


class LossOnTheCPU(GoodLoss):
    def value(self, logits: Tensor) -> Tensor:
        return super().value(logits - torch.ones(4))


class Pictures(GoodFolder):
    fields = {"real": "picture"}  # noqa: RUF012


class Eager(GoodFolder):
    def begin(self) -> None:
        if not Path(self.path).exists():
            raise DataError(f"there is no '{self.path}'")


class Littering(GoodMadeUp):
    def begin(self) -> None:
        cache_folder().mkdir(exist_ok=True)


class Bright(GoodFolder):
    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {"real": (super().__getitem__(index)["real"] + 1) * 127.5}


class Surprising(GoodFolder):
    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return super().__getitem__(index) | {"rael": torch.zeros(1)}


class Larger(GoodFolder):
    def prepare(self) -> None:
        super().prepare()
        self.size = 64


class Mislabelled(GoodMadeUp):
    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {w: v + (w == "label") for w, v in super().__getitem__(index).items()}


class NewFingerprint(GoodMadeUp):
    def fingerprint(self) -> str:
        return str(uuid.uuid4())


class CountingEpochs(GoodMadeUp):
    def set_epoch(self, seed: int, epoch: int) -> None:
        self.shift += 1


class OfThePath(GoodFolder):
    def fingerprint(self) -> str:
        return str(self.path)


class OfTheSize(GoodFolder):
    def fingerprint(self) -> str:
        return str(self.size)


class Sorting(GoodMadeUp):
    def __getitems__(self, indices: list[int]) -> dict[str, Tensor]:
        return super().__getitems__(sorted(indices))


class Unpicklable(GoodFolder):
    def prepare(self) -> None:
        super().prepare()
        self.look = lambda image: image


class OfTheBatch(GoodExtractor):
    def see(self, maps: Tensor) -> Tensor:
        return maps - maps.mean(0) / 2


class Unfrozen(GoodExtractor):
    def __init__(self) -> None:
        super().__init__()
        self.requires_grad_(True)


class Opaque(GoodExtractor):
    def see(self, maps: Tensor) -> Tensor:
        return maps.detach()


class ExtractorOnTheCPU(GoodExtractor):
    def see(self, maps: Tensor) -> Tensor:
        return maps - torch.ones(1, 4, 1, 1)


class Asking(GoodEvaluator):
    def real(self, image: Tensor, imgae: Tensor) -> None:  # type: ignore[override]
        super().real(image)


class Talkative(GoodEvaluator):
    def compute(self, without: int | None = None) -> dict[str, float]:
        return super().compute(without) | {"contrast": 1.0}


class ShortSighted(GoodEvaluator):
    blind = {"contrast-gap": ("repeated", "blurry")}  # noqa: RUF012


class Shared(GoodPairs):
    everything: list[float] = []  # noqa: RUF012

    def __init__(self) -> None:
        self.apart = self.everything


class MeanOfMeans(GoodPairs):
    def pair(self, photo_features: dict[str, Tensor], fake_features: dict[str, Tensor]) -> None:
        before, self.apart = self.apart, []
        super().pair(photo_features, fake_features)
        self.apart = [*before, sum(self.apart) / len(self.apart)]


class Forgetful(GoodEvaluator):
    def compute(self, without: int | None = None) -> dict[str, float]:
        return super().compute()


class UpsideDown(GoodEvaluator):
    higher_is_better = {"contrast-gap": True}  # noqa: RUF012


class Cropping(GoodTransform):
    def __call__(self, image: Tensor) -> Tensor:
        return super().__call__(image)[..., 1:]


class InPlace(GoodTransform):
    def __call__(self, image: Tensor) -> Tensor:
        with torch.no_grad():
            image += self.most
        return super().__call__(image)


class Blocking(GoodTransform):
    def __call__(self, image: Tensor) -> Tensor:
        return super().__call__(image.detach())


class Unseeded(GoodTransform):
    def __call__(self, image: Tensor) -> Tensor:
        return super().__call__(image) + np.random.random()


class TransformOnTheCPU(GoodTransform):
    def __call__(self, image: Tensor) -> Tensor:
        return image + torch.rand(len(image), 1, 1, 1)


class Seeing(GoodDetector):
    def detect(self, image: NDArray[np.uint8]) -> list[Box]:
        return [Box(0, 0, 1, 1, 0.5)]


class Trusting(GoodImporter):
    def read(self, path: Path) -> Imported:
        return Imported("good", {}, {}, {})


class Blunt(GoodImporter):
    def read(self, path: Path) -> Imported:
        return pickle.loads(path.read_bytes())


#: kind, faulty component, start of the promise that it breaks, and what is said
FAULTS: list[tuple[str, type, str, str]] = [
    ("transform", Undocumented, "it and its arguments", "least.*Args:"),
    ("transform", Wordless, "it and its arguments", "begins with 'Brighter'"),
    ("generator", Unbounded, "it draws", r"from -\d.*End with a tanh"),
    ("generator", NeverDark, "it draws", "Is there a sigmoid"),
    ("generator", OneSize, "it draws", r"not \(1, 3, 64, 64\)"),
    ("generator", Unlabelled, "it draws", "set `self.label`"),
    ("generator", OwnLatents, "its latents", "generator=rng"),
    ("generator", Spare, "gradients reach", r"no gradient reaches spare.weight \(2, 2\)"),
    ("generator", NumpyWeights, "the seed", "inner.bias.*not with numpy"),
    ("generator", NumpyNoise, "the seed", "it draws from elsewhere"),
    ("generator", BatchNormalised, "in eval mode", "changes with the other inputs"),
    ("generator", PlainNumber, "its weights survive", "register_buffer"),
    ("generator", Tied, "its weights survive", "save_file.*share memory"),
    ("generator", Locked, "its weights survive", "copy.deepcopy"),
    ("generator", OneImage, "what it gives depends", "whatever its 'latent' is"),
    ("generator", DeafToLabels, "what it gives depends", "whatever its 'label' is"),
    ("generator", DropsOut, "in eval mode", "something else at every call"),
    ("generator", Noisy, "in eval mode", "something else at every call"),
    ("generator", SinglePrecision, "it works in float64", "torch.float32"),
    ("generator", OnTheCPU, "it moves", r"cpu and meta.*device=x.device.*in draw"),
    ("discriminator", Sigmoid, "it gives finite raw logits", "sigmoid"),
    ("discriminator", Detached, "the gradients of its logits", "do not depend on the image"),
    ("discriminator", Counting, "in eval mode the order", "the order of its batch"),
    ("discriminator", Unreached, "gradients reach", "described.weight"),
    ("discriminator", DeafToImages, "what it gives depends", "whatever its 'photo' is"),
    ("loss", Elsewhere, "it has a part", "differentiates 'fake', which is no image that it reads"),
    ("loss", Vector, "it gives a finite scalar", r"\(4,\).*mean over the batch"),
    ("loss", Cut, "it gives a finite scalar", "detach"),
    ("loss", Infinite, "it gives a finite scalar", "gives -?inf"),
    ("loss", Constant, "it gives a finite scalar", "it trains nothing"),
    ("loss", NoGraph, "it gives a finite scalar", "create_graph=True"),
    ("loss", Moving, "its value is decided", "it remembers something"),
    ("loss", Dice, "its value is decided", "draws at random"),
    ("loss", Learning, "it has no trainable", "scale.*losses are frozen"),
    ("loss", LossOnTheCPU, "it works wherever", "cpu and meta"),
    ("dataset", Pictures, "it declares", "'picture': not one of image, label, tensor"),
    ("dataset", Eager, "its constructor only", "asks for a path that is not there"),
    ("dataset", Littering, "its constructor only", "wrote to"),
    ("dataset", Bright, "every example", r"to 2\d\d: images are in \[-1, 1\]"),
    ("dataset", Surprising, "every example", "'rael', which is not.*did you mean 'real'"),
    ("dataset", Larger, "every example", r"not \(3, 64, 64\)"),
    ("dataset", NewFingerprint, "the same arguments", "other fingerprints"),
    ("dataset", CountingEpochs, "what is random", "another 'real'"),
    ("dataset", OfThePath, "its fingerprint", "hash what is in the files"),
    ("dataset", OfTheSize, "its fingerprint", "other images have the same"),
    ("dataset", Sorting, "a batch that it gathers", "another 'real'"),
    ("dataset", Unpicklable, "it reaches worker", "pickle.* raised .*lambda"),
    ("extractor", OfTheBatch, "it gives finite features", "changes with the others"),
    ("extractor", Unfrozen, "it is frozen", r"requires_grad_\(False\)"),
    ("extractor", Opaque, "gradients go through", "no_grad"),
    ("extractor", ExtractorOnTheCPU, "it moves", "cpu and meta"),
    ("evaluator", Asking, "it has a stream", "'imgae'.*did you mean 'image'"),
    ("evaluator", Talkative, "it gives every score", "'contrast', which is not in"),
    ("evaluator", ShortSighted, "it gives every score", "blurry"),
    ("evaluator", MeanOfMeans, "how many images", "of 7 at a time"),
    ("evaluator", Forgetful, "leaving a group out", r"compute\(without=0\)"),
    ("transform", Cropping, "it gives finite images", r"\(1, 3, 32, 31\)"),
    ("transform", Unseeded, "all that is random", "not from numpy"),
    ("transform", TransformOnTheCPU, "it works on the device", "cpu and meta"),
    ("detector", Seeing, "it finds no face", "Box"),
    ("importer", Trusting, "it refuses", "missing or empty"),
    ("importer", Blunt, "it refuses", r"read\('.*nowhere'\) raised FileNotFoundError"),
]
#: faults that break more than one promise: the one that names it best
WIDE: list[tuple[str, type, str, str]] = [
    ("loss", AnyArguments, "its class agrees", r"no \*args or \*\*kwargs"),
    ("loss", Patched, "its class agrees", r"differentiates is \(\)"),
    ("discriminator", Headless, "its heads", "'reconstruct', and it has no such method"),
    ("loss", Misspelt, "it has a part", "'fake_logit'.*did you mean 'fake_logits'"),
    ("loss", NoLeaf, "it gives a finite scalar", "Name it in `differentiates`"),
    ("evaluator", Shared, "the same images", "keep nothing in the class"),
    ("transform", InPlace, "it gives finite images", "it changed the images"),
    ("transform", Blocking, "gradients go through", "detach"),
]


def test_there_is_a_fault_for_every_promise() -> None:
    of_all = ("it and its arguments", "its class agrees", "it can be imported")
    untested = [
        str(contract)
        for contract in contracts("acme", plugins(GOOD))
        if not contract.promise.startswith((*of_all, "it ranks real images"))
        and not any(
            same_promises(contract.component) == same_promises(kind)
            and contract.promise.startswith(promise)
            for kind, _, promise, _ in FAULTS + WIDE
        )
    ]
    assert untested == []


def same_promises(component: str) -> str:
    """The kind; of both networks one, for they share functions."""
    kind = component.partition(" ")[0]
    return "network" if kind in ("generator", "discriminator") else kind


def one(kind: str, cls: type) -> dict[str, dict[str, Any]]:
    """A plugin of one faulty component."""
    return {kind: {"faulty": cls}}


def message(found: dict[str, str], promise: str) -> str:
    (said,) = [said for name, said in found.items() if name.startswith(promise)]
    return " ".join(said.split())


@pytest.mark.parametrize(
    ("kind", "cls", "promise", "said"), FAULTS, ids=[cls.__name__ for _, cls, *_ in FAULTS]
)
def test_a_fault_breaks_the_promise_that_is_about_it(
    kind: str, cls: type, promise: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganzoo.testing.evaluators.tells_real_from_spoilt", kept)
    found = broken(one(kind, cls), f"{kind} faulty")
    assert len(found) == 1, found
    assert re.search(said, message(found, promise)), found


@pytest.mark.parametrize(
    ("kind", "cls", "promise", "said"), WIDE, ids=[cls.__name__ for _, cls, *_ in WIDE]
)
def test_a_fault_with_many_effects_is_named_among_them(
    kind: str, cls: type, promise: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganzoo.testing.evaluators.tells_real_from_spoilt", kept)
    found = broken(one(kind, cls), f"{kind} faulty")
    assert re.search(said, message(found, promise)), found


def kept(subject: Any) -> None:
    """It costs seconds, and is tested on its own."""


def test_a_score_that_is_upside_down_is_told() -> None:
    pytest.importorskip("dicebear", reason="pip install 'ganzoo[avatars]'")
    found = broken(one("evaluator", UpsideDown), "evaluator faulty")
    assert len(found) == 1
    said = message(found, "it ranks real images")
    assert re.search(r"'contrast-gap' .* held-out .* way round\?.*blind", said)


def test_without_an_extra_the_reference_rows_say_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dicebear", None)
    contract = contracts("acme", plugins(one("evaluator", GoodEvaluator)))[-1]
    with pytest.raises(Unavailable, match=r"reference rows.*pip install 'ganzoo\[avatars\]'"):
        contract()


def test_labels_are_checked_where_they_are_asked_for() -> None:
    found = broken(one("dataset", Mislabelled), "dataset faulty", label=True)
    assert "['label'] is 2 for 'hue'" in message(found, "every example")
    assert broken({"dataset": {"good": GoodMadeUp}}, "dataset good", label=True) == {}


def test_a_loss_of_a_head_needs_its_discriminator() -> None:
    assert broken(GOOD, "loss good-head") == {}
    found = broken(one("loss", GoodHeadLoss), "loss faulty")
    assert "AttributeError" in message(found, "it gives a finite scalar")
    assert "'describe'" in message(found, "it gives a finite scalar")


class LabelledDiscriminator(Discriminator):
    """Logits, and the classes that it takes an image for.

    Args:
        label: attribute -> values.
    """

    heads = ("classify",)

    def __init__(self, label: dict[str, list[str]]):
        super().__init__()
        self.shared = nn.Conv2d(3, 4, 4, 4)
        self.last = nn.Conv2d(4, 1, 1)
        self.classes = nn.ModuleList(nn.Conv2d(4, len(values), 1) for values in label.values())

    def forward(self, image: Tensor) -> Tensor:
        return self.last(nn.functional.softplus(self.shared(image))).mean((1, 2, 3))

    def classify(self, image: Tensor) -> list[Tensor]:
        seen = nn.functional.softplus(self.shared(image))
        return [layer(seen).mean((2, 3)) for layer in self.classes]


class OptionallyLabelled(LabelledDiscriminator):
    """The same, which may go without labels.

    Args:
        label: attribute -> values.
    """

    def __init__(self, label: dict[str, list[str]] | None = None):
        super().__init__(label or {})
        if label is None:
            self.classes.append(nn.Conv2d(4, 1, 1))


class ClassLoss(Loss):
    """How badly the discriminator tells each attribute's value."""

    def discriminator(
        self, real: Tensor, label: Tensor, discriminator: LabelledDiscriminator
    ) -> Tensor:
        seen = discriminator.classify(real)
        each = [nn.functional.cross_entropy(s, label[:, i]) for i, s in enumerate(seen)]
        return torch.stack(each).sum()


@pytest.mark.parametrize("judge", [LabelledDiscriminator, OptionallyLabelled])
@pytest.mark.parametrize("known", [{}, {"label": {"hue": ["red", "green", "blue", "none"]}}])
def test_a_loss_of_labels_is_given_those_of_its_discriminator(
    judge: type, known: dict[str, Any]
) -> None:
    components = {"discriminator": {"good": judge}, "loss": {"good": ClassLoss},
                  "dataset": {"good": GoodMadeUp}}  # fmt: skip
    given = {"discriminator good": known} if known else None
    kept = [c for c in contracts("acme", plugins(components), given) if "dataset" not in str(c)]
    for contract in kept:
        contract()


class Only48(Discriminator):
    """Its last layer is of one size."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.last = nn.Conv2d(3, 4, 4, 4), nn.Linear(4 * 12 * 12, 1)

    def forward(self, image: Tensor) -> Tensor:
        return self.last(nn.functional.softplus(self.conv(image)).flatten(1))


class Sixties(GoodGenerator):
    """Multiples of 60 pixels alone.

    Args:
        size: pixels of a side.
    """

    def __init__(self, size: int = 60):
        if size % 60:
            raise ValueError("size must be a multiple of 60")
        super().__init__(size)


@pytest.mark.parametrize(("kind", "cls"), [("discriminator", Only48), ("generator", Sixties)])
def test_a_network_may_be_of_a_size_of_its_own(kind: str, cls: type) -> None:
    assert broken(one(kind, cls), f"{kind} faulty") == {}


class SpectrallyNormal(GoodGenerator):
    def begin(self) -> None:
        torch.nn.utils.spectral_norm(self.inner)


def test_a_network_need_not_be_copied_in_the_middle_of_training() -> None:
    assert broken(one("generator", SpectrallyNormal), "generator faulty") == {}


class Picky(GoodFolder):
    def prepare(self) -> None:
        raise DataError("these pictures are too small")


def test_arguments_that_do_not_suit_are_unavailable_with_how_to_give_others() -> None:
    every = contracts("acme", plugins(one("dataset", Picky)))
    (contract,) = [c for c in every if c.promise.startswith("every example")]
    with pytest.raises(Unavailable, match=r"^these pictures .*dataset faulty ") as caught:
        contract()
    for how in ("contracts(..., arguments=...)", "pytest_ganzoo_arguments() in conftest.py"):
        assert how in str(caught.value)


def test_a_recipe_that_does_not_check_is_told_with_every_problem(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(RECIPE.replace("use: good-made-up", "use: made-up").replace("batch", "bacth"))
    found = broken(GOOD | {"recipe": {"r": path}}, "recipe r")
    said = message(found, "it loads")
    assert "unknown dataset 'made-up'" in said
    assert "'batch'" in said


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("test_testing:Missing", "has no class 'Missing'"),
        ("no_such_module:A", "no_such_module"),
        (GoodLoss, "does not derive from ganzoo.interfaces.Transform"),
    ],
)
def test_what_cannot_be_loaded_breaks_one_promise_alone(target: Any, said: str) -> None:
    (contract,) = contracts("acme", plugins({"transform": {"faulty": target}}))
    with pytest.raises(AssertionError, match=re.escape(said)):
        contract()


class Crashing(GoodGenerator):
    def draw(self, hidden: Tensor) -> Tensor:
        return super().draw(hidden[:, 1:])


def test_an_exception_becomes_a_sentence_with_its_place() -> None:
    every = contracts("acme", plugins(one("generator", Crashing)))
    (contract,) = [c for c in every if c.promise.startswith("gradients")]
    with pytest.raises(AssertionError) as caught:
        contract()
    said = r"forward\(latent\) raised RuntimeError: .*mat1 .*test_testing\.py:\d+, in draw\)\. "
    assert re.match(said + r".*latent \(3, 4\), at size 32\.$", str(caught.value))
    assert isinstance(caught.value.__cause__, RuntimeError)


class Heavy(GoodExtractor):
    def __init__(self) -> None:
        super().__init__()
        raise DataError("weights are missing: pip install acme-weights")


def test_what_is_missing_is_unavailable() -> None:
    reasons = []
    for contract in contracts("acme", plugins(one("extractor", Heavy)))[3:]:
        with pytest.raises(Unavailable) as caught:
            contract()
        reasons.append(str(caught.value))
    assert set(reasons) == {"weights are missing: pip install acme-weights"}
    assert len(reasons) == 4


class Unruly(GoodDetector):
    def detect(self, image: NDArray[np.uint8]) -> list[Box]:
        assert not may_download()
        logging.getLogger("acme").warning("hello")
        torch.manual_seed(7)
        random.seed(7)
        np.random.seed(7)
        torch.set_num_threads(2)
        torch.set_default_dtype(torch.float64)
        os.environ["ACME"] = "1"
        os.environ.pop("HOME", None)
        os.chdir("/")
        return []


def test_a_contract_leaves_the_process_as_it_was(caplog: pytest.LogCaptureFixture) -> None:
    def state() -> Iterator[object]:
        yield torch.get_rng_state().tolist()
        yield random.getstate()
        yield [str(part) for part in np.random.get_state()]
        yield torch.get_num_threads(), torch.get_default_dtype(), logging.root.manager.disable
        yield dict(os.environ)
        yield Path.cwd()

    before = list(state())
    assert broken(one("detector", Unruly), "detector faulty") == {}
    assert list(state()) == before
    assert caplog.records == []


def test_nothing_made_up_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert broken({"dataset": {"good": GoodFolder}}) == {}
    assert list(tmp_path.iterdir()) == []


def test_names_that_there_are_not_are_refused_with_the_nearest() -> None:
    made = plugins(GOOD)
    with pytest.raises(PluginError, match=r"plugin 'acem', .*mean 'acme'"):
        contracts("acem", made)
    with pytest.raises(PluginError, match=r"'dataset god'.*did you mean 'dataset good'\?"):
        contracts("acme", made, {"dataset god": {}})
    made.add(lambda: 1 / 0, Origin("bad", "ganzoo-bad", "0.3"))
    with pytest.raises(PluginError, match=r"ganzoo-bad 0\.3 cannot be used: ZeroDivisionError"):
        contracts("bad", made)


# -- in pytest --------------------------------------------------------------------------------


@pytest.fixture
def acme(monkeypatch: pytest.MonkeyPatch, pytester: pytest.Pytester) -> pytest.Pytester:
    """A folder for pytest, where the plugin ``acme`` is installed."""
    made = plugins(
        {
            "detector": {"good": GoodDetector, "seeing": Seeing},
            "extractor": {"heavy": Heavy},
            "dataset": {"good": GoodMadeUp},
        }
    )
    monkeypatch.setattr("ganzoo.plugins.manager.installed", lambda: made)
    pytester.makepyfile(test_own="def test_own(): pass")
    return pytester


def test_pytest_runs_the_contracts_of_a_plugin(acme: pytest.Pytester) -> None:
    result = acme.runpytest_inprocess("--ganzoo", "acme", "-rfs")
    result.assert_outcomes(passed=1 + 4 + 3 + 3 + 10, failed=1, skipped=4)
    result.stdout.fnmatch_lines(
        [
            "*detector seeing: it finds no face*",
            "detect gives*Box*",
            "FAILED*detector-seeing-it-finds-no-face*",
            "SKIPPED*weights are missing: pip install acme-weights",
        ]
    )
    result.stdout.no_fnmatch_line("*Traceback*")


def test_an_option_of_the_project_runs_them_but_for_single_files(acme: pytest.Pytester) -> None:
    acme.makepyprojecttoml('[tool.pytest.ini_options]\nganzoo_plugins = ["acme"]')
    every = acme.runpytest_inprocess("-k", "detector-good or own")
    every.assert_outcomes(passed=1 + 4, deselected=21)
    acme.runpytest_inprocess("test_own.py").assert_outcomes(passed=1)
    named = acme.runpytest_inprocess("test_own.py", "--ganzoo", "acme", "-k", "detector-good")
    named.assert_outcomes(passed=4, deselected=22)


def test_conftest_gives_arguments(acme: pytest.Pytester) -> None:
    acme.makeconftest("def pytest_ganzoo_arguments(): return {'dataset good': {'count': 'many'}}")
    result = acme.runpytest_inprocess("--ganzoo", "acme", "-k", "dataset and every-example")
    result.assert_outcomes(failed=1, deselected=25)
    result.stdout.fnmatch_lines(["len(dataset) raised TypeError: 'str' object*"])


def test_arguments_are_for_any_of_the_plugins_that_are_tested(acme: pytest.Pytester) -> None:
    other = ModuleType("other")
    vars(other)["register_detectors"] = hookimpl(_hook(lambda add: add("fine", GoodDetector)))
    made = ganzoo.plugins.manager.installed()
    assert made.add(lambda: other, Origin("other", "ganzoo-other", "1.0")).error is None
    acme.makeconftest("def pytest_ganzoo_arguments(): return {'dataset good': {'count': 'many'}}")
    chosen = "every-example or detector-fine"
    both = acme.runpytest_inprocess("--ganzoo", "acme", "--ganzoo", "other", "-k", chosen)
    both.assert_outcomes(failed=1, passed=4, deselected=25)


def test_a_plugin_that_there_is_not_is_a_usage_error(acme: pytest.Pytester) -> None:
    result = acme.runpytest_inprocess("--ganzoo", "acem")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *no plugin 'acem', did you mean 'acme'?*"])


def test_contracts_need_no_pytest() -> None:
    code = (
        "import sys; sys.modules['pytest'] = None\n"
        "from ganzoo.testing import contracts\n"
        "print(len(contracts('dcgan')) > 20)"
    )
    assert output(code) == "True\n"


def output(code: str) -> str:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_pytest_starts_without_torch_where_nobody_asks_for_contracts() -> None:
    code = (
        "import sys, ganzoo.testing.pytest_plugin, ganzoo.testing\n"
        "print([name for name in ('torch', 'numpy', 'yaml') if name in sys.modules])"
    )
    assert output(code) == "[]\n"
