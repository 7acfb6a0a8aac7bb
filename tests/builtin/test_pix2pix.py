"""pix2pix's networks against the published layout, and its loss."""

import pytest
import torch
from torch import nn
from torch.nn.functional import interpolate

from ganzoo_cyclegan.networks import PatchDiscriminator
from ganzoo_pix2pix.networks import ConditionalPatchDiscriminator, UNetGenerator
from ganzoo_pix2pix.pixels import Pixels

pytestmark = pytest.mark.usefixtures("one_thread")


def random(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def shapes(network, kind):
    return [tuple(m.weight.shape[:2]) for m in network.modules() if isinstance(m, kind)]


# The U-Net


def test_the_unet_is_the_papers_of_256_pixels():
    network = UNetGenerator(width=1, levels=8)
    assert shapes(network, nn.Conv2d) == [
        *[(1, 3), (2, 1), (4, 2), (8, 4)],
        *[(8, 8)] * 4,
    ]
    # a doubling reads the one before it and, but for the first, the halving of its size
    assert shapes(network, nn.ConvTranspose2d) == [
        *[(8, 8), (16, 8), (16, 8), (16, 8)],
        *[(16, 4), (8, 2), (4, 1), (2, 3)],
    ]
    norms = [m for m in network.modules() if isinstance(m, nn.InstanceNorm2d)]
    assert [m.num_features for m in norms] == [2, 4, 8, 8, 8, 8, *[8] * 4, 4, 2, 1]
    biased = [m.bias is not None for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert biased == [True, *[False] * 6, True]


def test_the_unet_has_the_parameters_that_were_counted_by_hand():
    network = UNetGenerator(width=4, norm="batch")
    # 16 times the products of channels, two for each channel that is normed, and three biases
    down = 16 * (3 * 4 + 4 * 8 + 8 * 16 + 16 * 32 + 4 * 32 * 32)
    up = 16 * (32 * 32 + 3 * 64 * 32 + 64 * 16 + 32 * 8 + 16 * 4 + 8 * 3)
    norms = 2 * (8 + 16 + 4 * 32) + 2 * (4 * 32 + 16 + 8 + 4)
    assert sum(p.numel() for p in network.parameters()) == down + up + norms + 4 + 32 + 3


def test_dropout_is_in_the_three_innermost_doublings():
    network = UNetGenerator(width=1, levels=6, dropout=0.5)
    assert [m.p for m in network.modules() if isinstance(m, nn.Dropout)] == [0.5] * 3 + [0.0] * 2


@pytest.mark.parametrize("levels", [1, 2, 4])
@pytest.mark.parametrize("size", [(1, 1), (3, 20), (16, 16), (33, 47)])
def test_an_image_of_any_size_keeps_it(levels, size):
    network = UNetGenerator(width=2, levels=levels)
    for mode in (True, False):
        drawn = network.train(mode)(random(2, 3, *size))
        assert drawn.shape == (2, 3, *size)
        assert drawn.isfinite().all()


def test_what_is_added_to_a_side_is_mirrored_and_cropped():
    network, photo = UNetGenerator(width=2, levels=3), random(1, 3, 13, 16)
    mirrored = network(photo[:, :, [*range(13), 11, 10, 9]])
    torch.testing.assert_close(network(photo), mirrored[:, :, :13])


def test_the_identity_is_soon_learnt_because_bridges_pass_the_bottleneck_by():
    torch.manual_seed(0)
    network = UNetGenerator(width=16, levels=3)
    optimizer = torch.optim.Adam(network.parameters(), 3e-3, (0.5, 0.999))
    for _ in range(150):
        photo = interpolate(0.8 * (torch.rand(4, 3, 4, 4) * 2 - 1), size=16, mode="bilinear")
        loss = Pixels().generator(network(photo), photo)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.06  # black images have 0.28


# The critics


@pytest.mark.parametrize("critic", [ConditionalPatchDiscriminator, PatchDiscriminator])
@pytest.mark.parametrize(
    ("layers", "field"), [(0, 1), (1, 16), (2, 34), (3, 70), (4, 142), (5, 286)]
)
def test_a_logit_sees_a_patch_of_the_published_size(critic, layers, field):
    torch.manual_seed(0)
    network = critic(width=2, layers=layers, norm="none")
    for parameter in network.parameters():  # no path may vanish
        nn.init.constant_(parameter, 0.1)
    side = field + 2 ** (layers + 1) * 4
    image = random(1, 3, side, side).requires_grad_()
    logits = network(image, image) if critic is ConditionalPatchDiscriminator else network(image)
    middle = logits.shape[-1] // 2
    (gradient,) = torch.autograd.grad(logits[0, 0, middle, middle], image)
    rows, columns = gradient[0].abs().sum(0).nonzero().T
    for seen in (rows, columns):
        assert int(seen.max() - seen.min()) + 1 == field
    assert len(rows) == field**2


@pytest.mark.parametrize("critic", [ConditionalPatchDiscriminator, PatchDiscriminator])
def test_a_halving_doubles_the_patch_and_judges_averages(critic):
    torch.manual_seed(0)
    fine, coarse = critic(width=2, layers=2), critic(width=2, layers=2, halvings=1)
    coarse.load_state_dict(fine.state_dict())
    flat = torch.full((2, 3, 64, 64), 0.3)
    small = torch.full((2, 3, 32, 32), 0.3)
    given = lambda x: (x, x) if critic is ConditionalPatchDiscriminator else (x,)  # noqa: E731
    torch.testing.assert_close(coarse(*given(flat)), fine(*given(small)))


def test_the_layers_of_the_published_critic():
    network = ConditionalPatchDiscriminator(norm="batch")
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert [(c.in_channels, c.out_channels, c.stride[0]) for c in convolutions] == [
        *[(6, 64, 2), (64, 128, 2), (128, 256, 2), (256, 512, 1), (512, 1, 1)],
    ]
    assert shapes(network, nn.BatchNorm2d) == [(128,), (256,), (512,)]
    assert network(random(1, 3, 256, 256), random(1, 3, 256, 256, seed=1)).shape == (1, 1, 30, 30)


def test_the_critic_judges_a_pair():
    network, image = ConditionalPatchDiscriminator(width=4), random(2, 3, 32, 32)
    one, other = (network(image, random(2, 3, 32, 32, seed=s)) for s in (1, 2))
    assert not torch.allclose(one, other)


# The loss


def test_pixels_are_compared_one_by_one():
    fake = torch.tensor([0.0, 0.5, 1.0]).view(1, 3, 1, 1)
    real = torch.tensor([0.0, 0.0, -1.0]).view(1, 3, 1, 1)
    assert Pixels().generator(fake, real).item() == pytest.approx(2.5 / 3)
    assert Pixels(distance="l2").generator(fake, real).item() == pytest.approx(4.25 / 3)
