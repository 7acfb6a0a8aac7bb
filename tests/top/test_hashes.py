"""Hashes that published files hold: they stay what they are from version to version."""

from __future__ import annotations

from pathlib import Path

import pytest
import submitted
import toy

from ganzoo.evaluation import result
from ganzoo.formats.json import digest
from ganzoo.plugins.manager import Plugins
from ganzoo.plugins.shipped import own_files
from ganzoo.recipe.benchmark import load_benchmark
from ganzoo.recipe.recipe import load_recipe

ROOT = Path(__file__).parents[2]
#: what relative paths in recipes are relative to here, so that no hash depends on where it is
FOLDER = Path("/recipes")

#: a new value is right only if the recipe itself trains something else now
RECIPES = {
    "animegan": "2546a07a16a767221a28d0641cdd091acaa45fec775754f58e753b0a73771e57",
    "cartoon-avatars": "df75b868e4bedd170543592919d65e12e63b2e57510b2c059480b682b2e7ad78",
    "cartoongan-author": "c59928115c89ebd8673403df51837a94bcbb552b9970ecb960c0a0267672b97e",
    "cartoongan-portrait": "bb62d763a059bb5ab639423ac329ad42fdcfa7906ddd734c63694b3d114854a0",
    "cartoongan": "79c9f44ba01275197ed97d1be133252058c3062f880a6e8dcd9252caff68f36b",
    "dcgan-avatars-labels": "dfc5cafbc69d291ad066e3e4abef77001103c9c254ed432836a3f561e1cc508a",
    "dcgan-avatars": "52fa0809191d1778481024d622715d651e9046051fd8b99af0c91e2248653500",
    "dcgan": "8e4ff8c5adb6a320ed38909e9e6e32ccbeac7f28c01e2cb017428c9b64555358",
    "fastgan-avatars": "851a23359876bcd74802fa7c3599c7d8f234b091dbe9343845f5414dadf62f01",
    "gan": "0d870a12624e1120c6c5776ddd90e6390f77ff52a5d997682cadf4860ba46eb4",
    "r3gan-lite": "def4c0659c002832299aa01361d2bdba9f52b92266fbe46a6bd777aa33c603ca",
    "wgan-gp": "fae60cdb9caf9117c473fddcb474c0d07bcbd02d0d805597131f2c133ed2eb3c",
}
#: of version 1, in benchmarks/archive/v1
ARCHIVED = {
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
    assert (
        load_recipe(own_files("recipe")[name], (), installed.registry, FOLDER).hash == RECIPES[name]
    )


@pytest.mark.parametrize("name", ARCHIVED)
def test_archived_entries_keep_their_seal_and_protocol(name: str, installed: Plugins) -> None:
    folder = ROOT / "benchmarks" / "archive" / "v1"
    benchmark = load_benchmark(folder / f"{name}.yaml", (), installed.registry)
    optional = {key for key, spec in benchmark.extractors.items() if spec.optional}
    files = result.entry_files(folder / "entries", name)
    assert files
    assert not [file.problem for file in files if file.problem]
    for entry in (file.entry for file in files if file.entry):
        assert entry.protocol == ARCHIVED[name]
        record = dict(entry.record)
        record["extractors"] = {
            key: value for key, value in record["extractors"].items() if key not in optional
        }
        record["evaluators"] = [
            one for one in record["evaluators"] if one["extractor"] not in optional
        ]
        assert digest(record)[:16] == ARCHIVED[name]


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
