"""One update: the words of the vocabulary, each computed at most once.

See ``vocabulary.py`` for what the words mean, and ``ganzoo show vocabulary``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from torch import Tensor

from ganzoo.models.network import Network
from ganzoo.recipe.vocabulary import FEATURES, LOGITS


class Bound:
    """A network as a loss gets it: called with an image, or by the name of one of its heads.

    Other inputs (``label``) come from the words of the update.
    """

    def __init__(self, network: Network, words: Update):
        self._network, self._words = network, words

    def __call__(self, image: Tensor) -> Tensor:
        """Run the network on ``image``."""
        return self._network(self._words, image)

    def __getattr__(self, head: str) -> Any:
        return getattr(self._network.bare, head)


class Update:
    """The words of one player's update.

    ``given`` are the dataset's fields, ``latent`` and, once computed, ``fake``.  ``leaves`` are
    image words whose gradients a penalty takes: they require grad, so that their logits depend on
    them.  Images that already require grad, such as the generator's own fakes, stay as they are.

    ``photo_features@vgg`` are the features of ``photo`` from the recipe's extractor ``vgg``.  They
    are on a graph only if the image is, since extractors are frozen.
    """

    def __init__(
        self,
        given: Mapping[str, Tensor],
        networks: Mapping[str, Network],
        views: Mapping[str, tuple[Callable[[Tensor], Tensor], str]],
        augment: Callable[[Tensor], Tensor] | None = None,
        leaves: Iterable[str] = (),
        extractors: Mapping[str, Callable[[Tensor], dict[str, Tensor]]] | None = None,
    ):
        self.values: dict[str, Any] = dict(given)
        self._networks = networks
        self._views = views
        self._augment = augment
        self._extractors = extractors or {}
        for word in sorted(leaves):
            if not self[word].requires_grad:
                self.values[word] = self[word].detach().requires_grad_()

    def __contains__(self, word: str) -> bool:
        """Whether ``word`` is an input of networks: given, or a view."""
        return word in self.values or word in self._views

    def __getitem__(self, word: str) -> Any:
        if word not in self.values:
            self.values[word] = self._compute(word)
        return self.values[word]

    def _compute(self, word: str) -> Any:
        if word in self._views:
            transform, source = self._views[word]
            return transform(self[source])
        if word in self._networks:
            return Bound(self._networks[word], self)
        features, _, extractor = word.partition("@")
        if features.endswith(FEATURES) and extractor in self._extractors:
            return self._extractors[extractor](self[features.removesuffix(FEATURES)])
        if word.endswith(LOGITS):
            image = self[word.removesuffix(LOGITS)]
            image = self._augment(image) if self._augment else image
            return self._networks["discriminator"](self, image)
        raise KeyError(word)
