"""CartoonGAN's networks against the published layout, its loss, and its authors' weights."""

import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn
from torch.nn.functional import conv2d, conv_transpose2d, instance_norm, pad, relu

import ganzoo_cartoongan
from ganzoo.errors import DataError
from ganzoo.plugins.manager import Plugins
from ganzoo.plugins.registry import Origin

pytestmark = pytest.mark.usefixtures("one_thread")
SHARED = Path(__file__).resolve().parents[3] / "shared"


def component(kind, name):
    plugins = Plugins()
    plugins.add(lambda: ganzoo_cartoongan, Origin("cartoongan", "ganzoo", "0"))
    return plugins.registry.get(kind, name).load()


def generator(**arguments):
    torch.manual_seed(0)
    return component("generator", "cartoongan")(**arguments)


def discriminator(**arguments):
    torch.manual_seed(0)
    return component("discriminator", "cartoongan-patch")(**arguments)


def random(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def layers(network):
    """Kind, shape of the weight and stride of every layer, in order."""
    kinds = {nn.Conv2d: "conv", nn.ConvTranspose2d: "up", nn.InstanceNorm2d: "norm"}
    kinds |= {nn.BatchNorm2d: "norm", nn.ReLU: "relu", nn.LeakyReLU: "lrelu", nn.Tanh: "tanh"}
    found = []
    for module in network.modules():
        if kind := kinds.get(type(module)):
            shape = tuple(module.weight.shape) if hasattr(module, "weight") else ()
            found.append((kind, *shape, *getattr(module, "stride", ())[:1]))
    return found


def norms(network):
    kinds = (nn.BatchNorm2d, nn.InstanceNorm2d)
    return [module for module in network.modules() if isinstance(module, kinds)]


# The generator


def test_the_generator_is_the_papers():
    end = lambda n: [("norm", n), ("relu",)]  # noqa: E731
    half = [("conv", 16, 16, 3, 3, 1), ("norm", 16)]
    assert layers(generator(channels=4, blocks=1)) == [
        *[("conv", 4, 3, 7, 7, 1), *end(4)],
        *[("conv", 8, 4, 3, 3, 2), ("conv", 8, 8, 3, 3, 1), *end(8)],
        *[("conv", 16, 8, 3, 3, 2), ("conv", 16, 16, 3, 3, 1), *end(16)],
        *[*half, ("relu",), *half],
        *[("up", 16, 8, 3, 3, 2), ("conv", 8, 8, 3, 3, 1), *end(8)],
        *[("up", 8, 4, 3, 3, 2), ("conv", 4, 4, 3, 3, 1), *end(4)],
        *[("conv", 3, 4, 7, 7, 1), ("tanh",)],
    ]


@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_the_generator_has_the_parameters_that_were_counted_by_hand(norm):
    outer = 4 * 3 * 49 + 2 * 4 + 3 * 4 * 49 + 3
    down = (8 * 4 + 8 * 8) * 9 + 2 * 8 + (16 * 8 + 16 * 16) * 9 + 2 * 16
    up = (16 * 8 + 8 * 8) * 9 + 2 * 8 + (8 * 4 + 4 * 4) * 9 + 2 * 4
    block = 2 * (16 * 16 * 9 + 2 * 16)
    for blocks in (0, 1, 3):
        network = generator(channels=4, blocks=blocks, norm=norm)
        assert sum(p.numel() for p in network.parameters()) == outer + down + up + blocks * block
    published = generator(norm=norm)
    assert sum(p.numel() for p in published.parameters()) == 11_124_355


def test_the_norm_and_its_epsilon_are_those_of_the_recipe():
    for norm, kind in (("instance", nn.InstanceNorm2d), ("batch", nn.BatchNorm2d)):
        network = generator(channels=1, blocks=1, norm=norm, eps=1e-3)
        assert [(type(m), m.eps, m.affine) for m in norms(network)] == [(kind, 1e-3, True)] * 7


def test_initial_weights():
    for module in (*generator(channels=16).modules(), *discriminator().modules()):
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            assert module.weight.std().item() == pytest.approx(0.02, rel=0.1)
            assert module.bias is None or not module.bias.any()
        elif isinstance(module, nn.InstanceNorm2d):
            assert (module.weight == 1).all()
            assert (module.bias == 0).all()


@pytest.mark.parametrize("blocks", [0, 1])
@pytest.mark.parametrize(
    "size", [(1, 1), (1, 9), (3, 2), (5, 7), (8, 8), (64, 64), (63, 65), (256, 256)]
)
def test_a_cartoon_is_as_large_as_its_photo(size, blocks):
    network = generator(channels=2, blocks=blocks)
    for mode in (True, False):
        cartoon = network.train(mode)(random(2, 3, *size))
        assert cartoon.shape == (2, 3, *size)
        assert cartoon.isfinite().all()
        assert cartoon.abs().max() <= 1
    assert network.size is None


def test_a_side_that_is_no_multiple_of_4_is_mirrored_at_the_right_and_the_bottom():
    network, photo = generator(channels=2, blocks=1), random(1, 3, 13, 15)
    rows = [*range(13), 11, 10, 9]
    columns = [*range(15), 13]
    mirrored = network(photo[:, :, rows][..., columns])
    torch.testing.assert_close(network(photo), mirrored[..., :13, :15])


def test_a_photo_too_small_to_be_mirrored_is_continued_with_its_last_row_and_column():
    network, photo = generator(channels=2, blocks=1), random(1, 3, 1, 3)
    continued = network(photo[:, :, [0] * 8][..., [0, 1, *[2] * 6]])
    torch.testing.assert_close(network(photo), continued[..., :1, :3])


def test_photos_do_not_mind_their_batch_mates():
    network, photos = generator(channels=4, blocks=1), random(3, 3, 16, 16)
    torch.testing.assert_close(network(photos)[1:2], network(photos[1:2]))


# AnimeGAN's generator


def animegan(**arguments):
    torch.manual_seed(0)
    return component("generator", "animegan")(**arguments)


def test_animegans_generator_has_the_parameters_that_were_counted_by_hand():
    def full(a, b):
        return 9 * a * b + 2 * b

    def separable(a, b):
        return 9 * a + a * b + 2 * b

    c = 4
    down = full(3, c) + full(c, c) + 2 * separable(c, 2 * c)
    down += full(2 * c, 2 * c) + separable(2 * c, 2 * c) + 2 * separable(2 * c, 4 * c)
    middle = 2 * full(4 * c, 4 * c)
    up = separable(4 * c, 2 * c) + separable(2 * c, 2 * c) + full(2 * c, 2 * c)
    up += separable(2 * c, 2 * c) + full(2 * c, c) + full(c, c) + 3 * c
    wide = 8 * c
    block = 4 * c * wide + 2 * wide + 9 * wide + 2 * wide + wide * 4 * c + 2 * 4 * c
    for blocks in (0, 1, 3):
        network = animegan(channels=c, blocks=blocks)
        assert sum(p.numel() for p in network.parameters()) == down + middle + up + blocks * block
    assert not any(isinstance(m, nn.ConvTranspose2d) for m in network.modules())
    assert all(m.bias is None for m in network.modules() if isinstance(m, nn.Conv2d))


@pytest.mark.parametrize("size", [(1, 1), (5, 7), (64, 64), (63, 65)])
def test_animegans_drawing_is_as_large_as_its_photo(size):
    drawing = animegan(channels=2, blocks=1)(random(2, 3, *size))
    assert drawing.shape == (2, 3, *size)
    assert drawing.isfinite().all()
    assert drawing.abs().max() <= 1


# The discriminator


def test_the_discriminator_is_the_papers():
    network = discriminator(channels=4)
    assert layers(network) == [
        *[("conv", 4, 3, 3, 3, 1), ("lrelu",)],
        *[("conv", 8, 4, 3, 3, 2), ("lrelu",)],
        *[("conv", 16, 8, 3, 3, 1), ("norm", 16), ("lrelu",)],
        *[("conv", 16, 16, 3, 3, 2), ("lrelu",)],
        *[("conv", 32, 16, 3, 3, 1), ("norm", 32), ("lrelu",)],
        *[("conv", 32, 32, 3, 3, 1), ("norm", 32), ("lrelu",)],
        ("conv", 1, 32, 3, 3, 1),
    ]
    assert {m.negative_slope for m in network.modules() if isinstance(m, nn.LeakyReLU)} == {0.2}
    weights = 9 * (4 * 3 + 8 * 4 + 16 * 8 + 16 * 16 + 32 * 16 + 32 * 32 + 32)
    gains_and_shifts = 2 * (16 + 32 + 32)
    count = {norm: discriminator(channels=4, norm=norm) for norm in ("instance", "batch", "none")}
    count = {norm: sum(p.numel() for p in d.parameters()) for norm, d in count.items()}
    assert count["instance"] == count["batch"] == weights + gains_and_shifts
    assert count["none"] == weights + 4 + 8 + 16 + 16 + 32 + 32 + 1  # its biases


@pytest.mark.parametrize("norm", ["instance", "batch", "none"])
@pytest.mark.parametrize("spectral", [True, False])
def test_the_discriminator_judges_patches_of_any_image(norm, spectral):
    network = discriminator(channels=2, norm=norm, spectral=spectral)
    for size, patches in (((64, 64), (16, 16)), ((256, 128), (64, 32)), ((33, 35), (9, 9))):
        assert network(random(2, 3, *size)).shape == (2, 1, *patches)
    assert network(random(2, 3, 32, 32)).min() < 0


def test_spectral_norm_holds_every_convolution_at_a_largest_singular_value_of_1():
    network, image = discriminator(channels=4, spectral=True), random(2, 3, 16, 16)
    for _ in range(200):  # a power iteration each
        network(image)
    convolutions = [m for m in network.eval().modules() if isinstance(m, nn.Conv2d)]
    assert len(convolutions) == 7
    for layer in convolutions:
        largest = torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item()
        assert largest == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("spectral", [True, False])
def test_one_update_may_judge_several_images_and_penalise_one(spectral):
    network = discriminator(channels=2, spectral=spectral)
    real = random(2, 3, 16, 16).requires_grad_()
    logits = [network(real), network(random(2, 3, 16, 16, seed=1))]
    (gradient,) = torch.autograd.grad(logits[0].sum(), real, create_graph=True)
    (gradient.square().sum() + logits[1].square().mean()).backward()
    for name, p in network.named_parameters():
        assert p.grad is not None, name
        assert p.grad.isfinite().all(), name


# The loss


def test_edge_promoting_is_what_the_paper_and_the_code_say():
    logits = torch.tensor([[-2.0, 0.5], [1.0, 3.0]])
    edge_promoting = component("loss", "edge-promoting")
    assert edge_promoting().discriminator(logits).item() == pytest.approx((4 + 0.25 + 1 + 9) / 4)
    by_hand = -sum(math.log(1 - 1 / (1 + math.exp(-d))) for d in (-2, 0.5, 1, 3)) / 4
    log = edge_promoting(objective="log")
    assert log.discriminator(logits).item() == pytest.approx(by_hand)
    assert log.discriminator(torch.tensor([1000.0])).item() == 1000  # and no overflow
    assert not hasattr(edge_promoting, "generator")


@pytest.mark.parametrize("objective", ["lsgan", "log"])
def test_edge_promoting_pushes_the_logits_of_smoothed_cartoons_down(objective):
    logits = torch.tensor([0.5, 2.0], requires_grad=True)
    component("loss", "edge-promoting")(objective=objective).discriminator(logits).backward()
    assert (logits.grad > 0).all()


# The authors' weights


def read(path):
    return component("importer", "cartoongan-npy")().read(path)


def imported(path):
    found = read(path)
    network = component("generator", found.generator)(**found.arguments)
    network.load_state_dict(found.weights, strict=True)
    return network.eval()


def array(rng, *shape):
    return (0.1 * rng.standard_normal(shape)).astype(np.float32)


@pytest.fixture
def folder(tmp_path):
    """Weights in the authors' layout, of 4 channels and 2 blocks, with biases everywhere."""
    rng = np.random.default_rng(0)
    tensors = {}

    def convolution(name, *shape, outputs=0):
        tensors[f"{name}.weight"] = array(rng, *shape)
        tensors[f"{name}.bias"] = array(rng, shape[outputs])

    def norm(name, channels):
        tensors[f"{name}.scale"] = 1 + array(rng, channels)
        tensors[f"{name}.shift"] = array(rng, channels)

    convolution("conv01_1", 4, 3, 7, 7)
    norm("in01_1", 4)
    for number, before, after in (("02", 4, 8), ("03", 8, 16)):
        convolution(f"conv{number}_1", after, before, 3, 3)
        convolution(f"conv{number}_2", after, after, 3, 3)
        norm(f"in{number}_1", after)
    for half in ("04_1", "04_2", "05_1", "05_2"):
        convolution(f"conv{half}", 16, 16, 3, 3)
        norm(f"in{half}", 16)
    for number, normed, before, after in (("01", "06", 16, 8), ("02", "07", 8, 4)):
        convolution(f"deconv{number}_1", before, after, 3, 3, outputs=1)
        convolution(f"deconv{number}_2", after, after, 3, 3)
        norm(f"in{normed}_1", after)
    convolution("deconv03_1", 3, 4, 7, 7)

    path = tmp_path / "cartoongan-paprika"
    path.mkdir()
    for name, values in tensors.items():
        np.save(path / f"{name}.npy", values)
    return path


def as_the_readme_says(path, photo, blocks):
    """The authors' generator, from the description of its files; RGB to RGB."""
    tensors = {file.stem: torch.from_numpy(np.load(file)) for file in path.glob("*.npy")}

    def convolve(x, name, stride=1):
        weight, bias = tensors[f"{name}.weight"], tensors[f"{name}.bias"]
        around = 3 if weight.shape[-1] == 7 else 1
        return conv2d(pad(x, (around,) * 4, "reflect"), weight, bias, stride)

    def double(x, name):
        weight, bias = tensors[f"{name}.weight"], tensors[f"{name}.bias"]
        return conv_transpose2d(x, weight, bias, stride=2, padding=1, output_padding=1)

    def norm(x, name):
        scale, shift = tensors[f"{name}.scale"], tensors[f"{name}.shift"]
        return instance_norm(x, weight=scale, bias=shift, eps=1e-9)

    x = photo[:, [2, 1, 0]]
    x = relu(norm(convolve(x, "conv01_1"), "in01_1"))
    x = relu(norm(convolve(convolve(x, "conv02_1", 2), "conv02_2"), "in02_1"))
    x = relu(norm(convolve(convolve(x, "conv03_1", 2), "conv03_2"), "in03_1"))
    for i in range(4, 4 + blocks):
        y = relu(norm(convolve(x, f"conv{i:02}_1"), f"in{i:02}_1"))
        x = x + norm(convolve(y, f"conv{i:02}_2"), f"in{i:02}_2")
    for up, i in ((1, 4 + blocks), (2, 5 + blocks)):
        x = relu(norm(convolve(double(x, f"deconv0{up}_1"), f"deconv0{up}_2"), f"in{i:02}_1"))
    return torch.tanh(convolve(x, "deconv03_1"))[:, [2, 1, 0]]


def uint8(image):
    return ((image + 1) * 127.5).round().int()


@torch.no_grad()
def test_imported_weights_draw_what_their_description_says(folder):
    photo = random(2, 3, 32, 40)
    ours, theirs = imported(folder)(photo), as_the_readme_says(folder, photo, blocks=2)
    assert theirs.std() > 0.1
    assert (ours - theirs).abs().max() < 1e-4
    assert (uint8(ours) - uint8(theirs)).abs().max() <= 1


@torch.no_grad()
def test_the_authors_weights_draw_what_their_description_says():
    hayao, portraits = SHARED / "weights" / "cartoongan-hayao", SHARED / "data" / "portraits"
    if not hayao.is_dir() or not portraits.is_dir():
        pytest.skip("the authors' weights and the portraits are not in ../shared")
    with Image.open(min(portraits.glob("*.jpg"))) as image:
        photo = torch.tensor(np.array(image.convert("RGB"))).permute(2, 0, 1)[None] / 127.5 - 1
    assert photo.shape == (1, 3, 256, 256)
    ours, theirs = imported(hayao)(photo), as_the_readme_says(hayao, photo, blocks=8)
    assert (ours - theirs).abs().max() < 1e-3
    assert (uint8(ours) - uint8(theirs)).abs().max() <= 1
    assert "Hayao" in read(hayao).source["title"]


def test_what_was_imported_says_what_it_is(folder):
    found = read(folder)
    assert found.generator == "cartoongan"
    assert found.arguments == {"channels": 4, "blocks": 2, "norm": "instance", "eps": 1e-9}
    assert found.source["title"] == "CartoonGAN, Paprika style, weights of the authors"
    assert found.source["url"] == "https://github.com/mnicnc404/CartoonGan-tensorflow"
    assert found.source["licence"] == "unknown"
    ours = folder.rename(folder.with_name("ours"))
    assert read(ours).source["title"] == "CartoonGAN, weights of 'ours'"


def test_biases_that_a_norm_removes_need_not_be_there(folder):
    before = read(folder).weights
    for file in folder.glob("*conv*.bias.npy"):
        if file.stem != "deconv03_1.bias":
            file.unlink()
    after = read(folder).weights
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_weights_of_another_precision_byte_order_and_memory_order_are_the_same(folder):
    before = read(folder).weights
    for file, kind in (("conv02_1.weight", ">f4"), ("conv03_1.weight", "<f8")):
        np.save(folder / f"{file}.npy", np.asfortranarray(np.load(folder / f"{file}.npy"), kind))
    after = read(folder).weights
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert {tensor.dtype for tensor in after.values()} == {torch.float32}


# Bad weights


def refusal(path):
    with pytest.raises(DataError) as refused:
        read(path)
    return str(refused.value)


def state(folder):
    return {file.stem: torch.from_numpy(np.load(file)) for file in folder.glob("*.npy")}


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        lambda state: {f"module.{name}": tensor for name, tensor in state.items()},
        lambda state: {"state_dict": {f"model.G.{n}": t for n, t in state.items()}, "epoch": 3},
        lambda state: {"D": {"conv.weight": torch.zeros(1)}, "deep": [{"G": state}]},
        lambda state: {name: tensor.double() for name, tensor in reversed(state.items())},
        lambda state: state | {"conv_out.weight": torch.zeros(3)},
    ],
    ids=["plain", "module", "lightning", "nested", "double", "more"],
)
@pytest.mark.parametrize("kind", ["pth", "safetensors"])
def test_a_checkpoint_of_the_same_tensors_is_the_same_network(folder, tmp_path, wrap, kind):
    path, content = tmp_path / f"Hayao_net_G_float.{kind}", wrap(state(folder))
    if kind == "pth":
        torch.save(content, path)
    elif all(isinstance(value, torch.Tensor) for value in content.values()):
        save_file(content, path)
    else:
        pytest.skip("safetensors are flat")
    found, wanted = read(path), read(folder)
    assert found.arguments == wanted.arguments
    assert all(torch.equal(found.weights[key], wanted.weights[key]) for key in wanted.weights)
    assert found.source["title"] == "CartoonGAN, Hayao style, weights of the authors"


