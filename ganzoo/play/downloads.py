"""Files that the page offers: each is made when it is fetched, and forgotten after a while."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

#: downloads that are remembered, and bytes that they may hold in memory
_KEPT, _HELD = 500, 1 << 30
#: of a file that opens in the browser: it has an origin of its own, and reaches nothing
_SANDBOX = (
    "sandbox allow-scripts; default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'"
)


@dataclass(frozen=True)
class File:
    """A file with a name; ``make`` makes its content, for which it holds ``held`` bytes in memory.

    ``inline`` files open in the browser.
    """

    name: str
    type: str
    make: Callable[[], bytes]
    held: int = 0
    inline: bool = False

    @property
    def headers(self) -> dict[str, str]:
        if self.inline:
            return {"content-disposition": "inline", "content-security-policy": _SANDBOX}
        return {"content-disposition": f'attachment; filename="{self.name}"'}


class Downloads:
    """Files by a key that nobody guesses."""

    def __init__(self) -> None:
        self._files: OrderedDict[str, File] = OrderedDict()
        self._lock = threading.Lock()

    def offer(self, file: File) -> str:
        """Offer a file; return its address, relative to the page."""
        key = secrets.token_urlsafe(16)
        with self._lock:
            self._files[key] = file
            held = sum(one.held for one in self._files.values())
            while len(self._files) > _KEPT or (held > _HELD and len(self._files) > 1):
                held -= self._files.popitem(last=False)[1].held
        return f"download/{key}/{file.name}"

    def get(self, key: str) -> File | None:
        """Return the file of a key; None if it is unknown or forgotten."""
        return self._files.get(key)
