"""The overhead of ganzoo's training loop over a bare PyTorch loop, and the gain of bf16.

Both loops train the same DCGAN on the same resident images in turn in one process, so that a
machine whose speed drifts slows both alike: step by step on a CPU, in blocks of steps on a GPU,
with no waiting within a block.  Prints medians and the ratio.

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
from ganzoo.plugins.manager import Plugins
from ganzoo.plugins.registry import Origin
from ganzoo.recipe.recipe import load_recipe
from ganzoo.training.loop import start

RECIPE = """
recipe: speed
batch: {batch}
precision: {precision}
dataset: {{use: resident, size: {size}, count: {count}}}
generator: {{use: dcgan, width: {width}}}
discriminator: {{use: dcgan, width: {width}}}
optimizer: {{use: adam, lr: 2e-4, betas: [0.5, 0.999], fused: true}}
ema: null
stages: [{{name: all, steps: {steps},
  discriminator: [{{use: non-saturating}}], generator: [{{use: non-saturating}}]}}]
log: {{every: {log}}}
samples: {{every: 1000000}}
checkpoint: {{every: 1000000}}
"""


class Resident(Dataset):
    """Random images in memory.

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
    """The usual loop: same networks, loss, optimiser and frozen D in G's step."""

    def __init__(
        self,
        size: int,
        batch: int,
        precision: str,
        count: int,
        width: int = 64,
        device: str = "cpu",
        layout: torch.memory_format = torch.contiguous_format,
    ):
        from ganzoo_dcgan.networks import DCGANDiscriminator, DCGANGenerator

        self.g = DCGANGenerator(size=size, width=width).to(device).to(memory_format=layout)
        self.d = DCGANDiscriminator(size=size, width=width).to(device).to(memory_format=layout)
        options = {"lr": 2e-4, "betas": (0.5, 0.999), "fused": True}
        self.opt_g = torch.optim.Adam(self.g.parameters(), **options)
        self.opt_d = torch.optim.Adam(self.d.parameters(), **options)
        self.images = (torch.rand(count, 3, size, size) * 2 - 1).to(device)
        self.batch, self.precision, self.device = batch, precision, device

    def step(self) -> None:
        device = self.device
        with torch.autocast(device, torch.bfloat16, enabled=self.precision == "bf16"):
            real = self.images[torch.randint(len(self.images), (self.batch,), device=device)]
            fake = self.g(torch.randn(self.batch, 100, device=device)).float()
            loss = softplus(-self.d(real).float()).mean()
            loss = loss + softplus(self.d(fake.detach()).float()).mean()
        loss.backward()
        self.opt_d.step()
        self.opt_d.zero_grad()
        self.d.requires_grad_(False)
        with torch.autocast(device, torch.bfloat16, enabled=self.precision == "bf16"):
            loss = softplus(-self.d(fake).float()).mean()
        loss.backward()
        self.opt_g.step()
        self.opt_g.zero_grad()
        self.d.requires_grad_(True)


class Alternate:
    """An observer that runs a block of each rival's steps after each of ganzoo's, and times all.

    ``seconds`` are per step.
    """

    def __init__(self, rivals: dict[str, Bare], block: int = 1):
        self.rivals, self.block = rivals, block
        self.seconds: dict[str, list[float]] = {name: [] for name in ("ganzoo", *rivals)}
        self.mark: float | None = None

    @hookimpl
    def step_ended(self, step: int) -> None:
        if step % self.block:
            return
        now = _now()
        if self.mark is not None:
            self.seconds["ganzoo"].append((now - self.mark) / self.block)
        for name, rival in self.rivals.items():
            began = _now()
            for _ in range(self.block):
                rival.step()
            self.seconds[name].append((_now() - began) / self.block)
        self.mark = _now()


def _now() -> float:
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()
    return time.perf_counter()


def silent_plugins() -> Plugins:
    """Return the installed plugins without the progress display."""
    plugins = Plugins()
    plugins.load_entry_points()
    for name, plugin in plugins.manager.list_name_plugin():
        if "'console'" in name:
            plugins.manager.unregister(plugin)
    return plugins


def measure(
    rivals: dict[str, Bare], steps: int, block: int = 1, **values: object
) -> dict[str, list[float]]:
    """Return seconds per step of ganzoo's loop on a recipe of ``values``, and of ``rivals``."""
    watch = Alternate(rivals, block)
    plugins = silent_plugins()
    plugins.manager.register(watch)

    class Register:
        @hookimpl
        def register_datasets(self, register) -> None:
            register("resident", Resident)

    plugins.add(Register, Origin("speed", "speed", "0"))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "speed.yaml"
        text = RECIPE.format(**{"width": 64, "log": 50, "count": 256} | values, steps=steps)
        file.write_text(text)
        start(load_recipe(file, registry=plugins.registry), Path(folder) / "run", plugins)
    return watch.seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--precision", default="fp32", choices=["fp32", "bf16"])
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--width", type=int, default=64)
    options = parser.parse_args()
    size, batch, precision = options.size, options.batch, options.precision
    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    device = found.type if found else "cpu"
    how = {"count": 256, "width": options.width, "device": device}
    rivals = {"bare": Bare(size, batch, precision, **how)}
    if precision == "bf16":
        rivals["bare fp32"] = Bare(size, batch, "fp32", **how)
    block = 1 if device == "cpu" else 20
    values = {"size": size, "batch": batch, "precision": precision, "width": options.width}
    seconds = measure(rivals, (options.steps + 3) * block, block, **values)
    kept = {name: values[2:] for name, values in seconds.items()}
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
