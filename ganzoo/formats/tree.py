"""Plain data in which every value knows where it was written."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Mark:
    """The place of a value: a file, ``--set ...``, or none (``default``).

    Its relative paths are relative to ``folder``, or else to the working directory.
    """

    source: str
    line: int = 0
    column: int = 0
    folder: str = field(default="", compare=False, repr=False)

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}" if self.line else self.source

    @property
    def origin(self) -> str:
        """``recipes/x.yaml:14``, ``--set`` or ``default``."""
        return f"{self.source}:{self.line}" if self.line else self.source.partition(" ")[0]


@dataclass(frozen=True)
class Spelling:
    """The literal text of a ``--set``, and its value as YAML.

    It ``is_value`` if it is exactly one value of YAML, without a comment after it.  ``problems``
    say why it is not YAML.
    """

    text: str
    is_value: bool
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Node:
    """A value and its position; ``value`` is a scalar, or a list, tuple or dict of nodes.

    ``key`` is the place of this value's key, if it has one.  ``spelling`` is set if a text may be
    wanted and YAML reads something else.
    """

    value: Any
    at: Mark
    key: Mark | None = None
    spelling: Spelling | None = None

    @property
    def name_at(self) -> Mark:
        """The place of the key, or of the value if there is no key."""
        return self.key or self.at

    def plain(self) -> Any:
        """Return the value without positions."""
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        if isinstance(self.value, (list, tuple)):
            return type(self.value)(child.plain() for child in self.value)
        return self.value

    def at_path(self, path: tuple[str | int, ...]) -> Node:
        """Return the node inside this one; raises LookupError if there is none."""
        node = self
        for step in path:
            if not isinstance(node.value, (dict, list, tuple)):
                raise KeyError(step)
            node = node.value[step]  # type: ignore[index]
        return node

    def like(self, value: Any) -> Node:
        """Return this node with another plain ``value`` of the same shape, positions kept."""
        inner: Any = value
        if isinstance(value, dict):
            inner = {k: self._child(k, v) for k, v in value.items()}
        elif isinstance(value, (list, tuple)):
            inner = type(value)(self._child(i, v) for i, v in enumerate(value))
        return replace(self, value=inner)

    def with_value(self, path: tuple[str | int, ...], value: Any) -> Node:
        """Return this node with another scalar ``value`` inside it, at ``path``."""
        if not path:
            return replace(self, value=value)
        step, *rest = path
        child = self.at_path((step,)).with_value(tuple(rest), value)
        if isinstance(self.value, dict):
            return replace(self, value=self.value | {step: child})
        items = [child if i == step else item for i, item in enumerate(self.value)]
        return replace(self, value=type(self.value)(items))

    def _child(self, step: Any, value: Any) -> Node:
        try:
            return self.at_path((step,)).like(value)
        except LookupError:
            return Node(None, self.at).like(value)


def join(path: str, step: str | int) -> str:
    """Write a path for messages: ``stages[0].steps``."""
    if isinstance(step, int):
        return f"{path}[{step}]"
    return f"{path}.{step}" if path else step


def split(path: str) -> tuple[str, ...]:
    """Split ``stages[0].steps`` or ``stages.0.steps`` into steps."""
    return tuple(re.sub(r"\[(\d+)\]", r".\1", path).split("."))


#: the place, and the whole line for the message
Problem = tuple[Mark, str]


def line(at: Mark, path: str, message: str) -> str:
    """Format one problem: where, what, why."""
    return f"{at} {path}: {message}" if path else f"{at} {message}"
