"""Translate pictures of any size, whole or in tiles.

A picture of more than ``tile * tile`` pixels is computed in overlapping tiles.  Convolutions do not
notice, but instance norm does, so its statistics are shared, which takes one more pass over all
tiles.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import product

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from ganzoo.errors import DataError, RunError
from ganzoo.images import BadImage
from ganzoo.interfaces import Generator
from ganzoo.models.network import RANDOM, anchor, reads
from ganzoo.models.samples import from_uint8, to_uint8
from ganzoo.models.shared_norm import share_norms
from ganzoo.models.tiling import Pixels, patches, spans, tiled

Function = Callable[[Tensor], Tensor]  # photos (N, 3, H, W) to pictures

TILE = 512
_WHOLE = 1 << 30  # no picture is larger


def halve(network: nn.Module) -> None:
    """Prepare for autocast to bf16: cast the weights once and use the faster layout."""
    network.to(memory_format=torch.channels_last)
    for module in network.modules():
        if type(module) in (nn.Conv2d, nn.ConvTranspose2d, nn.Linear):
            module.to(torch.bfloat16)


def image_word(generator: Generator) -> str:
    """Return the name of the generator's photo; RunError if it needs anything else."""
    words = reads(generator).required
    if words in (("latent",), RANDOM):
        raise RunError("this model draws from noise and takes no photo: `ganzoo sample` shows it.")
    if len(words) != 1 or words[0] in RANDOM:
        raise RunError(
            f"this model needs {' and '.join(words) or 'nothing'}; "
            "`translate` gives a photo and nothing else. `ganzoo evaluate` can give it what a "
            "benchmark's dataset has."
        )
    return words[0]


class Translator:
    """Translates pictures of any size, uint8 (H, W, 3): keeps their size, or enlarges them.

    ``compile`` turns a network into a faster function of the same images, such as
    ``openvino.compiler``.  It is called for the generator, and again for every tiled picture, whose
    statistics are then fixed.
    """

    def __init__(
        self,
        generator: Generator,
        device: torch.device,
        precision: str = "fp32",
        tile: int = TILE,
        compile: Callable[[nn.Module], Function] | None = None,
    ):
        self.word = image_word(generator)
        self.size, self.scale, self.device = generator.size, generator.output_scale, device
        self.tile = tile if generator.tileable else _WHOLE
        self._autocast = precision == "bf16"
        self._layout = torch.channels_last if self._autocast else torch.contiguous_format
        self._network, self._norms = share_norms(generator)
        self._network.to(device).eval().requires_grad_(False)
        if self._autocast:
            halve(self._network)
        self._compile = compile
        self._whole = compile(generator) if compile else self._eager

    def tiles(self, height: int, width: int) -> int:
        """Return the number of tiles of a picture."""
        if self.size or height * width <= self.tile**2:
            return 1
        return len(spans(height, self.tile)) * len(spans(width, self.tile))

    def __call__(self, pixels: Pixels) -> Pixels:
        """Translate a picture; the result is ``scale`` times as high and wide.

        Raises BadImage if the generator refuses it.
        """
        height, width = pixels.shape[:2]
        try:
            if self.size:
                side = self.size // self.scale
                square = _run(self._whole, _resized(pixels, side, side), self.scale)
                return _resized(square, self.scale * height, self.scale * width)
            if self.tiles(height, width) == 1:
                return _run(self._whole, pixels, self.scale)
            if self._norms:
                self._fix_statistics(pixels)
            function = self._compile(self._network) if self._compile else self._eager
            run = partial(_run, function, scale=self.scale)
            return tiled(run, pixels, self.tile, self.scale)
        except (RuntimeError, ValueError) as error:
            reason = str(error).strip().splitlines()[0].rstrip(".")
            raise BadImage(f"the generator refuses {width}x{height} pixels: {reason}") from error
        finally:
            for norm in self._norms:
                norm.forget()

    def _fix_statistics(self, pixels: Pixels) -> None:
        """Set the norms' statistics that all tiles share.

        A batch of small patches, which must fit into memory together, misses what lies between
        them.  A pass over all tiles shows how much.  Then the patches are measured again, and each
        layer is corrected by what it had missed.
        """

        def set_mode(mode: str) -> None:
            for norm in self._norms:
                norm.mode = mode

        sample = torch.cat([_tensor(patch) for patch in patches(pixels, self.tile**2)])
        self._eager(sample)
        set_mode("compare")
        for rows, columns in product(*(spans(side, self.tile) for side in pixels.shape[:2])):
            for norm in self._norms:
                norm.part = (*rows.part, *columns.part)
            self._eager(_tensor(pixels[rows.slice, columns.slice]))
        for norm in self._norms:
            norm.correct()
        set_mode("measure")
        self._eager(sample)
        set_mode("keep")

    @torch.inference_mode()
    def _eager(self, photos: Tensor) -> Tensor:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._autocast):
            photos = photos.to(self.device, memory_format=self._layout)
            pictures: Tensor = self._network(**{self.word: photos})
        return pictures.float()


def _run(function: Function, pixels: Pixels, scale: int) -> Pixels:
    picture: Pixels = to_uint8(function(_tensor(pixels)))[0].permute(1, 2, 0).cpu().numpy()
    height, width = pixels.shape[:2]
    if picture.shape != (scale * height, scale * width, 3):
        raise ValueError(f"it makes {picture.shape[1]}x{picture.shape[0]} of them")
    return picture


def _tensor(pixels: Pixels) -> Tensor:
    """Convert (H, W, 3) uint8 to (1, 3, H, W) in [-1, 1]."""
    return from_uint8(torch.tensor(pixels).permute(2, 0, 1)[None])


def _resized(pixels: Pixels, height: int, width: int) -> Pixels:
    if pixels.shape[:2] == (height, width):
        return pixels
    image = Image.fromarray(pixels)
    return np.asarray(image.resize((width, height), Image.Resampling.LANCZOS))


def translate_tensor(generator: Generator, photo: Tensor) -> Tensor:
    """Turn photos, (3, H, W) or (N, 3, H, W), into pictures on the CPU; raises DataError."""
    word, shape = image_word(generator), tuple(photo.shape)
    if len(shape) not in (3, 4) or shape[-3] != 3 or not photo.is_floating_point():
        raise DataError(
            f"translate: expected float (3, H, W) or (N, 3, H, W) in [-1, 1], not "
            f"{photo.dtype} {shape}."
        )
    weight = anchor(generator)
    try:
        with torch.no_grad():  # one by one, as they may be large
            batch = photo.reshape(-1, 1, *shape[-3:]).to(weight)
            outputs = [generator(**{word: one}).float().cpu() for one in batch]
            pictures = torch.cat(outputs)
    except (RuntimeError, ValueError) as error:
        raise DataError(f"translate: the generator refuses {shape}: {error}") from error
    return pictures if len(shape) == 4 else pictures[0]
