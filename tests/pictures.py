"""Made-up pictures that look like photos or like cartoons, as far as statistics can tell."""

import numpy as np
from PIL import Image, ImageDraw


def photo_like(seed, side=64):
    """A gradient with clouds and some noise."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(40, 150, side)[None, :, None] + np.linspace(-30, 30, side)[:, None, None]
    clouds = Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8))
    soft = np.asarray(clouds.resize((side, side), Image.Resampling.BICUBIC)).astype(float) - 128
    pixels = ramp + 0.3 * soft + rng.normal(0, 6, (side, side, 3))
    return pixels.clip(0, 255).astype(np.uint8)


def cartoon_like(seed, side=64):
    """Flat shapes in light colours with ink around them."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (4 * side, 4 * side), tuple(rng.integers(200, 256, 3).tolist()))
    draw = ImageDraw.Draw(image)
    for _ in range(4):
        x, y = rng.integers(0, 2 * side, 2).tolist()
        width, height = rng.integers(side, 2 * side, 2).tolist()
        fill = tuple(rng.integers(60, 256, 3).tolist())
        draw.ellipse((x, y, x + width, y + height), fill=fill, outline="black", width=8)
    return np.asarray(image.resize((side, side), Image.Resampling.LANCZOS))
