"""Measure: pass once over the real images and once over the fakes, feeding every evaluator.

Images and features go to disk in chunks, each computed by one process and read in order by one.  So
memory is bounded, a killed evaluation goes on where it stopped, and any number of processes gives
the same values to the bit.  The features of real images stay for the next model.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import gather_object
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from ganzoo import __version__
from ganzoo.errors import GanzooError, RunError
from ganzoo.evaluation.image_sources import Fakes
from ganzoo.evaluation.jackknife import Estimate
from ganzoo.evaluation.protocol import Protocol, Scorer
from ganzoo.files import alone, atomic_file, cache_folder
from ganzoo.formats.json import digest
from ganzoo.interfaces import GROUPS
from ganzoo.models import samples
from ganzoo.models.weights import write_tensors
from ganzoo.progress import progress
from ganzoo.recipe.benchmark import STREAMS, is_features
from ganzoo.recipe.vocabulary import FEATURES
from ganzoo.text import say

#: images in a file, and the most in memory
CHUNK = 128
#: images in a network's batch
BATCH = 32
#: floats of features per image, above which they are computed again rather than kept
KEPT = 8192
#: images in the entry's grid
SHOWN = 64


_Shown = Callable[..., AbstractContextManager[Callable[[int], None]]]


@dataclass(frozen=True)
class Measured:
    """The result: every published score, and why one of them is unreliable."""

    scores: Mapping[str, Estimate]
    unreliable: Mapping[str, str]
    #: the first fakes, uint8 (n, 3, S, S)
    pictures: Tensor
    seconds: float
    #: the folder of intermediate files, if they were kept
    work: Path


def key(protocol: Protocol, fakes: Fakes) -> str:
    """Hash everything that decides the scores: protocol, images, and this version."""
    ids = sorted(i for scorer in protocol.scorers for i in scorer.ids.values())
    return digest([protocol.id, ids, fakes.kind, fakes.key, __version__])


def evaluate(
    protocol: Protocol,
    fakes: Fakes,
    folder: Path | None = None,
    batch: int = BATCH,
    quiet: bool = False,
    keep: bool = False,
) -> Measured:
    """Measure ``fakes``, continuing an unfinished evaluation in ``folder``.

    With ``keep``, intermediate files stay, for the caller to remove once the result is written.
    Called by all processes, which share the disk; all get the result.  Raises RunError or DataError
    if images are unusable or too few.
    """
    start = time.monotonic()
    root = folder or cache_folder() / "evaluations"
    work = root / key(protocol, fakes)[:24]  # one folder per model
    is_main = PartialState().is_main_process
    shown = progress if is_main and not quiet else _unshown
    with _alone(work, wait=False):
        store = _Store(protocol, fakes, work, batch, shown)
        store.fill()
        run = _Pass(store, shown)
        with _together(work):
            found, unreliable = run.scores(), run.unreliable()
            first = _chunks(min(SHOWN, protocol.benchmark.fakes))
            pictures = torch.cat([store.fakes(n) for n in first])[:SHOWN]
        if is_main and not keep:
            shutil.rmtree(root if folder else work, ignore_errors=True)
    return Measured(found, unreliable, pictures, time.monotonic() - start, work)


class _Store:
    """Fakes and features on disk, in chunks shared out among the processes."""

    def __init__(self, protocol: Protocol, fakes: Fakes, work: Path, batch: int, shown: _Shown):
        self.protocol, self._source, self._work, self._batch = protocol, fakes, work, batch
        self._shown = shown
        self._wide: dict[str, bool] = {}

    def fill(self) -> None:
        """Compute the missing chunks."""
        benchmark = self.protocol.benchmark
        self._make("drawing", self._work / "fakes", benchmark.fakes, self._draw)
        for stream, count in (("fake", benchmark.fakes), ("real", benchmark.reference)):
            for name in self._extracted(stream):
                if self._is_wide(name):
                    continue
                where = self._place(stream, name)
                see = partial(self._see, stream, name)
                self._make(f"features '{name}' of {stream} images", where, count, see)

    def fakes(self, number: int) -> Tensor:
        """Return chunk ``number`` of the fakes, uint8 (n, 3, S, S)."""
        return load_file(_file(self._work / "fakes", *self._bounds("fake", number)))["image"]

    def features(self, stream: str, name: str, number: int) -> dict[str, Tensor]:
        """Return the features of chunk ``number``, from disk or computed now."""
        if self._is_wide(name):
            return self.see(name, self.images(stream, number))
        return load_file(_file(self._place(stream, name), *self._bounds(stream, number)))

    def images(self, stream: str, number: int) -> Tensor:
        """Return chunk ``number`` of a stream, float (n, 3, S, S) in [-1, 1]."""
        if stream == "fake":
            return samples.from_uint8(self.fakes(number))
        return self.examples("real", number)["real"]

    def examples(self, stream: str, number: int) -> dict[str, Tensor]:
        """Return the examples of a chunk: of the reference, or the fakes' inputs."""
        protocol = self.protocol
        indices = protocol.reference if stream == "real" else protocol.held_out
        a, b = self._bounds(stream, number)
        return protocol.examples(indices[a:b])

    def count(self, stream: str) -> int:
        """Count the images of a stream."""
        return len(self.protocol.reference if stream == "real" else self.protocol.held_out)

    def _bounds(self, stream: str, number: int) -> tuple[int, int]:
        return _bounds(number, self.count(stream))

    def see(self, name: str, pictures: Tensor) -> dict[str, Tensor]:
        """Extract features of images in memory."""
        return self.protocol.features(name, pictures, self._batch)

    def _extracted(self, stream: str) -> list[str]:
        """List the extractors that scores read in a stream of single images."""
        scorers = self.protocol.scorers
        names = [s.extractor for s in scorers if "features" in s.reads.get(stream, ())]
        return list(dict.fromkeys(name for name in names if name))

    def _is_wide(self, name: str) -> bool:
        if name not in self._wide:
            found = self.see(name, self.images("fake", 0)[:1])
            self._wide[name] = sum(layer.numel() for layer in found.values()) > KEPT
        return self._wide[name]

    def _place(self, stream: str, name: str) -> Path:
        root = self._work if stream == "fake" else cache_folder() / "features"
        return root / self.protocol.features_key(name)[:24]

    def _draw(self, a: int, b: int) -> dict[str, Tensor]:
        return {"image": self._source.draw(a, b)}

    def _see(self, stream: str, name: str, a: int, b: int) -> dict[str, Tensor]:
        return self.see(name, self.images(stream, a // CHUNK))

    def _make(
        self, what: str, folder: Path, count: int, make: Callable[[int, int], dict[str, Tensor]]
    ) -> None:
        """Compute this process's share of a folder's missing chunks."""
        state = PartialState()
        with _alone(folder), _together(folder):
            mine = _chunks(count)[state.process_index :: state.num_processes]
            files = {_file(folder, *bounds): bounds for n in mine for bounds in [_bounds(n, count)]}
            missing = {file: bounds for file, bounds in files.items() if not _is_whole(file)}
            with self._shown(what, sum(b - a for a, b in missing.values())) as advance:
                for file, (a, b) in missing.items():
                    with atomic_file(file) as aside:
                        write_tensors(aside, make(a, b))
                    advance(b - a)


class _Pass:
    """Feeds every evaluator with every chunk, in order."""

    def __init__(self, store: _Store, shown: _Shown):
        self.store, self._shown = store, shown
        self.started = [(scorer, scorer.start()) for scorer in store.protocol.scorers]

    def scores(self) -> dict[str, Estimate]:
        """Return all published scores; raises DataError if one had too few images."""
        for stream in STREAMS:
            self._feed(stream)
        found: dict[str, Estimate] = {}
        with self._shown("scores", len(self.started), "evaluators") as advance:
            for scorer, running in self.started:
                for name, estimate in running.compute().items():
                    found[scorer.names[name]] = estimate
                advance(1)
        return found

    def unreliable(self) -> dict[str, str]:
        """Published score -> why it is unreliable."""
        return {
            scorer.names[name]: why
            for scorer, running in self.started
            for name, why in running.whole.unreliable().items()
        }

    def _feed(self, stream: str) -> None:
        reading = [(scorer, run) for scorer, run in self.started if stream in scorer.reads]
        if not reading:
            return
        count = self.store.count(stream)
        with self._shown(f"measuring {stream} images", count) as advance:
            for number in _chunks(count):
                a, b = _bounds(number, count)
                group = None if stream == "real" else torch.arange(a, b) % GROUPS
                chunk = _Chunk(self.store, stream, number, group)
                for scorer, running in reading:
                    running.feed(stream, chunk.words(scorer), group)
                advance(b - a)


class _Chunk:
    """The words of one chunk, each computed at most once."""

    def __init__(self, store: _Store, stream: str, number: int, group: Tensor | None):
        self._store, self._stream, self._number = store, stream, number
        self._known: dict[str, Any] = {} if group is None else {"group": group}
        self._examples: dict[str, Tensor] | None = None

    def words(self, scorer: Scorer) -> dict[str, Any]:
        """Return the words that an evaluator reads of the stream."""
        return {word: self._get(word, scorer.extractor) for word in scorer.reads[self._stream]}

    def _get(self, word: str, extractor: str | None) -> Any:
        own = f"{word}@{extractor}" if is_features(word) else word
        if own not in self._known:
            self._known[own] = self._compute(word, extractor)
        return self._known[own]

    def _compute(self, word: str, extractor: str | None) -> Any:
        store, stream, number = self._store, self._stream, self._number
        if extractor and word == "features":
            return store.features(stream, extractor, number)
        if extractor and is_features(word):
            return store.see(extractor, self._get(word.removesuffix(FEATURES), None))
        if word == "fake" or stream == "fake":
            return store.images("fake", number)
        if self._examples is None:
            self._examples = store.examples(stream, number)
        return self._examples["real" if word == "image" else word]


def _unshown(
    what: str, total: int, unit: str = "images"
) -> AbstractContextManager[Callable[[int], None]]:
    return nullcontext(lambda n: None)


@contextmanager
def _together(folder: Path) -> Iterator[None]:
    """Let all processes leave together; if one fails, all raise."""
    failed: GanzooError | None = None
    try:
        yield
    except GanzooError as error:
        failed = error
    except OSError as error:
        failed = RunError(
            f"{folder} cannot be written: {error.strerror or error}. Make room, or name another "
            "place for caches in GANZOO_CACHE; what is there goes on from where it stopped."
        )
    messages = gather_object([str(failed or "")])
    if failed:
        raise failed
    if message := next(filter(None, messages), None):
        raise RunError(message)


@contextmanager
def _alone(folder: Path, wait: bool = True) -> Iterator[None]:
    """Create ``folder`` and lock it against other evaluations, by waiting or with RunError."""

    def waiting() -> None:
        if not wait:
            raise RunError(f"another process measures this model now, in {folder}. Wait for it.")
        say(f"another process makes {folder}; waiting for it", err=True)

    with ExitStack() as held:
        with _together(folder):
            if PartialState().is_main_process:
                folder.mkdir(parents=True, exist_ok=True)
                held.enter_context(alone(folder / ".lock", waiting))
        yield


def _chunks(count: int) -> range:
    return range(-(-count // CHUNK))


def _bounds(number: int, count: int) -> tuple[int, int]:
    return number * CHUNK, min((number + 1) * CHUNK, count)


def _file(folder: Path, start: int, stop: int) -> Path:
    return folder / f"{start:07d}-{stop:07d}.safetensors"


def _is_whole(file: Path) -> bool:
    try:
        with safe_open(file, "pt") as found:
            return bool(found.keys())
    except (OSError, SafetensorError):
        return False
