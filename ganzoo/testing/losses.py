"""The promises of losses.

A loss is fed as training feeds it, by a small generator and a small smooth discriminator.  If it
needs ``heads``, a discriminator of the same plugin that has them is used, without and with labels.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from ganzoo.errors import nearest, one_of
from ganzoo.interfaces import Discriminator, Generator
from ganzoo.models.network import Network
from ganzoo.recipe.grammar import PLAYERS
from ganzoo.recipe.recipe_types import Schedule, View
from ganzoo.recipe.vocabulary import FEATURES, vocabulary
from ganzoo.testing.attempt import Raised, Unavailable, attempt
from ganzoo.testing.cases import cases
from ganzoo.testing.datasets import tensor
from ganzoo.testing.devices import check_device, devices
from ganzoo.testing.eyes import Extract, eyes
from ganzoo.testing.subject import LABEL, Subject, labels, noise, seed, told
from ganzoo.training.objective import WeightedLoss
from ganzoo.training.words import Words

Promise = Callable[[Subject], None]

#: images in a batch, their height and width, and numbers in a latent
BATCH, SIDE, LATENT = 4, 16, 8
_EXTRACTOR = "extractor"


def promises(subject: Subject) -> list[Promise]:
    """Return the promises of a loss."""
    return [
        reads_words_of_the_vocabulary,
        trains_its_player,
        depends_on_its_words_alone,
        has_nothing_to_learn,
        moves_with_its_words,
    ]


class Judge(Discriminator):
    """A smooth discriminator of any image."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 5, 3), nn.Softplus(), nn.Conv2d(4, 1, 3))

    def forward(self, image: Tensor) -> Tensor:
        """Logits (N,)."""
        logits: Tensor = self.layers(image).mean((1, 2, 3))
        return logits


class Maker(Generator):
    """Makes images from latents, or from anything else."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.layer = nn.Linear(LATENT, 3 * size * size)

    def forward(self, latent: Tensor) -> Tensor:
        """Images (N, 3, size, size) in [-1, 1]."""
        assert self.size is not None
        short = nn.functional.adaptive_avg_pool1d(latent.flatten(1), LATENT)
        image: Tensor = self.layer(short).tanh().unflatten(1, (3, self.size, self.size))
        return image


@dataclass
class Scene:
    """Networks and an extractor; with made-up words they run an update of one player.

    ``label`` holds the labels' attributes and values.
    """

    subject: Subject
    judge: nn.Module
    size: int
    label: Mapping[str, Sequence[str]]
    see: Extract

    @property
    def kinds(self) -> dict[str, str]:
        """Every word and its kind."""
        return _vocabulary(self.subject)

    def term(self, player: str) -> WeightedLoss:
        """Return the loss as a term of a player's objective, frozen as in training."""
        loss = self.subject.build()
        attempt("eval() (is super().__init__() called?)", loss.eval)
        extractor = _EXTRACTOR if any(w.endswith(FEATURES) for w in self._reads(player)) else None
        loss.requires_grad_(False)
        return WeightedLoss("loss", loss, player, Schedule(1, 1), 1, {}, extractor)

    def words(self, salt: int = 0) -> dict[str, Tensor]:
        """Return the dataset's fields, their views, and ``latent``."""
        values: dict[str, Tensor] = {}
        reads = {word for player in PLAYERS for word in self._reads(player)}
        for place, (word, what) in enumerate(self.kinds.items(), 100 * salt):
            if what == "image":
                values[word] = noise(BATCH, 3, self.size, self.size, salt=place)
            elif what == "label":
                values[word] = labels(BATCH, self.label).roll(salt, 0)
            elif word == "latent":
                values[word] = noise(BATCH, LATENT, salt=place)
            elif what == "tensor" and word in reads and word not in self.subject.fields:
                values[word] = noise(BATCH, self.length_of(word), salt=place)
            elif what == "tensor" and word in reads:
                values[word] = tensor(self.subject, word, BATCH).roll(salt, 0)
        return values

    def length_of(self, code: str) -> int:
        """Return the length of a code that the judge reads beside the image, as it says."""
        length = getattr(self.judge, code, LATENT)
        return length if isinstance(length, int) else LATENT

    def ready(
        self, term: WeightedLoss, words: dict[str, Tensor], device: torch.device | None = None
    ) -> tuple[Callable[[], Any], nn.Module]:
        """Return a function for the term's value, and the network that it trains."""
        seed(0)
        networks = {"generator": Maker(self.size), "discriminator": copy.deepcopy(self.judge)}
        if device:
            words = {word: value.to(device) for word, value in words.items()}
            networks = {name: network.to(device) for name, network in networks.items()}
            term.loss.to(device)
        fake = networks["generator"](words["latent"])
        values = words | {"fake": fake if term.method == "generator" else fake.detach()}
        for code in words.keys() - self.subject.fields.keys() - {"latent"}:
            # by a network that learns along; an equal shift of all numbers would not move a softmax
            shift = noise(*words[code].shape, salt=999).to(words[code])
            values[code] = words[code] + shift * fake.mean()
        bare = {name: Network(network) for name, network in networks.items()}
        leaves = [word for word in term.leaves if word in values]
        update = Words(values, bare, {}, None, leaves, {_EXTRACTOR: self.see})
        seed(1)
        return lambda: term(update, self.kinds), networks[term.method]

    def run(self, term: WeightedLoss, words: dict[str, Tensor]) -> tuple[Any, nn.Module]:
        """Return the term's value for the words, and the network that it trains."""
        value, network = self.ready(term, words)
        return value(), network

    def attempt(self, player: str, words: dict[str, Tensor] | None = None) -> Any:
        """Return the value of a new loss; a failure names its words."""
        what = f"{player}({', '.join(self._reads(player))})"
        words = self.words() if words is None else words
        try:
            return attempt(what, lambda: self.run(self.term(player), words))
        except Raised as error:
            raise Raised(f"{error}. Images are {told({'real': words['fake']})}.") from (
                error.__cause__
            )

    def _reads(self, player: str) -> dict[str, bool]:
        return self.subject.needs(player)


