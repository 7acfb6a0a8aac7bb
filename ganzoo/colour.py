"""Colour profiles: convert pixels from an ICC profile to sRGB."""

from __future__ import annotations

import io
import struct
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

#: The colour space of a profile, as ICC writes it, and the mode that its pixels have.
_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}
#: A profile that moves no colour by more levels than this is taken for sRGB itself.
_SAME = 1


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
    white = _fixed(0.9642, 1.0, 0.8249)
    name = b"desc" + struct.pack(">4xI", 6) + b"Adobe\0" + bytes(78)
    tags = {b"desc": name, b"cprt": b"text\0\0\0\0CC0\0", b"wtpt": b"XYZ \0\0\0\0" + white}
    for letter, column in primaries.items():
        tags[f"{letter}XYZ".encode()] = b"XYZ \0\0\0\0" + _fixed(*column)
        tags[f"{letter}TRC".encode()] = b"curv" + struct.pack(">4xIH", 1, 563)
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
        space = _space(profile)
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
    made = corner.copy()
    for channel in range(3):
        step = low.copy()
        step[..., channel] += 1
        there = np.asarray(to_srgb(Image.fromarray(step), profile))
        made += (levels - low)[..., channel, None] * (there - corner)
    return np.rint(made).clip(0, 255).astype(np.uint8)


def eight_bits(image: Image.Image) -> Image.Image:
    """Round 16-bit gray to 8 bits; return other images as they are."""
    if not image.mode.startswith("I"):
        return image
    gray = np.asarray(image).astype(np.float64) / 257
    return Image.fromarray(gray.round().clip(0, 255).astype(np.uint8))


def _space(profile: bytes) -> str:
    try:
        return ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile.xcolor_space.strip()
    except (OSError, ImageCms.PyCMSError, AttributeError) as error:
        raise BadProfile("a profile that cannot be read") from error


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
    moved = np.abs(after - np.asarray(before.convert("RGB"))).max()
    return transform if moved > _SAME else None


def _palette(mode: str) -> Image.Image:
    """Build an image of all grays or, for RGB, a lattice of colours."""
    if mode == "L":
        return Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    ticks = np.linspace(0, 255, 9).round()
    colours = np.stack(np.meshgrid(ticks, ticks, ticks), axis=-1).reshape(1, -1, 3)
    grays = np.repeat(np.arange(256), 3).reshape(1, -1, 3)
    return Image.fromarray(np.concatenate([colours, grays], axis=1).astype(np.uint8))
