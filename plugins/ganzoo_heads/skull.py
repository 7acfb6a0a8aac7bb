"""The smooth shape that hair keeps off."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ganzoo_heads import mesh

Floats = NDArray[np.float32]
CENTRE = np.array([0.0, 7.35, 0.45], np.float32)  # of the skull
_DEGREE = 7


class Skull:
    """The radius of a head around ``CENTRE``: a polynomial of the direction, so without corners."""

    def __init__(self, points: Floats):
        head = mesh.load()
        skin = np.unique(head.triangles[head.parts == 0])
        skin = skin[(head.masks["ears"][skin] < 0.2) & (head.masks["mouth"][skin] < 0.5)]
        skin = skin[head.points[skin, 1] > 5.95]
        offset = points[skin] - CENTRE
        radius = np.linalg.norm(offset, axis=1)
        upper = np.where(head.points[skin, 1] > 7.3, 1.0, 0.3)[:, None]  # where hair lies
        terms = _terms(offset / radius[:, None]) * upper
        ridge = 1e-3 * np.eye(terms.shape[1])
        self._factors = np.linalg.solve(terms.T @ terms + ridge, terms.T @ (radius * upper[:, 0]))

    def radius(self, direction: Floats) -> Floats:
        """Return the radius (N,) in each ``direction`` (N, 3), which are unit vectors."""
        return np.asarray(_terms(direction) @ self._factors, np.float32)

    def push(self, points: Floats, gap: Floats) -> Floats:
        """Return ``points`` (N, 3), those nearer to the skull than ``gap`` (N,) moved outwards."""
        offset = points - CENTRE
        radius = np.linalg.norm(offset, axis=1).clip(1e-6)
        direction = offset / radius[:, None]
        least = self.radius(direction) + gap
        out = (radius < least) & (points[:, 1] > 6.30)
        moved = points.copy()
        moved[out] = CENTRE + direction[out] * least[out, None]
        # the neck is a column, and the shoulders slope
        level = np.hypot(moved[:, 0], moved[:, 2] - 0.25).clip(1e-6)
        thin = (moved[:, 1] < 6.5) & (level < 0.62)
        moved[thin, 0] *= (0.62 / level)[thin]
        moved[thin, 2] = 0.25 + (moved[thin, 2] - 0.25) * (0.62 / level)[thin]
        floor = 5.80 - 0.25 * np.abs(moved[:, 0])
        chest = 0.75 + 0.35 * np.clip((5.7 - moved[:, 1]) / 0.8, 0, 1)
        deep = (moved[:, 1] < floor) & (moved[:, 2] > 0.0) & (moved[:, 2] < chest)
        moved[deep, 2] += np.minimum(chest[deep] + 0.04 - moved[deep, 2], 0.08)
        return moved


def _terms(direction: Floats) -> NDArray[np.float64]:
    """Return the terms (N, K) of a polynomial on the sphere; two degrees stand for all below."""
    x, y, z = (direction[:, i].astype(np.float64) for i in range(3))
    powers = [[np.ones_like(v)] for v in (x, y, z)]
    for values, v in zip(powers, (x, y, z), strict=True):
        for _ in range(_DEGREE):
            values.append(values[-1] * v)
    return np.stack(
        [
            powers[0][i] * powers[1][j] * powers[2][degree - i - j]
            for degree in (_DEGREE - 1, _DEGREE)
            for i in range(degree + 1)
            for j in range(degree + 1 - i)
        ],
        axis=1,
    )
