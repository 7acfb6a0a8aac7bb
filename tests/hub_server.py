"""A small Hugging Face Hub in memory, for tests that drive the real client without a network.

It speaks the part of the Hub's HTTP protocol that models need (https://huggingface.co/docs/hub/api),
as measured with huggingface_hub 2.4.0 and hf-xet 1.8.0: repositories, commits, branches, tags,
uploads by LFS and by Xet, listings, downloads with ranges, and errors by ``X-Error-Code``.

    with HubServer() as hub:                        # 127.0.0.1, a free port; HubServer(xet=False)
        token = hub.token("ann")                    # a user and her token; hub.token("ann", "read")
        sha = hub.put("ann/toy", {"config.json": b"{}"}, private=False, gated=False, tag="v1")
        hub.files("ann/toy", "main")                # {path: bytes}
        hub.repos["ann/toy"].log("main")            # commits, newest first
        hub.requests                                # [Request(method, path, query, user)]
        hub.count("GET", "/resolve/")               # how many match (regular expressions)

``put`` goes past the client and checks nothing: names such as ``../../evil.json`` are fine. ``lie``
makes the listing, the headers and the bytes of a file disagree:

        hub.lie("ann/toy", "model.safetensors", listed_size=10, head_size=10, body=b"other bytes")

``fail`` breaks requests, the ``at``-th match from now on, ``times`` of them (``None``: for ever):

        hub.fail(503, "GET", "/resolve/")           # an answer; headers={"Retry-After": "1"}
        hub.fail("cut", at=3, times=None)           # closed without an answer, nothing done
        hub.fail("lost", "POST", "/commit/")        # done, and then closed without an answer
        hub.fail("reset")                           # the connection is reset, nothing done
        hub.fail("half", "GET", "/resolve/")        # half of the body, and then closed
        hub.fail("hang")                            # no answer until it is released, or the end

It returns a fault, which counts its ``hits`` and ends with ``release()``. To break a push or a pull
at every stage: run it once, then for each ``at`` in ``range(1, len(hub.requests) + 1)`` with
another repository. ``hub.stop()`` keeps ``hub.url``, where nobody answers from then on.

``hermetic`` points the client of this process, and of its children, at a server and at a temporary
cache, and makes its waits between retries instant.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
import shutil
import socket
import struct
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal, NamedTuple
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

import yaml

BOUND = 60.0
"""Seconds after which a hanging request and an idle connection end in any case."""

LFS_NAMES = re.compile(r"\.(safetensors|bin|pt|pth|pkl|onnx|npz|npy|zip|png|jpe?g|h5|ckpt)$")
GITATTRIBUTES = b"*.safetensors filter=lfs diff=lfs merge=lfs -text\n"
BIRTH = datetime(2025, 1, 1, tzinfo=UTC)

Failure = Literal["cut", "lost", "reset", "half", "hang"] | int


class Request(NamedTuple):
    """One request as it came in: the path unquoted and without its query."""

    method: str
    path: str
    query: str
    user: str | None


class Refused(Exception):
    """An answer other than success; ``more`` goes into its body."""

    def __init__(
        self,
        status: int,
        message: str,
        code: str | None = None,
        headers: Mapping[str, str] = {},
        **more: Any,
    ) -> None:
        super().__init__(message)
        self.status, self.body = status, {"error": message, **more}
        self.headers = {"X-Error-Message": message, **headers}
        if code:
            self.headers["X-Error-Code"] = code


class Answer(NamedTuple):
    """A status, a body (JSON unless it is bytes) and headers."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = {}


@dataclass
class Blob:
    """A file's bytes, and the names that git, LFS and Xet give to them."""

    data: bytes
    lfs: bool
    xet: str | None = None

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @property
    def pointer(self) -> bytes:
        text = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize {}\n"
        return text.format(self.sha256, len(self.data)).encode()

    @cached_property
    def git(self) -> str:
        data = self.pointer if self.lfs else self.data
        return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()

    @property
    def etag(self) -> str:
        return self.sha256 if self.lfs else self.git


@dataclass(frozen=True)
class Lie:
    """What is said or served of one file in place of the truth."""

    listed_size: int | None = None
    listed_sha256: str | None = None
    head_size: int | None = None
    head_etag: str | None = None
    body: bytes | None = None


@dataclass(frozen=True)
class Commit:
    """One state of a repository."""

    sha: str
    parent: Commit | None
    title: str
    message: str
    author: str
    date: str
    files: dict[str, Blob]


@dataclass
class Repo:
    """A model repository."""

    id: str
    private: bool = False
    gated: bool = False
    downloads: int = 0
    likes: int = 0
    branches: dict[str, Commit] = field(default_factory=dict)
    tags: dict[str, Commit] = field(default_factory=dict)
    commits: dict[str, Commit] = field(default_factory=dict)
    lies: dict[str, Lie] = field(default_factory=dict)
    store: dict[str, bytes] = field(default_factory=dict)

    @property
    def owner(self) -> str:
        return self.id.split("/")[0]

    def at(self, revision: str) -> Commit:
        for named in (self.branches, self.tags, self.commits):
            if revision in named:
                return named[revision]
        raise Refused(404, f"Invalid rev id: {revision}", "RevisionNotFound")

    def log(self, revision: str = "main") -> list[Commit]:
        commit: Commit | None = self.at(revision)
        found = []
        while commit is not None:
            found.append(commit)
            commit = commit.parent
        return found

    def add(
        self, branch: str, files: dict[str, Blob], title: str, message: str, author: str
    ) -> Commit:
        parent = self.branches.get(branch)
        number = len(self.commits)
        sha = hashlib.sha1(f"{self.id} {number} {title} {sorted(files)}".encode()).hexdigest()
        commit = Commit(sha, parent, title, message, author, _date(number), files)
        self.branches[branch] = self.commits[sha] = commit
        return commit


