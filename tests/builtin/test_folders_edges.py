"""Smoothed edges: the slow definition to the last bit, and folders of copies made once."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image, ImageDraw
from profiles import ADOBE
from typer.testing import CliRunner

from ganzoo.errors import DataError
from ganzoo_folders import register_commands

cv2 = pytest.importorskip("cv2")

from ganzoo_folders import edges  # noqa: E402

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))


def _cartoon(width=67, height=45, seed=0):
    """Flat colours with ink between them."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (width, height), tuple(rng.integers(150, 256, 3).tolist()))
    draw = ImageDraw.Draw(image)
    for _ in range(4):
        x, y = rng.integers(0, width - 12), rng.integers(0, height - 12)
        box = (int(x), int(y), int(x + rng.integers(9, 30)), int(y + rng.integers(9, 30)))
        fill = tuple(rng.integers(0, 256, 3).tolist())
        draw.ellipse(box, fill=fill, outline="black")
    return np.asarray(image)


def _noise(width, height):
    return np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)


def _slowly(image):
    """The scripts' definition, pixel by pixel, on BGR as OpenCV reads it."""
    bgr = np.ascontiguousarray(image[..., ::-1])
    found = cv2.Canny(cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY), 100, 200)
    dilated = cv2.dilate(found, np.ones((5, 5), np.uint8))
    taps = np.array([1, 4, 6, 4, 1]) / 16
    kernel = np.outer(taps, taps)
    padded = np.pad(bgr, ((2, 2), (2, 2), (0, 0)), mode="reflect")
    result = bgr.copy()
    for y, x in zip(*np.nonzero(dilated), strict=True):
        for channel in range(3):
            window = padded[y : y + 5, x : x + 5, channel]
            result[y, x, channel] = np.sum(window * kernel)  # truncated by the assignment
    return result[..., ::-1], dilated > 0


def test_copies_are_in_srgb_and_old_ones_are_not_taken_for_them(run, tmp_path):
    cartoons, out = tmp_path / "cartoons", tmp_path / "smooth"
    cartoons.mkdir()
    flat = np.full((32, 32, 3), (200, 60, 90), np.uint8)
    Image.fromarray(flat).save(cartoons / "a.png", icc_profile=ADOBE.profile())
    (cartoons / "film.mp4").touch()
    assert "Not looked at: video 1 (film.mp4" in run(cartoons, "--out", out)
    with Image.open(out / "a.png") as copy:
        assert "icc_profile" not in copy.info
        wanted = 255 * ADOBE.to_srgb(flat[0, 0] / 255)
        assert np.abs(np.asarray(copy)[0, 0] - wanted).max() < 1.1
    made = json.loads((out / "edges.json").read_text())
    del made["settings"]["colours"]
    (out / "edges.json").write_text(json.dumps(made))
    with pytest.raises(DataError, match="colours None, not sRGB"):
        run(cartoons, "--out", out)


@pytest.mark.parametrize(
    "image",
    [
        _cartoon(),
        _cartoon(64, 64, seed=3),
        _noise(33, 21),
        np.full((16, 16, 3), 200, np.uint8),
        *(_noise(*size) for size in ((1, 1), (1, 9), (2, 3), (3, 1))),
    ],
    ids=lambda image: f"{image.shape[1]}x{image.shape[0]}",
)
def test_it_is_the_slow_definition_to_the_last_bit(image):
    expected, where = _slowly(image)
    result, mask = edges.smooth(image)
    assert np.array_equal(result, expected)
    assert np.array_equal(mask, where)
    assert np.array_equal(result[~mask], image[~mask])
    assert edges.changed(image, result) == (image != expected).any(axis=2).mean()


def test_so_it_is_on_real_drawings_of_odd_sizes():
    names = sorted((SHARED / "anime-faces").glob("*.jpg"))[:3]
    if not names:
        pytest.skip("no shared drawings beside this checkout")
    for name, size in zip(names, ((96, 96), (85, 63), (61, 94)), strict=True):
        image = np.asarray(Image.open(name).convert("RGB").resize(size))
        assert np.array_equal(edges.smooth(image)[0], _slowly(image)[0])


def test_its_kernel_is_the_one_of_opencv():
    assert np.array_equal(cv2.getGaussianKernel(5, 0)[:, 0], np.array([1, 4, 6, 4, 1]) / 16)


