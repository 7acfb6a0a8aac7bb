"""What files of images mean: their colours, their frames, and which files are images at all."""

from __future__ import annotations

import io
import os
import re
import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import profiles
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms, PngImagePlugin
from profiles import ADOBE, P3, PROPHOTO, Space

from ganzoo import colour, images
from ganzoo.errors import DataError
from ganzoo.images import BadImage, decode
from ganzoo.scan import refuse_others, scan, sheet_beside

SPACES = {"Display P3": P3, "Adobe RGB": ADOBE, "ProPhoto": PROPHOTO}


def stored(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def lattice() -> NDArray[np.uint8]:
    """All corners of the cube of colours, and much between them, as (27, 27, 3)."""
    ticks = np.linspace(0, 255, 9).round().astype(np.uint8)
    colours = np.stack(np.meshgrid(ticks, ticks, ticks), axis=-1)
    return colours.reshape(27, 27, 3)


def difference(picture: Image.Image, wanted: NDArray[np.float64]) -> float:
    """The most levels by which a picture is off ``wanted``, which is 0..1."""
    return float(np.abs(np.asarray(picture) - 255 * wanted).max())


# -- colours -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize(
    ("kind", "options"), [("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True})]
)
def test_a_profile_says_what_the_colours_are(name: str, kind: str, options: Any) -> None:
    space, pixels = SPACES[name], lattice()
    wanted = space.to_srgb(pixels / 255)
    assert np.abs(pixels - 255 * wanted).max() > 35  # what ignoring the profile would cost
    data = stored(Image.fromarray(pixels), kind, icc_profile=space.profile(), **options)
    assert difference(decode(data).image, wanted) < 1.6


SRGB, LINEAR = profiles.SRGB, 1.0


def png_chunks(gamma: float | None, space: Space | None) -> Any:
    """Pillow's options that write a PNG's gAMA and cHRM."""
    chunks = PngImagePlugin.PngInfo()
    if space:
        points = (*space.white, *(value for corner in space.primaries for value in corner))
        chunks.add(b"cHRM", struct.pack(">8I", *(round(value * 100_000) for value in points)))
    if gamma:
        chunks.add(b"gAMA", struct.pack(">I", round(gamma * 100_000)))
    return {"pnginfo": chunks}


@pytest.mark.parametrize(
    ("gamma", "chunk", "means"),
    [
        (0.45455, P3, Space(P3.primaries, P3.white, 2.2)),
        (None, P3, P3),
        (LINEAR, None, Space(SRGB.primaries, SRGB.white, LINEAR)),
        (256 / 563, ADOBE, ADOBE),
        (256 / 461, PROPHOTO, PROPHOTO),  # of another white
        (0.45455, SRGB, SRGB),
        (0.45455, None, SRGB),
    ],
)
def test_gamma_and_chromaticities_of_a_png(
    gamma: float | None, chunk: Space | None, means: Space
) -> None:
    pixels = lattice()
    data = stored(Image.fromarray(pixels), "PNG", **png_chunks(gamma, chunk))
    wanted = pixels / 255 if means is SRGB else means.to_srgb(pixels / 255)
    assert difference(decode(data).image, wanted) < 2
    with Image.open(io.BytesIO(data)) as opened:
        assert difference(images.picture(opened).image, wanted) < 2
    gray = stored(Image.fromarray(pixels[..., 0]), "PNG", **png_chunks(gamma, chunk))
    assert decode(gray).image.mode == "RGB"


def test_a_profile_counts_more_than_gamma_and_nonsense_counts_for_nothing() -> None:
    image, pixels = Image.fromarray(lattice()), lattice()
    data = stored(image, "PNG", icc_profile=P3.profile(), **png_chunks(LINEAR, PROPHOTO))
    assert difference(decode(data).image, P3.to_srgb(pixels / 255)) < 1.6
    flat = Space(((0.3, 0.3),) * 3, (0.3, 0.3), None)
    dark = Space(((0.64, 0), (0.3, 0), (0.15, 0)), (0, 0), None)
    for options in (png_chunks(1e-5, None), png_chunks(None, flat), png_chunks(900, dark)):
        assert difference(decode(stored(image, "PNG", **options)).image, pixels / 255) == 0
    assert decode(stored(image, "PNG")).image.tobytes() == image.tobytes()


@pytest.mark.parametrize("name", SPACES)
def test_sixteen_bits_of_colour(name: str) -> None:
    cv2 = pytest.importorskip("cv2")
    space = SPACES[name]
    deep = np.random.default_rng(0).integers(0, 65536, (27, 27, 3), dtype=np.uint16)
    plain = cv2.imencode(".png", deep[..., ::-1])[1].tobytes()
    profile = stored(Image.new("RGB", (1, 1)), "PNG", icc_profile=space.profile())
    start = profile.index(b"iCCP") - 4
    chunk = profile[start : start + 12 + int.from_bytes(profile[start : start + 4], "big")]
    data = plain[:33] + chunk + plain[33:]
    off = np.abs(np.asarray(decode(data).image) - 255 * space.to_srgb(deep / 65535))
    assert off.mean() < 0.35  # cut to 8 bits before, it would be more than 0.5
    assert np.quantile(off, 0.99) < 1.6


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG2000", "PPM"])
def test_sixteen_bits_of_gray_are_rounded(kind: str) -> None:
    deep = np.arange(0, 65536, 97, dtype=np.uint16)[:672].reshape(21, 32)
    data = stored(Image.fromarray(deep), kind)
    if kind == "PPM":
        data = b"P5 32 21 65535\n" + deep.astype(">u2").tobytes()
    assert difference(decode(data).image, (deep / 65535)[..., None]) <= 0.51


def test_sixteen_bits_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    cv2 = pytest.importorskip("cv2")
    deep = np.random.default_rng(0).integers(0, 65536, (27, 20, 4), dtype=np.uint16)
    plain = cv2.imencode(".png", deep)[1].tobytes()
    whole = decode(plain)
    assert whole.alpha is not None
    assert np.abs(np.asarray(whole.alpha) - deep[..., 3] / 257).max() <= 0.51
    monkeypatch.setattr(images, "_AT_ONCE", 50)
    assert np.array_equal(np.asarray(decode(plain).image), np.asarray(whole.image))


def test_gray_palette_and_transparent_pixels_have_profiles_too() -> None:
    ramp = np.arange(256, dtype=np.uint8)[None]
    light = profiles.encode((ramp / 255.0) ** 1.8)[..., None].repeat(3, 2)
    for image in (
        Image.fromarray(ramp),
        Image.fromarray(np.stack([ramp, np.full_like(ramp, 255)], 2)),
        Image.fromarray(ramp.astype(np.uint16) * 257),
    ):
        data = stored(image, "PNG", icc_profile=profiles.gray(1.8))
        assert difference(decode(data).image, light) < 1.6
    few = Image.fromarray(lattice()).quantize(64)
    wanted = P3.to_srgb(np.asarray(few.convert("RGB")) / 255)
    data = stored(few, "PNG", icc_profile=P3.profile())
    assert difference(decode(data).image, wanted) < 1.6
    clear = Image.fromarray(lattice())
    clear.putalpha(128)
    data = stored(clear, "PNG", icc_profile=ADOBE.profile())
    over_white = ADOBE.to_srgb(lattice() / 255) * (128 / 255) + 127 / 255
    assert difference(decode(data).image, over_white) < 2.1
    gray_of_rgb = stored(Image.fromarray(ramp), "PNG", icc_profile=ADOBE.profile())
    wanted = ADOBE.to_srgb((ramp / 255.0)[..., None].repeat(3, 2))
    assert difference(decode(gray_of_rgb).image, wanted) < 1.1


@pytest.mark.parametrize(("kind", "options"), [("TIFF", {}), ("JPEG", {"quality": 100})])
def test_inks_have_profiles(kind: str, options: Any) -> None:
    black = np.zeros((8, 256, 4), np.uint8)
    black[..., 3] = np.arange(256)
    wanted = profiles.lightness(100 - black[..., 3:] / 2.55).repeat(3, 2)
    assert np.abs(255 - black[..., 3:] - 255 * wanted).max() > 8  # without a profile
    data = stored(Image.fromarray(black, "CMYK"), kind, icc_profile=profiles.ink(), **options)
    assert difference(decode(data).image, wanted) < 2.5


def test_what_a_camera_says_of_its_colours_in_exif() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned, for which EXIF is written again
    exif.get_ifd(0x8769)[0xA005] = {1: "R03"}
    image = Image.fromarray(lattice())
    upright = np.rot90(lattice(), -1) / 255
    for index, wanted in (("R03", ADOBE.to_srgb(upright)), ("R98", upright)):
        exif.get_ifd(0x8769)[0xA005] = {1: index}
        data = stored(image, "JPEG", exif=exif, quality=100, subsampling=0)
        assert np.abs(np.asarray(decode(data).image) - 255 * wanted).mean() < 1
    data = stored(image, "JPEG", exif=exif, icc_profile=P3.profile(), quality=100, subsampling=0)
    off = np.abs(np.asarray(decode(data).image) - 255 * P3.to_srgb(upright))
    assert off.mean() < 1  # a profile says more


def test_lab_is_a_colour_too() -> None:
    to_lab = ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
    )
    lab = to_lab.apply(Image.fromarray(lattice()))
    made = np.asarray(decode(stored(lab, "TIFF")).image).astype(int)
    assert np.abs(made - lattice()).mean() < 2.5  # 8 bits of Lab are few for blues


def test_srgb_pixels_stay_as_they_are() -> None:
    for profile in (profiles.SRGB.profile(), colour.srgb()):
        data = stored(Image.fromarray(lattice()), "PNG", icc_profile=profile)
        picture = decode(data)
        assert np.array_equal(np.asarray(picture.image), lattice())
        assert not picture.notes


@pytest.mark.parametrize(
    "profile", [b"rubbish", P3.profile()[:300], profiles.gray(2.2)], ids=["none", "cut", "gray"]
)
def test_a_profile_that_cannot_be_used_is_ignored_and_said(profile: bytes) -> None:
    picture = decode(stored(Image.fromarray(lattice()), "PNG", icc_profile=profile))
    assert np.array_equal(np.asarray(picture.image), lattice())
    assert picture.notes == (images.BAD_PROFILE,)


def test_a_picture_in_srgb_does_not_keep_the_profile_of_its_file() -> None:
    picture = decode(stored(Image.fromarray(lattice()), "PNG", icc_profile=P3.profile())).image
    assert "icc_profile" not in Image.open(io.BytesIO(stored(picture, "PNG"))).info


# -- frames and sizes --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF", "AVIF"])
def test_the_first_of_several_frames_is_used_and_said(kind: str) -> None:
    frames = [Image.new("RGB", (16, 16), name) for name in ("lime", "red", "blue")]
    data = stored(frames[0], kind, save_all=True, append_images=frames[1:])
    picture = decode(data)
    assert np.abs(np.asarray(picture.image).astype(int) - [0, 255, 0]).max() < 12
    assert picture.notes == (images.FIRST_FRAME,)
    assert not decode(stored(frames[0], kind)).notes


def test_a_large_photo_is_read_where_the_caller_says_so_and_nothing_is_warned_of() -> None:
    data = stored(Image.new("1", (12_000, 9_000), 1), "PNG")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(BadImage, match=r"12,000 x 9,000 pixels .*90 million"):
            decode(data)
        assert decode(data, images.MOST_PIXELS).image.size == (12_000, 9_000)
        with pytest.raises(BadImage, match="more than 107 million"):
            decode(data, 108_000_000 - 1)


# -- which files are images --------------------------------------------------------------------

_KINDS = {
    "a.jfif": "JPEG", "b.jpe": "JPEG", "c.avif": "AVIF", "d.ppm": "PPM", "e.bmp": "BMP",
    "f.tif": "TIFF", "g.JP2": "JPEG2000", "h.tga": "TGA", "photo": "JPEG", "photo-2": "PNG",
    "photo.2": "WEBP", "photo.download": "AVIF", "deep/photo": "TIFF", "i.qoi": "QOI",
}  # fmt: skip


def fill(folder: Path, kinds: dict[str, str]) -> None:
    for name, kind in kinds.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(stored(Image.new("RGB", (16, 16), "red"), kind))


def test_every_kind_that_pillow_reads_is_an_image_by_ending_or_content(tmp_path: Path) -> None:
    fill(tmp_path, _KINDS)
    found = scan(tmp_path)
    assert found.names == sorted(_KINDS)
    assert not found.others
    for name, kind in _KINDS.items():
        assert decode((tmp_path / name).read_bytes()).format == kind


def test_what_is_no_image_is_counted_by_kind(tmp_path: Path) -> None:
    fill(tmp_path, {"a.png": "PNG", "thumbs/b.png": "PNG", "thumbs-sheet.png": "PNG"})
    heic = b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + bytes(40)
    for name, data in {
        ".hidden.png": b"", "IMG_1.HEIC": heic, "IMG_2": heic, "list.csv": b"", "film.MOV": b"",
        "BMW": b"BMW is no bitmap, whatever it begins with", "Pnotes": b"P2", "empty": b"",
        "new.jxl": b"\xff\x0a", "sound.flac": b"fLaC",
    }.items():  # fmt: skip
        (tmp_path / name).write_bytes(data)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "again").symlink_to(tmp_path / "thumbs", target_is_directory=True)
    found = scan(tmp_path)
    assert len(found.names) == 2
    counts = {kind: len(names) for kind, names in found.others.items()}
    counts.pop("special file", None)
    assert counts == {
        "hidden": 1, "HEIC": 2, "text": 1, "video": 1, "unknown": 4, "JPEG XL": 1,
        "contact sheet": 1, "folder seen already": 1,
    }  # fmt: skip
    assert re.search(r"HEIC 2 \(IMG_1.HEIC .*pip install pillow-heif", found.not_looked_at())
    for name in ("IMG_1.HEIC", "IMG_2"):
        with pytest.raises(BadImage, match=r"HEIC .*pip install pillow-heif"):
            decode((tmp_path / name).read_bytes())


