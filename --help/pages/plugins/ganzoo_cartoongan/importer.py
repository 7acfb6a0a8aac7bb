"""The weights that CartoonGAN's authors released (Chen, Lai and Liu 2018).

mnicnc404/CartoonGan-tensorflow keeps them as a folder with one ``.npy`` for each tensor, in
PyTorch's layout (OIHW; IOHW where transposed): ``conv01_1``, ``conv02_1``, ``conv02_2``, ...
``deconv03_1`` with ``.weight`` and ``.bias``, norms ``in01_1`` ... with ``.scale`` and ``.shift``.
Yijunmaverick/CartoonGAN-Test-Pytorch-Torch has them as checkpoints, ``Hayao_net_G_float.pth``, with
tensors of the same names. Other checkpoints may hold them deeper, or after a prefix.
That generator reads and makes BGR, and its instance norms have an epsilon of 1e-9.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ganzoo.errors import DataError
from ganzoo.foreign import is_whole, opened, start_of, state_dicts
from ganzoo.interfaces import Imported, Importer
from ganzoo_cartoongan.networks import CartoonGANGenerator

URL = "https://github.com/mnicnc404/CartoonGan-tensorflow"
STYLES = ("Hayao", "Hosoda", "Paprika", "Shinkai")  # those that the authors released
ADVICE = f"give a folder of .npy files as {URL} has for each style, or Hayao_net_G_float.pth"
_NAME = re.compile(r"(conv|deconv|in)\d\d_\d\.(weight|bias|scale|shift)$")
FIRST, LAST = "conv01_1.weight", "deconv03_1"
EPS = 1e-9
Tensors = dict[str, Path | Tensor]


class CartoonGANImporter(Importer):
    """The generators of CartoonGAN's authors, from .npy files or a checkpoint (Chen 2018).

    Weights are converted to RGB, and biases that a norm cancels are left out.
    """

    def read(self, path: Path) -> Imported:
        """Read ``path`` into generator ``cartoongan``; raises DataError."""
        file = _Weights(path)
        blocks = _blocks(file.tensors)
        shape = file.open(FIRST).shape
        if shape[1:] != (3, 7, 7) or not shape[0]:
            raise file.wrong_shape(FIRST, shape, "(channels, 3, 7, 7)")
        channels = int(shape[0])
        generator = CartoonGANGenerator(channels, blocks)  # for its shapes
        weights = {}
        for key, name in _correspondence(generator, blocks):
            shape = tuple(generator.get_parameter(key).shape)
            tensor = torch.from_numpy(file.read(name, shape))
            if name == FIRST:  # from BGR to RGB
                tensor = tensor.flip(1)
            weights[key] = tensor.flip(0) if name.startswith(LAST) else tensor
        return Imported(
            generator="cartoongan",
            arguments={"channels": channels, "blocks": blocks, "norm": "instance", "eps": EPS},
            weights=weights,
            source={"title": _title(path), "url": URL, "licence": "unknown"},
        )


class _Weights:
    """The tensors of a folder of ``.npy`` files or of a checkpoint, by the names above."""

    def __init__(self, path: Path):
        if not path.exists():
            raise DataError(f"{path}: there is no such file or folder; {ADVICE}.")
        if path.is_file() and path.suffix.lower() == ".npy":
            raise DataError(f"{path} is one tensor of many; give its folder: {path.parent}")
        self.path = path
        self.tensors = _in_folder(path) if path.is_dir() else _in_checkpoint(path)

    def where(self, name: str) -> str:
        """Name the place of a tensor, for messages."""
        if self.path.is_file():
            return f"{self.path}, tensor '{name}'"
        return str(self.tensors.get(name, self.path / f"{name}.npy"))

    def open(self, name: str) -> NDArray[np.generic]:
        """Open the tensor ``name``; of a ``.npy`` file only the header is read."""
        if name not in self.tensors:
            raise DataError(f"{self.where(name)} is missing; {ADVICE}.")
        place = self.tensors[name]
        if not isinstance(place, Path) and not is_whole(place):
            raise DataError(f"{self.where(name)} is not stored as a whole; {ADVICE}.")
        if isinstance(place, Path):
            array = _mapped(place)
        else:
            values = place.detach()
            array = (values.float() if values.is_floating_point() else values).numpy()
        if array.dtype.kind != "f":
            raise DataError(
                f"{self.where(name)} holds {array.dtype}, where weights are floats such as float32."
            )
        return array

    def read(self, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Read the tensor ``name``, which must have this shape."""
        array = self.open(name)
        if array.shape != shape:
            raise self.wrong_shape(name, array.shape, str(shape))
        values = np.array(array, np.float32, order="C")
        if not np.isfinite(values).all():
            bad = values.size - int(np.isfinite(values).sum())
            raise DataError(
                f"{self.where(name)}: {bad} of {values.size} values are NaN or infinite, so these "
                "weights are damaged; get them again."
            )
        return values

    def wrong_shape(self, name: str, shape: tuple[int, ...], right: str) -> DataError:
        """Return the error for a tensor of another shape."""
        return DataError(
            f"{self.where(name)} has the shape {shape}, and should have {right}: is it of another "
            f"network, or in TensorFlow's order of dimensions?"
        )


