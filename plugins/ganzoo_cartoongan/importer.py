"""The weights that CartoonGAN's authors released (Chen, Lai and Liu 2018), as NumPy files.

mnicnc404/CartoonGan-tensorflow keeps them as a folder with one ``.npy`` for each tensor, in
PyTorch's layout (OIHW; IOHW where transposed): ``conv01_1``, ``conv02_1``, ``conv02_2``, ...
``deconv03_1`` with ``.weight`` and ``.bias``, norms ``in01_1`` ... with ``.scale`` and ``.shift``.
That generator reads and makes BGR, and its instance norms have an epsilon of 1e-9.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ganzoo.errors import DataError
from ganzoo.interfaces import Imported, Importer
from ganzoo_cartoongan.networks import CartoonGANGenerator

URL = "https://github.com/mnicnc404/CartoonGan-tensorflow"
STYLES = ("Hayao", "Hosoda", "Paprika", "Shinkai")  # those that the authors released
FIRST, LAST = "conv01_1.weight", "deconv03_1"
EPS = 1e-9


class CartoonGANImporter(Importer):
    """The generators of CartoonGAN's authors, from a folder of .npy files (Chen 2018).

    Weights are made to read and write RGB, and biases that a norm takes away are left out.
    """

    def read(self, path: Path) -> Imported:
        """Read the folder ``path`` into generator ``cartoongan``; raises DataError."""
        names = _tensors_of(path)
        blocks = _blocks(names)
        channels = _channels(path, names)
        generator = CartoonGANGenerator(channels, blocks)  # for its shapes
        weights = {}
        for key, name in _correspondence(generator, blocks):
            shape = tuple(generator.get_parameter(key).shape)
            weights[key] = _as_rgb(name, _read(path, name, names, shape))
        return Imported(
            generator="cartoongan",
            arguments={"channels": channels, "blocks": blocks, "norm": "instance", "eps": EPS},
            weights=weights,
            source={"title": _title(path), "url": URL, "licence": "unknown"},
        )


def _tensors_of(folder: Path) -> list[str]:
    """The names of the tensors in a folder."""
    looks_like = f"the folder of .npy files that {URL} has for each style"
    if not folder.exists():
        raise DataError(f"{folder}: there is no such folder; give the path of {looks_like}.")
    if not folder.is_dir():
        raise DataError(f"{folder} is a file, not a folder; give the path of {looks_like}.")
    names = sorted(file.stem for file in folder.glob("*.npy"))
    if not any(re.match(r"(conv|deconv|in)\d\d_\d\.", name) for name in names):
        found = (
            f"none of its {len(names)} .npy files is a" if names else "it has no .npy file, so no"
        )
        raise DataError(
            f"{folder}: {found} tensor of CartoonGAN's generator, such as {FIRST}.npy; give the "
            f"path of {looks_like}."
        )
    return names


def _blocks(names: list[str]) -> int:
    """How many residual blocks: they are conv04 to the last, and two more norms follow them."""
    last = {"conv": 3, "in": 5}
    for name in names:
        if found := re.match(r"(conv|in)(\d\d)_\d\.", name):
            kind, number = found.groups()
            last[kind] = max(last[kind], int(number))
    return max(last["conv"] - 3, last["in"] - 5)


def _channels(folder: Path, names: list[str]) -> int:
    """The channels of the first layer."""
    shape = _open(folder, FIRST, names).shape
    if shape[1:] != (3, 7, 7) or not shape[0]:
        raise _wrong_shape(folder, FIRST, shape, "(channels, 3, 7, 7)")
    return int(shape[0])


def _correspondence(generator: CartoonGANGenerator, blocks: int) -> Iterator[tuple[str, str]]:
    """Each parameter of our generator and the name of theirs."""
    layers = [
        (name, module)
        for name, module in generator.named_modules()
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.InstanceNorm2d))
    ]
    for (ours, module), theirs in zip(layers, _layers(blocks), strict=True):
        norm = isinstance(module, nn.InstanceNorm2d)
        yield f"{ours}.weight", f"{theirs}.scale" if norm else f"{theirs}.weight"
        if module.bias is not None:
            yield f"{ours}.bias", f"{theirs}.shift" if norm else f"{theirs}.bias"


def _layers(blocks: int) -> Iterator[str]:
    """Their names of the layers, from photo to cartoon."""
    yield from ("conv01_1", "in01_1")
    yield from ("conv02_1", "conv02_2", "in02_1", "conv03_1", "conv03_2", "in03_1")
    for block in range(4, 4 + blocks):
        for half in (1, 2):
            yield from (f"conv{block:02}_{half}", f"in{block:02}_{half}")
    for up in (1, 2):
        yield from (f"deconv{up:02}_1", f"deconv{up:02}_2", f"in{3 + blocks + up:02}_1")
    yield LAST


def _as_rgb(name: str, array: NDArray[np.float32]) -> Tensor:
    """A tensor of a generator from BGR to BGR, for one from RGB to RGB."""
    tensor = torch.from_numpy(array)
    if name == FIRST:
        return tensor.flip(1)
    return tensor.flip(0) if name.startswith(LAST) else tensor


def _read(folder: Path, name: str, names: list[str], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """The tensor ``name``, of a shape that is known."""
    array = _open(folder, name, names)
    if array.shape != shape:
        raise _wrong_shape(folder, name, array.shape, str(shape))
    values = np.array(array, np.float32, order="C")
    if not np.isfinite(values).all():
        bad = values.size - int(np.isfinite(values).sum())
        raise DataError(
            f"{_file(folder, name)}: {bad} of {values.size} values are NaN or infinite, so these "
            f"weights are damaged; get the folder again from {URL}."
        )
    return values


def _open(folder: Path, name: str, names: list[str]) -> NDArray[np.generic]:
    """The tensor ``name`` as it is in its file, of which only the header was read so far."""
    file = _file(folder, name)
    if name not in names:
        raise DataError(f"{folder}: {name}.npy is missing; get the whole folder from {URL}.")
    try:
        with file.open("rb") as handle:
            start = handle.read(256).removeprefix(b"\xef\xbb\xbf").lstrip()
        if not start.startswith(b"\x93NUMPY"):
            is_page = start.startswith(b"<")
            what = "a web page (HTML) saved under that name" if is_page else "no NumPy array"
            raise DataError(
                f"{file} is {what}; download the file itself, from {URL} ('Download raw file')."
            )
        array = np.lib.format.open_memmap(file, mode="r")
    except (OSError, ValueError) as error:
        raise DataError(
            f"{file} cannot be read ({error}), so it is damaged or cut short; get it again from "
            f"{URL}."
        ) from error
    if array.dtype.kind != "f":
        raise DataError(f"{file} holds {array.dtype}, where weights are floats such as float32.")
    return array


def _wrong_shape(folder: Path, name: str, shape: tuple[int, ...], right: str) -> DataError:
    return DataError(
        f"{_file(folder, name)} has the shape {shape}, and should have {right}: is it of another "
        f"network, or in TensorFlow's order of dimensions?"
    )


def _file(folder: Path, name: str) -> Path:
    return folder / f"{name}.npy"


def _title(folder: Path) -> str:
    """What these weights are, as far as the folder's name says it."""
    name = folder.resolve().name
    for style in STYLES:
        if style.lower() in name.lower():
            return f"CartoonGAN, {style} style, weights of the authors"
    return f"CartoonGAN, weights of the folder '{name}'"
