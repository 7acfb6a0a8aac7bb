"""Imports point only downwards, and plugins see the core only through its front door."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from importlib.util import resolve_name
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

#: top to bottom; a package imports only from those below it, and from the top of ganzoo
FLOORS = (
    "cli",
    "play",
    "api",
    "testing",
    "hub",
    "training",
    "evaluation",
    "recipe",
    "models",
    "plugins",
    "formats",
)
RANK = {name: len(FLOORS) - i for i, name in enumerate(FLOORS)}
#: what lies at the top of ganzoo, below all packages
TOP = {
    "captions", "colour", "errors", "faces", "files", "foreign", "hookspecs", "images",
    "interfaces", "labels", "layouts", "progress", "scan", "startup", "text",
}  # fmt: skip
#: the front door, which everything else is behind
FRONT = {"__init__", "__main__", "api", "py"}
FOR_PLUGINS = {
    f"ganzoo.{name}"
    for name in (
        "interfaces",
        "labels",
        "captions",
        "layouts",
        "errors",
        "faces",
        "foreign",
        "images",
        "scan",
        "progress",
        "files",
        "text",
        "hookimpl",
        "hookspecs",
        "component",
        "load",
        "Model",
    )
}

TEMPLATE = ROOT / "ganzoo" / "plugins" / "scaffold" / "template"
CORE = sorted(p for p in (ROOT / "ganzoo").rglob("*.py") if not p.is_relative_to(TEMPLATE))
PLUGINS = sorted((ROOT / "plugins").rglob("*.py"))
#: built-in plugins that import others: the cache, the drawings and the critic of patches are shared
BUILT_ON = {
    "ganzoo_avatars": {"ganzoo_folders"},
    "ganzoo_cyclegan": {"ganzoo_pix2pix"},
    "ganzoo_figurines": {"ganzoo_avatars", "ganzoo_folders"},
    "ganzoo_heads": {"ganzoo_avatars", "ganzoo_folders"},
    "ganzoo_faces": {"ganzoo_folders"},
    "ganzoo_npr": {"ganzoo_features"},
    "ganzoo_pix2pix": {"ganzoo_features"},
}


def module_name(path: Path) -> str:
    root = ROOT if path.is_relative_to(ROOT / "ganzoo") else ROOT / "plugins"
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> Iterator[str]:
    """What a file imports, wherever in it and for types too, as ``module`` or ``module.name``."""
    name = module_name(path)
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    pending: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = resolve_name("." * node.level + (node.module or ""), package)
            yield from (f"{base}.{alias.name}" for alias in node.names)
        else:
            pending += ast.iter_child_nodes(node)


def part(name: str) -> str:
    """``training`` of ``ganzoo.training.loop.start``."""
    return name.partition(".")[2].partition(".")[0]


def test_every_file_has_a_place() -> None:
    here = {path.stem for path in (ROOT / "ganzoo").iterdir() if path.is_file()}
    packages = {path.parent.name for path in (ROOT / "ganzoo").glob("*/__init__.py")}
    assert here == TOP | FRONT
    assert len(here) <= 19
    assert packages == set(FLOORS) - {"api"}


@pytest.mark.parametrize("path", CORE, ids=module_name)
def test_packages_import_downwards(path: Path) -> None:
    name = module_name(path)
    own = RANK.get(part(name), 0)
    for imported in imports(path):
        top = imported.partition(".")[0]
        assert not top.startswith("ganzoo_"), f"{path} imports the plugin {imported}"
        if top == "ganzoo" and name not in ("ganzoo", "ganzoo.__main__"):
            assert RANK.get(part(imported), 0) <= own, f"{name} imports {imported}, above it"


@pytest.mark.parametrize("package", [name for name in FLOORS if name != "api"])
def test_a_package_has_no_circle(package: str) -> None:
    modules = {
        module_name(path): path
        for path in CORE
        if module_name(path).startswith(f"ganzoo.{package}.")
    }
    above: dict[str, set[str]] = {
        name: {
            other
            for imported in imports(path)
            for other in modules
            if other != name and f"{imported}.".startswith(f"{other}.")
        }
        for name, path in modules.items()
    }
    while free := [name for name, needs in above.items() if not needs & above.keys()]:
        for name in free:
            del above[name]
    assert not above, f"these import each other: {', '.join(sorted(above))}"


@pytest.mark.parametrize("path", PLUGINS, ids=module_name)
def test_a_plugin_imports_only_what_is_promised_to_plugins(path: Path) -> None:
    package = module_name(path).partition(".")[0]
    for name in imports(path):
        top = name.partition(".")[0]
        if top == "ganzoo":
            promised = any(f"{name}.".startswith(f"{allowed}.") for allowed in FOR_PLUGINS)
            assert promised, f"{module_name(path)} imports {name}"
        elif top.startswith("ganzoo_"):
            assert top in {package, *BUILT_ON.get(package, ())}, f"{package} imports {name}"


def test_plugins_do_not_build_on_each_other_in_a_circle() -> None:
    TopologicalSorter(BUILT_ON).prepare()  # raises CycleError


def test_the_rule_sees_every_way_to_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "ganzoo" / "training" / "words.py"
    path.parent.mkdir(parents=True)
    path.write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import hidden\n"
        "def f():\n    from ganzoo import training\n    import ganzoo.cli as c\n"
        "    from .run import Run\n"
    )
    monkeypatch.setattr(f"{__name__}.ROOT", tmp_path)
    assert set(imports(path)) == {
        "typing.TYPE_CHECKING",
        "hidden",
        "ganzoo.training",
        "ganzoo.cli",
        "ganzoo.training.run.Run",
    }
