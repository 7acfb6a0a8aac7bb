"""``ganzoo``, ``python -m ganzoo``, and ``torchrun --nproc_per_node 2 -m ganzoo train RECIPE``."""

from __future__ import annotations

from collections.abc import Callable


def _command_line() -> Callable[[], None]:
    from ganzoo.cli import main

    return main


def main() -> None:
    """Run a command; see ``ganzoo.cli.main``."""
    from ganzoo import startup

    startup.run(_command_line)


if __name__ == "__main__":
    main()
