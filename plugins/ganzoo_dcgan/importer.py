"""Import checkpoints of the PyTorch DCGAN tutorial, which are those of pytorch/examples (2015-).

Its generator is transposed convolutions ``main.0.weight``, ``main.3.weight``, ..., each but the
last with a batch norm after it (``main.1.weight``, ``.bias``, ``.running_mean``,
``.running_var``).  The same network is also saved under other names: inside Lightning's
``state_dict``, compiled (``_orig_mod.``), on several GPUs (``module.``), beside its discriminator
(``netG.``), or as a plain ``nn.Sequential`` (``0.weight``).  So names do not matter: the generator
is the group of tensors that has its layers in order.  A checkpoint is a pickle, which could run
code when opened, so only ``torch.load(weights_only=True)`` opens it, which runs nothing.  Tutorial:
https://docs.pytorch.org/tutorials/beginner/dcgan_faces_tutorial.html
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganzoo.errors import DataError
from ganzoo.foreign import DEPTH, is_whole, opened, state_dicts
from ganzoo.interfaces import Imported, Importer
from ganzoo_dcgan.networks import SIZES

URL = "https://github.com/pytorch/examples/tree/main/dcgan"
NORM = ("weight", "bias", "running_mean", "running_var")
COUNTER = "num_batches_tracked"  # missing before PyTorch 0.4.1
ADVICE = "give the file that `torch.save(netG.state_dict(), FILE)` wrote"


@dataclass(frozen=True)
class Group:
    """Layers with a common prefix, in order: name -> its tensors, of the dict ``state``."""

    prefix: str
    layers: Mapping[str, Mapping[str, Any]]
    state: Mapping[str, Any]

    @property
    def begins(self) -> int:
        """Count the layers from the first that alternate convolution and batch norm."""
        is_norm = ["running_mean" in tensors for tensors in self.layers.values()]
        wrong = (i for i, norm in enumerate(is_norm) if norm != bool(i % 2))
        return next(wrong, len(is_norm))


class DCGANImporter(Importer):
    """The generator of the PyTorch DCGAN tutorial, from its checkpoint (Radford 2015).

    A ``.pth`` file, zipped or in the older format, or safetensors: the state dict itself, or a dict
    that contains it at any depth, with any names of layers; RGB images at 32, 64 or 128 px, without
    labels.
    """

    def read(self, path: Path) -> Imported:
        """Read the file ``path`` into generator ``dcgan``; raises DataError."""
        group = _generator_in(path, opened(path, ADVICE))
        latent, widths = _settings(path, group)
        weights: dict[str, Tensor] = {}
        for place, (name, tensors) in enumerate(group.layers.items()):
            layer = 3 * (place // 2) + place % 2 + 1  # ours begins with a map of the latent
            for tensor, shape in _shapes(place, latent, widths):
                full = f"{name}.{tensor}".lstrip(".")
                weights[f"layers.{layer}.{tensor}"] = _tensor(path, full, tensors, tensor, shape)
            if place % 2:
                count = tensors.get(COUNTER, torch.tensor(0))  # images do not depend on it
                if not isinstance(count, Tensor) or (count.shape, count.dtype) != ((), torch.int64):
                    raise DataError(f"{path}: '{name}.{COUNTER}' is no count, a single int64.")
                weights[f"layers.{layer}.{COUNTER}"] = count
        _refuse_more(path, group)
        plain = [widths[-1] * 2**i for i in reversed(range(len(widths)))]
        size = 4 * 2 ** len(widths)
        return Imported(
            generator="dcgan",
            arguments={
                "size": size,
                "variant": "pytorch",
                "latent": latent,
                "width": widths[-1] if widths == plain else widths[::-1],
            },
            weights=weights,
            source={
                "title": f"DCGAN of the PyTorch tutorial, {size} px, weights of '{path.name}'",
                "url": URL,
                "licence": "unknown",
            },
        )


# -- which tensors are the generator -----------------------------------------------------------


def _generator_in(path: Path, content: Any) -> Group:
    """Find the one group of tensors that is, or is nearest to, a tutorial's generator.

    Raises DataError if there are several, or nothing begins like one.
    """
    groups = [group for state in state_dicts(content) for group in _groups(state)]
    generators = [group for group in groups if _fits(group)]
    if len(generators) > 1:
        where = " and ".join(f"'{next(iter(group.layers))}.weight'" for group in generators)
        raise DataError(
            f"{path} has {len(generators)} generators, beginning with {where}, and it is not clear "
            f"which to import: {ADVICE}."
        )
    reads_images = [_shape(next(iter(group.layers.values())))[1:2] == (3,) for group in groups]
    likely = [
        g for g, reads in zip(groups, reads_images, strict=True) if g.begins > 1 and not reads
    ]
    if likely:
        return max(generators or likely, key=lambda group: (group.begins, -len(group.layers)))
    if any(reads_images):
        fault = "is the checkpoint of a discriminator: its first convolution reads RGB images"
    else:
        keys = [str(key) for key in content] if isinstance(content, Mapping) else []
        has = f"its first key is '{keys[0]}'" if keys else f"it holds a {type(content).__name__}"
        fault = (
            f"has no convolution with a batch norm after it ({has}), with which the tutorial's "
            "generator begins, so it is of another network"
        )
    raise DataError(f"{path} {fault}: {ADVICE}.")


def _groups(state: Mapping[str, Any]) -> Iterator[Group]:
    """Yield the layers under each prefix; of equal groups only the one with the longest names.

    Layers are ordered by number, since safetensors loses the order; named layers keep the order of
    the dict, in which a network saves them.
    """
    layers: dict[str, dict[str, Any]] = {}
    under: dict[str, list[str]] = {}
    for key, value in state.items():
        name, _, tensor = key.rpartition(".")
        if name not in layers:
            layers[name] = {}
            parts = name.split(".")[:DEPTH]
            for n in range(len(parts)):
                under.setdefault("".join(f"{part}." for part in parts[:n]), []).append(name)
        layers[name][tensor] = value
    longest = {tuple(names): prefix for prefix, names in sorted(under.items())}
    for inside, prefix in longest.items():
        numbers = {name: name.removeprefix(prefix).split(".") for name in inside}
        names = list(inside)
        if all(part.isdecimal() for parts in numbers.values() for part in parts):
            names.sort(key=lambda name: [int(part) for part in numbers[name]])
        yield Group(prefix, {name: layers[name] for name in names}, state)


def _fits(group: Group) -> bool:
    """Whether the layers have the shapes of a generator, of any width."""
    try:
        latent, widths = _settings(Path(), group)
    except DataError:
        return False
    return all(
        tuple(getattr(tensors.get(tensor), "shape", ())) == shape
        for place, tensors in enumerate(group.layers.values())
        for tensor, shape in _shapes(place, latent, widths)
    )


def _shape(tensors: Mapping[str, Any]) -> tuple[int, ...]:
    return tuple(getattr(tensors.get("weight"), "shape", ()))


# -- what it is --------------------------------------------------------------------------------


def _settings(path: Path, group: Group) -> tuple[int, list[int]]:
    """Return the latent's length, and the channels of each map from 4x4 on."""
    names, layers = list(group.layers), list(group.layers.values())
    size = 4 * 2 ** (len(layers) // 2)
    if group.begins < len(layers) or len(layers) % 2 == 0:
        place = min(group.begins, len(layers) - 1)
        layer = "a batch norm" if place % 2 else "a convolution"
        raise DataError(
            f"{path} has '{names[place]}' as layer {place + 1} of {len(layers)}, where the "
            f"tutorial's generator has {layer}, or ends: it is of another network."
        )
    if size not in SIZES:
        raise DataError(
            f"{path} has {len(layers) // 2 + 1} transposed convolutions ('{names[0]}.weight' to "
            f"'{names[-1]}.weight'), so makes images of {size} px; dcgan has 4, 5 or 6, for 32, "
            "64 and 128 px."
        )
    for name, tensors in zip(names[::2], layers[::2], strict=True):
        if len(_shape(tensors)) == 4 and _shape(tensors)[2:] != (4, 4):
            raise _wrong(path, f"{name}.weight", _shape(tensors), "(inputs, outputs, 4, 4)")
    if len(first := _shape(layers[0])) != 4:
        raise _wrong(path, f"{names[0]}.weight", first, "(inputs, outputs, 4, 4)")
    widths = [_width(layers, place) for place in range(1, len(layers), 2)]
    last = _shape(layers[-1])
    if len(last) == 4 and last[1] != 3:
        raise DataError(
            f"{path} makes images of {last[1]} channels (tensor '{names[-1]}.weight' is {last}); "
            f"ganzoo's are RGB, so it should be ({widths[-1]}, 3, 4, 4)."
        )
    return first[0], widths


def _width(layers: Sequence[Mapping[str, Any]], place: int) -> int:
    """Return the channels of most tensors in and beside a norm, so that a wrong one stands out."""
    sizes = [tuple(getattr(layers[place].get(name), "shape", ())) for name in NORM]
    sizes += [_shape(layers[place - 1])[1:2], _shape(layers[place + 1])[:1]]
    counts = Counter(size[0] for size in sizes if len(size) == 1)
    return counts.most_common(1)[0][0] if counts else 0


def _shapes(
    place: int, latent: int, widths: Sequence[int]
) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield the tensors of a layer, and their shapes."""
    channels = [latent, *widths, 3]
    layer = place // 2
    if place % 2 == 0:
        yield "weight", (channels[layer], channels[layer + 1], 4, 4)
    else:
        for tensor in NORM:
            yield tensor, (channels[layer + 1],)


def _refuse_more(path: Path, group: Group) -> None:
    """Raise DataError for tensors of the generator that the tutorial's does not have.

    Tensors outside of the group may belong to another network with its own convolutions.
    """
    for place, (name, tensors) in enumerate(group.layers.items()):
        if more := sorted(set(tensors) - set((*NORM, COUNTER) if place % 2 else ("weight",))):
            raise _unknown(path, f"{name}.{more[0]}")
    parts = group.prefix.split(".")[:-1]
    for depth in range(len(parts)):
        above = "".join(f"{part}." for part in parts[:depth])
        inside = f"{above}{parts[depth]}."
        beside: dict[str, list[str]] = {}
        for key in group.state:
            if key.startswith(above) and not key.startswith(inside):
                beside.setdefault(key.removeprefix(above).partition(".")[0], []).append(key)
        for keys in beside.values():
            convolutions = [key for key in keys if getattr(group.state[key], "ndim", 0) == 4]
            weights = [key for key in keys if key.endswith((".weight", ".bias"))]
            if weights and len(convolutions) < 2:
                raise _unknown(path, weights[0])


def _unknown(path: Path, name: str) -> DataError:
    return DataError(
        f"{path} has tensor '{name.lstrip('.')}', which the tutorial's generator has not: it is of "
        "another network, such as one with labels or with biases."
    )


# -- its tensors -------------------------------------------------------------------------------


def _tensor(
    path: Path, full: str, tensors: Mapping[str, Any], name: str, right: tuple[int, ...]
) -> Tensor:
    """Return a tensor in fp32, of a known shape."""
    tensor = tensors.get(name)
    if tensor is None:
        raise DataError(f"{path} has no tensor '{full}', which should be {right}; {ADVICE}.")
    if not isinstance(tensor, Tensor) or not tensor.is_floating_point() or not is_whole(tensor):
        raise DataError(f"{path}: '{full}' is no tensor of floats; it should be one of {right}.")
    if tuple(tensor.shape) != right:
        raise _wrong(path, full, tuple(tensor.shape), str(right))
    values = tensor.detach().to(torch.float32, memory_format=torch.contiguous_format)
    if not values.isfinite().all():
        raise DataError(f"{path}: tensor '{full}' has NaN or infinity: its training broke down.")
    return values


def _wrong(path: Path, name: str, shape: tuple[int, ...], right: str) -> DataError:
    return DataError(
        f"{path}: tensor '{name}' is {shape} and should be {right}, as in the tutorial's generator."
    )
