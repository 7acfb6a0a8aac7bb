"""Keep answers from getting lost between two streams of Gradio's.

The page posts an event, and hears the answer on a stream of its own that Gradio ends as soon as
nothing is left to send.  A page that reads the reply to a post while that end is still on its way
believes that its stream goes on, and waits for an answer that never comes.  So the reply waits
until the page has let go of the stream that has ended: it closes the connection when it reads of
the end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_END = b'"msg":"close_stream"'
#: seconds that a page has to let go of a stream
_PATIENCE = 5.0


class Streams:
    """Gradio's application, which answers each post of a session when no stream of it is ending."""

    def __init__(self, app: Any):
        self._app = app
        self._ending: dict[str, asyncio.Event] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    async def post(self, session: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer an event that a session posted."""

        async def reply(message: Message) -> None:
            closed = self._ending.get(session)
            if closed:
                with suppress(TimeoutError):
                    await asyncio.wait_for(closed.wait(), _PATIENCE)
            await send(message)

        await self._app(scope, receive, reply)

    async def stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answers to a session."""
        session = parse_qs(scope["query_string"].decode("latin-1")).get("session_hash", [""])[0]
        closed = asyncio.Event()

        async def answer(message: Message) -> None:
            if _END in message.get("body", b""):
                self._ending[session] = closed
            is_last = message["type"] == "http.response.body" and not message.get("more_body")
            if is_last and self._ending.get(session) is closed:
                with suppress(TimeoutError):
                    await asyncio.wait_for(_disconnected(receive), _PATIENCE)
            await send(message)

        try:
            await self._app(scope, receive, answer)
        finally:
            closed.set()
            if self._ending.get(session) is closed:
                del self._ending[session]


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
