"""Neural style: what is minimised against its equations, the search, and the command."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.autograd import gradcheck
from torch.testing import assert_close
from typed import Run, typist

import ganzoo
from ganzoo.errors import DataError, RunError
from ganzoo.interfaces import Extractor
from ganzoo_style import transfer
from ganzoo_style.objective import Eyes, Objective, Weights, gram, variation
from ganzoo_style.transfer import Look, Spectrum, looks, stylize, with_colors
from ganzoo_style.translator import Gatys

pytestmark = pytest.mark.usefixtures("one_thread")
EYES = Eyes(["second"], ["first", "second"])


class Small(Extractor):
    """Two convolutions with smooth ends and periodic edges."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.first = nn.Conv2d(3, 4, 3, padding=1, padding_mode="circular")
        self.second = nn.Conv2d(4, 6, 3, padding=1, padding_mode="circular")
        self.requires_grad_(False)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        first = self.first(image).tanh()
        return {"first": first, "second": self.second(first).tanh()}


def noise(n: int = 1, side: int = 8, seed: int = 0) -> Tensor:
    return torch.rand(n, 3, side, side, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """See with the small network wherever an extractor is asked for by a name."""

    def load(name: str) -> tuple[Extractor, Eyes]:
        if name == "efficientnet-lite0":
            return Small(), EYES
        network: Extractor = ganzoo.component("extractor", name)
        return network, EYES

    monkeypatch.setattr(transfer, "load_extractor", load)


def picture(side: int = 40, seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (side // 8, side // 8, 3), np.uint8)
    return Image.fromarray(pixels).resize((side, side))


# What is minimised


def test_the_gradient_is_that_of_finite_differences() -> None:
    weights = Weights(style=2.0, variation=0.5)
    network = Small().double()
    styles = [(noise(seed=1).double(), 1.0)]
    objective = Objective(network, EYES, noise(seed=2).double(), styles, weights)

    def total(image: Tensor) -> Tensor:
        return torch.stack(list(objective(image).values())).sum()

    assert gradcheck(total, (noise(seed=4).double().requires_grad_(),))


def test_values_are_those_of_the_equations() -> None:
    photo, style, image = noise(seed=1), noise(seed=2), noise(seed=3)
    parts = Objective(Small(), EYES, photo, [(style, 1.0)], Weights(3.0, 0.0))(image)
    f, p, s = (Small()(one) for one in (image, photo, style))
    content = ((f["second"] - p["second"]) ** 2).sum() / (p["second"] ** 2).sum()
    distances = []
    for name in EYES.style:
        g, a = (one[name][0].flatten(1) @ one[name][0].flatten(1).T for one in (f, s))
        distances.append(((g - a) ** 2).sum() / (a**2).sum())
    assert_close(parts["content"].item(), content.item())
    assert_close(parts["style"].item(), 3 * torch.stack(distances).mean().item())


def test_a_gram_matrix_knows_no_places() -> None:
    network = Small().double()
    style = noise(side=16).double()
    moved = style.roll((5, 3), (2, 3))
    for before, after in zip(network(style).values(), network(moved).values(), strict=True):
        assert_close(gram(before), gram(after), atol=1e-5, rtol=0)


def test_the_style_itself_has_no_style_to_learn() -> None:
    style = noise()
    objective = Objective(Small(), EYES, style, [(style, 1.0)], Weights(10.0, 0.0))
    assert all(float(value) == 0 for value in objective(style).values())
    assert all(look.total == 0 for look in looks(objective, style, 5))


def test_shares_mix_gram_matrices() -> None:
    one, two = noise(seed=1), noise(seed=2, side=12)
    mixed = Objective(Small(), EYES, noise(), [(one, 3.0), (two, 1.0)], Weights())
    alone = [Objective(Small(), EYES, noise(), [(x, 1.0)], Weights()).grams for x in (one, two)]
    for name, value in mixed.grams.items():
        assert_close(value, 0.75 * alone[0][name] + 0.25 * alone[1][name])


def test_variation_is_of_neighbours() -> None:
    image = torch.zeros(2, 3, 4, 4)
    image[1, :, :, 2:] = 1
    assert_close(variation(image), torch.tensor([0.0, 1 / 3]))


# The search


def test_lbfgs_never_rises_and_ends_low() -> None:
    style = noise(side=16, seed=1)
    objective = Objective(Small(), EYES, noise(side=16), [(style, 1.0)], Weights(100.0, 0.0))
    first = sum(float(value) for value in objective(noise(side=16)).values())
    totals = [first, *(look.total for look in looks(objective, noise(side=16), 60))]
    assert all(after <= before + 1e-6 for before, after in pairwise(totals))
    assert totals[-1] < 0.05 * first


def test_a_spectrum_begins_with_its_picture_and_reaches_any_other() -> None:
    start, other = noise(side=7), noise(side=7, seed=1)
    spectrum = Spectrum(start)
    assert_close(spectrum.image(), start)
    waves = torch.view_as_real(torch.fft.rfft2(other - start, norm="ortho"))
    spectrum.values.data = waves / spectrum.scale[..., None]
    assert_close(spectrum.image(), other)


def test_steps_are_as_many_as_asked_for() -> None:
    objective = Objective(Small(), EYES, noise(), [(noise(seed=1), 1.0)], Weights())
    for optimizer in ("lbfgs", "adam"):
        steps = [look.step for look in looks(objective, noise(), 7, optimizer)]
        assert steps[-1] == 7
        assert steps == sorted(set(steps))


def test_kept_colours_are_the_photos() -> None:
    drawn, photo = 0.2 * noise(side=16), 0.2 * noise(side=16, seed=1)
    result = with_colors(drawn, photo)
    luma = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)
    assert_close((result * luma).sum(1), (drawn * luma).sum(1), atol=1e-6, rtol=0)
    assert_close(result - result[:, :1], photo - photo[:, :1], atol=1e-6, rtol=0)


def test_a_photo_is_drawn_in_python() -> None:
    seen: list[Look] = []
    how = {"steps": 6, "size": 32}
    result = stylize(picture(48), picture(seed=1), look=seen.append, **how)
    assert result.size == (32, 32)
    assert seen[-1].step == 6
    two = stylize(picture(48), [picture(seed=1), picture(seed=2)], shares=[1, 3], **how)
    large = stylize(picture(48), picture(seed=1), scale=2, **how)
    plain = stylize(picture(48), picture(seed=1), keep_colors=True, **how)
    started = stylize(picture(48), picture(seed=1), start="noise", seed=1, **how)
    assert len({one.tobytes() for one in (result, two, large, plain, started)}) == 5


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(DataError, match="1x1"):
        stylize(picture(), Image.new("RGB", (1, 1)), steps=1)
    with pytest.raises(DataError, match="400x9"):
        stylize(Image.new("RGB", (400, 9)), picture(), steps=1, size=64)
    with pytest.raises(RunError, match="weight"):
        stylize(picture(), [picture()], shares=[1, 2], steps=1)


# The translator


def test_a_translator_draws_each_photo_in_the_style_nearest_to_it() -> None:
    pytest.importorskip("dicebear", reason="the extra 'avatars' is not installed")
    model = Gatys(count=4)
    drawings = torch.stack([data["real"] for data in avatars(4)])
    photos = noise(3, 32)
    with torch.inference_mode():
        result = model(photos)
        alone = torch.cat([model(photo[None]) for photo in photos])
    assert_close(result, alone, atol=1e-3, rtol=0)
    assert not model.state_dict()
    for photo, image in zip(photos.split(1), result.split(1), strict=True):
        every = Objective(Small(), EYES, photo, [(drawings, 1.0)], Weights())
        before, after = every(photo)["style"], every(image)["style"]
        assert after[before.argmin()] < 0.5 * before.min()


def avatars(count: int) -> list[dict[str, Tensor]]:
    data = ganzoo.component("dataset", "avatars", count=count, size=32)
    data.prepare()
    return [data[index] for index in range(count)]


# The command


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)
    picture(48).save("me.png")
    picture(seed=1).save("style.png")
    Image.new("RGB", (1, 1)).save("dot.png")
    return typist(monkeypatch, capsys)


def test_the_command_draws_and_keeps_pictures_between(run: Run) -> None:
    words = ("me.png", "--style", "style.png", "--out", "drawn", "--size", 32, "--steps", 12)
    done = run("stylize", *words, "--every", 5)
    assert done.code == 0, done.err
    names = sorted(path.name for path in Path("drawn").iterdir())
    assert names == ["me-00005.png", "me-00010.png", "me.png"]
    with Image.open("drawn/me.png") as drawn:
        assert drawn.size == (32, 32)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["me.png", "--style", "dot.png", "--out", "o"], "dot.png has 1x1"),
        (["me.png", "--style", "no.png", "--out", "o"], "no.png"),
        (["me.png", "--style", "style.png", "--out", "style.png"], "is a file"),
        (["me.png", "--style", "style.png", "--out", "."], "would be replaced"),
        (["me.png", "me.png", "--style", "style.png", "--out", "o"], "both become"),
        (["me.png", "--style", "style.png", "--share", "1", "--share", "2", "--out", "o"], "each"),
        (["me.png", "--style", "style.png", "--share", "0", "--out", "o"], "more than 0"),
        (["me.png", "--style", "style.png", "--out", "o", "--extractor", "vgg91"], "vgg91"),
    ],
)
def test_a_mistake_is_one_line(run: Run, words: list[str], says: str) -> None:
    done = run("stylize", *words)
    assert done.code == 2
    assert says in " ".join(done.err.split())
    assert "Traceback" not in done.err
    assert not Path("o").exists()
