"""``ganzoo data faces``: the geometry, what is left out and why, and what is not done twice."""

import csv
import json
import sys
import types
import urllib.error

import numpy as np
import pytest
import torch
import typer
from PIL import Image
from profiles import ADOBE
from typer.testing import CliRunner

from ganzoo import faces as geometry
from ganzoo import hookimpl
from ganzoo.errors import DataError, GanzooError
from ganzoo.interfaces import Box, Detector, Extractor
from ganzoo.plugins.manager import Plugins
from ganzoo.plugins.registry import Origin, Registration
from ganzoo.scan import scan
from ganzoo_faces import face_alignment_detectors, lbp
from ganzoo_faces.command import _arguments, faces

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
EYES_AND_MOUTH = np.array([[-0.25, -0.1], [0.25, -0.1], [0.0, 0.4]])  # of a face of size 1


class Spots(Detector):
    """Takes the bounding box of what is not black for a face, half of it with ``half``.

    Args:
        half: shift the box out of the picture by half of it.
        score: what to say of each.
        twice: see every face twice.
    """

    calls = 0

    def __init__(self, half: bool = False, score: float = 0.9, twice: bool = False):
        self.half, self.score, self.twice = half, score, twice

    def detect(self, image):
        Spots.calls += 1
        assert image.dtype == np.uint8
        ys, xs = np.nonzero(image.max(axis=2) > 60)
        if not len(ys):
            return []
        left, top, right, bottom = xs.min(), ys.min(), xs.max() + 1, ys.max() + 1
        shift = (left + right) / 2 if self.half else 0
        box = Box(float(left - shift), float(top), float(right - shift), float(bottom), self.score)
        return [box] * (1 + self.twice)


class Dots(Extractor):
    """68 landmarks, those of the eyes and the mouth on a red, a green and a blue spot.

    Args:
        weights: a file with the confidence.
    """

    calls = 0

    def __init__(self, weights=None):
        super().__init__()
        self.sure = float(weights.read_text()) if weights else 1.0

    def forward(self, image):
        Dots.calls += 1
        n, _, height, width = image.shape
        points = torch.zeros(n, 68, 2)
        for channel, part in enumerate((range(36, 42), range(42, 48), range(48, 68))):
            others = [c for c in range(3) if c != channel]
            spot = (image[:, channel] - image[:, others].amax(dim=1)).relu()
            spot = spot / spot.sum(dim=(1, 2), keepdim=True)
            x = (spot.sum(dim=1) * ((torch.arange(width) + 0.5) / width * 2 - 1)).sum(1)
            y = (spot.sum(dim=2) * ((torch.arange(height) + 0.5) / height * 2 - 1)).sum(1)
            points[:, list(part)] = torch.stack([x, y], dim=1)[:, None]
        return {"points": points, "confidence": torch.full((n,), self.sure)}


class Plain(Extractor):
    """Features that are no landmarks."""

    def forward(self, image):
        return {"features": image}


class Fakes:
    @hookimpl
    def register_detectors(self, register):
        register("spots", Spots)

    @hookimpl
    def register_extractors(self, register):
        register("dots", Dots)
        register("plain", Plain)


@pytest.fixture(autouse=True)
def _fresh(tmp_path, monkeypatch):
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))
    Spots.calls = Dots.calls = 0


@pytest.fixture
def run(tmp_path, one_thread):
    plugins = Plugins()
    assert plugins.add(Fakes, Origin("fakes", "fakes-dist", "1.0")).error is None
    cli = typer.Typer()
    cli.command()(faces)

    def call(*arguments, out="out", detector="spots"):
        given = [tmp_path / "photos", "--out", tmp_path / out, "--detector", detector]
        result = CliRunner().invoke(cli, list(map(str, [*given, *arguments])), obj=plugins)
        if isinstance(result.exception, GanzooError):
            raise result.exception
        assert result.exception is None, result.exception
        return result.stdout

    return call


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    return folder


