"""Small inputs of others: names that are paths, files that hang, lines that cannot be read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import toy
import yaml
from PIL import Image
from submitted import submit
from typed import Run, typist

from ganzoo.errors import PluginError, RecipeError, RunError
from ganzoo.formats import yaml as yaml12
from ganzoo.formats.names import check_name
from ganzoo.hub.card import other_licence
from ganzoo.models import pictures
from ganzoo.plugins.manager import Plugins, installed
from ganzoo.plugins.registry import Origin
from ganzoo.recipe.recipe import load_recipe
from ganzoo.recipe.schema import schema
from ganzoo.training.run_folder import RunFolder

#: what is no name, and would be a path, an option, another line or nothing
NO_NAMES = (
    *("../../../evil", "/etc/x", "a/b", "a\\b", "..", ".", "", " ", "a b", "-x", "~", "C:x", "a\n"),
    *("a\0b", "\x1b[2J", "é", "x" * 101, 7, None, ["a"]),
)
GOOD_NAMES = ("a", "dcgan-avatars", "cartoongan_2.1", "0", "A" * 80)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)
    return typist(monkeypatch, capsys)


# -- names -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NO_NAMES)
def test_what_is_no_name_names_nothing(name: Any, tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(yaml.safe_dump(toy.GAN | {"recipe": name}), encoding="utf-8")
    with pytest.raises(RecipeError, match=r"x.yaml:\d+:\d+ recipe: expected a name"):
        load_recipe(path, (), toy.plugins().registry)
    wanted = schema(installed().registry)["properties"]["recipe"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(name, wanted)


@pytest.mark.parametrize("name", GOOD_NAMES)
def test_what_is_a_name_stays_one(name: str, tmp_path: Path) -> None:
    assert toy.recipe(tmp_path, recipe=name).name == name
    jsonschema.validate(name, schema(installed().registry)["properties"]["recipe"])
    check_name(name)


@pytest.mark.parametrize("name", [n for n in NO_NAMES if isinstance(n, str)])
def test_entries_and_plugins_have_names_too(name: str) -> None:
    with pytest.raises(RunError, match=r"name: (expected|control character)"):
        check_name(name)

    class Module:
        @staticmethod
        def register_losses(register: Any) -> None: ...

    plugin = Plugins().add(lambda: Module, Origin(name, "acme", "1"))
    assert "expected a name" in (plugin.error or "")


def test_every_shipped_recipe_has_a_name() -> None:
    registry = installed().registry
    for name in registry.names("recipe"):
        assert load_recipe(name, (), registry).name
    with pytest.raises(PluginError, match="expected a name"):
        installed()._target("recipe", "a/b", __file__)


# -- files that hang ---------------------------------------------------------------------------


class Reader(yaml12._Loader):
    """Counts the events that are read of a document."""

    read = 0

    def get_event(self) -> yaml.Event:
        Reader.read += 1
        return super().get_event()


SIZE = 100_000
HUGE = {
    "mapping": "".join(f"k{n}: {n}\n" for n in range(SIZE)),
    "list": "- 1\n" * SIZE,
    "flow": "[" + "1, " * SIZE,
    "aliases": "a: &a [1]\nb: [" + "*a, " * SIZE,
    "anchors": "".join(f"- &a{n} 1\n" for n in range(SIZE)),
    "tags": "[" + "!!str a, " * SIZE,
    "brackets": "[" * SIZE,
    "braces": "{a: " * SIZE,
    "dashes": "- " * SIZE,
    "questions": "? " * SIZE,
    "laughs": "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1]\n"
    + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 8)}]\n" for n in range(1, 20)),
}


@pytest.mark.parametrize("kind", HUGE)
def test_yaml_is_read_no_further_than_its_limits(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(yaml12, "_Loader", Reader)
    monkeypatch.setattr(Reader, "read", 0)
    with pytest.raises(RecipeError, match=r"x.yaml:\d+:\d+ .*(too many values|nested too deeply)"):
        yaml12.parse(HUGE[kind], "x.yaml")
    assert Reader.read <= 2 * yaml12.MAX_NODES


def test_the_metadata_of_a_card_has_the_same_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml12, "_Loader", Reader)
    monkeypatch.setattr(Reader, "read", 0)
    assert other_licence(f"---\nlicense: mit\n{HUGE['mapping']}---\n", "gpl") is None
    assert Reader.read <= 2 * yaml12.MAX_NODES
    assert other_licence("---\nlicense: mit\n---\n", "gpl") == "mit"


def test_what_fits_is_read() -> None:
    text = "".join(f"k{n}: {n}\n" for n in range(yaml12.MAX_NODES // 2 - 1))
    assert len(yaml12.parse(text, "x.yaml").value) == yaml12.MAX_NODES // 2 - 1
    with pytest.raises(RecipeError, match="a key of 201 letters"):
        yaml12.parse(f"? {'k' * 201}\n: 1\n", "x.yaml")


def test_of_a_huge_picture_only_the_header_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    grid = submit(tmp_path / "entries", "acme").with_suffix(".jpg")
    Image.new("1", (13_000, 13_000)).convert("L").save(grid)
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("it was decoded"))
    assert pictures.opened(grid) is None
    assert run("leaderboard", "--entries", "entries", "--html", "page.html").code == 0
    assert "acme" in Path("page.html").read_text(encoding="utf-8")
    with (tmp_path / "long.png").open("wb") as file:
        file.truncate(pictures.MAX_BYTES + 1)
    assert pictures.opened(tmp_path / "long.png") is None


# -- lines that cannot be read -----------------------------------------------------------------

GOOD = {"step": 1, "stage": "a", "seconds": 0.5, "D/ranking": 0.9, "generator/hinge": float("nan")}
UNREADABLE = (
    b"\xff\xfe",
    b'{"step": 2, "stage": "\xe9"}',
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b"null",
    b"3",
    b"[]",
    b"{}",
    b'{"step": "2"}',
    b'{"step": true}',
    b'{"step": 2.5}',
    b'{"step": 2, "D/ranking": "x"}',
    b'{"step": 2, "D/ranking": null}',
    b'{"step": 2, "D/ranking": [1]}',
    b'{"step": 2, "seconds": "x"}',
    b'{"step": 2, "G/std": ' + b"9" * 400 + b"}",
    b'{"step": 2, "G/std": ' + b"9" * 5000 + b"}",
    b"",
)


@pytest.mark.parametrize("line", UNREADABLE, ids=range(len(UNREADABLE)))
def test_a_line_that_cannot_be_read_is_left_out_and_counted(
    line: bytes, tmp_path: Path, run: Run
) -> None:
    folder = RunFolder(tmp_path)
    folder.recipe.write_text("recipe: toy\n")
    good = json.dumps(GOOD).encode()
    folder.metrics.write_bytes(b"\n".join([good, line, good, b'{"step": 3']))
    rows, note = folder.read_rows()
    assert [row["step"] for row in rows] == [1, 1]
    assert str(note).startswith("1 of 3 lines of metrics.jsonl ")
    said = run("diagnose", ".")
    assert (said.code, said.err) == (0, f"warning: {note}\n")
    assert run("report", ".").code == 0
    assert note in folder.report.read_text(encoding="utf-8")


def test_resume_goes_on_beside_lines_that_cannot_be_read(
    train: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    from ganzoo.training.loop import resume

    path = train("run")
    metrics = path / "metrics.jsonl"
    whole = metrics.read_bytes()
    metrics.write_bytes(b"\xff\n" + whole + b"[" * 100_000 + b"\n")
    resume(path, (), toy.plugins())
    assert metrics.read_bytes() == whole
    assert "2 of" in capsys.readouterr().out
