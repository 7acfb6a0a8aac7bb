"""Hair: strands that grow from the scalp, are combed, fall, and keep off the head."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ganzoo_heads import mesh
from ganzoo_heads.people import Person
from ganzoo_heads.skull import CENTRE, Skull

Floats = NDArray[np.float32]
STEPS = 24  # points of a strand


@dataclass(frozen=True)
class Style:
    """How a cut is grown.  Lengths are in decimetres.

    ``length`` is of a strand, ``lift`` how far it stands off at its root, ``gravity`` how strongly
    it falls, ``curl`` the radius of its curls and ``turns`` how tightly they wind, in radians for
    each decimetre, ``clump`` how far its tip is drawn to its lock's, ``swept`` how strongly it is
    combed to the back, and ``stop`` the height at which it is cut.  ``sides`` shortens what grows
    beside the ears, and ``wave`` bends whole locks.
    """

    count: int
    length: float
    lift: float
    gravity: float
    curl: float = 0.0
    turns: float = 9.0
    clump: float = 0.4
    swept: float = 0.2
    stop: float = 0.0
    sides: float = 1.0
    wave: float = 0.0
    fringe: bool = True
    tie: tuple[float, float, float] | None = None


STYLES = {
    "buzz": Style(5200, 0.07, 0.9, 0.0, clump=0.0, fringe=False),
    "short": Style(4200, 0.62, 0.40, 0.16, clump=0.35, swept=0.35, sides=0.35),
    "spiky": Style(3400, 0.62, 1.1, 0.03, clump=0.6, swept=0.1, sides=0.4, fringe=False),
    "bob": Style(3800, 2.3, 0.26, 0.62, clump=0.3, stop=6.3, wave=0.02),
    "long": Style(3600, 3.4, 0.24, 0.62, clump=0.35, wave=0.05),
    "ponytail": Style(3000, 1.9, 0.10, 0.05, clump=0.2, fringe=False, tie=(0.0, 7.85, -0.75)),
    "bun": Style(3000, 1.9, 0.10, 0.05, clump=0.2, fringe=False, tie=(0.0, 8.15, -0.52)),
    "afro": Style(5600, 0.48, 1.0, 0.0, curl=0.04, turns=28.0, clump=0.0, fringe=False),
    "curly": Style(3000, 1.5, 0.45, 0.42, curl=0.05, clump=0.35),
}


@dataclass(frozen=True)
class Strands:
    """Strands of hair on the head at rest.

    ``points`` (S, L, 3); ``shade`` (S,) makes each lighter or darker, around 1; ``lock`` (S,) is
    the number of the lock that each belongs to.
    """

    points: Floats
    shade: Floats
    lock: NDArray[np.int64]


def scalp(points: Floats) -> Floats:
    """Return how much hair grows at ``points`` (N, 3) of the mesh at rest, in [0, 1]."""
    x, y, z = np.abs(points[:, 0]), points[:, 1], points[:, 2]
    front = 8.02 + 0.06 * np.cos(x * 9) - 0.70 * np.clip(x - 0.40, 0, None)
    side = 7.30 + 0.30 * np.clip((z - 0.55) / 0.35, 0, 1)
    nape = 6.72 + 0.75 * np.clip(z + 0.35, 0, None)
    temple = np.maximum(side, front - (0.98 - z).clip(0) * 2.4)
    line = np.where(z > 0.62, temple, nape)
    uneven = 0.035 * np.sin(x * 31) * np.sin(z * 23 + 1)
    return np.asarray(np.clip((y - line + uneven) / 0.11 + 0.5, 0, 1), np.float32)


@cache
def _scalp_triangles() -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    head = mesh.load()
    skin = np.flatnonzero(head.parts == 0)
    corners = head.points[head.triangles[skin]]
    area = np.linalg.norm(
        np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1
    )
    ears = head.masks["ears"][head.triangles[skin]].max(axis=1)
    weight = area * scalp(corners.mean(axis=1)) * (ears < 0.3)
    chosen = weight > 0
    return skin[chosen], weight[chosen] / weight[chosen].sum()


def grow(person: Person, points: Floats, normals: Floats) -> Strands | None:
    """Grow the hair of ``person`` on the shaped head ``points`` (V, 3), or None on a bald one."""
    if person.cut == "bald":
        return None
    style = STYLES[person.cut]
    rng = np.random.default_rng([person.seed, 1])
    head = mesh.load()
    triangles, odds = _scalp_triangles()
    fringe = style.fringe and rng.random() < 0.28
    if fringe:  # which needs more strands in front
        ahead = head.points[head.triangles[triangles]].mean(axis=1)[:, 2] > 0.75
        odds = odds * (1 + 1.5 * ahead)
        odds = odds / odds.sum()
    rows = triangles[rng.choice(len(triangles), style.count, p=odds)]
    weights = rng.dirichlet((1, 1, 1), style.count).astype(np.float32)
    corner = head.triangles[rows]
    root = (points[corner] * weights[..., None]).sum(axis=1)
    normal = (normals[corner] * weights[..., None]).sum(axis=1)
    # a lock: strands that began near one another end near one another
    heart = rng.choice(style.count, max(12, style.count // 26), replace=False)
    lock = np.argmin(((root[:, None] - root[heart][None]) ** 2).sum(-1), axis=1)
    strand, depth, ahead = _fall(style, root, normal, lock, fringe, Skull(points), rng)
    shade = rng.uniform(0.72, 1.28, len(strand)) * rng.uniform(0.86, 1.14, len(heart))[lock] * depth
    if style.clump:
        same = ahead == ahead[heart][lock]  # a fringe and what hangs beside it do not join
        pull = (same * style.clump)[:, None, None] * (np.linspace(0, 1, STEPS) ** 1.3)[
            None, :, None
        ]
        strand += pull * (strand[heart][lock] - strand)
    if style.curl or style.wave:
        radius = (style.curl or style.wave) * rng.uniform(0.6, 1.4, len(heart))[lock][:, None]
        turn = rng.uniform(0, 2 * np.pi, len(heart))[lock] + rng.normal(0, 0.35, style.count)
        # the angle follows the length, so that what was cut does not go on winding
        reach = np.cumsum(np.linalg.norm(np.diff(strand, axis=1, prepend=strand[:, :1]), axis=2), 1)
        angle = turn[:, None] + (style.turns if style.curl else 3.2) * reach
        radius = radius * np.minimum(1, np.linspace(0, 3, STEPS))[None]
        strand[..., 0] += radius * np.cos(angle)
        strand[..., 1] += radius * np.sin(angle) * (1.0 if style.curl else 0.3)
        strand[..., 2] += radius * np.sin(angle * 0.7 + 1)
    _clear(strand, ~ahead)
    if style.tie is not None:
        tie = np.array(style.tie, np.float32)
        more = _ball(tie, 0.34, 600, rng) if person.cut == "bun" else _tail(tie, 700, rng)
        strand = np.concatenate([strand, more])
        lock = np.concatenate([lock, np.arange(len(more)) // 40 + lock.max() + 1])
        shade = np.concatenate([shade, rng.uniform(0.7, 1.25, len(more))])
    return Strands(strand.astype(np.float32), shade.astype(np.float32), lock)


def _fall(
    style: Style,
    root: Floats,
    normal: Floats,
    lock: NDArray[np.int64],
    fringe: bool,
    skull: Skull,
    rng: np.random.Generator,
) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Return strands (S, STEPS, 3), how bright each is, and which of them are a fringe."""
    count, locks = len(root), int(lock.max()) + 1
    part = rng.choice([0.0, 0.26, -0.26]) + rng.normal(0, 0.03)
    volume = rng.uniform(0.75, 1.25)
    length = _length(style, root, fringe, rng)
    step = (length / (STEPS - 1)).astype(np.float32)[:, None]
    spread = rng.normal(0, 0.13, (locks, 3))[lock] + rng.normal(0, 0.06, (count, 3))
    away = np.tanh((root[:, 0] - part) * 7)
    front = np.clip((root[:, 2] - 0.75) / 0.4, 0, 1) * fringe
    height = rng.random(count)
    gap = (0.02 + 0.13 * volume * height * min(1.0, style.length)).astype(np.float32)
    comb = _comb(style, root, away, front)
    tie = None if style.tie is None else np.array(style.tie, np.float32)
    if tie is not None:
        gap *= 0.4
    stop = style.stop + rng.normal(0, 0.05, count) if style.stop else np.full(count, -9.0)
    stop = np.where(front >= 0.35, 7.64 + 0.07 * rng.normal(0, 1, locks)[lock], stop)
    strand = np.empty((count, STEPS, 3), np.float32)
    strand[:, 0] = place = root.astype(np.float32)
    direction = normal * style.lift * volume + comb * 0.5 + spread
    rising = np.clip((root[:, 2] - 0.8) / 0.3, 0, 1) * (1 - front) * (style.gravity > 0.1)
    direction += rising[:, None] * (
        normal * 0.35 + np.stack([0.5 * away, 0.25 + 0 * away, -0.5 + 0 * away], axis=1)
    )
    for i in range(1, STEPS):
        share = i / (STEPS - 1)
        if tie is not None:
            toward = tie - place
            reach = np.linalg.norm(toward, axis=1, keepdims=True)
            direction = direction * 0.5 + toward / reach.clip(0.05) * 0.6
            step = np.minimum(step, reach * 0.5).astype(np.float32)
        else:
            offset = place - CENTRE
            outward = offset / np.linalg.norm(offset, axis=1, keepdims=True).clip(1e-6)
            flow = comb - (comb * outward).sum(1, keepdims=True) * outward
            direction = direction * 0.72 + flow * (0.3 * (1 - share)) + spread * 0.05
            direction[:, 1] -= style.gravity * (0.35 + share)
            direction[:, 0] += _aside(place, front < 0.35, away)
        direction /= np.linalg.norm(direction, axis=1, keepdims=True).clip(1e-6)
        alive = np.clip((place[:, 1] - stop) / 0.05, 0, 1)[:, None]
        grown = np.float32(min(1.0, i / 4)) if style.length > 0.2 else np.float32(1)
        place = skull.push(place + direction * step * alive, gap * grown).astype(np.float32)
        if tie is None and style.gravity:
            over = _aside(place, front < 0.35, away)
            place[:, 0] += np.clip(over * 0.06, -0.05, 0.05)
            place[:, 2] -= np.abs(np.clip(over * 0.02, -0.02, 0.02))
        strand[:, i] = place
    return strand, (0.78 + 0.36 * height).astype(np.float32), front >= 0.35


