"""Which network makes which word of a recipe, and who learns from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ganzoo.plugins.registry import Registry
from ganzoo.recipe.recipe_types import Recipe, Term, View
from ganzoo.recipe.vocabulary import aim, full_word, made_of, makers, provided_fields, vocabulary


@dataclass(frozen=True)
class Made:
    """A word that some term depends on: ``maker`` makes it ``of`` others.

    The maker is a role, ``extractor NAME`` or ``transform NAME``.  ``teaches`` are the players that
    have networks with a gradient through it.
    """

    word: str
    maker: str
    of: tuple[str, ...]
    teaches: tuple[str, ...]


def flow(recipe: Recipe, registry: Registry) -> list[Made]:
    """Return every word that is made, each after those that it is made of."""
    reads = {
        role: [word for word, _ in signature.methods.get("forward", ())]
        for role, network in recipe.networks.items()
        for signature in [registry.get(network.kind, network.use).signature]
    }
    dataset = registry.get("dataset", recipe.dataset.use).signature
    fields = dataset.attributes.get("fields") or {}
    fields = provided_fields(fields, dataset.optional, recipe.dataset.arguments)
    kinds = {role: network.kind for role, network in recipe.networks.items()}
    words = vocabulary(fields, recipe.views, kinds, reads, recipe.extractors)
    teaches: dict[str, dict[str, None]] = {}  # in the order in which words are made
    for stage in recipe.stages:
        for player, terms in stage.terms.items():
            for term in terms:
                for word in words_of(term, recipe.method(player), recipe, registry):
                    if word.partition("@")[0] in words:
                        _follow(word, player, recipe, reads, words, teaches)
    return [
        Made(word.partition("@")[0], *_made(word, recipe, reads, words), tuple(players))
        for word, players in teaches.items()
    ]


def words_of(term: Term, method: str, recipe: Recipe, registry: Registry) -> Iterator[str]:
    """Yield the full words that a term reads."""
    for parameter, _ in registry.get("loss", term.use).signature.methods[method]:
        yield full_word(parameter, term.inputs, term.judge, term.extractor, recipe.views)


def shown_word(parameter: str, term: Term) -> str:
    """Return the word of a term's parameter as people read it: without what makes it."""
    word = aim(parameter, term.inputs)
    return term.judge or word if word == "discriminator" else word


def _follow(
    word: str,
    player: str,
    recipe: Recipe,
    reads: Mapping[str, Sequence[str]],
    words: Mapping[str, str],
    teaches: dict[str, dict[str, None]],
) -> None:
    """Note that ``player`` reads a word, and with it all that it is made of."""
    maker, of = _made(word, recipe, reads, words)
    if not maker:
        return
    for source in of:
        _follow(source, player, recipe, reads, words, teaches)
    players = teaches.setdefault(word, {})
    if makers(word, recipe.views, reads) & set(recipe.players.get(player, ())):
        players[player] = None


def _made(
    word: str, recipe: Recipe, reads: Mapping[str, Sequence[str]], words: Mapping[str, str]
) -> tuple[str, tuple[str, ...]]:
    """Return who makes a word, if it is made, and of what."""
    role, of = made_of(word, recipe.views, reads)
    sources = tuple(source for source in of if source in words)
    view = recipe.views.get(word)
    if isinstance(view, View):
        return f"transform {view.use}", sources
    if sources and not role:
        return f"extractor {word.partition('@')[2]}", sources
    return role if sources else "", sources
