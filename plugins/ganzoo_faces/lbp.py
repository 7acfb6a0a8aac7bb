"""The cascade of local binary patterns that comes with scikit-image.

Liao et al., Learning Multi-scale Block Local Binary Patterns for Face Recognition, ICB 2007;
the cascade after Viola and Jones 2001, trained by the OpenCV project.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from annotated_types import Ge, Interval
from numpy.typing import NDArray
from PIL import Image

from ganzoo.errors import DataError
from ganzoo.interfaces import Box, Detector

#: Side of the smallest face sought, after the image was reduced: more only takes longer.
FACE = 36
#: Windows of one face overlap so much (intersection over union).
SAME = 0.4
#: Two faces overlap no more (intersection over the smaller one).
APART = 0.3


class Lbp(Detector):
    """Frontal faces in photos, tilted by 15 degrees at most; quick, and needs no download.

    A face's score is n / (n + agreeing), where n windows of the cascade agree on it.

    Args:
        scale_factor: From one size of face to the next; closer to 1 is slower and finds more.
        min_size: The smallest face, as a share of the image's shorter side.
        agreeing: So many windows must agree on a face; fewer find more, false ones too.
        fewest: Also return faces that so few windows agree on; they score below 0.5.
    """

    def __init__(
        self,
        scale_factor: Annotated[float, Interval(ge=1.01, le=2)] = 1.1,
        min_size: Annotated[float, Interval(ge=0.01, le=1)] = 0.1,
        agreeing: Annotated[int, Ge(1)] = 8,
        fewest: Annotated[int, Ge(1)] | None = None,
    ):
        if not 1.01 <= scale_factor <= 2:
            raise ValueError(f"scale_factor is {scale_factor}; it goes from 1.01 to 2")
        if not 0.01 <= min_size <= 1:
            raise ValueError(f"min_size is {min_size}, a share that goes from 0.01 to 1")
        for name, count in (("agreeing", agreeing), ("fewest", fewest)):
            if count is not None and count < 1:
                raise ValueError(f"{name} is {count}; it is at least 1")
        self.scale_factor = scale_factor
        self.min_size = min_size
        self.agreeing = agreeing
        self.fewest = agreeing if fewest is None else fewest
        self._cascade = _cascade()

    def detect(self, image: NDArray[np.uint8]) -> list[Box]:
        """The faces in an RGB image (H, W, 3), the surest first."""
        small = reduce(image, FACE / self.min_size)
        short = min(small.shape[:2])
        smallest = max(self._cascade.window_width, round(self.min_size * short))
        if short < smallest:
            return []
        # A threshold of overlap that nothing reaches gives the windows as they are: scikit-image
        # would merge them, but not say how many there were.
        windows = self._cascade.detect_multi_scale(
            small, self.scale_factor, 1, (smallest, smallest), (short, short), 0, 2.0
        )
        boxes = np.array([[w["c"], w["r"], w["width"]] for w in windows], float).reshape(-1, 3)
        corners = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
        height, width = np.divide(image.shape[:2], small.shape[:2])
        scale = np.array([width, height, width, height])
        return [
            Box(*map(float, [*(corner * scale), count / (count + self.agreeing)]))
            for count, corner in merge(corners)
            if count >= self.fewest
        ]


def reduce(image: NDArray[np.uint8], short: float) -> NDArray[np.uint8]:
    """``image`` with its shorter side at most ``short`` pixels."""
    height, width = image.shape[:2]
    share = short / min(height, width)
    if share >= 1:
        return image
    size = max(1, round(share * width)), max(1, round(share * height))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX))


def merge(boxes: NDArray[np.float64]) -> list[tuple[int, NDArray[np.float64]]]:
    """Boxes (N, 4) to faces: how many boxes agree on each, most first, and their mean."""
    near = [_overlap(box, boxes)[0] >= SAME for box in boxes]
    free = np.ones(len(boxes), bool)
    groups = []
    for i in sorted(range(len(boxes)), key=lambda i: -int(near[i].sum())):
        if free[i]:
            group = near[i] & free
            groups.append((int(group.sum()), boxes[group].mean(axis=0)))
            free &= ~group
    faces: list[tuple[int, NDArray[np.float64]]] = []
    for count, box in sorted(groups, key=lambda group: -group[0]):
        places = np.array([other for _, other in faces]).reshape(-1, 4)
        if not (_overlap(box, places)[1] > APART).any():
            faces.append((count, box))
    return faces


def _overlap(
    box: NDArray[np.float64], others: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The intersection of a box (4,) with others (N, 4) over their union, and over the smaller."""
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    both = (high - low).clip(0).prod(axis=1)
    area_of_box, area = (box[2:] - box[:2]).prod(), (others[:, 2:] - others[:, :2]).prod(axis=1)
    return both / (area_of_box + area - both), both / np.minimum(area_of_box, area)


def _cascade() -> Any:
    try:
        from skimage.data import lbp_frontal_face_cascade_filename
        from skimage.feature import Cascade
    except ImportError as error:
        raise DataError(
            "detector 'lbp' needs scikit-image, which is not installed. "
            "Do: pip install 'ganzoo[faces]'"
        ) from error
    return Cascade(lbp_frontal_face_cascade_filename())
