"""A drawing is cut out of its plain ground, and out of nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from ganzoo.models.cutout import cut_out

SKIN, WHITE, BLUE = (230, 190, 160), (255, 255, 255), (40, 70, 200)
SIDE = 128


def head(ground: tuple[int, int, int], skin: tuple[int, int, int] = SKIN) -> Image.Image:
    """A head with white eyes and a neck that leaves the picture, smooth at its edge."""
    large = Image.new("RGB", (4 * SIDE, 4 * SIDE), ground)
    draw = ImageDraw.Draw(large)
    draw.rectangle((200, 350, 312, 512), fill=skin)
    draw.ellipse((116, 80, 396, 400), fill=skin)
    draw.ellipse((170, 210, 220, 260), fill=ground)
    return large.resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def over(drawing: Image.Image, ground: tuple[int, int, int]) -> np.ndarray:
    canvas = Image.new("RGBA", drawing.size, (*ground, 255))
    return np.asarray(Image.alpha_composite(canvas, drawing).convert("RGB")).astype(int)


@pytest.mark.parametrize("ground", [WHITE, BLUE])
def test_on_another_ground_it_looks_as_if_drawn_there(ground: tuple[int, int, int]) -> None:
    moved = over(cut_out(head(ground, (60, 30, 20))), (0, 140, 0))
    true = np.asarray(head((0, 140, 0), (60, 30, 20))).astype(int)
    eye = np.s_[50:68, 40:58]
    moved[eye] = true[eye] = 0
    assert np.abs(moved - true).max() <= 45  # at the edge, where colours are guesses
    assert np.abs(moved - true).mean() < 1


def test_what_the_subject_encloses_stays() -> None:
    drawing = head(WHITE)
    alpha = np.asarray(cut_out(drawing))[..., 3]
    assert (alpha[50:68, 40:58] == 255).all()
    assert (alpha[:15] == 0).all()


def test_what_lies_apart_goes_with_the_ground() -> None:
    drawing = head(WHITE)
    ImageDraw.Draw(drawing).ellipse((4, 90, 14, 100), fill=(0, 0, 0))
    assert np.asarray(cut_out(drawing))[85:105, :20, 3].max() == 0


@pytest.mark.parametrize("kind", ["noise", "lines", "plain"])
def test_a_drawing_without_a_ground_of_its_own_stays_whole(kind: str) -> None:
    drawing = Image.new("RGB", (SIDE, SIDE), WHITE)
    if kind == "noise":
        drawing = Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 9, 3), np.uint8))
    elif kind == "lines":
        ImageDraw.Draw(drawing).arc((20, 20, 108, 108), 10, 350, fill=(0, 0, 0), width=2)
    cut = cut_out(drawing)
    assert np.asarray(cut)[..., 3].min() == 255
    assert np.array_equal(np.asarray(cut)[..., :3], np.asarray(drawing))
