"""Dataset ``unpaired``: draws, pairs, smoothed edges, and an answer for every bad input."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from pictures import cartoon_like, photo_like
from PIL import Image

from ganzoo.errors import DataError
from ganzoo_folders import cache, edges
from ganzoo_folders.unpaired import Unpaired

SIZE = 32


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))


def _save(folder, make, count, suffix="png"):
    folder.mkdir(exist_ok=True)
    for i in range(count):
        Image.fromarray(make(i, SIZE)).save(folder / f"{i:02}.{suffix}")
    return folder


@pytest.fixture
def photos(tmp_path):
    return _save(tmp_path / "photos", photo_like, 7)


@pytest.fixture
def cartoons(tmp_path):
    return _save(tmp_path / "cartoons", cartoon_like, 12, "bmp")


def _smoothed(cartoons, out):
    """The cartoons' copies as `ganzoo data edges` would make them."""
    out.mkdir()
    for path in cartoons.iterdir():
        pixels, _ = edges.smooth(np.asarray(Image.open(path)))
        Image.fromarray(pixels).save(out / f"{path.stem}.png")
    return out


def _rows(dataset, field, epoch=None, seed=3):
    """Which image of its folder each example of an epoch has, by the pixels."""
    if epoch is not None:
        dataset.set_epoch(seed, epoch)
    images = dataset.__getitems__(list(range(len(dataset))))[field]
    known = {row.tobytes(): i for i, row in enumerate(dataset._open[field].images)}
    pixels = ((images + 1) * 127.5).round().to(torch.uint8).numpy()
    return [
        next(
            known[p.tobytes()]
            for p in (x, np.ascontiguousarray(x[..., ::-1]))
            if p.tobytes() in known
        )
        for x in pixels
    ]


# --- draws ----------------------------------------------------------------------------------


def test_an_epoch_shows_the_larger_folder_once_and_the_smaller_one_again(photos, cartoons):
    dataset = Unpaired(photos, cartoons, size=SIZE)
    assert len(dataset) == 12
    assert sorted(_rows(dataset, "real", epoch=0)) == list(range(12))
    rows = _rows(dataset, "photo", epoch=0)
    assert sorted(rows[:7]) == list(range(7))
    assert len(set(rows[7:])) == 5
    assert set(dataset[0]) == {"photo", "real"}
    assert dataset[0]["photo"].shape == (3, SIZE, SIZE)
    assert dataset.size == SIZE


def test_draws_depend_on_seed_and_epoch_alone(photos, cartoons):
    pytest.importorskip("cv2")
    dataset = Unpaired(photos, cartoons, smooth="edges", size=SIZE, mirror=True)
    other = Unpaired(photos, cartoons, smooth="edges", size=SIZE, mirror=True)
    other.set_epoch(3, 9)
    for epoch in (5, 1, 5):
        dataset.set_epoch(3, epoch)
    other.set_epoch(3, 5)
    for field in ("photo", "real", "smooth"):
        assert _rows(dataset, field, epoch=5) == _rows(other, field)
        assert torch.equal(dataset[4][field], other[4][field])
        assert _rows(dataset, field, epoch=5) != _rows(dataset, field, epoch=6)
        assert _rows(dataset, field, epoch=5, seed=3) != _rows(dataset, field, epoch=5, seed=4)
    assert _rows(dataset, "real", epoch=5) != _rows(dataset, "smooth", epoch=5)


def test_fields_are_drawn_independently(tmp_path):
    photos = _save(tmp_path / "photos", photo_like, 4)
    cartoons = _save(tmp_path / "cartoons", cartoon_like, 4)
    dataset = Unpaired(photos, cartoons, size=SIZE)
    together = np.zeros((4, 4), int)
    for epoch in range(200):
        pairs = zip(_rows(dataset, "photo", epoch), _rows(dataset, "real", epoch), strict=True)
        for photo, real in pairs:
            together[photo, real] += 1
    # each pair meets in a quarter of the 200 epochs: 50 times, with a standard deviation of 6.1
    assert together.sum() == 800
    assert np.abs(together - 50).max() < 25


