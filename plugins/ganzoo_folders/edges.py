"""CartoonGAN's smoothed edges: cartoons in which only the lines are blurred.

Chen, Lai and Liu, "CartoonGAN: Generative Adversarial Networks for Photo Cartoonization", CVPR
2018, section 3.2: find the edges with Canny's detector, dilate them, and smooth the dilated
regions with a Gaussian.  A discriminator that must tell such images from cartoons learns that
cartoons have clear edges.  The paper leaves thresholds and sizes open; these are the ones of the
scripts in use: Canny(100, 200), a dilation of 5x5, a kernel of 5x5, truncation to whole numbers.
"""

from __future__ import annotations

from itertools import islice
from types import ModuleType
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ganzoo.errors import DataError
from ganzoo.progress import progress
from ganzoo_folders import files
from ganzoo_folders.cache import Writer

Pixels: TypeAlias = NDArray[np.uint8]
Blur: TypeAlias = Literal["gaussian", "mean"]
Mask: TypeAlias = Literal["hard", "feathered"]

#: Increase when the same image would give other pixels.
VERSION = 1
#: The largest share of smoothed images that may equal an original, because they have no edges.
#: Above it they cannot have been smoothed.  It is a share of the smaller of the two sets.
SAME = 0.1
# OpenCV's getGaussianKernel(5, 0) is this table (over 16), not the Gaussian of sigma 1.1 that its
# documentation describes.  CartoonGAN's author says that he used the mean.
_TAPS = {"gaussian": (1, 4, 6, 4, 1), "mean": (1, 1, 1, 1, 1)}
_CANNY = (100, 200)
_BLOCK = 64  # images written at once


def smooth(
    image: Pixels, blur: Blur = "gaussian", mask: Mask = "hard"
) -> tuple[Pixels, NDArray[np.bool_]]:
    """Blur the edges of an RGB ``image`` (H, W, 3); also return where it was blurred (H, W).

    ``mask`` "hard" replaces the pixels of the dilated edges and leaves all others untouched;
    "feathered" fades the blur out over two pixels, so that no seam shows.  Raises DataError if
    OpenCV is missing.
    """
    cv2 = opencv()
    edges = cv2.Canny(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), *_CANNY)
    where = cv2.dilate(edges, np.ones((5, 5), np.uint8)) > 0
    soft = _filter(image, _TAPS[blur])
    if mask == "hard":
        return np.where(where[..., None], soft, image), where
    weight = _filter(where.astype(np.uint8) * 255, _TAPS["gaussian"]).astype(np.uint32)[..., None]
    blend = (weight * soft + (255 - weight) * image + 127) // 255
    return blend.astype(np.uint8), weight[..., 0] > 0


def changed(before: Pixels, after: Pixels) -> float:
    """Return the share of pixels that differ between two images (H, W, 3)."""
    return float((before != after).any(axis=2).mean())


def fill(writer: Writer, images: NDArray[np.uint8]) -> None:
    """Smooth ``images`` (N, 3, S, S) and add them to a new cache entry."""

    def smooth_planes(image: Pixels) -> Pixels:
        return smooth(np.ascontiguousarray(image.transpose(1, 2, 0)))[0].transpose(2, 0, 1)

    with progress("Smoothing edges", len(images)) as advance:
        results = files.in_threads(smooth_planes, images)
        while block := list(islice(results, _BLOCK)):
            writer.add(np.stack(block))
            advance(len(block))


def opencv() -> ModuleType:
    """Import the module ``cv2``; raises DataError if it is missing."""
    try:
        import cv2
    except ImportError as error:
        raise DataError(
            f"smoothing edges needs OpenCV, which is not installed ({error}). "
            f"Install it: pip install 'ganzoo[cartoons]'"
        ) from error
    module: ModuleType = cv2
    return module


def _filter(image: Pixels, taps: tuple[int, ...]) -> Pixels:
    """Take weighted means of 5x5 pixels, rounded down; the outermost pixel mirrors the border.

    The sums are whole numbers below 2^16, which float32 holds exactly, so the result equals the
    definition in float64 to the last bit.
    """
    cv2 = opencv()
    if image.ndim == 3:  # one by one: the sums take many times the memory of the pixels
        return np.dstack([_filter(plane, taps) for plane in cv2.split(image)])
    column = np.array(taps, np.float32)
    sums = cv2.sepFilter2D(image, cv2.CV_32F, column, column, borderType=cv2.BORDER_REFLECT_101)
    means: Pixels = (sums.astype(np.uint16) // np.uint16(sum(taps) ** 2)).astype(np.uint8)
    return means
