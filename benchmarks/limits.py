"""Whom does a photo-to-drawing model draw badly?  Its scores on heads, by who is in the photo.

    python benchmarks/limits.py ganzoo/photo-avatar

The heads are those of the benchmark `heads-128`, which no recipe trains on; the drawings that an
artist would make of them are known.  An interval is 95 %, from the jackknife over ten groups.  Read
a row against the row `all`: `landmark-error` says whether eyes, mouth and jaw are where they should
be, `ssim` whether light and dark are, `pixels` whether the colours are.
"""

from __future__ import annotations

import argparse

import torch
from torch import Tensor

import ganzoo
from ganzoo.evaluation.examples import collate
from ganzoo.evaluation.jackknife import Estimate, Jackknife
from ganzoo.interfaces import GROUPS
from ganzoo.plugins.manager import installed
from ganzoo.plugins.registry import construct
from ganzoo_heads.attributes import VALUES

REGISTRY = installed().registry
HEADS = {"style": "anime", "count": 1000, "size": 128, "seed": 10_000}
ATTRIBUTES = ("skin", "age", "sex", "hair", "cut", "glasses", "beard", "facing", "tilt", "exposure")
EVALUATORS = ("landmark-truth", "ssim", "pixels")
#: fewer heads say nothing
FEWEST = 20


def scores(fakes: Tensor, words: dict[str, Tensor], rows: Tensor) -> dict[str, Estimate]:
    """Score the fakes (N, 3, H, W) of some rows against their twins."""
    group = torch.arange(len(rows)) % GROUPS
    known = {word: value[rows] for word, value in words.items()} | {
        "fake": fakes[rows],
        "group": group,
    }
    result: dict[str, Estimate] = {}
    for name in EVALUATORS:
        jackknife = Jackknife(lambda name=name: construct(REGISTRY, "evaluator", name, {}))
        wanted = ["real_landmarks"] if name == "landmark-truth" else ["real"]
        jackknife.feed("pair", {word: known[word] for word in (*wanted, "fake", "group")}, group)
        result |= jackknife.compute()
    return result


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", help="a run, a model folder, or a model in the box")
    parser.add_argument(
        "-n", type=int, default=1000, help="of the thousand heads, the first so many"
    )
    options = parser.parse_args()
    model = ganzoo.load(options.model)
    heads = construct(REGISTRY, "dataset", "heads", HEADS)
    parts = []
    fakes = []
    for start in range(0, options.n, 20):
        batch = collate(heads, list(range(start, min(start + 20, options.n))))
        with torch.inference_mode():
            fakes.append(model.generator(batch["photo"]))
        parts.append({word: batch[word] for word in ("real", "real_landmarks")})
    words = {word: torch.cat([part[word] for part in parts]) for word in parts[0]}
    drawn = torch.cat(fakes)
    rows = {"all": torch.arange(options.n)}
    for name in ATTRIBUTES:
        values = heads.attributes()[name][: options.n]
        for value in VALUES[name]:
            chosen = torch.tensor([i for i, other in enumerate(values) if other == value])
            if len(chosen) >= FEWEST:
                rows[f"{name} {value}"] = chosen
    print("| heads | n | landmark-error | ssim | pixels |")
    print("| :-- | --: | --: | --: | --: |")
    for row, chosen in rows.items():
        cells = [
            f"{each.value:.3f} ± {each.high - each.value:.3f}"
            for each in scores(drawn, words, chosen).values()
        ]
        print(f"| {row} | {len(chosen)} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
