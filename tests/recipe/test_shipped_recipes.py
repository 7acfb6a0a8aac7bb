"""Every shipped recipe trains: each stage takes a step, with small networks on small images."""

from __future__ import annotations

import json
import math
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from torch import Tensor
from torch.nn.functional import avg_pool2d

from ganzoo import hookimpl
from ganzoo.errors import DataError
from ganzoo.interfaces import Extractor
from ganzoo.plugins.manager import Plugins
from ganzoo.plugins.registry import Origin
from ganzoo.recipe.recipe import load_recipe, shipped_recipes
from ganzoo.training.loop import start
from ganzoo.training.rehearsal import rehearse

#: what is made small, wherever a component has it
SMALL = {"size": 32, "crop": 16, "count": 6, "channels": 4, "width": 4, "blocks": 1, "max_bad": 1.0}


class Eye(Extractor):
    """Gives what any extractor gives, landmarks included, and needs no weights."""

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        shares = avg_pool2d(image, 4).mean(1).flatten(1).softmax(1)
        places = torch.linspace(-1, 1, 68 * 2 * shares.shape[1]).reshape(68, -1, 2).sin()
        points = torch.einsum("ns,ksd->nkd", shares, places)
        return {"map": avg_pool2d(image, 8), "points": points, "confidence": torch.ones(len(image))}


class Maps(Extractor):
    """Only a map."""

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        return {"map": avg_pool2d(image, 8)}


class Substitutes:
    @hookimpl
    def register_extractors(self, register: Any) -> None:
        register("eye", Eye)
        register("maps", Maps)


@pytest.fixture
def plugins() -> Plugins:
    made = Plugins()
    made.load_entry_points()
    made.add(Substitutes, Origin("substitutes", "tests", "1"))
    return made


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two folders of noise, which no one takes for drawings or photos."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for name in ("photos", "drawings"):
        (folder / name).mkdir()
        for i in range(4):
            pixels = rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}.png")
    return folder


def shrunk(recipe: dict[str, Any], pictures: Path) -> dict[str, Any]:
    """The same recipe with small networks, few images and a step for each stage."""
    networks = [recipe["generator"], recipe["discriminator"], *recipe.get("networks", {}).values()]
    for part in (recipe["dataset"], *networks):
        part |= {key: value for key, value in SMALL.items() if key in part}
    for argument, folder in (("path", "photos"), ("photo", "photos"), ("real", "drawings")):
        if argument in recipe["dataset"]:
            recipe["dataset"][argument] = str(pictures / folder)
    if recipe["dataset"]["use"] == "paired":
        recipe["dataset"]["target"] = str(pictures / "drawings")
    for name in recipe["extractors"]:
        recipe["extractors"][name] = {"use": "eye" if name == "face" else "maps"}
    for stage in recipe["stages"]:
        stage["steps"] = 1
    return recipe | {"batch": 2, "precision": "fp32", "samples": {"every": 9, "count": 2}}


@pytest.mark.usefixtures("one_thread")
def test_an_extractor_without_landmarks_is_refused_before_the_first_stage(
    plugins: Plugins, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GANZOO_CACHE", str(pictures / "cache"))
    recipe = load_recipe("cartoongan-portrait", registry=plugins.registry).resolved()
    small = shrunk(recipe, pictures)
    small["extractors"]["face"] = {"use": "maps"}
    file = tmp_path / "small.yaml"
    file.write_text(yaml.safe_dump(small), encoding="utf-8")
    with pytest.raises(DataError, match=r"'coords' needs confidence, points, .* extractor"):
        start(load_recipe(file, registry=plugins.registry), tmp_path / "run", plugins)
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("name", sorted(shipped_recipes()))
def test_a_shipped_recipe_takes_a_step_of_each_stage(
    name: str, plugins: Plugins, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GANZOO_CACHE", str(pictures / "cache"))
    whole = load_recipe(name, registry=plugins.registry)
    file = tmp_path / "small.yaml"
    file.write_text(yaml.safe_dump(shrunk(whole.resolved(), pictures)), encoding="utf-8")
    run = start(load_recipe(file, registry=plugins.registry), tmp_path / "run", plugins)
    rows = [json.loads(line) for line in (run.path / "metrics.jsonl").open()]
    assert [row["stage"] for row in rows] == [stage.name for stage in whole.stages]
    for row, stage in zip(rows, whole.stages, strict=True):
        shares = [key for key in row if key.startswith("share/")]
        makers = [player for player in stage.terms if whole.method(player) == "generator"]
        assert len(shares) == sum(len(stage.terms[player]) for player in makers)
        assert all(math.isfinite(value) for value in row.values() if isinstance(value, float))
    assert (run.folder.model / "model.safetensors").is_file()


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("name", ["cartoongan-portrait", "dcgan-avatars"])
def test_a_dry_run_estimates_and_leaves_nothing_but_a_picture(
    name: str, plugins: Plugins, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GANZOO_CACHE", str(pictures / "cache"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(pictures / "inductor"))  # torch makes it
    monkeypatch.setattr(tempfile, "tempdir", None)
    file = tmp_path / "small.yaml"
    small = shrunk(load_recipe(name, registry=plugins.registry).resolved(), pictures)
    for stage in small["stages"]:
        stage["steps"] = 1000
    small["log"] = {"every": 1, "trackers": ["tensorboard"]}
    file.write_text(yaml.safe_dump(small), encoding="utf-8")
    recipe = load_recipe(file, registry=plugins.registry)
    tried = rehearse(recipe, plugins, tmp_path / "batch.png")
    assert [(name, steps) for name, steps, _ in tried.stages] == [
        (stage.name, 1000) for stage in recipe.stages
    ]
    assert all(0 < seconds < tried.seconds / 999 for _, _, seconds in tried.stages)
    assert tried.parameters.keys() == recipe.networks.keys()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["batch.png", "small.yaml"]
    words = 3 if "photo" in recipe.dataset.arguments else 1  # photo, real and smooth
    grid = Image.open(tmp_path / "batch.png")
    assert (grid.width - 2) * (grid.height - 2) // 34**2 in range(2 * words, 4 * words)
