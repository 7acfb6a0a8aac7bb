"""Total variation as AnimeGANv2 has it, Chen, Liu and Chen 2020.

https://github.com/TachibanaYoshino/AnimeGANv2; the idea is Rudin, Osher and Fatemi's, 1992.
"""

from __future__ import annotations

from torch import Tensor

from ganzoo.interfaces import Loss


class TotalVariation(Loss):
    """Smooths the fake: neighbouring pixels should be alike (AnimeGANv2, 2020).

    Squared differences, so ramps cost less than edges.  AnimeGANv2's weight is 1 for Hayao and
    Shinkai, 0.1 for Paprika.
    """

    def generator(self, fake: Tensor) -> Tensor:
        """Half the mean squared difference down the columns, plus the same along the rows."""
        return fake.diff(dim=2).square().mean() / 2 + fake.diff(dim=3).square().mean() / 2
