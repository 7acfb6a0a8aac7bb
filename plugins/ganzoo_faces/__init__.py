"""Finders of faces: one that works offline, and those of the package face-alignment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganzoo import hookimpl

if TYPE_CHECKING:
    from ganzoo.hookspecs import Register


@hookimpl
def register_detectors(register: Register) -> None:
    """A small cascade, and convolutional networks whose weights are downloaded."""
    register("lbp", "ganzoo_faces.lbp:Lbp")
    register("face-alignment", "ganzoo_faces.face_alignment_detectors:FaceAlignment")
