"""Face detectors, and the command that cuts aligned faces out of photos."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganzoo import hookimpl

if TYPE_CHECKING:
    import typer

    from ganzoo.hookspecs import Register


@hookimpl
def register_detectors(register: Register) -> None:
    """A small cascade, and convolutional networks whose weights are downloaded."""
    register("lbp", "ganzoo_faces.lbp:Lbp")
    register("face-alignment", "ganzoo_faces.face_alignment_detectors:FaceAlignment")


@hookimpl
def register_commands(cli: typer.Typer) -> None:
    from ganzoo_faces.command import faces
    from ganzoo_folders.commands import add_to_data

    add_to_data(cli, faces)
