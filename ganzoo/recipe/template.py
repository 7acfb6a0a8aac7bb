"""``ganzoo recipe new``: write a commented recipe with the values of another.

The comments come from ``language.py``.  Keys that the other recipe leaves out are there as
comments, with their defaults.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from ganzoo.errors import RunError
from ganzoo.formats.tree import Node
from ganzoo.formats.yaml import flow, scalar
from ganzoo.plugins.registry import Registry
from ganzoo.plugins.shipped import shipped_recipes
from ganzoo.plugins.signature import COMPUTED, REQUIRED, Parameter
from ganzoo.recipe import grammar, inheritance
from ganzoo.recipe.checker import located
from ganzoo.recipe.header import read_header
from ganzoo.recipe.language import Key, explain, keys
from ganzoo.recipe.recipe import load_recipe

_WIDTH = 96
#: keys that a new recipe does not take over: it is whole, and scores other than its source
_NOT_COPIED = ("recipe", "extends", "plugins", "verify")


def new_recipe(name: str, source: str, registry: Registry) -> Path:
    """Write ``name.yaml`` with the values of ``source``; return its path.

    ``name`` may have folders before it and an ending.  Raises RecipeError if the source is invalid,
    and RunError if the file exists or cannot be written.
    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else Path(f"{name}.yaml")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", path.stem):
        raise RunError(
            f"{name!r} cannot be the name of a recipe: use letters, digits, '.', '_' and '-'."
        )
    text = template(path.stem, source, registry)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise RunError(f"{path} is there already, and stays as it is. Name another.") from None
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error.strerror or error}.") from error
    return path


def template(name: str, source: str, registry: Registry) -> str:
    """Return the text of a new recipe called ``name``, with the values of ``source``.

    Raises RecipeError if the source is invalid.
    """
    load_recipe(source, (), registry)
    read = inheritance.load(source, (), shipped_recipes(registry), "recipe")
    lines = [*_head(name, source, registry), *_Writer(registry).recipe(name, read.root)]
    return "\n".join(lines) + "\n"


def _head(name: str, source: str, registry: Registry) -> Iterator[str]:
    yield from _comment(f"{name}: say here what it is.", "")
    yield "#"
    header = read_header(inheritance.find(source, shipped_recipes(registry), "recipe"))
    for section, text in header.sections.items():
        first, *rest = textwrap.wrap(text, _WIDTH - 10, break_on_hyphens=False)
        yield f"# {section:8}{first}"
        yield from (f"#         {line}" for line in rest)
    yield "#"
    yield from _comment(
        f"The values are those of {Path(source).stem}. A key after a # is left out, and shows its "
        "default or an example. `ganzoo recipe explain KEY` tells more about a key.",
        "",
    )


def _comment(text: str, indent: str) -> Iterator[str]:
    text = text.replace("``", "`")
    for line in textwrap.wrap(text, _WIDTH - len(indent), break_on_hyphens=False):
        yield f"{indent}# {line}"


