"""Images and their features on disk, in chunks that several processes share.

Each chunk is computed by one process and read in order by one.  So memory is bounded, a killed
evaluation goes on where it stopped, and any number of processes gives the same values to the bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path

import torch
from accelerate import PartialState
from accelerate.utils import gather_object
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from ganzoo.errors import GanzooError, RunError
from ganzoo.evaluation.image_sources import ImageSource
from ganzoo.evaluation.jackknife import Value
from ganzoo.evaluation.protocol import Protocol, Scorer
from ganzoo.files import alone, atomic_file, cache_folder
from ganzoo.interfaces import GROUPS
from ganzoo.models import samples
from ganzoo.models.weights import write_tensors
from ganzoo.recipe.benchmark import is_features
from ganzoo.recipe.vocabulary import FEATURES
from ganzoo.text import say

#: images in a file, and the most in memory
CHUNK = 128
#: floats of features per image, above which they are computed again rather than kept
MAX_FLOATS = 8192

Bar = Callable[..., AbstractContextManager[Callable[[int], None]]]


class ImageStore:
    """The images of an evaluation and their features.

    Fakes and their features lie in ``work``; features of real images in the cache, for the next
    model too.  ``batch`` is the number of images in a network's batch; ``bar`` makes a progress
    bar.
    """

    def __init__(self, protocol: Protocol, source: ImageSource, work: Path, batch: int, bar: Bar):
        self.protocol, self.source, self._batch, self._bar = protocol, source, batch, bar
        self._work, self._cache = work, cache_folder() / "features"
        self._is_wide: dict[str, bool] = {}

    def fill(self) -> None:
        """Compute the missing files, each process its share."""

        def draw(chunk: Chunk) -> dict[str, Tensor]:
            return {"image": self.source.draw(chunk.start, chunk.stop)}

        def features(name: str, chunk: Chunk) -> dict[str, Tensor]:
            return self.extract(name, chunk.images())

        self._write("drawing", "fake", self._work / "fakes", draw)
        for stream in ("fake", "real"):
            readers = [s for s in self.protocol.scorers if "features" in s.reads.get(stream, ())]
            for name in dict.fromkeys(scorer.extractor for scorer in readers):
                if name and not self.is_wide(name):
                    what = f"features '{name}' of {stream} images"
                    folder = self._features_folder(stream, name)
                    self._write(what, stream, folder, partial(features, name))

    def count(self, stream: str) -> int:
        """Count the images of a stream."""
        return len(self.indices(stream))

    def indices(self, stream: str) -> Tensor:
        """Return the examples of the dataset behind a stream: the fakes' are held out."""
        return self.protocol.reference if stream == "real" else self.protocol.held_out

    def chunks(self, stream: str) -> Iterator[Chunk]:
        """Yield the chunks of a stream, in order."""
        count = self.count(stream)
        for start in range(0, count, CHUNK):
            yield Chunk(self, stream, start, min(start + CHUNK, count))

    def fakes(self, start: int, stop: int) -> Tensor:
        """Return the fakes of one chunk, uint8 (n, 3, S, S)."""
        return load_file(_file(self._work / "fakes", start, stop))["image"]

    def features(self, name: str, chunk: Chunk) -> dict[str, Tensor]:
        """Return the features of a chunk's images by layer, from disk or computed now."""
        if self.is_wide(name):
            return self.extract(name, chunk.images())
        folder = self._features_folder(chunk.stream, name)
        return load_file(_file(folder, chunk.start, chunk.stop))

    def extract(self, name: str, images: Tensor) -> dict[str, Tensor]:
        """Extract features of (n, 3, S, S) in [-1, 1] by layer."""
        return self.protocol.features(name, images, self._batch)

    def is_wide(self, name: str) -> bool:
        """Whether an extractor's features take too much room to be kept."""
        if name not in self._is_wide:
            layers = self.extract(name, next(self.chunks("fake")).images()[:1])
            self._is_wide[name] = sum(layer.numel() for layer in layers.values()) > MAX_FLOATS
        return self._is_wide[name]

    def _features_folder(self, stream: str, name: str) -> Path:
        root = self._work if stream == "fake" else self._cache
        return root / self.protocol.features_key(name)[:24]

    def _write(
        self, what: str, stream: str, folder: Path, make: Callable[[Chunk], dict[str, Tensor]]
    ) -> None:
        """Compute this process's share of a folder's missing files."""
        state = PartialState()
        with alone_in(folder), together(folder):
            share = list(self.chunks(stream))[state.process_index :: state.num_processes]
            files = {_file(folder, chunk.start, chunk.stop): chunk for chunk in share}
            todo = {file: chunk for file, chunk in files.items() if not _is_whole(file)}
            with self._bar(what, sum(map(len, todo.values()))) as advance:
                for file, chunk in todo.items():
                    with atomic_file(file) as aside:
                        write_tensors(aside, make(chunk))
                    advance(len(chunk))


