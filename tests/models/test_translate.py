"""Photos into pictures: names, sizes, formats, tiles, and what is said of what cannot be used."""

from __future__ import annotations

import io
import json
import sys
import warnings
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.ImageCms import ImageCmsProfile
from profiles import P3
from torch import Tensor, nn
from typed import Result, Run, typist
from videos import make_video

import ganzoo.plugins.manager
from ganzoo import hookimpl, images
from ganzoo.errors import DataError
from ganzoo.interfaces import Generator, Imported, Importer
from ganzoo.models import writing
from ganzoo.models.config import Part
from ganzoo.models.tiling import ALIGN, FADE, MARGIN, PATCH, Pixels, spans
from ganzoo.models.translate import Translator
from ganzoo.plugins.manager import Plugins
from ganzoo.plugins.registry import Origin
from ganzoo.scan import scan

CPU = torch.device("cpu")

# -- a plugin ----------------------------------------------------------------------------------


class Blur(Generator):
    """Convolutions at half and full size, with or without instance norm.

    Args:
        norm: whether there is one after each.
        width: channels.
    """

    def __init__(self, norm: bool = False, width: int = 4):
        super().__init__()
        torch.manual_seed(0)

        def after() -> nn.Module:
            return nn.InstanceNorm2d(width, affine=True) if norm else nn.Identity()

        self.layers = nn.Sequential(
            nn.Conv2d(3, width, 3, 1, 1, padding_mode="replicate"),
            after(),
            nn.ReLU(),
            nn.Conv2d(width, width, 2, 2),
            after(),
            nn.ReLU(),
            nn.ConvTranspose2d(width, width, 2, 2),
            after(),
            nn.Conv2d(width, 3, 1),
            nn.Tanh(),
        )
        self.shapes: list[tuple[int, ...]] = []

    def forward(self, photo: Tensor) -> Tensor:
        self.shapes.append(tuple(photo.shape))
        height, width = photo.shape[2:]
        mode = "replicate" if min(height, width) == 1 else "reflect"
        photo = nn.functional.pad(photo, (0, width % 2, 0, height % 2), mode)
        return self.layers(photo)[..., :height, :width]


class Invert(Generator):
    """The negative, scaled by a weight that is 1.

    Args:
        size: the only size it takes.
    """

    def __init__(self, size: int | None = None):
        super().__init__()
        self.size = size
        self.scale = nn.Parameter(torch.ones(3))

    def forward(self, photo: Tensor, gray: Tensor | None = None) -> Tensor:
        if self.size and photo.shape[2:] != (self.size, self.size):
            raise ValueError("another size")
        return -photo * self.scale[:, None, None]


class Larger(Generator):
    """Pixels become squares of two, of one size if it is built for one.

    Args:
        size: the side of its output.
    """

    output_scale = 2

    def __init__(self, size: int | None = None):
        super().__init__()
        self.size = size
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, small: Tensor) -> Tensor:
        if self.size and small.shape[2:] != (self.size // 2, self.size // 2):
            raise ValueError("another size")
        return nn.functional.interpolate(small, scale_factor=2.0) + self.bias


class Noise(Generator):
    """Gray from noise."""

    size = 4

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(3))

    def sample_latent(self, n: int, rng: torch.Generator) -> Tensor:
        return torch.randn(n, 1, generator=rng)

    def forward(self, latent: Tensor) -> Tensor:
        return latent[:, :, None, None] * self.scale[:, None, None].expand(1, 3, 4, 4)


class Two(Generator):
    """Needs two images."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(3))

    def forward(self, photo: Tensor, mask: Tensor) -> Tensor:
        return photo * mask


class Numbers(Importer):
    """A JSON file of a generator's name and weights."""

    def read(self, path: Path) -> Imported:
        if not path.is_file():
            raise DataError(f"there is no '{path}'.")
        data = json.loads(path.read_text())
        weights = {name: torch.tensor(value) for name, value in data["weights"].items()}
        source = {"title": "Inverted", "url": "https://example.org", "licence": "MIT"}
        return Imported(data["generator"], data.get("arguments", {}), weights, source)


