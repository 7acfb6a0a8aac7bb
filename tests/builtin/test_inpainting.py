"""The search for latents, blending, and the commands ``inpaint`` and ``project``."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import toy
from PIL import Image
from safetensors import safe_open
from short_runs import ROLES
from torch import Tensor, nn
from torch.testing import assert_close
from typed import Result, Run, typist

import ganzoo
import ganzoo.plugins.manager
from ganzoo.models.model import Model
from ganzoo.plugins.registry import Origin
from ganzoo.training.loop import start
from ganzoo_inpainting import search
from ganzoo_inpainting.filling import Effort, inpaint
from ganzoo_inpainting.poisson import blend
from ganzoo_inpainting.search import Bounds, Search, weights

SIZE = 8  # of the toy's images


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of noise models with labels, without, and with an encoder, and of a translator."""
    root = tmp_path_factory.mktemp("runs")
    photos = {"dataset": {"use": "toy", "photo": True}, "generator": {"use": "toy-translator"}}
    labels = {"dataset": {"use": "toy", "label": ["hue"]}}
    every = {"plain": {}, "labels": labels, "encoder": ROLES["encoder"], "painter": photos}
    for name, keys in every.items():
        start(toy.recipe(root / "recipes", **keys), root / name, toy.plugins())
    shutil.copytree(root / "plain" / "model", root / "alone")
    return root


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    one_thread: None,
) -> Run:
    """Type a command in an empty folder, with the toy plugin and this one installed."""
    import ganzoo_inpainting

    plugins = toy.plugins()
    plugins.add(lambda: ganzoo_inpainting, Origin("inpainting", "ganzoo", "1.0"))
    monkeypatch.setattr(ganzoo.plugins.manager, "installed", lambda: plugins)
    monkeypatch.setattr("ganzoo.api.installed", lambda: plugins)
    monkeypatch.setattr("ganzoo.models.model.device", lambda: torch.device("cpu"))
    monkeypatch.chdir(tmp_path)
    return typist(monkeypatch, capsys)


@pytest.fixture
def model(folders: Path, run: Run) -> Model:
    return ganzoo.load(folders / "labels", discriminator=True)


def square(path: str, side: int = SIZE, value: int | None = None) -> Path:
    noise = np.random.default_rng(side).integers(0, 256, (side, side, 3), np.uint8)
    Image.fromarray(noise if value is None else np.full_like(noise, value)).save(path)
    return Path(path)