class Chunk:
    """Consecutive images of a stream; each of their words is computed at most once."""

    def __init__(self, store: ImageStore, stream: str, start: int, stop: int):
        self.stream, self.start, self.stop = stream, start, stop
        #: the jackknife's group of each fake, (n,); None for reals
        self.group = None if stream == "real" else torch.arange(start, stop) % GROUPS
        self._store = store
        self._words: dict[tuple[str, str | None], Value] = {}
        self._examples: dict[str, Tensor] = {}

    def __len__(self) -> int:
        return self.stop - self.start

    def words(self, scorer: Scorer) -> dict[str, Value]:
        """Return the words that an evaluator reads."""
        return {word: self._word(word, scorer.extractor) for word in scorer.reads[self.stream]}

    def _word(self, word: str, extractor: str | None) -> Value:
        key = word, extractor if is_features(word) else None
        if key in self._words:
            return self._words[key]
        value: Value
        if word == "group" and self.group is not None:
            value = self.group
        elif extractor and word == "features":
            value = self._store.features(extractor, self)
        elif extractor and is_features(word):
            images = self._word(word.removesuffix(FEATURES), None)
            assert isinstance(images, Tensor)
            value = self._store.extract(extractor, images)
        elif word == "labels" and self.stream == "fake":
            value = self._store.source.labels(self.start, self.stop)
        elif word == "fake" or (word == "image" and self.stream != "pair"):
            value = self.images()
        else:
            value = self.examples()[word]
        self._words[key] = value
        return value

    def images(self) -> Tensor:
        """Return the images, float (n, 3, S, S) in [-1, 1]."""
        if self.stream == "real":
            return self.examples()["real"]
        return samples.from_uint8(self._store.fakes(self.start, self.stop))

    def examples(self) -> dict[str, Tensor]:
        """Return the dataset's examples: the reals, or what the fakes are made from."""
        if not self._examples:
            indices = self._store.indices(self.stream)[self.start : self.stop]
            self._examples = self._store.protocol.examples(indices)
        return self._examples


def _file(folder: Path, start: int, stop: int) -> Path:
    return folder / f"{start:07d}-{stop:07d}.safetensors"


def _is_whole(file: Path) -> bool:
    try:
        with safe_open(file, "pt") as tensors:
            return bool(tensors.keys())
    except (OSError, SafetensorError):
        return False


@contextmanager
def together(folder: Path) -> Iterator[None]:
    """Let all processes leave together; if one fails, all raise."""
    failure: GanzooError | None = None
    try:
        yield
    except GanzooError as error:
        failure = error
    except OSError as error:
        failure = RunError(
            f"{folder} cannot be written: {error.strerror or error}. Make room, or name another "
            "place for caches in GANZOO_CACHE; what is there goes on from where it stopped."
        )
    messages = gather_object([str(failure or "")])
    if failure:
        raise failure
    if message := next(filter(None, messages), None):
        raise RunError(message)


@contextmanager
def alone_in(folder: Path, wait: bool = True) -> Iterator[None]:
    """Create ``folder`` and lock it against other evaluations.

    If it is locked already, waits for it, or raises RunError without ``wait``.
    """

    def report_wait() -> None:
        if not wait:
            raise RunError(f"another process measures this model now, in {folder}. Wait for it.")
        say(f"another process makes {folder}; waiting for it", err=True)

    with ExitStack() as lock:
        with together(folder):
            if PartialState().is_main_process:
                folder.mkdir(parents=True, exist_ok=True)
                lock.enter_context(alone(folder / ".lock", report_wait))
        yield
