"""Neural style as a translator without weights, so that a benchmark can compare it with GANs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Annotated, Any, Literal

import torch
from annotated_types import Ge
from torch import Tensor

from ganzoo.interfaces import Generator
from ganzoo_style.objective import Objective, Weights
from ganzoo_style.transfer import RATE, Spectrum, load_extractor


class Gatys(Generator):
    """Draws each photo in the mean style of some drawings, by searching its pixels (Gatys 2016).

    The drawings are the first of a dataset that is made offline.  Adam searches, all photos of a
    batch at once: what it does to one depends on no other.  It takes seconds for a picture.

    Args:
        drawings: ``avatars`` in style toon-head, or ``heads``, anime twins of rendered heads.
        count: How many drawings make up the style.
        extractor: The network that sees style.
        steps: Steps of the search.
        strength: The style's weight, in the usual one.
    """

    tileable = False

    def __init__(
        self,
        drawings: Literal["avatars", "heads"] = "avatars",
        count: Annotated[int, Ge(1)] = 8,
        extractor: str = "efficientnet-lite0",
        steps: Annotated[int, Ge(1)] = 60,
        strength: Annotated[float, Ge(0)] = 1.0,
    ):
        super().__init__()
        self.drawings, self.count, self.extractor = drawings, count, extractor
        self.steps, self.strength = steps, strength
        self._styles: dict[int, Sequence[Tensor]] = {}

    @cached_property
    def _eyes(self) -> Any:
        return load_extractor(self.extractor)

    def _style(self, size: int) -> Sequence[Tensor]:
        """Return the drawings at a size, each (1, 3, size, size)."""
        if size not in self._styles:
            from ganzoo import component

            data = component("dataset", self.drawings, count=self.count, size=size)
            data.prepare()
            self._styles[size] = [data[index]["real"][None] for index in range(self.count)]
        return self._styles[size]

    def forward(self, photo: Tensor) -> Tensor:
        """(N, 3, H, W) to drawings of the same size."""
        network, eyes = self._eyes
        network = network.to(photo.device)
        source = photo.detach().float()
        size = min(512, max(32, *source.shape[2:]))
        styles = [(one.to(source), 1.0) for one in self._style(size)]
        weights = Weights(style=Weights.style * self.strength)
        with torch.enable_grad(), torch.autocast(photo.device.type, enabled=False):
            objective = Objective(network, eyes, source, styles, weights)
            spectrum = Spectrum(source)
            tool = torch.optim.Adam([spectrum.values], lr=RATE)
            for _ in range(self.steps):
                tool.zero_grad()
                torch.stack(list(objective(spectrum.image()).values())).sum().backward()
                tool.step()
        return spectrum.image().detach().clamp(-1, 1).to(photo)
