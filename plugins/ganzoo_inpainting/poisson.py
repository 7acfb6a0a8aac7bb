"""Fill a hole with a picture's gradients and the surroundings' colours.

Pérez, Gangnet and Blake 2003, Poisson Image Editing, https://doi.org/10.1145/882262.882269, which
Yeh et al. use after the search (section 3.4).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganzoo.errors import DataError

Floats = NDArray[np.float64]


def blend(patch: NDArray[Any], image: NDArray[Any], hole: NDArray[np.bool_]) -> Floats:
    """Blend ``patch`` into the ``hole`` (H, W) of ``image``; both are (H, W, C).

    Inside the hole the result has the gradients of ``patch``, and at its edge the values of
    ``image``, as far as the 5-point Laplacian sees them; at the picture's own border the gradient
    across it is 0.  Elsewhere it is ``image`` itself.  Raises DataError without scipy, or if
    nothing is known.
    """
    try:
        from scipy.sparse import csr_array
        from scipy.sparse.linalg import splu
    except ImportError as error:
        raise DataError("blending needs scipy: pip install 'ganzoo[inpainting]'") from error
    if hole.all():
        raise DataError("the hole covers all of the picture, so there is nothing to blend with.")
    result = image.astype(np.float64)
    if not hole.any():
        return result
    inside = patch.astype(np.float64)
    number = np.full(hole.shape, -1)
    number[hole] = np.arange(hole.sum())
    rows, columns, values = [], [], []
    right = np.zeros((int(hole.sum()), image.shape[2]))
    for here, there in _neighbours(hole.shape):
        both = hole[here]
        ours, theirs = number[here][both], number[there][both]
        rows += [ours, ours[theirs >= 0]]
        columns += [ours, theirs[theirs >= 0]]
        values += [np.ones(len(ours)), -np.ones((theirs >= 0).sum())]
        right[ours] += (inside[here] - inside[there])[both]
        known = theirs < 0
        right[ours[known]] += result[there][both][known]
    matrix = csr_array(
        (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))),
        shape=(len(right), len(right)),
    )
    result[hole] = splu(matrix.tocsc()).solve(right)
    return result


def _neighbours(shape: tuple[int, ...]) -> list[tuple[Any, Any]]:
    """Return pairs of slices: pixels that have a neighbour, and those, on all four sides."""
    every, first, last = slice(None), slice(None, -1), slice(1, None)
    down, across = ((first, every), (last, every)), ((every, first), (every, last))
    return [down, down[::-1], across, across[::-1]]
