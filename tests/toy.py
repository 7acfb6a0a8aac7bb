"""A plugin for tests: a dataset, networks and losses so small that a step takes milliseconds."""

from __future__ import annotations

import hashlib
import importlib
import json
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor, nn

from ganzoo import hookimpl
from ganzoo.evaluation.protocol import Protocol
from ganzoo.interfaces import (
    GROUPS,
    Dataset,
    Discriminator,
    Encoder,
    Evaluator,
    Extractor,
    Generator,
    Loss,
)
from ganzoo.plugins.manager import Plugins
from ganzoo.plugins.registry import Origin
from ganzoo.recipe.benchmark import load_benchmark
from ganzoo.recipe.recipe import load_recipe
from ganzoo.recipe.recipe_types import Recipe

HUES = ["red", "green", "blue"]


class ToyDataset(Dataset):
    """Discs of noise, one colour brighter; every epoch shifts them.

    Args:
        count: how many.
        size: pixels of a side.
        label: attributes to give, of hue and side.
        photo: whether to give a second image.
    """

    fields = {"real": "image", "label": "label", "photo": "image"}  # noqa: RUF012
    shuffled = True

    def __init__(
        self,
        count: int = 16,
        size: int = 8,
        label: list[str] | None = None,
        photo: bool | None = None,
    ):
        self.count, self.size, self.photo = count, size, photo
        values = {"hue": HUES, "side": ["left", "right"]}
        self.label_values = {name: values[name] for name in label} if label else None
        self.shift = 0

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        rng = torch.Generator().manual_seed(index)
        image = torch.rand(3, self.size, self.size, generator=rng) - 0.5
        image[index % 3] += 0.5
        example = {"real": image.roll(self.shift, 1)}
        if self.label_values:
            columns = {"hue": index % 3, "side": index % 2}
            example["label"] = torch.tensor([columns[name] for name in self.label_values])
        if self.photo:
            example["photo"] = -image
        return example

    def set_epoch(self, seed: int, epoch: int) -> None:
        self.shift = (seed + epoch) % self.size

    def fingerprint(self) -> str:
        return hashlib.sha256(f"toy {self.count} {self.size}".encode()).hexdigest()


class ToyGenerator(Generator):
    """One hidden layer.

    Args:
        size: pixels of a side.
        label: attribute -> values.
        norm: whether to normalise over the batch.
    """

    def __init__(self, size: int = 8, label: dict[str, list[str]] | None = None, norm: bool = True):
        super().__init__()
        self.size, self.label = size, label
        self.inner = nn.Linear(4, 12)
        self.norm = nn.BatchNorm1d(12) if norm else nn.Identity()
        self.outer = nn.Linear(12, 3 * size * size)
        self.tables = nn.ModuleList(nn.Embedding(len(v), 4) for v in (label or {}).values())

    def sample_latent(self, n: int, rng: torch.Generator) -> Tensor:
        return torch.randn(n, 4, generator=rng)

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        for column, table in enumerate(self.tables):
            assert label is not None
            latent = latent + table(label[:, column])
        hidden = torch.relu(self.norm(self.inner(latent)))
        return torch.tanh(self.outer(hidden)).unflatten(1, (3, self.size, self.size))


