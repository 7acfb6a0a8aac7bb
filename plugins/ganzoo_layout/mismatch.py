"""Mismatched pairs, without which a conditional critic may look at the image alone.

Reed et al. 2016, Generative adversarial text to image synthesis, https://arxiv.org/abs/1605.05396,
section 4.1: a real image with the text of another is a third kind of pair, and counts as fake.
"""

from __future__ import annotations

from torch import Tensor

from ganzoo.interfaces import Transform


class Roll(Transform):
    """Gives every example of a batch the image of the one before it.

    As a view, ``wrong: {use: roll, of: real}``, it makes mismatched pairs: ``wrong_logits`` judge
    real images with the layouts and labels of others.  Nothing is drawn at random.
    """

    def __call__(self, image: Tensor) -> Tensor:
        """Roll images (N, 3, H, W) by one."""
        return image.roll(1, 0)
