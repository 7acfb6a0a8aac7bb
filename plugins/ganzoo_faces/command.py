"""``ganzoo data faces``: photos to faces, each upright, of one size and in one place."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

from ganzoo.files import expand, sha256
from ganzoo.text import say

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ganzoo_faces.finding import Tool


class Registered(Protocol):
    """A component, as ``ctx.obj.registry.get`` returns it."""

    kind: str
    name: str
    origin: object

    @property
    def signature(self) -> Any:
        """The constructor's parameters, read without importing it."""

    def load(self) -> Any:
        """Import it."""


#: The remedy for the most frequent reason why no face is usable.
_NEXT = {
    "no face found": "Detectors of photos rarely find profiles, masks, drawings or faces that the "
    "border cuts: choose another --detector ({detectors}), or use the images as they are.",
    "score too low": "Lower --min-score.",
    "face too small": "Give larger photos, a smaller --size, or lower --min-size.",
    "landmarks unsure": "Lower --min-confidence, or leave out --landmarks.",
    "landmarks implausible": "Choose other --landmarks ({landmarks}), or leave them out.",
    "too far outside the picture": "Faces that fill the photo need a smaller --margin; or raise "
    "--max-outside.",
    "cannot be decoded": "Get the files again; `ganzoo data check` tells more.",
    "unreadable": "Change their permissions.",
}


def faces(
    ctx: typer.Context,
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="The photos; folders below it count too.")
    ],
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="A new or empty folder for the faces.")
    ],
    detector: Annotated[
        str, typer.Option(metavar="NAME", help="What finds them; see `ganzoo list`.")
    ] = "lbp",
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=VALUE", help="An argument of the detector; may be repeated."
        ),
    ] = None,
    landmarks: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="An extractor of 68 landmarks, by which faces are put upright."
        ),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The trained weights of the landmarks' extractor."),
    ] = None,
    size: Annotated[
        int, typer.Option(metavar="N", min=8, max=4096, help="Height and width.")
    ] = 256,
    margin: Annotated[
        float,
        typer.Option(metavar="X", min=0, max=3, help="Added on each side, as a share of the face."),
    ] = 0.25,
    min_score: Annotated[
        float, typer.Option(metavar="X", min=0, max=1, help="Lowest detector score to accept.")
    ] = 0.5,
    min_confidence: Annotated[
        float,
        typer.Option(metavar="X", min=0, max=1, help="Lowest landmark confidence to accept."),
    ] = 0.3,
    min_size: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="The smallest face in pixels; by default no crop grows twofold.",
        ),
    ] = None,
    max_outside: Annotated[
        float,
        typer.Option(metavar="X", min=0, max=1, help="Largest share of a crop beyond its photo."),
    ] = 0.3,
) -> None:
    """Find, crop and align the faces in photos.

    Writes a manifest, a list of what was left out and why, and a contact sheet beside OUT.
    """
    from ganzoo.errors import DataError, one_of
    from ganzoo.scan import sheet_beside
    from ganzoo_faces.extraction import FOLDER, NoFaces, extract
    from ganzoo_faces.finding import Settings
    from ganzoo_folders.files import noted

    registry = ctx.obj.registry
    if weights is not None and landmarks is None:
        raise DataError("--weights are those of the landmarks' extractor; name it: --landmarks.")
    entry = registry.get("detector", detector)
    finder = _tool(entry, _arguments(set_ or (), entry))
    marker = None
    if landmarks is not None:
        arguments = {} if weights is None else {"weights": expand(weights)}
        marker = _tool(registry.get("extractor", landmarks), arguments)
    if min_size is None:
        min_size = round(size / 2 / (1 + 2 * margin))
    settings = Settings(size, margin, min_score, min_confidence, min_size, max_outside)
    try:
        result = extract(expand(path), expand(out), finder, marker, settings)
    except NoFaces as error:
        (reason, _), *_ = error.result.reasons().most_common()
        available = {
            "detectors": one_of(registry.names("detector")),
            "landmarks": one_of(registry.names("extractor")),
        }
        raise DataError(f"{error} {_NEXT[reason].format(**available)}") from error
    say(f"{result.summary()}.")
    say(*(f"{noted(note, names)}." for note, names in result.notes.items()))
    if others := result.scan.not_looked_at():
        say(f"not looked at: {others}.")
    rejects = "; rejects.csv names the others" if result.rejects else ""
    say(f"{out / FOLDER} holds the faces; look at {sheet_beside(out)}{rejects}.")


def _tool(entry: Registered, arguments: dict[str, Any]) -> Tool:
    """Give a component its arguments; raises DataError if it has none of that name."""
    import hashlib
    import inspect
    import os
    from contextlib import suppress

    from ganzoo.errors import DataError, nearest, one_of
    from ganzoo_faces.finding import Tool

    # without arguments, import the component only when it is used
    parameters = list(inspect.signature(entry.load()).parameters) if arguments else []
    for name in arguments:
        if name not in parameters:
            raise DataError(
                f"{entry.kind} '{entry.name}' has no argument '{name}'{nearest(name, parameters)} "
                f"Available: {one_of(parameters)}."
            )
    lines = []
    for value in arguments.values():
        if isinstance(value, (str, Path)):  # perhaps a file or a folder, such as of weights
            path = Path(value)
            for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
                with suppress(OSError):  # its reader says why
                    lines.append(f"{file.name} {sha256(file)}\n")
    content = hashlib.sha256(os.fsencode("".join(lines))).hexdigest() if lines else ""
    return Tool(entry.name, str(entry.origin), arguments, entry.load, content)


def _arguments(texts: Iterable[str], entry: Registered) -> dict[str, Any]:
    """Parse each ``NAME=VALUE``; a value is a number, true, false or null, otherwise text.

    If the argument is a path or text, ``2023`` is text too.
    """
    import json

    from ganzoo.errors import DataError

    arguments: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (equals and name.strip()):
            raise DataError(f"--set {text}: expected NAME=VALUE, such as scale_factor=1.05.")
        name, value = name.strip(), value.strip()
        parameter = entry.signature.by_name.get(name)
        try:
            plain = json.loads(value)
        except ValueError:
            plain = value
        is_text = parameter and not value.startswith('"') and parameter.type.wants_text(plain, True)
        arguments[name] = value if is_text else plain
    return arguments