def test_a_batch_is_its_examples(photos, cartoons):
    dataset = Unpaired(photos, cartoons, size=SIZE, mirror=True)
    batch = dataset.__getitems__([5, 0, 11, 5])
    for row, index in enumerate([5, 0, 11, 5]):
        for field in ("photo", "real"):
            assert torch.equal(batch[field][row], dataset[index][field])
    assert torch.equal(dataset[-1]["real"], dataset[11]["real"])
    with pytest.raises(IndexError):
        dataset[12]
    again = pickle.loads(pickle.dumps(dataset))
    assert torch.equal(again[3]["photo"], dataset[3]["photo"])


def _is_flipped(dataset, field, index):
    pixels = ((dataset[index][field] + 1) * 127.5).round().to(torch.uint8).numpy()
    known = dataset._open[field].images
    plain = (known == pixels).all(axis=(1, 2, 3)).any()
    flipped = (known == pixels[..., ::-1]).all(axis=(1, 2, 3)).any()
    assert plain != flipped
    return flipped


def test_mirror_flips_about_half_and_others_in_other_epochs(photos, cartoons):
    dataset = Unpaired(photos, cartoons, size=SIZE, mirror=True)
    seen = []
    for epoch in range(10):
        dataset.set_epoch(0, epoch)
        seen.append([_is_flipped(dataset, "real", i) for i in range(12)])
    assert 30 < np.sum(seen) < 90  # of 120: 60 +- 5.5
    assert len({tuple(row) for row in seen}) > 5
    plain = Unpaired(photos, cartoons, size=SIZE)
    assert not any(_is_flipped(plain, "real", i) for i in range(12))


# --- pairs ----------------------------------------------------------------------------------


def test_paired_fields_are_in_step_with_real_and_flipped_alike(tmp_path, cartoons):
    pytest.importorskip("cv2")
    photos = _save(tmp_path / "photos", photo_like, 12)
    dataset = Unpaired(
        photos, cartoons, "edges", size=SIZE, mirror=True, paired=["smooth", "photo"]
    )
    for epoch in (0, 1):
        rows = _rows(dataset, "real", epoch)
        assert _rows(dataset, "smooth", epoch) == rows
        assert _rows(dataset, "photo", epoch) == rows  # their names sort alike
        for i in range(12):
            flips = {_is_flipped(dataset, field, i) for field in ("photo", "real", "smooth")}
            assert len(flips) == 1


def test_pairs_go_by_name_not_by_place(tmp_path, cartoons):
    pytest.importorskip("cv2")
    smooth = _smoothed(cartoons, tmp_path / "smooth")
    (cartoons / "00.bmp").rename(cartoons / "zz.bmp")
    (smooth / "00.png").rename(smooth / "zz.png")
    (smooth / "05.png").rename(smooth / "05.PNG")
    dataset = Unpaired(
        tmp_path / "photos", cartoons, str(smooth), size=SIZE, paired=["smooth"], mirror=True
    )
    _save(tmp_path / "photos", photo_like, 3)
    for example in (dataset[i] for i in range(12)):
        planes = ((example["real"] + 1) * 127.5).round().to(torch.uint8).numpy()
        candidates = [planes, planes[..., ::-1]]
        expected = [
            edges.smooth(np.ascontiguousarray(c.transpose(1, 2, 0)))[0].transpose(2, 0, 1)
            for c in candidates
        ]
        expected[1] = expected[1][..., ::-1]
        found = ((example["smooth"] + 1) * 127.5).round().to(torch.uint8).numpy()
        assert any(np.array_equal(found, e) for e in expected)


