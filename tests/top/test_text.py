"""What other people's text does on a terminal: nothing but to be read."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
from typed import Run, typist

from ganzoo.errors import GanzooError, RecipeError, reason
from ganzoo.text import cell, gist, plain, say, say_json, wrapped

#: its tables have models of every kind
ARCHIVE = Path(__file__).parents[2] / "benchmarks" / "archive" / "v1"
#: an escape sequence, a title, C1, a bidi override, zero width, a surrogate, line breaks, markup
HOSTILE = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202e\u200b\u2066\udcff\r\n\u2028\x85[red]"


def is_plain(text: str) -> bool:
    return all(c.isprintable() or c == "\n" for c in text)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)
    return typist(monkeypatch, capsys)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Zoë 東京\u3000𝒜 [bold]", "Zoë 東京 𝒜 [bold]"),
        ("a\x1b[2Jb\x07", "a\\x1b[2Jb\\x07"),
        ("\x9b31m", "\\x9b31m"),
        ("exe\u202egpj", "exe\\u202egpj"),
        ("a\u200bb\ufeff", "a\\u200bb\\ufeff"),
        ("\U000e0041", "\\U000e0041"),
        ("licence: mit\nlicence: gpl\r\u2028\x85", "licence: mit licence: gpl   "),
        (os.fsdecode(b"\xff.png"), "\\xff.png"),
        (Path("a b"), "a b"),
    ],
)
def test_what_a_terminal_would_obey_is_shown(text: object, shown: str) -> None:
    assert plain(text) == shown


def test_an_error_has_a_line_for_each_line_it_was_given() -> None:
    assert str(GanzooError(f"one {HOSTILE} two", "three")).count("\n") == 1
    assert is_plain(str(GanzooError(HOSTILE)))
    error = RecipeError([f"x.yaml:1:1 {HOSTILE}", "x.yaml:2:1 b"])
    assert len(error.problems) == len(str(error).splitlines()) == 2
    assert all(map(is_plain, error.problems))


@pytest.mark.parametrize(
    "text",
    [
        "Illegal header value b'Bearer hf_SECRETsecret\\\\nSECRET'",
        "HF_TOKEN=hf_SECRETsecret",
        "https://ann:SECRET@hub.example/x cannot be reached",
        "authorization: bearer SECRET",
    ],
)
def test_an_error_keeps_secrets(text: str) -> None:
    assert "SECRET" not in str(GanzooError(text))
    assert "SECRET" not in str(GanzooError("a", reason(ValueError(text))))


def test_the_reason_of_an_error_is_one_line() -> None:
    assert reason(ValueError("no\n  good.")) == "ValueError: no good"
    assert reason(KeyboardInterrupt()) == "KeyboardInterrupt"
    assert reason(GanzooError("a", "b.")) == "a b"
    assert is_plain(reason(OSError(HOSTILE)))
    assert len(reason(ValueError("x" * 10**6))) == 300
    assert gist("\n 404 Not Found:\n no such thing.\nRequest 7") == "404 Not Found: no such thing"


def test_every_way_to_print_is_plain(capsys: pytest.CaptureFixture[str]) -> None:
    say(HOSTILE, HOSTILE)
    say(HOSTILE, bold=True, colour="red", nl=False)
    say(HOSTILE, err=True)
    say_json({HOSTILE: Path(HOSTILE)})
    said = capsys.readouterr()
    assert is_plain(said.out)
    assert is_plain(said.err)
    assert len(said.out.splitlines()) == 5
    assert len(said.err.splitlines()) == 1
    assert cell(HOSTILE, "[bold]b").plain.splitlines() == [plain(HOSTILE), "[bold]b"]


def test_logs_and_warnings_of_libraries_are_plain(
    run: Run, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    before = logging.getLogRecordFactory()
    try:
        assert run("list", "losses").code == 0
        logging.getLogger("huggingface_hub").warning("the server says: %s", "\x1b[31m\u202e")
    finally:
        logging.setLogRecordFactory(before)
    assert caplog.messages == ["the server says: \\x1b[31m\\u202e"]
    assert is_plain(warnings.formatwarning(HOSTILE, UserWarning, "x.py", 1))


@pytest.mark.parametrize("words", [["--" + HOSTILE], [HOSTILE], ["sample", "x", "-n", HOSTILE]])
def test_a_wrong_command_line_is_quoted_plainly(run: Run, words: list[str]) -> None:
    result = run(*words)
    assert result.code == 2
    assert is_plain(result.err)
    assert len(result.err.splitlines()) <= 5


# -- output that cannot be encoded, or not be written -------------------------------------------


def ganzoo(*words: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "ganzoo", *words]
    return subprocess.run(command, stderr=subprocess.PIPE, check=False, **options)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "cp932"])
def test_a_terminal_of_any_encoding_gets_every_number(encoding: str) -> None:
    environment = os.environ | {"PYTHONIOENCODING": encoding, "COLUMNS": "120"}
    done = ganzoo("leaderboard", str(ARCHIVE), env=environment, stdout=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, b"")
    text = done.stdout.decode(encoding)
    assert "cartoongan" in text
    assert ("+-" if encoding == "ascii" else "±") in text


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("words", ["list losses", "leaderboard --json", "recipe schema"])
def test_a_full_disk_behind_standard_output(words: str) -> None:
    with Path("/dev/full").open("wb") as full:
        done = ganzoo(*words.split(), stdout=full)
    assert done.returncode == 1
    assert done.stderr.startswith(b"error: the output cannot be written: ")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX")
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams(closed: str, tmp_path: Path) -> None:
    code = f'"{sys.executable}" -m ganzoo leaderboard "{ARCHIVE}" --html page.html {closed}'
    done = subprocess.run(code, shell=True, cwd=tmp_path, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "page.html").read_text(encoding="utf-8").startswith("<!")


def test_lines_break_between_words_on_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    sentence = "toy: new run, 16 images, 9 steps, batch 4 -> " + "folder/" * 8
    assert wrapped("", sentence) == [sentence]
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    lines = wrapped("", sentence)
    assert " ".join(lines) == sentence
    assert lines[-1] == "folder/" * 8  # longer than the line, and whole
    assert all(len(line) <= 40 for line in lines[:-1])
