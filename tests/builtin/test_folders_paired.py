"""Dataset ``paired``: halves, two folders, crops and flips, and an answer for every bad input."""

import numpy as np
import pytest
import torch
from PIL import Image

from ganzoo.errors import DataError
from ganzoo_folders.paired import Paired

SIZE = 16


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))


def picture(i, side=SIZE):
    """A picture of its own, in which every pixel differs from the others."""
    rng = np.random.default_rng(i)
    return rng.integers(0, 256, (side, side, 3), dtype=np.uint8)


def save(folder, names, make, suffix="png"):
    folder.mkdir()
    for i, name in enumerate(names):
        Image.fromarray(make(i)).save(folder / f"{name}.{suffix}")
    return folder


@pytest.fixture
def side_by_side(tmp_path):
    both = lambda i: np.concatenate([picture(i), picture(100 + i)], axis=1)  # noqa: E731
    return save(tmp_path / "pairs", "abcd", both)


@pytest.fixture
def folders(tmp_path):
    one = save(tmp_path / "photos", "abcd", picture)
    return one, save(tmp_path / "drawings", "abcd", lambda i: picture(100 + i), "bmp")


def seen(images):
    return ((images + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()


def test_the_halves_of_an_image_are_a_pair(side_by_side):
    dataset = Paired(side_by_side, size=SIZE)
    batch = dataset.__getitems__([0, 1, 2, 3])
    assert (len(dataset), set(batch)) == (4, {"photo", "real"})
    for i in range(4):
        assert (seen(batch["photo"])[i] == picture(i)).all()
        assert (seen(batch["real"])[i] == picture(100 + i)).all()
    assert torch.equal(dataset[-1]["real"], batch["real"][3])


def test_two_folders_are_paired_by_name_whatever_the_ending(folders, side_by_side):
    halves = Paired(side_by_side, size=SIZE).__getitems__([2, 0])
    whole = Paired(*folders, size=SIZE).__getitems__([2, 0])
    assert torch.equal(whole["photo"], halves["photo"])
    assert torch.equal(whole["real"], halves["real"])


@pytest.mark.parametrize("two", [False, True])
def test_the_direction_exchanges_the_fields(side_by_side, folders, two):
    where = folders if two else (side_by_side,)
    there, back = (Paired(*where, direction=d, size=SIZE) for d in ("AtoB", "BtoA"))
    assert torch.equal(there[1]["photo"], back[1]["real"])
    assert torch.equal(there[1]["real"], back[1]["photo"])
    assert there.fingerprint() != back.fingerprint()


def test_a_pair_is_cropped_and_flipped_alike_and_anew_in_each_epoch(tmp_path):
    same = save(tmp_path / "same", range(10, 50), lambda i: np.tile(picture(i, 20), (1, 2, 1)))
    dataset = Paired(same, size=SIZE, jitter=4, mirror=True)
    epochs = []
    for epoch in (0, 1, 0):
        dataset.set_epoch(7, epoch)
        batch = dataset.__getitems__(list(range(40)))
        assert torch.equal(batch["photo"], batch["real"])
        epochs.append(seen(batch["photo"]))
    assert (epochs[0] == epochs[2]).all()
    assert (epochs[0] != epochs[1]).any()
    places = set()
    for i, image in enumerate(epochs[0]):
        whole = picture(i, 20)
        places |= {
            (top, left, flipped)
            for top in range(5)
            for left in range(5)
            for flipped in (False, True)
            if (image[:, :: -1 if flipped else 1] == whole[top : top + 16, left : left + 16]).all()
        }
    assert {top for top, _, _ in places} == {left for _, left, _ in places} == set(range(5))
    assert {flipped for _, _, flipped in places} == {False, True}


def test_images_that_are_no_pairs_are_named(tmp_path):
    folder = save(tmp_path / "square", "ab", picture)
    with pytest.raises(DataError, match="side by side"):
        Paired(folder, size=SIZE).prepare()


def test_an_image_without_a_partner_is_named(folders):
    photos, drawings = folders
    (drawings / "c.bmp").unlink()
    with pytest.raises(DataError) as error:
        Paired(photos, drawings, size=SIZE).prepare()
    assert "c.png" in str(error.value)
    assert "leave target out" in str(error.value)


def test_one_folder_cannot_be_both(folders):
    with pytest.raises(DataError, match="same folder"):
        Paired(folders[0], folders[0], size=SIZE).prepare()
