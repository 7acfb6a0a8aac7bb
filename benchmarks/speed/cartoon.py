"""How much one generator forward, frozen networks and bf16 speed up CartoonGAN's training.

The rival is the loop that ports of CartoonGAN share, written here from its description: the
generator runs twice a step, D's loss is propagated into it, and neither D nor VGG19 is frozen while
the generator learns.  Both train the same weights on the same images, step by step in turn in one
process; first for some steps with their losses compared, then with the clock running.  VGG19 has
random weights, which are as slow as trained ones.

    python benchmarks/speed/cartoon.py [--size 128] [--batch 1] [--steps 12]
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor
from torchvision.models import vgg19

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
dataset: {{use: resident, size: {size}}}
generator: {{use: cartoongan}}
discriminator: {{use: cartoongan-patch}}
optimizer: {{use: adam, lr: 2e-4, betas: [0.5, 0.999], fused: {fused}}}
extractors: {{vgg: {{use: vgg19, layers: [conv4_4], weights: {vgg}}}}}
stages: [{{name: cartoonize, steps: {steps},
  discriminator: [{{use: lsgan}}, {{use: edge-promoting}}],
  generator: [{{use: lsgan}}, {{use: content, weight: 10, extractor: vgg}}]}}]
log: {{every: {log}}}
samples: {{every: 1000000, count: 1}}
checkpoint: {{every: 1000000}}
"""
WARM_UP = 2
COMPARED = 4


class Resident(Dataset):
    """Random images in memory.

    Args:
        size: Side in pixels.
    """

    fields = {"photo": "image", "real": "image", "smooth": "image"}  # noqa: RUF012
    latest: Mapping[str, Tensor]

    def __init__(self, size: int = 128):
        self.size = size
        rng = torch.Generator().manual_seed(0)
        self.images = torch.rand(3, 64, 3, size, size, generator=rng) * 2 - 1

    def __len__(self):
        return self.images.shape[1]

    def __getitems__(self, indices):
        Resident.latest = {
            word: images[indices] for word, images in zip(self.fields, self.images, strict=True)
        }
        return Resident.latest

    def fingerprint(self):
        return "resident"


class Classic:
    """The ports' loop, with the same objective, from the same weights."""

    def __init__(self, g, d, vgg):
        self.g, self.d, self.vgg = (copy.deepcopy(net) for net in (g, d, vgg))
        for net in (self.g, self.d, self.vgg):
            net.__dict__.pop("forward", None)  # accelerate's, in the precision of ganzoo's run
        for parameter in self.vgg.parameters():
            parameter.requires_grad_(True)
        options = {"lr": 2e-4, "betas": (0.5, 0.999)}
        self.opt_g = torch.optim.Adam(self.g.parameters(), **options)
        self.opt_d = torch.optim.Adam(self.d.parameters(), **options)

    def step(self, photo: Tensor, real: Tensor, smooth: Tensor) -> dict[str, Tensor]:
        self.opt_d.zero_grad()
        adversarial = (self.d(real) - 1).square().mean() + self.d(self.g(photo)).square().mean()
        edges = self.d(smooth).square().mean()
        (adversarial + edges).backward()
        self.opt_d.step()

        self.opt_g.zero_grad()
        fake = self.g(photo)
        fooled = (self.d(fake) - 1).square().mean()
        content = (self.vgg(fake)["conv4_4"] - self.vgg(photo)["conv4_4"]).abs().mean()
        (fooled + 10 * content).backward()
        self.opt_g.step()
        return {
            "discriminator/lsgan": adversarial,
            "discriminator/edge-promoting": edges,
            "generator/lsgan": fooled,
            "generator/content": content,
        }


class Alternate:
    """An observer that runs a step of the classic loop after each of ganzoo's, and times both."""

    def __init__(self):
        self.seconds: dict[str, list[float]] = {"ganzoo": [], "classic": []}
        self.losses: list[dict[str, float]] = []
        self.mark: float | None = None

    @hookimpl
    def run_started(self, run) -> None:
        networks = (run.parts.networks["generator"].bare, run.parts.networks["discriminator"].bare)
        self.classic = Classic(*networks, run.parts.extractors["vgg"])

    @hookimpl
    def step_ended(self, step: int) -> None:
        if self.mark is not None:
            self.seconds["ganzoo"].append(time.perf_counter() - self.mark)
        began = time.perf_counter()
        losses = self.classic.step(**Resident.latest)
        self.seconds["classic"].append(time.perf_counter() - began)
        self.losses.append({name: float(value.detach()) for name, value in losses.items()})
        self.mark = time.perf_counter()


def run(folder: Path, watch: Alternate, **values) -> list[dict[str, float]]:
    """Train with the observer ``watch``; return ganzoo's rows of metrics."""
    os.environ["GANZOO_PLUGINS"] = "adversarial,cartoongan,features,portrait"  # without the console
    plugins = Plugins()
    plugins.load_entry_points()
    plugins.manager.register(watch)

    class Register:
        @hookimpl
        def register_datasets(self, register) -> None:
            register("resident", Resident)

    plugins.add(Register, Origin("speed", "speed", "0"))
    folder.mkdir()
    file = folder / "speed.yaml"
    file.write_text(RECIPE.format(**values))
    start(load_recipe(file, registry=plugins.registry), folder / "run", plugins)
    return [json.loads(line) for line in (folder / "run" / "metrics.jsonl").open()]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--steps", type=int, default=12)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        vgg = Path(folder) / "vgg19.safetensors"
        torch.manual_seed(0)
        save_file(vgg19(weights=None).features.state_dict(), vgg)
        common = {"size": options.size, "batch": options.batch, "vgg": vgg}

        watch = Alternate()
        same = common | {"precision": "fp32", "fused": "false", "steps": COMPARED, "log": 1}
        rows = run(Path(folder) / "same", watch, **same)
        for name in watch.losses[0]:
            ours, theirs = ([row[name] for row in them] for them in (rows, watch.losses))
            apart = max(abs(a - b) / abs(b) for a, b in zip(ours, theirs, strict=True))
            print(f"{name:30} {COMPARED} steps, at most {apart:.1e} apart, as shares")

        for precision, fused in (("fp32", "false"), ("bf16", "true")):
            watch = Alternate()
            values = common | {"precision": precision, "fused": fused, "log": 1000000}
            steps = options.steps + WARM_UP + 1
            run(Path(folder) / precision, watch, **values, steps=steps)
            ours = watch.seconds["ganzoo"][WARM_UP:-1]  # the last step is logged
            theirs = watch.seconds["classic"][WARM_UP + 1 :]
            ratios = [b / a for a, b in zip(ours, theirs, strict=False)]
            low, middle, high = statistics.quantiles(ratios, n=4)
            print(
                f"{options.size} px, batch {options.batch}, {precision}, "
                f"{torch.get_num_threads()} threads: classic {1000 * statistics.median(theirs):.0f}"
                f" ms a step, ganzoo {1000 * statistics.median(ours):.0f}; {middle:.2f} times "
                f"faster [quartiles {low:.2f} .. {high:.2f}]"
            )


if __name__ == "__main__":
    main()
