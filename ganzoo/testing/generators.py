"""The promises of generators."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ganzoo.testing.attempt import attempt
from ganzoo.testing.cases import BATCHES, MOST, cases
from ganzoo.testing.networks import PROMISES, Promise, batch_mates_do_not_matter
from ganzoo.testing.subject import Subject, seed, told


def promises(subject: Subject) -> list[Promise]:
    """Return the promises of a generator."""
    latents = [draws_latents] if "latent" in subject.needs("forward") else []
    return [draws_images, *latents, batch_mates_do_not_matter, *PROMISES]


def draws_images(subject: Subject) -> None:
    """It draws finite images in [-1, 1], at every size and batch."""
    for case in cases(subject, MOST):
        network = case.build()
        for n, training in BATCHES:
            words = case.words(network.train(training), n)
            with torch.no_grad():
                images = case.run(network, words)
            size = network.size or network.output_scale * case.size
            finding = f"forward gives {told({'images': images})} of {told(words)}, {case}"
            if not isinstance(images, Tensor):
                raise AssertionError(f"forward gives a {type(images).__name__}, {case}.")
            if images.shape != (n, 3, size, size):
                raise AssertionError(f"{finding}: not ({n}, 3, {size}, {size}).")
            if images.dtype != torch.float32:
                raise AssertionError(f"{finding}, as {images.dtype}: not torch.float32.")
            if not images.isfinite().all():
                raise AssertionError(f"{finding}: some are NaN or infinite.")
            if not images.abs().max() <= 1:
                raise AssertionError(
                    f"{finding}, with values from {images.min():.3g} to {images.max():.3g}: images "
                    "are in [-1, 1]. End with a tanh."
                )
        if images.min() >= 0:
            raise AssertionError(
                f"{finding}, and no value is below 0: images are in [-1, 1]. Is there a sigmoid at "
                "its end? End with a tanh."
            )
        if subject.parameter("size"):
            if network.size not in (None, case.size):
                raise AssertionError(f"its size is {network.size}, {case}.")
        elif "latent" in subject.needs("forward") and not network.size:
            raise AssertionError("its images are always of one size: set `self.size` to it.")
        if bool(network.label) != case.has_labels:
            raise AssertionError(
                f"its label is {network.label!r}, {case}: set `self.label` to what it was built "
                "with."
            )


def draws_latents(subject: Subject) -> None:
    """Its latents come from the given randomness alone."""
    for case in cases(subject):
        network = case.build()
        seed(0)
        state = torch.get_rng_state()
        one, same, other = (_latents(network, salt) for salt in (1, 1, 2))
        if not isinstance(one, Tensor):
            raise AssertionError(f"sample_latent gives a {type(one).__name__}.")
        if not one.ndim or len(one) != 4:
            raise AssertionError(f"sample_latent(4, rng) gives {tuple(one.shape)}: not (4, ...).")
        if one.device.type != "cpu":
            raise AssertionError(
                f"sample_latent gives latents on {one.device}: they are drawn on the CPU, so that "
                "a seed gives the same images everywhere."
            )
        if not torch.equal(one, same):
            raise AssertionError(
                "sample_latent gives other latents from an equal rng: pass it on as generator=rng."
            )
        if torch.equal(one, other):
            raise AssertionError("sample_latent gives the same latents from any rng.")
        if not torch.equal(state, torch.get_rng_state()):
            raise AssertionError(
                "sample_latent draws from torch's default generator: pass rng on as generator=rng."
            )


def _latents(network: Any, salt: int) -> Any:
    rng = torch.Generator().manual_seed(salt)
    return attempt("sample_latent(4, rng)", network.sample_latent, 4, rng)
