"""Watching a run reads it, and changes nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from pages import Page

from ganzoo.errors import RunError
from ganzoo.play import watching
from ganzoo.training import manifest as manifests
from ganzoo.training.run_folder import RunFolder


def contents(root: Path) -> dict[Path, tuple[int, bytes]]:
    return {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in root.rglob("*") if p.is_file()}


def test_a_run_in_progress(train: Callable[..., Path]) -> None:
    run = train("runs")  # the folder itself is a run, and what is below it is not
    folder = RunFolder(run)
    manifest = manifests.read(folder.manifest)
    folder.note(status="running")
    rows = folder.rows()
    for step in range(10, 31):
        folder.append({**rows[-1], "step": step, "seconds": float(step)})
    (run / "recipe.yaml").write_text(
        (run / "recipe.yaml").read_text().replace("steps: 9", "steps: 90")
    )
    before = contents(run)
    (glimpse,) = watching.runs(run.parent)
    text = watching.view(run, glimpse.name, "report")
    page = Page(text)
    assert glimpse.status == "running"
    assert "1 min left" in page.said
    assert "Step 30 of 90" in page.said
    assert page.all("svg", role="img")
    assert page.all("img")
    assert contents(run) == before
    assert manifest.status == "finished"


@pytest.mark.parametrize("part", ["manifest.json", "metrics.jsonl", "recipe.yaml", "samples"])
def test_a_damaged_run_is_shown_all_the_same(train: Callable[..., Path], part: str) -> None:
    run = train("run")
    path = run / part
    if path.is_dir():
        for picture in path.glob("*.png"):
            picture.write_bytes(b"\x89PNG half")
    else:
        path.write_bytes(b"\xff{")
    assert "run" in Page(watching.view(run, "run", "")).said
    assert len(watching.runs(run.parent)) == 1


def test_a_run_that_was_lost(train: Callable[..., Path]) -> None:
    run = train("run")
    before = watching.signature(run)
    shutil.rmtree(run)
    assert watching.signature(run) != before
    with pytest.raises(RunError, match="no run any more"):
        watching.view(run, "run", "")
    assert watching.runs(run.parent) == []


def test_names_are_escaped(train: Callable[..., Path]) -> None:
    run = train("<img src=x>")
    folder = RunFolder(run)
    folder.note(status="stopped", reason="<script>alert(1)</script> {{7*7}} ${7*7}")
    folder.append({**folder.rows()[-1], "step": 99, "<b>x": 1.0})
    (glimpse,) = watching.runs(run.parent)
    page = Page(watching.view(run, glimpse.name, '"><script>'))
    assert not page.all("script")
    assert not [one for one in page.all("img") if one["src"] == "x"]
    assert json.dumps("<script>alert(1)</script>")[1:-1] in page.said
