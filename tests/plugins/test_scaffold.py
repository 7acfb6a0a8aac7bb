"""``ganzoo plugins new``: what it writes works as it is, whatever parts are chosen."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import pytest
from environment import Environment, build_wheel
from typed import Result, Run, typist

from ganzoo.plugins.manager import Plugins
from ganzoo.plugins.registry import Origin
from ganzoo.plugins.scaffold import PARTS, create
from ganzoo.recipe.benchmark import load_benchmark
from ganzoo.recipe.recipe import load_recipe

USUAL = ("generator", "loss", "dataset", "evaluator")
SUBSETS = [chosen for n in range(1, 5) for chosen in combinations(USUAL, n)]
SUBSETS += [("encoder",), ("generator", "encoder"), tuple(PARTS)]
TINY = {"stages.0.steps": 2, "dataset.count": 64, "samples.every": 2, "checkpoint.every": 2}
SET = [word for key, value in TINY.items() for word in ("--set", f"{key}={value}")]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Type a command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return typist(monkeypatch, capsys)


# -- as a user has it -------------------------------------------------------------------------


@dataclass
class Author:
    """A fresh environment, and the package that `ganzoo plugins new` wrote there."""

    environment: Environment
    package: Path

    def run(self, *command: str) -> str:
        return self.environment.run(*command, cwd=self.package).stdout


@pytest.fixture(scope="module")
def author(ganzoo_wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Author:
    folder = tmp_path_factory.mktemp("author")
    environment = Environment(folder, ganzoo_wheel)
    environment.run("ganzoo", "plugins", "new", "acme", "--author", "Ann Lee <ann@example.org>")
    package = folder / "ganzoo-acme"
    environment.install(build_wheel(package, folder / "dist"))
    return Author(environment, package)


# The tutorial, which test_docs.py runs, shows `ganzoo plugins check` of such a package.


def test_its_own_tests_pass_and_its_contracts_are_among_them(author: Author) -> None:
    said = author.run("pytest", "-v")
    assert "tests/test_recipe.py::test_the_recipe_trains" in said
    for part in USUAL:
        assert re.search(rf"{part}[- ]acme.* PASSED", said)
    assert not re.search("FAILED|SKIPPED|ERROR|warning", said)


def test_it_is_typed(author: Author) -> None:
    assert author.run("mypy").startswith("Success: no issues found in ")


def test_its_wheel_trains_draws_and_measures(author: Author) -> None:
    author.run("ganzoo", "train", "acme", *SET)
    author.run("ganzoo", "sample", "runs/acme", "-n", "4", "--out", "grid.png")
    assert (author.package / "grid.png").is_file()
    few = [f"--set={key}" for key in ("dataset.count=80", "reference=40", "fakes=20")]
    said = author.run("ganzoo", "evaluate", "runs/acme", "--benchmark", "acme-32", *few)
    assert "acme-spectrum" in said


def test_its_files_say_whose_they_are(author: Author) -> None:
    project = tomllib.loads((author.package / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["authors"] == [{"name": "Ann Lee", "email": "ann@example.org"}]
    assert project["dependencies"] == ["ganzoo>=0.1"]


# -- whatever is chosen -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[tuple[str, ...], Path]]:
    """A package for each choice of parts; the names are of every length that is allowed."""
    folder = tmp_path_factory.mktemp("packages")
    made = {}
    for n, chosen in enumerate(SUBSETS):
        name = f"zebra-{'z' * (n % 15)}{n}"
        made[chosen] = folder / f"ganzoo-{name}"
        create(name, chosen, made[chosen])
    with pytest.MonkeyPatch.context() as patched:
        for package in made.values():
            patched.syspath_prepend(str(package / "src"))
        yield made


def loaded(package: Path) -> tuple[Plugins, str]:
    """The built-in plugins and that of the package."""
    plugins = Plugins()
    plugins.load_entry_points()
    name = package.name.removeprefix("ganzoo-")
    module = package.name.replace("-", "_")
    added = plugins.add(lambda: importlib.import_module(module), Origin(name, package.name, "0.1"))
    assert added.error is None, added.traceback
    assert added.warnings == []
    return plugins, name


@pytest.mark.parametrize("chosen", SUBSETS, ids="-".join)
def test_every_choice_of_parts_is_a_plugin_whose_recipe_is_right(
    packages: dict[tuple[str, ...], Path], chosen: tuple[str, ...]
) -> None:
    package = packages[chosen]
    plugins, name = loaded(package)
    own = {e.kind for e in plugins.plugins[-1].entries}
    assert own == {*chosen, "recipe", *(["benchmark"] if "evaluator" in chosen else [])}
    recipe = load_recipe(name, (), plugins.registry)
    assert (recipe.dataset.use == name) == ("dataset" in chosen)
    assert (recipe.networks["generator"].use == name) == ("generator" in chosen)
    (stage,) = recipe.stages
    terms = [stage.terms[player][0].use for player in ("generator", "discriminator")]
    assert (terms == [name, name]) == ("loss" in chosen)
    assert ("encoder" in recipe.networks) == ("encoder" in chosen)
    assert bool([*package.rglob("benchmark.yaml")]) == ("evaluator" in chosen)
    if "evaluator" in chosen:
        assert load_benchmark(f"{name}-32", (), plugins.registry).primary == f"{name}-spectrum"
    project = tomllib.loads((package / "pyproject.toml").read_text("utf-8"))["project"]
    extra = "" if "dataset" in chosen else "[avatars]"
    assert project["dependencies"] == [f"ganzoo{extra}>=0.1"]
    assert "authors" not in project


def test_no_choice_leaves_a_trace_of_the_template(packages: dict[tuple[str, ...], Path]) -> None:
    for package in packages.values():
        for path in filter(Path.is_file, package.rglob("*.*")):
            if path.suffix != ".pyc":
                text = f"{path.name}\n{path.read_text('utf-8')}"
                assert not re.search(r"(?i:acme)|AUTHOR|_pyproject|# </?(no )?\w+>", text), path


@pytest.mark.parametrize("command", [("check",), ("format", "--check")], ids=" ".join)
def test_every_choice_is_linted_and_formatted(
    packages: dict[tuple[str, ...], Path], command: tuple[str, ...]
) -> None:
    ruff = [sys.executable, "-m", "ruff", *command, "--no-cache", *map(str, packages.values())]
    done = subprocess.run(ruff, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("chosen", [("loss",), ("generator", "evaluator")], ids="-".join)
def test_what_is_left_out_is_ganzoos_own(
    packages: dict[tuple[str, ...], Path],
    chosen: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("dicebear", reason="pip install 'ganzoo[avatars]'")
    from ganzoo.training.loop import start

    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))
    plugins, name = loaded(packages[chosen])
    recipe = load_recipe(name, [f"{k}={v}" for k, v in TINY.items()], plugins.registry)
    start(recipe, tmp_path / "run", plugins)
    assert (tmp_path / "run" / "model" / "config.json").is_file()


# -- what is asked for ------------------------------------------------------------------------


def test_it_says_what_to_do_next_and_takes_a_name_with_the_prefix(run: Run, tmp_path: Path) -> None:
    result = run("plugins", "new", "ganzoo-zebra", "--with", "loss, generator", "--out", "my zebra")
    assert (result.code, result.err) == (0, "")
    first, *lines = result.out.splitlines()
    assert first.startswith("my zebra: plugin 'zebra' ")
    assert "generator, loss and a recipe" in first
    assert [line.strip() for line in lines if "activate" not in line] == [
        "cd 'my zebra'",
        "pip install -e '.[dev]'",
        "ganzoo plugins check zebra",
        "pytest",
        "ganzoo train zebra",
    ]
    assert (tmp_path / "my zebra" / "src" / "ganzoo_zebra" / "loss.py").is_file()
    assert not (tmp_path / "my zebra" / "src" / "ganzoo_zebra" / "dataset.py").exists()


def test_an_author_is_quoted(run: Run, tmp_path: Path) -> None:
    assert run("plugins", "new", "zebra", "--author", 'Ann "A" \\ Lée').code == 0
    project = tomllib.loads((tmp_path / "ganzoo-zebra" / "pyproject.toml").read_text("utf-8"))
    assert project["project"]["authors"] == [{"name": 'Ann "A" \\ Lée'}]


def refused(result: Result, *parts: str) -> None:
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("error: ")
    assert "Traceback" not in result.err
    for part in parts:
        assert part in result.err


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("My_GAN", "my-gan"),
        ("ganzoo_Zebra", "zebra"),
        ("3d-gan", "gan-3d-gan"),
        ("café--crème!", "cafe-creme"),
        ("a/b", "a-b"),
        ("zebra-", "zebra"),
        ("a-very-long-name-of-a-plugin", "a-very-long-name-of-a-pl"),
    ],
)
def test_an_invalid_name_is_told_the_nearest(
    run: Run, tmp_path: Path, name: str, near: str
) -> None:
    refused(run("plugins", "new", name), f"'{name}' cannot be a plugin's name, but '{near}' can")
    assert list(tmp_path.iterdir()) == []
    assert run("plugins", "new", near).code == 0


def test_names_that_are_taken(run: Run, tmp_path: Path) -> None:
    refused(run("plugins", "new", "☃"), "'☃' cannot be a plugin's name: at most")
    refused(run("plugins", "new", "ganzoo-"), "cannot be a plugin's name: at most")
    refused(run("plugins", "new", "dcgan"), "plugin 'dcgan' comes with ganzoo.")
    refused(run("plugins", "new", "hinge"), "there is a loss 'hinge' of ganzoo ")
    refused(run("plugins", "new", "wgan-gp"), "there is a recipe 'wgan-gp'")
    refused(run("plugins", "new", "lambda"), "'lambda' is a word of Python or YAML")
    refused(run("plugins", "new", "null"), "'null' is a word of Python or YAML")
    assert list(tmp_path.iterdir()) == []


def test_a_name_of_an_installed_plugin_or_module(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugins = Plugins()
    dcgan = importlib.import_module("ganzoo_dcgan")
    plugins.add(lambda: dcgan, Origin("zebra", "zoo-of-zebras", "2.0"), "zebras")
    monkeypatch.setattr("ganzoo.plugins.manager.installed", lambda: plugins)
    whose = "plugin 'zebra' is installed: plugin 'zebra' (zebras) of zoo-of-zebras 2.0"
    refused(run("plugins", "new", "zebra"), whose)
    (tmp_path / "ganzoo_okapi.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    refused(run("plugins", "new", "okapi"), "there is a module 'ganzoo_okapi'", "ganzoo_okapi.py")


def test_nothing_is_overwritten(run: Run, tmp_path: Path) -> None:
    (tmp_path / "ganzoo-zebra").mkdir()
    assert run("plugins", "new", "zebra").code == 0
    readme = tmp_path / "ganzoo-zebra" / "README.md"
    readme.write_text("mine")
    refused(run("plugins", "new", "zebra"), "folder 'ganzoo-zebra' is not empty", "--out")
    assert readme.read_text() == "mine"
    refused(run("plugins", "new", "zebra", "--out", readme), "cannot be written: ")


def test_unknown_parts(run: Run, tmp_path: Path) -> None:
    refused(
        run("plugins", "new", "zebra", "--with", "generator,datset"),
        "--with: there is no part 'datset', did you mean 'dataset'?",
        "generator, encoder, loss, dataset, evaluator",
    )
    refused(run("plugins", "new", "zebra", "--with", ","), "--with: give one or more of")
    assert list(tmp_path.iterdir()) == []
