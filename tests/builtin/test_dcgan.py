"""DCGAN's two variants against their published tables, and labels."""

import pytest
import torch
from torch import nn
from torch.nn.functional import softplus

import ganzoo_dcgan
from ganzoo.errors import RecipeError
from ganzoo.plugins.manager import Plugins
from ganzoo.plugins.registry import Origin

pytestmark = pytest.mark.usefixtures("one_thread")
LABEL = {"hair": ["pink", "black", "brown"], "eyes": ["open", "closed"]}
LABELS = torch.tensor([[0, 1], [2, 0], [1, 1]])


def build(kind, **arguments):
    plugins = Plugins()
    plugins.add(lambda: ganzoo_dcgan, Origin("dcgan", "ganzoo", "0"))
    torch.manual_seed(0)
    return plugins.registry.get(kind, "dcgan").load()(**arguments)


def latents(g, n=3, seed=0):
    return g.sample_latent(n, torch.Generator().manual_seed(seed))


def parameters(module):
    return sum(p.numel() for p in module.parameters())


def shapes(module):
    """The shapes of all weights of more than one dimension, in order."""
    return [tuple(p.shape) for p in module.parameters() if p.ndim > 1]


# The tables


def test_the_pytorch_variant_is_the_tutorials_network():
    g, d = build("generator", size=64), build("discriminator", size=64)
    assert parameters(g) == 3_576_704
    assert parameters(d) == 2_765_568
    k = (4, 4)
    assert shapes(g) == [
        (100, 512, *k),
        (512, 256, *k),
        (256, 128, *k),
        (128, 64, *k),
        (64, 3, *k),
    ]
    assert shapes(d) == [(64, 3, *k), (128, 64, *k), (256, 128, *k), (512, 256, *k), (1, 512, *k)]
    channels = [m.num_features for m in g.modules() if isinstance(m, nn.BatchNorm2d)]
    assert channels == [512, 256, 128, 64]
    channels = [m.num_features for m in d.modules() if isinstance(m, nn.BatchNorm2d)]
    assert channels == [128, 256, 512]


def test_the_paper_variant_is_the_authors_code():
    g = build("generator", size=64, variant="paper")
    d = build("discriminator", size=64, variant="paper")
    k = (5, 5)
    assert shapes(g) == [
        (1024 * 4 * 4, 100),
        (1024, 512, *k),
        (512, 256, *k),
        (256, 128, *k),
        (128, 3, *k),
    ]
    assert shapes(d) == [
        (128, 3, *k),
        (256, 128, *k),
        (512, 256, *k),
        (1024, 512, *k),
        (1, 1024, 4, 4),
    ]
    assert [m.num_features for m in g.modules() if isinstance(m, nn.BatchNorm1d)] == [1024 * 4 * 4]


def test_the_latents_are_the_variants_own_and_come_from_the_given_generator_alone():
    normal, uniform = build("generator", size=32), build("generator", size=32, variant="paper")
    assert latents(normal).shape == (3, 100)
    assert latents(normal, 1000).std().item() == pytest.approx(1, abs=0.02)
    z = latents(uniform, 1000)
    assert -1 <= z.min() < -0.99
    assert 0.99 < z.max() <= 1
    assert z.std().item() == pytest.approx(3**-0.5, abs=0.02)
    for g in (normal, uniform):
        first = latents(g)
        torch.rand(5)
        assert torch.equal(first, latents(g))
        assert not torch.equal(first, latents(g, seed=1))


@pytest.mark.parametrize("norm", ["batch", "layer", "none"])
def test_initial_weights(norm):
    d = build("discriminator", size=64, norm=norm)
    g = build("generator", size=64, norm="batch" if norm == "batch" else "none")
    for module in (*g.modules(), *d.modules()):
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            assert module.weight.std().item() == pytest.approx(0.02, rel=0.1)
            assert module.weight.mean().item() == pytest.approx(0, abs=0.002)
        elif isinstance(module, (nn.BatchNorm2d, nn.GroupNorm)):
            assert module.weight.mean().item() == pytest.approx(1, abs=0.01)
            assert module.weight.std().item() == pytest.approx(0.02, rel=0.3)
        if getattr(module, "bias", None) is not None:
            assert not module.bias.any()


# Shapes and gradients


# the contracts try the default of every argument
@pytest.mark.parametrize("variant", ["paper", "pytorch"])
def test_upsampling_by_the_nearest_keeps_the_size(variant):
    g = build("generator", size=64, variant=variant, width=2, upsample="nearest", label=LABEL)
    assert g(latents(g), LABELS).shape == (3, 3, 64, 64)


@pytest.mark.parametrize("norm", ["batch", "none", "layer"])
@pytest.mark.parametrize("variant", ["paper", "pytorch"])
def test_gradients_reach_every_parameter(variant, norm):
    g_norm = "none" if norm == "layer" else norm
    g = build("generator", size=32, variant=variant, width=4, norm=g_norm, label=LABEL)
    d = build("discriminator", size=32, variant=variant, width=4, norm=norm, label=LABEL)
    softplus(-d(g(latents(g), LABELS), LABELS)).mean().backward()
    for network in (g, d):
        for name, p in network.named_parameters():
            assert p.grad is not None, name
            assert p.grad.isfinite().all(), name
            assert p.grad.any(), name


