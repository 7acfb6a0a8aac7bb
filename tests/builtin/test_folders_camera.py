"""Transform ``camera``: what other cameras make of a photo."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from ganzoo_folders import camera
from ganzoo_folders.camera import Camera


def photos(n=4, height=48, width=40):
    """Return smooth colours with a bright disc, (n, 3, height, width) in [-1, 1]."""
    y, x = torch.meshgrid(
        torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij"
    )
    disc = (x**2 + y**2 < 0.3).float()
    return torch.stack([0.4 * x, 0.4 * y, disc - 0.5]).expand(n, 3, height, width).clone()


def shoot(image, seed=0, strength=1.0):
    torch.manual_seed(seed)
    return Camera(strength)(image)


def test_each_photo_is_taken_in_its_own_way_and_by_the_seed_alone():
    image = photos(6)
    out = shoot(image)
    assert out.min() >= -1
    assert out.max() <= 1
    assert torch.equal(out, shoot(image))
    assert not torch.equal(out, shoot(image, seed=1))
    assert all((out[0] - other).abs().mean() > 0.01 for other in out[1:])
    rng = torch.Generator().manual_seed(0)
    torch.manual_seed(5)
    assert torch.equal(Camera()(image, rng), out)


def test_strength_says_how_far_a_photo_changes():
    image = photos(64)
    change = [float((shoot(image, strength=s) - image).abs().mean()) for s in (0, 0.3, 1)]
    assert change[0] == 0
    assert 0 < change[1] < change[2] / 1.5


@pytest.mark.parametrize("step", camera._STEPS)
def test_every_step_changes_photos_and_none_is_unrecognisable(step):
    light = (photos(64) + 1) / 2
    torch.manual_seed(0)
    out = step(light, 1.0, None).clamp(0, 1)
    change = (out - light).abs().mean(dim=(1, 2, 3))
    assert change.max() > 0.003
    together = torch.stack([light.flatten(1), out.flatten(1)])
    alike = [float(torch.corrcoef(together[:, i])[0, 1]) for i in range(64)]
    assert np.median(alike) > 0.9
    assert min(alike) > 0.5


def test_compression_is_that_of_jpeg(monkeypatch):
    """Pillow's JPEG of the same quality, without subsampling, differs by its rounding to 8 bits."""
    numbers = iter([0.0, 55.0])  # chance: yes; 95 - 55 is the quality
    monkeypatch.setattr(
        camera, "_uniform", lambda light, low, high, rng: torch.full((1, 1, 1, 1), next(numbers))
    )
    rng = np.random.default_rng(0)
    pixels = np.asarray(
        Image.fromarray(rng.integers(0, 255, (6, 5, 3), np.uint8)).resize((40, 48), 3)
    )
    light = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None] / 255
    ours = camera.compress(light, 1.0, None).clamp(0, 1)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=40, subsampling=0)
    theirs = torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1)[None] / 255
    assert (ours - theirs).abs().mean() < (theirs - light).abs().mean() / 2


def test_sizes_that_are_no_multiple_of_a_block_keep_their_size():
    assert shoot(photos(3, 37, 51)).shape == (3, 3, 37, 51)
