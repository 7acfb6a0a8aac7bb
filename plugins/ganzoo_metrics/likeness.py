"""Does the fake keep the photo's edges and colours?

Edges by the operator of Sobel and Feldman (1968), colours in the YUV of ITU-R BT.601 (2011).
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, cosine_similarity
from torch.nn.functional import interpolate

from ganzoo.errors import DataError
from ganzoo.interfaces import Evaluator
from ganzoo_metrics._pictures import gradient, yuv


class Likeness(Evaluator):
    """How much of a photo's edges and colours is left in its translation (BT.601, 2011).

    ``edges-kept`` is the correlation (Pearson's) of the two images' gradients of the brightness,
    mean over the pairs: 1 if all edges stay in place, 0 if none does.  An image without any edge
    counts as 0.  ``color-shift`` is the mean of |ΔU| and |ΔV| over pixels and pairs, with R, G and
    B in [0, 1]; brightness does not count.

    A photo that is smaller by a whole factor is enlarged first, by bicubic interpolation.

    Both are likeness, not quality: a good drawing sacrifices some of it for its style, and the
    photo itself has the best possible scores.  Read them beside a score of the style.
    """

    higher_is_better: ClassVar = {"edges-kept": True, "color-shift": False}
    # beside the wrong photo, real drawings are not more alike than one of them
    blind: ClassVar = {
        "edges-kept": ("lightly-blurred", "blurred", "repeated", "photo"),
        "color-shift": ("lightly-blurred", "blurred", "repeated", "photo"),
    }

    def __init__(self) -> None:
        self._pairs = 0
        self._sum = self._shift = 0.0

    def pair(self, photo: Tensor, fake: Tensor) -> None:
        """Compare (N, 3, H, W) with (N, 3, k H, k W) for a whole k; DataError for other sizes."""
        scale = fake.shape[3] // photo.shape[3]
        if scale > 1 and fake.shape[2] == scale * photo.shape[2]:
            photo = interpolate(photo, scale_factor=scale, mode="bicubic", antialias=True)
            photo = photo.clamp(-1, 1)
        if photo.shape != fake.shape:
            raise DataError(
                f"the photos are {_size(photo)} and what was made from them is {_size(fake)}, so "
                f"edges-kept and color-shift cannot compare them. Give a size that the generator "
                f"keeps, such as a multiple of 16."
            )
        edges = [gradient(image).flatten(1) for image in (photo, fake)]
        before, after = (flat - flat.mean(1, keepdim=True) for flat in edges)
        self._pairs += len(fake)
        self._sum += cosine_similarity(before, after).sum().item()
        self._shift += (yuv(fake) - yuv(photo))[:, 1:].abs().mean((1, 2, 3)).sum().item()

    def compute(self) -> dict[str, float]:
        """Both scores; raises DataError without any pair."""
        if not self._pairs:
            raise DataError("edges-kept and color-shift want at least one pair. Give photos.")
        return {
            "edges-kept": self._sum / self._pairs,
            "color-shift": self._shift / self._pairs,
        }


def _size(image: Tensor) -> str:
    return f"{image.shape[3]}x{image.shape[2]} pixels"
