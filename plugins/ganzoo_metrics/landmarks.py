"""Does the face stay where it was in the photo?  The drift of its landmarks.

The distance over the outer eye corners' distance is the error of the 300-W benchmark: Sagonas et
al. 2013, 300 Faces in-the-Wild Challenge, https://doi.org/10.1109/ICCVW.2013.59.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from annotated_types import Interval
from torch import Tensor
from torch.linalg import vector_norm

from ganzoo.errors import DataError, one_of
from ganzoo.interfaces import Evaluator
from ganzoo_metrics._rows import refuse_non_finite

#: of the 68 points of 300-W, whose eyes are known
_POINTS, _OUTER_CORNERS = 68, (36, 45)
_SMALLEST_FACE = 0.1  # in units of [-1, 1]: below it, one face would outweigh all others


class Landmarks(Evaluator):
    """How far a face's landmarks move from the photo to the fake (Sagonas 2013, 300-W).

    Needs a finder of landmarks.  Only photos with a detected face count.  ``landmark-drift`` is the
    mean distance between the points found in photo and fake, over the size of the photo's face,
    mean over the photos: 0.05 is a drift of 5 %.  That size is the distance between the outer
    corners of the eyes if the finder gives the 68 points of 300-W, otherwise the diagonal of the
    box around all points; at least 0.1, where the image is 2 wide.  ``face-found`` is the share of
    these photos whose fakes have a detected face, too.  The drift is over all of them, since
    leaving out lost faces would reward losing them.

    A landmark loss on the same finder minimises this very number, and textures can fool a finder
    when nothing has moved, so it cannot judge that loss.  A finder trained on photos may also miss
    an obvious face in a drawing.

    Args:
        confidence: least confidence of a detected face, in photos and in fakes.
    """

    higher_is_better: ClassVar = {"landmark-drift": False, "face-found": True}
    # beside the wrong photo, a real drawing's face is no nearer than another's
    blind: ClassVar = {
        "landmark-drift": ("repeated", "photo"),
        "face-found": ("repeated", "photo"),
    }

    def __init__(self, confidence: Annotated[float, Interval(ge=0, le=1)] = 0.5):
        self.confidence = confidence
        self._pairs = self._faces = self._hits = 0
        self._drift = 0.0

    def pair(self, photo_features: dict[str, Tensor], fake_features: dict[str, Tensor]) -> None:
        """Compare ``points`` (N, K, 2) if the photos' ``confidence`` (N,) is enough.

        Raises DataError if the finder gives no points, no confidence, or non-finite points of a
        face.
        """
        for features in (photo_features, fake_features):
            if gaps := {"points", "confidence"} - features.keys():
                raise DataError(
                    f"landmark-drift needs {one_of(gaps)} of a finder of landmarks, but the "
                    f"extractor gives {one_of(features)}. Use an extractor that finds landmarks "
                    f"and tells how sure it is, such as fan or face68."
                )
        # without a face, points may be anything, even NaN
        face = photo_features["confidence"] >= self.confidence
        photo, fake = photo_features["points"][face], fake_features["points"][face]
        for points in (photo, fake):
            refuse_non_finite(points.flatten(1))
        self._pairs += len(face)
        self._faces += len(photo)
        self._hits += int((fake_features["confidence"][face] >= self.confidence).sum())
        self._drift += _drift(photo.double(), fake.double()).sum().item()

    def compute(self) -> dict[str, float]:
        """Both scores; raises DataError if no photo has a face."""
        if not self._faces:
            raise DataError(
                f"landmark-drift: no face is found in {self._pairs} photos at the confidence "
                f"{self.confidence:g}. Give portraits, as from `ganzoo data faces`, the finder the "
                f"`crop` where their faces are, or a lower confidence."
            )
        return {
            "landmark-drift": self._drift / self._faces,
            "face-found": self._hits / self._faces,
        }


def _drift(photo: Tensor, fake: Tensor) -> Tensor:
    """Mean distance (N,) of points (N, K, 2), in sizes of the photo's face."""
    if photo.shape[1] == _POINTS:
        left, right = _OUTER_CORNERS
        across = photo[:, left] - photo[:, right]
    else:
        across = photo.amax(1) - photo.amin(1)
    size = vector_norm(across, dim=1).clamp(min=_SMALLEST_FACE)
    return vector_norm(fake - photo, dim=2).mean(1) / size
