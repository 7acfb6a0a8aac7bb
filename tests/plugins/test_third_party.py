"""A stranger's plugin as a wheel beside ganzoo's, in a fresh environment; and broken ones."""

from __future__ import annotations

import csv
import json
import textwrap
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import yaml
from environment import Environment, build_wheel
from hub_server import HubServer
from PIL import Image

THICKET = Path(__file__).parents[1] / "third_party" / "ganzoo-thicket"
#: everything that ganzoo-thicket registers, by kind
PARTS = {
    "generator": "sprout",
    "discriminator": "forester",
    "loss": "canopy",
    "dataset": "thicket",
    "extractor": "bark",
    "evaluator": "kinship",
    "transform": "rustle",
    "detector": "leaf",
    "importer": "herbarium",
    "recipe": "thicket",
    "benchmark": "thicket-8",
}


@pytest.fixture(scope="module")
def thicket_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(THICKET, tmp_path_factory.mktemp("thicket"))


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory, ganzoo_wheel: Path) -> Environment:
    """An environment with ganzoo alone."""
    return Environment(tmp_path_factory.mktemp("bare"), ganzoo_wheel)


@pytest.fixture(scope="module")
def forest(
    tmp_path_factory: pytest.TempPathFactory, ganzoo_wheel: Path, thicket_wheel: Path
) -> Environment:
    """An environment with ganzoo and ganzoo-thicket."""
    made = Environment(tmp_path_factory.mktemp("forest"), ganzoo_wheel)
    made.install(thicket_wheel)
    return made


@pytest.fixture(scope="module")
def run(forest: Environment) -> Path:
    """A run of a user's recipe: thicket's parts, ganzoo's own discriminator and losses."""
    recipe = {
        "recipe": "mix",
        "extends": "thicket",
        "discriminator": {"use": "gan", "hidden": [8]},
        "evaluate": {"every": 6, "benchmark": "thicket-8"},
    }
    path = forest.folder / "mix.yaml"
    path.write_text(yaml.safe_dump(recipe), encoding="utf-8")
    done = forest.run("ganzoo", "train", str(path), "--out", "run")
    assert done.stderr == ""
    return forest.folder / "run"


# -- what the other tests stand on ---------------------------------------------------------------


def test_an_environment_has_the_wheels_and_nothing_of_this_checkout(
    bare: Environment, forest: Environment
) -> None:
    code = "import ganzoo, ganzoo_dcgan; print(ganzoo.__file__, ganzoo_dcgan.__file__, sep='\\n')"
    for path in bare.run("python", "-c", code).stdout.splitlines():
        assert Path(path).is_relative_to(bare.site)
    own, others = (json.loads(e.run("ganzoo", "plugins", "--json").stdout) for e in (bare, forest))
    assert {row["distribution"] for row in own} == {"ganzoo"}
    assert [row["plugin"] for row in others if row not in own] == ["thicket"]


# -- one component of every kind ---------------------------------------------------------------


def test_every_part_is_listed(forest: Environment) -> None:
    listed = forest.run("ganzoo", "list", "--json")
    assert listed.stderr == ""
    rows = json.loads(listed.stdout)
    found = {
        kind: [(row["name"], row["summary"]) for row in of_kind if row["plugin"] == "thicket"]
        for kind, of_kind in rows.items()
    }
    assert {kind: name for kind, named in found.items() for name, _ in named} == PARTS
    assert not [kind for kind in PARTS if found[kind][0][1].startswith("BROKEN")]
    assert "  rings " in forest.run("ganzoo", "--help").stdout


def test_a_recipe_mixes_its_parts_with_built_in_ones_and_trains(run: Path) -> None:
    recipe = yaml.safe_load((run / "recipe.yaml").read_text(encoding="utf-8"))
    assert recipe["generator"]["use"] == "sprout"
    assert recipe["discriminator"]["use"] == "gan"
    assert [term["use"] for term in recipe["stages"][0]["generator"]] == [
        "non-saturating",
        "canopy",
    ]
    assert recipe["views"]["windy"]["use"] == recipe["augment"]["use"] == "rustle"
    assert recipe["plugins"] == {"ganzoo-thicket": "1.3.0"}
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    canopy = [row["generator/canopy"] for row in rows if "generator/canopy" in row]
    assert len(canopy) == 4
    assert np.isfinite(canopy).all()
    assert (run / "report.html").is_file()


