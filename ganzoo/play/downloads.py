"""Files that the page offers: each is made when it is fetched, and forgotten after a while."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

#: downloads that are remembered
_KEPT = 500
#: of a file that opens in the browser: it has an origin of its own, and reaches nothing
_SANDBOX = (
    "sandbox allow-scripts; default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'"
)


@dataclass(frozen=True)
class File:
    """A file with a name; ``make`` makes its content.  ``inline`` files open in the browser."""

    name: str
    type: str
    make: Callable[[], bytes]
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
            while len(self._files) > _KEPT:
                self._files.popitem(last=False)
        return f"download/{key}/{file.name}"

    def get(self, key: str) -> File | None:
        """Return the file of a key; None if it is unknown or forgotten."""
        return self._files.get(key)
