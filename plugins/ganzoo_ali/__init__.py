"""Adversarially learned inference: an encoder that learns beside the generator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganzoo import hookimpl

if TYPE_CHECKING:
    from ganzoo.hookspecs import Register


@hookimpl
def register_encoders(register: Register) -> None:
    """Add the encoder."""
    register("ali", "ganzoo_ali.networks:ALIEncoder")


@hookimpl
def register_generators(register: Register) -> None:
    """Add the decoder."""
    register("ali", "ganzoo_ali.networks:ALIGenerator")


@hookimpl
def register_discriminators(register: Register) -> None:
    """Add the critic of pairs."""
    register("ali", "ganzoo_ali.networks:ALIDiscriminator")


@hookimpl
def register_losses(register: Register) -> None:
    """Add the objective."""
    register("ali", "ganzoo_ali.networks:ALI")
