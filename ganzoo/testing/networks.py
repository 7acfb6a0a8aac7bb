"""The promises of generators and discriminators.

Each is built with the fewest arguments, small sizes first; if it takes ``label``, with and
without.  ``arguments`` of ``contracts`` choose others.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from ganzoo.errors import GanzooError
from ganzoo.formats.containers import Union
from ganzoo.formats.types import Choice
from ganzoo.plugins.signature import REQUIRED, Parameter
from ganzoo.testing.attempt import Raised, Unavailable, attempt
from ganzoo.testing.datasets import tensor
from ganzoo.testing.devices import check_device, devices
from ganzoo.testing.subject import GIVEN, LABEL, Subject, labels, noise, seed, tensors, told

Promise = Callable[[Subject], None]

#: heights and widths to try if a network does not say which it can have
SIZES = (32, 64, 128, 256, 16, 28, 48, 96, 112, 224, 512)
#: most sizes to try, and the largest if there are smaller ones
MOST, LARGEST = 3, 128
#: images in a batch, and whether in training mode
BATCHES = ((1, False), (3, False), (3, True))


def of_generators(subject: Subject) -> list[Promise]:
    """Return the promises of a generator."""
    latents = [draws_latents] if "latent" in subject.needs("forward") else []
    return [draws_images, *latents, batch_mates_do_not_matter, *_OF_BOTH]


def of_discriminators(subject: Subject) -> list[Promise]:
    """Return the promises of a discriminator."""
    heads = [has_its_heads] if subject.read.attributes.get("heads") else []
    return [gives_raw_logits, *heads, can_be_penalised, the_order_does_not_matter, *_OF_BOTH]


@dataclass
class Case:
    """One way to build a network, and its inputs."""

    subject: Subject
    size: int
    labelled: bool

    def __str__(self) -> str:
        return f"at size {self.size}{', with labels' * self.labelled}"

    def build(self, seeded: int = 0) -> Any:
        """Build the network, with weights drawn from a seed."""
        arguments: dict[str, Any] = {}
        if self.subject.parameter("size"):
            arguments["size"] = self.size
        if self.labelled:
            arguments["label"] = self.subject.given.get("label", LABEL)
        return self.subject.build(seeded, **arguments)

    def words(self, network: Any, n: int, seeded: int = 0) -> dict[str, Tensor]:
        """Make up every required parameter of ``forward`` from a seed."""
        found: dict[str, Tensor] = {}
        for place, (word, required) in enumerate(self.subject.needs("forward").items()):
            if word == "label":
                if self.labelled:
                    known = self.subject.given.get("label", LABEL)
                    found[word] = labels(n, known).roll(seeded, 0)
            elif word == "latent":
                rng = torch.Generator().manual_seed(5 + seeded)
                found[word] = attempt("sample_latent(n, rng)", network.sample_latent, n, rng)
            elif self.subject.fields.get(word) == "tensor" and required:
                found[word] = tensor(self.subject, word, n).roll(seeded, 0)
            elif required or not place:
                found[word] = noise(n, 3, self.size, self.size, seeded=place + 100 * seeded)
        return found

    def run(self, network: Any, words: dict[str, Tensor]) -> Any:
        """Run the network on the words."""
        return self.call(network, f"forward({', '.join(words)})", words)

    def call(self, function: Any, what: str, words: dict[str, Tensor]) -> Any:
        """Call something with words; a failure reports their shapes."""
        try:
            return attempt(what, function, **words)
        except Raised as error:
            raise Raised(f"{error}. It was given {told(words)}, {self}.") from error.__cause__


def cases(subject: Subject, sizes: int = 1) -> Iterator[Case]:
    """Yield the ways to build a network, at so many sizes."""
    for size in _sizes(subject)[:sizes]:
        for labelled in _forms(subject):
            yield Case(subject, size, labelled)


def _forms(subject: Subject) -> list[bool]:
    """Whether to build it with labels: if they are optional, without and with."""
    label = subject.parameter("label")
    needed = subject.needs("forward").get("label") or (label and label.default is REQUIRED)
    if "label" in subject.given or needed:
        return [True]
    return [False, True] if label else [False]


def _sizes(subject: Subject) -> list[int]:
    """List the sizes that a network can have, small ones first."""
    if "sizes" not in subject.found_out:
        subject.found_out["sizes"] = _allowed(subject) or _tried(subject)
    found: list[int] = subject.found_out["sizes"]
    return found


def _allowed(subject: Subject) -> list[int]:
    """Return the size that the author gave, or those in its annotation."""
    if "size" in subject.given:
        return [subject.given["size"]]
    parameter = subject.parameter("size")
    kind = parameter.type if parameter else None
    options = kind.options if isinstance(kind, Union) else [kind]
    values = [v for o in options if isinstance(o, Choice) for v in o.values]
    numbers = sorted(v for v in values if isinstance(v, int) and not isinstance(v, bool))
    return [n for n in numbers if n <= LARGEST][:MOST] or numbers[:1]


def _tried(subject: Subject) -> list[int]:
    """Return the first sizes that the constructor, or else ``forward``, accepts."""
    parameter, found = subject.parameter("size"), []
    candidates = _candidates(parameter)
    refusal: Exception = Unavailable(
        f"no size of {', '.join(map(str, candidates))} is allowed: give {subject} one by {GIVEN}."
    )
    for size in candidates:
        if parameter and parameter.type.check(size):
            continue
        case = Case(subject, size, _forms(subject)[0])
        try:
            network = case.build()
            if not parameter:
                with torch.no_grad():
                    case.run(network.eval(), case.words(network, 1))
        except Raised as error:
            if parameter and not isinstance(error.__cause__, (GanzooError, ValueError)):
                raise
            refusal = error
            continue
        found.append(size)
        if len(found) == MOST - 1:
            break
    if not found:
        raise refusal
    return sorted(found)


def _candidates(parameter: Parameter | None) -> list[int]:
    """Return ``SIZES`` and the constructor's default, which comes last if it is large."""
    default = parameter.default if parameter else None
    if not isinstance(default, int):
        return list(SIZES)
    return list(dict.fromkeys((default, *SIZES) if default <= LARGEST else (*SIZES, default)))


