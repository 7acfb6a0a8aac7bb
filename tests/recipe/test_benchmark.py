"""Benchmark files: what is wrong is told all at once; the shipped ones load."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import toy

from ganzoo.errors import RecipeError
from ganzoo.evaluation.result import entry_files
from ganzoo.interfaces import Evaluator
from ganzoo.plugins.manager import installed
from ganzoo.plugins.registry import Origin, Registration, Registry
from ganzoo.plugins.shipped import own_files
from ganzoo.recipe.benchmark import load_benchmark, refuse_outdated

ROOT = Path(__file__).parents[2]
HEAD = """\
benchmark: toys
version: 1
dataset: {use: toy, count: 80}
reference: 30
fakes: 20
primary: distance
"""
REST = """\
extractors: {net: {use: toy}}
evaluators:
  - {use: distance, extractor: net}
"""


def problems(path: Path, text: str, *overrides: str, registry: Registry | None = None) -> list[str]:
    """What is wrong with the benchmark ``text``, without the name of its file."""
    (path / "b.yaml").write_text(text)
    with pytest.raises(RecipeError) as refused:
        load_benchmark(path / "b.yaml", overrides, registry or toy.plugins().registry)
    return [one.removeprefix(f"{path / 'b.yaml'}:") for one in refused.value.problems]


def with_evaluator(kind: type[Evaluator]) -> Registry:
    registry = toy.plugins().registry
    registry.add(Registration("evaluator", "own", kind, Origin("own", "own-dist", "1.0")))
    return registry


# -- mistakes -----------------------------------------------------------------------------------


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = """\
benchmark: toys
verison: 1
dataset: {use: toy, count: many}
reference: 1
fakes: 9
primary: distanse
extractors:
  net: {use: toys}
  more: {use: toy, optional: perhaps}
evaluators:
  - {use: distance}
  - {use: distance, extractor: nat}
  - {use: brightness, extractor: net}
  - {use: distance, extractor: net, scale: big}
