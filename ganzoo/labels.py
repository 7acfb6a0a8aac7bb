"""Labels of several attributes, such as hair and eyes, as vectors for conditional networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from ganzoo.errors import RecipeError


class LabelEmbedding(nn.Module):
    """A table of vectors for each attribute: labels int64 (N, A) to (N, A, dim).

    Raises RecipeError if ``label`` names no attribute, or an attribute has no values.
    """

    def __init__(self, label: Mapping[str, Sequence[str]], dim: int, std: float):
        super().__init__()
        empty = [attribute for attribute, values in label.items() if not values]
        if empty or not label:
            fault = f"no values for {', '.join(empty)}" if empty else "no attributes"
            raise RecipeError(
                [f"`label` has {fault}: give each attribute its values, or leave `label` out."]
            )
        self.attributes = tuple(label)
        tables = [nn.Embedding(len(values), dim) for values in label.values()]
        for table in tables:
            nn.init.normal_(table.weight, 0.0, std)
        self.tables = nn.ModuleList(tables)

    def forward(self, label: Tensor) -> Tensor:
        """Look up each attribute; raises ValueError if the shape is not (N, A)."""
        if label.ndim != 2 or label.shape[1] != len(self.attributes):
            raise ValueError(
                f"`label` is {tuple(label.shape)}; it must be (N, {len(self.attributes)}): one "
                f"index each for {', '.join(self.attributes)}"
            )
        pairs = zip(self.tables, label.unbind(1), strict=True)
        return torch.stack([table(index) for table, index in pairs], dim=1)


def with_label(latent: Tensor, embedding: LabelEmbedding | None, label: Tensor | None) -> Tensor:
    """Append a label's vectors to latents (N, L); raises ValueError as ``embed`` does."""
    vectors = embed(embedding, label)
    return latent if vectors is None else torch.cat([latent, vectors.flatten(1)], dim=1)


def embed(embedding: LabelEmbedding | None, label: Tensor | None) -> Tensor | None:
    """Embed ``label``; None for an unconditional network.

    Raises ValueError if a conditional network gets no label, or an unconditional one does.
    """
    if embedding is None:
        if label is not None:
            raise ValueError("this network was built without `label` and takes none")
        return None
    if label is None:
        raise ValueError(
            f"this network was built with `label` and needs one: an index each for "
            f"{', '.join(embedding.attributes)}"
        )
    vectors: Tensor = embedding(label)
    return vectors
