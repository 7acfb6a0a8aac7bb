"""SRGAN: enlarge images, by a residual network, a critic, and the features of another network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganzoo import hookimpl

if TYPE_CHECKING:
    from ganzoo.hookspecs import Register


@hookimpl
def register_generators(register: Register) -> None:
    """Add SRResNet, and bicubic interpolation, which it has to beat."""
    register("bicubic", "ganzoo_srgan.bicubic:Bicubic")
    register("srgan", "ganzoo_srgan.networks:SRResNet")


@hookimpl
def register_discriminators(register: Register) -> None:
    """Add SRGAN's critic."""
    register("srgan", "ganzoo_srgan.networks:SRGANDiscriminator")
