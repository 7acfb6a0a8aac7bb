"""What ganzoo's training loop costs over a bare PyTorch loop, and what bf16 gains.

Both loops train the same DCGAN on the same resident images, step by step in turn in one process,
so that a machine whose speed drifts slows both alike.  Prints medians and the ratio.

    python benchmarks/speed/loop.py [--precision bf16] [--steps 30] [--size 64] [--batch 64]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import torch
from torch.nn.functional import softplus

from ganzoo import hookimpl
from ganzoo.interfaces import Dataset
from ganzoo.plugins import Plugins
from ganzoo.recipe import load_recipe
from ganzoo.registry import Origin
from ganzoo.training import start

RECIPE = """
recipe: speed
batch: {batch}
precision: {precision}
dataset: {{use: resident, size: {size}, count: {count}}}
generator: {{use: dcgan}}
discriminator: {{use: dcgan}}
optimizer: {{use: adam, lr: 2e-4, betas: [0.5, 0.999], fused: true}}
ema: null
stages: [{{name: all, steps: {steps},
  discriminator: [{{use: non-saturating}}], generator: [{{use: non-saturating}}]}}]
log: {{every: 50}}
samples: {{every: 1000000}}
checkpoint: {{every: 1000000}}
"""


class Resident(Dataset):
    """Random images that stay in memory.

    Args:
        size: Side in pixels.
        count: How many.
    """

    def __init__(self, size: int = 64, count: int = 256):
        self.size, self.count = size, count
        self.images = torch.rand(count, 3, size, size) * 2 - 1

    def __len__(self):
        return self.count

    def __getitems__(self, indices):
        return {"real": self.images[indices]}

    def fingerprint(self):
        return "resident"


class Bare:
    """The loop that everybody writes: same networks, loss, optimiser and frozen D in G's step."""

    def __init__(self, size: int, batch: int, precision: str, count: int):
        from ganzoo_dcgan.networks import DCGANDiscriminator, DCGANGenerator

        self.g, self.d = DCGANGenerator(size=size), DCGANDiscriminator(size=size)
        options = {"lr": 2e-4, "betas": (0.5, 0.999), "fused": True}
        self.opt_g = torch.optim.Adam(self.g.parameters(), **options)
        self.opt_d = torch.optim.Adam(self.d.parameters(), **options)
        self.images = torch.rand(count, 3, size, size) * 2 - 1
        self.batch, self.precision = batch, precision

    def step(self) -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=self.precision == "bf16"):
            real = self.images[torch.randint(len(self.images), (self.batch,))]
            fake = self.g(torch.randn(self.batch, 100)).float()
            loss = softplus(-self.d(real).float()).mean()
            loss = loss + softplus(self.d(fake.detach()).float()).mean()
        loss.backward()
        self.opt_d.step()
        self.opt_d.zero_grad()
        self.d.requires_grad_(False)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.precision == "bf16"):
            loss = softplus(-self.d(fake).float()).mean()
        loss.backward()
        self.opt_g.step()
        self.opt_g.zero_grad()
        self.d.requires_grad_(True)


class Alternate:
    """An observer that runs one step of each rival loop after each of ganzoo's, and times all."""

    def __init__(self, rivals: dict[str, Bare]):
        self.rivals = rivals
        self.seconds: dict[str, list[float]] = {name: [] for name in ("ganzoo", *rivals)}
        self.mark: float | None = None

    @hookimpl
    def step_ended(self, step: int) -> None:
        if self.mark is not None:
            self.seconds["ganzoo"].append(time.perf_counter() - self.mark)
        for name, rival in self.rivals.items():
            began = time.perf_counter()
            rival.step()
            self.seconds[name].append(time.perf_counter() - began)
        self.mark = time.perf_counter()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--precision", default="fp32", choices=["fp32", "bf16"])
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--batch", type=int, default=64)
    options = parser.parse_args()
    size, batch, precision = options.size, options.batch, options.precision
    rivals = {"bare": Bare(size, batch, precision, count=256)}
    if precision == "bf16":
        rivals["bare fp32"] = Bare(size, batch, "fp32", count=256)
    watch = Alternate(rivals)
    plugins = Plugins()
    plugins.load_entry_points()
    plugins.manager.register(watch)
    plugins.manager.unregister(name="ganzoo:console")

    class Register:
        @hookimpl
        def register_datasets(self, register) -> None:
            register("resident", Resident)

    plugins.add(Register, Origin("speed", "speed", "0"))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "speed.yaml"
        values = {"size": size, "batch": batch, "precision": precision, "count": 256}
        file.write_text(RECIPE.format(**values, steps=options.steps + 3))
        start(load_recipe(file, registry=plugins.registry), Path(folder) / "run", plugins)
    kept = {name: seconds[2:] for name, seconds in watch.seconds.items()}
    medians = {name: statistics.median(seconds) for name, seconds in kept.items()}
    threads = torch.get_num_threads()
    print(
        f"{size} px, batch {batch}, {precision}, {threads} threads, {options.steps} steps in turn"
    )
    for name, seconds in medians.items():
        print(f"{name:10} {1000 * seconds:8.1f} ms a step  {batch / seconds:7.1f} img/s")
    pairs = zip(kept["ganzoo"], kept["bare"], strict=False)
    ratios = statistics.quantiles([ours / theirs for ours, theirs in pairs], n=4)
    print(f"ganzoo / bare      {ratios[1]:.3f} [quartiles {ratios[0]:.3f} .. {ratios[2]:.3f}]")
    if precision == "bf16":
        print(f"bf16 against fp32  {medians['bare fp32'] / medians['ganzoo']:.2f} times faster")


if __name__ == "__main__":
    main()
