"""Layouts: which part is at each pixel, as pictures in the colours of a palette, and as numbers.

A palette maps the parts to their colours, ``{"ground": "#dfe7ee", "skin": "#f2b48c"}``; a part's
number is its place.  Layouts are never interpolated: between two parts there is no third.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from ganzoo.errors import RunError
from ganzoo.images import BadImage, decode, picture

#: editors may move a colour by so many levels of 255 when they save it
_NEAR = 4


def read(layout: Any, palette: Mapping[str, str], size: int) -> Tensor:
    """Read a layout as int64 (1, 1, size, size): the path of a picture, or a PIL image.

    Another size is resized by taking the nearest pixels.  Raises RunError if it cannot be read, is
    not square, or has a colour that is not the palette's.
    """
    name = str(layout) if isinstance(layout, str | Path) else "the layout"
    try:
        if isinstance(layout, Image.Image):
            image = picture(layout).image
        else:
            image = decode(Path(layout).read_bytes()).image
    except OSError as error:
        raise RunError(f"{name} cannot be read: {error.strerror or error}.") from error
    except TypeError:
        raise RunError(f"layout: expected a path or a PIL image, not {layout!r:.80}.") from None
    except BadImage as error:
        raise RunError(f"{name} cannot be used as a layout: {error}.") from error
    if image.width != image.height:
        raise RunError(f"{name} is {image.width}x{image.height}: a layout is square.")
    pixels = np.asarray(image).astype(np.int64)
    numbers = torch.from_numpy(_numbers(pixels, palette, name))
    return resized(numbers[None, None], size)


def resized(layout: Tensor, side: int) -> Tensor:
    """Bring layouts (N, 1, S, S) to another side, by the pixels nearest to the new ones."""
    before = layout.shape[-1]
    if before == side:
        return layout
    places = (torch.arange(side, device=layout.device) * 2 + 1) * before // (2 * side)
    return layout[:, :, places][..., places]


def _numbers(pixels: NDArray[np.int64], palette: Mapping[str, str], name: str) -> NDArray[np.int64]:
    """Find the part of each pixel (H, W, 3); raises RunError for colours of none."""
    flat, inverse = np.unique(pixels.reshape(-1, 3), axis=0, return_inverse=True)
    distances = np.abs(flat[:, None] - _colours(palette)[None]).max(2)
    parts = distances.argmin(1)
    numbers: NDArray[np.int64] = parts[inverse].reshape(pixels.shape[:2])
    if (strange := np.flatnonzero(distances.min(1) > _NEAR)).size:
        at = np.isin(inverse, strange).reshape(pixels.shape[:2])
        finds = []
        for one in strange[np.argsort(-np.bincount(inverse.ravel())[strange])][:3]:
            y, x = np.argwhere((inverse == one).reshape(at.shape))[0]
            part = list(palette)[parts[one]]
            colour = "#{:02x}{:02x}{:02x}".format(*flat[one])
            finds.append(f"{colour} at x {x}, y {y} (nearest: {part} {palette[part]})")
        rest = f" and {len(strange) - 3:,} more colours" if len(strange) > 3 else ""
        raise RunError(
            f"{name}: {at.sum():,} of {at.size:,} pixels have no colour of the palette: "
            f"{', '.join(finds)}{rest}. Paint without soft edges; `ganzoo show MODEL` lists the "
            "palette."
        )
    return numbers


def draw(layout: Tensor, palette: Mapping[str, str]) -> Tensor:
    """Draw layouts (N, 1, H, W) in the colours of their palette: (N, 3, H, W) in [-1, 1]."""
    colours = torch.from_numpy(_colours(palette)).to(layout.device)
    return colours[layout[:, 0]].permute(0, 3, 1, 2).float() / 127.5 - 1


def one_hot(layout: Tensor, parts: int) -> Tensor:
    """Turn numbers (N, 1, H, W) into float (N, parts, H, W), 1 where a pixel is of that part."""
    numbers = torch.arange(parts, device=layout.device).view(1, parts, 1, 1)
    return (layout == numbers).float()


def reduced(parts: Tensor, side: int) -> Tensor:
    """Bring parts (N, K, H, W) to another side: each cell has the share of every part in it."""
    return parts if parts.shape[-1] == side else adaptive_avg_pool2d(parts, side)


def _colours(palette: Mapping[str, str]) -> NDArray[np.int64]:
    codes = [int(colour.lstrip("#"), 16) for colour in palette.values()]
    return np.array([[code >> 16, code >> 8 & 255, code & 255] for code in codes])
