"""Findings: each trouble is called by its name, and only that, and only when it lasts."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from ganzoo.training.batch_statistics import image_statistics, ranking, spread
from ganzoo.training.diagnosis import PATIENCE, WARM_UP, findings

HEALTHY = {
    "D/ranking": 0.8,
    "D/ranking@photo_critic": 0.7,
    "G/diversity": 0.9,
    "G/std": 0.4,
    "G/saturation": 0.1,
    "G/identity": 0.2,
    "share/hinge": 0.7,
    "share/color": 0.3,
}
TROUBLES = [
    ("D_WON", "", "D/ranking", 0.999),
    ("D_WON", "photo_critic", "D/ranking@photo_critic", 1.0),
    ("COLLAPSE", "", "G/diversity", 0.2),
    ("CONSTANT_OUTPUT", "", "G/std", 0.001),
    ("SATURATED", "", "G/saturation", 0.97),
    ("G_IDENTITY", "", "G/identity", 0.004),
    ("DEAD_TERM", "color", "share/color", 0.0001),
]


def rows(*changes: dict[str, Any]) -> list[dict[str, Any]]:
    """Healthy rows with changes, after the steps that prove nothing."""
    return [
        {"step": WARM_UP + 10 * (i + 1), "stage": "s", **HEALTHY, **change}
        for i, change in enumerate(changes)
    ]


def test_healthy_rows_have_none():
    assert findings([]) == []
    assert findings(rows(*[{}] * 30)) == []


@pytest.mark.parametrize(("name", "subject", "metric", "value"), TROUBLES)
def test_each_trouble_has_its_name(name: str, subject: str, metric: str, value: float):
    bad = [{metric: value}] * PATIENCE
    (finding,) = findings(rows({}, {}, *bad))
    assert (finding.name, finding.subject) == (name, subject)
    assert finding.step == WARM_UP + 30
    assert finding.value == value
    text = str(finding)
    assert text.startswith(f"{name}({subject})" if subject else name)
    assert f"since step {WARM_UP + 30}" in text
    assert f"threshold {finding.threshold:g}" in text
    assert finding.as_dict()["remedy"] in text


@pytest.mark.parametrize(("name", "subject", "metric", "value"), TROUBLES)
def test_a_trouble_must_last_to_the_end(name: str, subject: str, metric: str, value: float):
    bad = [{metric: value}]
    assert findings(rows({}, *bad * (PATIENCE - 1))) == []
    assert findings(rows(*bad * PATIENCE, {})) == []
    assert findings(rows(*bad * (PATIENCE - 1), {}, *bad * (PATIENCE - 1))) == []


def test_what_an_earlier_stage_measured_is_past():
    early = rows(*[{"D/ranking": 1.0}] * PATIENCE)
    late = {"step": early[-1]["step"] + 10, "stage": "other", "G/std": 0.4}
    assert [finding.name for finding in findings(early)] == ["D_WON"]
    assert findings([*early, late]) == []


def test_the_first_steps_prove_nothing():
    early = [{"step": step + 1, "G/std": 0.0} for step in range(WARM_UP)]
    assert findings(early) == []


def test_ranking_counts_pairs():
    real, fake = torch.tensor([2.0, 0.0]), torch.tensor([1.0, 0.0])
    found = ranking(real, fake)  # of 4 pairs, 2 are right, 1 is wrong, 1 is a tie
    assert float(found["D/ranking"]) == pytest.approx(2.5 / 4)
    assert (float(found["D/real"]), float(found["D/fake"])) == (1.0, 0.5)
    assert float(ranking(real[:, None, None].expand(2, 3, 3), fake)["D/ranking"]) == 2.5 / 4


def test_image_statistics_by_hand():
    fake = torch.stack([torch.full((3, 16, 16), v) for v in (-1.0, 1.0)])
    real = torch.stack([torch.full((3, 16, 16), v) for v in (-0.25, 0.25)])
    found = image_statistics(fake, real, fake + 0.5)
    assert float(found["G/saturation"]) == 1.0
    assert float(found["G/std"]) == pytest.approx(2**0.5)
    assert float(found["G/diversity"]) == pytest.approx(4.0)
    assert float(found["G/identity"]) == pytest.approx(0.5)
    assert float(spread(fake)) == pytest.approx((4 * 3 * 256) ** 0.5)
    assert set(image_statistics(fake[:1])) == {"G/saturation"}
    assert "G/identity" not in image_statistics(fake, None, real[..., :8])


def test_rows_of_scores_neither_hide_nor_count():
    name, _, metric, value = TROUBLES[0]
    bad = rows(*[{metric: value}] * PATIENCE)
    scores = [{"step": row["step"], "protocol": "x", "score/kid": 1.0} for row in bad]
    mixed = [row for pair in zip(bad, scores, strict=True) for row in pair]
    assert [finding.name for finding in findings(mixed)] == [name]
    assert findings(mixed[2:]) == []
    assert findings(scores) == []
