"""The promises of discriminators."""

from __future__ import annotations

import torch
from torch import Tensor

from ganzoo.testing.attempt import attempt
from ganzoo.testing.cases import BATCHES, MOST, cases
from ganzoo.testing.networks import PROMISES, Promise, heads_of, the_order_does_not_matter
from ganzoo.testing.subject import Subject, tensors, told


def promises(subject: Subject) -> list[Promise]:
    """Return the promises of a discriminator."""
    heads = [has_its_heads] if subject.read.attributes.get("heads") else []
    return [gives_raw_logits, *heads, can_be_penalised, the_order_does_not_matter, *PROMISES]


def gives_raw_logits(subject: Subject) -> None:
    """It gives finite raw logits, at every size and batch."""
    for case in cases(subject, MOST):
        network = case.build()
        for n, training in BATCHES:
            words = case.words(network.train(training), n)
            with torch.no_grad():
                logits = case.run(network, words)
            finding = f"forward gives {told({'logits': logits})} of {told(words)}, {case}"
            if not isinstance(logits, Tensor):
                raise AssertionError(f"forward gives a {type(logits).__name__}, {case}.")
            if not logits.ndim or len(logits) != n:
                raise AssertionError(f"{finding}: not ({n}, ...).")
            if logits.dtype != torch.float32:
                raise AssertionError(f"{finding}, as {logits.dtype}: not torch.float32.")
            if not logits.isfinite().all():
                raise AssertionError(f"{finding}: some are NaN or infinite.")
        with torch.no_grad():  # far from zero, a sigmoid or a tanh would show
            far = {w: v * 64 if v.is_floating_point() else v for w, v in words.items()}
            largest = [case.run(network, far).abs().max()]
            for parameter in network.parameters():
                parameter.mul_(8)
            largest += [case.run(network, inputs).abs().max() for inputs in (words, far)]
        if not max(largest) > 1:
            raise AssertionError(
                "its logits stay within [-1, 1] however large its weights and inputs are, "
                f"{case}: is there a sigmoid or a tanh at its end? Leave it to the losses."
            )


def has_its_heads(subject: Subject) -> None:
    """Its heads are methods of an image."""
    for case in cases(subject):
        network = case.build()
        for head, image in heads_of(case, network):
            outputs = list(tensors(case.call(getattr(network, head), f"{head}(image)", image)))
            if not outputs:
                raise AssertionError(f"its head {head}(image) gives no tensor.")
            if not all(t.isfinite().all() for t in outputs):
                raise AssertionError(f"{head}(image) gives NaN or infinity.")


def can_be_penalised(subject: Subject) -> None:
    """The gradients of its logits can be differentiated once more, for penalties."""
    for case in cases(subject):
        network = case.build()
        words = case.words(network, 3)
        image = next(iter(words.values())).requires_grad_()
        logits = case.run(network, words)
        (gradient,) = attempt(
            "the gradient of its logits", torch.autograd.grad, logits.sum(), image,
            create_graph=True, allow_unused=True,
        )  # fmt: skip
        if gradient is None:
            raise AssertionError(f"its logits do not depend on the image, {case}.")
        if not gradient.abs().sum() > 0:
            raise AssertionError(f"the gradient of its logits is 0 everywhere, {case}.")
        attempt("the gradient of that gradient", gradient.square().sum().backward)
        gradients = [p.grad for p in network.parameters() if p.grad is not None]
        if not gradients:
            raise AssertionError(f"the gradient of its logits depends on no parameter, {case}.")
        if not all(g.isfinite().all() for g in gradients):
            raise AssertionError(
                f"the gradient of the squared gradient of its logits is not finite, {case}."
            )
