"""Weights: what is refused before it takes memory, and that nothing opens a pickle."""

from __future__ import annotations

import json
import resource
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import toy
from safetensors.torch import save_file
from torch import nn

from ganzoo.errors import GanzooError, RunError
from ganzoo.models import weights
from ganzoo.models.config import File
from ganzoo.models.folder import refuse_pickle
from ganzoo.plugins.manager import installed
from ganzoo.plugins.registry import construct

pytestmark = pytest.mark.usefixtures("one_thread")


def network() -> toy.ToyGenerator:
    return toy.ToyGenerator(norm=False)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.safetensors"


def load(path: Path, stated: File | None = None) -> nn.Module:
    made = network()
    weights.load(path, made, stated, "generator 'toy'")
    return made


def header(content: Any, rest: bytes = b"") -> bytes:
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    return struct.pack("<Q", len(text)) + text + rest


def tensor(shape: list[int], start: int, end: int, dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


TWICE = b'{"inner.bias":%s,"inner.bias":%s}' % ((json.dumps(tensor([12], 0, 48)).encode(),) * 2)


@pytest.mark.parametrize(
    "content",
    [
        struct.pack("<Q", 2**62) + b"{}",
        struct.pack("<Q", 2**64 - 1) + b"{}",
        struct.pack("<Q", 99_000_000) + b"{}",
        b"",
        b"\x80",
        header({}),
        header(b"[]"),
        header(b'{"a":' + b"[" * 10**5),
        header({"inner.weight": tensor([10**12, 10**12], 0, 8)}, b"\0" * 8),
        header({"inner.weight": tensor([10**12], 0, 4 * 10**12)}, b"\0" * 8),
        header({"inner.weight": tensor([2**64], 0, 8)}, b"\0" * 8),
        header({"inner.weight": tensor([-1], 0, 8)}, b"\0" * 8),
        header({"a": tensor([4], 0, 16), "b": tensor([4], 8, 24)}, b"\0" * 24),
        header({"inner.weight": tensor([12, 4], 8, 200)}, b"\0" * 200),
        header({"inner.weight": tensor([12, 4], 0, 192)}, b"\0" * 100),
        header({"inner.weight": tensor([4], 0, 16, "EVIL")}, b"\0" * 16),
        header(TWICE, b"\0" * 48),
    ],
)  # fmt: skip
def test_a_header_that_makes_no_sense(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(RunError, match=r"model\.safetensors"):
        load(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"inner.bias": None}, "no tensor 'inner.bias'"),
        ({"inner.bias": torch.zeros(13)}, r"shape \(13,\), where generator 'toy' has \(12,\)"),
        ({"more\x1b[2J": torch.zeros(1)}, r"does not know, the first 'more\\x1b\[2J'"),
        ({"inner.bias": torch.full((12,), torch.nan)}, "NaN or infinity in tensor 'inner.bias'"),
        ({"inner.bias": torch.full((12,), 1e300, dtype=torch.float64)}, "NaN or infinity"),
        ({"inner.bias": torch.zeros(12, dtype=torch.int32)}, "has torch.int32 in tensor"),
        ({"inner.bias": torch.zeros(12, dtype=torch.complex64)}, "has torch.complex64 in tensor"),
    ],
)
def test_what_does_not_fit_its_network(path: Path, changes: dict[str, Any], words: str) -> None:
    tensors = network().state_dict() | changes
    save_file({name: value for name, value in tensors.items() if value is not None}, path)
    with pytest.raises(RunError, match=words) as caught:
        load(path)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
def test_another_precision_is_read(path: Path, dtype: torch.dtype) -> None:
    tensors = {name: value.to(dtype) for name, value in network().state_dict().items()}
    save_file(tensors, path)
    for name, value in load(path).state_dict().items():
        assert torch.equal(value, tensors[name].float())


def test_what_was_altered_since_its_config(path: Path) -> None:
    made = network()
    save_file(made.state_dict(), path)
    stated = weights.describe(path, made)
    load(path, stated)
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(RunError, match="its hash is not the one"):
        load(path, stated)
    path.write_bytes(data[:-1])
    with pytest.raises(RunError, match="its config says"):
        load(path, stated)


@pytest.mark.parametrize("length", [128, 384, 640, 896, 1152, 1408, 19280])
def test_a_header_whose_length_looks_like_a_pickle_is_none(path: Path, length: int) -> None:
    """80 02 begins a pickle, and a header of 640 bytes; 50 4b a zip, and one of 19,280."""
    path.write_bytes(header(b'{"__metadata__":{}}'.ljust(length)))
    refuse_pickle(path)
    path.write_bytes(header(b"cposix\nsystem\n".ljust(length)))
    with pytest.raises(RunError, match="is a pickle"):
        refuse_pickle(path)


ABSURD = """
import sys, resource, json
from ganzoo.models import weights
from ganzoo.plugins.registry import construct
from ganzoo.errors import GanzooError
from ganzoo.plugins.manager import installed
registry = installed().registry
asked = json.load(sys.stdin)
for use, arguments in asked:
    registry.get("generator", use).load()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for use, arguments in asked:
    try:
        with weights.budget(4000):
            construct(registry, "generator", use, arguments)
        print("built", use, arguments)
    except GanzooError as error:
        pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_absurd_arguments_take_no_memory() -> None:
    """In a process of its own, for the most memory that one ever had never goes down."""
    asked = [
        *(["dcgan", {"size": 64, "width": 10**n}] for n in (4, 6, 9, 18)),
        ["dcgan", {"size": 64, "latent": 10**9}],
        ["dcgan", {"size": 64, "label": {"a": ["x"] * 10**5}, "latent": 10**4}],
        ["r3gan", {"size": 64, "blocks": 10**9}],
        ["r3gan", {"size": 64, "width": 10**9}],
        ["cartoongan", {"blocks": 10**9, "channels": 1}],
        ["cartoongan", {"channels": 10**6}],
        ["animegan", {"blocks": 10**9, "channels": 8}],
    ]
    command = [sys.executable, "-c", ABSURD]
    told = subprocess.run(
        command, input=json.dumps(asked), capture_output=True, text=True, timeout=100
    )
    assert told.returncode == 0, told.stderr
    assert int(told.stdout) < 400 << 10, told.stdout


def test_what_a_network_needs_is_within_its_budget() -> None:
    registry = installed().registry
    for use, arguments in (
        ("dcgan", {"size": 64}),
        ("r3gan", {"size": 64, "width": 16, "blocks": 4}),
        ("animegan", {"blocks": 40, "channels": 4}),
    ):
        with weights.budget(0):  # what there is to spare is enough
            construct(registry, "generator", use, arguments)


@pytest.mark.parametrize("make", [torch.zeros, torch.ones, torch.rand, torch.empty])
def test_a_factory_is_asked_for_its_size_first(make: Any) -> None:
    with weights.budget(100), pytest.raises(RunError, match="far larger than its file"):
        make(10**8, 10**4)
    with weights.budget(100):
        assert make(3, pin_memory=False).shape == (3,)


def test_tensors_that_are_small_and_many() -> None:
    with weights.budget(100), pytest.raises(RunError, match="far larger than its file"):
        nn.Sequential(*(nn.PReLU(1) for _ in range(10**6)))


def test_arguments_that_a_constructor_refuses() -> None:
    registry = installed().registry
    for arguments in ({"size": 64, "self": 1}, {"size": "64"}, {"size": 64, "width": -4}, {"x": 1}):
        with weights.budget(100), pytest.raises(GanzooError, match="generator 'dcgan'"):
            construct(registry, "generator", "dcgan", arguments)
