"""Text to image: pictures of what a text says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganzoo import hookimpl

if TYPE_CHECKING:
    from ganzoo.hookspecs import Register


@hookimpl
def register_encoders(register: Register) -> None:
    """Add the reader of texts, and what guesses labels from what it read."""
    register("text-words", "ganzoo_text.reader:WordEncoder")
    register("text-attributes", "ganzoo_text.reader:NamedAttributes")


@hookimpl
def register_generators(register: Register) -> None:
    """Add the generator of Reed et al. 2016."""
    register("text-dcgan", "ganzoo_text.networks:TextGenerator")


@hookimpl
def register_discriminators(register: Register) -> None:
    """Add the critic of Reed et al. 2016."""
    register("text-dcgan", "ganzoo_text.networks:TextDiscriminator")


@hookimpl
def register_losses(register: Register) -> None:
    """Add the objective of the reader."""
    register("guessing", "ganzoo_text.reader:Guessing")
