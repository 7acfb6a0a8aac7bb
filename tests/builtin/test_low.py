"""The field ``low`` of datasets: reduced as Pillow reduces, in 8 bits, of crops too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from ganzoo.errors import DataError
from ganzoo_avatars.avatars import Avatars
from ganzoo_figurines.figurines import Figurines
from ganzoo_folders.cached import as_pixels
from ganzoo_folders.folder import Folder
from ganzoo_heads.heads import Heads


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    for seed in range(3):
        pixels = np.random.default_rng(seed).integers(0, 256, (40, 40, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "images" / f"{seed}.png")
    return tmp_path / "images"


def reduced(real: Tensor, low: int) -> Tensor:
    """As a user would reduce a file."""
    rows = []
    for pixels in as_pixels(real):
        image = Image.fromarray(pixels.transpose(1, 2, 0).copy())
        side = image.width // low
        rows.append(np.asarray(image.resize((side, side), Image.Resampling.BICUBIC)))
    return torch.from_numpy(np.stack(rows).transpose(0, 3, 1, 2).astype(np.float32) / 127.5 - 1)


@pytest.mark.parametrize("kind", [Avatars, Figurines, Heads])
def test_low_is_the_drawing_reduced(kind: Any) -> None:
    if kind is not Heads:
        pytest.importorskip("dicebear", reason="the extra 'avatars' is not installed")
        pytest.importorskip("resvg_py", reason="the extra 'avatars' is not installed")
    data, plain = kind(count=2, size=32, low=4), kind(count=2, size=32)
    batch = data.__getitems__([1, 0])
    assert batch["low"].shape == (2, 3, 8, 8)
    torch.testing.assert_close(batch["low"], reduced(batch["real"], 4), atol=1e-6, rtol=0)
    assert torch.equal(plain[0]["real"], data[0]["real"])
    assert "low" not in plain[0]
    assert plain.fingerprint() != data.fingerprint()


def test_low_is_of_this_epochs_crop(folder: Path) -> None:
    data = Folder(folder, size=40, crop=16, low=2)
    assert data.size == 16
    whole = Folder(folder, size=40)
    crops = []
    for epoch in (0, 1, 0):
        data.set_epoch(3, epoch)
        batch = data.__getitems__([0, 1, 2])
        assert batch["real"].shape == (3, 3, 16, 16)
        torch.testing.assert_close(batch["low"], reduced(batch["real"], 2), atol=1e-6, rtol=0)
        for crop, image in zip(batch["real"], (whole[i]["real"] for i in range(3)), strict=True):
            places = image.unfold(1, 16, 1).unfold(2, 16, 1)
            assert (places == crop[:, None, None]).all(dim=(0, 3, 4)).any()
        crops.append(batch["real"])
    assert torch.equal(crops[0], crops[2])
    assert not torch.equal(crops[0], crops[1])


def test_avatars_are_cropped_anew_in_every_epoch() -> None:
    pytest.importorskip("dicebear", reason="the extra 'avatars' is not installed")
    pytest.importorskip("resvg_py", reason="the extra 'avatars' is not installed")
    data = Avatars(count=2, size=32, crop=16)
    crops = []
    for epoch in (0, 1, 0):
        data.set_epoch(3, epoch)
        crops.append(data.__getitems__([0, 1])["real"])
    assert torch.equal(crops[0], crops[2])
    assert not torch.equal(crops[0], crops[1])


def test_mirrored_images_are_cropped_too(folder: Path) -> None:
    data = Folder(folder, size=40, crop=40, mirror=True)
    assert torch.equal(data[3]["real"], data[0]["real"].flip(2))


@pytest.mark.parametrize(
    ("arguments", "noun"),
    [
        ({"size": 30, "low": 4}, "low 4 does not divide size 30"),
        ({"size": 32, "crop": 18, "low": 4}, "crop 18"),
        ({"size": 32, "crop": 33}, "crop 33 does not fit"),
    ],
)
def test_sides_that_do_not_fit_are_refused(arguments: dict[str, int], noun: str) -> None:
    with pytest.raises(DataError, match=noun):
        Avatars(**arguments)  # type: ignore[arg-type]


def test_a_layout_is_not_cropped() -> None:
    with pytest.raises(DataError, match="crop"):
        Avatars(size=32, crop=16).demand({"layout"})
