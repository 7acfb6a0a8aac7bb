"""Assemble a recipe or benchmark from its file, the files it extends, and ``--set``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path

from ganzoo.errors import RecipeError, nearest, one_of
from ganzoo.files import refusal
from ganzoo.formats.tree import Mark, Node, Problem, join, line, split
from ganzoo.formats.types import written
from ganzoo.formats.yaml import argument, parse
from ganzoo.recipe.component import Section
from ganzoo.recipe.grammar import PLAYERS, own_keys

MAX_BYTES = 1_000_000
Steps = tuple[str, ...]


def find(name: str, catalogue: Mapping[str, Path], what: str, beside: Path | None = None) -> Path:
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
    if name in catalogue:
        return catalogue[name]
    if is_folder:
        raise RecipeError([f"'{name}' is a folder, not a {what}: give the path of a YAML file"])
    if choices := [full for full in catalogue if full.endswith(f"/{name}")]:
        who = " or ".join(f"'{full}'" for full in choices)
        raise RecipeError([f"{what} '{name}' is registered by several plugins: write {who}."])
    is_path = "/" in name or name.endswith((".yaml", ".yml"))
    wrong = f"there is no file {written(name)}" if is_path else f"unknown {what} {written(name)}"
    stem = name.rpartition("/")[2].removesuffix(".yaml")
    near = nearest(stem, catalogue)
    raise RecipeError(
        [f"{wrong}{near} Give the path of a YAML file, or one of: {one_of(catalogue)}."]
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
    catalogue: Mapping[str, Path],
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
    path = find(str(name), catalogue, what)
    label = str(path) if str(path) == str(name) else display(path)
    reader = _Reader(catalogue, what, folder)
    root = reader.read(path, label)
    if isinstance(root.value, dict):
        root = override(root, overrides, reader.problems, set_in)
    return Layers(root, reader.whole, reader.problems)


def display(path: Path) -> str:
    """Shorten a path: relative if it is under the current folder."""
    path = path.absolute()
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


class _Reader:
    """Reads a file and those that it extends; faults go to ``problems``."""

    def __init__(self, catalogue: Mapping[str, Path], what: str, folder: Path | None):
        self.catalogue, self.what, self.folder = catalogue, what, folder
        self.whole = True
        self.problems: list[Problem] = []

    def read(self, path: Path, label: str, above: tuple[Path, ...] = ()) -> Node:
        """Read a file merged over its bases; ``above`` are the files that extend it."""
        text = _text(path, label, self.what)
        if self.folder is not None:
            folder = str(self.folder.absolute())
        elif path.resolve() in {one.resolve() for one in self.catalogue.values()}:
            folder = ""  # the working directory
        else:
            folder = str(path.parent.resolve())
        root = parse(text, label, problems=self.problems, folder=folder)
        if self.what == "recipe":
            root = hoist(root, self.problems)
        if not isinstance(root.value, dict) or "extends" not in root.value:
            return root
        rest = replace(root, value={k: v for k, v in root.value.items() if k != "extends"})
        base = root.value["extends"]
        if base.value is None:
            return rest
        try:
            inner = self._base(base, path, above)
        except RecipeError as error:
            self.whole = False
            self.problems += [(base.at, text) for text in error.problems]
            return rest
        # a derived recipe does not inherit the scores
        entries = {key: child for key, child in inner.value.items() if key != "verify"}
        return merge(replace(inner, value=entries), rest)

    def _base(self, base: Node, path: Path, above: tuple[Path, ...]) -> Node:
        """Read the base of the file ``path``; raises RecipeError if it cannot be read."""
        if not isinstance(base.value, str):
            message = f"expected the name or path of a {self.what}, not {written(base.plain())}"
            raise RecipeError([line(base.at, "extends", message)])
        try:
            file = find(base.value, self.catalogue, self.what, beside=path.parent)
        except RecipeError as error:
            raise RecipeError([line(base.at, "extends", str(error))]) from None
        above = (*above, path.resolve())
        if file.resolve() in above:
            circle = " -> ".join(display(p) for p in (*above, file))
            message = f"{self.what}s extend in a circle: {circle}"
            raise RecipeError([line(base.at, "extends", message)])
        inner = self.read(file, display(file), above)
        if not isinstance(inner.value, dict):
            message = f"a {self.what} is a mapping of keys, not {written(inner.plain())}"
            raise RecipeError([line(inner.at, "", message)])
        return inner


def _text(path: Path, label: str, what: str) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise RecipeError([f"{label} cannot be read: {error.strerror or error}"]) from error
    if len(data) > MAX_BYTES:
        raise RecipeError([f"{label} has more than {MAX_BYTES} bytes, so it is no {what}"])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        message = "not UTF-8 text; save the file as UTF-8"
        raise RecipeError([line(Mark(label, row, column), "", message)]) from error
    if not text.strip():
        raise RecipeError([f"{label} is empty; it should begin with '{what}: NAME'"])
    return text


def hoist(root: Node, problems: list[Problem]) -> Node:
    """Move generator and discriminator from ``networks`` to the top level, where recipes are equal.

    Those that stand in both places go to ``problems``.
    """
    networks = root.value.get("networks") if isinstance(root.value, dict) else None
    if networks is None or not isinstance(networks.value, dict):
        return root
    top, others = dict(root.value), dict(networks.value)
    for role in [role for role in PLAYERS if role in others]:
        node, path = others.pop(role), f"networks.{role}"
        if role in top:
            what = f"the recipe has a '{role}' at {top[role].name_at} too; write it once"
            problems.append((node.name_at, line(node.name_at, path, what)))
            continue
        inner = node.value if isinstance(node.value, dict) else {}
        if "kind" in inner:
            if inner["kind"].value != role:
                what = f"the role '{role}' is of the kind {role}; name other networks otherwise"
                at = inner["kind"].at
                problems.append((at, line(at, f"{path}.kind", what)))
            node = replace(node, value={k: v for k, v in inner.items() if k != "kind"})
        top[role] = node
    if others:
        top["networks"] = replace(networks, value=others)
    else:
        del top["networks"]
    return replace(root, value=top)


def survivors(section: Mapping[str, Node], over: Mapping[str, Node], steps: Steps) -> Section:
    """Return what stays of ``section``, at ``steps`` of a file, under the changes of ``over``.

    All of it, unless ``use`` changes.  Then only the keys stay that belong to the place and not to
    the component, such as a term's weight.
    """
    before, after = section.get("use"), over.get("use")
    if steps[:1] == ("views",) and (("apply" in over and before) or ("apply" in section and after)):
        return {}
    if before is None or after is None or before.value == after.value:
        return dict(section)
    of_place = own_keys(steps)
    return {key: child for key, child in section.items() if key in of_place}


def merge(base: Node, over: Node, steps: Steps = ()) -> Node:
    """Merge ``over`` on top of ``base``: mappings key by key, everything else replaced."""
    if not isinstance(base.value, dict) or not isinstance(over.value, dict):
        return over
    entries = survivors(base.value, over.value, steps)
    for key, child in over.value.items():
        entries[key] = merge(entries[key], child, (*steps, key)) if key in entries else child
    return replace(over, value=entries)


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
            if steps[0] == "networks" and steps[1:2] and steps[1] in PLAYERS:
                steps = steps[1:]
            root = hoist(_set(root, steps, argument(value, at), ()), problems)
        except RecipeError as error:
            problems += [(at, text) for text in error.problems]
    return root


def _set(node: Node, steps: Steps, value: Node, above: Steps) -> Node:
    """Set ``value`` at ``steps`` of ``node``, creating missing sections on the way."""
    if not steps:
        return replace(value, key=value.at)
    step, rest, at = steps[0], steps[1:], value.at
    path = reduce(join, (int(s) if s.isdecimal() else s for s in above), "")
    if isinstance(node.value, list):
        n = len(node.value)
        if not (step.isascii() and step.isdigit() and len(step) < 9 and int(step) < n):
            has = f"'{path}' is a list of {n}" if n else f"'{path}' is an empty list"
            choice = f"; give an index from 0 to {n - 1}, not '{step}'" if n else ""
            raise RecipeError([line(at, "", has + choice)])
        i = int(step)
        item = _set(node.value[i], rest, value, (*above, step))
        return replace(node, value=[*node.value[:i], item, *node.value[i + 1 :]])
    if node.value is not None and not isinstance(node.value, dict):
        what = written(node.value)
        raise RecipeError([line(at, "", f"'{path}' is {what}, which has no '{step}' inside")])
    entries: Section = dict(node.value or {})
    if step in ("use", "apply") and not rest:
        set_before = {key: child for key, child in entries.items() if not child.at.line}
        entries = survivors(entries, {step: value}, above) | set_before
    inside = entries.get(step, Node(None, at, at))
    entries[step] = _set(inside, rest, value, (*above, step))
    return Node(entries, node.at, node.key)
