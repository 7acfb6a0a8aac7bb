"""Publish the page for one model as a Space of the Hub, and run it there.

A Space holds ``app.py``, ``requirements.txt`` with pins, a card, and the model's folder, which was
checked as ``ganzoo push`` checks it.  It needs nothing else from the Hub.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import yaml

from ganzoo import __version__
from ganzoo.errors import HubError
from ganzoo.hub.client import client, telling
from ganzoo.hub.locate import locate
from ganzoo.hub.push_types import Before, Options
from ganzoo.models import config as configs
from ganzoo.models.config import Config
from ganzoo.models.folder import CARD, CONFIG, refuse_taken
from ganzoo.models.hub_id import Id, parse_id
from ganzoo.play import server
from ganzoo.play.downloads import Downloads
from ganzoo.play.server import Access
from ganzoo.play.shelf import Shelf
from ganzoo.plugins.registry import Registry

#: the Python of the Space
PYTHON = "3.12"
_APP = '''"""The page of ganzoo for one model: see https://huggingface.co/docs/hub/spaces."""

from ganzoo.play.space import serve

serve({name!r})
'''
_MODEL = "model"


@dataclass(frozen=True)
class SpacePlan:
    """A Space: its files with their sizes, its card, and why it would be refused."""

    what: Id
    files: Mapping[str, int]
    card: str
    problems: tuple[str, ...]


def plan(
    source: str | Path,
    space: str,
    registry: Registry,
    options: Options,
    token: str | None = None,
    out: Path | None = None,
) -> SpacePlan:
    """Plan a Space without sending anything; write it to ``out`` if it has no problems.

    Raises RunError if there is no model, or ``out`` is taken.
    """
    if out:
        refuse_taken(out, "the Space")
    with _assembled(source, space, registry, options, token) as (folder, draft):
        if out and not draft.problems:
            shutil.copytree(folder, out, dirs_exist_ok=True)
        return draft


def push(
    source: str | Path,
    space: str,
    registry: Registry,
    options: Options,
    token: str | None = None,
) -> tuple[str, SpacePlan]:
    """Publish a Space; return its address.

    Raises RunError with all the model's problems, HubError if the Hub refuses.
    """
    from ganzoo.hub.staging import Problems

    api = client(token)
    what = parse_id(space)
    with telling(api, what):
        api.whoami()
    with _assembled(source, space, registry, options, token) as (folder, draft):
        Problems(draft.problems).raise_any(what)
        with telling(api, what):
            api.create_repo(
                what.repo,
                repo_type="space",
                space_sdk="gradio",
                private=options.private,
                exist_ok=True,
            )
            api.upload_folder(
                repo_id=what.repo,
                repo_type="space",
                folder_path=folder,
                commit_message=options.message or f"Push with ganzoo {__version__}",
                delete_patterns=f"{_MODEL}/**",
            )
    return f"{api.endpoint}/spaces/{what.repo}", draft


@contextmanager
def _assembled(
    source: str | Path, space: str, registry: Registry, options: Options, token: str | None
) -> Iterator[tuple[Path, SpacePlan]]:
    """Yield the Space's folder, in a temporary place, and its plan."""
    what = parse_id(space)
    if what.revision:
        raise HubError(f"{what}: a Space has no revision to choose. Write {what.repo}.")
    place = locate(source, registry, token=token)
    from ganzoo.hub.staging import package  # imports torch, so other mistakes come first

    with (
        package(place.folder, what, registry, options, Before()) as (bundle, problems),
        tempfile.TemporaryDirectory(prefix="ganzoo-space-") as parent,
    ):
        folder = Path(parent, "space")
        card = ""
        if (bundle / CONFIG).is_file():
            shutil.copytree(bundle, folder / _MODEL)
            config = configs.read(bundle / CONFIG)
            name = str(place.what or what)
            card = _card(what, config, name if place.what else "")
            (folder / "app.py").write_text(_APP.format(name=name), encoding="utf-8")
            (folder / "requirements.txt").write_text(_requirements(config), encoding="utf-8")
            (folder / CARD).write_text(card, encoding="utf-8")
        files = {
            path.relative_to(folder).as_posix(): path.stat().st_size
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        yield folder, SpacePlan(what, files, card, tuple(problems))


def _requirements(config: Config) -> str:
    """Pin what the page and the model need to the versions here."""
    own = {"ganzoo": __version__} | dict(config.plugins)
    pins = [f"ganzoo[play]=={own.pop('ganzoo')}"]
    pins += [f"{name}=={wanted}" for name, wanted in own.items()]
    pins += [f"{name}=={_installed(name)}" for name in ("torch", "numpy", "pillow", "safetensors")]
    return "\n".join(pins) + "\n"


def _installed(name: str) -> str:
    return version(name).partition("+")[0]  # torch 2.9.0+cpu is 2.9.0 elsewhere


def _card(what: Id, config: Config, model: str) -> str:
    """Write the Space's card: its settings for the Hub, and what it is."""
    try:
        sdk = version("gradio")
    except PackageNotFoundError:
        raise HubError("a Space needs Gradio to be pinned: pip install 'ganzoo[play]'") from None
    title = (model or what.repo).rpartition("/")[2]
    draws = config.input.kind == "noise"
    settings = {
        "title": title,
        "emoji": "🎨",
        "colorFrom": "blue",
        "colorTo": "pink",
        "sdk": "gradio",
        "sdk_version": sdk,
        "python_version": PYTHON,
        "app_file": "app.py",
        "license": _licence(config),
        "tags": ["ganzoo"],
        **({"models": [model.partition("@")[0]]} if model else {}),
    }
    does = "draws pictures from noise" if draws else "turns photos into pictures"
    return "\n".join(
        [
            "---",
            yaml.safe_dump(settings, sort_keys=False, allow_unicode=True).strip(),
            "---",
            "",
            f"# {title}",
            "",
            f"A model that {does}, on the page of `ganzoo play`. The folder `{_MODEL}` has the "
            "model, its card and its licences. What you give it stays in this Space's memory and "
            "is forgotten.",
            "",
        ]
    )


def _licence(config: Config) -> str:
    """Return the licence of the weights as the Hub knows it: an identifier in small letters."""
    licence = config.licences.weights or "other"
    return licence.lower() if "://" not in licence else "other"


def serve(name: str, folder: Path = Path(_MODEL)) -> None:
    """Run the Space: the page for the model in ``folder``, called ``name``, for everybody.

    It answers at the address and port that the Hub sets.
    """
    from ganzoo.plugins.manager import installed

    registry, downloads = installed().registry, Downloads()
    shelf = Shelf(registry, only={name: folder})
    host = os.environ.get("GRADIO_SERVER_NAME", "0.0.0.0")
    port = int(os.environ.get("GRADIO_SERVER_PORT", "7860"))
    with server.bind(host, port) as listener, server.quiet_gradio() as files:
        from ganzoo.play.page import build_one

        blocks = build_one(registry, shelf, downloads, name)
        app = server.application(blocks, downloads, Access(embedded=True), files)
        server.engine(app).run([listener])
