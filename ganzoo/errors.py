"""Every error a user can meet, and the words that make them helpful.

A ``GanzooError`` is the whole answer: the command line prints its text and exits with
``exit_code``, without a traceback.  Any other exception that escapes is a bug.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from ganzoo.text import plain, shorten, without_secrets


class GanzooError(Exception):
    """A mistake that the user can fix; each of ``lines`` says what, where and how.

    A line stays one line, without terminal commands or tokens; see ``plain`` and
    ``without_secrets``.
    """

    exit_code = 2

    def __init__(self, *lines: object):
        super().__init__(*(without_secrets(plain(line)) for line in lines))

    def __str__(self) -> str:
        return "\n".join(self.args)


class RecipeError(GanzooError):
    """All problems of one recipe at once, one line each."""

    def __init__(self, problems: Sequence[str]):
        super().__init__(*problems)

    @property
    def problems(self) -> tuple[str, ...]:
        """Return the problems, one to a line."""
        return self.args


class PluginError(GanzooError):
    """A plugin that cannot be used: it is broken, missing, or clashes with another."""


class DataError(GanzooError):
    """Images that are missing, unreadable, too few, or not as described."""


class RunError(GanzooError):
    """A run or model folder that the command cannot use."""


class FileError(GanzooError):
    """A file or folder that may not be read or written."""


class DiskFull(FileError):
    """A file that cannot be written because the disk is full."""

    exit_code = 1


class HubError(GanzooError):
    """A model that the Hugging Face Hub does not have, deliver or accept."""


class HubFailure(HubError):
    """The Hub could not be reached, or broke off; trying again may help."""

    exit_code = 1


class CheckpointError(RunError):
    """A checkpoint that is missing, cut short, altered, or of another recipe."""


class TrainingStopped(GanzooError):
    """Training could not go on (a non-finite value, a full disk); saved state is kept."""

    exit_code = 1


class Interrupted(TrainingStopped):
    """Ctrl-C or SIGTERM stopped a training; says what is saved and how to resume."""

    exit_code = 130


def nearest(word: str, allowed: Iterable[str]) -> str:
    """End a sentence: ``, did you mean 'x'?`` for the closest word, else a full stop."""
    close = difflib.get_close_matches(str(word), list(allowed), n=1, cutoff=0.6)
    return f", did you mean '{close[0]}'?" if close else "."


def one_of(allowed: Iterable[str]) -> str:
    """List the allowed words in one line, sorted; ``nothing`` if there are none."""
    return ", ".join(sorted(allowed)) or "nothing"


def reason(error: BaseException) -> str:
    """Say why something failed in one line: ganzoo's errors in full, others by type and start."""
    text = " ".join(plain(error).split()).rstrip(".")
    if isinstance(error, GanzooError):
        return text
    return shorten(f"{type(error).__name__}: {text}".removesuffix(": "))
