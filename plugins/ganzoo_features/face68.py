"""The 68-point landmark net of face-api.js (Mühler 2018), maintained in @vladmandic/face-api.

https://github.com/justadudewhohacks/face-api.js.  Densely connected blocks of depthwise separable
convolutions, after Huang et al. 2017 (https://arxiv.org/abs/1608.06993) and Chollet 2017
(https://arxiv.org/abs/1610.02357).
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, relu

from ganzoo.errors import DataError
from ganzoo.foreign import start_of
from ganzoo_features.backbone import Frozen, Prepare
from ganzoo_features.crop import Crop, back, check_crop, cut
from ganzoo_features.same import SameConv2d
from ganzoo_features.weights import ADVICE, Source, Weights

SIZE = 112
MEAN = (122.782, 117.001, 104.298)
WIDTHS = (32, 64, 128, 256)
POINTS = 68
RIGHT_EYE, LEFT_EYE = slice(36, 42), slice(42, 48)  # the person's right is on the image's left
# Between portraits (95 % of 100 below 0.10) and landscapes (95 % of 40 above 0.20), measured
SHIFT, DOUBTFUL, SOFTNESS = 0.12, 0.125, 0.02
MANIFEST = "face_landmark_68_model-weights_manifest.json"
FACE_API = Source(
    what="the 68-point landmark net (MIT, @vladmandic/face-api 1.7.15, 0.4 MB)",
    get=f"npm pack @vladmandic/face-api@1.7.15; its folder model/ holds {MANIFEST} and the .bin",
    place="face68",
    offline="Finders of landmarks all need a file: without one, leave out the terms that read it.",
)


class Face68(Frozen):
    """A small net that puts 68 landmarks on the one face of a portrait, at a known place.

    Weights: ``face_landmark_68_model`` of @vladmandic/face-api 1.7.15, two files (SHA-256 of the
    manifest ca488663..., of the .bin 4611ef65...).  Input: the crop, resized to 112x112; RGB,
    scaled to 0..255, minus 122.782, 117.001, 104.298, over 255.  It always computes in float32.

    Returns ``points`` (N, 68, 2), in the order of iBUG 300-W, and ``confidence`` (N,).  The net has
    no confidence of its own and finds a face in anything, but on a face it finds the same points
    when the crop moves.  So the crop is moved left and right by 12 % of its width; d is how far the
    points move apart, as a share of the distance between the eyes; confidence is sigmoid((0.125 -
    d) / 0.02).  That costs two more passes, so an image that requires grad, a fake, has only
    ``points``.

    Args:
        crop: Where the face is: left, top, right, bottom as fractions of the image.  The net is
            most accurate when the face fills the crop; portraits framed as in FFHQ need [0.14,
            0.23, 0.86, 0.95].
        weights: The folder of the two files, or the manifest; by default ``weights/face68`` of the
            cache.
    """

    tag = "face68"

    def __init__(
        self,
        crop: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0),
        weights: Path | None = None,
    ):
        super().__init__()
        self.crop = check_crop(crop)
        file = read_manifest(FACE_API.find(weights))
        self.net = Net(file)
        self.freeze()

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """(N, 3, H, W) in [-1, 1] to points (N, 68, 2) and, without grad, confidence (N,)."""
        with torch.autocast(image.device.type, enabled=False):
            image = image.float()
            features = {"points": self._points(image, self.crop)}
            if not image.requires_grad:
                features["confidence"] = self._confidence(image, features["points"])
            return features

    def _points(self, image: Tensor, crop: Crop) -> Tensor:
        return back(self.net(cut(image, crop, SIZE)), crop)

    def _confidence(self, image: Tensor, points: Tensor) -> Tensor:
        left, top, right, bottom = self.crop
        shift = SHIFT * (right - left)
        others = [self._points(image, (left + s, top, right + s, bottom)) for s in (-shift, shift)]
        apart = torch.stack([(other - points).norm(dim=-1).mean(dim=1) for other in others])
        eyes = points[:, RIGHT_EYE].mean(dim=1) - points[:, LEFT_EYE].mean(dim=1)
        share = apart.mean(dim=0) / eyes.norm(dim=1).clamp_min(1e-6)
        return ((DOUBTFUL - share) / SOFTNESS).sigmoid()


class Net(nn.Module):
    """The network alone: a crop in [-1, 1], (N, 3, 112, 112), to points in [0, 1] of it."""

    def __init__(self, file: Weights):
        super().__init__()
        self.prepare = Prepare(127.5, MEAN, (255.0, 255.0, 255.0))
        self.blocks = nn.Sequential(
            *(_Block(file, f"dense{i}", channels) for i, channels in enumerate(WIDTHS))
        )
        self.fc = nn.Linear(WIDTHS[-1], 2 * POINTS)
        self.fc.weight = _parameter(file.take("fc/weights", (WIDTHS[-1], 2 * POINTS)).mT)
        self.fc.bias = _parameter(file.take("fc/bias", (2 * POINTS,)))

    def forward(self, crop: Tensor) -> Tensor:
        """(N, 3, 112, 112) to (N, 68, 2)."""
        x = self.blocks(self.prepare(crop))
        x = avg_pool2d(x, 7, stride=2).permute(0, 2, 3, 1).flatten(1)
        return self.fc(x).unflatten(1, (POINTS, 2))


class _Block(nn.Module):
    """Four convolutions, each of the sum of all outputs so far; halves the size."""

    def __init__(self, file: Weights, name: str, channels: int):
        super().__init__()
        first = _full if channels == WIDTHS[0] else _separable
        inputs = 3 if channels == WIDTHS[0] else channels // 2
        self.first = first(file, f"{name}/conv0", inputs, channels, 2)
        self.rest = nn.ModuleList(
            _separable(file, f"{name}/conv{i}", channels, channels, 1) for i in (1, 2, 3)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, D, H / 2, W / 2)."""
        total = relu(self.first(x))
        for conv in self.rest:
            total = total + conv(relu(total))
        return relu(total)


