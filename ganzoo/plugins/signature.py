"""Read a component's constructor and its methods' needs from the source alone.

Checking a recipe must cost milliseconds and work without torch, so nothing is imported here: the
module's file is found and parsed, and the class and its bases are read from the syntax tree.
Reading stops at bases of torch and the standard library, whose arguments no recipe sets.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from ganzoo.errors import PluginError, nearest
from ganzoo.formats.annotations import optional, parse
from ganzoo.formats.types import Type
from ganzoo.plugins.source import (
    Scope,
    Source,
    attributes,
    find_class,
    flat,
    is_opaque,
    lineage,
    read_module,
    source_of,
)

METHODS = ("forward", "generator", "discriminator", "real", "fake", "pair", "__call__")
_INTERFACES = "ganzoo.interfaces"


class _Mark:
    def __init__(self, name: str):
        self.name = name

    def __repr__(self) -> str:
        return self.name


#: marks a parameter without a default
REQUIRED = _Mark("REQUIRED")
#: marks a default that only running the code would show, such as ``len(os.sep)``
COMPUTED = _Mark("COMPUTED")


def docstring(thing: Any) -> str:
    """Return the docstring of a function or module; under ``python -OO``, from its source."""
    if thing.__doc__:
        return inspect.cleandoc(thing.__doc__)
    try:
        tree: Any = ast.parse(textwrap.dedent(inspect.getsource(thing)))
        return ast.get_docstring(tree if inspect.ismodule(thing) else tree.body[0]) or ""
    except (OSError, TypeError, SyntaxError):
        return ""


@dataclass(frozen=True)
class Parameter:
    """One constructor argument; ``help`` is its entry in the docstring's ``Args:``.

    Keys of the grammar are parameters too; they may have an ``example``, a value in YAML.
    """

    name: str
    type: Type
    default: Any = REQUIRED
    help: str = ""
    example: str = ""


@dataclass(frozen=True)
class Signature:
    """A component's constructor, documentation, needs and literal class attributes.

    ``methods`` maps each method to its parameters as ``(word, required)``, without self.
    """

    summary: str
    doc: str
    parameters: tuple[Parameter, ...] = ()
    methods: Mapping[str, tuple[tuple[str, bool], ...]] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def by_name(self) -> dict[str, Parameter]:
        return {parameter.name: parameter for parameter in self.parameters}

    @property
    def optional(self) -> list[str]:
        """The parameters whose default is None."""
        return [parameter.name for parameter in self.parameters if parameter.default is None]


@cache
def read_signature(target: str | type) -> Signature:
    """Read the class ``"module:Class"``, or a class object, from its source.

    Raises PluginError if the module or the class cannot be found or read.
    """
    sources = list(_sources(target))
    classes = [source for source in sources if source[1].module != _INTERFACES]
    methods: dict[str, tuple[tuple[str, bool], ...]] = {}
    for node, _ in classes:
        for function in _functions(node).values():
            if function.name in METHODS and function.name not in methods:
                methods[function.name] = tuple(
                    (name, default is None) for name, _, default in _arguments(function)
                )
    doc = _docstring(sources)
    parameters = _parameters(classes)
    return Signature(_first_line(doc), doc, parameters, methods, attributes(sources))


def read_summary(target: str | type) -> str:
    """Read no more of a class than the first line of its docstring.

    Raises PluginError if the module or the class cannot be found or read.
    """
    return _first_line(_docstring(_sources(target)))


def _sources(target: str | type) -> Iterator[Source]:
    """Yield the class and its readable bases, nearest first; other modules are read late."""
    if isinstance(target, type):
        bases = [base for base in target.__mro__[1:] if not is_opaque(base.__module__)]
        yield from map(source_of, (target, *bases))
        return
    module, _, name = target.partition(":")
    scope = read_module(module)
    source = find_class(scope, name)
    if source is None:
        names = [n for n, s in scope.nodes.items() if isinstance(s, ast.ClassDef)]
        raise PluginError(
            f"'{target}' cannot be found: module '{module}' has no class '{name}'"
            f"{nearest(name, names)}"
        )
    yield from lineage(*source)


def _docstring(sources: Iterable[Source]) -> str:
    """Return the nearest docstring; those of the interfaces say nothing of a component."""
    classes = (node for node, scope in sources if scope.module != _INTERFACES)
    return next(filter(None, map(ast.get_docstring, classes)), "")


def _first_line(doc: str) -> str:
    return doc.strip().partition("\n")[0]


def parameter(
    name: str, annotation: str, default: Any = REQUIRED, help: str = "", example: str = ""
) -> Parameter:
    """Build a parameter from the text of its annotation."""
    kind = ast.parse(annotation, mode="eval").body
    return replace(_parameter(name, kind, default, help, Scope("", "")), example=example)


def _functions(node: ast.ClassDef) -> dict[str, ast.FunctionDef]:
    return {f.name: f for f in flat(node.body) if isinstance(f, ast.FunctionDef)}


def _arguments(
    function: ast.FunctionDef,
) -> Iterator[tuple[str, ast.expr | None, ast.expr | None]]:
    """Yield name, annotation and default of every parameter but self, ``*args``, ``**kwargs``."""
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    count = len(positional) - len(arguments.defaults)
    defaults = [None] * count + list(arguments.defaults)
    static = any(
        isinstance(d, ast.Name) and d.id == "staticmethod" for d in function.decorator_list
    )
    for i, (arg, default) in enumerate(zip(positional, defaults, strict=True)):
        if i or static:
            yield arg.arg, arg.annotation, default
    for arg, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        yield arg.arg, arg.annotation, default


def _parameters(sources: list[Source]) -> tuple[Parameter, ...]:
    """Return the nearest constructor's parameters; its ``**kwargs`` stand for the next one's."""
    for i, (node, scope) in enumerate(sources):
        init = _functions(node).get("__init__")
        arguments = list(_arguments(init)) if init else _dataclass_fields(node)
        if arguments is None:
            continue
        helps = _helps(node) | (_helps(init) if init else {})
        parameters = {
            name: _parameter(name, annotation, _default(default, scope), helps.get(name, ""), scope)
            for name, annotation, default in arguments
        }
        if init is None or init.args.kwarg:
            base = {p.name: p for p in _parameters(sources[i + 1 :])}
            parameters = (
                base | parameters
                if init is None
                else parameters | {name: p for name, p in base.items() if name not in parameters}
            )
        return tuple(parameters.values())
    return ()


def _dataclass_fields(
    node: ast.ClassDef,
) -> list[tuple[str, ast.expr | None, ast.expr | None]] | None:
    if not any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list):
        return None
    return [
        (field.target.id, field.annotation, field.value)
        for field in node.body
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and "ClassVar" not in ast.unparse(field.annotation)
    ]


def _default(node: ast.expr | None, scope: Scope) -> Any:
    if node is None:
        return REQUIRED
    try:
        return scope.evaluate(node)
    except ValueError:
        return COMPUTED


def _parameter(
    name: str, annotation: ast.expr | None, default: Any, help: str, scope: Scope
) -> Parameter:
    kind = parse(annotation, scope)
    if default is REQUIRED or default is COMPUTED:
        return Parameter(name, kind, default, help)
    if not _is_plain(default):
        return Parameter(name, kind, COMPUTED, help)
    kind = optional(kind, default)
    return Parameter(name, kind, kind.convert(default), help)


def _is_plain(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(isinstance(k, str) and _is_plain(v) for k, v in value.items())
    return value is None or isinstance(value, (bool, int, float, str))


def _helps(node: ast.ClassDef | ast.FunctionDef) -> dict[str, str]:
    """Return the entries of a Google-style docstring's ``Args:``, each on one line."""
    lines = (ast.get_docstring(node) or "").splitlines()
    starts = [i for i, line in enumerate(lines) if line.strip() in ("Args:", "Arguments:")]
    helps: dict[str, str] = {}
    name, indent = "", 0
    for line in lines[starts[0] + 1 :] if starts else ():
        if not line.strip():
            continue
        depth = len(line) - len(line.lstrip())
        if depth <= len(lines[starts[0]]) - len(lines[starts[0]].lstrip()):
            break
        entry = re.match(r"\s*\*{0,2}(\w+)\s*(?:\([^)]*\))?:\s*(.*)", line)
        indent = indent or depth
        if entry and depth == indent:
            name = entry[1]
            helps[name] = entry[2]
        elif name:
            helps[name] = f"{helps[name]} {line.strip()}".strip()
    return helps
