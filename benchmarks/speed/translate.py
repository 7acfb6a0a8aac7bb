"""How much bf16 and OpenVINO speed up translating photos, and how far their pictures are off.

All run in turn in one process, so that a machine whose speed drifts slows all alike: each round
gives one ratio to eager fp32, the unchanged generator called by PyTorch.  Prints medians [min ..
max] and the differences from fp32 in levels of 255.

    python benchmarks/speed/translate.py [--model FOLDER] [--photo FILE] [--size 256] [--rounds 9]

Without a model it is a full-size CartoonGAN with random weights, whose differences mean little.
With a size of more than 512 pixels, tiles are compared with the whole picture too.
"""

from __future__ import annotations

import argparse
import statistics
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ganzoo.models import model
from ganzoo.models.samples import to_uint8
from ganzoo.models.translate import TILE, Translator
from ganzoo.plugins.manager import installed
from ganzoo.plugins.registry import construct


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path)
    parser.add_argument("--photo", type=Path)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    generator = network(options.model)
    pixels = picture(options.photo, options.size)
    runs = {"eager fp32": lambda: eager(generator, pixels)} | translators(generator, pixels)
    made, seconds = {}, {name: [] for name in runs}
    for turn in range(options.rounds + 1):  # the first does not count
        for name, run in runs.items():
            wall, cpu = time.perf_counter(), time.process_time()
            made[name] = run().astype(int)
            spent = (time.perf_counter() - wall, time.process_time() - cpu)
            if turn:
                seconds[name].append(spent)
    print(f"{options.size} px, batch 1, {torch.get_num_threads()} threads, {options.rounds} rounds")
    print(
        "                        times as fast: wall            CPU time      levels off: mean, max"
    )
    for name in runs:
        off = np.abs(made[name] - made["eager fp32"])
        ratios = [ratio(seconds["eager fp32"], seconds[name], clock) for clock in (0, 1)]
        print(f"{name:20} {ratios[0]:>24} {ratios[1]:>24}    {off.mean():6.2f} {off.max():4}")


def ratio(slow: list, fast: list, clock: int) -> str:
    values = [s[clock] / f[clock] for s, f in zip(slow, fast, strict=True)]
    return f"{statistics.median(values):.2f} [{min(values):.2f} .. {max(values):.2f}]"


def network(path: Path | None) -> torch.nn.Module:
    registry = installed().registry
    if path:
        return model.load(path, registry).generator
    torch.manual_seed(0)
    return construct(registry, "generator", "cartoongan", {}).eval().requires_grad_(False)


def picture(path: Path | None, size: int) -> np.ndarray:
    if path:
        return np.asarray(Image.open(path).convert("RGB").resize((size, size)))
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (size // 16, size // 16, 3), np.uint8))
    return np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC))


@torch.inference_mode()
def eager(generator: torch.nn.Module, pixels: np.ndarray) -> np.ndarray:
    photo = torch.tensor(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1
    return to_uint8(generator(photo))[0].permute(1, 2, 0).numpy()


def translators(generator: torch.nn.Module, pixels: np.ndarray) -> dict:
    cpu, whole = torch.device("cpu"), max(TILE, *pixels.shape[:2])
    made = {
        f"torch {precision}": Translator(generator, cpu, precision, whole)
        for precision in ("fp32", "bf16")
    }
    if find_spec("openvino"):
        from ganzoo.models.openvino import compiler

        for precision in ("fp32", "bf16"):
            compile = compiler(precision)
            name = f"openvino {precision}"
            made[name] = Translator(generator, cpu, precision, whole, compile)
    if whole > TILE:
        made["torch fp32, tiles"] = Translator(generator, cpu)
        made["torch bf16, tiles"] = Translator(generator, cpu, "bf16")
    return {name: lambda t=t: t(pixels) for name, t in made.items()}


if __name__ == "__main__":
    main()
