"""Stand-ins for extractors: features to test losses and evaluators with.

Only a component knows which kind of features it takes, so they are tried in turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganzoo.plugins.manager import installed
from ganzoo.plugins.registry import construct
from ganzoo.testing.attempt import Unavailable
from ganzoo.testing.subject import Subject, noise

Features = dict[str, Tensor]
Extract = Callable[[Tensor], Features]

#: the extractor that comes with an extra, and was trained on photos
TRAINED = "efficientnet-lite0"


@dataclass(frozen=True)
class Eye:
    """One kind of features: of any image at once, and those that tell real images from others.

    ``open`` raises DataError if its weights are missing.
    """

    name: str
    see: Extract
    open: Callable[[], Extract]


def eyes(subject: Subject) -> Iterator[Eye]:
    """Yield vectors, maps, landmarks, and then the plugin's own extractors."""
    yield Eye("vectors (N, D)", vectors, lambda: _trained("features"))
    yield Eye("maps (N, C, H, W)", maps, lambda: _trained("stage2", "stage3"))
    yield Eye("landmarks", landmarks, lambda: centroids)
    for other in subject.siblings("extractor"):
        try:
            extractor = other.build()
        except (AssertionError, Unavailable):
            continue  # its own contracts report it
        yield Eye(other.entry.name, extractor, lambda extractor=extractor: extractor)  # type: ignore[misc]


def vectors(image: Tensor) -> Features:
    """Return a vector for each image, like a pooled layer."""
    return {"pooled": _convolved(image, 24, 5).tanh().mean((2, 3))}


def maps(image: Tensor) -> Features:
    """Return a map for each of two layers."""
    near = _convolved(image, 6, 3)
    return {"near": near, "far": nn.functional.avg_pool2d(near.tanh(), 4)}


def landmarks(image: Tensor) -> Features:
    """Return landmarks with full confidence in every face."""
    heat = _convolved(image, 68, 5)
    shares = (4 * heat).flatten(2).softmax(2)
    sure = torch.ones(len(image), device=image.device, dtype=image.dtype)
    return {"points": shares @ _grid(heat), "confidence": sure, "heatmaps": heat}


def centroids(image: Tensor) -> Features:
    """Return the centres of the dark and the coloured parts: landmarks without weights.

    Confident in an image that is sharp and has large parts, as a face has.
    """
    low = nn.functional.avg_pool2d(image, 2)
    shares = torch.cat([(-4 * low).exp(), (4 * low).exp()], 1).flatten(2)
    shares = shares / shares.sum(2, keepdim=True)
    parts = nn.functional.avg_pool2d(image, 8).std((1, 2, 3))
    sharp = (image[..., 1:] - image[..., :-1]).abs().amax((1, 2, 3))
    sure = torch.minimum(parts / 0.2, sharp / 0.5)
    return {"points": shares @ _grid(low), "confidence": (10 * (sure - 1)).sigmoid()}


def _trained(*layers: str) -> Extract:
    """Return the network trained on photos; raises GanzooError if it or its weights are missing."""
    arguments = {"layers": list(layers), "size": 64}
    extractor: nn.Module = construct(installed().registry, "extractor", TRAINED, arguments)
    return extractor.eval().requires_grad_(False)


def _convolved(image: Tensor, channels: int, side: int) -> Tensor:
    weight = noise(channels, 3, side, side, salt=9).to(image)
    return nn.functional.conv2d(image, weight, padding=side // 2)


def _grid(maps: Tensor) -> Tensor:
    """Return x and y of every place of (N, C, H, W), (H * W, 2) in [-1, 1]."""
    down, across = (torch.linspace(-1, 1, side) for side in maps.shape[2:])
    return torch.stack(torch.meshgrid(across, down, indexing="xy"), -1).flatten(0, 1).to(maps)
