"""``ganzoo rings``: how much a run has grown, as the rings of a tree tell it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def rings(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder with a diary.")],
) -> None:
    """Count what a run's diary tells."""
    from ganzoo.errors import DataError
    from ganzoo_thicket.diary import NAME, events

    try:
        found = events(run)
    except OSError as error:
        raise DataError(
            f"{run / NAME} cannot be read: {error.strerror}. Give a run that was trained with "
            f"ganzoo-thicket installed."
        ) from error
    for event, count in found.items():
        typer.echo(f"{event:18}{count:>6}")