@dataclass
class Fault:
    """A failure that waits for its requests; ``hits`` counts how often it struck."""

    how: Failure
    method: str
    path: str
    at: int
    times: int | None
    headers: Mapping[str, str]
    seen: int = 0
    hits: int = 0
    event: threading.Event = field(default_factory=threading.Event)

    def release(self) -> None:
        """End the failure; requests that hang go on as if nothing had been."""
        self.event.set()

    def strikes(self, request: Request) -> bool:
        if self.event.is_set() or not _matches(request, self.method, self.path):
            return False
        self.seen += 1
        last = float("inf") if self.times is None else self.at + self.times - 1
        struck = self.at <= self.seen <= last
        self.hits += struck
        return struck


class HubServer:
    """The Hub; see the top of the module.

    Args:
        xet: Serve Xet's tokens and hashes.  Users upload both ways: huggingface_hub uses LFS on
            machines without hf_xet, and if HF_HUB_DISABLE_XET is set.  What is sent by Xet ends in
            the folder ``cas``, in pieces ``cas / "xet/xorbs/xorbs"`` that a test may damage.
        page: How many models, files or commits a listing shows before it needs a next page.
    """

    def __init__(self, *, xet: bool = True, page: int = 1000) -> None:
        self.page = page
        self.repos: dict[str, Repo] = {}
        self.requests: list[Request] = []
        self.tokens: dict[str, tuple[str, str]] = {}
        self.faults: list[Fault] = []
        self.lock = threading.RLock()
        self.cas = Path(tempfile.mkdtemp(prefix="hub-cas-")) if xet else None
        self._stopped = threading.Event()
        self._server = _Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    def __enter__(self) -> HubServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Refuse connections from now on; ``url`` stays."""
        if self._stopped.is_set():
            return
        self._stopped.set()
        for fault in self.faults:
            fault.release()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(BOUND)
        self._server.close_connections()
        if self.cas is not None:
            shutil.rmtree(self.cas, ignore_errors=True)

    def token(self, user: str, role: Literal["read", "write"] = "write") -> str:
        """A token of a user, who exists from then on."""
        token = f"hf_{user}_{role}"
        self.tokens[token] = (user, role)
        return token

    def put(
        self,
        repo_id: str,
        files: Mapping[str, bytes],
        *,
        private: bool | None = None,
        gated: bool | None = None,
        revision: str = "main",
        tag: str | None = None,
        downloads: int | None = None,
        likes: int | None = None,
    ) -> str:
        """Add files to a repository in one commit, unchecked; the commit's sha."""
        with self.lock:
            repo = self.repos.get(repo_id) or self._create(repo_id)
            facts = {"private": private, "gated": gated, "downloads": downloads, "likes": likes}
            for name, value in facts.items():
                if value is not None:
                    setattr(repo, name, value)
            blobs = {path: Blob(data, _is_lfs(path, data)) for path, data in files.items()}
            repo.store |= {blob.sha256: blob.data for blob in blobs.values() if blob.lfs}
            base = repo.branches.get(revision) or repo.branches["main"]
            commit = repo.add(revision, {**base.files, **blobs}, "Put", "", repo.owner)
            if tag:
                repo.tags[tag] = commit
            return commit.sha

    def files(self, repo_id: str, revision: str = "main") -> dict[str, bytes]:
        """The files of a revision, as they truly are."""
        files = self.repos[repo_id].at(revision).files
        return {path: blob.data for path, blob in files.items()}

    def lie(self, repo_id: str, path: str, **told: Any) -> None:
        """Say or serve something else of a file; the names are those of ``Lie``."""
        self.repos[repo_id].lies[path] = Lie(**told)

    def fail(
        self,
        how: Failure,
        method: str = "",
        path: str = "",
        *,
        at: int = 1,
        times: int | None = 1,
        headers: Mapping[str, str] = {},
    ) -> Fault:
        """Break requests whose method and path match; see the top of the module."""
        fault = Fault(how, method, path, at, times, headers)
        self.faults.append(fault)
        return fault

    def count(self, method: str = "", path: str = "") -> int:
        """How many requests matched both regular expressions so far."""
        return sum(_matches(request, method, path) for request in list(self.requests))

    def _create(self, repo_id: str, private: bool = False) -> Repo:
        repo = self.repos[repo_id] = Repo(repo_id, private)
        files = {".gitattributes": Blob(GITATTRIBUTES, False)}
        repo.add("main", files, "initial commit", "", repo.owner)
        return repo

    def struck(self, request: Request) -> Fault | None:
        """Write a request down; the fault that it meets."""
        with self.lock:
            self.requests.append(request)
            return next((fault for fault in self.faults if fault.strikes(request)), None)

    # Who may do what

    def user(self, header: str | None) -> tuple[str | None, str]:
        """The user and the role that an Authorization header stands for."""
        if header is None:
            return None, "none"
        known = self.tokens.get(header.removeprefix("Bearer ").strip())
        if known is None:
            raise Refused(401, "Invalid credentials in Authorization header")
        return known

    def readable(self, call: Call) -> Repo:
        repo = self.repos.get(call.repo)
        if repo is None or (repo.private and call.user != repo.owner):
            if call.user is None:
                raise Refused(401, "Invalid username or password.", "RepoNotFound")
            raise Refused(404, "Repository not found", "RepoNotFound")
        return repo

    def open(self, call: Call) -> Repo:
        """A repository whose files the caller may read."""
        repo = self.readable(call)
        if repo.gated and call.user != repo.owner:
            status = 401 if call.user is None else 403
            raise Refused(status, f"Access to model {repo.id} is restricted.", "GatedRepo")
        return repo

    def writable(self, call: Call) -> Repo:
        repo = self.readable(call)
        if call.user is None:
            raise Refused(401, "Invalid username or password.", "RepoNotFound")
        if call.user != repo.owner or call.role != "write":
            raise Refused(403, "You don't have the required rights for this repository")
        return repo

    # Accounts and repositories

    def whoami(self, call: Call) -> Answer:
        if call.user is None:
            raise Refused(401, "Invalid username or password.")
        token = {"displayName": call.role, "role": call.role}
        auth = {"type": "access_token", "accessToken": token}
        user = {"type": "user", "id": call.user, "name": call.user, "fullname": call.user}
        return Answer({**user, "orgs": [], "auth": auth})

    def may_read(self, call: Call) -> Answer:
        self.open(call)
        return Answer({})

    def may_write(self, call: Call) -> Answer:
        self.writable(call)
        return Answer({})

    def _namespace(self, call: Call) -> str:
        if call.user is None:
            raise Refused(401, "Invalid username or password.")
        wanted = call.json()
        owner = wanted.get("organization") or call.user
        if owner != call.user or call.role != "write":
            raise Refused(403, f"You don't have the rights to write under the namespace {owner!r}")
        return f"{owner}/{wanted['name']}"

    def create(self, call: Call) -> Answer:
        repo_id = self._namespace(call)
        url = f"{self.url}/{repo_id}"
        if repo_id in self.repos:
            raise Refused(409, "You already created this model repo", url=url)
        self._create(repo_id, call.json().get("visibility") == "private")
        return Answer({"url": url})

    def delete(self, call: Call) -> Answer:
        call = call._replace(repo=self._namespace(call))
        del self.repos[self.writable(call).id]
        return Answer({})

    def validate_yaml(self, call: Call) -> Answer:
        try:
            card = _check_card(call.json()["content"].encode())
        except (yaml.YAMLError, ValueError) as error:
            message = f"Invalid metadata in README.md. {error}"
            raise Refused(400, message, errors=[{"message": message}]) from None
        missing = {"message": "empty or missing yaml metadata in repo card"}
        return Answer({"errors": [], "warnings": [] if card else [missing]})

    # Listings

    def models(self, call: Call) -> Answer:
        seen = [repo for repo in self.repos.values() if not repo.private or repo.owner == call.user]
        found = []
        for repo in seen:
            facts = self._facts(repo, repo.at("main"), blobs=False)
            if self._wanted(facts, call.query):
                found.append(facts)
        key = call.query.get("sort", ["lastModified"])[0]
        found.sort(key=lambda facts: facts.get(key, 0), reverse=True)
        shown, headers = self._page(call, found)
        return Answer([_listed(facts, call.query) for facts in shown], headers=headers)

    def _wanted(self, facts: dict[str, Any], query: dict[str, list[str]]) -> bool:
        return (
            set(query.get("filter", [])) <= set(facts["tags"])
            and query.get("author", [facts["author"]]) == [facts["author"]]
            and query.get("pipeline_tag", [facts["pipeline_tag"]]) == [facts["pipeline_tag"]]
            and query.get("search", [""])[0].lower() in facts["id"].lower()
        )

    def _page(self, call: Call, items: list[Any]) -> tuple[list[Any], dict[str, str]]:
        size = int(call.query.get("limit", [str(self.page)])[0])
        start = int(call.query.get("cursor", ["0"])[0])
        size = min(size, self.page)
        if start + size >= len(items):
            return items[start : start + size], {}
        query = urlencode({**call.query, "cursor": [start + size]}, doseq=True)
        link = {"Link": f'<{self.url}{call.path}?{query}>; rel="next"'}
        return items[start : start + size], link

    def _facts(self, repo: Repo, commit: Commit, blobs: bool) -> dict[str, Any]:
        card = _lenient_card(commit.files.get("README.md"))
        # As on the Hub, the scores stand beside the card's data and not in them.
        index = card.pop("model-index", None)
        tags = _card_tags(card)
        tags += ["safetensors"] if any(p.endswith(".safetensors") for p in commit.files) else []
        facts = {
            "_id": hashlib.sha1(repo.id.encode()).hexdigest()[:24],
            "id": repo.id,
            "modelId": repo.id,
            "author": repo.owner,
            "sha": commit.sha,
            "lastModified": commit.date,
            "createdAt": _date(0),
            "private": repo.private,
            "gated": "auto" if repo.gated else False,
            "disabled": False,
            "downloads": repo.downloads,
            "likes": repo.likes,
            "tags": list(dict.fromkeys(tags)),
            "pipeline_tag": card.get("pipeline_tag"),
            "library_name": card.get("library_name"),
            "siblings": [self._sibling(repo, *file, blobs) for file in commit.files.items()],
        }
        facts |= {"cardData": card} if card else {}
        facts |= {"model-index": index} if index else {}
        return facts

    def _sibling(self, repo: Repo, path: str, blob: Blob, blobs: bool) -> dict[str, Any]:
        if not blobs:
            return {"rfilename": path}
        entry = self._entry(repo, path, blob)
        facts = {"rfilename": path, "size": entry["size"], "blobId": entry["oid"]}
        if "lfs" in entry:
            lfs = entry["lfs"]
            facts["lfs"] = {"sha256": lfs["oid"], **lfs}
        return facts

    def info(self, call: Call) -> Answer:
        repo = self.readable(call)
        facts = self._facts(repo, repo.at(call.rev or "main"), "blobs" in call.query)
        return Answer(_expanded(facts, call.query["expand"]) if "expand" in call.query else facts)

    def _entry(self, repo: Repo, path: str, blob: Blob) -> dict[str, Any]:
        lie = repo.lies.get(path, Lie())
        size = len(blob.data) if lie.listed_size is None else lie.listed_size
        entry = {"type": "file", "path": path, "size": size, "oid": blob.git}
        if blob.lfs:
            oid = lie.listed_sha256 or blob.sha256
            entry["lfs"] = {"oid": oid, "size": size, "pointerSize": len(blob.pointer)}
        elif lie.listed_sha256:
            entry["oid"] = lie.listed_sha256
        if blob.xet and path not in repo.lies:
            entry["xetHash"] = blob.xet
        return entry

    def tree(self, call: Call) -> Answer:
        repo = self.readable(call)
        commit = repo.at(call.rev)
        recursive = _true(call.query.get("recursive"))
        found = self._under(repo, commit, call.file, recursive)
        if call.file and not found:
            raise Refused(404, f"{call.file} does not exist", "EntryNotFound")
        shown, headers = self._page(call, [_dated(e, commit, call.query) for e in found])
        return Answer(shown, headers=headers)

    def _under(self, repo: Repo, commit: Commit, folder: str, deep: bool) -> list[dict[str, Any]]:
        prefix = f"{folder.rstrip('/')}/" if folder else ""
        entries: dict[str, dict[str, Any]] = {}
        for path, blob in commit.files.items():
            if not path.startswith(prefix):
                continue
            *parents, _ = path.removeprefix(prefix).split("/")
            for depth in range(1, len(parents) + 1)[: None if deep else 1]:
                name = prefix + "/".join(parents[:depth])
                entries[name] = _directory(name)
            if deep or not parents:
                entries[path] = self._entry(repo, path, blob)
        return list(entries.values())

    def paths_info(self, call: Call) -> Answer:
        repo = self.readable(call)
        commit = repo.at(call.rev)
        form = parse_qs(call.body.decode())
        every = {entry["path"]: entry for entry in self._under(repo, commit, "", True)}
        found = [every[path] for path in form.get("paths", []) if path in every]
        return Answer([_dated(entry, commit, form) for entry in found])

    def refs(self, call: Call) -> Answer:
        repo = self.readable(call)

        def named(kind: str, refs: dict[str, Commit]) -> list[dict[str, str]]:
            return [
                {"name": name, "ref": f"refs/{kind}/{name}", "targetCommit": commit.sha}
                for name, commit in refs.items()
            ]

        heads, tags = named("heads", repo.branches), named("tags", repo.tags)
        return Answer({"branches": heads, "tags": tags, "converts": []})

    def commits(self, call: Call) -> Answer:
        log = [
            {
                "id": commit.sha,
                "title": commit.title,
                "message": commit.message,
                "date": commit.date,
                "authors": [{"user": commit.author}],
            }
            for commit in self.readable(call).log(call.rev)
        ]
        shown, headers = self._page(call, log)
        return Answer(shown, headers=headers)

    # Branches and tags

    def add_branch(self, call: Call) -> Answer:
        repo = self.writable(call)
        if call.rev in repo.branches:
            raise Refused(409, f"Reference already exists: {call.rev}")
        repo.branches[call.rev] = repo.at((call.json() or {}).get("startingPoint") or "main")
        return Answer({})

    def add_tag(self, call: Call) -> Answer:
        repo = self.writable(call)
        tag = call.json()["tag"]
        if tag in repo.tags:
            raise Refused(409, f"Tag reference exists already: {tag}")
        repo.tags[tag] = repo.at(call.rev)
        return Answer({})

    def drop_branch(self, call: Call) -> Answer:
        return self._drop(self.writable(call).branches, call.rev)

    def drop_tag(self, call: Call) -> Answer:
        return self._drop(self.writable(call).tags, call.rev)

    def _drop(self, refs: dict[str, Commit], name: str) -> Answer:
        if refs.pop(name, None) is None:
            raise Refused(404, f"Reference does not exist: {name}", "RevisionNotFound")
        return Answer({})

    # Uploads

    def preupload(self, call: Call) -> Answer:
        repo = self.writable(call)
        files = repo.at(call.rev).files
        modes = []
        for file in call.json()["files"]:
            path, size = file["path"], file["size"]
            lfs = _is_lfs(path, base64.b64decode(file["sample"]), size)
            old = files.get(path)
            modes.append(
                {
                    "path": path,
                    "uploadMode": "lfs" if lfs else "regular",
                    "shouldIgnore": False,
                    "oid": old.etag if old else None,
                }
            )
        return Answer({"files": modes})

    def lfs_batch(self, call: Call) -> Answer:
        repo = self.writable(call)
        base = f"{self.url}/lfs/{repo.id}"
        objects = []
        for wanted in call.json()["objects"]:
            oid = wanted["oid"]
            actions = {
                "upload": {"href": f"{base}/upload/{oid}", "header": {}},
                "verify": {"href": f"{base}/verify"},
            }
            objects.append(wanted if oid in repo.store else {**wanted, "actions": actions})
        return Answer({"transfer": "basic", "objects": objects})

    def lfs_upload(self, call: Call) -> Answer:
        if hashlib.sha256(call.body).hexdigest() != call.file:
            raise Refused(400, "The bytes do not match their sha256")
        self.repos[call.repo].store[call.file] = call.body
        return Answer(b"")

    def lfs_verify(self, call: Call) -> Answer:
        store = self.writable(call).store
        wanted = call.json()
        if len(store.get(wanted["oid"], b"")) != wanted["size"]:
            raise Refused(404, "No such object, or one of another size")
        return Answer({})

    def commit(self, call: Call) -> Answer:
        repo = self.writable(call)
        if call.rev not in repo.branches:
            raise Refused(404, f"Invalid rev id: {call.rev}", "RevisionNotFound")
        head = repo.branches[call.rev]
        lines = [json.loads(line) for line in call.body.splitlines() if line.strip()]
        header = lines[0]["value"]
        if header.get("parentCommit", head.sha) != head.sha:
            raise Refused(412, "A commit has happened since. Please refresh and try again.")
        files = dict(head.files)
        for line in lines[1:]:
            self._apply(repo, files, line["key"], line["value"])
        title, text = header["summary"], header.get("description", "")
        commit = repo.add(call.rev, files, title, text, call.user or "")
        url = f"{self.url}/{repo.id}/commit/{commit.sha}"
        return Answer({"success": True, "commitUrl": url, "commitOid": commit.sha})

    def _apply(self, repo: Repo, files: dict[str, Blob], key: str, value: dict[str, Any]) -> None:
        """Change a copy of the files by one line of a commit."""
        path = value["path"]
        if key == "file":
            files[path] = Blob(base64.b64decode(value["content"]), False)
        elif key == "lfsFile":
            files[path] = self._stored(repo, value["oid"])
        elif key == "deletedFile" and path in files:
            del files[path]
        elif key == "deletedFolder":
            for inside in [name for name in files if name.startswith(path.rstrip("/") + "/")]:
                del files[inside]
        else:
            raise Refused(404, "A file with this name doesn't exist", "EntryNotFound")

    def _stored(self, repo: Repo, oid: str) -> Blob:
        hashes = xet_hashes(self.cas) if self.cas else {}
        if oid not in repo.store and oid in hashes:
            repo.store[oid] = read_xet(self.cas, *hashes[oid])
        if oid not in repo.store:
            raise Refused(400, f"LFS object {oid} was never uploaded")
        return Blob(repo.store[oid], True, hashes.get(oid, (None, 0))[0])

    def xet_read(self, call: Call) -> Answer:
        self.open(call)
        return self._xet_token()

    def xet_write(self, call: Call) -> Answer:
        self.writable(call)
        return self._xet_token()

    def _xet_token(self) -> Answer:
        if self.cas is None:
            raise Refused(404, "Not found")
        end, cas = int(time.time()) + 3600, f"local://{self.cas}"
        headers = {
            "X-Xet-Cas-Url": cas,
            "X-Xet-Access-Token": "xet",
            "X-Xet-Token-Expiration": str(end),
        }
        return Answer({"accessToken": "xet", "exp": end, "casUrl": cas}, headers=headers)

    # Downloads

    def resolve(self, call: Call) -> Answer:
        repo = self.open(call)
        commit = repo.at(call.rev)
        sha = {"X-Repo-Commit": commit.sha}
        blob = commit.files.get(call.file)
        if blob is None:
            raise Refused(404, "Entry not found", "EntryNotFound", sha)
        lie = repo.lies.get(call.file, Lie())
        body = blob.data if lie.body is None else lie.body
        etag = f'"{lie.head_etag or blob.etag}"'
        size = str(len(blob.data) if lie.head_size is None else lie.head_size)
        headers = {**sha, "ETag": etag, "Accept-Ranges": "bytes"}
        headers |= {"X-Linked-Etag": etag, "X-Linked-Size": size} if blob.lfs else {}
        headers |= {"Content-Length": size} if call.method == "HEAD" else {}
        if blob.xet and call.file not in repo.lies:
            token = f"{self.url}/api/models/{repo.id}/xet-read-token/{commit.sha}"
            headers |= {"X-Xet-Hash": blob.xet, "Link": f'<{token}>; rel="xet-auth"'}
        return _ranged(body, call.range, headers)


