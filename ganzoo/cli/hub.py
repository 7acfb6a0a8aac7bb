"""``ganzoo pull``, ``push`` and ``search``: models from and to the Hugging Face Hub."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ganzoo.cli.options import Json
from ganzoo.errors import RunError
from ganzoo.models.hub_id import Id, parse_id
from ganzoo.progress import status
from ganzoo.text import cell, say, say_json, say_table

if TYPE_CHECKING:
    from ganzoo.hub.push_types import Options, Plan

Token = Annotated[
    str | None,
    typer.Option(
        metavar="TOKEN", help="Hub token; default HF_TOKEN, or the one from `hf auth login`."
    ),
]
Repo = Annotated[str, typer.Argument(metavar="ID", help="user/repo, or user/repo@revision.")]


def add_to(app: typer.Typer) -> None:
    app.command(rich_help_panel="Share")(pull)
    app.command(rich_help_panel="Share")(push)
    app.command(rich_help_panel="Share")(search)


def pull(
    id: Repo,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="A new folder for it; default the Hub's cache."),
    ] = None,
    revision: Annotated[
        str | None, typer.Option(metavar="R", help="A branch, tag or commit; default main.")
    ] = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Fetch a model from the Hub.

    Only the files of a model folder are fetched, each is checked, and none is run.  Cached models
    work offline.
    """
    from ganzoo.hub.locate import fetch
    from ganzoo.plugins.manager import installed

    place = fetch(id, installed().registry, revision, token, out)
    if place.note:
        say(place.note, err=True)
    what, commit = place.what or parse_id(id, revision), place.commit
    if as_json:
        say_json({"id": what.repo, "commit": commit, "folder": str(place.folder)})
        return
    origin = f"at commit {commit[:12]}" if commit else "comes with ganzoo"
    say(f"{what} {origin}: {place.folder}")
    say(f"next: ganzoo show {out or what}")


def push(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A run or model folder, or user/repo.")
    ],
    id: Annotated[
        str | None,
        typer.Argument(metavar="ID", help="user/repo, or user/repo@branch.", show_default=False),
    ] = None,
    space: Annotated[
        str | None,
        typer.Option(
            metavar="USER/NAME",
            help="Publish the page of `ganzoo play` for this model as a Space, instead of ID.",
        ),
    ] = None,
    licence: Annotated[
        str | None,
        typer.Option(
            "--licence", "--license", metavar="ID", help="Licence of the weights, as cc-by-4.0."
        ),
    ] = None,
    data_licence: Annotated[
        str | None,
        typer.Option(
            "--data-licence",
            "--data-license",
            metavar="ID",
            help="Licence of the training images, if the dataset states none.",
        ),
    ] = None,
    private: Annotated[
        bool, typer.Option("--private", help="Make a new repository private.")
    ] = False,
    tag: Annotated[str | None, typer.Option(metavar="TAG", help="Name the new commit.")] = None,
    message: Annotated[
        str | None, typer.Option("--message", "-m", metavar="TEXT", help="Commit message.")
    ] = None,
    card: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Take the card's hand-written parts from here."),
    ] = None,
    entries: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FOLDER", help="Where scores are; default the run, and all that ganzoo knows."
        ),
    ] = None,
    with_discriminator: Annotated[
        bool,
        typer.Option(
            "--with-discriminator", help="Include every discriminator, for further training."
        ),
    ] = False,
    half: Annotated[
        bool, typer.Option("--half", help="Store the generator in 16 bits: half the size.")
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Only check; print what would be sent and every problem."),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="With --dry-run: write what would be sent here."),
    ] = None,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """Publish a model, with a card and its scores.

    Everything is checked before anything is sent: the model is loaded and run once; licences,
    scores, plugins and sizes are checked.  A second push sends only what changed, and keeps the
    hand-written parts of the card.
    """
    from ganzoo.evaluation.places import entry_folders
    from ganzoo.hub import push as pushing
    from ganzoo.hub.push_types import Options
    from ganzoo.plugins.manager import installed

    if out and not dry_run:
        raise RunError("--out is for --dry-run, which writes there what would go.")
    if (id is None) == (space is None):
        raise RunError("write where it goes: ID for the model, or --space USER/NAME for its page.")
    what, registry = parse_id(id or space or ""), installed().registry
    options = Options(
        licence=licence,
        data_licence=data_licence,
        card=card,
        entries=tuple(entry_folders(entries or ())),
        with_discriminator=with_discriminator,
        half=half,
        private=private,
        tag=tag,
        message=message,
    )
    if id is None:
        _push_space(model, str(what), options, dry_run, out, token, as_json)
        return
    if dry_run:
        with status("checking what would go"):
            plan = pushing.plan(model, id, registry, options, token, out)
        if as_json:
            say_json(_plan_data(plan))
        else:
            _say_plan(plan)
        raise typer.Exit(2 if plan.problems else 0)
    result = pushing.push(model, id, registry, options, token)
    if as_json:
        say_json({"url": result.url, "commit": result.commit} | _plan_data(result.plan))
        return
    if result.commit is None:
        say(f"{what}: the Hub has all of it already{f', now as {tag}' if tag else ''}")
    else:
        _say_changes(result.plan)
        say(f"commit {result.commit[:12]}: {result.url}")
    say(f"next: ganzoo pull {Id(what.repo, tag or what.revision)}")


