"""The command line: nouns that a GAN person knows, verbs that read aloud.

Each verb lives in the module of its group and imports torch, if at all, in its body.
"""

from __future__ import annotations

import sys

import typer

from ganzoo.cli import inspect, recipe, results, training
from ganzoo.errors import GanzooError

app = typer.Typer(
    name="ganzoo",
    help="A GAN zoo: compose GANs and losses in YAML, train them, compare them, share them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for group in (inspect, recipe, training, results):
    group.add_to(app)


def main() -> None:
    """Run a command; a user's mistake prints its sentence and exits with 2."""
    from ganzoo.plugins import installed

    try:
        plugins = installed()
        for plugin in plugins.broken:
            print(f"warning: {plugin.report()}", file=sys.stderr)
        plugins.add_commands(app)
        app()
    except GanzooError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # `ganzoo list | head`
        sys.stderr.close()
        sys.exit(0)
