"""The order of one step: who learns when, and which words networks make for it.

A word that a generator or an encoder makes of a batch, such as ``fake``, is made once.  It is kept
while its networks stay as they are and a later turn reads it, and has a graph only if somebody
learns from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ganzoo.recipe.recipe_types import Application, Recipe, Stage
from ganzoo.recipe.vocabulary import FAKE, Views, made_of, makers
from ganzoo.training.objective import Objective

#: role -> the parameters of its ``forward``
Reads = Mapping[str, Iterable[str]]
Roles = frozenset[str]


@dataclass(frozen=True)
class Turn:
    """An update of one player or, from one forward pass, of several."""

    #: those that have terms in this stage, and their roles
    players: tuple[str, ...]
    roles: Roles
    #: whether it takes the next batch
    is_fresh: bool
    #: the words to make before, sources first -> the roles that will learn from the word, if any
    makes: Mapping[str, Roles]
    #: the words that a later turn reads as they are
    keeps: frozenset[str]
    #: player -> the words at which the shares of its terms are measured: the first that it makes
    meters: Mapping[str, tuple[str, ...]]
    #: each made word -> all roles on which it depends
    makers: Mapping[str, Roles]


def plan(
    recipe: Recipe, stage: Stage, objectives: Mapping[str, Objective], reads: Reads
) -> tuple[Turn, ...]:
    """Plan the turns of a stage's steps.

    Turns share nothing if the batch is worked through in parts, to save memory.
    """
    views: Views = {"fake": FAKE, **recipe.views}
    networks = {role: network.kind for role, network in recipe.networks.items()}

    def made_for(words: Iterable[str]) -> Iterator[str]:
        """Yield what generators and encoders make for ``words``, sources first."""
        for word in words:
            yield from made_for(made_of(word, views, reads)[1])
            view = views.get(word)
            if isinstance(view, Application) and networks[view.apply] != "discriminator":
                yield word

    turns: list[Turn] = []
    later: dict[str, Roles] = {}
    for players, is_fresh in reversed(list(zip(stage.updates, _fresh(stage.updates), strict=True))):
        active = tuple(player for player in players if player in objectives)
        roles = frozenset(role for player in active for role in recipe.players[player])
        words = ["fake"] if "generator" in roles else []
        words += [word for player in active for word in objectives[player].words]
        makers_of = {word: makers(word, views, reads) for word in made_for(words)}
        later = {
            word: learners
            for word, learners in later.items()
            if recipe.accumulate == 1 and not makers(word, views, reads) & roles
        }
        makes = {
            word: roles if makers_of[word] & roles else later.get(word, frozenset())
            for word in makers_of
        }
        meters = {}
        for player in active:
            its_roles = frozenset(recipe.players[player])
            products = [word for word in makers_of if makers_of[word] & its_roles]
            meters[player] = tuple(
                word
                for word in products
                if not any(s in products for s in made_for(made_of(word, views, reads)[1]))
            )
        turns.append(Turn(active, roles, is_fresh, makes, frozenset(later), meters, makers_of))
        later = {} if is_fresh else {**later, **makes}
    return tuple(reversed(turns))


def _fresh(updates: Iterable[tuple[str, ...]]) -> Iterator[bool]:
    """Yield whether each update takes a new batch, as one of its players has seen the last."""
    readers: set[str] | None = None
    for players in updates:
        is_fresh = readers is None or bool(readers & set(players))
        readers = set(players) if is_fresh or readers is None else readers | set(players)
        yield is_fresh
