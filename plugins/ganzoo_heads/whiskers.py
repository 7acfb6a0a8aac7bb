"""Short hair of the face: brows, lashes and beards, as lines that stand on the skin."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from ganzoo_heads import mesh
from ganzoo_heads.people import Person
from ganzoo_heads.skin import beard_area

Floats = NDArray[np.float32]
STEPS = 6  # points of a hair
#: five points of each brow from the nose outwards, on the mesh at rest; x is mirrored
_BROW = np.array([(0.135, 7.440), (0.22, 7.468), (0.32, 7.490), (0.42, 7.482), (0.51, 7.437)])
#: a beard's kind, the height above which it does not grow, its reach from the middle, its length
BEARDS = {"moustache": (6.60, 0.30, 0.07), "goatee": (0.0, 0.27, 0.11), "full": (0.0, 9.0, 0.13)}


def brows(person: Person, rest: Floats) -> Floats:
    """Return the hairs (S, STEPS, 3) of both brows on the shaped head ``rest`` (V, 3)."""
    rng = np.random.default_rng([person.seed, 10])
    shape = mesh.load()
    front = np.flatnonzero(
        (shape.points[:, 2] > 1.0)
        & (shape.masks["face"] > 0.2)
        & (np.abs(shape.points[:, 1] - 7.46) < 0.25)
    )
    count = 260 if person.male < 0.5 else 340
    thick = rng.uniform(0.014, 0.026) * (1.0 if person.male < 0.5 else 1.5)
    lines = []
    for sign in (-1, 1):
        along = rng.random(count)
        curve = np.stack([np.interp(along * 4, range(5), _BROW[:, i]) for i in range(2)], axis=1)
        across = rng.normal(0, 1, count).clip(-1.8, 1.8)
        curve[:, 1] += across * thick * np.interp(along, [0, 0.15, 0.6, 1], [1.1, 1.2, 0.9, 0.35])
        curve[:, 0] *= sign
        distance = ((shape.points[front][None, :, :2] - curve[:, None]) ** 2).sum(-1)
        near = np.argpartition(distance, 4, axis=1)[:, :4]
        share = 1 / (np.take_along_axis(distance, near, 1) + 1e-4)
        share /= share.sum(axis=1, keepdims=True)
        index = front[near]
        moved = ((rest - shape.points)[index] * share[..., None]).sum(axis=1)
        height = (shape.points[index, 2] * share).sum(axis=1)
        root = np.concatenate([curve, height[:, None] + 0.008], axis=1) + moved
        lean = np.interp(along, [0, 0.2, 0.6, 1], [0.9, 0.40, 0.05, -0.35]) + rng.normal(
            0, 0.12, count
        )
        lean -= 0.35 * across * (along > 0.15)  # hairs above lean down, those below up
        way = np.stack([sign * np.cos(lean), np.sin(lean), -0.25 * along], axis=1)
        way *= rng.uniform(0.035, 0.06, count)[:, None]
        lines.append(root[:, None] + way[:, None] * np.linspace(0, 1, STEPS)[None, :, None])
    return np.concatenate(lines).astype(np.float32)


@cache
def _chin() -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    head = mesh.load()
    skin = np.flatnonzero(head.parts == 0)
    corners = head.points[head.triangles[skin]]
    area = np.linalg.norm(
        np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1
    )
    middle = corners.mean(axis=1)
    middle[:, 0] = np.abs(middle[:, 0])
    bare = (
        np.maximum(head.masks["lips"], head.masks["mouth"])[head.triangles[skin]].max(axis=1) > 0.3
    )
    weight = (
        area
        * beard_area(middle)
        * ~bare
        * (head.masks["ears"][head.triangles[skin]].max(axis=1) < 0.2)
    )
    chosen = weight > 0
    return skin[chosen], weight[chosen]


def beard(person: Person, rest: Floats, normals: Floats) -> Floats | None:
    """Return the hairs (S, STEPS, 3) of the beard on the shaped head, or None without one."""
    if person.beard_cut not in BEARDS:
        return None
    rng = np.random.default_rng([person.seed, 11])
    lowest, widest, length = BEARDS[person.beard_cut]
    head = mesh.load()
    triangles, odds = _chin()
    middle = head.points[head.triangles[triangles]].mean(axis=1)
    odds = odds * (middle[:, 1] > lowest) * (np.abs(middle[:, 0]) < widest)
    count = int(
        2300
        * (0.4 + 0.8 * person.beard)
        * {"moustache": 0.35, "goatee": 0.6}.get(person.beard_cut, 1.3)
    )
    rows = triangles[rng.choice(len(triangles), count, p=odds / odds.sum())]
    weights = rng.dirichlet((1, 1, 1), count)
    corner = head.triangles[rows]
    root = (rest[corner] * weights[..., None]).sum(axis=1)
    normal = (normals[corner] * weights[..., None]).sum(axis=1)
    way = normal * 0.55 + np.array([0, -0.9, 0.0]) + rng.normal(0, 0.25, (count, 3))
    way[:, 0] += np.sign(root[:, 0]) * 0.35 * (head.points[corner[:, 0], 1] > 6.62)
    way *= (length * (0.35 + 0.9 * person.beard) * rng.uniform(0.5, 1.1, count))[:, None]
    share = np.linspace(0, 1, STEPS)[None, :, None]
    fall = np.array([0, -0.25, 0]) * length * share**2
    return np.asarray(root[:, None] + way[:, None] * share + fall, np.float32)


def lashes(person: Person, rest: Floats) -> Floats:
    """Return the upper lashes (S, STEPS, 3), from the mesh's own strips of lashes."""
    head = mesh.load()
    strip = head.triangles[head.parts == mesh.PARTS.index("lashes")]
    upper = strip[head.points[strip].mean(axis=1)[:, 1] > 7.285]
    rng = np.random.default_rng([person.seed, 12])
    rows = upper[rng.integers(len(upper), size=240)]
    weights = rng.dirichlet((1, 1, 1), 240)
    start = (rest[rows] * weights[..., None]).sum(axis=1)
    way = np.stack(
        [
            np.sign(start[:, 0]) * rng.uniform(0, 0.012, 240),
            rng.uniform(0.0, 0.008, 240),
            np.full(240, 0.006),
        ],
        axis=1,
    )
    return np.asarray(
        start[:, None] + way[:, None] * np.linspace(0, 1, STEPS)[None, :, None], np.float32
    )
