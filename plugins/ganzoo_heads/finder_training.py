"""Train the network of ``finder.py``: ``python -m ganzoo_heads.finder_training``.

It learns from drawn heads (anime, ink) and from photos, most of them turned, moved and blurred,
and is tested on others.  Drawing and training take about eight minutes on one core.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import affine_grid, avg_pool2d, grid_sample, interpolate

from ganzoo.progress import progress
from ganzoo.text import say
from ganzoo_avatars.drawing import draw_labelled
from ganzoo_avatars.trained import write
from ganzoo_heads import makers
from ganzoo_heads.finder import FACTS, SIDE, WEIGHTS, LandmarkNet, error
from ganzoo_heads.framing import OTHER_SIDE

#: pixels of the pictures
SIZE = 64
STEPS, BATCH, RATE = 1600, 32, 3e-3
#: seeds of the heads to learn from and of those to test on; benchmarks use others
LEARN, TEST = 9001, 9002
#: heads of each kind to learn from, as shares of those of the first
KINDS = {"anime": 1.0, "ink": 0.4, "photo": 0.35}
#: share of the training images that are moved, and that are blurred as a weak generator's are
MOVED, BLURRED = 0.8, 0.3
#: parts of a face, and their landmarks
PARTS = {
    "jaw": slice(0, 17),
    "brows": slice(17, 27),
    "nose": slice(27, 36),
    "eyes": slice(36, 48),
    "mouth": slice(48, 68),
}
Examples = tuple[Tensor, Tensor]


def examples(kind: str, count: int, seed: int) -> Examples:
    """Make heads: uint8 (N, 3, SIZE, SIZE), and their landmarks (N, 68, 2)."""
    maker, style = ("Photos", "anime") if kind == "photo" else ("Drawings", kind)
    style += " dyed beards glasses"
    with progress(f"Making heads: {kind}", count) as advance:
        pictures, rows = [], []
        for picture, row in draw_labelled(f"ganzoo_heads.makers:{maker}", style, count, SIZE, seed):
            pictures.append(picture)
            rows.append(row[: makers.COORDINATES] / makers.FIXED)
            advance(1)
    points = torch.from_numpy(np.stack(rows).astype(np.float32)).reshape(count, -1, 2)
    return torch.from_numpy(np.stack(pictures)), points


def varied(images: Tensor, points: Tensor, rng: torch.Generator) -> Examples:
    """Mirror, turn, scale, move, tint and blur some of (N, 3, H, W), and move their points."""
    n = len(images)
    draw = torch.rand(n, 6, generator=rng)
    mirrored = draw[:, 5] < 0.5
    images = torch.where(mirrored[:, None, None, None], images.flip(3), images)
    other = points[:, OTHER_SIDE] * torch.tensor([-1.0, 1.0])
    points = torch.where(mirrored[:, None, None], other, points)
    moves = (draw[:, 0] < MOVED).float()
    angle = (draw[:, 1] - 0.5) * 0.6 * moves
    scale = 1 + (draw[:, 2] - 0.5) * 0.5 * moves
    shift = (draw[:, 3:5] - 0.5) * 0.4 * moves[:, None]
    turn = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], 1).reshape(n, 2, 2)
    turn = turn * scale[:, None, None]  # from where a pixel is to where it was
    grid = affine_grid(torch.cat([turn, shift[..., None]], 2), list(images.shape), False)
    images = grid_sample(images, grid, padding_mode="border", align_corners=False)
    points = (points - shift[:, None]) @ torch.linalg.inv(turn).transpose(1, 2)
    tint = 1 + 0.25 * (torch.rand(n, 3, 1, 1, generator=rng) - 0.5)
    images = (images * tint + 0.3 * (torch.rand(n, 1, 1, 1, generator=rng) - 0.5)).clamp(-1, 1)
    soft = interpolate(avg_pool2d(images, 2), images.shape[2:], mode="bilinear")
    some = torch.rand(n, 1, 1, 1, generator=rng) < BLURRED
    images = torch.where(some, soft, images)
    grain = torch.rand(n, 1, 1, 1, generator=rng) * 0.1 * (draw[:, 0, None, None, None] > 0.5)
    return images + grain * torch.randn(images.shape, generator=rng), points


def loss(network: LandmarkNet, images: Tensor, points: Tensor) -> Tensor:
    """Return how far off the landmarks are, and how far their maps are from small spots."""
    logits = network.logits(images)
    apart = (logits.softmax(2) @ network.places - points).abs().mean()
    square = (points[:, :, None] - network.places).square().sum(3)
    spots = torch.softmax(-square / (2 * (4 / SIDE) ** 2), 2)
    return 20 * apart - (spots * logits.log_softmax(2)).sum(2).mean()


def fit(data: Examples, steps: int = STEPS) -> LandmarkNet:
    """Train a network from a fixed seed."""
    torch.manual_seed(0)
    rng = torch.Generator().manual_seed(0)
    network = LandmarkNet()
    images, points = data
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, steps)
    with progress("Training the finder", steps, "steps") as advance:
        for _ in range(steps):
            rows = torch.randint(len(images), (BATCH,), generator=rng)
            some = varied(images[rows].float() / 127.5 - 1, points[rows], rng)
            optimizer.zero_grad()
            loss(network, *some).backward()
            optimizer.step()
            schedule.step()
            advance(1)
    return network.eval()


@torch.no_grad()
def errors(network: LandmarkNet, data: Examples) -> dict[str, float]:
    """Return the mean error of all landmarks and of each part, in distances of the eyes."""
    images, truth = data
    points = torch.cat([network(part.float() / 127.5 - 1) for part in images.split(100)])
    values = {"all": error(points, truth).mean()}
    for part, rows in PARTS.items():
        mixed = truth.clone()
        mixed[:, rows] = points[:, rows]
        share = len(range(*rows.indices(len(OTHER_SIDE)))) / len(OTHER_SIDE)
        values[part] = error(mixed, truth).mean() / share
    return {name: round(value.item(), 4) for name, value in values.items()}


def main() -> None:
    """Train, test, and write the weights and the facts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, metavar="DIR")
    parser.add_argument("--count", type=int, default=900, metavar="N", help="drawings in anime")
    parser.add_argument("--steps", type=int, default=STEPS, metavar="N")
    options = parser.parse_args()
    counts = {kind: max(1, round(options.count * share)) for kind, share in KINDS.items()}
    parts = [examples(kind, count, LEARN) for kind, count in counts.items()]
    images, points = (torch.cat([part[i] for part in parts]) for i in (0, 1))
    network = fit((images, points), options.steps)
    tests = {kind: examples(kind, max(1, count // 6), TEST) for kind, count in counts.items()}
    about: dict[str, Any] = {
        "heads": {"version": makers.VERSION, "learnt from": [LEARN, counts], "tested on": TEST},
        "error": {kind: errors(network, test) for kind, test in tests.items()},
    }
    say(write(network, options.out, WEIGHTS, FACTS, about))
    for kind, values in about["error"].items():
        say(f"  {kind:8} {values}")


if __name__ == "__main__":
    main()
