"""Objectives, penalties and augmentation against hand-computed values and finite differences."""

import math

import pytest
import torch
from torch import nn
from torch.func import functional_call
from torch.nn.functional import softplus

import ganzoo_adversarial
from ganzoo.errors import RecipeError
from ganzoo.plugins.manager import Plugins
from ganzoo.plugins.registry import Origin

pytestmark = pytest.mark.usefixtures("one_thread")
OBJECTIVES = ["non-saturating", "lsgan", "hinge", "wasserstein", "relativistic"]
PENALTIES = ["r1", "r2", "gradient-penalty", "dragan"]


def component(kind, name, **arguments):
    plugins = Plugins()
    plugins.add(lambda: ganzoo_adversarial, Origin("adversarial", "ganzoo", "0"))
    return plugins.registry.get(kind, name).load()(**arguments)


def generator_value(loss, real, fake):
    if isinstance(loss, type(component("loss", "relativistic"))):
        return loss.generator(real_logits=real, fake_logits=fake)
    return loss.generator(fake_logits=fake)


def sp(x):
    return math.log1p(math.exp(x))


REAL, FAKE = (2.0, -1.0), (0.5, -3.0)
VALUES = {  # (discriminator, generator)
    "non-saturating": (
        (sp(-2) + sp(1)) / 2 + (sp(0.5) + sp(-3)) / 2,
        (sp(-0.5) + sp(3)) / 2,
    ),
    "lsgan": ((1 + 4) / 2 + (0.25 + 9) / 2, (0.25 + 16) / 2),
    "hinge": ((0 + 2) / 2 + (1.5 + 0) / 2, -(0.5 - 3) / 2),
    "wasserstein": ((0.5 - 3) / 2 - (2 - 1) / 2, -(0.5 - 3) / 2),
    "relativistic": ((sp(0.5 - 2) + sp(-3 + 1)) / 2, (sp(2 - 0.5) + sp(-1 + 3)) / 2),
}


@pytest.mark.parametrize("shape", [(2,), (2, 1), (2, 1, 3, 3)])
@pytest.mark.parametrize("name", OBJECTIVES)
def test_objective_has_the_papers_value_for_logits_of_any_shape(name, shape):
    logits = [torch.tensor(x, dtype=torch.float64) for x in (REAL, FAKE)]
    real, fake = (x.view(2, *[1] * (len(shape) - 1)).expand(shape) for x in logits)
    loss = component("loss", name)
    d, g = VALUES[name]
    assert loss.discriminator(real_logits=real, fake_logits=fake).item() == pytest.approx(d)
    assert generator_value(loss, real, fake).item() == pytest.approx(g)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_objective_gradients_agree_with_finite_differences(name):
    loss = component("loss", name)
    real, fake = torch.randn(2, 5, dtype=torch.float64, requires_grad=True)
    torch.autograd.gradcheck(loss.discriminator, (real, fake), fast_mode=True)
    torch.autograd.gradcheck(lambda r, f: generator_value(loss, r, f), (real, fake))


@pytest.mark.parametrize("name", ["non-saturating", "relativistic"])
def test_huge_logits_neither_overflow_nor_lose_the_gradient(name):
    loss = component("loss", name)
    real, fake = torch.tensor([[1e4], [-1e4]]).requires_grad_()
    value = generator_value(loss, real, fake)
    (gradient,) = torch.autograd.grad(value, fake)
    assert value.isfinite()
    assert gradient.item() == pytest.approx(-1)
    assert loss.discriminator(-real, -fake).isfinite()


def test_label_smoothing_is_cross_entropy_with_a_softer_target_for_real_only():
    real, fake = torch.tensor(REAL), torch.tensor(FAKE)
    smooth = component("loss", "non-saturating", label_smoothing=0.1)
    bce = nn.functional.binary_cross_entropy_with_logits
    expected = bce(real, torch.full_like(real, 0.9)) + bce(fake, torch.zeros_like(fake))
    assert smooth.discriminator(real, fake).item() == pytest.approx(expected.item())
    assert smooth.generator(fake) == component("loss", "non-saturating").generator(fake)


