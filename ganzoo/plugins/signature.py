"""Read a component's constructor and its methods' needs from the source alone.

Checking a recipe must cost milliseconds and work without torch, so nothing is imported here: the
module's file is found and parsed, and the class and its bases are read from the syntax tree.
Reading stops at bases of torch and the standard library, whose arguments no recipe sets.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from ganzoo.errors import PluginError, nearest
from ganzoo.formats.annotations import optional, parse
from ganzoo.formats.types import Type

METHODS = ("forward", "generator", "discriminator", "real", "fake", "pair", "__call__")
_OPAQUE = {"torch", "torchvision", "numpy", "PIL", "builtins", *sys.stdlib_module_names}
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
    if isinstance(target, str):
        module, _, name = target.partition(":")
        found = _class(_scope(module), name)
        if found is None:
            classes = [n for n, s in _scope(module).named.items() if isinstance(s, ast.ClassDef)]
            raise PluginError(
                f"'{target}' cannot be found: module '{module}' has no class "
                f"'{name}'{nearest(name, classes)}"
            )
        lineage = list(_lineage(*found, seen=set()))
    else:
        bases = [base for base in target.__mro__[1:] if not _is_opaque(base.__module__)]
        lineage = [_of_class(base) for base in (target, *bases)]
    return _signature(lineage)


def parameter(
    name: str, annotation: str, default: Any = REQUIRED, help: str = "", example: str = ""
) -> Parameter:
    """Build a parameter from the text of its annotation."""
    kind = ast.parse(annotation, mode="eval").body
    return replace(_parameter(name, kind, default, help, _Scope("", "")), example=example)


class _Scope:
    """The names of one module: its classes, assignments and imports."""

    def __init__(self, module: str, source: str, is_package: bool = False):
        self.module = module
        self.named: dict[str, ast.stmt] = {}
        self.imported: dict[str, tuple[str, str]] = {}  # local name -> module, name in it or ""
        package = module if is_package else module.rpartition(".")[0]
        for node in _flat(ast.parse(source).body):
            if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
                self.named[node.name] = node
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                self.named[node.targets[0].id] = node
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                self.named[node.target.id] = node
            elif isinstance(node, ast.ImportFrom):
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parents, *filter(None, [node.module])])
                for name in node.names:
                    origin = base if node.level else node.module or ""
                    self.imported[name.asname or name.name] = (origin, name.name)
            elif isinstance(node, ast.Import):
                for name in node.names:
                    local = name.asname or name.name.partition(".")[0]
                    self.imported[local] = (name.name if name.asname else local, "")

    def original(self, name: str) -> str:
        return self.imported.get(name, ("", name))[1]

    def alias(self, name: str) -> tuple[ast.expr, _Scope] | None:
        """Return what ``name`` was assigned, here or in the module it is imported from."""
        node = self.named.get(name)
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
            return node.value, self
        module, there = self.imported.get(name, ("", ""))
        scope = _try_scope(module) if there else None
        return scope.alias(there) if scope and scope is not self else None

    def evaluate(self, node: ast.expr, depth: int = 0) -> Any:
        """Evaluate a literal, with module constants, arithmetic and ``Base.attribute``.

        Raises ValueError for everything else.
        """
        if depth > 50:
            raise ValueError("too deep")

        def value(expression: ast.expr) -> Any:
            return self.evaluate(expression, depth + 1)

        match node:
            case ast.Constant(value=constant):
                return constant
            case ast.Tuple(elts=items):
                return tuple(value(item) for item in items)
            case ast.List(elts=items):
                return [value(item) for item in items]
            case ast.Dict(keys=keys, values=values):
                result: dict[Any, Any] = {}
                for key, item in zip(keys, values, strict=True):
                    result |= value(item) if key is None else {value(key): value(item)}
                return result
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return _arithmetic(lambda: -value(operand))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
                return _arithmetic(lambda: _OPERATORS[type(op)](value(left), value(right)))
            case ast.Name(id=name) if found := self.alias(name):
                return found[1].evaluate(found[0], depth + 1)
            case ast.Attribute(value=ast.Name(id=name), attr=attr) if found_class := _class(
                self, name
            ):
                attributes = _attributes(list(_lineage(*found_class, seen=set())))
                if attr in attributes:
                    return attributes[attr]
        raise ValueError(f"not a literal: {ast.unparse(node)}")


_OPERATORS: dict[type, Any] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.BitOr: lambda a, b: a | b,
}


def _arithmetic(compute: Any) -> Any:
    try:
        return compute()
    except (TypeError, ArithmeticError, MemoryError) as error:
        raise ValueError(str(error)) from error


def _flat(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield statements, with those under a module's ``if`` and ``try``."""
    for node in body:
        if isinstance(node, (ast.If, ast.Try)):
            yield from _flat(node.body)
            yield from _flat(node.orelse)
        else:
            yield node