def test_its_observer_saw_every_event(run: Path) -> None:
    with (run / "diary.csv").open(newline="", encoding="utf-8") as file:
        rows = [(event, int(step), what) for event, step, what in csv.reader(file)]
    assert rows[0] == ("run_started", 0, "mix")
    assert rows[-1] == ("run_ended", 12, "well")
    steps = {event: [s for e, s, _ in rows if e == event] for event, _, _ in rows}
    assert steps["step_ended"] == list(range(1, 13))
    assert steps["samples_drawn"] == [0, 6, 12]
    assert steps["checkpoint_saved"] == steps["evaluated"] == [6, 12]
    assert ("evaluated", 12, "color-overlap kinship-bark") in rows
    logged = [step for event, step, what in rows if event == "step_ended" and what != "0"]
    assert logged == [1, 4, 8, 12]


def test_its_command_runs(forest: Environment, run: Path) -> None:
    assert "step_ended            12\n" in forest.run("ganzoo", "rings", str(run)).stdout
    refused = forest.run("ganzoo", "rings", "nowhere", check=False)
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: nowhere/diary.csv cannot be read")


def test_its_benchmark_measures_the_model(forest: Environment, run: Path) -> None:
    command = ("ganzoo", "evaluate", str(run), "-b", "thicket-8", "--json")
    (entry,) = json.loads(forest.run(*command).stdout)
    scores = entry["scores"]
    assert set(scores) == {"kinship-bark", "color-overlap"}
    assert 0 < scores["kinship-bark"]["low"] < scores["kinship-bark"]["high"] < 1
    assert not scores["kinship-bark"]["rankable"]
    assert (forest.folder / "run/evaluation/thicket-8/run.json").is_file()


def pictures(folder: Path) -> list[bytes]:
    found = [path.read_bytes() for path in sorted(folder.glob("*.png"))]
    assert found
    return found


