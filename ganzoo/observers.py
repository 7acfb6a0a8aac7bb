"""Tell the observers; one that raises is reported once and switched off, never the training."""

from __future__ import annotations

import sys
from typing import Any

from ganzoo.plugins import Plugins


def notify(plugins: Plugins, event: str, **arguments: Any) -> None:
    """Call an observer hook in every plugin that implements it."""
    for implementation in list(getattr(plugins.hook, event).get_hookimpls()):
        try:
            wanted = {name: arguments[name] for name in implementation.argnames}
            implementation.function(**wanted)
        except Exception as error:
            plugins.manager.unregister(implementation.plugin)
            print(
                f"observer '{implementation.plugin_name}' failed in {event} and is switched off: "
                f"{type(error).__name__}: {error}",
                file=sys.stderr,
            )
