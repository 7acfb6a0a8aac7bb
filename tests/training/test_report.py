import json
import math
import re
from dataclasses import fields, replace
from html import unescape
from pathlib import Path

import numpy as np
import pytest
import toy
from pages import Page
from PIL import Image

from ganzoo.errors import RunError
from ganzoo.recipe.recipe import load_recipe
from ganzoo.training import report
from ganzoo.training.charts import POINTS
from ganzoo.training.manifest import Evaluation, Manifest
from ganzoo.training.report import FRAMES, write_report
from ganzoo.training.run_folder import RunFolder

RECIPE = """recipe: demo
batch: 64
dataset: {use: avatars, size: 32}
stages:
- {name: warm-up, steps: 100}
- {name: adversarial, steps: 300}
"""
HOSTILE = '"><script>alert(1)</script>$name'


@pytest.fixture
def folder(tmp_path):
    folder = RunFolder(tmp_path / "a run")
    folder.create(RECIPE, Manifest(status="running", recipe="demo", plugins={"dcgan": "0.1"}))
    return folder


def report_of(folder):
    return Page(write_report(folder).read_text(encoding="utf-8"))


def row(step, **values):
    return {
        "step": step,
        "stage": "adversarial",
        "seconds": step / 10,
        "lr/generator": 2e-4,
        "discriminator/hinge": 1 + math.sin(step),
        "generator/hinge": -math.cos(step),
        "share/hinge": 1.0,
        "D/real": 1.0,
        "D/fake": -1.0,
        "D/ranking": 0.9,
        "G/diversity": 0.8,
    } | values


def log(folder, count, first=1, **values):
    for step in range(first, first + count):
        folder.append(row(step, **values))


def grid(folder, step, size=40):
    noise = np.random.default_rng(step).integers(0, 256, (size, size, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder.samples / f"{step:08d}.png")


def points(page):
    lines = [a["points"] for a in page.all("polyline")]
    return [[tuple(map(float, p.split(","))) for p in line.split()] for line in lines]


def test_needs_nothing_but_itself(folder):
    log(folder, 20)
    grid(folder, 20)
    page = report_of(folder)
    assert "http" not in page.text.replace("http-equiv", "")
    for _, attributes in page.elements:
        for name in ("src", "href", "srcset", "data"):
            assert attributes.get(name, "data:").startswith("data:")
    assert not re.search(r"@import|url\(", page.text)
    assert not page.all("link")


def test_says_what_the_run_was(folder):
    log(folder, 20)
    folder.note(
        status="stopped",
        step=20,
        seconds=75.0,
        reason="NON_FINITE at step 20",
        dataset_sha256="0123456789abcdef",
        environment={"device": "cpu", "threads": 2, "torch": "2.9"},
    )
    said = report_of(folder).said
    for words in (
        "stopped NON_FINITE at step 20",
        "20 of 400",
        "1 min 15 s",
        "cpu, 2 threads",
        "avatars, 32 px",
        "0123456789ab",
        "environment · torch 2.9",
        "plugins · dcgan 0.1",
        "name: adversarial, steps: 300",
    ):
        assert words in said


def test_a_run_without_a_model_can_only_go_on(folder):
    said = report_of(folder).said
    assert f"ganzoo resume '{folder.path}'" in said
    assert "ganzoo sample" not in said
    folder.note(status="finished", step=400)
    said = report_of(folder).said
    assert f"ganzoo resume '{folder.path}' --set 'stages[1].steps=600'" in said


def facts(page):
    """The definitions of a page by their terms."""
    pairs = re.findall(r"<dt>(.*?)</dt><dd>(?:<code>)?(.*?)(?:</code>)?</dd>", page.text)
    return {unescape(term): unescape(definition) for term, definition in pairs}


def test_the_report_of_what_training_wrote(train, tmp_path, monkeypatch):
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))
    benchmark = {"every": 5, "benchmark": str(toy.benchmark(tmp_path / "benchmarks"))}
    run = train(evaluate=benchmark)
    said = facts(report_of(RunFolder(run)))
    assert said["Draw new pictures"] == f"ganzoo sample {run} -n 64"
    assert said["Draw with the best step's model"] == f"ganzoo sample {run}/best -n 64"
    assert said["Go on training for longer"] == f"ganzoo resume {run} --set 'stages[0].steps=18'"
    manifest = json.loads((run / "manifest.json").read_text())
    assert (said["Steps"], said["Images seen"]) == ("9 of 9", "36")
    assert said["Best"].startswith("distance-toy ")
    assert (said["Benchmark"], said["Networks"], said["Seed"]) == ("toys@1", "toy against toy", "0")
    assert said["Dataset hash"] == manifest["dataset_sha256"][:12]
    around = manifest["environment"]
    assert said["Device"].startswith(around["device"])
    assert said["Device"].endswith(f"{around['threads']} thread{'s' * (around['threads'] > 1)}")
    assert said["Precision"] == "fp32"
    assert set(manifest) == {field.name for field in fields(Manifest)}
    assert all(value is not None for name, value in manifest.items() if name != "reason")


