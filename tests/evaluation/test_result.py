"""Entries: what is written is read, and nothing else."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from submitted import entry, score, sha, submit

from ganzoo.errors import RunError
from ganzoo.evaluation.result import (
    Reported,
    benchmarks_in,
    digest,
    entry_files,
    entry_path,
    json_schema,
    read_entry,
    write_entry,
)
from ganzoo.formats.names import check_name

FULL: dict[str, Any] = {
    "weights_sha256": sha("weights"),
    "recipe": "dcgan",
    "recipe_sha256": sha("recipe"),
    "seed": 0,
    "generator": "dcgan",
    "distribution": "ganzoo",
    "steps": 100,
    "images": 6400,
    "training_seconds": 60.5,
    "scores": {
        "fid": score(3, unit="points", unreliable="few images"),
        "kid-random": score(-0.1, 0, rankable=False, higher_is_better=True),
    },
    "reported": {"fid": Reported(2.5, "the paper, table 1")},
    "notes": "first line\n\tsecond – ünïcode",
    "record": {"a": [1, {"b": None}, True, 0.1, "x"], "": {}},
}


def edited(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    data = json.loads(path.read_text(encoding="utf-8"))
    change(data)
    path.write_text(json.dumps(data), encoding="utf-8")


def refusal(path: Path) -> str:
    with pytest.raises(RunError) as caught:
        read_entry(path)
    return str(caught.value)


@pytest.mark.parametrize("changes", [{}, FULL], ids=["least", "full"])
def test_what_is_written_is_read(tmp_path: Path, changes: dict[str, Any]) -> None:
    path = tmp_path / "new" / "folder" / "x.json"
    written = write_entry(path, entry(**changes))
    assert read_entry(path) == written
    assert written == replace(entry(**changes), sha256=written.sha256)
    assert re.fullmatch(r"[0-9a-f]{64}", written.sha256)


@pytest.mark.parametrize("changes", [{}, FULL], ids=["least", "full"])
def test_the_schema_allows_what_is_written(tmp_path: Path, changes: dict[str, Any]) -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    data = json.loads(submit(tmp_path, **changes).read_text(encoding="utf-8"))
    validator = jsonschema.Draft202012Validator(schema)
    validator.validate(data)
    score = data["scores"]["fid"]
    for bad in (
        data | {"extra": 1},
        data | {"key": "x"},
        data | {"version": 0},
        data | {"format": 2},
        data | {"model": data["model"] | {"kind": "cat"}},
        data | {"scores": {"fid": score | {"value": "3"}}},
        data | {"scores": {"F I D": score}},
        {key: value for key, value in data.items() if key != "notes"},
    ):
        assert not validator.is_valid(bad)


def test_the_file_has_one_line_per_value(tmp_path: Path) -> None:
    lines = submit(tmp_path, **FULL).read_text(encoding="utf-8").splitlines()
    assert lines[1] == ' "format": 1,'
    assert '   "value": 3.0,' in lines
    assert any("second – ünïcode" in line for line in lines)


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (lambda d: d["model"].update(name="../x"), ["model.name", "letters, digits"]),
        (lambda d: d["model"].update(recipe="\x1b[31m"), ["model.recipe", "U+001B"]),
        (
            lambda d: d["scores"]["fid"].update(value=math.nan),
            ["scores.fid.value", "finite", "nan"],
        ),
        (lambda d: d["scores"]["fid"].update(high=math.inf), ["scores.fid.high", "finite"]),
        (lambda d: d["scores"]["fid"].update(low=-1e200), ["scores.fid: no score goes beyond"]),
        (lambda d: d["scores"]["fid"].update(low=99), ["scores.fid.value: 20", "low 99"]),
        (lambda d: d["scores"].update(FID=1), ["scores.FID: expected lower-case"]),
        (lambda d: d["reported"].update(fid={"value": 1}), ["reported.fid.source: missing"]),
        (lambda d: d.update(protocol="ABC"), ["protocol: expected 6 to 64 hexadecimal", "'ABC'"]),
        (lambda d: d.update(date="yesterday"), ["date: expected ISO 8601", "'yesterday'"]),
        (lambda d: d.update(format=0), ["format: expected 1, not 0"]),
        (lambda d: d.update(format=2, sedd=3), ["format: 2 is newer", "update ganzoo"]),
    ],
)
def test_what_is_no_entry_is_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], parts: list[str]
) -> None:
    path = submit(tmp_path)
    edited(path, change)
    said = refusal(path)
    assert said.startswith(f"{path}: ")
    for part in parts:
        assert part in said


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"1" * 5_000_000],
    ids=["empty", "list", "huge"],
)
def test_any_bytes_get_an_answer(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    assert refusal(path).startswith(f"{path}: ")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert "cannot be read" in refusal(tmp_path / "x.json")


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["scores"]["fid"].update(value=19.5),
        lambda d: d["model"].update(steps=7),
        lambda d: d["record"]["counts"].update(fakes=50_000),
        lambda d: d.update(date="2026-05-02"),
        lambda d: d.update(sha256=sha("x")),
    ],
)
def test_an_entry_edited_by_hand_says_so(
    tmp_path: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    path = submit(tmp_path)
    edited(path, change)
    said = refusal(path)
    assert "edited by hand" in said
    assert "reported and notes" in said
    assert "`ganzoo evaluate MODEL --benchmark avatars-32`" in said


def test_what_may_be_edited_may_be_edited(tmp_path: Path) -> None:
    path = submit(tmp_path)
    edited(path, lambda d: d.update(notes="mine", reported={"fid": {"value": 2, "source": "me"}}))
    assert read_entry(path).notes == "mine"
    assert read_entry(path).reported == {"fid": Reported(2.0, "me")}


def test_tidying_the_file_does_no_harm(tmp_path: Path) -> None:
    path = submit(tmp_path, record={"lr": 1.0, "steps": 2})
    data = json.loads(path.read_text(encoding="utf-8"), parse_float=lambda x: int(float(x)))
    data["seconds"] = 12.5
    path.write_text(json.dumps(data, indent=4, sort_keys=True), encoding="utf-8-sig")
    assert read_entry(path).scores["fid"].value == 20.0


def test_everything_that_counts_is_in_the_digest() -> None:
    made = [entry(), entry(**FULL), entry(fid=20.1), entry(key=sha("other")), entry(seed=1)]
    assert len({digest(e) for e in made}) == len(made)
    assert digest(entry(notes="x", sha256="x")) == digest(entry())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"fid": score(math.nan)}, "scores.fid.value"),
        ({"record": {"x": object()}}, "record.x: expected what JSON can hold"),
        ({"record": {3: 1}}, "record[3]: expected text, not 3"),
        ({"seconds": -1.0}, "seconds: expected a number of at least 0"),
        ({"name": "a b"}, "model.name"),
    ],
)
def test_only_entries_are_written(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    path = tmp_path / "x.json"
    with pytest.raises(RunError, match=re.escape(words)):
        write_entry(path, entry(**changes))
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"cannot be written: .*ile"):
        write_entry(tmp_path / "file" / "x.json", entry())


def test_find_tells_the_good_from_the_bad(tmp_path: Path) -> None:
    good = submit(tmp_path, "good")
    moved = submit(tmp_path, "moved")
    moved.rename(moved.with_name("other.json"))
    (good.parent / "bad.json").write_text("{")
    (good.parent / "folder.json").mkdir()
    (good.parent / ".x.json.writing").write_text("")
    good.with_suffix(".jpg").write_bytes(b"")
    submit(tmp_path, benchmark="figurines-128")
    assert benchmarks_in(tmp_path) == ["avatars-32", "figurines-128"]
    found = {item.path.name: item for item in entry_files(tmp_path, "avatars-32")}
    assert list(found) == ["bad.json", "folder.json", "good.json", "other.json"]
    assert [bool(item.entry) for item in found.values()] == [False, False, True, False]
    assert found["good.json"].picture == good.with_suffix(".jpg")
    assert found["bad.json"].problem.startswith("not JSON")
    assert str(entry_path(tmp_path, entry().benchmark, "moved")) in found["other.json"].problem
    assert len(entry_files(tmp_path)) == 5
    assert entry_files(tmp_path / "nothing") == []


@pytest.mark.parametrize("name", ["", "a b", "a/b", ".a", "x" * 101, "ä"])
def test_a_name_is_part_of_a_path(name: str) -> None:
    check_name("DCGAN_32.v1-s0")
    with pytest.raises(RunError, match="letters, digits"):
        check_name(name)