def _in_folder(folder: Path) -> Tensors:
    """Find the files in a folder, or in the only folder below it that has such files."""
    files = sorted(folder.rglob("*.npy"))
    places: dict[Path, Tensors] = {}
    for file in files:
        if name := _NAME.search(file.stem):
            places.setdefault(file.parent, {})[name[0]] = file
    if len(places) > 1 and folder not in places:
        raise DataError(
            f"{folder} holds {len(places)} networks; give the folder of one, such as "
            f"{next(iter(places))}"
        )
    for place in (folder, *places):
        if place in places:
            return places[place]
    what = f"none of its {len(files)} .npy files is a" if files else "it has no .npy file, so no"
    raise DataError(
        f"{folder}: {what} tensor of CartoonGAN's generator, such as {FIRST}.npy; {ADVICE}."
    )


def _in_checkpoint(path: Path) -> Tensors:
    """Find the generator's tensors in a checkpoint, at any depth and after any prefix."""
    networks: dict[tuple[int, str], Tensors] = {}
    for number, state in enumerate(state_dicts(opened(path, ADVICE))):
        for key, value in state.items():
            name = _NAME.search(key)
            if name and isinstance(value, Tensor):
                prefix = key.removesuffix(name[0])
                networks.setdefault((number, prefix), {})[name[0]] = value
    generators = [tensors for tensors in networks.values() if FIRST in tensors]
    if len(generators) > 1:
        raise DataError(
            f"{path} holds {len(generators)} generators, and it is not clear which to import; "
            f"{ADVICE}."
        )
    for tensors in (*generators, *networks.values()):
        return tensors
    raise DataError(f"{path} has no tensor of CartoonGAN's generator, such as {FIRST}; {ADVICE}.")


def _blocks(names: Iterable[str]) -> int:
    """Count the residual blocks: they are conv04 to the last, and two more norms follow them."""
    last = {"conv": 3, "in": 5}
    for name in names:
        if layer := re.match(r"(conv|in)(\d\d)_\d\.", name):
            kind, number = layer.groups()
            last[kind] = max(last[kind], int(number))
    return max(last["conv"] - 3, last["in"] - 5)


def _correspondence(generator: CartoonGANGenerator, blocks: int) -> Iterator[tuple[str, str]]:
    """Yield each parameter of our generator and the authors' name for it."""
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
    """Yield the authors' names of the layers, from photo to cartoon."""
    yield from ("conv01_1", "in01_1")
    yield from ("conv02_1", "conv02_2", "in02_1", "conv03_1", "conv03_2", "in03_1")
    for block in range(4, 4 + blocks):
        for half in (1, 2):
            yield from (f"conv{block:02}_{half}", f"in{block:02}_{half}")
    for up in (1, 2):
        yield from (f"deconv{up:02}_1", f"deconv{up:02}_2", f"in{3 + blocks + up:02}_1")
    yield LAST


def _mapped(file: Path) -> NDArray[np.generic]:
    advice = f"download the file itself, from {URL} ('Download raw file')"
    if not start_of(file, advice).startswith(b"\x93NUMPY"):
        raise DataError(f"{file} is no NumPy array; {advice}.")
    try:
        return np.lib.format.open_memmap(file, mode="r")
    except (OSError, ValueError) as error:
        raise DataError(
            f"{file} cannot be read ({error}), so it is damaged or cut short; get it again from "
            f"{URL}."
        ) from error


def _title(folder: Path) -> str:
    """Title the weights, as far as the folder's name says what they are."""
    name = folder.resolve().name
    for style in STYLES:
        if style.lower() in name.lower():
            return f"CartoonGAN, {style} style, weights of the authors"
    return f"CartoonGAN, weights of '{name}'"
