"""pix2pix: a U-Net, a critic of patches that sees the source image, and the loss of pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganzoo import hookimpl

if TYPE_CHECKING:
    from ganzoo.hookspecs import Register


@hookimpl
def register_generators(register: Register) -> None:
    """Add the U-Net."""
    register("lite0-unet", "ganzoo_pix2pix.lite0_unet:Lite0UNet")
    register("pix2pix-unet", "ganzoo_pix2pix.networks:UNetGenerator")


@hookimpl
def register_discriminators(register: Register) -> None:
    """Add the critic of patches, which sees the image and its source."""
    register("pix2pix-patch", "ganzoo_pix2pix.networks:ConditionalPatchDiscriminator")


@hookimpl
def register_losses(register: Register) -> None:
    """Add the distance from the true image, pixel by pixel."""
    register("pixels", "ganzoo_pix2pix.pixels:Pixels")
