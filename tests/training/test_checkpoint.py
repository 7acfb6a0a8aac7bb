"""Checkpoints, the run folder and the model folder: whole or not at all, and never half read."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
import toy
from safetensors.torch import load_file, save_file

from ganzoo import files, hookimpl
from ganzoo.errors import CheckpointError, RecipeError, RunError, TrainingStopped
from ganzoo.models import model
from ganzoo.plugins import shipped
from ganzoo.plugins.manager import Plugins
from ganzoo.plugins.registry import Origin
from ganzoo.training import checkpoint
from ganzoo.training.loop import resume, start
from ganzoo.training.run_folder import RunFolder, free_folder

Train = Callable[..., Path]
TENSORS = {
    "generator": {"w": torch.arange(6.0).reshape(2, 3).T, "n": torch.tensor(3)},
    "ema": {"w": torch.randn(2).bfloat16()},
    "optimizer-generator": {},
}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_checkpoint_comes_back_bit_by_bit(tmp_path: Path):
    path = checkpoint.save(tmp_path, 7, TENSORS, {"latest": {"x": 0.1}})
    tensors, state = checkpoint.read(path)
    assert state == {"step": 7, "latest": {"x": 0.1}}
    assert tensors.keys() == TENSORS.keys()
    for name, values in TENSORS.items():
        assert tensors[name].keys() == values.keys()
        for key, value in values.items():
            assert tensors[name][key].dtype == value.dtype
            assert torch.equal(tensors[name][key], value)


def test_tied_weights_are_saved(tmp_path: Path):
    w = torch.ones(3)
    path = checkpoint.save(tmp_path, 1, {"generator": {"a": w, "b": w}}, {})
    assert set(checkpoint.read(path)[0]["generator"]) == {"a", "b"}


def test_the_sums_are_those_of_sha256sum(tmp_path: Path):
    path = checkpoint.save(tmp_path, 1, TENSORS, {})
    lines = (path / "SHA256SUMS").read_text().splitlines()
    assert {line.split("  ")[1] for line in lines} == {f.name for f in path.iterdir()} - {
        "SHA256SUMS"
    }
    if shutil.which("sha256sum"):
        subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=path, check=True)


@pytest.mark.parametrize("file", ["generator.safetensors", "state.json", "SHA256SUMS"])
@pytest.mark.parametrize("how", ["removed", "cut", "altered", "emptied"])
def test_damage_to_any_file_is_recognised(tmp_path: Path, file: str, how: str):
    path = checkpoint.save(tmp_path, 1, TENSORS, {"latest": {}})
    damage(path / file, how)
    with pytest.raises(CheckpointError, match=re.escape(str(path))):
        checkpoint.read(path)


def test_a_file_dropped_from_the_sums_is_recognised(tmp_path: Path):
    path = checkpoint.save(tmp_path, 1, TENSORS, {})
    sums = path / "SHA256SUMS"
    sums.write_text("".join(sums.read_text().splitlines(keepends=True)[1:]))
    with pytest.raises(CheckpointError, match=r"does not list ema\.safetensors"):
        checkpoint.read(path)


def damage(file: Path, how: str) -> None:
    body = file.read_bytes()
    if how == "removed":
        file.unlink()
    elif how == "cut":
        file.write_bytes(body[:-5])
    elif how == "altered":
        middle = len(body) // 2
        file.write_bytes(body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :])
    else:
        file.write_bytes(b"")


def test_prune_keeps_the_newest_and_does_not_count_what_was_passed_over(tmp_path: Path):
    for step in (1, 2, 3, 9):  # 9 was damaged; training went on from 2 and saved 3
        checkpoint.save(tmp_path, step, TENSORS, {})
    (tmp_path / "step-copy").mkdir()
    checkpoint.prune(tmp_path, 3, 2)
    assert list(checkpoint.steps(tmp_path)) == [2, 3, 9]
    assert (tmp_path / "step-copy").is_dir()


def test_an_atomic_folder_that_fails_leaves_what_was_there(tmp_path: Path):
    path = tmp_path / "x"
    with files.atomic_folder(path) as aside:
        (aside / "a").write_text("old")
    with pytest.raises(FileNotFoundError), files.atomic_folder(path) as aside:
        (aside / "a").write_text((aside / "lost").read_text())
    assert (path / "a").read_text() == "old"
    assert names(tmp_path) == ["x"]


@pytest.mark.parametrize("survivors", [(".x.old",), (".x.old", "x"), (".x.old", ".x.writing")])
def test_an_atomic_folder_tidies_up_after_a_kill(tmp_path: Path, survivors: tuple[str, ...]):
    for name in survivors:
        (tmp_path / name).mkdir()
        (tmp_path / name / "a").write_text(name)
    with files.atomic_folder(tmp_path / "x") as aside:
        assert (tmp_path / "x" / "a").is_file()
        (aside / "a").write_text("new")
    assert (tmp_path / "x" / "a").read_text() == "new"
    assert names(tmp_path) == ["x"]


def full_disk(monkeypatch: pytest.MonkeyPatch, when: Callable[[Path], bool]) -> None:
    """Writing fails from the first file on for which ``when`` is true, half of it written."""
    full = False

    def refuse(method: str) -> Any:
        real = getattr(Path, method)

        def write(self: Path, body: Any, *args: Any, **kwargs: Any) -> Any:
            nonlocal full
            full = full or when(self)
            if full:
                real(self, body[: len(body) // 2], *args, **kwargs)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))
            return real(self, body, *args, **kwargs)

        return write

    for method in ("write_bytes", "write_text"):
        monkeypatch.setattr(Path, method, refuse(method))


@pytest.mark.parametrize("file", ["ema.safetensors", "state.json", "model.safetensors"])
def test_a_full_disk_keeps_the_earlier_checkpoint(
    train: Train, tmp_path: Path, file: str, monkeypatch: pytest.MonkeyPatch
):
    whole = toy.contents(train("whole"))
    with monkeypatch.context() as patch:
        written: list[Path] = []

        def second(path: Path) -> bool:
            written.extend([path] if path.name == file else [])
            return len(written) == 2

        full_disk(patch, second)
        with pytest.raises(TrainingStopped) as stopped:
            train("run")
    run = tmp_path / "run"
    kept = checkpoint.steps(run / "checkpoints")
    assert "the disk is full" in str(stopped.value)
    assert f"The last checkpoint is {list(kept.values())[-1]}" in str(stopped.value)
    assert f"Make room, then: ganzoo resume {run}" in str(stopped.value)
    for path in kept.values():
        checkpoint.read(path)
    assert list(kept) == ([3] if file != "model.safetensors" else [3, 6])
    assert {p.name for p in run.rglob(".*")} <= {".lock", ".manifest.json.writing"}
    model.load(run, toy.plugins().registry)
    resume(run, (), toy.plugins())
    assert toy.contents(run) == whole


def test_a_file_system_that_refuses_is_told_in_a_sentence(train: Train, tmp_path: Path):
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(TrainingStopped, match="step 3: the checkpoint") as stopped:
            train()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "File too large" in str(stopped.value)
    assert "no checkpoint yet" in str(stopped.value)
    assert "ganzoo resume" in str(stopped.value)
    assert names(tmp_path / "run" / "checkpoints") == []


@pytest.mark.parametrize("how", ["removed", "cut", "altered"])
def test_resume_passes_over_a_damaged_checkpoint(
    train: Train, capsys: pytest.CaptureFixture[str], how: str
):
    run = train(checkpoint={"every": 3, "keep": 1})
    whole = toy.contents(run)
    shutil.rmtree(run)
    run = train(checkpoint={"every": 3, "keep": 2})
    newest = list(checkpoint.steps(run / "checkpoints").values())[-1]
    damage(newest / "discriminator.safetensors", how)
    capsys.readouterr()
    resume(run, ["checkpoint.keep=1"], toy.plugins())
    out = capsys.readouterr().out
    assert f"warning: {newest}" in out
    assert "going on from an earlier checkpoint" in out
    again = toy.contents(run)
    assert {k: v for k, v in again.items() if k.endswith(("tors", "jsonl", "png"))} == {
        k: v for k, v in whole.items() if k.endswith(("tors", "jsonl", "png"))
    }


def test_resume_without_a_whole_checkpoint_is_refused(train: Train):
    run = train()
    before = toy.contents(run)
    for path in checkpoint.steps(run / "checkpoints").values():
        damage(path / "ema.safetensors", "cut")
    with pytest.raises(CheckpointError, match=r"no checkpoint .* whole") as refused:
        resume(run, (), toy.plugins())
    assert f"delete {run / 'checkpoints'}" in str(refused.value)
    assert "step-00000006" in str(refused.value)
    assert toy.contents(run)["metrics.jsonl"] == before["metrics.jsonl"]


def test_resume_with_other_images_is_refused(train: Train, monkeypatch: pytest.MonkeyPatch):
    run = train()
    monkeypatch.setattr(toy.ToyDataset, "fingerprint", lambda self: "other")
    with pytest.raises(CheckpointError, match="images of dataset 'toy' have changed"):
        resume(run, (), toy.plugins())


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ("optimizer.lr=0.5", "optimizer.lr: 0.01 -> 0.5"),
        ("batch=8", "batch: 4 -> 8"),
        ("stages.0.steps=8", "stages[0].steps: 9 -> 8"),
        ("ema=null", "ema"),
    ],
)
def test_resume_refuses_a_changed_recipe_and_says_what_changed(
    train: Train, change: str, line: str
):
    run = train()
    before = toy.contents(run)
    with pytest.raises(CheckpointError, match="the recipe has changed") as refused:
        resume(run, [change], toy.plugins())
    assert line in str(refused.value)
    assert toy.contents(run) == before


class Imitator:
    """Somebody else's plugin, with a loss of the same name."""

    @hookimpl
    def register_losses(self, register: Any) -> None:
        register("bright", "toy:Bright")


