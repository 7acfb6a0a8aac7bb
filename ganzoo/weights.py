"""Weights in safetensors: checked against what they are for before they take memory.

Nothing here opens a pickle.  A file is hashed where its config says how; its header must name the
network's tensors in their shapes, and a network is built within what its file could hold.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from ganzoo.config import File
from ganzoo.errors import DataError, RunError

#: Bytes beside its weights that building a network may take, for what an initialisation needs.
SPARE = 256 << 20
#: How often the weights' own bytes, for the same.
COPIES = 16


def describe(path: Path, network: nn.Module) -> File:
    """What a config says of a file of weights."""
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return File(sha256(path), path.stat().st_size, parameters)


def sha256(path: Path) -> str:
    """The file's hash in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def refuse_pickle(path: Path) -> None:
    """Raise RunError where a file is a pickle or a zip of one, whatever its name says."""
    with path.open("rb") as file:
        head = file.read(2)
    if head == b"PK" or (head[:1] == b"\x80" and head[1:] <= b"\x05"):
        raise RunError(
            f"{path} is a pickle, as torch.save makes them, whatever it is called. A pickle can "
            "run code; ganzoo opens none, and this one was not opened. Ask for safetensors; "
            "`ganzoo import` reads the formats of `ganzoo list importers`."
        )


def load(path: Path, network: nn.Module, stated: File | None, what: str) -> None:
    """Give ``network`` the weights in ``path``; ``stated`` is what the config says of the file.

    Raises RunError where the file is missing, a pickle, altered, or does not fit; ``what`` is the
    network's name.
    """
    try:
        refuse_pickle(path)
        if stated and (size := path.stat().st_size) != stated.bytes:
            raise RunError(
                f"{path} has {size:,} bytes, and its config says {stated.bytes:,}: it was cut "
                "short or replaced. Get the folder again."
            )
        if stated and sha256(path) != stated.sha256:
            raise RunError(
                f"{path} is damaged or was altered: its hash is not the one in its config. "
                "Get the folder again."
            )
        check(shapes(path), network.state_dict(), str(path), what)
        tensors = load_file(path)
    except DataError as error:
        raise RunError(str(error)) from error
    except (OSError, SafetensorError) as error:
        raise RunError(f"{path} is missing or damaged: {error}") from error
    refuse_nonfinite(tensors, str(path))
    network.load_state_dict(tensors)


def shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor in a safetensors file, from its header alone."""
    with safe_open(path, framework="pt") as file:
        return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118


def check(
    found: Mapping[str, Sequence[int]], wanted: Mapping[str, Tensor], source: str, what: str
) -> None:
    """Raises DataError, which names the tensor, where names or shapes are not the network's."""
    for name, tensor in wanted.items():
        if name not in found:
            raise DataError(f"{source} has no tensor '{name}', which {what} needs.")
        if tuple(found[name]) != tuple(tensor.shape):
            raise DataError(
                f"{source} has tensor '{name}' of shape {tuple(found[name])}, where {what} has "
                f"{tuple(tensor.shape)}."
            )
    if extra := sorted(set(found) - set(wanted)):
        raise DataError(
            f"{source} has {len(extra)} tensors that {what} does not know, the first '{extra[0]}'."
        )


def refuse_nonfinite(tensors: Mapping[str, Tensor], source: str) -> None:
    """Raises DataError, which names the tensor, where one holds NaN or infinity."""
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise DataError(f"{source} has NaN or infinity in tensor '{name}': it is damaged.")


@contextmanager
def budget(size: int) -> Iterator[None]:
    """Let a network be built whose weights are a file of ``size`` bytes, and none far larger.

    So that ``width: 1000000`` in somebody's config takes no memory; raises RunError.
    """
    with _Budget(size * COPIES + SPARE):
        yield


class _Budget(TorchDispatchMode):
    """Counts the bytes of new tensors.  ``torch.empty`` does not touch those that it is given, so
    the first tensor that is too large costs nothing.
    """

    def __init__(self, size: int):
        super().__init__()
        self.left = size

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        if isinstance(made, Tensor) and not any(made is given for given in args):
            self.left -= made.numel() * made.element_size()
            if self.left < 0:
                raise RunError(
                    "its arguments ask for a network far larger than its file of weights"
                )
        return made
