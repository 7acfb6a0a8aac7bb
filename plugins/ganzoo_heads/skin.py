"""Skin: its colour, its gloss and its bumps at every point."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ganzoo_heads.lens import linear
from ganzoo_heads.noise import layers, smooth_noise
from ganzoo_heads.people import LIPS, Person

Floats = NDArray[np.float32]


def paint(person: Person, base: Floats, lips: Floats, ears: Floats) -> tuple[Floats, Floats]:
    """Return the albedo (N, 3) and the gloss (N,) of skin at ``base`` (N, 3) of the mesh at rest.

    ``lips`` and ``ears`` (N,) say how much of each there is.
    """
    rng = np.random.default_rng([person.seed, 4])
    tone = linear(person.skin)
    light = float(tone.mean())
    seed = person.seed % 9973
    mirrored = base.copy()
    mirrored[:, 0] = np.abs(mirrored[:, 0])

    def spot(x: float, y: float, z: float, radius: float, tall: float = 1.0) -> Floats:
        square = ((mirrored - (x, y, z)) ** 2 / (1, tall**2, 1)).sum(axis=1)
        return np.exp(-square / (2 * radius**2)).astype(np.float32)

    # two pigments, as in skin: melanin darkens all, blood takes the green and the blue
    coarse, fine = layers(base, 4.5, 3, seed), layers(base, 28, 3, seed + 5)
    melanin = 1 + 0.09 * layers(base, 3, 2, seed + 3) + rng.uniform(0.01, 0.045) * fine
    cheeks, nose = spot(0.42, 6.93, 1.36, 0.17), spot(0, 6.92, 1.66, 0.11)
    blood = 0.9 * cheeks + 0.7 * nose + 0.6 * ears + 0.4 * spot(0, 6.3, 1.5, 0.13) + 0.4 * coarse
    blood += 0.25 * spot(0.32, 7.36, 1.40, 0.09) - 0.35 * spot(0, 7.75, 1.5, 0.25)
    melanin += rng.uniform(0.03, 0.13) * spot(0.30, 7.17, 1.38, 0.075, 0.6)  # under the eyes
    if person.age > 38:
        old = min(1.0, (person.age - 35) / 40)
        bent = base[:, 1] * 46 + 1.6 * smooth_noise(base, 2.5, seed + 3)
        furrow = np.clip(np.cos(bent) - 0.72, 0, 1) * spot(0, 7.72, 1.5, 0.22)
        feet = np.clip(np.cos(bent * 1.7) - 0.72, 0, 1) * spot(0.56, 7.27, 1.2, 0.07)
        melanin += old * (0.35 * furrow + 0.6 * feet)
        melanin += old * 0.12 * np.clip(smooth_noise(base, 14, seed + 6) - 0.45, 0, 1)
    if person.freckles:
        dots = np.clip(smooth_noise(base, 26, seed + 7) - 0.42, 0, 1)
        melanin += dots * (cheeks + nose + 0.2) * 1.2
    for _ in range(int(rng.integers(0, 3))):  # moles
        x, y = rng.uniform(-0.55, 0.55), rng.uniform(6.4, 7.0)
        near = ((base[:, :2] - (x, y)) ** 2).sum(axis=1)
        melanin += 0.6 * np.exp(-near / (2 * 0.009**2)) * (base[:, 2] > 0.9)
    albedo = tone ** np.clip(melanin, 0.5, 2.5)[:, None].astype(np.float32)
    flush = (0.08 + 0.36 * person.blush) * (0.35 + 0.9 * light)
    albedo = albedo * np.exp(-flush * blood[:, None] * np.array([0.06, 0.75, 0.60], np.float32))
    if person.male < 0.5 and person.age > 15:
        albedo *= 1 - (spot(0.32, 7.38, 1.40, 0.05, 0.6) * rng.uniform(0, 0.45))[:, None] * (
            0.6,
            0.75,
            0.6,
        )
    albedo, lip = _lips(person, albedo, base, lips, tone)
    albedo = _stubble(person, albedo, mirrored, lip)
    oil = rng.uniform(0.45, 1.15)
    gloss = oil * (0.50 + 0.55 * nose + 0.40 * spot(0, 7.75, 1.5, 0.28) + 0.25 * cheeks)
    gloss = gloss * (0.85 + 0.30 * fine) + 0.75 * lip
    return albedo.astype(np.float32), gloss.clip(0).astype(np.float32)


def _lips(
    person: Person,
    albedo: Floats,
    base: Floats,
    lips: Floats,
    tone: Floats,
) -> tuple[Floats, Floats]:
    light = float(tone.mean())
    lip = tone * np.array([0.82, 0.50, 0.50], np.float32)
    pink = linear((0.72, 0.40, 0.38)) * min(1.0, 0.30 + 1.5 * light)
    strength = 0.75
    if person.lips != "bare":
        pink = linear(LIPS[person.lips])
        strength = 0.9
    mixed = (lip + pink) / 2 if strength < 0.8 else 0.25 * lip + 0.75 * pink
    lined = 1 - 0.14 * smooth_noise(
        base * np.array([1, 0.12, 1], np.float32), 55, person.seed % 997
    )
    edge = np.clip((lips - 0.25) / 0.6, 0, 1)
    share = (edge * strength)[:, None]
    return albedo * (1 - share) + share * mixed * lined[:, None], edge.astype(np.float32)


def _stubble(person: Person, albedo: Floats, mirrored: Floats, lip: Floats) -> Floats:
    """Darken where a beard grows or was shaved."""
    if person.male < 0.6 or person.age < 19:
        return albedo
    rng = np.random.default_rng([person.seed, 8])
    shaved = rng.uniform(0.0, 0.22) * (1 - 0.5 * float(linear(person.hair_colour).mean()))
    strength = max(float(shaved), 0.35 * min(1.0, person.beard * 1.4))
    cover = beard_area(mirrored) * (1 - lip) * strength
    cover *= 0.8 + 0.4 * smooth_noise(mirrored, 40, person.seed % 991)
    colour = linear(person.hair_colour) * 0.6 + 0.01
    return np.asarray(albedo * (1 - cover[:, None]) + cover[:, None] * colour, np.float32)


def beard_area(mirrored: Floats) -> Floats:
    """Return how much beard may grow at ``mirrored`` (N, 3), at rest and of positive x."""
    x, y, z = (mirrored[:, i] for i in range(3))
    top = np.interp(x, [0, 0.2, 0.3, 0.42, 0.62, 0.72], [6.79, 6.80, 6.74, 6.66, 6.85, 7.15])
    cheek = np.clip((top - y) / 0.10, 0, 1)
    throat = np.clip((y - 6.02 - 0.25 * x) / 0.12, 0, 1)
    bare = np.exp(-((x - 0.13) ** 2 / 0.004 + (y - 6.43) ** 2 / 0.0025))  # beside the lower lip
    return np.asarray(
        cheek * throat * np.clip((z - 0.55) / 0.2, 0, 1) * (1 - 0.7 * bare), np.float32
    )


def bumps(person: Person, base: Floats) -> Floats:
    """Return what the skin's unevenness adds to its normals (N, 3)."""
    seed = person.seed % 997
    rough = 0.02 + 0.05 * min(1.0, max(0.0, (person.age - 20) / 60))
    total = np.stack([smooth_noise(base, 34, seed + axis) for axis in range(3)], axis=1) * 0.028
    total += (
        np.stack([smooth_noise(base, 13, seed + 3 + axis) for axis in range(3)], axis=1) * rough
    )
    return np.asarray(total, np.float32)
