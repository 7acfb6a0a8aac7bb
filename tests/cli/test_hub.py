"""``pull``, ``push``, ``search`` and a Hub id wherever a MODEL is asked for, as they are typed."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import toy
from hub_server import HubServer, hermetic
from PIL import Image
from submitted import entry
from typed import Result, Run, typist

from ganzoo.evaluation.result import write_entry
from ganzoo.models import config, model
from ganzoo.models.weights import weights_hash
from ganzoo.training.loop import start

pytestmark = pytest.mark.usefixtures("one_thread")
REPO = "ann/toy"
LICENCES = ("--licence", "cc-by-4.0", "--data-licence", "cc0-1.0")
LICENCE = " ".join(LICENCES)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs: ``drawer`` with a score, and ``painter``."""
    folder = tmp_path_factory.mktemp("trained")
    start(toy.recipe(folder), folder / "drawer", toy.plugins())
    photos: dict[str, Any] = {
        "dataset": {"use": "toy", "photo": True},
        "generator": {"use": "toy-translator"},
    }
    start(toy.recipe(folder, **photos), folder / "painter", toy.plugins())
    sha = weights_hash(model.load(folder / "drawer", toy.plugins().registry).generator)
    made = entry("drawer", 3.0, weights_sha256=sha)
    write_entry(folder / "drawer" / "model" / "entries" / "avatars-32.json", made)
    return folder


