"""Animations: the frames of a GIF and of an MP4, and what to do without PyAV."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganzoo.errors import RunError
from ganzoo.models import video

FRAMES = [np.full((15, 21, 3), (10 * i, 200, 255 - 10 * i), np.uint8) for i in range(12)]


def test_a_gif_repeats_and_has_every_frame(tmp_path: Path) -> None:
    video.write(FRAMES, tmp_path / "new" / "walk.GIF")
    with Image.open(tmp_path / "new" / "walk.GIF") as image:
        assert image.n_frames == len(FRAMES)
        assert image.size == (21 * 8, 15 * 8)  # enlarged by a whole factor
        assert (image.info["loop"], image.info["duration"]) == (0, 40)
        image.seek(7)
        difference = np.asarray(image.convert("RGB")).astype(int) - FRAMES[7][0, 0]
        assert np.abs(difference).max() <= 2
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["walk.GIF"]


def test_an_mp4_has_every_frame_at_even_sides(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    video.write(FRAMES, tmp_path / "walk.mp4")
    with av.open(tmp_path / "walk.mp4") as file:
        assert file.streams.video[0].average_rate == video.RATE
        frames = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
    assert len(frames) == len(FRAMES)
    assert frames[0].shape == (256, 358, 3)  # 17 times as large, and one more pixel for 357
    assert np.abs(frames[9].astype(int)[5, 5] - FRAMES[9][0, 0]).max() < 12


def test_without_pyav(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "find_spec", lambda name: None)
    video.check(tmp_path / "walk.gif")
    with pytest.raises(RunError, match=r"ganzoo\[video\]"):
        video.check(tmp_path / "walk.mp4")
