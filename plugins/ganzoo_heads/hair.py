"""Hair: strands that grow from the scalp, are combed, fall, and keep off the head."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ganzoo_heads import mesh
from ganzoo_heads.people import Person

Floats = NDArray[np.float32]
CENTRE = np.array([0.0, 7.35, 0.30], np.float32)  # of the skull
_GRID = (40, 80)  # polar and azimuthal cells of the table of the head's radius
STEPS = 28  # points of a strand


@dataclass(frozen=True)
class Style:
    """How a cut is grown.  Lengths are in decimetres.

    ``length`` is of a strand, ``lift`` how far it stands off at its root, ``gravity`` how strongly
    it falls, ``curl`` the radius of its curls, ``clump`` how far its tip is drawn to its lock's,
    ``back`` how strongly it is combed back, and ``stop`` the height at which it is cut.
    """

    count: int
    length: float
    lift: float
    gravity: float
    curl: float = 0.0
    clump: float = 0.4
    back: float = 0.0
    stop: float = 0.0
    fringe: bool = True
    tie: tuple[float, float, float] | None = None


STYLES = {
    "buzz": Style(5200, 0.07, 0.9, 0.0, clump=0.0, fringe=False),
    "short": Style(3600, 0.75, 0.42, 0.25, clump=0.45),
    "spiky": Style(2200, 0.85, 1.2, 0.05, clump=0.85, fringe=False),
    "bob": Style(3600, 2.1, 0.30, 0.75, clump=0.45, stop=6.25),
    "long": Style(3400, 3.6, 0.28, 0.8, clump=0.5),
    "ponytail": Style(2400, 1.9, 0.10, 0.05, clump=0.3, fringe=False, tie=(0.0, 7.95, -0.85)),
    "bun": Style(2400, 1.9, 0.10, 0.05, clump=0.3, fringe=False, tie=(0.0, 8.25, -0.55)),
    "afro": Style(5000, 0.6, 1.0, 0.0, curl=0.06, clump=0.0, fringe=False),
    "curly": Style(2300, 1.5, 0.55, 0.45, curl=0.055, clump=0.35),
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


def scalp(points: Floats) -> NDArray[np.float32]:
    """Return how much hair grows at ``points`` (N, 3) of the mesh at rest, in [0, 1]."""
    x, y, z = np.abs(points[:, 0]), points[:, 1], points[:, 2]
    front = 7.98 + 0.10 * np.cos(x * 9) - 0.55 * np.clip(x - 0.42, 0, None)
    side = 7.42 - 0.25 * np.clip(0.85 - z, 0, 0.4)
    nape = 6.72 + 0.75 * np.clip(z + 0.35, 0, None)
    line = np.where(z > 0.9, front, np.where(z > 0.62, np.maximum(side, front - (0.9 - z) * 2.2), nape))
    return np.clip((y - line) / 0.06 + 0.5, 0, 1).astype(np.float32)


@cache
def _scalp_triangles() -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    head = mesh.load()
    skin = np.flatnonzero(head.parts == 0)
    corners = head.points[head.triangles[skin]]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    ears = head.masks["ears"][head.triangles[skin]].max(axis=1)
    weight = area * scalp(corners.mean(axis=1)) * (ears < 0.3)
    chosen = weight > 0
    return skin[chosen], weight[chosen] / weight[chosen].sum()


class Skull:
    """The radius of a head around ``CENTRE`` in every direction, which strands keep off."""

    def __init__(self, points: Floats):
        offset = points[points[:, 1] > 6.1] - CENTRE
        radius = np.linalg.norm(offset, axis=1)
        row, column = self._cells(offset / radius[:, None])
        table = np.zeros(_GRID, np.float32)
        np.maximum.at(table, (row, column), radius)
        for _ in range(6):  # cells without a point take their neighbours'
            hole = table == 0
            if not hole.any():
                break
            around = np.maximum(np.roll(table, 1, 1), np.roll(table, -1, 1))
            around[1:] = np.maximum(around[1:], table[:-1])
            around[:-1] = np.maximum(around[:-1], table[1:])
            table[hole] = around[hole]
        self.table = table

    @staticmethod
    def _cells(direction: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        polar = np.arccos(direction[:, 1].clip(-1, 1)) / np.pi
        around = np.arctan2(direction[:, 0], direction[:, 2]) / (2 * np.pi) + 0.5
        return (
            (polar * _GRID[0]).astype(np.int64).clip(0, _GRID[0] - 1),
            (around * _GRID[1]).astype(np.int64) % _GRID[1],
        )

    def push(self, points: Floats, gap: Floats) -> Floats:
        """Move ``points`` (N, 3) that are nearer to the skull than ``gap`` (N,) outwards."""
        offset = points - CENTRE
        radius = np.linalg.norm(offset, axis=1).clip(1e-6)
        direction = offset / radius[:, None]
        least = self.table[self._cells(direction)] + gap
        out = (radius < least) & (points[:, 1] > 6.35)
        moved = points.copy()
        moved[out] = CENTRE + direction[out] * least[out, None]
        # the neck is a column, and the shoulders slope
        low = points[:, 1] < 6.5
        level = np.hypot(moved[:, 0], moved[:, 2] - 0.25).clip(1e-6)
        thin = low & (level < 0.62)
        moved[thin, 0] *= (0.62 / level)[thin]
        moved[thin, 2] = 0.25 + (moved[thin, 2] - 0.25) * (0.62 / level)[thin]
        floor = 5.62 - 0.35 * np.abs(moved[:, 0])
        chest = 0.55 + 0.55 * np.clip((5.6 - moved[:, 1]) / 1.0, 0, 1)
        deep = (moved[:, 1] < floor) & (moved[:, 2] > -0.1) & (moved[:, 2] < chest)
        moved[deep, 2] = chest[deep] + 0.05
        return moved


def grow(person: Person, points: Floats, normals: Floats) -> Strands | None:
    """Grow the hair of ``person`` on the shaped head ``points`` (V, 3), or None on a bald one."""
    if person.cut == "bald":
        return None
    style = STYLES[person.cut]
    rng = np.random.default_rng([person.seed, 1])
    head = mesh.load()
    triangles, odds = _scalp_triangles()
    fringe = style.fringe and rng.random() < 0.6
    if fringe:  # which needs more strands in front
        ahead = head.points[head.triangles[triangles]].mean(axis=1)[:, 2] > 0.75
        odds = odds * (1 + 2.0 * ahead)
        odds = odds / odds.sum()
    rows = triangles[rng.choice(len(triangles), style.count, p=odds)]
    weights = rng.dirichlet((1, 1, 1), style.count).astype(np.float32)
    corner = head.triangles[rows]
    root = (points[corner] * weights[..., None]).sum(axis=1)
    normal = (normals[corner] * weights[..., None]).sum(axis=1)
    skull = Skull(points)
    part = rng.choice([0.0, 0.28, -0.28]) + rng.normal(0, 0.03)
    volume = rng.uniform(0.8, 1.25)
    length = style.length * rng.uniform(0.85, 1.15) * rng.uniform(0.85, 1.05, style.count)
    step = (length / (STEPS - 1)).astype(np.float32)[:, None]
    # a lock: strands that began near one another end near one another
    heart = rng.choice(style.count, max(12, style.count // 28), replace=False)
    lock = np.argmin(((root[:, None] - root[heart][None]) ** 2).sum(-1), axis=1)
    jitter = rng.normal(0, 0.16, (len(heart), 3))[lock] + rng.normal(0, 0.07, (style.count, 3))
    away = np.tanh((root[:, 0] - part) * 6)
    front = np.clip((root[:, 2] - 0.75) / 0.4, 0, 1) * (fringe and person.cut != "spiky")
    comb = np.stack(
        [away * (0.85 - 0.45 * front), -0.25 + 0 * away, front * 1.0 - (1 - front) * 0.45], axis=1
    )
    if person.cut in ("spiky", "afro", "buzz"):
        comb = np.stack([0 * away, np.full_like(away, 0.7), 0 * away - 0.1], axis=1)
        if person.cut != "spiky":
            comb *= 0
    tie = None if style.tie is None else np.array(style.tie, np.float32)
    gap = (0.025 + 0.10 * volume * rng.random(style.count) * min(1.0, style.length)).astype(np.float32)
    if tie is not None:
        gap *= 0.45
    strand = np.empty((style.count, STEPS, 3), np.float32)
    strand[:, 0] = root
    direction = normal * style.lift * volume + comb * 0.5 + jitter
    place = root.astype(np.float32)
    turn = rng.uniform(0, 2 * np.pi, len(heart))[lock] + rng.normal(0, 0.4, style.count)
    stop = style.stop + rng.normal(0, 0.05, style.count) if style.stop else np.full(style.count, -9.0)
    stop = np.where(front > 0.35, 7.62 + 0.10 * rng.normal(0, 1, len(heart))[lock], stop)
    for i in range(1, STEPS):
        share = i / (STEPS - 1)
        if tie is not None:
            gap_to = tie - place
            reach = np.linalg.norm(gap_to, axis=1, keepdims=True)
            direction = direction * 0.5 + gap_to / reach.clip(0.05) * 0.6
            near = reach[:, 0] < 0.16
            direction[near] = (0, -0.3, -0.1)
        else:
            offset = place - CENTRE
            outward = offset / np.linalg.norm(offset, axis=1, keepdims=True).clip(1e-6)
            flow = comb - (comb * outward).sum(1, keepdims=True) * outward
            direction = direction * 0.72 + flow * (0.3 * (1 - share)) + jitter * 0.05
            direction[:, 1] -= style.gravity * (0.35 + share)
        direction /= np.linalg.norm(direction, axis=1, keepdims=True).clip(1e-6)
        alive = (place[:, 1] > stop)[:, None]
        place = skull.push(place + direction * step * alive, gap).astype(np.float32)
        if tie is None:
            _off_the_face(place, front < 0.35, away)
        strand[:, i] = place
    if style.clump:
        pull = (np.linspace(0, 1, STEPS) ** 1.5 * style.clump)[None, :, None]
        strand += pull * (strand[heart][lock] - strand)
    if style.curl:
        angle = turn[:, None] + np.linspace(0, length * 9, STEPS).T
        grown = np.minimum(1, np.linspace(0, 4, STEPS))[None]
        strand[..., 0] += style.curl * np.cos(angle) * grown
        strand[..., 1] += style.curl * np.sin(angle) * grown
        strand[..., 2] += style.curl * np.sin(angle * 0.7 + 1) * grown
    if person.cut == "bun" and tie is not None:
        strand = np.concatenate([strand, _ball(tie, 0.36, 500, rng)])
        lock = np.concatenate([lock, np.arange(500) // 40 + lock.max() + 1])
    if person.cut == "ponytail" and tie is not None:
        strand = np.concatenate([strand, _tail(tie, 700, rng)])
        lock = np.concatenate([lock, np.arange(700) // 60 + lock.max() + 1])
    shade = rng.uniform(0.7, 1.25, len(strand)) * rng.uniform(0.85, 1.15, lock.max() + 1)[lock]
    return Strands(strand.astype(np.float32), shade.astype(np.float32), lock)


def _off_the_face(place: Floats, parted: NDArray[np.bool_], away: Floats) -> None:
    """Move the points (N, 3) of strands that are no fringe from before the face to its side."""
    limit = 0.50 + 0.16 * np.clip((7.9 - place[:, 1]) / 0.5, 0, 1)
    over = parted & (place[:, 1] < 7.98) & (place[:, 1] > 6.0) & (place[:, 2] > 0.62)
    over &= np.abs(place[:, 0]) < limit
    side = np.where(np.abs(place[:, 0]) < 0.1, np.sign(away), np.sign(place[:, 0]))
    place[over, 0] = (side * limit)[over]
    place[over, 2] -= 0.03


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
    return (middle + (0, 0.12, -0.12) + ball * rng.uniform(0.9, 1.0, (count, 1, 1))).astype(np.float32)


def _tail(tie: Floats, count: int, rng: np.random.Generator) -> Floats:
    """Return (count, STEPS, 3): strands that hang from a tie, to one side."""
    share = np.linspace(0, 1, STEPS)[None]
    spread = rng.normal(0, 1, (count, 3)) * (0.10, 0.05, 0.10)
    side = rng.choice([-1, 1]) * rng.uniform(0.2, 0.9)
    path = np.stack(
        [side * share**0.8, 0.25 * np.sin(share * 2.2) - 2.0 * share**1.4, -0.45 * np.sin(share * 2.6)],
        axis=-1,
    )
    width = (0.35 + 1.1 * np.sin(np.pi * share.clip(0, 0.8)))[..., None]
    return (tie + path + spread[:, None] * width).astype(np.float32)
