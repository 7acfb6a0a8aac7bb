"""How a model's pictures frame a face.  Imports no numpy, so that configs are read fast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge

#: x and y in a crop, which goes from 0 to 1
Place = tuple[float, float]


@dataclass(frozen=True)
class Framing:
    """How a model's pictures frame a face: ``size`` in pixels, and where eyes and mouth lie.

    ``mouth`` is the middle of the corners of the mouth.
    """

    size: Annotated[int, Ge(8)]
    left_eye: Place
    right_eye: Place
    mouth: Place

    @property
    def is_usable(self) -> bool:
        """Whether faces can be aligned: the eyes and the mouth lie apart, and near the crop."""
        columns = list(zip(*self.places, strict=True))
        apart = max(max(column) - min(column) for column in columns) > 0.01
        near = all(abs(number - 0.5) < 2 for column in columns for number in column)
        return apart and near and self.size <= 4096

    @property
    def places(self) -> tuple[Place, Place, Place]:
        """Return the left eye, the right eye and the mouth, from 0 to 1."""
        return self.left_eye, self.right_eye, self.mouth
