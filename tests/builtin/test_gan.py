"""The GAN of 2014: what goes into its generator, and what its discriminator's units are."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from ganzoo.plugins.manager import installed

pytestmark = pytest.mark.usefixtures("one_thread")


def build(kind: str, **arguments: Any) -> Any:
    torch.manual_seed(0)
    return installed().registry.get(kind, "gan").load()(size=8, **arguments)


def test_latents_are_uniform_with_variance_one() -> None:
    latents = build("generator").sample_latent(2000, torch.Generator().manual_seed(0))
    assert latents.shape == (2000, 100)
    assert latents.abs().max() <= math.sqrt(3)
    assert latents.var().item() == pytest.approx(1, abs=0.02)
    assert latents.pow(4).mean().item() == pytest.approx(9 / 5, abs=0.05)  # 3 for a normal


def test_hidden_layers_are_as_wide_as_asked_for() -> None:
    widths = [p.shape[0] for p in build("generator", hidden=[5, 7, 9]).parameters()]
    assert widths == [5, 5, 7, 7, 9, 9, 192, 192]
    assert [p.shape for p in build("generator", hidden=[]).parameters()] == [(192, 100), (192,)]
    judge = build("discriminator", hidden=[4, 6], pieces=3)
    assert [p.shape[0] for p in judge.parameters()] == [12, 12, 18, 18, 1, 1]


def test_maxout_is_convex_in_the_pixels() -> None:
    judge = build("discriminator", hidden=[40]).eval()
    with torch.no_grad():
        judge.layers[-1].weight.abs_()  # a sum of maxima of linear functions is convex
        a, b = torch.rand(2, 64, 3, 8, 8) * 2 - 1
        middle = judge((a + b) / 2)
        ends = (judge(a) + judge(b)) / 2
    assert (middle <= ends + 1e-6).all()
    assert (middle < ends - 1e-4).any()  # and not linear


@pytest.mark.parametrize(("dropout", "same"), [(0.5, False), (0.0, True)])
def test_dropout_is_for_training_alone(dropout: float, same: bool) -> None:
    judge, image = build("discriminator", dropout=dropout), torch.ones(16, 3, 8, 8)
    logits = judge(image)
    assert torch.equal(logits, logits[:1].expand(16)) is same
    quiet = judge.eval()(image)
    assert torch.equal(quiet, judge(image))