class Plugin:
    @hookimpl
    def register_generators(self, register: Any) -> None:
        for name, what in (("blur", Blur), ("invert", Invert), ("noise", Noise), ("two", Two)):
            register(name, what)
        register("larger", Larger)

    @hookimpl
    def register_importers(self, register: Any) -> None:
        register("numbers", Numbers)


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    one_thread: None,
) -> Run:
    """Type a command in an empty folder, with the toy plugin installed."""
    plugins = Plugins()
    assert plugins.add(Plugin, Origin("toys", "toys-dist", "1.0")).error is None
    monkeypatch.setattr(ganzoo.plugins.manager, "installed", lambda: plugins)
    monkeypatch.chdir(tmp_path)
    return typist(monkeypatch, capsys)


def refused(result: Result, *parts: str) -> None:
    assert result.code == 2
    assert result.err.startswith("error: ")
    for part in parts:
        assert part in result.err


def saved(name: str, generator: Generator, **arguments: Any) -> Path:
    part = Part(name, arguments, "toys", "toys-dist", "1.0")
    writing.save(Path(name), generator, {"generator": part}, {})
    return Path(name)


@pytest.fixture
def invert(run: Run) -> Path:
    return saved("invert", Invert())


def photo(width: int = 12, height: int = 8, mode: str = "RGB", seed: int = 0) -> Image.Image:
    rng = np.random.default_rng(seed)
    channels = len(Image.new(mode, (1, 1)).getbands())
    pixels = rng.integers(0, 256, (height, width, channels), np.uint8)
    return Image.fromarray(pixels.squeeze(2) if channels == 1 else pixels, mode)


def put(path: str, image: Image.Image, **options: Any) -> Path:
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    image.save(file, **options)
    return file


def opened(path: str | Path) -> Image.Image:
    with Image.open(path) as image:
        image.load()
        return image


def inverted(image: Image.Image) -> Pixels:
    return 255 - np.asarray(image.convert("RGB"))


# -- files -------------------------------------------------------------------------------------


def test_files_and_folders_keep_names_sizes_and_formats(run: Run, invert: Path) -> None:
    kinds = {"a.png": "PNG", "b.bmp": "BMP", "c.tif": "TIFF", "d/e.jpg": "JPEG"}
    kinds |= {"d/f.WEBP": "WEBP", "d/g.jpeg": "JPEG", "d/h/a.png": "PNG"}
    for seed, name in enumerate(kinds):
        put(f"photos/{name}", photo(12 + seed, seed=seed))
    put("one.png", photo(1, 1))
    result = run("translate", invert, "photos", "one.png", "--out", "out/deep")
    assert result.code == 0, result.err
    assert result.out == "8 pictures in out/deep\ncompare them: out/deep-sheet.png\n"
    made = {str(p.relative_to("out/deep")) for p in Path("out/deep").rglob("*") if p.is_file()}
    assert made == {*kinds, "one.png"}
    for name, kind in kinds.items():
        before, after = opened(f"photos/{name}"), opened(f"out/deep/{name}")
        assert (after.format, after.size) == (kind, before.size)
        if kind in ("PNG", "BMP", "TIFF"):
            assert (np.asarray(after) == inverted(before)).all()
    assert (np.asarray(opened("out/deep/one.png")) == inverted(photo(1, 1))).all()


def test_jpegs_keep_their_colours_sharp(run: Run, invert: Path) -> None:
    put("a.jpg", photo())
    assert run("translate", invert, "a.jpg", "--out", "out").code == 0
    after = opened("out/a.jpg")
    assert {(h, v) for _, h, v, _ in after.layer} == {(1, 1)}
    assert max(after.quantization[0]) < 16