class Call(NamedTuple):
    """A request, taken apart."""

    method: str
    path: str
    query: dict[str, list[str]]
    body: bytes
    user: str | None
    role: str
    range: str | None
    repo: str = ""
    rev: str = ""
    file: str = ""

    def json(self) -> Any:
        return json.loads(self.body) if self.body else None


_NAME = r"(?P<repo>[^/]+/[^/]+)"
#: models and Spaces, which share their names here
_API = rf"/api/(?:models|spaces)/{_NAME}"
_REV = r"(?P<rev>[^/]+)"
_SHA = r"(?P<file>[0-9a-f]{64})"
ROUTES: list[tuple[str, re.Pattern[str], Callable[[HubServer, Call], Answer]]] = [
    (method, re.compile(path), handler)
    for method, path, handler in (
        ("GET", "/api/whoami-v2", HubServer.whoami),
        ("POST", "/api/repos/create", HubServer.create),
        ("DELETE", "/api/repos/delete", HubServer.delete),
        ("POST", "/api/validate-yaml", HubServer.validate_yaml),
        ("GET", "/api/models", HubServer.models),
        ("GET", _API, HubServer.info),
        ("GET", rf"{_API}/revision/{_REV}", HubServer.info),
        ("GET", rf"{_API}/tree/{_REV}(?:/(?P<file>.*))?", HubServer.tree),
        ("POST", rf"{_API}/paths-info/{_REV}", HubServer.paths_info),
        ("GET", rf"{_API}/auth-check", HubServer.may_read),
        ("GET", rf"{_API}/auth-check/write", HubServer.may_write),
        ("GET", rf"{_API}/refs", HubServer.refs),
        ("GET", rf"{_API}/commits/{_REV}", HubServer.commits),
        ("POST", rf"{_API}/branch/{_REV}", HubServer.add_branch),
        ("DELETE", rf"{_API}/branch/{_REV}", HubServer.drop_branch),
        ("POST", rf"{_API}/tag/{_REV}", HubServer.add_tag),
        ("DELETE", rf"{_API}/tag/{_REV}", HubServer.drop_tag),
        ("POST", rf"{_API}/preupload/{_REV}", HubServer.preupload),
        ("POST", rf"{_API}/commit/{_REV}", HubServer.commit),
        ("GET", rf"{_API}/xet-read-token/{_REV}", HubServer.xet_read),
        ("GET", rf"{_API}/xet-write-token/{_REV}", HubServer.xet_write),
        ("POST", rf"(?:/spaces)?/{_NAME}\.git/info/lfs/objects/batch", HubServer.lfs_batch),
        ("PUT", rf"/lfs/{_NAME}/upload/{_SHA}", HubServer.lfs_upload),
        ("POST", rf"/lfs/{_NAME}/verify", HubServer.lfs_verify),
        ("HEAD|GET", rf"(?:/spaces)?/{_NAME}/resolve/{_REV}/(?P<file>.+)", HubServer.resolve),
        # A name without an owner: the Hub knows a few of these, this one none.
        ("GET", r"/api/models/(?P<repo>[^/]+)", HubServer.info),
        ("HEAD|GET", r"/(?P<repo>[^/]+)/resolve/.+", HubServer.resolve),
    )
]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, hub: HubServer) -> None:
        self.hub = hub
        self.open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", 0), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.open.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        """End connections that clients keep for their next request."""
        for connection in list(self.open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that went away."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = BOUND
    server: _Server

    def log_message(self, *_: object) -> None:
        """Nothing on the terminal."""

    def _serve(self) -> None:
        hub = self.server.hub
        parts = urlsplit(self.path)
        header = self.headers.get("Authorization")
        user = hub.tokens.get((header or "").removeprefix("Bearer "), (None,))[0]
        fault = hub.struck(Request(self.command, unquote(parts.path), parts.query, user))
        how = fault.how if fault else None
        if how == "reset":
            return self._reset()
        body = self._body()
        if fault and how == "hang":
            fault.event.wait(BOUND)
        if how == "cut":
            return self._close()
        try:
            if fault and isinstance(how, int):
                raise Refused(how, "A failure on purpose", headers=fault.headers)
            answer = self._route(parts.path, parse_qs(parts.query), body, header)
        except Refused as refused:
            answer = Answer(refused.body, refused.status, refused.headers)
        if how == "lost":
            return self._close()
        self._send(answer, half=how == "half")

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _serve

    def _route(
        self, path: str, query: dict[str, list[str]], body: bytes, header: str | None
    ) -> Answer:
        hub = self.server.hub
        for method, pattern, handler in ROUTES:
            match = pattern.fullmatch(path)
            if match and re.fullmatch(method, self.command):
                named = {k: unquote(v) for k, v in match.groupdict().items() if v is not None}
                with hub.lock:
                    user, role = hub.user(header)
                    span = self.headers.get("Range")
                    call = Call(self.command, path, query, body, user, role, span, **named)
                    return handler(hub, call)
        raise Refused(404, f"No such page: {self.command} {path}")

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        return b"".join(self._chunks())

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline().split(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def _send(self, answer: Answer, half: bool) -> None:
        is_json = not isinstance(answer.body, bytes)
        body = json.dumps(answer.body).encode() if is_json else answer.body
        kind = "application/json" if is_json else "application/octet-stream"
        headers = {"Content-Type": kind, "Content-Length": str(len(body)), **answer.headers}
        self.send_response(answer.status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[: len(body) // 2] if half else body)
        self.wfile.flush()
        if half:
            self._close()

    def _close(self) -> None:
        self.close_connection = True

    def _reset(self) -> None:
        """Close at once, with a reset in place of a goodbye."""
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True
        # shutdown() would say goodbye first, so the file descriptor goes in its place.
        self.server.open.discard(self.connection)
        self.rfile.close()
        self.wfile.close()
        self.connection.close()


def _matches(request: Request, method: str, path: str) -> bool:
    return bool(re.search(method, request.method) and re.search(path, request.path))


def _date(number: int) -> str:
    return (BIRTH + timedelta(minutes=number)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _true(values: list[str] | None) -> bool:
    return values is not None and values[0].lower() in ("1", "true")


def _is_lfs(path: str, sample: bytes, size: int = 0) -> bool:
    """Whether a file goes to the large store: by its name, its size, or because it is no text."""
    return bool(LFS_NAMES.search(path)) or size > 10 * 2**20 or b"\0" in sample[:512]


def _card(content: bytes) -> dict[str, Any]:
    """A card's metadata, scores and all, as JSON would say it."""
    match = re.match(rb"---\r?\n(.*?)\r?\n---", content, re.DOTALL)
    data = json.loads(json.dumps(yaml.safe_load(match[1]) if match else {}, default=str))
    if not isinstance(data, dict):
        raise ValueError("The metadata must be a mapping")
    return data


