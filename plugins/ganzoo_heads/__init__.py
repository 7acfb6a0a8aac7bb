"""Heads: photo-like faces of people who do not exist, and their drawn twins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganzoo import hookimpl

if TYPE_CHECKING:
    from ganzoo.hookspecs import Register


@hookimpl
def register_datasets(register: Register) -> None:
    """Photo-like heads and the same drawn."""
    register("heads", "ganzoo_heads.heads:Heads")


@hookimpl
def register_evaluators(register: Register) -> None:
    """Whether a drawn face's landmarks are where they belong."""
    register("landmark-truth", "ganzoo_heads.landmark_truth:LandmarkTruth")
