"""Exported files: what other programs run is what the generator makes, at any size and batch."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ganzoo.errors import RunError
from ganzoo.interfaces import Generator
from ganzoo.models.export import PARITY, TOLERANCE, Parity, export
from ganzoo_ali.networks import ALIDiscriminator, ALIEncoder, ALIGenerator
from ganzoo_cartoongan.animegan import AnimeGANGenerator
from ganzoo_cartoongan.networks import CartoonGANGenerator
from ganzoo_dcgan.networks import DCGANGenerator
from ganzoo_pix2pix.networks import ConditionalPatchDiscriminator
from ganzoo_r3gan.networks import R3GANGenerator

pytestmark = pytest.mark.usefixtures("one_thread")
LABEL = {"hair": ["pink", "black", "brown"], "eyes": ["open", "closed"]}
ABOUT = {"model": "someone/faces", "licence": "CC-BY-4.0"}
#: sides that were in no example: square, narrow, no multiples of 4, and the smallest
SIDES = [(1, 40, 40), (2, 12, 100), (3, 57, 83), (4, 31, 22), (1, 8, 8)]


class Plain(Generator):
    """One factor; a base of generators that do something to their photo."""

    def __init__(self, size: int | None = None):
        super().__init__()
        self.size = size
        self.scale = nn.Parameter(torch.tensor(0.5))

    def forward(self, photo: Tensor) -> Tensor:
        return photo * self.scale


class Looks(Plain):
    def forward(self, photo: Tensor) -> Tensor:
        return photo if photo.mean() > 0 else -photo


class Cheats(Plain):
    def forward(self, photo: Tensor) -> Tensor:
        return photo * (0.9 if torch.compiler.is_exporting() else 1.0) * self.scale


class Two(Plain):
    def forward(self, photo: Tensor, mask: Tensor) -> Tensor:  # type: ignore[override]
        return photo * mask


class Strict(Plain):
    """Takes only sides that are multiples of 4."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.up = nn.Conv2d(3, 4, 4, 4), nn.ConvTranspose2d(4, 3, 4, 4)

    def forward(self, photo: Tensor) -> Tensor:
        if photo.shape[2] % 4 or photo.shape[3] % 4:
            raise ValueError("no multiple of 4")
        return self.up(self.down(photo)).tanh()


def trained(generator: Any, std: float = 0.2) -> Any:
    """Weights and statistics that are not those of the start, as after training."""
    torch.manual_seed(0)
    for parameter in generator.parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, 0, std)
        else:
            nn.init.normal_(parameter, 1, 0.3)
    for name, buffer in generator.named_buffers():
        if "running" in name:
            nn.init.uniform_(buffer, 0.2, 2)
    return generator.eval()


def with_onnx(path: Path, result: str) -> tuple[Callable[..., Tensor], dict[str, str]]:
    """What runs a file, and its metadata."""
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    assert [output.name for output in session.get_outputs()] == [result]

    def run(**inputs: Tensor) -> Tensor:
        assert [i.name for i in session.get_inputs()] == list(inputs)
        given = {name: value.numpy() for name, value in inputs.items()}
        return torch.from_numpy(session.run(None, given)[0])

    return run, session.get_modelmeta().custom_metadata_map


def with_torch(path: Path, result: str) -> tuple[Callable[..., Tensor], dict[str, str]]:
    facts = {PARITY: "", "ganzoo.model": "", "ganzoo.licence": ""}
    with path.open("rb") as file:
        program = torch.export.load(file, extra_files=facts)
    return program.module(), facts


FORMATS: dict[str, Any] = {"onnx": with_onnx, "torch-export": with_torch}


def exported(
    network: nn.Module, format: Any, path: Path, generator: Generator | None = None
) -> tuple[Callable[..., Tensor], Parity]:
    """Export, check what is told of it, and open the file."""
    if format == "onnx":
        pytest.importorskip("onnxscript")
    parity = export(network, format, path, ABOUT, generator)
    run, facts = FORMATS[format](path, next(iter(parity.output)))
    assert facts["ganzoo.model"] == "someone/faces"
    assert facts["ganzoo.licence"] == "CC-BY-4.0"
    told = json.loads(facts[PARITY])
    assert told["difference"] == parity.difference <= TOLERANCE
    assert told["shapes"] == list(parity.shapes)
    assert told["inputs"] == parity.inputs
    assert told["versions"]["torch"] == torch.__version__.partition("+")[0]
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert b"networks.py" not in path.read_bytes()  # nor any other path of this machine
    return run, parity


def same(run: Callable[..., Tensor], network: nn.Module, **inputs: Tensor) -> None:
    with torch.no_grad():
        right = network(**inputs)
    made = run(**inputs)
    assert made.shape == right.shape
    assert made.dtype == torch.float32
    np.testing.assert_allclose(made.detach(), right, rtol=0, atol=2e-4)


NOISE = [
    pytest.param("onnx", DCGANGenerator(32, width=4, label=LABEL), id="onnx-dcgan-labels"),
    pytest.param("onnx", R3GANGenerator(32, width=8), id="onnx-r3gan"),
    pytest.param("torch-export", DCGANGenerator(32, width=4), id="torch-dcgan"),
]


@pytest.mark.parametrize(("format", "generator"), NOISE)
def test_pictures_from_noise_in_batches_of_any_size(
    format: str, generator: Generator, tmp_path: Path
) -> None:
    trained(generator, 0.05)
    run, parity = exported(generator, format, tmp_path / "model")
    assert [shape["latent"][0] for shape in parity.shapes] == [1, 3, 8]
    assert parity.inputs["latent"].startswith("float32 (N, ")
    assert parity.output == {"image": "float32 (N, 3, 32, 32): RGB in [-1, 1]"}
    for n in (1, 2, 5):
        inputs = {"latent": generator.sample_latent(n, torch.Generator().manual_seed(n))}
        if generator.label:
            inputs["label"] = torch.tensor([[2, 1]] + [[0, 0]] * (n - 1))
            assert "hair (pink, black, brown); eyes (open, closed)" in parity.inputs["label"]
        same(run, generator, **inputs)