def test_a_folder_of_nothing_but_heic_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    with pytest.raises(DataError, match=r"no image .*HEIC 1 .*install pillow-heif"):
        scan(tmp_path)


def test_files_known_by_their_endings_are_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.png", "b.jpeg", "c.txt", "d.mp4"):
        (tmp_path / name).touch()
    monkeypatch.setattr(Path, "open", lambda path, mode="r": pytest.fail(f"{path} was opened"))
    assert scan(tmp_path).names == ["a.png", "b.jpeg"]


def test_a_folder_to_fill_holds_no_other_images(tmp_path: Path) -> None:
    fill(tmp_path, {"old.png": "PNG", "new.png": "PNG"})
    (tmp_path / "notes.txt").touch()
    refuse_others(tmp_path / "absent")
    refuse_others(tmp_path, [tmp_path / "old.png", tmp_path / "new.png"])
    with pytest.raises(DataError, match=r"1 other image, such as old\.png"):
        refuse_others(tmp_path, [tmp_path / "new.png"])


def test_a_contact_sheet_lies_beside_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert sheet_beside(Path("in/out")) == Path("in/out-sheet.png")
    assert sheet_beside(Path()) == tmp_path.with_name(f"{tmp_path.name}-sheet.png")


def test_stems() -> None:
    assert images.stem("a/b.PNG") == "a/b"
    assert images.stem("photo.2023") == "photo.2023"
    assert images.stem("a.b/photo") == "a.b/photo"


def test_spaces_are_what_they_are_said_to_be() -> None:
    """The profiles of these tests mean the same to LittleCMS as by their formulas."""
    for space in (*SPACES.values(), Space(P3.primaries, P3.white, 2.2)):
        transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(space.profile())),
            ImageCms.createProfile("sRGB"),
            "RGB",
            "RGB",
        )
        made = transform.apply(Image.fromarray(lattice()))
        assert difference(made, space.to_srgb(lattice() / 255)) < 1.6
