"""Sheets of pictures that are drawn a batch at a time, so that slow ones show how far they are."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from dataclasses import replace
from itertools import islice
from time import monotonic

from PIL import Image

from ganzoo.errors import RunError
from ganzoo.models import samples
from ganzoo.models.pictures import jpeg
from ganzoo.play import drawing
from ganzoo.play.drawing import Wish
from ganzoo.play.shelf import Loaded

#: sheets that are remembered while they are unfinished
_KEPT = 16


class Sheet:
    """The pictures of a wish, of which some are drawn."""

    def __init__(self, loaded: Loaded, wish: Wish):
        self._wish, self._is_stopped = wish, False
        self._model_lock, self._lock = loaded.lock, threading.Lock()
        #: pictures, and their addresses for the page
        self.drawn: list[tuple[Image.Image, str]] = []
        with self._model_lock:
            self._rest = drawing.draw(loaded.model, wish)
            self._labels = drawing.labels_of(loaded.model, wish)

    @property
    def wish(self) -> Wish:
        """What was asked for; for fewer pictures if the sheet was stopped."""
        return replace(self._wish, n=len(self.drawn)) if self._is_stopped else self._wish

    @property
    def labels(self) -> list[dict[str, str]]:
        """The labels of the pictures that are drawn."""
        return self._labels[: len(self.drawn)]

    @property
    def is_done(self) -> bool:
        return self._is_stopped or len(self.drawn) == self._wish.n

    def go_on(self, seconds: float) -> None:
        """Draw for about so long: at least a batch, if there is one left."""
        end = monotonic() + seconds
        while not self.is_done:
            with self._model_lock:  # others draw between two batches
                batch = list(islice(self._rest, samples.CHUNK))
            drawn = [(picture, jpeg(picture)) for picture in batch]
            with self._lock:
                self.drawn += [] if self._is_stopped else drawn
            if monotonic() > end:
                break

    def stop(self) -> None:
        """Keep what is drawn, and draw no more; does nothing before the first batch."""
        with self._lock:
            self._is_stopped = bool(self.drawn)


class Sheets:
    """Unfinished sheets, by a key that nobody guesses."""

    def __init__(self) -> None:
        self._sheets: OrderedDict[str, Sheet] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, sheet: Sheet) -> str:
        """Remember a sheet; return its key."""
        key = secrets.token_urlsafe(16)
        with self._lock:
            self._sheets[key] = sheet
            while len(self._sheets) > _KEPT:
                self._sheets.popitem(last=False)
        return key

    def get(self, key: str) -> Sheet:
        """Return the sheet of a key; raises RunError if it is unknown or forgotten."""
        sheet = self._sheets.get(key)
        if sheet is None:
            raise RunError("this sheet is no longer there: draw it again.")
        return sheet

    def forget(self, key: str) -> None:
        """Forget a sheet that is finished."""
        with self._lock:
            self._sheets.pop(key, None)
