"""A light R3GAN: residual networks without normalisation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganzoo import hookimpl

if TYPE_CHECKING:
    from ganzoo.hookspecs import Register


@hookimpl
def register_generators(register: Register) -> None:
    register("r3gan", "ganzoo_r3gan.networks:R3GANGenerator")


@hookimpl
def register_discriminators(register: Register) -> None:
    register("r3gan", "ganzoo_r3gan.networks:R3GANDiscriminator")