class ToyTranslator(Generator):
    """A generator that is given an image, and a view where the recipe has one."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, photo: Tensor, gray: Tensor | None = None) -> Tensor:
        return torch.tanh(self.conv(photo if gray is None else photo + gray))


class ToyDiscriminator(Discriminator):
    """One hidden layer with dropout, so that a step draws random numbers.

    Args:
        size: pixels of a side.
        label: attribute -> values.
        norm: whether to normalise over the batch.
        dropout: share of hidden values to drop.
    """

    def __init__(
        self,
        size: int = 8,
        label: dict[str, list[str]] | None = None,
        norm: bool = True,
        dropout: float = 0.2,
    ):
        super().__init__()
        self.inner = nn.Linear(3 * size * size, 12)
        self.norm = nn.BatchNorm1d(12) if norm else nn.Identity()
        self.drop = nn.Dropout(dropout)
        self.outer = nn.Linear(12, 1)
        self.tables = nn.ModuleList(nn.Embedding(len(v), 12) for v in (label or {}).values())

    def forward(self, image: Tensor, label: Tensor | None = None) -> Tensor:
        hidden = self.norm(self.inner(image.flatten(1)))
        for column, table in enumerate(self.tables):
            assert label is not None
            hidden = hidden + table(label[:, column])
        return self.outer(self.drop(torch.tanh(hidden))).squeeze(1)


class HeadedDiscriminator(ToyDiscriminator):
    """The same, and it guesses the mean of an image.

    Args:
        size: pixels of a side.
    """

    heads = ("guess",)

    def __init__(self, size: int = 8):
        super().__init__(size, norm=False, dropout=0.0)
        self.other = nn.Linear(12, 1)

    def guess(self, image: Tensor) -> Tensor:
        return self.other(torch.tanh(self.inner(image.flatten(1)))).squeeze(1)


class ToyEncoder(Encoder):
    """Reads a code off an image, with noise in training.

    Args:
        size: pixels of a side.
        norm: whether to normalise the code over the batch.
    """

    def __init__(self, size: int = 8, norm: bool = False):
        super().__init__()
        self.inner = nn.Linear(3 * size * size, 4)
        self.norm = nn.BatchNorm1d(4, affine=False) if norm else nn.Identity()

    def forward(self, image: Tensor) -> Tensor:
        code: Tensor = self.norm(self.inner(image.flatten(1)))
        return code + 0.1 * torch.randn_like(code) if self.training else code


class JointDiscriminator(ToyDiscriminator):
    """Judges pairs of an image and a code.

    Args:
        size: pixels of a side.
    """

    def __init__(self, size: int = 8):
        super().__init__(size, norm=False, dropout=0.0)
        self.code = nn.Linear(4, 12)

    def forward(self, image: Tensor, latent: Tensor) -> Tensor:  # type: ignore[override]
        hidden = self.inner(image.flatten(1)) + self.code(latent)
        return self.outer(torch.tanh(hidden)).squeeze(1)


class Paired(Loss):
    """Least squares for pairs, which either player may read."""

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return (real_logits - 1).square().mean() + fake_logits.square().mean()

    def generator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return real_logits.square().mean() + (fake_logits - 1).square().mean()


class Cycle(Loss):
    """Distance of a photo to what came back."""

    def generator(self, cycled: Tensor, photo: Tensor) -> Tensor:
        return (cycled - photo).abs().mean()


class Guess(Loss):
    """What the discriminator's head gets wrong."""

    def discriminator(self, real: Tensor, discriminator: HeadedDiscriminator) -> Tensor:
        return (discriminator.guess(real) - real.mean((1, 2, 3))).square().mean()


class Bright(Loss):
    """Pulls the mean of the fakes to 0.3; a stage can train the generator with it alone."""

    def generator(self, fake: Tensor) -> Tensor:
        return (fake.mean() - 0.3).square()


class Near(Loss):
    """Distance of the fake to a view of the real image."""

    def generator(self, fake: Tensor, gray: Tensor) -> Tensor:
        return (fake - gray).abs().mean()


class ToyExtractor(Extractor):
    """One convolution.

    Args:
        seed: of its weights.
    """

    def __init__(self, seed: int = 0):
        super().__init__()
        weight = torch.randn(4, 3, 3, 3, generator=torch.Generator().manual_seed(seed))
        self.register_buffer("weight", weight)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        return {"conv": nn.functional.conv2d(image, self.weight)}


class Content(Loss):
    """Distance of the features of the fake to those of the photo; measures the latter."""

    def generator(
        self, fake_features: dict[str, Tensor], photo_features: dict[str, Tensor]
    ) -> Tensor:
        self.measures = {"size": photo_features["conv"].abs().mean()}
        return (fake_features["conv"] - photo_features["conv"]).abs().mean()


class Poison(Loss):
    """Becomes NaN at its n-th evaluation.

    Args:
        at: that evaluation, counted from 1.
    """

    def __init__(self, at: int):
        super().__init__()
        if at < 1:
            raise ValueError(f"at is {at}; the first evaluation is 1")
        self.left = at

    def generator(self, fake: Tensor) -> Tensor:
        self.left -= 1
        return fake.mean() * (float("nan") if self.left == 0 else 1.0)