def mask(path: str, side: int = SIZE) -> Path:
    """A hole in the middle, of half the side."""
    hole = np.zeros((side, side), np.uint8)
    hole[side // 4 : -side // 4, side // 4 : -side // 4] = 255
    Image.fromarray(hole).save(path)
    return Path(path)


def refused(result: Result, noun: str) -> None:
    assert result.code == 2
    assert len(result.err.splitlines()) == 1
    assert result.err.startswith("error: ")
    assert noun in result.err


def test_known_pixels_near_the_hole_weigh_more() -> None:
    hole = torch.zeros(20, 20, dtype=torch.bool)
    hole[8:12, 8:12] = True
    w = weights(hole)
    assert (w[hole] == 0).all()
    assert float(w[7, 9]) == pytest.approx(3 * 4 / 49)  # rows 8 to 10 of the hole, all columns
    assert float(w[5, 5]) == pytest.approx(1 / 49)
    assert float(w[4, 9]) == 0
    assert_close(w, w.T)
    assert (weights(torch.zeros(5, 5, dtype=torch.bool)) == 1).all()


def test_bounds_hold_latents_of_any_kind() -> None:
    uniform = Bounds(torch.rand(4000, 10) * 2 - 1)
    assert float(uniform(torch.full((1, 10), 5.0)).max()) <= 1
    normal = Bounds(torch.randn(4000, 2, 5))
    far = normal(torch.full((3, 2, 5), 9.0))
    assert far.shape == (3, 2, 5)
    assert float(far[0].norm()) < 5  # the length, where ten times 2.58 would be 8.2
    near = torch.full((1, 2, 5), 0.5)
    assert_close(normal(near), near)


def trained(**arguments: object) -> toy.ToyGenerator:
    torch.manual_seed(0)
    return toy.ToyGenerator(norm=False, **arguments).eval().requires_grad_(False)  # type: ignore[arg-type]


def half() -> Tensor:
    hole = torch.zeros(SIZE, SIZE, dtype=torch.bool)
    hole[2:6, 2:6] = True
    return hole


def test_what_the_model_can_draw_is_found_under_the_hole(one_thread: None) -> None:
    generator = trained(label={"hue": toy.HUES, "side": ["left", "right"]})
    good = 0
    for seed in range(20):
        rng = torch.Generator().manual_seed(1000 + seed)
        latent, label = generator.sample_latent(1, rng), torch.tensor([[seed % 3, seed % 2]])
        target = generator(latent, label)[0]
        match = Search(generator, None, target, half(), 0.0, {}).run(150, 4, seed)
        good += float((match.image - target).abs()[:, half()].mean()) < 0.03
        again = generator(
            match.latent,
            torch.tensor(
                [[toy.HUES.index(match.label["hue"]), ["left", "right"].index(match.label["side"])]]
            ),
        )
        assert_close(again[0].clamp(-1, 1), match.image)
    assert good >= 18


def test_a_projection_comes_nearer_all_the_time(
    one_thread: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator, contexts = trained(), []
    losses = Search._losses

    def noted(self: Search, *arguments: object) -> tuple[Tensor, Tensor, Tensor]:
        result = losses(self, *arguments)  # type: ignore[arg-type]
        if result[0].requires_grad:
            contexts.append(float(result[1].detach().mean()))
        return result

    monkeypatch.setattr(Search, "_losses", noted)
    target = torch.rand(3, SIZE, SIZE, generator=torch.Generator().manual_seed(1)) * 2 - 1
    nothing = torch.zeros(SIZE, SIZE, dtype=torch.bool)
    Search(generator, None, target, nothing, 0.0, {}).run(200, 4, 0)
    means = torch.tensor(contexts).view(-1, 20).mean(1)
    assert (means.diff() < 1e-4).all()
    assert means[-1] < means[0]


def test_the_prior_asks_the_critic(one_thread: None) -> None:
    class Bright(nn.Module):
        """Takes bright images for real, and has an opinion for each patch."""

        def forward(self, image: Tensor) -> Tensor:
            return 10 * image[:, :, ::2, ::2].mean(1, keepdim=True)

    generator, target = trained(), torch.zeros(3, SIZE, SIZE)
    matches = [
        Search(generator, Bright(), target, half(), prior, {}).run(60, 4, 0) for prior in (0.0, 1.0)
    ]
    without, judged = (match.image[:, ::2, ::2].mean() for match in matches)
    assert judged > without + 0.05
    assert matches[1].context > matches[0].context


def test_known_labels_stay_and_a_start_is_used(one_thread: None) -> None:
    generator = trained(label={"hue": toy.HUES})
    latent = torch.tensor([[0.5, -1.0, 0.3, 0.8]])
    target = generator(latent, torch.tensor([[2]]))[0]
    nothing = torch.zeros(SIZE, SIZE, dtype=torch.bool)
    match = Search(generator, None, target, nothing, 0.0, {"hue": "red"}).run(20, 2, 0)
    assert match.label == {"hue": "red"}
    match = Search(generator, None, target, nothing, 0.0, {}).run(1, 1, 0, latent)
    assert match.label == {"hue": "blue"}
    assert match.context < 0.1


def test_blending_takes_the_gradients_of_the_patch() -> None:
    rng = np.random.default_rng(0)
    image = rng.random((12, 10, 3))
    hole = np.zeros((12, 10), bool)
    hole[3:8, 4:] = True  # it touches the border
    assert np.abs(blend(image + 0.3, image, hole) - image).max() < 1e-9
    other = blend(rng.random(image.shape), image, hole)
    assert np.array_equal(other[~hole], image[~hole])
    assert np.array_equal(blend(image, image, np.zeros_like(hole)), image)
    flat = blend(np.zeros_like(image), np.ones_like(image), hole)
    assert np.abs(flat - 1).max() < 1e-9  # no gradients: the colour of the surroundings


def test_known_pixels_stay_to_the_bit_at_any_size(model: Model) -> None:
    noise = np.random.default_rng(3).integers(0, 256, (40, 50, 3), np.uint8)
    hole = np.zeros((40, 50), bool)
    hole[13:22, 18:31] = True
    filled, match = inpaint(model, Image.fromarray(noise), hole, {"hue": "blue"}, Effort(5, 2, 0.1))
    result = np.asarray(filled)
    assert np.array_equal(result[~hole], noise[~hole])
    assert not np.array_equal(result[hole], noise[hole])
    assert match.label == {"hue": "blue"}


def test_the_hidden_pixels_do_not_count(model: Model) -> None:
    noise = np.random.default_rng(3).integers(0, 256, (20, 20, 3), np.uint8)
    hole = np.zeros((20, 20), bool)
    hole[6:13, 5:14] = True
    other = np.where(hole[..., None], 255 - noise, noise)
    results = [
        inpaint(model, Image.fromarray(x), hole, None, Effort(5, 2))[0] for x in (noise, other)
    ]
    assert np.array_equal(*map(np.asarray, results))


def test_inpaint_and_draw_the_latent_again(run: Run, folders: Path) -> None:
    image, hole = square("face.png", 2 * SIZE), mask("mask.png", 2 * SIZE)
    line = ("inpaint", folders / "labels", image, "--mask", hole, "--steps", 5, "--out", "a/b.png")
    result = run(*line)
    assert result.code == 0, result.err
    assert "hue=" in result.out
    assert Image.open("a/b.png").size == (2 * SIZE, 2 * SIZE)
    with safe_open("a/b.safetensors", "pt") as file:
        assert list(file.keys()) == ["face.png"]
    edited = ("sample", folders / "labels", "--latent", "a/b.safetensors", "--label", "hue=red")
    assert run(*edited, "--out", "red.png").code == 0
    before = Path("a/b.png").read_bytes()
    assert run(*line).code == 0
    assert Path("a/b.png").read_bytes() == before  # the same seed, the same result


@pytest.mark.parametrize("name", ["alone", "encoder", "labels"])
def test_project_needs_no_critic_and_begins_from_an_encoder(
    run: Run, folders: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts = []
    search_run = Search.run

    def noted(self: Search, *arguments: object) -> search.Match:
        starts.append(arguments[3])
        return search_run(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Search, "run", noted)
    result = run("project", folders / name, square("face.png", 30), "--steps", 3)
    assert result.code == 0, result.err
    assert (starts[0] is not None) == (name == "encoder")
    assert Image.open("projected.png").size == (2 * SIZE, SIZE)
    again = run("sample", folders / name, "--latent", "projected.safetensors", "--out", "a.png")
    assert again.code == 0, again.err
    drawn = np.asarray(Image.open("projected.png"))[:, SIZE:].astype(int)
    assert np.abs(drawn - np.asarray(Image.open("a.png"))).max() <= 1


@pytest.mark.parametrize(
    ("line", "noun"),
    [
        ("inpaint plain face.png --mask other.png", "9x9"),
        ("inpaint plain face.png --mask white.png", "all white"),
        ("inpaint plain face.png --mask black.png", "all black"),
        ("inpaint alone face.png --mask mask.png", "--prior 0"),
        ("inpaint painter face.png --mask mask.png", "noise"),
        ("inpaint labels face.png --mask mask.png --label hue=mauve", "mauve"),
        ("inpaint plain face.png --mask mask.png --label hue", "NAME=VALUE"),
        ("inpaint plain face.png --mask nosuch.png", "nosuch.png"),
        ("inpaint plain face.png --mask text.png", "text.png"),
        ("inpaint plain face.png --mask mask.png --out face.png", "replace"),
        ("inpaint plain face.png --mask mask.png --out new.gif", ".png"),
        ("inpaint plain face.png --mask all-but-one.png", "leave something"),
        ("inpaint plain wide.png --mask outside.png", "middle square"),
        ("project painter face.png", "noise"),
        ("project plain tiny.png", "twofold"),
        ("project alone face.png --prior 0.1", "critic"),
        ("project plain .", "folder"),
    ],
)
def test_mistakes(run: Run, folders: Path, line: str, noun: str) -> None:
    for name, side in (("face", 16), ("other", 9), ("tiny", 2)):
        square(f"{name}.png", side)
    square("white.png", 16, 255), square("black.png", 16, 0), mask("mask.png", 16)
    few = np.full((16, 16), 255, np.uint8)
    few[0, 0] = 0
    Image.fromarray(few).save("all-but-one.png")
    Image.new("RGB", (40, 16)).save("wide.png")
    outside = np.zeros((16, 40), np.uint8)
    outside[3:9, :9] = 255
    Image.fromarray(outside).save("outside.png")
    Path("text.png").write_text("hello")
    verb, model, *words = line.split()
    refused(run(verb, folders / model, *words), noun)


def test_a_run_and_a_folder_have_the_same_critic(
    run: Run, folders: Path, tmp_path: Path, train: Callable[..., Path]
) -> None:
    of_run = ganzoo.load(folders / "plain", discriminator=True).discriminator
    assert of_run is not None
    assert not of_run.training
    shutil.copytree(folders / "plain" / "model", tmp_path / "model")
    newest = max((folders / "plain" / "checkpoints").iterdir())
    shutil.copy(newest / "discriminator.safetensors", tmp_path / "model")
    of_folder = ganzoo.load(tmp_path / "model", discriminator=True).discriminator
    assert of_folder is not None
    assert_close(of_run.state_dict(), of_folder.state_dict())
    assert not any(p.requires_grad for p in of_folder.parameters())
    with pytest.raises(ganzoo.GanzooError, match="critic"):
        ganzoo.load(folders / "alone", discriminator=True)
    assert ganzoo.load(folders / "alone").discriminator is None
