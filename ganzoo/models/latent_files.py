"""Files of latents: one float tensor for each picture, by its name, in safetensors.

``ganzoo encode`` writes such files.  The labels of a picture, if it has any, are in the file's
metadata: ``labels`` is JSON, the picture's name -> attribute -> value.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors import torch as safetensors
from torch import Tensor

from ganzoo.errors import DataError
from ganzoo.files import atomic_file, check_exists
from ganzoo.formats.json import Wrong, parse, typed
from ganzoo.interfaces import Generator
from ganzoo.models import samples
from ganzoo.models.folder import refuse_pickle
from ganzoo.models.weights import refuse_nonfinite

_LABELS, _MOST_BYTES = "labels", 1_000_000


@dataclass(frozen=True)
class Latents:
    """Latents (n, ...) and each one's labels, attribute -> value, which may be incomplete."""

    values: Tensor
    labels: Sequence[Mapping[str, str]]

    def inputs(
        self, generator: Generator, seed: int, label: Mapping[str, str]
    ) -> dict[str, Tensor]:
        """Return the inputs that draw them; ``label`` replaces their own.

        Labels that neither has are drawn by ``seed``.  Raises RunError for unknown ones.
        """
        rows = [
            samples.labels(generator, seed, 1, {**own, **label}, index)
            for index, own in enumerate(self.labels)
        ]
        indices = [row for row in rows if row is not None]
        return {"latent": self.values} | ({"label": torch.cat(indices)} if indices else {})


def write(
    path: Path, latents: Mapping[str, Tensor], labels: Mapping[str, Mapping[str, str]]
) -> None:
    """Write latents and labels by picture; raises OSError if the disk refuses."""
    tensors = {name: value.detach().float().cpu().contiguous() for name, value in latents.items()}
    metadata = {"format": "pt"}
    if labels:
        metadata[_LABELS] = json.dumps(labels, ensure_ascii=False)
    with atomic_file(path) as aside:
        aside.write_bytes(safetensors.save(tensors, metadata))


def read(path: Path, generator: Generator) -> Latents:
    """Read the latents in a file, in the order of names.

    Raises DataError if it is no such file, or its latents do not fit the generator.
    """
    check_exists(path, "a file of latents, as `ganzoo encode` and `ganzoo project` write them")
    try:
        refuse_pickle(path)
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in sorted(file.keys())}
            text = (file.metadata() or {}).get(_LABELS, "{}")
        table = typed(dict[str, dict[str, str]], parse(text.encode(), "labels", _MOST_BYTES))
    except Wrong as wrong:
        raise DataError(f"{path} is no file of latents: its labels: {wrong}") from None
    except (SafetensorError, OSError) as error:
        raise DataError(f"{path} is no file of latents: {error}") from error
    one = samples.latents(generator, 0, 1)[0]
    for name, value in tensors.items():
        if value.shape != one.shape or not value.is_floating_point():
            raise DataError(
                f"{path}: '{name}' is {value.dtype} {tuple(value.shape)}, and a latent of this "
                f"model is {one.dtype} {tuple(one.shape)}. Is it of another model?"
            )
    if not tensors:
        raise DataError(f"{path} holds no latents.")
    refuse_nonfinite(tensors, str(path))
    values = torch.stack(list(tensors.values())).to(one)
    return Latents(values, [table.get(name, {}) for name in tensors])