def test_a_wide_discriminator_refuses_images_of_another_size():
    with pytest.raises(RuntimeError):
        build("discriminator", size=32, width=2)(torch.zeros(2, 3, 64, 64))


@pytest.mark.parametrize("norm", ["layer", "none"])
def test_without_batch_norm_the_discriminator_keeps_samples_apart(norm):
    d = build("discriminator", size=32, width=4, norm=norm)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in d.modules())
    image = torch.randn(4, 3, 32, 32, requires_grad=True)
    (gradient,) = torch.autograd.grad(d(image)[0], image)
    assert gradient[0].any()
    assert not gradient[1:].any()


@pytest.mark.parametrize("variant", ["paper", "pytorch"])
def test_in_eval_a_latent_gives_the_same_image_whatever_its_batch_mates(variant):
    g = build("generator", size=32, variant=variant, width=8)
    g(latents(g, 16))  # moves the running statistics
    g.eval()
    z = latents(g, 8)
    whole = g(z)
    torch.testing.assert_close(g(z[3:4]), whole[3:4])
    torch.testing.assert_close(g(z.flip(0)).flip(0), whole)


# Labels


def test_labels_change_what_is_made_and_how_it_is_judged():
    g = build("generator", size=32, width=8, label=LABEL).eval()
    d = build("discriminator", size=32, width=8, label=LABEL).eval()
    z, other = latents(g), LABELS.clone()
    other[0, 0] = 1
    changed = (g(z, LABELS) != g(z, other)).flatten(1).any(dim=1)
    assert changed.tolist() == [True, False, False]
    image = g(z, LABELS)
    assert (d(image, LABELS) != d(image, other)).tolist() == [True, False, False]


def test_the_projection_is_the_features_inner_product_with_the_sum_of_the_attributes():
    d = build("discriminator", size=32, width=4, norm="none", label=LABEL).double()
    image = torch.randn(3, 3, 32, 32, dtype=torch.float64)
    hair, eyes = (table.weight for table in d.embedding.tables)
    summed = hair[LABELS[:, 0]] + eyes[LABELS[:, 1]]
    pooled = d.features(image).sum(dim=(2, 3))
    expected = d.head(d.features(image)).flatten() + (pooled * summed).sum(dim=1)
    torch.testing.assert_close(d(image, LABELS), expected)


def test_the_generator_says_what_its_labels_are():
    assert build("generator", size=32, width=2, label=LABEL).label == LABEL
    assert build("generator", size=32, width=2).label is None


@pytest.mark.parametrize("kind", ["generator", "discriminator"])
def test_a_label_must_be_given_exactly_where_the_network_is_conditional(kind):
    def run(network, *label):
        image = torch.zeros(3, 3, 32, 32)
        return network(latents(network) if kind == "generator" else image, *label)

    conditional = build(kind, size=32, width=2, label=LABEL)
    with pytest.raises(ValueError, match=r"needs one.*hair, eyes"):
        run(conditional)
    with pytest.raises(ValueError, match=r"\(3,\).*must be \(N, 2\).*hair, eyes"):
        run(conditional, LABELS[:, 0])
    with pytest.raises(IndexError):
        run(conditional, LABELS + 2)
    with pytest.raises(ValueError, match="without `label`"):
        run(build(kind, size=32, width=2), LABELS)


# Bad arguments


@pytest.mark.parametrize("kind", ["generator", "discriminator"])
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"size": 48}, ["'dcgan'", "32, 64 or 128", "48", "ganzoo list"]),
        ({"size": 32, "label": {}}, ["no attributes", "leave `label` out"]),
        ({"size": 32, "label": {"hair": []}}, ["no values for hair"]),
    ],
)
def test_impossible_arguments_are_refused_with_the_remedy(kind, arguments, words):
    with pytest.raises(RecipeError) as refused:
        build(kind, **arguments)
    assert all(word in str(refused.value) for word in words)


def test_a_list_of_widths_names_the_channels_of_every_map():
    g = build("generator", size=64, latent=8, width=[4, 6, 10, 16])
    d = build("discriminator", size=64, norm="none", width=[4, 6, 10, 16])
    k = (4, 4)
    assert shapes(g) == [(8, 16, *k), (16, 10, *k), (10, 6, *k), (6, 4, *k), (4, 3, *k)]
    assert shapes(d) == [(4, 3, *k), (6, 4, *k), (10, 6, *k), (16, 10, *k), (1, 16, *k)]
    assert d(g(latents(g))).shape == (3,)


def test_the_list_of_a_plain_width_is_the_same_network():
    plain = build("generator", size=32, width=8)
    listed = build("generator", size=32, width=[8, 16, 32])
    assert plain.state_dict().keys() == listed.state_dict().keys()
    assert torch.equal(plain(latents(plain)), listed(latents(plain)))


@pytest.mark.parametrize("kind", ["generator", "discriminator"])
def test_a_list_of_another_length_is_refused(kind):
    with pytest.raises(RecipeError, match=f"{kind} 'dcgan' has 4 feature maps at 64 px.*lists 3"):
        build(kind, size=64, width=[8, 16, 32])
