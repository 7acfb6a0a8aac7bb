"""Faces in photos and videos: how they are found, cropped, drawn, put back and followed."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import measure
from test_translate import Invert, opened, put, saved
from test_translate import Plugin as Translators
from torch import Tensor, nn
from typed import Run, typist
from videos import make_video

import ganzoo
import ganzoo.plugins.manager
from ganzoo import faces, hookimpl
from ganzoo.errors import DataError
from ganzoo.interfaces import Box, Detector, Generator
from ganzoo.models import avatar, config, footage
from ganzoo.models.face_finder import Face, FaceFinder
from ganzoo.models.footage import Video
from ganzoo.models.framing import Framing
from ganzoo.models.tracks import follow
from ganzoo.plugins.manager import Plugins
from ganzoo.plugins.registry import Origin

GRAY, FACE = 90, (220, 180, 60)


class Spots(Detector):
    """Upright squares of one colour, of at least 12 pixels, are faces."""

    def detect(self, image: np.ndarray[Any, np.dtype[np.uint8]]) -> list[Box]:
        mask = (np.abs(image.astype(int) - FACE) < 12).all(axis=2)
        boxes = []
        for spot in measure.regionprops(measure.label(mask)):
            top, left, bottom, right = spot.bbox
            if min(bottom - top, right - left) >= 12 and spot.extent > 0.9:
                boxes.append(Box(float(left), float(top), float(right), float(bottom), 0.9))
        return boxes


class Same(Generator):
    """Draws what it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(3))

    def forward(self, photo: Tensor) -> Tensor:
        return photo * self.scale[:, None, None]


class Plugin:
    @hookimpl
    def register_generators(self, register: Any) -> None:
        register("same", Same)
        for name in ("portrait-abstraction", "abstraction"):
            register(name, Same)

    @hookimpl
    def register_detectors(self, register: Any) -> None:
        register("spots", Spots)


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    one_thread: None,
) -> Run:
    """Type a command in an empty folder, with the toy plugins installed."""
    plugins = Plugins()
    for plugin, name in ((Plugin, "faces-toys"), (Translators, "toys")):
        assert plugins.add(plugin, Origin(name, "toys-dist", "1.0")).error is None
    monkeypatch.setattr(ganzoo.plugins.manager, "installed", lambda: plugins)
    monkeypatch.setattr("ganzoo.api.installed", lambda: plugins)
    monkeypatch.chdir(tmp_path)
    return typist(monkeypatch, capsys)


SPOTS = ("--detector", "spots", "--landmarks", "none")


