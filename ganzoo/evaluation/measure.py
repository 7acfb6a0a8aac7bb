"""Measure: pass once over the real images and once over the fakes, feeding every evaluator.

``image_store.py`` keeps images and features on disk meanwhile.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import PartialState
from torch import Tensor

from ganzoo import __version__
from ganzoo.errors import RunError
from ganzoo.evaluation.image_sources import ImageSource
from ganzoo.evaluation.image_store import Bar, ImageStore, alone_in, together
from ganzoo.evaluation.jackknife import Estimate
from ganzoo.evaluation.protocol import Protocol
from ganzoo.files import cache_folder
from ganzoo.formats.json import digest
from ganzoo.progress import progress
from ganzoo.recipe.benchmark import STREAMS

#: images in a network's batch: on a CPU, a few fit its cache and are twice as fast as many
BATCHES = {"cpu": 4}
BATCH = 32
#: images in the entry's grid
GRID_SIZE = 64


@dataclass(frozen=True)
class Measurement:
    """Every published score, and why those that are unreliable are so."""

    scores: Mapping[str, Estimate]
    unreliable: Mapping[str, str]
    #: the first fakes, uint8 (n, 3, S, S)
    pictures: Tensor
    seconds: float
    #: the folder of intermediate files, if they were kept
    work: Path


def key(protocol: Protocol, source: ImageSource) -> str:
    """Hash everything that decides the scores: protocol, images, and this version."""
    ids = sorted(i for scorer in protocol.scorers for i in scorer.ids.values())
    return digest([protocol.id, ids, source.kind, source.key, __version__])


def measure(
    protocol: Protocol,
    source: ImageSource,
    folder: Path | None = None,
    batch: int | None = None,
    quiet: bool = False,
    keep: bool = False,
) -> Measurement:
    """Measure the images of ``source``, continuing an unfinished measurement in ``folder``.

    With ``keep``, intermediate files stay, for the caller to remove once the result is written.
    Called by all processes, which share the disk; all get the result.  Raises RunError or DataError
    if images are unusable or too few.
    """
    start = time.monotonic()
    root = folder or cache_folder() / "evaluations"
    work = root / key(protocol, source)[:24]  # one folder per model
    is_main = PartialState().is_main_process
    is_silent = quiet or not is_main
    bar: Bar = (lambda *about: nullcontext(lambda count: None)) if is_silent else progress
    with alone_in(work, wait=False):
        batch = batch or BATCHES.get(protocol.device.type, BATCH)
        store = ImageStore(protocol, source, work, batch, bar)
        store.fill()
        with together(work):
            scores, unreliable = _scores(store, bar)
            chunks = [chunk for chunk in store.chunks("fake") if chunk.start < GRID_SIZE]
            pictures = torch.cat([store.fakes(c.start, c.stop) for c in chunks])[:GRID_SIZE]
        if is_main and not keep:
            shutil.rmtree(root if folder else work, ignore_errors=True)
    return Measurement(scores, unreliable, pictures, time.monotonic() - start, work)


def _scores(store: ImageStore, bar: Bar) -> tuple[dict[str, Estimate], dict[str, str]]:
    """Feed every evaluator with every chunk, in order.

    Returns the published scores, and why some are unreliable.  Raises DataError if an evaluator had
    too few images, and RunError if the score that ranks is left out.
    """
    pairs = [(scorer, scorer.start()) for scorer in store.protocol.scorers]
    for stream in STREAMS:
        readers = [(scorer, jackknife) for scorer, jackknife in pairs if stream in scorer.reads]
        if not readers:
            continue
        with bar(f"measuring {stream} images", store.count(stream)) as advance:
            for chunk in store.chunks(stream):
                for scorer, jackknife in readers:
                    jackknife.feed(stream, chunk.words(scorer), chunk.group)
                advance(len(chunk))
    scores: dict[str, Estimate] = {}
    unreliable: dict[str, str] = {}
    with bar("scores", len(pairs), "evaluators") as advance:
        for scorer, jackknife in pairs:
            scores |= {scorer.names[name]: score for name, score in jackknife.compute().items()}
            reasons = jackknife.whole.unreliable()
            unreliable |= {scorer.names[name]: reason for name, reason in reasons.items()}
            advance(1)
    if (primary := store.protocol.primary) not in scores:
        raise RunError(
            f"there is no '{primary}' of these images, and benchmark "
            f"{store.protocol.benchmark.name} ranks by it: it may want a model with labels. Choose "
            "another benchmark: `ganzoo list benchmarks`."
        )
    return scores, unreliable
