"""Models from the Hub by the real client: what comes, what is refused, what breaks on the way."""

from __future__ import annotations

import errno
import io
import json
import pickle
import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch
import toy
from hub_server import Failure, HubServer, hermetic
from typed import typist

from ganzoo.errors import FileError, GanzooError, HubError, HubFailure, RunError
from ganzoo.hub import pull, repository, search
from ganzoo.hub.client import client
from ganzoo.hub.locate import locate
from ganzoo.models import config, model, writing
from ganzoo.models.hub_id import is_id, parse_id
from ganzoo.plugins import shipped

pytestmark = pytest.mark.usefixtures("one_thread")
REGISTRY = toy.plugins().registry
ID = "ann/toy"
ABSENT = "0" * 40


@cache
def folder(seed: int = 0) -> dict[str, bytes]:
    """The files of a model folder."""
    torch.manual_seed(seed)
    net = toy.ToyGenerator().eval()
    part = config.part(REGISTRY.get("generator", "toy"), "toy", {})
    with tempfile.TemporaryDirectory() as place:
        path = Path(place, "model")
        writing.save(
            path, net, {"generator": part}, {"steps": seed}, f"recipe: toy\nseed: {seed}\n"
        )
        files = {file.name: file.read_bytes() for file in path.iterdir()}
    card = b"---\ntags: [ganzoo]\n---\n# Toy %d\n" % seed
    return files | {"README.md": card}


def changed(**keys: Any) -> bytes:
    """The ``config.json`` with other keys; those of its generator with ``generator_``."""
    data = json.loads(folder()["config.json"])
    for key, value in keys.items():
        place = data["generator"] if key.startswith("generator_") else data
        place[key.removeprefix("generator_")] = value
    return json.dumps(data).encode()


@pytest.fixture(params=[False, True], ids=["http", "xet"])
def xet(request: pytest.FixtureRequest) -> bool:
    """Both ways in which the client downloads."""
    return request.param


only_http = pytest.mark.parametrize("xet", [False], ids=["http"])


