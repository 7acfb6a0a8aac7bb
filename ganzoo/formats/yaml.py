"""Read YAML for recipes: the 1.2 core schema, with the place of every key and value.

PyYAML parses; plain scalars are resolved here, so that ``2e-4`` is a number and ``no`` is a text.
Anchors work, within limits; tags, merge keys and several documents do not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import yaml

from ganzoo.errors import RecipeError
from ganzoo.formats.tree import Mark, Node, Problem, Spelling, join, line

#: levels, keys and values, and letters of a key, at most
MAX_DEPTH = 32
MAX_NODES = 20_000
MAX_KEY = 200
_TAG = "tag:yaml.org,2002:"
_CORE = {
    "null": r"(?:null|Null|NULL|~|)",
    "bool": r"(?:true|True|TRUE|false|False|FALSE)",
    "int": r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)",
    "float": r"(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))",
}


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012

    def __init__(self, text: str):
        super().__init__(text)
        self.nodes = self.depth = 0

    def get_event(self) -> yaml.Event:
        """Return the next event; raises _TooMuch as soon as there are too many."""
        event: yaml.Event = super().get_event()  # type: ignore[no-untyped-call]
        self.nodes += isinstance(event, yaml.NodeEvent)
        self.depth += isinstance(event, yaml.CollectionStartEvent)
        self.depth -= isinstance(event, yaml.CollectionEndEvent)
        if self.depth > MAX_DEPTH + 1 or self.nodes > MAX_NODES:
            raise _TooMuch(_how_much(self.depth), event.start_mark)
        return event


class _TooMuch(Exception):
    """A document beyond the limits: how, and where."""


def _how_much(depth: int) -> str:
    how = "nested too deeply" if depth > MAX_DEPTH else "too many values (anchors?)"
    return f"{how} to be a recipe"


for _name, _pattern in _CORE.items():
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(rf"{_pattern}\Z"), None)


def parse(
    text: str,
    source: str,
    at: Mark | None = None,
    problems: list[Problem] | None = None,
    folder: str = "",
) -> Node:
    """Parse the one document in ``text``.  With ``at``, everything is placed there.

    Its relative paths are relative to ``folder``.

    Duplicate and non-text keys go to ``problems``, so that more can be reported; without it they
    are raised.  Raises RecipeError for a syntax error.
    """
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        row, column = before.count("\n") + 1, error.position - before.rfind("\n")
        where = at or Mark(source, row, column)
        character = f"character #x{int(error.character):04x} is not allowed in YAML"
        raise RecipeError([line(where, "", character)]) from None
    except _TooMuch as limit:
        how, mark = limit.args
        where = at or Mark(source, mark.line + 1, mark.column + 1)
        raise RecipeError([line(where, "", how)]) from None
    except yaml.MarkedYAMLError as error:
        spot = error.problem_mark or error.context_mark
        where = at or Mark(source, *((spot.line + 1, spot.column + 1) if spot else (1, 1)))
        what = error.problem or "cannot be understood"
        context = f" ({error.context})" if error.context else ""
        if "another document" in what or "single document" in context:
            what, context = "a second document starts here; a recipe is one document", ""
        raise RecipeError([line(where, "", f"not valid YAML: {what}{context}")]) from None
    except (ValueError, OverflowError) as error:  # "\UFFFFFFFF" is not a character
        where = at or Mark(source, 1, 1)
        raise RecipeError([line(where, "", f"not valid YAML: {error}")]) from None
    except RecursionError:
        where = at or Mark(source, 1, 1)
        raise RecipeError([line(where, "", "nested too deeply to be a recipe")]) from None
    reader = _Positions(source, at, folder)
    node = reader.read(root, "", 0) if root else Node(None, at or Mark(source, 1, 1))
    if problems is not None:
        problems += reader.problems
    elif reader.problems:
        raise RecipeError([text for _, text in reader.problems])
    return node


def argument(text: str, at: Mark) -> Node:
    """Parse the VALUE of ``--set KEY=VALUE``, which is YAML.

    If a text is wanted, everything but a quoted text is taken literally: a folder may be called
    ``faces #2`` or ``2023``.  Raises RecipeError if it is not text at all.
    """
    text = text.strip()
    try:
        text.encode()
    except UnicodeEncodeError:
        raise RecipeError([line(at, "", "a name that is not UTF-8: rename the file")]) from None
    try:
        node = parse(text, str(at), at)
    except RecipeError as error:
        return Node(text, at, spelling=Spelling(text, False, tuple(error.problems)))
    if isinstance(node.value, str):
        return node if text[:1] in ("'", '"') else replace(node, value=text)
    is_value = isinstance(node.value, (dict, list)) or any(
        re.fullmatch(pattern, text) for pattern in _CORE.values()
    )
    return replace(node, spelling=Spelling(text, is_value))


_NO_MERGE = (
    "YAML's merge keys do not exist here. `extends: FILE` takes over a whole recipe and an alias "
    "like `generator: *NAME` a whole value; write out the keys of a part"
)


class _Positions:
    """Turns PyYAML's nodes into ours and collects problems on the way."""

    def __init__(self, source: str, at: Mark | None, folder: str):
        self.source, self.at, self.folder = source, at, folder
        self.problems: list[Problem] = []
        self.count = 0

    def add(self, at: Mark, path: str, message: str) -> None:
        self.problems.append((at, line(at, path, message)))

    def mark(self, node: yaml.Node) -> Mark:
        start = node.start_mark
        return self.at or Mark(self.source, start.line + 1, start.column + 1, self.folder)

    def read(self, node: yaml.Node, path: str, depth: int, key: Mark | None = None) -> Node:
        at = self.mark(node)
        self.count += 1
        if depth > MAX_DEPTH or self.count > MAX_NODES:
            raise RecipeError([line(at, path[:60], _how_much(depth))])
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{_TAG}seq":
            items = enumerate(node.value)
            return Node([self.read(n, join(path, i), depth + 1) for i, n in items], at, key)
        if isinstance(node, yaml.MappingNode) and node.tag == f"{_TAG}map":
            return Node(dict(self.entries(node, path, depth)), at, key)
        return Node(self.scalar(node, path, at), at, key)

    def entries(self, node: yaml.MappingNode, path: str, depth: int) -> Iterator[tuple[str, Node]]:
        places: dict[str, Mark] = {}
        for key_node, value_node in node.value:
            at = self.mark(key_node)
            is_scalar = isinstance(key_node, yaml.ScalarNode)
            key = self.scalar(key_node, path, at) if is_scalar else None
            if not isinstance(key, str):
                text = key_node.value if is_scalar else "a list or mapping"
                message = f"a key must be a text, not {text or 'nothing'}; put it in quotes"
                self.add(at, path, message)
                continue
            if len(key) > MAX_KEY:
                self.add(at, path, f"a key of {len(key)} letters; {MAX_KEY} are allowed")
                continue
            inner = join(path, key)
            if key == "<<" and not key_node.style:
                self.add(at, inner, _NO_MERGE)
                continue
            if key in places:
                first = f" (first at line {places[key].line})" if places[key].line else ""
                self.add(at, inner, f"the key stands here twice{first}")
            places.setdefault(key, at)
            yield key, self.read(value_node, inner, depth + 1, at)

    def scalar(self, node: yaml.Node, path: str, at: Mark) -> Any:
        name = node.tag.removeprefix(_TAG)
        text = node.value
        if name not in (*_CORE, "str") or not isinstance(text, str):
            self.add(at, path, f"the tag '{node.tag}' has no place in a recipe")
            return None
        try:
            text.encode()
            value = _SCALARS[name](text)
        except (ValueError, KeyError):  # !!int x, or half of a surrogate pair
            self.add(at, path, f"not a valid {name}: {text[:40]!r}")
            return None
        if isinstance(value, int) and abs(value) >= 2**64:
            self.add(at, path, "an integer of more than 64 bits")
        return value


