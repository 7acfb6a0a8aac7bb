"""Recipes with other people's text in them, by chance: ``python tests/hostile.py 10000 [SEED]``.

Each is checked, resolved and shown by the command line.  What is counted should be 0: tracebacks,
and messages with a character that a terminal obeys or that nobody sees.
"""

from __future__ import annotations

import contextlib
import copy
import io
import random
import sys
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import yaml
from typer.main import get_command

from ganzoo import cli
from ganzoo.cli import main
from ganzoo.plugins.manager import installed
from ganzoo.recipe.recipe import shipped_recipes

#: what a terminal obeys, what turns text around, what is not seen, and what poses as more
HOSTILE = (
    *("\x1b[2J", "\x1b]0;x\x07", "\x9b31m", "\x9d0;x\x9c", "\x00", "\x08\x08", "\x7f", "\r", "\n"),
    *("\x85", "\u2028", "\u2029", "\u202e", "\u2066", "\u061c", "\u200b", "\u200d", "\u2060"),
    *("\ufeff", "\u00ad", "\U000e0041", "\ud800", "\udcff", "\v\f", "\n\nerror: x", "[bold red]x"),
    *("../../evil", "~root", "{x}", "%s%n", "$(x)", "<script>", "'\"\\", "💥", "x" * 5000),
)
ODD: tuple[Any, ...] = (
    *(None, True, -1, 0, 10**30, 1e308, float("nan"), float("-inf"), "", [], {}, [[]], {"use": 1}),
    *([{}], {"from": 1}, {"a": {"b": {"c": [1]}}}, "2024-01-01", "0x10", "1e5", [None] * 40),
)


def is_plain(text: str) -> bool:
    """Whether a terminal only shows it."""
    kinds = {unicodedata.category(c) for c in set(text) - {"\n"}}
    return not kinds & {"Cc", "Cf", "Cs", "Zl", "Zp"}


def text(rng: random.Random) -> str:
    """Something hostile, alone or inside a word."""
    evil = "".join(rng.choices(HOSTILE, k=rng.choice((1, 1, 2, 3))))
    return rng.choice((evil, f"a{evil}b", f"{evil}lsgan"))


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container and key in nested data."""
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from places(value[key])


def mutated(recipe: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """A copy with one to four things in it that should not be."""
    found = copy.deepcopy(recipe)
    for _ in range(rng.randint(1, 4)):
        box, key = rng.choice(list(places(found)))
        what = rng.random()
        value = rng.choice(ODD) if rng.random() < 0.4 else text(rng)
        if what < 0.45:
            box[key] = copy.deepcopy(value)
        elif what < 0.75 and isinstance(box, dict):
            box[text(rng)] = box.pop(key) if rng.random() < 0.5 else copy.deepcopy(value)
        elif what < 0.85:
            box.pop(key)
        else:
            box[key] = [copy.deepcopy(box[key])] * rng.randint(1, 3)
        if not found:
            return {text(rng): 1}
    return found


def spoilt(source: str, rng: random.Random) -> str:
    """Text with a letter or a line lost, doubled or hostile."""
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(source) + 1)
        end = at + rng.choice((0, 0, 1, 5))
        source = source[:at] + rng.choice((text(rng), "", source[at:end] * 2)) + source[end:]
    return source


def recipes(seed: int, count: int) -> Iterator[bytes]:
    """``count`` files, the same ones for the same seed."""
    rng = random.Random(seed)
    paths = list(shipped_recipes(installed().registry).values())
    sources = [path.read_text(encoding="utf-8") for path in paths]
    for _ in range(count):
        source = rng.choice(sources)
        if rng.random() < 0.8:
            data = mutated(yaml.safe_load(source), rng)
            source = yaml.safe_dump(data, allow_unicode=rng.random() < 0.5, sort_keys=False)
        if rng.random() < 0.4:
            source = spoilt(source, rng)
        yield source.encode("utf-8", rng.choice(("surrogatepass", "replace")))


def typed(*words: str) -> tuple[object, str]:
    """How a command ends, its exit code or what escaped; and all that it says."""
    said, before = io.StringIO(), sys.argv
    end: object = "no exit"
    sys.argv = ["ganzoo", *words]
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            main()
        except SystemExit as stop:
            end = stop.code
        except BaseException as error:  # what would be a traceback
            end = error
    sys.argv = before
    return end, said.getvalue()


def look(seed: int, count: int, folder: Path) -> Counter[str]:
    """Try ``count`` recipes: how many were right, refused, ended in a traceback, or spoke raw."""
    found: Counter[str] = Counter()
    rng = random.Random(seed)
    once = get_command(cli.command_line(installed()))  # most of the time goes into making it
    with mock.patch.object(cli, "command_line", return_value=once):
        found.update(_looked(seed, count, folder, rng))
    return found


def _looked(seed: int, count: int, folder: Path, rng: random.Random) -> Iterator[str]:
    for content in recipes(seed, count):
        path = folder / "x.yaml"
        path.write_bytes(content)
        sets = ["--set", f"{rng.choice(('seed', 'dataset.path', text(rng)))}={text(rng)}"]
        sets = [] if rng.random() < 0.7 or "\0" in sets[1] else sets
        verb = rng.choice((("recipe", "check"), ("recipe", "resolve"), ("show",)))
        words = [*verb, str(path), *(sets if verb[0] == "recipe" else [])]
        end, said = typed(*words)
        yield "right" if end == 0 else "refused" if end == 2 else "traceback"
        if not is_plain(said):
            yield "raw"
        if end not in (0, 2) or not is_plain(said):
            sys.stderr.write(f"{words!r}\n{content!r}\n{end!r}\n{said!r}\n")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        count, seed = int(sys.argv[1]), int((sys.argv[2:] or ["0"])[0])
        sys.stdout.write(f"{dict(look(seed, count, Path(name)))}\n")