def face(size=(300, 240), centre=(150, 120), scale=100.0, angle=0.0):
    """A gray disc on black, with coloured eyes and mouth, turned by ``angle`` degrees."""
    yy, xx = np.mgrid[: size[1], : size[0]] + 0.5
    at = xx + 1j * yy
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    pixels[abs(at - complex(*centre)) < 0.6 * scale] = 90
    turn = scale * np.exp(1j * np.radians(angle))
    for place, color in zip(EYES_AND_MOUTH @ [1, 1j], (RED, GREEN, BLUE), strict=True):
        pixels[abs(at - (complex(*centre) + place * turn)) < 0.06 * scale] = color
    return Image.fromarray(pixels)


def spots(image):
    """Where the centres of the red, green and blue spots are."""
    pixels = np.asarray(image).astype(float)
    found = []
    for channel in range(3):
        weight = (pixels[..., channel] - np.delete(pixels, channel, axis=2).max(axis=2)).clip(40)
        weight -= 40
        yy, xx = np.mgrid[: pixels.shape[0], : pixels.shape[1]] + 0.5
        found.append([(xx * weight).sum() / weight.sum(), (yy * weight).sum() / weight.sum()])
    return np.array(found)


def manifest(folder):
    return json.loads((folder / "manifest.json").read_text())


# --- geometry ---


def test_the_places_are_those_of_the_paper():
    """Karras 2018: side 4 x between the eyes = 3.6 x eyes to mouth; centre a tenth below."""
    left, right, mouth = geometry.canonical(0.25)
    eyes = (left + right) / 2
    assert right[0] - left[0] == pytest.approx(1 / 4)
    assert mouth[1] - eyes[1] == pytest.approx(1 / 3.6)
    assert eyes + 0.1 * (mouth - eyes) == pytest.approx([0.5, 0.5])
    # a margin of 1 makes the crop twice as large as one of 0.25, around the same centre
    assert geometry.canonical(1.0) - 0.5 == pytest.approx((geometry.canonical(0.25) - 0.5) / 2)


@pytest.mark.parametrize(("angle", "scale"), [(0, 60), (25, 100), (-40, 140), (170, 60)])
def test_landmarks_land_on_their_places(angle, scale):
    """Whatever similarity took the face away from them."""
    places = geometry.canonical(0.25)
    turn = scale * np.exp(1j * np.radians(angle))
    moved = (places @ [1, 1j]) * turn + complex(31, -7)
    landmarks = np.zeros((68, 2))
    for part, z in zip((range(36, 42), range(42, 48), range(48, 68)), moved, strict=True):
        landmarks[list(part)] = [z.real, z.imag]
    matrix = geometry.align(geometry.anchors(landmarks), places)
    assert matrix[:, :2] == pytest.approx(
        np.array([[turn.real, -turn.imag], [turn.imag, turn.real]])
    )
    assert matrix[:, 2] == pytest.approx([31, -7])


@pytest.mark.parametrize(("angle", "scale"), [(0, 100), (20, 60), (-35, 110)])
def test_eyes_and_mouth_of_the_crop_are_level_and_in_place(run, photos, tmp_path, angle, scale):
    face(size=(320, 320), centre=(160, 150), scale=scale, angle=angle).save(photos / "a.png")
    run("--landmarks", "dots", "--size", 128, "--max-outside", 1, "--min-size", 1)
    crop = Image.open(tmp_path / "out" / "faces" / "a.png")
    assert crop.size == (128, 128)
    # The toy face is EYES_AND_MOUTH up to a similarity: that which fits the places best.
    places = geometry.canonical(0.25) * 128
    shape = EYES_AND_MOUTH - EYES_AND_MOUTH.mean(axis=0)
    centre = places.mean(axis=0)
    expected = centre + shape * ((places - centre) * shape).sum() / (shape**2).sum()
    assert np.abs(spots(crop) - expected).max() < 1
    # and the transform in the manifest leads back to the photo
    (entry,) = manifest(tmp_path / "out")["faces"]
    back = geometry.apply(np.array(entry["transform"]), spots(crop))
    assert np.abs(back - spots(Image.open(photos / "a.png"))).max() < 1
    marks = np.array(entry["landmarks"])
    assert marks.shape == (68, 2)
    assert np.abs(marks[36] - spots(Image.open(photos / "a.png"))[0]).max() < 1


