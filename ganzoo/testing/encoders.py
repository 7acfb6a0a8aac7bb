"""The promises of encoders."""

from __future__ import annotations

import torch
from torch import Tensor

from ganzoo.testing.cases import BATCHES, MOST, cases
from ganzoo.testing.networks import PROMISES, Promise, batch_mates_do_not_matter
from ganzoo.testing.subject import Subject, told


def promises(subject: Subject) -> list[Promise]:
    """Return the promises of an encoder."""
    return [gives_codes, batch_mates_do_not_matter, *PROMISES]


def gives_codes(subject: Subject) -> None:
    """It gives finite codes of one length, at every size and batch."""
    for case in cases(subject, MOST):
        network = case.build()
        lengths = set()
        for n, training in BATCHES:
            words = case.words(network.train(training), n)
            with torch.no_grad():
                codes = case.run(network, words)
            finding = f"forward gives {told({'codes': codes})} of {told(words)}, {case}"
            if not isinstance(codes, Tensor):
                raise AssertionError(f"forward gives a {type(codes).__name__}, {case}.")
            if codes.ndim != 2 or len(codes) != n:
                raise AssertionError(f"{finding}: not ({n}, length of the code).")
            if codes.dtype != torch.float32:
                raise AssertionError(f"{finding}, as {codes.dtype}: not torch.float32.")
            if not codes.isfinite().all():
                raise AssertionError(f"{finding}: some are NaN or infinite.")
            lengths.add(codes.shape[1])
        if len(lengths) > 1:
            raise AssertionError(f"the length of its codes changes from {lengths}, {case}.")