def test_networks_are_named_by_role_if_there_are_more_than_two(train):
    from short_runs import ROLES

    said = facts(report_of(RunFolder.open(train(**ROLES["encoder"]))))
    assert said["Networks"] == "generator toy, discriminator joint, encoder toy"


def test_a_translator_is_given_photos(train):
    translator = {"dataset": {"use": "toy", "photo": True}, "generator": {"use": "toy-translator"}}
    run = train(**translator)
    page = report_of(RunFolder(run))
    assert facts(page)["Draw new pictures"] == f"ganzoo translate {run} PHOTO --out drawn"
    (run / "model" / "config.json").write_text("{}")
    page = report_of(RunFolder(run))
    assert "is no model's config" in facts(page)["Draw new pictures: not now"]


@pytest.mark.parametrize("count", [0, 1, 2, 49, 1000])
def test_any_number_of_rows(folder, count):
    log(folder, count)
    page = report_of(folder)
    titles = [word for word in page.words if word in ("Ranking", "Diversity", "hinge")]
    assert bool(titles) == bool(count)
    assert all(len(line) <= POINTS for line in points(page))
    assert ("Nothing has been logged yet" in page.said) == (count == 0)


def test_one_chart_per_term_with_a_curve_per_player(folder):
    log(folder, 100, **{"discriminator/r1": 0.1, "share/content": 0.2, "plugin/own": 3.0})
    page = report_of(folder)
    charts = [a["aria-label"].removesuffix(" over steps") for a in page.all("svg", role="img")]
    assert charts == [
        *("Ranking", "Diversity", "D's logits", "hinge", "r1"),
        *("Gradient shares", "Learning rate", "plugin/own"),
    ]
    assert page.said.count("discriminator") >= 2
    assert "0.995: D has won" in page.said
    assert "0.5: blind" in page.said


def test_judges_share_the_ranking_and_have_logits_of_their_own(folder):
    judged = {"D/ranking@eye_critic": 0.8, "D/real@eye_critic": 2.0, "D/fake@eye_critic": 1.0}
    log(folder, 100, **judged)
    page = report_of(folder)
    charts = [a["aria-label"].removesuffix(" over steps") for a in page.all("svg", role="img")]
    assert charts[:5] == ["Ranking", "Diversity", "D's logits", "eye_critic's logits", "hinge"]
    assert "D/ranking@eye_critic" in page.said
    assert not any(chart.startswith("D/") for chart in charts)


def test_stages_are_marked_as_far_as_the_run_has_come(folder):
    log(folder, 90)
    assert not report_of(folder).all("path", **{"class": "stage"})
    log(folder, 100, first=91)
    page = report_of(folder)
    assert len(page.all("path", **{"class": "stage"})) == len(page.all("svg", role="img"))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, None, "x", True, [], 10**400])
def test_values_that_are_no_numbers_are_left_out(folder, bad):
    log(folder, 60)
    folder.append(row(61, **{"D/real": bad, "D/ranking": bad, "seconds": bad, "G/std": bad}))
    folder.append({"step": 62})
    with folder.metrics.open("a") as file:
        file.write('{"step": 63, "D/re')
    page = report_of(folder)
    assert all(math.isfinite(value) for line in points(page) for point in line for value in point)
    if isinstance(bad, float):
        assert "1 not finite and not drawn" in page.said


@pytest.mark.parametrize("value", [0.0, -0.0, 1e-300, 5e-324, 1e99, -7.0, 2e-4])
def test_flat_and_extreme_curves(folder, value):
    log(folder, 60, **{"generator/hinge": value, "discriminator/hinge": value, "D/real": value})
    for line in points(report_of(folder)):
        assert all(math.isfinite(y) for _, y in line)


