"""The verbs, as they are typed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typed import Result, Run, typist

import ganzoo
from ganzoo.cli import main
from ganzoo.cli.front_page import EXAMPLES, PANELS
from ganzoo.errors import GanzooError, TrainingStopped
from ganzoo.plugins.manager import Plugins
from ganzoo.plugins.registry import Origin
from ganzoo.plugins.shipped import shipped_models
from ganzoo.recipe.header import read_header
from ganzoo.recipe.recipe import load_recipe, shipped_recipes
from ganzoo.testing import Contract, Unavailable
from ganzoo.testing.attempt import Raised

HEAVY = ("torch", "torchvision", "accelerate", "numpy", "PIL", "safetensors")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Type a command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return typist(monkeypatch, capsys)


def refused(result: Result, *parts: str) -> None:
    """A user's mistake: one screen on stderr, nothing on stdout."""
    assert result.code == 2
    assert result.out == ""
    assert result.err.startswith("error: ")
    assert "Traceback" not in result.err
    assert len(result.err.splitlines()) <= 24
    for part in parts:
        assert part in result.err


# -- without torch ----------------------------------------------------------------------------


COMMANDS = """\
--version
--help
list
list --json
show loss r1
show dcgan
plugins
plugins new zebra
recipe check dcgan
recipe resolve dcgan
recipe schema
recipe explain
recipe explain dataset.path
recipe new mine
data --help
train dcgan --set bacth=3
train dcgan
evaluate ganzoo/avatars-64
"""


