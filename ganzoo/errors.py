"""Every error a user can meet, and the words that make them helpful.

A ``GanzooError`` is the whole answer: the command line prints its text and exits with
``exit_code``, without a traceback.  Anything else that escapes is a bug.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class GanzooError(Exception):
    """A mistake that the user can mend; the message says what, where and how."""

    exit_code = 2


class RecipeError(GanzooError):
    """All problems of one recipe at once, one line each."""

    def __init__(self, problems: Sequence[str]):
        self.problems = tuple(problems)
        super().__init__("\n".join(problems))


class PluginError(GanzooError):
    """A plugin that cannot be used: it is broken, missing, or clashes with another."""


class DataError(GanzooError):
    """Images that are missing, unreadable, too few, or not what was said."""


class RunError(GanzooError):
    """A run or model folder that is not what the command needs."""


class HubError(GanzooError):
    """A model that the Hugging Face Hub does not have, or does not give or take."""


class HubFailure(HubError):
    """The Hub could not be reached, or broke off; asking again may help."""

    exit_code = 1


class CheckpointError(RunError):
    """A checkpoint that is missing, cut short, altered, or of another recipe."""


class TrainingStopped(GanzooError):
    """Training could not go on (a non-finite value, a full disk); what was saved is kept."""

    exit_code = 1


class Interrupted(TrainingStopped):
    """Training was asked to stop, by Ctrl-C or SIGTERM, and has saved everything."""

    exit_code = 130


def nearest(word: str, allowed: Iterable[str]) -> str:
    """The end of a sentence: ``, did you mean 'x'?`` for the closest word, else a full stop."""
    close = difflib.get_close_matches(str(word), list(allowed), n=1, cutoff=0.6)
    return f", did you mean '{close[0]}'?" if close else "."


def one_of(allowed: Iterable[str]) -> str:
    """The allowed words in one readable line, sorted; ``nothing`` where there are none."""
    return ", ".join(sorted(allowed)) or "nothing"
