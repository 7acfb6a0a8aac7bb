"""The score: do fakes have as much detail of each size as real images?

Paper    yours goes here.  As it stands it compares spectra, where upsampling leaves its traces
         (Durall, Keuper and Keuper 2020, Watch your Up-Convolution, section 3,
         https://arxiv.org/abs/2003.01826).
Shapes   images (N, 3, H, W) in [-1, 1] to one number.
Change   what is summed in ``real`` and ``fake``, and ``compute``.  A method is given what it names:
         ``image``, ``features`` of the benchmark's extractor, or a field of the dataset.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from ganzoo.errors import DataError
from ganzoo.interfaces import Evaluator
from torch import Tensor

SCORE = "acme-spectrum"


class Spectrum(Evaluator):
    """How much of the spectrum of fakes and reals is shared (after Durall 2020).

    The score sums, over the frequencies, the smaller of two shares: that of the frequency in the
    amplitude of the reals, and in that of the fakes. 1 is best; near 0 no frequency is in both.
    Blurred and noisy images score low.  It does not see whether the images are diverse.
    """

    higher_is_better: ClassVar[Mapping[str, bool]] = {SCORE: True}
    blind: ClassVar[Mapping[str, Sequence[str]]] = {SCORE: ("repeated",)}

    def __init__(self) -> None:
        self._real, self._fake = torch.zeros(()).double(), torch.zeros(()).double()

    def real(self, image: Tensor) -> None:
        """Add the spectra of real images (N, 3, H, W)."""
        self._real = self._real + _spectrum(image)

    def fake(self, image: Tensor) -> None:
        """Likewise."""
        self._fake = self._fake + _spectrum(image)

    def compute(self) -> dict[str, float]:
        """The score; raises DataError without a real and a fake image."""
        if not (self._real.any() and self._fake.any()):
            raise DataError(f"{SCORE}: give at least one real and one fake image.")
        shares = [spectrum / spectrum.sum() for spectrum in (self._real, self._fake)]
        return {SCORE: torch.minimum(*shares).sum().item()}


def _spectrum(image: Tensor) -> Tensor:
    """The amplitude of each frequency, summed over images and colours: (H, W // 2 + 1)."""
    amplitude: Tensor = torch.fft.rfft2(image.double()).abs()
    return amplitude.sum((0, 1))