def test_what_needs_no_torch_imports_none(tmp_path: Path) -> None:
    code = f"""
import sys
from ganzoo.cli import main
for words in {COMMANDS.splitlines()}:
    sys.argv = ["ganzoo", *words.split()]
    try:
        main()
    except SystemExit as done:
        found = [name for name in {HEAVY} if name in sys.modules]
        print("after", words, done.code or 0, found, file=sys.stderr)
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    said = [line for line in done.stderr.splitlines() if line.startswith("after ")]
    expected = [
        f"after {w} {2 if w.startswith(('train', 'evaluate')) else 0} []"
        for w in COMMANDS.splitlines()
    ]
    assert said == expected


def test_it_runs_as_a_module() -> None:
    words = [sys.executable, "-m", "ganzoo", "--version"]
    assert subprocess.check_output(words, text=True) == f"ganzoo {ganzoo.__version__}\n"


# -- list and show ----------------------------------------------------------------------------


def test_help_has_groups_and_examples_and_cuts_no_sentence(run: Run) -> None:
    for words in (["--help"], ["recipe", "-h"], ["plugins", "--help"], ["data", "-h"]):
        result = run(*words)
        assert result.code == 0
        assert max(map(len, result.out.splitlines())) <= 80
        assert "..." not in result.out.replace("[ARGS]...", "")
    front = run("-h").out
    assert front == run("--help").out
    heads = re.findall(r"^(\w.*):$", front, re.MULTILINE)
    assert heads == ["Start here", *PANELS, "Options"]  # and no verb without a group
    verbs = re.findall(r"^  ([a-z]+)  ", front, re.MULTILINE)
    assert {"train", "list", "data", "recipe"} < set(verbs)
    for verb in verbs:
        assert run(verb, "-h").out.startswith(f"Usage: ganzoo {verb} ")
    assert run("translate", "-h").out.startswith("Usage: ganzoo translate [OPTIONS] MODEL PHOTO...")
    assert "  RECIPE  A path, or" in run("recipe", "check", "-h").out  # without its Python type


def test_the_examples_of_the_front_page_are_right(run: Run) -> None:
    for command in EXAMPLES:
        _, verb, name, *rest = command.split()
        assert f"  {command}  " in run("-h").out
        if verb == "train":
            load_recipe(name, [word for word in rest if "=" in word])
        else:
            assert f"  {name}  " in run("list", "models").out


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("train dcgan-avatars-", ["dcgan-avatars-128", "dcgan-avatars-labels"]),
        ("recipe check mi", ["mine.yaml"]),
        ("evaluate x --benchmark figurines-", ["figurines-128", "figurines-64"]),
        ("evaluate x -b sub/", ["sub/own.yaml"]),
        (
            "sample ganzoo/",
            [
                "ganzoo/avatars-128",
                "ganzoo/avatars-64",
                "ganzoo/layout-avatars",
                "ganzoo/photo-avatar",
                "ganzoo/text-avatars",
                "ganzoo/upscaler",
            ],
        ),
        ("sample runs/", ["runs/first", "runs/second", "runs/first/", "runs/second/"]),
        ("resume r", ["runs/first", "runs/second", "runs/"]),
        ("show loss r", ["r1", "r2", "reconstruction", "relativistic"]),
        ("show avatars-6", ["avatars-64"]),
        ("list dete", ["detector"]),
        ("recipe explain ema.", ["ema.decay", "ema.ramp"]),
        ("import dcgan-", ["dcgan-pytorch"]),
        ("leaderboard anime", ["anime-faces-64"]),
    ],
)
def test_a_shell_completes_names(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, expected: list[str]
) -> None:
    for folder in ("runs/first", "runs/second", "sub"):
        (tmp_path / folder).mkdir(parents=True)
    for file in ("mine.yaml", "sub/own.yaml"):
        (tmp_path / file).write_text("")
    monkeypatch.setenv("_GANZOO_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", f"ganzoo {line}")
    monkeypatch.setenv("COMP_CWORD", str(len(line.split())))
    assert run().out.split() == expected


def test_completion_is_written_for_a_shell(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    assert "_GANZOO_COMPLETE=complete_bash" in run("--show-completion", "bash").out


def test_lists_wrap_on_a_terminal_and_only_there(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    piped = {words: run(*words).out for words in (("list",), ("show", "dcgan-avatars"))}
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    for columns in (40, 60, 80, 132):
        monkeypatch.setenv("COLUMNS", str(columns))
        for words, whole in piped.items():
            shown = re.sub(r"\x1b\[\d+m", "", run(*words).out)
            assert max(map(len, shown.splitlines())) <= columns
            assert shown.split() == whole.split()  # nothing is cut
    assert max(map(len, piped["list",].splitlines())) > 132


def test_list_takes_kinds_in_the_singular_and_the_plural(run: Run) -> None:
    one, many = run("list", "loss"), run("list", "losses")
    assert one.code == 0
    assert one.out == many.out
    assert one.out.startswith("losses\n")
    assert "  non-saturating    adversarial  Binary cross-entropy" in one.out
    assert run("show", "losses").out == one.out
    assert run("list", "recipes").out.startswith("recipes\n")
    everything = run("list").out
    assert " ".join(one.out.split()) in " ".join(everything.split())  # columns are of other widths
    assert "``" not in everything


def test_list_as_json(run: Run) -> None:
    found = json.loads(run("list", "--json").out)
    for kind in ("generator", "discriminator", "loss", "dataset", "transform", "recipe"):
        assert all(row["name"] and row["plugin"] and row["summary"] for row in found[kind]), kind
    assert list(json.loads(run("list", "datasets", "--json").out)) == ["dataset"]


def test_an_unknown_kind_is_told_the_nearest(run: Run) -> None:
    refused(run("list", "loses"), "unknown kind 'loses', did you mean 'loss'? Kinds: benchmark,")
    refused(run("show", "generatr", "dcgan"), "did you mean 'generator'?")
    refused(run("list", "xxxxxx"), "unknown kind 'xxxxxx'. Kinds: ")


def test_show_explains_a_component(run: Run) -> None:
    result = run("show", "generator", "dcgan")
    assert result.code == 0
    assert result.out.startswith("generator dcgan, from ganzoo ")
    assert "  size: one of 32, 64, 128 (the dataset's when left out)\n" in result.out
    assert "  variant: one of paper, pytorch (default pytorch)\n" in result.out
    assert result.out.endswith("forward reads latent, label (optional)\n")
    assert result.out.count("length of the latent") == 1
    loss = run("show", "losses", "r1").out
    assert "no arguments\n" in loss
    assert "discriminator reads real, real_logits\n" in loss


def test_show_a_component_as_json(run: Run) -> None:
    found = json.loads(run("show", "dataset", "folder", "--json").out)
    arguments = {argument["name"]: argument for argument in found["arguments"]}
    assert arguments["path"]["required"] is True
    assert arguments["size"] | {"help": ""} == {
        "name": "size",
        "type": "integer of at least 8",
        "required": False,
        "default": 64,
        "help": "",
    }


def test_show_an_unknown_component(run: Run) -> None:
    refused(run("show", "loss", "r11"), "unknown loss 'r11', did you mean 'r1'? Available: ")
    refused(run("show", "dcgn"), "unknown recipe 'dcgn', did you mean 'dcgan'?")
    assert run("show", "loss", "adversarial/r1").code == 0


def test_show_a_recipe_says_what_each_term_reads(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        "extends: dcgan\nrecipe: mine\nviews: {gray: {use: grayscale, of: real}}\nstages:\n"
        "- name: only\n  steps: 9\n  discriminator_steps: 2\n"
        "  discriminator: [{use: hinge, weight: {from: 1, to: 3, over: 5}, inputs: {real: gray}}]\n"
        "  generator: [{use: hinge, weight: 2, every: 4}]\n"
    )
    out = run("show", "mine.yaml").out
    assert out.startswith(
        "mine\nmade of\nbatch          64, seed 0, precision auto\ndataset        folder {"
    )
    assert "view gray      grayscale of real\nstage only, 9 steps\n" in out
    assert "  discriminator: adam, lr 0.0002, 2 updates a step\n" in out
    assert "    (1 to 3 over 5 steps) x hinge reads gray_logits, fake_logits\n" in out
    assert "    2 x hinge reads fake_logits, every 4 steps\n" in out
    assert json.loads(run("show", "mine.yaml", "--json").out)["recipe"] == "mine"


@pytest.mark.parametrize("name", sorted(shipped_recipes()))
def test_show_a_shipped_recipe_says_what_to_expect(run: Run, name: str) -> None:
    header = read_header(shipped_recipes()[name])
    assert header.summary.endswith(".")
    assert tuple(header.sections) == ("Needs", "Takes", "Expect")
    out = run("show", name).out
    assert out.startswith(f"{name}\n{header.summary}\nNeeds          {header.sections['Needs']}\n")
    assert f"\nExpect         {header.sections['Expect']}\nmade of\n" in out
    assert "#" not in header.sections["Expect"]


@pytest.mark.parametrize(
    ("model", "line"),
    [
        ("layout-avatars", r"layout colours ground #dfe7ee, skin #f2b48c,"),
        ("text-avatars", r"text words a, against, an, .*violet, .*yellow"),
    ],
)
def test_show_a_model_says_what_it_can_be_asked_for(run: Run, model: str, line: str) -> None:
    assert re.search(line, " ".join(run("show", f"ganzoo/{model}").out.split()))


def test_show_the_vocabulary(run: Run) -> None:
    out = run("show", "vocabulary").out
    assert "`X_logits`" in out
    assert "``" not in out


def test_plugins_lists_what_each_brings(run: Run) -> None:
    out = run("plugins").out
    assert f"adversarial  ganzoo {ganzoo.__version__}\n  losses         dragan, " in out
    assert "BROKEN" not in out
    assert run("plugins", "list").out == out
    result = run("plugins", "chek")
    assert result.code == 2
    assert "Did you mean 'check'?" in result.err
    refused(run("plugins", "--json", "check", "dcgan"), "write --json at the end")


def test_plugins_as_json(run: Run) -> None:
    found = json.loads(run("plugins", "--json").out)
    assert found == json.loads(run("plugins", "list", "--json").out)
    rows = {row["plugin"]: row for row in found}
    assert rows["dcgan"]["components"][:2] == ["generator dcgan", "discriminator dcgan"]
    assert rows["dcgan"]["error"] is None
    assert rows["dcgan"]["warnings"] == []


def broken() -> None:
    raise Raised("the logits are (3, 2)\nfor images (3, 3, 32, 32)")


def unavailable() -> None:
    raise Unavailable("there are no weights")


KEPT = Contract("generator dcgan", "it draws", lambda: None)
BROKEN = Contract("discriminator dcgan", "it judges each image", broken)
ABSENT = Contract("importer dcgan", "it reads", unavailable)


def test_plugins_check_gives_a_verdict_for_each_component(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganzoo.testing.contracts", lambda name: [KEPT, BROKEN, BROKEN, ABSENT])
    result = run("plugins", "check", "dcgan")
    assert result.code == 1
    assert result.out == (
        f"dcgan  ganzoo {ganzoo.__version__}\n"
        "  generator dcgan: ok, 1 promise kept\n"
        "  discriminator dcgan: FAILED, 0 promises kept, 2 broken\n"
        + 2
        * (
            "    broken: it judges each image\n"
            "      the logits are (3, 2)\n"
            "      for images (3, 3, 32, 32)\n"
        )
        + "  importer dcgan: not checked, 0 promises kept, 1 not checked\n"
        "    not checked: it reads\n"
        "      there are no weights\n"
        "3 components, 1 failed: 1 promise kept, 2 broken, 1 not checked\n"
    )
    (found,) = json.loads(run("plugins", "check", "dcgan", "--json").out)
    assert [row["verdict"] for row in found["components"]] == ["ok", "FAILED", "not checked"]
    assert found["components"][2]["promises"] == [
        {"promise": "it reads", "result": "not checked", "message": "there are no weights"}
    ]


def test_plugins_check_takes_a_distribution(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganzoo.testing.contracts", lambda name: [KEPT] if name == "gan" else [])
    result = run("plugins", "check", "ganzoo")
    assert result.code == 0
    assert "console  ganzoo" in result.out
    assert "no components" in result.out
    assert result.out.endswith("1 component, 0 failed: 1 promise kept\n")


def test_plugins_check_of_an_unknown_plugin(run: Run) -> None:
    refused(run("plugins", "check", "dcgn"), "no plugin 'dcgn' is installed, did you mean 'dcgan'?")


def test_plugins_check_of_a_broken_plugin_says_why(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugins = Plugins()
    plugins.add(lambda: 1 / 0, Origin("bad", "ganzoo-bad", "1.0"), "ganzoo_bad")
    monkeypatch.setattr("ganzoo.plugins.manager.installed", lambda: plugins)
    for name in ("bad", "Ganzoo_Bad"):
        result = run("plugins", "check", name)
        assert result.code == 2
        assert "plugin 'bad' (ganzoo_bad) of ganzoo-bad 1.0 " in result.err
        assert "ZeroDivisionError" in result.err


# -- recipe -----------------------------------------------------------------------------------


def test_recipe_check(run: Run) -> None:
    assert run("recipe", "check", "dcgan").out == "dcgan is valid: 1 stage, 10000 steps\n"
    result = run("recipe", "check", "dcgan", "--set", "bacth=8", "--set", "seed=x")
    refused(result, "error: 2 problems\n", "--set bacth=8 bacth: unknown key, did you mean 'batch'")
    refused(run("recipe", "check", "nothing.yaml"), "there is no file 'nothing.yaml'")


def test_recipe_resolve_is_a_recipe_again(run: Run, tmp_path: Path) -> None:
    resolved = run("recipe", "resolve", "dcgan", "--set", "batch=8").out
    assert "batch: 8  # --set" in resolved
    assert resolved.endswith("\n")
    assert not resolved.endswith("\n\n")
    (tmp_path / "again.yaml").write_text(resolved)
    again = json.loads(run("recipe", "resolve", "again.yaml", "--json").out)
    assert again == json.loads(run("recipe", "resolve", "dcgan", "--set", "batch=8", "--json").out)


def test_recipe_schema_knows_the_components(run: Run) -> None:
    schema = json.loads(run("recipe", "schema").out)
    assert "r1" in json.dumps(schema["$defs"]["term"])


# -- mistakes ---------------------------------------------------------------------------------


def test_an_unknown_command_is_told_the_nearest(run: Run) -> None:
    result = run("trian")
    assert result.code == 2
    assert "Did you mean 'train'?" in result.err


def test_a_wrong_recipe_writes_nothing(run: Run, tmp_path: Path) -> None:
    refused(run("train", "dcgan", "--set", "bacth=3", "--out", "here"), "did you mean 'batch'")
    refused(run("train", "dcgan", "--out", "here"), "--set dataset.path=FOLDER", "images")
    refused(run("train", "no-such"), "unknown recipe 'no-such'")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", sorted(shipped_recipes()))
def test_a_shipped_recipe_says_how_to_give_it_your_folders(run: Run, name: str) -> None:
    loaded = load_recipe(name)
    wanted = {"folder": ["path"], "unpaired": ["photo", "real"]}.get(loaded.dataset.use, [])
    if wanted:
        options = " ".join(f"--set dataset.{key}=FOLDER" for key in wanted)
        refused(run("train", name), f"Name yours: ganzoo train {name} {options}\n")


def test_folders_that_are_no_run_or_model(run: Run, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "garbage").mkdir()
    (tmp_path / "garbage" / "config.json").write_text("{")
    (tmp_path / "list").mkdir()
    (tmp_path / "list" / "config.json").write_text("[]")
    (tmp_path / "file").write_text("")
    refused(run("sample", "missing"), "missing does not exist")
    refused(run("sample", "other"), "other is no run and no model")
    refused(run("sample", "file"), "file is no run and no model")
    refused(run("sample", "garbage"), "garbage/config.json is no")
    refused(run("sample", "list"), "list/config.json is no")
    for verb in ("resume", "report", "diagnose"):
        refused(run(verb, "missing"), "missing")
        refused(run(verb, "other"), "other holds no run")


@pytest.mark.parametrize(
    ("error", "code"), [(GanzooError("what to do"), 2), (TrainingStopped("what to do"), 1)]
)
def test_a_ganzoo_error_is_its_message(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: Exception, code: int
) -> None:
    def fail(*arguments: object) -> None:
        raise error

    monkeypatch.setattr("ganzoo.plugins.manager.installed", fail)
    result = run("list", "recipes")
    assert (result.code, result.out, result.err) == (code, "", "error: what to do\n")


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("ganzoo.plugins.manager.installed", fail)
    monkeypatch.setattr(sys, "argv", ["ganzoo", "list"])
    with pytest.raises(ZeroDivisionError):
        main()


# -- from images to pictures ------------------------------------------------------------------

TINY = """\
extends: dcgan
recipe: tiny
batch: 8
dataset: {path: images, size: 32}
generator: {width: 8, latent: 8}
discriminator: {width: 8}
stages:
  - name: adversarial
    steps: 30
    discriminator: [{use: non-saturating}]
    generator: [{use: non-saturating}]
