"""Reduce images as papers on super-resolution do: bicubic, with antialiasing.

Keys 1981, Cubic convolution interpolation for digital image processing,
https://doi.org/10.1109/TASSP.1981.1163711, with a = -0.5 and the kernel as wide as the reduction
asks, as Pillow and Matlab's ``imresize`` have it.  Training and measuring share this function:
without antialiasing, or with another kernel, scores differ by more than methods do.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ganzoo.errors import DataError


def reduced(pixels: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """Reduce images (N, 3, H, W) to (N, 3, H / factor, W / factor), in 8 bits as in a file."""
    n, _, height, width = pixels.shape
    result = np.empty((n, 3, height // factor, width // factor), np.uint8)
    for image, small in zip(pixels, result, strict=True):
        picture = Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0)))
        picture = picture.resize(small.shape[:0:-1], Image.Resampling.BICUBIC)
        small[:] = np.asarray(picture).transpose(2, 0, 1)
    return result


def check(dataset: str, sides: Mapping[str, int], crop: int | None, low: int | None) -> int:
    """Return the side of a dataset's images: that of ``sides``, or of the crop.

    ``sides`` names the argument that the whole images have their side from.  Raises DataError if
    the crop is larger than the image, or ``low`` does not divide the side.
    """
    ((name, side),) = sides.items()
    if crop is not None and crop > side:
        raise DataError(f"{dataset}: crop {crop} does not fit into {name} {side}.")
    if crop is not None:
        name, side = "crop", crop
    if low is not None and side % low:
        raise DataError(
            f"{dataset}: low {low} does not divide {name} {side}. "
            f"Use a multiple, such as {name} {max(1, side // low) * low}."
        )
    return side
