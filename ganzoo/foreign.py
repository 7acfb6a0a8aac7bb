"""Files of weights from elsewhere, opened without running anything in them.

A PyTorch checkpoint is a pickle, which can run any code when it is opened.  So only
``torch.load(weights_only=True)`` opens it, which runs nothing.  For importers and extractors.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ganzoo.errors import DataError, nearest

#: deepest level at which dicts in dicts are searched
DEPTH = 10


def start_of(path: Path, advice: str) -> bytes:
    """Return the first bytes of a file that somebody downloaded.

    Raises DataError, which ends in ``advice``, if it cannot be read, is empty, a web page or a Git
    LFS pointer.
    """
    try:
        with path.open("rb") as file:
            start = file.read(512)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error}); {advice}.") from error
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    kind = None
    if not start:
        kind = "empty"
    elif text.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        kind = "a web page (HTML) saved under that name"
    elif start.startswith(b"version https://git-lfs"):
        kind = "a Git LFS pointer, not the file itself"
    if kind:
        raise DataError(f"{path} is {kind}: download it again, or {advice}.")
    return start


def opened(path: Path, advice: str) -> Any:
    """Read a file of ``torch.save``, zipped or older, or of safetensors, into the CPU's memory.

    Raises DataError, which ends in ``advice``, such as "give the file that ... wrote".
    """
    is_safetensors = start_of(path, advice)[8:9] == b"{"
    try:
        if is_safetensors:
            return load_file(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about old formats
            return torch.load(path, map_location="cpu", weights_only=True)
    except SafetensorError as error:
        raise DataError(f"{path} is damaged or cut short: {error}. Get it again.") from error
    except Exception as error:  # a damaged pickle can raise anything
        raise DataError(_why_not_opened(path, str(error), advice)) from error


def _why_not_opened(path: Path, reason: str, advice: str) -> str:
    """Replace torch's message, which tells how to run the file's code."""
    global_name = re.search(r"GLOBAL ([\w.]+)", reason)
    if global_name and not global_name[1].startswith("torch._utils."):
        return (
            f"{path} is a pickle with a Python object in it ({global_name[1]}), not only tensors. "
            f"Opening it could run any code, so nothing in it was run: {advice}."
        )
    if "TorchScript" in reason:
        return f"{path} is a TorchScript archive, which holds code; none was run: {advice}."
    return (
        f"{path} is no checkpoint of PyTorch and no safetensors file, or it is damaged or cut "
        f"short; nothing in it was run: {advice}."
    )


def check_shape(
    name: str, shape: Sequence[int], shapes: Mapping[str, Sequence[int]], source: object, what: str
) -> None:
    """Raise DataError unless a file has the tensor ``name`` in this shape.

    ``shapes`` are those of all its tensors.  ``source`` names it, ``what`` the network that is to
    have its weights.
    """
    if name not in shapes:
        raise DataError(
            f"{source} has no tensor '{name}'{nearest(name, shapes)} It does not fit {what}."
        )
    if tuple(shapes[name]) != tuple(shape):
        raise DataError(
            f"{source} has tensor '{name}' of shape {tuple(shapes[name])}, where {what} has "
            f"{tuple(shape)}."
        )


def state_dicts(content: object) -> Iterator[dict[str, Any]]:
    """Yield the dicts with tensors in a checkpoint, each once, at any depth of dicts and lists."""
    visits: set[int] = set()

    def search(content: object, depth: int) -> Iterator[dict[str, Any]]:
        if not depth or id(content) in visits or not isinstance(content, (Mapping, list, tuple)):
            return
        visits.add(id(content))
        if isinstance(content, Mapping) and any(isinstance(v, Tensor) for v in content.values()):
            yield {str(key): value for key, value in content.items()}
        for value in content.values() if isinstance(content, Mapping) else content:
            yield from search(value, depth - 1)

    yield from search(content, DEPTH)


def is_whole(tensor: Tensor) -> bool:
    """Whether every value is in the file: a view may claim any shape, and memory to match."""
    if tensor.layout != torch.strided or tensor.device.type != "cpu":
        return False
    return tensor.untyped_storage().nbytes() >= tensor.numel() * tensor.element_size()