def test_without_landmarks_the_crop_is_the_box_and_its_margin(run, photos, tmp_path):
    face().save(photos / "a.png")
    run("--margin", 0.25, "--size", 60)
    (entry,) = manifest(tmp_path / "out")["faces"]
    left, top, right, bottom = entry["box"]
    assert right - left == bottom - top == 120
    assert np.array(entry["transform"]) == pytest.approx(np.array([[3, 0, 60], [0, 3, 30]]))
    assert entry["landmarks"] is None
    expected = face().crop((60, 30, 240, 210)).resize((60, 60), Image.Resampling.LANCZOS)
    crop = np.asarray(Image.open(tmp_path / "out" / "faces" / "a.png")).astype(int)
    assert np.abs(crop - np.asarray(expected)).mean() < 2


def test_shrinking_averages_and_does_not_skip_pixels():
    stripes = np.zeros((600, 600, 3), np.uint8)
    stripes[:, ::2] = 200  # finer than the crop can show
    crop = geometry.cut(Image.fromarray(stripes), np.array([[570.0, 0, 9], [0, 570, 11]]), 50)
    assert np.abs(np.asarray(crop).astype(int) - 100).max() <= 3


def test_a_crop_at_pixel_size_is_the_picture():
    noise = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    image = Image.fromarray(noise).resize((80, 80), Image.Resampling.BICUBIC)
    crop = geometry.cut(image, np.array([[40.0, 0, 20], [0, 40, 10]]), 40)
    there = np.asarray(image.crop((20, 10, 60, 50))).astype(int)
    assert np.abs(np.asarray(crop) - there).max() <= 4


@pytest.mark.parametrize("place", [(-30, 20), (70, 80), (-200, -200), (300, 10), (-50, -50)])
def test_beyond_its_border_a_picture_is_mirrored(place):
    ramp = np.broadcast_to(np.arange(100, dtype=np.uint8)[:, None] * 2, (100, 100))
    image = Image.fromarray(np.stack([ramp, ramp.T, ramp], axis=2))
    x, y = place
    crop = np.asarray(geometry.cut(image, np.array([[60.0, 0, x], [0, 60, y]]), 60)).astype(int)
    tall = np.pad(np.asarray(image), ((300, 300), (300, 300), (0, 0)), mode="symmetric")
    there = tall[300 + y : 360 + y, 300 + x : 360 + x].astype(int)
    assert np.abs(crop - there)[2:-2, 2:-2].max() <= 6


def test_the_share_outside():
    box = Box(-50, 0, 50, 100, 1.0)
    assert geometry.outside(geometry.square(box, 0), 100, 100) == pytest.approx(0.5)
    assert geometry.outside(geometry.square(Box(0, 0, 10, 10, 1.0), 0), 100, 100) == 0


# --- what is written, and what is left out ---


