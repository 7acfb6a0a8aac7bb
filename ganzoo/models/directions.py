"""Find directions in the latent space of any generator from noise, without labels or training.

A direction matters if a step along it changes the generator's first layer much.  With J the layer's
Jacobian, the directions are the eigenvectors of the mean of JᵀJ over latents, largest eigenvalue
first.  If the first layer is linear in a normal latent, as in DCGAN, they are at once the
principal components of the layer's output, mapped back to latents (Härkönen et al. 2020, GANSpace,
https://arxiv.org/abs/2004.02546, section 2.1), and SeFa's closed form (Shen and Zhou 2021,
https://arxiv.org/abs/2007.06600, equation 7): both papers have the eigenvectors of AᵀA for a layer
Az + b.  The mean extends this to generators that bend the latent before their first layer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ganzoo.errors import RunError
from ganzoo.interfaces import Generator
from ganzoo.models import samples
from ganzoo.models.network import anchor

#: latents at which the Jacobian is taken; one is enough for a linear layer
_POINTS = 4
#: half the step of its differences, and latents that give the standard deviation
_STEP, _DRAWS = 0.05, 1024


@dataclass(frozen=True)
class Directions:
    """Directions of a model's latents, the one that changes most first.

    ``vectors`` are float (k, ...), each of the shape of a latent and as long as the standard
    deviation of latents, so that 2 times one is a large step.  ``shares`` (k,) say how much of the
    layer's change is along each, and sum to 1.  ``layer`` is the first layer's name in the network.
    """

    vectors: Tensor
    shares: Tensor
    layer: str

    def __len__(self) -> int:
        """The number of directions: as many as a latent has numbers."""
        return len(self.vectors)


class _Done(Exception):
    """Ends a forward pass after the first layer."""


@torch.no_grad()
def directions(generator: Generator) -> Directions:
    """Find the directions of a generator from noise, on its device; raises RunError if it has none.

    They are the same for every call, and come on the CPU.
    """
    if needed := samples.needed(generator):
        raise RunError(
            f"directions are of models that draw from noise and labels alone: this one reads "
            f"{' and '.join(needed)} too."
        )
    was_training = generator.training
    generator.eval()
    try:
        points = samples.inputs(generator, _POINTS, 0, {})
        name, layer = _first_layer(generator, points)
        latents = points.pop("latent")
        steps = torch.eye(latents[0].numel()).unflatten(1, latents.shape[1:]) * _STEP
        total = torch.zeros(len(steps), len(steps), dtype=torch.float64)
        for index, latent in enumerate(latents):
            others = {word: value[index : index + 1] for word, value in points.items()}
            ends = [_output(generator, layer, latent + sign * steps, others) for sign in (1, -1)]
            jacobian = (ends[0] - ends[1]).flatten(1).double() / (2 * _STEP)
            total += jacobian @ jacobian.T
    finally:
        generator.train(was_training)
    values, vectors = torch.linalg.eigh(total)
    values, vectors = values.flip(0).clamp(min=0), vectors.flip(1).T
    largest = vectors.gather(1, vectors.abs().argmax(1, keepdim=True))
    deviation = samples.latents(generator, 0, _DRAWS).std()
    vectors = (vectors * largest.sign()).float() * deviation
    return Directions(vectors.reshape(steps.shape), (values / values.sum()).float(), name)


def edit(vectors: Tensor | None, truncation: float, amounts: Mapping[int, float]) -> samples.Edit:
    """Return a function that shrinks latents (n, ...), then moves them along ``vectors`` (k, ...).

    ``amounts`` say how far, by number.  Raises RunError for a truncation outside [0, 1] or an
    unknown direction.
    """
    if not 0 <= truncation <= 1:
        raise RunError(f"truncation {truncation}: it goes from 0, all alike, to 1, the usual.")
    shift = torch.zeros(())
    for number, amount in amounts.items():
        assert vectors is not None  # a model has them
        if not isinstance(number, int) or not 0 <= number < len(vectors):
            raise RunError(
                f"direction {number}: this model's are 0 to {len(vectors) - 1}. `ganzoo "
                "directions` draws them."
            )
        if not math.isfinite(amount):
            raise RunError(f"direction {number}={amount}: go a finite way, such as 2.")
        shift = shift + amount * vectors[number]
    return lambda latents: latents * truncation + shift


def _first_layer(generator: Generator, points: dict[str, Tensor]) -> tuple[str, nn.Module]:
    """Return the first module with parameters of its own whose output depends on the latent."""
    alike = {word: value[:1].expand_as(value) for word, value in points.items()}
    alike["latent"] = points["latent"]
    finished: list[tuple[str, nn.Module, Any]] = []
    hooks = [
        module.register_forward_hook(
            lambda module, _, output, name=name: finished.append((name, module, output))
        )
        for name, module in generator.named_modules()
        if next(module.parameters(recurse=False), None) is not None
    ]
    try:
        generator(**_placed(generator, alike))
    finally:
        for hook in hooks:
            hook.remove()
    for name, module, output in finished:
        is_batch = isinstance(output, Tensor) and len(output) == len(points["latent"])
        if is_batch and not torch.equal(output[:1].expand_as(output), output):
            return name or type(generator).__name__, module
    raise RunError("no layer of this generator depends on its latent, so it has no directions.")


def _output(
    generator: Generator, layer: nn.Module, latents: Tensor, others: dict[str, Tensor]
) -> Tensor:
    """Return what ``layer`` makes of latents (n, ...), float (n, ...) on the CPU."""
    results: list[Tensor] = []

    def stop(*arguments: Any) -> None:
        results.append(arguments[-1].float().cpu())
        raise _Done

    words = {word: value.expand(len(latents), *value.shape[1:]) for word, value in others.items()}
    hook = layer.register_forward_hook(stop)
    try:
        generator(**_placed(generator, {**words, "latent": latents}))
    except _Done:
        pass
    finally:
        hook.remove()
    return results[0]


def _placed(generator: Generator, words: dict[str, Tensor]) -> dict[str, Tensor]:
    weight = anchor(generator)
    return {
        word: value.to(weight if value.is_floating_point() else weight.device)
        for word, value in words.items()
    }
