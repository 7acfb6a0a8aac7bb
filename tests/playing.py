"""The page of ``ganzoo play`` in this process, for tests that ask it as a browser does."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ganzoo.play import server
from ganzoo.play.downloads import Downloads
from ganzoo.play.server import Access
from ganzoo.play.shelf import Shelf
from ganzoo.plugins.manager import installed


@dataclass
class Served:
    """A page that is served at ``address``; ``files`` is where its uploads lie."""

    port: int
    files: Path
    downloads: Downloads
    cookies: dict[str, str] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def ask(
        self,
        path: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Send one request as it is written; the status, the headers and the body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.putrequest(method, path, skip_host="Host" in (headers or {}))
            if body is not None:
                connection.putheader("content-length", str(len(body)))
            for name, value in (headers or {}).items():
                connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def event(self, handler: str, data: Sequence[Any], detail: Any = None) -> dict[str, Any]:
        """Send an event as the page does, and wait for what its handler answers."""
        config = json.loads(self.ask("/config")[2])
        number = next(d["id"] for d in config["dependencies"] if d["api_name"] == handler)
        body = {"data": list(data), "fn_index": number, "session_hash": "x", "event_data": detail}
        head = {"content-type": "application/json"}
        status, _, text = self.ask(
            "/gradio_api/queue/join", "POST", json.dumps(body).encode(), head
        )
        if status != 200:
            return {"status": status, "text": text.decode()}
        messages = list(self._answers())
        done = [one for one in messages if one["msg"] == "process_completed"]
        return done[-1] if done else {"messages": messages}

    def _answers(self) -> Iterator[dict[str, Any]]:
        """Yield what the server sends to the session, and let go at the end as the page does."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with closing(connection):
            connection.request("GET", "/gradio_api/queue/data?session_hash=x")
            for line in connection.getresponse():
                if line.startswith(b"data:"):
                    message = json.loads(line[5:])
                    if message["msg"] == "close_stream":
                        return
                    yield message


@contextmanager
def page(
    root: Path, names: Sequence[str] = (), access: Access | None = None, port: int = 0
) -> Iterator[Served]:
    """Serve the page for the runs and models in ``root``."""
    from ganzoo.play.page import build

    registry, downloads = installed().registry, Downloads()
    with server.bind("127.0.0.1", port) as listener, server.quiet_gradio() as files:
        blocks = build(registry, Shelf(registry, names, root), downloads, root)
        engine = server.engine(server.application(blocks, downloads, access or Access(), files))
        thread = threading.Thread(target=engine.run, args=([listener],), daemon=True)
        thread.start()
        while not engine.started and thread.is_alive():
            time.sleep(0.02)
        try:
            yield Served(listener.getsockname()[1], files, downloads)
        finally:
            engine.should_exit = True
            thread.join()
