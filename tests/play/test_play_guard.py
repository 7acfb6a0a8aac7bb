"""The page answers only its own, and gives away no file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from PIL import Image
from playing import Served, page

from ganzoo.errors import DataError, RunError
from ganzoo.play import server
from ganzoo.play.photos import Studio
from ganzoo.play.server import Access
from ganzoo.play.shelf import Shelf
from ganzoo.plugins.manager import installed

SECRET = b"the secret of this test"
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("root")
    (root / "secret.txt").write_bytes(SECRET)
    (root / "secret.png").write_bytes(SECRET)
    return root


@pytest.fixture(scope="module")
def served(root: Path) -> Iterator[Served]:
    with page(root) as served:
        yield served


def upload(served: Served, name: str, content: bytes, **headers: str) -> tuple[int, bytes]:
    body = (
        b'--B\r\ncontent-disposition: form-data; name="files"; filename="'
        + name.encode()
        + b'"\r\n'
        b"content-type: image/png\r\n\r\n" + content + b"\r\n--B--\r\n"
    )
    head = {"content-type": "multipart/form-data; boundary=B", **headers}
    status, _, text = served.ask("/gradio_api/upload", "POST", body, head)
    return status, text


# -- files ------------------------------------------------------------------------------------

#: a path in the address, of a file that exists and was not offered
WAYS = [
    "/gradio_api/file={}",
    "/gradio_api/file=file://{}",
    "/gradio_api/file={files}/../..{}",
    "/gradio_api/file={files}/..%2f..{}",
    "/gradio_api/file={files}/%2e%2e/%2e%2e{}",
    "/gradio_api/file={files}/link",
    "/gradio_api/file=secret.txt",
    "/gradio_api/file=./secret.txt",
    "/gradio_api/file=../secret.txt",
    "/gradio_api/file=%2fetc%2fpasswd",
    "/gradio_api/file=%252fetc%252fpasswd",
    "/gradio_api/file=//etc/passwd",
    "/gradio_api/file=~/.bashrc",
    "/gradio_api/file=/proc/self/environ",
    "/gradio_api/file=/dev/zero",
    "/gradio_api/file=http://127.0.0.1:9/x",
    "/gradio_api/file={}%00.png",
    "/gradio_api/file/{}",
    "/file={}",
    "/gradio_api/proxy=http://127.0.0.1:9/x",
    "/gradio_api/proxy=file://{}",
    "/gradio_api/stream/x/1/1/playlist.m3u8",
    "/gradio_api/custom_component/1/client/component/..%2f..%2fsecret.txt",
    "/static/../../../../../../../../..{}",
    "/static/..%2f..%2f..%2f..%2f..%2f..%2f..{}",
    "/assets/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e{}",
    "/download/../../..{}",
    "/download/x/..%2f..{}",
    "/svelte/..%2f..{}",
    "/?deep_link=../../..{}",
    "/gradio_api/deep_link?session_hash=../..{}",
    "/monitoring",
    "/gradio_api/vibe-code",
    "/gradio_api/dev/reload",
    "/gradio_api/openapi.json",
    "/docs",
    "/login",
]


@pytest.mark.parametrize("way", WAYS)
def test_no_way_leads_to_a_file_that_was_not_offered(served: Served, root: Path, way: str) -> None:
    link = served.files / "link"
    if not link.is_symlink():
        link.symlink_to(root / "secret.txt")
    path = way.replace("{files}", str(served.files)).replace("{}", str(root / "secret.txt"))
    status, _, content = served.ask(path)
    assert SECRET not in content
    assert b"root:" not in content
    if not way.startswith("/?"):  # the page itself, which ignores what it does not know
        assert status in (400, 403, 404)


def test_what_was_uploaded_can_be_read_again(served: Served) -> None:
    status, text = upload(served, "photo.png", b"not even a picture")
    (path,) = json.loads(text)
    assert status == 200
    assert Path(path).is_relative_to(served.files)
    assert served.ask(f"/gradio_api/file={quote(path)}")[2] == b"not even a picture"


@pytest.mark.parametrize("name", ["../../evil.png", "/tmp/evil.png", "..\\evil.png", "a\0b.png"])
def test_an_upload_stays_in_its_folder(served: Served, name: str) -> None:
    status, text = upload(served, name, b"x")
    if status == 200:
        (path,) = json.loads(text)
        assert Path(path).resolve().is_relative_to(served.files.resolve())


@pytest.mark.parametrize(
    "value",
    [
        {"path": "SECRET", "meta": {"_type": "gradio.FileData"}},
        {"path": "SECRET", "url": "/gradio_api/file=SECRET", "meta": {"_type": "gradio.FileData"}},
        {"path": "/etc/passwd", "orig_name": "a.svg", "meta": {"_type": "gradio.FileData"}},
        {"path": "secret.png", "meta": {"_type": "gradio.FileData"}},
        {"path": "http://127.0.0.1:9/x.png", "meta": {"_type": "gradio.FileData"}},
        {"path": " HTTP://127.0.0.1:9/x.png", "meta": {"_type": "gradio.FileData"}},
        {"path": "file:///etc/passwd", "meta": {"_type": "gradio.FileData"}},
        "SECRET",
    ],
)
def test_a_field_for_a_photo_takes_uploads_alone(served: Served, root: Path, value: object) -> None:
    text = json.dumps(value).replace("SECRET", str(root / "secret.png"))
    answer = served.event("one", [json.loads(text), ["ganzoo/photo-avatar"], "whole", 1])
    assert answer.get("status") == 400 or not answer["success"]
    assert SECRET.decode() not in json.dumps(answer)


@pytest.mark.parametrize(
    "name",
    ["/etc", "../root", "secret.txt", "~", "file:///etc", "hf://../..", "./runs", "", "a" * 5000],
)
def test_a_model_is_one_that_is_offered_or_on_the_hub(served: Served, name: str) -> None:
    answer = served.event("opened", [name, 16, 0])
    assert not answer["success"]
    assert "Traceback" not in json.dumps(answer)


# -- who may ask ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://localhost.evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
    ],
)
def test_a_page_elsewhere_starts_nothing(
    served: Served, root: Path, headers: dict[str, str]
) -> None:
    config = json.loads(served.ask("/config")[2])
    number = next(d["id"] for d in config["dependencies"] if d["api_name"] == "started")
    body = json.dumps({"data": ["gan", "{}"], "fn_index": number, "session_hash": "evil"})
    for kind in ("application/json", "text/plain"):
        head = {"content-type": kind, **headers}
        assert served.ask("/gradio_api/queue/join", "POST", body.encode(), head)[0] == 403
    assert upload(served, "a.png", b"x", **headers)[0] == 403
    assert served.ask("/gradio_api/queue/data?session_hash=evil", headers=headers)[0] == 403
    assert served.ask("/config", headers=headers)[0] == 403
    assert not (root / "runs").exists()


def test_another_page_may_link_to_this_one(served: Served) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert served.ask("/", headers=headers)[0] == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "10.0.0.1", "", "[::2]", "a b"]
)
def test_a_name_that_a_hostile_dns_points_here_is_refused(served: Served, host: str) -> None:
    assert served.ask("/", headers={"Host": host})[0] in (400, 403)


@pytest.mark.parametrize("host", ["localhost:9000", "127.0.0.1", "[::1]:7860"])
def test_every_name_of_this_computer_is_answered(served: Served, host: str) -> None:
    assert served.ask("/", headers={"Host": host})[0] == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "POST"])
def test_other_methods_are_refused(served: Served, method: str) -> None:
    assert served.ask("/", method, b"")[0] in (400, 404)


def test_no_answer_invites_another_site(served: Served) -> None:
    for path in ("/", "/config", "/theme.css"):
        _, headers, _ = served.ask(path)
        assert "access-control-allow-origin" not in headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


def test_the_page_needs_nothing_from_elsewhere(served: Served) -> None:
    text = served.ask("/")[2].decode()
    config = json.loads(served.ask("/config")[2])
    assert config["analytics_enabled"] is False
    for address in re.findall(r'(?:src|href)="(https?:)?//[^"]*"', text):
        pytest.fail(f"the page loads {address}")
    assert "fonts.googleapis" not in text + served.ask("/theme.css")[2].decode()


# -- how much ---------------------------------------------------------------------------------


def test_requests_are_bounded(served: Served) -> None:
    large = {"content-length": str(server.UPLOAD_BYTES + 1)}
    assert served.ask("/gradio_api/upload", "POST", None, large)[0] == 413
    assert served.ask("/gradio_api/upload", "POST", None, {"content-length": "-1"})[0] in (400, 413)
    body = b'"' + b"x" * (server.REQUEST_BYTES + 1) + b'"'
    assert served.ask("/gradio_api/queue/join", "POST", body, JSON)[0] == 413
    for odd in (b"", b"{", b"[" * 100_000, b"\xff"):
        assert served.ask("/gradio_api/queue/join", "POST", odd, JSON)[0] in (400, 413, 422)


def test_a_file_is_bounded(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    status, _ = upload(served, "large.png", b"x" * (server.FILE_BYTES + 1))
    assert status == 413


def test_a_photo_is_decoded_with_bounds(served: Served, tmp_path: Path) -> None:
    studio = Studio(Shelf(installed().registry), installed().registry)
    bomb = tmp_path / "bomb.png"
    Image.new("1", (9000, 9000)).save(bomb)
    status, text = upload(served, "bomb.png", bomb.read_bytes())
    assert status == 200
    (path,) = json.loads(text)
    with pytest.raises(DataError, match="million"):
        studio.picture(Path(path))


# -- a token ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def guarded(root: Path) -> Iterator[Served]:
    with page(root, access=Access("right-token")) as served:
        yield served


@pytest.mark.parametrize(
    "path", ["/", "/config", "/gradio_api/queue/data", "/?token=wrong", "/?token="]
)
def test_another_address_asks_for_the_token(guarded: Served, path: str) -> None:
    status, headers, text = guarded.ask(path)
    assert status == 403
    assert "set-cookie" not in headers
    assert b"right-token" not in text


def test_the_token_becomes_a_cookie(guarded: Served) -> None:
    status, headers, _ = guarded.ask("/?token=right-token")
    assert status == 303
    cookie = headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert guarded.ask("/config", headers={"Cookie": cookie.partition(";")[0]})[0] == 200
    wrong = {"Cookie": f"{server.COOKIE}=wrong"}
    assert guarded.ask("/config", headers=wrong)[0] == 403


@pytest.mark.parametrize(
    ("host", "is_own"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False)],
)
def test_who_can_reach_an_address(host: str, is_own: bool) -> None:
    assert server.is_loopback(host) == is_own


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(RunError, match="--host"):
        server.is_loopback("example.org")


def test_a_taken_port_is_named() -> None:
    with server.bind("127.0.0.1", 0) as taken, pytest.raises(RunError, match="in use"):
        server.bind("127.0.0.1", taken.getsockname()[1])
