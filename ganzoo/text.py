"""Print text on a terminal so that nothing in it acts as a command.

Foreign names, labels, licences, headers and messages can hold terminal commands, letters that turn
a line around, or a second line that poses as ours.  ``plain`` shows such characters instead of
obeying them.  Every ``GanzooError`` passes through it, and so does all that ``say`` and ``cell``
print; a test walks every command with hostile names, and ruff forbids other ways to print.
"""

from __future__ import annotations

import codecs
import html
import io
import json
import logging
import os
import re
import shutil
import sys
import textwrap
import unicodedata
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

#: most letters of a foreign message
MOST = 300


def plain(text: object) -> str:
    r"""Put ``text`` on one line, without terminal commands or invisible characters.

    White space becomes a space.  Control characters, and those that change the direction of text or
    have no width, become escapes, as ``\x1b``; so do bytes of a file name that are not UTF-8.
    """
    line = str(text)
    return line if line.isprintable() else "".join(map(_visible, line))


def _visible(letter: str) -> str:
    if letter.isspace():
        return " "
    if unicodedata.category(letter) not in ("Cc", "Cf", "Cs"):
        return letter
    code = ord(letter)
    if 0xDC80 <= code <= 0xDCFF:  # Python's form of an undecodable byte in a file name
        return f"\\x{code - 0xDC00:02x}"
    return letter.encode("unicode_escape").decode()


_SECRETS = re.compile(r"(?<=\bhf_)\w{6,}|(?<=://)[^/@\s]+(?=@)|(?<=\b[Bb]earer )[^\s'\"]+")


def without_secrets(text: str) -> str:
    """Replace tokens, and users and passwords in addresses, by ``***``."""
    return _SECRETS.sub("***", text)


def gist(error: object) -> str:
    """Return the first informative line of an error or its text, without its full stop."""
    lines = [line for line in (plain(line).strip() for line in str(error).splitlines()) if line]
    text = lines[0] if lines else type(error).__name__
    if text.endswith(":") and len(lines) > 1:
        text = f"{text} {lines[1]}"
    return shorten(text.rstrip("."))


def shorten(text: str, most: int = MOST) -> str:
    """Cut ``text`` to ``most`` letters, ending in ``...``."""
    return text if len(text) <= most else f"{text[: most - 4]} ..."


def md(value: object) -> str:
    """Escape a value for Markdown: one line, no markup, no links."""
    text = html.escape(" ".join(plain(value).split()), quote=False)
    text = re.sub(r"([\\`*_\[\]|~$#])", r"\\\1", text)
    return re.sub(r"(?<=:)(?=//)|(?<=www)(?=\.)|(?<=@)", "\u2060", text, flags=re.IGNORECASE)


# -- printing ---------------------------------------------------------------------------------


class OutputError(OSError):
    """Standard output cannot be written: the disk is full, or its reader has gone."""


@contextmanager
def output() -> Iterator[None]:
    """Turn an OSError in this block, which writes to standard output, into an OutputError.

    The buffer is dropped, or Python would fail once more at exit.
    """
    try:
        yield
    except OSError as error:
        with suppress(OSError, ValueError), open(os.devnull, "w") as nowhere:  # noqa: PTH123
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
        raise OutputError(error.errno, error.strerror) from error


@contextmanager
def aside() -> Iterator[None]:
    """Send what plugins print in this block to standard error, that of their children too."""
    with ExitStack() as after:
        with suppress(OSError):  # one of them is closed
            stdout = os.dup(1)
            after.callback(os.close, stdout)
            _flush_output()
            os.dup2(2, 1)
            after.callback(os.dup2, stdout, 1)
            after.callback(_flush_output)
        after.enter_context(redirect_stdout(sys.stderr))
        yield


def _flush_output() -> None:
    for stream in (sys.stdout, sys.__stdout__):
        with suppress(AttributeError, OSError, ValueError):
            stream.flush()  # type: ignore[union-attr]


def wrapped(start: str, text: str) -> list[str]:
    """Wrap ``start`` and ``text`` to the terminal's width, the text in a column of its own.

    Words, such as long paths, stay whole.  If the column is narrow, the text begins on a new line.
    Output to a file or another program is not wrapped.
    """
    if not sys.stdout.isatty():
        return [f"{start}{text}"]
    width = shutil.get_terminal_size().columns
    column = " " * len(start)
    before = []
    if width - len(column) < 32:
        before, start, column = [start.rstrip()], " " * 6, " " * 6
    lines = textwrap.wrap(
        plain(text), max(width - len(column), 20), break_on_hyphens=False, break_long_words=False
    )
    first, *others = lines or [""]
    return [*before, start + first, *(column + line for line in others)]


def say(
    *lines: object,
    bold: bool = False,
    colour: str | None = None,
    nl: bool = True,
    err: bool = False,
) -> None:
    """Print each of ``lines`` on a line of its own, with ``err`` to standard error.

    Errors of standard error are ignored.  Raises OutputError.
    """
    import typer

    file = sys.stderr if err else sys.stdout
    with suppress(OSError) if err else output():
        for line in lines:
            text = plain(line)
            if bold or colour:
                text = typer.style(text, bold=bold or None, fg=colour)
            typer.echo(text, file=file, nl=nl)


def say_json(data: object) -> None:
    """Print ``data`` as JSON, in ASCII; types unknown to JSON become text."""
    import typer

    with output():
        typer.echo(json.dumps(data, indent=1, default=str), file=sys.stdout)


def say_table(table: Table, width: int | None = None) -> None:
    """Print a rich table whose cells come from ``cell``."""
    from rich.console import Console

    with output():
        Console(width=width, highlight=False).print(table)


def cell(*lines: object, **options: Any) -> Text:
    """Make a cell of a rich table of ``lines``: literal text, each on one line."""
    from rich.text import Text

    return Text("\n".join(map(plain, lines)), **options)


# -- the streams of a command -----------------------------------------------------------------


class _Record(logging.LogRecord):
    """A message of a library, which may quote a server or a file."""

    def getMessage(self) -> str:
        return "\n".join(map(plain, super().getMessage().split("\n")))


def prepare_streams() -> None:
    """Make standard output and error take every text; warnings and logs go through ``plain``.

    Characters that an encoding lacks are spelt in ASCII.  A closed stream is replaced by a null
    stream, so that no other file opens in its place and is written to by accident.
    """
    codecs.register_error("ganzoo.spelt", _spelt)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="ganzoo.spelt")
    logging.setLogRecordFactory(_Record)
    warnings.formatwarning = lambda message, category, filename, lineno, line=None: (
        f"{filename}:{lineno}: {category.__name__}: {plain(message)}\n"
    )


_ASCII = {
    **{"−": "-", "–": "-", "—": "-", "━": "-", "╸": "-", "×": "x", "±": "+-", "√": "sqrt"},
    **{"↑": "^", "↓": "v", "→": "->", "≤": "<=", "≥": ">=", "…": "...", "·": "*", "•": "*"},
    **{"‘": "'", "’": "'", "“": '"', "”": '"', "\u2009": " ", "\xa0": " "},
    **dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹₁₂", [*(f"^{n}" for n in range(10)), "_1", "_2"], strict=True)),
}


def _spelt(error: UnicodeError) -> tuple[str, int]:
    """Replace letters that an encoding lacks: by their like in ASCII, else an escape."""
    assert isinstance(error, UnicodeEncodeError)
    letters = error.object[error.start : error.end]
    spelt = (_ASCII.get(c) or c.encode("unicode_escape").decode() for c in letters)
    return "".join(spelt), error.end