def _integer(text: str) -> int:
    if len(text) > 70:
        raise ValueError("too long")
    return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))


_SCALARS: dict[str, Callable[[str], object]] = {
    "str": str,
    "null": lambda text: None,
    "bool": lambda text: {"true": True, "false": False}[text.lower()],
    "int": _integer,
    "float": lambda text: float(re.sub(r"\.(?=[in])", "", text.lower())),
}


def scalar(value: Any) -> str:
    """Write a scalar as YAML that reads back the same, floats without needless exponents."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, float):
        if value == 0 or 1e-5 <= abs(value) < 1e15:
            return format(Decimal(repr(value)), "f")
        mantissa, _, exponent = repr(value).partition("e")  # 1.0e-08, for YAML 1.1 readers
        return f"{mantissa if '.' in mantissa else mantissa + '.0'}e{exponent}"
    if isinstance(value, str):
        return value if _is_safe(value) else quoted(value)
    return str(value)


def flow(value: Any) -> str:
    """Write a plain value as YAML on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{flow(k)}: {flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(flow, value))}]"
    return scalar(value)


def _is_safe(text: str) -> bool:
    """Whether it needs no quotes, even in YAML 1.1 (where ``no`` and ``off`` are booleans)."""
    plain = re.fullmatch(r"[A-Za-z_/][\w./+-]*(?: [\w./+-]+)*", text, re.ASCII)
    return bool(plain) and text.lower() not in {
        *("null", "true", "false", "yes", "no", "on", "off", "y", "n")
    }


def quoted(text: str) -> str:
    """Quote a text so that YAML reads it back."""

    def character(c: str) -> str:
        if c in '"\\':
            return f"\\{c}"
        code = ord(c)
        if c.isprintable() and code not in (0xFEFF, 0xFFFE, 0xFFFF):
            return c
        return (
            f"\\x{code:02x}"
            if code < 256
            else f"\\u{code:04x}"
            if code < 65536
            else f"\\U{code:08x}"
        )

    return f'"{"".join(map(character, text))}"'


def dump(node: Node, indent: str = "") -> Iterator[str]:
    """Yield lines of block YAML, each value with its origin as a comment."""
    if isinstance(node.value, dict):
        entries = [(f"{indent}{scalar(key)}:", child) for key, child in node.value.items()]
    else:
        entries = [(f"{indent}-", child) for child in node.value]
    for head, child in entries:
        flow = _flow(child)
        if flow is not None:
            yield f"{head} {flow}  # {_comment(child)}"
        elif head.endswith("-"):
            first, *rest = dump(child, indent + "  ")
            yield f"{head} {first.lstrip()}"
            yield from rest
        else:
            yield head
            yield from dump(child, indent + "  ")


def _flow(node: Node) -> str | None:
    """Write a scalar, an empty collection, or a list of scalars from one place on one line."""
    if not isinstance(node.value, (dict, list, tuple)):
        return scalar(node.value)
    if not node.value:
        return "{}" if isinstance(node.value, dict) else "[]"
    children = [] if isinstance(node.value, dict) else list(node.value)
    if children and all(
        not isinstance(child.value, (dict, list, tuple))
        and child.at.origin == _comment(children[0])
        for child in children
    ):
        return f"[{', '.join(scalar(child.value) for child in children)}]"
    return None


def _comment(node: Node) -> str:
    return "".join(c if c.isprintable() else "?" for c in node.at.origin)