def test_a_checkpoint_that_is_another_thing_is_refused(folder, tmp_path):
    path, tensors = tmp_path / "G.pth", state(folder)
    torch.save({"A": tensors, "B": dict(tensors)}, path)
    assert "holds 2 generators" in refusal(path)
    torch.save({"0.weight": torch.zeros(3)}, path)
    assert "no tensor of CartoonGAN's generator" in refusal(path)
    torch.save({"net": nn.Linear(1, 1)}, path)
    assert "nothing in it was run" in refusal(path)
    torch.save(tensors | {"in05_1.scale": torch.zeros(3)}, path)
    said = refusal(path)
    assert all(one in said for one in ("'in05_1.scale'", "(3,)", "(16,)"))
    torch.save(tensors | {"conv01_1.weight": torch.zeros(1).expand(4, 3, 7, 7)}, path)
    assert "'conv01_1.weight' is not stored" in refusal(path)
    tensors.pop("in05_1.scale")
    torch.save(tensors, path)
    assert "tensor 'in05_1.scale' is missing" in refusal(path)
    path.write_bytes(b"<html>")
    assert "a web page" in refusal(path)


def test_the_folder_above_the_files_will_do_and_names_may_have_a_prefix(folder, tmp_path):
    wanted = read(folder).weights
    for file in folder.glob("*.npy"):
        file.rename(folder / f"module.{file.name}")
    assert all(torch.equal(tensor, wanted[key]) for key, tensor in read(tmp_path).weights.items())
    shutil.copytree(folder, tmp_path / "other")
    assert "holds 2 networks" in refusal(tmp_path)


