"""CartoonGAN: its networks, its loss, and its authors' weights; AnimeGAN's generator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganzoo import hookimpl

if TYPE_CHECKING:
    from ganzoo.hookspecs import Register


@hookimpl
def register_generators(register: Register) -> None:
    """Add the generators of CartoonGAN and of its successor."""
    register("cartoongan", "ganzoo_cartoongan.networks:CartoonGANGenerator")
    register("animegan", "ganzoo_cartoongan.animegan:AnimeGANGenerator")


@hookimpl
def register_discriminators(register: Register) -> None:
    register("cartoongan-patch", "ganzoo_cartoongan.networks:CartoonGANDiscriminator")


@hookimpl
def register_losses(register: Register) -> None:
    """Add the term for cartoons with smoothed edges."""
    register("edge-promoting", "ganzoo_cartoongan.edge_promoting:EdgePromoting")


@hookimpl
def register_importers(register: Register) -> None:
    """Add the reader of the authors' weights."""
    register("cartoongan-npy", "ganzoo_cartoongan.importer:CartoonGANImporter")