def test_pairs_without_a_partner_are_named(tmp_path, photos, cartoons):
    pytest.importorskip("cv2")
    with pytest.raises(DataError) as error:
        Unpaired(photos, cartoons, size=SIZE, paired=["photo"]).prepare()
    for words in ("5 usable images", "07.bmp", "11.bmp", "take 'photo' out of paired"):
        assert words in str(error.value)
    smooth = _smoothed(cartoons, tmp_path / "smooth")
    (smooth / "03.png").rename(smooth / "other.png")
    (smooth / "04.png").unlink()
    with pytest.raises(DataError) as error:
        Unpaired(photos, cartoons, str(smooth), size=SIZE, paired=["smooth"]).prepare()
    for words in ("3 usable images", "03.bmp", "04.bmp", "other.png"):
        assert words in str(error.value)
    assert len(Unpaired(photos, cartoons, str(smooth), size=SIZE)) == 12  # unpaired is fine
    Image.fromarray(cartoon_like(50, SIZE)).save(cartoons / "02.png")
    with pytest.raises(DataError, match="same name"):
        Unpaired(photos, cartoons, "edges", size=SIZE, paired=["photo"]).prepare()
    with pytest.raises(DataError, match="argument smooth"):
        Unpaired(photos, cartoons, size=SIZE, paired=["smooth"])


# --- smoothed edges -------------------------------------------------------------------------


def test_edges_are_smoothed_once_at_the_size_of_training(photos, cartoons, tmp_path, monkeypatch):
    pytest.importorskip("cv2")
    dataset = Unpaired(photos, cartoons, "edges", size=SIZE)
    dataset.prepare()
    for real, smooth in zip(
        dataset._open["real"].images, dataset._open["smooth"].images, strict=True
    ):
        image = np.ascontiguousarray(real.transpose(1, 2, 0))
        assert np.array_equal(smooth.transpose(1, 2, 0), edges.smooth(image)[0])
    entries = list((tmp_path / "cache").glob("edges-*"))
    assert len(entries) == 1
    monkeypatch.setattr(edges, "smooth", lambda *a: pytest.fail("it was made again"))
    again = Unpaired(photos, cartoons, "edges", size=SIZE)
    assert again.fingerprint() == dataset.fingerprint()


def test_fingerprints_tell_everything_apart(photos, cartoons, tmp_path):
    pytest.importorskip("cv2")
    smooth = _smoothed(cartoons, tmp_path / "smooth")
    seen = [
        Unpaired(photos, cartoons, size=SIZE, **changes).fingerprint()
        for changes in (
            {},
            {"mirror": True},
            {"smooth": "edges"},
            {"smooth": "edges", "paired": ["smooth"]},
        )
    ]
    seen.append(Unpaired(photos, cartoons, size=24).fingerprint())
    assert len(set(seen)) == len(seen)
    same = Unpaired(photos, cartoons, smooth=str(smooth), size=SIZE)
    assert same.fingerprint() == seen[2]  # the same pixels, wherever they are
    Image.fromarray(photo_like(99, SIZE)).save(photos / "00.png")
    assert Unpaired(photos, cartoons, size=SIZE).fingerprint() != seen[0]


def test_smoothed_images_that_are_the_cartoons_are_refused(photos, cartoons, tmp_path, caplog):
    pytest.importorskip("cv2")
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in cartoons.iterdir():
        Image.open(path).save(copy / f"{path.stem}-smooth.png")
    with pytest.raises(DataError) as error:
        Unpaired(photos, cartoons, str(copy), size=SIZE).prepare()
    for words in ("12 of 12", "true and false", "ganzoo data edges", "smooth: edges"):
        assert words in str(error.value)
    few = _save(tmp_path / "few", cartoon_like, 1)  # all of the cartoons, a twelfth of the others
    with pytest.raises(DataError, match="1 of 12 images in smooth"):
        Unpaired(photos, few, str(copy), size=SIZE).prepare()
    Image.new("RGB", (SIZE, SIZE), "pink").save(cartoons / "blank.png")
    Unpaired(photos, cartoons, "edges", size=SIZE).prepare()
    assert "1 of 13 images in smooth" in caplog.text


# --- bad input ------------------------------------------------------------------------------


