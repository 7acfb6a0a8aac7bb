"""The light R3GAN: its start, its shapes, its labels, and the objective it is made for."""

import pytest
import torch
from torch import nn
from torch.nn.functional import softplus

import ganzoo_r3gan
from ganzoo.errors import RecipeError
from ganzoo.plugins.manager import Plugins
from ganzoo.plugins.registry import Origin

pytestmark = pytest.mark.usefixtures("one_thread")
LABEL = {"hair": ["pink", "black", "brown"], "eyes": ["open", "closed"]}
LABELS = torch.tensor([[0, 1], [2, 0], [1, 1]])


def build(kind, **arguments):
    plugins = Plugins()
    plugins.add(lambda: ganzoo_r3gan, Origin("r3gan", "ganzoo", "0"))
    torch.manual_seed(0)
    return plugins.registry.get(kind, "r3gan").load()(**arguments)


def latents(g, n=3, seed=0):
    return g.sample_latent(n, torch.Generator().manual_seed(seed))


def awake(network):
    """Give the zero layers at the ends of the blocks some weight, as training does."""
    with torch.no_grad():
        for p in network.parameters():
            if not p.any():
                p.normal_(0, 0.1)
    return network


def residual_layers(network):
    """All 1x1, 3x3, 1x1 triples, in order."""
    return [
        [m for m in block.children() if isinstance(m, nn.Conv2d)]
        for block in network.modules()
        if type(block).__name__ == "Residual"
    ]


# the contracts try the default of every argument
@pytest.mark.parametrize("stride", [1, 2])
def test_a_stride_keeps_the_size(stride):
    g = build("generator", size=64, width=2, stride=stride, label=LABEL)
    d = build("discriminator", size=64, width=2, stride=stride, label=LABEL)
    image = g(latents(g), LABELS)
    assert image.shape == (3, 3, 64, 64)
    assert image.std(dim=0).mean() > 0.1
    assert d(image, LABELS).shape == (3,)


@pytest.mark.parametrize("kind", ["generator", "discriminator"])
def test_blocks_start_as_the_identity_with_fix_up_scales_and_nothing_is_normalised(kind):
    network = build(kind, size=64, width=32, blocks=2, expansion=2, group=16)
    triples = residual_layers(network)
    assert len(triples) == 8  # 4, 8, 16 and 32 px, twice
    for reduce, mix, restore in triples:
        assert mix.in_channels == mix.out_channels == 2 * reduce.in_channels
        assert mix.in_channels // mix.groups == 16
        assert not restore.weight.any()
        for layer in (reduce, mix):
            fan_in = layer.weight[0].numel()
            expected = (2 / 1.04 / fan_in) ** 0.5 * 8**-0.25
            assert layer.weight.std().item() == pytest.approx(expected, rel=0.1)
            assert not layer.bias.any()
    assert not any("Norm" in type(m).__name__ for m in network.modules())
    assert not list(network.buffers())


@pytest.mark.parametrize("kind", ["generator", "discriminator"])
def test_samples_of_a_batch_do_not_meet_in_training_either(kind):
    network = awake(build(kind, size=32, width=8))
    x = latents(network, 4) if kind == "generator" else torch.randn(4, 3, 32, 32)
    torch.testing.assert_close(network(x[2:3]), network(x)[2:3])


def test_gradients_reach_every_parameter():
    g = awake(build("generator", size=32, width=4, label=LABEL))
    d = awake(build("discriminator", size=32, width=4, label=LABEL))
    softplus(-d(g(latents(g), LABELS), LABELS)).mean().backward()
    for network in (g, d):
        for name, p in network.named_parameters():
            assert p.grad is not None, name
            assert p.grad.isfinite().all(), name
            assert p.grad.any(), name


def test_second_order_gradients_for_r1_agree_with_finite_differences():
    d = awake(build("discriminator", size=32, width=2)).double()
    image = torch.rand(2, 3, 32, 32, dtype=torch.float64) * 2 - 1
    weight = d.stages[0].weight

    def r1(weight):
        leaf = image.clone().requires_grad_()
        logits = torch.func.functional_call(d, {"stages.0.weight": weight}, (leaf,))
        (gradient,) = torch.autograd.grad(logits.sum(), leaf, create_graph=True)
        return gradient.square().sum()

    torch.autograd.gradcheck(r1, (weight.detach().requires_grad_(),), fast_mode=True)


def test_labels_change_what_is_made_and_how_it_is_judged():
    g = build("generator", size=32, width=8, label=LABEL)
    d = build("discriminator", size=32, width=8, label=LABEL)
    z, other = latents(g), LABELS.clone()
    other[0, 0] = 1
    image = g(z, LABELS)
    changed = (image != g(z, other)).flatten(1).any(dim=1)
    assert changed.tolist() == [True, False, False]
    assert (d(image, LABELS) != d(image, other)).tolist() == [True, False, False]
    assert g.label == LABEL


@pytest.mark.parametrize("kind", ["generator", "discriminator"])
def test_a_label_must_be_given_exactly_where_the_network_is_conditional(kind):
    def run(network, *label):
        image = torch.zeros(3, 3, 32, 32)
        return network(latents(network) if kind == "generator" else image, *label)

    conditional = build(kind, size=32, width=2, label=LABEL)
    with pytest.raises(ValueError, match=r"needs one.*hair, eyes"):
        run(conditional)
    with pytest.raises(ValueError, match=r"must be \(N, 2\)"):
        run(conditional, LABELS[:, :1])
    with pytest.raises(ValueError, match="without `label`"):
        run(build(kind, size=32, width=2), LABELS)


@pytest.mark.parametrize("kind", ["generator", "discriminator"])
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"size": 48}, ["'r3gan'", "32, 64 or 128", "48", "ganzoo list"]),
        ({"size": 32, "width": 20, "group": 16}, ["20 channels", "groups of 16", "`group`"]),
        ({"size": 32, "label": {"hair": []}}, ["no values for hair"]),
    ],
)
def test_impossible_arguments_are_refused_with_the_remedy(kind, arguments, words):
    with pytest.raises(RecipeError) as refused:
        build(kind, **arguments)
    assert all(word in str(refused.value) for word in words)
