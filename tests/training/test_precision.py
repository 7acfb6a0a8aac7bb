"""What a run computes in: how ``auto`` chooses, and that the choice is kept."""

from __future__ import annotations

import json
import platform
from pathlib import Path
from typing import Any

import pytest
import torch
import toy
import yaml
from torch import Tensor, nn

import ganzoo_dcgan
from ganzoo.models.network import Network
from ganzoo.models.precision import CPU, inference_format, native_bf16
from ganzoo.plugins.manager import Plugins
from ganzoo.plugins.registry import Origin
from ganzoo.recipe.recipe import load_recipe
from ganzoo.recipe.recipe_types import Recipe
from ganzoo.training.loop import resume, start
from ganzoo.training.precision import Precision, Trial, fastest
from ganzoo.training.run import Run
from ganzoo.training.run_folder import RunFolder
from ganzoo.training.words import Applied, Words

#: networks with convolutions, whose weights channels_last lays out in another way
CONVOLUTIONS: dict[str, Any] = {
    "dataset": {"use": "toy", "size": 32, "count": 8},
    "generator": {"use": "dcgan", "width": 4},
    "discriminator": {"use": "dcgan", "width": 4},
    "batch": 4,
    "precision": "auto",
}


def plugins(*observers: Any) -> Plugins:
    made = toy.plugins(*observers)
    made.add(lambda: ganzoo_dcgan, Origin("dcgan", "dcgan-dist", "1.0"))
    return made


def recipe(folder: Path, **changes: Any) -> Recipe:
    file = folder / "recipe.yaml"
    file.write_text(yaml.safe_dump(toy.GAN | CONVOLUTIONS | changes))
    return load_recipe(file, (), plugins().registry)


CHOSEN = Precision("bf16", True, "auto: native, 1.8x")


def test_auto_takes_bf16_only_where_it_is_native_and_clearly_faster() -> None:
    plain = {("fp32", False): 2.0, ("fp32", True): 2.0}
    assert fastest(plain) == Precision("fp32", False, "auto: bf16 is not native here")
    both = plain | {("bf16", False): 1.0, ("bf16", True): 1.0}
    assert fastest(both) == Precision("bf16", False, "auto: native, 2.0x")
    assert fastest(both | {("bf16", True): 0.5}) == Precision("bf16", True, "auto: native, 4.0x")
    small_batch_on_a_gpu = plain | {("bf16", False): 3.0, ("bf16", True): 3.0}
    assert fastest(small_batch_on_a_gpu).format == "fp32"
    assert fastest(plain | {("bf16", False): 1.9}).format == "fp32"  # that may be noise


def test_auto_takes_channels_last_where_it_can_be_had_and_is_clearly_faster() -> None:
    faster = fastest({("fp32", False): 2.0, ("fp32", True): 1.0})
    assert (faster.format, faster.channels_last) == ("fp32", True)
    assert "channels_last 2.0x" in str(faster)
    assert not fastest({("fp32", False): 2.0, ("fp32", True): 1.95}).channels_last
    assert not fastest({("fp32", False): 2.0}).channels_last  # a network refuses it


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="names of x86 sets")
def test_bf16_is_native_where_the_cpu_has_it_and_onednn_may_use_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: True)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    for limit, native in {
        "": True, "DEFAULT": True, "AVX512_CORE_BF16": True, "AVX512_CORE_AMX": True,
        "avx2": False, "AVX512_CORE": False, "AVX512_CORE_VNNI": False,
    }.items():  # fmt: skip
        monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit)
        assert native_bf16(CPU) == native, limit
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "")
    assert not native_bf16(CPU)


def test_the_choice_is_recorded_and_kept_by_resume(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, one_thread: None
) -> None:
    """The memory layout too, so that a stopped run ends as one that was never stopped."""
    monkeypatch.setattr(Trial, "choose", lambda trial: CHOSEN)
    monkeypatch.setattr("ganzoo.training.precision.native_bf16", lambda device: True)
    whole = start(recipe(tmp_path), tmp_path / "whole", plugins())
    assert next(whole.parts.networks["generator"].bare.parameters()).stride()[1] == 1
    with pytest.raises(KeyboardInterrupt):
        start(recipe(tmp_path), tmp_path / "stopped", plugins(Interrupt(8)))
    manifest = json.loads((tmp_path / "stopped" / "manifest.json").read_text())
    assert manifest["precision"] == CHOSEN.as_dict()
    monkeypatch.setattr(Trial, "choose", None)  # another machine would choose otherwise
    resumed = resume(tmp_path / "stopped", (), plugins())
    assert resumed.precision == CHOSEN
    for name, network in whole.parts.networks.items():
        for key, value in network.bare.state_dict().items():
            assert torch.equal(value, resumed.parts.networks[name].bare.state_dict()[key]), key