def _push_space(
    model: str,
    space: str,
    options: Options,
    dry_run: bool,
    out: Path | None,
    token: str | None,
    as_json: bool,
) -> None:
    """Publish a Space, or say and write what it would be."""
    from ganzoo.play.space import plan, push
    from ganzoo.plugins.manager import installed

    registry, address = installed().registry, ""
    if dry_run:
        with status("checking what would go"):
            made = plan(model, space, registry, options, token, out)
    else:
        address, made = push(model, space, registry, options, token)
    if as_json:
        say_json({"url": address} | asdict(made))
    else:
        for name, size in made.files.items():
            say(f"  {size:>12,}  {name}")
        if not made.problems:
            say(address or f"this would go to the Space {made.what}; nothing is sent yet")
        for problem in made.problems:
            say(*f"error: {problem}".splitlines(), err=True)
    if made.problems:
        raise typer.Exit(2)


def _plan_data(plan: Plan) -> dict[str, Any]:
    return {
        "id": plan.what.repo,
        "files": [asdict(change) for change in plan.changes],
        "notes": list(plan.notes),
        "networks": list(plan.networks),
        "left_out": list(plan.left_out),
        "problems": list(plan.problems),
        "card": plan.card,
    }


def _say_plan(plan: Plan) -> None:
    if any(change.name == "README.md" for change in plan.sent):
        say(*plan.card.splitlines())
    if plan.problems:
        say(f"this would go to {plan.what} without the problems below", bold=True)
    elif plan.sent:
        say(f"this would go to {plan.what}; nothing is sent yet", bold=True)
    else:
        say(f"{plan.what}: the Hub has all of it already")
    _say_changes(plan)
    for note in plan.notes:
        say(note, err=True)
    for problem in plan.problems:
        say(*f"error: {problem}".splitlines(), err=True)


def _say_changes(plan: Plan) -> None:
    for change in plan.changes:
        say(f"  {change.action:8} {change.size:>12,}  {change.name}")
    if plan.networks:
        say(f"networks: {', '.join(plan.networks)}")
    if plan.left_out:
        say(f"left out without --with-discriminator: {', '.join(plan.left_out)}")


def search(
    text: Annotated[
        str | None, typer.Argument(metavar="TEXT", help="Text that the id contains.")
    ] = None,
    author: Annotated[
        str | None, typer.Option(metavar="USER", help="Only models of this user or organisation.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="How many at most.")] = 50,
    token: Token = None,
    as_json: Json = False,
) -> None:
    """List models on the Hub, with their scores."""
    from rich.table import Table

    from ganzoo.evaluation.leaderboard import reading
    from ganzoo.hub.search import search as look

    models = look(text, author, limit, token)
    if as_json:
        say_json([asdict(one) for one in models])
        return
    if not models:
        say(f"no model has the tag `ganzoo`{f' and {text!r} in its id' if text else ''}")
        return
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for head in ("model", "makes images from", "licence", "downloads", "updated", "scores"):
        grid.add_column(head, justify="right" if head == "downloads" else "left")
    kinds = {"unconditional-image-generation": "noise", "image-to-image": "images"}
    for one in models:
        scores = [
            f"{entry.benchmark}: {entry.primary} {reading(entry.scores[entry.primary])}"
            for entry in one.entries
        ]
        name = f"{one.id} (private)" if one.private else one.id
        cells = (name, kinds.get(one.kind, one.kind), one.licence, f"{one.downloads:,}")
        last = [one.problem] if one.problem else scores
        grid.add_row(*map(cell, (*cells, one.updated)), cell(*last))
    say_table(grid, shutil.get_terminal_size((200, 24)).columns)
