"""What the page draws is what its lines draw."""

from __future__ import annotations

import io
import json
import shlex
import zipfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import ganzoo
from ganzoo.cli import command_line
from ganzoo.errors import GanzooError, RunError
from ganzoo.models.model import Model
from ganzoo.play import drawing
from ganzoo.play.drawing import Shift, Step, Wish
from ganzoo.play.sheets import Sheet
from ganzoo.play.shelf import Loaded
from ganzoo.plugins.manager import installed

BOXED = "ganzoo/avatars-64"
SHIFT = Shift(truncation=0.8, directions=[(1, 1.5)])
PLAIN = Wish(BOXED, n=3, seed=5, label={"hair": "pink"}, shift=SHIFT)


@pytest.fixture(scope="module")
def model() -> Model:
    return ganzoo.load(BOXED, device="cpu")


def pixels(pictures: Iterable[Image.Image]) -> np.ndarray:
    return np.stack([np.asarray(picture) for picture in pictures])


@pytest.mark.parametrize(
    "wish",
    [
        Wish(BOXED, n=2),
        PLAIN,
        replace(PLAIN, steps=[Step(5, 2, 1.0)], seed=6),
        replace(PLAIN, steps=[Step(5, 2, 1.0), Step(6, 1, 0.4)], seed=7, spread=0.2),
        replace(PLAIN, shift=replace(SHIFT, numbers=[(3, 1.5), (63, -2.0)])),
        replace(PLAIN, steps=[Step(5, 2, 1.0)], shift=Shift(numbers=[(0, 4.0)])),
    ],
    ids=["plain", "all options", "around one", "around two", "numbers", "numbers around one"],
)
def test_the_python_lines_draw_the_same(model: Model, wish: Wish) -> None:
    names: dict[str, object] = {}
    exec("\n".join(drawing.python_lines(wish)), names)
    assert np.array_equal(pixels(names["pictures"]), pixels(drawing.draw(model, wish)))  # type: ignore[arg-type]


def test_a_model_that_reads_text_is_told_what_to_draw() -> None:
    name = "ganzoo/text-avatars"
    wish = Wish(name, n=2, seed=3, words="pink hair", shift=Shift(truncation=0.9))
    model = ganzoo.load(name, device="cpu")
    names: dict[str, object] = {}
    exec("\n".join(drawing.python_lines(wish)), names)
    pictures = pixels(drawing.draw(model, wish))
    assert np.array_equal(pixels(names["pictures"]), pictures)  # type: ignore[arg-type]
    assert not np.array_equal(
        pictures, pixels(drawing.draw(model, replace(wish, words="tan skin")))
    )
    assert "--text 'pink hair'" in drawing.shell_line(wish)
    assert len(list(drawing.walk(model, wish, 0, 1))) == drawing.FRAMES


def test_the_shell_line_draws_the_same(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _, *words = shlex.split(drawing.shell_line(PLAIN))
    done = CliRunner().invoke(command_line(installed()), words, obj=installed())
    assert done.exit_code == 0, done.output
    archive = zipfile.ZipFile(io.BytesIO(drawing.archive(list(drawing.draw(model, PLAIN)))))
    for name in archive.namelist():
        saved = Image.open(io.BytesIO(archive.read(name)))
        assert np.array_equal(np.asarray(saved), np.asarray(Image.open(Path("pictures", name))))
    assert len(archive.namelist()) == 3


def test_a_sheet_is_drawn_in_parts_and_stops_where_it_is(model: Model) -> None:
    wish = replace(PLAIN, n=40)
    whole, part = Sheet(Loaded(model), wish), Sheet(Loaded(model), wish)
    counts = []
    while not whole.is_done:
        whole.go_on(0)
        counts.append(len(whole.drawn))
    assert counts == [16, 32, 40]
    assert whole.wish == wish
    assert np.array_equal(pixels(one for one, _ in whole.drawn), pixels(drawing.draw(model, wish)))
    part.go_on(0)
    part.stop()
    part.go_on(60)
    assert part.is_done
    assert part.wish == replace(wish, n=16)
    assert len(part.labels) == 16


def test_a_clicked_picture_comes_first_with_its_labels(model: Model) -> None:
    before = Wish(BOXED, n=4, seed=1)
    after = drawing.around(model, before, 2)
    assert after.label == drawing.labels_of(model, before)[2]
    first = pixels(drawing.draw(model, after))[0].astype(int)
    # one level apart at most: another place in the batch may round otherwise
    assert abs(first - pixels(drawing.draw(model, before))[2]).max() <= 1
    again = drawing.around(model, after, 0)
    assert again.steps == after.steps


def test_pictures_are_as_near_as_asked(model: Model) -> None:
    wish = drawing.around(model, Wish(BOXED, n=4), 1)
    same = drawing.latents(model, replace(wish, spread=0.0))
    assert np.allclose(same, same[:1].expand_as(same), atol=1e-5)
    far = drawing.latents(model, replace(wish, spread=1.0))
    assert np.allclose(far[1:], model.latents(4, seed=wish.seed)[1:], atol=1e-5)


def test_a_walk_begins_and_ends_at_its_pictures(model: Model) -> None:
    wish = Wish(
        BOXED, n=3, label={"hair": "red", "skin": "tan", "background": "sky", "clothes": "blue"}
    )
    frames = list(drawing.walk(model, wish, 0, 2))
    ends = pixels(drawing.draw(model, wish)).astype(int)
    assert len(frames) == drawing.FRAMES
    assert abs(frames[0] - ends[0]).max() <= 1
    assert abs(frames[drawing.FRAMES // 2] - ends[2]).max() <= 1
    film = Image.open(io.BytesIO(drawing.video(frames, ".gif")))
    assert film.n_frames == drawing.FRAMES  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "change",
    [
        {"n": 0},
        {"n": drawing.MOST + 1},
        {"n": 2.5},
        {"n": "many"},
        {"seed": -1},
        {"spread": 2},
        {"shift": {"truncation": -0.1}},
        {"shift": {"directions": [[0, 9.0]]}},
        {"shift": {"directions": [[0, 0.5]] * 99}},
        {"shift": {"numbers": [[-1, 0.5]]}},
        {"shift": {"numbers": [[0.5, 0.5]]}},
        {"steps": [{"seed": 0, "index": 999, "spread": 0.5}]},
        {"steps": [{"seed": 0, "index": 0, "spread": 0.5}] * 99},
        {"label": {"hair": 3}},
        {"label": None},
        {"more": 1},
    ],
)
def test_a_wish_that_asks_for_too_much_is_refused(change: dict[str, object]) -> None:
    text = json.dumps(json.loads(PLAIN.text) | change)
    with pytest.raises(RunError):
        drawing.read_wish(text)


def test_a_number_that_the_latents_lack_is_refused(model: Model) -> None:
    with pytest.raises(RunError, match="64 numbers"):
        drawing.latents(model, Wish(BOXED, shift=Shift(numbers=[(64, 1.0)])))


@pytest.mark.parametrize("text", ["", "[]", "{", '{"n": NaN}', "x" * 200_000, "\udcff"])
def test_what_is_no_wish_is_refused(text: str) -> None:
    with pytest.raises(GanzooError):
        drawing.read_wish(text)
    with pytest.raises(GanzooError):
        drawing.read_labels(text)
    with pytest.raises(GanzooError):
        drawing.read_shift(text)


def test_a_wish_comes_back_as_it_was() -> None:
    assert drawing.read_wish(PLAIN.text) == PLAIN
