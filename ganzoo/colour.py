"""Colour profiles: convert pixels from an ICC profile to sRGB."""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

#: the colour space of a profile, as ICC writes it, and the mode of its pixels
_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}
#: A profile that moves every colour by at most this many levels counts as sRGB.
_SAME = 1
_D50 = np.array([0.9642, 1.0, 0.8249])
#: From XYZ to the cones of the eye, for another white (Lindbloom, Chromatic Adaptation).
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
#: The white point and the primaries of sRGB.
_SRGB = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)


class BadProfile(Exception):
    """A profile that is damaged, or does not fit its image's pixels."""


@cache
def srgb() -> bytes:
    """Return an ICC profile of sRGB, the same bytes every time."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[24:36] = bytes.fromhex("07d0 0001 0001 0000 0000 0000")  # a fixed date, not today's
    return bytes(profile)


@cache
def adobe_rgb() -> bytes:
    """Return a profile of Adobe RGB (1998), from its sections 4.3.1.1 and annex A."""
    primaries = {
        "r": (0.60974, 0.31111, 0.01947),
        "g": (0.20528, 0.62567, 0.06087),
        "b": (0.14919, 0.06322, 0.74457),
    }
    return _profile(primaries, b"curv" + struct.pack(">4xIH", 1, 563))


def of_png(info: Mapping[Any, Any]) -> bytes | None:
    """Return the profile that a PNG's gAMA and cHRM stand for (W3C PNG 3, 11.3.2); None for sRGB.

    ``info`` is Pillow's.  With the primaries of sRGB, a gamma of 1/2.2 stands for sRGB's own curve.
    """
    chromaticity, gamma = info.get("chromaticity"), info.get("gamma")
    if "icc_profile" in info or "srgb" in info or not (chromaticity or gamma):
        return None
    is_srgb = not chromaticity or np.allclose(chromaticity, _SRGB, atol=0.001)
    if is_srgb and gamma and abs(gamma - 1 / 2.2) < 0.001:
        return None
    white, *corners = np.reshape(chromaticity or _SRGB, (4, 2))
    if min(white[1], *(y for _, y in corners)) <= 0 or not 0.1 < (gamma or 1) < 10:
        return None  # no colours
    columns = np.array([_xyz(*corner) for corner in corners]).T
    adapt = np.diag(_BRADFORD @ _D50 / (_BRADFORD @ _xyz(*white)))
    try:
        primaries = columns * np.linalg.solve(columns, _xyz(*white))
        matrix = np.linalg.inv(_BRADFORD) @ adapt @ _BRADFORD @ primaries
    except np.linalg.LinAlgError:
        return None
    if not np.isfinite(matrix).all() or abs(matrix).max() > 100:
        return None
    if gamma:
        curve = b"curv" + struct.pack(">4xIH", 1, round(256 / gamma))
    else:
        numbers = _fixed(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
        curve = b"para" + struct.pack(">4xHH", 3, 0) + numbers
    return _profile(dict(zip("rgb", matrix.T.tolist(), strict=True)), curve)


def _xyz(x: float, y: float) -> NDArray[np.float64]:
    return np.array([x / y, 1.0, (1 - x - y) / y])


def _profile(primaries: Mapping[str, Sequence[float]], curve: bytes) -> bytes:
    """Build an RGB profile (ICC.1:2001) of the XYZ of each primary under D50, and one curve."""
    white = _fixed(*_D50)
    name = b"desc" + struct.pack(">4xI", 4) + b"RGB\0" + bytes(78)
    tags = {b"desc": name, b"cprt": b"text\0\0\0\0CC0\0", b"wtpt": b"XYZ \0\0\0\0" + white}
    for letter, column in primaries.items():
        tags[f"{letter}XYZ".encode()] = b"XYZ \0\0\0\0" + _fixed(*column)
        tags[f"{letter}TRC".encode()] = curve
    table, body, start = b"", b"", 132 + 12 * len(tags)
    for tag, data in tags.items():
        table += tag + struct.pack(">II", start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack(">I4xI12s", start + len(body), 0x02400000, b"mntrRGB XYZ ")
    head += bytes(12) + b"acsp" + bytes(28) + white + bytes(48)
    return head + struct.pack(">I", len(tags)) + table + body


def _fixed(*values: float) -> bytes:
    """Encode numbers as ICC does: 16 bits before the point and 16 behind."""
    return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert RGB, gray (L, I;16), CMYK or LAB pixels from ``profile`` to sRGB pixels.

    Without a profile, RGB and gray are sRGB.  Gray pixels with an RGB profile are gray pixels of
    that RGB.  Raises BadProfile.
    """
    if image.mode == "LAB":
        return _lab().apply(image)
    transform = None
    if profile:
        try:
            space = ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile.xcolor_space.strip()
        except (OSError, ImageCms.PyCMSError, AttributeError) as error:
            raise BadProfile("a profile that cannot be read") from error
        if space != "GRAY":
            image = eight_bits(image)
        if space == "RGB" and image.mode == "L":
            image = image.convert("RGB")
        if _MODES.get(space) != ("L" if image.mode.startswith("I;16") else image.mode):
            raise BadProfile(f"a profile of {space} on pixels of mode {image.mode}")
        transform = _transform(profile, image.mode)
    rgb = transform.apply(image) if transform else eight_bits(image).convert("RGB")
    rgb.info.pop("icc_profile", None)  # a saved file would otherwise claim that profile
    return rgb