def test_smoothing_keeps_the_level_and_does_not_lag(folder):
    for step in range(1, 1001):
        folder.append({"step": step, "stage": "a", "G/std": float(step > 500) + 0.1 * (-1) ** step})
    page = report_of(folder)
    smooth = next(a for a in page.all("polyline") if a["class"] == "smooth")["points"]
    line = [tuple(map(float, point.split(","))) for point in smooth.split()]
    low, high = line[5][1], line[-5][1]
    middle = min(line, key=lambda point: abs(point[1] - (low + high) / 2))
    assert middle[0] == pytest.approx((line[0][0] + line[-1][0]) / 2, abs=3)
    raw = next(a for a in page.all("polyline") if a["class"] == "raw")["points"]
    heights = [float(point.split(",")[1]) for point in raw.split()]
    assert max(heights) > max(y for _, y in line) + 3  # thinning keeps the noise's width


EVALUATION = Evaluation(
    benchmark="avatars-64@1",
    protocol="abc",
    primary="kid-x",
    higher_is_better={"kid-x": False, "recall-x": True},
    ids={},
)


def score(folder, step, kid, protocol="abc"):
    scores = {"score/kid-x": kid, "score/recall-x": 0.5}
    folder.append({"step": step, "seconds": step / 10, "protocol": protocol} | scores)


def test_scores_have_charts_and_the_best_step_is_marked(folder):
    folder.note(evaluation=EVALUATION)
    log(folder, 20)
    for step, kid in [(5, 30.0), (10, 12.345678), (15, 12.345678), (20, math.nan)]:
        score(folder, step, kid)
    page = report_of(folder)
    charts = [a["aria-label"].removesuffix(" over steps") for a in page.all("svg", role="img")]
    assert charts[:3] == ["kid-x", "recall-x", "Ranking"]
    assert "kid-x lower is better" in page.said
    assert "recall-x higher is better" in page.said
    assert "Best kid-x 12.35 at step 10" in page.said
    assert "Benchmark avatars-64@1" in page.said
    places = [a["x"] for a in page.all("text") if a.get("class", "").startswith("best")]
    assert places == ["197.0"] * 2  # the middle


def test_no_score_leaves_the_frame(folder):
    folder.note(evaluation=EVALUATION)
    for step in range(1, 31):
        score(folder, step, 1000.0 if step == 4 else 10.0)
    kid = points(report_of(folder))[0]
    assert all(12 <= y <= 156 for _, y in kid)


def test_scores_of_another_protocol_are_left_out(folder):
    folder.note(evaluation=EVALUATION)
    score(folder, 5, 1.0, protocol="older")
    score(folder, 10, 7.0)
    score(folder, 20, 9.0)
    page = report_of(folder)
    assert "Best kid-x 7 at step 10" in page.said
    assert all(len(line) == 2 for line in points(page))


def test_scores_are_no_rows_of_training(folder):
    folder.note(evaluation=EVALUATION)
    log(folder, 3, first=1000)
    for step in range(1000, 1010):
        score(folder, step, 1.0)
    assert "Too early to say" in report_of(folder).said


@pytest.mark.parametrize("evaluation", [None, replace(EVALUATION, primary="x")])
def test_a_manifest_that_says_nothing_of_the_scores(folder, evaluation):
    folder.note(evaluation=evaluation)
    score(folder, 10, 7.0)
    assert "at step 10" not in report_of(folder).said


def test_findings_are_named(folder):
    log(folder, 20, first=1001, **{"D/ranking": 1.0, "share/<dead>": 0.0})
    said = report_of(folder).said
    assert "D_WON" in said
    assert "since step 1,001 · value 1 · threshold 0.995" in said
    assert "DEAD_TERM <dead>" in said
    assert "Nothing wrong" not in said


def test_findings_that_are_not_there(folder):
    log(folder, 3, first=1000)
    assert "Too early to say" in report_of(folder).said
    log(folder, 10, first=1003)
    assert "Nothing wrong that these numbers show" in report_of(folder).said


