"""Serve the page, to this computer alone unless told otherwise, and keep others out.

Every request passes ``Guard`` before Gradio sees it: only the routes that the page needs exist, a
page elsewhere can neither post nor read, and no file is served but what this server wrote for its
users.  Gradio's own checks stay in place behind it.
"""

from __future__ import annotations

import hmac
import ipaddress
import json
import os
import re
import secrets
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from ganzoo.errors import RunError
from ganzoo.play.downloads import Downloads
from ganzoo.play.streams import Message, Receive, Scope, Send, Streams

if TYPE_CHECKING:
    from gradio import Blocks
    from uvicorn import Server

#: most bytes of an uploaded file, of one upload, and of a request that holds values of controls
FILE_BYTES, UPLOAD_BYTES, REQUEST_BYTES = 32 << 20, 512 << 20, 2 << 20
COOKIE = "ganzoo_play"
#: the ports that are tried, the first that is free
PORTS = range(7860, 7880)

_API = "/gradio_api"
_GET = re.compile(
    rf"/|/config/?|/theme\.css|/favicon\.ico|/(static|assets)/[\w./@-]+|/download/[\w-]+/[\w.-]+"
    rf"|{_API}/(theme\.css|startup-events|queue/data|upload_progress|heartbeat/\w+|app_id|file=.+)"
)
_POST = re.compile(rf"{_API}/(queue/join|upload|cancel|reset/?)")
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' data: blob:; "
    "font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; object-src 'none'; "
    "base-uri 'self'; form-action 'self'"
)
_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


@dataclass(frozen=True)
class Access:
    """Who may use the page: this computer alone, or whoever has the ``token``.

    ``embedded`` is for a Space: everybody may, and the Hub may show the page in a frame.
    """

    token: str = ""
    embedded: bool = False

    @property
    def headers(self) -> dict[str, str]:
        if self.embedded:
            return {"content-security-policy": _POLICY}
        return {**_HEADERS, "content-security-policy": f"{_POLICY}; frame-ancestors 'none'"}


