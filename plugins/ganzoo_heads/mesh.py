"""The mesh of a head and the targets that shape it, read from ``head.npz``."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ganzoo.errors import DataError

FILE = Path(__file__).parent / "head.npz"
#: sha256 of ``head.npz``, which a file cut short or altered does not have
SHA256 = "52b25134f0fad2e1cf1f3958cef218989584bd46ccb055fb0620ace290732977"
_BITE = 6.655  # the height at which the rows of teeth meet
PARTS = ("skin", "eye", "lashes", "teeth", "tongue")


@dataclass(frozen=True)
class Mesh:
    """MakeHuman's head, neck and shoulders in decimetres: x to the model's left, y up, z forward.

    ``points`` (V, 3) are at rest, ``triangles`` (T, 3) index them, and ``parts`` (T,) number
    ``PARTS``.  ``masks`` (V,) by name say how much of ``lips``, ``lids``, ``ears``, ``face`` and
    the ``mouth``'s inside each point has, in [0, 1].  ``targets`` by name are points' numbers and
    what moves them.
    """

    points: NDArray[np.float32]
    triangles: NDArray[np.int32]
    parts: NDArray[np.uint8]
    left: NDArray[np.bool_]
    masks: Mapping[str, NDArray[np.float32]]
    targets: Mapping[str, tuple[NDArray[np.int64], NDArray[np.float32]]]

    def shape(self, weights: Mapping[str, float]) -> NDArray[np.float32]:
        """Return the points (V, 3) moved by ``weights`` of targets; 1 is a whole target."""
        moved = self.points.copy()
        for name, weight in weights.items():
            if weight:
                index, delta = self.targets[name]
                moved[index] += np.float32(weight) * delta
        return moved

    def normals(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the unit normals (V, 3) of ``points``, weighted by the area of the triangles."""
        a, b, c = (points[self.triangles[:, i]] for i in range(3))
        face = np.cross(b - a, c - a)
        total = np.stack(
            [
                sum(np.bincount(self.triangles[:, i], face[:, axis], len(points)) for i in range(3))
                for axis in range(3)
            ],
            axis=1,
        )
        return (total / np.linalg.norm(total, axis=1, keepdims=True).clip(1e-9)).astype(np.float32)


@cache
def load() -> Mesh:
    """Read the mesh once.

    Raises:
        DataError: if the file is missing, cut short or altered.
    """
    try:
        content = FILE.read_bytes()
    except OSError as error:
        raise DataError(
            f"heads: cannot read {FILE}: {error.strerror}. Install ganzoo again."
        ) from None
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise DataError(
            f"heads: {FILE} is not the file that ganzoo came with. Install ganzoo again."
        )
    with np.load(FILE, allow_pickle=False) as arrays:
        quads = arrays["quads"].astype(np.int32)
        names = [str(name) for name in arrays["target_names"]]
        offsets = arrays["target_offsets"]
        steps = arrays["target_steps"].astype(np.int64)
        deltas = arrays["target_deltas"].T.astype(np.float32) / 1000
        targets = {}
        for name, start, end in zip(names, offsets[:-1], offsets[1:], strict=True):
            targets[name] = (np.cumsum(steps[start:end]), deltas[start:end])
        masks = {
            str(name): mask.astype(np.float32) / 255
            for name, mask in zip(arrays["mask_names"], arrays["masks"], strict=True)
        }
        points = arrays["points"]
        teeth = np.unique(quads[arrays["parts"] == PARTS.index("teeth")])
        points[teeth[points[teeth, 1] > _BITE], 1] -= 0.045  # or no smile would show them
        return Mesh(
            points=points,
            triangles=np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]),
            parts=np.tile(arrays["parts"], 2),
            left=arrays["left"],
            masks=masks,
            targets=targets,
        )
