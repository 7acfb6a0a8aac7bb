"""The model card: what it tells, what of people's own text it keeps, and how scores come back."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from configs import noise, painter
from huggingface_hub import ModelCard, parse_eval_result_entries
from markdown_it import MarkdownIt
from submitted import PROTOCOL, entry, score, sha

from ganzoo.errors import RunError
from ganzoo.evaluation.result import EntryFile
from ganzoo.evaluation.standings import flat, rank
from ganzoo.hub import card, claims
from ganzoo.hub.card import END, START
from ganzoo.models.config import Config, Licences

REPO = "ann/hair_64"
HTML = MarkdownIt("commonmark").enable(["table"])


ENTRIES = [
    entry(
        weights_sha256=sha("w"), recipe="hair", seed=0, generator="dcgan", steps=4000, images=9,
        training_seconds=9.5,
        scores={
            "fid": score(20.123456, 0.5, protocol="fid/n5000-vs-5000/avatars-32@1/aaaa"),
            "recall": score(0.5, 0.0, higher_is_better=True, unit="parts"),
            "kid": score(1e-5, 1e-6, unreliable="too | few"),
            "random": score(-3.0, 10.0, rankable=False),
        },
    ),
    entry(benchmark="faces-64", protocol="1234567890e12345", version=3, seed=0),
]  # fmt: skip


def made(config: Config | None = None, base: str | None = None, **changes: Any) -> str:
    given: dict[str, Any] = {"entries": ENTRIES, "repo_id": REPO, "samples": True} | changes
    return card.make(config or noise(), base=base, **given)


def front(text: str) -> dict[str, Any]:
    found: dict[str, Any] = ModelCard(text).data.to_dict()
    return found


def part(text: str) -> str:
    """What is between the markers."""
    return text[text.index(START) + len(START) : text.index(END)]


def shown(text: str) -> str:
    """The HTML of a card's body."""
    html: str = HTML.render(ModelCard(text).text)
    return html


# -- what it tells ------------------------------------------------------------------------------


def test_a_model_that_draws_from_noise() -> None:
    text = made()
    data = front(text)
    assert {key: data[key] for key in ("library_name", "pipeline_tag", "license", "tags")} == {
        "library_name": "ganzoo",
        "pipeline_tag": "unconditional-image-generation",
        "license": "cc-by-4.0",
        "tags": ["ganzoo", "gan", "dcgan", "hair"],
    }
    html = shown(text)
    assert "<h1>hair_64</h1>" in html
    assert '<img src="samples.png" alt="samples"' in html
    assert "model = ganzoo.load(&quot;ann/hair_64&quot;)\nmodel.sample(4, seed=0, label=" in html
    assert "ganzoo sample ann/hair_64 -n 64 --out samples.png" in html
    assert "pip install ganzoo\n" in html
    assert re.search(r"<td[^>]*>hair</td>\s*<td[^>]*>pink, dark_blue</td>", html)
    assert "<li>trained for: 4,000 steps, 128,000 images, 16 min 18 s</li>" in html
    assert '<blockquote>\n<p>By <a href="https://ann.example">Ann</a>, <code>cut</code>.' in html
    for of, licence in ("code", "Apache-2.0"), ("weights", "CC-BY-4.0"), ("data", "CC-BY-4.0"):
        assert re.search(rf"<td[^>]*>{of}</td>\s*<td[^>]*>{licence}</td>", html)


def test_a_model_that_was_imported() -> None:
    text = made(painter(), samples=False, entries=[])
    data = front(text)
    assert data["pipeline_tag"] == "image-to-image"
    assert data["tags"] == ["ganzoo", "gan", "painter"]
    assert (data["license"], data["license_name"]) == ("other", "x.example-terms")
    assert data["license_link"] == "https://x.example/terms"
    assert "model-index" not in data
    html = shown(text)
    assert "<img" not in html
    assert ".translate(Image.open(&quot;photo.jpg&quot;)).show()" in html
    assert "pip install ganzoo 'x-gan==1.2'" in html
    assert '<li>url: <a href="https://x.example/a?b=c">https://x.example/a?b=c</a></li>' in html
    assert re.search(r"<td[^>]*>data</td>\s*<td[^>]*>not stated</td>", html)
    assert "Scores" not in html


