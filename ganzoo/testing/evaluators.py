"""The promises of evaluators.

They are fed as a benchmark feeds them.  One that reads features gets vectors, maps or landmarks, or
those of an extractor of the same plugin: whichever it accepts.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from ganzoo.errors import DataError, nearest, one_of
from ganzoo.evaluation.image_sources import ROWS
from ganzoo.interfaces import GROUPS
from ganzoo.recipe.benchmark import STREAMS, is_features, words_of
from ganzoo.recipe.vocabulary import FEATURES
from ganzoo.testing.attempt import Raised, Unavailable, attempt
from ganzoo.testing.datasets import tensor
from ganzoo.testing.eyes import Eye, eyes
from ganzoo.testing.rows import Rows
from ganzoo.testing.subject import LABEL, Subject, labels, noise, seed

Promise = Callable[[Subject], None]
#: stream -> word -> its values for all images
Streams = Mapping[str, Mapping[str, Any]]

#: made-up reals and fakes, and their height and width
REALS, FAKES, SIDE = 64, 50, 32
#: images at once
CHUNKS = (7, 64, 1)
#: tolerance for scores that differ only by the rounding of float64
ROUNDING = 1e-8


def promises(subject: Subject) -> list[Promise]:
    """Return the promises of an evaluator."""
    reads_group = any("group" in subject.needs(stream) for stream in ("fake", "pair"))
    takes_without = "without" in inspect.signature(subject.cls.compute).parameters
    groups = [leaves_a_group_out] if reads_group or takes_without else []
    return [
        reads_what_a_benchmark_gives,
        gives_its_scores,
        is_of_its_images_alone,
        does_not_depend_on_the_batch,
        *groups,
        tells_real_from_spoilt,
    ]


def _reads(subject: Subject) -> dict[str, list[str]]:
    """Stream -> what it reads of it."""
    return {s: list(subject.needs(s)) for s in STREAMS if s in subject.read.methods}


# -- feeding it -------------------------------------------------------------------------------


def measure(
    subject: Subject, streams: Streams, chunk: int = 64, without: int | None = None
) -> dict[str, float]:
    """Return the scores of a new evaluator after all of ``streams``, ``chunk`` images at a time."""
    seed(chunk)
    evaluator = subject.build()
    for stream, words in streams.items():
        first = next(iter(words.values()))
        n = len(next(iter(first.values())) if isinstance(first, Mapping) else first)
        for start in range(0, n, chunk):
            rows = slice(start, start + chunk)
            part = {word: _select(value, rows) for word, value in words.items()}
            what = f"{stream}({', '.join(part)})"
            attempt(what, getattr(evaluator, stream), **part)
    arguments = {} if without is None else {"without": without}
    scores = attempt(f"compute({', '.join(arguments)})", evaluator.compute, **arguments)
    if not isinstance(scores, Mapping):
        raise AssertionError(f"compute gives a {type(scores).__name__}: not a dict.")
    return dict(scores)


def _select(value: Any, rows: slice | Tensor) -> Any:
    """Copy rows of a word's values, or of each layer of its features."""
    if isinstance(value, Mapping):
        return {layer: part[rows].clone() for layer, part in value.items()}
    return value[rows].clone()


def _made_up(subject: Subject, eye: Eye, salt: int = 0) -> dict[str, dict[str, Any]]:
    """Make up random images, and features of them."""
    words: dict[str, dict[str, Any]] = {}
    for stream, reads in _reads(subject).items():
        n = REALS if stream == "real" else FAKES
        words[stream] = {word: _word(subject, stream, word, n, eye, salt) for word in reads}
    return words


def _word(subject: Subject, stream: str, word: str, n: int, eye: Eye, salt: int) -> Any:
    if word == "group":
        return torch.arange(n) % GROUPS
    if word == "labels":
        return {f"{k}={v}": torch.arange(n) % len(vs) == i for k, vs in LABEL.items()
                for i, v in enumerate(vs)}  # fmt: skip
    if is_features(word):
        image = "image" if word == "features" else word.removesuffix(FEATURES)
        with torch.no_grad():
            return eye.see(_word(subject, stream, image, n, eye, salt))
    what = subject.fields.get(word, "image")
    if what == "label":
        return labels(n)
    if what == "tensor":
        return tensor(subject, word, n)
    place = 1 + STREAMS.index(stream) + 10 * len(word) + 1000 * salt
    return noise(n, 3, SIDE, SIDE, salt=place) * 0.8 + 0.2 * noise(n, 3, 1, 1, salt=place)


def _eye(subject: Subject) -> Eye:
    """Return the features that it accepts, or the first kind."""
    if "eye" not in subject.found_out:
        subject.found_out["eye"] = _find_eye(subject)
    eye: Eye = subject.found_out["eye"]
    return eye


def _find_eye(subject: Subject) -> Eye:
    choices = list(eyes(subject))
    if not any(is_features(word) for reads in _reads(subject).values() for word in reads):
        return choices[0]
    for eye in choices:
        try:
            measure(subject, _made_up(subject, eye))
        except Raised as error:
            is_refusal = isinstance(error.__cause__, (DataError, KeyError, IndexError, ValueError))
            if not is_refusal and not isinstance(error.__cause__, RuntimeError):
                break
        else:
            return eye
    return choices[0]


def _fed(subject: Subject, salt: int = 0) -> dict[str, dict[str, Any]]:
    return _made_up(subject, _eye(subject), salt)


