"""The promises of every kind of component."""

from __future__ import annotations

import inspect
import re

from ganzoo.errors import PluginError
from ganzoo.plugins.signature import REQUIRED, read_signature
from ganzoo.testing.subject import Subject

_SUMMARY = re.compile(r"[^\n]{10,110}[.)]")


def can_be_imported(subject: Subject) -> None:
    """It can be imported, and is what it is registered as."""
    try:
        read_signature(subject.entry.target)
        subject.entry.load()
    except PluginError as error:
        raise AssertionError(str(error)) from error


def is_documented(subject: Subject) -> None:
    """It and its arguments are documented."""
    signature = subject.read
    if not _SUMMARY.fullmatch(signature.summary):
        raise AssertionError(
            "the docstring of the class must begin with a sentence on one line of 10 to 110 "
            f"letters, for `ganzoo list` shows it; it begins with {signature.summary!r}."
        )
    names = [parameter.name for parameter in signature.parameters if not parameter.help]
    if names:
        raise AssertionError(
            f"not documented: {', '.join(names)}. Say what they are under `Args:` in the "
            f"docstring of the class, as `{(names or ['size'])[0]}: ...`."
        )


def matches_its_source(subject: Subject) -> None:
    """Its class agrees with its source.

    Recipes are checked without importing anything: the constructor's arguments, the words of the
    methods and the class attributes are read from the source, so they must be literal there.
    """
    cls, signature = subject.cls, subject.read
    parameters = inspect.signature(cls).parameters
    actual = {name: p for name, p in parameters.items() if name not in ("args", "kwargs")}
    names = [parameter.name for parameter in signature.parameters]
    if names != list(actual):
        raise AssertionError(
            f"its constructor takes {_listed(actual)}, and its source reads as {_listed(names)}. "
            "Spell the arguments out in `__init__`."
        )
    for parameter in signature.parameters:
        is_required = actual[parameter.name].default is inspect.Parameter.empty
        if (parameter.default is REQUIRED) != is_required:
            raise AssertionError(
                f"whether its argument '{parameter.name}' has a default cannot be read from the "
                "source."
            )
    for method, words in signature.methods.items():
        arguments = list(inspect.signature(getattr(cls, method)).parameters)[1:]
        if [word for word, _ in words] != arguments:
            raise AssertionError(
                f"its {method} takes {_listed(arguments)}, and its source reads as "
                f"{_listed(word for word, _ in words)}. Name each word as a parameter of its own: "
                "no *args or **kwargs, and no decorator that changes them."
            )
    for name, value in signature.attributes.items():
        actually = getattr(cls, name, value)
        if _plain(actually) != _plain(value):
            raise AssertionError(
                f"its attribute {name} is {actually!r}, and its source reads as {value!r}. Write "
                "it as a literal in the class."
            )


PROMISES = [can_be_imported, is_documented, matches_its_source]


def _listed(names: object) -> str:
    return f"({', '.join(map(str, names))})"  # type: ignore[call-overload]


def _plain(value: object) -> object:
    """Turn tuples into lists, as the difference does not matter."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value
