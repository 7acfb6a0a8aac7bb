"""How a benchmark's scores order images whose quality is known, at 128 px and at 224 px.

Rows are the reference rows, and models with and without grain; few images suffice:

    python benchmarks/ruler.py avatars-64 pretrained/avatars-64
    python benchmarks/ruler.py anime-faces-64 --set dataset.path=FOLDER
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import torch
from torch import Tensor

from ganzoo.evaluation.image_sources import ImageSource, add_grain, reference_rows
from ganzoo.evaluation.measure import measure
from ganzoo.evaluation.protocol import Protocol
from ganzoo.evaluation.submission import open_candidate, reference_row
from ganzoo.models.samples import from_uint8, to_uint8
from ganzoo.plugins.manager import installed
from ganzoo.recipe.benchmark import load_benchmark


class Grainy(ImageSource):
    """The images of another source under grain."""

    def __init__(self, source: ImageSource):
        self.source, self.kind, self.key = source, source.kind, f"grainy {source.key}"

    def labels(self, start: int, stop: int) -> dict[str, Tensor]:
        return self.source.labels(start, stop)

    def draw(self, start: int, stop: int) -> Tensor:
        return to_uint8(add_grain(from_uint8(self.source.draw(start, stop)), 0, start))


def scores(
    name: str, size: int, models: list[Path], count: int, overrides: list[str]
) -> dict[str, dict[str, float]]:
    """Measure every row on features of images of ``size`` pixels."""
    few = [f"reference={count}", f"fakes={count}", f"extractors.features.size={size}"]
    registry = installed().registry
    benchmark = load_benchmark(name, [*few, *overrides], registry)
    protocol = Protocol(benchmark, registry, torch.device("cpu"), with_optional=False)
    sources = {row: reference_row(row, protocol)[0] for row in reference_rows(protocol)}
    for path in models:
        source, candidate = open_candidate(path, protocol, registry)
        sources |= {candidate.name: source, f"{candidate.name} + grain": Grainy(source)}
    rows = {}
    for row, source in sources.items():
        with tempfile.TemporaryDirectory() as folder:
            found = measure(protocol, source, Path(folder), quiet=True).scores
        rows[row] = {score: estimate.value for score, estimate in found.items()}
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("benchmark")
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("-n", type=int, default=100, help="images of each kind")
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    parser.add_argument("--sizes", type=int, nargs="+", default=[128, 224])
    options = parser.parse_intermixed_args()
    tables = {
        size: scores(options.benchmark, size, options.models, options.n, options.overrides)
        for size in options.sizes
    }
    kids = [f"kid at {size} px" for size in tables]
    newest = tables[options.sizes[-1]]
    others = [score for score in next(iter(newest.values())) if not score.startswith("kid")]
    print(f"| {options.benchmark} | {' | '.join([*kids, *others])} |")
    print(f"| :-- |{' --: |' * (len(kids) + len(others))}")
    for row in sorted(newest, key=lambda row: newest[row]["kid-efflite0"]):
        values = [table[row]["kid-efflite0"] for table in tables.values()]
        values += [newest[row].get(score, float("nan")) for score in others]
        print(f"| {row} | {' | '.join(f'{value:.3f}' for value in values)} |")


if __name__ == "__main__":
    main()
