"""Small networks that ganzoo trained and ships: read them, and write them when they are trained."""

from __future__ import annotations

import hashlib
import json
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from safetensors.torch import load, save
from torch import nn

from ganzoo.errors import DataError

Network = TypeVar("Network", bound=nn.Module)


def filled(network: Network, module: str, trainer: str, weights: str, sha256: str) -> Network:
    """Fill a network with the file ``weights`` beside ``module``, frozen and for inference.

    Raises DataError if the file is not the one that was shipped; ``trainer`` trains another.
    """
    package, _, name = module.partition(".")
    file = resources.files(package) / weights
    try:
        data = file.read_bytes()
    except OSError as error:
        raise DataError(
            f"{file} cannot be read: {error.strerror}. Install ganzoo again."
        ) from error
    if (sha := hashlib.sha256(data).hexdigest()) != sha256:
        raise DataError(
            f"{file} has the hash {sha[:16]}..., and scores are by the one of {sha256[:16]}...: it "
            f"was changed or damaged. Install ganzoo again. To train another, `python -m "
            f"{package}.{trainer} --out FOLDER`, and put its hash into {package}/{name}.py."
        )
    network.load_state_dict(load(data))
    return network.eval().requires_grad_(False)


def write(network: nn.Module, folder: Path, weights: str, facts: str, about: dict[str, Any]) -> str:
    """Write a network and what is known of it, with its hash; return a line that says so."""
    data = save(network.state_dict(), metadata={"format": "pt"})
    sha = hashlib.sha256(data).hexdigest()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / weights).write_bytes(data)
    text = json.dumps({"sha256": sha} | about, indent=1, ensure_ascii=False)
    (folder / facts).write_text(text + "\n", encoding="utf-8")
    return f"{folder / weights}: {len(data):,} bytes, sha256 {sha}"
