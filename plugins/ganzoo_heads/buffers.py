"""The geometry of a photo, pixel by pixel: normals, depth, and which part of the head is seen.

They are stored as pictures of 8 bits: a normal as three channels, a depth as the three bytes of a
number of 24 bits, a part as its number.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganzoo_folders import depth
from ganzoo_heads import clothes, glasses, mesh, photo, pose, strands, whiskers
from ganzoo_heads.skull import CENTRE

Floats = NDArray[np.float32]
#: what is at a pixel, in the order of the numbers in a layout
PARTS = ("ground", "skin", "lips", "mouth", "eyes", "brows", "beard", "hair", "clothes", "glasses")
_BEFORE = 0.25  # how far the plane of depth 0 lies before the eyes, in shares of the side


@dataclass(frozen=True)
class Buffers:
    """What is seen (n, n, ...): normals with y down, depths in [0, 1], numbers of ``PARTS``."""

    normal: Floats
    depth: Floats
    parts: NDArray[np.uint8]


def measure(head: photo.Head) -> Buffers:
    """Measure what the photo of ``head`` shows."""
    person, camera, side = head.person, head.camera, head.camera.side
    seen = photo.look(head)
    far = seen.depth.copy()
    normal = np.zeros((side, side, 3), np.float32)
    normal[..., 2] = 1
    normal[seen.at] = seen.normal
    part = np.full(len(seen.part), PARTS.index("skin"), np.uint8)
    part[seen.lips > 0.5] = PARTS.index("lips")
    part[(seen.mouth > 0.5) | (seen.part > mesh.PARTS.index("lashes"))] = PARTS.index("mouth")
    part[clothes.covers(person, seen.base) & (seen.part == 0)] = PARTS.index("clothes")
    part[seen.part == mesh.PARTS.index("eye")] = PARTS.index("eyes")
    parts = np.zeros((side, side), np.uint8)
    parts[seen.at] = part

    def add(name: str, lines: Floats, width: float, bias: float, keep_normal: bool) -> None:
        turned = pose.turn(person, lines.reshape(-1, 3)).reshape(lines.shape)
        offset = turned - pose.turn(person, CENTRE[None])[0]
        outward = offset / np.linalg.norm(offset, axis=2, keepdims=True).clip(1e-6)
        target = normal.copy() if keep_normal else normal
        below = far.copy() if keep_normal else far
        cover = strands.draw(target, below, camera, turned, outward.astype(np.float32), width, bias)
        parts[cover > 0.4] = PARTS.index(name)

    add("brows", whiskers.brows(person, head.rest), 0.008, 0.03, True)
    beard = whiskers.beard(person, head.rest, mesh.load().normals(head.rest))
    if beard is not None:
        add("beard", beard, 0.010, 0.03, True)
    if head.strands is not None:
        add("hair", head.strands.points, photo.HAIR_WIDTH, 0.03, False)
    worn = glasses.wear(person, head.rest, head.eyes, mesh.load().masks["ears"])
    if worn is not None:
        add("glasses", worn.lines, 0.012, 0.0, True)
    normal *= np.array([1, -1, 1], np.float32)
    normal /= np.linalg.norm(normal, axis=2, keepdims=True).clip(1e-6)
    share = (far - camera.distance) / camera.width + _BEFORE
    return Buffers(
        normal, np.where(np.isfinite(far), share.clip(0, 0.999), 1).astype(np.float32), parts
    )


def _reduced(field: Floats, size: int) -> NDArray[np.float64]:
    """Average (n, n, C) over squares of pixels, to (size, size, C)."""
    step = len(field) // size
    return field.reshape(size, step, size, step, -1).mean(axis=(1, 3), dtype=np.float64)


def stored_normal(buffers: Buffers, size: int) -> NDArray[np.uint8]:
    """Return the normals (3, size, size) as they are stored: x, y and z of [-1, 1]."""
    small = _reduced(buffers.normal, size)
    unit = small / np.linalg.norm(small, axis=2, keepdims=True).clip(1e-6)
    return np.rint((unit + 1) * 127.5).astype(np.uint8).transpose(2, 0, 1)


def stored_depth(buffers: Buffers, size: int) -> NDArray[np.uint8]:
    """Return the depths (3, size, size) as they are stored: bytes, the highest first."""
    return depth.to_pixels(_reduced(buffers.depth, size)[..., 0])


def stored_layout(buffers: Buffers, size: int) -> NDArray[np.uint8]:
    """Return the parts (3, size, size) as they are stored: thrice the same number."""
    step = len(buffers.parts) // size
    middle = buffers.parts[step // 2 :: step, step // 2 :: step]
    return np.repeat(middle[None], 3, axis=0)
