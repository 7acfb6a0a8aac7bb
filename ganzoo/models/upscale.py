"""Enlarge pictures with the upscaler that comes with ganzoo."""

from __future__ import annotations

import torch
from torch import Tensor

from ganzoo.errors import RunError
from ganzoo.interfaces import Generator
from ganzoo.models import config as configs
from ganzoo.models.folder import CONFIG
from ganzoo.models.precision import inference_format
from ganzoo.models.roles import network
from ganzoo.models.tiling import Pixels
from ganzoo.models.translate import Translator
from ganzoo.plugins.manager import installed
from ganzoo.plugins.shipped import shipped_models

UPSCALER = "ganzoo/upscaler"


class Upscaler:
    """Enlarges pictures ``times`` as high and wide; RunError if no model can."""

    def __init__(self, times: int, device: torch.device):
        folder = shipped_models()[UPSCALER]
        config = configs.read(folder / CONFIG)
        if times != config.output.scale:
            raise RunError(
                f"upscale {times}: {UPSCALER} enlarges {config.output.scale} times. Train another "
                "with recipe srgan, for `ganzoo translate`."
            )
        generator = network("generator", config, folder, installed().registry)
        assert isinstance(generator, Generator)  # ``Entry.load`` checks this
        self.times = times
        self._translator = Translator(generator, device, inference_format(generator, device))

    def __call__(self, pixels: Pixels) -> Pixels:
        """Enlarge a picture uint8 (H, W, 3)."""
        return self._translator(pixels)

    def batch(self, pictures: Tensor) -> Tensor:
        """Enlarge pictures uint8 (n, 3, H, W)."""
        large = [torch.from_numpy(self(one.permute(1, 2, 0).numpy())) for one in pictures]
        return torch.stack(large).permute(0, 3, 1, 2)
