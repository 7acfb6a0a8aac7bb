"""Temporary files and computed values, shared by the contracts of one plugin."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image

T = TypeVar("T")

#: images in a made-up folder, and their height and width
COUNT, SIDE = 6, 48


class Workspace:
    """A folder that exists as long as this object."""

    def __init__(self) -> None:
        self._results: dict[Hashable, Any] = {}

    @cached_property
    def folder(self) -> Path:
        """An empty folder at first."""
        folder = tempfile.mkdtemp(prefix="ganzoo-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return Path(folder).resolve()

    @contextmanager
    def caching(self, name: str = "cache") -> Iterator[Path]:
        """Use a separate cache folder, so that made-up data stays out of the user's."""
        before, cache = os.environ.get("GANZOO_CACHE"), self.folder / name
        os.environ["GANZOO_CACHE"] = str(cache)
        try:
            yield cache
        finally:
            del os.environ["GANZOO_CACHE"]
            if before is not None:
                os.environ["GANZOO_CACHE"] = before

    def pictures(self, name: str, seed: int) -> Path:
        """Create a folder ``name`` with a few small PNG files, drawn from ``seed``."""
        folder = self.folder / name
        if not folder.exists():
            folder.mkdir(parents=True)
            for index in range(COUNT):
                picture([seed, index]).save(folder / f"{index}.png")
        return folder

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return what ``make`` returned the first time for this ``key``."""
        if key not in self._results:
            self._results[key] = make()
        result: T = self._results[key]
        return result


def picture(seed: list[int]) -> Image.Image:
    """Draw soft patches of colour under some noise."""
    rng = np.random.default_rng(seed)
    patches = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8))
    soft = np.asarray(patches.resize((SIDE, SIDE), Image.Resampling.BICUBIC)).astype(float)
    noisy = soft + rng.normal(0, 4, (SIDE, SIDE, 3))
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))