# Penalties


class Linear(nn.Module):
    """D(x) = <w, x>, whose gradient is w everywhere."""

    def __init__(self, w):
        super().__init__()
        self.w = nn.Parameter(w)

    def forward(self, image):
        return (image * self.w).sum(dim=(1, 2, 3))


class Patches(nn.Module):
    """A small smooth network with patch logits (N, 1, 2, 2)."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.last = nn.Conv2d(4, 1, 1)

    def forward(self, image):
        return self.last(softplus(self.first(image)))


def penalise(loss, d, real, fake):
    """The value as the core computes it: image words are leaves, logits share their graph."""
    real, fake = (x.detach().requires_grad_() for x in (real, fake))
    if "real" in loss.differentiates:
        return loss.discriminator(real=real, real_logits=d(real))
    if "fake" in loss.differentiates:
        return loss.discriminator(fake=fake, fake_logits=d(fake))
    torch.manual_seed(0)
    if type(loss).__name__ == "Dragan":
        return loss.discriminator(real=real, discriminator=d)
    return loss.discriminator(real=real, fake=fake, discriminator=d)


@pytest.fixture
def images():
    return torch.randn(2, 3, 3, 4, 4, dtype=torch.float64, generator=torch.manual_seed(1))


@pytest.mark.parametrize("name", PENALTIES)
def test_penalty_of_a_linear_discriminator_and_its_gradient(name, images):
    d = Linear(torch.randn(3, 4, 4, dtype=torch.float64))
    w = d.w.detach()
    value = penalise(component("loss", name), d, *images)
    (gradient,) = torch.autograd.grad(value, d.w)
    if name in ("r1", "r2"):
        expected, slope = w.square().sum() / 2, w
    else:
        expected, slope = (w.norm() - 1) ** 2, 2 * (w.norm() - 1) * w / w.norm()
    torch.testing.assert_close(value.detach(), expected)
    torch.testing.assert_close(gradient, slope)


@pytest.mark.parametrize("name", PENALTIES)
def test_second_order_gradients_agree_with_finite_differences(name, images):
    torch.manual_seed(2)
    d = Patches().double()
    names, parameters = zip(*d.named_parameters(), strict=True)
    loss = component("loss", name)

    def value(*parameters):
        weights = dict(zip(names, parameters, strict=True))
        return penalise(loss, lambda x: functional_call(d, weights, (x,)), *images)

    torch.autograd.gradcheck(
        value, tuple(p.detach().requires_grad_() for p in parameters), fast_mode=True
    )


def test_r1_on_the_shared_graph_equals_a_forward_of_its_own(images):
    d, real = Patches().double(), images[0].requires_grad_()
    logits = d(real)
    shared = softplus(-logits).mean() + component("loss", "r1").discriminator(real, logits)
    apart = softplus(-d(real)).mean() + component("loss", "r1").discriminator(real, d(real))
    for one, other in zip(
        torch.autograd.grad(shared, d.parameters(), retain_graph=True),
        torch.autograd.grad(apart, d.parameters()),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


def test_r1_is_a_mean_over_samples(images):
    d, loss = Patches().double(), component("loss", "r1")
    each = [penalise(loss, d, real[None], real[None]) for real in images[0]]
    torch.testing.assert_close(penalise(loss, d, *images), torch.stack(each).mean())


@pytest.mark.parametrize("name", PENALTIES)
def test_penalties_are_float32_under_bf16_autocast(name, images):
    torch.manual_seed(2)
    d, loss = Patches(), component("loss", name)
    full = penalise(loss, d, *images.float())
    with torch.autocast("cpu", torch.bfloat16):
        assert d(images[0].float()).dtype == torch.bfloat16
        cast = penalise(loss, d, *images.float())
    assert cast.dtype == torch.float32
    # R1 and R2 share the core's bf16 forward; the others make their own in full precision
    torch.testing.assert_close(cast, full, rtol=0.02 if name in ("r1", "r2") else 0, atol=0)


def test_gradient_penalty_accepts_fakes_in_bf16(images):
    real, fake = images[0].float(), images[1].bfloat16()
    value = penalise(component("loss", "gradient-penalty"), Patches(), real, fake)
    assert value.dtype == torch.float32


def test_gradient_penalty_looks_between_the_pairs_at_a_place_of_its_own_for_each(images):
    seen = []

    def d(image):
        seen.append(image.detach())
        return image.flatten(1).sum(1)

    real, fake = images
    component("loss", "gradient-penalty").discriminator(real, fake, d)
    share = (seen[0] - fake) / (real - fake)
    torch.testing.assert_close(share, share[:, :1, :1, :1].expand_as(share))
    assert ((share > 0) & (share < 1)).all()
    assert share[:, 0, 0, 0].unique().numel() == len(real)


def test_gradient_penalty_sends_no_gradient_to_the_images(images):
    real, fake = images[0].requires_grad_(), images[1].requires_grad_()
    component("loss", "gradient-penalty").discriminator(real, fake, Patches().double()).backward()
    assert real.grad is None
    assert fake.grad is None


def test_gradient_penalty_of_a_flat_discriminator_has_a_finite_gradient(images):
    d = Linear(torch.zeros(3, 4, 4, dtype=torch.float64))
    value = penalise(component("loss", "gradient-penalty"), d, *images)
    value.backward()
    assert value.item() == 1
    assert d.w.grad.isfinite().all()


@pytest.mark.parametrize(("one_sided", "expected"), [(False, 4.0), (True, 0.0)])
def test_gradient_penalty_target_and_one_side(one_sided, expected, images):
    w = torch.zeros(3, 4, 4, dtype=torch.float64)
    w[0, 0, 0] = 1
    loss = component("loss", "gradient-penalty", target=3, one_sided=one_sided)
    assert penalise(loss, Linear(w), *images).item() == pytest.approx(expected)
    assert penalise(loss, Linear(5 * w), *images).item() == pytest.approx(4.0)


def test_dragan_stays_near_the_real_images(images):
    seen = []

    def d(image):
        seen.append(image.detach())
        return image.flatten(1).sum(1)

    real = images[0]
    component("loss", "dragan", spread=0.1).discriminator(real, d)
    away = seen[0] - real
    assert away.min() >= 0
    assert 0 < away.max() <= 0.1 * real.std()


# DiffAugment


def batch(n=6, size=16, dtype=torch.float32):
    image = torch.rand(n, 3, size, size, generator=torch.manual_seed(3), dtype=dtype) * 2 - 1
    torch.manual_seed(4)
    return image


POLICIES = [["color"], ["translation"], ["cutout"], None]


@pytest.mark.parametrize("policy", POLICIES)
def test_diffaugment_is_seeded_and_treats_every_sample_differently(policy):
    augment = component("transform", "diffaugment", policy=policy)
    same = batch()[:1].expand(6, -1, -1, -1)
    torch.manual_seed(5)
    first = augment(same)
    torch.manual_seed(5)
    assert torch.equal(first, augment(same))
    assert not torch.equal(first, augment(same))
    assert first.shape == same.shape
    assert first.dtype == same.dtype
    assert len({tuple(sample.flatten().tolist()) for sample in first}) > 3


@pytest.mark.parametrize("policy", POLICIES)
def test_diffaugment_gradients_of_both_orders_agree_with_finite_differences(policy):
    augment = component("transform", "diffaugment", policy=policy)
    image = batch(2, 8, torch.float64).requires_grad_()

    def frozen(image):
        torch.manual_seed(6)
        return augment(image)

    torch.autograd.gradcheck(frozen, (image,), fast_mode=True)
    torch.autograd.gradgradcheck(lambda x: frozen(x).square(), (image,), fast_mode=True)


def test_color_has_the_papers_strengths():
    augment = component("transform", "diffaugment", policy=["color"])
    flat = torch.full((2000, 3, 2, 2), 0.25)  # neither saturation nor contrast can change it
    change = (augment(flat) - flat)[:, 0, 0, 0]
    assert -0.5 <= change.min() < -0.45
    assert 0.45 < change.max() <= 0.5

    red = torch.zeros(2000, 3, 2, 2)
    red[:, 0] = 0.9  # what differs between channels is scaled by saturation and by contrast
    out = augment(red)
    spread = (out[:, 0] - out[:, 1])[:, 0, 0] / 0.9
    assert -1e-6 <= spread.min() < 0.05
    assert 2 < spread.max() <= 3

    gray = batch(500)[:, :1].expand(-1, 3, -1, -1)
    out = augment(gray)
    torch.testing.assert_close(out[:, 0], out[:, 2])
    contrast = out.flatten(1).std(dim=1) / gray.flatten(1).std(dim=1)
    assert 0.5 <= contrast.min() < 0.55
    assert 1.45 < contrast.max() <= 1.5


def test_translation_shifts_whole_pixels_by_up_to_an_eighth_and_brings_in_zeros():
    image = batch(60)
    moved = component("transform", "diffaugment", policy=["translation"])(image)
    wide = nn.functional.pad(image, (2, 2, 2, 2))
    shifts = set()
    for sample, out in zip(wide, moved, strict=True):
        found = [
            (y, x)
            for y in range(5)
            for x in range(5)
            if torch.equal(sample[:, y : y + 16, x : x + 16], out)
        ]
        assert len(found) == 1
        shifts.update(found)
    assert {y for y, _ in shifts} == {x for _, x in shifts} == set(range(5))


def test_cutout_zeroes_one_rectangle_of_at_most_half_the_sides():
    image = batch(200)
    out = component("transform", "diffaugment", policy=["cutout"])(image)
    gone = (out == 0).all(dim=1)
    assert torch.equal(out[~gone[:, None].expand_as(out)], image[~gone[:, None].expand_as(out)])
    heights, widths = gone.any(dim=2).sum(dim=1), gone.any(dim=1).sum(dim=1)
    assert torch.equal(gone.sum(dim=(1, 2)), heights * widths)
    for side in (heights, widths):
        assert (side.min(), side.max()) == (4, 8)


def test_r1_reaches_the_image_through_diffaugment(images):
    real = images[0].requires_grad_()
    d, augment = Patches().double(), component("transform", "diffaugment")
    value = component("loss", "r1").discriminator(real, d(augment(real)))
    value.backward()
    assert value > 0
    assert d.first.weight.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("policy", "words"),
    [(["colour"], ["'colour'", "did you mean 'color'?", "cutout"]), ([], ["empty"])],
)
def test_diffaugment_refuses_a_policy_it_does_not_know(policy, words):
    with pytest.raises(RecipeError) as refused:
        component("transform", "diffaugment", policy=policy)
    assert all(word in str(refused.value) for word in words)


# Views


def test_grayscale_is_luma_in_three_channels_and_keeps_the_range():
    image = torch.tensor([[1.0, -1, -1], [-1, 1, -1], [-1, -1, 1], [1, 1, 1], [-1, -1, -1]])
    gray = component("transform", "grayscale")(image[:, :, None, None])[:, :, 0, 0]
    luma = torch.tensor([0.299, 0.587, 0.114, 1, 0]) * 2 - 1
    torch.testing.assert_close(gray, luma[:, None].expand(-1, 3))


def test_blur_is_a_gaussian():
    image = torch.zeros(1, 3, 15, 15, dtype=torch.float64)
    image[:, 1, 7, 7] = 1
    out = component("transform", "blur", sigma=1.5)(image)
    away = torch.arange(15, dtype=torch.float64) - 7
    bell = torch.exp(-(away**2) / (2 * 1.5**2)) * (away.abs() <= 5)
    bell = bell / bell.sum()
    torch.testing.assert_close(out[0, 1], bell[:, None] * bell)
    assert not out[:, [0, 2]].any()


def test_blur_leaves_flat_images_alone_even_where_the_kernel_is_larger():
    flat = torch.full((2, 3, 8, 8), -0.7)
    torch.testing.assert_close(component("transform", "blur", sigma=5)(flat), flat)


def test_blur_gradient_agrees_with_finite_differences():
    image = batch(1, 6, torch.float64).requires_grad_()
    torch.autograd.gradcheck(component("transform", "blur", sigma=0.8), (image,))