def with_faces(*places: tuple[int, int, int], size: tuple[int, int] = (300, 200)) -> Image.Image:
    """A gray picture with noise and faces: left, top and side of each."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(GRAY - 9, GRAY + 9, (size[1], size[0], 3), np.uint8)
    image = Image.fromarray(pixels)
    for left, top, side in places:
        image.paste(FACE, (left, top, left + side, top + side))
    return image


def smooth(size: tuple[int, int] = (300, 200)) -> Image.Image:
    noise = np.random.default_rng(1).integers(0, 256, (9, 9, 3), np.uint8)
    return Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)


# -- geometry ----------------------------------------------------------------------------------


@pytest.mark.parametrize("turn", [0, 17, -80])
@pytest.mark.parametrize("middle", [(150, 100), (10, 190)])
def test_what_is_put_back_unchanged_leaves_the_photo_as_it_was(
    turn: int, middle: tuple[int, int]
) -> None:
    photo, angle = smooth(), np.radians(turn)
    linear = 90 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    place = np.column_stack([linear, np.array(middle) - linear @ [0.5, 0.5]])
    after = photo.copy()
    faces.paste(after, faces.cut(photo, place, 128), place)
    change = np.abs(np.asarray(after).astype(int) - np.asarray(photo))
    assert change.max() <= 4
    assert change.any()  # it was there
    white = photo.copy()
    faces.paste(white, Image.new("RGB", (128, 128), "white"), place)
    assert np.asarray(white)[middle[1], middle[0]].tolist() == [255, 255, 255]
    corners = faces.apply(
        faces.inverse(place), np.array([[x + 0.5, y + 0.5] for y in range(200) for x in range(300)])
    )
    beyond = ((corners < 0) | (corners > 1)).any(axis=1).reshape(200, 300)
    assert (np.asarray(white)[beyond] == np.asarray(photo)[beyond]).all()


def test_a_crop_puts_the_eyes_and_the_mouth_where_the_model_knows_them() -> None:
    framing = Framing(64, (0.3, 0.4), (0.7, 0.4), (0.5, 0.8))
    own = np.array(framing.places)
    places = own * 40 + [31, -5]  # of the same shape: nothing is left over
    matrix = faces.align(places, own)
    assert faces.apply(matrix, own) == pytest.approx(places)
    assert faces.apply(faces.inverse(matrix), places) == pytest.approx(own)


# -- finding -----------------------------------------------------------------------------------


def found(photo: Image.Image) -> list[Face]:
    return FaceFinder(Spots())(photo)


def test_every_face_is_found_once_turned_ones_and_those_at_the_border_too() -> None:
    photo = with_faces((20, 20, 60), (-10, 130, 50), (210, 60, 50))
    turned = Image.new("RGB", (100, 100), (GRAY,) * 3)
    turned.paste(FACE, (20, 20, 80, 80))
    photo.paste(turned.rotate(30, Image.Resampling.BICUBIC, fillcolor=(GRAY,) * 3), (100, 90))
    centres = [face.centre for face in found(photo)]
    assert len(centres) == 4
    tilts = [np.degrees(np.arctan2(*(f.anchors[1] - f.anchors[0])[::-1])) for f in found(photo)]
    assert tilts == pytest.approx([0, 0, -30, 0], abs=1)
    assert [c[0] for c in centres] == sorted(c[0] for c in centres)


def test_a_large_photo_is_reduced_and_its_faces_are_not_moved() -> None:
    photo = with_faces((1000, 500, 400), size=(3000, 2000))
    (face,) = found(photo)
    assert face.side == pytest.approx(400, abs=12)
    expected = faces.anchors_in(Box(1000, 500, 1400, 900, 1.0))
    assert np.abs(face.anchors - expected).max() < 12


# -- photos ------------------------------------------------------------------------------------


def test_each_face_becomes_a_file_and_the_others_are_named(run: Run) -> None:
    put("photos/two.png", with_faces((20, 30, 80), (180, 60, 60)))
    put("photos/none.png", with_faces())
    put("photos/tiny.jpg", with_faces((50, 50, 20)), quality=98)
    Path("photos/bad.jpg").write_bytes(b"\xff\xd8\xff")
    result = run("avatar", "photos", "--out", "out", *SPOTS)
    assert result.code == 1
    assert {p.name for p in Path("out").iterdir()} == {"two-1.png", "two-2.png", "tiny-1.jpg"}
    assert opened("out/two-1.png").size == (avatar.DEFAULT_SIZE,) * 2
    assert "few pixels" in result.out
    assert "tiny.jpg" in result.out
    assert "photos/none.png: no face" in result.err
    assert "photos/bad.jpg: " in result.err
    assert Path("out-sheet.png").is_file()
    # once more with fewer faces: none of the earlier ones stays
    put("photos/two.png", with_faces((20, 30, 80)))
    assert run("avatar", "photos", "--out", "out", *SPOTS).code == 1
    assert {p.name for p in Path("out").iterdir()} == {"two-1.png", "tiny-1.jpg"}


def test_a_photo_keeps_all_but_its_faces(run: Run) -> None:
    before = put("a.png", with_faces((180, 60, 60)))
    saved("invert", Invert())
    result = run("avatar", before, "--model", "invert", "--out", "out", "--paste", *SPOTS)
    assert result.code == 0, result.err
    after, photo = np.asarray(opened("out/a.png")), np.asarray(opened("a.png"))
    assert after.shape == photo.shape
    assert after[90, 210].tolist() == pytest.approx([255 - value for value in FACE], abs=3)
    assert (after[:, :100] == photo[:, :100]).all()


def test_a_model_folder_says_how_to_crop(run: Run) -> None:
    model = saved("same", Same())
    made = config.read(model / "config.json")
    framing = Framing(48, (0.4, 0.5), (0.6, 0.5), (0.5, 0.7))
    (model / "config.json").write_text(config.text(replace(made, face=framing)))
    photo = with_faces((180, 60, 60))
    (crop,) = ganzoo.avatar(photo, model, detector="spots", landmarks="none")
    assert crop.size == (48, 48)
    expected = faces.align(faces.anchors_in(Box(180, 60, 240, 120, 1.0)), np.array(framing.places))
    assert np.abs(np.asarray(crop).astype(int) - faces.cut(photo, expected, 48)).max() <= 24
    assert ganzoo.avatar(with_faces(), model, detector="spots", landmarks="none") == []
    assert ganzoo.avatar(photo, model, detector="spots", landmarks="none", paste=True).size == (
        300,
        200,
    )
    with pytest.raises(DataError, match="PIL"):
        ganzoo.avatar("a.png", model, detector="spots", landmarks="none")  # type: ignore[call-overload]


def test_drawings_are_enlarged(run: Run) -> None:
    saved("same", Same())
    photo = with_faces((40, 50, 60), (180, 60, 48))
    put("a.png", photo)
    draw = ("avatar", "a.png", "--model", "same", *SPOTS, "--no-sheet", "--out")
    assert run(*draw, "plain").code == 0
    result = run(*draw, "large", "--upscale", 4)
    assert result.code == 0, result.err
    for name in ("a-1.png", "a-2.png"):
        small, big = opened(f"plain/{name}"), opened(f"large/{name}")
        assert big.size == (4 * small.width, 4 * small.height)
    assert run(*draw, "back", "--paste", "--upscale", 4).code == 0
    back = np.asarray(opened("back/a.png")).astype(int)
    assert back.shape == np.asarray(photo).shape
    assert np.abs(back - np.asarray(photo)).mean() < 3
    result = run(*draw, "none", "--upscale", 3)
    assert (result.code, "upscale 3" in result.err) == (2, True)


# -- videos ------------------------------------------------------------------------------------


def moving(n: int = 30) -> list[Image.Image]:
    """A face that moves to the right, two pixels a frame."""
    return [with_faces((20 + 2 * i, 40, 50), size=(160, 120)) for i in range(n)]


def test_a_video_keeps_its_times_and_its_sound(run: Run) -> None:
    saved("invert", Invert())
    frames = [Image.new("RGB", (64, 48), (10 * i, 50, 90)) for i in range(12)]
    for name, sound in (("a.mp4", "aac"), ("b.mkv", "pcm_s16le"), ("c.webm", "libopus")):
        make_video(Path(name), frames, rate=12, sound=sound)
    make_video(Path("d.gif"), frames, rate=10)
    put("e.png", frames[0])
    names = ("a.mp4", "b.mkv", "c.webm", "d.gif", "e.png")
    result = run("translate", "invert", *names, "--out", "out", "--json")
    assert result.code == 0, result.err
    for name in names[:-1]:
        before, after = Video(Path(name)), Video(Path("out", name))
        old, new = list(before.frames()), list(after.frames())
        assert [time for time, _ in new] == pytest.approx([time for time, _ in old], abs=0.002)
        assert all(
            np.abs(255 - after.astype(int) - before).mean() < 12
            for (_, before), (_, after) in zip(old, new, strict=True)
        )
        assert sounds(Path("out", name)) == sounds(Path(name))
    (pictures,) = [p for p in json.loads(result.out)["pictures"] if p["source"] == "a.mp4"]
    assert pictures["videos"][0]["flicker"] is None or pictures["videos"][0]["flicker"] < 3


def sounds(path: Path) -> list[tuple[str, int]]:
    """The codec and the packets of each sound."""
    av = pytest.importorskip("av")
    with av.open(str(path)) as file:
        return [
            (s.codec_context.name, sum(bool(p.size) for p in file.demux(s)))
            for s in file.streams.audio
        ]


def test_flicker_is_that_of_what_stands_still() -> None:
    flicker, black = footage.Flicker(), np.zeros((4, 4, 3), np.uint8)
    moved = black.copy()
    moved[:2] = 200
    for frame, drawing in ((black, black), (moved, moved + 6)):
        flicker.add(frame, drawing)
    assert flicker.value == pytest.approx(6)
    assert flicker.share == pytest.approx(0.5)


def test_a_face_is_followed_without_jumps(run: Run) -> None:
    make_video(Path("a.mp4"), moving(), rate=10, sound="aac")
    result = run("avatar", "a.mp4", "--out", "out", *SPOTS)
    assert result.code == 0, result.err
    assert "flicker" in result.out
    after = Video(Path("out/a-1.mp4"))
    assert (after.width, after.height, after.length) == (512, 512, 30)
    rng = np.random.default_rng(0)

    def trembling(photo: Image.Image) -> list[Face]:
        (face,) = found(photo)
        return [replace(face, anchors=face.anchors + rng.normal(0, 2, 2))]

    (track,) = follow(Video(Path("a.mp4")), trembling)
    x = track.anchors.mean(axis=1)[:, 0]
    assert np.diff(x)[3:-3] == pytest.approx(2, abs=1.5)
    assert np.abs(np.diff(x, 2)).max() < 0.5


def test_a_face_that_is_doubtful_for_a_while_is_followed(run: Run) -> None:
    make_video(Path("a.mp4"), moving(), rate=10)
    scores = iter([0.3, 0.3, 0.6, 0.3, 0.3, 0.3])

    def doubted(photo: Image.Image) -> list[Face]:
        (face,) = found(photo)
        ghost = replace(face, anchors=face.anchors + np.array([70, 40]), score=0.4)
        return [replace(face, score=next(scores)), ghost]

    (track,) = follow(Video(Path("a.mp4")), doubted)  # never sure of the ghost
    assert len(track.anchors) == 30


def test_faces_that_come_and_go_get_videos_of_their_own(run: Run) -> None:
    first = [with_faces((10, 40, 40), size=(160, 120))] * 20
    both = [with_faces((10, 40, 40), (100, 50, 40), size=(160, 120))] * 20
    make_video(Path("a.mp4"), first + both, rate=10)
    assert run("avatar", "a.mp4", "--out", "out", *SPOTS).code == 0
    lengths = [Video(Path(f"out/a-{number}.mp4")).length for number in (1, 2)]
    assert lengths == [40, 20]


def test_a_video_that_cannot_be_used_is_named_and_nothing_is_left(run: Run) -> None:
    frames = moving(8)
    make_video(Path("v/good.mp4"), frames)
    Path("v/empty.mp4").touch()
    Path("v/junk.mkv").write_bytes(b"junk" * 999)
    Path("v/cut.mp4").write_bytes(Path("v/good.mp4").read_bytes()[:900])
    make_video(Path("v/sound.mp4"), [], sound="aac")
    make_video(Path("v/faceless.mp4"), [with_faces(size=(160, 120))] * 4)
    make_video(Path("v/sizes.mpg"), [frames[0], frames[1].resize((96, 64))])
    result = run("avatar", "v", "--out", "out", "--paste", *SPOTS)
    assert result.code == 1
    assert [p.name for p in sorted(Path("out").iterdir())] == ["good.mp4"]
    for name, why in (
        ("empty.mp4", "empty"),
        ("junk.mkv", "no video"),
        ("cut.mp4", "no video"),
        ("sound.mp4", "no pictures"),
        ("faceless.mp4", "no face"),
        ("sizes.mpg", "size changes"),
    ):
        (line,) = [line for line in result.err.splitlines() if f"v/{name}: " in line]
        assert why in line


def test_a_video_that_is_stopped_leaves_no_file(run: Run) -> None:
    make_video(Path("a.mp4"), moving(12), sound="aac")

    def stop(index: int, frame: footage.Pixels) -> footage.Pixels:
        if index == 9:
            raise KeyboardInterrupt
        return frame

    with pytest.raises(KeyboardInterrupt):
        Video(Path("a.mp4")).convert([footage.Output(Path("out/a.mp4"), stop, (160, 120))])
    assert list(Path("out").iterdir()) == []


def test_without_pyav_the_extra_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    make_video(Path("a.mp4"), moving(3))
    put("b.png", with_faces((20, 30, 80)))
    monkeypatch.setitem(sys.modules, "av", None)
    result = run("avatar", "a.mp4", "b.png", "--out", "out", *SPOTS)
    assert result.code == 1
    assert "ganzoo[video]" in result.err
    assert [p.name for p in Path("out").iterdir()] == ["b-1.png"]