"""
    expected = [
        "1:1 missing 'version'",
        "2:1 verison: unknown key, did you mean 'version'?",
        "3:28 dataset.count: expected an integer",
        "4:12 reference: expected an integer",
        "5:8 fakes: expected an integer",
        "6:10 primary: no evaluator gives 'distanse', did you mean 'distance'?",
        "8:14 extractors.net.use: unknown extractor 'toys'",
        "9:30 extractors.more.optional: expected true or false",
        "11:5 evaluators[0]: missing 'extractor'",
        "12:32 evaluators[1].extractor: there is no extractor 'nat'",
        "13:34 evaluators[2].extractor: it reads no features",
        "14:44 evaluators[3].scale: expected a number",
    ]
    for problem, start in zip(problems(tmp_path, text), expected, strict=True):
        assert problem.startswith(start)


def test_an_unknown_evaluator_is_told_alone(tmp_path: Path) -> None:
    text = HEAD + "evaluators: [{use: distanse, extractor: net}]\n"
    (only,) = problems(tmp_path, text)
    assert only.startswith("7:20 evaluators[0].use: unknown evaluator 'distanse'")


def test_a_word_that_no_stream_has(tmp_path: Path) -> None:
    text = HEAD + "extractors: {net: {use: toy}}\nevaluators: [{use: change, extractor: net}]\n"
    photo, features = problems(tmp_path, text.replace("distance", "change"))
    assert re.match(r"8:14 evaluators\[0\]: .* 'pair' needs 'photo',", photo)
    assert re.match(r"8:14 evaluators\[0\]: .* 'pair' needs 'photo_features',", features)
    assert "did you mean 'real_features'?" in features


def test_group_is_no_word_of_the_reals(tmp_path: Path) -> None:
    class Wrong(Evaluator):
        """Reads what only fakes have."""

        higher_is_better = {"wrong": True}  # noqa: RUF012

        def real(self, image: Any, group: Any, hue: Any = None) -> None: ...

    text = HEAD.replace("distance", "wrong") + "evaluators: [{use: own}]\n"
    (only,) = problems(tmp_path, text, registry=with_evaluator(Wrong))
    assert re.match(r"7:14 evaluators\[0\]: .* 'real' needs 'group'", only)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            HEAD + REST.replace("{use: toy}", "{use: toy, optional: true}"),
            "6:10 primary: no evaluator gives 'distance' without an optional extractor",
        ),
        (HEAD + "evaluators: []\n", "7:13 evaluators: a benchmark needs an evaluator"),
        (HEAD, "1:1 missing 'evaluators': The scores."),
        (
            HEAD + REST + "  - many\n",
            "10:5 evaluators[1]: expected a section",
        ),
        (
            HEAD + REST.replace("net: {use: toy}", ""),
            "9:32 evaluators[0].extractor: there is no extractor 'net'",
        ),
        (
            (HEAD + REST).replace("toys", "../up"),
            "1:12 benchmark: expected letters, digits",
        ),
        (
            "- 1\n",
            "1:1 expected a section",
        ),
        ("", "b.yaml is empty"),
    ],
)
def test_a_mistake_is_told(tmp_path: Path, text: str, told: str) -> None:
    (only,) = problems(tmp_path, text)
    assert told in only


def test_an_unknown_benchmark_is_told_the_nearest() -> None:
    with pytest.raises(RecipeError, match=r"benchmark 'avatar-64', .* 'avatars-64'"):
        load_benchmark("avatar-64", (), toy.plugins().registry)
    with pytest.raises(RecipeError, match=r"there is no file 'no/such\.yaml'"):
        load_benchmark("no/such.yaml", (), toy.plugins().registry)


# -- layers -------------------------------------------------------------------------------------


def test_extends_and_set(tmp_path: Path) -> None:
    toy.benchmark(tmp_path)
    (tmp_path / "more.yaml").write_text(
        "benchmark: more\nextends: toys.yaml\nversion: 2\ndataset: {size: 16}\nheld_out: first\n"
    )
    overrides = ["fakes=12", "evaluators.1.scale=2", "dataset_sha256=null"]
    read = load_benchmark(tmp_path / "more.yaml", overrides, toy.plugins().registry)
    assert (read.name, read.version, read.fakes, read.reference) == ("more", 2, 12, 30)
    assert read.dataset.arguments == {"count": 80, "size": 16, "label": None, "photo": None}
    assert [dict(m.arguments) for m in read.evaluators] == [{}, {"scale": 2.0}]
    assert (read.held_out, read.shuffle, read.seed) == ("first", False, 0)


def test_what_is_set_is_checked_like_the_file(tmp_path: Path) -> None:
    toy.benchmark(tmp_path)
    with pytest.raises(RecipeError) as refused:
        load_benchmark(tmp_path / "toys.yaml", ["fakes=few", "sed=3"], toy.plugins().registry)
    sed, fakes = refused.value.problems
    assert re.match("--set sed=3 sed: unknown key, .* 'seed'", sed)
    assert re.match("--set fakes=few fakes: .* at least 10, not 'few'", fakes)


def test_extractors_may_be_optional(tmp_path: Path) -> None:
    text = HEAD + REST.replace(
        "{use: toy}", "{use: toy, seed: 3}, more: {use: toy, optional: true}"
    )
    (tmp_path / "b.yaml").write_text(text)
    read = load_benchmark(tmp_path / "b.yaml", (), toy.plugins().registry)
    assert [(n, e.optional, e.arguments["seed"]) for n, e in read.extractors.items()] == [
        ("net", False, 3),
        ("more", True, 0),
    ]


# -- what is shipped ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", own_files("benchmark"))
def test_shipped_benchmarks_load(name: str) -> None:
    read = load_benchmark(name, (), installed().registry)
    assert read.name == name
    is_later = name in ("avatars-x4", "avatars-layout")  # than the others' second version
    assert read.version == (1 if is_later else 2)
    has_twins = name.startswith(("figurines", "heads"))
    primary = "layout-iou" if name == "avatars-layout" else "ssim" if has_twins else "kid"
    assert read.primary == primary
    assert read.extractors["features"].arguments["size"] == 224  # what Lite0 was trained at


def test_a_name_may_have_the_version() -> None:
    registry = installed().registry
    assert load_benchmark("avatars-64@2", (), registry).version == 2
    with pytest.raises(RecipeError, match=r"at version 2\. Version 1 is archived: .*archive/v1"):
        load_benchmark("avatars-64@1", (), registry)
    for version in ("7", "one", "0", ""):
        with pytest.raises(RecipeError, match=f"no version '{version}'"):
            load_benchmark(f"avatars-64@{version}", (), registry)
    with pytest.raises(RecipeError, match="unknown benchmark"):
        load_benchmark("avatar-64@1", (), registry)


@pytest.mark.parametrize("name", ["avatars-64", "avatars-32", "figurines-64"])
def test_an_archived_file_extends_its_own_version(name: str) -> None:
    registry = installed().registry
    read = load_benchmark(ROOT / "benchmarks" / "archive" / "v1" / f"{name}.yaml", (), registry)
    assert (read.version, read.extractors["features"].arguments["size"]) == (1, 128)
    with pytest.raises(RecipeError, match="at version 2"):
        refuse_outdated(read, registry)
    refuse_outdated(load_benchmark(name, (), registry), registry)
    refuse_outdated(replace(read, name="mine"), registry)


def test_they_load_without_torch() -> None:
    script = (
        "import sys\nfrom ganzoo.recipe.benchmark import load_benchmark\n"
        "from ganzoo.plugins.manager import installed\n"
        "print(load_benchmark('avatars-64', (), installed().registry).fakes)\n"
        "assert 'torch' not in sys.modules"
    )
    said = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert said.stdout == "2500\n"


@pytest.mark.parametrize("name", own_files("benchmark"))
def test_a_changed_benchmark_raises_its_version(name: str) -> None:
    read = load_benchmark(name, (), installed().registry)
    for found in entry_files(ROOT / "benchmarks" / "entries", name):
        assert found.entry, found.problem
        record = found.entry.record
        if found.entry.version != read.version:
            continue  # of an older table
        assert (record["fakes"], record["seed"]) == (read.fakes, read.seed)
        split = {key: getattr(read, key) for key in ("reference", "held_out", "shuffle")}
        assert record["split"] == split
        assert record["dataset"]["use"] == read.dataset.use
        for part, value in record["dataset"]["arguments"].items():
            assert value == plain(read.dataset.arguments[part])
        for part, told in record["extractors"].items():
            spec = read.extractors[part]
            assert told["use"] == spec.use
            assert told["arguments"] == plain(
                {k: v for k, v in spec.arguments.items() if k != "weights"}
            )
        asked = [(e.use, plain(e.arguments), e.extractor) for e in read.evaluators]
        kept = [one for one in asked if one[2] is None or one[2] in record["extractors"]]
        assert kept == [(e["use"], e["arguments"], e["extractor"]) for e in record["evaluators"]]


def plain(value: Any) -> Any:
    """As JSON has it."""
    return json.loads(json.dumps(value))


def test_a_path_that_is_set_is_taken_to_the_letter(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    registry = installed().registry
    for name in ("in/faces #2", "2023", "[HD] faces"):
        loaded = load_benchmark("anime-faces-64", [f"dataset.path={name}"], registry)
        assert loaded.dataset.arguments["path"] == str(tmp_path / name)
