"""An encoder of texts that learns, before the GAN, to tell what a text says.

Text to image (``networks.py``) then uses it as it is, as Reed et al. 2016 do
(https://arxiv.org/abs/1605.05396, section 4.1).  Theirs reads characters, and learns from images:
the text of a class is to be near its images (Reed, Akata, Schiele and Lee 2016, Learning deep
representations of fine-grained visual descriptions, https://arxiv.org/abs/1605.05395).  Ours reads
words by two convolutions, and learns to guess the labels of the image: in trials with small batches
an embedding beside images learnt hair, skin and grounds, and not what is small in a picture, such
as the mouth.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch
from annotated_types import Ge
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, layer_norm

from ganzoo.captions import Vocabulary, stack
from ganzoo.interfaces import Encoder, Loss

#: a phrase of what a text says already moves its code less than others of its kind: by less than
#: this share of their mean.  Of 400 captions of avatars, those that said an attribute had 0.2, and
#: those that did not 0.9; 99 in 100 were on the right side of this
SAID = 0.68


class WordEncoder(Encoder):
    """Reads the words of a text: a vector for each, two convolutions over five words, a maximum.

    The code has mean 0 and variance 1 over its elements.  A dataset with ``phrases`` lets the model
    be asked for labels: their phrases are the text, or say what a text leaves unsaid.

    Args:
        vocabulary: the words it knows; by default the dataset's.
        phrases: attribute -> its values -> how a text says so; by default the dataset's.
        meaning: length of the code.
        width: length of a word's vector.
    """

    conditions: ClassVar[tuple[str, ...]] = ("text",)
    instead_of_label: ClassVar[tuple[str, ...]] = ("text",)

    def __init__(
        self,
        vocabulary: list[str],
        phrases: dict[str, dict[str, str]] | None = None,
        meaning: Annotated[int, Ge(1)] = 128,
        width: Annotated[int, Ge(1)] = 64,
    ):
        super().__init__()
        self.vocabulary = Vocabulary(vocabulary)
        self.label = {name: list(values) for name, values in (phrases or {}).items()} or None
        for name, table in self._tables(phrases or {}).items():
            self.register_buffer(name, table, persistent=False)
        self.vectors = nn.Embedding(len(vocabulary) + 1, width)
        self.first = nn.Conv1d(width, meaning, 5, padding=2)
        self.second = nn.Conv1d(meaning, meaning, 5, padding=2)
        self.code = nn.Linear(meaning, meaning)

    def _tables(self, phrases: dict[str, dict[str, str]]) -> dict[str, Tensor]:
        """Return the tokens of each attribute's phrases, by the name of a buffer (values, L)."""
        tables = {}
        for number, values in enumerate(phrases.values()):
            rows = [self.vocabulary.tokens(f"{phrase},") for phrase in values.values()]
            longest = max(map(len, rows), default=0)
            tables[f"phrases{number}"] = torch.tensor([r + [0] * (longest - len(r)) for r in rows])
        return tables

    def read_condition(self, word: str, value: Any) -> Tensor:
        """Return the tokens of a text, or of several: int64 (N, T).

        Raises RunError if it knows no word of one of them.
        """
        texts = [value] if isinstance(value, str) else value
        return stack([self.vocabulary.read(text) for text in texts])

    def complete_condition(self, word: str, value: Tensor, label: Tensor) -> Tensor:
        """Put the phrases of labels (N, A) behind tokens (N, T), where these do not say them."""
        texts, places = value.unique(dim=0, return_inverse=True)
        unsaid = torch.stack([self._unsaid(text) for text in texts])[places]
        phrases = [rows * unsaid[:, i, None] for i, rows in enumerate(self._phrases(label))]
        comma = self._comma(len(value)).to(value) * unsaid.any(1, keepdim=True)
        return torch.cat([value, comma, *phrases], dim=1)

    def _unsaid(self, text: Tensor) -> Tensor:
        """Return which attributes a text, tokens (T,), leaves unsaid: bool (A,)."""
        code, unsaid = self._read(text[None]), []
        for number in range(len(self.label or {})):
            phrases = self.get_buffer(f"phrases{number}")
            n = len(phrases)
            longer = torch.cat([text.expand(n, -1), self._comma(n).to(text), phrases], dim=1)
            moved = (self._read(longer) - code).norm(dim=1)
            unsaid.append(moved.min() > SAID * moved.mean())
        return torch.stack(unsaid)

    def _phrases(self, label: Tensor) -> list[Tensor]:
        """Return the tokens of each attribute's phrase, (N, L), of labels (N, A)."""
        return [self.get_buffer(f"phrases{i}")[column] for i, column in enumerate(label.unbind(1))]

    def _comma(self, n: int) -> Tensor:
        return torch.tensor([self.vocabulary.tokens(",")] * n)

    def forward(
        self,
        text: Tensor | None = None,
        label: Tensor | None = None,
        halfway_to: Tensor | None = None,
    ) -> Tensor:
        """Codes (N, meaning) of tokens int64 (N, T), in which 0 is no word.

        Without a text, labels int64 (N, A) are said by their phrases.  With ``halfway_to``, tokens
        (N, U) of another text, the code is the mean of both (Reed 2016, section 4.3, with beta =
        1/2).
        """
        if text is None:
            if label is None:
                raise ValueError("an encoder of texts needs a text, or labels to say")
            text = torch.cat(self._phrases(label), dim=1)
        code = self._read(text)
        return code if halfway_to is None else (code + self._read(halfway_to)) / 2

    def _read(self, tokens: Tensor) -> Tensor:
        """Codes (N, meaning) of tokens (N, T); only the order of the words counts, not the gaps."""
        tokens = torch.where(tokens < self.vectors.num_embeddings, tokens, 0)
        order = (tokens == 0).to(torch.int8).argsort(dim=1, stable=True)
        tokens = tokens.gather(1, order)
        mask = (tokens > 0)[:, None].to(self.vectors.weight)
        x = self.vectors(tokens).mT * mask
        for layer in (self.first, self.second):
            x = layer(x).relu() * mask
        code: Tensor = self.code(x.amax(dim=2))
        return layer_norm(code, code.shape[1:])


class NamedAttributes(Encoder):
    """Guesses an image's labels from the code of a text about it: a layer, with logits (N, A * V).

    V is the greatest number of values that an attribute has.

    Args:
        label: attribute -> its values; by default the dataset's.
        meaning: length of the code.
    """

    def __init__(self, label: dict[str, list[str]], meaning: Annotated[int, Ge(1)] = 128):
        super().__init__()
        self.layer = nn.Linear(meaning, len(label) * max(map(len, label.values())))

    def forward(self, meaning: Tensor) -> Tensor:
        """Logits (N, A * V), attribute by attribute, of codes (N, meaning)."""
        result: Tensor = self.layer(meaning)
        return result


class Guessing(Loss):
    """Cross-entropy of labels guessed from a text; what the text leaves unsaid can only be guessed.

    ``guess`` (N, A * V) are logits, attribute by attribute, as of encoder ``text-attributes``.
    """

    def generator(self, guess: Tensor, label: Tensor) -> Tensor:
        """Mean over attributes; ``label`` int64 (N, A)."""
        return cross_entropy(guess.unflatten(1, (label.shape[1], -1)).mT, label)
