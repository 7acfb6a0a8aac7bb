"""What ``export.py`` exports: a network by its role, with inputs to trace and to prove it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim

from ganzoo.errors import RunError
from ganzoo.interfaces import Discriminator, Encoder, Generator
from ganzoo.models import samples
from ganzoo.models.network import RANDOM, reads, stride
from ganzoo.models.randomness import rng

#: In a range of 2, an eighth of one step of an 8-bit picture, so hardly a pixel rounds otherwise.
#: Measured: up to 2e-5 with ONNX Runtime on one core, 0 with torch.export.  CartoonGAN traced with
#: the size of its example is off by more than 1 at other sizes.
TOLERANCE = 1e-3
BATCHES = (1, 3, 8)

Inputs = dict[str, Tensor]


class Task:
    """A network to export, an example input, and inputs for the proof.

    Latents, labels and the size of images are those of ``generator``, if it is none itself.
    """

    def __init__(self, network: nn.Module, generator: Generator | None):
        self.network = network
        drawer = network if isinstance(network, Generator) else generator
        assert drawer is not None
        self.generator = drawer
        #: what the network is, and the name of its output
        self.kind, self.result = "generator", "image"
        if isinstance(network, Encoder):
            self.kind, self.result = "encoder", "code"
        elif isinstance(network, Discriminator):
            self.kind, self.result = "discriminator", "logits"
        self.words = self._words()
        self.images = [word for word in self.words if word not in RANDOM]
        self.free = bool(self.images) and self.generator.size is None
        self.multiple = stride(network) if self.free else 1
        self.module: nn.Module = network if isinstance(network, Generator) else _Inner(network)
        self.any_side = False
        if self.free and isinstance(network, Generator):
            extended = _Extended(network, self.images[0], self.multiple)
            self.any_side = self.multiple == 1 or self._alike(extended, self._odd())
            if self.any_side and self.multiple > 1:
                self.module = extended

    def _words(self) -> list[str]:
        """Return the words to export; raises RunError if a generator needs two images."""
        inputs, label = reads(self.network), self.generator.label
        words = [w for w in inputs.words if w in inputs.required or (w == "label" and label)]
        images = [word for word in words if word not in RANDOM]
        if conditions := samples.needed(self.generator):
            raise RunError(
                f"this generator cannot be exported: it reads {' and '.join(conditions)} of a "
                "user, and only generators from noise or from one image can be."
            )
        if len(images) > 1 and isinstance(self.network, Generator):
            raise RunError(
                f"this generator cannot be exported: it needs {' and '.join(images)}, and only "
                "generators from noise or from one image can be."
            )
        return words

    def example(self) -> Inputs:
        """Inputs for the exporter to trace; no proof has their shapes."""
        return self._inputs(2, 5 * self._unit, 4 * self._unit)

    def proofs(self) -> list[Inputs]:
        """Three batches; if sides are free, a square, a wide and a tall one."""
        if not self.free:
            return [self._inputs(n, 0, 0) for n in BATCHES]
        unit = self._unit
        last = self._odd() if self.any_side else self._inputs(3, 6 * unit, 2 * unit)
        return [self._inputs(1, 4 * unit, 4 * unit), self._inputs(2, 3 * unit, 5 * unit), last]

    def dynamic(self) -> dict[str, Any]:
        """The free dimensions of each input."""
        batch = Dim("batch", min=1)
        shapes: dict[str, Any] = {word: {0: batch} for word in self.words}
        if self.free:
            sides = {2: self._side("height"), 3: self._side("width")}
            for word in self.images:
                shapes[word] |= sides
        return shapes

    def named(self) -> dict[str, Any]:
        shapes: dict[str, Any] = {word: {0: "batch"} for word in self.words}
        if self.free:
            for word in self.images:
                shapes[word] |= {2: "height", 3: "width"}
        return shapes

    def difference(self, made: Tensor, right: Tensor) -> float:
        """Greatest absolute difference; infinite if shapes differ or a value is not finite.

        That of codes and logits, which have no range, is divided by the greatest of them if that
        is above 1.
        """
        if made.shape != right.shape:
            return float("inf")
        greatest = float((made - right).abs().max())
        if not isinstance(self.network, Generator):
            greatest /= max(1.0, float(right.abs().max()))
        return greatest if greatest == greatest else float("inf")

    def inputs(self) -> dict[str, str]:
        """Describe each input by name."""
        return {word: self._about(word) for word in self.words}

    def output(self, made: Tensor) -> str:
        """Describe the output, of which ``made`` is an example."""
        if isinstance(self.network, Generator):
            size, scale = self.network.size, self.network.output_scale
            height, width = (f"{scale} H", f"{scale} W") if scale > 1 else ("H", "W")
            return f"float32 (N, 3, {size or height}, {size or width}): RGB in [-1, 1]"
        meaning = {"encoder": "the code", "discriminator": "raw logits"}[self.kind]
        if self.free and made.ndim > 2:
            return f"float32 of {made.ndim} dimensions, the first N: {meaning}"
        shape = "".join(f", {side}" for side in made.shape[1:]) or ","
        return f"float32 (N{shape}): {meaning}"

    @property
    def _unit(self) -> int:
        """A multiple that makes images of more than a few pixels."""
        return self.multiple * -(-16 // self.multiple)

    def _odd(self) -> Inputs:
        return self._inputs(3, 3 * self._unit + 1, 2 * self._unit + 3)

    def _side(self, name: str) -> Any:
        # A named dimension would have to hold for every size that torch can think of, but torch
        # cannot prove that half of an even side is whole if it is computed with a scale of 0.5.
        least = 2 * self.multiple
        if self.any_side:
            return Dim.DYNAMIC(min=least)
        return self.multiple * Dim(f"{name}_by_{self.multiple}", min=2)

    def _alike(self, other: nn.Module, inputs: Inputs) -> bool:
        """Whether another network agrees on ``inputs``; no if either refuses them."""
        try:
            return self.difference(other(**inputs), self.network(**inputs)) <= TOLERANCE
        except Exception:  # plugins raise anything for sides that they do not take
            return False

    def _inputs(self, n: int, height: int, width: int) -> Inputs:
        generator, inputs = self.generator, dict[str, Tensor | None]()
        sides = (height, width) if self.free else (generator.size or 0,) * 2
        for word in self.words:
            if word == "latent":
                inputs[word] = samples.latents(generator, 0, n)
            elif word == "label":
                inputs[word] = samples.labels(generator, 0, n, {})
            else:
                inputs[word] = torch.rand(n, 3, *sides, generator=rng(0, word)) * 2 - 1
        return {word: value for word, value in inputs.items() if value is not None}

    def _about(self, word: str) -> str:
        if word == "latent":
            latents = samples.latents(self.generator, 0, 256)
            shape = ", ".join(map(str, latents.shape[1:]))
            return (
                f"float32 (N, {shape}): noise, in 256 draws from {latents.min():.1f} to "
                f"{latents.max():.1f}, mean {latents.mean():.2f}, standard deviation "
                f"{latents.std():.2f}"
            )
        if word == "label":
            labels = self.generator.label or {}
            rows = [f"{name} ({', '.join(values)})" for name, values in labels.items()]
            return f"int64 (N, {len(rows)}): the index, from 0, of {'; '.join(rows)}"
        if not self.free:
            side = self.generator.size
            return f"float32 (N, 3, {side}, {side}): RGB in [-1, 1]"
        of = "" if self.any_side else f"multiples of {self.multiple}, "
        return f"float32 (N, 3, H, W): RGB in [-1, 1]; H and W {of}at least {2 * self.multiple}"


class _Inner(nn.Module):
    """A network inside another: torch's graphs have attributes, such as ``code``, of their own."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

        def forward(**inputs: Tensor) -> Tensor:
            output: Tensor = self.network(**inputs)
            return output

        forward.__signature__ = inspect.signature(network.forward)  # type: ignore[attr-defined]
        self.forward = forward