def test_a_path_that_is_no_folder_of_weights(folder):
    assert "no such file" in refusal(folder / "nowhere")
    assert f"give its folder: {folder}" in refusal(folder / "conv01_1.weight.npy")
    (empty := folder / "empty").mkdir()
    assert "it has no .npy file" in refusal(empty)
    np.save(empty / "embedding.npy", np.zeros(3))
    assert "none of its 1 .npy files" in refusal(empty)


def test_a_tensor_that_is_missing_is_named(folder):
    (folder / "in05_2.shift.npy").unlink()
    assert "in05_2.shift.npy is missing" in refusal(folder)
    for name in ("conv05_1", "conv05_2", "in07_1"):
        (folder / f"{name}.weight.npy").unlink(missing_ok=True)
    assert "conv05_1.weight.npy is missing" in refusal(folder)
    (folder / "conv01_1.weight.npy").unlink()
    assert "conv01_1.weight.npy is missing" in refusal(folder)


@pytest.mark.parametrize(
    ("name", "shape", "right"),
    [
        ("conv01_1.weight", (7, 7, 3, 4), "(channels, 3, 7, 7)"),
        ("conv01_1.weight", (), "(channels, 3, 7, 7)"),
        ("deconv01_1.weight", (8, 16, 3, 3), "(16, 8, 3, 3)"),
        ("deconv03_1.bias", (4,), "(3,)"),
        ("in06_1.scale", (16,), "(8,)"),
    ],
)
def test_a_tensor_of_the_wrong_shape_is_named_with_the_right_one(folder, name, shape, right):
    np.save(folder / f"{name}.npy", np.zeros(shape, np.float32))
    message = refusal(folder)
    assert f"{name}.npy has the shape {shape}, and should have {right}" in message