def test_scores_are_told_with_their_intervals() -> None:
    html = shown(made(entries=ENTRIES[:1]))
    rows = [
        re.findall(r"<td[^>]*>(.*?)</td>", row) for row in re.findall(r"<tr>.*?</tr>", html, 16)
    ]
    told = {row[0]: row[1:4] for row in rows if len(row) == 5}
    assert told["<strong>fid</strong>"] == ["20.12", "19.62 to 20.62", "lower"]
    assert told["recall"] == ["0.5 parts", "0.5 to 0.5", "higher"]
    assert told["kid"] == ["0.0000100", "0.0000090 to 0.0000110", "lower"]
    assert "kid is unreliable: too | few" in html
    assert "random does not rank" in html
    assert "5,000 pictures of the model against 5,000 real ones" in html
    assert PROTOCOL in html


@pytest.mark.parametrize(
    ("stated", "license", "name"),
    [
        ("Apache-2.0", "apache-2.0", None),
        ("CC0-1.0", "cc0-1.0", None),
        ("GPL-3.0-or-later", "gpl-3.0", None),
        ("ODbL-1.0", "odbl", None),
        ("GFDL-1.3-only", "gfdl", None),
        ("GPL-2.0-only WITH x", "other", "gpl-2.0-only-with-x"),
        ("MIT OR Apache-2.0", "other", "mit-or-apache-2.0"),
        ("CC-BY-9.0", "other", "cc-by-9.0"),
        ("Other", "other", "other"),
        ("Free: for all!", "other", "free-for-all"),
        ("!", "other", "other"),
    ],
)
def test_licences_are_called_as_the_hub_calls_them(
    stated: str, license: str, name: str | None
) -> None:
    data = front(made(noise(licences=Licences(None, stated, None))))
    assert (data["license"], data.get("license_name")) == (license, name)
    assert "license_link" not in data


def test_a_licence_is_a_name_or_an_address() -> None:
    for right in ("CC-BY-4.0", "MIT License", "https://x.example/a(b)"[:-3], "GPL-2.0+"):
        assert card.licence_problem(right) is None
    for wrong in ("", "a\nb", "<b>", "javascript:x", "x" * 101, "http://"):
        assert "CC-BY-4.0" in (card.licence_problem(wrong) or "")


NASTY = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[click](https://evil.example)",
    "![x](https://evil.example/x.png)",
    "<https://evil.example>",
    "see https://evil.example now, or www.evil.example, or me@evil.example",
    f"{END}\n\n# Mine\n{START}",
    "--- \n---\nlicense: mit",
    "a | b | c\n|---|---|\n| d |",
    "```\n~~~\n# x",
    "\\[x](https://evil.example)\\",
    "&lt;b&gt; &amp; &#60;b>",
    "<!-- hidden",
    "]: https://evil.example\n[x]",
]  # fmt: skip


@pytest.mark.parametrize("text", NASTY)
def test_what_a_config_says_is_only_text(text: str) -> None:
    config = noise(
        labels={text: [text, text], "hair": [text]},
        licences=Licences(text, text, text),
        training={
            "recipe": text,
            "steps": text,
            "seconds": text,
            "dataset": {"use": text, "sha256": text},
            "environment": {text: text, "list": [text]},
            "imported": {text: text, "url": f"https://x.example/{text}"},
        },
    )
    card_text = made(config, entries=[])
    assert front(card_text)["license"] == "other"
    assert made(config, base=card_text, entries=[]) == card_text
    html = shown(card_text)
    for marker in (START, END):
        assert html.count(marker) == 1
        html = html.replace(marker, "")
    tags = set(re.findall(r"<(\w+)", html))
    allowed = "h1 h2 p img pre code table thead tbody tr th td ul li"
    assert tags <= set(allowed.split(" "))
    assert html.count("<img") == 1
    assert html.count("<h") == made(noise(), entries=[]).count("\n#") - 1  # no heading is added
    assert html.count("<tr") == 2 + 1 + 1 + 3
    outside = re.sub(r"<pre>.*?</pre>", "", html, flags=re.DOTALL)
    assert not re.search(r"https?://|www\.\w|\w@\w", outside)  # of which GFM would make links
    told = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert told.replace('"', "&quot;") in outside.replace("\u2060", "")


