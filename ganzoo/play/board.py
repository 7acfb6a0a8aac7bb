"""The leaderboard's tables for the page, and which rows have a model here that can be played."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from PIL import Image

from ganzoo.errors import RunError
from ganzoo.evaluation.leaderboard import all_standings, heading, origin, raised, reading, scales_of
from ganzoo.evaluation.places import IN_RUN, entry_folders
from ganzoo.evaluation.result import read_entry
from ganzoo.evaluation.standings import Row
from ganzoo.formats.page import render
from ganzoo.models.pictures import jpeg, opened
from ganzoo.play.shelf import Offer, Shelf

#: the side of a row's picture on the page, in pixels
_SIDE = 132
#: most entries of a model that are looked at
_ENTRIES = 50


def benchmarks() -> list[str]:
    """List the benchmarks that have entries."""
    return [board.benchmark for board in all_standings(entry_folders())]


def table(shelf: Shelf, benchmark: str) -> str:
    """Write the tables of a benchmark as HTML; raises RunError if it has no entries."""
    (board,) = all_standings(entry_folders(), benchmark)
    here = _playable(shelf.offers().values())
    rows = [row for table in board.tables for row in table.rows]
    return render(
        "play/board.html",
        board=board,
        here={row.entry.model.name: _name(row, here) for row in rows},
        thumbs={row.picture: thumb for row in rows if (thumb := _thumb(row))},
        heading=heading,
        origin=origin,
        raised=raised,
        reading=reading,
        scales_of=scales_of,
    )


def _name(row: Row, here: dict[str, str]) -> str:
    return here.get(row.entry.model.weights_sha256 or "", "")


def _playable(offers: Iterable[Offer]) -> dict[str, str]:
    """Map the hash of weights to the name of the model here that has them, as its entries say."""
    names: dict[str, str] = {}
    for offer in offers:
        run = offer.folder.parent / IN_RUN if offer.folder.name in ("model", "best") else None
        paths = [*offer.folder.glob("entries/*.json"), *(run.glob("*/*.json") if run else ())]
        for path in paths[:_ENTRIES]:
            with suppress(RunError):
                if weights := read_entry(path).model.weights_sha256:
                    names.setdefault(weights, offer.name)
    return names


def _thumb(row: Row) -> str:
    """Return the address of the first samples of a row; empty without any."""
    sheet = opened(row.picture)
    if sheet is None:
        return ""
    size = row.entry.record.get("size")
    if isinstance(size, int) and 0 < size < min(sheet.size):
        cells = 2 if size <= _SIDE else 1
        side = cells * (size + 2) + 2  # the gap of samples.grid
        sheet = sheet.crop((0, 0, min(side, sheet.width), min(side, sheet.height)))
    sheet.thumbnail((2 * _SIDE, 2 * _SIDE), Image.Resampling.LANCZOS)
    return jpeg(sheet)
