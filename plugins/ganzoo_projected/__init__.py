"""A projected discriminator: it judges the features of a frozen network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganzoo import hookimpl

if TYPE_CHECKING:
    from ganzoo.hookspecs import Register


@hookimpl
def register_discriminators(register: Register) -> None:
    """Add the discriminator."""
    register("projected", "ganzoo_projected.discriminator:ProjectedDiscriminator")