def _clear(strand: Floats, parted: NDArray[np.bool_]) -> None:
    """End ``parted`` strands (S, STEPS, 3) where they would cross the face."""
    x, y, z = (strand[..., axis] for axis in range(3))
    across = (x / 0.52) ** 2 + ((y - 6.95) / 0.80) ** 2 < 1
    crossed = np.logical_or.accumulate(across & (z > 0.7) & parted[:, None], axis=1)
    last = (STEPS - 1 - crossed.sum(axis=1)).clip(0)
    strand[:] = np.where(crossed[..., None], strand[np.arange(len(strand)), last][:, None], strand)


def _length(style: Style, root: Floats, fringe: bool, rng: np.random.Generator) -> Floats:
    """Return how long each strand (S,) is: shorter at the sides, longer where it is swept back."""
    count = len(root)
    beside = np.clip((7.95 - root[:, 1]) / 0.5, 0, 1) * np.clip((1.0 - root[:, 2]) / 0.3, 0, 1)
    length = style.length * rng.uniform(0.85, 1.15) * rng.uniform(0.8, 1.05, count)
    length = length * (1 - (1 - style.sides) * beside)
    if style.swept and style.length < 1 and not fringe:
        length = length * (1 + 0.5 * np.clip((root[:, 2] - 0.9) / 0.3, 0, 1))
    return np.asarray(length)