class Brightness(Evaluator):
    """The mean of the fakes' pixels; the harness runs ten more of it."""

    higher_is_better = {"brightness": True}  # noqa: RUF012

    def __init__(self) -> None:
        self.sum, self.count = torch.zeros(GROUPS, dtype=torch.float64), torch.zeros(GROUPS)

    def fake(self, image: Tensor) -> None:
        self.add(image, torch.zeros(len(image), dtype=torch.int64))

    def add(self, image: Tensor, group: Tensor) -> None:
        self.sum.index_add_(0, group, image.double().mean((1, 2, 3)))
        self.count.index_add_(0, group, torch.ones(len(image)))

    def compute(self) -> dict[str, float]:
        return {"brightness": (self.sum.sum() / self.count.sum()).item()}


class GroupedBrightness(Brightness):
    """The same, by groups of its own."""

    higher_is_better = {"grouped-brightness": True}  # noqa: RUF012

    def fake(self, image: Tensor, group: Tensor) -> None:  # type: ignore[override]
        self.add(image, group)

    def compute(self, without: int | None = None) -> dict[str, float]:
        kept = torch.arange(GROUPS) != (-1 if without is None else without)
        return {"grouped-brightness": (self.sum[kept].sum() / self.count[kept].sum()).item()}


class Distance(Evaluator):
    """Between the mean features of reals and fakes.

    Args:
        scale: a factor.
    """

    higher_is_better = {"distance": False}  # noqa: RUF012
    standard = "published"

    def __init__(self, scale: float = 1.0):
        self.scale = scale
        self.sums = {"real": torch.zeros(()).double(), "fake": torch.zeros(()).double()}
        self.counts = {"real": 0, "fake": 0}

    def add(self, stream: str, features: dict[str, Tensor]) -> None:
        rows = features["conv"].double().flatten(1)
        self.sums[stream] = self.sums[stream] + rows.sum(0)
        self.counts[stream] += len(rows)

    def real(self, features: dict[str, Tensor]) -> None:
        self.add("real", features)

    def fake(self, features: dict[str, Tensor]) -> None:
        self.add("fake", features)

    def compute(self) -> dict[str, float]:
        real, fake = (self.sums[s] / self.counts[s] for s in ("real", "fake"))
        return {"distance": self.scale * (real - fake).norm().item()}


class Change(Evaluator):
    """How far a fake is from its photo, in pixels and in features."""

    higher_is_better = {"change": False, "feature-change": False}  # noqa: RUF012

    def __init__(self) -> None:
        self.pixels, self.features, self.count = 0.0, 0.0, 0

    def pair(
        self,
        photo: Tensor,
        fake: Tensor,
        photo_features: dict[str, Tensor],
        fake_features: dict[str, Tensor],
    ) -> None:
        self.pixels += (photo - fake).double().abs().mean((1, 2, 3)).sum().item()
        apart = (photo_features["conv"] - fake_features["conv"]).double().abs()
        self.features += apart.mean((1, 2, 3)).sum().item()
        self.count += len(fake)

    def compute(self) -> dict[str, float]:
        return {"change": self.pixels / self.count, "feature-change": self.features / self.count}


class Plugin:
    @hookimpl
    def register_datasets(self, register: Any) -> None:
        register("toy", "toy:ToyDataset")

    @hookimpl
    def register_generators(self, register: Any) -> None:
        register("toy", "toy:ToyGenerator")
        register("toy-translator", "toy:ToyTranslator")

    @hookimpl
    def register_discriminators(self, register: Any) -> None:
        register("toy", "toy:ToyDiscriminator")
        register("headed", "toy:HeadedDiscriminator")
        register("joint", "toy:JointDiscriminator")

    @hookimpl
    def register_encoders(self, register: Any) -> None:
        register("toy", "toy:ToyEncoder")

    @hookimpl
    def register_extractors(self, register: Any) -> None:
        register("toy", "toy:ToyExtractor")

    @hookimpl
    def register_evaluators(self, register: Any) -> None:
        register("brightness", "toy:Brightness")
        register("grouped", "toy:GroupedBrightness")
        register("distance", "toy:Distance")
        register("change", "toy:Change")

    @hookimpl
    def register_losses(self, register: Any) -> None:
        register("bright", "toy:Bright")
        register("near", "toy:Near")
        register("guess", "toy:Guess")
        register("content", "toy:Content")
        register("poison", "toy:Poison")
        register("paired", "toy:Paired")
        register("cycle", "toy:Cycle")


