"""Facial landmarks stay in place: Landmark Assisted CycleGAN, Wu et al. 2019.

https://arxiv.org/abs/1907.01424, equation 4, with the landmarks that its finder sees in the photo.
The heatmap form is that of Super-FAN, Bulat and Tzimiropoulos 2018,
https://arxiv.org/abs/1712.02765; the unit of the coordinate form is that of the 300-W benchmark,
Sagonas et al. 2013.
"""

from __future__ import annotations

import logging
from inspect import signature
from typing import Annotated, Literal

from annotated_types import Ge, Interval
from torch import Tensor
from torch.linalg import vector_norm

from ganzoo.errors import DataError, one_of
from ganzoo.interfaces import Loss

Weight = Annotated[float, Ge(0)]

#: the 68 points of 300-W: regions in the order of their points, and how many points each has
_REGIONS = {"jaw": 17, "brows": 10, "bridge": 4, "nose": 5, "eyes": 12, "mouth": 20}
_OUTER_CORNERS = (36, 45)  # of the two eyes
_IN_VAIN = 20  # batches without a face before a warning
_SMALLEST_FACE = 0.1  # in units of [-1, 1]: below it, 1/size would let one face dominate the batch

log = logging.getLogger("ganzoo.portrait")


class Landmark(Loss):
    """Keeps eyes, nose and mouth where the photo has them (Wu 2019; Bulat 2018).

    The extractor is a finder of landmarks (``points``, ``confidence``, perhaps ``heatmaps``).  A
    photo whose face has less confidence than the floor is left out; the value is the mean over the
    others, or 0 if there are none.  ``measures["faces"]`` is the share of the last batch that
    counted.

    In ``coords`` the value is the mean distance of the points in units of the photo's distance
    between the outer corners of the eyes (the error of 300-W), so 0.05 is a drift of 5 %.  It is
    the distance itself and not its square, so that points that the finder loses on a drawing do not
    outvote all others; nor is it a wing loss (Feng 2018), which magnifies small errors: here those
    are the finder's own.  In ``heatmap`` it is the mean squared difference of the unscaled
    heatmaps, small since they are mostly zero: set its weight by its share of the gradient.

    Region weights are for the 68 points of 300-W. Any other number of points weigh the same, and
    the unit is then the width that the photo's points span.

    Args:
        space: coords compares the points, heatmap the maps that they come from.
        confidence_floor: the least confidence at which a photo's face counts.
        jaw: weight of the 17 points of the outline; a cartoon's chin may differ.
        brows: weight of the 10 points of the brows.
        bridge: weight of the 4 points of the nose's bridge, which drawings leave out.
        nose: weight of the 5 points of the nose's tip.
        eyes: weight of the 12 points of the eyes.
        mouth: weight of the 20 points of the lips.
    """

    def __init__(
        self,
        space: Literal["coords", "heatmap"] = "coords",
        confidence_floor: Annotated[float, Interval(ge=0, le=1)] = 0.5,
        jaw: Weight = 0.05,
        brows: Weight = 1.0,
        bridge: Weight = 0.1,
        nose: Weight = 1.0,
        eyes: Weight = 1.0,
        mouth: Weight = 1.0,
    ):
        super().__init__()
        weights = dict(zip(_REGIONS, (jaw, brows, bridge, nose, eyes, mouth), strict=True))
        if not any(weights.values()):
            raise DataError(
                "landmark: every region weighs 0, so the loss would always be 0. "
                f"Give one of {one_of(weights)} a weight above 0, or leave the term out."
            )
        defaults = signature(type(self)).parameters
        self.changes = [name for name in weights if weights[name] != defaults[name].default]
        self.weights = [weights[name] for name, count in _REGIONS.items() for _ in range(count)]
        self.space = space
        self.confidence_floor = confidence_floor
        self._in_vain = 0

    def generator(
        self, fake_features: dict[str, Tensor], photo_features: dict[str, Tensor]
    ) -> Tensor:
        """Mean over the faces found of the weighted mean distance of their landmarks.

        Raises DataError if the extractor gives no landmarks, no heatmaps although they are
        compared, or not the 68 points that changed region weights are for.
        """
        compare, layer = {
            "coords": (_distances, "points"),
            "heatmap": (_differences, "heatmaps"),
        }[self.space]
        gaps = {"confidence", layer} - photo_features.keys()
        if gaps == {"heatmaps"}:
            raise DataError(
                "landmark: space 'heatmap' needs heatmaps, but the extractor gives "
                f"{one_of(photo_features)}. Use space: coords, or an extractor that gives "
                "heatmaps, such as fan."
            )
        if gaps:
            raise DataError(
                f"landmark: space '{self.space}' needs {one_of(gaps)}, but the extractor gives "
                f"{one_of(photo_features)}. Use an extractor that finds landmarks, such as fan or "
                "face68."
            )
        sure = photo_features["confidence"] >= self.confidence_floor
        self.measures = {"faces": sure.float().mean()}
        self._in_vain = 0 if sure.any() else self._in_vain + 1
        if self._in_vain == _IN_VAIN:
            log.warning(
                "landmark: no face in %d batches of photos, so the term does nothing. Cut faces "
                "out with `ganzoo data faces`, give the extractor the `crop` where they are, or "
                "lower the term's confidence_floor (%g).",
                _IN_VAIN,
                self.confidence_floor,
            )
        # Selected before anything is computed: points without a face may be anything, even NaN.  An
        # empty selection still depends on the fake, so that its sum, 0, can be differentiated.
        each = compare(fake_features[layer][sure], photo_features[layer][sure])  # (faces, K)
        weights = self._weights(each)
        return (each @ weights).sum() / (weights.sum() * max(len(each), 1))

    def _weights(self, each: Tensor) -> Tensor:
        """Return the points' weights (K,), for distances (faces, K)."""
        count = each.shape[1]
        if count == len(self.weights):
            return each.new_tensor(self.weights)
        if self.changes:
            raise DataError(
                f"landmark: the extractor finds {count} points, but weights of regions "
                f"({one_of(self.changes)}) are for the layout of {len(self.weights)} points. Leave "
                "them out, or use an extractor of that layout, such as fan or face68."
            )
        return each.new_ones(count)


def _distances(fake: Tensor, photo: Tensor) -> Tensor:
    """Return distances (N, K) of points (N, K, 2), in units of each photo's face.

    The unit is the distance of the eyes, or the face's width if the layout is unknown.
    """
    if photo.shape[1] == sum(_REGIONS.values()):
        left, right = _OUTER_CORNERS
        size = vector_norm(photo[:, left] - photo[:, right], dim=1)
    else:
        size = photo[..., 0].amax(dim=1) - photo[..., 0].amin(dim=1)
    return vector_norm(fake - photo, dim=2) / size.clamp(min=_SMALLEST_FACE)[:, None]


def _differences(fake: Tensor, photo: Tensor) -> Tensor:
    """Return mean squared differences (N, K) of heatmaps (N, K, h, w).

    Not rescaled by the batch's extremes, which would let one image's style change the others' loss.
    """
    return (fake - photo).square().mean(dim=(2, 3))
