"""Reference rows: real images, held out and spoilt, which a score must tell apart.

They come from the built-in datasets ``avatars`` or, for scores of pairs, ``figurines``, both drawn
on the spot with ``pip install 'ganzoo[avatars]'``.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ganzoo.errors import DataError, GanzooError
from ganzoo.evaluation.image_sources import ReferenceRow, reference_rows
from ganzoo.evaluation.protocol import Protocol
from ganzoo.interfaces import GROUPS
from ganzoo.models.samples import from_uint8
from ganzoo.plugins.manager import installed
from ganzoo.recipe.benchmark import Benchmark
from ganzoo.recipe.component import Component
from ganzoo.recipe.vocabulary import FEATURES
from ganzoo.testing.attempt import Unavailable
from ganzoo.testing.eyes import Extract, Eye

#: images of the reference, and of a row; pairs cost more and need fewer
COUNT, PAIRS = 300, 60
SIZE = 64
#: images in a network's batch
BATCH = 50


class Rows:
    """The reference images and, by name, the rows of fakes.

    Raises Unavailable if the dataset cannot be drawn.
    """

    def __init__(self, pairs: bool):
        self.pairs, self.count = pairs, PAIRS if pairs else COUNT
        self.best = "photo" if pairs else "held-out"
        arguments = {"count": 2 * self.count, "size": SIZE, "seed": 5}
        benchmark = Benchmark(
            name="rows",
            version=1,
            seed=5,
            dataset=Component("figurines" if pairs else "avatars", arguments),
            dataset_sha256=None,
            shuffle=False,
            held_out="last",
            reference=self.count,
            fakes=self.count,
            extractors={},
            evaluators=(),
            primary="",
        )
        try:
            protocol = Protocol(benchmark, installed().registry, torch.device("cpu"))
        except DataError as error:
            raise Unavailable(f"there are no reference rows: {error}") from error
        except GanzooError as error:
            raise Unavailable(
                f"there are no reference rows: {error} They are of ganzoo's own plugins: let "
                "GANZOO_PLUGINS name `avatars`, `figurines` and `features` too, or unset it."
            ) from error
        self.fields = protocol.fields
        self.real = protocol.examples(protocol.reference)
        self.held_out = protocol.examples(protocol.held_out)
        self.fakes = {
            name: from_uint8(ReferenceRow(name, protocol).draw(0, self.count))
            for name in reference_rows(protocol)
        }
        self._cache: dict[tuple[str, str], dict[str, Tensor]] = {}
        self._open: dict[str, Extract] = {}

    @property
    def names(self) -> list[str]:
        """The rows, the best one included."""
        return list(self.fakes)

    def words(self, stream: str, row: str, reads: list[str], eye: Eye) -> dict[str, Any]:
        """Return what an evaluator reads of a stream, for all images of a row.

        Raises Unavailable for a word that the dataset does not provide, and if the eye's weights
        are missing.
        """
        return {word: self._word(stream, row, word, eye) for word in reads}

    def _word(self, stream: str, row: str, word: str, eye: Eye) -> Any:
        if word == "group":
            return torch.arange(self.count) % GROUPS
        if word == "labels":
            return {}
        if word == "features":
            return self._features("image" if stream == "real" else "fake", row, eye, stream)
        if word.endswith(FEATURES):
            return self._features(word.removesuffix(FEATURES), row, eye, stream)
        if word == "fake" or (stream == "fake" and word == "image"):
            return self.fakes[row]
        fields = self.real if stream == "real" else self.held_out
        name = "real" if word == "image" else word
        if name not in fields:
            raise Unavailable(
                f"the reference rows have no '{word}': test that it tells good from bad yourself."
            )
        return fields[name]

    def _features(self, image: str, row: str, eye: Eye, stream: str) -> dict[str, Tensor]:
        which = row if image == "fake" else f"{stream} {image}"
        if (eye.name, which) not in self._cache:
            if eye.name not in self._open:
                try:
                    self._open[eye.name] = eye.open()
                except GanzooError as error:
                    raise Unavailable(f"there are no features to measure on: {error}") from error
            pictures = self._word(stream, row, image, eye)
            with torch.no_grad():
                parts = [self._open[eye.name](part) for part in pictures.split(BATCH)]
            self._cache[eye.name, which] = {
                layer: torch.cat([part[layer] for part in parts]) for layer in parts[0]
            }
        return self._cache[eye.name, which]
