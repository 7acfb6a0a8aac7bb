"""Adversarially learned inference: the paper's tables, the random code, and a symmetric game."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

from ganzoo_ali.networks import ALI, ALIDiscriminator, ALIEncoder, ALIGenerator

pytestmark = pytest.mark.usefixtures("one_thread")
MAPS = {32: [28, 13, 10, 4, 1], 64: [63, 29, 13, 4, 1]}
LATENT = 4  # of the toy
MAKE_ENCODE_JUDGE = (ALIGenerator, ALIEncoder, ALIDiscriminator)


def build(kind: Any, size: int = 32, width: int = 8, latent: int = 5, **more: Any) -> Any:
    torch.manual_seed(0)
    return kind(size=size, width=width, latent=latent, **more)


def images(n: int = 3, size: int = 32) -> Tensor:
    return torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(1)) * 2 - 1


def sides(layers: nn.Module, x: Tensor) -> list[int]:
    """The sides of the maps after each convolution."""
    found = []
    for layer in layers:  # type: ignore[attr-defined]
        x = layer(x)
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            found.append(x.shape[-1])
    return found


@pytest.mark.parametrize("size", [32, 64])
def test_maps_have_the_sides_of_the_papers_tables(size: int) -> None:
    hidden = [1] if size == 32 else []
    assert sides(build(ALIEncoder, size).layers, images(2, size)) == MAPS[size] + hidden
    assert sides(build(ALIDiscriminator, size).image, images(2, size)) == MAPS[size]
    back = [4, 10, 13, 28, 32, 32] if size == 32 else [4, 13, 29, 63, 64]
    assert sides(build(ALIGenerator, size).layers, torch.randn(2, 5, 1, 1)) == back


def test_the_celeba_networks_have_the_papers_parameters() -> None:
    down = [4 * 3 * 64, 49 * 64 * 128, 25 * 128 * 256, 49 * 256 * 256, 16 * 256 * 512]
    norms = 2 * (64 + 128 + 256 + 256 + 512)
    encoder = sum(down) + norms + 512 * 512 + 512
    # the mirror image begins with 256 latents and ends with 3 colours, and a bias for each pixel
    up = [16 * 256 * 512, 49 * 512 * 256, 25 * 256 * 256, 49 * 256 * 128, 4 * 128 * 64]
    generator = sum(up) + 2 * (512 + 256 + 256 + 128 + 64) + 3 * 64 + 3 * 64 * 64
    code = 256 * 1024 + 1024 + 1024 * 1024 + 1024
    pair = (512 + 1024) * 2048 + 2048 + 2048 * 2048 + 2048 + 2048 + 1
    judge = sum(down) + 64 + norms - 2 * 64 + code + pair
    found = [
        sum(p.numel() for p in kind(size=64, latent=256).parameters()) for kind in MAKE_ENCODE_JUDGE
    ]
    assert found == [generator, encoder, judge]


@pytest.mark.parametrize("size", [32, 64])
def test_an_image_made_and_a_code_made_go_back_in(size: int) -> None:
    generator, encoder, judge = (build(kind, size) for kind in MAKE_ENCODE_JUDGE)
    latent = generator.sample_latent(3, torch.Generator().manual_seed(0))
    image = generator(latent)
    assert image.shape == (3, 3, size, size)
    assert encoder(image).shape == latent.shape == (3, 5)
    assert judge(image, encoder(image)).shape == (3,)


def test_training_draws_the_code_around_the_mean_that_eval_gives() -> None:
    encoder = build(ALIEncoder)
    with torch.no_grad():  # every image alike: mean 2, deviation e**-1
        encoder.head.weight.zero_()
        encoder.head.bias.copy_(torch.tensor([2.0] * 5 + [-1.0] * 5))
        codes = torch.cat([encoder.train()(images(64)) for _ in range(40)])
        mean = encoder.eval()(images())
    assert torch.equal(mean, torch.full((3, 5), 2.0))
    assert codes.mean().item() == pytest.approx(2, abs=0.02)
    assert codes.std().item() == pytest.approx(0.3679, abs=0.01)
    assert codes.std(dim=0).min() > 0.3


def test_the_deviation_is_bounded_both_ways() -> None:
    encoder = build(ALIEncoder).eval()
    with torch.no_grad():
        encoder.head.bias.copy_(torch.tensor([0.0] * 5 + [99.0, -99.0, 0.0, 3.9, -7.9]))
        encoder.head.weight.zero_()
    _, log_sigma = encoder.distribution(images())
    assert torch.equal(log_sigma[0], torch.tensor([4.0, -8.0, 0.0, 3.9, -7.9]))


def test_every_pixel_has_a_bias_of_its_own() -> None:
    generator = build(ALIGenerator)
    with torch.no_grad():
        generator.pixels.weight.zero_()
        generator.bias.copy_(images(1)[0])
    image = generator(torch.randn(2, 5))
    torch.testing.assert_close(image, images(1).tanh().expand(2, -1, -1, -1))


def test_without_norm_and_dropout_a_pair_is_judged_by_both_its_parts_and_no_other_pair() -> None:
    judge = build(ALIDiscriminator, norm="none", dropout=0.0)
    image, code = images(4), torch.randn(4, 5)
    before = judge(image, code)
    assert not torch.isclose(before, judge(image.flip(0), code)).any()
    assert not torch.isclose(before, judge(image, code.flip(0))).any()
    torch.testing.assert_close(judge(image[2:3], code[2:3]), before[2:3])


def test_swapping_the_pairs_and_the_labels_changes_nothing() -> None:
    loss, rng = ALI(), torch.Generator().manual_seed(0)
    real, fake = (torch.randn(500, generator=rng) * 5 for _ in range(2))
    # swapped labels: what was to be positive is to be negative
    swapped = loss.discriminator(real_logits=-fake, fake_logits=-real)
    assert loss.discriminator(real, fake).item() == pytest.approx(swapped.item(), abs=1e-6)
    assert loss.generator(real, fake).item() == loss.discriminator(fake, real).item()


def test_the_objective_at_indifference_and_far_from_it() -> None:
    loss, zero = ALI(), torch.zeros(3)
    assert loss.discriminator(zero, zero).item() == pytest.approx(2 * 0.693147, abs=1e-5)
    far = torch.full((3,), 1000.0)
    assert loss.discriminator(far, -far).item() == 0
    assert loss.generator(far, -far).item() == 2000  # raw logits: no saturation, no infinity


def test_one_objective_moves_encoder_and_generator() -> None:
    generator, encoder, judge = (build(kind) for kind in MAKE_ENCODE_JUDGE)
    latent = torch.randn(3, 5)
    real = judge(images(), encoder(images()))
    ALI().generator(real, judge(generator(latent), latent)).backward()
    for network in (generator, encoder):
        assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
        assert any(p.grad.any() for p in network.parameters())


class Game(NamedTuple):
    """A trained game: what the tests below look at."""

    grid: Tensor
    fakes: Tensor
    reals: Tensor
    #: the mode of each real example
    modes: Tensor
    mean: Tensor
    deviation: Tensor
    reconstructions: Tensor


@pytest.fixture(scope="module")
def game() -> Game:
    """The toy of the paper's section 4.2: 25 Gaussians, and networks of two hidden layers."""
    torch.manual_seed(0)
    grid = torch.cartesian_prod(torch.arange(-2.0, 3), torch.arange(-2.0, 3))

    def network(inputs: int, outputs: int) -> nn.Sequential:
        layers = [nn.Linear(inputs, 64), nn.LeakyReLU(0.1), nn.Linear(64, 64), nn.LeakyReLU(0.1)]
        return nn.Sequential(*layers, nn.Linear(64, outputs))

    def examples(n: int) -> tuple[Tensor, Tensor]:
        modes = torch.randint(25, (n,))
        return grid[modes] + 0.05 * torch.randn(n, 2), modes

    generator, encoder, judge = network(LATENT, 2), network(2, 2 * LATENT), network(2 + LATENT, 1)
    players = [[*judge.parameters()], [*generator.parameters(), *encoder.parameters()]]
    optimizers = [torch.optim.Adam(p, 3e-3, (0.5, 0.999), fused=True) for p in players]
    loss, steps = ALI(), 2000
    for step in range(steps):
        for optimizer in optimizers:
            optimizer.param_groups[0]["lr"] = 3e-3 * min(1, 2 - 2 * step / steps)
        (real, _), latent = examples(128), torch.randn(128, LATENT)
        mean, log_sigma = encoder(real).chunk(2, dim=1)
        code = mean + log_sigma.clamp(-8, 4).exp() * torch.randn(128, LATENT)
        pairs = torch.cat([torch.cat([real, code], 1), torch.cat([generator(latent), latent], 1)])
        logits = judge(pairs).squeeze(1).chunk(2)  # both from one forward pass, as in the paper
        gradients = [
            torch.autograd.grad(objective(*logits), p, retain_graph=True)
            for objective, p in zip((loss.discriminator, loss.generator), players, strict=True)
        ]
        for parameters, taken, optimizer in zip(players, gradients, optimizers, strict=True):
            for parameter, gradient in zip(parameters, taken, strict=True):
                parameter.grad = gradient
            optimizer.step()
    with torch.no_grad():
        fakes = generator(torch.randn(10_000, LATENT))
        reals, modes = examples(4000)
        mean, log_sigma = encoder(reals).chunk(2, dim=1)
        deviation = log_sigma.clamp(-8, 4).exp()
        return Game(grid, fakes, reals, modes, mean, deviation, generator(mean))


