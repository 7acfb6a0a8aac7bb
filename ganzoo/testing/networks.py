"""The promises of every network: generators, discriminators and encoders."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from ganzoo.testing.attempt import attempt
from ganzoo.testing.cases import Case, cases
from ganzoo.testing.devices import check_device, devices
from ganzoo.testing.subject import Subject, noise, seed, tensors

Promise = Callable[[Subject], None]


def heads_of(case: Case, network: Any) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """Yield each head, and its image under the name of its parameter."""
    for head in getattr(type(network), "heads", ()):
        method = getattr(network, head, None)
        if not callable(method):
            raise AssertionError(f"`heads` names '{head}', and it has no such method.")
        word = next(iter(inspect.signature(method).parameters))
        yield head, {word: noise(3, 3, case.size, case.size, salt=7)}


def gradients_reach_every_parameter(subject: Subject) -> None:
    """Gradients reach every parameter.

    From the output of ``forward``, or of one of a discriminator's ``heads``.  Frozen parameters do
    not count.
    """
    for case in cases(subject):
        network = _awake(case)
        if not any(parameter.requires_grad for parameter in network.parameters()):
            continue  # it is computed, not learnt
        outputs = [case.run(network.train(), case.words(network, 3))]
        for head, image in heads_of(case, network):
            outputs.append(case.call(getattr(network, head), f"{head}(image)", image))
        total = sum((t * torch.randn_like(t)).sum() for t in tensors(outputs) if t.requires_grad)
        if not isinstance(total, Tensor):
            raise AssertionError(f"what it gives does not require grad, {case}.")
        attempt("backward()", total.backward)
        learning = [(n, p) for n, p in network.named_parameters() if p.requires_grad]
        faults: dict[str, Callable[[Tensor | None], bool]] = {
            "no gradient reaches": lambda g: g is None or not g.abs().sum() > 0,
            "the gradient is not finite at": (
                lambda g: g is not None and not bool(g.isfinite().all())
            ),
        }
        for what, bad in faults.items():
            names = [f"{n} {tuple(p.shape)}" for n, p in learning if bad(p.grad)]
            if names:
                raise AssertionError(
                    f"{what} {_some(names)}, {case}. Remove what is not used, freeze what is not "
                    "to learn (requires_grad_(False)), and let no detach() or no_grad() be in the "
                    "way."
                )


def depends_on_every_word(subject: Subject) -> None:
    """What it gives depends on every word that it reads."""
    for case in cases(subject):
        network = _awake(case).eval()
        words, others = (case.words(network, 3, salt) for salt in (0, 1))
        first = _drawn(case, network, words)
        for word, other in others.items():
            # a label of one value, or a dataset's constant, cannot differ
            if torch.equal(words[word], other):
                continue
            if torch.equal(first, _drawn(case, network, words | {word: other})):
                raise AssertionError(
                    f"forward gives the same whatever its '{word}' is, {case}: use it, or do not "
                    "ask for it."
                )


def _awake(case: Case) -> Any:
    """Move all weights, as some layers begin at zero and hide those before them."""
    network = case.build()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return network


def _drawn(case: Case, network: Any, words: dict[str, Tensor], salt: int = 1) -> Tensor:
    """Run the network on the words after a seed, without gradients."""
    seed(salt)
    with torch.no_grad():
        output: Tensor = case.run(network, words)
    return output


def the_seed_decides(subject: Subject) -> None:
    """The seed decides its first weights, and torch's default generator all that is drawn later."""
    for case in cases(subject):
        one, same, other = (case.build(salt).state_dict() for salt in (1, 1, 2))
        unlike = [name for name in one if not torch.equal(one[name], same[name])]
        if unlike:
            raise AssertionError(
                f"after the same torch.manual_seed its weights differ: {_some(unlike)}, {case}. "
                "Draw them with torch alone, not with numpy or random."
            )
        if one and all(torch.equal(one[name], other[name]) for name in one):
            raise AssertionError(
                f"its weights are the same after any torch.manual_seed, {case}: are they seeded or "
                "constant inside?"
            )
        twins = [case.build(1).train() for _ in range(2)]
        words = case.words(twins[0], 3)
        if not torch.equal(*(_drawn(case, twin, words) for twin in twins)):
            raise AssertionError(
                f"forward gives something else after the same torch.manual_seed, {case}: it draws "
                "from elsewhere."
            )


def batch_mates_do_not_matter(subject: Subject) -> None:
    """In eval mode each image is decided by its own inputs alone."""
    _check_rows(subject, [0, 1, 2], [0, 4, 3], "the other inputs of its batch")


def the_order_does_not_matter(subject: Subject) -> None:
    """In eval mode the order of a batch does not matter.

    Statistics over it may, as in minibatch discrimination.
    """
    _check_rows(subject, [0, 1, 2], [0, 2, 1], "the order of its batch")


