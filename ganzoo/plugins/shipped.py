"""What comes with ganzoo: recipes, benchmarks and trained models."""

from __future__ import annotations

from pathlib import Path

from ganzoo.plugins.registry import Registration, Registry


def shipped_folder(what: str) -> Path:
    """Return the folder ``recipes``, ``benchmarks`` or ``pretrained`` that comes with ganzoo."""
    package = Path(__file__).parent.parent
    folder = package / what  # in a wheel
    return folder if folder.is_dir() else package.parent / what  # in a checkout


def shipped_recipes(registry: Registry) -> dict[str, Path]:
    """Return the recipes of ganzoo and of plugins, by name."""
    return _shipped_files("recipe", registry)


def shipped_benchmarks(registry: Registry) -> dict[str, Path]:
    """Return the benchmarks of ganzoo and of plugins, by name."""
    return _shipped_files("benchmark", registry)


def own_files(kind: str) -> dict[str, Path]:
    """Return the recipes or benchmarks that come with ganzoo, by name."""
    return {path.stem: path for path in sorted(shipped_folder(f"{kind}s").glob("*.yaml"))}


def registered_files(kind: str, registry: Registry) -> dict[str, Registration]:
    """Return plugins' recipes or benchmarks, by name.

    The name is ``plugin/name`` if ganzoo or another plugin has one of the same name.
    """
    names = own_files(kind)
    return {
        e.full_name if e.name in names or registry.clashes(e) else e.name: e
        for e in registry.entries(kind)
    }


def shipped_models() -> dict[str, Path]:
    """Return the folders of the trained models that come with ganzoo, by id."""
    configs = sorted(shipped_folder("pretrained").glob("*/config.json"))
    return {f"ganzoo/{path.parent.name}": path.parent for path in configs}


def _shipped_files(kind: str, registry: Registry) -> dict[str, Path]:
    files = {name: entry.file for name, entry in registered_files(kind, registry).items()}
    return dict(sorted((files | own_files(kind)).items()))