@pytest.fixture
def hub(xet: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ganzoo.plugins.manager.installed", toy.plugins)
    with HubServer(xet=xet) as server:
        hermetic(monkeypatch, tmp_path, server.url, xet=xet)
        yield server


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    return lambda on: monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", on)


def put(hub: HubServer, files: dict[str, bytes], repo: str = ID) -> str:
    """A commit as a push makes it, by Xet where that is on; what it is called."""
    if hub.cas is None:
        return hub.put(repo, files)
    from huggingface_hub import CommitOperationAdd

    api = client(hub.token("ann"))
    api.create_repo(repo, exist_ok=True)
    adds = [CommitOperationAdd(name, data) for name, data in files.items()]
    return api.create_commit(repo, adds, commit_message="Put").oid


def get(name: str = ID, **given: Any) -> pull.Pulled:
    return locate(name, REGISTRY, **given)


def files_of(path: Path) -> dict[str, bytes]:
    found = (file for file in path.rglob("*") if file.is_file())
    return {file.relative_to(path).as_posix(): file.read_bytes() for file in found}


def cached(tmp_path: Path, name: str = "*") -> list[Path]:
    return [path for path in tmp_path.glob(f"hf/hub/*/snapshots/*/{name}") if path.is_file()]


def refused(
    *words: str, kind: type[GanzooError] = HubError, call: Callable[..., Any] = get, **given: Any
) -> str:
    with pytest.raises(kind) as caught:
        call(**given)
    for word in words:
        assert word in str(caught.value)
    return str(caught.value)


# -- what comes ---------------------------------------------------------------------------------


def test_what_comes_is_what_was_put(hub: HubServer) -> None:
    first = put(hub, folder(1))
    hub.repos[ID].tags["v1"] = hub.repos[ID].at("main")
    hub.repos[ID].branches["try/it"] = hub.repos[ID].at("main")
    second = put(hub, folder(2))
    for name, seed, commit in (
        (ID, 2, second), (f"{ID}@main", 2, second), (f"hf://{ID}@v1", 1, first),
        (f"{hub.url}/{ID}/tree/v1", 1, first), (f"{hub.url}/{ID}/", 2, second),
        (f"{ID}@try/it", 1, first), (f"{ID}@{first}", 1, first), (f"{ID}@{second}", 2, second),
    ):  # fmt: skip
        found = get(name)
        assert (files_of(found.folder), found.commit, found.note) == (folder(seed), commit, "")
        loaded = model.load(found.folder, REGISTRY).generator.state_dict()
        torch.manual_seed(seed)
        for key, value in toy.ToyGenerator().state_dict().items():
            assert torch.equal(loaded[key], value)


def test_what_is_cached_is_not_fetched_again(hub: HubServer) -> None:
    commit = put(hub, folder())
    for name, asked in ((ID, [f"/api/models/{ID}"]), (f"{ID}@{commit}", [])):
        get(name)
        hub.requests.clear()
        get(name)
        assert [request.path for request in hub.requests] == asked


def test_only_the_files_of_a_model_are_asked_for(hub: HubServer) -> None:
    others = ("pytorch_model.bin", "evil.py", "big.zip", "data/config.json", "entries/a/b.json",
              "model.safetensors.index.json", "Config.json", "x.safetensors", "entries/x.py",
              "__init__.py", ".eval_results/x.json")  # fmt: skip
    put(hub, folder() | dict.fromkeys(others, b"x"))
    found = get()
    assert files_of(found.folder) == folder()
    asked = {request.path.partition("/resolve/")[2][41:] for request in hub.requests}
    assert asked - {""} <= set(folder())


@only_http
def test_what_is_shown_needs_no_weights(hub: HubServer) -> None:
    put(hub, folder())
    assert "model.safetensors" not in files_of(get(kinds=()).folder)
    assert hub.count("", "safetensors") == 0
    assert files_of(get().folder) == folder()


@only_http
def test_where_a_model_is_looked_for(hub: HubServer, tmp_path: Path) -> None:
    put(hub, folder())
    (tmp_path / "runs" / "best").mkdir(parents=True)
    here = Path("runs/best")
    assert get("runs/best").folder == get(here).folder == here  # type: ignore[arg-type]
    refused("runs/bset", "best", "hf://runs/bset", kind=RunError, name="runs/bset")
    refused("runs/best is a folder here", name="runs/best", revision="v1")
    for wrong in ("hf://no", "https://example.org/ann/toy", "hf://ann/toy@a..b", "hf://a--b/c"):
        refused("user/repo", name=wrong)
    for revision in ("../../x", "a b", "a/../../x", "-x", ""):
        if revision:
            refused("cannot be a revision", name=ID, revision=revision)
    refused("names revision a", name=f"{ID}@a", revision="b")
    refused("file name too long", kind=FileError, name="x" * 5000)
    assert hub.requests == []
    shutil.copytree(get().folder, tmp_path / "ann" / "toy")
    assert get().folder == Path(ID)


@only_http
def test_a_model_that_comes_with_ganzoo(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipped, "shipped_folder", lambda name: tmp_path / name)
    own = tmp_path / "pretrained" / "small"
    own.mkdir(parents=True)
    (own / "config.json").write_text("{}")
    assert get("ganzoo/small").folder == own
    assert hub.requests == []
    refused("no model 'ganzoo/small'", name="hf://ganzoo/small")


@only_http
def test_a_folder_of_ones_own(hub: HubServer, tmp_path: Path) -> None:
    put(hub, folder())
    found = get()
    (found.folder / "evil.py").write_text("x")
    pull.copy(found.folder, tmp_path / "mine")
    assert files_of(tmp_path / "mine") == folder()
    assert not any(path.is_symlink() for path in (tmp_path / "mine").rglob("*"))
    for taken in (tmp_path / "mine", found.folder / "README.md"):
        with pytest.raises(RunError, match="exists and is not empty"):
            pull.copy(found.folder, taken)


@only_http
def test_pull_as_it_is_typed(
    hub: HubServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = typist(monkeypatch, capsys)
    put(hub, folder())
    said = run("pull", ID, "--out", "mine")
    assert (said.code, files_of(Path("mine"))) == (0, folder())
    hub.requests.clear()
    assert run("pull", ID, "--out", "mine").code == 2
    assert hub.requests == []
    wrong, down = run("pull", f"{ID}@v9"), hub.stop() or run("pull", "ann/other")
    assert (wrong.code, down.code) == (2, 1)
    assert "Available: main" in wrong.err
    assert "Traceback" not in wrong.err + down.err
    assert "the Hub was not reached" in run("pull", ID).err


# -- who may, and what is there -----------------------------------------------------------------


@only_http
@pytest.mark.parametrize(
    ("name", "user", "words"),
    [
        ("ann/none", None, ("no model 'ann/none'", "hf auth login", "ganzoo search")),
        ("ann/secret", None, ("no model 'ann/secret'", "private")),
        ("ann/secret", "bob", ("no model 'ann/secret'", "your token")),
        ("ann/gated", None, ("is gated", "accept its terms at http", "/ann/gated")),
        ("ann/gated", "bob", ("is gated", "accept its terms at http")),
        (ID, "wrong", ("needs a token", "hf auth login")),
        (f"{ID}@v9", None, ("no revision 'v9'", "Available: main, v1, and commits")),
        (f"{ID}@{ABSENT}", None, (f"no revision '{ABSENT}'",)),
    ],
)
def test_what_is_not_given(
    hub: HubServer, name: str, user: str | None, words: tuple[str, ...], tmp_path: Path
) -> None:
    hub.put("ann/secret", folder(), private=True)
    hub.put("ann/gated", folder(), gated=True)
    hub.put(ID, folder(), tag="v1")
    token = {None: None, "bob": hub.token("bob"), "wrong": "hf_wrong"}[user]
    refused(*words, name=name, token=token)
    assert cached(tmp_path) == []
    repo = name.partition("@")[0].replace("none", "toy")
    assert files_of(get(repo, token=hub.token("ann")).folder) == folder()


no_model: list[tuple[str, dict[str, bytes], tuple[str, ...]]] = [
    ("nothing", {}, ("no ganzoo model", "no config.json", "ganzoo search")),
    ("pickles", {"a.bin": b"x", "b.ckpt": b""}, ("in a.bin, b.ckpt", "can run code")),
    ("no weights", {"config.json": folder()["config.json"]}, ("no model.safetensors",)),
    ("transformers", {"config.json": b'{"model_type": "x"}', "model.safetensors": b""},
     ("not from ganzoo",)),
    ("newer", folder() | {"config.json": changed(ganzoo_format=99)},
     ("ann/toy has model format 99", "up to 5", "pip install --upgrade ganzoo")),
    ("plugin", folder() | {"config.json": changed(
        generator_use="odd", generator_distribution="odd-gan", generator_version="1.2")},
     ("unknown generator 'odd'", "odd-gan 1.2", "pip install 'odd-gan==1.2'")),
    ("no JSON", folder() | {"config.json": b"{"}, ("config.json", "not JSON")),
    ("a list", folder() | {"config.json": b"[]"}, ("config.json", "an empty list")),
    ("no text", folder() | {"config.json": b'{"a": "\xff"}'}, ("no text in UTF-8",)),
    ("a link", folder() | {"config.json": b"../../../../etc/passwd"}, ("not JSON",)),
    ("no picture", folder() | {"samples.png": b"<svg/>"}, ("samples.png is no PNG",)),
    ("odd card", folder() | {"README.md": b"---\ntags: 3\n---\n"}, ("correct the metadata",)),
]  # fmt: skip


@only_http
@pytest.mark.parametrize(
    ("files", "words"), [c[1:] for c in no_model], ids=[c[0] for c in no_model]
)
def test_what_is_no_model(
    hub: HubServer, files: dict[str, bytes], words: tuple[str, ...], tmp_path: Path
) -> None:
    hub.put(ID, files)
    said = refused(ID, *words)
    assert said.count(ID) == 1
    assert str(tmp_path) not in said
    assert hub.count("", "safetensors") == 0
    hub.put(ID, folder())
    assert files_of(get().folder) == folder()


@only_http
@pytest.mark.parametrize(
    "name",
    [
        "logs/12:30:45.log",
        "../../x",
        "/etc/x",
        "..\\x",
        "C:x",
        "a\0b",
        "a/../../x",
        "entries/../../x",
        "\x1b[2J",
        ".",
    ],
)
def test_names_that_are_never_fetched_do_not_matter(
    hub: HubServer, name: str, tmp_path: Path
) -> None:
    hub.put(ID, folder() | {name: b"x"})
    assert files_of(get().folder) == folder()
    outside = [p for p in tmp_path.rglob("*") if p.is_file() and p.read_bytes() == b"x"]
    assert outside == []


@only_http
def test_the_names_of_pickles_are_told_plainly(hub: HubServer) -> None:
    hub.put(ID, {"a\x1b[2J\u202e.bin": b"x", "config.json": b"{}"})
    said = refused("is no ganzoo model", "\\x1b[2J\\u202e.bin")
    assert said.isprintable()


# -- what is not what it says -------------------------------------------------------------------


class Boom:
    """What a pickle can do to whoever opens it."""

    def __reduce__(self) -> Any:
        return Path.write_text, (Path("opened"), "x")


def pickles() -> dict[str, bytes]:
    found = {f"protocol {n}": pickle.dumps(Boom(), n) for n in range(6)}
    for kind in (True, False):
        file = io.BytesIO()
        torch.save({"w": Boom()}, file, _use_new_zipfile_serialization=kind)
        found["zip" if kind else "legacy"] = file.getvalue()
    return found


@only_http
@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "samples.png", "README.md"])
def test_a_pickle_under_another_name_is_not_opened(
    hub: HubServer, name: str, tmp_path: Path
) -> None:
    for kind, data in pickles().items():
        repo = f"ann/{kind.replace(' ', '-')}"
        old = kind in ("protocol 0", "protocol 1")  # which do not say what they are
        said = json.loads(folder()["config.json"]) | {"files": {}}  # or they would be compared
        hub.put(repo, folder() | {"config.json": json.dumps(said).encode()} | {name: data})
        if kind == "protocol 0" and name == "README.md":  # text as any other
            assert get(repo).folder.joinpath(name).read_bytes() == data
            continue
        with pytest.raises(GanzooError) as caught:
            model.load(get(repo).folder, REGISTRY)
        assert ("is a pickle" in str(caught.value)) != old
        assert [path for path in cached(tmp_path, name) if path.read_bytes() == data] == [] or old
    assert not Path("opened").exists()


