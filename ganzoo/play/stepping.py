"""Do slow work in a thread, step by step, so that the page shows how far it is and can end it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor, wait
from threading import Event
from typing import TypeVar

S = TypeVar("S")
T = TypeVar("T")
#: seconds between two looks
_PAUSE = 0.25


class Stopped(Exception):
    """Ends work that nobody waits for any more."""


def stepwise(
    work: Callable[[Callable[[int], None]], T], show: Callable[[int], S], halt: Event
) -> Generator[S, None, T]:
    """Do ``work``, which calls ``advance(n)`` after n steps; return its result.

    Yields ``show`` of the steps that are done, some times in a second.  When ``halt`` is set, or
    the generator is closed, the work ends at its next step; raises Stopped then.
    """
    count = 0

    def advance(n: int) -> None:
        nonlocal count
        count += n
        if halt.is_set():
            raise Stopped

    pool = ThreadPoolExecutor(1)
    future = pool.submit(work, advance)
    try:
        while not wait([future], _PAUSE).done:
            yield show(count)
        return future.result()
    finally:
        halt.set()
        pool.shutdown(wait=False)