def _full(file: Weights, name: str, inputs: int, outputs: int, stride: int) -> nn.Module:
    conv = SameConv2d(inputs, outputs, 3, stride)
    kernel = file.take(f"{name}/filters", (3, 3, inputs, outputs))
    conv.weight = _parameter(kernel.permute(3, 2, 0, 1))
    conv.bias = _parameter(file.take(f"{name}/bias", (outputs,)))
    return conv


def _separable(file: Weights, name: str, inputs: int, outputs: int, stride: int) -> nn.Module:
    depth = SameConv2d(inputs, inputs, 3, stride, groups=inputs, bias=False)
    kernel = file.take(f"{name}/depthwise_filter", (3, 3, inputs, 1))
    depth.weight = _parameter(kernel.permute(2, 3, 0, 1))
    point = nn.Conv2d(inputs, outputs, 1)
    kernel = file.take(f"{name}/pointwise_filter", (1, 1, inputs, outputs))
    point.weight = _parameter(kernel.permute(3, 2, 0, 1))
    point.bias = _parameter(file.take(f"{name}/bias", (outputs,)))
    return nn.Sequential(depth, point)


def _parameter(value: Tensor) -> nn.Parameter:
    return nn.Parameter(value.contiguous())


class _Entry(NamedTuple):
    """A tensor of the manifest; its byte q stands for q * scale + low."""

    name: str
    shape: tuple[int, ...]
    scale: float
    low: float


def read_manifest(path: Path) -> Weights:
    """Read the tensors of a TensorFlow.js manifest, one after another in the .bin beside it.

    ``path`` is the manifest or its folder.
    """
    manifest = path / MANIFEST if path.is_dir() else path
    if not manifest.exists():
        FACE_API.missing(f"there is no '{manifest}'")
    start_of(manifest, ADVICE)
    try:
        name, entries = _entries(manifest)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"weights '{manifest}' are not the manifest of the landmark net, or damaged "
            f"({type(error).__name__}: {error}). Name the folder of {MANIFEST}, or that file."
        ) from error
    binary = manifest.parent / name
    if not binary.exists():
        FACE_API.missing(f"'{manifest}' is here, but not '{name}' beside it")
    start_of(binary, ADVICE)
    data = np.frombuffer(binary.read_bytes(), np.uint8)
    size = sum(math.prod(entry.shape) for entry in entries)
    if len(data) != size:
        raise DataError(
            f"weights '{binary}': {len(data):,} bytes, where the manifest lists {size:,}; cut "
            f"short, or of another network. Get both files again."
        )
    tensors, start = {}, 0
    for entry in entries:
        end = start + math.prod(entry.shape)
        values = data[start:end] * entry.scale + entry.low
        tensors[entry.name] = torch.from_numpy(values).float().reshape(entry.shape)
        start = end
    return Weights(binary, tensors)


def _entries(manifest: Path) -> tuple[str, list[_Entry]]:
    """Return the .bin's name and its tensors."""
    (group,) = json.loads(manifest.read_text(encoding="utf-8"))
    (name,) = group["paths"]
    entries = []
    for each in group["weights"]:
        scheme = each["quantization"]
        if scheme["dtype"] != "uint8":
            raise ValueError(f"{each['name']} is stored as {scheme['dtype']}, not uint8")
        shape = tuple(map(int, each["shape"]))
        entries.append(_Entry(each["name"], shape, float(scheme["scale"]), float(scheme["min"])))
    return str(name), entries