@only_http
@pytest.mark.parametrize(
    ("name", "size"),
    [("model.safetensors", 5 << 30), ("samples.png", 1 << 30), ("README.md", 1 << 21)],
)
def test_sizes_beyond_all_sense(hub: HubServer, name: str, size: int) -> None:
    hub.put(ID, folder())
    hub.lie(ID, name, listed_size=size)
    refused(f"{name} has {size:,} bytes", "Nothing was fetched")
    assert len(hub.requests) == 1


@only_http
def test_more_files_than_a_model_has(hub: HubServer) -> None:
    hub.put(ID, folder() | {f"entries/{n}.json": b"" for n in range(pull.FILES)})
    refused(f"at most {pull.FILES}")


@only_http
def test_weights_that_the_config_is_not_about(hub: HubServer) -> None:
    hub.put(ID, folder() | {"model.safetensors": folder(1)["model.safetensors"]})
    refused("is not the file that its config.json is about", "push again")
    assert not hub.count("GET", "/resolve/.*/model.safetensors")


@only_http
@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "recipe.yaml"])
@pytest.mark.parametrize("lie", ["altered", "short", "size", "hash", "head"])
def test_what_is_not_what_the_hub_says(hub: HubServer, name: str, lie: str, tmp_path: Path) -> None:
    data = folder()[name]
    told: dict[str, Any] = {
        "altered": {"body": data[:-2] + b"?!"},
        "short": {"body": data[:-2]},
        "size": {"listed_size": len(data) - 2},
        "hash": {"listed_sha256": "0" * (64 if name.endswith("safetensors") else 40)},
        "head": {"head_size": len(data) - 2},
    }
    hub.put(ID, folder(1))
    old = get()
    hub.put(ID, folder())
    hub.lie(ID, name, **told[lie])
    refused(ID, "Try again")
    assert [path.parent for path in cached(tmp_path, name)] == [old.folder]
    hub.repos[ID].lies.clear()
    assert files_of(get().folder) == folder()