@pytest.mark.parametrize("text", NASTY)
def test_attribution_is_markdown_without_html(text: str) -> None:
    training = {"dataset": {"use": "x", "attribution": f"Of **Ann**\n{text}"}}
    card_text = made(noise(training=training), base="own\n") + "\n# After\n"
    html = shown(card_text)
    assert "Of <strong>Ann</strong>" in html
    assert "<h1>After</h1>" in html
    assert not re.search(r"<(script|b>)|<[^>]*onerror", html)
    assert html.count(START) == html.count(END) == 1
    quote = html[html.index("<blockquote>") : html.index("</blockquote>")]
    assert "<h2>Licences</h2>" not in quote
    assert part(made(noise(training=training), base=card_text)) == part(card_text)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"repo_id": "ann"}, "repo_id"),
        ({"repo_id": 'ann/x"); evil("'}, "repo_id"),
        ({"config": noise(plugins={"x; rm -rf": "1"})}, "plugins"),
        ({"config": noise(plugins={"x": "1'\n"})}, "plugins.x"),
        ({"config": noise(training={"recipe": math.nan})}, "training.recipe"),
    ],
)
def test_what_would_be_pasted_into_a_shell_is_checked(change: dict[str, Any], told: str) -> None:
    with pytest.raises(RunError, match=told):
        made(**change)


# -- what people wrote --------------------------------------------------------------------------


def test_the_same_gives_the_same() -> None:
    first = made()
    assert made() == made(base=first) == made(base="") == made(base=" \n") == first


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_hand_written_parts_stay_byte_for_byte(line_end: str) -> None:
    before = "\n  Ünïcode \t\n\n***\n---\n<div>mine</div>".replace("\n", line_end)
    after = "\ttail\n\n```\nx\n```\n\n".replace("\n", line_end)
    base = made(base=f"# Own{line_end}")
    first, last = base.index(START), base.index(END) + len(END)
    base = base[:first] + before + base[first:last] + after
    again = made(painter(), base=base)
    assert again.split(START)[0].endswith(f"# Own{line_end}{line_end}{before}")
    assert again.endswith(END + after)
    assert part(again) == part(made(painter())).replace("\n", line_end)
    assert "\r" not in again.replace("\r\n", "") or line_end == "\r\n"
    assert front(again)["pipeline_tag"] == "image-to-image"
    assert made(painter(), base=again) == again


@pytest.mark.parametrize("base", ["# Mine", "# Mine\n", "text\n\n---\n\nmore\n\n", "a\r\nb\r\n"])
def test_a_card_of_somebody_gets_the_part_at_its_end(base: str) -> None:
    text = made(base=base)
    body = text.split("---\r\n" if "\r" in base else "---\n", 2)[2]
    assert body.startswith(base)
    assert body[len(base) :].strip().startswith(START)
    assert front(text)["library_name"] == "ganzoo"
    assert made(base=text) == text


def test_a_byte_order_mark_hides_no_metadata() -> None:
    text = made(base="\ufeff---\nlanguage: en\n---\n# Mine\n")
    assert front(text)["language"] == "en"
    assert "\ufeff" not in text


OWN = """\
# about this file
language: [en, ja]   # two
license: mit # a guess
license_name: x
tags:
- anime   # keep
- gan
  # set in
# what the model is for
date: 2024-01-31
extra: {a: [1, 0x1F, 1.50], b: "no", c: no}
model-index:
- name: old
  results:
  - task: {type: x}
    dataset: {type: mine, name: Mine}
    metrics: [{type: acc, value: 0.5}]
  - task: {type: x}
    dataset: {type: ganzoo-benchmark, name: gone}
    metrics: []
# the end

note: |
  a: b
    c
"""


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_metadata_of_others_stays_as_it_is(line_end: str) -> None:
    text = made(base=f"---\n{OWN}---\n".replace("\n", line_end))
    head = text.split(f"---{line_end}")[1]
    for kept in (
        "# about this file\nlanguage: [en, ja]   # two\n",
        "  # set in\n# what the model is for\ndate: 2024-01-31\n",
        'extra: {a: [1, 0x1F, 1.50], b: "no", c: no}\n',
        "# the end\n\nnote: |\n  a: b\n    c\n",
    ):
        assert kept.replace("\n", line_end) in head
    data = front(text)
    assert data["license"] == "cc-by-4.0"
    assert "license_name" not in data
    assert data["tags"] == ["ganzoo", "gan", "dcgan", "hair", "anime"]
    results = data["model-index"][0]["results"]
    assert [r["dataset"]["name"] for r in results] == ["avatars-32", "faces-64", "Mine"]
    assert made(base=text) == text


def test_a_licence_that_only_the_card_has_stays() -> None:
    config = noise(licences=Licences(None, None, None))
    assert front(made(config, base="---\nlicense: mit\n---\n"))["license"] == "mit"
    assert "license" not in front(made(config))


