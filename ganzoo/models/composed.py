"""A generator together with the networks that make its words.

A recipe's generator may read a word that another network makes, as the code of a text.  To draw,
the two are one generator of what the other network reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

import torch
from torch import Tensor, nn

from ganzoo.errors import RunError
from ganzoo.interfaces import Conditional, Generator
from ganzoo.models.config import View
from ganzoo.models.network import RANDOM, Reads, reads


class Composed(Generator):
    """A generator, and the networks by role that make the words ``made`` for it.

    It shares their weights.  Its inputs are what nobody makes: what is drawn at random, what a user
    gives, and what a network cannot do without.
    """

    def __init__(
        self, generator: Generator, networks: Mapping[str, nn.Module], made: Mapping[str, View]
    ):
        super().__init__()
        self.generator = generator
        self.networks = nn.ModuleDict(dict(networks))
        self.made = dict(made)
        self.size, self.output_scale = generator.size, generator.output_scale
        readers = (generator, *networks.values())
        asked = [one for one in readers if isinstance(one, Conditional)]
        self._readers = {word: one for one in asked for word in one.conditions}
        self.conditions = tuple(self._readers)  # type: ignore[misc]  # of this one alone
        self.instead_of_label = tuple(w for one in asked for w in one.instead_of_label)  # type: ignore[misc]
        self.label = next((one.label for one in asked if one.label), None)
        words: dict[str, bool] = {}
        for network, to in self._uses():
            known = reads(network)
            for parameter in known.words:
                word, is_required = to.get(parameter, parameter), parameter in known.required
                if word not in made:
                    words[word] = words.get(word, False) or is_required
        kept = [w for w, need in words.items() if need or w in (*RANDOM, *self.conditions)]
        if not self.label:
            kept = [word for word in kept if word != "label"]
        self.reads = Reads(tuple(kept), tuple(word for word in kept if words[word]))
        self.training = generator.training

    def _uses(self) -> list[tuple[nn.Module, Mapping[str, str]]]:
        uses: list[tuple[nn.Module, Mapping[str, str]]] = [(self.generator, {})]
        return uses + [(self.networks[one.apply], one.to) for one in self.made.values()]

    def sample_latent(self, n: int, rng: torch.Generator) -> Tensor:
        """Draw latents as the generator does."""
        return self.generator.sample_latent(n, rng)

    def read_condition(self, word: str, value: Any) -> Tensor:
        """Let the network read a condition that has it."""
        condition: Tensor = self._readers[word].read_condition(word, value)
        return condition

    def complete_condition(self, word: str, value: Tensor, label: Tensor) -> Tensor:
        """Let the network that reads a condition complete it."""
        condition: Tensor = self._readers[word].complete_condition(word, value, label)
        return condition

    def show_condition(self, word: str, value: Tensor) -> Tensor | None:
        """Let the network show a condition that has it."""
        return self._readers[word].show_condition(word, value)

    def forward(self, **words: Tensor) -> Tensor:
        """Images of ``reads``; words that are there already are not made again."""
        image: Tensor = self.generator(**_filled(self.generator, {}, _Making(self, words)))
        return image


class _Making(dict[str, Tensor]):
    """Words by name, of which some are made when they are first asked for."""

    def __init__(self, composed: Composed, words: Mapping[str, Tensor]):
        super().__init__(words)
        self._composed = composed

    def __contains__(self, word: object) -> bool:
        return super().__contains__(word) or word in self._composed.made

    def __missing__(self, word: str) -> Tensor:
        made = self._composed.made[word]
        network = self._composed.networks[made.apply]
        value: Tensor = network(**_filled(network, made.to, self))
        self[word] = value
        return value


def _filled(network: nn.Module, to: Mapping[str, str], words: _Making) -> dict[str, Tensor]:
    sources = {name: to.get(name, name) for name in reads(network).words}
    return {name: words[word] for name, word in sources.items() if word in words}


def composed(
    generator: Generator, networks: Mapping[str, nn.Module], views: Mapping[str, View]
) -> Generator:
    """Join a generator and what makes its words; itself if nobody makes one.

    ``networks`` are those by role that draw, and ``views`` what they could make.  Raises RunError
    if views go in a circle.
    """
    made: dict[str, View] = {}
    graph: dict[str, list[str]] = {}
    queue = list(reads(generator).words)
    while queue:
        word = queue.pop()
        if word in views and word not in made:
            made[word] = views[word]
            to, network = views[word].to, networks[views[word].apply]
            graph[word] = [to.get(name, name) for name in reads(network).words]
            queue += graph[word]
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise RunError(f"views go in a circle: {' -> '.join(error.args[1])}.") from error
    if not made:
        return generator
    return Composed(generator, {one.apply: networks[one.apply] for one in made.values()}, made)


def bare(generator: Generator) -> Generator:
    """Return the generator alone."""
    return generator.generator if isinstance(generator, Composed) else generator