@pytest.fixture
def server(trained: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    """The Hub, for ann; ``drawer`` and ``painter`` are in the current folder."""
    monkeypatch.setattr("ganzoo.plugins.manager.installed", toy.plugins)
    monkeypatch.setattr(config, "code_licence", lambda _: "MIT")
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "120")
    shutil.copytree(trained, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    with HubServer(xet=False) as found:
        hermetic(monkeypatch, tmp_path, found.url)
        monkeypatch.setenv("HF_TOKEN", found.token("ann"))
        yield found


@pytest.fixture
def run(
    server: HubServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    return typist(monkeypatch, capsys)


@pytest.fixture
def pushed(run: Run) -> None:
    """Both models are on the Hub."""
    for name, repo in (("drawer", REPO), ("painter", "ann/painter")):
        assert run("push", name, repo, *LICENCES).code == 0


def told(result: Result) -> Any:
    assert result.code == 0, result.err
    return json.loads(result.out)


def refused(result: Result, *parts: str, code: int = 2) -> None:
    assert (result.code, result.out) == (code, "")
    assert result.err.startswith("error: ")
    assert "Traceback" not in result.err
    for part in parts:
        assert part in result.err


# -- push --------------------------------------------------------------------------------------


def test_push_says_what_went(run: Run, server: HubServer) -> None:
    dry = run("push", "drawer", REPO, *LICENCES, "--dry-run")
    assert (dry.code, dry.err) == (0, "")
    assert "# toy" in dry.out
    assert re.search(rf"would go to {REPO}; nothing is sent.*\n  new ", dry.out)
    assert not server.repos

    done = run("push", "drawer", REPO, *LICENCES, "--tag", "v1", "-m", "First")
    commit = server.repos[REPO].tags["v1"]
    assert (done.code, done.err) == (0, "")  # no progress bars for small files
    *changes, networks, left_out, last, following = done.out.splitlines()
    assert networks == "networks: generator"
    assert left_out == "left out without --with-discriminator: discriminator"
    assert [line.split()[0] for line in changes] == ["new"] * 7
    assert last == f"commit {commit.sha[:12]}: {server.url}/{REPO}"
    assert following == f"next: ganzoo pull {REPO}@v1"
    assert commit.title == "First"

    again = run("push", "drawer", REPO)
    assert again.out.startswith(f"{REPO}: ")
    assert again.out.endswith(f" already\nnext: ganzoo pull {REPO}\n")
    dry = run("push", "drawer", REPO, "--dry-run")
    assert dry.out.startswith(f"{REPO}: ")
    assert " already\n  same " in dry.out
    assert "# toy" not in dry.out

    more = run("push", "drawer", f"{REPO}@dev", "--with-discriminator", "--tag", "v2")
    assert "  new " in more.out
    assert more.out.endswith(f"{REPO}/tree/dev\nnext: ganzoo pull {REPO}@v2\n")


def test_push_as_json(run: Run, server: HubServer) -> None:
    dry = told(run("push", "drawer", REPO, *LICENCES, "--dry-run", "--json"))
    assert {file["action"] for file in dry["files"]} == {"new"}
    assert (dry["networks"], dry["left_out"]) == (["generator"], ["discriminator"])
    assert (dry["id"], dry["notes"]) == (REPO, [])
    done = told(run("push", "drawer", REPO, *LICENCES, "--json"))
    assert done["commit"] == server.repos[REPO].log()[0].sha
    assert done["card"].encode() == server.files(REPO)["README.md"]
    assert told(run("push", "drawer", REPO, "--json"))["commit"] is None


def test_a_card_cannot_write_to_the_terminal(run: Run) -> None:
    Path("card.md").write_text("# Red\x1b[31m\x07\n")
    dry = run("push", "drawer", REPO, *LICENCES, "--card", "card.md", "--dry-run")
    assert "# Red\\x1b[31m\\x07\n" in dry.out
    assert "\x1b" not in dry.out


def test_what_push_refuses(run: Run, server: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    refused(run("push", "drawer", REPO), "for 2 problems:", "--licence cc", "--data-licence, for")
    refused(run("push", "nothing", REPO), "nothing does not exist")
    refused(run("push", "drawer", "toy"), "is no name of a model on the Hub")
    refused(run("push", "drawer", "bob/toy", *LICENCES), "does not let you do this")
    refused(run("push", "drawer", REPO, "--entries", "nowhere"), "--entries nowhere is no folder")
    refused(run("push", "drawer", REPO, "--token", "hf_no"), "needs a token")
    monkeypatch.delenv("HF_TOKEN")
    refused(run("push", "drawer", REPO, *LICENCES), "needs a token", "hf auth login")
    assert not server.repos
    server.stop()
    refused(run("push", "drawer", REPO, *LICENCES, "--token", "hf_x"), "cannot be reached", code=1)
    dry = run("push", "drawer", REPO, *LICENCES, "--dry-run")
    assert dry.code == 0
    assert "the Hub has is not known" in dry.err


# -- pull, show and what uses a model -----------------------------------------------------------


@pytest.mark.usefixtures("pushed")
def test_pull(run: Run, server: HubServer) -> None:
    sha = server.repos[REPO].log()[0].sha
    done = run("pull", REPO)
    first, following = done.out.splitlines()
    assert first.startswith(f"{REPO} at commit {sha[:12]}: ")
    assert following == f"next: ganzoo show {REPO}"
    assert done.err == ""
    data = told(run("pull", f"{REPO}@main", "--out", "mine", "--json"))
    assert data == {"id": REPO, "commit": sha, "folder": "mine"}
    assert not any(path.is_symlink() for path in Path("mine").rglob("*"))
    refused(run("pull", REPO, "--out", "mine"), "--out mine exists and is not empty")
    refused(run("pull", "ann/nothing"), "there is no model 'ann/nothing'")
    refused(run("pull", REPO, "--revision", "v9"), "has no revision 'v9'", "Available: main")
    refused(run("pull", f"{REPO}@a", "--revision", "b"), "revision b is asked for")
    for ours in (("ganzoo/avatars-64@v1",), ("ganzoo/avatars-64", "--revision", "v1")):
        refused(run("pull", *ours), "no revisions", "hf://ganzoo/avatars-64@v1")
    server.stop()
    offline = run("pull", REPO)
    assert offline.code == 0
    assert "not reached; this is commit" in offline.err
    refused(run("pull", "ann/other"), "in the cache either", code=1)


@pytest.mark.usefixtures("pushed")
def test_an_exported_file_has_the_name_of_the_repository(run: Run) -> None:
    address = f"https://huggingface.co/{REPO}/tree/main"
    assert run("export", address, "--format", "torch-export").code == 0
    assert Path("toy.pt2").is_file()


@pytest.mark.usefixtures("pushed")
def test_show_fetches_no_weights(run: Run, server: HubServer) -> None:
    start = len(server.requests)
    shown = run("show", REPO)
    assert shown.code == 0
    assert "under avatars-32 version 1" in shown.out
    assert "licence        of the weights: cc-by-4.0" in shown.out
    data = told(run("show", REPO, "--json"))
    assert data["config"]["licences"]["data"] == "cc0-1.0"
    assert [score["benchmark"] for score in data["scores"]] == ["avatars-32"]
    assert not [r for r in server.requests[start:] if r.path.endswith(".safetensors")]
    local = told(run("show", "drawer", "--json"))
    assert local["config"] | {"licences": None} == data["config"] | {"licences": None}


@pytest.mark.usefixtures("pushed")
def test_a_hub_id_is_a_model(run: Run) -> None:
    for name, out in (("drawer", "a.png"), (REPO, "b.png")):
        assert run("sample", name, "-n", 4, "--out", out).code == 0
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()

    Image.new("RGB", (9, 6), "teal").save("photo.png")
    for name in ("painter", "ann/painter"):
        assert run("translate", name, "photo.png", "--out", f"out-{name[:3]}").code == 0
    assert Path("out-pai/photo.png").read_bytes() == Path("out-ann/photo.png").read_bytes()

    benchmark = toy.benchmark(Path("benchmark"))
    (made,) = told(run("evaluate", REPO, "-b", benchmark, "--json", "--out", "entries"))
    (local,) = told(run("evaluate", "drawer", "-b", benchmark, "--json", "--out", "other"))
    assert made["model"]["name"] == "toy"
    assert made["scores"] == local["scores"]
    assert run("push", "drawer", REPO, "--entries", "entries").code == 0
    data = told(run("leaderboard", "toys", "--hub", "--json"))
    assert REPO in json.dumps(data)


# -- search and leaderboard ----------------------------------------------------------------------


@pytest.mark.usefixtures("pushed")
def test_search(run: Run, server: HubServer) -> None:
    server.repos[REPO].downloads = 1234
    server.repos["ann/painter"].private = True
    lines = run("search").out.splitlines()
    assert re.split(r"  +", lines[1].strip())[:4] == [REPO, "noise", "cc-by-4.0", "1,234"]
    assert "avatars-32: fid" in lines[1]
    assert lines[2].startswith("ann/painter (private)  images")
    data = told(run("search", "--json"))
    assert [found["id"] for found in data] == [REPO, "ann/painter"]
    assert data[0]["entries"][0]["scores"]["fid"]["value"] == 3.0
    assert len(told(run("search", "--limit", "1", "--json"))) == 1
    assert told(run("search", "--author", "bob", "--json")) == []
    assert re.match("no model .*'zebra'", run("search", "zebra").out)
    assert run("search", "--limit", "0").code == 2
    server.fail(503, "GET", "/api/models", times=None)
    refused(run("search"), "in trouble (503)", code=1)


@pytest.mark.usefixtures("pushed")
def test_a_leaderboard_of_the_hub(run: Run, server: HubServer) -> None:
    shown = run("leaderboard", "--hub")
    assert shown.code == 0
    assert "avatars-32  version 1" in shown.out
    assert REPO in shown.out
    assert REPO in json.dumps(told(run("leaderboard", "avatars-32", "--hub", "--json")))
    none = run("leaderboard", "avatars-64", "--hub")
    assert none.code == 0
    assert re.match("no model .* avatars-64:", none.out)
    refused(run("leaderboard", "--hub", "--entries", "."), "two sources")
    card = server.files(REPO)["README.md"].replace(b"value: 3.0", b"value: 99.0")
    server.put(REPO, {"README.md": card})
    broken = run("leaderboard", "--hub")
    assert "left out: the scores of 'ann/toy'" in broken.err
    assert "Traceback" not in broken.err


@pytest.mark.parametrize(
    "token", ["hf_secret\nmore", "hf_sécret", "hf_secret more", "s\x1b[2Jecret"]
)
@pytest.mark.parametrize("how", ["option", "variable"])
@pytest.mark.parametrize("words", ["search", f"pull {REPO}", f"push drawer {REPO} {LICENCE}"])
def test_a_token_that_cannot_be_sent_is_never_shown(
    run: Run, server: HubServer, monkeypatch: pytest.MonkeyPatch, words: str, how: str, token: str
) -> None:
    if how == "variable":
        monkeypatch.setattr("huggingface_hub.get_token", lambda: token)
    given = ["--token", token] if how == "option" else []
    before = len(server.requests)
    said = run(*words.split(), *given)
    assert said.code == 2
    assert "the token in" in said.err
    for part in ("ecret", "sécret", " more "):
        assert part not in said.err
    assert len(server.requests) == before


@pytest.mark.parametrize("how", [400, 403, 404, 429, 500])
def test_what_a_server_says_is_text(run: Run, server: HubServer, how: int) -> None:
    evil = {"X-Error-Message": "\x1b[2J\x9b31m gone", "X-Error-Code": "\x1b]0;x\x07"}
    server.fail(how, times=None, headers=evil)
    for words in ("search", f"pull {REPO}", f"show {REPO}", f"push drawer {REPO} {LICENCE}"):
        said = run(*words.split())
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", said.out + said.err)
        assert "Traceback" not in said.err
