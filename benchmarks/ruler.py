"""How a benchmark's scores order images whose quality is known, at 128 px and at 224 px.

Rows are the reference rows, and models with and without grain; few images suffice:

    python benchmarks/ruler.py avatars-64 pretrained/avatars-64
    python benchmarks/ruler.py anime-faces-64 --set dataset.path=FOLDER

``--lengths`` prints the mean length of each row's feature vectors instead, and the kid of features
scaled to one length: kid's kernel grows with the cube of the product of two lengths.
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
from ganzoo.interfaces import GROUPS
from ganzoo.models.samples import from_uint8, to_uint8
from ganzoo.plugins.manager import installed
from ganzoo.recipe.benchmark import load_benchmark
from ganzoo_metrics.kernel import KernelDistance


class Grainy(ImageSource):
    """The images of another source under grain."""

    def __init__(self, source: ImageSource):
        self.source, self.kind, self.key = source, source.kind, f"grainy {source.key}"

    def labels(self, start: int, stop: int) -> dict[str, Tensor]:
        return self.source.labels(start, stop)

    def draw(self, start: int, stop: int) -> Tensor:
        return to_uint8(add_grain(from_uint8(self.source.draw(start, stop)), 0, start))


def open_rows(
    name: str, size: int, models: list[Path], count: int, overrides: list[str]
) -> tuple[Protocol, dict[str, ImageSource]]:
    """Open a benchmark whose features are of images of ``size`` pixels, and every row's images."""
    few = [f"reference={count}", f"fakes={count}", f"extractors.features.size={size}"]
    registry = installed().registry
    benchmark = load_benchmark(name, [*few, *overrides], registry)
    protocol = Protocol(benchmark, registry, torch.device("cpu"), with_optional=False)
    sources = {row: reference_row(row, protocol)[0] for row in reference_rows(protocol)}
    for path in models:
        source, candidate = open_candidate(path, protocol, registry)
        sources |= {candidate.name: source, f"{candidate.name} + grain": Grainy(source)}
    return protocol, sources


def scores(protocol: Protocol, sources: dict[str, ImageSource]) -> dict[str, dict[str, float]]:
    """Measure every row."""
    rows = {}
    for row, source in sources.items():
        with tempfile.TemporaryDirectory() as folder:
            found = measure(protocol, source, Path(folder), quiet=True).scores
        rows[row] = {score: estimate.value for score, estimate in found.items()}
    return rows


def lengths(protocol: Protocol, sources: dict[str, ImageSource]) -> dict[str, dict[str, float]]:
    """Measure the length of every row's features, and kid without what lengths add to it."""

    def features(images: Tensor) -> Tensor:
        return protocol.features("features", images, 4)["features"].double()

    def kid(reals: Tensor, fakes: Tensor) -> float:
        distance = KernelDistance()
        distance.real({"features": reals})
        distance.fake({"features": fakes}, torch.arange(len(fakes)) % GROUPS)
        return distance.compute()["kid"]

    def to_one_length(vectors: Tensor) -> Tensor:
        return vectors / vectors.norm(dim=1, keepdim=True) * vectors.shape[1] ** 0.5

    reals = features(protocol.examples(protocol.reference)["real"])
    rows = {}
    for row, source in sources.items():
        fakes = features(from_uint8(source.draw(0, protocol.benchmark.fakes)))
        rows[row] = {
            "length": fakes.norm(dim=1).mean().item(),
            "kid": kid(reals, fakes),
            "kid of one length": kid(to_one_length(reals), to_one_length(fakes)),
        }
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("benchmark")
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("-n", type=int, default=100, help="images of each kind")
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    parser.add_argument("--sizes", type=int, nargs="+", default=[128, 224])
    parser.add_argument("--lengths", action="store_true", help="lengths of features, not scores")
    options = parser.parse_intermixed_args()
    measured = lengths if options.lengths else scores
    tables = {}
    for size in options.sizes:
        rows = open_rows(options.benchmark, size, options.models, options.n, options.overrides)
        tables[size] = measured(*rows)
    newest = tables[options.sizes[-1]]
    columns = list(next(iter(newest.values())))
    everywhere = columns if options.lengths else [name for name in columns if "kid" in name]
    cells = [(size, name) for name in everywhere for size in tables]
    cells += [(options.sizes[-1], name) for name in columns if name not in everywhere]
    titles = [f"{name} at {size} px" if name in everywhere else name for size, name in cells]
    print(f"| {options.benchmark} | {' | '.join(titles)} |")
    print(f"| :-- |{' --: |' * len(cells)}")
    for row in sorted(newest, key=lambda row: newest[row][everywhere[-1]]):
        values = (tables[size][row].get(name, float("nan")) for size, name in cells)
        print(f"| {row} | {' | '.join(f'{value:.3f}' for value in values)} |")


if __name__ == "__main__":
    main()
