"""CycleGAN: its networks and its pool of past fakes; local critics of a face's parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganzoo import hookimpl

if TYPE_CHECKING:
    from ganzoo.hookspecs import Register


@hookimpl
def register_generators(register: Register) -> None:
    """Add the residual generator."""
    register("cyclegan", "ganzoo_cyclegan.networks:ResidualGenerator")


@hookimpl
def register_discriminators(register: Register) -> None:
    """Add the critic of patches with its pool, and the critics of eyes, nose and mouth."""
    register("cyclegan-patch", "ganzoo_cyclegan.networks:PatchDiscriminator")
    register("face-parts", "ganzoo_cyclegan.face_parts:FacePartsDiscriminator")


@hookimpl
def register_losses(register: Register) -> None:
    """Add least squares on past fakes."""
    register("lsgan-history", "ganzoo_cyclegan.history:LeastSquaresHistory")
