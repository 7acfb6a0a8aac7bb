"""Hashes that published files hold: they stay what they are from version to version."""

from __future__ import annotations

from pathlib import Path

import pytest
import submitted
import toy

from ganzoo.evaluation import result
from ganzoo.formats.json import digest
from ganzoo.plugins.manager import Plugins
from ganzoo.plugins.shipped import own_recipes, shipped_benchmarks
from ganzoo.recipe.benchmark import load_benchmark
from ganzoo.recipe.recipe import load_recipe

ROOT = Path(__file__).parents[2]

#: a new value is right only if the recipe itself trains something else now
RECIPES = {
    "animegan": "abe66e509ba8c9b1e320b0afc3f18153a9a0968dd1e2dead949ae04fc6c13a63",
    "cartoon-avatars": "df75b868e4bedd170543592919d65e12e63b2e57510b2c059480b682b2e7ad78",
    "cartoongan-author": "6baf265360b1d89ebabf99d84e5faa661a46dee1160c48d2768da08dfe0945b6",
    "cartoongan-portrait": "c754ee8b41b079b556c6e99242adbaf4f775917cf459f7406eec268a77286e53",
    "cartoongan": "1809f34170a218261194290389e776d50eac6800acf21837d371da01945f02c1",
    "dcgan-avatars-labels": "dfc5cafbc69d291ad066e3e4abef77001103c9c254ed432836a3f561e1cc508a",
    "dcgan-avatars": "52fa0809191d1778481024d622715d651e9046051fd8b99af0c91e2248653500",
    "dcgan": "b33b43cce03d57c908376459f26402aa472c7fdcbb3a3a3294a9ff0673333081",
    "fastgan-avatars": "851a23359876bcd74802fa7c3599c7d8f234b091dbe9343845f5414dadf62f01",
    "gan": "0d870a12624e1120c6c5776ddd90e6390f77ff52a5d997682cadf4860ba46eb4",
    "r3gan-lite": "9c52e8b9ec866d6e30c64149741b0d840477d985de39041b91f0800cfb758bf9",
    "wgan-gp": "7f2465f89c78797c3f56ee9656c75d6104e704867d759739208dd07a9b460a43",
}
PROTOCOLS = {
    "anime-faces-64": "059a2aef7e0ff21b",
    "avatars-128": "fd112f10a266e450",
    "avatars-32": "e05245cf3ea0203c",
    "avatars-64": "31fbbdd084dcdd9e",
    "figurines-128": "b759c86f0e1328de",
    "figurines-64": "f28a5ecfbdc62b41",
    "portraits-128": "6ce76c6094eaa9a6",
}


@pytest.fixture(scope="module")
def installed() -> Plugins:
    plugins = Plugins()
    plugins.load_entry_points()
    return plugins


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_keep_their_hash(name: str, installed: Plugins) -> None:
    assert load_recipe(own_recipes()[name], (), installed.registry).hash == RECIPES[name]


@pytest.mark.parametrize("name", PROTOCOLS)
def test_published_entries_keep_their_seal_and_protocol(name: str, installed: Plugins) -> None:
    benchmark = load_benchmark(str(shipped_benchmarks()[name]), (), installed.registry)
    optional = {key for key, spec in benchmark.extractors.items() if spec.optional}
    files = result.find(ROOT / "benchmarks" / "entries", name)
    assert files
    assert not [file.problem for file in files if file.problem]
    for entry in (file.entry for file in files if file.entry):
        assert entry.protocol == PROTOCOLS[name]
        record = dict(entry.record)
        record["extractors"] = {
            key: value for key, value in record["extractors"].items() if key not in optional
        }
        record["evaluators"] = [
            one for one in record["evaluators"] if one["extractor"] not in optional
        ]
        assert digest(record)[:16] == PROTOCOLS[name]


def test_a_protocol_keeps_its_ids(tmp_path: Path) -> None:
    protocol = toy.protocol(tmp_path)
    assert protocol.id == "7ed3ed703199beb3"
    assert [list(scorer.ids.values()) for scorer in protocol.scorers] == [
        ["brightness/n20-vs-30/toys@1/e97fc6f5"],
        ["distance-toy/toy-9d463b1c/n20-vs-30/toys@1/ddd1c515"],
    ]


def test_a_seal_covers_whole_numbers_and_letters_as_tidied_json_has_them() -> None:
    sealed = submitted.entry(record={"lr": 1.0, "é": [0.5, True, None, "ü\n"]}, notes="not covered")
    assert result.digest(sealed) == (
        "d2fde95931c809a0cf2f8b3bac3cf728ad197aedd01ea6fae9af2dafb51a91c9"
    )