@pytest.mark.parametrize(
    ("base", "told"),
    [
        (f"{START} a {START} {END}", "2 x"),
        (f"x\n{START}\n", "0 x"),
        (f"{END}\nmine\n{START}", "not in this order"),
        ("---\nlicense: mit\n# Title\n", "no such line ends it"),
        ("---\nlicense: [\n---\n", r"README\.md:\d+:\d+ not valid YAML"),
        ("\n\n---\na: 1\na: 2\n---\n", r"README\.md:5:1 a: the key stands here twice"),
        ("---\n- a\n- b\n---\n", "a list of 2"),
        ("---\njust text\n---\n", "'just text'"),
        ("---\ntags: {a: 1}\n---\n", "tags: expected a list"),
        ("---\ntags: [1]\n---\n", r"tags\[0\]: expected text"),
        ("---\nmodel-index: 5\n---\n", "model-index: expected a list"),
        ("---\nmodel-index: [{name: x}]\n---\n", "model-index: expected a list"),
        ("---\n{license: mit, x: 1}\n---\n", "a line of its own"),
        ("---\n  license: mit\n  x: 1\n---\n", "a line of its own"),
        ("---\ntags: &t [a]\nx: *t\n---\n", "without anchors"),
        ("---\nx: !!python/object:os.system 1\n---\n", "tag"),
    ],
)
def test_a_card_that_cannot_be_kept_is_refused(base: str, told: str) -> None:
    with pytest.raises(RunError, match=told):
        made(base=base)


# -- scores -------------------------------------------------------------------------------------


def index_of(text: str) -> Any:
    """``model-index`` as a reader of YAML 1.1 gets it."""
    return yaml.safe_load(text.split("---\n")[1])["model-index"]


def test_huggingface_hub_reads_the_scores() -> None:
    first = ModelCard(made())
    results = first.data.eval_results
    assert [(r.dataset_name, r.metric_type, r.metric_value) for r in results] == [
        ("avatars-32", "fid", 20.123456),
        ("avatars-32", "recall", 0.5),
        ("avatars-32", "kid", 1e-5),
        ("avatars-32", "random", -3.0),
        ("faces-64", "fid", 20.0),
    ]
    fid = results[0]
    assert (fid.task_type, fid.dataset_type) == ("unconditional-image-generation", claims.KIND)
    assert (fid.dataset_config, fid.dataset_revision) == (PROTOCOL, "1")
    assert fid.metric_args["low"] == 20.123456 - 0.5
    again = ModelCard(str(first))  # as its own editing of cards writes it
    assert again.data.eval_results == results
    assert claims.scores(REPO, index_of(str(first))) == claims.scores(REPO, index_of(made()))


def test_scores_come_back_good_for_ranking() -> None:
    back = claims.scores("bob/other", index_of(made()))
    for one, original in zip(back, ENTRIES, strict=True):
        assert one.model.name == "bob/other"
        empty = {"record": {}, "environment": {}, "seconds": 0}
        assert one == replace(original, model=replace(original.model, name="bob/other"), **empty)
    fid = score(30.0, protocol=ENTRIES[0].scores["fid"].protocol)
    (worse,) = claims.scores("ann/worse", index_of(made(entries=[entry(scores={"fid": fid})])))
    both = [EntryFile(Path("x"), worse), EntryFile(Path("y"), back[0])]
    (table,) = rank("avatars-32", both).tables
    assert [(row.entry.model.name, row.rank) for row in table.rows] == [
        ("bob/other", 1),
        ("ann/worse", 2),
    ]


def test_a_protocol_that_looks_like_a_number_stays_a_text() -> None:
    """``1234567890e12345`` is infinity to readers of YAML 1.2, and a text to PyYAML."""
    text = made()
    assert 'config: "1234567890e12345"' in text
    for _, value in flat(index_of(text)):
        if isinstance(value, str) and re.fullmatch(r"[\d.+e-]+", value):
            assert f'"{value}"' in text


def test_what_is_not_ganzoos_is_passed_over() -> None:
    index = index_of(made())
    others: list[Any] = [
        5,
        {"dataset": "x"},
        {"dataset": {"type": "mnist", "name": 7}, "metrics": "none"},
        {},
    ]
    index[0]["results"] = [*others, *index[0]["results"]]
    assert len(claims.scores(REPO, index)) == 2
    assert claims.scores(REPO, None) == claims.scores(REPO, []) == []


