"""Dataset ``folder``: every kind of image, and an answer for every kind of bad one."""

import io
import os
import pickle
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from profiles import ADOBE

from ganzoo.errors import DataError
from ganzoo.images import BadImage, decode, square
from ganzoo.scan import scan
from ganzoo_folders import files
from ganzoo_folders.folder import Folder


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "images"
    path.mkdir()
    return path


def _noise(side=40, seed=0, mode="RGB"):
    channels = len(Image.new(mode, (1, 1)).getbands())
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, channels), dtype=np.uint8)
    return Image.fromarray(pixels.squeeze())


def _fill(folder, count=4, suffix="png"):
    for i in range(count):
        _noise(seed=i).save(folder / f"{i:03}.{suffix}")


def _bytes(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _pixel(data, at=(0, 0)):
    return decode(data).image.getpixel(at)


# --- decoding -------------------------------------------------------------------------------


def test_exif_orientation_turns_the_image_upright():
    image = Image.new("RGB", (20, 10), "red")
    image.paste("blue", (0, 0, 10, 10))  # blue left, red right
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held so that it has to turn clockwise
    upright = decode(_bytes(image, "PNG", exif=exif)).image
    assert upright.size == (10, 20)
    assert upright.getpixel((5, 2)) == (0, 0, 255)
    assert upright.getpixel((5, 17)) == (255, 0, 0)


def test_transparency_goes_onto_white():
    half = Image.new("RGBA", (8, 8), (255, 0, 0, 128))
    assert _pixel(_bytes(half, "PNG")) == (255, 127, 127)
    clear = Image.new("LA", (8, 8), (0, 0))
    assert _pixel(_bytes(clear, "PNG")) == (255, 255, 255)
    palette = Image.new("P", (8, 8), 1)
    palette.putpalette([0, 0, 0, 10, 20, 30])
    assert _pixel(_bytes(palette, "PNG", transparency=1)) == (255, 255, 255)
    assert _pixel(_bytes(palette, "PNG")) == (10, 20, 30)


def test_gray_cmyk_and_bilevel_become_rgb():
    assert _pixel(_bytes(Image.new("L", (8, 8), 77), "PNG")) == (77, 77, 77)
    assert _pixel(_bytes(Image.new("1", (8, 8), 1), "PNG")) == (255, 255, 255)
    red = _pixel(_bytes(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "TIFF"))
    assert red == (255, 0, 0)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_not_cut(kind):
    values = np.array([[0, 257 * 100], [257 * 200, 65535]], dtype=np.uint16)
    image = decode(_bytes(Image.fromarray(values), kind)).image
    assert np.asarray(image)[..., 0].tolist() == [[0, 100], [200, 255]]


def test_the_first_frame_of_an_animation_counts():
    frames = [Image.new("RGB", (8, 8), color) for color in ("lime", "red")]
    data = _bytes(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert _pixel(data) == (0, 255, 0)


def _bomb():
    def chunk(kind, body):
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", 12_000, 12_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"no image at all", "not an image"),
        (_bytes(_noise(), "JPEG")[:-99], "truncated"),
        (_bytes(_noise(), "PNG")[:600], "truncated"),
        (_bomb(), "pixels"),
        (_bytes(Image.fromarray(np.zeros((4, 4), np.float32)), "TIFF"), "32-bit"),
    ],
)
def test_what_cannot_be_read_has_a_reason(data, reason):
    with pytest.raises(BadImage, match=reason):
        decode(data)


def test_the_centre_is_cut_out_and_resizing_is_antialiased():
    wide = Image.new("RGB", (60, 20), "red")
    wide.paste("blue", (20, 0, 40, 20))
    inner = square(wide, 10)[:, :, 3:-3]  # at its edge the filter sees what is cut away
    assert (inner == np.array([0, 0, 255]).reshape(3, 1, 1)).all()
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255  # without antialiasing a reduction would see one colour only
    assert np.abs(square(Image.fromarray(stripes), 8).astype(int) - 127).max() < 8


