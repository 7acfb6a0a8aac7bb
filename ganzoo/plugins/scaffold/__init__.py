"""Create a new plugin's package as a copy of ``template``, a complete plugin called acme.

The template is a package like any other, so the tests lint, type-check and train it.  Text for one
part stands between lines ``# <generator>`` and ``# </generator>``; text that replaces a missing
part between ``# <no generator>`` and ``# </no generator>``.  ``_pyproject.toml`` is renamed here,
as tools take a folder with that file for a project.
"""

from __future__ import annotations

import importlib.util
import json
import keyword
import re
import unicodedata
from collections.abc import Collection, Iterator
from email.utils import parseaddr
from pathlib import Path

from ganzoo.errors import PluginError, RecipeError, nearest
from ganzoo.plugins.manager import Plugins
from ganzoo.plugins.registry import KINDS
from ganzoo.plugins.shipped import shipped_recipes

#: the parts to choose from, and the files of each
PARTS = {
    "generator": ("src/ganzoo_acme/generator.py",),
    "encoder": ("src/ganzoo_acme/encoder.py",),
    "loss": ("src/ganzoo_acme/loss.py",),
    "dataset": ("src/ganzoo_acme/dataset.py",),
    "evaluator": ("src/ganzoo_acme/evaluator.py", "src/ganzoo_acme/benchmark.yaml"),
}
_TEMPLATE = Path(__file__).parent / "template"
_MARK = re.compile(r"# <(/?)(no )?(\w+)>")
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST = 24
#: words that YAML does not read as text, in a recipe's ``use``
_NO_STRINGS = ("null", "true", "false")


def create(name: str, parts: Collection[str], folder: Path, author: str = "") -> None:
    """Write the package of plugin ``name``, a ``usable_name``, with ``parts`` of ``PARTS``.

    ``author`` is a name, or "name <email>".  Raises PluginError if the folder is not empty, or
    cannot be written.
    """
    try:
        if folder.is_dir() and any(folder.iterdir()):
            raise PluginError(
                f"folder '{folder}' is not empty, and nothing is ever overwritten: remove it, or "
                f"choose another with --out FOLDER."
            )
        for path, text in files(name, parts, author):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
    except OSError as error:
        what = error.strerror or error
        raise PluginError(f"folder '{folder}' cannot be written: {what}.") from error


def chosen_parts(text: str) -> list[str]:
    """Parse ``"loss,generator"`` into the order of ``PARTS``; raises RecipeError for others."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    for word in words:
        if word not in PARTS:
            raise RecipeError(
                [
                    f"--with: there is no part '{word}'{nearest(word, PARTS)} "
                    f"Give one or more of {', '.join(PARTS)}, with commas between them."
                ]
            )
    if not words:
        raise RecipeError([f"--with: give one or more of {', '.join(PARTS)}."])
    return [part for part in PARTS if part in words]


def usable_name(text: str, plugins: Plugins) -> str:
    """Return the plugin's name in ``text``, with or without ``ganzoo-`` before it.

    Raises PluginError if it is not a name, or is taken.
    """
    name = text.removeprefix("ganzoo-")
    if len(name) > _LONGEST or not _NAME.fullmatch(name):
        near = _nearest_name(text)
        raise PluginError(
            f"'{text}' cannot be a plugin's name{f', but {near!r} can' if near else ''}: at most "
            f"{_LONGEST} small letters and digits, a letter first, with single '-' between words."
        )
    if keyword.iskeyword(name) or name in _NO_STRINGS:
        raise PluginError(f"'{name}' is a word of Python or YAML: choose a name that is not.")
    _refuse_taken(name, plugins)
    return name


def files(name: str, parts: Collection[str], author: str = "") -> Iterator[tuple[Path, str]]:
    """Yield every file of the package of plugin ``name``: its path in the package, and its text."""
    omissions = {file for part, own in PARTS.items() if part not in parts for file in own}
    choices = {*parts, *(["author"] if author.strip() else [])}
    for path in sorted(_TEMPLATE.rglob("*")):
        inside = path.relative_to(_TEMPLATE).as_posix()
        if path.is_file() and path.suffix != ".pyc" and inside not in omissions:
            text = _renamed(_chosen(path.read_text(encoding="utf-8"), choices), name)
            text = text.replace('{name = "AUTHOR"}', _toml(author))
            yield Path(_renamed(inside, name).replace("_pyproject", "pyproject")), text


def _chosen(text: str, parts: Collection[str]) -> str:
    """Drop from ``text`` the parts that are not chosen, and the marks."""
    lines, keeping = [], True
    for line in text.splitlines(keepends=True):
        if mark := _MARK.fullmatch(line.strip()):
            end, no, part = mark.groups()
            keeping = bool(end) or (part in parts) != bool(no)
        elif keeping:
            lines.append(line)
    return "".join(lines)


def _renamed(text: str, name: str) -> str:
    return re.sub("(?<=ganzoo_)acme", name.replace("-", "_"), text).replace("acme", name)


def _toml(author: str) -> str:
    """Turn ``"Ann <ann@example.org>"`` into an entry of ``authors``."""
    author = " ".join(author.split())
    name, address = parseaddr(author)
    if name and "@" in address:
        return f"{{name = {_string(name)}, email = {_string(address)}}}"
    return f"{{name = {_string(author)}}}"


def _string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _nearest_name(text: str) -> str:
    """Return the valid name most like ``text``; empty if nothing is left of it."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    name = "-".join(word for word in re.findall("[a-z0-9]+", plain) if word != "ganzoo")
    name = f"gan-{name}" if name[:1].isdigit() else name
    return name[:_LONGEST].rstrip("-")


def _refuse_taken(name: str, plugins: Plugins) -> None:
    for plugin in plugins.plugins:
        if plugin.origin.plugin == name:
            whose = "comes with ganzoo" if plugin.origin.built_in else f"is installed: {plugin}"
            raise PluginError(f"plugin '{name}' {whose}. Choose another name.")
    for kind in KINDS:
        for entry in plugins.registry.entries(kind):
            if entry.name == name:
                raise PluginError(
                    f"there is a {kind} '{name}' of {entry.origin}. Choose another name, by which "
                    f"a recipe can tell yours from it."
                )
    if name in shipped_recipes(plugins.registry):
        raise PluginError(
            f"there is a recipe '{name}' (`ganzoo show {name}`). Choose another name."
        )
    module = f"ganzoo_{name.replace('-', '_')}"
    if spec := importlib.util.find_spec(module):
        where = spec.origin or "this Python"
        raise PluginError(f"there is a module '{module}' ({where}). Choose another name.")
