"""``ganzoo``, ``python -m ganzoo``, and ``torchrun --nproc_per_node 2 -m ganzoo train RECIPE``."""

from __future__ import annotations

import os
import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType


def _leave(number: int, frame: FrameType | None) -> None:
    """Exit at once; ``startup`` installs a better handler."""
    name = "Ctrl-C" if number == signal.SIGINT else "SIGTERM"
    os.write(2, f"stopped by {name}\n".encode())
    os._exit(130)


for _number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(_number, _leave)


def _command_line() -> Callable[[], None]:
    from ganzoo.cli import main

    return main


def main() -> None:
    """Run a command; see ``ganzoo.cli.main``."""
    from ganzoo import startup

    startup.run(_command_line)


if __name__ == "__main__":
    main()
