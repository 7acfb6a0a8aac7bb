"""Where a portrait's eyes, brows and mouth are, and masks around them.

Seven points describe a face, in the order of the dataset figurines' ``landmarks``: left and right
eye, mouth, its left and right corner, left and right brow; left and right are the picture's.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from ganzoo_features.face68 import Face68

#: how the face lies in a portrait: found by a network, or as ``ganzoo data faces`` frames it
Finding = Literal["face68", "frame"]
#: where the face is in such a portrait, for face68
CROP = (0.14, 0.23, 0.86, 0.95)
#: the mean of the points that face68 finds in such portraits
FRAME = (
    (-0.25, -0.065),
    (0.25, -0.065),
    (0.0, 0.48),
    (-0.24, 0.46),
    (0.24, 0.46),
    (-0.3, -0.22),
    (0.3, -0.22),
)
#: confidence of the finder below which there is no face
CONFIDENT = 0.5


class Finder:
    """Finds the seven points of each portrait.  Raises DataError if face68's weights are missing.

    It is no module, so its weights do not become the drawing's.
    """

    def __init__(self, finding: Finding, crop: tuple[float, float, float, float]):
        self._network = Face68(crop) if finding == "face68" else None

    def __call__(self, photo: Tensor, landmarks: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(N, 3, H, W) in [-1, 1] to points (N, 7, 2) in [-1, 1], and 1 where there is a face.

        Known ``landmarks`` (N, 7, 2) are those points.
        """
        if landmarks is not None:
            return landmarks, photo.new_ones(len(photo))
        if self._network is None:
            frame = torch.tensor(FRAME).to(photo).expand(len(photo), -1, -1)
            return frame, photo.new_ones(len(photo))
        with torch.no_grad():
            output = self._network.to(photo.device)(photo)
        return seven(output["points"]), (output["confidence"] >= CONFIDENT).to(photo)


def seven(points: Tensor) -> Tensor:
    """Reduce the 68 points of 300-W, (N, 68, 2), to the seven."""
    groups = ((36, 42), (42, 48), (48, 68), (48, 49), (54, 55), (17, 22), (22, 27))
    return torch.stack([points[:, first:end].mean(1) for first, end in groups], 1)


class Face:
    """A face in pictures of one size: shapes in its own axes, in distances of its eyes.

    ``points`` (N, 7, 2) are in [-1, 1].  Masks are (N, 1, H, W).
    """

    def __init__(self, points: Tensor, height: int, width: int):
        scale = points.new_tensor([width / 2, height / 2])
        self.points = (points + 1) * scale
        left, right = self.points[:, 0], self.points[:, 1]
        #: the distance of the eyes in pixels, (N,)
        self.gap = (right - left).norm(dim=1).clamp_min(1)
        self.right = (right - left) / self.gap[:, None]
        self.down = torch.stack([-self.right[:, 1], self.right[:, 0]], 1)
        self.middle = (left + right) / 2
        self._x = torch.arange(width, device=points.device).to(points) + 0.5
        self._y = torch.arange(height, device=points.device).to(points)[:, None] + 0.5

    def ellipse(self, at: Tensor, across: float | Tensor, along: float | Tensor) -> Tensor:
        """Return the squared distance from ``at`` (N, 2), which is 1 on an ellipse's rim."""
        dx = self._x - at[:, 0, None, None]
        dy = self._y - at[:, 1, None, None]
        u, v = (
            (dx * axis[:, 0, None, None] + dy * axis[:, 1, None, None])
            / (self.gap * share)[:, None, None]
            for axis, share in ((self.right, across), (self.down, along))
        )
        return (u * u + v * v)[:, None]

    @property
    def drop(self) -> Tensor:
        """How far the mouth is below the eyes, (N,), in distances of the eyes."""
        return ((self.points[:, 2] - self.middle) * self.down).sum(1) / self.gap

    @property
    def nose(self) -> Tensor:
        """The tip of the nose, (N, 2)."""
        return self.middle + 0.58 * (self.points[:, 2] - self.middle)

    def shapes(self, grow: float = 0.0) -> dict[str, Tensor]:
        """Return ellipses around eyes, brows, nose and mouth, larger by ``grow`` eye distances."""
        wide = (self.points[:, 4] - self.points[:, 3]).norm(dim=1) / (2 * self.gap)
        eyes = [self.ellipse(self.points[:, i], 0.27 + grow, 0.15 + grow) for i in (0, 1)]
        brows = [self.ellipse(self.points[:, i], 0.33 + grow, 0.1 + grow) for i in (5, 6)]
        return {
            "eyes": torch.minimum(*eyes),
            "brows": torch.minimum(*brows),
            "nose": self.ellipse(self.nose, 0.25 + grow, 0.16 + grow),
            "mouth": self.ellipse(self.points[:, 2], wide * 1.15 + grow, 0.22 + grow),
        }

    def parts(self, grow: float = 0.0) -> Tensor:
        """Return 1 on eyes, brows, nose and mouth, each larger by ``grow`` eye distances."""
        return (torch.stack([*self.shapes(grow).values()]).amin(0) < 1).to(self.points)

    def inner(self) -> Tensor:
        """Return 1 on the middle of the face, from the brows to the mouth."""
        at = (self.middle + self.points[:, 2]) / 2
        return (self.ellipse(at, 0.75, 0.6 * self.drop + 0.25) < 1).to(self.points)
