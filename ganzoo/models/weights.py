"""Weights in safetensors, checked against their network before they take memory.

Nothing here opens a pickle.  If the config states a file's hash, it must match.  The file's header
must name the network's tensors in their shapes, and a network may not be far larger than its file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors import torch as safetensors
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ganzoo.errors import DataError, RunError
from ganzoo.files import sha256
from ganzoo.foreign import check_shape
from ganzoo.formats.types import written
from ganzoo.interfaces import Extractor
from ganzoo.models.config import File
from ganzoo.models.folder import refuse_pickle

#: Bytes that building a network may take beside its weights, to initialise them.
SPARE = 256 << 20
#: As a multiple of the weights' own bytes, for the same.
COPIES = 16
#: Least bytes that a tensor counts for: a module around it takes as much, and time.
EACH = 16 << 10
#: Functions that make tensors of any size from numbers alone.
_FACTORIES = frozenset(
    {torch.empty, torch.zeros, torch.ones, torch.full, torch.eye, torch.arange, torch.linspace}
    | {torch.rand, torch.randn, torch.randint, torch.randperm}
)


def describe(path: Path, network: nn.Module) -> File:
    """Describe a file of weights for a config."""
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return File(sha256(path), path.stat().st_size, parameters)


def load(path: Path, network: nn.Module, record: File | None, what: str) -> None:
    """Load the weights in ``path`` into ``network``; ``record`` is its entry in the config.

    Raises RunError if the file is missing, a pickle, altered, or does not fit; ``what`` is the
    network's name.
    """
    try:
        refuse_pickle(path)
        if record and (size := path.stat().st_size) != record.bytes:
            raise RunError(
                f"{path} has {size:,} bytes, and its config says {record.bytes:,}: it was cut "
                "short or replaced. Get the folder again."
            )
        if record and sha256(path) != record.sha256:
            raise RunError(
                f"{path} is damaged or was altered: its hash is not the one in its config. "
                "Get the folder again."
            )
        check(shapes(path), network.state_dict(), str(path), what)
        tensors, state = load_file(path), network.state_dict()
        for name, tensor in tensors.items():  # floats may differ in precision
            kind, right = tensor.dtype, state[name].dtype
            if kind != right and not (kind.is_floating_point and right.is_floating_point):
                raise DataError(f"{path} has {kind} in tensor '{name}', where {right} belongs.")
        network.load_state_dict(tensors)
        refuse_nonfinite(network.state_dict(), str(path))  # a float64 value may overflow
    except DataError as error:
        raise RunError(str(error)) from error
    except PermissionError:  # not damaged, only locked
        raise
    except (OSError, SafetensorError) as error:
        raise RunError(f"{path} is missing or damaged: {error}") from error


def shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the shape of every tensor in a safetensors file, from its header alone."""
    with safe_open(path, framework="pt") as file:
        return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118


def check(
    shapes: Mapping[str, Sequence[int]], state: Mapping[str, Tensor], source: str, what: str
) -> None:
    """Raise DataError, naming the tensor, unless names and shapes are those of the network."""
    for name, tensor in state.items():
        check_shape(name, tensor.shape, shapes, source, what)
    if extra := sorted(set(shapes) - set(state)):
        raise DataError(
            f"{source} has {len(extra)} tensors that {what} does not know, the first "
            f"{written(extra[0])}."
        )


def refuse_nonfinite(tensors: Mapping[str, Tensor], source: str) -> None:
    """Raise DataError, naming the tensor, if one holds NaN or infinity."""
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise DataError(f"{source} has NaN or infinity in tensor '{name}': it is damaged.")


@contextmanager
def budget(size: int) -> Iterator[None]:
    """Refuse a network far larger than its weights, a file of ``size`` bytes.

    So ``width: 1000000`` in a foreign config takes no memory; raises RunError.
    """
    with _Budget(size * COPIES + SPARE):
        yield


class _Budget(TorchFunctionMode):
    """Counts the bytes of new tensors; for a factory, before it allocates."""

    def __init__(self, size: int):
        super().__init__()
        self.remainder = size

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in _FACTORIES:
            plain = {k: v for k, v in kwargs.items() if k not in ("generator", "pin_memory")}
            self._spend(func(*args, **plain | {"device": "meta"}))
            return func(*args, **kwargs)
        result = func(*args, **kwargs)
        if isinstance(result, Tensor) and not any(result is argument for argument in args):
            self._spend(result)
        return result

    def _spend(self, tensor: Tensor) -> None:
        self.remainder -= max(EACH, tensor.numel() * tensor.element_size())
        if self.remainder < 0:
            raise RunError("its arguments ask for a network far larger than its file of weights")


def weights_hash(network: nn.Module) -> str:
    """Hash (sha256) the names and values of a network's weights, or its weight file."""
    if isinstance(network, Extractor) and network.weights_sha256:
        return network.weights_sha256
    sha = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        sha.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        sha.update(bytes_of(value))
    return sha.hexdigest()


def bytes_of(value: Tensor) -> memoryview:
    """Return the bytes of a tensor's values, in order."""
    return value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write a safetensors file; raises OSError if the disk refuses.

    Tensors are copied, because safetensors refuses those that share memory, such as tied weights.
    """
    copies = {
        name: value.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
        for name, value in tensors.items()
    }
    path.write_bytes(safetensors.save(copies, metadata={"format": "pt"}))