def test_every_file_has_a_face_or_a_reason(run, photos, tmp_path):
    face().save(photos / "good.png")
    (photos / "sub").mkdir()
    face().convert("P").save(photos / "sub" / "still.gif")
    Image.new("L", (8000, 6000)).save(photos / "flat.png")
    Image.new("RGB", (1, 1)).save(photos / "dot.png")
    face().save(photos / "cut.jpg")
    data = (photos / "cut.jpg").read_bytes()
    (photos / "cut.jpg").write_bytes(data[: len(data) // 2])
    (photos / "page.jpg").write_text("<!doctype html><html>404</html>")
    face(scale=20).save(photos / "small.png")
    text = run("--size", 64, "--min-size", 30)
    assert "2 faces from 7 files, 5 rejected" in text
    assert "no face found 2" in text
    made = manifest(tmp_path / "out")
    assert [entry["file"] for entry in made["faces"]] == ["faces/good.png", "faces/sub/still.png"]
    assert made["faces"][0]["picture"] == [300, 240]
    assert made["settings"]["detector"]["name"] == "spots"
    assert made["files"]["good.png"] == made["faces"][0]["sha256"]
    with (tmp_path / "out" / "rejects.csv").open() as file:
        rows = {row["file"]: row for row in csv.DictReader(file)}
    assert {name: row["reason"] for name, row in rows.items()} == {
        "cut.jpg": "cannot be decoded",
        "dot.png": "no face found",
        "flat.png": "no face found",
        "page.jpg": "cannot be decoded",
        "small.png": "face too small",
    }
    assert "truncated" in rows["cut.jpg"]["detail"]
    assert "not an image" in rows["page.jpg"]["detail"]
    assert rows["small.png"]["detail"] == "face 24 px, smaller than 30 px"
    assert Image.open(tmp_path / "out-sheet.png").size == (128, 256)
    assert scan(tmp_path / "out").names == ["faces/good.png", "faces/sub/still.png"]


def test_faces_are_in_srgb_and_what_is_no_photo_is_told(run, photos, tmp_path):
    face().save(photos / "plain.png")
    face().save(photos / "wide.png", icc_profile=ADOBE.profile())
    frames = [face(), face()]
    frames[0].save(photos / "pages.tif", save_all=True, append_images=frames[1:])
    (photos / "a.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    for _ in range(2):  # found, and from the manifest
        text = run("--size", 64)
        assert "page is used: 1 (pages.tif)" in text
        assert "HEIC 1 (a.heic: pip install pillow-heif" in text
    crops = [
        np.asarray(Image.open(tmp_path / "out" / "faces" / name)) / 255
        for name in ("plain.png", "wide.png")
    ]
    assert np.abs(ADOBE.to_srgb(crops[0]) - crops[1]).mean() < 0.01
    assert "icc_profile" not in Image.open(tmp_path / "out" / "faces" / "wide.png").info


class Named(Detector):
    """A detector whose weights lie somewhere."""

    def __init__(self, weights: str, scale: float = 1.0, best: int | None = None):
        self.weights, self.scale, self.best = weights, scale, best


@pytest.mark.parametrize("name", ["2023", "true", "null", "a #1", "[HD]", "1e5"])
def test_a_text_that_is_set_is_taken_to_the_letter(name):
    entry = Registration("detector", "named", Named, Origin("own", "own-dist", "1.0"))
    texts = [f"weights={name}", "scale=1e5", "best=null"]
    assert _arguments(texts, entry) == {"weights": name, "scale": 1e5, "best": None}
    assert _arguments([f'weights="{name}"'], entry) == {"weights": name}


def test_a_face_half_outside_is_left_out(run, photos, tmp_path):
    face().save(photos / "a.png")
    with pytest.raises(DataError, match="outside the picture 1") as error:
        run("--set", "half=true")
    assert "more than 30%" in str(error.value)
    assert "--max-outside" in str(error.value)
    assert not (tmp_path / "out").exists()
    run("--set", "half=true", "--max-outside", 0.6)
    assert (tmp_path / "out" / "faces" / "a.png").exists()


def test_unsure_landmarks_and_low_scores_are_left_out(run, photos, tmp_path):
    face().save(photos / "a.png")
    sure = tmp_path / "sure.txt"
    sure.write_text("0.2")
    with pytest.raises(DataError, match=r"confidence 0\.20 below 0\.3.*--min-confidence"):
        run("--landmarks", "dots", "--weights", sure)
    sure.write_text("0.8")  # other weights: what the first ones said is not taken for theirs
    assert "1 face from 1 file, 0 rejected" in run("--landmarks", "dots", "--weights", sure)
    sure.write_text("0.9")
    with pytest.raises(DataError, match=r"made with landmarks 'dots' .*content"):
        run("--landmarks", "dots", "--weights", sure)
    with pytest.raises(DataError, match=r"score 0\.30 below 0\.5.*--min-score"):
        run("--set", "score=0.3", out="other")


def test_several_faces_of_a_file_and_files_of_one_name(run, photos, tmp_path):
    for name in ("a.png", "a.bmp", "a-2.png", "sheet.png"):
        face().save(photos / name)
    run("--set", "twice=true")
    made = [(f["source"], f["file"]) for f in manifest(tmp_path / "out")["faces"]]
    assert len({file for _, file in made}) == 8
    assert ("sheet.png", "faces/sheet.png") in made
    for _, file in made:
        assert Image.open(tmp_path / "out" / file).size == (256, 256)
    assert ("sheet.png", "faces/sheet-2.png") in made


def test_a_folder_without_faces_says_so_and_what_to_do(run, photos, tmp_path):
    for i in range(3):
        Image.new("RGB", (100, 100)).save(photos / f"{i}.png")
    (photos / "bad.png").write_bytes(b"rubbish")
    with pytest.raises(DataError, match="no usable face") as error:
        run()
    text = str(error.value)
    assert "no face found 3" in text
    assert "decoded 1" in text
    assert "such as 0.png: 'spots' finds none" in text
    assert "--detector (spots)" in text
    assert [p.name for p in tmp_path.iterdir() if p.name not in ("photos", "cache")] == []


# --- a second time ---


def test_what_was_found_is_not_looked_for_again(run, photos, tmp_path):
    face().save(photos / "a.png")
    face(angle=10).save(photos / "b.png")
    Image.new("RGB", (100, 100)).save(photos / "none.png")
    first = run("--landmarks", "dots")
    assert (Spots.calls, Dots.calls) == (3, 2)
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("*.png")}
    assert run("--landmarks", "dots") == first
    assert before == {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("*.png")}
    run("--landmarks", "dots", "--size", 64, out="small")  # other crops of the same faces
    (tmp_path / "out" / "faces" / "a.png").unlink()
    run("--landmarks", "dots")  # made anew
    assert (tmp_path / "out" / "faces" / "a.png").exists()
    assert (Spots.calls, Dots.calls) == (3, 2)
    face(angle=20).save(photos / "c.png")
    assert "3 faces from 4 files" in run("--landmarks", "dots")
    assert (Spots.calls, Dots.calls) == (4, 3)
    run("--set", "score=0.8", out="third")  # another detector by its arguments
    assert Spots.calls == 8


def test_an_interruption_costs_one_file_at_most(run, photos, tmp_path, monkeypatch):
    for i in range(4):
        face(angle=i).save(photos / f"{i}.png")
    detect = Spots.detect

    def stop(self, image):
        if Spots.calls == 2:
            raise DataError("stopped")
        return detect(self, image)

    monkeypatch.setattr(Spots, "detect", stop)
    with pytest.raises(DataError, match="stopped"):
        run()
    assert not (tmp_path / "out").exists()
    monkeypatch.setattr(Spots, "detect", detect)
    assert "4 faces from 4 files, 0 rejected" in run()
    assert Spots.calls == 4


def test_an_output_folder_of_something_else_is_not_touched(run, photos, tmp_path):
    face().save(photos / "a.png")
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.tex").write_text("years of work")
    with pytest.raises(DataError, match="not empty"):
        run()
    assert [p.name for p in out.iterdir()] == ["thesis.tex"]
    (out / "thesis.tex").rename(tmp_path / "thesis.tex")
    run()
    (out / "faces" / "notes.txt").write_text("which to keep")
    face().save(photos / "b.bmp")
    with pytest.raises(DataError, match=r"'faces/notes\.txt', which would be lost"):
        run()
    (out / "faces" / "notes.txt").unlink()
    with pytest.raises(DataError, match="made with size 256, not 64"):
        run("--size", 64)
    with pytest.raises(DataError, match=r"detector 'spots', not 'spots' \(score=0\.8\)"):
        run("--set", "score=0.8")
    assert "2 faces from 2 files" in run()
    with pytest.raises(DataError, match="a file of that name"):
        run(out="thesis.tex")
    with pytest.raises(DataError, match="lies in"):
        run(out="photos/faces")
    assert DataError.exit_code == 2


def test_names_that_do_not_exist(run, photos, tmp_path):
    face().save(photos / "a.png")
    with pytest.raises(GanzooError, match=r"detector 'spot', .* 'spots'"):
        run(detector="spot")
    with pytest.raises(GanzooError, match=r"extractor 'dot', .* 'dots'"):
        run("--landmarks", "dot")
    with pytest.raises(DataError, match=r"argument 'scor', .* 'score'"):
        run("--set", "scor=1")
    with pytest.raises(DataError, match="expected NAME=VALUE"):
        run("--set", "score")
    with pytest.raises(DataError, match="'plain' gives no 68 landmarks"):
        run("--landmarks", "plain")
    with pytest.raises(DataError, match="name it: --landmarks"):
        run("--weights", photos)
    photos.rename(tmp_path / "moved")
    with pytest.raises(DataError, match="no folder"):
        run()


# --- the detectors ---


def test_lbp_finds_the_astronaut_wherever_she_is():
    data = pytest.importorskip("skimage.data")
    image = data.astronaut()
    detector = lbp.Lbp()
    (box,) = detector.detect(image)
    assert 0.5 <= box.score <= 1
    assert box.left < 205 < 250 < box.right  # her eyes and mouth
    assert box.top < 100 < 150 < box.bottom
    larger = Image.fromarray(image).resize((2048, 2048))
    (large,) = detector.detect(np.asarray(larger))
    assert np.allclose(
        [large.left, large.top, large.right, large.bottom],
        4 * np.array([box.left, box.top, box.right, box.bottom]),
        atol=4 * 12,
    )
    two = np.concatenate([image[:300], image[:300, ::-1]], axis=1)
    found = detector.detect(two)
    assert len(found) == 2
    assert found[0].score >= found[1].score
    assert sum(b.left > 512 for b in found) == 1


@pytest.mark.parametrize("shape", [(300, 300), (1, 1), (20, 4000), (23, 23)])
def test_lbp_finds_nobody_where_nobody_is(shape):
    pytest.importorskip("skimage")
    assert lbp.Lbp().detect(np.full((*shape, 3), 128, np.uint8)) == []


def test_lbp_returns_doubtful_faces_only_if_it_is_asked_to():
    data = pytest.importorskip("skimage.data")
    image = data.astronaut()
    sure, more = lbp.Lbp(agreeing=30).detect(image), lbp.Lbp(agreeing=30, fewest=1).detect(image)
    assert more[: len(sure)] == sure
    assert len(more) > len(sure)
    assert all(box.score < 0.5 for box in more[len(sure) :])


def test_lbp_looks_at_large_images_reduced():
    image = np.zeros((3000, 2000, 3), np.uint8)
    image[::2] = 200
    small = lbp.reduce(image, 360)
    assert small.shape == (540, 360, 3)
    assert np.abs(small.astype(int) - 100).max() <= 20  # averaged, not picked
    assert lbp.reduce(image, 2000) is image


def test_windows_that_agree_are_one_face():
    one = np.array([[10, 10, 50, 50], [12, 10, 52, 50], [10, 12, 50, 52]], float)
    inside = np.array([[20, 20, 34, 34]], float)
    away = np.array([[100, 0, 140, 40], [101, 0, 141, 40]], float)
    found = lbp.merge(np.concatenate([away, inside, one]))
    assert [count for count, _ in found] == [3, 2]
    assert found[0][1] == pytest.approx(one.mean(axis=0))
    assert lbp.merge(np.zeros((0, 4))) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"scale_factor": 1}, "from 1.01 to 2"),
        ({"min_size": 2}, "0.01"),
        ({"agreeing": 0}, "1"),
        ({"fewest": 0}, "fewest"),
    ],
)
def test_lbp_refuses_what_makes_no_sense(arguments, said):
    with pytest.raises(ValueError, match=said):
        lbp.Lbp(**arguments)


