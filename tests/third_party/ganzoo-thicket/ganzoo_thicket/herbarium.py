"""Dried sprouts: the ``.npz`` files of another project that never was."""

from __future__ import annotations

from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch

from ganzoo.errors import DataError
from ganzoo.interfaces import Imported, Importer
from ganzoo_thicket.networks import SEED, Sprout

WANTED = "give a .npz file with the arrays root, stem and leaves, and size"


class Herbarium(Importer):
    """A sprout without biases, from a NumPy file of its three weights and its size."""

    def read(self, path: Path) -> Imported:
        """Read the file ``path`` into generator ``sprout``; raises DataError."""
        try:
            with np.load(path, allow_pickle=False) as file:
                found = {name: torch.from_numpy(file[name]) for name in file.files}
                latent, width = found["root"].shape[1], len(found["root"]) // SEED**2
                arguments = {"size": int(found["size"]), "latent": latent, "width": width}
        except (OSError, ValueError, BadZipFile, KeyError, IndexError, AttributeError) as error:
            raise DataError(f"{path} is no herbarium ({error}); {WANTED}.") from error
        weights = {
            name: torch.zeros_like(t) for name, t in Sprout(**arguments).state_dict().items()
        }
        for name in ("root", "stem", "leaves"):
            if name not in found or found[name].shape != weights[f"{name}.weight"].shape:
                raise DataError(f"{path}: '{name}' is missing or of another shape; {WANTED}.")
            weights[f"{name}.weight"] = found[name].float()
        return Imported(
            generator="sprout",
            arguments=arguments,
            weights=weights,
            source={"title": f"Sprout of '{path.name}'", "url": "", "licence": "CC0-1.0"},
        )
