"""Figurines: avatars paired with their photo-like twins in clay."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganzoo import hookimpl

if TYPE_CHECKING:
    from ganzoo.hookspecs import Register


@hookimpl
def register_datasets(register: Register) -> None:
    """Avatars and the same in clay."""
    register("figurines", "ganzoo_figurines.figurines:Figurines")
