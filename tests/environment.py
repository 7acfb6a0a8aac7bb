"""A fresh virtual environment with wheels in it, as a user's, in a second and without a network.

What ganzoo needs (torch, pip, pytest, hatchling, mypy, ...) is borrowed from the Python that runs
the tests, in a folder of links that leaves out ganzoo itself and every other plugin of it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import Distribution, PathDistribution
from pathlib import Path

_NOT_INHERITED = ("GANZOO_", "HF_", "PIP_", "PYTEST_", "PYTHON", "TORCH_", "COV_")


def build_wheel(folder: Path, out: Path) -> Path:
    """Build the project in ``folder`` with hatchling; the path of its wheel in ``out``."""
    call = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"
    command = [sys.executable, "-c", call, str(out)]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return out / done.stdout.split()[-1]


class Environment:
    """A virtual environment in which ganzoo's wheel is installed, and nothing of this checkout."""

    def __init__(self, folder: Path, wheel: Path) -> None:
        self.folder = folder.resolve()
        self.bin = self.folder / "venv" / "bin"
        make = [sys.executable, "-m", "venv", "--without-pip", str(self.folder / "venv")]
        subprocess.run(make, check=True, capture_output=True)
        (self.site,) = (self.folder / "venv" / "lib").glob("python*/site-packages")
        # Outside of the environment, so that pip never takes what is borrowed for its own.
        borrowed = self.folder / "borrowed"
        _borrow(borrowed)
        (self.site / "borrowed.pth").write_text(f"{borrowed}\n", encoding="utf-8")
        self.install(wheel)

    def install(self, *wheels_or_folders: Path) -> None:
        """``pip install`` of wheels, or of folders to build; their dependencies are borrowed."""
        self.run("pip", "install", "--quiet", "--no-compile", *map(str, wheels_or_folders))

    def run(
        self, *command: str, cwd: Path | None = None, check: bool = True, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of the environment: ``ganzoo``, ``python``, ``pip``, ``pytest``, ``mypy``.

        It starts in the environment's folder. A failure that is not expected shows what it said.
        """
        program, *arguments = command
        start = [str(self.bin / program)]
        if not (self.bin / program).exists():  # borrowed ones have no script here
            start = [str(self.bin / "python"), "-m", program]
        done = subprocess.run(
            [*start, *arguments],
            cwd=cwd or self.folder,
            env=self._variables() | environment,
            capture_output=True,
            text=True,
        )
        if check:
            assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
        return done

    def _variables(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(_NOT_INHERITED)}
        return kept | {
            "PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}",
            "VIRTUAL_ENV": str(self.folder / "venv"),
            "GANZOO_CACHE": os.environ["GANZOO_CACHE"],  # of all tests: see conftest.py
            "GANZOO_DATA": str(self.folder / "data"),
            "XDG_CACHE_HOME": str(self.folder / "cache"),
            "HF_ENDPOINT": "http://127.0.0.1:9",  # nobody answers there
            "no_proxy": "127.0.0.1",
            "PIP_NO_INDEX": "1",
            "PIP_NO_DEPS": "1",
            "PIP_NO_BUILD_ISOLATION": "0",  # of this one option, 0 is what turns isolation off
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_CONFIG_FILE": os.devnull,
            "OMP_NUM_THREADS": "1",
        }


def _borrow(folder: Path) -> None:
    """Links to all that is installed here, but for ganzoo, its plugins and ``.pth`` files."""
    folder.mkdir(parents=True)
    sources = [Path(p) for p in sys.path if Path(p).name in ("site-packages", "dist-packages")]
    for source in sources:
        for path in source.iterdir():
            link = folder / path.name
            if path.suffix != ".pth" and not link.exists() and not _ours(path):
                link.symlink_to(path)


def _ours(path: Path) -> bool:
    if path.name.startswith(("ganzoo", "_ganzoo")):
        return True
    if path.suffix != ".dist-info":
        return False
    found: Distribution = PathDistribution(path)
    return any(point.group == "ganzoo" for point in found.entry_points)
