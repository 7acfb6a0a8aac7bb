"""Generator ``lite0-unet``: a U-Net on frozen features of EfficientNet-Lite0."""

import pytest
import torch

from ganzoo.errors import DataError
from ganzoo_features import efficientnet
from ganzoo_features.efficientnet import EfficientNetLite0
from ganzoo_pix2pix.lite0_unet import Lite0UNet

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return Lite0UNet(width=4).eval()


def photos(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def without_package(monkeypatch):
    def missing():
        raise DataError("pip install 'ganzoo[cartoons]'")

    monkeypatch.setattr(efficientnet, "_packaged", missing)


@pytest.mark.parametrize("size", [(1, 1), (3, 20), (32, 32), (65, 47)])
def test_an_image_of_any_size_keeps_it(network, size):
    drawn = network(photos(2, 3, *size))
    assert drawn.shape == (2, 3, *size)
    assert drawn.abs().max() <= 1


def test_it_sees_what_the_extractor_sees_at_twice_the_size(network):
    photo = photos(1, 3, 64, 64)
    stages = ["stage2", "stage3", "stage5"]
    large = torch.nn.functional.interpolate(photo, scale_factor=2.0, mode="bilinear")
    features = EfficientNetLite0(layers=stages)(large)
    seen = network.look(photo)
    for stride, stage in zip((2, 4, 8), stages, strict=True):
        torch.testing.assert_close(seen[stride], features[stage], atol=1e-4, rtol=1e-4)


def test_the_features_do_not_learn_but_everything_else_does():
    network = Lite0UNet(width=4)
    network(photos(1, 3, 64, 64)).square().sum().backward()
    for name, parameter in network.named_parameters():
        if name.startswith("eyes."):
            assert not parameter.requires_grad
        else:
            assert parameter.grad is not None, name
            assert parameter.grad.any(), name


def test_weights_are_enough_to_draw_without_the_package(network, monkeypatch):
    without_package(monkeypatch)
    other = Lite0UNet(width=4).eval()
    photo = photos(1, 3, 40, 40)
    with pytest.raises(DataError, match="cartoons"):
        other(photo)
    other.load_state_dict(network.state_dict())
    assert torch.equal(other(photo), network(photo))


def test_the_default_fits_into_8_megabytes_of_16_bits():
    assert sum(tensor.numel() for tensor in Lite0UNet().state_dict().values()) < 4e6
