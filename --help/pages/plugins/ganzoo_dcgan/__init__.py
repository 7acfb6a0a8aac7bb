"""DCGAN, as its authors wrote it and as in the PyTorch tutorial, with its checkpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganzoo import hookimpl

if TYPE_CHECKING:
    from ganzoo.hookspecs import Register


@hookimpl
def register_generators(register: Register) -> None:
    register("dcgan", "ganzoo_dcgan.networks:DCGANGenerator")


@hookimpl
def register_discriminators(register: Register) -> None:
    register("dcgan", "ganzoo_dcgan.networks:DCGANDiscriminator")


@hookimpl
def register_importers(register: Register) -> None:
    """Add the reader of the tutorial's checkpoints."""
    register("dcgan-pytorch", "ganzoo_dcgan.importer:DCGANImporter")
