"""Checkpoints of the PyTorch DCGAN tutorial: the same images, and nothing that runs."""

from __future__ import annotations

import argparse
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from tutorial import Tutorial, trained

import ganzoo_dcgan
from ganzoo.errors import DataError
from ganzoo.models import samples
from ganzoo.models.model import load
from ganzoo.models.writing import import_weights
from ganzoo.plugins.manager import Plugins
from ganzoo.plugins.registry import Origin, Registry

pytestmark = pytest.mark.usefixtures("one_thread")
State = dict[str, Any]


class Judge(nn.Module):
    """The tutorial's discriminator."""

    def __init__(self) -> None:
        super().__init__()
        self.main = nn.Sequential(
            *(nn.Conv2d(3, 4, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, inplace=True)),
            *(nn.Conv2d(4, 8, 4, 2, 1, bias=False), nn.BatchNorm2d(8), nn.LeakyReLU(0.2)),
            *(nn.Conv2d(8, 1, 4, 1, 0, bias=False), nn.Sigmoid()),
        )


class Trap:
    """A pickle that would make a file when opened."""

    def __reduce__(self) -> Any:
        return os.system, ("touch sprung",)


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    monkeypatch.chdir(tmp_path)
    plugins = Plugins()
    plugins.add(lambda: ganzoo_dcgan, Origin("dcgan", "ganzoo", "0"))
    return plugins.registry


def same(network: Tutorial, path: Path, registry: Registry, name: str = "model") -> None:
    """The imported model folder draws what the tutorial's network draws."""
    import_weights("dcgan-pytorch", path, Path(name), registry)
    model = load(Path(name), registry)
    latent = samples.latents(model.generator, 7, 5)
    with torch.no_grad():
        right = network(latent[:, :, None, None])
        made = model.generator(latent)
    assert right.std() > 0.1
    np.testing.assert_allclose(made, right, rtol=0, atol=1e-6)
    assert samples.sample(model.generator, 2, seed=1).shape == (2, *right.shape[1:])


def saved(state: Any, name: str = "netG.pth", **how: Any) -> Path:
    torch.save(state, name, **how)
    return Path(name)


@pytest.mark.parametrize(
    ("arguments", "size"),
    [({}, 64), ({"doublings": 3, "nz": 7}, 32), ({"doublings": 5, "ngf": 2, "nz": 100}, 128)],
)
def test_images_are_the_tutorials(arguments: dict[str, int], size: int, registry: Registry) -> None:
    network = trained(**arguments)
    path = saved(network.state_dict())
    same(network, path, registry)
    assert load(Path("model"), registry).generator.size == size
    read = registry.get("importer", "dcgan-pytorch").load()().read(path)
    assert read.arguments["latent"] == network.main[0].in_channels
    assert read.source["licence"] == "unknown"


def prefixed(state: State) -> State:
    return {f"module.{key}": value for key, value in state.items()}


def renamed(state: State, old: str, new: str) -> State:
    return {key.replace(old, new, 1): value for key, value in state.items()}


def lightning(state: State) -> Any:
    """A whole LightningModule, with the metric that watches it."""
    judge = {f"discriminator.{key}": value for key, value in Judge().state_dict().items()}
    metric = {"fid.features_sum": torch.zeros(9), "fid.n": torch.tensor(3)}
    return {
        "epoch": 5,
        "pytorch-lightning_version": "2.0",
        "state_dict": renamed(state, "main.", "generator.model.") | judge | metric,
        "optimizer_states": [{"state": {0: {"exp_avg": torch.zeros(4, 4)}}, "param_groups": []}],
        "hyper_parameters": {"latent_dim": 10},
    }


def nested(state: State) -> State:
    """A block of each convolution and its norm: ``net.0.0.weight``."""
    return {
        f"net.{int(layer) // 3}.{int(layer) % 3}.{tensor}": value
        for key, value in state.items()
        for _, layer, tensor in [key.split(".")]
    }


def named(state: State) -> State:
    """``conv1.weight``, ``bn1.weight``, ..., whose names do not sort in their order."""
    return {
        f"{('conv', 'bn')[int(layer) % 3]}{int(layer) // 3 + 1}.{tensor}": value
        for key, value in state.items()
        for _, layer, tensor in [key.split(".")]
    }


def uncounted(state: State) -> State:
    return {key: value for key, value in state.items() if "num_batches" not in key}