def _is_opaque(module: str) -> bool:
    return module.partition(".")[0] in _OPAQUE


@cache
def _scope(module: str) -> _Scope:
    """Find and parse a module without importing it or its parents.

    Raises PluginError if there is no such Python file, or it does not parse.
    """
    root, *rest = module.split(".")
    try:
        spec = importlib.util.find_spec(root)
    except (ImportError, ValueError):
        spec = None
    path = Path(spec.origin) if spec and spec.origin else None
    is_package = bool(spec and spec.submodule_search_locations)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    for name in rest:
        path, is_package = None, False
        for folder in map(Path, folders):
            if (folder / f"{name}.py").is_file():
                path, folders = folder / f"{name}.py", []
                break
            if (folder / name).is_dir():
                init = folder / name / "__init__.py"
                path, folders = init if init.is_file() else None, [str(folder / name)]
                is_package = True
                break
    if path is None or path.suffix != ".py":
        raise PluginError(f"module '{module}' cannot be found: is its package installed?")
    try:
        return _Scope(module, path.read_bytes().decode("utf-8-sig"), is_package)
    except (OSError, ValueError, SyntaxError, RecursionError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise PluginError(f"module '{module}' cannot be read: {reason}") from error


def _try_scope(module: str) -> _Scope | None:
    if not module or _is_opaque(module):
        return None
    try:
        return _scope(module)
    except PluginError:
        return None


_Found = tuple[ast.ClassDef, _Scope]


def _class(scope: _Scope | None, name: str, depth: int = 0) -> _Found | None:
    """Find the class called ``name`` in a module, through imports and assignments."""
    if scope is None or depth > 20:
        return None
    node = scope.named.get(name)
    if isinstance(node, ast.ClassDef):
        return node, scope
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name):
        return _class(scope, node.value.id, depth + 1)
    module, there = scope.imported.get(name, ("", ""))
    return _class(_try_scope(module), there, depth + 1) if there else None


def _base(node: ast.expr, scope: _Scope) -> _Found | None:
    """Find the class behind a base-class expression, if its source is available."""
    if isinstance(node, ast.Subscript):  # Generic[T]
        return _base(node.value, scope)
    if isinstance(node, ast.Name):
        return _class(scope, node.id)
    module, _, name = ast.unparse(node).rpartition(".")
    local, _, rest = module.partition(".")
    origin = ".".join(filter(None, [*scope.imported.get(local, ("", "")), rest]))
    return _class(_try_scope(origin), name)


def _lineage(node: ast.ClassDef, scope: _Scope, seen: set[tuple[str, str]]) -> Iterator[_Found]:
    """Yield the class and its readable bases, nearest first."""
    if (scope.module, node.name) in seen:
        return
    seen.add((scope.module, node.name))
    yield node, scope
    for expression in node.bases:
        if base := _base(expression, scope):
            yield from _lineage(*base, seen=seen)


