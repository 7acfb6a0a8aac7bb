"""Where a face is in a picture, cutting it out, and putting it back.

Aligned after Karras et al., Progressive Growing of GANs, ICLR 2018, appendix C: the square around a
face follows from its eyes and mouth.  Positions are continuous pixels: a picture of width W goes
from 0 to W, and its first pixel from 0 to 1.

The place of a crop is a matrix (2, 3) that maps its points, from (0, 0) to (1, 1), to the picture's
pixels.  Left and right are those of the picture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops

from ganzoo.errors import DataError

if TYPE_CHECKING:
    from ganzoo.interfaces import Box, Extractor

Array = NDArray[np.float64]

#: With this margin the crop is that of the paper if both of its bounds agree: its side is 4 times
#: the distance of the eyes and 3.6 times the distance from the eyes to the mouth.
MARGIN = 0.25
EYES_APART, EYES_TO_MOUTH = 1 / 4, 1 / 3.6
#: The paper's centre lies a tenth of the way from the eyes to the mouth.
EYES_ABOVE = 0.1 * EYES_TO_MOUTH
#: Of 68 landmarks: the rings around both eyes, in the image's order, and the mouth's corners.
EYES, MOUTH, POINTS = (range(36, 42), range(42, 48)), (48, 54), 68
#: The eyes and the mouth in the box of a detector, from its centre, in shares of its longer side:
#: means over 60 portraits, with the boxes of ``lbp`` and the landmarks of ``face68``.
IN_BOX = np.array([[-0.19, -0.127], [0.19, -0.127], [0.0, 0.265]])
#: The landmarks are looked for in the box with this margin, at this size.  Of all margins this one
#: moves the points of ``face68`` least when the boxes of ``lbp`` are moved a little at random.
LANDMARK_MARGIN, LANDMARK_SIZE = 0.1, 256
#: A drawing that is put back fades out over this share of the way from its centre to its border.
FADE = 0.3


def square(box: Box, margin: float) -> Array:
    """Return the square around a box, with ``margin`` of its longer side added on all four."""
    side = max(box.right - box.left, box.bottom - box.top) * (1 + 2 * margin)
    x, y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    return np.array([[side, 0, x - side / 2], [0, side, y - side / 2]])


def align(anchors: Array, places: Array) -> Array:
    """Return the crop (2, 3) that puts ``anchors`` (3, 2) of the picture at ``places`` (3, 2).

    Of all rotations, scales and shifts it has the least squared distance to them.
    """
    picture = anchors @ [1, 1j]  # points as complex numbers: z = a w + b
    crop = places @ [1, 1j]
    w, z = crop - crop.mean(), picture - picture.mean()
    a = (w.conj() @ z) / (w.conj() @ w).real
    b = picture.mean() - a * crop.mean()
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def canonical(margin: float) -> Array:
    """Return the left eye, right eye and mouth in the crop: (3, 2), from 0 to 1."""
    eyes = -EYES_ABOVE
    places = np.array([[-EYES_APART / 2, eyes], [EYES_APART / 2, eyes], [0, eyes + EYES_TO_MOUTH]])
    return 0.5 + places * (1 + 2 * MARGIN) / (1 + 2 * margin)


def anchors(landmarks: Array) -> Array:
    """Return the left eye, right eye and mouth of 68 landmarks: (3, 2)."""
    return np.array([landmarks[list(part)].mean(axis=0) for part in (*EYES, MOUTH)])


def anchors_in(box: Box) -> Array:
    """Return about where the eyes and the mouth of an upright face lie in its box: (3, 2)."""
    return apply(square(box, 0), 0.5 + IN_BOX)


def landmarks_in(
    picture: Image.Image, place: Array, extractor: Extractor, name: str
) -> tuple[Array, float]:
    """Return 68 landmarks (68, 2) of the face in a crop, in the picture's pixels; how sure, 0 to 1.

    Raises DataError if the extractor, which the user knows by its ``name``, finds no such points.
    """
    import torch

    crop = np.asarray(cut(picture, place, LANDMARK_SIZE), np.float32) / 127.5 - 1
    with torch.inference_mode():
        features = extractor(torch.from_numpy(crop.transpose(2, 0, 1)[None]))
    points = features.get("points")
    if points is None or points.shape != (1, POINTS, 2):
        shape = "none" if points is None else "x".join(map(str, points.shape))
        raise DataError(
            f"extractor '{name}' gives no {POINTS} landmarks, which alignment needs: 'points' "
            f"1x{POINTS}x2, not {shape}. Choose another --landmarks."
        )
    confidence = features.get("confidence")
    sure = 1.0 if confidence is None else float(confidence[0])
    return apply(place, (points[0].double().numpy() + 1) / 2), sure


def plausible(landmarks: Array, box: Box) -> bool:
    """Tell whether eyes and mouth are in the box, and about as large as the box suggests."""
    points = anchors(landmarks)
    inside = (points >= [box.left, box.top]) & (points <= [box.right, box.bottom])
    matrix = align(points, canonical(MARGIN))
    ratio = abs(np.linalg.det(matrix[:, :2])) ** 0.5 / square(box, MARGIN)[0, 0]
    return bool(inside.all() and 0.5 <= ratio <= 2)


def apply(matrix: Array, points: Array) -> Array:
    """Map ``points`` (N, 2) of a crop to pixels of the picture."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def inverse(matrix: Array) -> Array:
    """Return the map from pixels of the picture to points of a crop: (2, 3)."""
    linear = np.linalg.inv(matrix[:, :2])
    return np.column_stack([linear, -linear @ matrix[:, 2]])