def _check_rows(subject: Subject, rows: list[int], others: list[int], what: str) -> None:
    """Check that the first row gives the same beside other rows, and at every call."""
    for case in cases(subject):
        network = case.build()
        every = case.words(network, 5)
        words, mates = ({w: v[some] for w, v in every.items()} for some in (rows, others))
        _drawn(case, network.train(), words)  # moves the running statistics from their start
        ours, theirs = (_drawn(case, network.eval(), inputs) for inputs in (words, mates))
        if not torch.equal(ours, _drawn(case, network, words, salt=2)):
            raise AssertionError(
                f"in eval mode forward gives something else at every call, {case}: draw nothing at "
                "random where `self.training` is False."
            )
        for row, place in enumerate(others):
            if place in rows and not _close(ours[rows.index(place)], theirs[row]):
                raise AssertionError(
                    f"in eval mode an output changes with {what}, by "
                    f"{(ours[rows.index(place)] - theirs[row]).abs().max():.3g}, {case}: "
                    "statistics over the batch belong to training."
                )


def weights_survive_a_file(subject: Subject) -> None:
    """Its weights survive a file bit for bit, and a copy of it is one of its own.

    It is copied before any gradient is taken, as the weight average is made when training begins.
    """
    file = subject.workspace.folder / "weights.safetensors"
    for case in cases(subject):
        network = case.build()
        words = case.words(network, 3)
        _drawn(case, network.train(), words)
        state = network.state_dict()
        attempt("safetensors' save_file(network.state_dict(), ...)", save_file, state, file)
        twin = case.build(salt=1)
        attempt("load_state_dict", twin.load_state_dict, load_file(file))
        clone = attempt("copy.deepcopy(network), as the average of weights is made,",
                        copy.deepcopy, network)  # fmt: skip
        first = _drawn(case, network.eval(), words)
        for what, other in (("loaded into another", twin), ("copied by copy.deepcopy", clone)):
            if not torch.equal(first, _drawn(case, other.eval(), words)):
                raise AssertionError(
                    f"its state dict {what} does not give the same to the last bit, {case}: "
                    "some of it is no parameter or buffer. Use register_buffer."
                )
        with torch.no_grad():
            for parameter in clone.parameters():
                parameter.add_(1)
        if not torch.equal(first, _drawn(case, network, words)):
            raise AssertionError(
                f"a change of a copy's weights changes what it gives, {case}: they share some."
            )


def works_in_other_precisions(subject: Subject) -> None:
    """It works in float64, and under autocast to bfloat16."""
    for case in cases(subject):
        network = case.build().eval()
        words = case.words(network, 3)
        single, again = (_drawn(case, network, words, salt) for salt in (1, 2))
        network = attempt("to(torch.float64)", network.to, torch.float64)
        wide = {w: v.double() if v.is_floating_point() else v for w, v in words.items()}
        double = _drawn(case, network, wide)
        if double.dtype != torch.float64:
            raise AssertionError(
                f"after to(torch.float64) forward gives {double.dtype}, {case}: make new tensors "
                "with dtype=x.dtype."
            )
        # one seed draws other numbers in float64; another promise reports that it draws
        if torch.equal(single, again) and not _close(single.double(), double, 1e-3):
            raise AssertionError(
                f"float64 gives something else than float32, by "
                f"{(single - double).abs().max():.3g}, {case}."
            )
        network = case.build().train()
        with torch.autocast("cpu", torch.bfloat16):
            out = case.run(network, words)
        if not out.isfinite().all():
            raise AssertionError(f"under autocast to bfloat16 it gives NaN or infinity, {case}.")
        if out.requires_grad:
            attempt("backward() under autocast to bfloat16", out.float().square().sum().backward)
        bad = [n for n, p in network.named_parameters()
               if p.grad is not None and not p.grad.isfinite().all()]  # fmt: skip
        if bad:
            raise AssertionError(
                f"under autocast to bfloat16 gradients are not finite: {_some(bad)}, {case}."
            )


def moves_to_another_device(subject: Subject) -> None:
    """It moves to another device as a whole."""
    for case in cases(subject):
        for device in devices():
            network = case.build()
            words = {word: value.to(device) for word, value in case.words(network, 3).items()}
            network = attempt(f"to({str(device)!r})", network.to, device)
            what = f"forward({', '.join(words)}) on another device ({device.type})"
            check_device(what, lambda n=network, w=words: n(**w), device)  # type: ignore[misc]


PROMISES: list[Promise] = [
    gradients_reach_every_parameter,
    depends_on_every_word,
    the_seed_decides,
    weights_survive_a_file,
    works_in_other_precisions,
    moves_to_another_device,
]


def _close(a: Tensor, b: Tensor, tolerance: float = 1e-4) -> bool:
    return bool((a - b).abs().max() <= tolerance * (1 + b.abs().max()))


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