log: {every: 5}
samples: {every: 15, count: 4}
checkpoint: {every: 15}
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with images, a recipe, and runs/tiny that ``ganzoo train`` made of them."""
    base = tmp_path_factory.mktemp("trained")
    (base / "images").mkdir()
    for number in range(16):
        pixels = np.random.default_rng(number).integers(0, 256, (32, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(base / "images" / f"{number}.png")
    (base / "tiny.yaml").write_text(TINY)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("GANZOO_CACHE", str(base / "cache"))
        patched.setattr(sys, "argv", ["ganzoo", "train", "tiny.yaml"])
        patched.chdir(base)
        with pytest.raises(SystemExit) as stopped:
            main()
    torch.set_num_threads(threads)
    assert not stopped.value.code
    return base


@pytest.fixture
def folder(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_thread: None
) -> Path:
    """A copy of that run, to spoil."""
    monkeypatch.setenv("GANZOO_CACHE", str(trained / "cache"))
    shutil.copytree(trained / "runs" / "tiny", tmp_path / "tiny")
    return Path("tiny")


def weights(folder: Path) -> bytes:
    return (folder / "model" / "model.safetensors").read_bytes()


def test_train_fills_a_run_folder_and_leaves_a_full_one_alone(run: Run, trained: Path) -> None:
    folder = trained / "runs" / "tiny"
    for part in ("recipe.yaml", "manifest.json", "model/config.json", "report.html"):
        assert (folder / part).is_file()
    rows = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    assert [row["step"] for row in rows] == [1, 5, 10, 15, 20, 25, 30]
    before = weights(folder)
    refused(run("train", trained / "tiny.yaml", "--out", folder), "holds a run", "ganzoo resume")
    assert weights(folder) == before


def test_train_refuses_a_batch_that_the_images_do_not_fill(
    run: Run, trained: Path, folder: Path, tmp_path: Path
) -> None:
    dataset = f"dataset.path={trained / 'images'}"
    result = run("train", trained / "tiny.yaml", "--set", dataset, "--set", "batch=32")
    refused(result, "16 images, fewer than one batch of 32")
    assert not (tmp_path / "runs").exists()


def test_a_dry_run_is_told_in_numbers(run: Run, trained: Path, folder: Path) -> None:
    result = run("train", trained / "tiny.yaml", "--dry-run")
    assert result.code == 0, result.err
    assert ": 16 examples\nfirst batch: tiny-batch.png" in result.out
    assert re.search(r"^stage adversarial: 30 steps of .* s$", result.out, re.MULTILINE)
    assert re.search(r"^estimate: .* GB of memory", result.out, re.MULTILINE)
    assert sorted(path.name for path in Path().iterdir()) == ["tiny", "tiny-batch.png"]
    refused(run("train", "dcgan", "--dry-run"), "--set dataset.path=FOLDER")
    refused(run("train", trained / "tiny.yaml", "--dry-run", "--set", "batch=32"), "16 images")


def test_resume_goes_on_for_longer_and_says_where_to_look(run: Run, folder: Path) -> None:
    rows, before = (folder / "metrics.jsonl").read_text(), weights(folder)
    refused(run("resume", folder, "--set", "batch=4"), "batch: 8 -> 4", "init_from")
    resumed = run("resume", folder, "--set", "stages.0.steps=40")
    assert resumed.code == 0, resumed.err
    assert "report: tiny/report.html\n" in resumed.out
    assert "ganzoo sample tiny -n 64" in resumed.out
    now = (folder / "metrics.jsonl").read_text()
    assert now.startswith(rows)
    assert [json.loads(row)["step"] for row in now.splitlines()[-2:]] == [35, 40]
    assert weights(folder) != before


def test_resume_of_a_finished_run_says_so_and_touches_nothing(run: Run, folder: Path) -> None:
    def state() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    before = state()
    for more in ((), ("--set", "samples.every=7")):
        result = run("resume", folder, *more)
        assert result.code == 0
        longer = "ganzoo resume tiny --set stages.0.steps=60"
        assert result.out == f"tiny is finished; to train longer: {longer}\n"
        assert state() == before
    (folder / "model" / "config.json").unlink()
    assert "draw more with" in run("resume", folder).out
    assert (folder / "model" / "config.json").exists()


def test_evaluate_proposes_benchmarks_that_fit(run: Run, folder: Path, tmp_path: Path) -> None:
    refused(
        run("evaluate", folder),
        "a model that makes 32x32 from noise:\n  ganzoo evaluate tiny --benchmark avatars-32\n",
    )
    refused(
        run("evaluate", "ganzoo/avatars-64"),
        "--benchmark avatars-64\n",
        "--benchmark anime-faces-64 --set dataset.path=FOLDER\n",
    )
    config = folder / "model" / "config.json"
    data = json.loads(config.read_text())
    data["output"]["size"] = 48
    config.write_text(json.dumps(data))
    refused(run("evaluate", folder), "no benchmark of ganzoo fits a model that makes 48x48")
    data["output"]["size"] = data["input"]["size"] = None
    data["input"] |= {"kind": "image", "words": ["photo"]}
    config.write_text(json.dumps(data))
    pairs = run("evaluate", folder).err
    assert "figurines-64\n" in pairs
    assert "portraits-128 --set dataset.photo=FOLDER --set dataset.real=FOLDER" in pairs
    assert "avatars" not in pairs
    (tmp_path / "pictures").mkdir()
    for what in ("pictures", "--references"):
        assert "avatars-32\n" in run("evaluate", what).err


def test_diagnose_of_a_short_run_is_too_early(run: Run, folder: Path) -> None:
    result = run("diagnose", folder)
    assert result.code == 0
    assert re.match("too early .*at step 30", result.out)
    rows = [json.dumps({"step": 301 + i, "G/std": 1.0}) for i in range(5)]
    (folder / "metrics.jsonl").write_text("\n".join(rows))
    assert run("diagnose", folder).out.startswith("these numbers show no problem")
    (folder / "metrics.jsonl").write_text("\n".join(rows[:4]))
    assert run("diagnose", folder).out.startswith("too early")


@pytest.mark.usefixtures("one_thread")
def test_class_folders_train_a_model_that_draws_a_class(run: Run, trained: Path) -> None:
    for pet in ("cat", "dog"):
        shutil.copytree(trained / "images", Path("pets", pet))
    small = ["batch=4", "stages.0.steps=1", "generator.width=4", "discriminator.width=4"]
    small += ["dataset.size=32", "dataset.path=pets", "samples.count=2"]
    sets = [word for item in [*small, "dataset.label=[class]"] for word in ("--set", item)]
    assert run("train", "dcgan", *sets, "--out", "made").code == 0
    about = run("show", "made").out
    assert "label class    cat, dog\n" in about
    assert re.search(r"^trained +dcgan, 1 steps, \d", about, re.MULTILINE), about
    dataset = r"^dataset +\{use: folder, sha256: .?[0-9a-f]{64}"
    assert re.search(dataset, about, re.MULTILINE), about
    assert run("sample", "made", "-n", 3, "--label", "class=cat", "--out", "cats").code == 0
    refused(run("sample", "made", "--label", "class=cow"), "'cow' is no class")


def test_sample_draws_the_same_pictures_whatever_their_number(run: Run, folder: Path) -> None:
    assert run("sample", folder, "-n", 5).out == "5 pictures in samples.png\n"
    for n, out in ((5, "five"), (2, "two")):
        assert run("sample", folder / "model", "-n", n, "--seed", 3, "--out", out).code == 0
    assert run("sample", folder, "-n", 1, "--out", "one.png").out == "1 picture in one.png\n"
    assert len(list(Path("five").iterdir())) == 5
    for name in ("00000.png", "00001.png"):
        assert (Path("five") / name).read_bytes() == (Path("two") / name).read_bytes()


def test_sample_interpolates_in_rows_of_eight(run: Run, folder: Path) -> None:
    walk = run("sample", folder, "-n", 12, "--interpolate", "--out", "walk.png")
    assert walk.out == "16 pictures in walk.png\n"
    image = Image.open("walk.png")
    assert image.width > 3 * image.height


def test_sample_refuses_what_it_cannot_do(run: Run, folder: Path) -> None:
    refused(run("sample", folder, "--label", "hair"), "write it as NAME=VALUE")
    refused(run("sample", folder, "--label", "hair=pink"), "this model has no labels")
    Path("file").touch()
    refused(run("sample", folder, "-n", 1, "--out", "file/x.png"), "--out file/x.png cannot be")
    refused(run("sample", folder, "--out", "x.bmp"), "a grid is a .png, .jpg or .webp")
    assert not Path("x.bmp").exists()
    assert run("sample", folder, "-n", 0).code == 2
    assert run("sample", folder, "-n", 3, "--out", "drawn").code == 0
    assert run("sample", folder, "-n", 3, "--seed", 1, "--out", "drawn").code == 0
    refused(run("sample", folder, "-n", 2, "--out", "drawn"), "1 other image,", "00002.png")
    refused(run("sample", folder, "-n", 10**8, "--out", "x.png"), "too large for one image")


def test_sample_refuses_a_spoilt_model(run: Run, folder: Path) -> None:
    config = folder / "model" / "config.json"
    right = json.loads(config.read_text())
    config.write_text(json.dumps(right | {"ganzoo_format": 99}))
    refused(run("sample", folder), "has model format 99", "Update ganzoo")
    strange = right["generator"] | {"use": "dcgn", "distribution": "their-gans"}
    config.write_text(json.dumps(right | {"generator": strange}))
    refused(run("sample", folder), "unknown generator 'dcgn'", "their-gans")
    config.write_text(json.dumps(right))
    (folder / "model" / "model.safetensors").write_bytes(weights(folder)[:-100])
    refused(run("sample", folder), "model.safetensors")
    shutil.rmtree(folder / "model")
    refused(run("sample", folder), "is a run without a model yet", "ganzoo resume")


def test_report_is_written_again(run: Run, folder: Path) -> None:
    (folder / "report.html").unlink()
    assert run("report", folder).out == "tiny/report.html\n"
    assert "<html" in (folder / "report.html").read_text()


def test_diagnose_exits_with_1_where_something_is_wrong(run: Run, folder: Path) -> None:
    healthy = run("diagnose", folder)
    assert healthy.code == 0
    assert "at step 30" in healthy.out
    assert json.loads(run("diagnose", folder, "--json").out) == []

    rows = [{"step": 1000 + n, "stage": "x", "G/diversity": 0.01} for n in range(9)]
    (folder / "metrics.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n{torn")
    collapsed = run("diagnose", folder)
    assert collapsed.code == 1
    assert collapsed.out.startswith("COLLAPSE since step 1000: 0.01, threshold ")
    (found,) = json.loads(run("diagnose", folder, "--json").out)
    assert found["name"] == "COLLAPSE"
    (folder / "metrics.jsonl").unlink()
    refused(run("diagnose", folder), "has no metrics yet")


def test_labels_choose_what_a_conditional_model_draws(
    run: Run, tmp_path: Path, one_thread: None
) -> None:
    from ganzoo.models import writing
    from ganzoo.models.config import Part
    from ganzoo_dcgan.networks import DCGANGenerator

    arguments = {"size": 32, "width": 4, "label": {"hair": ["pink", "blue"]}}
    part = Part("dcgan", arguments, "dcgan", "ganzoo", "1.0")
    generator = DCGANGenerator(**arguments)
    writing.save(tmp_path / "model", generator, {"generator": part}, {}, "recipe: x\n")
    for hair in ("pink", "blue"):
        words = ("--label", f"hair={hair}", "-n", 2, "--out", f"{hair}.png")
        assert run("sample", "model", *words).code == 0
    assert (tmp_path / "pink.png").read_bytes() != (tmp_path / "blue.png").read_bytes()
    refused(run("sample", "model", "--label", "hari=pink"), "did you mean 'hair'?")
    refused(run("sample", "model", "--label", "hair=pnik"), "did you mean 'pink'?")


def test_what_a_model_says_of_itself_is_checked(run: Run, tmp_path: Path) -> None:
    shutil.copytree(shipped_models()["ganzoo/avatars-64"], "avatars")
    config = json.loads(Path("avatars/config.json").read_text(encoding="utf-8"))
    for change, told in (
        ({"output": config["output"] | {"size": 512}}, "output.size is 512"),
        ({"labels": {"hair": ["pink"]}}, "labels"),
    ):
        Path("avatars/config.json").write_text(json.dumps(config | change), encoding="utf-8")
        shown = run("show", "avatars")
        assert (shown.code, "NOT TRUE" in shown.out) == (0, True)
        assert told in shown.out
        assert json.loads(run("show", "avatars", "--json").out)["problems"]
        refused(run("sample", "avatars"), "config.json is not true", told.split()[0])
