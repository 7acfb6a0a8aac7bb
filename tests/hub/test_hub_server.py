"""The tests' own Hub against the real client: what it answers, and what the client makes of it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hub_server import Failure, HubServer, hermetic

pytest.importorskip("huggingface_hub")

import httpx2
from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationDelete,
    HfApi,
    ModelCard,
    constants,
    hf_hub_download,
)
from huggingface_hub.errors import (
    BadRequestError,
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

WEIGHTS = bytes(range(256)) * 800
CARD = b"""---
license: apache-2.0
library_name: ganzoo
tags: [ganzoo, gan]
model-index:
- name: toy
  results:
  - task: {type: unconditional-image-generation}
    dataset: {type: avatars, name: Avatars}
    metrics: [{type: fid, value: 1.5}]
---
# Toy
"""
FILES = {"README.md": CARD, "config.json": b"{}", "model.safetensors": WEIGHTS}


@pytest.fixture(params=[False, True], ids=["lfs", "xet"])
def xet(request: pytest.FixtureRequest) -> bool:
    """Both ways in which the client uploads; a test that uploads nothing takes ``False`` alone."""
    return request.param


only_http = pytest.mark.parametrize("xet", [False], ids=["http"])
only_xet = pytest.mark.parametrize("xet", [True], ids=["xet"])


@pytest.fixture
def hub(xet: bool) -> Iterator[HubServer]:
    with HubServer(xet=xet, page=3) as server:
        yield server


@pytest.fixture
def waits(
    hub: HubServer, xet: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> list[float]:
    return hermetic(monkeypatch, tmp_path, hub.url, xet=xet)


@pytest.fixture
def ann(hub: HubServer, waits: list[float]) -> HfApi:
    return HfApi(endpoint=hub.url, token=hub.token("ann"))


@pytest.fixture
def bob(hub: HubServer, waits: list[float]) -> HfApi:
    return HfApi(endpoint=hub.url, token=hub.token("bob"))


@pytest.fixture
def nobody(hub: HubServer, waits: list[float]) -> HfApi:
    return HfApi(endpoint=hub.url, token=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    written = tmp_path / "model"
    written.mkdir()
    for name, data in FILES.items():
        (written / name).write_bytes(data)
    return written


def refused(status: int, call: Callable[..., object], *args: Any, **kwargs: Any) -> str:
    with pytest.raises(HfHubHTTPError) as caught:
        call(*args, **kwargs)
    assert caught.value.response.status_code == status
    return str(caught.value)


# Accounts and repositories


@only_http
def test_who_holds_a_token(ann: HfApi, nobody: HfApi, hub: HubServer) -> None:
    told = ann.whoami()
    assert (told["name"], told["auth"]["accessToken"]["role"]) == ("ann", "write")
    assert "Invalid credentials" in refused(
        401, HfApi(endpoint=hub.url, token="hf_no").list_models().__next__
    )
    refused(401, nobody.create_repo, "ann/toy")


@only_http
def test_repositories_are_made_by_their_owner(ann: HfApi, bob: HfApi, hub: HubServer) -> None:
    assert ann.create_repo("ann/toy").repo_id == "ann/toy"
    refused(409, ann.create_repo, "ann/toy")
    assert ann.create_repo("ann/toy", exist_ok=True).repo_id == "ann/toy"
    refused(403, bob.create_repo, "ann/other")
    refused(403, HfApi(endpoint=hub.url, token=hub.token("ann", "read")).create_repo, "ann/other")
    refused(403, bob.delete_repo, "ann/toy")
    ann.delete_repo("ann/toy")
    assert not ann.repo_exists("ann/toy")


@only_http
def test_a_private_repository_is_there_for_its_owner_alone(
    ann: HfApi, bob: HfApi, nobody: HfApi
) -> None:
    ann.create_repo("ann/toy", private=True)
    assert ann.model_info("ann/toy").private
    for other in (bob, nobody):
        for call in (other.model_info, other.snapshot_download, other.list_repo_refs):
            with pytest.raises(RepositoryNotFoundError):
                call("ann/toy")
        assert list(other.list_models()) == []
    assert [model.id for model in ann.list_models()] == ["ann/toy"]


@only_http
def test_a_gated_repository_shows_its_names_and_keeps_its_files(
    ann: HfApi, bob: HfApi, nobody: HfApi, hub: HubServer
) -> None:
    hub.put("ann/toy", FILES, gated=True)
    assert nobody.model_info("ann/toy").gated == "auto"
    for other in (bob, nobody):
        with pytest.raises(GatedRepoError):
            other.snapshot_download("ann/toy")
    assert Path(ann.hf_hub_download("ann/toy", "config.json")).read_bytes() == b"{}"


# Uploads, in both ways


def test_a_folder_goes_up_and_comes_down(
    ann: HfApi, hub: HubServer, folder: Path, xet: bool
) -> None:
    ann.create_repo("ann/toy")
    oid = ann.upload_folder(repo_id="ann/toy", folder_path=folder, commit_message="First").oid
    assert {k: v for k, v in hub.files("ann/toy").items() if k in FILES} == FILES
    assert (hub.count("GET", "xet-write-token"), hub.count("PUT")) == ((1, 0) if xet else (0, 1))
    there = Path(ann.snapshot_download("ann/toy", allow_patterns=list(FILES)))
    assert {path.name: path.read_bytes() for path in there.iterdir()} == FILES
    assert there.name == oid
    assert hub.count("GET", r"resolve/.*\.safetensors") == (0 if xet else 1)
    assert hub.count("GET", r"\.gitattributes") == 0


def test_a_second_push_sends_what_changed(
    ann: HfApi, hub: HubServer, folder: Path, xet: bool
) -> None:
    ann.create_repo("ann/toy")
    first = ann.upload_folder(repo_id="ann/toy", folder_path=folder).oid
    assert ann.upload_folder(repo_id="ann/toy", folder_path=folder).oid == first
    (folder / "config.json").write_bytes(b"[]")
    hub.requests.clear()
    ann.upload_folder(repo_id="ann/toy", folder_path=folder, parent_commit=first)
    assert hub.count("PUT") == 0
    assert hub.files("ann/toy")["config.json"] == b"[]"
    assert hub.files("ann/toy", first)["config.json"] == b"{}"
    assert len(hub.repos["ann/toy"].log()) == 3


def test_bytes_go_up_under_any_name(ann: HfApi, hub: HubServer) -> None:
    ann.create_repo("ann/toy")
    for name, data in (("a b/ü#1.bin", WEIGHTS), ("a b/c%.txt", b"text"), ("empty.bin", b"")):
        ann.upload_file(repo_id="ann/toy", path_in_repo=name, path_or_fileobj=data)
        assert Path(ann.hf_hub_download("ann/toy", name)).read_bytes() == data
    assert [commit.title for commit in hub.repos["ann/toy"].log()][-1] == "initial commit"


def test_the_other_way_reads_what_one_way_wrote(
    ann: HfApi, folder: Path, xet: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann.create_repo("ann/toy")
    ann.upload_folder(repo_id="ann/toy", folder_path=folder)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", xet)
    assert Path(ann.hf_hub_download("ann/toy", "model.safetensors")).read_bytes() == WEIGHTS


def test_a_commit_is_made_whole_or_not_at_all(ann: HfApi, hub: HubServer) -> None:
    first = hub.put("ann/toy", {**FILES, "old/a.json": b"a", "old/b.bin": b"b"})
    added = CommitOperationAdd("new.bin", b"new")
    with pytest.raises(RemoteEntryNotFoundError):
        ann.create_commit(
            "ann/toy", [added, CommitOperationDelete("missing")], commit_message="Half"
        )
    assert hub.repos["ann/toy"].at("main").sha == first
    operations = [CommitOperationAdd("new.bin", b"new"), CommitOperationDelete("old/")]
    done = ann.create_commit("ann/toy", operations, commit_message="Move", parent_commit=first)
    assert sorted(hub.files("ann/toy")) == sorted([".gitattributes", *FILES, "new.bin"])
    late = {"commit_message": "Late", "parent_commit": first}
    refused(412, ann.create_commit, "ann/toy", [CommitOperationAdd("late.bin", b"late")], **late)
    assert hub.repos["ann/toy"].at("main").sha == done.oid


def test_a_card_is_checked_before_anything_goes_up(
    ann: HfApi, hub: HubServer, folder: Path
) -> None:
    ann.create_repo("ann/toy")
    (folder / "README.md").write_text("---\nmodel-index: [{name: toy, results: [{}]}]\n---\n")
    with pytest.raises(ValueError, match="Invalid metadata") as caught:
        ann.upload_folder(repo_id="ann/toy", folder_path=folder)
    assert isinstance(caught.value.__cause__, BadRequestError)
    assert hub.count("", "preupload") == 0


def test_writing_takes_the_right_to(
    bob: HfApi, nobody: HfApi, hub: HubServer, folder: Path
) -> None:
    sha = hub.put("ann/toy", FILES)
    (folder / "config.json").write_bytes(b"[]")
    reader = HfApi(endpoint=hub.url, token=hub.token("ann", "read"))
    refused(403, bob.upload_folder, repo_id="ann/toy", folder_path=folder)
    file = {"path_in_repo": "config.json", "path_or_fileobj": folder / "config.json"}
    refused(403, reader.upload_file, repo_id="ann/toy", **file)
    for other, repo in ((nobody, "ann/toy"), (bob, "ann/none")):
        with pytest.raises(RepositoryNotFoundError):
            other.upload_file(repo_id=repo, **file)
    assert hub.repos["ann/toy"].at("main").sha == sha


def test_a_server_without_xet_breaks_a_client_with_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, folder: Path
) -> None:
    with HubServer(xet=False) as plain:
        hermetic(monkeypatch, tmp_path, plain.url, xet=True)
        api = HfApi(endpoint=plain.url, token=plain.token("ann"))
        plain.put("ann/toy", FILES)
        assert Path(api.hf_hub_download("ann/toy", "model.safetensors")).read_bytes() == WEIGHTS
        (folder / "model.safetensors").write_bytes(WEIGHTS + b"more")
        with pytest.raises(ConnectionError, match="404"):
            api.upload_folder(repo_id="ann/toy", folder_path=folder)


# Listings


@only_http
def test_scores_stand_beside_the_card_data(nobody: HfApi, hub: HubServer) -> None:
    sha = hub.put("ann/toy", FILES, downloads=7)
    info = nobody.model_info("ann/toy", files_metadata=True)
    assert (info.sha, info.author, info.downloads, info.library_name) == (sha, "ann", 7, "ganzoo")
    assert info.model_index[0]["results"][0]["metrics"] == [{"type": "fid", "value": 1.5}]
    assert info.card_data.eval_results is None
    assert {"ganzoo", "gan", "safetensors", "license:apache-2.0"} <= set(info.tags)
    weights = next(file for file in info.siblings if file.rfilename == "model.safetensors")
    assert (weights.size, weights.lfs.size) == (len(WEIGHTS), len(WEIGHTS))
    few = nobody.model_info("ann/toy", expand=["model-index", "sha"])
    assert (few.sha, few.model_index, few.tags) == (sha, info.model_index, None)
    card = ModelCard.load("ann/toy", token=False)
    assert card.data.eval_results[0].metric_value == 1.5


@only_http
def test_models_are_found_by_tag_and_name(nobody: HfApi, hub: HubServer) -> None:
    for number in range(5):
        hub.put(f"ann/toy-{number}", FILES, likes=number)
    hub.put("bob/plain", {"README.md": b"---\ntags: [gan]\n---\n"})

    def ids(**query: Any) -> list[str]:
        return sorted(model.id for model in nobody.list_models(**query))

    assert len(ids()) == 6
    assert hub.count("GET", "/api/models$") == 2
    assert len(ids(filter=["ganzoo", "gan"])) == 5
    assert ids(filter=["ganzoo", "none"]) == []
    assert ids(author="bob") == ids(search="PLAIN") == ["bob/plain"]
    assert ids(sort="likes", limit=2) == ["ann/toy-3", "ann/toy-4"]
    assert len(ids(limit=4)) == 4
    plain, carded = (next(nobody.list_models(filter="ganzoo", cardData=c)) for c in (False, True))
    assert (plain.card_data, plain.sha, carded.card_data.license) == (None, None, "apache-2.0")
    full = next(nobody.list_models(filter="ganzoo", full=True))
    assert full.sha
    assert full.siblings
    some = next(nobody.list_models(filter="ganzoo", expand=["cardData", "model-index"]))
    assert some.model_index[0]["name"] == "toy"
    refused(400, nobody.list_models(expand=["nonsense"]).__next__)


@only_http
def test_files_and_folders_are_listed(nobody: HfApi, hub: HubServer) -> None:
    sha = hub.put("ann/toy", {**FILES, "entries/a/one.json": b"1", "entries/two.json": b"2"})
    every = {entry.path: entry for entry in nobody.list_repo_tree("ann/toy", recursive=True)}
    assert {*FILES, "entries", "entries/a", "entries/a/one.json"} <= set(every)
    assert every["model.safetensors"].lfs.size == len(WEIGHTS)
    inside = [entry.path for entry in nobody.list_repo_tree("ann/toy", "entries")]
    assert inside == ["entries/a", "entries/two.json"]
    with pytest.raises(RemoteEntryNotFoundError):
        list(nobody.list_repo_tree("ann/toy", "none"))
    found = nobody.get_paths_info("ann/toy", ["entries", "config.json", "none"], expand=True)
    assert [entry.path for entry in found] == ["entries", "config.json"]
    assert found[1].last_commit.oid == sha


@only_http
def test_branches_and_tags(ann: HfApi, hub: HubServer) -> None:
    first = hub.put("ann/toy", FILES)
    ann.create_branch("ann/toy", branch="next/try")
    ann.create_tag("ann/toy", tag="v1", revision=first)
    second = hub.put("ann/toy", {"config.json": b"[]"}, revision="next/try")
    refs = ann.list_repo_refs("ann/toy")
    heads = {ref.name: ref.target_commit for ref in (*refs.branches, *refs.tags)}
    assert heads == {"main": first, "next/try": second, "v1": first}
    assert ann.list_repo_commits("ann/toy")[0].commit_id == first
    assert len(ann.list_repo_commits("ann/toy", revision="next/try")) == 3
    for revision, data in (("next/try", b"[]"), ("v1", b"{}"), (second, b"[]")):
        there = ann.hf_hub_download("ann/toy", "config.json", revision=revision)
        assert Path(there).read_bytes() == data
    refused(409, ann.create_branch, "ann/toy", branch="next/try")
    refused(409, ann.create_tag, "ann/toy", tag="v1")
    ann.create_tag("ann/toy", tag="v1", exist_ok=True)
    ann.delete_tag("ann/toy", tag="v1")
    ann.delete_branch("ann/toy", branch="next/try")
    with pytest.raises(RevisionNotFoundError):
        ann.delete_tag("ann/toy", tag="v1")
    for call in (ann.model_info, ann.list_repo_files, ann.list_repo_commits, ann.snapshot_download):
        with pytest.raises(RevisionNotFoundError):
            call("ann/toy", revision="v1")


@only_http
def test_what_is_not_there(nobody: HfApi, hub: HubServer) -> None:
    hub.put("ann/toy", FILES)
    with pytest.raises(RemoteEntryNotFoundError):
        nobody.hf_hub_download("ann/toy", "none.json")
    with pytest.raises(RevisionNotFoundError):
        nobody.hf_hub_download("ann/toy", "config.json", revision="none")
    for repo in ("ann/none", "none"):
        with pytest.raises(RepositoryNotFoundError):
            nobody.hf_hub_download(repo, "config.json")
        with pytest.raises(RepositoryNotFoundError):
            nobody.model_info(repo)
    assert nobody.file_exists("ann/toy", "config.json")
    assert not nobody.file_exists("ann/toy", "none.json")


# Hostile repositories


@only_http
def test_a_name_may_point_anywhere(nobody: HfApi, hub: HubServer) -> None:
    hub.put("eve/evil", {"../../evil.json": b"{}", "/etc/evil": b"", "a/../b.json": b""})
    listed = nobody.list_repo_files("eve/evil")
    assert {"../../evil.json", "/etc/evil", "a/../b.json"} <= set(listed)
    with pytest.raises(ValueError):
        nobody.hf_hub_download("eve/evil", "../../evil.json")


@only_http
def test_listing_headers_and_bytes_may_disagree(nobody: HfApi, hub: HubServer) -> None:
    truth = {f"{name}.safetensors": name.encode() + WEIGHTS for name in "abcd"}
    hub.put("eve/evil", truth)
    hub.lie("eve/evil", "a.safetensors", body=WEIGHTS)
    hub.lie("eve/evil", "b.safetensors", body=WEIGHTS + b"!")
    hub.lie("eve/evil", "c.safetensors", listed_size=3, listed_sha256="0" * 64)
    hub.lie("eve/evil", "d.safetensors", head_size=3, head_etag="1" * 64)
    for name in "ad":
        with pytest.raises(OSError, match="Consistency check failed"):
            nobody.hf_hub_download("eve/evil", f"{name}.safetensors")
    # The client compares no hash, neither now nor when it takes the file from its cache.
    for _ in range(2):
        there = nobody.hf_hub_download("eve/evil", "b.safetensors")
        assert Path(there).read_bytes() == WEIGHTS + b"!"
    assert hub.count("GET", "b.safetensors") == 1
    listed = nobody.get_paths_info("eve/evil", "c.safetensors")[0]
    assert (listed.size, listed.lfs.sha256) == (3, "0" * 64)
    there = nobody.hf_hub_download("eve/evil", "c.safetensors")
    assert Path(there).read_bytes() == truth["c.safetensors"]


# Failures


@only_http
@pytest.mark.parametrize("how", ["cut", "lost", "reset", "half", 503])
def test_a_commit_that_fails(how: Failure, ann: HfApi, hub: HubServer, folder: Path) -> None:
    ann.create_repo("ann/toy")
    fault = hub.fail(how, "POST", "/commit/")
    with pytest.raises((httpx2.TransportError, HfHubHTTPError)):
        ann.upload_folder(repo_id="ann/toy", folder_path=folder)
    assert ("config.json" in hub.files("ann/toy")) == (how in ("lost", "half"))
    ann.upload_folder(repo_id="ann/toy", folder_path=folder)
    assert hub.files("ann/toy")["model.safetensors"] == WEIGHTS
    assert (fault.hits, len(hub.repos["ann/toy"].log())) == (1, 2)


@only_xet
def test_a_commit_by_xet_is_sent_again_and_meets_itself(
    ann: HfApi, hub: HubServer, folder: Path, waits: list[float]
) -> None:
    ann.create_repo("ann/toy")
    parent = hub.repos["ann/toy"].at("main").sha
    hub.fail("lost", "POST", "/commit/")
    refused(412, ann.upload_folder, repo_id="ann/toy", folder_path=folder, parent_commit=parent)
    assert hub.files("ann/toy")["model.safetensors"] == WEIGHTS
    assert waits == [1]


def test_a_push_cut_at_any_stage_leaves_what_was(ann: HfApi, hub: HubServer, folder: Path) -> None:
    old = dict.fromkeys(FILES, b"old")
    hub.put("ann/clean", old)
    ann.upload_folder(repo_id="ann/clean", folder_path=folder)
    stages = len(hub.requests)
    assert stages > 3
    for at in range(1, stages + 1):
        repo = f"ann/toy-{at}"
        before = hub.put(repo, old)
        fault = hub.fail("cut", at=at, times=None)
        with pytest.raises((httpx2.TransportError, ConnectionError, RuntimeError)):
            ann.upload_folder(repo_id=repo, folder_path=folder)
        fault.release()
        assert hub.repos[repo].at("main").sha == before
        ann.upload_folder(repo_id=repo, folder_path=folder)
        assert {**hub.files(repo), **FILES} == hub.files(repo)


@only_http
def test_a_download_goes_on_where_it_was_cut(nobody: HfApi, hub: HubServer) -> None:
    hub.put("ann/toy", FILES)
    hub.fail("half", "GET", "/resolve/")
    there = nobody.hf_hub_download("ann/toy", "model.safetensors")
    assert Path(there).read_bytes() == WEIGHTS
    assert hub.count("GET", "/resolve/") == 2


@only_http
def test_a_wait_that_the_server_asks_for(nobody: HfApi, hub: HubServer, waits: list[float]) -> None:
    hub.put("ann/toy", FILES)
    hub.fail(429, "GET", "/api/models", times=2, headers={"Retry-After": "7"})
    assert [model.id for model in nobody.list_models()] == ["ann/toy"]
    assert waits == [8, 8]


@only_http
def test_a_server_that_hangs(
    nobody: HfApi, hub: HubServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hub.put("ann/toy", FILES)
    fault = hub.fail("hang", times=None)
    with pytest.raises(httpx2.TimeoutException):
        nobody.model_info("ann/toy", timeout=0.05)
    waits = hermetic(monkeypatch, tmp_path, hub.url, patience=0.05)
    with pytest.raises(LocalEntryNotFoundError):
        nobody.hf_hub_download("ann/toy", "config.json")
    assert waits == [1, 2, 4, 8, 8]
    fault.release()
    assert nobody.model_info("ann/toy").id == "ann/toy"


@only_http
def test_a_server_that_is_down(
    ann: HfApi, hub: HubServer, folder: Path, waits: list[float]
) -> None:
    hub.put("ann/toy", FILES)
    cached = ann.snapshot_download("ann/toy")
    hub.stop()
    assert ann.snapshot_download("ann/toy") == cached
    with pytest.raises(httpx2.ConnectError):
        list(ann.list_models())
    with pytest.raises(httpx2.ConnectError):
        ann.upload_folder(repo_id="ann/toy", folder_path=folder)
    waits.clear()
    with pytest.raises(LocalEntryNotFoundError):
        ann.hf_hub_download("ann/other", "config.json")
    assert waits == [1, 2, 4, 8, 8]


@only_http
def test_offline_the_cache_is_all_there_is(
    ann: HfApi, hub: HubServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hub.put("ann/toy", FILES)
    cached = ann.snapshot_download("ann/toy")
    hub.requests.clear()
    hermetic(monkeypatch, tmp_path, hub.url, offline=True)
    assert ann.snapshot_download("ann/toy") == cached
    with pytest.raises(LocalEntryNotFoundError):
        ann.hf_hub_download("ann/other", "config.json")
    with pytest.raises(OfflineModeIsEnabled):
        ann.model_info("ann/toy")
    assert hub.requests == []


# The client's surroundings


@only_http
def test_the_client_sees_its_test_alone(hub: HubServer, waits: list[float], tmp_path: Path) -> None:
    hub.put("ann/toy", FILES)
    there = hf_hub_download("ann/toy", "config.json")
    assert Path(there).is_relative_to(tmp_path)
    assert HfApi().endpoint == hub.url
    assert {request.user for request in hub.requests} == {None}
    assert {request.method for request in hub.requests} == {"HEAD", "GET"}
    code = """
from huggingface_hub import constants, hf_hub_download
print(hf_hub_download("ann/toy", "config.json"), constants.HF_HUB_DISABLE_XET)
"""
    child = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert child.stdout.split() == [there, "True"]
