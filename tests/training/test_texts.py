"""A text is a word: another plugin's letters are trained on, asked for, and kept with the model."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
import toy
import yaml
from torch import Tensor, nn

from ganzoo import hookimpl
from ganzoo.errors import RunError
from ganzoo.interfaces import Encoder, Generator
from ganzoo.models import samples
from ganzoo.models.model import Model, load
from ganzoo.plugins.manager import Plugins
from ganzoo.recipe.recipe import load_recipe
from ganzoo.training import checkpoint
from ganzoo.training.loop import start

LETTERS = 6


class Lettered(toy.ToyDataset):
    """Toys, and their hues in letters."""

    fields = {"real": "image", "label": "label", "photo": "image", "text": "tensor"}  # noqa: RUF012
    vocabulary = tuple("abcdefghijklmnopqrstuvwxyz")

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        row = [self.vocabulary.index(letter) + 1 for letter in toy.HUES[index % 3]]
        return super().__getitem__(index) | {"text": torch.tensor(row + [0] * (LETTERS - len(row)))}


class Letters(Encoder):
    """Sums the vectors of letters, by their places.

    Args:
        vocabulary: the letters.
    """

    conditions: ClassVar[tuple[str, ...]] = ("text",)

    def __init__(self, vocabulary: list[str]):
        super().__init__()
        self.letters = vocabulary
        self.table = nn.Embedding((len(vocabulary) + 1) * LETTERS, 4)

    def read_condition(self, word: str, value: Any) -> Tensor:
        if not value:
            raise RunError("text: expected letters.")
        rows = [value] if isinstance(value, str) else value
        numbers = [[self.letters.index(letter) + 1 for letter in row] for row in rows]
        return torch.tensor([row + [0] * (LETTERS - len(row)) for row in numbers])

    def forward(self, text: Tensor) -> Tensor:
        places = torch.arange(LETTERS, device=text.device) * (len(self.letters) + 1)
        return self.table(text + places).sum(1)


class Told(toy.ToyGenerator):
    """Adds a code to the latent."""

    def __init__(self) -> None:
        super().__init__(norm=False)

    def forward(self, latent: Tensor, code: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(latent + code)


class Plugin:
    @hookimpl
    def register_datasets(self, register: Any) -> None:
        register("lettered", "test_texts:Lettered")

    @hookimpl
    def register_encoders(self, register: Any) -> None:
        register("letters", "test_texts:Letters")

    @hookimpl
    def register_generators(self, register: Any) -> None:
        register("told", "test_texts:Told")


RECIPE: Mapping[str, Any] = {
    "dataset": {"use": "lettered"},
    "generator": {"use": "told"},
    "networks": {"encoder": {"use": "letters"}},
    "players": {"generator": ["generator", "encoder"]},
    "views": {"code": {"apply": "encoder", "to": "text"}},
    # the grid of a model that must be told shows what its examples say
    "samples": {"every": 9, "count": 4},
}


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    return toy.plugins(Plugin())


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, plugins: Plugins) -> Path:
    folder = tmp_path_factory.mktemp("texts")
    (folder / "letters.yaml").write_text(yaml.safe_dump({**toy.GAN, **RECIPE}), encoding="utf-8")
    recipe = load_recipe(folder / "letters.yaml", (), plugins.registry)
    start(recipe, folder / "run", plugins)
    return folder / "run"


@pytest.fixture(scope="module")
def model(run: Path, plugins: Plugins) -> Model:
    return load(run, plugins.registry)


def test_the_folder_holds_the_vocabulary_and_what_makes_the_words(run: Path) -> None:
    config = json.loads((run / "model" / "config.json").read_text("utf-8"))
    assert config["views"] == {"code": {"apply": "encoder", "to": {"text": "text"}}}
    assert config["networks"]["encoder"]["arguments"]["vocabulary"] == list(Lettered.vocabulary)
    assert config["input"] == {"kind": "noise", "words": ["latent", "text"], "size": None}
    assert {"model.safetensors", "encoder.safetensors"} <= {
        p.name for p in (run / "model").iterdir()
    }


def test_views_in_a_circle_are_refused(run: Path, plugins: Plugins, tmp_path: Path) -> None:
    shutil.copytree(run / "model", tmp_path / "model")
    path = tmp_path / "model" / "config.json"
    config = json.loads(path.read_text("utf-8"))
    config["views"]["code"]["to"] = {"text": "code"}
    path.write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(RunError, match="circle"):
        load(tmp_path / "model", plugins.registry)


def test_a_text_decides_the_picture_as_in_training(run: Path, model: Model) -> None:
    latents = model.latents(1).expand(2, -1)
    red, blue = model.sample(text=["red", "blue"], latents=latents, as_tensor=True)
    assert not torch.allclose(red, blue)
    tensors = checkpoint.read(max((run / "checkpoints").iterdir()))[0]
    encoder, generator = Letters(list(Lettered.vocabulary)), Told()
    encoder.load_state_dict(tensors["ema-encoder"])
    generator.load_state_dict(tensors["ema"])
    with torch.no_grad():
        code = encoder(encoder.read_condition("text", "blue"))
        expected = generator.eval()(model.latents(1), code)[0]
    assert torch.allclose(blue, expected, atol=1e-6)


def test_n_defaults_to_the_number_of_texts_which_take_turns(model: Model) -> None:
    assert len(model.sample(text=["red", "green"])) == 2
    four = model.sample(4, text=["red", "green"], as_tensor=True)
    latents = model.latents(4)
    green = model.sample(text="green", latents=latents, as_tensor=True)
    assert torch.equal(four[1::2], green[1::2])


def test_a_model_that_must_be_told_says_so(model: Model) -> None:
    with pytest.raises(RunError, match="text"):
        model.sample()
    assert samples.needed(model.generator) == ["text"]


def test_an_average_catches_up_with_a_network_that_learns_no_more(
    tmp_path: Path, plugins: Plugins
) -> None:
    stages = [
        {"name": "read", "steps": 3, "encoder": [{"use": "bright"}]},
        {"name": "draw", "steps": 150, "generator": [{"use": "bright"}]},
    ]
    changes = {**toy.GAN, **RECIPE, "players": {}, "stages": stages, "checkpoint": {"every": 153}}
    del changes["discriminator"]
    (tmp_path / "letters.yaml").write_text(yaml.safe_dump(changes), encoding="utf-8")
    recipe = load_recipe(tmp_path / "letters.yaml", (), plugins.registry)
    run = start(recipe, tmp_path / "run", plugins)
    average, network = run.finished("encoder"), run.parts.networks["encoder"].bare
    for one, other in zip(average.parameters(), network.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def test_a_photo_model_is_not_asked_for_texts(plugins: Plugins) -> None:
    generator = toy.ToyGenerator()
    assert isinstance(generator, Generator)
    with pytest.raises(RunError, match="text"):
        samples.read_conditions(generator, {"text": "red"})
