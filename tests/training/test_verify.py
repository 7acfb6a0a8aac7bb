"""``ganzoo verify``: a recipe's stated scores hold, or the command fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import toy
import yaml
from typed import Run, typist

from ganzoo.errors import RecipeError, RunError
from ganzoo.hub.locate import with_pinned_weights
from ganzoo.recipe.recipe import load_recipe
from ganzoo.training.run_folder import RunFolder
from ganzoo.training.scores import is_score
from ganzoo.training.verify import Verdict, verify

pytestmark = pytest.mark.usefixtures("one_thread")
REGISTRY = toy.plugins().registry


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Type a command in an empty folder, with nothing but the toy plugin installed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("ganzoo.plugins.manager.installed", toy.plugins)
    return typist(monkeypatch, capsys)


State = Callable[..., str]


@pytest.fixture
def state(tmp_path: Path, run: Run) -> State:
    """``state(**keys)``: the recipe file ``small.yaml`` whose section ``verify`` has these keys."""

    def written(recipe: dict[str, Any] | None = None, **keys: Any) -> str:
        toy.benchmark(tmp_path)
        section = {
            "benchmark": "toys.yaml",
            "short": ["stages.0.steps=4"],
            "seeds": [0, 7],
            "expected": {"distance-toy": [0, 1000]},
            **keys,
        }
        data = {**toy.GAN, "recipe": "small", "verify": section, **(recipe or {})}
        Path("small.yaml").write_text(yaml.safe_dump(data, sort_keys=False))
        return "small.yaml"

    return written


def verified(name: str, out: str = "out") -> list[Verdict]:
    return list(verify(name, Path(out), toy.plugins(), with_pinned_weights))


def test_every_seed_is_trained_in_its_short_form_and_measured(state: State) -> None:
    evaluate = {"every": 1, "benchmark": "toys.yaml"}
    spans = {"distance-toy": [0, 1000], "brightness": [-1, 1]}
    found = verified(state({"evaluate": evaluate}, set=["reference=40"], expected=spans))
    assert [(v.seed, v.score, v.holds) for v in found] == [
        (seed, score, True) for seed in (0, 7) for score in ("distance-toy", "brightness")
    ]
    assert found[0].value != found[2].value
    for verdict in found:
        folder = RunFolder(verdict.run)
        (row,) = filter(is_score, folder.rows())  # measured at its end alone
        assert row["step"] == 4
        assert row[f"score/{verdict.score}"] == verdict.value
        recipe = load_recipe(folder.recipe, (), REGISTRY)
        assert recipe.seed == verdict.seed
        assert recipe.evaluate is not None
        assert recipe.evaluate.set == ("reference=40",)
    assert verified("small.yaml", "again")[0].value == found[0].value


def test_a_range_includes_its_ends() -> None:
    verdict = Verdict(0, "x", 2.0, 2.0, 3.0, Path())
    assert verdict.holds
    assert Verdict(0, "x", 3.0, 2.0, 3.0, Path()).holds
    assert not Verdict(0, "x", 3.01, 2.0, 3.0, Path()).holds


def test_the_command_says_what_holds(run: Run, state: State) -> None:
    name = state()
    first, second = run("verify", name), run("verify", name)
    assert (first.code, second.code) == (0, 0)
    lines = [line for line in first.out.splitlines() if line.startswith("holds")]
    assert len(lines) == 2
    assert lines[0].startswith("holds  seed 0  distance-toy ")
    assert lines[0].endswith(", stated 0 to 1000  (runs/verify-small/seed-0)")
    assert first.out.splitlines()[-1].startswith("2 of 2 scores")
    assert "(runs/verify-small-2/seed-0)" in second.out  # a folder of its own each time


def test_the_command_fails_where_a_score_leaves_its_range(run: Run, state: State) -> None:
    spans = {"distance-toy": [0, 1000], "brightness": [0.9, 1]}
    result = run("verify", state(seeds=[3], expected=spans), "--out", "here")
    assert result.code == 1
    assert "holds  seed 3  distance-toy" in result.out
    (failed,) = [line for line in result.out.splitlines() if line.startswith("FAILS")]
    assert failed.startswith("FAILS  seed 3  brightness ")
    assert failed.endswith(", stated 0.9 to 1  (here/seed-3)")
    assert result.out.splitlines()[-1].startswith("1 of 2 scores")


def test_what_states_nothing_cannot_be_verified(run: Run, state: State) -> None:
    result = run("verify", state({"verify": None}))
    assert result.code == 2
    assert "recipe 'small' states no scores" in result.err
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"expected": {"distance": [0, 1]}}, "small.yaml:3.* gives no 'distance', did you mean 'd"),
        ({"short": ["stages.0.stpes=3"]}, "--set stages.0.stpes=3 .*did you mean 'steps'"),
    ],
)
def test_a_mistake_is_told_before_anything_is_trained(
    state: State, keys: dict[str, Any], message: str
) -> None:
    with pytest.raises(RecipeError, match=message):
        verified(state(**keys))
    assert not Path("out").exists()


def test_a_benchmark_that_does_not_suit_is_told_before_anything_is_trained(state: State) -> None:
    with pytest.raises(RunError, match=r"3x8x8, .* toys is for 3x6x6"):
        verified(state(set=["dataset.size=6"]))
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"seeds": []}, "verify.seeds: expected one seed or several, all different, not []"),
        ({"seeds": [1, 2, 1]}, "expected one seed or several, all different, not [1, 2, 1]"),
        ({"seeds": [-1]}, "verify.seeds[0]: expected an integer of at least 0, not -1"),
        ({"expected": {}}, "verify.expected: expected at least one score"),
        ({"expected": {"kid": [2, 1]}}, "verify.expected.kid: no value is from 2 to 1"),
        ({"expected": {"kid": 1}}, "verify.expected.kid: expected a list of 2 numbers, not 1"),
        ({"expected": {"kid": [1, "x"]}}, "verify.expected.kid[1]: expected a number, not 'x'"),
    ],
)
def test_what_could_never_fail_or_never_hold_is_refused(
    state: State, keys: dict[str, Any], message: str
) -> None:
    with pytest.raises(RecipeError) as refused:
        load_recipe(state(**keys), (), REGISTRY)
    (line,) = refused.value.problems
    assert line.startswith("small.yaml:")
    assert message in line


def test_who_extends_a_recipe_does_not_inherit_what_it_scores(state: State, tmp_path: Path) -> None:
    watch = {"every": 2, "benchmark": "toys.yaml"}
    state({"evaluate": watch})
    Path("other.yaml").write_text("extends: small.yaml\nbatch: 8\n")
    recipe = load_recipe("other.yaml", (), REGISTRY)
    assert recipe.verify is None
    assert recipe.evaluate is not None
    Path("own.yaml").write_text(
        "extends: small.yaml\n"
        "verify: {benchmark: toys.yaml, seeds: [1], expected: {brightness: [0, 1]}}\n"
    )
    own = load_recipe("own.yaml", (), REGISTRY).verify
    assert own is not None
    assert (own.seeds, own.short, list(own.expected)) == ((1,), (), ["brightness"])


def test_show_tells_both_sections(run: Run, state: State) -> None:
    name = state({"evaluate": {"every": 20, "benchmark": "toys.yaml", "set": ["fakes=25"]}})
    out = run("show", name).out
    bench = Path("toys.yaml").absolute()
    assert f"evaluate       every 20 steps under {bench} with fakes=25\n" in out
    assert (
        f"verify         distance-toy 0 to 1000 under {bench}, seeds 0, 7, "
        "short form stages.0.steps=4\n"
    ) in out
    shown = json.loads(run("show", name, "--json").out)
    assert shown["verify"]["expected"] == {"distance-toy": [0.0, 1000.0]}
    assert "verify " not in run("show", state({"verify": None})).out
