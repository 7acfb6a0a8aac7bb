"""The first second of a command: no torch where none is needed, no traceback, no foreign output."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ganzoo import hookimpl
from ganzoo.plugins.manager import Plugins
from ganzoo.plugins.registry import Origin

ROOT = Path(__file__).parents[2]
#: commands that need no torch, each with its exit code
WITHOUT_TORCH = {
    "list": 0,
    "show ganzoo/avatars-64": 0,
    "show loss r1": 0,
    "train nosuch": 2,
    "train dcgan": 2,
    "train dcgan-avatars --out taken": 2,
    "resume nosuch": 2,
    "sample nosuch": 2,
    "sample ganzoo/avatars-64 --latent nosuch": 2,
    "directions nosuch": 2,
    "translate ganzoo/avatars-64 nosuch.png --out drawn": 2,
    "encode ganzoo/avatars-64 nosuch.png --out codes": 2,
    "inpaint ganzoo/avatars-64 nosuch.png --mask nosuch.png": 2,
    "project ganzoo/avatars-64 nosuch.png": 2,
    "stylize nosuch.png --style nosuch.png --out drawn": 2,
    "export nosuch --format onnx": 2,
    "import dcgan-pytorch nosuch --out new": 2,
    "import nosuch nosuch --out new": 2,
    "evaluate nosuch -b avatars-64": 2,
    "evaluate --references -b anime-faces-64": 2,
    "verify nosuch": 2,
    "push nosuch user/repo": 2,
    "pull user/repo --out taken": 2,
    "report nosuch": 2,
    "diagnose nosuch": 2,
    "leaderboard": 0,
    "compare ganzoo/avatars-64": 2,
    "compare ganzoo/avatars-64 nosuch": 2,
    "play nosuch": 2,
    "play --host nosuch": 2,
    "plugins": 0,
    "plugins check nosuch": 2,
    "data check nosuch": 2,
}
_ALL_IN_ONE = """
import contextlib, io, json, sys
from ganzoo.cli import main
found = {}
for line in json.load(sys.stdin):
    sys.argv = ["ganzoo", *line.split()]
    out = io.StringIO()
    code = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
    found[line] = code, [*{"torch", "jinja2", "gradio"} & {*sys.modules}], out.getvalue()[:500]
print(json.dumps(found))
"""


def command(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, **options
    )


def test_what_needs_no_torch_does_not_load_it(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").touch()
    done = command("-c", _ALL_IN_ONE, input=json.dumps([*WITHOUT_TORCH]), cwd=tmp_path)
    found = json.loads(done.stdout)
    for line, code in WITHOUT_TORCH.items():
        assert found[line][:2] == [code, []], (line, found[line])
    assert "--set dataset.path=FOLDER" in found["train dcgan"][2]


@pytest.mark.parametrize("word", ["--help", "list", "play --help"])
def test_help_and_list_leave_out_what_takes_long_to_import(word: str) -> None:
    done = command("-X", "importtime", "-m", "ganzoo", *word.split())
    modules = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "typer" in modules
    assert not modules & {"gradio", "pydantic", "rich", "torch", "yaml"}


@pytest.mark.parametrize("module", ["typer", "torch"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_while_modules_are_imported_shows_no_traceback(
    tmp_path: Path, module: str, number: signal.Signals
) -> None:
    # a library that makes an error of its own of whatever interrupts its import
    (tmp_path / f"{module}.py").write_text(
        f"import os\ntry:\n    os.kill(os.getpid(), {number})\n"
        "except BaseException:\n    raise ImportError('broken')\n"
    )
    done = command(
        *("-m", "ganzoo", "sample", "ganzoo/avatars-64"),
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    name = "Ctrl-C" if number == signal.SIGINT else "SIGTERM"
    assert (done.returncode, done.stdout, done.stderr) == (130, "", f"stopped by {name}\n")


def test_nothing_is_imported_before_ctrl_c_is_answered() -> None:
    script = "import sys; before = {*sys.modules}; import ganzoo; print(*{*sys.modules} - before)"
    assert {*command("-c", script).stdout.split()} <= {"ganzoo", "__future__"}


def test_an_interrupt_later_unwinds_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "startup_plugin.py").write_text(
        "import os, signal\n"
        "try:\n    os.kill(os.getpid(), signal.SIGINT)\n"
        "finally:\n    print('tidied up')\n"
    )
    (tmp_path / "startup_plugin-1.dist-info").mkdir()
    (tmp_path / "startup_plugin-1.dist-info" / "entry_points.txt").write_text(
        "[ganzoo]\nstartup = startup_plugin\n"
    )
    (tmp_path / "startup_plugin-1.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: startup-plugin\nVersion: 1\n"
    )
    done = command(
        "-m", "ganzoo", "list", cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path)}
    )
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "tidied up\nstopped by Ctrl-C\n"


@pytest.mark.parametrize("line", ["--help", "plugins new --help", "show vocabulary"])
def test_help_survives_python_that_drops_docstrings(line: str) -> None:
    arguments = ("-m", "ganzoo", *line.split())
    plain = command(*arguments, cwd=ROOT)
    assert plain.stdout
    assert command("-OO", *arguments, cwd=ROOT).stdout == plain.stdout


def test_what_a_plugin_prints_is_no_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "startup_banner.py").write_text(
        "from ganzoo.interfaces import Loss\nprint('from the component')\nclass Mine(Loss): ...\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    class Banner:
        @hookimpl
        def register_losses(self, register: Any) -> None:
            print("from the hook")
            register("mine", "startup_banner:Mine")

        @hookimpl
        def register_commands(self, cli: Any) -> None:
            print("from the commands")

    def load() -> Banner:
        print("from the plugin")
        return Banner()

    from ganzoo.cli import command_line

    plugins = Plugins()
    assert plugins.add(load, Origin("banner", "banner-dist", "1.0")).error is None
    plugins.registry.get("loss", "mine").load()
    command_line(plugins)
    said = capsys.readouterr()
    assert said.out == ""
    for source in ("plugin", "hook", "component", "commands"):
        assert f"from the {source}\n" in said.err


def test_what_a_plugin_prints_past_python_is_no_output(capfd: pytest.CaptureFixture[str]) -> None:
    def load() -> object:
        os.write(1, b"from C\n")
        subprocess.run([sys.executable, "-c", "print('from a child')"], check=True)
        print("from the first stream", file=sys.__stdout__)
        return object()

    print("before")
    Plugins().add(load, Origin("banner", "banner-dist", "1.0"))
    print("after")
    said = capfd.readouterr()
    assert said.out == "before\nafter\n"
    assert "from C\n" in said.err
    assert "from a child\n" in said.err
