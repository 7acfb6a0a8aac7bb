"""Photos told from drawings: synthetic ones, and real ones where there are any."""

import io
from pathlib import Path

import numpy as np
import pytest
from pictures import cartoon_like, photo_like
from PIL import Image, ImageFilter

from ganzoo_folders import domains
from ganzoo_folders.domains import Domain

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


def _as_jpeg(image, quality=50):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


@pytest.mark.parametrize("side", [64, 100, 256])
@pytest.mark.parametrize("change", [np.asarray, _as_jpeg], ids=["plain", "jpeg"])
def test_gradients_with_noise_are_photos_and_flat_shapes_with_ink_are_drawings(side, change):
    photos = domains.judge(change(photo_like(i, side)) for i in range(16))
    drawings = domains.judge(change(cartoon_like(i, side)) for i in range(16))
    assert (photos.verdict, drawings.verdict) == ("photos", "drawings")
    assert domains.swapped(drawings, photos)
    assert not domains.swapped(photos, drawings)
    assert not domains.swapped(drawings, drawings)


def test_the_fewer_the_images_the_surer_it_must_be():
    assert Domain(1.0, 64).verdict == "drawings"
    assert Domain(-1.0, 64).verdict == "photos"
    assert Domain(0.4, 10_000).verdict == "unclear"
    assert Domain(-1.0, 2).verdict == "unclear"
    assert domains.of_scores([]).verdict == "unclear"


def test_one_strange_image_weighs_no_more_than_another():
    blank = np.full((64, 64, 3), 255, np.uint8)
    black = np.zeros((64, 64, 3), np.uint8)
    assert all(abs(domains.score(image)) <= 3 for image in (blank, black, blank[:1, :1]))


def test_a_sample_is_spread_over_all_images():
    planes = np.stack([photo_like(0)] * 100 + [cartoon_like(0)] * 100).transpose(0, 3, 1, 2)
    found = domains.of_planes(planes)
    assert found.count == domains.SAMPLE
    both = [domains.score(photo_like(0)), domains.score(cartoon_like(0))]
    assert found.score == pytest.approx(sum(both) / 2)


@pytest.mark.parametrize(
    ("folder", "verdict"),
    [("portraits", "photos"), ("landscapes", "photos"), ("anime-faces", "drawings")],
)
@pytest.mark.parametrize("size", [64, 192])
def test_real_images(folder, verdict, size):
    names = sorted((SHARED / folder).glob("*.jpg"))[-64:]
    if not names:
        pytest.skip("no shared images beside this checkout")
    images = [Image.open(name).convert("RGB").resize((size, size)) for name in names]
    assert domains.judge(map(np.asarray, images)).verdict == verdict
    blurred = [image.filter(ImageFilter.GaussianBlur(1)) for image in images]
    assert domains.judge(map(np.asarray, blurred)).verdict == verdict


def test_avatars_are_drawings():
    pytest.importorskip("dicebear")
    from ganzoo_avatars import drawing, render

    for style in ("toon-head", "notionists"):
        images = [
            image.transpose(1, 2, 0) for image in drawing.draw(render.AVATARS, style, 12, 64, 0)
        ]
        found = domains.judge(np.ascontiguousarray(image) for image in images)
        assert found.verdict == "drawings"
