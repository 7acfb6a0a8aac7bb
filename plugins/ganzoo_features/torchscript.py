"""Read the tensors of a TorchScript archive without running, or even reading, its code.

An archive is a zip: ``data.pkl`` holds the modules as a pickle, ``data/`` the numbers of their
tensors, ``code/`` the input of ``torch.jit.load``.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from torch import Tensor

_DTYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "BoolStorage": torch.bool,
}


def is_torchscript(path: Path) -> bool:
    """Whether the file is a whole TorchScript archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any("/code/" in name for name in archive.namelist())
    except zipfile.BadZipFile:
        return False


def read_torchscript(path: Path) -> dict[str, Tensor]:
    """Return the tensors by their attributes' names, such as ``layers.conv.weight``.

    Raises anything for a damaged archive.
    """
    with zipfile.ZipFile(path) as archive:
        module = _Reader(archive).load()
    return dict(_tensors(module))


class _Object:
    """Stands in for everything in the pickle but tensors; has attributes and does nothing."""

    def __init__(self, *_: object): ...


class _Reader(pickle.Unpickler):
    """Builds only tensors, dicts and inert objects in place of what the pickle asks for."""

    def __init__(self, archive: zipfile.ZipFile):
        self.archive = archive
        names = map(PurePosixPath, archive.namelist())
        pickle_name = next(name for name in names if name.match("*/data.pkl"))
        self.numbers = pickle_name.parent / "data"
        super().__init__(io.BytesIO(archive.read(str(pickle_name))))

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        targets = {"_rebuild_tensor_v2": _tensor, "OrderedDict": OrderedDict}
        return targets.get(name, _Object)

    def persistent_load(self, pid: Any) -> Tensor:
        _, dtype, key, _, length = pid
        data = self.archive.read(str(self.numbers / key))
        return torch.frombuffer(bytearray(data), dtype=dtype, count=length)


def _tensor(
    storage: Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: object
) -> Tensor:
    return storage.as_strided(size, stride, offset)


def _tensors(module: object, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    for name, value in vars(module).items():
        if isinstance(value, Tensor):
            yield prefix + name, value
        elif isinstance(value, _Object):
            yield from _tensors(value, f"{prefix}{name}.")
