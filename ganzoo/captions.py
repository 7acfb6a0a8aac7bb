"""Texts as numbers: the words of a vocabulary, for datasets and for networks that read text."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

import torch
from torch import Tensor
from torch.nn.functional import pad

from ganzoo.errors import RunError
from ganzoo.text import shorten

#: a word, or a mark that ends a clause
_TOKEN = re.compile(r"[^\W_]+|[,;.:]")


def words(text: str) -> list[str]:
    """Split a text into small words; marks that end a clause are commas, others are left out."""
    return ["," if not token.isalnum() else token for token in _TOKEN.findall(text.lower())]


class Vocabulary:
    """Numbers of words: the first of ``known`` is 1, and 0 stands for no word."""

    def __init__(self, known: Iterable[str]):
        self.known = tuple(known)
        self._numbers = {word: number for number, word in enumerate(self.known, 1)}

    def tokens(self, text: str, length: int | None = None) -> list[int]:
        """Number the known words of a text; others are left out.

        With ``length``, fill up with 0, or cut off what is beyond.
        """
        numbers = [self._numbers[word] for word in words(text) if word in self._numbers]
        if length is None:
            return numbers
        return numbers[:length] + [0] * (length - len(numbers))

    def unknown(self, text: str) -> dict[str, str]:
        """Return the words of a text that are unknown, and the nearest known one or nothing."""
        strange = [word for word in words(text) if word not in self._numbers and word != ","]
        close = {word: get_close_matches(word, self.known, 1, 0.65) for word in strange}
        return {word: near[0] if near else "" for word, near in close.items()}

    def read(self, text: str) -> Tensor:
        """Return the tokens of a user's text, int64 (1, T).

        Warns of unknown words.  Raises RunError if no word is known.
        """
        if not isinstance(text, str) or not any(word != "," for word in words(text)):
            raise RunError(f'text {text!r:.80}: expected words, as "pink hair, smiling".')
        unknown = ", ".join(
            f"'{word}'" + (f" (did you mean '{near}'?)" if near else "")
            for word, near in self.unknown(text).items()
        )
        numbers = self.tokens(text)
        if not any(self.known[number - 1] != "," for number in numbers):
            raise RunError(
                f"text '{shorten(text)}': this model knows no word of it: {unknown}. "
                f"`ganzoo show MODEL` lists the words that it knows."
            )
        if unknown:
            warnings.warn(f"text: this model does not know {unknown}.", stacklevel=2)
        return torch.tensor([numbers])


def stack(rows: Sequence[Tensor]) -> Tensor:
    """Put tokens int64 (1, T) of several texts into one tensor (N, the longest T)."""
    longest = max(row.shape[1] for row in rows)
    return torch.cat([pad(row, (0, longest - row.shape[1])) for row in rows])
