"""The grids of samples that a run draws of itself."""

from __future__ import annotations

from torch import Tensor

from ganzoo.models import samples
from ganzoo.models.network import reads
from ganzoo.training.journal import refuse_nonfinite
from ganzoo.training.run import Run
from ganzoo.training.words import Words


def draw(run: Run) -> None:
    """Write a grid of samples from fixed latents, or of fixed examples of the dataset.

    Raises TrainingStopped if the disk is full.
    """
    if run.step != run.drawn_at:
        refuse_nonfinite(run)
        with run.shown_as("drawing samples"):
            run.processes.on_main(lambda: _draw(run))
        run.drawn_at = run.step


def _draw(run: Run) -> None:
    run.calibrate()
    count, seed = run.recipe.samples.count, run.recipe.seed
    if run.parts.examples:
        known, values = reads(run.generator).words, dict(run.parts.examples)
        if "latent" in known:
            n = len(next(iter(values.values())))
            values["latent"] = samples.latents(run.generator, seed, n)
        words = Words(values, run.parts.networks, run.parts.views)
        inputs: dict[str, Tensor] = {word: words[word] for word in known if word in words}
        pictures, sources = samples.draw(run.generator, inputs), _sources(run, words)
        grid = samples.grid(pictures) if sources is None else samples.pairs(sources, pictures)
    else:
        grid = samples.grid(samples.sample(run.generator, count, seed))
    path = run.folder.samples / f"{run.step:08d}.png"
    with run.folder.writing("the sample grid", run.step):
        path.parent.mkdir(exist_ok=True)
        grid.save(path)
    run.notify("samples_drawn", step=run.step, path=path)


def _sources(run: Run, words: Words) -> Tensor | None:
    """Return what the generator draws from, uint8 (n, 3, H, W); None if it cannot be seen."""
    if run.parts.image_inputs:
        return samples.to_uint8(words[run.parts.image_inputs[0]])
    images = (run.generator.show_condition(w, words[w]) for w in run.generator.conditions)
    first = next((image for image in images if image is not None), None)
    return None if first is None else samples.to_uint8(first)
