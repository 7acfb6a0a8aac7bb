"""What MODEL names: a folder here, a model that came with ganzoo, or one on the Hub."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ganzoo.errors import HubError, RunError, nearest
from ganzoo.files import refusals
from ganzoo.hub.pull import Pulled, copy, naming, pull
from ganzoo.models.config import WEIGHTS
from ganzoo.models.folder import refuse_taken
from ganzoo.models.hub_id import Id, from_address, is_id, parse_id
from ganzoo.plugins.registry import Registry
from ganzoo.plugins.shipped import shipped_models
from ganzoo.recipe.recipe_types import Recipe
from ganzoo.text import say

if TYPE_CHECKING:
    import torch

    from ganzoo.models.model import Model

#: the default folder of runs; a mistyped one looks like an id
RUNS = "runs"


def locate(
    name: str | Path,
    registry: Registry,
    revision: str | None = None,
    token: str | None = None,
    kinds: Collection[str] = ("generator",),
) -> Pulled:
    """Find MODEL: a run or model folder, a model that came with ganzoo, or one on the Hub.

    ``kinds`` are the networks whose weights are fetched.  Raises RunError or HubError if there is
    none.
    """
    text = from_address(name) if isinstance(name, str) else str(name)
    path = Path(text)
    with refusals():
        is_here = isinstance(name, Path) or path.exists()
    if is_here or not (revision or "://" in text or is_id(text)):
        if revision:
            raise HubError(f"{path} is a folder here, and has no revision '{revision}'.")
        return Pulled(path, "")
    what = parse_id(text, revision)
    models = shipped_models()
    if what.repo in models and not text.startswith("hf://"):
        if what.revision:
            raise HubError(
                f"{what.repo} comes with ganzoo and has no revisions. hf://{what} means the Hub."
            )
        return Pulled(models[what.repo], "")
    beside = path.parent
    if not text.startswith("hf://") and (beside.is_dir() or beside.name == RUNS):
        siblings = [str(sibling) for sibling in beside.iterdir()] if beside.is_dir() else []
        raise RunError(
            f"{text} does not exist{nearest(text, [*siblings, *models])} Names in {beside}/ "
            f"mean folders; hf://{text} means the Hub."
        )
    return pull(what, registry, token, kinds)


def load(
    place: Pulled,
    registry: Registry,
    device: torch.device | None = None,
    dtype: torch.dtype | None = None,
) -> Model:
    """Load the model of a located folder with ``model.load``; errors give its name on the Hub."""
    from ganzoo.models import model

    if place.what is None:
        return model.load(place.folder.absolute(), registry, device, dtype)
    with naming(place.what, place.folder):
        return model.load(place.folder, registry, device, dtype)


def fetch(
    repo: str,
    registry: Registry,
    revision: str | None = None,
    token: str | None = None,
    out: Path | None = None,
) -> Pulled:
    """Fetch all of a model from the Hub, never from a folder here; copy it to ``out`` if given.

    A copy is loaded first, so that its next user finds it valid.  Raises HubError if the Hub does
    not deliver, the model is not valid, or a revision is asked of a model that comes with ganzoo;
    RunError if ``out`` is taken.
    """
    what = parse_id(repo, revision)
    if out:
        refuse_taken(out)
    is_ours = what.repo in shipped_models() and not from_address(repo).startswith("hf://")
    name = str(what) if is_ours else f"hf://{what}"
    place = locate(name, registry, token=token, kinds=tuple(WEIGHTS))
    if not out:
        return place
    load(place, registry)
    copy(place.folder, out)
    return replace(place, folder=out)


def with_pinned_weights(recipe: Recipe, registry: Registry) -> Recipe:
    """Pin the recipe's ``init_from`` to a folder or a commit in the cache.

    So a branch that moves changes no run.  Raises HubError if the Hub does not deliver.
    """
    if not (recipe.init_from or "").startswith("hf://"):
        return recipe
    what = parse_id(str(recipe.init_from))
    place = pull(what, registry)
    if place.note:
        say(place.note, err=True)
    return recipe.starting_from(f"hf://{Id(what.repo, place.commit)}")