def test_what_the_hub_gives_back_draws_the_same_pictures(forest: Environment, run: Path) -> None:
    with HubServer(xet=False) as hub:
        here = {"HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
        token = hub.token("ann")
        push = ("ganzoo", "push", str(run), "ann/thicket", "--licence", "cc-by-4.0")
        forest.run(*push, **here, HF_TOKEN=token)
        published = hub.files("ann/thicket", "main")
        sample = ("ganzoo", "sample", "-n", "5", "--seed", "3")
        forest.run(*sample, "ann/thicket", "--out", "pulled", **here)
    forest.run(*sample, str(run), "--out", "original")
    assert pictures(forest.folder / "pulled") == pictures(forest.folder / "original")
    made_by = json.loads(published["config.json"])["generator"]
    assert (made_by["distribution"], made_by["version"]) == ("ganzoo-thicket", "1.3.0")
    card = published["README.md"].decode()
    assert "ganzoo-thicket" in card
    assert "cc0-1.0" in card.lower()  # the dataset's own word for its licence


def test_its_importer_makes_a_model(forest: Environment, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    shapes = {"root": (3 * 16, 5), "stem": (3, 3, 3, 3), "leaves": (3, 3, 3, 3)}
    arrays = {name: rng.normal(size=shape).astype("float32") for name, shape in shapes.items()}
    np.savez(tmp_path / "dried.npz", size=8, **arrays)
    forest.run("ganzoo", "import", "herbarium", str(tmp_path / "dried.npz"), "--out", "imported")
    config = json.loads((forest.folder / "imported" / "config.json").read_text(encoding="utf-8"))
    assert config["generator"]["use"] == "sprout"
    assert config["generator"]["arguments"] == {"size": 8, "latent": 5, "width": 3}


def test_its_detector_finds_faces(forest: Environment, tmp_path: Path) -> None:
    photo = Image.new("RGB", (60, 40), "gray")
    photo.paste((20, 200, 20), (20, 10, 40, 30))
    (tmp_path / "photos").mkdir()
    photo.save(tmp_path / "photos" / "one.png")
    options = ("--detector", "leaf", "--set", "margin=50", "--size", "16", "--margin", "0")
    faces = ("ganzoo", "data", "faces", str(tmp_path / "photos"), "--out", "faces")
    forest.run(*faces, *options)
    (found,) = (forest.folder / "faces" / "faces").rglob("*.png")
    red, green, _ = np.asarray(Image.open(found)).mean((0, 1))
    assert (red < 30, green > 190) == (True, True)


def test_it_keeps_its_promises(forest: Environment) -> None:
    # Without ganzoo's datasets there are no reference rows, which take most of the time.
    check = ("ganzoo", "plugins", "check", "thicket", "--json")
    (told,) = json.loads(forest.run(*check, GANZOO_PLUGINS="thicket,adversarial,metrics").stdout)
    promises = {part["component"]: part["promises"] for part in told["components"]}
    assert set(promises) == {f"{kind} {name}" for kind, name in PARTS.items()}
    others = [
        (component, promise["result"])
        for component, made in promises.items()
        for promise in made
        if promise["result"] != "kept"
    ]
    assert others == [("evaluator kinship", "not checked")]


# -- without the plugin -----------------------------------------------------------------------


@pytest.mark.parametrize("command", ["sample", "resume", "recipe check"])
def test_without_the_plugin_the_line_that_installs_it_is_told(
    bare: Environment, run: Path, command: str
) -> None:
    what = run / "recipe.yaml" if command == "recipe check" else run
    refused = bare.run("ganzoo", *command.split(), str(what), check=False)
    assert refused.returncode == 2
    assert "generator 'sprout'" in refused.stderr
    assert "not installed" in refused.stderr
    assert "pip install 'ganzoo-thicket==1.3.0'" in refused.stderr


# -- broken ones --------------------------------------------------------------------------------

LOSS = """
    from ganzoo.interfaces import Loss

    class Mine(Loss):
        '''Nothing at all.'''

        def generator(self, fake):
            return fake.mean() * 0
"""


@dataclass(frozen=True)
class Broken:
    """A wheel ``ganzoo-NAME`` of one module, and what each command says of it on stderr."""

    source: str
    says: tuple[str, ...] = ()
    version: str = "0.4"
    requires: str = "ganzoo>=0.1"
    plugin: str = ""


BROKEN = {
    "thorn": Broken(
        "raise RuntimeError('no\\n  good')",
        ("cannot be used: RuntimeError: no good", "Update or uninstall 'ganzoo-thorn'"),
    ),
    "knot": Broken(
        "@hookimpl\ndef step_ended(run, step, log): ...",
        ("cannot be used: ", "step_ended", "'log'", "uninstall 'ganzoo-knot'"),
    ),
    "gall": Broken(
        "@hookimpl\ndef register_loses(register): ...",
        (
            "cannot be used: there is no hook 'register_loses', did you mean 'register_losses'?",
            "uninstall 'ganzoo-gall'",
        ),
    ),
    "ivy": Broken(
        "@hookimpl\ndef register_losses(register): register('r1', 'ganzoo_ivy.loss:Mine')",
        ("loss 'r1'", "write 'ivy/r1'"),
    ),
    "cuckoo": Broken(
        "@hookimpl\ndef register_losses(register): register('egg', 'ganzoo_cuckoo.loss:Mine')",
        ("cannot be used: its name is taken by ganzoo 0.1.0", "uninstall 'ganzoo-cuckoo'"),
        plugin="dcgan",
    ),
    "weed": Broken(
        "@hookimpl\ndef register_commands(cli): cli.command('train')(lambda: None)",
        ("the commands of ", "there is a command 'train' already", "uninstall 'ganzoo-weed'"),
    ),
    "seed": Broken(
        "ganzoo_hooks = 2\n@hookimpl\ndef register_losses(register): ...",
        (
            "cannot be used: it is written for version 2 of ganzoo's hooks, and ganzoo 0.1.0 has",
            "pip install -U ganzoo",
            "older 'ganzoo-seed'",
        ),
    ),
    "graft": Broken(
        "from ganzoo.files import prune",
        (
            "cannot be used: ImportError: cannot import name 'prune'",
            "needs ganzoo>=99, and this is 0.1.0",
            "pip install -U ganzoo",
        ),
        requires="ganzoo>=99",
    ),
    "pine": Broken(
        "@hookimpl\ndef register_losses(register): register('needles', 'ganzoo_pine.loss:Mine')"
    ),
    "spruce": Broken(
        "@hookimpl\ndef register_losses(register): register('needles', 'ganzoo_spruce.loss:Mine')"
    ),
    "stump": Broken(
        "@hookimpl\ndef register_losses(register):\n"
        "    register('felled', 'ganzoo_stump.felled:Mine')\n"
        "    register('rotten', 'ganzoo_stump.rotten:Mine')"
    ),
    "wasp": Broken("@hookimpl\ndef step_ended(run): raise RuntimeError('stung')"),
}
SAYING = [name for name, case in BROKEN.items() if case.says]


def write_wheel(folder: Path, name: str, case: Broken) -> Path:
    """A wheel as a build tool writes it (PyPA, binary distribution format 1.0)."""
    module, info = f"ganzoo_{name}", f"ganzoo_{name}-{case.version}.dist-info"
    files = {
        f"{module}/__init__.py": f"from ganzoo import hookimpl\n{case.source}\n",
        f"{module}/loss.py": textwrap.dedent(LOSS),
        f"{module}/rotten.py": f"import no_such_package\n{textwrap.dedent(LOSS)}",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: ganzoo-{name}\n"
        f"Version: {case.version}\nRequires-Dist: {case.requires}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: a test\nRoot-Is-Purelib: true\n"
        "Tag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[ganzoo]\n{case.plugin or name} = {module}\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    path = folder / f"{module}-{case.version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for inside, text in files.items():
            wheel.writestr(inside, text)
    return path


@pytest.fixture(scope="module")
def garden(
    tmp_path_factory: pytest.TempPathFactory, ganzoo_wheel: Path, thicket_wheel: Path
) -> Environment:
    """An environment with ganzoo, ganzoo-thicket and every broken plugin."""
    folder = tmp_path_factory.mktemp("garden")
    made = Environment(folder, ganzoo_wheel)
    made.install(thicket_wheel, *(write_wheel(folder, *item) for item in BROKEN.items()))
    return made


@pytest.fixture(scope="module")
def said(garden: Environment) -> dict[str, list[str]]:
    """What some commands say on stderr where every broken plugin is installed; all succeed."""
    commands = {
        "list": ("list", "--json"),
        "check": ("recipe", "check", "thicket"),
        "train": ("train", "thicket", "--out", "run"),
    }
    done = {name: garden.run("ganzoo", *words) for name, words in commands.items()}
    (garden.folder / "list.json").write_text(done["list"].stdout, encoding="utf-8")
    return {name: one.stderr.splitlines() for name, one in done.items()}


def about(name: str, lines: list[str]) -> list[str]:
    return [line for line in lines if f"ganzoo-{name} " in line]


@pytest.mark.parametrize("name", SAYING)
def test_a_broken_plugin_is_told_of_in_one_line_at_each_command(
    name: str, said: dict[str, list[str]]
) -> None:
    case = BROKEN[name]
    for lines in said.values():
        (line,) = about(name, lines)
        assert line.startswith("warning: ")
        origin = f"plugin '{case.plugin or name}' (ganzoo_{name}) of ganzoo-{name} {case.version}"
        assert origin in line
        assert [part for part in case.says if part not in line] == []


def test_beside_broken_plugins_the_rest_works_and_nothing_more_is_said(
    garden: Environment, said: dict[str, list[str]]
) -> None:
    assert (garden.folder / "run" / "model" / "model.safetensors").is_file()
    assert (garden.folder / "run" / "diary.csv").read_text(encoding="utf-8").count("step_ended")
    assert len(said["list"]) == len(said["check"]) == len(SAYING)
    rows = json.loads((garden.folder / "list.json").read_text(encoding="utf-8"))
    kinds = {row["name"] for row in rows["generator"]}
    assert {"dcgan", "sprout"} <= kinds
    losses = {row["name"]: row["plugin"] for row in rows["loss"]}
    assert losses["r1"] == "adversarial"
    assert losses["ivy/r1"] == "ivy"
    assert "egg" not in losses


def test_an_observer_that_raises_is_reported_once_and_the_training_goes_on(
    said: dict[str, list[str]],
) -> None:
    more = [line for line in said["train"] if line not in said["list"]]
    (line,) = more
    assert "ganzoo-wasp 0.4" in line
    assert "step_ended" in line
    assert "switched off" in line
    assert "RuntimeError: stung" in line


def refusal(garden: Environment, *command: str) -> str:
    """What a command that is refused says beside the warnings."""
    done = garden.run("ganzoo", *command, check=False)
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    return "\n".join(line for line in lines if not line.startswith("warning: "))


def with_loss(verb: str, loss: str) -> tuple[str, ...]:
    return (*verb.split(), "thicket", "--set", f"stages.0.generator.0.use={loss}")


def test_a_check_fails_where_commands_do(garden: Environment) -> None:
    done = garden.run("ganzoo", "plugins", "check", "weed", check=False)
    assert done.returncode == 1
    assert "commands: FAILED" in done.stdout
    assert "there is a command 'train' already" in done.stdout


def test_two_plugins_that_clash_are_both_named_where_the_name_is_used(garden: Environment) -> None:
    told = refusal(garden, *with_loss("recipe check", "needles"))
    for part in ("ganzoo-pine 0.4", "ganzoo-spruce 0.4", "'pine/needles' or 'spruce/needles'"):
        assert part in told
    garden.run("ganzoo", *with_loss("recipe check", "spruce/needles"))


def test_a_class_that_does_not_import_is_told_of_where_it_is_used(garden: Environment) -> None:
    for command, why in (
        (with_loss("train", "rotten"), "No module named 'no_such_package'"),
        (with_loss("recipe check", "felled"), "ganzoo_stump.felled"),
    ):
        told = refusal(garden, *command)
        for part in ("ganzoo-stump 0.4", "plugin 'stump'", why):
            assert part in told
    rows = json.loads((garden.folder / "list.json").read_text(encoding="utf-8"))
    (felled,) = (row for row in rows["loss"] if row["name"] == "felled")
    assert felled["summary"].startswith("BROKEN: ")
