"""Checkpoints of other projects, opened without running any of them.

A checkpoint of PyTorch is a pickle, which can run anything when it is opened. It is opened by
``torch.load(weights_only=True)`` alone, which runs nothing. For importers of plugins.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ganzoo.errors import DataError

#: how deep dicts in dicts are looked into
DEPTH = 10


def opened(path: Path, wanted: str) -> Any:
    """Read a file of ``torch.save``, zipped or older, or of safetensors.

    Raises DataError, whose advice is ``wanted``, such as "give the file that ... wrote".
    """
    try:
        with path.open("rb") as file:
            start = file.read(64)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error}); {wanted}.") from error
    _refuse_text(path, start, wanted)
    try:
        if start[8:9] == b"{":
            return load_file(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about old formats
            return torch.load(path, map_location="cpu", weights_only=True)
    except SafetensorError as error:
        raise DataError(f"{path} is damaged or cut short: {error}. Get it again.") from error
    except Exception as error:  # a damaged pickle can raise anything
        raise _unopened(path, str(error), wanted) from error


def _refuse_text(path: Path, start: bytes, wanted: str) -> None:
    what = None
    if not start:
        what = "empty"
    elif start.lstrip().startswith(b"<"):
        what = "a web page (HTML) saved under that name"
    elif start.startswith(b"version https://git-lfs"):
        what = "a Git LFS pointer, not the file itself"
    if what:
        raise DataError(f"{path} is {what}: download it again, or {wanted}.")


def _unopened(path: Path, reason: str, wanted: str) -> DataError:
    """Hide torch's message, which tells how to run the file's code."""
    found = re.search(r"GLOBAL ([\w.]+)", reason)
    if found and not found[1].startswith("torch._utils."):
        return DataError(
            f"{path} is a pickle with a Python object in it ({found[1]}), not only tensors; to "
            f"open such a file can run anything, so nothing of it was run: {wanted}."
        )
    if "TorchScript" in reason:
        return DataError(f"{path} is a TorchScript archive, that is code; none was run: {wanted}.")
    return DataError(
        f"{path} is no checkpoint of PyTorch and no safetensors file, or it is damaged or cut "
        f"short; nothing of it was run: {wanted}."
    )


def state_dicts(content: Any) -> Iterator[dict[str, Any]]:
    """Yield the dicts with tensors in a checkpoint, each once, at any depth of dicts and lists."""
    yield from _state_dicts(content, set(), DEPTH)


def _state_dicts(content: Any, seen: set[int], depth: int) -> Iterator[dict[str, Any]]:
    if not depth or id(content) in seen or not isinstance(content, (Mapping, list, tuple)):
        return
    seen.add(id(content))
    if isinstance(content, Mapping) and any(isinstance(one, Tensor) for one in content.values()):
        yield {str(key): value for key, value in content.items()}
    for value in content.values() if isinstance(content, Mapping) else content:
        yield from _state_dicts(value, seen, depth - 1)


def is_whole(tensor: Tensor) -> bool:
    """Whether every value is in the file: a view may claim any shape, and memory to match."""
    if tensor.layout != torch.strided or tensor.device.type != "cpu":
        return False
    return tensor.untyped_storage().nbytes() >= tensor.numel() * tensor.element_size()
