"""Structural similarity of a fake and its real twin.

Wang, Bovik, Sheikh and Simoncelli 2004, Image quality assessment: from error visibility to
structural similarity, https://doi.org/10.1109/TIP.2003.819861, section III.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from ganzoo_metrics._pairs import PairMean, luma, refuse_unlike

WINDOW, SIGMA = 11, 1.5
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


class SSIM(PairMean):
    """Structural similarity of the brightness, mean over all windows and pairs (Wang 2004).

    On the digital Y of BT.601, as ``psnr``; Gaussian windows of 11x11 pixels and sigma 1.5, that
    lie in the image as a whole; K is 0.01 and 0.03.  1 is best.  The dataset must be paired:
    otherwise ``real`` is another picture.
    """

    higher_is_better: ClassVar = {"ssim": True}

    def pair(self, real: Tensor, fake: Tensor, group: Tensor) -> None:
        """Compare (N, 3, H, W) with (N, 3, H, W).

        Raises DataError if the sizes differ, or a side has fewer than 11 pixels.
        """
        refuse_unlike(real, fake, "ssim", WINDOW)
        x, y = luma(real), luma(fake)
        mx, my, xx, yy, xy = (_blurred(field) for field in (x, y, x * x, y * y, x * y))
        xx, yy, xy = xx - mx * mx, yy - my * my, xy - mx * my
        alike = (2 * mx * my + C1) * (2 * xy + C2)
        self.add((alike / ((mx * mx + my * my + C1) * (xx + yy + C2))).mean((1, 2)), group)


def _blurred(field: Tensor) -> Tensor:
    """Average (N, H, W) over the windows: (N, H - 10, W - 10)."""
    steps = torch.arange(WINDOW, dtype=field.dtype) - WINDOW // 2
    kernel = torch.exp(-(steps**2) / (2 * SIGMA**2))
    kernel = (kernel / kernel.sum()).reshape(1, 1, 1, -1)
    return conv2d(conv2d(field[:, None], kernel), kernel.mT)[:, 0]
