"""Names, clashes, and what an entry loads."""

from __future__ import annotations

import re

import pytest

from ganzoo.errors import PluginError, RecipeError
from ganzoo.interfaces import Loss
from ganzoo.plugins.registry import KINDS, Origin, Registration, Registry

MINE = Origin("mine", "my-gans", "0.3")
YOURS = Origin("yours", "your-gans", "2.0")


class Good(Loss):
    pass


class NoLoss:
    pass


def registry(*entries: Registration) -> Registry:
    made = Registry()
    for entry in entries:
        made.add(entry)
    return made


def loss(name: str, target: object = Good, origin: Origin = MINE) -> Registration:
    return Registration("loss", name, target, origin)


def test_entries_are_sorted_and_know_their_plugin() -> None:
    made = registry(loss("zebra"), loss("ape", origin=YOURS))
    assert made.names("loss") == ["ape", "zebra"]
    assert [str(entry.origin) for entry in made.entries("loss")] == [
        "your-gans 2.0 (plugin 'yours')",
        "my-gans 0.3 (plugin 'mine')",
    ]
    assert all(made.names(kind) == [] for kind in KINDS if kind != "loss")


def test_kinds_do_not_share_names() -> None:
    made = registry(loss("same"), Registration("transform", "same", "m:T", YOURS))
    assert made.get("loss", "same").origin is MINE
    assert made.get("transform", "same").origin is YOURS


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("zbra", "unknown loss 'zbra', did you mean 'zebra'? Available: ape, zebra."),
        ("xxxxx", "unknown loss 'xxxxx'. Available: ape, zebra."),
        ("yours/zebra", "unknown loss 'yours/zebra', did you mean 'zebra'?"),
        ("", "unknown loss ''. Available"),
        ("/", "unknown loss '/'. Available"),
    ],
)
def test_an_unknown_name_is_told_what_there_is(name: str, message: str) -> None:
    with pytest.raises(RecipeError) as caught:
        registry(loss("zebra"), loss("ape")).get("loss", name)
    assert message in str(caught.value)


def test_nothing_installed_is_said() -> None:
    with pytest.raises(RecipeError, match=r"unknown extractor 'x'\. Available: nothing\."):
        Registry().get("extractor", "x")


def test_the_full_name_chooses_and_the_bare_one_is_refused() -> None:
    made = registry(loss("r1"), loss("r1", origin=YOURS), loss("r2"))
    assert made.names("loss") == ["mine/r1", "yours/r1", "r2"]
    assert made.get("loss", "yours/r1").origin is YOURS
    assert made.get("loss", "mine/r2").name == "r2"
    with pytest.raises(RecipeError, match=r"^loss 'r1' .*my-gans .*your-gans ") as caught:
        made.get("loss", "r1")
    assert "write 'mine/r1' or 'yours/r1'" in str(caught.value)


def test_a_class_and_its_reference_load_alike() -> None:
    assert loss("good").load() is Good
    assert loss("good", f"{__name__}:Good").load() is Good


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("no_such_package.losses:Good", "ModuleNotFoundError: No module named 'no_such_package'"),
        (f"{__name__}:Gone", "AttributeError"),
        (f"{__name__}:NoLoss", "does not derive from ganzoo.interfaces.Loss"),
        (f"{__name__}:registry", "does not derive from ganzoo.interfaces.Loss"),
        (NoLoss, "does not derive from ganzoo.interfaces.Loss"),
    ],
)
def test_what_cannot_be_loaded_names_its_plugin_and_the_reason(target: object, why: str) -> None:
    with pytest.raises(PluginError) as caught:
        loss("bad", target).load()
    assert re.search(r"loss 'bad' .*my-gans 0\.3 .*'mine'", str(caught.value))
    assert why in str(caught.value)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({}, ""),
        ({"my-gans": "0.3"}, ""),
        (
            {"my-gans": "9"},
            " It needs my-gans 9; 0.3 is installed. If you trust it: pip install 'my-gans==9'",
        ),
        (
            {"my-gans": "0.3", "lost-gans": "1.0"},
            " It needs lost-gans 1.0, which is not installed. If you trust it: "
            "pip install 'lost-gans==1.0'",
        ),
        ({"pytest": "1"}, f" It needs pytest 1; {pytest.__version__} is installed and not"),
    ],
)
def test_what_is_missing_is_told_with_how_to_install_it(wanted: dict[str, str], said: str) -> None:
    assert registry(loss("zebra")).install_hint(wanted).startswith(said)
    assert bool(registry(loss("zebra")).install_hint(wanted)) is bool(said)


def test_a_plugin_that_was_divided_still_names_its_components() -> None:
    avatars = Registration("dataset", "avatars", "m:D", Origin("avatars", "ganzoo", "0.1"))
    stranger = Registration("dataset", "avatars", "m:D", Origin("figurines", "strange", "0.1"))
    assert registry(avatars, stranger).get("dataset", "data/avatars") is avatars
    own = Registration("dataset", "avatars", "m:D", Origin("data", "strange", "0.1"))
    assert registry(avatars, own).get("dataset", "data/avatars") is own
    with pytest.raises(RecipeError, match="unknown dataset 'data/pictures'"):
        registry(avatars).get("dataset", "data/pictures")