def test_a_run_goes_on_when_another_plugin_has_taken_a_name_of_its_recipe(train: Train):
    stages = toy.GAN["stages"]
    terms = [{"use": "non-saturating"}, {"use": "bright"}]
    run = train(stages=[{**stages[0], "generator": terms}])
    before = toy.contents(run)
    clashing = toy.plugins()
    clashing.add(Imitator, Origin("other", "other-dist", "1.0"))
    with pytest.raises(RecipeError, match="write 'toy/bright' or 'other/bright'"):
        resume(run, (), clashing)
    term = "stages.0.generator.1.use"
    with pytest.raises(CheckpointError, match="other-dist"):
        resume(run, [f"{term}=other/bright"], clashing)
    assert toy.contents(run) == before
    assert resume(run, [f"{term}=toy/bright", "stages.0.steps=10"], clashing).step == 10


def test_resume_says_that_a_plugin_is_another_version(
    train: Train, capsys: pytest.CaptureFixture[str]
):
    run = train()
    newer = Plugins()
    for plugin in toy.plugins().plugins:
        origin = plugin.origin
        made = {"toy": toy.Plugin}.get(origin.plugin, lambda: import_module("ganzoo_adversarial"))
        newer.add(made, replace(origin, version="1.1" if origin.plugin == "toy" else "1.0"))
    resume(run, (), newer)
    said = capsys.readouterr().out
    assert "toy-dist is 1.1, and was 1.0" in said
    assert "adversarial-dist" not in said


