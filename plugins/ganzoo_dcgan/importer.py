"""Checkpoints of the PyTorch DCGAN tutorial, which are those of pytorch/examples (2015-).

Both save the state dict of their generator's ``main``: transposed convolutions ``main.0.weight``,
``main.3.weight``, ..., each but the last with a batch norm after it (``main.1.weight``, ``.bias``,
``.running_mean``, ``.running_var``). A checkpoint is a pickle, which can run anything when it is
opened, so it is opened by ``torch.load(weights_only=True)`` alone, which runs nothing.
Tutorial: https://docs.pytorch.org/tutorials/beginner/dcgan_faces_tutorial.html
"""

from __future__ import annotations

import math
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
from ganzoo.interfaces import Imported, Importer
from ganzoo_dcgan.networks import SIZES

URL = "https://github.com/pytorch/examples/tree/main/dcgan"
FIRST = "main.0.weight"
NORM = ("weight", "bias", "running_mean", "running_var")
COUNTER = "num_batches_tracked"  # which PyTorch before 0.4.1 did not keep
PREFIX = "module."  # of DataParallel
WANTED = "give the file that `torch.save(netG.state_dict(), FILE)` wrote"


class DCGANImporter(Importer):
    """The generator of the PyTorch DCGAN tutorial, from its checkpoint (Radford 2015).

    A ``.pth`` file, zipped or of the older format, or safetensors: the state dict itself, or a
    dict that has it under any key; of RGB images at 32, 64 or 128 px, without labels.
    """

    def read(self, path: Path) -> Imported:
        """Read the file ``path`` into generator ``dcgan``; raises DataError."""
        theirs = _generator_in(path, _opened(path))
        size, latent, width = _settings(path, theirs)
        weights = {}
        for name, shape in _layers(size, latent, width):
            weights[_ours(name)] = _tensor(path, name, theirs, shape)
            if name.endswith(NORM[-1]):
                counter = name.replace(NORM[-1], COUNTER)
                weights[_ours(counter)] = _counted(path, counter, theirs)
        if unknown := sorted(set(theirs) - {_theirs(name) for name in weights}):
            raise DataError(
                f"{path} has tensor '{unknown[0]}', which the tutorial's generator at {size} px "
                f"has not: it is of another network, such as one with labels or with biases."
            )
        return Imported(
            generator="dcgan",
            arguments={"size": size, "variant": "pytorch", "latent": latent, "width": width},
            weights=weights,
            source={
                "title": f"DCGAN of the PyTorch tutorial, {size} px, weights of '{path.name}'",
                "url": URL,
                "licence": "unknown",
            },
        )