def _check_card(content: bytes) -> dict[str, Any]:
    data = _card(content)
    for model in data.get("model-index") or []:
        for result in model["results"] if isinstance(model, dict) and "name" in model else [None]:
            _check_result(result)
    return data


def _check_result(result: Any) -> None:
    try:
        kinds = (result["task"]["type"], result["dataset"]["type"], result["dataset"]["name"])
        scores = [(metric["type"], metric["value"]) for metric in result["metrics"]]
    except (TypeError, KeyError) as error:
        raise ValueError(f'"model-index" is malformed: {error} is required') from None
    if not all(isinstance(kind, str) for kind in (*kinds, *(kind for kind, _ in scores))):
        raise ValueError('"model-index": a type and a name are strings')


def _lenient_card(blob: Blob | None) -> dict[str, Any]:
    try:
        return _card(blob.data if blob else b"")
    except (yaml.YAMLError, ValueError):
        return {}


def _card_tags(card: dict[str, Any]) -> list[str]:
    tags = card.get("tags")
    tags = [*tags] if isinstance(tags, list) else []
    tags += [card.get("library_name"), card.get("pipeline_tag")]
    tags += [f"license:{card['license']}"] if "license" in card else []
    return [tag for tag in tags if isinstance(tag, str)]


def _expanded(facts: dict[str, Any], wanted: list[str]) -> dict[str, Any]:
    known = {*facts, "cardData", "model-index"}
    if unknown := sorted(set(wanted) - known):
        raise Refused(400, f'"expand" must be one of {sorted(known)}: {unknown}')
    return {key: facts[key] for key in ("_id", "id", *wanted) if key in facts}


