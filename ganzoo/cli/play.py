"""``ganzoo play``: the page in the browser."""

from __future__ import annotations

import sys
import threading
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from ganzoo.cli import completion
from ganzoo.errors import RunError
from ganzoo.progress import status
from ganzoo.text import say


def add_to(app: typer.Typer) -> None:
    app.command(rich_help_panel="Use a model")(play)


def play(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="[MODEL]...",
            default_factory=list,
            show_default=False,
            help="Models to offer first: run or model folders, or user/repo from the Hub.",
            autocompletion=completion.models,
        ),
    ],
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, metavar="N", help="Default the first free one from 7860; 0 is any."
        ),
    ] = None,
    host: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            help="Where to listen. Another address than this computer's own asks for a token, "
            "which is printed.",
        ),
    ] = "127.0.0.1",
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")
    ] = True,
) -> None:
    """Open a page in the browser: draw, turn photos, watch trainings, compare, make recipes.

    It offers the models in the box, and the runs and model folders of the current folder. Only this
    computer can reach it, and it sends nothing anywhere.
    """
    from importlib.util import find_spec

    from ganzoo.play import server
    from ganzoo.play.downloads import Downloads
    from ganzoo.play.shelf import Shelf
    from ganzoo.plugins.manager import installed

    token = "" if server.is_loopback(host) else server.new_token()
    registry = installed().registry
    shelf, downloads = Shelf(registry, models), Downloads()
    if find_spec("gradio") is None:
        raise RunError("`ganzoo play` needs Gradio: pip install 'ganzoo[play]'")
    with server.bind(host, port) as listener, server.quiet_gradio() as files:
        with status("opening the page"):
            from ganzoo.play.page import build  # imports torch and Gradio

            blocks = build(registry, shelf, downloads, Path())
            app = server.application(blocks, downloads, server.Access(token), files)
        number = listener.getsockname()[1]
        name = f"[{host}]" if ":" in host else host
        address = f"http://{name}:{number}/" + (f"?token={token}" if token else "")
        say(address)
        say("Ctrl-C ends it.")
        sys.stdout.flush()  # a program that started this waits for the address
        if browser:
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
        server.engine(app).run([listener])