@pytest.mark.parametrize(
    ("content", "answer"),
    [
        (b"\n<!DOCTYPE html><html>Not Found</html>", "is a web page (HTML)"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer"),
        (b"", "is empty"),
        (b"\x93NUMPY\x01\x00", "cannot be read"),
    ],
)
def test_a_file_that_is_no_array_is_named(folder, content, answer):
    file = folder / "conv04_1.weight.npy"
    file.write_bytes(content)
    assert f"{file} {answer}" in refusal(folder)


def test_an_array_that_is_cut_short_is_named(folder):
    file = folder / "conv04_1.weight.npy"
    file.write_bytes(file.read_bytes()[:-4])
    assert f"{file} cannot be read" in refusal(folder)


def test_an_array_of_python_objects_is_never_unpickled(folder):
    file = folder / "conv01_1.weight.npy"
    np.save(file, np.full((4, 3, 7, 7), None), allow_pickle=True)
    assert f"{file} cannot be read" in refusal(folder)
    np.save(file, np.zeros((4, 3, 7, 7), np.int64))
    assert f"{file} holds int64" in refusal(folder)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_values_that_are_no_numbers_are_counted(folder, value):
    file = folder / "in04_1.scale.npy"
    values = np.load(file)
    values[:2] = value
    np.save(file, values)
    said = refusal(folder)
    assert f"{file}: 2 of 16" in said
    assert "NaN" in said
