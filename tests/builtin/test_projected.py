"""The projected discriminator: what it mixes, what learns, and what is not saved."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, interpolate

from ganzoo.errors import RecipeError
from ganzoo.interfaces import Extractor
from ganzoo_projected.discriminator import Head, ProjectedDiscriminator, RandomMixer

pytestmark = pytest.mark.usefixtures("one_thread")
LABEL = {"hair": ["pink", "black", "brown"], "eyes": ["open", "closed"]}
LABELS = torch.tensor([[0, 1], [2, 0], [1, 1]])


class Pyramid(Extractor):
    """Maps by layer, as many and as wide as asked for; layers named after their strides."""

    def __init__(self, maps: dict[int, int]):
        super().__init__()
        self.layers = nn.ModuleDict({f"by{k}": nn.Conv2d(3, c, 1) for k, c in maps.items()})
        self.requires_grad_(False)
        self.moved: dict[str, float] = {}

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        return {
            name: layer(avg_pool2d(image, int(name[2:]))) + self.moved.get(name, 0)
            for name, layer in self.layers.items()
        }


class Flat(Pyramid):
    """A vector beside a map."""

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        return super().forward(image) | {"pooled": image.mean((2, 3))}


#: those of EfficientNet-Lite0 that the paper judges, by stride
LITE0 = {4: 24, 8: 40, 16: 112, 32: 320}


def build(
    maps: dict[int, int] | None = None, size: int = 64, seeded: int = 0, **arguments: Any
) -> ProjectedDiscriminator:
    torch.manual_seed(0)
    extractor = Pyramid(LITE0 if maps is None else maps)
    torch.manual_seed(seeded)
    return ProjectedDiscriminator(size, extractor, **({"width": 4} | arguments))


def images(n: int = 3, size: int = 64) -> Tensor:
    return torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(1)) * 2 - 1


def convolutions(head: nn.Module) -> list[tuple[int, int, int]]:
    """Inputs, outputs and stride of each convolution of a head."""
    found = [m for m in head.modules() if isinstance(m, nn.Conv2d)]
    return [(m.in_channels, m.out_channels, m.stride[0]) for m in found]


def test_heads_are_those_of_the_authors_code_at_256_px() -> None:
    judge = build(size=256, width=64)
    assert judge.sides == [128, 64, 32, 16]
    assert [convolutions(head) for head in judge.judges] == [
        [(64, 64, 2), (64, 128, 2), (128, 256, 2), (256, 512, 2), (512, 1, 1)],
        [(64, 128, 2), (128, 256, 2), (256, 512, 2), (512, 1, 1)],
        [(128, 256, 2), (256, 512, 2), (512, 1, 1)],
        [(256, 512, 2), (512, 1, 1)],
    ]
    assert build(size=256)(images(2, 256)).shape == (2, 4 * 5 * 5)


@pytest.mark.parametrize(
    ("maps", "size", "logits"),
    [
        (LITE0, 64, 4),  # one logit each: every head stops at 4x4
        (LITE0, 32, 3 + 1),  # the coarsest map is mixed at 2x2, and its head sees all of it
        ({8: 5}, 32, 1),
        ({4: 3, 8: 5}, 32, 2),
        ({8: 3, 4: 5, 2: 7}, 32, 3),  # in any order
        ({8: 5, 16: 6}, 96, 3 * 3 * 2),
    ],
)
def test_any_number_of_maps_of_any_size_is_judged(
    maps: dict[int, int], size: int, logits: int
) -> None:
    assert build(maps, size)(images(2, size)).shape == (2, logits)


def test_layers_of_one_resolution_are_mixed_as_well() -> None:
    class Twice(Pyramid):
        def forward(self, image: Tensor) -> dict[str, Tensor]:
            (one,) = super().forward(image).values()
            return {"a": one, "b": one.flip(1)}

    judge = ProjectedDiscriminator(32, Twice({8: 5}), width=4)
    assert judge.sides == [8, 4]
    assert judge(images(size=32)).shape == (3, 2)


def test_fine_heads_see_the_coarse_maps_and_not_the_other_way_round() -> None:
    judge = build().eval()
    before = judge(images())  # one logit for each head, the coarsest first
    for level, name in enumerate(("by32", "by16", "by8", "by4")):
        judge._extractor[0].moved = {name: 1.0}
        changed = (judge(images()) != before).all(dim=0)
        assert changed.tolist() == [place >= level for place in range(4)], name


def test_mixing_before_the_upsampling_is_mixing_after_it() -> None:
    mixer, x = RandomMixer(6, 4, torch.Generator().manual_seed(0)), torch.randn(2, 6, 5, 5)
    ours = interpolate(mixer(x), size=10, mode="bilinear")
    theirs = conv2d(interpolate(x, size=10, mode="bilinear"), mixer.weight)
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=0)


def test_mixing_keeps_the_variance_of_independent_channels() -> None:
    mixer = RandomMixer(300, 200, torch.Generator().manual_seed(0))
    assert mixer(torch.randn(8, 300, 4, 4)).var().item() == pytest.approx(1, abs=0.05)


def test_only_the_heads_learn_and_are_saved() -> None:
    judge = build(label=LABEL)
    names = {name.split(".")[0] for name in judge.state_dict()}
    assert names == {"judges", "embedding"}
    assert {name.split(".")[0] for name, _ in judge.named_parameters()} == names
    judge(images(), LABELS).square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in judge.parameters())
    assert not any(p.requires_grad for p in judge._extractor[0].parameters())


def test_a_file_of_weights_and_the_arguments_give_the_same_judge() -> None:
    judge, twin, other = build(seeded=1).train(), build(seeded=2), build(seed=1)
    judge(images())  # spectral and batch normalisation move
    weights = load(save(judge.state_dict()))
    for network in (twin, other):
        network.load_state_dict(weights)
    before = judge.eval()(images())
    assert torch.equal(before, twin.eval()(images()))
    assert not torch.equal(before, other.eval()(images()))  # other random layers


def test_gradients_reach_the_image_through_the_frozen_network() -> None:
    image = images().requires_grad_()
    build()(image).sum().backward()
    assert image.grad is not None
    assert image.grad.flatten(1).any(dim=1).all()


def test_the_extractor_moves_along() -> None:
    judge = build().double()
    assert judge(images().double()).dtype == torch.float64


def test_training_leaves_the_extractor_in_its_mode() -> None:
    judge = build()
    judge._extractor[0].eval()
    assert not judge.train()._extractor[0].training


def test_a_head_does_not_gain_by_scaling_its_weights() -> None:
    head, x = Head(4, 16, 2, 8, 1).eval(), torch.randn(2, 4, 16, 16)
    with torch.no_grad():
        before = head(x)
        for name, parameter in head.named_parameters():
            if "parametrizations" in name:
                parameter.mul_(10)
        torch.testing.assert_close(head(x), before)


def test_labels_change_the_verdict_of_their_own_image_alone() -> None:
    judge, other = build(label=LABEL).eval(), LABELS.clone()
    other[0, 0] = 1
    changed = (judge(images(), LABELS) != judge(images(), other)).all(dim=1)
    assert changed.tolist() == [True, False, False]


def test_a_label_must_be_given_exactly_where_the_judge_is_conditional() -> None:
    with pytest.raises(ValueError, match=r"needs one.*hair, eyes"):
        build(label=LABEL)(images())
    with pytest.raises(ValueError, match="without `label`"):
        build()(images(), LABELS)


def test_features_that_are_no_maps_are_refused_by_name() -> None:
    with pytest.raises(RecipeError, match=r"'projected'.*pooled.*`layers`"):
        ProjectedDiscriminator(32, Flat({8: 3}), width=4)
