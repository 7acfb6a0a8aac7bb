"""What a camera does to the light that reaches it: blur, exposure, grain and compression."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float32]


def linear(colour: object) -> Floats:
    """Return the linear light of sRGB colours in [0, 1]."""
    return np.asarray(np.asarray(colour, np.float32) ** np.float32(2.2), np.float32)


def blur(field: Floats, sigma: float) -> Floats:
    """Blur (n, n) or (n, n, C) with a Gaussian; the border is repeated."""
    if sigma < 0.2:
        return field
    if sigma > 4:  # half the size is as good, and far cheaper
        small = blur(shrink(field), sigma / 2)
        return enlarge(small, len(field))
    radius = max(1, round(2.5 * sigma))
    taps = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    taps /= taps.sum()
    out = np.asarray(field, np.float32)
    for axis in (0, 1):
        pad = [(0, 0)] * out.ndim
        pad[axis] = (radius, radius)
        wide = np.pad(out, pad, mode="edge")
        n = out.shape[axis]
        total = np.zeros_like(out)
        for shift, tap in enumerate(taps):
            part = wide[shift : shift + n] if axis == 0 else wide[:, shift : shift + n]
            total += np.float32(tap) * part
        out = total
    return out


def shrink(field: Floats) -> Floats:
    """Halve (n, n) or (n, n, C) by the mean of each four pixels."""
    half = len(field) // 2 * 2
    f = field[:half, :half]
    mean = (f[::2, ::2] + f[1::2, ::2] + f[::2, 1::2] + f[1::2, 1::2]) / 4
    return np.asarray(mean, np.float32)


def enlarge(field: Floats, side: int) -> Floats:
    """Resize (n, n) or (n, n, C) to ``side`` smoothly."""
    planes = field[..., None] if field.ndim == 2 else field
    big = [
        np.asarray(
            Image.fromarray(np.ascontiguousarray(planes[..., c])).resize(
                (side, side), Image.Resampling.BICUBIC
            )
        )
        for c in range(planes.shape[2])
    ]
    return np.asarray(big[0] if field.ndim == 2 else np.stack(big, axis=-1), np.float32)


def develop(picture: Floats, exposure: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return the photo (n, n, 3) of linear light (2n, 2n, 3): curve, vignette, grain, JPEG."""
    light = shrink(picture)
    side = len(light)
    glow = rng.uniform(0.0, 0.04)
    light = light * (1 - glow) + glow * blur(light, side / 24)
    rows, columns = np.mgrid[:side, :side] / side - 0.5
    light *= (1 - rng.uniform(0, 0.5) * (rows**2 + columns**2))[..., None]
    balance = rng.normal(0, 0.03, 3)
    light = light * (exposure * (1 + balance - balance.mean())).astype(np.float32)
    film = light * (1 + light / 6.0) / (1 + 0.55 * light) * 1.12
    image = film.clip(0, 1) ** (1 / 2.2)
    contrast = rng.uniform(0.15, 0.65)
    image = image * (1 - contrast) + contrast * (3 * image**2 - 2 * image**3)
    grey = image.mean(axis=2, keepdims=True)
    image = grey + (image - grey) * rng.uniform(0.82, 1.12)
    haze = rng.uniform(0, 0.02)
    image = haze + (1 - haze) * image
    grain = rng.normal(0, 1, (side, side, 3)) * (0.35, 0.25, 0.4) + rng.normal(
        0, 0.8, (side, side, 1)
    )
    image = image + rng.uniform(0.001, 0.007) * blur(grain.astype(np.float32), 0.45) * 1.6
    pixels = (image * 255).clip(0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=int(rng.integers(72, 97)))
    with Image.open(file) as photo:
        return np.asarray(photo.convert("RGB"))