def _listed(facts: dict[str, Any], query: dict[str, list[str]]) -> dict[str, Any]:
    """What a listing says of a model: less than the model's own page unless it is asked for."""
    if "expand" in query:
        return _expanded(facts, query["expand"])
    few = ["_id", "id", "modelId", "likes", "private", "downloads", "tags"]
    few += ["pipeline_tag", "library_name", "createdAt"]
    if _true(query.get("full")):
        few += ["author", "lastModified", "gated", "disabled", "sha", "siblings"]
    if _true(query.get("cardData")):
        few += ["cardData"]
    return {key: facts[key] for key in few if key in facts}


def _directory(path: str) -> dict[str, Any]:
    oid = hashlib.sha1(b"tree " + path.encode()).hexdigest()
    return {"type": "directory", "path": path, "size": 0, "oid": oid}


def _dated(entry: dict[str, Any], commit: Commit, query: dict[str, list[str]]) -> dict[str, Any]:
    if not _true(query.get("expand")):
        return entry
    return {**entry, "lastCommit": {"id": commit.sha, "title": commit.title, "date": commit.date}}


def _ranged(body: bytes, span: str | None, headers: dict[str, str]) -> Answer:
    match = re.fullmatch(r"bytes=(\d+)-(\d*)", span or "")
    if not match:
        return Answer(body, headers=headers)
    start, end = int(match[1]), int(match[2] or len(body) - 1)
    if start >= len(body):
        raise Refused(416, "No such range", headers={"Content-Range": f"bytes */{len(body)}"})
    part = body[start : end + 1]
    headers["Content-Range"] = f"bytes {start}-{start + len(part) - 1}/{len(body)}"
    return Answer(part, 206, headers)


