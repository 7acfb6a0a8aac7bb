"""The light FastGAN: excitation across layers, and a discriminator with a second task."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from ganzoo.models.network import Network
from ganzoo.plugins.manager import installed
from ganzoo.plugins.registry import construct
from ganzoo.recipe.recipe_types import Schedule
from ganzoo.training.objective import Objective, WeightedLoss
from ganzoo.training.words import Words

pytestmark = pytest.mark.usefixtures("one_thread")


def build(kind: str, name: str = "fastgan", **arguments: Any) -> Any:
    torch.manual_seed(0)
    return construct(installed().registry, kind, name, arguments)


def images(n: int = 3, size: int = 64) -> Tensor:
    return torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.mark.parametrize("size", [32, 256])
def test_the_discriminator_draws_its_images_again(size: int) -> None:
    judge = build("discriminator", size=size, width=2)
    assert [drawn.shape for drawn in judge.reconstruct(images(2, size))] == [(2, 3, 64, 64)] * 2


@pytest.mark.parametrize(("size", "excited"), [(32, []), (64, ["64"]), (256, ["64", "128", "256"])])
def test_maps_are_excited_by_those_a_sixteenth_as_large(size: int, excited: list[str]) -> None:
    generator = build("generator", size=size, width=2).eval()
    assert list(generator.excitations) == excited
    latents = generator.sample_latent(2, torch.Generator().manual_seed(0))
    with torch.no_grad():
        before = generator(latents)
        for excitation in generator.excitations.values():
            excitation.excite.bias.fill_(-1e4)  # a sigmoid of nothing closes all channels
        after = generator(latents)
    assert torch.equal(before, after) is (not excited)
    if excited:  # the last doubling's map is shut: what is left is the last layer's bias
        assert after.std((2, 3)).max() < 1e-6


def test_the_discriminator_does_not_gain_by_scaling_its_weights() -> None:
    judge, image = build("discriminator", size=64, width=4).eval(), images()
    with torch.no_grad():
        before = judge(image)
        for name, parameter in judge.named_parameters():
            if "parametrizations" in name:
                parameter.mul_(10)
        torch.testing.assert_close(judge(image), before)


def test_a_loss_reaches_the_head_of_the_network_in_training() -> None:
    judge = build("discriminator", size=64, width=4)
    loss = build("loss", "reconstruction")
    term = WeightedLoss("reconstruction", loss, "discriminator", Schedule(1, 1), 1, {})
    update = Words({"real": images()}, {"discriminator": Network(judge)}, {})
    value = Objective([term], ["real", "discriminator"])(update, 0)
    value.total.backward()
    reached = {name.partition(".")[0] for name, p in judge.named_parameters() if p.grad is not None}
    assert reached == {"first", "halvings", "whole", "quarter"}


def test_reconstruction_is_nothing_only_for_the_image_and_its_quarter() -> None:
    loss, real = build("loss", "reconstruction"), images(size=128)
    whole = torch.nn.functional.avg_pool2d(real, 2)

    class Perfect:
        def reconstruct(self, image: Tensor) -> tuple[Tensor, Tensor]:
            return whole, image[:, :, :64, :64]

    class Careless:
        def reconstruct(self, image: Tensor) -> tuple[Tensor, Tensor]:
            return whole, whole

    assert loss.discriminator(real, Perfect()) == 0
    assert loss.discriminator(real, Careless()) > 0.1
