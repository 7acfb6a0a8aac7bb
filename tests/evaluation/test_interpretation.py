"""What a model's scores mean, beside those of real images and of spoilt ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ganzoo.evaluation.interpretation import ROWS, explain, references
from ganzoo.evaluation.result import Score, read_entry
from ganzoo.plugins.shipped import shipped_folder

ARCHIVE = shipped_folder("benchmarks") / "archive" / "v1" / "entries"


@pytest.fixture
def entry():
    return read_entry(ARCHIVE / "avatars-64" / "avatars-64.json")


def test_scores_stand_beside_those_of_real_images(entry):
    rows = references(entry, [ARCHIVE])
    assert list(rows) == list(ROWS)
    head, *lines = explain(entry, rows)
    assert head.split() == ["this", "model", "real", "blurred", "noise"]
    table = {line.split()[0]: line for line in lines if line.startswith("  ")}
    assert table.keys() == entry.scores.keys()
    assert table["kid-efflite0"].split()[-3:] == ["-0.00015", "1.68", "2.38"]
    assert "1.17*" in table["diversity-efflite0"]  # blurred images are further apart
    assert table["precision-efflite0"].split()[-2:] == ["0*", "0*"]  # no worse than the model
    assert "*" not in table["color-overlap"]
    assert max(map(len, (head, *lines))) <= 80
    assert "by kid-efflite0, which ranks" in lines[-2]
    assert "24% of the way from real images to noise; blurred ones are at 71%" in lines[-1]


def test_rows_of_another_protocol_mean_nothing(entry):
    other = replace(entry, protocol="0" * 16)
    assert references(other, [ARCHIVE]) == {}
    assert next(explain(other, {})).startswith("  kid-efflite0             0.569 ± ")


def test_own_rows_come_before_those_that_were_shipped(entry, tmp_path: Path):
    (tmp_path / "avatars-64").mkdir()
    text = (ARCHIVE / "avatars-64" / "noise.json").read_text()
    (tmp_path / "avatars-64" / "noise.json").write_text(text)
    rows = references(entry, [tmp_path])
    assert list(rows) == ["noise"]
    assert not any("which ranks" in line for line in explain(entry, rows))


def test_a_model_as_good_as_real_images_is_at_0_percent(entry):
    rows = references(entry, [ARCHIVE])
    real = rows["held-out"].scores["kid-efflite0"]
    best = replace(entry, scores={"kid-efflite0": replace(real, value=real.value)})
    *_, note, _, last = explain(best, rows)
    assert last.startswith("0% of the way")
    assert "*" not in note
    worse = Score(9.0, 8.0, 10.0, False, real.protocol)
    lines = list(explain(replace(entry, scores={"kid-efflite0": worse}), rows))
    assert lines[1].count("*") == 2  # blurred images and noise are better