# Xet: files that hf_xet wrote into a folder in place of a server (xet-core, pull request 557)


def xet_hashes(cas: Path) -> dict[str, tuple[str, int]]:
    """The Xet hash and the size of each file in a folder, by sha256 in hexadecimal digits."""
    found = {}
    for shard in cas.rglob("*.mdb"):
        for digest, sha256, size in _shard_files(shard.read_bytes()):
            found[sha256.hex()] = found[_xet_hex(sha256)] = (_xet_hex(digest), size)
    return found


def _xet_hex(digest: bytes) -> str:
    """Xet writes a hash as four little-endian numbers."""
    return "".join(f"{number:016x}" for number in struct.unpack("<4Q", digest))


def _shard_files(data: bytes) -> Iterator[tuple[bytes, bytes, int]]:
    """Hash, sha256 and size of the files of a shard.

    After a header of 48 bytes each file has a header (hash, flags, number of segments), its
    segments, as many checks if flag 31 is set, and its sha256 if flag 30 is set.
    """
    at = 48
    while at + 48 <= len(data) and data[at : at + 32] != b"\xff" * 32:
        digest, flags, count = struct.unpack_from("<32sII", data, at)
        segments = [at + 48 * (1 + i) for i in range(count)]
        size = sum(struct.unpack_from("<I", data, start + 36)[0] for start in segments)
        at += 48 * (1 + count * (2 if flags >> 31 & 1 else 1))
        if flags >> 30 & 1:
            yield digest, data[at : at + 32], size
            at += 48