def test_exif_rotation_is_applied_once(run: Run, invert: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    put("a.png", photo(), exif=exif)
    assert run("translate", invert, "a.png", "--out", "out").code == 0
    after = opened("out/a.png")
    assert after.size == (8, 12)
    assert 0x0112 not in after.getexif()
    assert (np.asarray(after) == inverted(photo().rotate(-90, expand=True))).all()


def test_alpha_is_kept_and_gray_accepted(run: Run, invert: Path) -> None:
    clear = photo(mode="RGBA")
    for name in ("a.png", "a.tif"):
        put(name, clear)
    put("gray.png", photo(mode="L"))
    put("deep.png", Image.fromarray(np.full((3, 4), 51 * 257, np.uint16)))
    put("palette.png", photo().quantize(16))
    white = Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear)
    names = ("a.png", "a.tif", "gray.png", "deep.png", "palette.png")
    result = run("translate", invert, *names, "--out", "out")
    assert result.code == 0, result.err
    for name in ("a.png", "a.tif"):
        after = opened(f"out/{name}")
        assert (np.asarray(after.getchannel("A")) == np.asarray(clear.getchannel("A"))).all()
        assert (np.asarray(after.convert("RGB")) == inverted(white)).all()
    assert (np.asarray(opened("out/gray.png")) == inverted(photo(mode="L"))).all()
    assert set(np.asarray(opened("out/deep.png")).flat) == {204}
    assert opened("out/palette.png").mode == "RGB"


def test_a_gif_becomes_a_png_unless_it_moves(run: Run, invert: Path) -> None:
    first = photo().quantize(8)
    put("a.gif", first)
    put("moves.gif", first, save_all=True, append_images=[photo(seed=1).quantize(8)])
    result = run("translate", invert, "a.gif", "moves.gif", "--out", "out", "--no-sheet")
    assert result.code == 0
    assert "as .png: 1" in result.out
    assert sorted(p.name for p in Path("out").iterdir()) == ["a.png", "moves.gif"]
    assert (np.asarray(opened("out/a.png")) == inverted(first)).all()


