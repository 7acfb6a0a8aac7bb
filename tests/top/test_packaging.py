"""What a wheel and an sdist hold, and that every built-in plugin is declared."""

from __future__ import annotations

import configparser
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PLUGINS = sorted(p.parent.name for p in (ROOT / "plugins").glob("*/__init__.py"))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> zipfile.ZipFile:
    (path,) = built.glob("*.whl")
    return zipfile.ZipFile(path)


def sources(folder: Path, base: Path) -> set[str]:
    return {str(path.relative_to(base)) for path in folder.rglob("*.py")}


def test_the_wheel_holds_the_core_every_plugin_recipe_and_benchmark(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    wanted = sources(ROOT / "ganzoo", ROOT) | {"ganzoo/py.typed"}
    for plugin in PLUGINS:
        wanted |= sources(ROOT / "plugins" / plugin, ROOT / "plugins")
    for kept in (
        "recipes/*.yaml",
        "benchmarks/*.yaml",
        "benchmarks/entries/*/*",
        "pretrained/**/*",
    ):
        files = filter(Path.is_file, ROOT.glob(kept))
        wanted |= {f"ganzoo/{path.relative_to(ROOT)}" for path in files}
    data = [
        p for p in (ROOT / "ganzoo").rglob("*") if p.suffix in {".html", ".css", ".js", ".json"}
    ]
    wanted |= {str(path.relative_to(ROOT)) for path in data}
    assert wanted <= names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    tops = {name.partition("/")[0] for name in names if ".dist-info" not in name}
    assert tops == {"ganzoo", *PLUGINS}


def test_the_wheel_declares_the_command_and_the_plugins(wheel: zipfile.ZipFile) -> None:
    (path,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    points = configparser.ConfigParser()
    points.optionxform = str  # type: ignore[assignment, method-assign]
    points.read_string(wheel.read(path).decode())
    assert points["console_scripts"]["ganzoo"] == "ganzoo.__main__:main"
    assert dict(points["ganzoo"]) == PROJECT["project"]["entry-points"]["ganzoo"]


def test_the_sdist_holds_what_a_build_needs(built: Path) -> None:
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {"pyproject.toml", "README.md", "LICENSE", "ganzoo/__init__.py"}
    wanted |= {f"plugins/{plugin}/__init__.py" for plugin in PLUGINS}
    for kept in ("recipes/*.yaml", "benchmarks/*.yaml"):
        wanted |= {str(path.relative_to(ROOT)) for path in ROOT.glob(kept)}
    assert wanted <= names


@pytest.mark.parametrize("plugin", PLUGINS)
def test_every_built_in_plugin_is_declared(plugin: str) -> None:
    points = PROJECT["project"]["entry-points"]["ganzoo"]
    name = plugin.removeprefix("ganzoo_")
    assert points.get(name, "").partition(":")[0] == plugin
    tool = PROJECT["tool"]
    assert f"plugins/{plugin}" in tool["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert plugin in tool["mypy"]["packages"]


def test_nothing_is_declared_that_is_not_there() -> None:
    points = PROJECT["project"]["entry-points"]["ganzoo"]
    assert {target.partition(":")[0] for target in points.values()} == set(PLUGINS)
    extras = PROJECT["project"]["optional-dependencies"]
    every = {name for name in extras if name not in ("all", "dev")}
    assert extras["all"] == [f"ganzoo[{','.join(sorted(every, key=list(extras).index))}]"]


def test_constraints_pin_everything_that_is_asked_for() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    project = PROJECT["project"]
    extras = [r for name, e in project["optional-dependencies"].items() if name != "all" for r in e]
    for requirement in (*project["dependencies"], *extras):
        name = requirement.partition(">")[0].lower()
        assert name in pins, f"constraints.txt does not pin {name}"
    assert "uv" in pins
    assert not any("@" in line or "://" in line for line in lines)
