"""No answer is lost between two streams of a page."""

from __future__ import annotations

import asyncio
from typing import Any

from ganzoo.play.streams import Message, Streams

END: Message = {
    "type": "http.response.body", "body": b'data: {"msg":"close_stream"}\n\n', "more_body": True
}  # fmt: skip
STREAM = {"query_string": b"session_hash=one"}


class Page:
    """Gradio's application, whose streams end at once, and a browser that lets go when told."""

    def __init__(self) -> None:
        self.streams = Streams(self.app)
        self.replies: list[str] = []
        self.gone = asyncio.Event()

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        if scope is STREAM:
            await send({"type": "http.response.start", "status": 200})
            await send(END)
            await send({"type": "http.response.body", "body": b""})
        else:
            await send({"type": "http.response.body", "body": b"{}"})

    async def wait(self) -> Message:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def post(self, session: str) -> None:
        async def hear(message: Message) -> None:
            self.replies.append(session)

        await self.streams.post(session, {}, self.wait, hear)

    async def listen(self) -> None:
        async def hear(message: Message) -> None:
            pass

        await self.streams.stream(STREAM, self.wait, hear)


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def test_a_reply_waits_until_the_page_let_go_of_a_stream_that_ended() -> None:
    async def play() -> None:
        page = Page()
        stream = asyncio.create_task(page.listen())
        await settle()
        posts = [asyncio.create_task(page.post(session)) for session in ("one", "other")]
        await settle()
        assert page.replies == ["other"]
        page.gone.set()
        await asyncio.gather(stream, *posts)
        assert page.replies == ["other", "one"]
        await page.post("one")
        assert page.replies[2:] == ["one"]

    asyncio.run(play())
