"""Mistakes that are told before they cost anything, in one sentence, with nothing written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import toy
import yaml

from ganzoo import hookimpl
from ganzoo.errors import CheckpointError, RecipeError, RunError
from ganzoo.models import model
from ganzoo.plugins.registry import Origin
from ganzoo.recipe.recipe import load_recipe
from ganzoo.training import checkpoint
from ganzoo.training.loop import resume, start
from ganzoo.training.manifest import Manifest
from ganzoo.training.run_folder import RunFolder

Train = Callable[..., Path]


@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_networks_that_do_not_fit(train: Train, tmp_path: Path, player: str):
    with pytest.raises(RecipeError, match="networks do not fit"):
        train(**{player: {"use": "toy", "size": 16}})
    assert not (tmp_path / "run").exists()


def test_a_generator_of_another_size_than_the_images(train: Train, tmp_path: Path):
    both = {"use": "toy", "size": 16}
    with pytest.raises(RecipeError, match=r"16 x 16 images.*8 x 8"):
        train(generator=both, discriminator=both)
    assert not (tmp_path / "run").exists()


def test_a_size_that_the_networks_cannot_have_is_told_without_data():
    with pytest.raises(RecipeError) as refused:
        load_recipe("dcgan-avatars", ["dataset.size=48"])
    assert [line.partition(":")[0] for line in refused.value.problems] == [
        "--set dataset.size=48 dataset.size"
    ] * 2
    assert "32, 64, 128, not 48" in str(refused.value)


def test_a_folder_that_another_run_took_meanwhile(tmp_path: Path):
    folder = RunFolder(tmp_path / "run")
    folder.refuse_taken()
    folder.create("first", Manifest())
    with pytest.raises(RunError, match="cannot write a run"):
        folder.create("second", Manifest())
    assert folder.recipe.read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_another_stage_is_a_changed_recipe(train: Train):
    run = train()
    recipe = yaml.safe_load((run / "recipe.yaml").read_text())
    recipe["stages"].append({**recipe["stages"][0], "name": "more"})
    (run / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    with pytest.raises(CheckpointError, match=r"stages\[1\]\.name"):
        resume(run, [], toy.plugins())


class HalfFrozen(toy.ToyDiscriminator):
    """A discriminator on frozen features, as projected GANs have."""

    def __init__(self) -> None:
        super().__init__()
        self.inner.requires_grad_(False)


def test_what_a_plugin_froze_stays_frozen(tmp_path: Path, one_thread: None):
    class Plugin:
        @hookimpl
        def register_discriminators(self, register: Any) -> None:
            register("half-frozen", HalfFrozen)

    plugins = toy.plugins()
    plugins.add(Plugin, Origin("half", "half-dist", "1"))
    file = tmp_path / "frozen.yaml"
    changed = toy.GAN | {"discriminator": {"use": "half-frozen"}, "checkpoint": {"every": 1}}
    file.write_text(yaml.safe_dump(changed))
    start(load_recipe(file, (), plugins.registry), tmp_path / "run", plugins)
    saved = checkpoint.steps(tmp_path / "run" / "checkpoints")
    first, last = (checkpoint.read(saved[step])[0]["discriminator"] for step in (7, 9))
    assert torch.equal(first["inner.weight"], last["inner.weight"])
    assert not torch.equal(first["outer.weight"], last["outer.weight"])


def test_a_published_recipe_names_no_path_of_this_machine(train: Train, tmp_path: Path):
    run = train()
    other = train("other", init_from=str(run))
    assert str(tmp_path) in (other / "recipe.yaml").read_text()
    published = (other / "model" / "recipe.yaml").read_text()
    assert str(tmp_path) not in published
    assert yaml.safe_load(published)["init_from"] == "run"


def test_weights_that_do_not_fit_are_told_in_one_line(train: Train):
    run = train()
    with pytest.raises(RunError, match=r"not fit this \w+; misfits: \d+") as no:
        train("other", init_from=str(run), dataset={"use": "toy", "size": 4})
    assert len(str(no.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"use": 3}, "generator.use: expected the name"),
        ({"arguments": []}, "generator.arguments: expected a mapping"),
        ({"distribution": "evil --index-url http://x"}, "expected the name of a distribution"),
        ({"arguments": {"wide": 3}}, "cannot be built here"),
        ({"use": "nobody"}, "toy-dist 1.0. That is installed, and has none"),
        ({"use": "nobody", "version": "2"}, "pip install 'toy-dist==2'"),
    ],
)
def test_a_model_config_that_says_something_else(
    train: Train, change: dict[str, Any], message: str
):
    config = train() / "model" / "config.json"
    said = json.loads(config.read_text())
    said["generator"] |= change
    config.write_text(json.dumps(said))
    with pytest.raises(RunError, match=message) as refused:
        model.load(config.parent, toy.plugins().registry)
    assert ("pip install" in str(refused.value)) == (change.get("version") == "2")