def _vocabulary(subject: Subject) -> dict[str, str]:
    """Return every word of a recipe with both networks, an extractor, and the needed views."""
    fields = subject.fields
    networks, reads = {player: player for player in PLAYERS}, {"generator": ["latent"]}
    words = vocabulary(fields, {}, networks, reads, [_EXTRACTOR])
    needs = {word for player in PLAYERS for word in subject.needs(player)}
    if needs <= words.keys():
        return words
    views = {name: View("", {}, of) for name, of in subject.views.items()}
    codes = dict.fromkeys(subject.codes, "tensor")
    return vocabulary(codes | fields, views, networks, reads, [_EXTRACTOR])


def _players(subject: Subject) -> list[str]:
    return [player for player in PLAYERS if player in subject.read.methods]


def _scene(subject: Subject, player: str) -> Scene:
    """Find a discriminator and features that a player's part accepts, or return the last tried."""
    key = f"scene of {player}"
    if key not in subject.found_out:
        subject.found_out[key] = _find_scene(subject, player)
    scene: Scene = subject.found_out[key]
    return scene


def _find_scene(subject: Subject, player: str) -> Scene:
    scene, refusal = None, None
    for judge, size, label in _judges(subject, player):
        for see in _sights(subject, player):
            trial = Scene(subject, judge, size, label, see)
            try:
                trial.attempt(player)
            except Raised as error:
                # of features, the first refusal is most useful; of discriminators, the last
                if scene is None or judge is not scene.judge:
                    scene, refusal = trial, error
            else:
                return trial
    if scene is None:
        raise AssertionError(refusal)
    return scene


def _judges(
    subject: Subject, player: str
) -> Iterator[tuple[nn.Module, int, Mapping[str, Sequence[str]]]]:
    """Yield ours and, if the loss calls it, those of the same plugin that have heads.

    Each with its size, and the labels that it takes.
    """
    seed(0)
    yield Judge(), SIDE, LABEL
    if "discriminator" in subject.needs(player):
        for other in subject.siblings("discriminator"):
            if other.read.attributes.get("heads"):
                try:
                    for case in cases(other):
                        yield case.build(), case.size, other.given.get("label", LABEL)
                except (AssertionError, Unavailable):
                    continue  # its own contracts report it


def _sights(subject: Subject, player: str) -> Iterator[Extract]:
    """Yield maps first, as most losses of features read maps."""
    if not any(word.endswith(FEATURES) for word in subject.needs(player)):
        yield lambda image: {}
        return
    extractors = sorted(eyes(subject), key=lambda eye: not eye.name.startswith("maps"))
    yield from (eye.see for eye in extractors)


# -- the promises -----------------------------------------------------------------------------


