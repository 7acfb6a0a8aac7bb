"""Hair, brows and beards as a camera sees them: many fine lines, shaded along their length."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ganzoo_heads.lens import blur
from ganzoo_heads.light import Light
from ganzoo_heads.pose import Camera

Floats = NDArray[np.float32]
_AHEAD = np.array([0, 0, 1], np.float32)


def shade(
    lines: Floats, outward: Floats, base: Floats, light: Light, reach: Floats, gloss: float
) -> Floats:
    """Return the light (S, L, 3) that ``lines`` (S, L, 3) of colour ``base`` (S, L, 3) throw back.

    ``outward`` (S, L, 3) points away from the head; ``reach`` (S, L) is how much key light comes.
    The highlights are a white one and a coloured one beside it, as Marschner et al. 2003 measured.
    """
    tangent = np.gradient(lines, axis=1).reshape(-1, 3)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True).clip(1e-6)
    out, colour = outward.reshape(-1, 3), base.reshape(-1, 3)
    bright = colour / colour.max(axis=1, keepdims=True).clip(1e-4)
    total = 0.62 * colour * light.around(out)
    sky = np.sqrt((1 - (tangent[:, 1]) ** 2).clip(0, 1)) * out[:, 1].clip(0, 1)
    total += (0.02 * gloss * sky)[:, None] * light.sky
    for lamp in (light.key, light.fill, light.rim):
        facing = ((out @ lamp.way) * 0.7 + 0.3).clip(0, 1)
        across = np.sqrt((1 - (tangent @ lamp.way) ** 2).clip(0, 1)) * facing
        half = lamp.way + _AHEAD
        half /= np.linalg.norm(half).clip(0.2)
        along = tangent @ half
        first = (1 - (along + 0.09) ** 2).clip(0, 1) ** 40
        second = (1 - (along - 0.12) ** 2).clip(0, 1) ** 14
        part = colour * (0.85 * across)[:, None]
        part += (facing * gloss * 0.06 * first)[:, None]
        part += (
            bright
            * np.sqrt(colour.max(axis=1, keepdims=True))
            * (facing * gloss * 0.20 * second)[:, None]
        )
        if lamp is light.key:
            part *= (0.08 + 0.92 * reach.ravel())[:, None]
        total += part * lamp.colour
    return np.asarray(total.reshape(lines.shape), np.float32)


def draw(
    picture: Floats,
    depth: Floats,
    camera: Camera,
    lines: Floats,
    colours: Floats,
    width: float,
    bias: float = 0.02,
    soft: float = 0.45,
) -> Floats:
    """Draw ``lines`` (S, L, 3) in ``colours`` (S, L, 3) into ``picture`` and ``depth``.

    ``width`` of a hair is in dm, and ``soft`` its blur in 256ths of the side.  What is nearer by
    more than ``bias`` than the hair hides it.
    Returns how much of each pixel (n, n) hair covers.
    """
    side = camera.side
    place = camera.project(lines.reshape(-1, 3)).reshape(lines.shape)
    first = _visible(place, depth, side, bias)
    a, b = place[:, :-1][first], place[:, 1:][first]
    ca, cb = colours[:, :-1][first], colours[:, 1:][first]
    if not len(a):
        return np.zeros((side, side), np.float32)
    reach = np.abs(b - a)[:, :2].max(axis=1)
    count = np.ceil(reach / 1.2).clip(1, 48).astype(np.int64)
    owner = np.repeat(np.arange(len(a)), count)
    start = np.cumsum(count) - count
    share = ((np.arange(len(owner)) - start[owner] + np.float32(0.5)) / count[owner]).astype(
        np.float32
    )
    dot = (reach / count).astype(np.float32)[owner].clip(0, 1.2)
    points = a[owner] + (b - a)[owner] * share[:, None]
    cell = np.floor(points[:, :2]).astype(np.int32)
    inside = ((cell >= 0) & (cell < side)).all(axis=1)
    pixel = cell[:, 1] * side + cell[:, 0]
    keep = np.flatnonzero(inside)
    z = points[keep, 2]
    seen = z < depth.ravel()[pixel[keep]] + np.float32(bias)
    keep, z = keep[seen], z[seen]
    pixel = pixel[keep]
    front = _front(pixel, z, side)
    behind = z - front.ravel()[pixel]
    weight = dot[keep] * np.exp(-behind / np.float32(0.045))
    shares = share[keep, None]
    colour = ca[owner[keep]] * (1 - shares) + cb[owner[keep]] * shares
    sums = np.stack(
        [
            np.bincount(pixel, weight if c == 3 else weight * colour[:, c], side * side)
            for c in range(4)
        ],
        axis=1,
    ).astype(np.float32)
    sums = blur(sums.reshape(side, side, 4), soft * side / 256)
    amount = sums[..., 3]
    scale = width * side / camera.width  # pixels that a hair is wide
    cover = 1 - np.exp(-np.float32(2.2 * scale) * amount)
    cover = np.where(amount > 1e-3, cover, 0)
    mean = sums[..., :3] / amount.clip(1e-4)[..., None]
    picture *= 1 - cover[..., None]
    picture += cover[..., None] * mean
    closer = (cover > 0.5) & (front < depth)
    depth[closer] = front[closer]
    return np.asarray(cover, np.float32)


def _front(pixel: NDArray[np.int32], z: Floats, side: int) -> Floats:
    """Return the nearest depth (n, n) of points at each pixel and its eight neighbours."""
    near = np.full(side * side, np.inf, np.float32)
    np.minimum.at(near, pixel, z)
    front = near.reshape(side, side)
    wide = np.pad(front, 1, mode="edge")
    for i in range(3):
        for j in range(3):
            front = np.minimum(front, wide[i : i + side, j : j + side])
    return front


def _visible(place: Floats, depth: Floats, side: int, bias: float) -> NDArray[np.bool_]:
    """Return which segments (S, L - 1) may be seen: none far behind others or ``depth``."""
    cell = np.floor(place[..., :2]).astype(np.int32)
    inside = ((cell >= -4) & (cell < side + 4)).all(axis=-1)
    cell = cell.clip(0, side - 1)
    z = place[..., 2]
    open_ = inside & (z < depth[cell[..., 1], cell[..., 0]] + bias + 0.05)
    coarse = side // 8 + 1
    block = (cell[..., 1] // 8) * coarse + cell[..., 0] // 8
    near = np.full(coarse * coarse, np.inf, np.float32)
    np.minimum.at(near, block[open_], z[open_])
    open_ &= z < near[block] + 0.40
    return np.asarray(open_[:, :-1] | open_[:, 1:], np.bool_)
