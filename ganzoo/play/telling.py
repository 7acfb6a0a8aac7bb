"""Tell the page's user what went wrong, as the command line does: in a sentence."""

from __future__ import annotations

import functools
import html
import inspect
import traceback
from collections.abc import Callable
from typing import Any

import gradio as gr

from ganzoo.errors import GanzooError
from ganzoo.files import refusals

#: seconds that a message stays
_STAYS = 12


def telling(handler: Callable[..., Any]) -> Callable[..., Any]:
    """Show a GanzooError of an event's handler on the page, and anything else as a bug."""
    if inspect.isgeneratorfunction(handler):

        @functools.wraps(handler)
        def stepwise(*arguments: Any) -> Any:
            try:
                with refusals():
                    yield from handler(*arguments)
            except Exception as error:
                raise _shown(error) from None

        return stepwise

    @functools.wraps(handler)
    def at_once(*arguments: Any) -> Any:
        try:
            with refusals():
                return handler(*arguments)
        except Exception as error:
            raise _shown(error) from None

    return at_once


def _shown(error: Exception) -> gr.Error:
    if isinstance(error, gr.Error):
        return error
    if isinstance(error, GanzooError):
        text = str(error)
    else:
        traceback.print_exception(error)
        text = f"{type(error).__name__}. This is a bug; the terminal shows where."
    return gr.Error(html.escape(text), duration=_STAYS, print_exception=False, title="Not done")
