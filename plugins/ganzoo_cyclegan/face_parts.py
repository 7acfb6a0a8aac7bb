"""Local critics of a face: Landmark Assisted CycleGAN, Wu et al. 2019, section 3.2.3.

https://arxiv.org/abs/1907.01424.  The paper has one critic each for the eyes, the nose and the
mouth, whose patches are cut out by landmarks.  The sizes of the patches are ours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

import torch
from annotated_types import Ge, Gt, Interval
from torch import Tensor, nn
from torch.linalg import vector_norm

from ganzoo.errors import DataError, RecipeError, one_of
from ganzoo.interfaces import Discriminator, Extractor
from ganzoo_pix2pix.networks import patch_critic

Part = Literal["eyes", "nose", "mouth"]

#: the side of each part's square, in distances between the eyes
SIDES = {"eyes": 2.0, "nose": 1.0, "mouth": 1.5}
#: for each layout, by its number of points: the left eye, the right eye, the nose and the mouth, as
#: the points whose mean each is
LAYOUTS: dict[int, dict[str, Sequence[int]]] = {
    # left eye, right eye, mouth
    3: {"left": (0,), "right": (1,), "nose": (0, 1, 2, 2), "mouth": (2,)},
    # of the dataset figurines, which know no nose: it is between the eyes and the mouth
    7: {"left": (0,), "right": (1,), "nose": (0, 1, 2, 2), "mouth": (2,)},
    # of 300-W (Sagonas 2013), as face68 and fan give them
    68: {
        "left": range(36, 42),
        "right": range(42, 48),
        "nose": range(29, 36),
        "mouth": range(48, 68),
    },
}
#: where `ganzoo data faces` puts the eyes and the mouth, after Karras et al. 2018
ALIGNED = ((-0.25, -0.0556), (0.25, -0.0556), (0.0, 0.5))
SMALLEST = 0.05  # distance between the eyes, where the image is 2 wide; below it, points are wrong


class FacePartsDiscriminator(Discriminator):
    """A critic of patches for each part of a face, cut out by its landmarks (Wu 2019).

    ``points`` (N, K, 2) are landmarks in [-1, 1] in one of three layouts: the 68 of 300-W, the 7 of
    dataset ``figurines``, or the left eye, the right eye and the mouth.  A recipe hands them over
    by a view.  Without them, the critic takes those that ``extractor`` finds in the image, and
    without that it expects the face where `ganzoo data faces` puts it.  A part is a square around
    the mean of its points, 2 distances between the eyes wide for the eyes, 1 for the nose and 1.5
    for the mouth, and is resized to ``patch`` pixels.  The paper gives each part a weight: for
    that, give each a critic of its own.

    Args:
        parts: which ones; by default eyes, nose and mouth.
        patch: side of the patches that the critics see, in pixels.
        width: channels of each critic's first layer; they double with each layer.
        layers: strided convolutions of each critic.
        norm: ``instance``, ``batch`` or ``none``.
        zoom: makes the squares larger, or smaller if below 1.
        extractor: a finder of landmarks, such as face68, for images that come without.
    """

    aligned: Tensor

    def __init__(
        self,
        parts: list[Part] | None = None,
        patch: Annotated[int, Interval(ge=8, le=256)] = 32,
        width: Annotated[int, Ge(1)] = 32,
        layers: Annotated[int, Interval(ge=1, le=5)] = 2,
        norm: Literal["instance", "batch", "none"] = "instance",
        zoom: Annotated[float, Gt(0)] = 1.0,
        extractor: Extractor | None = None,
    ):
        super().__init__()
        names = list(SIDES) if parts is None else list(parts)
        if not names or len(set(names)) < len(names):
            raise RecipeError(
                [f"face-parts: parts {names} must name eyes, nose or mouth, each at most once."]
            )
        self.patch, self.zoom = patch, zoom
        self.critics = nn.ModuleDict({p: patch_critic(3, width, layers, norm) for p in names})
        self.register_buffer("aligned", torch.tensor(ALIGNED), persistent=False)
        self._finder = (extractor,)  # frozen, and no part of this network

    def forward(self, image: Tensor, points: Tensor | None = None) -> Tensor:
        """Return raw logits (N, parts, h, w) of images (N, 3, H, W) by landmarks (N, K, 2)."""
        if points is None:
            points = self._points(image)
        patches = cut_parts(image, points, list(self.critics), self.patch, self.zoom)
        logits = [critic(patches[part]) for part, critic in self.critics.items()]
        return torch.cat(logits, dim=1)

    @torch.no_grad()
    def _points(self, image: Tensor) -> Tensor:
        (finder,) = self._finder
        if finder is None:
            return self.aligned.expand(len(image), -1, -1)
        features = finder(image)
        if "points" not in features:
            raise DataError(
                f"face-parts needs points, but its extractor gives {one_of(features)}. Use an "
                "extractor that finds landmarks, such as fan or face68."
            )
        return features["points"]

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> FacePartsDiscriminator:
        """Move the finder along to another device."""
        if self._finder[0] is not None:
            self._finder[0]._apply(fn)  # type: ignore[no-untyped-call]
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self


def cut_parts(
    image: Tensor, points: Tensor, parts: Sequence[str], size: int, zoom: float = 1.0
) -> dict[str, Tensor]:
    """Cut the parts of faces (N, 3, H, W) out by landmarks (N, K, 2), each (N, 3, size, size).

    No gradient reaches the landmarks: a critic must not move them.  Raises DataError if the
    landmarks are of no known layout.
    """
    layout = LAYOUTS.get(points.shape[1])
    if layout is None:
        raise DataError(
            f"face-parts: {points.shape[1]} landmarks are of no layout that it knows. Known: "
            f"{', '.join(map(str, LAYOUTS))} points (see `ganzoo show discriminator face-parts`)."
        )
    points = points.detach().float()
    mean = {name: points[:, list(where)].mean(dim=1) for name, where in layout.items()}
    mean["eyes"] = (mean["left"] + mean["right"]) / 2
    apart = vector_norm(mean["left"] - mean["right"], dim=1).clamp(min=SMALLEST)
    return {part: _cut(image, mean[part], apart * SIDES[part] * zoom, size) for part in parts}


def _cut(image: Tensor, centre: Tensor, side: Tensor, size: int) -> Tensor:
    """Cut squares of ``side`` (N,) around ``centre`` (N, 2), resized to (N, 3, size, size).

    Two products of matrices, which can be differentiated twice, as penalties need.
    """
    rows = _triangles(image.shape[-2], centre[:, 1], side, size).to(image.dtype)
    columns = _triangles(image.shape[-1], centre[:, 0], side, size).to(image.dtype)
    return rows[:, None] @ image @ columns[:, None].mT


def _triangles(length: int, centre: Tensor, side: Tensor, size: int) -> Tensor:
    """Return (N, size, length): the weights of ``length`` pixels in each of the ``size`` new ones.

    Bilinear, with antialiasing where the square is larger than ``size``; past the edge of the image
    its border repeats.
    """
    grid = torch.arange(max(length, size), device=centre.device) + 0.5
    step = side * length / 2 / size  # old pixels per new one, (N,)
    middle = (centre + 1) * length / 2
    new = middle[:, None] + (grid[:size] - size / 2) * step[:, None]
    new = new.clamp(0.5, length - 0.5)[..., None]
    weights = (1 - (grid[:length] - new).abs() / step.clamp(min=1)[:, None, None]).relu()
    return weights / weights.sum(dim=2, keepdim=True)