@pytest.fixture
def stubbed(monkeypatch):
    """The package face-alignment without its networks; what its detectors were given."""
    seen = {"faces": []}

    class Network:
        def __init__(self, device, verbose, **files):
            seen.update(files)
            if (path := files.get("path_to_detector")) and path.endswith("bad.pth"):
                raise RuntimeError("Missing key(s) in state_dict")

        def detect_from_image(self, image):
            seen["image"] = image
            return seen["faces"]

    for name in ("", ".detection", ".detection.sfd", ".detection.blazeface"):
        module = types.ModuleType(f"face_alignment{name}")
        module.FaceDetector = Network
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return seen


@pytest.fixture
def offline(monkeypatch, tmp_path):
    def refuse(*args, **kwargs):
        raise urllib.error.URLError("no network in tests")

    monkeypatch.setattr(face_alignment_detectors, "urlopen", refuse)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    return tmp_path / "hub" / "checkpoints"


def test_face_alignment_without_weights_or_network_says_what_to_do(stubbed, offline):
    with pytest.raises(DataError, match="no network in tests") as error:
        face_alignment_detectors.FaceAlignment()
    text = str(error.value)
    assert "s3fd-619a316812.pth" in text
    assert str(offline) in text
    assert "'lbp' works without any download" in text
    offline.mkdir(parents=True)
    (offline / "s3fd-619a316812.pth").write_bytes(b"weights")  # downloaded before
    face_alignment_detectors.FaceAlignment()
    with pytest.raises(DataError, match=r"anchors\.npy"):
        face_alignment_detectors.FaceAlignment("blazeface")