def _check_equal(one: Mapping[str, float], other: Mapping[str, float], why: str) -> None:
    for name, value in one.items():
        near = math.isclose(value, other[name], rel_tol=ROUNDING, abs_tol=ROUNDING)
        if not near:
            raise AssertionError(f"'{name}' is {value:.12g} {why.format(f'{other[name]:.12g}')}")


# -- the promises -----------------------------------------------------------------------------


def reads_what_a_benchmark_gives(subject: Subject) -> None:
    """It has a stream, and reads only words that a benchmark gives."""
    streams = _reads(subject)
    if not streams:
        raise AssertionError(
            f"it has none of the methods {', '.join(STREAMS)}, so that it sees nothing."
        )
    for stream, reads in streams.items():
        words = words_of(stream, subject.fields)
        for word in reads:
            if subject.needs(stream)[word] and word not in words:
                raise AssertionError(
                    f"its {stream} reads '{word}', which no benchmark gives{nearest(word, words)} "
                    f"Available: {one_of(words)}."
                )


def gives_its_scores(subject: Subject) -> None:
    """It gives every score of `higher_is_better`, finite, and no other."""
    promise = subject.cls.higher_is_better
    if not promise:
        raise AssertionError("its `higher_is_better` names no score.")
    scores = measure(subject, _fed(subject))
    gaps = [name for name in promise if name not in scores]
    if gaps:
        raise AssertionError(f"compute gives no '{gaps[0]}', which is in `higher_is_better`.")
    extras = [name for name in scores if name not in promise]
    if extras:
        raise AssertionError(
            f"compute gives '{extras[0]}', which is not in `higher_is_better`"
            f"{nearest(extras[0], promise)}"
        )
    for name, value in scores.items():
        if not isinstance(value, float) or not math.isfinite(value):
            raise AssertionError(f"'{name}' is {value!r}: not a finite float.")
    blind = {row for rows in subject.cls.blind.values() for row in rows}
    if not set(subject.cls.blind) <= set(promise):
        raise AssertionError("its `blind` names an unknown score.")
    if not blind <= set(ROWS):
        raise AssertionError(
            f"its `blind` names {one_of(blind - set(ROWS))}: the rows are {one_of(ROWS)}."
        )


def is_of_its_images_alone(subject: Subject) -> None:
    """The same images give the same scores, whatever was measured before."""
    first = measure(subject, _fed(subject))
    measure(subject, _fed(subject, 1))
    then = measure(subject, _fed(subject))
    _check_equal(
        first, then, "and then, of the same images, {}: keep nothing in the class or the module, "
        "and draw what is random from a seed of your own."
    )  # fmt: skip


def does_not_depend_on_the_batch(subject: Subject) -> None:
    """How many images it is given at a time does not matter."""
    streams = _fed(subject)
    first = measure(subject, streams, REALS)
    for chunk in CHUNKS:
        _check_equal(
            first,
            measure(subject, streams, chunk),
            f"of all images at once and {{}} of {chunk} at a time: add up in float64, and average "
            "over images at the very end.",
        )


def leaves_a_group_out(subject: Subject) -> None:
    """Leaving a group out is as if its images had never been seen."""
    streams = _fed(subject)
    for group in (0, GROUPS - 1):
        remainder = {
            stream: {word: _select(value, words["group"] != group) for word, value in words.items()}
            if "group" in words
            else words
            for stream, words in streams.items()
        }
        _check_equal(
            measure(subject, streams, without=group),
            measure(subject, remainder),
            f"by compute(without={group}) and {{}} of the other groups alone.",
        )


def tells_real_from_spoilt(subject: Subject) -> None:
    """It ranks real images above spoilt ones, except where it says that it is `blind`.

    Tested on 300 avatars beside others, blurred and grainy ones, noise, and one repeated; a score
    of pairs on 60 figurines, where the photo itself is the best possible, or the real twin if it
    reads that.
    """
    streams, eye = _reads(subject), _eye(subject)
    rows = _rows(subject, "pair" in streams)
    cls, scores = subject.cls, {}
    # beside its twin, the real image itself is the best; beside its photo, the photo
    by_twin = any(word.partition("_")[0] == "real" for word in streams.get("pair", ()))
    best_row = "held-out" if by_twin else rows.best
    reads_landmarks = any("landmarks" in word for reads in streams.values() for word in reads)
    for row in rows.names:
        words = {stream: rows.words(stream, row, reads, eye) for stream, reads in streams.items()}
        try:
            scores[row] = measure(subject, words)
        except Raised as error:
            if reads_landmarks and isinstance(error.__cause__, DataError):  # figurines have few
                raise Unavailable(
                    f"it refuses the reference rows: {error.__cause__} Test that it tells good "
                    "from bad yourself."
                ) from error
            raise Raised(f"of the row '{row}' (features: {eye.name}): {error}") from error.__cause__
    for name, higher in cls.higher_is_better.items():
        exceptions = {best_row, "held-out", *cls.blind.get(name, ())}
        best = scores[best_row][name]
        for row in rows.names:
            value = scores[row][name]
            better = best > value if higher else best < value
            if row not in exceptions and not better:
                raise AssertionError(
                    f"'{name}' is {best:.4g} of {best_row} images and {value:.4g} of the row "
                    f"'{row}', and {'more' if higher else 'less'} is said to be better. Is "
                    f"higher_is_better the other way round? If it cannot tell them apart, say so: "
                    f"blind = {{'{name}': ('{row}',)}}."
                )


def _rows(subject: Subject, pairs: bool) -> Rows:
    """Return the reference rows, drawn once for all evaluators.

    Their images are ordinary datasets, which stay in the user's cache for the next time.
    """
    rows: Rows = subject.workspace.once(("rows", pairs), lambda: Rows(pairs))
    return rows