# -- generators -------------------------------------------------------------------------------


def draws_images(subject: Subject) -> None:
    """It draws finite images in [-1, 1], at every size and batch."""
    for case in cases(subject, MOST):
        network = case.build()
        for n, training in BATCHES:
            words = case.words(network.train(training), n)
            with torch.no_grad():
                images = case.run(network, words)
            size = network.size or case.size
            found = f"forward gives {told({'images': images})} of {told(words)}, {case}"
            if not isinstance(images, Tensor):
                raise AssertionError(f"forward gives a {type(images).__name__}, {case}.")
            if images.shape != (n, 3, size, size):
                raise AssertionError(f"{found}: not ({n}, 3, {size}, {size}).")
            if images.dtype != torch.float32:
                raise AssertionError(f"{found}, as {images.dtype}: not torch.float32.")
            if not images.isfinite().all():
                raise AssertionError(f"{found}: some are NaN or infinite.")
            if not images.abs().max() <= 1:
                raise AssertionError(
                    f"{found}, with values from {images.min():.3g} to {images.max():.3g}: images "
                    "are in [-1, 1]. End with a tanh."
                )
        if images.min() >= 0:
            raise AssertionError(
                f"{found}, and no value is below 0: images are in [-1, 1]. Is there a sigmoid at "
                "its end? End with a tanh."
            )
        if subject.parameter("size"):
            if network.size not in (None, case.size):
                raise AssertionError(f"its size is {network.size}, {case}.")
        elif "latent" in subject.needs("forward") and not network.size:
            raise AssertionError("its images are always of one size: set `self.size` to it.")
        if bool(network.label) != case.labelled:
            raise AssertionError(
                f"its label is {network.label!r}, {case}: set `self.label` to what it was built "
                "with."
            )


def draws_latents(subject: Subject) -> None:
    """Its latents come from the given randomness alone."""
    for case in cases(subject):
        network = case.build()
        seed(0)
        state = torch.get_rng_state()
        one, same, other = (_latents(network, seeded) for seeded in (1, 1, 2))
        if not isinstance(one, Tensor):
            raise AssertionError(f"sample_latent gives a {type(one).__name__}.")
        if not one.ndim or len(one) != 4:
            raise AssertionError(f"sample_latent(4, rng) gives {tuple(one.shape)}: not (4, ...).")
        if one.device.type != "cpu":
            raise AssertionError(
                f"sample_latent gives latents on {one.device}: they are drawn on the CPU, so that "
                "a seed gives the same images everywhere."
            )
        if not torch.equal(one, same):
            raise AssertionError(
                "sample_latent gives other latents from an equal rng: pass it on as generator=rng."
            )
        if torch.equal(one, other):
            raise AssertionError("sample_latent gives the same latents from any rng.")
        if not torch.equal(state, torch.get_rng_state()):
            raise AssertionError(
                "sample_latent draws from torch's default generator: pass rng on as generator=rng."
            )


