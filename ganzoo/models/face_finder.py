"""Find the faces in a photo of any size: turned ones, small ones, and those that the border cuts.

A detector that knows upright faces alone sees the photo turned by steps as well, and continued
beyond its border.  It sees a reduced copy, because a photo of 60 megapixels shows a face no better.
If there is a finder of landmarks, it says where eyes and mouth are, and doubts what is no face.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from ganzoo import faces
from ganzoo.faces import Array
from ganzoo.interfaces import Detector, Extractor

#: The detector sees at most so many pixels on the shorter side of an upright photo, and of a
#: turned one, where it is to find larger faces alone.
SHORT, TURNED_SHORT = 640, 240
#: Degrees by which the photo is turned; detectors allow for about 15 more.
TURNS = (-60, -30, 30, 60)
#: The photo is continued by this share of its shorter side.
BORDER = 0.12
#: The lowest score of a face in an upright photo, and in a turned one.
SCORE, TURNED_SCORE = 0.5, 0.7
#: The lowest score of a glimpse, which may be a face if one was there a moment before.
GLIMPSE = 0.27
#: Two faces are nearer than this share of the larger one only if they are the same.
SAME = 0.5
#: Below this confidence of the landmarks there is no face.
UNSURE = 0.3


@dataclass(frozen=True)
class Face:
    """A face in a photo, in pixels: the left eye, the right eye and the mouth, (3, 2).

    ``side`` is about the width of the face.
    """

    anchors: Array
    side: float
    score: float

    @property
    def centre(self) -> Array:
        """Return the middle of the anchors, (2,)."""
        return np.asarray(self.anchors.mean(axis=0))


class FaceFinder:
    """Finds faces with a detector and perhaps an extractor of 68 landmarks, known by ``name``."""

    def __init__(self, detector: Detector, landmarks: Extractor | None = None, name: str = ""):
        self._detector = detector
        self._landmarks = landmarks
        self._name = name

    def __call__(self, photo: Image.Image) -> list[Face]:
        """Return the faces in an RGB photo, from left to right."""
        return self._find(photo, SCORE, TURNED_SCORE)

    def glimpses(self, photo: Image.Image) -> list[Face]:
        """Return the faces in a video's frame, from left to right, doubtful ones too."""
        return self._find(photo, GLIMPSE, GLIMPSE)

    def _find(self, photo: Image.Image, lowest: float, turned_lowest: float) -> list[Face]:
        views = self._look(photo, SHORT, 0, lowest)
        for turn in TURNS:
            views += self._look(photo, TURNED_SHORT, turn, turned_lowest)
        kept: list[Face] = []
        for face in sorted(views, key=lambda face: -face.score):
            if not any(_is_same(face, other) for other in kept):
                kept.append(face)
        return sorted(kept, key=lambda face: float(face.centre[0]))

    def _look(self, photo: Image.Image, short: int, turn: int, lowest: float) -> list[Face]:
        """Find the faces in the photo turned by ``turn`` degrees."""
        view, matrix = _view(photo, short, turn)
        result = []
        for box in self._detector.detect(np.asarray(view)):
            if box.score < lowest:
                continue
            anchors = faces.anchors_in(box)
            if self._landmarks is not None:
                place = faces.square(box, faces.LANDMARK_MARGIN)
                points, sure = faces.landmarks_in(view, place, self._landmarks, self._name)
                if sure < UNSURE or not faces.plausible(points, box):
                    continue
                anchors = faces.anchors(points)
            scale = float(np.hypot(*matrix[:, 0]))
            side = max(box.right - box.left, box.bottom - box.top) * scale
            # of a face that is found twice, the more upright view is kept
            score = box.score - abs(turn) / 1000
            centre = faces.apply(
                matrix, np.array([[(box.left + box.right) / 2, box.top / 2 + box.bottom / 2]])
            )[0]
            if ((centre < 0) | (centre > photo.size)).any():
                continue
            result.append(Face(faces.apply(matrix, anchors), side, score))
        return result


def _is_same(face: Face, other: Face) -> bool:
    apart = float(np.hypot(*(face.centre - other.centre)))
    return apart < SAME * max(face.side, other.side)


def _view(photo: Image.Image, short: int, turn: int) -> tuple[Image.Image, Array]:
    """Return the photo reduced, continued and turned; and the map of its pixels to the photo's."""
    width, height = photo.size
    share = min(1.0, short / min(width, height))
    if share < 1:
        size = max(1, round(share * width)), max(1, round(share * height))
        photo = photo.resize(size, Image.Resampling.BOX)
    border = round(BORDER * min(photo.size))
    pixels = np.pad(np.asarray(photo), ((border, border), (border, border), (0, 0)), "edge")
    view = Image.fromarray(pixels)
    scale = np.array([width / photo.width, height / photo.height])
    middle = np.array(view.size) / 2
    linear = np.eye(2)
    if turn:
        angle = np.radians(turn)
        linear = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        side = int(np.ceil(np.hypot(*view.size)))
        shift = middle - linear @ [side / 2, side / 2]
        rows = np.column_stack([linear, shift])
        view = view.transform(
            (side, side), Image.Transform.AFFINE, tuple(rows.ravel()), Image.Resampling.BILINEAR
        )
    else:
        shift = np.zeros(2)
    return view, scale[:, None] * np.column_stack([linear, shift - border])
