"""``ganzoo list``, ``ganzoo show`` and ``ganzoo plugins``: what there is, and where it is from."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from ganzoo.errors import RecipeError, nearest, one_of
from ganzoo.registry import KINDS, Entry

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def add_to(app: typer.Typer) -> None:
    """Add this group's verbs."""
    app.command("list")(list_components)
    app.command()(show)
    app.command()(plugins)


def list_components(
    kind: Annotated[str | None, typer.Argument(help=f"{', '.join(KINDS)} or recipe.")] = None,
    as_json: Json = False,
) -> None:
    """List what can be used in a recipe."""
    from ganzoo.plugins import installed
    from ganzoo.recipe import shipped_recipes

    registry = installed().registry
    kinds = [*KINDS, "recipe"]
    if kind is not None and (kind := _singular(kind)) not in kinds:
        raise RecipeError([f"unknown kind '{kind}'{nearest(kind, kinds)} Kinds: {one_of(kinds)}."])
    found: dict[str, list[dict[str, str]]] = {}
    for name in [kind] if kind else kinds:
        if name == "recipe":
            found[name] = [{"name": n} for n in shipped_recipes(registry)]
        else:
            found[name] = [
                {"name": shown, "plugin": e.origin.plugin, "summary": _summary(e)}
                for shown, e in zip(registry.names(name), registry.entries(name), strict=True)
            ]
    if as_json:
        typer.echo(json.dumps(found, indent=1))
        return
    for name, rows in found.items():
        typer.echo(_plural(name) if rows else f"{_plural(name)}: none installed")
        for row in rows:
            about = textwrap.shorten(row.get("summary", ""), 70, placeholder=" ...")
            typer.echo(f"  {row['name']:20} {row.get('plugin', ''):12} {about}".rstrip())


def _plural(kind: str) -> str:
    return f"{kind}es" if kind.endswith("s") else f"{kind}s"


def _singular(word: str) -> str:
    return {_plural(kind): kind for kind in (*KINDS, "recipe")}.get(word, word)


def _summary(entry: Entry) -> str:
    from ganzoo.errors import PluginError
    from ganzoo.signature import read_signature

    try:
        return read_signature(entry.target).summary
    except PluginError as error:
        return f"broken: {error}"


def show(
    what: Annotated[str, typer.Argument(help="A kind, a recipe, or 'vocabulary'.")],
    name: Annotated[str | None, typer.Argument(help="The component, after a kind.")] = None,
    as_json: Json = False,
) -> None:
    """Show a component (`show loss r1`), a recipe (`show dcgan`), or the vocabulary."""
    if name is not None:
        _show_component(what, name, as_json)
    elif what == "vocabulary":
        from ganzoo import vocabulary

        typer.echo((vocabulary.__doc__ or "").strip())
    elif what in KINDS:
        list_components(what, as_json)
    else:
        _show_recipe(what, as_json)


def _show_component(kind: str, name: str, as_json: bool) -> None:
    from ganzoo.plugins import installed
    from ganzoo.signature import REQUIRED, read_signature

    if kind not in KINDS:
        raise RecipeError([f"unknown kind '{kind}'{nearest(kind, KINDS)} Kinds: {one_of(KINDS)}."])
    entry = installed().registry.get(kind, name)
    signature = read_signature(entry.target)
    arguments = [
        {
            "name": p.name,
            "type": p.type.describe(),
            "required": p.default is REQUIRED,
            "default": None if p.default is REQUIRED else p.default,
            "help": p.help,
        }
        for p in signature.parameters
    ]
    reads = {method: [word for word, _ in words] for method, words in signature.methods.items()}
    if as_json:
        body = {"kind": kind, "name": entry.name, "from": str(entry.origin), "doc": signature.doc}
        typer.echo(json.dumps({**body, "arguments": arguments, "reads": reads}, indent=1, default=str))
        return
    typer.echo(f"{kind} {entry.name}, from {entry.origin}\n\n{signature.doc.strip()}\n")
    typer.echo("arguments" if arguments else "no arguments")
    for argument in arguments:
        default = "required" if argument["required"] else f"default {argument['default']!r}"
        typer.echo(f"  {argument['name']} ({argument['type']}; {default})")
        typer.echo(textwrap.indent(textwrap.fill(str(argument["help"]), 84), "      "))
    for method, words in reads.items():
        typer.echo(f"{method} reads: {', '.join(words) or 'nothing'}")


def _show_recipe(name: str, as_json: bool) -> None:
    from ganzoo.plugins import installed
    from ganzoo.recipe import load_recipe

    registry = installed().registry
    recipe = load_recipe(name, (), registry)
    if as_json:
        typer.echo(json.dumps(recipe.resolved(), indent=1))
        return
    typer.echo(f"{recipe.name}: batch {recipe.batch}, seed {recipe.seed}, {recipe.precision}")
    typer.echo(f"dataset        {_component(recipe.dataset)}")
    for role, network in recipe.networks.items():
        typer.echo(f"{role:14} {_component(network)}")
    if recipe.augment:
        typer.echo(f"augment        {_component(recipe.augment)}")
    for view, spec in recipe.views.items():
        typer.echo(f"view           {view} = {spec.use}({spec.of})")
    for stage in recipe.stages:
        typer.echo(f"stage {stage.name}, {stage.steps} steps")
        for player in ("discriminator", "generator"):
            typer.echo("".join(_terms(stage, player, registry)), nl=False)


def _component(spec: Any) -> str:
    arguments = ", ".join(f"{k}={v}" for k, v in spec.arguments.items() if v is not None)
    return f"{spec.use}({arguments})"


def _terms(stage: Any, player: str, registry: Any) -> Iterator[str]:
    from ganzoo.signature import read_signature

    for term in getattr(stage, player):
        signature = read_signature(registry.get("loss", term.use).target)
        words = ", ".join(term.inputs.get(w, w) for w, _ in signature.methods[player])
        every = f", every {term.every} steps" if term.every > 1 else ""
        yield f"  {player:14} {_weight(term.weight)} x {_component(term)} reads {words}{every}\n"


def _weight(schedule: Any) -> str:
    if schedule.start == schedule.end:
        return f"{schedule.start:g}"
    return f"{schedule.start:g} -> {schedule.end:g} over {schedule.over} steps"


def plugins(
    action: Annotated[str, typer.Argument(help="list")] = "list", as_json: Json = False
) -> None:
    """List the installed plugins, and the whole story of the broken ones."""
    from ganzoo.plugins import installed

    if action != "list":
        raise RecipeError([f"unknown action '{action}'. There is: list."])
    found = installed().plugins
    if as_json:
        rows = [
            {
                "plugin": p.origin.plugin,
                "distribution": p.origin.distribution,
                "version": p.origin.version,
                "entry_point": p.entry_point,
                "components": [f"{e.kind} {e.name}" for e in p.entries],
                "error": p.error,
            }
            for p in found
        ]
        typer.echo(json.dumps(rows, indent=1))
        return
    registry = installed().registry
    for plugin in found:
        origin = plugin.origin
        typer.echo(f"{origin.plugin:14} {origin.distribution} {origin.version}")
        names = ", ".join(f"{e.kind} {e.name}" for e in plugin.entries)
        if names:
            typer.echo(textwrap.indent(textwrap.fill(names, 84), "  "))
        for entry in plugin.entries:
            if entry.kind in KINDS and registry.clashes(entry):
                typer.echo(f"  {entry.kind} '{entry.name}' clashes: write '{entry.full_name}'")
        if plugin.error:
            typer.echo(f"  BROKEN: {plugin.report()}\n{textwrap.indent(plugin.traceback, '    ')}")
