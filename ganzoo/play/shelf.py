"""The models that the page offers.  Each is loaded once, and again only if its weights change."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ganzoo.errors import GanzooError, RunError, nearest, one_of
from ganzoo.hub import locate as places
from ganzoo.hub.pull import Pulled
from ganzoo.models import config as configs
from ganzoo.models.config import Config
from ganzoo.models.folder import CONFIG, RECIPE, find
from ganzoo.models.hub_id import is_id
from ganzoo.plugins.registry import Registry
from ganzoo.plugins.shipped import shipped_models

if TYPE_CHECKING:
    from ganzoo.models.model import Model

#: what the page can give a model that draws from noise; texts have labels in their place
_WORDS = {"latent", "label", "layout"}
#: models in memory at once, and folders that are looked at
_LOADED, _FOLDERS = 6, 2000


@dataclass(frozen=True)
class Offer:
    """A model that can be chosen: its name, its folder, and what it is."""

    name: str
    folder: Path
    config: Config

    @property
    def draws_from_noise(self) -> bool:
        return self.config.input.kind == "noise"


@dataclass
class Loaded:
    """A model in memory.  Hold ``lock`` while using it: two users share one generator."""

    model: Model
    lock: threading.Lock = field(default_factory=threading.Lock)


class Shelf:
    """Models by name: those in the box, those in the current folder, those named, and the Hub's.

    ``names`` are offered first; anything that ``ganzoo.load`` takes.  A name from the page is one
    of those, or ``user/repo`` on the Hub: never a path.  With ``only``, folders by name, there is
    nothing else.  Raises RunError if one of ``names`` holds no model.
    """

    def __init__(
        self,
        registry: Registry,
        names: Sequence[str] = (),
        root: Path = Path(),
        only: Mapping[str, Path] | None = None,
    ):
        self._registry, self._root = registry, root
        #: whether there is nothing else to choose
        self.is_closed = only is not None
        places_of = {name: places.locate(name, registry) for name in names}
        places_of |= {name: Pulled(folder, "") for name, folder in (only or {}).items()}
        self._named = {name: self._offer(name, place) for name, place in places_of.items()}
        self._known: dict[str, Offer] = {}
        self._pulled: dict[str, Offer] = {}  # of the Hub, which is asked once
        self._loaded: OrderedDict[tuple[str, float], Loaded] = OrderedDict()
        self._lock = threading.Lock()

    def offers(self) -> dict[str, Offer]:
        """List what can be chosen now, by name."""
        offers = dict(self._named)
        if self.is_closed:
            return offers
        for name, folder in [*shipped_models().items(), *_folders(self._root)]:
            with suppress(GanzooError):
                offer = self._offer(name, Pulled(folder, ""))
                told = {*offer.config.input.words} - ({"text"} if offer.config.labels else set())
                if not offer.draws_from_noise or told <= _WORDS:
                    offers.setdefault(name, offer)
        self._known = offers
        return offers

    def offer(self, name: str) -> Offer:
        """Find a model by its name, on the Hub too; raises GanzooError if there is none."""
        # looking through all folders takes longer than drawing
        known = self._known.get(name) or self._pulled.get(name)
        if known and (known.folder / CONFIG).is_file():
            return known
        if known := self.offers().get(name):
            return known
        text = name.strip()
        if is_id(text) and "://" not in text:
            text = f"hf://{text}"  # never a folder here
        if self.is_closed or not is_id(text):
            raise RunError(
                f"'{name}' is not offered here{nearest(name, self.offers())} Choose "
                f"{one_of(self.offers())}, or write user/repo for a model on the Hub."
            )
        self._pulled[name] = self._offer(name, places.locate(text, self._registry))
        return self._pulled[name]

    def has_examples(self, name: str) -> bool:
        """Whether a model's recipe may draw examples: never that of a stranger on the Hub."""
        offer = self.offer(name)
        is_own = name in shipped_models() or offer.folder.is_relative_to(self._root)
        return is_own and (offer.folder / RECIPE).is_file()

    def get(self, name: str) -> Loaded:
        """Load a model that is not in memory yet; raises GanzooError if it cannot be."""
        offer = self.offer(name)
        weights = offer.folder / configs.WEIGHTS["generator"]
        key = (name, weights.stat().st_mtime if weights.exists() else 0.0)
        with self._lock:
            if key not in self._loaded:
                from ganzoo.models.model import device  # imports torch

                place = Pulled(offer.folder, "")
                self._loaded[key] = Loaded(places.load(place, self._registry, device()))
            self._loaded.move_to_end(key)
            while len(self._loaded) > _LOADED:
                self._loaded.popitem(last=False)
            return self._loaded[key]

    def _offer(self, name: str, place: Pulled) -> Offer:
        folder = find(place.folder)
        return Offer(name, folder, configs.read(folder / CONFIG))


def _folders(root: Path) -> Iterator[tuple[str, Path]]:
    """Yield run and model folders in ``root`` and one level below, newest first."""
    level = [path for path in root.glob("*") if path.is_dir() and not path.name.startswith(".")]
    paths = [*level, *(path for folder in level for path in folder.glob("*") if path.is_dir())]
    models = []
    for path in paths[:_FOLDERS]:
        inner = path.name in ("model", "best") and path.parent in paths
        if not inner and ((path / CONFIG).is_file() or (path / "model" / CONFIG).is_file()):
            models.append(path)
            if (path / "best" / CONFIG).is_file():
                models.append(path / "best")
    for path in sorted(models, key=lambda one: one.stat().st_mtime, reverse=True):
        yield str(path.relative_to(root)), path