class Guard:
    """An ASGI application that answers 400, 403, 404 or 413, or hands a request on.

    ``files`` is the only folder that files are served from.
    """

    def __init__(self, app: Any, access: Access, files: Path):
        self._app, self._access, self._files = Streams(app), access, files.resolve()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        refusal = self._refusal(scope, headers)
        if refusal:
            await _answer(send, *refusal, self._access.headers)
            return
        if self._access.token and not self._has_token(headers):
            await self._greet(scope, send)
            return
        if scope["path"] == f"{_API}/queue/join":
            body, session, problem = await _read(receive)
            if problem:
                await _answer(send, *problem, self._access.headers)
                return
            receive = _replay(body, receive)
            await self._app.post(session, scope, receive, self._with_headers(send))
        elif scope["path"] == f"{_API}/queue/data":
            await self._app.stream(scope, receive, self._with_headers(send))
        else:
            await self._app(scope, _bounded(receive), self._with_headers(send))

    def _refusal(self, scope: Scope, headers: dict[str, str]) -> tuple[int, str] | None:
        method, path = scope["method"], scope["path"]
        if not (self._access.embedded or self._access.token or _is_local(headers.get("host", ""))):
            return 403, "This page answers only at its own address on this computer."
        allowed = {"GET": _GET, "HEAD": _GET, "POST": _POST}.get(method)
        if not allowed or not allowed.fullmatch(path):
            return 404, "There is no such page."
        if not (self._access.embedded or _is_from_here(method, path, headers)):
            return 403, "Another site may not use this page."
        file = Path(unquote(path.partition("=")[2]))
        if path.startswith(f"{_API}/file=") and not self._is_offered(file):
            return 403, "This file is not offered."
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > UPLOAD_BYTES:
            return 413, f"More than {UPLOAD_BYTES >> 20} MB at once: give fewer or smaller files."
        return None

    def _is_offered(self, path: Path) -> bool:
        try:
            return path.is_absolute() and path.resolve().is_relative_to(self._files)
        except (OSError, RuntimeError, ValueError):  # too long, a loop of links, or a NUL
            return False

    def _has_token(self, headers: dict[str, str]) -> bool:
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            return False
        return cookie is not None and self._is_token(cookie.value)

    def _is_token(self, text: str) -> bool:
        return hmac.compare_digest(text.encode(), self._access.token.encode())

    async def _greet(self, scope: Scope, send: Send) -> None:
        """Take the token from the address into a cookie, or refuse."""
        query = parse_qs(scope["query_string"].decode("latin-1"))
        if scope["path"] == "/" and self._is_token(query.get("token", [""])[0]):
            cookie = f"{COOKIE}={self._access.token}; HttpOnly; SameSite=Strict; Path=/"
            extra = {"set-cookie": cookie, "location": "./"}
            await _answer(send, 303, "", {**self._access.headers, **extra})
        else:
            text = "Open the address with the token that `ganzoo play` printed."
            await _answer(send, 403, text, self._access.headers)

    def _with_headers(self, send: Send) -> Send:
        extra = [(name.encode(), value.encode()) for name, value in self._access.headers.items()]

        async def wrapped(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = {name.lower() for name, _ in message["headers"]}
                more = [pair for pair in extra if pair[0] not in own]
                message = {**message, "headers": [*message["headers"], *more]}
            await send(message)

        return wrapped


def _is_local(host: str) -> bool:
    """Whether a Host header names this computer: other names may lead here by a hostile DNS."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _is_from_here(method: str, path: str, headers: dict[str, str]) -> bool:
    """Whether a request is of the page itself; another site may only link to the page."""
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != headers.get("host"):
        return False
    site = headers.get("sec-fetch-site", "none")
    if site in ("same-origin", "none"):
        return True
    is_link = headers.get("sec-fetch-mode") == "navigate"
    return method == "GET" and path == "/" and is_link


async def _read(receive: Receive) -> tuple[bytes, str, tuple[int, str] | None]:
    """Read the values of controls, which may name no address that the server would fetch.

    Returns the body, the session that it is of, and what is wrong with it.
    """
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > REQUEST_BYTES:
            return b"", "", (413, "These values are too long.")
        if message["type"] != "http.request" or not message.get("more_body"):
            break
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return b"", "", (400, "These are no values.")
    if any(re.match(r"\s*[a-z][a-z0-9+.-]*:", str(path), re.I) for path in _paths(data)):
        return b"", "", (400, "A file is uploaded, not named by its address.")
    session = data.get("session_hash") if isinstance(data, dict) else None
    return body, str(session), None


def _paths(data: object) -> Iterator[object]:
    """Yield every file's path inside values; Gradio would fetch an address."""
    pending = [data]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            if value.get("path") is not None:
                yield value["path"]
            pending += value.values()
        elif isinstance(value, list):
            pending += value


def _replay(body: bytes, receive: Receive) -> Receive:
    is_sent = False

    async def replay() -> Message:
        nonlocal is_sent
        if is_sent:
            return await receive()
        is_sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _bounded(receive: Receive) -> Receive:
    """Break off an upload that is longer than it said."""
    count = 0

    async def bounded() -> Message:
        nonlocal count
        message = await receive()
        count += len(message.get("body", b""))
        return message if count <= UPLOAD_BYTES else {"type": "http.disconnect"}

    return bounded


async def _answer(send: Send, status: int, text: str, headers: dict[str, str]) -> None:
    content = text.encode()
    head = {"content-type": "text/plain; charset=utf-8", "content-length": str(len(content))}
    pairs = [(name.encode(), value.encode()) for name, value in {**head, **headers}.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": content})


# -- serving ----------------------------------------------------------------------------------


def bind(host: str, port: int | None) -> socket.socket:
    """Listen at ``host``, on ``port`` or else the first free one of ``PORTS``.

    0 is any free port.  Raises RunError if there is none.
    """
    problem = ""
    for number in PORTS if port is None else [port]:
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            return socket.create_server((host, number), family=family)
        except OSError as error:
            reason = os.strerror(error.errno).lower() if error.errno else str(error)
            problem = f"port {number}: {reason}"
        except OverflowError:
            raise RunError(f"--port {number}: a port is 0 to 65535.") from None
    raise RunError(f"{host} cannot be listened at, {problem}. Give another --port, or 0 for any.")


def is_loopback(host: str) -> bool:
    """Whether only this computer can reach ``host``; raises RunError if it is no address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        raise RunError(
            f"--host {host}: give an address of this computer, as 127.0.0.1 or 0.0.0.0."
        ) from None


@contextmanager
def quiet_gradio() -> Iterator[Path]:
    """Prepare Gradio, before it is imported: it sends nothing, and its files go when this ends."""
    with tempfile.TemporaryDirectory(prefix="ganzoo-play-") as folder:
        settings = {
            "GRADIO_ANALYTICS_ENABLED": "False",
            # by default, every answer is followed by statistics of all before it
            "GRADIO_ANALYTICS_CACHE_FREQUENCY": str(1 << 60),
            "GRADIO_ANALYTICS_MAX_EVENTS": "1",
            "GRADIO_RUN_HISTORY": "False",
            "GRADIO_TEMP_DIR": folder,
            "HF_HUB_DISABLE_TELEMETRY": "1",
        }
        before = {name: os.environ.get(name) for name in settings}
        os.environ.update(settings)
        try:
            yield Path(folder)
        finally:
            for name, value in before.items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value


def application(blocks: Blocks, downloads: Downloads, access: Access, files: Path) -> Guard:
    """Put Gradio's page and the downloads behind a guard."""
    import gradio
    from fastapi import FastAPI, Response

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/download/{key}/{name}")
    def download(key: str, name: str) -> Response:
        file = downloads.get(key)
        if file is None or file.name != name:
            return Response("This download is no longer there: draw again.", 404)
        return Response(file.make(), media_type=file.type, headers=file.headers)

    from ganzoo.play import look

    gradio.mount_gradio_app(
        app,
        blocks,
        "/",
        footer_links=[],
        run_history=False,
        allowed_paths=[],
        blocked_paths=[],
        show_error=True,
        max_file_size=FILE_BYTES,
        ssr_mode=False,
        enable_monitoring=False,
        mcp_server=False,
        theme=look.theme(),
        head=look.head(),
    )
    return Guard(app, access, files)


def engine(app: Guard) -> Server:
    """Return the web server of the page; its ``run([listener])`` answers until it is stopped."""
    import uvicorn

    config = uvicorn.Config(
        app,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        timeout_graceful_shutdown=1,
        ws="none",
    )
    return uvicorn.Server(config)


def new_token() -> str:
    """Make a token that nobody guesses."""
    return secrets.token_urlsafe(24)
