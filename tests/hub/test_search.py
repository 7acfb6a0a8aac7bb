"""What models the Hub has: a list and a leaderboard, from cards that nobody has to believe."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hub_server import HubServer, hermetic
from submitted import entry, score
from typed import Result, Run, typist

from ganzoo.errors import HubError, HubFailure, RunError
from ganzoo.evaluation.leaderboard import reading
from ganzoo.evaluation.result import Entry, EntryFile
from ganzoo.evaluation.standings import rank
from ganzoo.hub import claims
from ganzoo.hub import search as catalogue
from ganzoo.hub.search import search, standings


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    monkeypatch.chdir(tmp_path)
    with HubServer(xet=False, page=3) as server:
        hermetic(monkeypatch, tmp_path, server.url)
        yield server


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setenv("COLUMNS", "300")
    return typist(monkeypatch, capsys)


def put(hub: HubServer, repo: str, *entries: Entry, **facts: Any) -> None:
    """A model whose card has these scores; ``card_*`` are other keys of its metadata."""
    kept = {key: facts.pop(f"card_{key}") for key in ("tags", "license", "self", "model_index")
            if f"card_{key}" in facts}  # fmt: skip
    results = [claims.result(one, "unconditional-image-generation") for one in entries]
    data: dict[str, Any] = {"tags": ["ganzoo"], "pipeline_tag": "unconditional-image-generation"}
    data |= {"model-index": [{"name": "x", "results": results}]} if results else {}
    data |= {key.replace("_", "-"): value for key, value in kept.items()}
    text = f"---\n{yaml.safe_dump(data)}---\n"
    hub.put(repo, {"README.md": text.encode()}, **facts)


def test_models_are_found_by_their_tag(hub: HubServer) -> None:
    for n in range(7):
        put(hub, f"ann/toy-{n}", entry(), downloads=n, likes=2, card_license="mit")
    put(hub, "bob/hair", private=True)
    hub.put("ann/other", {"README.md": b"---\ntags: [gan]\n---\n"})
    found = search()
    assert [one.id for one in found] == [f"ann/toy-{n}" for n in reversed(range(7))]
    first = found[0]
    assert (first.licence, first.downloads, first.likes, first.private) == ("mit", 6, 2, False)
    assert (first.kind, first.problem) == ("unconditional-image-generation", "")
    assert first.entries[0].model.name == "ann/toy-6"
    assert first.entries[0].scores == entry().scores
    assert [one.id for one in search("toy-3")] == ["ann/toy-3"]
    assert [one.id for one in search(limit=4)] == [f"ann/toy-{n}" for n in (6, 5, 4, 3)]
    assert search(author="bob") == []
    assert [one.private for one in search(author="bob", token=hub.token("bob"))] == [True]


HOSTILE: dict[str, dict[str, Any]] = {
    "tags": {"card_tags": ["ganzoo", "license:\x1b[2J<b>|x|"]},
    "self": {"card_self": 1},
    "index": {"card_model_index": [3]},
    "results": {"card_model_index": [{"name": "x", "results": {"a": 1}}]},
    "many": {"card_model_index": [{"name": "x", "results": [
        claims.result(entry(), "x") for _ in range(9)]}]},
    "unit": {"entries": [entry(fid=score(1.0, unit="<script>alert(1)</script>"))]},
    "escape": {"entries": [entry(fid=score(1.0, unreliable="\x1b[2J\x9b gone"))]},
    "name": {"entries": [entry(benchmark="../../etc/<b>")]},
    "value": {"entries": [entry(fid=score(float("1e200")))]},
    "no-metrics": {"entries": [entry(scores={})]},
    "primary": {"entries": [entry(primary="kid")]},
    "recipe": {"entries": [entry(recipe="a\nb | c <img src=x onerror=alert(1)>")]},
}  # fmt: skip


@pytest.fixture
def crowd(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> HubServer:
    """Hostile models, two good ones, and one of another protocol."""
    monkeypatch.setattr(claims, "MAX_RESULTS", 8)
    hub.page = 1000
    for name, facts in HOSTILE.items():
        given = dict(facts)
        put(hub, f"evil/{name}", *given.pop("entries", ()), **given)
    put(hub, "ann/good", entry(fid=10.0, recipe="hair"))
    put(hub, "bob/better", entry(fid=5.0))
    put(hub, "eve/apart", entry(fid=1.0, protocol="fedcba9876543210"))
    return hub


def clean(said: Result) -> None:
    assert "Traceback" not in said.err
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", said.out + said.err)


def test_one_hostile_model_hides_no_other(crowd: HubServer, run: Run) -> None:
    found = {one.id: one for one in search()}
    assert set(found) == {*(f"evil/{n}" for n in HOSTILE), "ann/good", "bob/better", "eve/apart"}
    assert {name for name, one in found.items() if one.problem} == {
        f"evil/{name}" for name in HOSTILE if name not in ("tags", "self")
    }
    for one in found.values():
        assert one.problem.isprintable()
    said = run("search")
    clean(said)
    assert (said.code, "ann/good" in said.out) == (0, True)
    clean(run("search", "--json"))


def changed(value: Any) -> Iterator[Any]:
    """Copies of nested data with one value in it missing, or another thing."""
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            without = copy.copy(value)
            del without[key]
            yield without
            for inner in changed(value[key]):
                other = copy.copy(value)
                other[key] = inner
                yield other
    yield from (None, True, -1, 1e308, float("inf"), "", "x" * 10**6, "\x1b[2J", [], {}, [[]])


def test_no_field_of_a_claim_can_stop_a_search_or_a_leaderboard() -> None:
    index = [{"name": "x", "results": [claims.result(entry(seed=1, recipe="a"), "x")]}]
    read = refused = 0
    for one in changed(index):
        problem, found = "", list[Entry]()
        try:
            found = claims.scores("ann/toy", one)
        except RunError as error:
            problem = str(error)
        assert problem.isprintable()
        assert len(problem) < 500
        refused, read = refused + bool(problem), read + (not problem)
        for claim in found:
            assert reading(claim.scores[claim.primary])
            assert rank(claim.benchmark, [EntryFile(Path("x"), claim)]).tables
    assert refused > 200
    assert read > 50  # of what is optional, or nobody reads


def test_two_protocols_are_never_in_one_table(crowd: HubServer) -> None:
    board = next(board for board in standings()[0] if board.tables)
    rows = [[(row.rank, row.entry.model.name) for row in table.rows] for table in board.tables]
    assert sorted(rows, key=len) == [[(1, "eve/apart")], [(1, "bob/better"), (2, "ann/good")]]
    assert sum("Not comparable" in table.apart for table in board.tables) == 1
    assert [b.benchmark for b in standings("avatars-32")[0] if b.tables] == ["avatars-32"]
    assert not any(board.tables for board in standings("faces-64")[0])


def test_a_leaderboard_of_the_hub(crowd: HubServer, run: Run) -> None:
    for words in ([], ["--json"], ["--markdown", "a.md"], ["--html", "a.html"]):
        said = run("leaderboard", "--hub", *words)
        clean(said)
        assert "evil/unit" in said.err
    for text in (Path("a.md").read_text(), Path("a.html").read_text()):
        assert "bob/better" in text
        assert not re.search(r"<(img src=x|b>|script>alert)", text)
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", text)


@pytest.mark.parametrize(
    ("how", "words", "kind"),
    [
        ("cut", "the list of models: http://127.0.0.1:", HubFailure),
        ("hang", "timed out", HubFailure),
        (429, r"in trouble \(429\)", HubFailure),
        (500, "in trouble", HubFailure),
        (401, "needs a token", HubError),
    ],
)
def test_a_hub_that_does_not_answer(
    hub: HubServer, how: Any, words: str, kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(hub, "ann/toy")
    fault = hub.fail(how, times=None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalogue, "TIMEOUT", 0.1)
        with pytest.raises(kind, match=words):
            search()
    fault.release()
    assert [one.id for one in search()] == ["ann/toy"]
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(HubError, match="HF_HUB_OFFLINE is set"):
        search("toy")
