"""Uploads are bounded, drawn as asked, and no longer than anybody waits."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pictures import photo_like
from PIL import Image
from videos import make_video

from ganzoo.errors import DataError
from ganzoo.models.writing import new as new_model
from ganzoo.play import photos
from ganzoo.play.downloads import Downloads, File
from ganzoo.play.photos import How, Studio
from ganzoo.play.shelf import Shelf
from ganzoo.play.stepping import Stopped, stepwise
from ganzoo.plugins.manager import installed

REGISTRY = installed().registry


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    new_model("xdog", {}, tmp_path / "xdog", REGISTRY)
    return Studio(Shelf(REGISTRY, root=tmp_path), REGISTRY)


def upload(path: Path, seed: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(photo_like(seed, 48)).save(path)
    return path


def test_strength_mixes_the_drawing_with_the_photo(studio: Studio, tmp_path: Path) -> None:
    photo = upload(tmp_path / "a.png")
    before, half, after = (
        np.asarray(studio.drawn("xdog", photo, How("whole", share))[0], float)
        for share in (0, 0.5, 1)
    )
    assert np.array_equal(before, photo_like(1, 48))
    assert abs(half - (before + after) / 2).max() <= 1
    assert abs(after - before).max() > 50


def test_a_photo_without_faces_says_so(studio: Studio, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no face"):
        studio.drawn("xdog", upload(tmp_path / "a.png"), How("faces"))


def test_uploads_of_one_name_become_two_files(studio: Studio, tmp_path: Path) -> None:
    uploads = [upload(tmp_path / "1" / "a.png"), upload(tmp_path / "2" / "a.png", 2)]
    steps: list[int] = []
    jobs, failures = studio.plan(uploads)
    failures |= studio.files(["xdog"], jobs, How(), tmp_path / "out", steps.append)
    assert failures == {}
    assert sum(steps) == studio.steps(["xdog"], jobs, How()) == 2
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a-2.png", "a.png"]


def test_uploads_are_bounded(
    studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(photos, "PIXELS", 1000)
    monkeypatch.setattr(photos, "FRAMES", 2)
    video = tmp_path / "film.mp4"
    make_video(video, [Image.fromarray(photo_like(3, 64))] * 3)
    uploads = [upload(tmp_path / "large.png"), video]
    jobs, failures = studio.plan(uploads)
    failures |= studio.files(["xdog"], jobs, How(), tmp_path / "out", lambda n: None)
    assert "pixels" in failures["large.png"]
    assert "3 frames" in failures["film.mp4"]
    monkeypatch.setattr(photos, "MOST", 1)
    with pytest.raises(DataError, match="at most 1"):
        studio.plan(uploads)


def test_work_that_nobody_waits_for_ends() -> None:
    ended = threading.Event()

    def work(advance: Callable[[int], None]) -> None:
        try:
            while True:
                advance(1)
        except Stopped:
            ended.set()

    steps = stepwise(work, str, threading.Event())
    assert int(next(steps)) > 0
    steps.close()
    assert ended.wait(60)


def test_work_that_is_halted_ends() -> None:
    halt = threading.Event()

    def work(advance: Callable[[int], None]) -> None:
        while True:
            advance(1)

    steps = stepwise(work, str, halt)
    assert int(next(steps)) > 0
    halt.set()
    with pytest.raises(Stopped):
        for _ in steps:
            pass


def test_work_returns_its_result_and_its_error() -> None:
    def failing(advance: Callable[[int], None]) -> int:
        raise DataError("broken")

    def result_of(work: Callable[[Callable[[int], None]], int]) -> int:
        steps = stepwise(work, str, threading.Event())
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return int(end.value)

    assert result_of(lambda advance: 7) == 7
    with pytest.raises(DataError, match="broken"):
        result_of(failing)


def test_downloads_hold_a_bounded_memory() -> None:
    downloads = Downloads()
    keys = [
        downloads.offer(File("a.png", "image/png", lambda: b"x", held=600 << 20)).split("/")[1]
        for _ in range(3)
    ]
    assert [downloads.get(key) is not None for key in keys] == [False, False, True]
