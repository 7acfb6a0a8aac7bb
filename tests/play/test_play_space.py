"""A Space is the page for one model: published to a local Hub, and run as a Space is."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
import yaml
from hub_server import HubServer, hermetic

from ganzoo.errors import GanzooError
from ganzoo.hub.push_types import Options
from ganzoo.play import server, space
from ganzoo.play.shelf import Shelf
from ganzoo.plugins.manager import installed

REGISTRY = installed().registry
BOXED = "ganzoo/avatars-64"


def test_a_space_is_published_and_runs(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    with HubServer() as hub:
        hermetic(monkeypatch, tmp_path_factory.mktemp("hub"), hub.url)
        token = hub.token("ann")
        address, made = space.push(BOXED, "ann/page", REGISTRY, Options(), token)
        assert address == f"{hub.url}/spaces/ann/page"
        files = hub.files("ann/page", "main")
    assert {"app.py", "requirements.txt", "README.md", "model/config.json"} <= set(files)
    assert set(made.files) <= set(files)
    settings = yaml.safe_load(files["README.md"].decode().split("---")[1])
    assert (settings["sdk"], settings["app_file"]) == ("gradio", "app.py")
    assert settings["license"]
    pins = files["requirements.txt"].decode().split()
    assert any(pin.startswith("ganzoo[play]==") for pin in pins)
    assert all("==" in pin and "+" not in pin for pin in pins)
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    with server.bind("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    running = subprocess.Popen(
        [sys.executable, "app.py"],
        cwd=tmp_path,
        env={
            **os.environ,
            "GRADIO_SERVER_NAME": "127.0.0.1",
            "GRADIO_SERVER_PORT": str(port),
            "HF_ENDPOINT": "http://127.0.0.1:9",
        },
    )
    try:
        text = ""
        while running.poll() is None and not text:
            try:
                with urllib.request.urlopen(
                    f"http://127.0.0.1:{port}/config", timeout=20
                ) as answer:
                    text = answer.read().decode()
            except OSError:
                continue
        assert "New pictures" in text
        assert "Start the training" not in text
    finally:
        running.terminate()
        running.wait()


def test_a_dry_run_writes_what_would_go(tmp_path: Path) -> None:
    made = space.plan(BOXED, "ann/page", REGISTRY, Options(), out=tmp_path / "space")
    assert made.problems == ()
    written = {
        p.relative_to(tmp_path / "space").as_posix() for p in (tmp_path / "space").rglob("*")
    }
    assert set(made.files) <= written


@pytest.mark.parametrize("name", ["page", "ann/page@main", "../x", ""])
def test_a_wrong_name_is_refused(name: str) -> None:
    with pytest.raises(GanzooError):
        space.plan(BOXED, name, REGISTRY, Options())


def test_visitors_of_a_space_have_its_model_alone() -> None:
    from ganzoo.plugins.shipped import shipped_models

    shelf = Shelf(REGISTRY, only={"mine": shipped_models()[BOXED]})
    assert list(shelf.offers()) == ["mine"]
    for name in (BOXED, "ann/other", "hf://ann/other", "."):
        with pytest.raises(GanzooError, match="not offered"):
            shelf.offer(name)
