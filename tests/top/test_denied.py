"""What may not be read or written is said in a sentence, by every verb; see ``denied.py``."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import denied
import pytest
from huggingface_hub import constants
from typer.main import get_group

import ganzoo
from ganzoo.cli import command_line
from ganzoo.errors import DiskFull, FileError
from ganzoo.files import atomic_file, atomic_folder, cache_folder, expand, refusal, refusals
from ganzoo.hub import pull
from ganzoo.models.hub_id import Id
from ganzoo.plugins.manager import installed

Done = dict[str, Any]
#: a process that permissions bind, also where it is root's
OBEDIENT = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
SAYS = (
    r"permission denied|not readable|not writable|too long|not a directory|file exists"
    r"|is a file|there is a file|is a folder|is no run|holds no weights|no such|there is no file"
    r"|unknown recipe|unknown benchmark"
)


@pytest.fixture(scope="module")
def walks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Done]]:
    """What every command did in each of the places of ``denied.py``."""
    if not hasattr(os, "fork"):
        pytest.skip("needs Unix's permissions")
    obey = OBEDIENT if os.geteuid() == 0 else ()
    if obey and (not shutil.which("setpriv") or subprocess.run([*obey, "true"]).returncode):
        pytest.skip("root cannot give up its rights here: no setpriv")
    root = tmp_path_factory.mktemp("denied")
    names = ["places", "only-read", "parts", "working-folder", "home"]
    done = subprocess.run(
        [*obey, sys.executable, "denied.py", str(root), *names],
        cwd=Path(__file__).parents[1],
        env={
            **os.environ,
            **{"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PYTHONIOENCODING": "utf-8"},
            "GANZOO_CACHE": str(root / "cache"),
        },
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return {name: [row for row in rows if row["walk"] == name] for name in names}


def told(row: Done) -> str:
    """What a command said, in one line, after its words."""
    return f"{' '.join(row['words'])} -> {row['code']}: {' '.join(row['said'].split())}"


def test_a_place_that_is_denied_is_told_by_every_verb(walks: dict[str, list[Done]]):
    for row in walks["places"]:
        assert row["code"] == 2, told(row)
        said = " ".join(row["said"].split()).lower()
        assert re.search(SAYS, said), told(row)
        if any("closed/" in word for word in row["words"]):
            assert "permission denied" in said, told(row)
        assert "[errno" not in said, told(row)


def test_the_walk_goes_through_every_verb():
    forms = [form.split() for form in (*denied.READING, *denied.WRITING, *denied.HOMELESS)]
    walked = {*(" ".join(words[:1]) for words in forms), *(" ".join(w[:2]) for w in forms)}
    no_files = {"list", "recipe schema", "recipe explain", "plugins list", "plugins check"}
    for name, command in get_group(command_line(installed())).commands.items():
        verbs = [f"{name} {verb}" for verb in getattr(command, "commands", ())] or [name]
        assert set(verbs) <= walked | no_files, "denied.py has to walk every verb"


def test_a_run_that_may_only_be_read_can_be_used(walks: dict[str, list[Done]]):
    for row in walks["only-read"]:
        assert row["code"] == denied.ONLY_READ[" ".join(row["words"])], told(row)
        if row["code"] == 2:
            assert "permission denied" in row["said"].lower(), told(row)


def test_a_part_of_a_run_that_may_not_be_read_is_not_called_damaged(walks: dict[str, list[Done]]):
    assert {row["part"] for row in walks["parts"]} >= {"model", "checkpoints", "metrics.jsonl"}
    for row in walks["parts"]:
        assert row["code"] in (0, 2), told(row)
        if row["code"] == 2:
            assert "permission denied" in row["said"].lower(), told(row)
            assert not re.search("damaged|cut short", row["said"]), told(row)


def test_a_working_folder_that_was_removed_is_told(walks: dict[str, list[Done]]):
    assert len(walks["working-folder"]) == len(denied.GONE)
    for row in walks["working-folder"]:
        assert row["code"] in (0, 2), told(row)
        if row["code"] == 2:
            assert re.search("folder .*was removed", row["said"]), told(row)


def test_without_a_home_folder_nothing_is_called_tilde(walks: dict[str, list[Done]]):
    assert len(walks["home"]) == len(denied.HOMELESS)
    for row in walks["home"]:
        assert row["code"] in (0, 2), told(row)
        if row["code"] == 2 and row["words"][:1] not in (["pull"], ["search"]):
            assert "home folder" in row["said"] or "HF_HUB_OFFLINE" in row["said"], told(row)


# -- one by one -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "path", "kind", "says"),
    [
        (errno.ENOSPC, None, DiskFull, "the disk is full. Make room"),
        (errno.EDQUOT, "a/b", DiskFull, "the disk is full (a/b)"),
        (errno.EROFS, "a/b", FileError, "a/b cannot be written: read-only file system. Name"),
        (errno.EMFILE, "a/b", FileError, "ulimit -n"),
        (errno.ENOENT, "a/b", FileError, "a/b cannot be used: no such file or directory"),
        (errno.ENAMETOOLONG, "x" * 300, FileError, "xxx... cannot be used: file name too long"),
        (errno.EIO, b"a/b", FileError, "a/b cannot be used: input/output error"),
    ],
)
def test_what_the_system_refuses(number: int, path: Any, kind: type, says: str):
    refused = refusal(OSError(number, os.strerror(number), *([path] if path else [])))
    assert type(refused) is kind
    assert says in str(refused)
    assert refused.exit_code == (1 if kind is DiskFull else 2)


@pytest.mark.parametrize(
    "error", [OSError("boom"), ConnectionResetError(errno.ECONNRESET, "reset"), OSError(3, "x", 7)]
)
def test_what_is_of_no_file_is_left_alone(error: OSError):
    assert refusal(error) is None
    with pytest.raises(type(error)) as same, refusals():
        raise error
    assert same.value is error


def test_without_a_folder_for_temporary_files(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/nowhere"])
    with pytest.raises(FileError, match="TMPDIR"), refusals():
        tempfile.mkdtemp()


def test_an_error_names_the_file_and_not_the_one_aside(tmp_path: Path):
    with pytest.raises(IsADirectoryError) as refused, atomic_folder(tmp_path / "x") as aside:
        aside.write_text("")
    assert refused.value.filename == str(tmp_path / "x")
    (tmp_path / "here").write_text("")
    with pytest.raises(OSError) as refused, atomic_file(tmp_path / "here" / "x") as aside:
        aside.write_text("")
    assert refused.value.filename == str(tmp_path / "here" / "x")


def test_the_functions_raise_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def denies(self: Path, *_: Any, **__: Any) -> bool:
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "is_file", denies)
    with pytest.raises(FileError, match="permission denied"):
        ganzoo.load(tmp_path / "model")


# -- no home ----------------------------------------------------------------------------------


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    pwd = pytest.importorskip("pwd")

    def unknown(*_: Any) -> None:
        raise KeyError("uid not found")

    for name in ("HOME", "GANZOO_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.setattr(pwd, "getpwnam", unknown)


@pytest.mark.parametrize("path", ["~", "~/x", "~nobody-by-this-name/x"])
def test_a_home_folder_that_there_is_not(homeless: None, monkeypatch: Any, path: str):
    with pytest.raises(FileError, match="set HOME"):
        expand(Path(path))
    monkeypatch.setenv("GANZOO_CACHE", path)
    with pytest.raises(FileError, match="set HOME"):
        cache_folder()


def test_a_cache_has_no_place_without_a_home(homeless: None, monkeypatch: Any):
    with pytest.raises(FileError, match="GANZOO_CACHE"):
        cache_folder()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", "~/.cache/huggingface/hub")
    with pytest.raises(FileError, match="HF_HOME"):
        pull.pull(Id("me/it"), installed().registry)
