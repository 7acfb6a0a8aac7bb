"""Complete the names of recipes, models, benchmarks and kinds in the shell.

Nothing here imports torch or asks the Hub.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import typer

from ganzoo.plugins.registry import FILE_KINDS, KINDS
from ganzoo.recipe.listing import LISTS, list_names


def recipes(incomplete: str) -> list[str]:
    """Offer the recipes of ganzoo and its plugins, and YAML files."""
    return _starting(incomplete, [*list_names("recipe"), *_files(incomplete)])


def benchmarks(incomplete: str) -> list[str]:
    """Offer the benchmarks of ganzoo and its plugins, and YAML files."""
    return _starting(incomplete, [*list_names("benchmark"), *_files(incomplete)])


def models(incomplete: str) -> list[str]:
    """Offer the models that come with ganzoo, folders, and everything in ``runs``."""
    return [*_starting(incomplete, list_names("model")), *runs(incomplete)]


def runs(incomplete: str) -> list[str]:
    """Offer the runs in ``runs``, and other folders."""
    folders = [path.as_posix() for path in _inside(Path("runs")) if path.is_dir()]
    return _starting(incomplete, [*folders, *_folders(incomplete)])


def kinds(incomplete: str) -> list[str]:
    """Offer the kinds of ``ganzoo list``."""
    return _starting(incomplete, LISTS)


def recipe_keys(incomplete: str) -> list[str]:
    """Offer the keys of ``ganzoo recipe explain``, without components' arguments."""
    from ganzoo.recipe.language import keys

    return _starting(incomplete, (key.path.replace("[]", ".0") for key in keys()))


def generators(incomplete: str) -> list[str]:
    """Offer the generators."""
    return _starting(incomplete, list_names("generator"))


def importers(incomplete: str) -> list[str]:
    """Offer the formats that ``ganzoo import`` reads."""
    return _starting(incomplete, list_names("importer"))


def shown(incomplete: str) -> list[str]:
    """Offer the first word after ``ganzoo show``."""
    names = ["vocabulary", *recipes(incomplete), *benchmarks(incomplete), *models(incomplete)]
    return [*kinds(incomplete), *_starting(incomplete, names)]


def components(ctx: typer.Context, incomplete: str) -> list[str]:
    """Offer the names of the kind typed before."""
    kind = ctx.params.get("what")
    return _starting(incomplete, list_names(kind)) if kind in (*KINDS, *FILE_KINDS) else []


def _starting(incomplete: str, names: Iterable[str]) -> list[str]:
    return [name for name in dict.fromkeys(names) if name.startswith(incomplete)]


def _files(incomplete: str) -> list[str]:
    """Offer folders and YAML files in the folder of the word."""
    yaml = [name for name, path in _beside(incomplete) if path.suffix in (".yaml", ".yml")]
    return [*_folders(incomplete), *yaml]


def _folders(incomplete: str) -> list[str]:
    return [f"{name}/" for name, path in _beside(incomplete) if path.is_dir()]


def _beside(incomplete: str) -> list[tuple[str, Path]]:
    """List the folder of a word, once the word has begun."""
    if not incomplete:
        return []
    start = incomplete.rpartition("/")[0]
    start += "/" if "/" in incomplete else ""
    return [(f"{start}{path.name}", path) for path in _inside(Path(start or "."))]


def _inside(folder: Path) -> list[Path]:
    with suppress(OSError):
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    return []
