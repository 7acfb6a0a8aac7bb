"""The promises of extractors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from ganzoo.testing.attempt import attempt
from ganzoo.testing.devices import check_device, devices
from ganzoo.testing.subject import Subject, noise, told

Promise = Callable[[Subject], None]

SIDE = 64
_TOLERANCE = 1e-4


def promises(subject: Subject) -> list[Promise]:
    """Return the promises of an extractor."""
    return [gives_features_by_layer, is_frozen, lets_gradients_through, moves_to_another_device]


def gives_features_by_layer(subject: Subject) -> None:
    """It gives finite features by layer, each image independently."""
    network, images = subject.build(), noise(3, 3, SIDE, SIDE)
    network.train()  # as a parent module may do
    one, all_three = (_features(network, batch) for batch in (images[:1], images))
    if one.keys() != all_three.keys():
        raise AssertionError("which layers it gives depends on the batch.")
    for layer, features in all_three.items():
        finding = f"layer '{layer}' of {told({'images': images})} is {told({'': features}).strip()}"
        if len(features) != 3:
            raise AssertionError(f"{finding}: not (3, ...).")
        if features.dtype != torch.float32:
            raise AssertionError(f"{finding}, {features.dtype}: not torch.float32.")
        if not features.isfinite().all():
            raise AssertionError(f"{finding} with NaN or infinity.")
        apart = (features[:1] - one[layer]).abs().max()
        if not apart <= _TOLERANCE * (1 + one[layer].abs().max()):
            raise AssertionError(
                f"layer '{layer}' of an image changes with the others of its batch, by "
                f"{apart:.3g}. Stay in eval mode: override train() to do nothing."
            )


def is_frozen(subject: Subject) -> None:
    """It is frozen."""
    names = [name for name, p in subject.build().named_parameters() if p.requires_grad]
    if names:
        raise AssertionError(
            f"{len(names)} of its parameters are trainable, as {(names or [''])[0]}. Call "
            "requires_grad_(False) in its constructor."
        )


def lets_gradients_through(subject: Subject) -> None:
    """Gradients go through it to the image."""
    network, image = subject.build(), noise(1, 3, SIDE, SIDE).requires_grad_()
    features = [f for f in _features(network, image).values() if f.requires_grad]
    if not features:
        raise AssertionError("no feature hangs on the image: is there a no_grad() or a detach()?")
    total = torch.stack([f.square().sum() for f in features]).sum()
    (gradient,) = attempt("the gradient at the image", torch.autograd.grad, total, image)
    if not gradient.isfinite().all():
        raise AssertionError("the gradient at the image is NaN or infinite.")
    if not gradient.abs().sum() > 0:
        raise AssertionError("the gradient at the image is 0 everywhere.")


def moves_to_another_device(subject: Subject) -> None:
    """It moves to another device as a whole."""
    for device in devices():
        network = attempt(f"to({str(device)!r})", subject.build().to, device)
        image = noise(3, 3, SIDE, SIDE).to(device)
        what = f"forward(image) on another device ({device.type})"
        check_device(what, lambda n=network, i=image: n(i), device)  # type: ignore[misc]


def _features(network: Any, image: Tensor) -> Mapping[str, Tensor]:
    features = attempt(f"forward(image) of {told({'image': image})}", network, image)
    if not isinstance(features, Mapping) or not features:
        kind = type(features).__name__
        raise AssertionError(f"forward gives {kind}: not a dict of layers to tensors.")
    if not all(isinstance(feature, Tensor) for feature in features.values()):
        raise AssertionError("forward gives a dict of other things than tensors.")
    return features
