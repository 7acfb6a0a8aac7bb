"""The grids of samples that a run draws of itself."""

from __future__ import annotations

from torch import Tensor

from ganzoo.models import samples
from ganzoo.training.journal import refuse_nonfinite
from ganzoo.training.run import Run
from ganzoo.training.words import Words


def draw(run: Run) -> None:
    """Write a grid of samples from fixed latents, or of fixed images of the dataset.

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
    if run.parts.image_inputs:
        reads, values = run.parts.networks["generator"].reads, dict(run.parts.examples)
        if "latent" in reads:
            n = len(next(iter(values.values())))
            values["latent"] = samples.latents(run.generator, seed, n)
        words = Words(values, run.parts.networks, run.parts.views)
        inputs: dict[str, Tensor] = {word: words[word] for word in reads if word in words}
        sources = samples.to_uint8(words[run.parts.image_inputs[0]])
        grid = samples.pairs(sources, samples.draw(run.generator, inputs))
    else:
        grid = samples.grid(samples.sample(run.generator, count, seed))
    path = run.folder.samples / f"{run.step:08d}.png"
    with run.folder.writing("the sample grid", run.step):
        path.parent.mkdir(exist_ok=True)
        grid.save(path)
    run.notify("samples_drawn", step=run.step, path=path)