def test_an_image_may_grow_twofold_but_not_more():
    assert square(_noise(16), 32).shape == (3, 32, 32)
    with pytest.raises(BadImage, match="15x15 pixels would grow"):
        square(_noise(15), 32)


# --- the dataset ----------------------------------------------------------------------------


def test_a_tree_of_images_in_the_order_of_its_names(folder):
    (folder / "b" / "deep").mkdir(parents=True)
    colors = {"a.PNG": "red", "b/deep/x.bmp": "lime", "b/y.WebP": "blue", "c.gif": "white"}
    for name, color in colors.items():
        path = folder / name
        Image.new("RGB", (16, 16), color).save(path, **({"lossless": True} if "W" in name else {}))
    (folder / "notes.txt").write_text("not an image")
    (folder / ".hidden.png").write_bytes(b"skipped")
    (folder / ".thumbnails").mkdir()
    (folder / ".thumbnails" / "t.png").write_bytes(b"skipped")
    dataset = Folder(path=folder, size=8)
    assert len(dataset) == 4
    seen = [((dataset[i]["real"][:, 4, 4] + 1) * 127.5).round().tolist() for i in range(4)]
    assert seen == [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]


def test_mirror_appends_flipped_copies_and_shares_the_cache(folder, tmp_path):
    _fill(folder, 3)
    plain = Folder(path=folder, size=20)
    mirrored = Folder(path=folder, size=20, mirror=True)
    assert len(mirrored) == 6
    assert torch.equal(mirrored[1]["real"], plain[1]["real"])
    assert torch.equal(mirrored[4]["real"], plain[1]["real"].flip(-1))
    batch = mirrored.__getitems__([5, 0, 3])["real"]
    for row, index in enumerate([5, 0, 3]):
        assert torch.equal(batch[row], mirrored[index]["real"])
    assert torch.equal(mirrored[-1]["real"], mirrored[5]["real"])
    with pytest.raises(IndexError):
        mirrored[6]
    assert mirrored.fingerprint() != plain.fingerprint()
    assert len(list((tmp_path / "cache").glob("folder-*"))) == 1


def test_bad_files_are_left_out_and_named_up_to_the_share_that_is_permitted(folder, caplog):
    _fill(folder, 8)
    (folder / "bad.jpg").write_bytes(_bytes(_noise(), "JPEG")[:-99])
    (folder / "tiny.png").write_bytes(_bytes(_noise(4), "PNG"))
    dataset = Folder(path=folder, size=16, max_bad=0.2)
    assert len(dataset) == 8
    assert set(dataset.rejected()) == {"bad.jpg", "tiny.png"}
    assert "2 of 10 images" in caplog.text
    assert "tiny.png: 4x4 pixels" in caplog.text
    with pytest.raises(DataError) as error:  # from the cache, with the same answer
        Folder(path=folder, size=16, max_bad=0.1).prepare()
    for word in ("2 of 10", "bad.jpg", "truncated", "tiny.png", "max_bad", "ganzoo data check"):
        assert word in str(error.value)


def test_a_folder_of_nothing_but_corrupt_images_is_an_error_whatever_is_permitted(folder):
    for i in range(7):
        (folder / f"{i}.png").write_bytes(b"rubbish")
    with pytest.raises(DataError) as error:
        Folder(path=folder, max_bad=1).prepare()
    assert "7 of 7 images" in str(error.value)
    assert "and 2 more" in str(error.value)


def test_missing_empty_and_file_paths_each_say_what_is_wrong(folder):
    (folder / "one.png").write_bytes(_bytes(_noise(), "PNG"))
    (folder / "empty").mkdir()
    (folder / "text").mkdir()
    (folder / "text" / "a.txt").write_text("a")
    for path, words in [
        (folder / "absent", "there is no folder"),
        (folder / "one.png", "is a file. Give the folder"),
        (folder / "empty", "it is empty"),
        (folder / "text", r"text 1 \(a\.txt\)"),
    ]:
        with pytest.raises(DataError, match=words) as error:
            Folder(path=path).prepare()
        assert path.name in str(error.value)