def plugins(*observers: Any) -> Plugins:
    """The toy plugin and the built-in losses, with ``observers`` listening; nothing installed."""
    made = Plugins()
    loads = {
        "toy": Plugin,
        "adversarial": lambda: importlib.import_module("ganzoo_adversarial"),
    }
    loads |= {f"observer-{i}": lambda o=o: o for i, o in enumerate(observers)}
    for name, load in loads.items():
        added = made.add(load, Origin(name, f"{name}-dist", "1.0"))
        assert added.error is None, added.traceback
    return made


GAN: dict[str, Any] = {
    "recipe": "toy",
    "batch": 4,
    "dataset": {"use": "toy"},
    "generator": {"use": "toy"},
    "discriminator": {"use": "toy"},
    "optimizer": {"use": "adam", "lr": 0.01, "betas": [0.5, 0.99]},
    "ema": 0.9,
    "stages": [
        {
            "name": "adversarial",
            "steps": 9,
            "discriminator": [{"use": "non-saturating"}],
            "generator": [{"use": "non-saturating"}],
        }
    ],
    "log": {"every": 2},
    "samples": {"every": 4, "count": 4},
    "checkpoint": {"every": 3, "keep": 2},
}


def recipe(folder: Path, **changes: Any) -> Recipe:
    """``GAN`` with ``changes``, read from a file as a user's would be; None leaves a key out."""
    data = {key: value for key, value in {**GAN, **changes}.items() if value is not None}
    path = folder / "toy.yaml"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    return load_recipe(path, (), plugins().registry)


BENCHMARK: dict[str, Any] = {
    "benchmark": "toys",
    "version": 1,
    "dataset": {"use": "toy", "count": 80},
    "reference": 30,
    "fakes": 20,
    "primary": "distance",
    "extractors": {"net": {"use": "toy"}},
    "evaluators": [{"use": "brightness"}, {"use": "distance", "extractor": "net"}],
}
#: changes of ``BENCHMARK`` to one for translators
PAIRS: dict[str, Any] = {
    "dataset": {"use": "toy", "count": 80, "photo": True},
    "primary": "change",
    "evaluators": [{"use": "change", "extractor": "net"}, {"use": "brightness"}],
}


def benchmark(folder: Path, **changes: Any) -> Path:
    """The file of ``BENCHMARK`` with ``changes``; None leaves a key out."""
    data = {key: value for key, value in {**BENCHMARK, **changes}.items() if value is not None}
    path = folder / "toys.yaml"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    return path


def protocol(folder: Path, made: Plugins | None = None, **changes: Any) -> Protocol:
    """``BENCHMARK`` with ``changes``, open; of the ``made`` plugins or the toy's alone."""
    registry = (made or plugins()).registry
    read = load_benchmark(benchmark(folder, **changes), (), registry)
    return Protocol(read, registry, torch.device("cpu"))


def contents(run: Path) -> dict[str, Any]:
    """All that a run wrote, but for the time that it took: equal for equal runs, to the bit."""
    found: dict[str, Any] = {}
    for file in sorted(run.rglob("*")):
        name = str(file.relative_to(run))
        if file.name in ("state.json", "config.json"):
            found[name] = _timeless(json.loads(file.read_text()))
        elif file.name == "metrics.jsonl":
            found[name] = [_timeless(json.loads(line)) for line in file.read_text().splitlines()]
        elif file.name == "manifest.json":
            manifest = json.loads(file.read_text())
            found[name] = {key: manifest[key] for key in ("status", "step", "reason")}
        elif file.name == "SHA256SUMS":
            found[name] = len(file.read_text().splitlines())
        else:
            found[name] = file.read_bytes() if file.is_file() else "folder"
    return found


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _timeless(v) for k, v in value.items() if k != "seconds"}
    return value
