"""Colour profiles made by hand (ICC.1:2010), and what they mean by their formulas."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_D50 = np.array([0.9642, 1.0, 0.8249])
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
_D65 = (0.3127, 0.3290)


@dataclass(frozen=True)
class Space:
    """A colour space of three primaries: (x, y) of each, the white point, and a gamma.

    A gamma of None is the curve of sRGB.
    """

    primaries: tuple[tuple[float, float], ...]
    white: tuple[float, float]
    gamma: float | None

    def matrix(self) -> Array:
        """Linear RGB to XYZ under D50 (Lindbloom, RGB/XYZ Matrices and Chromatic Adaptation)."""
        columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in self.primaries]).T
        x, y = self.white
        white = np.array([x / y, 1, (1 - x - y) / y])
        cones = np.diag((_BRADFORD @ _D50) / (_BRADFORD @ white))
        adapt = np.linalg.inv(_BRADFORD) @ cones @ _BRADFORD
        return np.asarray(adapt @ columns * np.linalg.solve(columns, white))

    def profile(self) -> bytes:
        """The profile that says so."""
        curve = _SRGB_CURVE if self.gamma is None else _curve(self.gamma)
        tags = [(f"{c}XYZ", _xyz(column)) for c, column in zip("rgb", self.matrix().T, strict=True)]
        return _profile("RGB ", [*tags, *((f"{c}TRC", curve) for c in "rgb")])

    def to_srgb(self, pixels: Array) -> Array:
        """Pixels 0..1 in sRGB, those that it cannot show at the nearest ends."""
        linear = _linear(pixels) if self.gamma is None else pixels**self.gamma
        there = linear @ (np.linalg.inv(SRGB.matrix()) @ self.matrix()).T
        return encode(there.clip(0, 1))


def encode(linear: Array) -> Array:
    """Linear light to sRGB (IEC 61966-2-1)."""
    low = linear <= 0.0031308
    return np.where(low, 12.92 * linear, 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055)


def _linear(pixels: Array) -> Array:
    return np.where(pixels <= 0.04045, pixels / 12.92, ((pixels + 0.055) / 1.055) ** 2.4)


def gray(gamma: float) -> bytes:
    """A profile of gray pixels."""
    return _profile("GRAY", [("kTRC", _curve(gamma))])


def ink() -> bytes:
    """A profile of CMYK of which only the black is ink: L* of CIELAB falls with it, evenly."""
    head = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + _fixed([1, 0, 0, 0, 1, 0, 0, 0, 1])
    ramp = bytes(range(256))
    corners = bytes([255, 128, 128, 0, 128, 128]) * 8  # black is the channel that varies first
    return _profile("CMYK", [("A2B0", head + 4 * ramp + corners + 3 * ramp)], b"prtr", b"Lab ")


def lightness(values: Array) -> Array:
    """L* of 0..100 as gray in sRGB."""
    there = (values + 16) / 116
    return encode(np.where(values > 8, there**3, values / 903.3))


def _fixed(values: list[float]) -> bytes:
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def _xyz(values: Array) -> bytes:
    return b"XYZ \0\0\0\0" + _fixed(values.tolist())


def _curve(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"


_SRGB_CURVE = b"para\0\0\0\0" + struct.pack(">HH", 3, 0)
_SRGB_CURVE += _fixed([2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045])


def _profile(
    space: str, tags: list[tuple[str, bytes]], device: bytes = b"mntr", pcs: bytes = b"XYZ "
) -> bytes:
    described = b"desc\0\0\0\0" + struct.pack(">I", 2) + b"x\0" + b"\0" * 78
    tags = [("desc", described), ("cprt", b"text\0\0\0\0x\0"), ("wtpt", _xyz(_D50)), *tags]
    start, table, body = 132 + 12 * len(tags), b"", b""
    for name, data in tags:
        table += name.encode() + struct.pack(">II", start + len(body), len(data))
        body += data + b"\0" * (-len(data) % 4)
    kind = device + space.encode() + pcs
    head = struct.pack(">I4xI12s", start + len(body), 0x02400000, kind)
    head += struct.pack(">6H", 2000, 1, 1, 0, 0, 0) + b"acsp" + b"\0" * 28
    head += _fixed(_D50.tolist()) + b"\0" * 48
    return head + struct.pack(">I", len(tags)) + table + body


SRGB = Space(((0.64, 0.33), (0.30, 0.60), (0.15, 0.06)), _D65, None)
P3 = Space(((0.68, 0.32), (0.265, 0.69), (0.15, 0.06)), _D65, None)
ADOBE = Space(((0.64, 0.33), (0.21, 0.71), (0.15, 0.06)), _D65, 563 / 256)
PROPHOTO = Space(
    ((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001)), (0.3457, 0.3585), 461 / 256
)