def test_what_cannot_be_used_is_named_and_the_rest_is_done(run: Run, invert: Path) -> None:
    put("photos/good.png", photo())
    jpeg = put("photos/short.jpg", photo(64, 64)).read_bytes()
    Path("photos/short.jpg").write_bytes(jpeg[: len(jpeg) // 2])
    Path("photos/page.jpg").write_text("<!doctype html><title>404</title>")
    Path("photos/empty.png").touch()
    Path("photos/notes.txt").write_text("not searched for")
    result = run("translate", invert, "photos", "--out", "out")
    assert result.code == 1
    assert "1 picture in out" in result.out
    assert "not translated: 3" in result.err
    for name in ("short.jpg: ", "page.jpg: not an image", "empty.png: the file is empty"):
        assert f"photos/{name}" in result.err
    assert {p.name for p in Path("out").iterdir()} == {"good.png"}
    result = run("translate", invert, "photos/page.jpg", "photos/notes.txt", "--out", "none")
    assert result.code == 2
    assert "photos/notes.txt: not an image" in result.err
    assert list(Path("none").iterdir()) == []


def test_a_generator_that_refuses_a_size_says_so_of_that_photo(run: Run) -> None:
    saved("blur", Blur(norm=True), norm=True)
    put("a.png", photo(1, 1))
    put("b.png", photo(8, 8))
    result = run("translate", "blur", "a.png", "b.png", "--out", "out")
    assert result.code == 1
    assert "a.png: the generator refuses 1x1 pixels" in result.err


# -- larger output -----------------------------------------------------------------------------


def twice(image: Image.Image) -> Pixels:
    return np.asarray(image).repeat(2, axis=0).repeat(2, axis=1)


def test_a_model_may_enlarge_what_it_is_given(run: Run) -> None:
    saved("larger", Larger())
    put("photos/a.png", photo())
    put("photos/clear.png", photo(mode="RGBA"))
    result = run("translate", "larger", "photos", "--out", "out")
    assert result.code == 0, result.err
    assert (np.asarray(opened("out/a.png")) == twice(photo())).all()
    clear = opened("out/clear.png")
    assert (clear.mode, clear.size) == ("RGBA", (24, 16))
    assert opened("out-sheet.png").width == 2 * 24 + 5 * 4  # both sides are of one size
    assert "2 times the input's size" in run("show", "larger").out


def test_videos_are_enlarged_too(run: Run) -> None:
    saved("larger", Larger())
    make_video(Path("a.gif"), [photo(16, 12, seed=seed) for seed in range(3)])
    result = run("translate", "larger", "a.gif", "--out", "out", "--json")
    assert result.code == 0, result.err
    with Image.open("out/a.gif") as moving:
        assert (moving.size, moving.n_frames) == ((32, 24), 3)  # type: ignore[attr-defined]


def test_a_model_of_one_size_may_enlarge_too(run: Run) -> None:
    saved("larger", Larger(size=16), size=16)
    put("a.png", photo(12, 8))
    assert run("translate", "larger", "a.png", "--out", "out").code == 0
    assert opened("out/a.png").size == (24, 16)
    config = json.loads(Path("larger/config.json").read_text())
    assert (config["input"]["size"], config["output"]["size"]) == (8, 16)
    config["output"]["scale"] = 4
    Path("larger/config.json").write_text(json.dumps(config))
    refused(run("translate", "larger", "a.png", "--out", "other"), "output.scale", "4", "2")


def test_tiles_of_a_model_that_enlarges_fit_together() -> None:
    wide = np.asarray(photo(700, 300))
    translator = Translator(Larger(), CPU, tile=256)
    assert translator.tiles(300, 700) > 1
    assert (translator(wide) == twice(Image.fromarray(wide))).all()


# -- what is never touched ---------------------------------------------------------------------


def test_two_photos_for_one_picture_are_refused_before_anything_is_done(
    run: Run, invert: Path
) -> None:
    for name in ("a/x.png", "b/x.png", "c/x.gif", "d-sheet.png"):
        put(name, photo())
    same = "would both become out/x.png"
    refused(run("translate", invert, "a", "b", "--out", "out"), "a/x.png", "b/x.png", same)
    refused(run("translate", invert, "a/x.png", "c", "--out", "out"), "c/x.gif", same)
    refused(run("translate", invert, "d-sheet.png", "--out", "d"), "--no-sheet")
    assert not Path("out").exists()
    assert run("translate", invert, "d-sheet.png", "--out", "d", "--no-sheet").code == 0
    result = run("translate", invert, "a", "a/x.png", "--out", "out2")  # the same photo twice
    assert result.out.startswith("1 picture in")


def test_every_link_to_a_photo_is_a_photo(run: Run, invert: Path) -> None:
    put("p/a.png", photo())
    for name in ("b.png", "sub/c.png"):
        Path("p", name).parent.mkdir(exist_ok=True)
        Path("p", name).symlink_to(Path("p/a.png").resolve())
    assert run("translate", invert, "p", "--out", "out").out.startswith("3 pictures in")
    made = [np.asarray(opened(f"out/{name}")) for name in ("a.png", "b.png", "sub/c.png")]
    assert all(np.array_equal(one, inverted(photo())) for one in made)
    assert not Path("out/b.png").is_symlink()


def test_colours_are_read_and_written_in_srgb(run: Run, invert: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 12, 3), np.uint8)
    for name in ("a.png", "b.tif", "c.webp"):
        lossless = {"lossless": True} if name.endswith("webp") else {}
        put(f"p/{name}", Image.fromarray(pixels), icc_profile=P3.profile(), **lossless)
    put("p/bad.png", Image.fromarray(pixels), icc_profile=b"rubbish")
    put("p/plain.jpg", Image.fromarray(pixels))
    result = run("translate", invert, "p", "--out", "out")
    assert "damaged and ignored: 1 (bad.png)" in result.out
    wanted = 255 - 255 * P3.to_srgb(pixels / 255)
    for name in ("a.png", "b.tif"):
        assert np.abs(np.asarray(opened(f"out/{name}")) - wanted).max() < 1.6
    for name in ("a.png", "b.tif", "c.webp", "bad.png", "plain.jpg"):
        profile = ImageCmsProfile(io.BytesIO(opened(f"out/{name}").info["icc_profile"]))
        assert "sRGB" in profile.profile.profile_description
        assert images.decode(Path("out", name).read_bytes()).image.getpixel((0, 0)) == opened(
            f"out/{name}"
        ).convert("RGB").getpixel((0, 0))


def test_only_the_first_frame_is_translated_and_that_is_said(run: Run, invert: Path) -> None:
    frames = [photo(seed=seed) for seed in range(3)]
    for name in ("a.webp", "b.png", "c.tif"):
        put(f"p/{name}", frames[0], save_all=True, append_images=frames[1:])
    for name in ("e.jfif", "f.avif", "g.ppm"):
        put(f"p/{name}", frames[0], format={"e": "JPEG", "f": "AVIF", "g": "PPM"}[name[0]])
    result = run("translate", invert, "p", "--out", "out")
    frame, pictures = result.out.splitlines()[:2]
    assert frame.endswith("is used: 3 (a.webp)")
    assert pictures == "6 pictures in out"
    for name, kind in {"e.jfif": "JPEG", "f.avif": "AVIF", "g.ppm": "PPM"}.items():
        assert opened(f"out/{name}").format == kind
    assert np.array_equal(np.asarray(opened("out/b.png")), inverted(frames[0]))
    assert getattr(opened("out/b.png"), "n_frames", 1) == 1


def test_a_large_photo_goes_through_in_tiles(
    run: Run, invert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("large.png", photo(700, 600))
    put("larger.png", photo(900, 600))
    with monkeypatch.context() as patched, warnings.catch_warnings():
        warnings.simplefilter("error")
        patched.setattr(images, "MOST_PIXELS", 700 * 600)
        patched.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # Pillow's own bound warns, then refuses
        result = run("translate", invert, "large.png", "larger.png", "--out", "out", "--tile", 256)
    assert "larger.png: 900 x 600 pixels" in result.err
    assert np.array_equal(np.asarray(opened("out/large.png")), inverted(photo(700, 600)))


def test_pictures_of_another_run_do_not_stay_among_the_new(run: Run, invert: Path) -> None:
    put("p/a.png", photo())
    put("q/b.png", photo())
    assert run("translate", invert, "p", "--out", "out").code == 0
    assert run("translate", invert, "p", "--out", "out").code == 0  # all are replaced
    refused(run("translate", invert, "q", "--out", "out"), "1 other image, such as a.png")
    assert [path.name for path in Path("out").iterdir()] == ["a.png"]
    assert scan(Path("out")).names == ["a.png"]  # the sheet is none of them, nor beside them
    assert scan(Path()).others["contact sheet"] == ["out-sheet.png"]


def test_single_photos_join_those_of_earlier_calls_and_replace_none(run: Run, invert: Path) -> None:
    for name, side in (("p/a.png", 8), ("p/b.png", 9), ("q/a.png", 10)):
        put(name, photo(side))
    assert run("translate", invert, "p/a.png", "--out", "out").code == 0
    assert run("translate", invert, "p/a.png", "--out", "out").code == 0  # the same call again
    assert run("translate", invert, "p/b.png", "--out", "out").code == 0
    assert np.array_equal(np.asarray(opened("out/a.png")), inverted(photo(8)))
    assert np.array_equal(np.asarray(opened("out/b.png")), inverted(photo(9)))
    refused(run("translate", invert, "q/a.png", "--out", "out"), "out/a.png exists already")
    refused(run("translate", invert, "q/a.png", "p", "--out", "out/c"), "q/a.png", "p/a.png")
    assert np.array_equal(np.asarray(opened("out/a.png")), inverted(photo(8)))


def test_photos_are_never_overwritten(run: Run, invert: Path) -> None:
    before = {p: p.read_bytes() for p in (put("p/a.png", photo()), put("p/q/a.png", photo(9)))}
    refused(run("translate", invert, "p", "--out", "p"), "is the folder of the photos")
    refused(run("translate", invert, "p/a.png", "--out", "p/q/.."), "is the folder of the photos")
    refused(run("translate", invert, "p/a.png", "p", "--out", "p/q"), "p/q/a.png")
    refused(run("translate", invert, "p/a.png", "p/q", "--out", "p/../p"), "folder of the photos")
    assert {p: p.read_bytes() for p in before} == before
    assert run("translate", invert, "p", "--out", "p/made").out.startswith("2 pictures")
    refused(run("translate", invert, "p", "--out", "p/made"), "p/made/a.png", "or empty it")
    assert {p: p.read_bytes() for p in before} == before


def test_an_existing_picture_is_replaced_as_a_whole(
    run: Run, invert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("a.png", photo())
    old = put("out/a.png", photo(3, 3))
    kept = old.read_bytes()

    def fails(self: Image.Image, path: Path, *words: Any, **options: Any) -> None:
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Image.Image, "save", fails)
        result = run("translate", invert, "a.png", "--out", "out", "--no-sheet")
    assert result.code == 2
    assert "a.png: No space left on device" in result.err
    assert old.read_bytes() == kept
    assert [p.name for p in Path("out").iterdir()] == ["a.png"]
    assert run("translate", invert, "a.png", "--out", "out", "--no-sheet").code == 0
    assert opened(old).size == (12, 8)


# -- the sheet ---------------------------------------------------------------------------------


def test_the_sheet_shows_up_to_twelve_pairs(run: Run, invert: Path) -> None:
    for index in range(14):
        put(f"p/{index:02}.png", Image.new("RGB", (40, 30), "black"))
    put("wide.png", Image.new("RGB", (2000, 10), "black"))
    assert run("translate", invert, "p", "--out", "out").code == 0
    sheet = np.asarray(opened("out-sheet.png"))
    assert (sheet == 0).all(2).sum() == 12 * 40 * 30
    assert run("translate", invert, "wide.png", "--out", "out2").code == 0
    width, height = opened("out2-sheet.png").size
    assert width < 800
    assert height < 40


# -- models ------------------------------------------------------------------------------------


def test_a_model_that_takes_no_photo_is_refused(run: Run) -> None:
    put("a.png", photo())
    saved("noise", Noise())
    saved("two", Two())
    refused(run("translate", "noise", "a.png", "--out", "out"), "`ganzoo sample")
    refused(run("translate", "two", "a.png", "--out", "out"), "needs photo and mask")
    refused(run("translate", "nothing", "a.png", "--out", "out"), "nothing does not exist")
    assert not Path("out").exists()


def test_wrong_words(run: Run, invert: Path) -> None:
    put("a.png", photo())
    Path("empty").mkdir()
    refused(run("translate", invert, "b.png", "--out", "out"), "there is no 'b.png'")
    refused(run("translate", invert, "empty", "--out", "out"), "no image in 'empty'")
    refused(run("translate", invert, "a.png", "--out", "a.png/x"), "--out a.png/x cannot be made")
    assert run("translate", invert, "a.png", "--out", "out", "--precision", "fp8").code == 2
    assert run("translate", invert, "a.png", "--out", "out", "--tile", 9).code == 2
    assert run("translate", invert, "a.png").code == 2
    assert not Path("out").exists()


def test_a_generator_of_one_size_is_given_that_size(run: Run) -> None:
    saved("invert", Invert(size=16), size=16)
    put("a.png", Image.new("RGB", (50, 20), (0, 100, 255)))
    result = run("translate", "invert", "a.png", "--out", "out")
    assert "16x16" in result.out
    assert set(opened("out/a.png").get_flattened_data()) == {(255, 155, 0)}
    assert opened("out/a.png").size == (50, 20)


# -- tiles -------------------------------------------------------------------------------------


def scene(width: int, height: int) -> Pixels:
    """Smooth colours with texture whose strength grows from left to right."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width] / max(width, height)
    smooth = np.stack([x, y, 0.5 + 0.4 * np.sin(9 * x + 5 * y)], 2)
    texture = rng.normal(0, 0.15, (height, width, 3)) * x[..., None]
    return ((smooth + texture).clip(0, 1) * 255).astype(np.uint8)


def seams(made: Pixels, tile: int) -> tuple[float, float]:
    """The greatest mean step across a cut of tiles, and across any other column or row."""
    at, elsewhere = [], []
    for axis in (0, 1):
        steps = np.abs(np.diff(made.astype(float), axis=axis)).mean((1 - axis, 2))
        cuts = {s.start + MARGIN - 1 for s in spans(made.shape[axis], tile)[1:]}
        near = {c + d for c in cuts for d in range(-FADE, FADE + 1)}
        for index, step in enumerate(steps):
            around = np.median(steps[max(0, index - 40) : index + 40])
            (at if index in near else elsewhere).append(step / around)
    return max(at), max(elsewhere)


def test_tiles_without_norms_are_the_whole_picture(one_thread: None) -> None:
    pixels = scene(701, 555)
    whole = Translator(Blur(), CPU, tile=1024)(pixels)
    assert (Translator(Blur(), CPU, tile=256)(pixels) == whole).all()
    narrow = scene(3001, 23)
    whole = Translator(Blur(), CPU, tile=1024)(narrow)
    assert (Translator(Blur(), CPU, tile=256)(narrow) == whole).all()


def test_tiles_with_instance_norm_are_close_to_the_whole_picture(one_thread: None) -> None:
    pixels = scene(900, 700)
    generator = Blur(norm=True)
    with torch.no_grad():
        photo = torch.tensor(pixels).permute(2, 0, 1)[None] / 127.5 - 1
        right = ((generator(photo)[0].permute(1, 2, 0) + 1) * 127.5).numpy()
    whole = Translator(generator, CPU, tile=1024)(pixels)
    assert np.abs(whole - right).max() <= 0.51
    tiles = Translator(generator, CPU, tile=256)(pixels)
    difference = np.abs(tiles.astype(int) - whole)
    assert difference.mean() < 1
    assert difference.max() <= 3
    at, elsewhere = seams(tiles, 256)
    assert at <= 1.05 * elsewhere


def test_no_pass_sees_more_pixels_than_a_tile(
    one_thread: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, ...]] = []
    plain = Blur.forward

    def watched(self: Blur, photo: Tensor) -> Tensor:
        seen.append(tuple(photo.shape))
        return plain(self, photo)

    monkeypatch.setattr(Blur, "forward", watched)
    translator = Translator(Blur(norm=True), CPU, tile=256)
    translator(scene(1200, 800))
    assert max(n * h * w for n, _, h, w in seen) <= 256 * 256
    tiles = [shape for shape in seen if max(shape[2:]) > PATCH]
    count = translator.tiles(800, 1200)
    assert count == 6 * 9
    assert len(tiles) == 2 * count  # to measure, and to make


@pytest.mark.parametrize("tile", [256, 300, 512])
def test_windows_cover_a_side_and_share_their_margins(tile: int) -> None:
    for length in [*range(1, 1200, 7), tile, tile + 1, 8000]:
        windows = spans(length, tile)
        assert windows[0].start == 0
        assert windows[-1].stop == length
        assert all(0 < w.stop - w.start <= tile for w in windows)
        assert all(w.start % ALIGN == 0 for w in windows)
        for one, next_ in pairwise(windows):
            assert one.stop - next_.start == 2 * MARGIN
        assert len(windows) == 1 or windows[-1].stop - windows[-1].start > 2 * MARGIN


# -- precision and backend ---------------------------------------------------------------------


def test_bf16_is_close(one_thread: None) -> None:
    pixels = scene(64, 64)
    fp32 = Translator(Blur(norm=True), CPU)(pixels)
    bf16 = Translator(Blur(norm=True), CPU, "bf16")(pixels)
    difference = np.abs(fp32.astype(int) - bf16)
    assert 0 < difference.mean() < 2


def test_openvino_makes_the_same_pictures(one_thread: None) -> None:
    if find_spec("openvino") is None:  # to import it would report that to Google
        pytest.skip("the extra `openvino` is not installed")
    from ganzoo.models.openvino import compiler

    generator = Blur(norm=True).eval()
    right = Translator(generator, CPU, tile=256)
    fast = Translator(generator, CPU, tile=256, compile=compiler("fp32"))
    for width, height in ((64, 64), (61, 47), (300, 260)):
        pixels = scene(width, height)
        assert np.abs(fast(pixels).astype(int) - right(pixels)).max() <= 1
    assert sys.modules["openvino_telemetry"] is None


def test_a_missing_openvino_is_said_before_anything_is_done(
    run: Run, invert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("a.png", photo())
    monkeypatch.setitem(sys.modules, "openvino", None)
    result = run("translate", invert, "a.png", "--out", "out", "--backend", "openvino")
    refused(result, "pip install 'ganzoo[openvino]'")
    assert not Path("out").exists()


# -- import ------------------------------------------------------------------------------------


def weights(**changes: Any) -> Path:
    data = {"generator": "invert", "weights": {"scale": [1.0, 1.0, 0.0]}, **changes}
    Path("numbers.json").write_text(json.dumps(data))
    return Path("numbers.json")


def test_import_makes_a_model_that_translates(run: Run) -> None:
    result = run("import", "numbers", weights(), "--out", "models/inverted")
    assert result.code == 0, result.err
    assert "Inverted" in result.out
    assert "ganzoo translate models/inverted PHOTO... --out drawn" in result.out
    config = json.loads(Path("models/inverted/config.json").read_text())
    assert config["generator"]["distribution"] == "toys-dist"
    assert config["input"]["kind"] == "image"
    assert config["training"]["imported"]["licence"] == "MIT"
    assert not Path("models/inverted/recipe.yaml").exists()
    put("a.png", photo())
    assert run("translate", "models/inverted", "a.png", "--out", "out").code == 0
    assert set(np.asarray(opened("out/a.png"))[..., 2].flat) == {128}


def test_import_refuses_what_does_not_fit(run: Run) -> None:
    refused(run("import", "number", weights(), "--out", "m"), "did you mean 'numbers'?")
    refused(run("import", "numbers", "none.json", "--out", "m"), "there is no 'none.json'")
    wrong = weights(weights={"scale": [1.0]})
    refused(run("import", "numbers", wrong, "--out", "m"), "'scale'", "(1,)", "(3,)")
    wrong = weights(weights={})
    refused(run("import", "numbers", wrong, "--out", "m"), "no tensor 'scale'")
    wrong = weights(weights={"scale": [1.0, 1.0, 1.0], "more": [1.0]})
    refused(run("import", "numbers", wrong, "--out", "m"), "the first 'more'")
    wrong = weights(weights={"scale": [1.0, float("nan"), 1.0]})
    refused(run("import", "numbers", wrong, "--out", "m"), "NaN", "'scale'")
    refused(run("import", "numbers", weights(generator="x"), "--out", "m"), "unknown generator")
    assert not Path("m").exists()


def test_import_keeps_what_is_there(run: Run) -> None:
    Path("full").mkdir()
    Path("full/mine").touch()
    refused(run("import", "numbers", weights(), "--out", "full"), "exists and is not empty")
    assert [p.name for p in Path("full").iterdir()] == ["mine"]
    Path("empty").mkdir()
    assert run("import", "numbers", weights(), "--out", "empty").code == 0
