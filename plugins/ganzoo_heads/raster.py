"""Which triangle, and which point, is seen at each pixel: a z-buffer without a loop over triangles.

Triangles of similar size are tested together, as arrays; that is fast because those of a head are a
few pixels large.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
_SIDES = (2, 4, 8, 16, 32, 64, 128, 256)  # boxes of triangles, in pixels
_AT_ONCE = 2_000_000  # pixels of boxes tested in one go, which bounds the memory


@dataclass(frozen=True)
class Seen:
    """What is seen at the pixels of a square picture; all arrays are (n, n, ...).

    ``triangle`` is -1 where nothing is seen.  ``weights`` are barycentric, of its three corners;
    ``depth`` grows away from the camera and is infinite where nothing is seen.
    """

    triangle: NDArray[np.int32]
    weights: Floats
    depth: Floats


def look(corners: Floats, triangles: NDArray[np.integer], side: int) -> Seen:
    """Return what is seen of ``triangles`` (T, 3) of ``corners`` (V, 3).

    ``corners`` are in pixels, x to the right and y down, and in depth.  A triangle is seen from the
    side where its corners run clockwise on the screen.
    """
    a, b, c = (corners[triangles[:, i]].astype(np.float32) for i in range(3))
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    low = np.floor(np.minimum(np.minimum(a, b), c)[:, :2] - 0.5).astype(np.int32).clip(0)
    high = np.ceil(np.maximum(np.maximum(a, b), c)[:, :2] - 0.5).astype(np.int32).clip(max=side - 1)
    extent = (high - low + 1).max(axis=1)
    front = (area > 1e-6) & (high >= low).all(axis=1)
    pixels, depths, owners, shares = [], [], [], []
    smaller = 0
    for box in (*_SIDES, side):
        group = np.flatnonzero(front & (extent > smaller) & (extent <= box))
        smaller = box
        for chosen in np.array_split(group, max(1, len(group) * box * box // _AT_ONCE)):
            if not len(chosen):
                continue
            step = np.arange(box, dtype=np.int32)
            x = low[chosen, 0][:, None, None] + step
            y = low[chosen, 1][:, None, None] + step[:, None]
            p, q, r = (v[chosen][:, None, None] for v in (a, b, c))
            px, py = x + np.float32(0.5), y + np.float32(0.5)
            # twice the signed areas of the triangles that the pixel makes with two corners
            first = (q[..., 0] - px) * (r[..., 1] - py) - (q[..., 1] - py) * (r[..., 0] - px)
            second = (r[..., 0] - px) * (p[..., 1] - py) - (r[..., 1] - py) * (p[..., 0] - px)
            total = area[chosen][:, None, None]
            third = total - first - second
            inside = (first >= 0) & (second >= 0) & (third >= 0) & (x < side) & (y < side)
            at = np.nonzero(inside)
            owner = chosen[at[0]]
            w = np.stack([first[at], second[at]], axis=1) / area[owner, None]
            w = np.concatenate([w, 1 - w.sum(axis=1, keepdims=True)], axis=1)
            z = (w * np.stack([a[owner, 2], b[owner, 2], c[owner, 2]], axis=1)).sum(axis=1)
            pixels.append(
                np.broadcast_to(y, inside.shape)[at] * side + np.broadcast_to(x, inside.shape)[at]
            )
            depths.append(z)
            owners.append(owner)
            shares.append(w)
    triangle = np.full(side * side, -1, np.int32)
    weights = np.zeros((side * side, 3), np.float32)
    depth = np.full(side * side, np.inf, np.float32)
    if pixels:
        pixel, z = np.concatenate(pixels), np.concatenate(depths)
        order = np.argsort(-z, kind="stable")  # of equal pixels the last, the nearest, is kept
        pixel = pixel[order]
        triangle[pixel] = np.concatenate(owners)[order]
        weights[pixel] = np.concatenate(shares)[order]
        depth[pixel] = z[order]
    return Seen(
        triangle.reshape(side, side), weights.reshape(side, side, 3), depth.reshape(side, side)
    )


def nearest_points(points: Floats, side: int) -> tuple[NDArray[np.int64], Floats]:
    """Return which of ``points`` (P, 3) is seen at each pixel, or -1, and its depth: (n, n)."""
    cell = np.floor(points[:, :2]).astype(np.int64)
    inside = np.flatnonzero(((cell >= 0) & (cell < side)).all(axis=1))
    order = inside[np.argsort(-points[inside, 2], kind="stable")]
    pixel = cell[order, 1] * side + cell[order, 0]
    index = np.full(side * side, -1, np.int64)
    depth = np.full(side * side, np.inf, np.float32)
    index[pixel] = order
    depth[pixel] = points[order, 2]
    return index.reshape(side, side), depth.reshape(side, side)
