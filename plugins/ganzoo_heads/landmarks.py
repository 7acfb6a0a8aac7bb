"""The 68 landmarks of a face, exactly: points of the mesh."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ganzoo_heads import photo

Floats = NDArray[np.float32]
#: Points of the mesh in the order of iBUG 300-W (Sagonas et al. 2013): jaw, brows, nose, eyes,
#: mouth, from the left of the picture to its right.  Those of the jaw turn with the head.
# fmt: off
POINTS = (
    2545, 2569, 2009, 270, 2012, 735, 2104, 1971,
    1977, 4456, 4581, 3276, 4495, 2860, 4492, 5038, 5014,
    262, 231, 222, 205, 208, 2804, 2801, 2817, 2825, 2852,
    133, 131, 201, 1860, 324, 352, 317, 2934, 2907,
    1809, 6, 54, 1825, 50, 1067, 4315, 2659, 2611, 4299, 3580, 2655,
    427, 447, 456, 455, 3036, 3028, 3008, 3054, 3056, 492, 480, 478,
    416, 470, 468, 3047, 2997, 3086, 523, 518,
)
# fmt: on


def of(head: photo.Head) -> Floats:
    """Return the photo's landmarks (68, 2), x and y in [-1, 1]; some may lie outside."""
    place = head.camera.project(head.turned[list(POINTS)])
    return np.asarray(place[:, :2] / head.camera.side * 2 - 1, np.float32)
