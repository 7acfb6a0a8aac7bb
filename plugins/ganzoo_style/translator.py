"""Neural style as a translator without weights, so that benchmarks compare it with GANs."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Literal

import torch
from annotated_types import Ge
from torch import Tensor

from ganzoo import component
from ganzoo.interfaces import Extractor, Generator
from ganzoo_style import transfer
from ganzoo_style.objective import Eyes, Objective, Weights

#: Adam's rate; the usual one is for single pictures and more steps
RATE = 0.02


class Gatys(Generator):
    """Draws each photo in the style of a drawing, by searching its pixels (Gatys 2016).

    The drawing is the one of ``count`` whose Gram matrices are nearest to the photo's.  All photos
    of a batch are searched at once, by Adam; what happens to one depends on no other.

    Args:
        drawings: Where drawings come from: ``avatars``, or ``heads`` for drawn heads.
        count: How many drawings there are to choose from.
        extractor: The network that sees style.
        steps: Steps of the search.
    """

    tileable = False

    def __init__(
        self,
        drawings: Literal["avatars", "heads"] = "avatars",
        count: Annotated[int, Ge(1)] = 32,
        extractor: str = "efficientnet-lite0",
        steps: Annotated[int, Ge(1)] = 20,
    ):
        super().__init__()
        self.drawings, self.count, self.extractor, self.steps = drawings, count, extractor, steps
        self._drawn: dict[tuple[int, str], tuple[Tensor, Objective]] = {}

    def forward(self, photo: Tensor) -> Tensor:
        """(N, 3, H, W) to drawings of the same size."""
        device = photo.device.type
        with (
            torch.inference_mode(False),
            torch.enable_grad(),
            torch.autocast(device, enabled=False),
        ):
            source = photo.detach().clone().float()
            network, eyes = self._network
            network = network.to(source.device)
            drawings, likeness = self._styles(max(source.shape[2:]), photo.device)
            nearest = [int(likeness(one)["style"].argmin()) for one in source.split(1)]
            objective = Objective(network, eyes, source, [(drawings[nearest], 1.0)], Weights())
            spectrum = transfer.Spectrum(source)
            tool = torch.optim.Adam([spectrum.values], lr=RATE)
            for _ in range(self.steps):
                tool.zero_grad()
                torch.stack(list(objective(spectrum.image()).values())).sum().backward()
                tool.step()
            return spectrum.image().detach().clamp(-1, 1).to(photo.dtype)

    @cached_property  # no submodule: its weights are not the model's
    def _network(self) -> tuple[Extractor, Eyes]:
        return transfer.load_extractor(self.extractor)

    def _styles(self, size: int, device: torch.device) -> tuple[Tensor, Objective]:
        """Return the drawings (count, 3, size, size), and what compares a photo with each."""
        size = min(512, max(32, size))
        if (size, device.type) not in self._drawn:
            data = component("dataset", self.drawings, count=self.count, size=size)
            data.prepare()
            drawings = torch.stack([data[index]["real"] for index in range(self.count)]).to(device)
            network, eyes = self._network
            likeness = Objective(network, eyes, drawings, [(drawings, 1.0)], Weights())
            self._drawn[size, device.type] = drawings, likeness
        return self._drawn[size, device.type]
