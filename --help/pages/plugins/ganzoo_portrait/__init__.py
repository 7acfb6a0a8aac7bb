"""Losses for portraits, one paper per file: content, style, gray, color, landmarks, smoothness."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganzoo import hookimpl

if TYPE_CHECKING:
    from ganzoo.hookspecs import Register


@hookimpl
def register_losses(register: Register) -> None:
    """Add the losses that keep a portrait's content, colours and face, and those that draw it."""
    register("content", "ganzoo_portrait.content:Content")
    register("style", "ganzoo_portrait.style:Style")
    register("gray", "ganzoo_portrait.gray:Gray")
    register("color", "ganzoo_portrait.color:Color")
    register("landmark", "ganzoo_portrait.landmark:Landmark")
    register("total-variation", "ganzoo_portrait.total_variation:TotalVariation")
