"""The promises of datasets.

A dataset is built small: ``size`` 32 and ``count`` 12 if it takes them, and a folder of six small
PNG files for a required folder or file.  Anything else comes by ``arguments`` of ``contracts``.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import default_collate

from ganzoo.errors import DataError, nearest
from ganzoo.formats.types import Text
from ganzoo.plugins.signature import REQUIRED
from ganzoo.recipe.vocabulary import OF_IMAGES, provided_fields
from ganzoo.testing.attempt import Unavailable, attempt
from ganzoo.testing.subject import GIVEN, Subject, of_kind, seed, told

Promise = Callable[[Subject], None]

#: used if the constructor takes them and the author gives none
SMALL = {"size": 32, "count": 12}
#: the kinds of a field
WHATS = ("image", "label", "tensor")
#: examples to check
SOME = 5


def promises(subject: Subject) -> list[Promise]:
    """Return the promises of a dataset."""
    content = [fingerprints_its_content] if _folders(subject) else []
    batches = [gathers_batches] if hasattr(subject.cls, "__getitems__") else []
    return [
        declares_its_fields,
        reads_nothing_before_prepare,
        gives_what_it_declares,
        is_repeatable,
        follows_the_epoch,
        *content,
        *batches,
        reaches_worker_processes,
    ]


def examples(subject: Subject, word: str, n: int) -> Tensor:
    """Return ``n`` values of one field, (n, ...), cycling through the examples."""
    with subject.workspace.caching():
        data = _prepared(subject)
        return torch.stack([data[index % len(data)][word] for index in range(n)])


def tensor(subject: Subject, word: str, n: int) -> Tensor:
    """Return ``n`` values of a tensor field that ``subject`` reads.

    They come from a dataset that can be built here, best one of the same plugin.  Raises
    Unavailable if no dataset gives the field.
    """
    reasons = []
    for entry in sorted(
        of_kind("dataset", subject.plugins), key=lambda entry: entry.origin != subject.entry.origin
    ):
        other = Subject(entry, subject.plugins, subject.workspace, subject.arguments)
        if other.is_sound and word in other.read.attributes.get("fields", {}):
            try:
                return examples(other, word, n)
            except (AssertionError, Unavailable) as error:
                reasons.append(f"{other}: {error}")
    raise Unavailable(f"no dataset gives '{word}' here. {' '.join(reasons)}")


# -- building it ------------------------------------------------------------------------------


def _folders(subject: Subject) -> list[str]:
    """List the arguments that get made-up folders."""
    return [
        parameter.name
        for parameter in subject.read.parameters
        if isinstance(parameter.type, Text)
        and parameter.default is REQUIRED
        and parameter.name not in subject.given
    ]


def _arguments(subject: Subject, place: str = "pictures", salt: int = 0) -> dict[str, Any]:
    """Return the author's arguments, small numbers, and folders of pictures named ``place``."""
    arguments: dict[str, Any] = {
        name: value
        for name, value in SMALL.items()
        if (parameter := subject.parameter(name)) and not parameter.type.check(value)
    }
    for number, name in enumerate(_folders(subject)):
        folder = subject.workspace.pictures(f"{place}/{name}", 10 * salt + number)
        arguments[name] = str(folder)
    return arguments | dict(subject.given)


def _built(subject: Subject, **arguments: Any) -> Any:
    return subject.build(**(_arguments(subject) | arguments))


def _prepared(subject: Subject, **arguments: Any) -> Any:
    """Return a prepared dataset.

    Raises Unavailable if something is missing, or the made-up arguments do not suit it.
    """
    data = _built(subject, **arguments)
    data.demand(data.on_demand)

    def prepare() -> None:
        try:
            data.prepare()
        except DataError as error:
            advice = f"; or give {subject} arguments that suit it by {GIVEN}"
            remedy = "" if subject.given else advice
            raise Unavailable(f"{error}{remedy}") from error

    attempt("prepare()", prepare)
    return data


def _example(data: Any, index: int) -> Mapping[str, Tensor]:
    example = attempt(f"dataset[{index}]", data.__getitem__, index)
    if not isinstance(example, Mapping):
        raise AssertionError(f"dataset[{index}] is a {type(example).__name__}: not a dict.")
    return example


def _indices(data: Any) -> list[int]:
    n = attempt("len(dataset)", len, data)
    if not n > 0:
        raise AssertionError("it has no examples.")
    return sorted({*range(min(SOME - 1, n)), n - 1})


