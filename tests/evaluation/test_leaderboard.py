"""The leaderboard: who is ranked, who is tied, what is never compared, and how it is shown."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pages import Page
from PIL import Image
from submitted import PROTOCOL, score, sha, submit
from typed import Run, typist

from ganzoo.errors import RunError
from ganzoo.evaluation.leaderboard import (
    PICTURE_BYTES,
    all_standings,
    as_data,
    markdown,
    page,
)
from ganzoo.evaluation.leaderboard import reading as shown
from ganzoo.evaluation.places import entry_folders
from ganzoo.evaluation.result import Reported
from ganzoo.evaluation.standings import Row, Standings, Table, read_standings, student
from ganzoo.plugins.shipped import shipped_folder

OTHER = "fedcba9876543210"
HOSTILE = "\"><script>alert('1')</script>|`*$name [x](y) \\"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "entries"
    folder.mkdir()
    return folder


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Type a command in an empty folder, on a terminal of 100 columns."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    return typist(monkeypatch, capsys)


def table(root: Path) -> Table:
    (only,) = read_standings([root], "avatars-32").tables
    return only


def places(found: Table) -> dict[str, str]:
    return {row.entry.model.name: row.place for row in found.rows}


def row(found: Table, name: str) -> Row:
    return next(row for row in found.rows if row.entry.model.name == name)


# -- ranks --------------------------------------------------------------------------------------


def test_rows_that_are_apart_rank_one_after_the_other(root: Path) -> None:
    for name, fid in {"c": 30, "a": 10, "b": 20}.items():
        submit(root, name, fid)
    assert places(table(root)) == {"a": "1", "b": "2", "c": "3"}


def test_more_may_be_better(root: Path) -> None:
    for name, value in {"c": 30, "a": 10, "b": 20}.items():
        submit(root, name, score(value, higher_is_better=True))
    assert places(table(root)) == {"c": "1", "b": "2", "a": "3"}


@pytest.mark.parametrize(("gap", "tied"), [(math.hypot(3, 4) * 0.999, True), (5.001, False)])
@pytest.mark.parametrize("higher_is_better", [True, False])
def test_what_the_intervals_cannot_tell_apart_is_tied(
    root: Path, gap: float, tied: bool, higher_is_better: bool
) -> None:
    better, worse = (20 + gap, 20.0) if higher_is_better else (20.0, 20 + gap)
    submit(root, "a", score(better, 3, higher_is_better=higher_is_better))
    submit(root, "b", score(worse, 4, higher_is_better=higher_is_better))
    assert places(table(root)) == ({"a": "1=", "b": "1="} if tied else {"a": "1", "b": "2"})


def test_a_chain_of_ties(root: Path) -> None:
    """b is like a and like c, but a is better than c; d is worse than all."""
    for name, fid in {"a": 10, "b": 11.2, "c": 12.4, "d": 30}.items():
        submit(root, name, fid)
    found = table(root)
    assert places(found) == {"a": "1=", "b": "1=", "c": "2=", "d": "4"}
    assert row(found, "b").ties == ("a", "c")
    assert row(found, "d").ties == ()


def test_equal_scores_without_any_width_are_tied(root: Path) -> None:
    for name in "ab":
        submit(root, name, score(10, 0))
    submit(root, "c", score(10.001, 0))
    assert places(table(root)) == {"a": "1=", "b": "1=", "c": "3"}


def test_what_may_not_be_ranked_has_no_rank_and_says_why(root: Path) -> None:
    submit(root, "good", 20)
    submit(root, "few", score(15, unreliable="1000 fakes where 2048 are needed"))
    submit(root, "random", score(16, rankable=False))
    submit(root, "other", score(17, protocol="bbbb00000000"))
    submit(root, "upside-down", score(17.5, higher_is_better=True))
    submit(root, "none", scores={"kid": score(1)})
    submit(root, "held-out", 18, kind="reference")
    submit(root, "folder", 30, kind="images")
    submit(root, "again", 40)
    found = table(root)
    assert list(places(found).items()) == [
        *(("few", ""), ("random", ""), ("held-out", "")),
        *(("good", "1"), ("folder", "2"), ("again", "3")),
        *(("none", ""), ("other", ""), ("upside-down", "")),
    ]
    assert "1000 fakes where 2048 are needed" in found.notes[0]
    assert "untrained" in found.notes[1]
    assert "protocol bbbb00000000, not aaaa00000000" in found.notes[2]
    assert row(found, "few").cells["fid"].note == 1
    assert not row(found, "other").cells["fid"].comparable
    assert row(found, "good").cells["fid"].note is None
    text = markdown([read_standings([root], "avatars-32")])
    assert re.search(r"\| – +\| few \| 15\.0 ± 1\.0¹ \|", text)
    assert re.search(r"\| other \| other protocol³ \|", text)
    assert re.search(r"\| none \| – \| 1\.0 ± 1\.0 \|", text)


def test_scores_are_compared_within_a_protocol_of_their_own(root: Path) -> None:
    for name in "ab":
        submit(root, name, scores={"fid": score(1), "kid": score(2)})
    submit(root, "c", scores={"fid": score(1), "kid": score(3, protocol="bbbb00000000")})
    found = table(root)
    assert found.columns[1].protocol == "aaaa00000000"
    assert not row(found, "c").cells["kid"].comparable
    assert row(found, "c").rank == 1


def test_a_primary_score_that_nobody_has(root: Path) -> None:
    submit(root, "a", scores={"kid": score(1)})
    submit(root, "b", scores={})
    found = table(root)
    assert [column.name for column in found.columns] == ["fid", "kid"]
    assert places(found) == {"a": "", "b": ""}
    assert "–" in page([read_standings([root], "avatars-32")])


# -- tables -------------------------------------------------------------------------------------


def test_unlike_protocols_never_share_a_table(root: Path) -> None:
    record = {"counts": {"fakes": 5000}, "same": 1}
    submit(root, "new", 20, date="2026-06-02", record=record)
    old = {"counts": {"fakes": 1000}, "same": 1, "list": [{"use": "x"}]}
    submit(root, "old", 10, date="2026-06-01", protocol=OTHER, record=old)
    newest, oldest = read_standings([root], "avatars-32").tables
    assert newest.apart == ""
    assert "counts.fakes 1000 against 5000, list[0].use" in oldest.apart
    assert "same" not in oldest.apart
    assert places(newest) == {"new": "1"}
    assert places(oldest) == {"old": "1"}


def test_the_same_version_may_have_several_protocols(root: Path) -> None:
    submit(root, "later", date="2026-06-02")
    submit(root, "earlier", date="2026-06-01", protocol=OTHER)
    submit(root, "by-kid", date="2026-05-30", primary="kid")
    found = read_standings([root], "avatars-32").tables
    assert [[*places(t)] for t in found] == [["later"], ["earlier"], ["by-kid"]]
    assert "only the ids do" in found[1].apart
    assert 'primary "kid" against "fid"' in found[2].apart


def test_a_trial_stands_below_the_table_of_all_others(root: Path) -> None:
    for name in ("one", "other"):
        submit(root, name, date="2026-06-01")
    submit(root, "trial", date="2026-06-02", protocol=OTHER)
    main, trial = read_standings([root], "avatars-32").tables
    assert places(main).keys() == {"one", "other"}
    assert main.apart == ""
    assert trial.apart


def test_only_some_differences_are_named(root: Path) -> None:
    submit(root, "new", date="2026-06-02", record={})
    submit(root, "old", date="2026-06-01", protocol=OTHER, record={f"k{i}": i for i in range(9)})
    assert "and 5 more" in read_standings([root], "avatars-32").tables[1].apart


def test_entries_of_an_older_version_are_named_and_left_out(run: Run, root: Path) -> None:
    submit(root, "new", version=2)
    submit(root, "old", protocol=OTHER)
    board = read_standings([root], "avatars-32")
    assert [places(table) for table in board.tables] == [{"new": "1"}]
    assert [entry.model.name for entry in board.outdated] == ["old"]
    assert "old (1)" in markdown([board])
    assert "old (1)" in page([board])
    assert as_data([board])["benchmarks"][0]["outdated"] == ["old@1"]
    done = run("leaderboard", "--entries", root)
    assert done.code == 0
    assert "avatars-32, which is at version 2" in " ".join(done.err.split())
    (root / "avatars-32" / "new.json").unlink()
    assert not read_standings([root], "avatars-32").outdated


def test_an_archive_is_a_folder_to_show(run: Run, root: Path, tmp_path: Path) -> None:
    submit(tmp_path / "archive" / "v1" / "entries", "old")
    for words in (("archive/v1",), ("avatars-32", "--entries", "archive/v1/entries")):
        done = run("leaderboard", *words)
        assert (done.code, "old" in done.out) == (0, True), words


def test_a_benchmark_of_an_older_version_says_where_it_is(run: Run, tmp_path: Path) -> None:
    archived = shipped_folder("benchmarks") / "archive" / "v1" / "avatars-64.yaml"
    for name in ("avatars-64@1", str(archived)):
        done = run("evaluate", "--references", "--benchmark", name)
        assert (done.code, done.err.count("error:")) == (2, 1), name
        assert "archive/v1/avatars-64.yaml" in "".join(done.err.split())
        assert not (tmp_path / "benchmarks").exists()


def test_benchmarks_are_apart(root: Path) -> None:
    submit(root, "a")
    submit(root, "a", benchmark="figurines-128")
    assert [b.benchmark for b in all_standings([root])] == ["avatars-32", "figurines-128"]
    assert [b.benchmark for b in all_standings([root], "avatars-32")] == ["avatars-32"]


# -- over seeds ---------------------------------------------------------------------------------


def test_seeds_of_one_recipe_are_summed_up(root: Path) -> None:
    for seed, fid in enumerate([10.0, 12.0, 14.0]):
        submit(root, f"s{seed}", fid, recipe="dcgan", seed=seed, steps=100)
    submit(root, "copy", 16.0, recipe="dcgan", seed=2, steps=100)  # the same seed counts once
    (summary,) = table(root).seeds
    assert (summary.recipe, summary.steps, summary.seeds) == ("dcgan", 100, (0, 1, 2))
    mean = summary.scores["fid"]
    values = [10, 12, 15]
    assert mean.value == pytest.approx(np.mean(values))
    side = 4.302653 * np.std(values, ddof=1) / math.sqrt(3)
    assert mean.high - mean.value == pytest.approx(side, rel=1e-6)
    assert mean.value - mean.low == pytest.approx(side, rel=1e-6)


@pytest.mark.parametrize(
    "other",
    [
        {"recipe": "wgan-gp"},
        {"steps": 200},
        {"generator": "r3gan"},
        {"seed": 0},
        {"seed": None},
        {"recipe": None},
        {"kind": "reference"},
        {"protocol": OTHER},
        {"fid": score(12, unreliable="few")},
        {"fid": score(12, protocol="bbbb00000000")},
    ],
    ids=str,
)
def test_what_is_not_of_one_kind_is_not_summed_up(root: Path, other: dict[str, Any]) -> None:
    like = {"recipe": "dcgan", "seed": 1, "steps": 100, "generator": "dcgan"}
    submit(root, "a", **like | {"seed": 0})
    submit(root, "b", **like | other)
    assert not any(t.seeds for t in read_standings([root], "avatars-32").tables)


def test_student() -> None:
    table = {1: 12.7062, 4: 2.77645, 5: 2.57058, 9: 2.26216, 30: 2.04227, 1000: 1.96234}
    for degrees, quantile in table.items():
        assert student(degrees) == pytest.approx(quantile, rel=2e-4)


# -- numbers ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "low", "high", "text"),
    [
        (12.345, 11.678, 13.012, "12.3 ± 0.7"),
        (12.345, 12.045, 12.645, "12.35 ± 0.30"),
        (638.69, 628.73, 648.65, "639 ± 10"),
        (12.3, 11.9, 14.1, "12.3 [11.9, 14.1]"),
        (0.5, 0.5, 0.5, "0.5"),
        (0, 0, 0, "0"),
        (1021, 1021, 1021, "1021"),
        (-0.0012, -0.0022, -0.0002, "−0.0012 ± 0.0010"),
        (12345, 12095, 12595, "12345 ± 250"),
        (2.5e-6, 2e-6, 3e-6, "(2.5 ± 0.5)e−6"),
        (3e9, 2e9, 4e9, "(3.0 ± 1.0)e9"),
        (0.9999, 0.8999, 1.0999, "1.00 ± 0.10"),
    ],
)
def test_numbers_are_as_exact_as_their_intervals(
    value: float, low: float, high: float, text: str
) -> None:
    made = score(value)
    assert shown(type(made)(value, low, high, False, made.protocol)) == text


@pytest.mark.parametrize("value", [0.0, 5e-324, -1e-300, 1e99, 1e-5, 0.1])
@pytest.mark.parametrize("half", [0.0, 1e-300, 1e-9, 1.0, 1e99])
def test_any_number_can_be_shown(root: Path, value: float, half: float) -> None:
    submit(root, "a", score(value, half))
    submit(root, "b", score(value / 2, half))
    text = page([read_standings([root], "avatars-32")])
    assert not re.search(r"\b(nan|inf)\b", re.sub(r"<script>.*?</script>", "", text, flags=re.S))


# -- Markdown and JSON --------------------------------------------------------------------------


def board(root: Path) -> Standings:
    """A little of everything."""
    submit(root, "held-out", score(2, 0.5), kind="reference")
    for seed in (0, 1):
        submit(root, f"dcgan-s{seed}", 20 + seed, recipe="dcgan", seed=seed, steps=1000)
    claim = {"fid": Reported(12.5, "Acme 2024, table 2")}
    submit(root, "acme", 40, reported=claim, recipe="acme", notes="Trained elsewhere.")
    submit(root, "old", 9, protocol=OTHER, record={"seed": 1}, date="2026-01-01")
    (root / "avatars-32" / "broken.json").write_text("{")
    return read_standings([root], "avatars-32")


def test_markdown_holds_everything(root: Path) -> None:
    text = markdown([board(root)])
    lines = text.splitlines()
    assert "| rank | model | fid ↓ | reported |" in lines
    assert "| – | *held-out* | 2.0 ± 0.5 |  |" in lines
    assert "| 1= | dcgan-s0 | 20.0 ± 1.0 |  |" in lines
    assert "| 3 | acme | 40.0 ± 1.0 | fid 12.5 (Acme 2024, table 2) |" in lines
    assert "| dcgan, 1,000 steps, 2 seeds | 20 ± 6 |" in lines
    assert f"### Version 1, protocol `{PROTOCOL}`" in lines
    assert f"### Version 1, protocol `{OTHER}`" in lines
    assert any(line.startswith("- broken.json: not JSON") for line in lines)


def test_markdown_shows_hostile_text_as_it_is(root: Path) -> None:
    submit(root, "a", score(1, unit=HOSTILE, unreliable=HOSTILE), recipe=HOSTILE, seed=0)
    submit(root, "b", reported={"fid": Reported(1, HOSTILE)}, recipe=HOSTILE, seed=1)
    text = markdown([read_standings([root], "avatars-32")])
    assert "<script" not in text.replace("\\<script", "")
    assert "](" not in text.replace("\\](", "")
    widths = {len(re.findall(r"(?<!\\)\|", line)) for line in text.splitlines() if line[:1] == "|"}
    assert widths == {5}


def test_data_says_what_the_table_says(root: Path) -> None:
    data = json.loads(json.dumps(as_data([board(root)])))
    newest, oldest = data["benchmarks"][0]["tables"]
    assert newest["primary"] == "fid"
    assert oldest["apart"].startswith("Not comparable")
    ranks = {row["model"]["name"]: row["rank"] for row in newest["rows"]}
    assert ranks == {"held-out": None, "dcgan-s0": 1, "dcgan-s1": 1, "acme": 3}
    assert newest["rows"][1]["tied_with"] == ["dcgan-s1"]
    assert newest["rows"][1]["scores"]["fid"]["value"] == 20
    assert newest["over_seeds"][0]["seeds"] == [0, 1]
    assert data["problems"][0]["path"].endswith("broken.json")


# -- the page -----------------------------------------------------------------------------------


def picture(path: Path, size: int = 256) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (size, size, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path.with_suffix(".jpg"))


def test_the_page_needs_nothing_but_itself(root: Path) -> None:
    picture(submit(root, "drawn"))
    found = Page(page([board(root)]))
    assert "http" not in found.text.replace("http-equiv", "")
    for _, attributes in found.elements:
        for name in ("src", "href", "srcset", "data"):
            assert (attributes.get(name) or "data:").startswith(("data:", "#"))
    assert not re.search(r"@import|url\(", found.text)
    (csp,) = found.all("meta", **{"http-equiv": "Content-Security-Policy"})
    assert str(csp["content"]).startswith("default-src 'none'")


def test_the_page_is_a_table_without_a_script(root: Path) -> None:
    said = Page(page([board(root)])).said
    for words in (
        "1= dcgan-s0 dcgan, 1,000 steps seed 0 20.0 ± 1.0",
        "held-out reference 2.0 ± 0.5",
        "40.0 ± 1.0 fid 12.5 Acme 2024, table 2",
        "dcgan, 1,000 steps, 2 seeds 20 ± 6",
        "Trained elsewhere.",
        f"Version 1 {OTHER}",
        "seed 1 against 0",
        "broken.json not JSON",
        "environment.torch 2.9",
    ):
        assert words in said


def test_the_page_can_be_sorted_and_filtered(root: Path) -> None:
    for name, value in {"a": 1.25, "b": 2.5}.items():
        both = {"fid": score(value), "recall": score(0.5, 0.1, higher_is_better=True)}
        submit(root, name, scores=both, recipe="DCGAN")
    submit(root, "noise", kind="reference")
    found = Page(page([read_standings([root], "avatars-32")]))
    heads = found.all("th", scope="col")
    assert [head["data-first"] for head in heads] == ["up", "up", "up", "down"]
    assert [head.get("aria-sort") for head in heads] == [None, None, "ascending", None]
    assert [row["data-words"] for row in found.all("tr") if "data-words" in row] == [
        *("a dcgan model", "b dcgan model", "noise reference")
    ]
    assert len(found.all("tr", **{"class": "reference"})) == 1
    values = [cell["data-v"] for cell in found.all("td") if "data-v" in cell]
    assert values == ["0", "1.25", "0.5", "1", "2.5", "0.5", "2", "20.0", ""]


def test_ties_are_told(root: Path) -> None:
    titles = [
        cell.get("title") for cell in Page(page([board(root)])).all("td", **{"class": "rank"})
    ]
    assert titles == [
        *(None, "cannot be told from dcgan-s1", "cannot be told from dcgan-s0", None),
        None,
    ]


def test_intervals_are_drawn_on_one_scale(root: Path) -> None:
    for name, (value, half) in {"a": (10, 2), "b": (20, 4)}.items():
        submit(root, name, score(value, half))
    submit(root, "noise", 400, kind="reference")
    found = Page(page([read_standings([root], "avatars-32")]))
    narrow, wide = (float(str(bar["width"])) for bar in found.all("rect"))
    assert wide == pytest.approx(2 * narrow, rel=0.02)
    assert len(found.all("path", **{"class": "beyond"})) == 1


def test_sample_grids_are_embedded_within_bounds(root: Path) -> None:
    picture(submit(root, "large"), 900)
    picture(submit(root, "small"), 32)
    submit(root, "bad").with_suffix(".jpg").write_bytes(b"no picture")
    submit(root, "none")
    found = Page(page([read_standings([root], "avatars-32")])).all("img")
    sources = [str(image["src"]) for image in found if "src" in image]
    assert [source[:15] for source in sources] == ["data:image/jpeg", "data:image/png;"]
    assert all(len(source) < 4 / 3 * PICTURE_BYTES + 100 for source in sources)
    assert [image["alt"] for image in found if "src" in image] == [
        *("Samples of large", "Samples of small")
    ]


def test_whatever_an_entry_says_is_escaped(root: Path) -> None:
    plain = {HOSTILE: {HOSTILE: [HOSTILE, {HOSTILE: HOSTILE}]}}
    for seed in (0, 1):
        submit(
            root,
            f"s{seed}",
            scores={"fid": score(1), "kid": score(1, unit=HOSTILE, unreliable=HOSTILE)},
            **dict.fromkeys(("recipe", "generator", "distribution"), HOSTILE),
            seed=seed,
            record=plain,
            environment={HOSTILE: HOSTILE},
            notes=HOSTILE,
            reported={"fid": Reported(1, HOSTILE)},
        )
    submit(root, "old", protocol=OTHER, date="2020-01-01", record={HOSTILE: 1})
    (root / "avatars-32" / "<script>alert(1)<|script>.json").write_text(json.dumps({HOSTILE: 1}))
    found = Page(page([read_standings([root], "avatars-32")]))
    assert len(found.all("script")) == 1
    assert "alert('1')</script>" not in found.text
    assert found.said.count(HOSTILE) > 15


def test_several_benchmarks_share_a_page(root: Path) -> None:
    submit(root, "a")
    assert "<nav" not in page(all_standings([root]))
    submit(root, "a", benchmark="figurines-128")
    found = Page(page(all_standings([root])))
    assert [a["href"] for a in found.all("a")] == ["#avatars-32", "#figurines-128"]
    assert [s["id"] for s in found.all("section")] == ["avatars-32", "figurines-128"]


def test_the_few_scores_come_first_and_the_rest_is_one_click_away(root: Path) -> None:
    names = ["fid", "kid", "recall", "edges", "drift", "color"]
    scores = {name: score(1, 0.125) for name in names}
    submit(root, "dcgan", scores=scores, recipe="dcgan", parameters=9)
    submit(root, "xdog", scores=scores, parameters=0)
    submit(root, "held-out", scores=scores, kind="reference")
    (found,) = read_standings([root], "avatars-32").tables
    assert [column.name for column in found.few] == ["fid", "kid", "recall", "edges"]
    html = page([read_standings([root], "avatars-32")])
    main, more = re.findall(r"<table[^>]*class=\"board.*?</table>", html, re.S)
    labels = [cell["data-label"] for cell in Page(main).all("td") if "data-label" in cell]
    assert labels == ["fid ↓", "kid ↓", "recall ↓", "edges ↓"] * 3
    assert "drift" not in main
    assert [Page(table).said.count("color") for table in (main, more)] == [0, 1]
    assert html.rindex("<summary>2 more scores", 0, html.index(more)) > html.index(main)
    page_of_text = markdown([read_standings([root], "avatars-32")])
    assert "| rank | model | fid ↓ | kid ↓ | recall ↓ | edges ↓ |" in page_of_text
    assert "| rank | model | drift ↓ | color ↓ |" in page_of_text
    assert "| 1= | xdog (no weights) | 1.00 ± 0.12 |" in page_of_text


def test_references_and_models_without_weights_are_marked(root: Path) -> None:
    submit(root, "dcgan", recipe="dcgan", parameters=9)
    submit(root, "older", recipe="dcgan", parameters=None)
    submit(root, "xdog", parameters=0)
    submit(root, "held-out", kind="reference")
    found = Page(page([read_standings([root], "avatars-32")]))
    rows = {str(row["data-words"]).split()[0]: row for row in found.all("tr") if "class" in row}
    assert {name: row["class"] for name, row in rows.items()} == {
        **{"dcgan": "model", "older": "model", "xdog": "model baseline", "held-out": "reference"}
    }
    assert "no weights" in str(rows["xdog"]["data-words"])
    assert len(found.all("span", **{"class": "badge"})) == 2


@pytest.mark.parametrize(("size", "zoom"), [(32, 2.0), (64, 4.0), (128, 2.0), (None, 1.0)])
def test_a_row_shows_a_corner_of_its_samples(root: Path, size: int | None, zoom: float) -> None:
    side = 8 * ((size or 64) + 2) + 2
    picture(submit(root, "drawn", record={"size": size}), side)
    found = Page(page([read_standings([root], "avatars-32")]))
    (image,) = [image for image in found.all("img") if "src" in image]
    width = float(re.fullmatch(r"width: ([\d.]+)%", str(image["style"]))[1])  # type: ignore[index]
    assert width == pytest.approx(100 * zoom, rel=0.02)


# -- the command --------------------------------------------------------------------------------


def test_the_terminal_shows_what_fits(run: Run, root: Path) -> None:
    names = ["kid", "precision", "recall", "lpips-diversity", "nearest-training", "drift", "edges"]
    scores = {"fid": score(20)} | {name: score(1, 0.125) for name in names}
    submit(root, "a", scores=scores)
    submit(root, "xdog", scores=scores, parameters=0)
    submit(root, "noise", scores=scores, kind="reference")
    few = run("leaderboard", "avatars-32", "--entries", root)
    every = run("leaderboard", "avatars-32", "--entries", root, "--all")
    assert few.code == every.code == 0
    lines = few.out.splitlines()
    assert all(len(line) <= 100 for line in (*lines, *every.out.splitlines()))
    assert any(re.match(r"1= +a +20\.0 ± 1\.0 +1\.00 ± 0\.12", line) for line in lines)
    assert any(re.match(r"1= +xdog \(no weights\) +20\.0", line) for line in lines)
    assert any(re.match(r"ref\. +noise +20\.0", line) for line in lines)
    assert "4 more scores: --all" in few.out
    assert "lpips" not in few.out
    assert "lpips" in every.out
    assert "No room here for: " in every.out
    assert "edges" in every.out


@pytest.mark.parametrize("columns", ["20", "80", "200"])
def test_any_width(run: Run, root: Path, monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    submit(root, "x" * 100, recipe="[red]x", seed=0, scores={"fid": score(1), "kid": score(2)})
    submit(root, "y", recipe="[red]x", seed=1, scores={"fid": score(1), "kid": score(2)})
    found = run("leaderboard", "--entries", root)
    assert found.code == 0
    assert ("kid ↓" in found.out) == (columns != "20")
    assert ("[red]x, 2 seeds" in found.out) == (columns != "20")


def test_a_bad_entry_takes_nothing_down(run: Run, root: Path) -> None:
    board(root)
    found = run("leaderboard", "--entries", root)
    assert found.code == 1
    assert "acme" in found.out
    assert "broken.json: not JSON" in found.err
    (root / "avatars-32" / "broken.json").unlink()
    assert run("leaderboard", "--entries", root).code == 0


def test_files_are_written(run: Run, root: Path, tmp_path: Path) -> None:
    submit(root, "acme")
    done = run("leaderboard", "--entries", root, "--markdown", "L.md", "--html", "l.html")
    assert (done.code, done.out.split()) == (0, ["L.md", "l.html"])
    assert (tmp_path / "L.md").read_text(encoding="utf-8") == markdown(all_standings([root]))
    assert (tmp_path / "l.html").read_text(encoding="utf-8") == page(all_standings([root]))
    refused = run("leaderboard", "--entries", root, "--html", "no/such/folder.html")
    assert refused.code == 2
    assert "--html no/such/folder.html cannot be written" in refused.err


def test_json_is_all_there_is_on_stdout(run: Run, root: Path) -> None:
    board(root)
    found = run("leaderboard", "--entries", root, "--json", "--markdown", "L.md")
    assert found.code == 1
    assert json.loads(found.out) == json.loads(json.dumps(as_data(all_standings([root]))))


def test_no_entries_yet(run: Run, root: Path) -> None:
    found = run("leaderboard", "avatars-64", "--entries", root, "--html", "l.html")
    assert found.code == 0
    assert "`ganzoo evaluate MODEL --benchmark avatars-64`" in found.out
    assert json.loads(run("leaderboard", "--entries", root, "--json").out) == {
        **{"benchmarks": [], "problems": []}
    }


def test_an_unknown_benchmark_or_folder(run: Run, root: Path) -> None:
    submit(root)
    found = run("leaderboard", "avatar-32", "--entries", root)
    assert found.code == 2
    assert "did you mean 'avatars-32'?" in found.err
    found = run("leaderboard", "--entries", "nowhere")
    assert found.code == 2
    assert "--entries nowhere is no folder" in found.err


def test_where_entries_are_looked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANZOO_DATA", str(tmp_path / "data"))
    yours, shipped = entry_folders()
    assert yours == tmp_path / "data" / "entries"
    assert shipped.is_absolute()
    assert shipped.parts[-2:] == ("benchmarks", "entries")
    (tmp_path / "benchmarks" / "entries").mkdir(parents=True)
    run = tmp_path / "runs" / "demo"
    (run / "evaluation").mkdir(parents=True)
    (run / "recipe.yaml").touch()
    found = [Path("runs/demo/evaluation"), yours, Path("benchmarks/entries")]
    assert entry_folders() == found
    assert entry_folders([run]) == [run / "evaluation"]
    assert entry_folders([tmp_path]) == [tmp_path]
    with pytest.raises(RunError, match="is no folder"):
        entry_folders([tmp_path, tmp_path / "nowhere"])


def test_a_model_in_two_folders_is_one_row_and_models_of_one_name_are_two(tmp_path: Path) -> None:
    own, shipped = tmp_path / "runs" / "dcgan" / "evaluation", tmp_path / "shipped"
    submit(own, "dcgan", 10, weights_sha256=sha("mine"))
    submit(own, "demo", 11, weights_sha256=sha("demo"))
    submit(own, "held-out", 2, kind="reference")
    submit(shipped, "dcgan", 20, weights_sha256=sha("theirs"))
    submit(shipped, "demo", 12, weights_sha256=sha("demo"))
    submit(shipped, "held-out", 3, kind="reference")
    (found,) = read_standings([own, shipped], "avatars-32").tables
    assert {row.entry.model.name: row.entry.scores["fid"].value for row in found.rows} == {
        **{"held-out": 2, "dcgan": 10, "demo": 11, f"dcgan ({shipped})": 20}
    }
    assert places(found) == {"held-out": "", "dcgan": "1=", "demo": "1=", f"dcgan ({shipped})": "3"}
    (found,) = read_standings([shipped, own], "avatars-32").tables
    assert f"dcgan ({own.parent})" in places(found)


@pytest.mark.parametrize("folder", ["", "archive/v1"])
def test_the_committed_leaderboard_is_that_of_the_committed_entries(folder: str) -> None:
    folder = Path(__file__).parents[2] / "benchmarks" / folder
    made = markdown(all_standings([folder / "entries"])) + "\n"
    text = (folder / "LEADERBOARD.md").read_text(encoding="utf-8")
    assert text.rstrip() == made.rstrip(), (
        "ganzoo leaderboard --entries benchmarks/entries --markdown benchmarks/LEADERBOARD.md"
    )
