"""The environment chooses where a recipe is trained, and nothing else; reading ahead."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import toy
from accelerate.commands.launch import launch_command_parser
from accelerate.utils.launch import prepare_simple_launcher_cmd_env
from torch import Tensor, nn

from ganzoo.errors import RunError, TrainingStopped
from ganzoo.recipe.recipe_types import Schedule
from ganzoo.training import devices, feed, optimizers
from ganzoo.training.loop import resume, start
from ganzoo.training.run import Run
from ganzoo.training.run_folder import RunFolder

CONFIG = """
compute_environment: LOCAL_MACHINE
distributed_type: 'NO'
mixed_precision: bf16
num_processes: 1
use_cpu: true
dynamo_config: {dynamo_backend: INDUCTOR}
"""


def launched(tmp_path: Path) -> dict[str, str]:
    """What ``accelerate launch`` with a config file puts into the environment of its command."""
    file = tmp_path / "config.yaml"
    file.write_text(CONFIG)
    options = ["--mixed_precision", "bf16", "--dynamo_backend", "eager", "--num_processes", "1"]
    options += ["--num_machines", "1"]
    words = ["--config_file", str(file), *options, "--cpu", "-m", "ganzoo"]
    arguments = launch_command_parser().parse_args(words)
    _, environment = prepare_simple_launcher_cmd_env(arguments)
    return {name: value for name, value in environment.items() if name.startswith("ACCELERATE_")}


def test_what_accelerate_launch_sets_changes_no_training(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, one_thread: None
) -> None:
    recipe = toy.recipe(tmp_path / "recipes")
    alone = start(recipe, tmp_path / "alone", toy.plugins())
    settings = launched(tmp_path) | {"ACCELERATE_GRADIENT_ACCUMULATION_STEPS": "4"}
    assert settings["ACCELERATE_MIXED_PRECISION"] == "bf16"
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    run = start(recipe, tmp_path / "launched", toy.plugins())
    for name, network in alone.parts.networks.items():
        ours = run.parts.networks[name].bare.state_dict()
        assert all(torch.equal(ours[k], v) for k, v in network.bare.state_dict().items())
    told = " ".join(run.parts.warnings)
    for variable in ("GRADIENT_ACCUMULATION_STEPS=4", "MIXED_PRECISION=bf16", "DYNAMO_BACKEND="):
        assert f"ACCELERATE_{variable}" in told
    assert "--set accumulate" in told
    assert not alone.parts.warnings


@pytest.mark.parametrize("name", ["USE_FSDP", "USE_DEEPSPEED", "USE_MEGATRON_LM"])
def test_another_way_to_train_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    monkeypatch.setenv(f"ACCELERATE_{name}", "true")
    with pytest.raises(RunError, match=f"ACCELERATE_{name}=true"):
        start(toy.recipe(tmp_path / "recipes"), tmp_path / "run", toy.plugins())
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("device", ["xyz", "cpu:x", "meta", "cuda:99"])
def test_a_device_that_is_not_here(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELERATE_TORCH_DEVICE", device)
    with pytest.raises(RunError, match=f"ACCELERATE_TORCH_DEVICE={device} cannot be used"):
        devices.accelerator("fp32")


def test_fused_is_left_out_where_a_device_has_no_such_kernels(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = {}
    for kinds in (["cpu"], ["cuda"]):
        monkeypatch.setattr(optimizers, "_get_fused_kernels_supported_devices", lambda k=kinds: k)
        arguments = {"lr": Schedule(1e-3, 1e-3), "fused": True}
        optimizer, _ = optimizers.make_optimizer("adam", nn.Linear(1, 1).parameters(), arguments)
        made[kinds[0]] = optimizer.param_groups[0]["fused"]
    assert made == {"cpu": True, "cuda": None}


def test_a_container_with_a_quota_gets_no_more_threads(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(devices, "_CGROUP", tmp_path)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    before = torch.get_num_threads()
    used = {}
    try:
        for text in ("max 100000", "150000 100000", "50000 100000", "900000 100000"):
            torch.set_num_threads(3)
            (tmp_path / "cpu.max").write_text(f"{text}\n")
            devices.accelerator("fp32")
            used[text.split()[0]] = torch.get_num_threads()
    finally:
        torch.set_num_threads(before)
    assert used == {"max": 3, "150000": 1, "50000": 1, "900000": 3}


def test_another_number_of_threads_is_said_by_resume(
    tmp_path: Path, one_thread: None, capsys: pytest.CaptureFixture[str]
) -> None:
    start(toy.recipe(tmp_path / "recipes"), tmp_path / "run", toy.plugins())
    torch.set_num_threads(2)
    resume(tmp_path / "run", (), toy.plugins())
    out = capsys.readouterr().out
    assert re.search("1 thread, .* 2 threads", out)


def test_what_is_read_ahead_comes_in_order_and_fails_where_it_fails() -> None:
    def words() -> Iterator[dict[str, Tensor]]:
        for number in range(5):
            yield {"number": torch.tensor(number)}
        raise OSError("the disk is gone")

    ahead = feed.ahead(words(), pin=False)
    assert [int(next(ahead)["number"]) for _ in range(5)] == list(range(5))
    with pytest.raises(OSError, match="the disk is gone"):
        next(ahead)


def test_reading_ahead_ends_with_the_iterator() -> None:
    ahead = feed.ahead(iter([{"number": torch.tensor(n)} for n in range(9)]), pin=False)
    next(ahead)
    ahead.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("ganzoo-feed")]


def test_a_nan_that_is_seen_late_is_told_by_its_step_and_nothing_of_it_is_kept(
    tmp_path: Path, one_thread: None
) -> None:
    """As on a GPU, which is not waited for between two log lines."""

    class Later:
        @toy.hookimpl
        def run_started(self, run: Run) -> None:
            run.looks_at_once = False

    terms = [{"use": "non-saturating"}, {"use": "poison", "at": 5}]
    stage = {**toy.GAN["stages"][0], "generator": terms, "steps": 9}
    keys = {"stages": [stage], "log": {"every": 8}, "checkpoint": {"every": 3}}
    recipe = toy.recipe(tmp_path / "recipes", **keys)
    out = tmp_path / "run"
    with pytest.raises(TrainingStopped, match=r"NON_FINITE at step 4: .* 'poison'"):
        start(recipe, out, toy.plugins(Later()))
    folder = RunFolder(out)
    assert [path.name for path in folder.checkpoints.iterdir()] == ["step-00000003"]
    assert [row["step"] for row in folder.rows()] == [1]
    assert '"step": 4' in folder.manifest.read_text()