def _latents(network: Any, seeded: int) -> Any:
    rng = torch.Generator().manual_seed(seeded)
    return attempt("sample_latent(4, rng)", network.sample_latent, 4, rng)


# -- discriminators ---------------------------------------------------------------------------


def gives_raw_logits(subject: Subject) -> None:
    """It gives finite raw logits, at every size and batch."""
    for case in cases(subject, MOST):
        network = case.build()
        for n, training in BATCHES:
            words = case.words(network.train(training), n)
            with torch.no_grad():
                logits = case.run(network, words)
            found = f"forward gives {told({'logits': logits})} of {told(words)}, {case}"
            if not isinstance(logits, Tensor):
                raise AssertionError(f"forward gives a {type(logits).__name__}, {case}.")
            if not logits.ndim or len(logits) != n:
                raise AssertionError(f"{found}: not ({n}, ...).")
            if logits.dtype != torch.float32:
                raise AssertionError(f"{found}, as {logits.dtype}: not torch.float32.")
            if not logits.isfinite().all():
                raise AssertionError(f"{found}: some are NaN or infinite.")
        with torch.no_grad():  # far from zero, a sigmoid or a tanh would show
            far = {w: v * 64 if v.is_floating_point() else v for w, v in words.items()}
            largest = [case.run(network, far).abs().max()]
            for parameter in network.parameters():
                parameter.mul_(8)
            largest += [case.run(network, given).abs().max() for given in (words, far)]
        if not max(largest) > 1:
            raise AssertionError(
                "its logits stay within [-1, 1] however large its weights and inputs are, "
                f"{case}: is there a sigmoid or a tanh at its end? Leave it to the losses."
            )


def has_its_heads(subject: Subject) -> None:
    """Its heads are methods of an image."""
    for case in cases(subject):
        network = case.build()
        for head, image in _heads(case, network):
            found = list(tensors(case.call(getattr(network, head), f"{head}(image)", image)))
            if not found:
                raise AssertionError(f"its head {head}(image) gives no tensor.")
            if not all(t.isfinite().all() for t in found):
                raise AssertionError(f"{head}(image) gives NaN or infinity.")


def _heads(case: Case, network: Any) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """Yield each head, and its image under the name of its parameter."""
    import inspect

    for head in getattr(type(network), "heads", ()):
        method = getattr(network, head, None)
        if not callable(method):
            raise AssertionError(f"`heads` names '{head}', and it has no such method.")
        word = next(iter(inspect.signature(method).parameters))
        yield head, {word: noise(3, 3, case.size, case.size, seeded=7)}


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
        given = [p.grad for p in network.parameters() if p.grad is not None]
        if not given:
            raise AssertionError(f"the gradient of its logits depends on no parameter, {case}.")
        if not all(g.isfinite().all() for g in given):
            raise AssertionError(
                f"the gradient of the squared gradient of its logits is not finite, {case}."
            )


# -- both -------------------------------------------------------------------------------------


def gradients_reach_every_parameter(subject: Subject) -> None:
    """Gradients reach every parameter.

    From the output of ``forward``, or of one of a discriminator's ``heads``.  Frozen parameters do
    not count.
    """
    for case in cases(subject):
        network = _awake(case)
        outputs = [case.run(network.train(), case.words(network, 3))]
        for head, image in _heads(case, network):
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
        words, others = (case.words(network, 3, seeded) for seeded in (0, 1))
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


def _drawn(case: Case, network: Any, words: dict[str, Tensor], seeded: int = 1) -> Tensor:
    """Run the network on the words after a seed, without gradients."""
    seed(seeded)
    with torch.no_grad():
        found: Tensor = case.run(network, words)
    return found


def the_seed_decides(subject: Subject) -> None:
    """The seed decides its first weights, and torch's default generator all that is drawn later."""
    for case in cases(subject):
        one, same, other = (case.build(seeded).state_dict() for seeded in (1, 1, 2))
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
        ours, theirs = (_drawn(case, network.eval(), given) for given in (words, mates))
        if not torch.equal(ours, _drawn(case, network, words, seeded=2)):
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
        twin = case.build(seeded=1)
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
        single, again = (_drawn(case, network, words, seeded) for seeded in (1, 2))
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


_OF_BOTH: list[Promise] = [
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
