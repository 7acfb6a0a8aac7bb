"""Dataset ``avatars``: cartoon people with known attributes, drawn when first used."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Annotated, ClassVar

import numpy as np
import torch
from annotated_types import Ge, Interval
from numpy.typing import NDArray
from torch import Tensor

from ganzoo.errors import DataError, nearest, one_of
from ganzoo_avatars import captions, codes, labels, render
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

    ``text`` (48,) is a caption of the avatar, another one in every epoch, as the numbers of its
    words in ``vocabulary``; the rest is 0.  ``other_text`` is one of another avatar that is untrue
    of this one.

    Args:
        style: Whose drawings; toon-head is frontal and reads best at small sizes.
        count: How many different avatars.
        size: Height and width in pixels.
        seed: Which avatars; a larger count with the same seed begins with the same ones.
        label: The attributes that make up ``label``, such as [hair, skin]; `ganzoo data render`
            writes them all.
        crop: Pixels of a random square that is cut out of each avatar, another one in every epoch.
        low: Adds ``low``, the image reduced so many times, for super-resolution.
        leave_out: Combinations of attributes, such as {hair: pink, skin: dark}, that no example
            has; of ``count`` avatars so many fewer are left.
    """

    fields: ClassVar[Mapping[str, str]] = {
        "real": "image",
        "label": "label",
        "layout": "tensor",
        "low": "image",
        "text": "tensor",
        "other_text": "tensor",
    }
    later: ClassVar[tuple[str, ...]] = ("crop", "low", "leave_out")
    on_demand: ClassVar[frozenset[str]] = frozenset({"layout", "text", "other_text"})
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
        leave_out: list[dict[str, str]] | None = None,
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
        self.vocabulary = captions.vocabulary()
        self.phrases = captions.phrases(LOOKS[style].attributes)
        self._captioner: captions.Captioner | None = None
        self._key = "0/0"
        if label is not None:
            names = LOOKS[style].attributes
            self._columns = labels.columns("avatars", f"style '{style}'", names, label)
            values = LOOKS[style].values(render.definition(style))
            self.label_values = {name: values[name] for name in label}
        self.leave_out = leave_out or []
        for combination in self.leave_out:
            values = LOOKS[style].values(render.definition(style))
            labels.columns("avatars", f"style '{style}'", values, list(combination))
            for name, value in combination.items():
                if value not in values[name]:
                    raise DataError(
                        f"avatars: leave_out {name}={value}: '{value}' is no {name}"
                        f"{nearest(value, values[name])} Available: {one_of(values[name])}."
                    )

    def prepare(self) -> None:
        """Draw the avatars, or open them if they are in the cache."""
        if self._entry is None:
            key = render.key(self.style, self.count, self.side, self.seed)
            self._entry = cache.get("avatars", key, self.side, self._draw)
            if self.label is not None:
                assert self._entry.labels is not None  # ``_draw`` writes them
                self._labels = np.ascontiguousarray(self._entry.labels[:, self._columns])
            if self.leave_out:
                self._kept = self._not_left_out()
            self.licence = render.licence(self.style)
            self.attribution = render.attribution(self.style)

    def demand(self, words: Iterable[str]) -> None:
        """Draw layouts too, if they are among ``words``.

        Raises DataError if the style has none, or images are cropped.
        """
        super().demand(words)
        if "layout" in self.demanded and self.palette is None:
            raise DataError(
                f"avatars: the parts of style '{self.style}' are not known, so it has no "
                f"'layout'. Styles that have: {one_of(codes.PARTS)}."
            )
        if self.demanded and self.crop:
            raise DataError("avatars: crop cuts out images, but not 'layout'. Leave one out.")

    def __getitems__(self, indices: list[int]) -> dict[str, Tensor]:
        """Return a batch: ``real``, and perhaps ``label``, ``layout`` and texts."""
        batch = super().__getitems__(indices)
        rows = np.arange(len(self))[indices]
        if "text" in self.demanded:
            tokens = [self.captioner().own(int(row), self._key) for row in rows]
            batch["text"] = torch.tensor(tokens)
        if "other_text" in self.demanded:
            tokens = [self.captioner().another(int(row), self._key) for row in rows]
            batch["other_text"] = torch.tensor(tokens)
        if "layout" in self.demanded:
            rows = rows if self._kept is None else self._kept[rows]
            numbers = self._drawn_layouts().images[rows, :1]
            batch["layout"] = torch.from_numpy(numbers.astype(np.int64))
        return batch

    def set_epoch(self, seed: int, epoch: int) -> None:
        """Write other captions, and cut out other squares."""
        super().set_epoch(seed, epoch)
        self._key = f"{seed}/{epoch}"

    def captioner(self) -> captions.Captioner:
        """Return what writes the captions of the examples."""
        if self._captioner is None:
            columns = self.attributes()
            rows = zip(*columns.values(), strict=True)
            avatars = [dict(zip(columns, row, strict=True)) for row in rows]
            self._captioner = captions.Captioner(avatars, captions.vocabulary())
        return self._captioner

    def fingerprint(self) -> str:
        """Return a sha256 of the pixels, of labels if there are any, and of what is left out."""
        sha = super().fingerprint()
        if not self.leave_out:
            return sha
        return hashlib.sha256(f"{sha} {self.leave_out}".encode()).hexdigest()

    def _not_left_out(self) -> NDArray[np.int64]:
        columns = self.attributes()
        rows = np.arange(self.count)
        for combination in self.leave_out:
            alike = [np.array(columns[name]) == value for name, value in combination.items()]
            rows = rows[~np.logical_and.reduce(alike)[rows]]
        if not len(rows):
            raise DataError("avatars: leave_out leaves no avatar. Leave out fewer.")
        return rows

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
        """Return the values of each attribute, in the order of the examples."""
        entry = self.entry()
        assert entry.labels is not None  # ``_draw`` writes them
        table = entry.labels if self._kept is None else entry.labels[self._kept]
        names = entry.index["attributes"]
        return {
            name: [values[i] for i in table[:, column]]
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
