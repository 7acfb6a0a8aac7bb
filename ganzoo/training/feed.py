"""The batches of a run, in the order that its seed fixes."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from torch import Tensor

from ganzoo.evaluation.examples import collate
from ganzoo.models.randomness import batches, rng
from ganzoo.training.run import Run

#: batches to read ahead of an accelerator
_AHEAD = 3

Example = dict[str, Tensor]


def feed(run: Run) -> Generator[list[Example]]:
    """Yield this process's part of every batch from ``run.step`` on.

    Micro-batches come on the device.  ``batch`` counts the images of all processes together, and
    latents are drawn for all of them, so a recipe means the same on any number of processes.  For
    an accelerator, a thread reads ahead into pinned memory; close the iterator to end it.
    """
    device, parts = run.device, run.recipe.accumulate
    is_cuda = device.type == "cuda"
    source = _read(run) if device.type == "cpu" else ahead(_read(run), is_cuda)
    try:
        for words in source:
            yield [
                {
                    name: part.to(device, non_blocking=is_cuda)
                    for name, part in zip(words, micro, strict=True)
                }
                for micro in zip(*(word.chunk(parts) for word in words.values()), strict=True)
            ]
    finally:
        source.close()


def _read(run: Run) -> Generator[Example]:
    recipe = run.recipe
    mine = slice(run.parts.accelerator.process_index, None, run.parts.accelerator.num_processes)
    draws = "latent" in run.parts.networks["generator"].reads
    first, latest = run.batches, None
    order = batches(len(run.dataset), recipe.batch, recipe.seed, first)
    for number, (epoch, indices) in enumerate(order, first):
        if epoch != latest:
            run.dataset.set_epoch(recipe.seed, epoch)
            latest = epoch
        words = collate(run.dataset, indices[mine])
        if draws:
            draw = rng(recipe.seed, "latents", number)
            words["latent"] = run.generator.sample_latent(recipe.batch, draw)[mine]
        yield words


def ahead(source: Iterator[Example], pin: bool) -> Generator[Example]:
    """Read ``source`` in a thread that stays some batches ahead."""

    def read() -> Example:
        words = next(source)
        return {name: word.pin_memory() for name, word in words.items()} if pin else words

    with ThreadPoolExecutor(1, "ganzoo-feed") as thread:
        queue: deque[Future[Example]] = deque(thread.submit(read) for _ in range(_AHEAD))
        try:
            while True:
                words = queue.popleft().result()
                queue.append(thread.submit(read))
                yield words
        finally:
            for future in queue:
                future.cancel()
