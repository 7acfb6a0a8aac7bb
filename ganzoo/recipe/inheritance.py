"""Assemble a recipe or benchmark from its file, the files it extends, and ``--set``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ganzoo.errors import RecipeError, nearest, one_of
from ganzoo.files import refusal
from ganzoo.formats.tree import Mark, Node, Problem, join, line, split
from ganzoo.formats.types import written
from ganzoo.formats.yaml import argument, parse

MAX_BYTES = 1_000_000
#: keys that survive a change of the component's ``use``
_KEPT = ("weight", "every", "of")


def find(name: str, shipped: Mapping[str, Path], what: str, beside: Path | None = None) -> Path:
    """Find the file of a ``what``, given by path (``beside`` a folder) or by a shipped name.

    Raises RecipeError that lists the names.
    """
    try:
        path = Path(name) if beside is None else beside / Path(name).expanduser()
        if path.is_file():
            return path
        is_folder = path.is_dir()
    except PermissionError as error:
        raise RecipeError([str(refusal(error))]) from error
    except (OSError, ValueError, RuntimeError):  # too long, a NUL, or ~ of an unknown user
        is_folder = False
    if name in shipped:
        return shipped[name]
    if is_folder:
        raise RecipeError([f"'{name}' is a folder, not a {what}: give the path of a YAML file"])
    if choices := [full for full in shipped if full.endswith(f"/{name}")]:
        who = " or ".join(f"'{full}'" for full in choices)
        raise RecipeError([f"{what} '{name}' is registered by several plugins: write {who}."])
    is_path = "/" in name or name.endswith((".yaml", ".yml"))
    wrong = f"there is no file {written(name)}" if is_path else f"unknown {what} {written(name)}"
    stem = name.rpartition("/")[2].removesuffix(".yaml")
    near = nearest(stem, shipped)
    raise RecipeError(
        [f"{wrong}{near} Give the path of a YAML file, or one of: {one_of(shipped)}."]
    )


@dataclass(frozen=True)
class Layers:
    """A file merged over those that it extends, and ``--set`` over all.

    It is not ``whole`` if one that it extends cannot be read; ``problems`` has the reason.
    """

    root: Node
    whole: bool
    problems: list[Problem]


def load(
    name: str | Path,
    overrides: Iterable[str],
    shipped: Mapping[str, Path],
    what: str,
    folder: Path | None = None,
    set_in: str = "",
) -> Layers:
    """Load a ``what`` by path or shipped name, with the files it extends and ``--set``.

    Relative paths in it are relative to ``folder`` or, without one, to the file that has them.
    Those in shipped files are examples, relative to the working directory, and so are those of
    ``--set`` unless they were ``set_in`` another folder.  Raises RecipeError if the file itself
    cannot be read as YAML.
    """
    path = find(str(name), shipped, what)
    shown = str(path) if str(path) == str(name) else display(path)
    reader = _Reader(shipped, what, folder)
    root = reader.read(path, shown)
    if isinstance(root.value, dict):
        root = override(root, overrides, reader.problems, set_in)
    return Layers(root, reader.whole, reader.problems)


def display(path: Path) -> str:
    """Shorten a path: relative if it is under the current folder."""
    path = path.absolute()
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


class _Reader:
    """Reads a file and those that it extends; faults go to ``problems``."""

    def __init__(self, shipped: Mapping[str, Path], what: str, folder: Path | None):
        self.shipped, self.what, self.folder = shipped, what, folder
        self.whole = True
        self.problems: list[Problem] = []

    def read(self, path: Path, shown: str, above: tuple[Path, ...] = ()) -> Node:
        """Read a file merged over its bases; ``above`` are the files that extend it."""
        text = _text(path, shown, self.what)
        root = parse(text, shown, problems=self.problems, folder=self._folder(path))
        if not isinstance(root.value, dict) or "extends" not in root.value:
            return root
        own = replace(root, value={k: v for k, v in root.value.items() if k != "extends"})
        base = root.value["extends"]
        if base.value is None:
            return own
        try:
            inner = self._base(base, path, above)
        except RecipeError as error:
            self.whole = False
            self.problems += [(base.at, text) for text in error.problems]
            return own
        # a derived recipe does not inherit the scores
        kept = {key: child for key, child in inner.value.items() if key != "verify"}
        return merge(replace(inner, value=kept), own)

    def _base(self, base: Node, path: Path, above: tuple[Path, ...]) -> Node:
        """Read the base of the file ``path``; raises RecipeError if it cannot be read."""
        if not isinstance(base.value, str):
            message = f"expected the name or path of a {self.what}, not {written(base.plain())}"
            raise RecipeError([line(base.at, "extends", message)])
        try:
            found = find(base.value, self.shipped, self.what, beside=path.parent)
        except RecipeError as error:
            raise RecipeError([line(base.at, "extends", str(error))]) from None
        above = (*above, path.resolve())
        if found.resolve() in above:
            circle = " -> ".join(display(p) for p in (*above, found))
            message = f"{self.what}s extend in a circle: {circle}"
            raise RecipeError([line(base.at, "extends", message)])
        inner = self.read(found, display(found), above)
        if not isinstance(inner.value, dict):
            message = f"a {self.what} is a mapping of keys, not {written(inner.plain())}"
            raise RecipeError([line(inner.at, "", message)])
        return inner

    def _folder(self, path: Path) -> str:
        """Return the folder for relative paths in the file; empty for the working directory."""
        if self.folder is not None:
            return str(self.folder.absolute())
        is_shipped = path.resolve() in {one.resolve() for one in self.shipped.values()}
        return "" if is_shipped else str(path.parent.resolve())


def _text(path: Path, shown: str, what: str) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise RecipeError([f"{shown} cannot be read: {error.strerror or error}"]) from error
    if len(data) > MAX_BYTES:
        raise RecipeError([f"{shown} has more than {MAX_BYTES} bytes, so it is no {what}"])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        message = "not UTF-8 text; save the file as UTF-8"
        raise RecipeError([line(Mark(shown, row, column), "", message)]) from error
    if not text.strip():
        raise RecipeError([f"{shown} is empty; it should begin with '{what}: NAME'"])
    return text


def merge(base: Node, over: Node) -> Node:
    """Merge ``over`` on top of ``base``: mappings key by key, everything else replaced.

    If a component's ``use`` changes, the other component's arguments are dropped.
    """
    if not isinstance(base.value, dict) or not isinstance(over.value, dict):
        return over
    kept: Mapping[str, Node] = base.value
    if "use" in kept and "use" in over.value and kept["use"].value != over.value["use"].value:
        kept = {key: child for key, child in kept.items() if key in _KEPT}
    merged = dict(kept)
    for key, child in over.value.items():
        merged[key] = merge(merged[key], child) if key in merged else child
    return replace(over, value=merged)


def override(
    root: Node, overrides: Iterable[str], problems: list[Problem], folder: str = ""
) -> Node:
    """Apply every ``a.b.0.c=VALUE`` to ``root``; those that fail go to ``problems``."""
    for text in overrides:
        at = Mark(f"--set {' '.join(text.split())[:80]}", folder=folder)
        path, equals, value = text.partition("=")
        steps = split(path.strip())
        try:
            if not equals or not all(steps):
                raise RecipeError([line(at, "", "expected KEY=VALUE, such as optimizer.lr=2e-4")])
            if steps[0] == "extends":
                raise RecipeError([line(at, "", "extends cannot be set; write it in a file")])
            root = _set(root, steps, argument(value, at), "")
        except RecipeError as error:
            problems += [(at, text) for text in error.problems]
    return root


def _set(node: Node, steps: tuple[str, ...], value: Node, path: str) -> Node:
    """Set ``value`` at ``steps`` of ``node``, creating missing sections on the way."""
    if not steps:
        return replace(value, key=value.at)
    step, rest, at = steps[0], steps[1:], value.at
    if isinstance(node.value, list):
        n = len(node.value)
        if not (step.isascii() and step.isdigit() and len(step) < 9 and int(step) < n):
            has = f"'{path}' is a list of {n}" if n else f"'{path}' is an empty list"
            choice = f"; give an index from 0 to {n - 1}, not '{step}'" if n else ""
            raise RecipeError([line(at, "", has + choice)])
        i = int(step)
        item = _set(node.value[i], rest, value, join(path, i))
        return replace(node, value=[*node.value[:i], item, *node.value[i + 1 :]])
    if node.value is not None and not isinstance(node.value, dict):
        what = written(node.value)
        raise RecipeError([line(at, "", f"'{path}' is {what}, which has no '{step}' inside")])
    entries: dict[str, Node] = dict(node.value or {})
    if step == "use" and not rest and step in entries and entries[step].value != value.value:
        entries = {k: v for k, v in entries.items() if k in (*_KEPT, "use") or not v.at.line}
    inside = entries.get(step, Node(None, at, at))
    entries[step] = _set(inside, rest, value, join(path, step))
    return Node(entries, node.at, node.key)
