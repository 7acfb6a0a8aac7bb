"""``ganzoo evaluate`` and ``ganzoo verify``: measure models, and check recipes' claims."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganzoo.cli import completion
from ganzoo.cli.training import RecipeName, set_option
from ganzoo.errors import RunError
from ganzoo.text import say, say_json

if TYPE_CHECKING:
    from ganzoo.evaluation.result import Entry
    from ganzoo.plugins.registry import Registry


def add_to(app: typer.Typer) -> None:
    app.command(rich_help_panel="Measure")(evaluate)
    app.command(rich_help_panel="Measure")(verify)


def evaluate(
    overrides: Annotated[list[str], set_option("benchmark, as dataset.path=FOLDER")],
    benchmark: Annotated[
        str | None,
        typer.Option(
            "--benchmark",
            "-b",
            metavar="B",
            help="A path, or a name from `ganzoo list benchmarks`.",
            autocompletion=completion.benchmarks,
        ),
    ] = None,
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="MODEL",
            help="Runs, models or folders of images, or user/repo.",
            autocompletion=completion.models,
        ),
    ] = None,
    references: Annotated[
        bool,
        typer.Option(
            "--references",
            help="Measure the reference rows: held-out real images, and spoilt ones.",
        ),
    ] = False,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="The entry's name; default the folder's.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Where entries go; default RUN/evaluation, or your own data folder.",
        ),
    ] = None,
    download: Annotated[
        bool,
        typer.Option(
            "--download", help="Fetch missing weights of optional scores (about 100 MB each)."
        ),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace an entry of another model or protocol.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the entries as JSON.")] = False,
) -> None:
    """Measure models under a benchmark, and write their entries.

    An evaluation that was killed goes on where it stopped; one that is finished is not repeated.
    `torchrun --nproc_per_node 2 -m ganzoo evaluate ...` shares the work.
    """
    _check_models(models or [], references, name)
    from ganzoo.plugins.manager import installed
    from ganzoo.recipe.benchmark import load_benchmark, refuse_outdated
    from ganzoo.recipe.inputs import check_folders

    registry = installed().registry
    if benchmark is None:
        raise _which_benchmark(models or [], registry)
    spec = load_benchmark(benchmark, overrides, registry)
    if out is None:
        refuse_outdated(spec, registry)
    subject = shlex.join(models or ["--references"])
    command = f"ganzoo evaluate {subject} --benchmark {benchmark}"
    check_folders(spec.dataset, registry, command)
    from accelerate import PartialState  # imports torch, so cheap mistakes come first

    from ganzoo.evaluation.image_sources import reference_rows
    from ganzoo.evaluation.places import entry_folders, folder_for
    from ganzoo.evaluation.protocol import Protocol
    from ganzoo.evaluation.submission import reference_row, refuse_unsuited, submit
    from ganzoo.hub.candidate import candidate_of
    from ganzoo.models.model import device
    from ganzoo.progress import status

    paths = [Path(model) if Path(model).exists() else None for model in models or []]
    folders = [out or folder_for(path) for path in paths or [None]]
    for path in filter(None, paths):
        refuse_unsuited(path, spec)
    state = PartialState(cpu=device().type == "cpu")
    with status(f"opening {spec.name}"), state.main_process_first():
        protocol = Protocol(spec, registry, state.device, download=download)
    if state.is_main_process:
        for extractor, why in protocol.left_out.items():
            reason = why.partition(" Get it: ")[0]  # without the remedy, which `ganzoo show` has
            say(f"left out what needs '{extractor}': {reason}", err=True)
        if protocol.left_out and not download:
            say("--download fetches what can be fetched", err=True)
    if not models:
        candidates = [reference_row(row, protocol) for row in reference_rows(protocol)]
    else:
        with state.main_process_first():
            candidates = [candidate_of(model, protocol, registry, name) for model in models]
    folders *= len(candidates) // len(folders)  # all reference rows go to one
    _refuse_same_places(list(zip(folders, (one.name for _, one in candidates), strict=True)))
    results = [
        submit(protocol, source, candidate, folder, force)
        for folder, (source, candidate) in zip(folders, candidates, strict=True)
    ]
    if not state.is_main_process:
        return
    selections = [protocol.selection, *(source.selection for source, _ in candidates)]
    for text in filter(None, selections):
        say(f"measured with {text}", err=True)
    for note in (note for source, _ in candidates for note in source.notes()):
        say(note, err=True)
    if as_json:
        say_json([asdict(entry) for _, entry, _ in results])
        return
    for path, entry, is_new in results:
        _say_entry(path, entry, is_new)
    words = ["ganzoo", "leaderboard", spec.name]
    if not {folder.resolve() for folder in folders} <= {one.resolve() for one in entry_folders()}:
        words += [word for one in dict.fromkeys(folders) for word in ("--entries", str(one))]
    say(f"compare: {shlex.join(words)}")


def _check_models(models: Sequence[str], references: bool, name: str | None) -> None:
    """Raise RunError if there is nothing to measure, or a folder does not exist."""
    if bool(models) == references:
        raise RunError("give a MODEL to measure, or --references, and not both.")
    if references and name:
        raise RunError("--name is for a model; the reference rows have names of their own.")
    if name and len(models) > 1:
        raise RunError(f"--name {name} is for one MODEL, and these are {len(models)}.")
    from ganzoo.models.hub_id import is_id

    for model in models:
        if not is_id(model) and not Path(model).exists():
            raise RunError(f"{model} does not exist. Give a run or model folder, or images.")


def _refuse_same_places(places: Sequence[tuple[Path, str]]) -> None:
    """Raise RunError if two models would write the same entry."""
    for i, (folder, name) in enumerate(places):
        if (folder, name) in places[:i]:
            raise RunError(
                f"two models are called {name}, and would write the same entry. Measure one after "
                "the other, with --name."
            )


def _which_benchmark(models: Sequence[str], registry: Registry) -> RunError:
    """Ask for a benchmark and show those that fit, as commands."""
    from ganzoo.evaluation.suitability import suitable_benchmarks
    from ganzoo.hub.locate import locate
    from ganzoo.models import config as configs
    from ganzoo.models.folder import CONFIG, RECIPE, find

    config, model = None, models[0] if models else None
    what = "any model"
    names = (CONFIG, f"model/{CONFIG}", RECIPE)  # a folder without them is one of images
    if model is not None and (
        not (path := Path(model)).is_dir() or any((path / n).exists() for n in names)
    ):
        folder = find(locate(model, registry, kinds=()).folder)
        config = configs.read(folder / CONFIG)
        source = "noise" if config.input.kind == "noise" else "images"
        what = f"a model that makes {config.output.sides()} from {source}"
    fits = suitable_benchmarks(config, registry)
    if not fits:
        return RunError(
            f"no benchmark of ganzoo fits {what}. `ganzoo list benchmarks` has them all; your own "
            "may begin with `extends: avatars-64` and another size.",
        )
    subject = shlex.join(models or ["--references"])
    commands = [
        f"  ganzoo evaluate {subject} --benchmark {fit.name}"
        + "".join(f" --set dataset.{key}=FOLDER" for key in fit.wants)
        for fit in fits
    ]
    return RunError(f"--benchmark is missing. These fit {what}:", *commands)


def verify(
    recipe: RecipeName,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="For the runs; default runs/verify-RECIPE."),
    ] = None,
) -> None:
    """Rerun a recipe's short form; exit code 1 if a score is off.

    Each seed in the section `verify` is trained again, and each score must be in the stated range.
    """
    from ganzoo.plugins.manager import installed
    from ganzoo.recipe.recipe import load_recipe
    from ganzoo.training.run_folder import free_folder

    name = load_recipe(recipe, (), installed().registry).name
    from ganzoo.hub.locate import with_pinned_weights
    from ganzoo.training.verify import (
        verify as rerun,  # imports torch, so cheap mistakes come first
    )

    folder = out or free_folder(f"verify-{name}")
    verdicts = []
    for verdict in rerun(recipe, folder, installed(), with_pinned_weights):
        verdicts.append(verdict)
        say("holds" if verdict.holds else "FAILS", bold=True, nl=False)
        say(
            f"  seed {verdict.seed}  {verdict.score} {verdict.value:.4g}, stated "
            f"{verdict.low:g} to {verdict.high:g}  ({verdict.run})"
        )
    failures = sum(not verdict.holds for verdict in verdicts)
    say(f"{len(verdicts) - failures} of {len(verdicts)} scores are in their ranges")
    raise typer.Exit(1 if failures else 0)


def _say_entry(path: Path, entry: Entry, is_new: bool) -> None:
    again = "" if is_new else ", measured already"
    say(entry.model.name, bold=True, nl=False)
    say(f" under {entry.benchmark}@{entry.version}{again}: {path}")
    from ganzoo.evaluation.leaderboard import reading

    wide = max(map(len, entry.scores))
    for name, score in entry.scores.items():
        arrow = "higher is better" if score.higher_is_better else "lower is better"
        unreliable = f"; UNRELIABLE: {score.unreliable}" if score.unreliable else ""
        unrankable = "" if score.rankable else "; unrankable: its features are untrained"
        text = f"{reading(score):22} {arrow}{unreliable}{unrankable}"
        say(f"  {name:{wide}}  {text}")
