"""Train the network of ``attributes.py``: ``python -m ganzoo_avatars.attribute_training``.

It learns from avatars of all styles, most of them turned and moved as figurines are, and is tested
on others.  Drawing and training take about four minutes on one core.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import affine_grid, avg_pool2d, cross_entropy, grid_sample, interpolate

from ganzoo.progress import progress
from ganzoo.text import say
from ganzoo_avatars import render
from ganzoo_avatars.attributes import FACTS, VALUES, WEIGHTS, AttributeNet, read
from ganzoo_avatars.drawing import draw
from ganzoo_avatars.styles import LOOKS, STYLES
from ganzoo_avatars.trained import write

#: pixels of the drawings, which are larger than what the network sees
SIZE = 64
STEPS, BATCH, RATE = 3000, 64, 2e-3
#: seeds of the avatars to learn from and of those to test on; benchmarks use others
LEARN, TEST = 9001, 9002
#: share of the training images that are moved, and that are blurred as a weak generator's are
MOVED, BLURRED = 0.7, 0.3

Examples = tuple[Tensor, dict[str, Tensor]]


def examples(style: str, count: int, seed: int) -> Examples:
    """Draw avatars: uint8 (N, 3, SIZE, SIZE), and the index of each attribute's value."""
    look = LOOKS[style]
    values = look.values(render.definition(style))
    pictures = np.stack(list(draw(render.AVATARS, style, count, SIZE, seed)))
    choices = [render.choose(look, values, seed, i) for i in range(count)]
    answers = {
        name: torch.tensor([options.index(one[name]) for one in choices])
        for name, options in VALUES.items()
    }
    return torch.from_numpy(pictures), answers


def joined(parts: list[Examples]) -> Examples:
    """Join examples into one set."""
    images = torch.cat([images for images, _ in parts])
    return images, {name: torch.cat([answers[name] for _, answers in parts]) for name in VALUES}


def varied(images: Tensor, rng: torch.Generator) -> Tensor:
    """Turn, scale, move and blur some of (N, 3, H, W), as figurines and weak generators do."""
    n = len(images)
    draw = torch.rand(n, 5, generator=rng)
    moves = (draw[:, 0] < MOVED).float()
    angle = (draw[:, 1] - 0.5) * 0.42 * moves
    scale = 1 + (draw[:, 2] - 0.5) * 0.24 * moves
    shift = (draw[:, 3:5] - 0.5) * 0.24 * moves[:, None]
    turn = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], 1).reshape(n, 2, 2)
    grid = affine_grid(
        torch.cat([turn * scale[:, None, None], shift[..., None]], 2), list(images.shape), False
    )
    images = grid_sample(images, grid, padding_mode="border", align_corners=False)
    soft = interpolate(avg_pool2d(images, 4), images.shape[2:], mode="bilinear")
    some = torch.rand(n, 1, 1, 1, generator=rng) < BLURRED
    return torch.where(some, soft, images)


def fit(data: Examples, steps: int = STEPS) -> AttributeNet:
    """Train a network from a fixed seed."""
    torch.manual_seed(0)
    rng = torch.Generator().manual_seed(0)
    network = AttributeNet()
    images, answers = data
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, steps)
    with progress("Training the classifier", steps, "steps") as advance:
        for _ in range(steps):
            rows = torch.randint(len(images), (BATCH,), generator=rng)
            logits = network(varied(images[rows].float() / 127.5 - 1, rng))
            loss = sum(cross_entropy(logits[name], answers[name][rows]) for name in VALUES)
            optimizer.zero_grad()
            torch.as_tensor(loss).backward()
            optimizer.step()
            schedule.step()
            advance(1)
    return network.eval()


def confusion(network: AttributeNet, data: Examples) -> dict[str, Tensor]:
    """Count, by attribute, true values (rows) that were read as values (columns)."""
    images, answers = data
    tables: dict[str, Tensor] = {}
    readings = [read(network, part.float() / 127.5 - 1) for part in images.split(256)]
    for name, values in VALUES.items():
        index = answers[name] * len(values) + torch.cat([part[name] for part in readings])
        counts = torch.bincount(index, minlength=len(values) ** 2)
        tables[name] = counts.reshape(len(values), len(values))
    return tables


def accuracy(tables: Mapping[str, Tensor]) -> dict[str, float]:
    """Return the share of right answers by attribute."""
    return {
        name: round((counts.diagonal().sum() / counts.sum()).item(), 4)
        for name, counts in tables.items()
    }


def main() -> None:
    """Train, test, and write the weights and the facts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, metavar="DIR")
    parser.add_argument("--count", type=int, default=1600, metavar="N", help="avatars per style")
    parser.add_argument("--steps", type=int, default=STEPS, metavar="N")
    options = parser.parse_args()
    network = fit(
        joined([examples(style, options.count, LEARN) for style in STYLES]), options.steps
    )
    tests = {style: examples(style, options.count // 4, TEST) for style in STYLES}
    by_style = {style: accuracy(confusion(network, data)) for style, data in tests.items()}
    whole = confusion(network, joined(list(tests.values())))
    about: dict[str, Any] = {
        "data": {"learnt from": [LEARN, options.count], "tested on": [TEST, options.count // 4]},
        "accuracy": accuracy(whole),
        "by style": by_style,
        "values": {name: list(values) for name, values in VALUES.items()},
        "confusion": {name: counts.tolist() for name, counts in whole.items()},
        "attribution": [render.attribution(style) for style in STYLES],
    }
    say(write(network, options.out, WEIGHTS, FACTS, about))
    for style, right in by_style.items():
        say(f"  {style:12} {right}")
    say(f"  {'all':12} {about['accuracy']}")


if __name__ == "__main__":
    main()
