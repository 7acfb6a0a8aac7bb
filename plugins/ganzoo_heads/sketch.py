"""How an artist lays out a face: curves in space where the shaped head has its features."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ganzoo_heads import mesh, photo, pose
from ganzoo_heads.ink import curve

Floats = NDArray[np.float32 | np.float64]
EYES_AT = np.array([0.0, 7.284, 1.245], np.float32)  # of the mesh at rest
_MOUTH_AT = 6.62
_CHIN_AT = 6.16
_AROUND = 128  # points of a section
#: sections of a drawn head from the crown to the chin: height, half width, middle and half depth
_RINGS = np.array(
    [
        (8.50, 0.02, 0.45, 0.02),
        (8.38, 0.40, 0.45, 0.52),
        (8.15, 0.61, 0.46, 0.80),
        (7.85, 0.735, 0.46, 0.95),
        (7.55, 0.765, 0.47, 0.98),
        (7.28, 0.755, 0.48, 0.96),
        (7.05, 0.735, 0.52, 0.94),
        (6.88, 0.695, 0.57, 0.91),
        (6.74, 0.640, 0.64, 0.86),
        (6.62, 0.565, 0.73, 0.78),
        (6.50, 0.475, 0.90, 0.60),
        (6.40, 0.375, 1.05, 0.44),
        (6.31, 0.265, 1.17, 0.29),
        (6.25, 0.160, 1.27, 0.17),
        (6.225, 0.02, 1.35, 0.06),
    ],
    np.float32,
)


@dataclass(frozen=True)
class Marks:
    """What is measured on the mesh at rest: points' numbers."""

    cheeks: NDArray[np.int64]
    jaw: NDArray[np.int64]
    lips: NDArray[np.int64]
    chin: int
    crown: int
    nose: int
    brows: NDArray[np.int64]


@cache
def marks() -> Marks:
    """Return the points of the mesh by which a face is measured."""
    head = mesh.load()
    x, y, z = head.points.T
    skin = np.zeros(len(x), bool)
    skin[head.triangles[head.parts == 0]] = True
    plain = skin & (head.masks["ears"] < 0.3) & (head.masks["mouth"] < 0.3) & (z > 0.3)
    middle = plain & (np.abs(x) < 0.02) & (z > 0.9)
    return Marks(
        cheeks=np.flatnonzero(plain & (np.abs(y - 7.28) < 0.1) & (np.abs(x) > 0.68)),
        jaw=np.flatnonzero(plain & (np.abs(y - 6.62) < 0.1) & (np.abs(x) > 0.5)),
        lips=np.flatnonzero(head.masks["lips"] > 0.5),
        chin=int(np.flatnonzero(middle & (y > 6.1))[np.argmin(y[middle & (y > 6.1)])]),
        crown=int(np.argmax(y)),
        nose=int(np.argmax(z)),
        brows=np.flatnonzero(
            plain & (np.abs(y - 7.47) < 0.05) & (np.abs(np.abs(x) - 0.3) < 0.1) & (z > 1)
        ),
    )