def test_resume_may_lengthen_the_last_stage(train: Train):
    stages = toy.GAN["stages"]
    longer = toy.contents(train("longer", stages=[{**stages[0], "steps": 14}]))
    run = train("run")
    resume(run, ["stages.0.steps=12"], toy.plugins())
    resume(run, (), toy.plugins())  # the longer recipe is the run's recipe now
    resume(run, ["stages.0.steps=14"], toy.plugins())
    again = toy.contents(run)
    weights = [name for name in longer if name.endswith("00014.png") or "000014/" in name]
    assert weights
    for name in [name for name in weights if not name.endswith(".json")]:
        assert again[name] == longer[name]


def test_a_taken_folder_is_refused_and_left_alone(train: Train, tmp_path: Path):
    run = train()
    before = toy.contents(run)
    with pytest.raises(RunError, match=f"`ganzoo resume {run}` goes on with it"):
        train()
    assert toy.contents(run) == before
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("mine")
    with pytest.raises(RunError, match="holds something else already"):
        train("other")
    assert names(other) == ["thesis.txt"]
    with pytest.raises(RunError, match="names a new folder"):
        start(toy.recipe(tmp_path / "recipes"), Path(), toy.plugins())


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path, one_thread: None):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot write a run to"):
        start(toy.recipe(tmp_path / "recipes"), tmp_path / "file" / "run", toy.plugins())


