"""The original GAN, of multilayer perceptrons."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganzoo import hookimpl

if TYPE_CHECKING:
    from ganzoo.hookspecs import Register


@hookimpl
def register_generators(register: Register) -> None:
    register("gan", "ganzoo_gan.networks:GANGenerator")


@hookimpl
def register_discriminators(register: Register) -> None:
    register("gan", "ganzoo_gan.networks:GANDiscriminator")