class Sketch:
    """A face laid out on the screen.

    Curves are given in the mesh's own decimetres at rest and moved to where this head has its eyes,
    mouth, width and chin.  The eyes lie at the height of the photo's eyeballs, 0.03 dm further
    apart.  Below them the face is ``shortness`` as long as the photo's, above them 1.04 times as
    high.
    """

    def __init__(self, head: photo.Head, scale: int):
        self.head = head
        self.person = head.person
        rest, at = head.rest, marks()
        self.scale = scale
        eyes = head.eyes.mean(axis=0)
        lips = rest[at.lips].mean(axis=0)
        half = float(np.abs(rest[at.cheeks, 0]).mean()) / 0.71
        self.stretch = np.array(
            [half, (eyes[1] - lips[1]) / (EYES_AT[1] - _MOUTH_AT), 1.0], np.float32
        )
        self.stretch[2] = self.stretch[:2].mean()
        crown = float(rest[at.crown, 1]) - float(eyes[1])
        self.raised = 1.04 * crown / float(mesh.load().points[at.crown, 1] - EYES_AT[1])
        self.eyes = eyes
        self.apart = float(np.abs(head.eyes[:, 0] - eyes[0]).mean()) / float(self.stretch[0]) + 0.03
        local = self._local(rest[[at.chin, at.nose]])
        self.chin = float(np.clip(local[0, 1], 6.05, 6.35)) + 0.03
        self.nose = float(np.clip(local[1, 1], 6.82, 7.02))
        self.brow = float(np.clip(self._local(rest[at.brows]).mean(axis=0)[1], 7.40, 7.62)) + 0.06
        jaw = float(np.abs(rest[at.jaw, 0]).mean()) / half / 0.60
        person = self.person
        self.child = float(np.clip((17 - person.age) / 8, 0, 1))
        self.male = person.male * (1 - 0.7 * self.child)
        self.shortness = 0.81 + 0.09 * self.male - 0.02 * self.child
        self.rings = _RINGS.copy()
        low = self.rings[:, 0] < _MOUTH_AT
        self.rings[low, 0] = _MOUTH_AT + (self.rings[low, 0] - _MOUTH_AT) * (
            self.chin - _MOUTH_AT
        ) / (6.225 - _MOUTH_AT)
        down = np.clip((7.1 - _RINGS[:, 0]) / 0.6, 0, 1)
        wide = (0.06 + 0.24 * self.male + 0.09 * self.child + 0.9 * (jaw - 1)) * down
        self.rings[:, 1] *= 1 + wide * (self.rings[:, 1] > 0)
        self.rings[:, 1] = np.minimum(self.rings[:, 1], 0.78)
        self.pixel = head.camera.side * scale / head.camera.width * float(self.stretch[0])

    def _local(self, points: Floats) -> Floats:
        return (points - self.eyes) / self.stretch + EYES_AT

    def screen(self, points: object) -> Floats:
        """Return where ``points`` (N, 3), at rest, are seen: (N, 2) in large pixels."""
        return self.project(points)[:, :2]

    def project(self, points: object) -> Floats:
        """Return ``points`` (N, 3), at rest, in large pixels and their depth."""
        own = np.asarray(points, np.float32) - EYES_AT
        shorter = (1 - self.shortness) * np.interp(-own[:, 1], (0, 1.05, 1.8), (0, 1.05, 0))
        own[:, 1] += shorter.astype(np.float32)
        own[:, 1] *= np.where(own[:, 1] > 0, self.raised / self.stretch[1], 1).astype(np.float32)
        own = own * self.stretch + self.eyes
        seen = self.head.camera.project(pose.turn(self.person, own))
        seen[:, :2] *= self.scale
        return seen

    def surface(self, flat: object, out: float = 0.0) -> Floats:
        """Return places (N, 3) on the face in front of ``flat`` (N, 2), ``out`` before it."""
        flat = np.asarray(flat, np.float32)
        order = self.rings[::-1]
        width, middle, depth = (np.interp(flat[:, 1], order[:, 0], order[:, i]) for i in (1, 2, 3))
        share = np.clip(np.abs(flat[:, 0]) / np.maximum(width, 1e-3), 0, 1)
        z = middle + depth * (1 - share**2.4) ** (1 / 2.4) + out
        return np.column_stack([flat, z]).astype(np.float32)

    def on_eyes(self, flat: object) -> Floats:
        """Return where ``flat`` (N, 2) around the eyes, which lie deeper, are seen."""
        return self.screen(self.surface(flat, -0.10))

    def on_face(self, flat: object, out: float = 0.0) -> Floats:
        """Return where ``flat`` (N, 2) on the face are seen: (N, 2) in large pixels."""
        return self.screen(self.surface(flat, out))

    def contour(self) -> tuple[Floats, Floats]:
        """Return both borders (N, 2) of the head on the screen, from the crown to the chin."""
        turn = np.linspace(0, 2 * np.pi, _AROUND, endpoint=False)
        c, s = (np.sign(f(turn)) * np.abs(f(turn)) ** (2 / 2.4) for f in (np.sin, np.cos))
        y, w, m, d = self.rings.T
        ring = np.stack(
            [w[:, None] * c, np.repeat(y[:, None], _AROUND, 1), m[:, None] + d[:, None] * s],
            axis=-1,
        )
        seen = self.screen(ring.reshape(-1, 3)).reshape(len(y), _AROUND, 2)
        lean = np.radians(self.person.roll)
        across = seen @ np.array([np.cos(lean), -np.sin(lean)], np.float32)
        rows = np.arange(len(y))
        return seen[rows, across.argmin(axis=1)], seen[rows, across.argmax(axis=1)]

    def face(self) -> Floats:
        """Return the closed contour (N, 2) of the head."""
        left, right = self.contour()
        shape = curve(np.concatenate([left, right[-2:0:-1]]), 6, closed=True)
        for _ in range(4):
            shape = (np.roll(shape, 1, axis=0) + 2 * shape + np.roll(shape, -1, axis=0)) / 4
        return shape

    def eye(self, side: int) -> tuple[float, float, float]:
        """Return where an eye lies across the face, and half its width and its height.

        The far eye of a turned head is narrower and nearer to the nose.
        """
        far = side * self.person.yaw / 35 if side * self.person.yaw > 0 else 0.0
        wide = 0.226 - 0.016 * self.male + 0.010 * self.child
        high = 0.238 - 0.062 * self.male + 0.02 * self.child
        expression, strength = self.person.expression, self.person.strength
        squint = {"laugh": 0.16, "smile": 0.05, "angry": 0.16, "sad": 0.1, "surprised": -0.14}
        high *= 1 - squint.get(expression, 0.0) * strength
        return side * (self.apart - 0.05 * far), wide * (1 - 0.10 * far), high

    def closed(self, side: int) -> bool:
        """Return whether the eye of ``side`` (-1: left on the picture, 1: right) is shut."""
        happy = self.person.expression == "laugh" and self.person.strength > 1.0
        return happy or (self.person.expression == "wink" and side == 1)

    def lids(self, side: int) -> tuple[Floats, Floats]:
        """Return both lids (7, 2) of an eye on the face, from its inner corner outwards."""
        middle, wide, high = self.eye(side)
        slant = 0.10 * wide * (1 - 2 * (self.person.expression == "sad"))
        u = np.array([-1.0, -0.78, -0.38, 0.05, 0.45, 0.82, 1.06])
        if self.closed(side):
            up = np.array([-0.15, 0.12, 0.36, 0.44, 0.36, 0.12, -0.18])
            if self.person.expression == "wink":
                up = np.array([0.0, -0.18, -0.34, -0.40, -0.34, -0.16, 0.06])
            low = up - 0.02
        else:
            up = np.array([-0.28, 0.34, 0.80, 0.98, 0.90, 0.52, 0.02])
            low = np.array([-0.28, -0.62, -0.88, -0.96, -0.86, -0.50, 0.02])
            if self.person.expression == "angry":
                up = up - 0.3 * np.clip(-u + 0.2, 0, 1)
        x = middle + side * u * wide
        lift = EYES_AT[1] + slant * u
        return np.column_stack([x, lift + up * high]), np.column_stack([x, lift + low * high])

    def brow_line(self, side: int) -> Floats:
        """Return a brow (5, 2) on the face, from the nose outwards."""
        middle, wide, high = self.eye(side)
        x = middle + side * wide * np.array([-0.92, -0.38, 0.2, 0.75, 1.18])
        rise = np.array([-0.02, 0.035, 0.055, 0.04, -0.025])
        strength = self.person.strength
        bend = {
            "angry": (-0.16, -0.08, 0.0, 0.05, 0.07),
            "sad": (0.10, 0.05, 0.0, -0.04, -0.07),
            "surprised": (0.09, 0.10, 0.11, 0.10, 0.08),
            "laugh": (0.03, 0.04, 0.05, 0.04, 0.02),
            "smile": (0.02, 0.03, 0.03, 0.02, 0.01),
        }.get(self.person.expression, (0.0,) * 5)
        y = max(self.brow, EYES_AT[1] + high + 0.06) + rise + strength * np.array(bend)
        return np.column_stack([x, y])

    def mouth(self) -> tuple[Floats, Floats | None]:
        """Return the upper line (7, 2) of the mouth and, if it is open, the lower one."""
        expression, strength = self.person.expression, self.person.strength
        u = np.linspace(-1, 1, 7)
        wide, corner, drop = {
            "neutral": (0.135, 0.000, 0.0),
            "smile": (0.185, 0.055, 0.0),
            "laugh": (0.215, 0.050, 0.235),
            "sad": (0.125, -0.045, 0.0),
            "angry": (0.130, -0.035, 0.0),
            "surprised": (0.085, -0.02, 0.19),
            "wink": (0.165, 0.050, 0.10),
        }[expression]
        wide *= 0.95 + 0.12 * self.male
        top = _MOUTH_AT + corner * strength * (u**2 - 0.35)
        if expression in ("neutral", "smile"):
            top = top + 0.012 * np.cos(u * 2 * np.pi) * (np.abs(u) < 0.76) * 0.6
        if expression == "surprised":
            top = _MOUTH_AT + 0.075 * np.sqrt(1 - u**2)
        line = np.column_stack([u * wide, top])
        if not drop:
            return line, None
        return line, np.column_stack(
            [
                u * wide * 0.98,
                top - drop * strength * (1 - u**2) ** (0.7 if expression != "surprised" else 0.5),
            ]
        )