def _comb(style: Style, root: Floats, away: Floats, front: Floats) -> Floats:
    """Return the way (S, 3) in which each strand is combed: away from the parting, and back."""
    if style.lift >= 0.9:
        return np.stack(
            [0 * away, np.full_like(away, 0.5 if style.gravity else 0), 0 * away], axis=1
        )
    back = style.swept + 0.4 * np.clip((root[:, 2] - 0.6) / 0.5, 0, 1) * (1 - front)
    return np.stack(
        [away * (0.8 - 0.45 * front), -0.2 + 0 * away, front - (1 - front) * back], axis=1
    )


def _aside(place: Floats, parted: NDArray[np.bool_], away: Floats) -> Floats:
    """Return how strongly ``parted`` strands at ``place`` (N, 3) leave the face, sideways."""
    limit = 0.56 + 0.14 * np.clip((7.9 - place[:, 1]) / 0.5, 0, 1)
    before = parted & (place[:, 1] < 7.95) & (place[:, 1] > 6.1) & (place[:, 2] > 0.6)
    x = place[:, 0]
    side = np.where(np.abs(x) < 0.15, np.sign(away), np.sign(x))
    depth = np.clip((limit - x * side) / 0.12, 0, 2.5)
    return np.asarray(np.where(before, side * depth, 0), np.float32)


def _ball(middle: Floats, radius: float, count: int, rng: np.random.Generator) -> Floats:
    """Return (count, STEPS, 3): strands wound around a ball."""
    axis = rng.normal(0, 1, (count, 3))
    axis[:, 1] += 1.5
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    start = np.cross(axis, rng.normal(0, 1, (count, 3)))
    start /= np.linalg.norm(start, axis=1, keepdims=True)
    other = np.cross(axis, start)
    angle = np.linspace(0, 2.2, STEPS)[None, :, None]
    tilt = rng.uniform(-0.6, 0.6, count)[:, None, None]
    ring = np.cos(angle) * start[:, None] + np.sin(angle) * other[:, None]
    ball = (ring * np.cos(tilt) + axis[:, None] * np.sin(tilt)) * radius
    return (middle + (0, 0.12, -0.12) + ball * rng.uniform(0.85, 1.0, (count, 1, 1))).astype(
        np.float32
    )


def _tail(tie: Floats, count: int, rng: np.random.Generator) -> Floats:
    """Return (count, STEPS, 3): strands that hang from a tie, to one side."""
    share = np.linspace(0, 1, STEPS)[None]
    spread = rng.normal(0, 1, (count, 3)) * (0.10, 0.05, 0.10)
    side = rng.choice([-1, 1]) * rng.uniform(0.2, 0.9)
    path = np.stack(
        [
            side * share**0.8,
            0.25 * np.sin(share * 2.2) - 2.0 * share**1.4,
            -0.45 * np.sin(share * 2.6),
        ],
        axis=-1,
    )
    width = (0.35 + 1.1 * np.sin(np.pi * share.clip(0, 0.8)))[..., None]
    return (tie + path + spread[:, None] * width).astype(np.float32)