PHOTOS = [
    pytest.param("onnx", CartoonGANGenerator(4, 1), id="onnx-cartoongan"),
    pytest.param("onnx", AnimeGANGenerator(4, 0), id="onnx-animegan"),
    pytest.param("torch-export", CartoonGANGenerator(4, 1), id="torch-cartoongan"),
]


@pytest.mark.parametrize(("format", "generator"), PHOTOS)
def test_photos_of_any_size(format: str, generator: Generator, tmp_path: Path) -> None:
    trained(generator)
    run, parity = exported(generator, format, tmp_path / "model")
    sizes = [tuple(shape["photo"]) for shape in parity.shapes]
    assert len({n for n, *_ in sizes}) == len({(h, w) for *_, h, w in sizes}) == 3
    assert any(h == w for *_, h, w in sizes)
    assert any(h % 4 and w % 4 and h != w for *_, h, w in sizes)
    assert parity.inputs == {"photo": "float32 (N, 3, H, W): RGB in [-1, 1]; H and W at least 8"}
    for n, height, width in SIDES:
        same(run, generator, photo=torch.rand(n, 3, height, width) * 2 - 1)


@pytest.mark.parametrize("format", ["onnx", "torch-export"])
def test_an_encoder_and_a_critic_of_pairs(format: str, tmp_path: Path) -> None:
    generator = ALIGenerator(32, width=4, latent=5)
    encoder = trained(ALIEncoder(32, width=4, latent=5), 0.05)
    critic = trained(ALIDiscriminator(32, width=4, latent=5), 0.05)
    image = torch.rand(5, 3, 32, 32) * 2 - 1
    run, parity = exported(encoder, format, tmp_path / "a" / "model", generator)
    assert parity.inputs == {"image": "float32 (N, 3, 32, 32): RGB in [-1, 1]"}
    assert parity.output == {"code": "float32 (N, 5): the code"}
    same(run, encoder, image=image)
    run, parity = exported(critic, format, tmp_path / "b" / "model", generator)
    assert parity.inputs.keys() == {"image", "latent"}
    assert parity.output == {"logits": "float32 (N,): raw logits"}
    same(run, critic, image=image, latent=torch.randn(5, 5))


def test_a_critic_of_photo_and_drawing_of_any_size(tmp_path: Path) -> None:
    critic = trained(ConditionalPatchDiscriminator(width=4, layers=2, norm="none"))
    run, parity = exported(critic, "onnx", tmp_path / "model", CartoonGANGenerator(4, 1))
    assert parity.inputs.keys() == {"image", "photo"}
    image, photo = torch.rand(2, 2, 3, 40, 64) * 2 - 1
    same(run, critic, image=image, photo=photo)


def test_a_generator_of_multiples_takes_multiples(tmp_path: Path) -> None:
    generator = trained(Strict())
    run, parity = exported(generator, "torch-export", tmp_path / "model")
    assert parity.inputs["photo"].endswith("H and W multiples of 4, at least 8")
    same(run, generator, photo=torch.rand(1, 3, 36, 8) * 2 - 1)


def test_a_generator_of_one_size_has_that_size(tmp_path: Path) -> None:
    generator = Plain(size=20)
    run, parity = exported(generator, "torch-export", tmp_path / "model")
    assert [shape["photo"] for shape in parity.shapes] == [[n, 3, 20, 20] for n in (1, 3, 8)]
    assert parity.inputs["photo"] == "float32 (N, 3, 20, 20): RGB in [-1, 1]"
    same(run, generator, photo=torch.rand(2, 3, 20, 20))


def test_the_generator_stays_as_it_is(tmp_path: Path) -> None:
    generator = Plain().double().train()
    export(generator, "torch-export", tmp_path / "new" / "model.pt2", {})
    assert generator.training
    assert generator.scale.dtype == torch.float64
    assert generator.scale.requires_grad


@pytest.mark.parametrize("format", ["onnx", "torch-export"])
@pytest.mark.parametrize(
    ("generator", "said"),
    [
        (Looks(), "cannot be exported as"),
        (Cheats(), "off in [-1, 1], and 0.001 is allowed"),
        (Two(), "needs photo and mask"),
    ],
)
def test_what_cannot_be_exported_is_told_in_a_sentence(
    format: Any, generator: Generator, said: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    if format == "onnx":
        pytest.importorskip("onnxscript")
    before = tmp_path / "model"
    before.write_text("an earlier file")
    with pytest.raises(RunError) as caught:
        export(generator, format, before, ABOUT)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert before.read_text() == "an earlier file"
    assert list(tmp_path.iterdir()) == [before]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("format", ["onnx", "torch-export"])
def test_exporters_are_silent(
    format: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    exported(Plain(), format, tmp_path / "model")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("package", ["onnx", "onnxscript", "onnxruntime"])
def test_a_missing_package_is_told(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("onnx", "onnxscript", "onnxruntime"):
        monkeypatch.setitem(sys.modules, name, sys.modules.get(name, pytest))
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(RunError, match=rf"{package}: pip install 'ganzoo\[export\]'"):
        export(Plain(), "onnx", tmp_path / "model.onnx", {})
    assert not list(tmp_path.iterdir())


def test_where_no_file_can_be(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is a folder"):
        export(Plain(), "torch-export", tmp_path, {})
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="cannot be written"):
        export(Plain(), "torch-export", tmp_path / "file" / "model.pt2", {})