def deep_to_srgb(values: NDArray[np.uint16], profile: bytes) -> NDArray[np.uint8]:
    """Convert 16-bit RGB (H, W, 3) from ``profile`` to 8 bits in sRGB.

    LittleCMS converts the neighbours in 8 bits, and values between them are interpolated: in the
    dark, one level of a wide space may be ten of sRGB.  Raises BadProfile.
    """
    levels = values / np.float32(257)
    low = np.floor(levels).clip(0, 254).astype(np.uint8)
    corner = np.asarray(to_srgb(Image.fromarray(low), profile)).astype(np.float32)
    colours = corner.copy()
    for channel in range(3):
        step = low.copy()
        step[..., channel] += 1
        neighbour = np.asarray(to_srgb(Image.fromarray(step), profile))
        colours += (levels - low)[..., channel, None] * (neighbour - corner)
    return np.rint(colours).clip(0, 255).astype(np.uint8)


def eight_bits(image: Image.Image) -> Image.Image:
    """Round 16-bit gray to 8 bits; return other images as they are."""
    if not image.mode.startswith("I"):
        return image
    gray = np.asarray(image).astype(np.float64) / 257
    return Image.fromarray(gray.round().clip(0, 255).astype(np.uint8))


@cache
def _lab() -> ImageCms.ImageCmsTransform:
    lab, rgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    return ImageCms.buildTransform(lab, rgb, "LAB", "RGB")


@lru_cache(maxsize=32)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Build the transform from ``mode`` pixels to sRGB; None if they are sRGB already."""
    try:
        transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.ImageCmsProfile(io.BytesIO(srgb())),
            mode,
            "RGB",
            ImageCms.Intent.PERCEPTUAL,
        )
    except (OSError, ImageCms.PyCMSError) as error:
        raise BadProfile("a profile that cannot be used") from error
    if mode == "CMYK":
        return transform
    if mode.startswith("I;16"):
        return transform if _transform(profile, "L") else None
    before = _palette(mode)
    after = np.asarray(transform.apply(before)).astype(int)
    change = np.abs(after - np.asarray(before.convert("RGB"))).max()
    return transform if change > _SAME else None


def _palette(mode: str) -> Image.Image:
    """Build an image of all grays or, for RGB, a lattice of colours."""
    if mode == "L":
        return Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    ticks = np.linspace(0, 255, 9).round()
    colours = np.stack(np.meshgrid(ticks, ticks, ticks), axis=-1).reshape(1, -1, 3)
    grays = np.repeat(np.arange(256), 3).reshape(1, -1, 3)
    return Image.fromarray(np.concatenate([colours, grays], axis=1).astype(np.uint8))