class _Extended(nn.Module):
    """A generator that mirrors its image at the right and the bottom, up to multiples.

    A traced network only handles sides like those of its example.  Rows and columns are picked by
    index, so that torch can see that their number is a multiple.
    """

    def __init__(self, generator: Generator, image: str, multiple: int):
        super().__init__()
        self.generator, self.image, self.multiple = generator, image, multiple
        # its own function, because inputs are passed by the names in the signature
        self.forward = self._with_signature(inspect.signature(generator.forward))

    def _with_signature(self, signature: inspect.Signature) -> Callable[..., Tensor]:
        def forward(**inputs: Tensor) -> Tensor:
            photo = inputs[self.image]
            height, width = photo.shape[-2:]
            photo = photo.index_select(2, self._mirrored(height))
            photo = photo.index_select(3, self._mirrored(width))
            image: Tensor = self.generator(**{**inputs, self.image: photo})
            height, width = (side * self.generator.output_scale for side in (height, width))
            return image.index_select(2, torch.arange(height)).index_select(3, torch.arange(width))

        forward.__signature__ = signature  # type: ignore[attr-defined]
        return forward

    def _mirrored(self, side: int) -> Tensor:
        index = torch.arange((side + self.multiple - 1) // self.multiple * self.multiple)
        return (side - 1) - (index - (side - 1)).abs()