def test_everything_is_escaped(tmp_path):
    folder = RunFolder(tmp_path / "<b>x</b>")
    folder.create(
        f"recipe: '{HOSTILE}'\nstages: [{{name: '{HOSTILE}', steps: 10}}, {{name: b, steps: 10}}]\n"
        f"dataset: {{use: '{HOSTILE}'}}\n",
        Manifest(recipe=HOSTILE, plugins={HOSTILE: HOSTILE}, extractors_sha256={HOSTILE: HOSTILE}),
    )
    names = ("generator/", "share/", "lr/", "D/", "G/", "score/", "")
    log(folder, 20, **{name + HOSTILE: 0.0 for name in names})
    around = {HOSTILE: {HOSTILE: HOSTILE}, "device": HOSTILE}
    folder.note(status="stopped", reason=HOSTILE, dataset_sha256=HOSTILE, environment=around)
    page = report_of(folder)
    assert len(page.all("script")) == 1
    assert not page.all("b", **{"class": "x"})
    assert "alert(1)</script>" not in page.text
    assert page.said.count(HOSTILE) >= 10


@pytest.mark.parametrize("manifest", ["", "[]", '{"status": 3, "seconds": "x", "step": "y"}'])
@pytest.mark.parametrize("recipe", ["", "- 1\n", "a: [", "stages: 3\n", "stages: [1, {steps: x}]"])
def test_a_damaged_run_has_a_report(folder, manifest, recipe):
    folder.manifest.write_text(manifest)
    folder.recipe.write_text(recipe)
    log(folder, 10)
    said = report_of(folder).said
    assert "a run" in said
    assert "unknown" in said
    assert "manifest.json is damaged" in said


def test_text_that_is_not_unicode(folder):
    folder.recipe.write_bytes(b"recipe: \xff\n")
    folder.manifest.write_text(json.dumps({"recipe": "\ud800"}))
    assert write_report(folder).read_text(encoding="utf-8")


def test_the_page_of_a_newer_or_an_older_run(folder):
    folder.manifest.write_text('{"status": "stopped", "reason": "tired", "mood": {"good": true}}')
    assert "stopped tired" in report_of(folder).said


@pytest.mark.parametrize("count", [0, 1, 2, FRAMES, 3 * FRAMES])
def test_grids_over_time(folder, count):
    for number in range(count):
        grid(folder, number * 50)
    page = report_of(folder)
    steps = [int(figure["data-step"].replace(",", "")) for figure in page.all("figure")]
    assert len(steps) == len(page.all("img")) == min(count, FRAMES)
    assert ("No samples have been drawn" in page.said) == (count == 0)
    if count:
        assert max(steps) == 50 * (count - 1)
        assert page.all("figure", **{"class": "final"})[0]["data-step"] == f"{max(steps):,}"
        assert min(steps) == 0
        assert len(set(steps)) == len(steps)


def test_a_grid_cut_short_is_left_out(folder):
    for step in (0, 50, 100):
        grid(folder, step)
    whole = (folder.samples / "00000100.png").read_bytes()
    (folder.samples / "00000100.png").write_bytes(whole[: len(whole) // 2])
    (folder.samples / "notes.png").write_text("no picture")
    page = report_of(folder)
    assert page.all("figure", **{"class": "final"})[0]["data-step"] == "50"


def test_large_grids_are_made_small(folder, monkeypatch):
    monkeypatch.setattr(report, "LAST_BYTES", 20_000)
    monkeypatch.setattr(report, "FRAME_BYTES", 5_000)
    for step in range(0, 200, 50):
        grid(folder, step, size=300)
    log(folder, 100)
    assert write_report(folder).stat().st_size < 200_000


def test_the_page_is_replaced_as_a_whole_or_not_at_all(folder, monkeypatch):
    write_report(folder)
    before = folder.report.read_text(encoding="utf-8")
    files = sorted(folder.path.iterdir())
    log(folder, 10)

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        with pytest.raises(RunError, match="No space left"):
            write_report(folder)
    assert folder.report.read_text(encoding="utf-8") == before
    assert sorted(folder.path.iterdir()) == sorted([*files, folder.metrics])
    assert write_report(folder).read_text(encoding="utf-8") != before


def test_the_recipe_is_drawn_with_who_makes_what_and_who_learns_from_it(tmp_path):
    folder = RunFolder(tmp_path / "run")
    recipe = load_recipe("cartoon-avatars", ["augment={use: diffaugment}"])
    folder.create(recipe.to_yaml(), Manifest(status="running", recipe="demo"))
    page = report_of(folder)
    assert "photo → generator → fake generator" in page.said
    assert "fake → discriminator → fake_logits generator discriminator" in page.said
    assert "Who makes what" not in report_of_text(tmp_path, RECIPE).said


def report_of_text(folder, text):
    broken = RunFolder(folder / "broken")
    broken.create(text, Manifest(status="running", recipe="demo"))
    return report_of(broken)