Change = Callable[[dict[str, Any]], object]
HOSTILE: list[tuple[Change, str]] = [
    (lambda r: r["dataset"].update(name="<b>"), "benchmark: expected letters"),
    (lambda r: r["dataset"].update(config="../x"), "protocol"),
    (lambda r: r["dataset"].update(revision="9" * 5000), "dataset.revision"),
    (lambda r: r["dataset"].update(args=None), "dataset.args: expected a mapping"),
    (lambda r: r["dataset"]["args"].update(primary="FID"), "primary"),
    (lambda r: r["dataset"]["args"].update(counts={"fakes": 1}), "counts.reference: missing"),
    (lambda r: r["dataset"]["args"].update(date="soon"), "date: expected ISO 8601"),
    (lambda r: r["dataset"]["args"].pop("key"), "key"),
    (lambda r: r["dataset"]["args"].update(model="x"), "model: expected a mapping"),
    (lambda r: r["dataset"]["args"]["model"].update(recipe="a\x1b[31m"), "model.recipe: control"),
    (lambda r: r["dataset"]["args"]["model"].update(recipe="<script>"), "model.recipe"),
    (lambda r: r["dataset"]["args"]["model"].update(recipe="a\u202eb"), "model.recipe"),
    (lambda r: r["dataset"]["args"]["model"].update(recipe="x" * 501), "model.recipe"),
    (lambda r: r["dataset"]["args"]["model"].update(steps=10**101), "model.steps: no number"),
    (lambda r: r["dataset"]["args"]["model"].update({"x" * 9999: 1}), "model.xxx"),
    (lambda r: r.update(metrics={"fid": 1}), "metrics: expected a list"),
    (lambda r: r.update(metrics=["fid"]), "metrics[0]: expected a mapping"),
    (lambda r: r["metrics"].append(r["metrics"][0]), "metrics[4]: fid twice"),
    (lambda r: r["metrics"][0].update(value=math.nan), "scores.fid.value: expected a finite"),
    (lambda r: r["metrics"][0].update(value=99.0), "scores.fid.value: not from low to high"),
    (lambda r: r["metrics"][0]["args"].update(low=-1e200), "scores.fid.low: no number goes"),
    (lambda r: r["metrics"][0]["args"].pop("protocol"), "scores.fid.protocol: missing"),
    (lambda r: r["metrics"][0]["args"].update(rank=1), "scores.fid.rank: unknown key"),
    (lambda r: r["metrics"][0]["args"].update(unit="\n<b>"), "scores.fid.unit"),
]


@pytest.mark.parametrize(("change", "told"), HOSTILE, ids=[told for _, told in HOSTILE])
def test_malformed_scores_are_refused_with_their_place(change: Change, told: str) -> None:
    index = copy.deepcopy(index_of(made()))
    change(index[0]["results"][0])
    with pytest.raises(RunError) as caught:
        claims.scores(REPO, index)
    assert f"scores of '{REPO}' cannot be read: model-index[0].results[0]" in str(caught.value)
    assert told in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("index", "told"),
    [
        ("x", "model-index: expected a list"),
        ({"name": "x"}, "model-index: expected a list"),
        ([3], r"model-index\[0\]: expected a mapping"),
        ([{"results": "x"}], r"model-index\[0\]\.results: expected a list"),
        (index_of(made()) * 2, "same benchmark and protocol twice"),
        (index_of(made()) * 5000, "more than 100 results"),
    ],
)
def test_an_index_that_is_none_is_refused(index: Any, told: str) -> None:
    with pytest.raises(RunError, match=told):
        claims.scores(REPO, index)


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(RunError, match="user/repo"):
        claims.scores("../x", [])


def test_huggingface_hub_reads_the_eval_results() -> None:
    files = claims.eval_results(ENTRIES)
    assert list(files) == [
        ".eval_results/ganzoo-avatars-32.yaml",
        ".eval_results/ganzoo-faces-64.yaml",
    ]
    found = parse_eval_result_entries(yaml.safe_load(files[".eval_results/ganzoo-avatars-32.yaml"]))
    told = [(one.dataset_id, one.task_id, one.value) for one in found]
    assert told == [
        ("ganzoo/avatars-32", name, score.value) for name, score in ENTRIES[0].scores.items()
    ]
    assert found[0].date == ENTRIES[0].date
    assert "lower is better; 95 % interval 19.6235 to 20.6235" in (found[0].notes or "")
    assert ENTRIES[0].scores["fid"].protocol in (found[0].notes or "")
