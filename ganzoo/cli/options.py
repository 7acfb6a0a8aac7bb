"""Options that several verbs share."""

from __future__ import annotations

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Upscale = Annotated[
    int,
    typer.Option(
        min=1, metavar="N", help="4: pictures four times as high and wide, by ganzoo/upscaler."
    ),
]
