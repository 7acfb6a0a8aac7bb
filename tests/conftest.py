"""What tests share; see ``toy.py`` for the networks that they train."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """One image cache for the whole session, so that what several tests draw is drawn once.

    No test writes to the user's data folder.

    Processes of pytest-xdist inherit it.
    """
    if not hasattr(config, "workerinput"):
        cache = tempfile.mkdtemp(prefix="ganzoo-tests-")
        os.environ["GANZOO_CACHE"] = cache
        os.environ["GANZOO_DATA"] = f"{cache}/data"
        config.add_cleanup(lambda: shutil.rmtree(cache, ignore_errors=True))


@pytest.fixture(scope="session", autouse=True)
def holders() -> None:
    """Import what holds ``installed`` by name.

    Imported while a test has another in its place, it would keep that one for the tests after it.
    """
    for name in ("api", "recipe.listing", "testing.eyes", "testing.rows", "testing.subject"):
        import_module(f"ganzoo.{name}")


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Toy networks are slower on two threads than on one."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def train(tmp_path: Path, one_thread: None) -> Callable[..., Path]:
    """``train(name, **recipe_keys, observers=[...])`` trains the toy recipe; its run folder."""
    import toy

    from ganzoo.training.loop import start

    def run(name: str = "run", *, observers: Any = (), **changes: Any) -> Path:
        recipe = toy.recipe(tmp_path / "recipes", **changes)
        start(recipe, tmp_path / name, toy.plugins(*observers))
        return tmp_path / name

    return run


@pytest.fixture(scope="session")
def ganzoo_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, for an ``Environment``."""
    from environment import build_wheel

    return build_wheel(Path(__file__).parent.parent, tmp_path_factory.mktemp("wheel"))


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty cache, and no network."""

    def refuse(*_: Any, **__: Any) -> None:
        raise URLError("no network")

    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub"))
    monkeypatch.setattr("urllib.request.urlopen", refuse)
