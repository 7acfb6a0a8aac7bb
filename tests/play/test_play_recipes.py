"""Recipes as forms: every field is of the schema, and every mistake stands at its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from ganzoo.errors import RunError
from ganzoo.play import recipes
from ganzoo.play.recipes import Form
from ganzoo.play.trainings import Trainings
from ganzoo.plugins.manager import installed
from ganzoo.recipe.recipe import leaves, load_recipe

REGISTRY = installed().registry
NAME = "dcgan-avatars-labels"


def form(changes: dict[str, str], root: Path = Path(), name: str = NAME) -> Form:
    return recipes.form(name, changes, REGISTRY, root)


def problems(shown: Form) -> dict[str, tuple[str, ...]]:
    fields = {one.path: one.problems for group in shown.groups for one in group.fields}
    found = fields | {group.path: group.problems for group in shown.groups if group.problems}
    return {path: texts for path, texts in found.items() if texts}


@pytest.mark.parametrize("name", recipes.names(REGISTRY))
def test_every_shipped_recipe_has_a_form_of_all_its_values(name: str) -> None:
    shown = form({}, name=name)
    assert shown.recipe is not None
    assert (shown.problems, problems(shown)) == ((), {})
    fields = {one.path.removesuffix(".use"): one for group in shown.groups for one in group.fields}
    for path, _ in leaves(shown.recipe.resolved()):
        if path.split(".")[0].split("[")[0] not in ("recipe", "plugins", "verify", "players"):
            assert path.removesuffix(".use") in fields
    assert sum(len(terms) for _, _, terms in shown.stages) > 1
    assert shown.words


def test_all_mistakes_at_once_each_at_its_place() -> None:
    shown = form(
        {"batch": "-3", "generator.width": "wide", "stages[0].steps": "0", "log.every": "0"}
    )
    assert shown.recipe is None
    assert set(problems(shown)) == {"batch", "generator.width", "stages[0].steps", "log.every"}
    assert shown.problems == ()
    (text,) = problems(shown)["batch"]
    assert "--set" not in text


def test_another_part_brings_its_own_fields() -> None:
    shown = form({"generator.use": "fastgan"})
    paths = {one.path for group in shown.groups for one in group.fields}
    assert "generator.latent" in paths
    assert "generator.upsample" not in paths
    wrong = form({"optimizer.use": "rmsprop"})  # the inherited rate is adam's
    assert wrong.recipe is None
    assert "optimizer" in problems(wrong)
    assert "optimizer.lr" in {one.path for group in wrong.groups for one in group.fields}


def test_losses_are_added_and_removed() -> None:
    before = form({})
    changes = recipes.with_term({}, "stages[0].discriminator", "r2", before)
    added = form(changes)
    assert added.recipe is not None
    assert [t.use for t in added.recipe.stages[0].terms["discriminator"]][-1] == "r2"
    gone = form(recipes.without_term(changes, "stages[0].discriminator[0]", added))
    assert gone.recipe is not None
    assert [t.use for t in gone.recipe.stages[0].terms["discriminator"]] == ["r1", "r2"]
    for place, use in (("stages[0].generator", "r2"), ("stages[9].x", "r1"), ("batch", "r1")):
        with pytest.raises(RunError):
            recipes.with_term({}, place, use, before)


OUTSIDE = [
    "/etc/passwd", "~/x", "~root/x", "../x", "a/../../x", "..", "C:/x", "\\\\host\\x", "link",
    "link/x", "file:///etc", "http://example.org/x", "'/etc'", '"/e\\u0074c"', "[a, /etc]",
    "{use: folder, path: /etc}", "{a: {b: [../x]}}", "dataset.path=/etc", "./../x", "runs/../../x",
]  # fmt: skip


@pytest.mark.parametrize("text", OUTSIDE)
@pytest.mark.parametrize("key", ["dataset", "init_from", "evaluate"])
def test_no_value_leads_outside_the_folder(tmp_path: Path, key: str, text: str) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "link").symlink_to(tmp_path)
    path = {"dataset": "dataset.path", "init_from": "init_from", "evaluate": "evaluate"}[key]
    shown = form({path: text}, root)
    assert shown.recipe is None
    assert any(
        "outside the folder" in one for one in str(problems(shown) or shown.problems).split("; ")
    )


@pytest.mark.parametrize("key", ["extends", "plugins.x", "verify.benchmark", "recipe", "", "a b"])
def test_other_keys_are_not_changed(key: str) -> None:
    assert form({key: "1"}).recipe is None


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../recipes/gan.yaml", "recipes/gan.yaml", "", "nosuch"]
)
def test_only_shipped_recipes(name: str) -> None:
    with pytest.raises(RunError, match="no recipe"):
        form({}, name=name)


def test_the_saved_recipe_is_the_changed_one(tmp_path: Path) -> None:
    shown = form({"batch": "8", "generator.use": "fastgan"})
    assert shown.recipe is not None
    (tmp_path / "mine.yaml").write_text(shown.recipe.to_yaml())
    again = load_recipe(tmp_path / "mine.yaml", (), REGISTRY)
    assert dict(leaves(again.resolved())) == dict(leaves(shown.recipe.resolved()))


def test_what_is_no_training_is_not_stopped(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no training"):
        Trainings(tmp_path).stop("1")
