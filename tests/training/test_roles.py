"""Runs of more than two networks: an encoder, two generators, two critics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import toy
from PIL import Image
from short_runs import ROLES, At, differences, equal, ranks, stop_at, weights

from ganzoo.errors import RunError, TrainingStopped
from ganzoo.models import samples
from ganzoo.models.model import load
from ganzoo.training.loop import resume, start
from ganzoo.training.run import Run
from ganzoo.training.run_folder import RunFolder
from ganzoo.training.words import Words

Train = Callable[..., Path]


@pytest.mark.parametrize("name", ROLES)
def test_a_stopped_run_ends_as_one_never_stopped(train: Train, tmp_path: Path, name: str) -> None:
    whole = train("whole", **ROLES[name])
    with pytest.raises(TrainingStopped, match="stopped at step 5"):
        train("stopped", observers=[stop_at(5)], **ROLES[name])
    resume(tmp_path / "stopped", (), toy.plugins())
    assert differences(toy.contents(tmp_path / "stopped"), toy.contents(whole)) == set()


def test_two_processes_hold_equal_networks(tmp_path: Path, one_thread: None) -> None:
    ranks(tmp_path, *ROLES)
    for name in ROLES:
        first, second = (torch.load(tmp_path / f"{name}-{rank}.pt") for rank in (0, 1))
        assert equal(first, second), name
    recipe = toy.recipe(tmp_path / "recipes", **{**ROLES["cycle"], "batch": 8})
    alone = start(recipe, tmp_path / "alone", toy.plugins())  # draws nothing by process
    for role, network in alone.parts.networks.items():
        for key, value in network.bare.state_dict().items():
            assert torch.allclose(value, torch.load(tmp_path / "cycle-0.pt")[role][key], atol=1e-4)


def test_every_network_learns_and_is_saved(train: Train) -> None:
    for name in ("encoder", "cycle"):
        run = train(name, **ROLES[name])
        begun = Run(
            toy.recipe(run.parent / "new", **ROLES[name]), RunFolder(run / "x"), toy.plugins()
        )
        saved = weights(run)
        for role, network in begun.parts.networks.items():
            pairs = zip(network.bare.parameters(), saved[role].values(), strict=False)
            assert any(not torch.equal(a, b) for a, b in pairs), role
        averages = {"ema", "ema-encoder" if name == "encoder" else "ema-backward"}
        assert {file for file in saved if file.startswith("ema")} == averages


class Counting:
    """Counts forward passes of a step."""

    def __init__(self, run: Run) -> None:
        self.counts: Counter[str] = Counter()
        for role, network in run.parts.networks.items():
            network.bare.register_forward_hook(lambda *_, role=role: self.counts.update([role]))


def counted(train: Train, name: str) -> Counter[str]:
    """The forward passes of step 2."""
    counters: list[Counting] = []
    kept: list[Counter[str]] = []
    first = At(1, lambda run: counters.append(Counting(run)))
    second = At(2, lambda run: kept.append(Counter(counters[0].counts)))
    train(name, observers=[first, second], **ROLES[name], log={"every": 100})
    return kept[0]


def test_what_two_players_need_is_made_once(train: Train) -> None:
    assert counted(train, "encoder") == {"generator": 1, "encoder": 1, "discriminator": 4}
    assert counted(train, "simultaneous") == {"generator": 1, "encoder": 1, "discriminator": 2}
    # backward makes photo_fake and cycled
    expected = {"generator": 1, "backward": 2, "discriminator": 3, "photo_critic": 3}
    assert counted(train, "cycle") == expected


def test_a_simultaneous_update_follows_each_loss_by_its_own_players_alone(
    tmp_path: Path, one_thread: None
) -> None:
    """One step of SGD equals gradients that are taken by hand, from the same forward pass."""
    keys: dict[str, Any] = {
        **ROLES["simultaneous"],
        "optimizer": {"use": "sgd", "lr": 0.1},
        "generator": {"use": "toy", "norm": False},
        "ema": None,
    }
    begun: list[dict[str, Any]] = []

    class Before:
        @toy.hookimpl
        def run_started(self, run: Run) -> None:
            state = torch.get_rng_state()
            begun.append(by_hand(run))
            torch.set_rng_state(state)

    after: list[dict[str, Any]] = []
    look = At(1, lambda run: after.append(parameters(run)))
    start(toy.recipe(tmp_path, **keys), tmp_path / "run", toy.plugins(Before(), look))
    for name, value in begun[0].items():
        assert torch.allclose(value, after[0][name], atol=1e-6), name


def parameters(run: Run) -> dict[str, torch.Tensor]:
    return {
        f"{role}.{name}": value.detach().clone()
        for role, network in run.parts.networks.items()
        for name, value in network.bare.named_parameters()
    }


def by_hand(run: Run) -> dict[str, torch.Tensor]:
    """What the first step should make of the parameters."""
    from ganzoo.models.randomness import seed_default
    from ganzoo.training.feed import feed

    given = next(feed(run))[0]
    seed_default(run.recipe.seed, "step", 0, 0)
    words = Words(given, run.parts.networks, run.parts.views)
    fake, code = words["fake"], words["code"]
    judge = run.parts.networks["discriminator"].bare
    real_logits, fake_logits = judge(given["real"], code), judge(fake, given["latent"])
    losses = {
        "discriminator": (real_logits - 1).square().mean() + fake_logits.square().mean(),
        "generator": real_logits.square().mean() + (fake_logits - 1).square().mean(),
    }
    expected = parameters(run)
    for player, roles in run.recipe.players.items():
        for role in roles:
            named = dict(run.parts.networks[role].bare.named_parameters())
            gradients = torch.autograd.grad(
                losses[player], list(named.values()), retain_graph=True, allow_unused=True
            )
            for name, gradient in zip(named, gradients, strict=True):
                if gradient is not None:
                    expected[f"{role}.{name}"] -= 0.1 * gradient
    return expected


def test_each_judge_has_its_ranking_and_each_term_its_share(train: Train) -> None:
    row = toy.contents(train(**ROLES["cycle"]))["metrics.jsonl"][-1]
    assert {"D/ranking", "D/ranking@photo_critic"} <= row.keys()
    shares = [row[f"share/{name}"] for name in ("lsgan", "lsgan#2", "cycle")]
    assert min(shares) > 0
    assert sum(shares) == pytest.approx(1, abs=1e-4)


def test_a_model_with_an_encoder_gives_codes_and_reconstructions(train: Train) -> None:
    run = train(**ROLES["encoder"])
    folder = run / "model"
    files = {path.name for path in folder.glob("*.safetensors")}
    assert files == {"model.safetensors", "encoder.safetensors"}
    loaded = load(run, toy.plugins().registry)
    assert loaded.config.ganzoo_format == 3
    picture = Image.new("RGB", (30, 20), (200, 30, 90))
    codes = loaded.encode([picture, picture])
    assert codes.shape == (2, 4)
    assert torch.equal(codes[0], codes[1])
    assert torch.equal(loaded.encode(picture)[0], loaded.encode([picture])[0])
    (drawn,) = loaded.reconstruct(picture)
    assert np.array_equal(drawn, loaded.sample(latents=loaded.encode(picture))[0])
    average = weights(run)["ema-encoder"]
    assert torch.equal(loaded.encoder.inner.weight, average["inner.weight"])
    (folder / "encoder.safetensors").unlink()
    with pytest.raises(RunError, match=r"encoder\.safetensors is missing"):
        load(run, toy.plugins().registry)


def test_statistics_of_an_averaged_encoder_fit_its_own_weights(
    train: Train, tmp_path: Path
) -> None:
    """Its codes of the training images have the mean 0 that its last layer promises."""
    normed = {**ROLES["encoder"], "networks": {"encoder": {"use": "toy", "norm": True}}}
    whole = train("whole", **normed)
    with pytest.raises(TrainingStopped):
        train("stopped", observers=[stop_at(5)], **normed)
    resume(tmp_path / "stopped", (), toy.plugins())
    assert differences(toy.contents(tmp_path / "stopped"), toy.contents(whole)) == set()

    data = toy.ToyDataset()
    images = torch.stack([data[index]["real"] for index in range(len(data))])
    loaded = load(whole, toy.plugins().registry)
    codes = loaded.encode(images)
    assert torch.allclose(codes.mean(0), torch.zeros(4), atol=1e-5)
    assert drawn_alike(whole)
    saved = weights(whole)
    assert not torch.equal(
        saved["ema"]["norm.running_mean"], saved["generator"]["norm.running_mean"]
    )
    plain = weights(train("plain"))  # with two networks, those of the training network
    for name in ("running_mean", "running_var"):
        assert torch.equal(plain["ema"][f"norm.{name}"], plain["generator"][f"norm.{name}"])


def drawn_alike(run: Path) -> bool:
    """Whether the last grid of a run shows what its model draws."""
    model = load(run, toy.plugins().registry)
    grid = np.asarray(Image.open(sorted((run / "samples").iterdir())[-1]))
    return np.array_equal(grid, np.asarray(samples.grid(samples.sample(model.generator, 4, 0))))


def test_init_from_a_model_folder_takes_its_encoder_too(train: Train, tmp_path: Path) -> None:
    run = train(seed=1, **ROLES["encoder"])
    recipe = toy.recipe(tmp_path / "next", init_from=str(run / "model"), **ROLES["encoder"])
    begun = Run(recipe, RunFolder(tmp_path / "x"), toy.plugins())
    average = weights(run)["ema-encoder"]
    state = begun.parts.networks["encoder"].bare.state_dict()
    assert equal({"encoder": state}, {"encoder": average})


def test_a_model_without_an_encoder_says_so(train: Train) -> None:
    loaded = load(train(), toy.plugins().registry)
    assert loaded.config.ganzoo_format == 2
    with pytest.raises(RunError, match="no encoder"):
        loaded.encode(Image.new("RGB", (8, 8)))