def test_opening_what_is_no_run(tmp_path: Path):
    with pytest.raises(RunError, match="holds no run"):
        RunFolder.open(tmp_path)


def test_metrics_survive_a_torn_line_and_rewind(tmp_path: Path):
    folder = RunFolder(tmp_path)
    for step in (2, 4, 6):
        folder.append({"step": step})
    with folder.metrics.open("a") as file:
        file.write('{"step": 8, "G/st')
    assert [row["step"] for row in folder.rows()] == [2, 4, 6]
    assert folder.rewind(4) == [{"step": 2}, {"step": 4}]
    assert folder.metrics.read_text() == '{"step": 2}\n{"step": 4}\n'


def test_the_manifest_is_begun_anew_where_it_is_lost(train: Train):
    run = train()
    (run / "manifest.json").write_text("{")
    resume(run, (), toy.plugins())
    assert json.loads((run / "manifest.json").read_text())["status"] == "finished"


def test_free_folder_counts_on(tmp_path: Path):
    assert free_folder("a", tmp_path) == tmp_path / "a"
    (tmp_path / "a").mkdir()
    (tmp_path / "a-2").mkdir()
    assert free_folder("a", tmp_path) == tmp_path / "a-3"


# -- the model folder -----------------------------------------------------------------------


def test_a_model_comes_back_bit_by_bit(train: Train):
    run = train(dataset={"use": "toy", "label": ["hue"]})
    saved = checkpoint.newest(run / "checkpoints")[0]["ema"]
    for path in (run, run / "model"):
        loaded = model.load(path, toy.plugins().registry)
        assert not loaded.generator.training
        assert loaded.generator.label == {"hue": toy.HUES}
        state = loaded.generator.state_dict()
        assert state.keys() == saved.keys()
        assert all(torch.equal(state[key], saved[key]) for key in saved)
    assert loaded.config.training["steps"] == 9
    assert loaded.config.training["images"] == 36


def edited(run: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    file = run / "model" / "config.json"
    config = json.loads(file.read_text())
    edit(config)
    file.write_text(json.dumps(config))


def test_a_model_of_a_newer_format_is_refused(train: Train):
    run = train()
    edited(run, lambda c: (c.clear(), c.update(ganzoo_format=99)))
    with pytest.raises(RunError, match=r"format 99; .* up to 5"):
        model.load(run, toy.plugins().registry)


def test_a_model_of_an_unknown_generator_names_what_to_install(train: Train):
    run = train()
    edited(run, lambda c: c["generator"].update(use="toi", distribution="ganzoo-toys"))
    with pytest.raises(RunError, match="did you mean 'toy'") as refused:
        model.load(run, toy.plugins().registry)
    assert "pip install 'ganzoo-toys==1.0'" in str(refused.value)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"ganzoo_format": "x"}', '{"ganzoo_format": 1}'])
