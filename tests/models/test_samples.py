"""Pictures: the same seed draws the same ones, labels are chosen by name, grids are laid out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import toy
from PIL import Image
from torch.testing import assert_close

from ganzoo.errors import RunError
from ganzoo.models import model, samples, walks


@pytest.fixture
def generator(one_thread: None) -> toy.ToyGenerator:
    torch.manual_seed(0)
    return toy.ToyGenerator().eval()


@pytest.fixture
def conditional(one_thread: None) -> toy.ToyGenerator:
    torch.manual_seed(0)
    return toy.ToyGenerator(label={"hue": toy.HUES, "side": ["left", "right"]}).eval()


def test_a_picture_depends_on_seed_and_place_alone(
    generator: toy.ToyGenerator, monkeypatch: pytest.MonkeyPatch
):
    many = samples.sample(generator, 40, seed=3)
    assert many.shape == (40, 3, 8, 8)
    assert many.dtype == torch.uint8
    for n in (1, 5, 16, 17):
        assert torch.equal(samples.sample(generator, n, seed=3), many[:n])
    assert not torch.equal(samples.sample(generator, 5, seed=4), many[:5])
    assert len(torch.unique(many.flatten(1), dim=0)) == 40
    monkeypatch.setattr(samples, "CHUNK", 7)
    torch.testing.assert_close(samples.sample(generator, 40, seed=3), many, rtol=0, atol=1)


def test_drawing_leaves_the_generator_and_random_numbers_as_they_were(generator: toy.ToyGenerator):
    generator.train()
    before = {key: value.clone() for key, value in generator.state_dict().items()}
    state = torch.get_rng_state()
    samples.sample(generator, 3, seed=0)
    assert generator.training
    assert all(torch.equal(value, before[key]) for key, value in generator.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)


def test_labels_are_drawn_and_what_is_chosen_stays(conditional: toy.ToyGenerator):
    drawn = samples.labels(conditional, seed=1, n=60, choice={})
    assert drawn is not None
    assert {tuple(row) for row in drawn.tolist()} == {(h, s) for h in range(3) for s in range(2)}
    chosen = samples.labels(conditional, seed=1, n=60, choice={"hue": "blue"})
    assert chosen is not None
    assert chosen[:, 0].tolist() == [2] * 60
    assert torch.equal(chosen[:, 1], drawn[:, 1])
    blue = samples.sample(conditional, 8, 1, {"hue": "blue"})
    red = samples.sample(conditional, 8, 1, {"hue": "red"})
    assert not torch.equal(blue, red)


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        (
            {"heu": "red"},
            "label heu=red: there is no 'heu', did you mean 'hue'? Available: hue, side.",
        ),
        (
            {"hue": "blu"},
            "label hue=blu: 'blu' is no hue, did you mean 'blue'? Available: blue, green, red.",
        ),
        (
            {"hue": "mauve"},
            "label hue=mauve: 'mauve' is no hue. Available: blue, green, red.",
        ),
    ],
)
def test_unknown_labels(conditional: toy.ToyGenerator, chosen: dict[str, str], message: str):
    with pytest.raises(RunError) as refused:
        samples.sample(conditional, 2, 0, chosen)
    assert str(refused.value) == message


def test_labels_of_an_unconditional_generator(generator: toy.ToyGenerator):
    assert samples.labels(generator, 0, 3, {}) is None
    with pytest.raises(RunError, match="this model has no labels"):
        samples.sample(generator, 2, 0, {"hue": "red"})


def test_a_row_walks_from_one_latent_to_the_next(generator: toy.ToyGenerator):
    ends = samples.latents(generator, 2, 6)
    walk = walks.rows(ends.unflatten(0, (3, 2)), 5)
    assert walk.shape == (15, 4)
    assert_close(walk[::5], ends[::2])
    assert_close(walk[4::5], ends[1::2])
    pictures = torch.cat(list(samples.drawn(generator, {"latent": walk.repeat(2, 1)})))
    assert torch.equal(pictures[:15], samples.draw(generator, {"latent": walk}))
    assert torch.equal(pictures[15:], pictures[:15])


def test_a_loop_goes_through_all_latents_and_back(generator: toy.ToyGenerator):
    stops = samples.latents(generator, 2, 3)
    walk = walks.loop(stops, 12)
    assert walk.shape == (12, 4)
    assert_close(walk[::4], stops)
    steps = (walk - walk.roll(1, 0)).norm(dim=1)
    assert steps.max() < (stops - stops.roll(1, 0)).norm(dim=1).max() / 2  # the last one too
    assert_close(walks.loop(stops, 7)[0], stops[0])  # parts of unequal length


def test_the_walk_keeps_to_the_shell_where_latents_live():
    a, b = torch.tensor([2.0, 0.0]), torch.tensor([0.0, 2.0])
    for t in torch.linspace(0, 1, 7):
        assert float(walks.slerp(a, b, t).norm()) == pytest.approx(2.0, rel=1e-5)
    assert torch.equal(walks.slerp(a, a, torch.tensor(0.3)), a)
    assert_close(walks.slerp(a, -a, torch.tensor(0.25)), a / 2)  # no great circle


def test_to_uint8_rounds_and_clamps():
    values = torch.tensor([-2.0, -1.0, 0.0, 1.0, 5.0, -1.0 + 1.9 / 127.5])
    assert samples.to_uint8(values).tolist() == [0, 0, 128, 255, 255, 2]


@pytest.mark.parametrize(
    ("n", "columns", "rows", "across"), [(7, None, 3, 3), (4, 4, 1, 4), (1, None, 1, 1)]
)
def test_the_grid_is_filled_row_by_row(n: int, columns: int | None, rows: int, across: int):
    pictures = torch.arange(n, dtype=torch.uint8)[:, None, None, None].expand(n, 3, 5, 6)
    sheet = np.asarray(samples.grid(pictures, columns, gap=2))
    assert sheet.shape == (rows * 7 + 2, across * 8 + 2, 3)
    for index in range(n):
        top, left = 2 + 7 * (index // across), 2 + 8 * (index % across)
        assert (sheet[top : top + 5, left : left + 6] == index).all()
    assert (sheet[:2] == 255).all()
    assert (sheet[:, :2] == 255).all()


def test_write_makes_a_grid_or_a_folder(generator: toy.ToyGenerator, tmp_path: Path):
    pictures = samples.sample(generator, 4, 0)
    samples.write([pictures], 4, tmp_path / "deep" / "grid.png")
    assert Image.open(tmp_path / "deep" / "grid.png").size == (22, 22)
    samples.write([pictures[:1]], 1, tmp_path / "one.png")
    one = np.asarray(Image.open(tmp_path / "one.png"))
    assert np.array_equal(one, pictures[0].permute(1, 2, 0).numpy())
    samples.write(pictures.split(3), 4, tmp_path / "single")
    single = sorted((tmp_path / "single").iterdir())
    assert [path.name for path in single] == [f"{i:05d}.png" for i in range(4)]
    for path, picture in zip(single, pictures, strict=True):
        assert np.array_equal(np.asarray(Image.open(path)), picture.permute(1, 2, 0).numpy())


def test_a_run_draws_from_the_moving_average_and_fixed_latents(
    train: Callable[..., Path], tmp_path: Path
):
    run = train()
    loaded = model.load(run, toy.plugins().registry)
    drawn = tmp_path / "again.png"
    samples.write(samples.stream(loaded.generator, 4, seed=0), 4, drawn)
    last = run / "samples" / "00000009.png"
    assert np.array_equal(np.asarray(Image.open(drawn)), np.asarray(Image.open(last)))


def test_a_translator_draws_fixed_images_of_the_dataset(train: Callable[..., Path]):
    run = train(
        dataset={"use": "toy", "photo": True},
        generator={"use": "toy-translator"},
        views={"gray": {"use": "grayscale", "of": "photo"}},
    )
    assert [p.name for p in sorted((run / "samples").iterdir())] == [
        "00000000.png",
        "00000004.png",
        "00000008.png",
        "00000009.png",
    ]
    assert not (run / "model" / "samples.png").exists()
    assert model.load(run, toy.plugins().registry).config.input.kind == "image"
