"""Call foreign code and turn whatever it raises into a sentence."""

from __future__ import annotations

import sys
import textwrap
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


class Unavailable(Exception):
    """A promise cannot be tested here (no weights, a missing extra); says what to do."""


class Raised(AssertionError):
    """A call raised ``__cause__``, which it should not."""


def attempt(what: str, function: Callable[..., T], /, *args: object, **kwargs: object) -> T:
    """Call ``function(*args, **kwargs)``; ``what`` describes it in the message of an error.

    Raises ``Raised`` from any exception.  Our own messages pass through.
    """
    try:
        return function(*args, **kwargs)
    except (Raised, Unavailable):
        raise
    except AssertionError as error:
        if not _place(error):  # our own
            raise
        raise Raised(_sentence(what, error)) from error
    except (Exception, SystemExit) as error:
        raise Raised(_sentence(what, error)) from error


def _sentence(what: str, error: BaseException) -> str:
    text = f"{what} raised {type(error).__name__}: {' '.join(str(error).split())}".rstrip(": ")
    return textwrap.shorten(text, 600, placeholder=" ...") + _place(error)


def _place(error: BaseException) -> str:
    """Return the last line that ran in neither our code nor a library's; empty if none did."""
    modules = (sys.modules.get(name) for name in ("torch", "numpy", "safetensors", "PIL"))
    foreign = [Path(module.__file__).parent for module in modules if module and module.__file__]
    foreign.append(Path(__file__).parent)
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.suffix == ".py" and not any(path.is_relative_to(folder) for folder in foreign):
            inside = Path(path.parent.name) / path.name
            return f" ({inside}:{frame.lineno}, in {frame.name})"
    return ""
