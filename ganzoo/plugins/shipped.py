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
    recipes = {name: Path(entry.target) for name, entry in registered_recipes(registry).items()}
    return dict(sorted((recipes | own_recipes()).items()))


def own_recipes() -> dict[str, Path]:
    """Return the recipes that come with ganzoo, by name."""
    return _files("recipes")


def registered_recipes(registry: Registry) -> dict[str, Registration]:
    """Return plugins' recipes, as ``plugin/name`` if the bare name is not theirs alone."""
    own = own_recipes()
    return {
        e.full_name if e.name in own or registry.clashes(e) else e.name: e
        for e in registry.entries("recipe")
    }


def shipped_benchmarks() -> dict[str, Path]:
    """Return the benchmarks that come with ganzoo, by name."""
    return _files("benchmarks")


def shipped_models() -> dict[str, Path]:
    """Return the folders of the trained models that come with ganzoo, by id."""
    configs = sorted(shipped_folder("pretrained").glob("*/config.json"))
    return {f"ganzoo/{path.parent.name}": path.parent for path in configs}


def _files(what: str) -> dict[str, Path]:
    return {path.stem: path for path in sorted(shipped_folder(what).glob("*.yaml"))}