def test_a_folder_that_may_not_be_read_is_an_error(folder, monkeypatch):
    _fill(folder, 1)

    def refuse(path):
        raise PermissionError(13, "Permission denied", os.fspath(path))

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DataError, match=r"cannot be read: Permission denied"):
        Folder(path=folder).prepare()


def test_colours_frames_and_what_is_not_looked_at(folder, caplog):
    pixels = np.full((16, 16, 3), (200, 60, 90), np.uint8)
    image = Image.fromarray(pixels)
    image.save(folder / "a.png", icc_profile=ADOBE.profile())
    image.save(folder / "b.avif", quality=100)
    image.save(folder / "c.gif", save_all=True, append_images=[_noise(16)])
    (folder / "d.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    (folder / "labels.csv").touch()
    for _ in range(2):  # read, and from the cache
        caplog.clear()
        dataset = Folder(path=folder, size=16)
        found = (dataset.__getitems__([0, 1, 2])["real"][:, :, 8, 8] + 1) * 127.5
        assert np.abs(found[0].numpy() - 255 * ADOBE.to_srgb(pixels[0, 0] / 255)).max() < 1.1
        assert np.abs(found[1:].numpy() - pixels[0, 0]).max() < 12
        assert "page is used: 1 (c.gif)" in caplog.text
        assert "HEIC 1 (d.heic: pip install pillow-heif" in caplog.text
        assert "text 1 (labels.csv)" in caplog.text


def test_a_file_that_cannot_be_read_is_counted(folder):
    _fill(folder, 2)
    (folder / "gone.png").symlink_to(folder / "nowhere")
    dataset = Folder(path=folder, size=16, max_bad=0.5)
    assert len(dataset) == 2
    assert "unreadable" in dataset.rejected()["gone.png"]


def test_a_link_back_up_does_not_go_round_in_circles(folder):
    _fill(folder, 2)
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    assert len(Folder(path=folder, size=16)) == 2


def test_changed_content_is_seen_and_copies_elsewhere_share_the_cache(folder, tmp_path):
    _fill(folder, 2)
    before = Folder(path=folder, size=16).fingerprint()
    twin = tmp_path / "twin"
    twin.mkdir()
    for path in folder.iterdir():
        (twin / path.name).write_bytes(path.read_bytes())
    assert Folder(path=twin, size=16).fingerprint() == before
    assert len(list((tmp_path / "cache").glob("folder-*"))) == 1
    _noise(seed=9).save(folder / "001.png")
    assert Folder(path=folder, size=16).fingerprint() != before


def test_unchanged_files_are_not_read_again(folder, monkeypatch):
    _fill(folder, 3)
    for path in folder.iterdir():
        os.utime(path, (1_600_000_000, 1_600_000_000))
    names = scan(folder).names
    first = files.digests(folder, names)
    monkeypatch.setattr(files, "sha256", lambda path: pytest.fail(f"{path} was read"))
    assert files.digests(folder, names) == first


@pytest.mark.skipif(os.name != "posix", reason="needs the time of the last change of status")
def test_other_bytes_of_the_same_length_and_date_are_seen(folder):
    path = folder / "a.bmp"
    seen = set()
    for seed in (0, 1):
        _noise(seed=seed).save(path)
        os.utime(path, (1_600_000_000, 1_600_000_000))
        seen.add(Folder(path=folder, size=16).fingerprint())
    assert len(seen) == 2


def test_a_file_that_changes_while_it_is_read_is_an_error(folder, monkeypatch, tmp_path):
    _fill(folder, 3)
    monkeypatch.setattr(files, "sha256", lambda path: "0" * 64)
    with pytest.raises(DataError, match="changed while it was being read"):
        Folder(path=folder, size=16).prepare()
    assert not list((tmp_path / "cache").glob("folder-*"))


def test_names_that_are_no_unicode_are_no_obstacle(folder):
    try:
        (folder / os.fsdecode(b"\xff.png")).write_bytes(_bytes(_noise(), "PNG"))
    except OSError:
        pytest.skip("this file system takes only Unicode names")
    dataset = Folder(path=folder, size=16)
    assert len(dataset) == 1
    assert len(Folder(path=folder, size=16)) == 1


def test_prepare_twice_and_pickle(folder):
    _fill(folder, 2)
    dataset = Folder(path=folder, size=16, mirror=True)
    dataset.prepare()
    dataset.prepare()
    again = pickle.loads(pickle.dumps(dataset))
    assert torch.equal(again[3]["real"], dataset[3]["real"])
    loader = torch.utils.data.DataLoader(
        dataset, batch_size=2, num_workers=1, collate_fn=lambda batch: batch
    )
    assert next(iter(loader))["real"].shape == (2, 3, 16, 16)


def test_real_photographs():
    faces = Path(__file__).parents[3] / "shared" / "data" / "landscapes"
    if not faces.is_dir():
        pytest.skip("no shared photographs beside this checkout")
    assert len(Folder(path=faces, size=64)) == 40


# --- labels ---------------------------------------------------------------------------------


def _pets(folder, *names):
    for i, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        _noise(seed=i).save(folder / name)


def test_a_label_is_the_name_of_the_folder_below(folder):
    _pets(folder, "cat/1.png", "dog/1.png", "cat/old/2.png", "dog/0.png", "dog/3.png")
    (folder / "dog" / "bad.png").write_bytes(b"rubbish")
    dataset = Folder(folder, size=16, mirror=True, max_bad=0.5, label=["class"])
    dataset.prepare()
    assert dataset.label_values == {"class": ["cat", "dog"]}
    labels = [int(dataset[i]["label"]) for i in range(len(dataset))]
    assert labels == [0, 0, 1, 1, 1] * 2  # in the order of the names; then the mirrored ones
    assert dataset.__getitems__([-1, 0])["label"].tolist() == [[1], [0]]
    plain = Folder(folder, size=16, mirror=True, max_bad=0.5)
    assert "label" not in plain[0]
    assert plain.fingerprint() != dataset.fingerprint()
    again = pickle.loads(pickle.dumps(dataset))
    assert again[2]["label"].tolist() == [1]
    (folder / "dog" / "0.png").rename(folder / "cat" / "0.png")
    moved = Folder(folder, size=16, mirror=True, max_bad=0.5, label=["class"])
    assert moved.fingerprint() != dataset.fingerprint()


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["1.png", "2.png"], "has no folders with images in it"),
        (["cat/1.png", "cat/more/2.png"], "has only one folder with images in it, 'cat'"),
        (["cat/1.png", "dog/1.png", "stray.png"], "1 images in .* lie beside .*\\n  stray.png"),
        (["cat/1.png", "dog/bad"], "no image of class dog in .* can be used"),
    ],
)
def test_folders_that_make_no_classes(folder, names, words):
    _pets(folder, *(name for name in names if "bad" not in name))
    if "dog/bad" in names:
        (folder / "dog").mkdir()
        (folder / "dog" / "1.png").write_bytes(b"\x89PNG\r\n\x1a\nrubbish")
    with pytest.raises(DataError, match=words):
        Folder(folder, size=16, max_bad=0.5, label=["class"]).prepare()


@pytest.mark.parametrize("label", [[], ["class", "class"]])
def test_there_is_one_label(folder, label):
    with pytest.raises(DataError, match=r"must be \[class\]"):
        Folder(folder, label=label)