def read_xet(cas: Path | None, digest: str, size: int) -> bytes:
    """A file's bytes, put together by hf_xet itself."""
    import hf_xet

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        end = int(time.time()) + 3600
        session = hf_xet.XetSession()
        with session.new_file_download_group(
            endpoint=f"local://{cas}", token="xet", token_expiry_unix_secs=end
        ) as group:
            group.start_download_file(hf_xet.XetFileInfo(digest, size), str(path))
        return path.read_bytes()


# The client of this process


def hermetic(
    monkeypatch: Any,
    tmp_path: Path,
    url: str,
    *,
    xet: bool = False,
    offline: bool = False,
    patience: float = 10.0,
) -> list[float]:
    """Point huggingface_hub, here and in child processes, at ``url`` and at an empty cache.

    No token, no proxy, no cache and no memory of an earlier test is left, and retries do not wait.

    Args:
        monkeypatch: Pytest's fixture, which undoes all of it.
        tmp_path: The cache goes to ``tmp_path / "hf"``.
        url: The server's address.
        xet: Whether the client uploads and downloads by Xet.
        offline: Whether the client is told that there is no network.
        patience: Seconds that a download waits for a silent server. Other calls wait for ever
            unless they have a ``timeout`` of their own.

    Returns:
        The seconds that the client meant to wait between retries, as they come.
    """
    home = tmp_path / "hf"
    _set_environment(monkeypatch, home, url, xet, offline)
    _set_constants(monkeypatch, home, url, xet, offline)
    _forget(monkeypatch)
    return _hurry(monkeypatch, patience)


