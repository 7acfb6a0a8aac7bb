"""The promises of transforms."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ganzoo.testing.attempt import attempt
from ganzoo.testing.devices import check_device, devices
from ganzoo.testing.subject import Subject, noise, seed, told

Promise = Callable[[Subject], None]

_SHAPES = ((1, 3, 32, 32), (3, 3, 24, 40))


def promises(subject: Subject) -> list[Promise]:
    """Return the promises of a transform."""
    return [keeps_the_shape, lets_gradients_through, is_random_by_the_seed, works_where_images_are]


def keeps_the_shape(subject: Subject) -> None:
    """It gives finite images of the same shape and type, and leaves its inputs unchanged."""
    transform = subject.build()
    for shape in _SHAPES:
        image = noise(*shape)
        before = image.clone()
        out = attempt(f"a call with images {shape}", transform, image)
        if not isinstance(out, Tensor):
            raise AssertionError(f"it gives a {type(out).__name__} of images {shape}.")
        if out.shape != shape:
            raise AssertionError(f"it gives {tuple(out.shape)} of images {shape}.")
        if out.dtype != image.dtype:
            raise AssertionError(f"it gives {out.dtype} of images of {image.dtype}.")
        if not out.isfinite().all():
            raise AssertionError(f"it gives NaN or infinity of images {shape}.")
        if not torch.equal(image, before):
            raise AssertionError("it changed the images it was given: work on a copy.")


def lets_gradients_through(subject: Subject) -> None:
    """Gradients go through it to the image."""
    transform = subject.build()
    for shape in _SHAPES:
        image = noise(*shape).requires_grad_()
        out = attempt(f"a call with images {shape}", transform, image)
        if not out.requires_grad:
            raise AssertionError("what it gives does not hang on its images: is there a detach()?")
        weights = noise(*out.shape, salt=3)
        (gradient,) = torch.autograd.grad((out * weights).sum(), image, allow_unused=True)
        if gradient is None:
            raise AssertionError("no gradient reaches the images.")
        if not gradient.isfinite().all():
            raise AssertionError("the gradient at the images is NaN or infinite.")
        if not gradient.abs().sum() > 0:
            raise AssertionError("the gradient at the images is 0 everywhere.")


def is_random_by_the_seed(subject: Subject) -> None:
    """All that is random in it comes from torch's default generator."""
    transform, image, outputs = subject.build(), noise(3, 3, 32, 32), []
    for _ in range(2):
        seed(3)
        outputs.append(attempt(f"a call with {told({'images': image})}", transform, image))
    if not torch.equal(*outputs):
        raise AssertionError(
            "it gives something else after the same torch.manual_seed: draw from torch's default "
            "generator, not from numpy or random, and remember nothing."
        )


def works_where_images_are(subject: Subject) -> None:
    """It works on the device that its images are on."""
    for device in devices():
        transform, image = subject.build(), noise(3, 3, 32, 32).to(device)
        what = f"a call with images on another device ({device.type})"
        check_device(what, lambda t=transform, i=image: t(i), device)  # type: ignore[misc]