def reads_words_of_the_vocabulary(subject: Subject) -> None:
    """It has a part for a player, and reads only words that exist."""
    players = _players(subject)
    if not players:
        raise AssertionError(
            "it has neither a method `generator` nor `discriminator`, so no player can use it."
        )
    words = _vocabulary(subject)
    for player in players:
        for word, is_required in subject.needs(player).items():
            if is_required and word not in words:
                raise AssertionError(
                    f"its {player} reads '{word}', which no dataset and no view of a registered "
                    f"recipe provides{nearest(word, words)} Available: {one_of(words)}."
                )
    needs = {word for player in players for word in subject.needs(player)}
    for word in subject.cls.differentiates:
        if words.get(word) != "image" or word not in needs:
            raise AssertionError(
                f"it differentiates '{word}', which is no image that it reads{nearest(word, needs)}"
            )


def trains_its_player(subject: Subject) -> None:
    """It gives a finite scalar whose finite gradient reaches the player."""
    for player in _players(subject):
        scene = _scene(subject, player)
        try:
            value, network = scene.attempt(player)
        except Raised as error:
            if "does not require grad" in str(error) and not subject.cls.differentiates:
                raise Raised(
                    f"{error} Does it take gradients of an image word? Name it in `differentiates`."
                ) from error.__cause__
            raise
        if not isinstance(value, Tensor) or value.shape != ():
            raise AssertionError(
                f"{player} gives "
                f"{told({'a value': value}) if isinstance(value, Tensor) else value!r}: not a "
                "scalar tensor. Take the mean over the batch."
            )
        if not value.isfinite():
            raise AssertionError(f"{player} gives {value.item()}.")
        parameters = list(network.parameters())
        if not value.requires_grad:
            raise AssertionError(
                f"what {player} gives does not hang on the {player}'s weights. Is there a "
                "detach(), an item() or, in a penalty, no create_graph=True?"
            )
        gradients = attempt(
            f"the gradient of {player}", torch.autograd.grad, value, parameters, allow_unused=True
        )
        parts = [g for g in gradients if g is not None]
        if not all(g.isfinite().all() for g in parts):
            raise AssertionError(
                f"the gradient of {player} at the {player}'s weights is NaN or infinite."
            )
        if not any(g.abs().sum() > 0 for g in parts):
            raise AssertionError(
                f"the gradient of {player} is 0 at all of the {player}'s weights: it trains "
                "nothing."
            )


def depends_on_its_words_alone(subject: Subject) -> None:
    """Its value is decided by the words that it declares, and by nothing it saw before.

    A resumed run builds its losses again, and must give the same to the bit.
    """
    for player in _players(subject):
        scene = _scene(subject, player)
        value, _ = scene.attempt(player)
        words, others = scene.words(), scene.words(1)
        term_before = scene.term(player)
        for name in _players(subject):
            other = _scene(subject, name)
            term = replace(other.term(name), loss=term_before.loss)
            attempt(f"{name} of other images", other.run, term, other.words(1))
        again, _ = attempt(f"{player} once more", scene.run, term_before, words)
        if not torch.equal(value, again):
            raise AssertionError(
                f"{player} gives {value.item():.6g} at first and {again.item():.6g} of the same "
                "words after it was called with others: it remembers something, or draws at random "
                "from elsewhere than torch's default generator."
            )
        names = {word.removesuffix(suffix) for word in subject.needs(player)
                    for suffix in ("", "_logits", FEATURES)}  # fmt: skip
        mixture = {
            word: value if word in names or word in ("latent", "fake") else others[word]
            for word, value in words.items()
        }
        again, _ = scene.attempt(player, mixture)
        if not torch.equal(value, again):
            raise AssertionError(
                f"{player} gives {value.item():.6g}, and {again.item():.6g} where only words "
                f"differ that it does not declare ({one_of(words.keys() - names)})."
            )


def has_nothing_to_learn(subject: Subject) -> None:
    """It has no trainable parameters, since no optimiser gets them."""
    loss = subject.build()
    names = [name for name, p in loss.named_parameters() if p.requires_grad]
    if names:
        raise AssertionError(
            f"it has trainable parameters, {', '.join(names)}, and losses are frozen. Make it "
            "an argument of the constructor, keep it with register_buffer, or freeze it with "
            "requires_grad_(False)."
        )
    measures = getattr(loss, "measures", None)
    if not isinstance(measures, dict):
        raise AssertionError(
            "it has no dict `measures`: call super().__init__() in its constructor."
        )


def moves_with_its_words(subject: Subject) -> None:
    """It works wherever its words are."""
    for player in _players(subject):
        scene = _scene(subject, player)
        scene.attempt(player)
        for device in devices():
            value, _ = scene.ready(scene.term(player), scene.words(), device)
            check_device(f"{player} on another device ({device.type})", value, device)


__all__ = ["Judge", "Maker", "promises"]
