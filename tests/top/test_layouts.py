"""Layouts: pictures in a palette's colours become numbers, or say where they do not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganzoo import layouts
from ganzoo.errors import RunError

PALETTE = {"ground": "#dfe7ee", "skin": "#f2b48c", "hair": "#7a3fb0"}


def numbers(side: int = 8, seed: int = 0) -> torch.Tensor:
    return torch.randint(3, (1, 1, side, side), generator=torch.Generator().manual_seed(seed))


def painted(layout: torch.Tensor) -> Image.Image:
    pixels = ((layouts.draw(layout, PALETTE)[0] + 1) * 127.5).round().to(torch.uint8)
    return Image.fromarray(pixels.permute(1, 2, 0).numpy())


def test_a_layout_survives_a_picture(tmp_path: Path) -> None:
    layout = numbers()
    painted(layout).save(tmp_path / "a.png")
    assert torch.equal(layouts.read(tmp_path / "a.png", PALETTE, 8), layout)
    assert torch.equal(layouts.read(str(tmp_path / "a.png"), PALETTE, 8), layout)
    assert torch.equal(layouts.read(painted(layout), PALETTE, 8), layout)


@pytest.mark.parametrize("side", [4, 8, 12, 24])
def test_another_size_takes_nearest_pixels(side: int) -> None:
    layout = numbers()
    found = layouts.read(painted(layout), PALETTE, side)
    assert found.shape == (1, 1, side, side)
    if side == 24:
        assert torch.equal(found, layout.repeat_interleave(3, 2).repeat_interleave(3, 3))
    back = layouts.resized(found, 8)
    assert side < 8 or torch.equal(back, layout)


def test_a_colour_a_little_off_is_the_nearest() -> None:
    pixels = np.array(painted(numbers())).astype(int)
    pixels += np.random.default_rng(0).integers(-3, 4, pixels.shape)
    image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
    assert torch.equal(layouts.read(image, PALETTE, 8), numbers())


def test_strange_colours_are_named_with_their_place_and_the_nearest(tmp_path: Path) -> None:
    image = painted(torch.zeros(1, 1, 8, 8, dtype=torch.int64))
    image.putpixel((5, 2), (0x7F, 0x48, 0xA8))
    image.save(tmp_path / "face.png")
    with pytest.raises(RunError) as error:
        layouts.read(tmp_path / "face.png", PALETTE, 8)
    text = str(error.value)
    assert "\n" not in text
    for part in ("face.png", "1 of 64", "#7f48a8", "x 5, y 2", "hair", "#7a3fb0"):
        assert part in text


def test_of_many_strange_colours_three_are_named() -> None:
    grays = Image.fromarray(np.repeat(np.arange(64, dtype=np.uint8).reshape(8, 8, 1), 3, axis=2))
    with pytest.raises(RunError, match="and 61 more") as error:
        layouts.read(grays, PALETTE, 8)
    assert str(error.value).count("nearest") == 3


@pytest.mark.parametrize("what", ["missing.png", "text.png", "wide", 3])
def test_what_is_no_layout_is_refused(what: object, tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("a face", encoding="utf-8")
    layout = tmp_path / what if isinstance(what, str) else what
    if what == "wide":
        layout = Image.new("RGB", (8, 4), PALETTE["skin"])
    with pytest.raises(RunError) as error:
        layouts.read(layout, PALETTE, 8)
    assert "\n" not in str(error.value)


def test_shares_of_parts_add_up_in_every_cell() -> None:
    parts = layouts.one_hot(numbers(16), 3)
    shares = layouts.reduced(parts, 4)
    assert shares.shape == (1, 3, 4, 4)
    torch.testing.assert_close(shares.sum(1), torch.ones(1, 4, 4))
    torch.testing.assert_close(shares.mean((2, 3)), parts.mean((2, 3)))
    assert layouts.reduced(parts, 16) is parts
