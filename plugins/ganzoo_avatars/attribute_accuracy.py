"""Does an avatar have the hair, the skin and the background that it should have?

Scores of conditional generators by a classifier are of Odena, Olah and Shlens 2016, Conditional
image synthesis with auxiliary classifier GANs, https://arxiv.org/abs/1610.09585, section 4.2; ours
is trained on the avatars' own attributes.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from ganzoo.errors import DataError
from ganzoo.interfaces import GROUPS, Evaluator
from ganzoo_avatars.attributes import VALUES, read, trained

ALL = "attribute-accuracy"


class AttributeAccuracy(Evaluator):
    """The share of images with the right hair, skin and background, as a small network reads them.

    A model with labels is asked for values, and its images should have them.  A translator's images
    should have what the network reads of their real twins; the dataset must be paired.
    ``hair-accuracy``, ``skin-accuracy`` and ``background-accuracy`` are the shares, and
    ``attribute-accuracy`` is their mean (after Odena 2016).  Labels that the network does not know
    do not count, and scores of labels that the model does not have are left out.

    The network is trained on drawn avatars of every style by `python -m
    ganzoo_avatars.attribute_training`.  Of 3,600 avatars that it has not seen it reads 98.8 % of
    the hair, 99.8 % of the skin and 100.0 % of the background right, and everything in style
    toon-head.  Its commonest mistakes are silver for pink, purple and blond hair and back, in less
    than 1 % of each; ``attributes.json`` beside it has the full confusion.  So even perfect images
    may score no more than that against labels.
    """

    higher_is_better: ClassVar = {
        "attribute-accuracy": True,
        "hair-accuracy": True,
        "skin-accuracy": True,
        "background-accuracy": True,
    }
    # colours survive blur and grain
    blind: ClassVar = {
        "attribute-accuracy": ("lightly-blurred", "grain", "blurred"),
        "hair-accuracy": ("lightly-blurred", "grain", "blurred"),
        "skin-accuracy": ("lightly-blurred", "grain", "blurred"),
        "background-accuracy": ("lightly-blurred", "grain", "blurred"),
    }

    def __init__(self) -> None:
        self._network = trained()
        shape = (len(VALUES), GROUPS)
        self._right, self._count = torch.zeros(2, *shape, dtype=torch.int64)
        self._has_images = False

    def fake(self, image: Tensor, labels: dict[str, Tensor], group: Tensor) -> None:
        """Compare (N, 3, H, W) in [-1, 1] with the labels that were asked for."""
        self._has_images = True
        if not labels:
            return
        values = read(self._network, image)
        for name, options in VALUES.items():
            for number, value in enumerate(options):
                mask = labels.get(f"{name}={value}")
                if mask is not None:
                    self._add(name, (values[name] == number)[mask], group[mask])

    def pair(self, real: Tensor, fake: Tensor, group: Tensor) -> None:
        """Compare fakes (N, 3, H, W) with their real twins."""
        ours, theirs = (read(self._network, image) for image in (fake, real))
        for name in VALUES:
            self._add(name, ours[name] == theirs[name], group)

    def _add(self, name: str, right: Tensor, group: Tensor) -> None:
        row = [*VALUES].index(name)
        self._right[row] += torch.bincount(group[right], minlength=GROUPS)
        self._count[row] += torch.bincount(group, minlength=GROUPS)

    def compute(self, without: int | None = None) -> dict[str, float]:
        """The scores of the attributes that were asked for; raises DataError without an image."""
        if not self._has_images:
            raise DataError(f"{ALL} wants at least one image. Evaluate on more.")
        groups = torch.arange(GROUPS) != (-1 if without is None else without)
        right, count = self._right[:, groups].sum(1), self._count[:, groups].sum(1)
        scores = {
            f"{name}-accuracy": (right[i] / count[i]).item()
            for i, name in enumerate(VALUES)
            if count[i]
        }
        return ({ALL: sum(scores.values()) / len(scores)} if scores else {}) | scores
