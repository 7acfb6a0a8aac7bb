"""Where a face is in a picture, and cutting it out.

Aligned after Karras et al., Progressive Growing of GANs, ICLR 2018, appendix C: the square around a
face follows from its eyes and mouth.  Positions are continuous pixels: a picture of width W goes
from 0 to W, and its first pixel from 0 to 1.

The place of a crop is a matrix (2, 3) that maps its points, from (0, 0) to (1, 1), to the picture's
pixels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

if TYPE_CHECKING:
    from ganzoo.interfaces import Box

Array = NDArray[np.float64]

#: With this margin the crop is that of the paper if both of its bounds agree: its side is 4 times
#: the distance of the eyes and 3.6 times the distance from the eyes to the mouth.
MARGIN = 0.25
EYES_APART, EYES_TO_MOUTH = 1 / 4, 1 / 3.6
#: The paper's centre lies a tenth of the way from the eyes to the mouth.
EYES_ABOVE = 0.1 * EYES_TO_MOUTH
#: Of 68 landmarks: the rings around both eyes, in the image's order, and the mouth's corners.
EYES, MOUTH, POINTS = (range(36, 42), range(42, 48)), (48, 54), 68


def square(box: Box, margin: float) -> Array:
    """Return the square around a box, with ``margin`` of its longer side added on all four."""
    side = max(box.right - box.left, box.bottom - box.top) * (1 + 2 * margin)
    x, y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    return np.array([[side, 0, x - side / 2], [0, side, y - side / 2]])


def align(landmarks: Array, margin: float) -> Array:
    """Return the upright square (2, 3) that puts the eyes and mouth of 68 landmarks in place.

    Of all rotations, scales and shifts it has the least squared distance to them.
    """
    picture = _anchors(landmarks) @ [1, 1j]  # points as complex numbers: z = a w + b
    crop = canonical(margin) @ [1, 1j]
    w, z = crop - crop.mean(), picture - picture.mean()
    a = (w.conj() @ z) / (w.conj() @ w).real
    b = picture.mean() - a * crop.mean()
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def canonical(margin: float) -> Array:
    """Return the left eye, right eye and mouth in the crop: (3, 2), from 0 to 1."""
    eyes = -EYES_ABOVE
    places = np.array([[-EYES_APART / 2, eyes], [EYES_APART / 2, eyes], [0, eyes + EYES_TO_MOUTH]])
    return 0.5 + places * (1 + 2 * MARGIN) / (1 + 2 * margin)


def _anchors(landmarks: Array) -> Array:
    parts = [landmarks[list(part)].mean(axis=0) for part in (*EYES, MOUTH)]
    return np.array(parts)


def plausible(landmarks: Array, box: Box) -> bool:
    """Tell whether eyes and mouth are in the box, and about as large as the box suggests."""
    anchors = _anchors(landmarks)
    inside = (anchors >= [box.left, box.top]) & (anchors <= [box.right, box.bottom])
    ratio = abs(np.linalg.det(align(landmarks, MARGIN)[:, :2])) ** 0.5 / square(box, MARGIN)[0, 0]
    return bool(inside.all() and 0.5 <= ratio <= 2)


def apply(matrix: Array, points: Array) -> Array:
    """Map ``points`` (N, 2) of a crop to pixels of the picture."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def outside(matrix: Array, width: int, height: int) -> float:
    """Return the share of a crop that lies outside the picture, to about one percent."""
    ticks = (np.arange(100) + 0.5) / 100
    points = apply(matrix, np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2))
    return float(((points < 0) | (points > [width, height])).any(axis=1).mean())


def cut(picture: Image.Image, matrix: Array, size: int) -> Image.Image:
    """Cut out a crop of ``size`` pixels with antialiasing; the border mirrors the picture."""
    corners = apply(matrix, np.array([[0, 0], [1, 0], [0, 1], [1, 1]], float))
    low = np.floor(corners.min(axis=0)).astype(int) - 4
    high = np.ceil(corners.max(axis=0)).astype(int) + 4
    part = _mirrored(picture, *low, *high)
    # draw it twice as large: a pixel or block of the picture then covers two or more
    double = 2 * size
    step = float(np.hypot(*matrix[:, 0])) / double
    block = max(1, int(np.ceil(step)))
    if block > 1:
        part = part.reduce(block)
    linear, shift = matrix[:, :2] / double / block, (matrix[:, 2] - low) / block
    rows = np.column_stack([linear, shift])
    large = part.transform(
        (double, double), Image.Transform.AFFINE, tuple(rows.ravel()), Image.Resampling.BICUBIC
    )
    return large.resize((size, size), Image.Resampling.LANCZOS)


def _mirrored(picture: Image.Image, left: int, top: int, right: int, bottom: int) -> Image.Image:
    """Cut out a part of the picture, which its mirror image continues."""
    columns = _mirror(np.arange(left, right), picture.width)
    rows = _mirror(np.arange(top, bottom), picture.height)
    x, y = int(columns.min()), int(rows.min())
    part = picture.crop((x, y, int(columns.max()) + 1, int(rows.max()) + 1))
    if len(columns) == part.width and len(rows) == part.height and left == x and top == y:
        return part
    return Image.fromarray(np.asarray(part)[rows[:, None] - y, columns - x])


def _mirror(index: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Map any integer to 0 ... ``length - 1``: ... 1 0 | 0 1 2 | 2 1 0 | 0 1 ..."""
    index = index % (2 * length)
    return np.minimum(index, 2 * length - 1 - index)
