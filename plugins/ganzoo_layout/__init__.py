"""Scenes from layouts and attributes: AL-CGAN."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganzoo import hookimpl

if TYPE_CHECKING:
    from ganzoo.hookspecs import Register


@hookimpl
def register_generators(register: Register) -> None:
    """Add the generator of layouts, labels and noise."""
    register("al-cgan", "ganzoo_layout.networks:ALCGANGenerator")


@hookimpl
def register_discriminators(register: Register) -> None:
    """Add the critic with a branch for the image and one for the conditions."""
    register("al-cgan", "ganzoo_layout.networks:ALCGANDiscriminator")


@hookimpl
def register_transforms(register: Register) -> None:
    """Add what pairs images with the conditions of others."""
    register("roll", "ganzoo_layout.mismatch:Roll")


@hookimpl
def register_evaluators(register: Register) -> None:
    """Add the overlap of an image's parts with its layout."""
    register("layout-iou", "ganzoo_layout.overlap:LayoutIoU")
