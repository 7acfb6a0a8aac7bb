"""Dataset ``avatars``: cartoon people with known attributes, drawn when first used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, ClassVar

import numpy as np
import torch
from annotated_types import Ge, Interval
from torch import Tensor

from ganzoo.errors import DataError, nearest, one_of
from ganzoo_avatars import codes, labels, render
from ganzoo_avatars.filling import fill
from ganzoo_avatars.styles import LOOKS, STYLES, StyleName
from ganzoo_folders import cache
from ganzoo_folders import low as lows
from ganzoo_folders.cached import CachedDataset


class Avatars(CachedDataset):
    """Cartoon avatars in one of nine DiceBear styles, drawn offline and cached.

    Needs ``pip install 'ganzoo[avatars]'``.  The artist's licence is kept beside the images.

    ``layout`` (1, size, size) numbers the part at each pixel: ground, skin, mouth, eyes, brows,
    hair, and clothes or glasses.  Styles toon-head and adventurer have it; it is drawn, and cached,
    when something first reads it.

    Args:
        style: Whose drawings; toon-head is frontal and reads best at small sizes.
        count: How many different avatars.
        size: Height and width in pixels.
        seed: Which avatars; a larger count with the same seed begins with the same ones.
        label: The attributes that make up ``label``, such as [hair, skin]; `ganzoo data render`
            writes them all.
        crop: Pixels of a random square that is cut out of each avatar, another one in every epoch.
        low: Adds ``low``, the image reduced so many times, for super-resolution.
    """

    fields: ClassVar[Mapping[str, str]] = {
        "real": "image",
        "label": "label",
        "layout": "tensor",
        "low": "image",
    }
    later: ClassVar[tuple[str, ...]] = ("crop", "low")
    on_demand: ClassVar[frozenset[str]] = frozenset({"layout"})
    shuffled = True

    def __init__(
        self,
        style: StyleName = "toon-head",
        count: Annotated[int, Ge(1)] = 5000,
        size: Annotated[int, Interval(ge=8, le=1024)] = 64,
        seed: Annotated[int, Ge(0)] = 0,
        label: list[str] | None = None,
        crop: Annotated[int, Ge(8)] | None = None,
        low: Annotated[int, Interval(ge=2, le=16)] | None = None,
    ):
        super().__init__()
        if style not in STYLES:
            raise DataError(
                f"avatars: unknown style '{style}'{nearest(style, STYLES)} "
                f"Available: {one_of(STYLES)}."
            )
        self.style = style
        self.count = count
        self.side = size  # of the drawings
        self.size = lows.check("avatars", {"size": size}, crop, low)
        self.crop = crop
        self.low = low
        self.seed = seed
        self.label = label
        self.palette = codes.palette(style)
        self._layouts: cache.Cached | None = None
        if label is not None:
            names = LOOKS[style].attributes
            self._columns = labels.columns("avatars", f"style '{style}'", names, label)
            values = LOOKS[style].values(render.definition(style))
            self.label_values = {name: values[name] for name in label}

    def prepare(self) -> None:
        """Draw the avatars, or open them if they are in the cache."""
        if self._entry is None:
            key = render.key(self.style, self.count, self.side, self.seed)
            self._entry = cache.get("avatars", key, self.side, self._draw)
            if self.label is not None:
                assert self._entry.labels is not None  # ``_draw`` writes them
                self._labels = np.ascontiguousarray(self._entry.labels[:, self._columns])
            self.licence = render.licence(self.style)
            self.attribution = render.attribution(self.style)

    def demand(self, words: Iterable[str]) -> None:
        """Draw layouts too, if they are among ``words``.

        Raises DataError if the style has none, or images are cropped.
        """
        super().demand(words)
        if self.demanded and self.palette is None:
            raise DataError(
                f"avatars: the parts of style '{self.style}' are not known, so it has no "
                f"'layout'. Styles that have: {one_of(codes.PARTS)}."
            )
        if self.demanded and self.crop:
            raise DataError("avatars: crop cuts out images, but not 'layout'. Leave one out.")

    def __getitems__(self, indices: list[int]) -> dict[str, Tensor]:
        """Return a batch: ``real``, and perhaps ``label`` and ``layout`` (N, 1, size, size)."""
        batch = super().__getitems__(indices)
        if "layout" in self.demanded:
            numbers = self._drawn_layouts().images[np.asarray(indices, np.int64), :1]
            batch["layout"] = torch.from_numpy(numbers.astype(np.int64))
        return batch

    def _drawn_layouts(self) -> cache.Cached:
        """Draw the layouts, or open them if they are in the cache."""
        if self._layouts is None:
            key = render.key(self.style, self.count, self.size, self.seed)
            key["layouts"] = [codes.VERSION, codes.PARTS[self.style]]

            def lay_out(writer: cache.Writer) -> None:
                what = f"Drawing layouts of {self.style} avatars"
                fill(writer, what, codes.LAYOUTS, self.style, self.count, self.size, self.seed)
                writer.text("ATTRIBUTION.md", render.attribution(self.style))

            self._layouts = cache.get("avatars-layout", key, self.size, lay_out)
        return self._layouts

    def attributes(self) -> dict[str, list[str]]:
        """Return the values of each attribute, in the order of the images."""
        entry = self.entry()
        assert entry.labels is not None  # ``_draw`` writes them
        names = entry.index["attributes"]
        return {
            name: [values[i] for i in entry.labels[:, column]]
            for column, (name, values) in enumerate(names.items())
        }

    def _draw(self, writer: cache.Writer) -> None:
        look = LOOKS[self.style]
        values = look.values(render.definition(self.style))
        what = f"Drawing {self.style} avatars"
        fill(writer, what, render.AVATARS, self.style, self.count, self.side, self.seed)
        avatars = [render.choose(look, values, self.seed, i) for i in range(self.count)]
        writer.set_labels(
            np.array([[values[name].index(one[name]) for name in values] for one in avatars])
        )
        writer.index["attributes"] = values
        writer.text("ATTRIBUTION.md", render.attribution(self.style))
