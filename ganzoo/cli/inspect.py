"""``ganzoo list`` and ``ganzoo show``: what is installed, and where it is from."""

from __future__ import annotations

import dataclasses
import re
import textwrap
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ganzoo.cli import completion
from ganzoo.cli.options import Json
from ganzoo.errors import PluginError
from ganzoo.files import refusals
from ganzoo.plugins.registry import FILE_KINDS, KINDS, Registration, Registry
from ganzoo.progress import duration
from ganzoo.recipe.header import read_header
from ganzoo.recipe.listing import LISTS, kind_of, plural
from ganzoo.startup import no_collection
from ganzoo.text import say, say_json, wrapped

if TYPE_CHECKING:
    from ganzoo.models.config import Config
    from ganzoo.plugins.signature import Parameter, Signature


def add_to(app: typer.Typer) -> None:
    app.command("list", rich_help_panel="Look things up")(list_components)
    app.command(rich_help_panel="Look things up")(show)


def list_components(
    kind: Annotated[
        str | None,
        typer.Argument(
            metavar="KIND",
            help=f"Only one of {', '.join(LISTS)}.",
            autocompletion=completion.kinds,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """List components, recipes, benchmarks and models."""
    from ganzoo.plugins.manager import installed

    registry = installed().registry
    kinds = LISTS if kind is None else [kind_of(kind, LISTS)]
    with no_collection():
        listing = {name: list(_rows(name, registry)) for name in kinds}
    if as_json:
        say_json(listing)
        return
    rows = [row for rows in listing.values() for row in rows]
    names, owners = (max((len(r[key]) for r in rows), default=0) for key in ("name", "plugin"))
    for name, rows in listing.items():
        say(plural(name) if rows else f"{plural(name)}: none installed", bold=True)
        for row in rows:
            start = f"  {row['name']:{names}}  {row['plugin']:{owners}}  "
            say(*wrapped(start, row["summary"]))


def _rows(kind: str, registry: Registry) -> Iterator[dict[str, str]]:
    if kind in KINDS:
        from ganzoo.plugins.signature import read_summary

        for name, entry in zip(registry.names(kind), registry.entries(kind), strict=True):
            try:
                summary = _plain(read_summary(entry.target))
            except PluginError as error:
                summary = f"BROKEN: {error}"
            yield {"name": name, "plugin": entry.origin.plugin, "summary": summary}
        return
    from ganzoo.plugins.shipped import own_files, registered_files, shipped_models

    if kind == "model":
        for name, folder in shipped_models().items():
            card = (folder / "README.md").read_text(encoding="utf-8")
            line = re.search(r"^This .*$", card, re.MULTILINE)
            yield {"name": name, "plugin": "ganzoo", "summary": line[0] if line else ""}
        return
    files = {name: (path, "ganzoo") for name, path in own_files(kind).items()}
    for name, entry in registered_files(kind, registry).items():
        files[name] = (entry.file, entry.origin.plugin)
    for name, (path, plugin) in sorted(files.items()):
        yield {"name": name, "plugin": plugin, "summary": read_header(path).summary}


def _plain(text: str) -> str:
    """Drop reStructuredText's double backquotes from a docstring."""
    return text.replace("``", "`")


def show(
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            help="A kind, recipe, model, benchmark, 'vocabulary'.",
            autocompletion=completion.shown,
        ),
    ],
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="The component, after a kind.",
            autocompletion=completion.components,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show a component, recipe, model or benchmark.

    `show loss r1` explains a component and its arguments; `show dcgan` a recipe: its stages, terms
    and weights, and what each reads; `show runs/demo` or `show user/repo` a model, without fetching
    its weights; `show avatars-64` a benchmark.  `show vocabulary` lists the words that components
    can read.
    """
    from ganzoo.cli.show_recipe import show_recipe
    from ganzoo.plugins.manager import installed
    from ganzoo.plugins.shipped import shipped_benchmarks, shipped_recipes

    if name is not None:
        kind = kind_of(what, (*KINDS, *FILE_KINDS))
        if kind in KINDS:
            _show_component(kind, name, as_json)
        else:
            (show_recipe if kind == "recipe" else _show_benchmark)(name, as_json)
    elif what == "vocabulary":
        from ganzoo.plugins.signature import docstring
        from ganzoo.recipe import vocabulary

        text = _plain(docstring(vocabulary))
        say_json({"vocabulary": text}) if as_json else say(*text.splitlines())
    elif what in LISTS or what in map(plural, LISTS):
        list_components(what, as_json)
    elif what in shipped_recipes(registry := installed().registry):
        show_recipe(what, as_json)
    elif what.partition("@")[0] in shipped_benchmarks(registry):
        _show_benchmark(what, as_json)
    elif _is_model(what):
        _show_model(what, as_json)
    else:
        show_recipe(what, as_json)


def _show_component(kind: str, name: str, as_json: bool) -> None:
    from ganzoo.cli.show_recipe import optional_words
    from ganzoo.plugins.manager import installed
    from ganzoo.plugins.signature import read_signature

    entry = installed().registry.get(kind, name)
    signature = read_signature(entry.target)
    if as_json:
        say_json(_as_data(entry, signature))
        return
    say(f"{kind} {entry.name}", bold=True, nl=False)
    doc = _plain(signature.doc.partition("\nArgs:")[0].strip())  # arguments follow, with types
    say(f", from {entry.origin}", "", *doc.splitlines(), "")
    for parameter in signature.parameters:
        default = _default(kind, parameter)
        say(f"  {parameter.name}: {parameter.type.describe()} ({default})")
        if parameter.help:
            say(*(f"{'':6}{line}" for line in textwrap.wrap(_plain(parameter.help), 88)))
    if signature.parameters:
        say("")
    else:
        say("no arguments")
    for method, words in signature.methods.items():
        say(f"{method} reads {optional_words(words)}")


def _as_data(entry: Registration, signature: Signature) -> dict[str, Any]:
    from ganzoo.plugins.signature import COMPUTED, REQUIRED

    arguments = [
        {
            "name": p.name,
            "type": p.type.describe(),
            "required": p.default is REQUIRED,
            "default": None if p.default in (REQUIRED, COMPUTED) else p.default,
            "help": p.help,
        }
        for p in signature.parameters
    ]
    return {
        "kind": entry.kind,
        "name": entry.name,
        "from": str(entry.origin),
        "doc": signature.doc,
        "arguments": arguments,
        "reads": {m: [word for word, _ in words] for m, words in signature.methods.items()},
    }


def _default(kind: str, parameter: Parameter) -> str:
    from ganzoo.formats.yaml import flow
    from ganzoo.plugins.signature import COMPUTED, REQUIRED
    from ganzoo.recipe.grammar import FROM_DATASET, NETWORK_KINDS

    if kind in NETWORK_KINDS and parameter.name in FROM_DATASET:
        return "the dataset's when left out"
    if parameter.default is REQUIRED:
        return "required"
    if parameter.default is COMPUTED:
        return "optional"
    return f"default {flow(parameter.default)}"


def _show_benchmark(name: str, as_json: bool) -> None:
    from ganzoo.cli.show_recipe import component
    from ganzoo.plugins.manager import installed
    from ganzoo.plugins.shipped import shipped_benchmarks
    from ganzoo.recipe.benchmark import load_benchmark
    from ganzoo.recipe.inheritance import find

    registry = installed().registry
    benchmark = load_benchmark(name, (), registry)
    if as_json:
        say_json(dataclasses.asdict(benchmark))
        return
    say(f"{benchmark.name}, version {benchmark.version}", bold=True, nl=False)
    counts = f"{benchmark.fakes} fakes against {benchmark.reference} real images"
    say(f": {counts}, seed {benchmark.seed}")
    say(*wrapped("", read_header(find(name, shipped_benchmarks(registry), "benchmark")).summary))
    say(f"{'dataset':14} {component(benchmark.dataset)}, held out: the {benchmark.held_out}")
    for extractor, spec in benchmark.extractors.items():
        optional = ", where its weights can be had" if spec.optional else ""
        say(f"{'extractor ' + extractor:19} {component(spec)}{optional}")
    for measure in benchmark.evaluators:
        by = f" by {measure.extractor}" if measure.extractor else ""
        say(f"  {component(measure)}{by}")
    say(f"ranked by {benchmark.primary}")


def _is_model(what: str) -> bool:
    """Whether it is a folder, or a name as only models on the Hub have."""
    from ganzoo.models.hub_id import is_id

    with suppress(ValueError), refusals():  # a NUL
        if Path(what).exists():
            return Path(what).is_dir()
    return is_id(what) and not what.endswith((".yaml", ".yml"))


def _show_model(name: str, as_json: bool) -> None:
    from ganzoo.evaluation.interpretation import explain, references
    from ganzoo.evaluation.result import read_entry
    from ganzoo.hub.locate import locate
    from ganzoo.models import config as configs
    from ganzoo.models.folder import CONFIG, find
    from ganzoo.plugins.manager import installed

    place = locate(name, installed().registry, kinds=())
    if place.note:
        say(place.note, err=True)
    folder = find(place.folder)
    config = configs.read(folder / CONFIG)
    untrue = configs.contradictions(config)
    scores = [read_entry(path) for path in sorted((folder / "entries").glob("*.json"))]
    if as_json:
        data = {"folder": str(folder), "config": dataclasses.asdict(config), "problems": untrue}
        say_json(data | {"scores": [dataclasses.asdict(s) for s in scores]})
        return
    say(name, bold=True, nl=False)
    say(f": {folder}")
    for about, text in (*_about_model(config), *(("NOT TRUE", text) for text in untrue)):
        say(*wrapped(f"{about:14} ", text))
    for entry in scores:
        say(f"under {entry.benchmark}", bold=True, nl=False)
        say(f" version {entry.version}, protocol {entry.protocol}")
        say(*explain(entry, references(entry)))


def _about_model(config: Config) -> Iterator[tuple[str, str]]:
    """Yield the lines of a model's config, shortened for reading; ``--json`` has all of it."""
    from ganzoo.formats.yaml import flow

    generator, out = config.generator, config.output
    apart = ("label", "palette")  # shown on lines of their own
    arguments = {k: v for k, v in generator.arguments.items() if k not in apart and v is not None}
    package = f"{generator.distribution} {generator.version}"
    yield "generator", f"{generator.use} {flow(arguments)} of {package}"
    words = ", ".join(config.input.words)
    source = "noise" if config.input.kind == "noise" else f"images ({words})"
    told = [word for word in config.input.words if word not in ("latent", "label")]
    if source == "noise" and told:
        source = f"noise and {' and '.join(told)}"
    yield "makes", f"{out.sides()} from {source}"
    for name, values in (config.labels or {}).items():
        yield f"label {name}", ", ".join(values)
    palette = generator.arguments.get("palette")
    if isinstance(palette, dict):
        yield "layout colours", ", ".join(f"{part} {colour}" for part, colour in palette.items())
    for network in config.networks.values():
        known = network.arguments.get("vocabulary")
        if isinstance(known, list):
            yield "text words", ", ".join(word for word in map(str, known) if word != ",")
    for name, file in config.files.items():
        yield "weights", f"{name}, {file.parameters:,} parameters, {file.bytes:,} bytes"
    for what, licence in dataclasses.asdict(config.licences).items():
        yield "licence", f"of the {what}: {licence or 'not stated'}"
    training = config.training
    if "recipe" in training:
        seconds = training.get("seconds")
        took = f", {duration(seconds)}" if isinstance(seconds, int | float) else ""
        yield "trained", f"{training['recipe']}, {training.get('steps')} steps{took}"
    for key in ("dataset", "imported"):
        if isinstance(training.get(key), dict):
            yield key, flow({k: v for k, v in training[key].items() if k != "attribution"})