def test_a_run_without_a_checkpoint_keeps_the_choice_of_its_manifest(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, one_thread: None
) -> None:
    monkeypatch.setattr(Trial, "choose", lambda trial: Precision("fp32", True, "auto: so"))
    with pytest.raises(KeyboardInterrupt):
        start(recipe(tmp_path), tmp_path / "run", plugins(Interrupt(1)))
    monkeypatch.setattr(Trial, "choose", None)
    run = Run(recipe(tmp_path), RunFolder.open(tmp_path / "run"), plugins())
    assert run.precision == Precision("fp32", True, "auto: so")


class Interrupt:
    """Ends a training at once after ``step``, as two presses of Ctrl-C do."""

    def __init__(self, step: int):
        self.step = step

    @toy.hookimpl
    def step_ended(self, step: int) -> None:
        if step == self.step:
            raise KeyboardInterrupt


def test_measuring_leaves_no_trace_in_the_training(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, one_thread: None
) -> None:
    monkeypatch.setattr("ganzoo.training.precision.fastest", lambda seconds: Precision("fp32"))
    runs = [
        start(recipe(tmp_path, precision=how), tmp_path / how, plugins())
        for how in ("fp32", "auto")
    ]
    states = [run.parts.networks["generator"].bare.state_dict() for run in runs]
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def test_bf16_that_is_emulated_is_said_before_the_first_step(
    monkeypatch: pytest.MonkeyPatch, train: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ganzoo.training.precision.native_bf16", lambda device: False)
    said: list[str] = []

    class Listen:
        @toy.hookimpl
        def run_started(self, run: Run) -> None:
            said.extend(run.parts.warnings)
            said.append(capsys.readouterr().out)

    train(precision="bf16", observers=[Listen()])
    warning, printed = said
    assert "emulates bf16" in warning
    assert "times as long as in fp32" in warning
    assert "--set precision=auto" in warning
    assert warning in printed


class Strided(nn.Module):
    """A network that refuses tensors that are not contiguous in the common order."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        made: Tensor = self.layer(image)
        return made.view(-1, made.shape[-1]).view_as(made)


def test_a_network_that_refuses_channels_last_goes_without(one_thread: None) -> None:
    def example(count: int) -> dict[str, Tensor]:
        return {"image": torch.zeros(count, 3, 16, 16), "real": torch.zeros(count, 3, 16, 16)}

    trial = Trial({"generator": Strided()}, {"fake": Applied("generator", {})}, example, 4, CPU)
    seconds = trial.measure([("fp32", False), ("fp32", True)])
    assert set(seconds) == {("fp32", False)}


def test_what_a_network_returns_is_contiguous_in_either_layout() -> None:
    network = nn.Conv2d(3, 5, 3).to(memory_format=torch.channels_last)
    network.forward = lambda input: nn.Conv2d.forward(network, input)  # type: ignore[method-assign]
    image = torch.zeros(2, 3, 8, 8)
    words = Words({"input": image}, {}, {})
    assert not network(image).is_contiguous()
    assert Network(network, channels_last=True)(words).is_contiguous()


def test_pictures_are_made_in_bf16_only_by_convolutions_on_a_cpu_that_has_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = nn.Sequential(nn.Conv2d(3, 3, 1))
    monkeypatch.setattr("ganzoo.models.precision.native_bf16", lambda device: True)
    assert inference_format(network, CPU) == "bf16"
    assert inference_format(network, torch.device("cuda")) == "fp32"
    assert inference_format(nn.Linear(1, 1), CPU) == "fp32"
    monkeypatch.setattr("ganzoo.models.precision.native_bf16", lambda device: False)
    assert inference_format(network, CPU) == "fp32"