class _Writer:
    """Writes sections as lines, explaining each key once."""

    def __init__(self, registry: Registry):
        self.registry = registry
        self._comments: set[object] = set()

    def recipe(self, name: str, root: Node) -> Iterator[str]:
        """Yield all keys of the top level."""
        for key in keys():
            if "." in key.path or "[" in key.path or key.path in ("extends", "verify"):
                continue
            yield ""
            yield from _comment(key.help, "")
            if key.path == "recipe":
                yield f"recipe: {scalar(name)}"
            elif key.path in _NOT_COPIED or key.path not in root.value:
                is_empty = key.default in ("", "null", "{}")
                yield f"#{key.path}: {key.example or '{}' if is_empty else key.default}"
            else:
                yield from self.section(key, root.value[key.path])

    def section(self, key: Key, node: Node) -> Iterator[str]:
        """Yield one key of the top level, which the recipe has."""
        name = key.path
        if not isinstance(node.value, (dict, list)) or not node.value:
            yield f"{name}: {flow(_moved(node, grammar.TOP.get(name)))}"
            return
        yield f"{name}:"
        if name == "stages":
            for stage in node.value:
                yield from _item(self.stage(stage))
        elif name in grammar.COLLECTIONS:
            for inner, child in dict(node.value).items():
                yield f"  {scalar(inner)}:"
                yield from self.member(name, inner, child)
        elif name == "players":
            for inner, child in dict(node.value).items():
                yield f"  {inner}: {flow(child.plain())}"
        elif name == "optimizer":
            yield from self.optimizer(node, "  ")
        elif key.kinds:
            yield from self.component(node, key.kinds[0], {}, "  ")
        else:
            table = {**grammar.PLAIN_SECTIONS, **grammar.MEASURING, "ema": grammar.EMA}[name]
            yield from self.table(table, node, "  ", name)

    def member(self, section: str, name: str, node: Node) -> Iterator[str]:
        """Yield a network, view or extractor by a name of the recipe."""
        if section == "views" and "apply" in node.value:
            yield from self.table(grammar.APPLICATION, node, "    ", "application")
        elif section == "networks":
            kind = node.value["kind"].value if "kind" in node.value else name
            yield from self.component(node, kind, grammar.NETWORK, "    ")
        elif section == "views":
            yield from self.component(node, "transform", grammar.VIEW, "    ")
        else:
            yield from self.component(node, "extractor", {}, "    ")

    def component(
        self, node: Node, kind: str, extra: Mapping[str, Parameter], indent: str
    ) -> Iterator[str]:
        """Yield a component, with all its possible arguments."""
        use = node.value["use"].value
        signature = self.registry.get(kind, use).signature
        yield from self.once((kind, use), signature.summary, indent)
        yield f"{indent}use: {scalar(use)}"
        arguments = {name: p for name, p in signature.by_name.items() if name not in extra}
        if kind == "loss":
            yield from self.table({"weight": grammar.WEIGHT}, node, indent, "loss")
        yield from self.table(extra, node, indent, kind)
        yield from self.table(arguments, node, indent, (kind, use))

    def stage(self, node: Node) -> Iterator[str]:
        """Yield a stage: its own keys, then the terms of each player."""
        yield from self.table(grammar.STAGE, node, "    ", "stage")
        others = {name for name in node.value if name not in grammar.STAGE}
        texts = dict.fromkeys(sorted(others), "The terms of this player.") | grammar.STAGE_SECTIONS
        for name, text in texts.items():
            yield from self.once(("stage", name), text, "    ")
            if name not in node.value:
                yield f"    #{name}: {grammar.STAGE_EXAMPLES[name]}"
            elif name == "optimizer":
                yield f"    {name}: {flow(node.value[name].plain())}"
            elif not node.value[name].value:
                yield f"    {name}: []"
            else:
                yield f"    {name}:"
                for term in node.value[name].value:
                    yield from _item(self.component(term, "loss", grammar.TERM, " " * 8))

    def optimizer(self, node: Node, indent: str) -> Iterator[str]:
        """Yield the optimizer, and what differs for a player."""
        use = node.value["use"].value
        matches, _ = explain("optimizer.use", self.registry)
        yield from _comment(f"{matches[0].help} {matches[0].type.capitalize()}.", indent)
        yield f"{indent}use: {use}"
        yield from self.table({"lr": grammar.LR, **grammar.OPTIMIZERS[use]}, node, indent, use)
        plain = {"use", "lr", *grammar.OPTIMIZERS[use]}
        for player in dict.fromkeys((*grammar.PLAYERS, *(k for k in node.value if k not in plain))):
            yield from _comment(f"What differs from it for the {player}.", indent)
            child = node.value.get(player)
            text = f"{player}: {flow(child.plain())}" if child else f"#{player}: {{}}"
            yield f"{indent}{text}"

    def table(
        self, table: Mapping[str, Parameter], node: Node, indent: str, where: object
    ) -> Iterator[str]:
        """Yield values as written; missing ones as a comment, the first time."""
        for name, parameter in table.items():
            is_new = (where, name) not in self._comments
            yield from self.once((where, name), parameter.help, indent)
            if name in node.value:
                value = _moved(node.value[name], parameter)
                line = f"{indent}{name}: {flow(value)}"
                if isinstance(value, list) and len(line) > _WIDTH:
                    yield f"{indent}{name}:"
                    yield from (f"{indent}  - {flow(item)}" for item in value)
                else:
                    yield line
            elif is_new:
                yield f"{indent}#{name}: {_default(parameter)}"

    def once(self, what: object, text: str, indent: str) -> Iterator[str]:
        """Yield a comment, unless it stands above already."""
        if what not in self._comments:
            self._comments.add(what)
            yield from _comment(text, indent)


def _default(parameter: Parameter) -> str:
    if parameter.default is REQUIRED and parameter.name in grammar.FROM_DATASET:
        return "the dataset's"
    if parameter.default is REQUIRED or parameter.default is COMPUTED:
        return parameter.example or "..."
    return flow(parameter.default)


def _moved(node: Node, parameter: Parameter | None) -> object:
    """Return the value, with paths that also hold in another file."""
    for where in parameter.type.paths(node.plain()) if parameter and node.value is not None else ():
        if node.at_path(where).at.folder:
            node = node.with_value(where, located(node.at_path(where)))
    return node.plain()


def _item(lines: Iterable[str]) -> Iterator[str]:
    """Turn a mapping's lines into an item of a list: the dash goes to the first non-comment."""
    has_dash = False
    for line in lines:
        indent = len(line) - len(line.lstrip())
        if has_dash:
            yield line
        elif line.lstrip().startswith("#"):
            yield line[2:]
        else:
            has_dash = True
            yield f"{line[: indent - 2]}- {line[indent:]}"