def test_cached_files_are_not_hashed_again(
    hub: HubServer, offline: Callable[[bool], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = put(hub, folder())
    kept = get()
    with monkeypatch.context() as patch:
        patch.setattr(repository, "sha256", full)
        assert get() == kept
        assert get(f"{ID}@{commit}").folder == kept.folder
    offline(True)
    assert get().folder == kept.folder


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_a_cached_file_that_was_cut_short_is_fetched_again(
    hub: HubServer, offline: Callable[[bool], None], name: str
) -> None:
    commit = put(hub, folder())
    for asked in (ID, f"{ID}@{commit}"):
        (get(asked).folder / name).resolve().write_bytes(b"x")
        offline(True)
        refused("not whole in the cache", name=asked)
        offline(False)
        assert files_of(get(asked).folder) == folder()


# -- what breaks --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "xet"),
    [("cut", False), ("half", False), ("hang", False), (404, False), ("reset", True), (503, True)],
)
def test_broken_off_at_every_request(
    hub: HubServer, how: Failure, offline: Callable[[bool], None], tmp_path: Path
) -> None:
    for at in count(1):
        repo = f"ann/toy-{at}"
        first = put(hub, folder(1), repo)
        get(repo)
        second = put(hub, folder(2), repo)
        fault = hub.fail(how, at=at, times=2 if how == "hang" else None)
        with pytest.MonkeyPatch.context() as patch:
            if how == "hang":
                hermetic(patch, tmp_path, hub.url, patience=0.1)
                patch.setattr(repository, "TIMEOUT", 0.1)
            try:
                found = get(repo).commit
                said = None
            except HubError as error:
                found, said = first, error
        if not fault.hits:  # it was the last request, or beyond
            assert at > 8
            break
        if said:
            assert isinstance(said, HubFailure) == (how != 404)
            assert str(said).startswith(repo)
        fault.release()
        offline(True)
        kept = get(repo)
        assert kept.commit == found
        assert files_of(kept.folder) == folder(1 if kept.commit == first else 2)
        if found == first:  # no half of the second can be had
            refused("not whole in the cache", name=f"{repo}@{second}")
        offline(False)
        assert files_of(get(repo).folder) == folder(2)


@pytest.mark.parametrize("how", ["down", "offline", "flag"])
def test_without_a_hub(hub: HubServer, how: str, offline: Callable[[bool], None]) -> None:
    commit = put(hub, folder())
    hub.repos[ID].tags["v1"] = hub.repos[ID].at("main")
    names = (ID, f"{ID}@v1", f"{ID}@{commit}")
    for name in names:
        get(name)
    if how == "down":
        hub.stop()
    else:
        offline(True)
    for name in names:
        found = get(name)
        assert files_of(found.folder) == folder()
        assert ("was not reached" in found.note) == (name != names[2])
    for name in (f"{ID}@v2", "ann/other", f"ann/other@{commit}"):
        why = "cannot be reached" if how == "down" else "HF_HUB_OFFLINE is set"
        refused(why, "not whole in the cache", name=name)


def full(*_: Any, **__: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device", "somewhere")


def full_xet(*_: Any, **__: Any) -> None:
    raise RuntimeError("Task error: IO Error: No space left on device (os error 28)")


def test_a_full_disk(
    hub: HubServer, monkeypatch: pytest.MonkeyPatch, offline: Callable[[bool], None], tmp_path: Path
) -> None:
    put(hub, folder(1))
    get()
    put(hub, folder(2))
    for place, fails in (
        ("huggingface_hub.file_download.http_get", full),
        ("huggingface_hub.file_download.xet_get", full_xet if hub.cas else full),
        ("ganzoo.hub.pull.write_atomic", full),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(place, fails)
            if "xet_get" not in place or hub.cas:
                refused(ID, "the disk is full", "HF_HOME")
            offline(True)
            assert files_of(get().folder) == folder(1)
        offline(False)
    found = get()
    monkeypatch.setattr("shutil.copyfile", full)
    with pytest.raises(RunError, match="cannot be written: No space left"):
        pull.copy(found.folder, tmp_path / "mine")
    assert list(tmp_path.glob("*mine*")) == []


@only_http
def test_a_cache_that_cannot_be_written(hub: HubServer, tmp_path: Path) -> None:
    put(hub, folder())
    (tmp_path / "hf").mkdir()
    (tmp_path / "hf/hub").write_text("x")
    refused(ID, "Not a directory", str(tmp_path / "hf/hub"))


@only_http
def test_what_is_no_hub(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", f"{hub.url}/elsewhere")
    refused("HF_ENDPOINT", call=get)
    monkeypatch.setenv("HF_ENDPOINT", "nowhere")
    refused("HF_ENDPOINT=nowhere: expected an address")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    refused("127.0.0.1:9 cannot be reached", kind=HubFailure)
    monkeypatch.setattr("httpx2.Response.json", lambda self: json.loads("<html>"))
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    put(hub, folder())
    for call in (get, search.search):
        refused("or broke off", "HF_ENDPOINT", kind=HubFailure, call=call)


def test_an_id_is_read_strictly() -> None:
    assert str(parse_id("hf://ann/toy@a/b")) == "ann/toy@a/b"
    for wrong in ("", "ann", "ann/", "/toy", "ann/toy/x", "ann/toy@", "a n/toy", "ann/../x", "ü/x"):
        with pytest.raises(HubError, match="user/repo"):
            parse_id(wrong)


@pytest.mark.parametrize(
    ("address", "wanted"),
    [
        ("https://huggingface.co/ann/toy", "ann/toy"),
        ("https://huggingface.co/ann/toy/", "ann/toy"),
        ("http://www.huggingface.co/ann/toy?library=x#use", "ann/toy"),
        ("HTTPS://HuggingFace.co/ann/toy/tree/main", "ann/toy@main"),
        ("hf.co/ann/toy/tree/v1/", "ann/toy@v1"),
        ("huggingface.co/ann/toy/blob/try%2Fit/config.json?x", "ann/toy@try/it"),
        ("https://huggingface.co/ann/toy/resolve/v1/a/b.png", "ann/toy@v1"),
        (f"https://hf.co/ann/toy/commit/{'0' * 40}", f"ann/toy@{'0' * 40}"),
        ("https://huggingface.co/ann/toy/discussions/3", "ann/toy"),
    ],
)
def test_an_address_of_a_page_names_its_repository(address: str, wanted: str) -> None:
    assert is_id(address)
    assert str(parse_id(address)) == wanted


@pytest.mark.parametrize(
    "address",
    [
        "https://huggingface.co/ann", "https://huggingface.co/datasets/ann/toy",
        "https://example.org/ann/toy", "/ann/toy", "///ann/toy", "ftp://huggingface.co/ann/toy", "https://[/ann/toy",
        "https://huggingface.co/ann/toy/tree/a..b", "https://huggingface.co/a%2Fb/toy",
    ],
)  # fmt: skip
def test_other_addresses_name_none(address: str) -> None:
    with pytest.raises(HubError, match="user/repo"):
        parse_id(address)
