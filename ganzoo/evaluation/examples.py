"""Examples of a dataset: which fields they have, and several at once."""

from __future__ import annotations

from torch import Tensor
from torch.utils.data import default_collate

from ganzoo.interfaces import Dataset
from ganzoo.plugins.registry import Registry
from ganzoo.recipe.component import Component
from ganzoo.recipe.vocabulary import provided_fields


def fields(spec: Component, registry: Registry, data: Dataset) -> dict[str, str]:
    """Return the fields that the dataset ``data``, built from ``spec``, provides."""
    signature = registry.get("dataset", spec.use).signature
    return provided_fields(data.fields, signature.optional, spec.arguments)


def collate(data: Dataset, indices: list[int]) -> dict[str, Tensor]:
    """Gather one batch; a dataset with ``__getitems__`` does it at once."""
    if hasattr(data, "__getitems__"):
        batch: dict[str, Tensor] = data.__getitems__(indices)
    else:
        batch = default_collate([data[index] for index in indices])
    return batch
