"""Find the source of classes, and read it, without importing their modules.

A module's file is found and parsed; a class and its bases are looked up in the syntax tree, through
imports and assignments.  Lookup stops at torch and the standard library.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from ganzoo.errors import PluginError

_OPAQUE = {"torch", "torchvision", "numpy", "PIL", "builtins", *sys.stdlib_module_names}


class Scope:
    """The names of one module: its classes, assignments and imports."""

    def __init__(self, module: str, source: str, is_package: bool = False):
        self.module = module
        self.nodes: dict[str, ast.stmt] = {}
        self.imports: dict[str, tuple[str, str]] = {}  # local name -> module, name in it or ""
        package = module if is_package else module.rpartition(".")[0]
        for node in flat(ast.parse(source).body):
            if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
                self.nodes[node.name] = node
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                self.nodes[node.targets[0].id] = node
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                self.nodes[node.target.id] = node
            elif isinstance(node, ast.ImportFrom):
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parents, *filter(None, [node.module])])
                for name in node.names:
                    origin = base if node.level else node.module or ""
                    self.imports[name.asname or name.name] = (origin, name.name)
            elif isinstance(node, ast.Import):
                for name in node.names:
                    local = name.asname or name.name.partition(".")[0]
                    self.imports[local] = (name.name if name.asname else local, "")

    def original(self, name: str) -> str:
        return self.imports.get(name, ("", name))[1]

    def alias(self, name: str) -> tuple[ast.expr, Scope] | None:
        """Return what ``name`` was assigned, here or in the module it is imported from."""
        node = self.nodes.get(name)
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
            return node.value, self
        module, origin = self.imports.get(name, ("", ""))
        scope = _readable(module) if origin else None
        return scope.alias(origin) if scope and scope is not self else None

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
            case ast.Name(id=name) if alias := self.alias(name):
                expression, scope = alias
                return scope.evaluate(expression, depth + 1)
            case ast.Attribute(value=ast.Name(id=name), attr=attr) if cls := find_class(self, name):
                literals = attributes(list(lineage(*cls)))
                if attr in literals:
                    return literals[attr]
        raise ValueError(f"not a literal: {ast.unparse(node)}")


_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.BitOr: lambda a, b: a | b,
}


def _arithmetic(compute: Callable[[], Any]) -> Any:
    try:
        return compute()
    except (TypeError, ArithmeticError, MemoryError) as error:
        raise ValueError(str(error)) from error


def flat(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield statements, with those under a module's ``if`` and ``try``."""
    for node in body:
        if isinstance(node, (ast.If, ast.Try)):
            yield from flat(node.body)
            yield from flat(node.orelse)
        else:
            yield node


def is_opaque(module: str) -> bool:
    return module.partition(".")[0] in _OPAQUE


@cache
def read_module(module: str) -> Scope:
    """Find and parse a module without importing it or its parents.

    Raises PluginError if there is no such Python file, or it does not parse.
    """
    root, *inner = module.split(".")
    try:
        spec = importlib.util.find_spec(root)
    except (ImportError, ValueError):
        spec = None
    path = Path(spec.origin) if spec and spec.origin else None
    is_package = bool(spec and spec.submodule_search_locations)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    for name in inner:
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
        return Scope(module, path.read_bytes().decode("utf-8-sig"), is_package)
    except (OSError, ValueError, SyntaxError, RecursionError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise PluginError(f"module '{module}' cannot be read: {reason}") from error


def _readable(module: str) -> Scope | None:
    if not module or is_opaque(module):
        return None
    try:
        return read_module(module)
    except PluginError:
        return None


#: a class and the module that it is written in
Source = tuple[ast.ClassDef, Scope]


def find_class(scope: Scope | None, name: str, depth: int = 0) -> Source | None:
    """Find the class called ``name`` in a module, through imports and assignments."""
    if scope is None or depth > 20:
        return None
    node = scope.nodes.get(name)
    if isinstance(node, ast.ClassDef):
        return node, scope
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name):
        return find_class(scope, node.value.id, depth + 1)
    module, origin = scope.imports.get(name, ("", ""))
    return find_class(_readable(module), origin, depth + 1) if origin else None


def _base(node: ast.expr, scope: Scope) -> Source | None:
    """Find the class behind a base-class expression, if its source is available."""
    if isinstance(node, ast.Subscript):  # Generic[T]
        return _base(node.value, scope)
    if isinstance(node, ast.Name):
        return find_class(scope, node.id)
    module, _, name = ast.unparse(node).rpartition(".")
    local, _, inner = module.partition(".")
    origin = ".".join(filter(None, [*scope.imports.get(local, ("", "")), inner]))
    return find_class(_readable(origin), name)


def lineage(
    node: ast.ClassDef, scope: Scope, ancestors: set[tuple[str, str]] | None = None
) -> Iterator[Source]:
    """Yield the class and its readable bases, nearest first."""
    ancestors = set() if ancestors is None else ancestors
    if (scope.module, node.name) in ancestors:
        return
    ancestors.add((scope.module, node.name))
    yield node, scope
    for expression in node.bases:
        if base := _base(expression, scope):
            yield from lineage(*base, ancestors)


def source_of(cls: type) -> Source:
    """Return the source of a class object, or one reconstructed from the object."""
    scope = _readable(cls.__module__) or Scope(cls.__module__, "")
    for source in (inspect.getsource, _reconstruction):
        try:
            tree = ast.parse(textwrap.dedent(source(cls)))
        except (OSError, TypeError, ValueError, SyntaxError):
            continue
        if tree.body and isinstance(node := tree.body[0], ast.ClassDef):
            return node, scope
    raise PluginError(f"the source of class '{cls.__qualname__}' cannot be read")


def _reconstruction(cls: type) -> str:
    lines = [f"class {cls.__name__}:", f"    {cls.__doc__!r}"]
    for name, value in vars(cls).items():
        if inspect.isfunction(value):
            lines.append(f"    def {name}{inspect.signature(value)}: {value.__doc__!r}")
        elif not name.startswith("__"):
            lines.append(f"    {name} = {value!r}")
    return "\n".join(lines)


def attributes(sources: list[Source]) -> dict[str, Any]:
    """Return literal class attributes, the nearest class first; an unreadable one hides others."""
    values: dict[str, Any] = {}
    unreadable: set[str] = set()
    for node, scope in sources:
        for statement in flat(node.body):
            match statement:
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    pass
                case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                    pass
                case _:
                    continue
            if name in values or name in unreadable:
                continue
            try:
                values[name] = scope.evaluate(value)
            except ValueError:
                unreadable.add(name)
    return values
