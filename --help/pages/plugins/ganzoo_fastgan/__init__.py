"""A light FastGAN: skip-layer excitation, and a discriminator that also learns to reconstruct."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganzoo import hookimpl

if TYPE_CHECKING:
    from ganzoo.hookspecs import Register


@hookimpl
def register_generators(register: Register) -> None:
    register("fastgan", "ganzoo_fastgan.networks:FastGANGenerator")


@hookimpl
def register_discriminators(register: Register) -> None:
    register("fastgan", "ganzoo_fastgan.networks:FastGANDiscriminator")


@hookimpl
def register_losses(register: Register) -> None:
    """Add the discriminator's second task."""
    register("reconstruction", "ganzoo_fastgan.networks:Reconstruction")
