"""Operations on fields, the float32 images from which a figurine is computed."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Field: TypeAlias = NDArray[np.float32]
_MARGIN = 8  # a border of 1/8 of the side, because a blur wraps around the picture


class Blur:
    """Gaussian blurs of (n, n) fields, the picture and its margin; sigmas are in sides."""

    def __init__(self, side: int):
        self.side = side
        self.margin = side // _MARGIN
        self.n = side + 2 * self.margin
        square = (2 * np.pi * side * np.fft.fftfreq(self.n)) ** 2
        self._square = (square[:, None] + square[None, : self.n // 2 + 1]).astype(np.float32)
        self._kernels: dict[float, Field] = {}

    def __call__(self, field: Field, *sigmas: float) -> list[Field]:
        """Blur ``field`` by each of ``sigmas``, through one Fourier transform."""
        waves = np.fft.rfft2(field)
        results = []
        for sigma in sigmas:
            width = round(sigma, 3 if sigma > 0.01 else 4)  # a few kernels serve all
            if width not in self._kernels:
                self._kernels[width] = np.exp(self._square * np.float32(-0.5 * width**2))
            blur = np.fft.irfft2(waves * self._kernels[width], s=(self.n, self.n))
            results.append(np.asarray(blur, np.float32))
        return results


def dot(vectors: Field, vector: Field) -> Field:
    """Multiply (n, n, 3) by (3,), without BLAS, whose sums depend on its threads."""
    x, y, z = (vectors[..., i] * vector[i] for i in range(3))
    return np.asarray(x + y + z, np.float32)


def soften(image: Field) -> Field:
    """Mix each pixel of (n, n, C) with its neighbours, because the masks have hard edges."""
    blend: NDArray[Any] = image
    for axis in (0, 1):
        blend = (np.roll(blend, 1, axis) + 2 * blend + np.roll(blend, -1, axis)) / 4
    return np.asarray(blend, np.float32)


def smoothstep(value: NDArray[Any], width: float) -> Field:
    """Rise from 0 to 1 around zero, over about ``width``."""
    return np.asarray(1 / (1 + np.exp(np.clip(-value / width, -30, 30))), np.float32)


def fill_nearest(
    codes: NDArray[np.uint8], holes: NDArray[np.bool_], reach: int
) -> NDArray[np.uint8]:
    """Give missing pixels the code of their nearest neighbour, at most ``reach`` pixels away."""
    codes, holes = codes.copy(), holes.copy()
    for _ in range(reach):
        if not holes.any():
            break
        present, before = ~holes, codes.copy()
        for axis in (0, 1):
            for shift in (1, -1):
                take = holes & np.roll(present, shift, axis)
                codes[take] = np.roll(before, shift, axis)[take]
                holes &= ~take
    return codes


def to_srgb(light: Field) -> Field:
    """Convert linear light to sRGB, compressing the brightest parts as film does."""
    light = np.maximum(light, 0)
    film = light * (1 + light / 6.0) / (1 + 0.55 * light)
    return np.asarray(film.clip(0, 1) ** (1 / 2.2), np.float32)
