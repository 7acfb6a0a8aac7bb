"""What models, runs and the leaderboard show in a notebook."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import pytest
from pages import Page

import ganzoo
from ganzoo.formats.markdown import html_of
from ganzoo.plugins.shipped import shipped_models

HOSTILE = """---
license: mit
---
# A card

<script>alert(1)</script> <img src=x onerror=alert(1)>
[a link](javascript:alert(1)) ![a picture](http://example.org/track.png)

| a | b |
|---|---|
| 1 | 2 |
"""


def test_markdown_of_others_brings_no_markup_and_fetches_nothing() -> None:
    page = Page(html_of(HOSTILE))
    assert "A card" in page.said
    assert "license" not in page.said
    assert page.all("table")
    assert not (page.all("script"))
    assert not (page.all("img"))
    assert not [a for a in page.all("a") if str(a.get("href")).startswith("javascript")]


def test_a_model_shows_its_samples_and_its_card(tmp_path: Path) -> None:
    shutil.copytree(shipped_models()["ganzoo/avatars-64"], tmp_path / "model")
    (tmp_path / "model" / "README.md").write_text(HOSTILE)
    page = Page(ganzoo.load(tmp_path / "model", device="cpu")._repr_html_())
    assert len(page.all("img")) == 1
    assert "Model card" in page.said
    assert "A card" in page.said


def test_the_leaderboard_is_a_table_with_pictures_and_rows_of_numbers() -> None:
    board = ganzoo.leaderboard("avatars-64")
    page = Page(board._repr_html_())
    assert "avatars-64" in repr(board)
    assert len(page.all("img")) > 3
    row = next(row for row in board.rows if row["model"] == "avatars-64")
    assert row["rank"] >= 1
    score = next(name.removesuffix(" low") for name in row if name.endswith(" low"))
    assert row[f"{score} low"] <= row[score] <= row[f"{score} high"]
    assert math.isfinite(row[score])


def test_an_empty_leaderboard_says_so(tmp_path: Path) -> None:
    assert "No model" in Page(ganzoo.leaderboard(entries=[tmp_path])._repr_html_()).said
    with pytest.raises(ganzoo.GanzooError):
        ganzoo.leaderboard(entries=[tmp_path / "nosuch"])
