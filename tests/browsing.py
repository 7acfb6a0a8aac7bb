"""Acts in a real browser: Chromium of the system, driven by Playwright.

Tests that are marked ``needs_browser`` are skipped where either is missing: ``apt-get install
chromium``, or GANZOO_BROWSER names another one.  They use the fixture ``visit``.
"""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSER = os.environ.get("GANZOO_BROWSER") or next(filter(None, map(shutil.which, BROWSERS)), None)
needs_browser = pytest.mark.skipif(
    not (BROWSER and find_spec("playwright")),
    reason="needs Playwright and Chromium: apt-get install chromium",
)

#: a camera that shows a test pattern
ARGUMENTS = [
    "--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
]  # fmt: skip
#: milliseconds; a busy machine is slow
PATIENCE = int(os.environ.get("PATIENCE", 60_000))


def changed(tab: Any, act: Callable[[], object], place: str = "#pictures .gz-sheet") -> str:
    """Act, and wait until the place shows something else; what it shows then.

    Acts again if nothing happens: what has just been opened may miss the first time.
    """
    from playwright.sync_api import TimeoutError as TooLong

    before = tab.locator(place).inner_html()
    for _ in range(4):
        act()
        with suppress(TooLong):
            tab.wait_for_function(
                "([place, before]) => document.querySelector(place)?.innerHTML !== before",
                arg=[place, before],
                timeout=PATIENCE / 2,
            )
            now: str = tab.locator(place).inner_html()
            return now
    pytest.fail(f"{place} did not change")


def slide(tab: Any, name: str, value: float) -> None:
    knob = tab.locator(f"#{name} input[type=range]")
    knob.fill(str(value))
    knob.dispatch_event("pointerup")


def saved(tab: Any, link: Any) -> bytes:
    with tab.expect_download() as download:
        link.click()
    return Path(download.value.path()).read_bytes()


def picture_of(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))
