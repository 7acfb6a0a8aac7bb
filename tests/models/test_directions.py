"""Directions of latents: the closed form, the components, and every generator from noise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import toy
from PIL import Image
from torch import Tensor, nn
from torch.testing import assert_close

from ganzoo.errors import RunError
from ganzoo.interfaces import Generator
from ganzoo.models import samples
from ganzoo.models.direction_sheet import sheet
from ganzoo.models.directions import directions
from ganzoo.models.model import Model, load
from ganzoo.plugins.manager import installed
from ganzoo.plugins.registry import construct

#: each with arguments that keep it small
NOISE = {
    "ali": {"size": 32, "width": 2, "latent": 6},
    "dcgan": {"size": 32, "width": 4, "latent": 6},
    "fastgan": {"size": 32, "width": 2, "latent": 6},
    "gan": {"size": 8, "latent": 6, "hidden": [16]},
    "r3gan": {"size": 32, "width": 8, "latent": 6, "label": {"hair": ["red", "blue"]}},
}


class Sphere(Generator):
    """Puts its latents (n, 2, 3) on the sphere first, as StyleGAN does."""

    def __init__(self) -> None:
        super().__init__()
        self.size = 4
        self.table = nn.Embedding(2, 6)
        self.inner = nn.Linear(6, 9)
        self.outer = nn.Linear(9, 48)

    def sample_latent(self, n: int, rng: torch.Generator) -> Tensor:
        return torch.randn(n, 2, 3, generator=rng)

    def forward(self, latent: Tensor) -> Tensor:
        flat = nn.functional.normalize(latent.flatten(1)) * 6**0.5
        fixed = self.table(torch.zeros(len(flat), dtype=torch.int64))  # no layer of the latent
        return self.outer(self.inner(flat) + fixed.mean()).tanh().unflatten(1, (3, 4, 4))


@pytest.fixture
def linear(one_thread: None) -> toy.ToyGenerator:
    torch.manual_seed(0)
    return toy.ToyGenerator(label={"hue": toy.HUES}).eval()


@pytest.fixture
def model(train: Callable[..., Path]) -> Model:
    return load(train(), toy.plugins().registry)


def test_a_linear_layer_has_the_closed_form_of_sefa(linear: toy.ToyGenerator) -> None:
    axes = directions(linear)
    assert axes.layer == "inner"
    _, singular, right = torch.linalg.svd(linear.inner.weight)
    units = axes.vectors / axes.vectors.norm(dim=1, keepdim=True)
    assert_close((units * right).sum(1).abs(), torch.ones(4), rtol=0, atol=1e-4)
    assert_close(axes.shares, singular**2 / (singular**2).sum(), rtol=1e-3, atol=0)
    assert_close(axes.vectors.norm(dim=1), torch.ones(4), rtol=0.05, atol=0)


def test_they_are_the_principal_components_of_ganspace(linear: toy.ToyGenerator) -> None:
    latents = torch.randn(20_000, 4, generator=torch.Generator().manual_seed(1))
    outputs = linear.inner(latents).detach()
    outputs -= outputs.mean(0)
    components = torch.linalg.svd(outputs, full_matrices=False).Vh[:4]
    regressed = torch.linalg.lstsq(outputs @ components.T, latents).solution
    regressed /= regressed.norm(dim=1, keepdim=True)
    units = directions(linear).vectors
    units /= units.norm(dim=1, keepdim=True)
    assert ((units * regressed).sum(1).abs() > 0.98).all()


@pytest.mark.parametrize("name", NOISE)
def test_every_generator_from_noise_has_them(name: str, one_thread: None) -> None:
    torch.manual_seed(0)
    generator = construct(installed().registry, "generator", name, NOISE[name])
    axes = directions(generator)
    assert generator.training
    assert axes.vectors.shape == (6, 6)
    gram = axes.vectors @ axes.vectors.T
    assert_close(gram, torch.eye(6) * gram[0, 0], rtol=0, atol=1e-4)
    assert torch.equal(axes.shares, axes.shares.sort(descending=True).values)
    assert torch.equal(directions(generator).vectors, axes.vectors)


def test_latents_that_are_bent_first(one_thread: None) -> None:
    torch.manual_seed(0)
    generator = Sphere()
    axes = directions(generator)
    assert axes.layer == "inner"
    assert axes.vectors.shape == (6, 2, 3)

    def change(vector: Tensor) -> float:
        latents = samples.latents(generator, 5, 200)
        with torch.no_grad():
            moved, before = (
                generator.inner(nn.functional.normalize(z.flatten(1)))
                for z in (latents + 0.1 * vector, latents)
            )
        return float((moved - before).norm())

    changes = [change(vector) for vector in axes.vectors]
    assert changes[0] == max(changes)
    assert changes[-1] == min(changes)


def test_a_generator_that_ignores_its_latent_has_none() -> None:
    class Deaf(toy.ToyGenerator):
        def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
            return super().forward(torch.zeros_like(latent))

    with pytest.raises(RunError, match="latent"):
        directions(Deaf())


def test_sample_goes_along_directions_and_shrinks_latents(model: Model) -> None:
    axes = model.directions()
    assert len(axes) == 4
    moved = model.sample(3, seed=1, directions={0: 2.0, 3: -1.0}, truncation=0.5, as_tensor=True)
    latents = model.latents(3, seed=1) * 0.5 + 2 * axes.vectors[0] - axes.vectors[3]
    assert_close(moved, model.sample(latents=latents, as_tensor=True))
    alike = model.sample(3, seed=1, truncation=0.0, as_tensor=True)
    assert_close(alike[0], alike[2])


@pytest.mark.parametrize(
    ("how", "noun"),
    [
        ({"directions": {4: 1.0}}, "0 to 3"),
        ({"directions": {-1: 1.0}}, "direction -1"),
        ({"directions": {0: float("nan")}}, "finite"),
        ({"truncation": 1.5}, "truncation 1.5"),
    ],
)
def test_what_sample_cannot_do(model: Model, how: dict[str, object], noun: str) -> None:
    with pytest.raises(RunError, match=noun):
        model.sample(1, **how)  # type: ignore[call-overload]


def test_a_translator_has_no_directions(train: Callable[..., Path]) -> None:
    run = train(
        dataset={"use": "toy", "photo": True},
        generator={"use": "toy-translator"},
        views={"gray": {"use": "grayscale", "of": "photo"}},
    )
    with pytest.raises(RunError, match="turns images into images"):
        load(run, toy.plugins().registry).directions()


def test_the_sheet_has_a_row_for_each_direction(model: Model) -> None:
    paper = np.asarray(sheet(model, 3, seed=1, label={}))
    left, top = 28, 20
    face = np.asarray(
        model.sample(2, seed=1)[1].resize((64, 64), Image.Resampling.NEAREST), np.uint8
    )
    middle = left + 7 * 66 + 6  # the second face, unmoved
    for row in range(3):
        y = top + row * 66
        assert (np.abs(paper[y : y + 64, middle : middle + 64].astype(int) - face) <= 1).all()
        moved = paper[y : y + 64, middle + 132 : middle + 196]
        assert not np.array_equal(moved, face)