def _step(height=16, width=16):
    image = np.zeros((height, width, 3), np.uint8)
    image[:, width // 2 :] = 250
    return image


def test_mean_blur_is_the_mean_of_25_pixels_rounded_down():
    result, mask = edges.smooth(_step(), blur="mean")
    assert mask[8, 6:10].all()
    assert result[8, 6:10, 0].tolist() == [50, 100, 150, 200]  # of five columns, 1 to 4 are 250


def test_a_feathered_mask_fades_out_and_a_hard_one_does_not():
    image = _cartoon(90, 90, seed=5)
    hard, where = edges.smooth(image)
    soft, faded = edges.smooth(image, mask="feathered")
    assert (faded & ~where).any()
    assert (where <= faded).all()
    assert np.array_equal(soft[~faded], image[~faded])
    inside = cv2.erode(where.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    assert np.array_equal(soft[inside], hard[inside])


def test_without_opencv_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(DataError, match=r"pip install 'ganzoo\[cartoons\]'"):
        edges.smooth(_step())


# --- ganzoo data edges ----------------------------------------------------------------------


@pytest.fixture
def run():
    cli = typer.Typer()
    register_commands(cli)

    def call(*arguments):
        result = CliRunner().invoke(cli, ["data", "edges", *map(str, arguments)])
        if isinstance(result.exception, DataError):
            raise result.exception
        assert result.exception is None, result.output
        return " ".join(result.stdout.split())

    return call


@pytest.fixture
def cartoons(tmp_path):
    folder = tmp_path / "cartoons"
    (folder / "deep").mkdir(parents=True)
    for i in range(3):
        Image.fromarray(_cartoon(60 + i, 50, seed=i)).save(folder / "deep" / f"{i}.bmp")
    Image.fromarray(_cartoon(80, 48, seed=9)).save(folder / "wide.png")
    return folder


def _stamps(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_copies_have_the_names_and_sizes_of_their_originals(run, cartoons, tmp_path):
    out = tmp_path / "new" / "smooth"
    said = run(cartoons, "--out", out)
    assert "4 images with smoothed edges" in said
    assert "Changed pixels: median" in said
    for name in ("deep/0", "deep/1", "deep/2", "wide"):
        (original,) = cartoons.glob(f"{name}.*")
        image = np.asarray(Image.open(original))
        assert np.array_equal(np.asarray(Image.open(out / f"{name}.png")), edges.smooth(image)[0])
    # beside the folder, so that nobody trains on it; four triplets, two in a row
    assert Image.open(tmp_path / "new" / "smooth-sheet.png").size == (6 * 256, 2 * 256)
    assert len(list(out.rglob("*.png"))) == 4


def test_the_shorter_side_is_resized_and_the_aspect_ratio_kept(run, cartoons, tmp_path):
    run(cartoons, "--out", tmp_path / "s", "--size", 24, "--sheet", tmp_path / "own.png")
    assert Image.open(tmp_path / "s" / "wide.png").size == (40, 24)
    assert (tmp_path / "own.png").exists()


def test_options_reach_the_pixels(run, cartoons, tmp_path):
    image = np.asarray(Image.open(cartoons / "wide.png"))
    run(cartoons, "--out", tmp_path / "s", "--blur", "mean", "--mask", "feathered")
    expected, _ = edges.smooth(image, "mean", "feathered")
    assert np.array_equal(np.asarray(Image.open(tmp_path / "s" / "wide.png")), expected)


def test_a_second_run_touches_nothing_and_says_so(run, cartoons, tmp_path):
    out = tmp_path / "smooth"
    run(cartoons, "--out", out)
    before = _stamps(tmp_path)
    said = run(cartoons, "--out", out)
    assert "has all 4 already" in said
    assert "nothing to do" in said
    assert "Changed pixels: median" in said
    after = _stamps(tmp_path)
    assert {p: t for p, t in after.items() if "cache" not in p.parts} == {
        p: t for p, t in before.items() if "cache" not in p.parts
    }


def test_only_what_is_new_or_changed_is_made_and_what_is_gone_is_named(run, cartoons, tmp_path):
    out = tmp_path / "smooth"
    Image.fromarray(_cartoon(52, 52, seed=23)).save(cartoons / "same.png")
    run(cartoons, "--out", out)
    before = _stamps(out)
    Image.fromarray(_cartoon(52, 52, seed=20)).save(cartoons / "wide.png")
    Image.fromarray(_cartoon(52, 52, seed=21)).save(cartoons / "more.png")
    (cartoons / "deep" / "1.bmp").unlink()
    (cartoons / "deep" / "0.bmp").rename(cartoons / "deep" / "0.txt")  # no longer an image
    Image.fromarray(_cartoon(52, 52, seed=22)).save(cartoons / "deep" / "0.png")
    (out / "deep" / "2.png").unlink()
    said = run(cartoons, "--out", out)
    assert "4 images with smoothed edges" in said
    assert "1 of an earlier call" in said
    assert "removed or became unusable: 1" in said
    assert "deep/1.png" in said
    kept = out / "same.png"
    assert _stamps(out)[kept] == before[kept]
    assert Image.open(out / "wide.png").size == (52, 52)
    (cartoons / "more.png").write_bytes(b"cut short")
    said = run(cartoons, "--out", out)
    assert "Unusable, left out: 1" in said
    assert "removed or became unusable: 2" in said


def test_a_run_that_was_interrupted_goes_on_where_it_was(run, cartoons, tmp_path, monkeypatch):
    from ganzoo_folders import edge_copies

    out = tmp_path / "smooth"
    real, done = edge_copies.smooth, []

    def interrupt(*arguments):
        done.append(1)
        if len(done) == 3:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(edge_copies, "smooth", interrupt)
    job = edge_copies.Job(cartoons, out)
    with pytest.raises(KeyboardInterrupt):
        job.run()
    monkeypatch.undo()
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))
    kept = len(json.loads((out / "edges.json").read_text())["files"])
    assert job.run().fresh == 4 - kept
    assert job.run().fresh == 0
    assert not list(out.rglob("*.writing"))


def test_unusable_images_are_named_and_the_others_made(run, cartoons, tmp_path):
    (cartoons / "page.jpg").write_text("<!doctype html><title>404</title>")
    cut = (cartoons / "wide.png").read_bytes()[:300]
    (cartoons / "cut.png").write_bytes(cut)
    Image.new("RGB", (1, 1)).save(cartoons / "dot.png")
    said = run(cartoons, "--out", tmp_path / "s", "--size", 40)
    assert "4 images with smoothed edges" in said
    assert "Unusable, left out: 3" in said
    assert "page.jpg: not an image" in said
    assert "dot.png: 1x1 pixels would grow" in said
    for path in (cartoons / "deep").iterdir():
        path.unlink()
    (cartoons / "wide.png").unlink()
    with pytest.raises(DataError, match="none of the 3 images"):
        run(cartoons, "--out", tmp_path / "t", "--size", 40)


def test_shares_that_are_too_small_or_too_large_are_named(run, tmp_path):
    folder = tmp_path / "odd"
    folder.mkdir()
    Image.new("RGB", (40, 40), "pink").save(folder / "blank.png")
    Image.fromarray(_noise(40, 40)).save(folder / "noise.png")
    said = run(folder, "--out", tmp_path / "s")
    assert "Under 0.5% changed in 1:" in said
    assert "Over 60% changed in 1:" in said
    assert "blank.png" in said
    assert "noise.png" in said
    assert "from 0.0% to 100.0%" in said


def test_folders_that_cannot_be_used_have_an_answer(run, cartoons, tmp_path):
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine.txt").write_text("mine")
    cases = [
        ((cartoons, "--out", cartoons), "lies in the folder of the originals"),
        ((cartoons, "--out", cartoons / "smooth"), "lies in the folder of the originals"),
        ((cartoons, "--out", full), "not made by this command"),
        ((cartoons, "--out", full / "mine.txt"), "a file of that name"),
        ((tmp_path / "absent", "--out", tmp_path / "s"), "no folder"),
        ((cartoons, "--out", tmp_path / "s", "--blur", "gausian"), "did you mean 'gaussian'"),
        ((cartoons, "--out", tmp_path / "s", "--mask", "soft"), "feathered, hard"),
        ((cartoons, "--out", tmp_path / "s", "--sheet", "s.jpg"), r"end the name in \.png"),
    ]
    for arguments, words in cases:
        with pytest.raises(DataError, match=words):
            run(*arguments)
    assert not (tmp_path / "s").exists()
    run(cartoons, "--out", tmp_path / "s")
    with pytest.raises(DataError, match="other settings: blur gaussian, not mean"):
        run(cartoons, "--out", tmp_path / "s", "--blur", "mean")
    (tmp_path / "s" / "edges.json").write_text("{")
    with pytest.raises(DataError, match="is damaged"):
        run(cartoons, "--out", tmp_path / "s")
    Image.fromarray(_cartoon()).save(cartoons / "wide.bmp")
    with pytest.raises(DataError, match=r"would both become 'wide\.png'"):
        run(cartoons, "--out", tmp_path / "t")