def _difference(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> str:
    """Return the first field that differs between two examples; empty if none does."""
    if one.keys() != other.keys():
        return ", ".join(sorted(one.keys() ^ other.keys()))
    return next((word for word in one if not torch.equal(one[word], other[word])), "")


# -- the promises -----------------------------------------------------------------------------


def declares_its_fields(subject: Subject) -> None:
    """It declares the words that it provides, and what they are."""
    fields = subject.read.attributes.get("fields")
    if not isinstance(fields, dict) or not fields:
        raise AssertionError(
            "its `fields` cannot be read from the source: write them as a literal dict in the "
            "class, as fields = {'real': 'image'}."
        )
    for word, what in fields.items():
        if what not in WHATS:
            raise AssertionError(f"its field '{word}' is {what!r}: not one of {', '.join(WHATS)}.")
        if not word.isidentifier() or word.endswith(OF_IMAGES):
            raise AssertionError(
                f"its field '{word}' cannot be a word: it must be a name as Python has them, and "
                f"not end with {' or '.join(OF_IMAGES)}."
            )
        if word in ("fake", "latent", "generator", "discriminator"):
            raise AssertionError(
                f"its field '{word}' has the name of a word that training makes itself."
            )


def reads_nothing_before_prepare(subject: Subject) -> None:
    """Its constructor only stores: it reads and writes nothing before `prepare`."""
    paths = [p.name for p in subject.read.parameters if isinstance(p.type, Text) and p.type.path]
    nowhere = subject.workspace.folder / "nowhere"
    names = {*_folders(subject), *(name for name in paths if name in subject.given)}
    with subject.workspace.caching("untouched") as cache:
        try:
            _built(subject, **{name: str(nowhere / name) for name in names})
        except Unavailable as error:
            if not names:
                raise
            raise AssertionError(
                f"its constructor asks for a path that is not there: {error} Leave that to "
                "prepare(): a recipe is checked where the data need not be."
            ) from error
        changes = [path for path in (cache, nowhere) if path.exists()]
    if changes:
        raise AssertionError(f"its constructor wrote to {changes[0]}: leave that to prepare().")


def gives_what_it_declares(subject: Subject) -> None:
    """Every example has the fields that it declares, of the declared kinds."""
    with subject.workspace.caching():
        data = _prepared(subject)
        fields = provided_fields(
            subject.read.attributes.get("fields", {}), subject.read.optional, _arguments(subject)
        )
        for index in _indices(data):
            example = _example(data, index)
            gaps = [word for word in fields if word not in example]
            if gaps:
                raise AssertionError(f"dataset[{index}] has no '{gaps[0]}', which is in `fields`.")
            further = [word for word in example if word not in fields]
            if further:
                raise AssertionError(
                    f"dataset[{index}] has '{further[0]}', which is not among the `fields` that it "
                    f"provides{nearest(further[0], fields)}"
                )
            for word, what in fields.items():
                _check_value(data, f"dataset[{index}]['{word}']", what, example[word])
        shapes = {w: v.shape for w, v in _example(data, 0).items()}
        last = {w: v.shape for w, v in _example(data, len(data) - 1).items()}
        if shapes != last:
            raise AssertionError("examples differ in shape, so that no batch can be made of them.")


def _check_value(data: Any, name: str, what: str, value: Any) -> None:
    if not isinstance(value, Tensor):
        raise AssertionError(f"{name} is a {type(value).__name__}: not a tensor.")
    finding = f"{name} is {told({'': value}).strip()}, {value.dtype}"
    if what == "image":
        if value.dtype != torch.float32:
            raise AssertionError(f"{finding}: not torch.float32.")
        if not data.size:
            raise AssertionError("it has no `size`: set it to the height and width of its images.")
        side = value.shape[-1]
        whole = data.size if name.endswith("['real']") or not side or data.size % side else side
        if tuple(value.shape) != (3, whole, whole):
            raise AssertionError(
                f"{finding}: not {(3, data.size, data.size)}, as its size has it. Only an image "
                "other than 'real' may be smaller, by a whole factor."
            )
        if not value.abs().max() <= 1:  # NaN is not
            raise AssertionError(
                f"{finding}, from {value.min():.3g} to {value.max():.3g}: images are in [-1, 1]."
            )
    elif what == "label":
        attributes = data.label_values
        if not attributes:
            raise AssertionError(
                f"{name} is there, and `label_values` does not say what its indices mean."
            )
        if value.dtype != torch.int64:
            raise AssertionError(f"{finding}: not torch.int64.")
        if tuple(value.shape) != (len(attributes),):
            raise AssertionError(
                f"{finding}: not ({len(attributes)},), an index for each of "
                f"{', '.join(attributes)}."
            )
        for (attribute, values), index in zip(attributes.items(), value.tolist(), strict=True):
            if not 0 <= index < len(values):
                raise AssertionError(
                    f"{name} is {index} for '{attribute}', which has {len(values)} values."
                )


def is_repeatable(subject: Subject) -> None:
    """The same arguments give the same examples and the same fingerprint, at every look."""
    with subject.workspace.caching():
        one, other = _prepared(subject), _prepared(subject)
        attempt("prepare() once more", one.prepare)
        for data in (one, other):
            data.set_epoch(0, 0)
        for index in _indices(one):
            first = _example(one, index)
            for what, twin in (("once more", one), ("of another with the same arguments", other)):
                seed(index)
                word = _difference(first, _example(twin, index))
                if word:
                    raise AssertionError(
                        f"dataset[{index}] {what} has another '{word}': draw random numbers "
                        "only from the seed and epoch that set_epoch got."
                    )
        if len(one) != len(other):
            raise AssertionError(f"its length is {len(one)}, and then {len(other)}.")
        prints = [attempt("fingerprint()", data.fingerprint) for data in (one, other)]
        if not isinstance(prints[0], str) or not prints[0]:
            raise AssertionError(f"fingerprint() gives {prints[0]!r}.")
        if prints[0] != prints[1]:
            raise AssertionError("two with the same arguments have other fingerprints.")


def follows_the_epoch(subject: Subject) -> None:
    """What is random in it depends only on the seed and the epoch."""
    with subject.workspace.caching():
        one, other = _prepared(subject), _prepared(subject)
        indices = _indices(one)
        looks: list[list[Mapping[str, Tensor]]] = []
        for data, epochs in ((one, (2, 1, 2)), (other, (2,))):
            for epoch in epochs:
                attempt(f"set_epoch(3, {epoch})", data.set_epoch, 3, epoch)
                seed(len(looks))
                looks.append([_example(data, index) for index in indices])
        for again in (looks[2], looks[3]):
            for index, first, then in zip(indices, looks[0], again, strict=True):
                word = _difference(first, then)
                if word:
                    raise AssertionError(
                        f"dataset[{index}] has another '{word}' after set_epoch with the same "
                        "numbers: draw it from the seed and the epoch alone, whatever came before."
                    )


def fingerprints_its_content(subject: Subject) -> None:
    """Its fingerprint depends on its content, not on its place."""
    with subject.workspace.caching():
        first = _prepared(subject).fingerprint()
        elsewhere = _prepared(subject, **_arguments(subject, "elsewhere")).fingerprint()
        if first != elsewhere:
            raise AssertionError(
                "the same images in another folder have another fingerprint: hash what is in the "
                "files, not where they are."
            )
        others = _prepared(subject, **_arguments(subject, "others", salt=1)).fingerprint()
        if first == others:
            raise AssertionError("other images have the same fingerprint: hash all that is read.")


def gathers_batches(subject: Subject) -> None:
    """A batch that it gathers at once is its examples one by one."""
    with subject.workspace.caching():
        data = _prepared(subject)
        indices = _indices(data)[::-1]
        batch = attempt(f"__getitems__({indices})", data.__getitems__, indices)
        if not isinstance(batch, Mapping):
            raise AssertionError(
                f"__getitems__ gives a {type(batch).__name__}: not one dict with a batch dimension."
            )
        word = _difference(batch, default_collate([_example(data, index) for index in indices]))
        if word:
            raise AssertionError(
                f"__getitems__({indices}) has another '{word}' than the examples stacked."
            )


def reaches_worker_processes(subject: Subject) -> None:
    """It reaches worker processes, and gives the same there."""
    with subject.workspace.caching():
        data = _prepared(subject)
        attempt("set_epoch(3, 1)", data.set_epoch, 3, 1)
        first = _example(data, 0)
        twin = attempt("pickle.loads(pickle.dumps(dataset))",
                       lambda: pickle.loads(pickle.dumps(data)))  # fmt: skip
        word = _difference(first, _example(twin, 0))
        if word:
            raise AssertionError(f"in a worker process dataset[0] has another '{word}'.")