WRAPPINGS: dict[str, Callable[[State], Any]] = {
    "DataParallel": prefixed,
    "PyTorch 0.3": uncounted,
    "state_dict": lambda state: {"epoch": 5, "state_dict": prefixed(state)},
    "Sequential": lambda state: renamed(state, "main.", ""),
    "compiled": lambda state: renamed(state, "main.", "_orig_mod.module.generator.main."),
    "AveragedModel": lambda state: {"n_averaged": torch.tensor(9), **prefixed(state)},
    "Lightning": lightning,
    "blocks": nested,
    "names": named,
    "deep": lambda state: {"run": [{"nets": {"ema": {"netG": state}}}], "step": torch.tensor(3)},
    "both in one": lambda state: (
        renamed(Judge().state_dict(), "main.", "netD.") | renamed(state, "main.", "netG.")
    ),
    "both": lambda state: {"netD": Judge().state_dict(), "netG": state, "losses": [0.1, 0.2]},
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_ways_to_save_it(wrapping: str, registry: Registry) -> None:
    network = trained()
    same(network, saved(WRAPPINGS[wrapping](network.state_dict())), registry)


def test_widths_that_do_not_double(registry: Registry) -> None:
    network = trained()
    for layer, norm, channels in ((0, 1, 5), (3, 4, 9), (6, 7, 6), (9, 10, 8)):
        before = [10, 5, 9, 6][layer // 3]
        network.main[layer] = nn.ConvTranspose2d(
            before, channels, 4, 2 if layer else 1, 1 if layer else 0, bias=False
        )
        network.main[norm] = nn.BatchNorm2d(channels)
    network.main[12] = nn.ConvTranspose2d(8, 3, 4, 2, 1, bias=False)
    for value in network.parameters():
        nn.init.normal_(value, 0, 0.3)
    same(network.eval(), saved(network.state_dict()), registry)


def test_order_is_found_where_the_file_has_lost_it(registry: Registry) -> None:
    network = trained(doublings=5)  # main.12 sorts before main.3
    state = network.state_dict()
    same(network, saved(dict(sorted(state.items()))), registry)
    even = trained()
    for layer in range(0, 13, 3):  # of equal widths, so that no shape tells the order
        before, after = (10 if layer == 0 else 4), (3 if layer == 12 else 4)
        stride, padding = (2, 1) if layer else (1, 0)
        even.main[layer] = nn.ConvTranspose2d(before, after, 4, stride, padding, bias=False)
        if layer < 12:
            even.main[layer + 1] = nn.BatchNorm2d(4)
    for value in even.parameters():
        nn.init.normal_(value, 0, 0.5)
    backwards = renamed(dict(reversed(even.eval().state_dict().items())), "main.", "")
    same(even, saved(backwards), registry, "backwards")


def test_kinds_of_file(registry: Registry) -> None:
    network = trained()
    state = network.state_dict()
    same(network, saved(state, _use_new_zipfile_serialization=False), registry, "old")
    save_file(state, "netG.safetensors")
    same(network, Path("netG.safetensors"), registry, "tensors")
    half = {k: v.half() if v.is_floating_point() else v for k, v in state.items()}
    network.load_state_dict(half)
    same(network, saved(half), registry, "half")
    last = {
        k: v.to(memory_format=torch.channels_last) if v.ndim == 4 else v for k, v in half.items()
    }
    same(network, saved(last), registry, "channels-last")


def refused(path: Path, registry: Registry, *words: str) -> None:
    with pytest.raises(DataError) as caught:
        import_weights("dcgan-pytorch", path, Path("refused"), registry)
    for word in (str(path), *words):
        assert word in str(caught.value)
    assert "weights_only" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not Path("refused").exists()
    assert not Path("sprung").exists()


@pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning")
def test_no_pickle_is_run(registry: Registry) -> None:
    state = trained().state_dict()
    ran = "nothing in it was run"
    refused(saved({**state, "x": Trap()}), registry, ran, "system")
    old = saved({**state, "x": Trap()}, _use_new_zipfile_serialization=False)
    refused(old, registry, ran, "system")
    for protocol in (2, 4):
        Path("raw.pth").write_bytes(pickle.dumps(Trap(), protocol))
        refused(Path("raw.pth"), registry, ran)
    refused(saved(trained()), registry, ran, "Tutorial", "netG.state_dict()")
    refused(saved({"opt": argparse.Namespace(), **state}), registry, ran, "argparse.Namespace")
    torch.jit.save(torch.jit.script(nn.ReLU()), "script.pth")
    refused(Path("script.pth"), registry, "TorchScript", "none was run")


def test_files_that_are_none(registry: Registry) -> None:
    state = trained().state_dict()
    refused(Path("none.pth"), registry, "No such file", "netG.state_dict()")
    Path("folder").mkdir()
    refused(Path("folder"), registry, "cannot be read")
    for content, what in (
        (b"", "empty"),
        (b"\n<!DOCTYPE html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
        (saved(state).read_bytes()[:-3000], "cut short"),
        (saved(state, _use_new_zipfile_serialization=False).read_bytes()[:-3000], "cut short"),
        (b"?" * 100, "damaged"),
    ):
        Path("odd.pth").write_bytes(content)
        refused(Path("odd.pth"), registry, what)
    save_file(state, "whole.safetensors")
    Path("odd.safetensors").write_bytes(Path("whole.safetensors").read_bytes()[:-100])
    refused(Path("odd.safetensors"), registry, "cut short")


def test_other_networks(registry: Registry) -> None:
    refused(saved(Judge().state_dict()), registry, "discriminator")
    refused(saved(nn.Linear(1, 1).state_dict()), registry, "no convolution", "'weight'")
    refused(saved(torch.zeros(3)), registry, "it holds a Tensor")
    notebooks = nn.Sequential(  # a norm after the first convolution too
        *(nn.Conv2d(3, 8, 4, 2, 1, bias=False), nn.BatchNorm2d(8), nn.LeakyReLU(0.2)),
        nn.Conv2d(8, 1, 4, 1, 0, bias=False),
    )
    refused(saved(notebooks.state_dict()), registry, "discriminator")
    biased = nested(trained().state_dict()) | {"net.4.0.bias": torch.zeros(3)}
    refused(saved(biased), registry, "'net.4.0.bias'", "biases")
    refused(saved({**biased, "more.weight": torch.zeros(3)}), registry, "'net.4.0.bias'")
    deeper = {**trained().state_dict(), "main.14.weight": torch.zeros(3, 3, 3, 3)}
    refused(saved(deeper), registry, "'main.14'", "another network")
    loop: list[Any] = [{"netG": {"x": torch.zeros(3)}}]
    loop.append(loop)
    refused(saved(loop), registry, "no convolution")
    both = {"netG": trained().state_dict(), "ema": trained().state_dict()}
    refused(saved(both), registry, "2 generators")
    for channels in (1, 4):
        gray = trained(nc=channels).state_dict()
        refused(saved(gray), registry, f"{channels} channels", "'main.12.weight'", "(4, 3, 4, 4)")
    refused(saved(trained(k=5).state_dict()), registry, "'main.0.weight'", "(10, 32, 5, 5)")
    for doublings, size in ((2, 16), (6, 256)):
        other = trained(doublings=doublings, ngf=1).state_dict()
        refused(saved(other), registry, f"{size} px", "32, 64 and 128")


def test_tensors_that_do_not_fit(registry: Registry) -> None:
    state = trained().state_dict()

    def changed(**changes: Any) -> Path:
        return saved({**state, **{key.replace("_", ".", 2): v for key, v in changes.items()}})

    refused(changed(main_0_bias=torch.zeros(32)), registry, "'main.0.bias'", "biases")
    refused(
        saved({**state, "embed.weight": torch.zeros(3, 4)}), registry, "'embed.weight'", "labels"
    )
    refused(changed(main_4_weight=torch.zeros(5)), registry, "'main.4.weight'", "(5,)", "(16,)")
    refused(changed(main_3_weight=torch.zeros(32, 8, 4, 4)), registry, "(32, 16, 4, 4)")
    refused(changed(main_6_weight=torch.zeros(3, 3)), registry, "'main.6.weight'", "(16, 8, 4, 4)")
    refused(changed(main_7_bias=torch.full((8,), float("nan"))), registry, "NaN", "'main.7.bias'")
    refused(changed(main_7_bias=torch.zeros(8, dtype=torch.int32)), registry, "no tensor of floats")
    refused(changed(main_7_bias=[0.0] * 8), registry, "'main.7.bias'", "no tensor of floats")
    refused(changed(main_0_weight=7), registry, "'main.0.weight'", "()")
    del state["main.10.running_var"]
    refused(saved(state), registry, "no tensor 'main.10.running_var'")


def test_shapes_without_values_take_no_memory(registry: Registry) -> None:
    vast = trained().state_dict()
    for name, shape in {
        "main.0.weight": (10**9, 32, 4, 4),
        "main.12.weight": (10**9, 3, 4, 4),
    }.items():
        refused(saved({**vast, name: torch.zeros(1).expand(shape)}), registry, f"'{name}'")
