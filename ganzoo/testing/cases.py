"""The ways to build a network under test, and its inputs.

It is built with the fewest arguments, small sizes first; if it takes ``label``, with and without.
``arguments`` of ``contracts`` choose others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ganzoo.errors import GanzooError
from ganzoo.formats.containers import Union
from ganzoo.formats.types import Choice
from ganzoo.plugins.signature import REQUIRED, Parameter
from ganzoo.testing.attempt import Raised, Unavailable, attempt
from ganzoo.testing.datasets import tensor
from ganzoo.testing.subject import GIVEN, LABEL, Subject, labels, made_up, noise, told

#: heights and widths to try if a network does not say which it can have
SIZES = (32, 64, 128, 256, 16, 28, 48, 96, 112, 224, 512)
#: most sizes to try, and the largest if there are smaller ones
MOST, LARGEST = 3, 128
#: images in a batch, and whether in training mode
BATCHES = ((1, False), (3, False), (3, True))
#: length of a latent, if a network that is no generator does not say it
LATENT = 8


@dataclass
class Case:
    """One way to build a network, and its inputs."""

    subject: Subject
    size: int
    has_labels: bool

    def __str__(self) -> str:
        return f"at size {self.size}{', with labels' * self.has_labels}"

    def build(self, salt: int = 0) -> Any:
        """Build the network, with weights drawn from a seed."""
        arguments: dict[str, Any] = {}
        if self.subject.parameter("size"):
            arguments["size"] = self.size
        if self.has_labels:
            arguments["label"] = self.subject.given.get("label", LABEL)
        return self.subject.build(salt, **arguments)

    def words(self, network: Any, n: int, salt: int = 0) -> dict[str, Tensor]:
        """Make up every required parameter of ``forward`` from a seed."""
        values: dict[str, Tensor] = {}
        for place, (word, is_required) in enumerate(self.subject.needs("forward").items()):
            if word == "label":
                if self.has_labels:
                    label = self.subject.given.get("label", LABEL)
                    values[word] = labels(n, label).roll(salt, 0)
            elif word == "latent":
                values[word] = self._latents(network, n, salt)
            elif self.subject.fields.get(word) == "tensor" and (is_required or not place):
                values[word] = tensor(self.subject, word, n).roll(salt, 0)
            elif is_required and (length := self._length_of(word)):
                values[word] = noise(n, length, salt=place + 100 * salt)
            elif is_required or not place:
                values[word] = noise(n, 3, self.size, self.size, salt=place + 100 * salt)
        return values

    def _latents(self, network: Any, n: int, salt: int) -> Tensor:
        """Draw them as a generator does; for another network, of the length that it says."""
        if self.subject.entry.kind == "generator":
            rng = torch.Generator().manual_seed(5 + salt)
            latents: Tensor = attempt("sample_latent(n, rng)", network.sample_latent, n, rng)
            return latents
        return noise(n, self._length_of("latent") or LATENT, salt=5 + salt)

    def _length_of(self, word: str) -> int | None:
        """Return the length of a code, if the constructor has an argument of that name for it."""
        length, parameter = self.subject.given.get(word), self.subject.parameter(word)
        if length is None and parameter:
            is_required = parameter.default is REQUIRED
            length = made_up(parameter) if is_required else parameter.default
        return length if isinstance(length, int) else None

    def run(self, network: Any, words: dict[str, Tensor]) -> Any:
        """Run the network on the words."""
        return self.call(network, f"forward({', '.join(words)})", words)

    def call(self, function: Any, what: str, words: dict[str, Tensor]) -> Any:
        """Call something with words; a failure reports their shapes."""
        try:
            return attempt(what, function, **words)
        except Raised as error:
            raise Raised(f"{error}. It was given {told(words)}, {self}.") from error.__cause__


def cases(subject: Subject, sizes: int = 1) -> Iterator[Case]:
    """Yield the ways to build a network, at so many sizes."""
    for size in _sizes(subject)[:sizes]:
        for has_labels in _forms(subject):
            yield Case(subject, size, has_labels)


def _forms(subject: Subject) -> list[bool]:
    """Whether to build it with labels: if they are optional, without and with."""
    label = subject.parameter("label")
    is_required = subject.needs("forward").get("label") or (label and label.default is REQUIRED)
    if "label" in subject.given or is_required:
        return [True]
    return [False, True] if label else [False]


def _sizes(subject: Subject) -> list[int]:
    """List the sizes that a network can have, small ones first."""
    if "sizes" not in subject.found_out:
        subject.found_out["sizes"] = _allowed(subject) or _tried(subject)
    sizes: list[int] = subject.found_out["sizes"]
    return sizes


def _allowed(subject: Subject) -> list[int]:
    """Return the size that the author gave, or those in its annotation."""
    if "size" in subject.given:
        return [subject.given["size"]]
    parameter = subject.parameter("size")
    kind = parameter.type if parameter else None
    options = kind.options if isinstance(kind, Union) else [kind]
    values = [v for o in options if isinstance(o, Choice) for v in o.values]
    numbers = sorted(v for v in values if isinstance(v, int) and not isinstance(v, bool))
    return [n for n in numbers if n <= LARGEST][:MOST] or numbers[:1]


def _tried(subject: Subject) -> list[int]:
    """Return the first sizes that the constructor, or else ``forward``, accepts."""
    parameter, sizes = subject.parameter("size"), []
    candidates = _candidates(parameter)
    refusal: Exception = Unavailable(
        f"no size of {', '.join(map(str, candidates))} is allowed: give {subject} one by {GIVEN}."
    )
    for size in candidates:
        if parameter and parameter.type.check(size):
            continue
        case = Case(subject, size, _forms(subject)[0])
        try:
            network = case.build()
            if not parameter:
                with torch.no_grad():
                    case.run(network.eval(), case.words(network, 1))
        except Raised as error:
            if parameter and not isinstance(error.__cause__, (GanzooError, ValueError)):
                raise
            refusal = error
            continue
        sizes.append(size)
        if len(sizes) == MOST - 1:
            break
    if not sizes:
        raise refusal
    return sorted(sizes)


def _candidates(parameter: Parameter | None) -> list[int]:
    """Return ``SIZES`` and the constructor's default, which comes last if it is large."""
    default = parameter.default if parameter else None
    if not isinstance(default, int):
        return list(SIZES)
    return list(dict.fromkeys((default, *SIZES) if default <= LARGEST else (*SIZES, default)))
