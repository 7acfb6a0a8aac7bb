"""The front door of the package: ``load``, ``train``, ``push`` and ``search``.

``ganzoo.load`` and the others are these; they are imported when they are first used, so that
``import ganzoo`` takes no time.
"""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import yaml

from ganzoo import catalogue, model, publish, pull
from ganzoo.catalogue import Listed
from ganzoo.errors import RunError
from ganzoo.folder import RunFolder, free_folder
from ganzoo.hub import parse_id
from ganzoo.leaderboard import entries_folder
from ganzoo.model import Model
from ganzoo.plugins import installed
from ganzoo.publish import Options, Plan, Pushed
from ganzoo.recipe import load_recipe
from ganzoo.report import write_report

DTYPES = (torch.float32, torch.bfloat16)


def load(
    name: str | Path,
    revision: str | None = None,
    *,
    device: torch.device | str | None = None,
    dtype: torch.dtype = torch.float32,
    token: str | None = None,
) -> Model:
    """A model that is ready to use: a run or model folder, or ``user/repo`` from the Hub.

    >>> model = ganzoo.load("ganzoo/avatars-64")          # comes with ganzoo, no download
    >>> model.sample(4, seed=0, label={"hair": "pink"})   # four PIL images
    >>> model = ganzoo.load("user/cartoons", revision="v1")
    >>> model.translate(PIL.Image.open("photo.jpg"))      # a PIL image of the same size

    A model from the Hub is fetched once and then kept in huggingface_hub's cache; ``revision`` is a
    branch, a tag or a commit, and with a commit the Hub is not asked again.  What is fetched is
    checked first, and none of it is ever run.  ``device`` is the accelerator if there is one, else
    the CPU; ``dtype`` is torch.float32 or torch.bfloat16.  Raises GanzooError, whose text says what
    to do.
    """
    if dtype not in DTYPES:
        raise RunError(f"dtype {dtype}: a model computes in torch.float32 or torch.bfloat16.")
    registry = installed().registry
    found = pull.locate(name, registry, revision, token)
    if found.note:
        warnings.warn(found.note, stacklevel=2)
    try:
        where = model.device() if device is None else torch.device(device)
    except RuntimeError as error:
        raise RunError(f"device {device!r}: {str(error).splitlines()[0]}") from error
    return model.load(found.folder, registry, where, dtype)


def train(
    recipe: str | Path | Mapping[str, Any],
    *,
    out: str | Path | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Model:
    """Train a recipe, given by path, by the name of a shipped one, or as a mapping; the model.

    >>> model = ganzoo.train("dcgan-avatars", overrides={"stages.0.steps": 500})
    >>> model.sample(64)

    ``out`` is the run folder, by default ``runs/RECIPE``; ``model.path`` is the model in it.
    ``overrides`` are what ``--set`` gives to `ganzoo train`.  Raises RecipeError with every mistake
    of the recipe, and TrainingStopped where training cannot go on; the run is kept.
    """
    from ganzoo.training import start

    plugins = installed()
    given = [f"{key}={json.dumps(value)}" for key, value in (overrides or {}).items()]
    with _as_file(recipe) as path:
        loaded = load_recipe(path, given, plugins.registry)
    folder = Path(out) if out else free_folder(loaded.name)
    try:
        run = start(loaded, folder, plugins)
    finally:
        if RunFolder(folder).recipe.is_file():
            write_report(RunFolder.open(folder))
    return model.load(run.folder.model, plugins.registry, model.device())


@contextmanager
def _as_file(recipe: str | Path | Mapping[str, Any]) -> Iterator[str | Path]:
    """A recipe as ``load_recipe`` wants it, so that a mapping is checked like a file."""
    if isinstance(recipe, (str, Path)):
        yield recipe
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"{recipe.get('recipe', 'recipe')}.yaml")
        path.write_text(yaml.safe_dump(dict(recipe), sort_keys=False), encoding="utf-8")
        yield path


def push(
    source: str | Path | Model,
    repo: str,
    *,
    licence: str | None = None,
    data_licence: str | None = None,
    private: bool = False,
    tag: str | None = None,
    message: str | None = None,
    token: str | None = None,
    dry_run: bool = False,
) -> Pushed | Plan:
    """Publish a run, a model folder or a loaded model as ``user/repo`` (or ``user/repo@branch``).

    >>> ganzoo.push("runs/dcgan-avatars", "me/avatars", licence="cc-by-4.0", dry_run=True)

    ``licence`` is that of the weights, ``data_licence`` that of the training images where the
    dataset does not say.  Scores of these weights are taken from ``benchmarks/entries``.  Raises
    RunError with everything that is wrong before anything is sent, HubError where the Hub refuses.
    """
    options = Options(
        licence=licence,
        data_licence=data_licence,
        entries=entries_folder(),
        private=private,
        tag=tag,
        message=message,
    )
    folder = source.path if isinstance(source, Model) else Path(source)
    act = publish.plan if dry_run else publish.push
    return act(folder, parse_id(repo), installed().registry, options, token)


def search(
    text: str | None = None, *, author: str | None = None, limit: int = 50, token: str | None = None
) -> Sequence[Listed]:
    """The Hub's models with the tag ``ganzoo``, the most downloaded first, with their scores.

    >>> for found in ganzoo.search("avatars"):
    ...     print(found.id, found.downloads, [entry.primary for entry in found.entries])

    Raises HubError where the Hub does not answer.
    """
    return catalogue.search(text, author, limit, token)
