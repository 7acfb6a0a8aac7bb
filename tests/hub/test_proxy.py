"""No network, and proxies that cannot be used: said at once, by the name of what is wrong."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hub_server import HubServer, hermetic
from huggingface_hub import close_session

import ganzoo
from ganzoo.errors import HubError, HubFailure
from ganzoo.hub.client import client, telling
from ganzoo.models.hub_id import Id

MODEL = Path(__file__).parents[2] / "pretrained" / "avatars-64"
#: every way to the Hub
CALLS: dict[str, Callable[[], object]] = {
    "search": ganzoo.search,
    "pull": lambda: ganzoo.pull("me/it"),
    "load": lambda: ganzoo.load("me/it"),
    "push": lambda: ganzoo.push(MODEL, "me/it", licence="mit", token="hf_x"),
}


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[float]]:
    """The seconds that the client means to wait between retries; nothing listens at its Hub."""
    monkeypatch.chdir(tmp_path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    yield hermetic(monkeypatch, tmp_path, f"http://127.0.0.1:{port}")
    close_session()


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_hub_that_is_not_there_is_told_at_once(
    waits: list[float], call: Callable[[], object]
) -> None:
    with pytest.raises(HubFailure, match=r"cannot be reached.*refused"):
        call()
    assert waits == []


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_name_that_cannot_be_resolved_is_told_at_once(
    waits: list[float], call: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def unknown(host: Any, *_: Any, **__: Any) -> None:
        asked.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(HubFailure, match="Name or service not known"):
        call()
    assert waits == []
    assert len(asked) == 1


def test_what_breaks_off_after_an_answer_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    with HubServer(xet=False) as server:
        waits = hermetic(monkeypatch, tmp_path, server.url)
        server.put("ann/toy", {"README.md": b""})
        api = client()

        def calls() -> None:
            api.model_info("ann/toy")
            server.stop()
            list(api.list_models(filter="ganzoo"))

        with pytest.raises(HubFailure, match="cannot be reached"), telling(api, Id("ann/toy")):
            calls()
        assert len(waits) > 1


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("name", ["ALL_PROXY", "all_proxy", "HTTPS_PROXY", "http_proxy"])
def test_a_socks_proxy_without_its_package(
    waits: list[float], call: Callable[[], object], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    import builtins

    found = builtins.__import__

    def missing(what: str, *rest: Any, **more: Any) -> Any:
        if what == "socksio":
            raise ImportError(what)
        return found(what, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", missing)
    monkeypatch.setenv(name, "socks5://me:secret@127.0.0.1:9")
    close_session()
    with pytest.raises(HubError, match=r"pip install socksio") as refused:
        call()
    assert f"{name}=socks5://127.0.0.1:9" in str(refused.value)
    assert f"unset {name}" in str(refused.value)
    assert "secret" not in str(refused.value)
    assert "HF_ENDPOINT" not in str(refused.value)


@pytest.mark.parametrize(
    "proxy",
    [
        *("socks://127.0.0.1:9", "ftp://127.0.0.1", "gopher://x"),
        *("http://[::1", "http://x\x1b[31m", "http://x:port"),
    ],
)
def test_what_is_no_proxy(waits: list[float], monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)
    close_session()
    with pytest.raises(HubError, match="socks5://HOST:PORT") as refused:
        ganzoo.search()
    assert f"ALL_PROXY={proxy}".partition("\x1b")[0] in str(refused.value)
    assert "HF_ENDPOINT" not in str(refused.value)


def test_a_proxy_that_is_not_there_is_named(
    waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://me:secret@127.0.0.1:9")
    close_session()
    with pytest.raises(HubFailure, match="through the proxy http_proxy=http://127"):
        ganzoo.search()
    assert waits == []


@pytest.mark.parametrize(
    "endpoint",
    [
        *("http://[bad", "http://", "https://x:99999999", "http://x:y", "huggingface.co"),
        *("http://x/\x1b[31m", "http://ho st", "http://x\n.org"),
    ],
)
def test_an_endpoint_that_is_no_address(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    with pytest.raises(HubError, match="expected an address"):
        client()


def test_an_empty_endpoint_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "")
    client()
    assert "HF_ENDPOINT" not in os.environ