def _opened(path: Path) -> Any:
    """What is in the file, without running any of it."""
    try:
        with path.open("rb") as file:
            start = file.read(64)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error}); {WANTED}.") from error
    _refuse_text(path, start)
    try:
        if start[8:9] == b"{":
            return load_file(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of old formats
            return torch.load(path, map_location="cpu", weights_only=True)
    except SafetensorError as error:
        raise DataError(f"{path} is damaged or cut short: {error}. Get it again.") from error
    except Exception as error:  # a damaged pickle can raise anything
        raise _unopened(path, str(error)) from error


def _refuse_text(path: Path, start: bytes) -> None:
    what = None
    if not start:
        what = "empty"
    elif start.lstrip().startswith(b"<"):
        what = "a web page (HTML) saved under that name"
    elif start.startswith(b"version https://git-lfs"):
        what = "a Git LFS pointer, not the file itself"
    if what:
        raise DataError(f"{path} is {what}: download it again, or {WANTED}.")


def _unopened(path: Path, reason: str) -> DataError:
    """Torch's own messages tell how to run the file's code, which nobody should be told."""
    found = re.search(r"GLOBAL ([\w.]+)", reason)
    if found and not found[1].startswith("torch._utils."):
        return DataError(
            f"{path} is a pickle with a Python object in it ({found[1]}), not only tensors; to "
            f"open such a file can run anything, so nothing of it was run: {WANTED}."
        )
    if "TorchScript" in reason:
        return DataError(f"{path} is a TorchScript archive, that is code; none was run: {WANTED}.")
    return DataError(
        f"{path} is no checkpoint of PyTorch and no safetensors file, or it is damaged or cut "
        f"short; nothing of it was run: {WANTED}."
    )


def _generator_in(path: Path, content: Any) -> dict[str, Any]:
    """The only state dict of a tutorial's generator in a checkpoint."""
    found = [state for state in _state_dicts(content) if FIRST in state]
    generators = [state for state in found if "main.1.weight" in state]
    if len(generators) == 1:
        return generators[0]
    if generators:
        what = f"has {len(generators)} generators, and it is not clear which is wanted"
    elif found:
        what = "is the checkpoint of a discriminator (no batch norm follows its first layer)"
    else:
        keys = [str(key) for key in content] if isinstance(content, Mapping) else []
        has = f"its first key is '{keys[0]}'" if keys else f"it holds a {type(content).__name__}"
        what = f"has no tensor '{FIRST}' ({has}), so it is of another network"
    raise DataError(f"{path} {what}: {WANTED}.")


def _state_dicts(content: Any) -> Iterator[dict[str, Any]]:
    """The dict itself and those in it, without the prefix of DataParallel."""
    if isinstance(content, Mapping):
        for state in (content, *content.values()):
            if isinstance(state, Mapping):
                yield {str(key).removeprefix(PREFIX): value for key, value in state.items()}


def _settings(path: Path, theirs: Mapping[str, Any]) -> tuple[int, int, int]:
    """Size, latent and width, as the number of layers, the first and the last have them."""
    last = 0
    while f"main.{last + 3}.weight" in theirs:
        last += 3
    size = 4 * 2 ** (last // 3)
    if size not in SIZES:
        raise DataError(
            f"{path} has {last // 3 + 1} transposed convolutions ({FIRST} to main.{last}.weight), "
            f"so makes images of {size} px; dcgan has 4, 5 or 6, for 32, 64 and 128 px."
        )
    final = f"main.{last}.weight"
    latent, width = (_shape(path, name, theirs)[0] for name in (FIRST, final))
    channels = _shape(path, final, theirs)[1]
    if channels != 3:
        raise DataError(
            f"{path} makes images of {channels} channels (tensor '{final}' is "
            f"{_shape(path, final, theirs)}); ganzoo's are RGB, so it should be ({width}, 3, 4, 4)."
        )
    return size, latent, width


def _shape(path: Path, name: str, theirs: Mapping[str, Any]) -> tuple[int, ...]:
    """The shape of a convolution's weights."""
    shape = tuple(getattr(theirs[name], "shape", ()))
    if len(shape) != 4 or shape[2:] != (4, 4) or not all(shape):
        raise _wrong(path, name, shape, "(inputs, outputs, 4, 4)")
    return shape


def _layers(size: int, latent: int, width: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The tutorial's names of the tensors, and their shapes."""
    doublings = int(math.log2(size // 4))
    before = latent
    for layer in range(doublings):
        after = width * 2 ** (doublings - 1 - layer)
        yield f"main.{3 * layer}.weight", (before, after, 4, 4)
        for tensor in NORM:
            yield f"main.{3 * layer + 1}.{tensor}", (after,)
        before = after
    yield f"main.{3 * doublings}.weight", (before, 3, 4, 4)


def _ours(name: str) -> str:
    """Our layers are one later: the first makes a map of the latent."""
    _, layer, tensor = name.split(".")
    return f"layers.{int(layer) + 1}.{tensor}"


def _theirs(name: str) -> str:
    _, layer, tensor = name.split(".")
    return f"main.{int(layer) - 1}.{tensor}"


def _tensor(path: Path, name: str, theirs: Mapping[str, Any], right: tuple[int, ...]) -> Tensor:
    """The tensor ``name`` in fp32, of a shape that is known."""
    tensor = theirs.get(name)
    if tensor is None:
        raise DataError(f"{path} has no tensor '{name}', which should be {right}; {WANTED}.")
    if not isinstance(tensor, Tensor) or not tensor.is_floating_point() or not _is_whole(tensor):
        raise DataError(f"{path}: '{name}' is no tensor of floats; it should be one of {right}.")
    if tuple(tensor.shape) != right:
        raise _wrong(path, name, tuple(tensor.shape), str(right))
    values = tensor.detach().to(torch.float32, memory_format=torch.contiguous_format)
    if not values.isfinite().all():
        raise DataError(f"{path}: tensor '{name}' has NaN or infinity: its training broke down.")
    return values


def _is_whole(tensor: Tensor) -> bool:
    """Whether every value is in the file: a view may claim any shape, and memory to match."""
    if tensor.layout != torch.strided or tensor.device.type != "cpu":
        return False
    return tensor.untyped_storage().nbytes() >= tensor.numel() * tensor.element_size()


def _counted(path: Path, name: str, theirs: Mapping[str, Any]) -> Tensor:
    """How many batches a norm has seen; images do not depend on it."""
    value = theirs.get(name, torch.tensor(0))
    if not isinstance(value, Tensor) or value.shape != () or value.dtype != torch.int64:
        raise DataError(f"{path}: '{name}' is no count, a single int64.")
    return value


def _wrong(path: Path, name: str, shape: tuple[int, ...], right: str) -> DataError:
    return DataError(
        f"{path}: tensor '{name}' is {shape} and should be {right}, as in the tutorial's generator."
    )