def outside(matrix: Array, width: int, height: int) -> float:
    """Return the share of a crop that lies outside the picture, to about one percent."""
    ticks = (np.arange(100) + 0.5) / 100
    points = apply(matrix, np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2))
    return float(((points < 0) | (points > [width, height])).any(axis=1).mean())


def cut(picture: Image.Image, matrix: Array, width: int, height: int | None = None) -> Image.Image:
    """Cut out a crop of ``width`` x ``height`` pixels, by default a square, with antialiasing.

    Beyond its border the picture is mirrored.  The pixels of the crop must be square in the
    picture.
    """
    height = width if height is None else height
    corners = apply(matrix, np.array([[0, 0], [1, 0], [0, 1], [1, 1]], float))
    low = np.floor(corners.min(axis=0)).astype(int) - 4
    high = np.ceil(corners.max(axis=0)).astype(int) + 4
    part = _mirrored(picture, *low, *high)
    # draw it twice as large: a pixel or block of the picture then covers two or more
    double = np.array([2 * width, 2 * height])
    step = float(np.hypot(*matrix[:, 0])) / double[0]
    block = max(1, int(np.ceil(step)))
    if block > 1:
        part = part.reduce(block)
    linear, shift = matrix[:, :2] / double / block, (matrix[:, 2] - low) / block
    rows = np.column_stack([linear, shift])
    large = part.transform(
        (int(double[0]), int(double[1])),
        Image.Transform.AFFINE,
        tuple(rows.ravel()),
        Image.Resampling.BICUBIC,
    )
    return large.resize((width, height), Image.Resampling.LANCZOS)


def paste(picture: Image.Image, drawing: Image.Image, matrix: Array) -> None:
    """Put the drawing of a crop back into the picture, in place; it fades out at its border.

    ``drawing`` is square, RGB or RGBA, and ``matrix`` the place of the crop that it was made from.
    """
    corners = apply(matrix, np.array([[0, 0], [1, 0], [0, 1], [1, 1]], float))
    left, top = np.maximum(np.floor(corners.min(axis=0)), 0).astype(int)
    right, bottom = np.minimum(np.ceil(corners.max(axis=0)), picture.size).astype(int)
    width, height = int(right - left), int(bottom - top)
    if width <= 0 or height <= 0:
        return
    back = inverse(matrix)  # of the region's points, from (0, 0) to (1, 1), in the crop
    place = np.column_stack(
        [back[:, :2] * [width, height], apply(back, np.array([[left, top]]))[0]]
    )
    region = cut(drawing, place * drawing.width, width, height)
    mask = _mask(place, width, height)
    if region.mode == "RGBA":
        mask = ImageChops.multiply(mask, region.getchannel("A"))
    picture.paste(region.convert("RGB"), (int(left), int(top)), mask)


def _mask(place: Array, width: int, height: int) -> Image.Image:
    """Return how much of a drawing shows: all at its centre, nothing at its border."""
    x = (np.arange(width, dtype=np.float32) + 0.5) / width
    y = ((np.arange(height, dtype=np.float32) + 0.5) / height)[:, None]
    across, down = (
        2 * (np.float32(row[0]) * x + np.float32(row[1]) * y + np.float32(row[2])) - 1
        for row in place
    )
    # a square with round corners: all within 1 of the centre by this measure lies in the crop
    radius = (across**4 + down**4) ** 0.25
    share = ((1 - radius) / FADE).clip(0, 1)
    smooth = share * share * (3 - 2 * share)
    return Image.fromarray(np.rint(255 * smooth).astype(np.uint8))


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
