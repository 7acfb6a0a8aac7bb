"""``ganzoo show RECIPE``: what it is made of, what is trained, and who learns from what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from ganzoo.formats.yaml import flow
from ganzoo.recipe.header import read_header
from ganzoo.text import say, say_json, wrapped

if TYPE_CHECKING:
    from ganzoo.plugins.registry import Registry
    from ganzoo.recipe.component import Component
    from ganzoo.recipe.recipe_types import Evaluate, Recipe, Stage, Verify


def show_recipe(name: str, as_json: bool) -> None:
    """Print a recipe, given by path or by the name of a shipped one."""
    from ganzoo.plugins.manager import installed
    from ganzoo.recipe.recipe import find_recipe, load_recipe

    registry = installed().registry
    recipe = load_recipe(name, (), registry)
    if as_json:
        say_json(recipe.resolved())
        return
    say(recipe.name, bold=True)
    header = read_header(find_recipe(name, registry))
    if header.summary:
        say(*wrapped("", header.summary))
    for section, text in header.sections.items():
        say(*wrapped(f"{section:15}", text))
    say("made of", bold=True)
    for role, text in _parts_of(recipe):
        say(*wrapped(f"{role:14} ", text))
    for stage in recipe.stages:
        say(f"stage {stage.name}, {stage.steps} steps", bold=True)
        for line in _stage(stage, recipe, registry):
            say(*line)
    say("who makes what, and who learns from it", bold=True)
    for row in _flow(recipe, registry):
        say(*wrapped("  ", row))


def _parts_of(recipe: Recipe) -> Iterator[tuple[str, str]]:
    """Yield everything but the stages, by role."""
    from ganzoo.recipe.recipe_types import View

    yield "batch", f"{recipe.batch}, seed {recipe.seed}, precision {recipe.precision}"
    yield "dataset", component(recipe.dataset)
    for role, network in recipe.networks.items():
        kind = "" if network.kind == role else f"{network.kind} "
        yield role, f"{kind}{component(network)}"
    for player, roles in recipe.players.items():
        if roles != (player,):
            yield f"player {player}", f"{', '.join(roles)} learn together"
    if recipe.augment:
        yield "augment", component(recipe.augment)
    for name, view in recipe.views.items():
        if isinstance(view, View):
            yield f"view {name}", f"{component(view)} of {view.of}"
        else:
            to = ", ".join(f"{parameter}: {word}" for parameter, word in view.to.items())
            yield f"view {name}", f"{view.apply} of {to}" if to else view.apply
    for name, extractor in recipe.extractors.items():
        yield f"extractor {name}", component(extractor)
    if watch := recipe.evaluate:
        yield "evaluate", f"every {watch.every} steps {_benchmark(watch)}"
    if claim := recipe.verify:
        scores = ", ".join(f"{s} {low:g} to {high:g}" for s, (low, high) in claim.expected.items())
        short = f", short form {', '.join(claim.short)}" if claim.short else ""
        seeds = ", ".join(map(str, claim.seeds))
        yield "verify", f"{scores} {_benchmark(claim)}, seeds {seeds}{short}"


def _benchmark(spec: Evaluate | Verify) -> str:
    return f"under {spec.benchmark}" + (f" with {', '.join(spec.set)}" if spec.set else "")


def _stage(stage: Stage, recipe: Recipe, registry: Registry) -> Iterator[list[str]]:
    """Yield the lines of a stage: its players in the order of their first updates."""
    from ganzoo.recipe.flow import shown_word

    order = [player for players in stage.updates for player in players if stage.terms[player]]
    together = [players for players in stage.updates if len(players) > 1]
    for players in together:
        yield wrapped("  ", f"{' and '.join(players)} move at once, from one forward pass")
    for player in dict.fromkeys(order):
        use, arguments = stage.optimizers[player]
        often = f", {order.count(player)} updates a step" if order.count(player) > 1 else ""
        yield wrapped(f"  {player}: ", f"{use}, lr {arguments['lr']}{often}")
        for term in stage.terms[player]:
            words = registry.get("loss", term.use).signature.methods[recipe.method(player)]
            reads = optional_words(
                (shown_word(name, term), is_required) for name, is_required in words
            )
            by = f" of {term.judge}" if term.judge else ""
            by += f" by {term.extractor}" if term.extractor else ""
            every = f", every {term.every} steps" if term.every > 1 else ""
            text = f"{term.weight} x {component(term)} reads {reads}{by}{every}"
            yield wrapped("    ", text)


def _flow(recipe: Recipe, registry: Registry) -> Iterator[str]:
    """Yield a row for each word that is made: its sources, its maker, and whom it teaches."""
    from ganzoo.recipe.flow import flow as steps_of

    rows = [
        (", ".join(step.of), step.maker, step.word, ", ".join(step.teaches))
        for step in steps_of(recipe, registry)
    ]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    for of, maker, word, players in rows:
        row = f"{of:{widths[0]}} -> {maker:{widths[1]}} -> {word:{widths[2]}}"
        yield f"{row}  teaches {players}" if players else row.rstrip()


def optional_words(words: Iterable[tuple[str, bool]]) -> str:
    """List words, and which of them are optional."""
    texts = [word if is_required else f"{word} (optional)" for word, is_required in words]
    return ", ".join(texts) or "nothing"


def component(spec: Component) -> str:
    """Show a component with its arguments, as a recipe has them."""
    arguments = [f"{name}: {flow(v)}" for name, v in spec.arguments.items() if v is not None]
    return f"{spec.use} {{{', '.join(arguments)}}}" if arguments else spec.use
