"""Peak signal-to-noise ratio of a fake to its real twin.

As papers on super-resolution compute it, on the Y of ITU-R BT.601 (2011): Ledig et al. 2016,
Photo-realistic single image super-resolution using a generative adversarial network,
https://arxiv.org/abs/1609.04802, section 3.1.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from ganzoo_metrics._pairs import PairMean, luma, refuse_unlike

#: equal images would have an infinite ratio; this is of one gray value in ten thousand pixels
_BEST = 100.0
_PEAK = 255.0


class PSNR(PairMean):
    """The peak signal-to-noise ratio of the brightness, in dB, mean over the pairs (Ledig 2016).

    10 log10(255² / MSE) of the digital Y of BT.601, which is 16 for black and 235 for white: Matlab
    and scikit-image compute the same by ``rgb2ycbcr``.  Equal images count as 100 dB.  The dataset
    must be paired: otherwise ``real`` is another picture.
    """

    higher_is_better: ClassVar = {"psnr": True}

    def pair(self, real: Tensor, fake: Tensor, group: Tensor) -> None:
        """Compare (N, 3, H, W) with (N, 3, H, W); raises DataError if the sizes differ."""
        refuse_unlike(real, fake, "psnr")
        error = (luma(fake) - luma(real)).square().mean((1, 2))
        least = _PEAK**2 / 10 ** (_BEST / 10)
        self.add(10 * torch.log10(_PEAK**2 / error.clamp_min(least)), group)
