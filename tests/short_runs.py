"""Short runs of toys: their recipes, what ends them, and what two of them differ in."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from ganzoo import hookimpl
from ganzoo.training import checkpoint
from ganzoo.training.run import Run

D_AND_G = {
    "discriminator": [{"use": "non-saturating"}],
    "generator": [{"use": "non-saturating"}],
}


def stage(steps: int = 9, name: str = "adversarial", **keys: Any) -> dict[str, Any]:
    return {"name": name, "steps": steps, **D_AND_G, **keys}


class At:
    """Does something at the end of a step."""

    def __init__(self, step: int, act: Callable[[Run], object]):
        self.step, self.act = step, act

    @hookimpl
    def step_ended(self, run: Run, step: int) -> None:
        if step == self.step:
            self.act(run)


def stop_at(step: int, number: int = signal.SIGTERM) -> At:
    return At(step, lambda run: os.kill(os.getpid(), number))


RECIPES: dict[str, dict[str, Any]] = {
    "lazy penalties": {
        "stages": [
            stage(
                discriminator=[
                    {"use": "non-saturating"},
                    {"use": "r1", "weight": 0.1, "every": 4},
                    {"use": "r2", "weight": 0.1, "every": 3},
                ]
            )
        ]
    },
    "two stages": {
        "stages": [
            {"name": "warm", "steps": 3, "generator": [{"use": "bright"}]},
            stage(6, optimizer={"lr": 0.02, "generator": {"betas": [0.0, 0.9]}}),
        ]
    },
    "same players twice": {"stages": [stage(3, "one"), stage(6, "two")]},
    "discriminator steps": {"stages": [stage(discriminator_steps=2)], "batch": 6},
    "accumulate": {"accumulate": 2},
    "schedules": {
        "optimizer": {"use": "rmsprop", "lr": {"from": 0.01, "to": 0.001, "over": 7}},
        "stages": [
            stage(generator=[{"use": "lsgan", "weight": {"from": 0.0, "to": 2.0, "over": 5}}])
        ],
    },
    "augment": {"augment": {"use": "diffaugment"}},
    "bf16": {"precision": "bf16"},
    "no ema": {"ema": None, "optimizer": {"use": "sgd", "lr": 0.1, "momentum": 0.5}},
    "views": {
        "views": {"gray": {"use": "grayscale", "of": "real"}},
        "stages": [stage(generator=[{"use": "hinge"}, {"use": "near", "weight": 3}])],
    },
    "labels": {"dataset": {"use": "toy", "label": ["hue", "side"]}},
    "translation": {
        "dataset": {"use": "toy", "photo": True},
        "generator": {"use": "toy-translator"},
        "views": {"gray": {"use": "grayscale", "of": "photo"}},
        "extractors": {"eye": {"use": "toy"}},
        "stages": [
            {
                "name": "reconstruct",
                "steps": 3,
                "generator": [{"use": "content", "extractor": "eye"}],
            },
            stage(6, generator=[{"use": "hinge"}, {"use": "content", "extractor": "eye"}]),
        ],
    },
}


_PAIRED = {"discriminator": [{"use": "paired"}], "generator": [{"use": "paired"}]}
_JOINT = {
    "discriminator": {"use": "joint"},
    "networks": {"encoder": {"use": "toy"}},
    "players": {"generator": ["generator", "encoder"]},
    "views": {
        "code": {"apply": "encoder", "to": "real"},
        "real_logits": {"apply": "discriminator", "to": {"image": "real", "latent": "code"}},
    },
}
#: recipes with more than two networks, in the shapes of ALI and CycleGAN
ROLES: dict[str, dict[str, Any]] = {
    "encoder": {**_JOINT, "stages": [{"name": "all", "steps": 9, **_PAIRED}]},
    "simultaneous": {
        **_JOINT,
        "stages": [
            {"name": "all", "steps": 9, "updates": [["discriminator", "generator"]], **_PAIRED}
        ],
    },
    "cycle": {
        "dataset": {"use": "toy", "photo": True},
        "generator": {"use": "toy-translator"},
        "discriminator": {"use": "toy", "norm": False, "dropout": 0.0},
        "networks": {
            "backward": {"kind": "generator", "use": "toy-translator"},
            "photo_critic": {
                "kind": "discriminator",
                "use": "toy",
                "norm": False,
                "dropout": 0.0,
            },
        },
        "players": {
            "generator": ["generator", "backward"],
            "discriminator": ["discriminator", "photo_critic"],
        },
        "views": {
            "photo_fake": {"apply": "backward", "to": "real"},
            "cycled": {"apply": "backward", "to": "fake"},
        },
        "stages": [
            {
                "name": "all",
                "steps": 9,
                "discriminator": [
                    {"use": "lsgan"},
                    {
                        "use": "lsgan",
                        "judge": "photo_critic",
                        "inputs": {"real": "photo", "fake": "photo_fake"},
                    },
                ],
                "generator": [
                    {"use": "lsgan"},
                    {"use": "lsgan", "judge": "photo_critic", "inputs": {"fake": "photo_fake"}},
                    {"use": "cycle", "weight": 3},
                ],
            }
        ],
    },
}


def differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> set[str]:
    return {name for name in a.keys() | b.keys() if a.get(name) != b.get(name)}


def weights(run: Path) -> dict[str, dict[str, torch.Tensor]]:
    return checkpoint.newest(run / "checkpoints")[0]


def equal(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    return a.keys() == b.keys() and all(
        a[name].keys() == b[name].keys()
        and all(torch.equal(a[name][k], b[name][k]) for k in a[name])
        for name in a
    )


#: all that two processes must agree about: two stages, update ratios, penalties, statistics
TWO: dict[str, Any] = {
    "batch": 8,
    "discriminator": {"use": "toy", "dropout": 0.0},
    "stages": [
        {"name": "warm", "steps": 2, "generator": [{"use": "bright"}]},
        stage(
            5,
            discriminator=[{"use": "hinge"}, {"use": "r1", "every": 2}],
            discriminator_steps=2,
        ),
    ],
}


PLAIN: dict[str, Any] = {
    **TWO,
    "generator": {"use": "toy", "norm": False},
    "discriminator": {"use": "toy", "norm": False, "dropout": 0.0},
}


#: the head is reached at every second step alone
HEADED: dict[str, Any] = {
    "batch": 8,
    "generator": {"use": "toy", "norm": False},
    "discriminator": {"use": "headed"},
    "stages": [stage(5, discriminator=[{"use": "hinge"}, {"use": "guess", "every": 2}])],
}


def ranks(folder: Path, *jobs: str) -> None:
    """Run ``ranks.py`` on two processes for each job."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    here = Path(__file__).parent
    subprocess.run(
        [sys.executable, "ranks.py", str(folder), str(port), *jobs],
        cwd=here,
        env={**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "1"},
        check=True,
    )