def _set_environment(patch: Any, home: Path, url: str, xet: bool, offline: bool) -> None:
    """What the library reads when it is imported, for child processes, and hf_xet at its start."""
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_OIDC_RESOURCE", "HF_TOKEN_PATH"):
        patch.delenv(name, raising=False)
    for name in ("HUGGINGFACE_HUB_CACHE", "HF_ASSETS_CACHE", "TRANSFORMERS_OFFLINE"):
        patch.delenv(name, raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        patch.delenv(name, raising=False)
        patch.delenv(name.upper(), raising=False)
    patch.setenv("HF_ENDPOINT", url)
    patch.setenv("HF_HOME", str(home))
    patch.setenv("HF_HUB_CACHE", str(home / "hub"))
    patch.setenv("HF_XET_CACHE", str(home / "xet"))
    patch.setenv("HF_HUB_DISABLE_XET", str(int(not xet)))
    patch.setenv("HF_HUB_OFFLINE", str(int(offline)))
    patch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
    patch.setenv("HF_XET_TELEMETRY_ENABLED", "0")
    # The retries of hf_xet are its own, in Rust.
    patch.setenv("HF_XET_CLIENT_RETRY_BASE_DELAY", "1ms")
    patch.setenv("HF_XET_CLIENT_RETRY_MAX_DURATION", "1s")


def _set_constants(patch: Any, home: Path, url: str, xet: bool, offline: bool) -> None:
    """What the library has read already."""
    from huggingface_hub import constants, hf_api

    told = {
        "ENDPOINT": url,
        "HUGGINGFACE_CO_URL_TEMPLATE": url + "/{repo_id}/resolve/{revision}/{filename}",
        "HF_HOME": str(home),
        "HF_HUB_CACHE": str(home / "hub"),
        "HUGGINGFACE_HUB_CACHE": str(home / "hub"),
        "HF_ASSETS_CACHE": str(home / "assets"),
        "HF_XET_CACHE": str(home / "xet"),
        "HF_TOKEN_PATH": str(home / "token"),
        "HF_STORED_TOKENS_PATH": str(home / "stored_tokens"),
        "AGENT_HARNESSES_PATH": str(home / ".agent_harnesses.json"),
        "HF_HUB_OFFLINE": offline,
        "HF_HUB_DISABLE_XET": not xet,
        "HF_HUB_DISABLE_TELEMETRY": True,
        "HF_HUB_DISABLE_IMPLICIT_TOKEN": False,
    }
    for name, value in told.items():
        patch.setattr(constants, name, value)
    patch.setattr(hf_api.api, "endpoint", url)


def _forget(patch: Any) -> None:
    """What the library remembers from one call to the next."""
    from huggingface_hub import _tree_cache, close_session
    from huggingface_hub.utils import _detect_agent, _xet

    close_session()
    # A list that it would otherwise fetch, in the middle of any request, once per process.
    patch.setattr(_detect_agent, "_registry", _detect_agent._EMPTY_REGISTRY)
    patch.setattr(_tree_cache, "_IN_MEMORY_TREE_CACHE", {})
    patch.setattr(_xet, "XET_CONNECTION_INFO_CACHE", {})
    patch.setattr(_xet, "_GLOBAL_XET_HOLDER", _xet.XetSessionHolder())


def _hurry(patch: Any, patience: float) -> list[float]:
    """Leave retries as they are, but for the time between them."""
    from huggingface_hub import constants, file_download
    from huggingface_hub.utils import _http

    waits: list[float] = []
    clock = SimpleNamespace(**{**vars(time), "sleep": waits.append})
    patch.setattr(_http, "time", clock)
    patch.setattr(file_download, "time", clock)
    for name in ("HF_HUB_ETAG_TIMEOUT", "HF_HUB_DOWNLOAD_TIMEOUT"):
        patch.setattr(constants, name, patience)
    patch.setattr(file_download, "_ETAG_RETRY_TIMEOUT", patience)
    return waits