def _of_class(cls: type) -> _Found:
    """Return the source of a class object, or one reconstructed from the object."""
    scope = _try_scope(cls.__module__) or _Scope(cls.__module__, "")
    for source in (_source, _drawn_up):
        try:
            tree = ast.parse(textwrap.dedent(source(cls)))
        except (OSError, TypeError, ValueError, SyntaxError):
            continue
        if tree.body and isinstance(node := tree.body[0], ast.ClassDef):
            return node, scope
    raise PluginError(f"the source of class '{cls.__qualname__}' cannot be read")


def _source(cls: type) -> str:
    return inspect.getsource(cls)


def _drawn_up(cls: type) -> str:
    lines = [f"class {cls.__name__}:", f"    {cls.__doc__!r}"]
    for name, value in vars(cls).items():
        if inspect.isfunction(value):
            lines.append(f"    def {name}{inspect.signature(value)}: {value.__doc__!r}")
        elif not name.startswith("__"):
            lines.append(f"    {name} = {value!r}")
    return "\n".join(lines)


def _signature(lineage: list[_Found]) -> Signature:
    node, _ = lineage[0]
    own = [found for found in lineage if found[1].module != _INTERFACES]
    doc = next((d for n, _ in own if (d := ast.get_docstring(n))), "")
    methods: dict[str, tuple[tuple[str, bool], ...]] = {}
    for node, _ in own:
        for function in _functions(node).values():
            if function.name in METHODS and function.name not in methods:
                methods[function.name] = tuple(
                    (name, default is None) for name, _, default in _arguments(function)
                )
    summary = doc.strip().partition("\n")[0]
    return Signature(summary, doc, _parameters(own), methods, _attributes(lineage))


def _functions(node: ast.ClassDef) -> dict[str, ast.FunctionDef]:
    return {f.name: f for f in _flat(node.body) if isinstance(f, ast.FunctionDef)}


def _arguments(
    function: ast.FunctionDef,
) -> Iterator[tuple[str, ast.expr | None, ast.expr | None]]:
    """Yield name, annotation and default of every parameter but self, ``*args``, ``**kwargs``."""
    given = function.args
    positional = [*given.posonlyargs, *given.args]
    defaults = [None] * (len(positional) - len(given.defaults)) + list(given.defaults)
    static = any(
        isinstance(d, ast.Name) and d.id == "staticmethod" for d in function.decorator_list
    )
    for i, (arg, default) in enumerate(zip(positional, defaults, strict=True)):
        if i or static:
            yield arg.arg, arg.annotation, default
    for arg, default in zip(given.kwonlyargs, given.kw_defaults, strict=True):
        yield arg.arg, arg.annotation, default


def _parameters(lineage: list[_Found]) -> tuple[Parameter, ...]:
    """Return the nearest constructor's parameters; its ``**kwargs`` stand for the next one's."""
    for i, (node, scope) in enumerate(lineage):
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
            inherited = {p.name: p for p in _parameters(lineage[i + 1 :])}
            parameters = (
                inherited | parameters
                if init is None
                else parameters
                | {name: p for name, p in inherited.items() if name not in parameters}
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


def _default(node: ast.expr | None, scope: _Scope) -> Any:
    if node is None:
        return REQUIRED
    try:
        return scope.evaluate(node)
    except ValueError:
        return COMPUTED


def _parameter(
    name: str, annotation: ast.expr | None, default: Any, help: str, scope: _Scope
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


def _attributes(lineage: list[_Found]) -> dict[str, Any]:
    """Return literal class attributes, the nearest class first; an unreadable one hides others."""
    found: dict[str, Any] = {}
    for node, scope in lineage:
        for statement in _flat(node.body):
            match statement:
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    pass
                case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                    pass
                case _:
                    continue
            if name not in found:
                found[name] = _default(value, scope)
    return {name: value for name, value in found.items() if value is not COMPUTED}


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