def test_a_config_that_is_none(train: Train, text: str):
    run = train()
    (run / "model" / "config.json").write_text(text)
    with pytest.raises(RunError, match="is no model's config"):
        model.load(run, toy.plugins().registry)


@pytest.mark.parametrize(
    ("how", "told"),
    [("removed", "is incomplete"), ("cut", "was cut short"), ("emptied", "was cut short")],
)
def test_damaged_weights_of_a_model(train: Train, how: str, told: str):
    run = train()
    damage(run / "model" / "model.safetensors", how)
    with pytest.raises(RunError, match=told):
        model.load(run, toy.plugins().registry)


def test_what_holds_no_model_is_told_apart(tmp_path: Path):
    registry = toy.plugins().registry
    with pytest.raises(RunError, match="does not exist"):
        model.load(tmp_path / "nowhere", registry)
    with pytest.raises(RunError, match="is no run and no model"):
        model.load(tmp_path, registry)
    (tmp_path / "recipe.yaml").write_text("")
    with pytest.raises(RunError, match="has not reached its first checkpoint"):
        model.load(tmp_path, registry)


# -- init_from ------------------------------------------------------------------------------


def first_weights(tmp_path: Path, source: Path | str) -> dict[str, dict[str, torch.Tensor]]:
    """The networks as they are before the first step of a run with ``init_from: source``."""
    from ganzoo.training.run import Run

    recipe = toy.recipe(tmp_path / "recipes", init_from=str(source))
    run = Run(recipe, RunFolder(tmp_path / "next"), toy.plugins())
    return {name: dict(net.bare.state_dict()) for name, net in run.parts.networks.items()}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def test_init_from_takes_the_networks_of_a_run_and_the_generator_of_a_model(
    train: Train, tmp_path: Path
):
    run = train(seed=1)
    fresh = first_weights(tmp_path, train("seed-0", stages=[{**toy.GAN["stages"][0], "steps": 1}]))
    saved = checkpoint.newest(run / "checkpoints")[0]
    for source in (run, run / "checkpoints" / "step-00000009"):
        found = first_weights(tmp_path, source)
        assert same(found["generator"], saved["generator"])
        assert same(found["discriminator"], saved["discriminator"])
    found = first_weights(tmp_path, run / "model")
    assert same(found["generator"], load_file(run / "model" / "model.safetensors"))
    assert not same(found["discriminator"], saved["discriminator"])
    assert fresh.keys() == found.keys()


def test_init_from_a_model_that_comes_with_ganzoo(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    run = train(seed=1)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(shipped, "shipped_folder", lambda name: tmp_path / name)
    shutil.copytree(run / "model", tmp_path / "pretrained" / "small")
    found = first_weights(tmp_path, "ganzoo/small")
    assert same(found["generator"], load_file(run / "model" / "model.safetensors"))
    here = toy.recipe(tmp_path / "recipes", init_from="ganzoo/other")
    assert here.init_from == "hf://ganzoo/other"


def test_init_from_is_read_once(train: Train):
    source = train("source")
    run = train("run", init_from=str(source))
    shutil.rmtree(source)
    resume(run, (), toy.plugins())


def test_init_from_what_does_not_fit(train: Train, tmp_path: Path):
    run = train(generator={"use": "toy", "norm": False})
    with pytest.raises(RunError, match="does not fit this generator"):
        first_weights(tmp_path, run)
    with pytest.raises(RunError, match="holds no weights"):
        first_weights(tmp_path, tmp_path)
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "model.safetensors").write_bytes(b"x" * 40)
    with pytest.raises(RunError, match="is damaged"):
        first_weights(tmp_path, tmp_path / "bad")
    save_file({"other": torch.ones(1)}, tmp_path / "bad" / "model.safetensors")
    with pytest.raises(RunError, match="does not fit this generator"):
        first_weights(tmp_path, tmp_path / "bad")
