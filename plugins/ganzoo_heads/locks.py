"""Hair as an artist draws it: a cap and flat locks that follow how the head's strands lie."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ganzoo_heads import photo
from ganzoo_heads.ink import curve, even
from ganzoo_heads.sketch import Sketch

Floats = NDArray[np.float32 | np.float64]
_MIDDLE = np.array([0.0, 7.40, 0.45], np.float32)  # of the skull, on the mesh at rest
_RADII = np.array([0.79, 1.13, 1.00], np.float32)
#: the hairline: how far from the crown hair grows, by how far around from the front, in degrees
_HAIRLINE = np.array(
    [(0, 57), (30, 59), (48, 68), (62, 92), (72, 99), (84, 88), (100, 98), (130, 118), (180, 126)]
)


@dataclass(frozen=True)
class Lock:
    """A flat lock: a ``spine`` (N, 3) on the mesh at rest and its ``widths`` (N,) in decimetres.

    ``behind`` locks lie behind the neck.  ``shine`` is the part of its length on which light falls.
    ``lines`` says from where on its edges are inked.  A ``combed`` lock lies flat on the scalp.
    """

    spine: Floats
    widths: Floats
    behind: bool = False
    shine: tuple[float, float] | None = None
    lines: float = 0.35
    combed: bool = False


@dataclass(frozen=True)
class Curl:
    """A ball of hair: its middle (3,) on the mesh at rest and its radius."""

    middle: Floats
    radius: float


@dataclass(frozen=True)
class Hair:
    """All the hair of a drawn head, in no order.  ``cap`` is how far it stands off the scalp."""

    locks: list[Lock]
    curls: list[Curl]
    cap: float


@dataclass(frozen=True)
class Fall:
    """How strands lie: measured on them, so that the drawing's hair is the photo's.

    ``part`` is where they part, ``fringe`` says whether they fall over the forehead, ``side``
    where a tail hangs.
    """

    part: float
    fringe: bool
    side: float


def measure(head: photo.Head) -> Fall:
    """Measure how the strands of ``head`` lie."""
    if head.strands is None:
        return Fall(0.0, False, 1.0)
    points = head.strands.points - head.eyes.mean(axis=0)
    root, tip = points[:, 0], points[:, -1]
    top = (root[:, 1] > 0.55) & (root[:, 2] > -0.9)
    sides = [
        float((np.sign(root[top, 0] - part) == np.sign(tip[top, 0] - root[top, 0])).mean())
        if top.any()
        else 0.0
        for part in (0.0, 0.28, -0.28)
    ]
    ahead = (root[:, 2] > -0.25) & (np.abs(root[:, 0]) < 0.4)
    over = ahead & (tip[:, 2] > root[:, 2] + 0.03) & (np.abs(tip[:, 0]) < 0.55)
    away = tip[tip[:, 1] < tip[:, 1].max() - 1.0, 0]
    return Fall(
        part=(0.0, 0.28, -0.28)[int(np.argmax(sides))],
        fringe=bool(ahead.any() and over.sum() > 0.35 * ahead.sum()),
        side=1.0 if not len(away) or float(away.mean()) > 0 else -1.0,
    )


def scalp(around: ArrayLike, down: ArrayLike, out: ArrayLike = 0.0) -> Floats:
    """Return places (N, 3) ``out`` of the scalp, by degrees from the front and from the crown."""
    a, d = np.radians(np.broadcast_arrays(around, down))
    way = np.stack([np.sin(d) * np.sin(a), np.cos(d), np.sin(d) * np.cos(a)], axis=-1)
    return (_MIDDLE + way * (_RADII + np.asarray(out)[..., None])).astype(np.float32)


def cap(out: float, tilt: float = 0.0) -> Floats:
    """Return the grid (R, C, 3) of the scalp ``out`` of it, from the crown to the hairline."""
    around = np.linspace(-180, 180, 61)
    line = np.interp(np.abs(around), _HAIRLINE[:, 0], _HAIRLINE[:, 1]) + tilt
    share = np.linspace(0, 1, 15)[:, None]
    thick = out * np.clip((1 - share) / 0.25, 0.25, 1)
    return scalp(around[None], share * line[None], thick)


def outward(places: Floats) -> Floats:
    """Return the way (N, 3) out of the skull at ``places`` (N, 3)."""
    way = (places - _MIDDLE) / _RADII**2
    return (way / np.linalg.norm(way, axis=-1, keepdims=True).clip(1e-6)).astype(np.float32)


def _widths(count: int, width: float, root: float = 0.06, fullest: float = 0.6) -> Floats:
    """Return widths that grow from the root, are fullest on the way, and come to a point."""
    share = np.linspace(0, 1, count)
    grown = np.where(
        share < fullest, root + (1 - root) * np.sin(share / fullest * np.pi / 2) ** 1.6, 1
    )
    tip = np.clip((1 - share) / (1 - fullest), 0, 1) ** 0.75
    return (width * grown * np.where(share < fullest, 1, tip)).astype(np.float32)


def _lock(points: object, width: float, **more: object) -> Lock:
    spine = even(curve(np.asarray(points, np.float32), 8), 26)
    return replace(Lock(spine, _widths(len(spine), width)), **more)  # type: ignore[arg-type]


def style(head: photo.Head, sketch: Sketch) -> Hair | None:
    """Lay out the hair of ``head``, or None on a bald one."""
    person = head.person
    if person.cut == "bald":
        return None
    rng = np.random.default_rng([person.seed, 8])
    fall = measure(head)
    cut = person.cut
    if cut == "buzz":
        return Hair([], [], 0.035)
    if cut == "afro":
        return Hair([], _afro(rng), 0.12)
    locks: list[Lock] = []
    if cut in ("ponytail", "bun"):
        locks += _combed_back(rng)
        locks += _side(rng, 0.22, 7.05, 0.10)
        if cut == "ponytail":
            locks += _tail(fall, rng)
        return Hair(
            locks,
            [Curl(np.array([0, 8.62, -0.25], np.float32), 0.36)] if cut == "bun" else [],
            0.07,
        )
    if cut == "spiky":
        return Hair(_spikes(rng, sketch), [], 0.10)
    lows = {"short": (6.98, 6.85), "bob": (6.22, 6.12), "long": (5.0, 4.4), "curly": (6.35, 6.2)}[
        cut
    ]
    volume = {"short": 0.14, "bob": 0.17, "long": 0.16, "curly": 0.24}[cut]
    locks += (
        _fringe(fall, rng, volume, sketch) if fall.fringe else _swept(fall, rng, volume, sketch)
    )
    locks += _side(rng, 0.40 if cut != "short" else 0.30, lows[0], volume)
    if cut == "short":
        locks += _nape(rng, volume)
    else:
        locks += _back(rng, lows[1], volume)
    if cut == "curly":
        locks = [_wavy(lock, rng) for lock in locks]
    return Hair(locks, [], volume + 0.02)


def _fringe(fall: Fall, rng: np.random.Generator, volume: float, sketch: Sketch) -> list[Lock]:
    """Return locks that fall from the crown over the forehead to the brows, apart from the part."""
    locks = []
    count = int(rng.integers(7, 10))
    tips = np.linspace(-0.66, 0.66, count) + rng.normal(0, 0.025, count)
    order = np.argsort(-np.abs(tips - fall.part))
    for i in order:
        x = float(tips[i])
        away = np.tanh((x - fall.part) * 4)
        low = (
            7.46
            + 0.10 * rng.random()
            + 0.05 * (i % 2)
            + 0.16 * np.exp(-(((x - fall.part) / 0.13) ** 2))
            - 0.17 * x**2
        )
        start = 0.45 * x + 0.55 * fall.part
        angles = np.degrees(
            np.arctan2([start * 0.6, 0.5 * (x + start), x * 0.98], [0.55, 0.85, 1.0])
        )
        path = scalp(angles, [16, 34, 52], np.array([0.3, 0.8, 1.0]) * volume)
        end = sketch.surface(
            [(x + 0.015 * away, low + 0.30), (x + 0.05 * away, low + 0.12), (x + 0.11 * away, low)],
            0.07,
        )
        locks.append(
            _lock(np.concatenate([path, end]), 0.34 + 0.07 * rng.random(), shine=(0.30, 0.52))
        )
    return locks


def _swept(fall: Fall, rng: np.random.Generator, volume: float, sketch: Sketch) -> list[Lock]:
    """Return locks that are swept from the part to both temples and leave the forehead free."""
    locks = []
    for side in (-1, 1):
        start = float(np.degrees(np.arctan2(fall.part, 1.2)))
        for i in range(4):
            reach = 0.80 - 0.10 * i
            low = 7.02 + 0.13 * i + 0.08 * rng.random()
            top = scalp(
                [start, start + side * (5 + 2 * i)], [16, 38], np.array([0.3, 0.8]) * volume
            )
            brow = 7.93 - 0.02 * i
            flat = [
                (fall.part + side * (0.20 - 0.02 * i), brow + 0.10),
                (
                    side * (0.22 + 0.62 * reach) + 0.5 * fall.part * (1 - reach),
                    brow - 0.14 + 0.02 * i,
                ),
                (side * (0.66 + 0.03 * (3 - i)), 7.50 + 0.02 * i),
                (side * (0.71 + 0.025 * (3 - i)), low + 0.16),
                (side * (0.69 + 0.02 * (3 - i)), low),
            ]
            path = np.concatenate([top, sketch.surface(flat, 0.05)])
            locks.append(_lock(path, 0.34 - 0.03 * i, shine=(0.16, 0.36)))
    return locks


def _side(rng: np.random.Generator, width: float, low: float, volume: float) -> list[Lock]:
    """Return locks that hang before and over the ears down to ``low``."""
    locks = []
    for side in (-1, 1):
        for i, around in enumerate((104, 90, 76, 64)):
            if low < 6.6 and i == 3 and rng.random() < 0.3:
                continue
            wide = 0.80 + volume * (0.9 if low < 6.8 else 0.45) + 0.03 * rng.random()
            depth = 0.42 + 0.62 * np.cos(np.radians(around)) + 0.12 * i
            end = low + (0.10 * i if low > 6 else 0.22 * i) + rng.normal(0, 0.05)
            drop = np.linspace(max(7.40, end + 0.2), end, 4)
            inward = (
                np.array([0.0, 0.01, -0.01, -0.10])
                if low > 5.5
                else np.array([0.0, 0.02, 0.05, 0.02])
            )
            hang = np.column_stack(
                [side * (wide - 0.06 * i + inward), drop, np.full(4, depth) + 0.04 * np.arange(4)]
            )
            path = scalp(
                side * around * np.array([0.5, 0.8, 1.0]),
                [16, 42, 64],
                np.array([0.3, 0.8, 1.0]) * volume,
            )
            locks.append(
                _lock(
                    np.concatenate([path, hang]),
                    width * (1 - 0.14 * i),
                    shine=(0.16, 0.32) if i < 3 else None,
                )
            )
    return locks


def _back(rng: np.random.Generator, low: float, volume: float) -> list[Lock]:
    """Return the mass of hair behind the neck."""
    locks = []
    for x in np.linspace(-0.9, 0.9, 9):
        end = low + rng.normal(0, 0.06) + (0.05 if low > 5.5 else 0.0) * abs(x)
        wide = x * (1 + volume * 0.8)
        hang = np.column_stack(
            [wide * np.array([1.0, 1.06, 1.08, 1.0]), np.linspace(7.4, end, 4), np.full(4, 0.0)]
        )
        path = scalp([180 - 100 * x, 180 - 100 * x], [20, 60], volume)
        locks.append(_lock(np.concatenate([path, hang]), 0.55, behind=True))
    return locks


def _nape(rng: np.random.Generator, volume: float) -> list[Lock]:
    """Return short locks at the nape, which show beside the neck."""
    locks = []
    for around in np.linspace(104, 256, 9):
        path = scalp(around, [40, 66, 92], np.array([0.4, 0.7, 0.5]) * volume)
        tip = scalp(around, [116, 126 + rng.normal(0, 3)], [0.1 * volume, -0.04])
        locks.append(_lock(np.concatenate([path, tip]), 0.34, behind=True))
    return locks


def _spikes(rng: np.random.Generator, sketch: Sketch) -> list[Lock]:
    """Return locks that stand off, those at the back first."""
    locks = []
    for around, down, long, width in (
        *((a, 82, 0.34, 0.42) for a in (-165, -130, 130, 165, 180)),
        *((a, 84, 0.24, 0.36) for a in (-100, 100)),
        *((a, 62, 0.42, 0.46) for a in (-150, -118, 118, 150, 180)),
        *((a, 60, 0.40, 0.46) for a in (-88, 88)),
        *((a, 38, 0.48, 0.50) for a in (-150, -100, -60, 60, 100, 150)),
        *((a, 20, 0.46, 0.50) for a in (180, -40, 40, 0)),
    ):
        near = around + rng.normal(0, 5)
        below = down + rng.normal(0, 3)
        path = scalp(
            near * np.array([0.8, 0.95, 1.0]),
            [max(2, below - 34), below - 14, below + 4],
            [0.03, 0.10, 0.20],
        )
        way = outward(path[-1:]) + np.array([[0.1 * np.sign(near), 0.15, 0.0]])
        tip = path[-1:] + way * long * rng.uniform(0.7, 1.1)
        behind = abs(around) > 112 and down > 50
        locks.append(
            _lock(
                np.concatenate([path[:2], path[-1:] * 0.6 + tip * 0.4, tip]),
                width,
                behind=behind,
                lines=0.5,
            )
        )
    for x in np.array([-0.62, 0.6, -0.42, 0.4, -0.2, 0.2, 0.0]) + rng.normal(0, 0.03, 7):
        low = 7.58 + 0.14 * rng.random() - 0.2 * x * x
        path = scalp(np.degrees(x) * np.array([0.7, 0.8, 0.9]), [14, 32, 50], [0.08, 0.17, 0.20])
        end = sketch.surface([(x * 1.02, low + 0.22), (x * 1.12 + 0.06 * np.sign(x), low)], 0.10)
        locks.append(_lock(np.concatenate([path, end]), 0.34, shine=(0.3, 0.52)))
    return locks


def _combed_back(rng: np.random.Generator) -> list[Lock]:
    """Return locks that lie flat from the hairline to the crown."""
    locks = []
    for around in np.linspace(-96, 96, 13):
        line = float(np.interp(abs(around), _HAIRLINE[:, 0], _HAIRLINE[:, 1]))
        path = scalp(
            around * np.array([1, 0.97, 0.9, 0.7]), line * np.array([0.985, 0.7, 0.4, 0.12]), 0.075
        )
        path[0] = scalp(around, line * 0.985, 0.02)
        spine = curve(path, 5)
        widths = 0.27 * np.sin(np.linspace(0.1, 3.0, len(spine))) ** 0.8
        start = 0.32 + 0.08 * rng.random()
        locks.append(
            Lock(spine, widths.astype(np.float32), shine=(start, start + 0.22), combed=True)
        )
    return locks


def _tail(fall: Fall, rng: np.random.Generator) -> list[Lock]:
    """Return the locks of a tail that hangs from a tie to one side."""
    locks = []
    for i in range(6):
        spread = (i - 2.5) * 0.09
        path = np.array(
            [
                (0.0, 8.05, -0.55),
                (0.45, 8.42, -0.75),
                (0.86, 8.1, -0.75),
                (1.12, 7.4, -0.6),
                (1.15, 6.7, -0.5),
                (0.98, 6.0 + 0.1 * rng.random(), -0.4),
            ]
        )
        path[:, 0] = fall.side * (path[:, 0] + spread * np.array([0, 0.4, 0.9, 1.4, 1.7, 1.2]))
        path[1:3, 1] += spread * 0.6
        locks.append(_lock(path, 0.34, behind=True, shine=(0.3, 0.45)))
    return locks


def _afro(rng: np.random.Generator) -> list[Curl]:
    """Return the balls that make up an afro, around the skull and along the hairline."""
    curls = []
    for down, count, out, radius in (
        (6, 4, 0.30, 0.24),
        (28, 11, 0.31, 0.23),
        (48, 16, 0.30, 0.22),
        (66, 19, 0.28, 0.21),
        (84, 20, 0.26, 0.20),
        (102, 20, 0.20, 0.19),
    ):
        for around in np.linspace(-180, 180, count, endpoint=False) + rng.uniform(0, 30):
            around = (around + 180) % 360 - 180
            line = float(np.interp(abs(around), _HAIRLINE[:, 0], _HAIRLINE[:, 1]))
            if down < line + 4 and (down < 95 or abs(around) > 100):
                small = 0.75 if down > line - 16 else 1.0
                curls.append(
                    Curl(scalp(around, down, out * small), radius * small * rng.uniform(0.85, 1.1))
                )
    return curls


def _wavy(lock: Lock, rng: np.random.Generator) -> Lock:
    """Return a lock that swings from side to side, the more the further down."""
    share = np.linspace(0, 1, len(lock.spine))
    length = float(np.linalg.norm(np.diff(lock.spine, axis=0), axis=1).sum())
    swing = (
        0.065 * np.sin(share * length * 8.5 + rng.uniform(0, 6)) * np.clip(share * 2.2 - 0.5, 0, 1)
    )
    spine = lock.spine.copy()
    spine[:, 0] += swing
    return replace(
        lock, spine=spine, widths=lock.widths * (1 + 2.5 * np.abs(swing)).astype(np.float32)
    )
