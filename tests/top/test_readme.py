"""What the README says is what happens: its recipe, its error, its plugin, its commands."""

from __future__ import annotations

import re
import shlex
import sys
import types
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from typer.main import get_command

from ganzoo.cli import command_line
from ganzoo.errors import RecipeError
from ganzoo.plugins.manager import Plugins, installed
from ganzoo.plugins.registry import Origin
from ganzoo.recipe.recipe import load_recipe, shipped_recipes

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str, text: str = README) -> list[str]:
    fences = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [block for name, block in fences if name == language]


def test_it_is_short_and_begins_with_pictures() -> None:
    lines = README.splitlines()
    assert len(lines) <= 120
    assert lines[2].startswith("![")


COMMANDS = [
    line.partition(" #")[0].strip().removeprefix(".venv/bin/")
    for block in blocks("")
    for line in block.splitlines()
    if line.startswith(("ganzoo ", ".venv/bin/ganzoo "))
]


def test_the_recipe_is_right(tmp_path: Path) -> None:
    file = tmp_path / "my-gan.yaml"
    file.write_text(blocks("yaml")[0])
    assert load_recipe(file).name == "my-gan"


def test_the_error_is_as_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (shown,) = re.findall(r"^my-gan\.yaml:.*$", README, re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my-gan.yaml").write_text(blocks("yaml")[0].replace("weight:", "wieght:"))
    with pytest.raises(RecipeError) as caught:
        load_recipe("my-gan.yaml")
    assert str(caught.value) == shown


def test_the_plugin_works(monkeypatch: pytest.MonkeyPatch) -> None:
    package, module = (types.ModuleType(name) for name in ("ganzoo_acme", "ganzoo_acme.warm"))
    rules = (ROOT / "docs" / "writing-plugins.md").read_text(encoding="utf-8")
    register, loss, *_ = blocks("python", rules)
    exec(register, package.__dict__)
    exec(loss, module.__dict__)
    monkeypatch.setitem(sys.modules, "ganzoo_acme", package)
    monkeypatch.setitem(sys.modules, "ganzoo_acme.warm", module)
    plugins = Plugins()
    plugin = plugins.add(lambda: package, Origin("acme", "ganzoo-acme", "1"))
    assert plugin.error is None
    fake, real = torch.zeros(2, 3, 4, 4), torch.ones(2, 3, 4, 4)
    assert plugins.registry.get("loss", "warm").load()().generator(fake, real).item() == 1


def test_the_trained_model_is_used_as_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_thread: None
) -> None:
    monkeypatch.chdir(tmp_path)
    left: dict[str, Any] = {}
    exec(blocks("python")[0], left)
    assert Image.open("face.png").size == (64, 64)
    assert len(left["faces"]) == 4


def test_there_are_commands() -> None:
    assert len(COMMANDS) > 8


@pytest.mark.parametrize("line", COMMANDS)
def test_the_command_exists_with_its_options(line: str) -> None:
    _, *words = shlex.split(line.partition(">")[0])
    command = get_command(command_line(installed()))
    while hasattr(command, "commands") and words:
        command = command.commands[words.pop(0)]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("-")} <= known


def test_every_shipped_recipe_is_recommended_to_somebody() -> None:
    advice = (ROOT / "docs" / "which-recipe.md").read_text(encoding="utf-8")
    for name in shipped_recipes():
        assert f"`{name}`" in advice