def test_the_objective_finds_the_modes_of_a_grid_and_the_way_back(game: Game) -> None:
    nearest = torch.cdist(game.fakes, game.grid).argmin(dim=1)
    assert len(nearest.unique()) >= 20  # a mode is dropped if no sample is nearest to it
    apart = (game.reconstructions - game.reals).norm(dim=1).mean()
    assert apart < 1  # the spacing of the grid


def test_codes_of_all_examples_together_are_normal_and_those_of_one_are_not(game: Game) -> None:
    """The aggregate posterior nears the latents' distribution, since D sees codes beside both."""
    codes = game.mean + game.deviation * torch.randn(game.mean.shape)
    assert codes.mean(dim=0).abs().max() < 0.35
    assert codes.std(dim=0).min() > 0.6
    assert codes.std(dim=0).max() < 1.5
    # two latents tell where the example is; an encoder that reads nothing has deviations of 1
    assert game.deviation.mean(dim=0).sort().values[1] < 0.4


def test_a_linear_probe_reads_the_mode_off_a_code(game: Game) -> None:
    inputs = torch.cat([game.mean, torch.ones(len(game.mean), 1)], dim=1)
    targets = nn.functional.one_hot(game.modes, 25).float()
    fitted = torch.linalg.lstsq(inputs[:2000], targets[:2000]).solution
    right = (inputs[2000:] @ fitted).argmax(dim=1) == game.modes[2000:]
    assert right.float().mean() > 0.15  # chance has 0.04
