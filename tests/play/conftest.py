"""A browser, for tests of the page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from browsing import ARGUMENTS, BROWSER, PATIENCE
from playing import Served


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Any, served: Served) -> Iterator[Callable[..., Any]]:
    """Open the page in a new profile: its own user.  No request may leave this computer.

    The page is alive when it has heard all that it asked for when it opened: the stream has ended.
    """
    contexts = []

    def visit(width: int = 1280, scheme: str = "light", address: str = "") -> Any:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
        )
        contexts.append(context)
        tab = context.new_page()
        tab.set_default_timeout(PATIENCE)
        tab.foreign = []
        local = ("http://127.0.0.1:", "data:", "blob:", "about:")
        tab.on("request", lambda r: r.url.startswith(local) or tab.foreign.append(r.url))
        ended: list[Any] = []
        for how in ("requestfinished", "requestfailed"):  # the page itself breaks it off
            tab.on(how, lambda r: ended.append(r) if "/queue/data" in r.url else None)
        tab.goto(address or served.address)
        tab.wait_for_selector("#pictures img")
        for _ in range(PATIENCE // 50):
            if ended:
                return tab
            tab.wait_for_timeout(50)
        pytest.fail("the page did not come alive")

    yield visit
    for context in contexts:
        for tab in context.pages:
            assert getattr(tab, "foreign", []) == []
        context.close()
