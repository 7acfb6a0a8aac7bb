"""Files of latents and their labels."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import toy
from safetensors.torch import save_file

from ganzoo.errors import DataError, RunError
from ganzoo.models import latent_files


@pytest.fixture
def generator() -> toy.ToyGenerator:
    return toy.ToyGenerator(label={"hue": toy.HUES, "side": ["left", "right"]})


def test_latents_come_back_with_their_labels(tmp_path: Path, generator: toy.ToyGenerator) -> None:
    file = tmp_path / "faces.safetensors"
    latents = {"b.png": torch.full((4,), 2.0), "a.png": torch.full((4,), 1.0)}
    latent_files.write(file, latents, {"a.png": {"hue": "blue", "side": "right"}})
    back = latent_files.read(file, generator)
    assert back.values[:, 0].tolist() == [1.0, 2.0]  # in the order of names
    inputs = back.inputs(generator, 0, {"side": "left"})
    assert inputs["label"][0].tolist() == [2, 0]
    assert inputs["label"].shape == (2, 2)
    with pytest.raises(RunError, match="'mauve' is no hue"):
        back.inputs(generator, 0, {"hue": "mauve"})


def test_a_generator_without_labels_takes_latents_without(tmp_path: Path) -> None:
    file = tmp_path / "faces.safetensors"
    latent_files.write(file, {"a": torch.ones(4)}, {})
    plain = toy.ToyGenerator()
    assert list(latent_files.read(file, plain).inputs(plain, 0, {})) == ["latent"]


@pytest.mark.parametrize(
    ("tensors", "metadata", "noun"),
    [
        ({"a": torch.ones(5)}, {}, r"\(5,\)"),
        ({"a": torch.ones(4, dtype=torch.int64)}, {}, "int64"),
        ({"a": torch.full((4,), float("nan"))}, {}, "NaN"),
        ({}, {}, "no latents"),
        ({"a": torch.ones(4)}, {"labels": "["}, "labels"),
        ({"a": torch.ones(4)}, {"labels": json.dumps({"a": {"hue": 3}})}, "a.hue"),
    ],
)
def test_files_that_do_not_fit(
    tmp_path: Path,
    generator: toy.ToyGenerator,
    tensors: dict[str, torch.Tensor],
    metadata: dict[str, str],
    noun: str,
) -> None:
    file = tmp_path / "odd.safetensors"
    save_file(tensors, file, {"format": "pt", **metadata})
    with pytest.raises(DataError, match=noun):
        latent_files.read(file, generator)


def test_files_that_are_something_else(tmp_path: Path, generator: toy.ToyGenerator) -> None:
    torch.save({"a": torch.ones(4)}, tmp_path / "pickle.pt")
    (tmp_path / "text.safetensors").write_text("hello")
    with pytest.raises(RunError, match="pickle"):
        latent_files.read(tmp_path / "pickle.pt", generator)
    with pytest.raises(DataError, match="no file of latents"):
        latent_files.read(tmp_path / "text.safetensors", generator)
    with pytest.raises(DataError, match="there is no"):
        latent_files.read(tmp_path / "absent", generator)
