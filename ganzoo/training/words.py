"""The words of an update, each computed at most once.

``ganzoo show vocabulary`` says what the words mean; ``recipe/vocabulary.py`` names them before any
data is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ganzoo.interfaces import Discriminator
from ganzoo.models.network import Network
from ganzoo.recipe.vocabulary import FEATURES, LOGITS

Transform = Callable[[Tensor], Tensor]
Extract = Callable[[Tensor], dict[str, Tensor]]


@dataclass(frozen=True)
class Transformed:
    """A word that is a transform of the image word ``of``."""

    transform: Transform
    of: str


@dataclass(frozen=True)
class Applied:
    """A word that the network ``role`` makes of words, by parameter; others are filled by name."""

    role: str
    to: Mapping[str, str]


Made = Transformed | Applied


class Bound:
    """A network as a loss gets it: called with an image, or by the name of one of its heads.

    Other inputs (``label``) come from the words of the update.
    """

    def __init__(self, network: Network, words: Words):
        self._network, self._words = network, words

    def __call__(self, image: Tensor) -> Tensor:
        """Run the network on ``image``."""
        return self._network(self._words, {self._network.reads[0]: image})

    def __getattr__(self, head: str) -> Any:
        return getattr(self._network.bare, head)


class Words:
    """The values of words on one batch.

    ``given`` are those that exist already: the dataset's fields, ``latent``, and what networks made
    before.  ``leaves`` are image words whose gradients a penalty takes: they require grad, so that
    their logits depend on them.  Images that require grad already, such as the generator's own
    fakes, stay as they are.

    ``real_logits@critic`` are the logits of the judge ``critic``, ``photo_features@vgg`` the
    features of ``photo`` from the recipe's extractor ``vgg``.  Features are on a graph only if the
    image is, since extractors are frozen.
    """

    def __init__(
        self,
        values: Mapping[str, Tensor],
        networks: Mapping[str, Network],
        views: Mapping[str, Made],
        augment: Transform | None = None,
        leaves: Iterable[str] = (),
        extractors: Mapping[str, Extract] | None = None,
    ):
        self.values: dict[str, Any] = dict(values)
        self._networks = networks
        self._views = views
        self._augment = augment
        self._extractors = extractors or {}
        for word in sorted(leaves):
            if not self[word].requires_grad:
                self.values[word] = self[word].detach().requires_grad_()

    def __contains__(self, word: str) -> bool:
        """Whether ``word`` can be an input of networks: it is given, or a view."""
        return word in self.values or word in self._views

    def __getitem__(self, word: str) -> Any:
        if word not in self.values:
            self.values[word] = self._compute(word)
        return self.values[word]

    def _compute(self, word: str) -> Any:
        match self._views.get(word):
            case Transformed(transform, of):
                return transform(self[of])
            case Applied(role, to):
                inputs = {name: self[source] for name, source in to.items()}
                if isinstance(self._networks[role].bare, Discriminator):
                    return self._judge(role, inputs)
                return self._networks[role](self, inputs)
        if word in self._networks:
            return Bound(self._networks[word], self)
        output, _, name = word.partition("@")
        if output.endswith(FEATURES) and name in self._extractors:
            return self._extractors[name](self[output.removesuffix(FEATURES)])
        judge = name or "discriminator"
        if output.endswith(LOGITS) and judge in self._networks:
            image = self[output.removesuffix(LOGITS)]
            return self._judge(judge, {self._networks[judge].reads[0]: image})
        raise KeyError(word)

    def _judge(self, role: str, inputs: dict[str, Any]) -> Tensor:
        """Run a discriminator, which sees its image augmented."""
        network = self._networks[role]
        if self._augment:
            inputs[network.reads[0]] = self._augment(inputs[network.reads[0]])
        return network(self, inputs)