def test_swapped_folders_are_refused_unless_told_not_to_look(photos, cartoons):
    with pytest.raises(DataError) as error:
        Unpaired(photo=cartoons, real=photos, size=SIZE).prepare()
    for words in ("seem to be swapped", "cartoons", "photos", "check: false"):
        assert words in str(error.value)
    assert len(Unpaired(photo=cartoons, real=photos, size=SIZE, check=False)) == 12


def test_one_folder_of_the_wrong_kind_is_a_warning(tmp_path, cartoons, caplog):
    more = _save(tmp_path / "more", lambda seed, size: cartoon_like(seed + 100, size), 12)
    Unpaired(more, cartoons, size=SIZE).prepare()
    assert "more, looks like drawings" in caplog.text


def test_three_cartoons_are_too_few_and_said_so(tmp_path, photos, caplog):
    few = _save(tmp_path / "few", cartoon_like, 3)
    dataset = Unpaired(photos, few, size=SIZE)
    assert len(dataset) == 7
    assert "Only 3 cartoons" in caplog.text
    assert "thousands" in caplog.text
    assert sorted(_rows(dataset, "real", 0)[:3]) == [0, 1, 2]


def test_folders_that_are_the_same_missing_or_empty_are_errors(photos, cartoons, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(photos, target_is_directory=True)
    twin = _save(tmp_path / "twin", photo_like, 7)
    for photo, real, smooth, words in (
        (photos, photos, None, "photo and real are the same folder"),
        (photos, tmp_path / "link", None, "photo and real are the same folder"),
        (photos, twin, None, "hold the same images"),
        (photos, cartoons, str(cartoons), "real and smooth are the same folder"),
        (tmp_path / "absent", cartoons, None, "there is no folder"),
        (photos, tmp_path / "empty", None, "it is empty"),
        (photos, cartoons, str(tmp_path / "edgs"), "there is no folder"),
        (photos / "00.png", cartoons, None, "is a file"),
    ):
        with pytest.raises(DataError, match=words):
            Unpaired(photo, real, smooth, size=SIZE).prepare()


def test_bad_files_are_left_out_and_named_up_to_the_share_that_is_permitted(
    photos, cartoons, caplog
):
    whole = (photos / "00.png").read_bytes()
    Image.fromarray(photo_like(0, SIZE)).save(photos / "cut.jpg")
    (photos / "cut.jpg").write_bytes((photos / "cut.jpg").read_bytes()[:-200])
    (photos / "page.jpg").write_text("<!doctype html><title>Not found</title>")
    Image.new("RGB", (1, 1)).save(photos / "dot.png")
    Image.fromarray(photo_like(70, SIZE)).save(photos / "moving.gif")
    Image.new("L", (8000, 6000), 90).save(photos / "large.png")
    with pytest.raises(DataError) as error:
        Unpaired(photos, cartoons, size=SIZE).prepare()
    for words in ("3 of 12", "cut.jpg: image file is truncated", "page.jpg: not an image", "1x1"):
        assert words in str(error.value)
    dataset = Unpaired(photos, cartoons, size=SIZE, max_bad=0.5)
    assert len(dataset) == 12
    assert len(dataset._open["photo"].images) == 9  # with the GIF and the large one
    assert {Path(name).name for name in dataset.rejected()} == {"cut.jpg", "page.jpg", "dot.png"}
    assert "3 of 12 images" in caplog.text
    assert (photos / "00.png").read_bytes() == whole


def test_without_opencv_only_made_edges_are_missed(photos, cartoons, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "cv2", None)
    assert len(Unpaired(photos, cartoons, size=SIZE)) == 12
    with pytest.raises(DataError, match=r"ganzoo\[cartoons\]"):
        Unpaired(photos, cartoons, "edges", size=SIZE).prepare()


def test_preparing_twice_opens_once(photos, cartoons, monkeypatch):
    dataset = Unpaired(photos, cartoons, size=SIZE)
    dataset.prepare()
    monkeypatch.setattr(cache, "get", lambda *a: pytest.fail("it was opened again"))
    dataset.prepare()