def test_face_alignment_reads_a_local_file(stubbed, offline, tmp_path):
    weights = tmp_path / "blazeface.pth"
    with pytest.raises(DataError, match="No such file"):
        face_alignment_detectors.FaceAlignment("blazeface", weights)
    weights.write_bytes(b"weights")
    with pytest.raises(DataError, match=r"anchors\.npy cannot be read"):
        face_alignment_detectors.FaceAlignment("blazeface", weights)
    (tmp_path / "anchors.npy").write_bytes(b"anchors")
    face_alignment_detectors.FaceAlignment("blazeface", weights)
    assert stubbed["path_to_detector"] == str(weights)
    assert stubbed["path_to_anchor"] == str(tmp_path / "anchors.npy")
    weights.write_text("<!DOCTYPE html>")
    with pytest.raises(DataError, match="web page"):
        face_alignment_detectors.FaceAlignment("blazeface", weights)
    (tmp_path / "bad.pth").write_bytes(b"weights")
    with pytest.raises(DataError, match=r"sfd.*Missing key"):
        face_alignment_detectors.FaceAlignment("sfd", tmp_path / "bad.pth")


def test_face_alignment_gives_boxes_of_the_original(stubbed, offline, tmp_path):
    weights = tmp_path / "s3fd.pth"
    weights.write_bytes(b"weights")
    detector = face_alignment_detectors.FaceAlignment(weights=weights, longest=100)
    assert detector.detect(np.zeros((200, 400, 3), np.uint8)) == []
    assert stubbed["image"].shape == (50, 100, 3)
    stubbed["faces"] = [np.array([1, 2, 3, 4, 0.6]), np.array([-5, 0, 20, 30, 0.9])]
    assert detector.detect(np.zeros((200, 400, 3), np.uint8)) == [
        Box(-20.0, 0.0, 80.0, 120.0, 0.9),
        Box(4.0, 8.0, 12.0, 16.0, 0.6),
    ]
    (tmp_path / "anchors.npy").write_bytes(b"anchors")
    detector = face_alignment_detectors.FaceAlignment("blazeface", weights)
    detector.detect(np.zeros((50, 80, 3), np.uint8))
    assert stubbed["image"].shape == (80, 80, 3)  # which looks at a central square alone
