"""Dataset ``avatars``: what is drawn is what the labels say, everywhere the same."""

import csv
import hashlib
import io
import json
import pickle
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
import typer
from PIL import Image
from typer.testing import CliRunner

pytest.importorskip("dicebear", reason="the extra 'avatars' is not installed")
pytest.importorskip("resvg_py", reason="the extra 'avatars' is not installed")

from ganzoo.errors import DataError
from ganzoo.scan import scan
from ganzoo_avatars import codes, drawing, register_commands, render
from ganzoo_avatars.avatars import Avatars
from ganzoo_avatars.styles import LOOKS, STYLES


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))


def _rgb(color):
    return np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)])


def test_examples_are_images_and_the_labels_that_were_asked_for():
    dataset = Avatars(count=6, size=16, label=["skin", "hair"])
    assert len(dataset) == 6
    example = dataset[2]
    assert example["real"].shape == (3, 16, 16)
    assert example["real"].dtype == torch.float32
    assert -1 <= example["real"].min() < example["real"].max() <= 1
    assert example["label"].dtype == torch.int64
    assert list(dataset.label_values) == ["skin", "hair"]
    for column, (name, values) in enumerate(dataset.label_values.items()):
        assert values[example["label"][column]] == dataset.attributes()[name][2]


def test_a_batch_is_its_examples_in_order_exactly_pixels_over_127_and_a_half():
    dataset = Avatars(count=5, size=16, label=["hair"])
    batch = dataset.__getitems__([3, 0, 3])
    for row, index in enumerate([3, 0, 3]):
        for word, value in dataset[index].items():
            assert torch.equal(batch[word][row], value)
    pixels = torch.from_numpy(np.stack(list(drawing.draw(render.AVATARS, "toon-head", 5, 16, 0))))
    assert torch.equal(dataset.__getitems__(list(range(5)))["real"], pixels / 127.5 - 1)
    with pytest.raises(IndexError):
        dataset[5]


def test_no_label_unless_asked_for():
    dataset = Avatars(count=2, size=16)
    assert set(dataset[0]) == {"real"}
    assert dataset.label_values is None


def test_a_larger_count_begins_with_the_same_avatars_and_a_seed_changes_them():
    few, more = Avatars(count=3, size=16), Avatars(count=5, size=16)
    other = Avatars(count=3, size=16, seed=1)
    index = [0, 1, 2]
    assert torch.equal(few.__getitems__(index)["real"], more.__getitems__(index)["real"])
    assert not torch.equal(few.__getitems__(index)["real"], other.__getitems__(index)["real"])
    assert len({few.fingerprint(), more.fingerprint(), other.fingerprint()}) == 3


def test_fingerprint_is_the_content():
    plain = Avatars(count=3, size=16)
    assert plain.fingerprint() == Avatars(count=3, size=16).fingerprint()
    assert plain.fingerprint() != Avatars(count=3, size=16, label=["hair"]).fingerprint()


def test_other_processes_draw_the_same_bytes_in_the_same_order(monkeypatch):
    monkeypatch.setattr(drawing, "_ALONE", 1)
    monkeypatch.setattr(drawing, "_cores", lambda: 3)
    apart = np.stack(list(drawing.draw(render.AVATARS, "micah", 7, 16, 5)))
    draw = render.Renderer("micah", 16, 5)
    assert np.array_equal(apart, np.stack([draw(i) for i in range(7)]))


def test_attributes_are_the_same_in_another_process():
    code = (
        "import json; from ganzoo_avatars import render; from ganzoo_avatars.styles import LOOKS;"
        "v = LOOKS['lorelei'].values(render.definition('lorelei'));"
        "print(json.dumps([render.choose(LOOKS['lorelei'], v, 3, i) for i in range(20)]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    values = LOOKS["lorelei"].values(render.definition("lorelei"))
    here = [render.choose(LOOKS["lorelei"], values, 3, i) for i in range(20)]
    assert json.loads(done.stdout) == here


def test_a_dead_renderer_is_an_error_and_nothing_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(drawing, "_ALONE", 1)
    monkeypatch.setattr(drawing, "_cores", lambda: 2)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(DataError, match="ended early"):
        Avatars(count=4, size=16).prepare()
    assert not [p for p in (tmp_path / "cache").iterdir() if p.is_dir()]


@pytest.mark.parametrize("style", STYLES)
def test_every_pixel_is_what_resvg_makes_of_dicebears_drawing(style):
    import dicebear
    import resvg_py

    draw = render.Renderer(style, 32, seed=4)
    for index in range(4):
        svg = str(dicebear.Avatar(draw._style, draw.options(index)))
        png = resvg_py.svg_to_bytes(svg_string=svg, width=64, height=64, skip_system_fonts=True)
        whole = Image.open(io.BytesIO(png)).convert("RGB")
        small = whole.resize((32, 32), Image.Resampling.LANCZOS)
        assert np.array_equal(draw(index), np.asarray(small).transpose(2, 0, 1))


def test_few_images_start_few_processes(monkeypatch):
    started = []
    monkeypatch.setattr(drawing, "_cores", lambda: 64)
    monkeypatch.setattr(
        drawing, "_draw_in_processes", lambda *job: started.append(job[-1]) or iter(())
    )
    for count in (64, 65, 1000, 5000):
        list(drawing.draw(render.AVATARS, "toon-head", count, 8, 0))
    assert started == [2, 16, 64]


@pytest.mark.parametrize("style", STYLES)
def test_every_style_shows_the_colours_that_its_attributes_name(style):
    """Hair, skin and background of the named colour cover a visible part of the picture."""
    look = LOOKS[style]
    draw = render.Renderer(style, 32, seed=2)
    missing = {"hair": 0, "skin": 0, "background": 0}
    seen = set()
    for index in range(12):
        chosen = render.choose(look, draw.values, 2, index)
        pixels = draw(index).transpose(1, 2, 0).astype(int)
        seen.add(hashlib.sha256(pixels.tobytes()).digest())
        for name in missing:
            away = np.abs(pixels - _rgb(look.colors[name][chosen[name]])).max(axis=2)
            missing[name] += (away <= 24).mean() < 0.02
    assert missing["background"] == 0
    assert missing["skin"] <= 1  # hidden by a large mouth or fringe
    assert missing["hair"] <= 3  # some heads are shaved
    assert len(seen) == 12


@pytest.mark.parametrize("style", STYLES)
def test_every_part_of_every_style_is_in_its_definition(style):
    look, definition = LOOKS[style], render.definition(style)
    values = look.values(definition)
    assert {"hair", "skin", "background", "hairstyle"} <= set(values)
    assert tuple(values) == look.attributes
    for name, part in look.parts.items():
        variants = definition["components"][part.component]["variants"]
        assert set(values[name]) - {"none"} <= set(variants)
    for component in look.hidden:
        assert component in definition["components"]


def test_attribution_stands_beside_the_cache(tmp_path):
    Avatars(style="lorelei", count=1, size=16).prepare()
    (path,) = (tmp_path / "cache").glob("avatars-*/ATTRIBUTION.md")
    text = path.read_text()
    for fact in ("Lisa Wischofsky", "CC0 1.0", "creativecommons.org", "Lorelei", "recoloured"):
        assert fact in text


def test_prepared_datasets_pickle_small_and_read_the_same():
    dataset = Avatars(count=3, size=32, label=["hair"])
    dataset.prepare()
    blob = pickle.dumps(dataset)
    assert len(blob) < 3 * 3 * 32 * 32
    again = pickle.loads(blob)
    assert torch.equal(again[1]["real"], dataset[1]["real"])
    assert torch.equal(again[1]["label"], dataset[1]["label"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"label": ["hairs"]}, ["'hairs'", "did you mean 'hair'?", "background", "toon-head"]),
        ({"label": []}, ["one or more"]),
        ({"label": ["hair", "hair"]}, ["each once"]),
        ({"style": "toonhead"}, ["did you mean 'toon-head'?", "lorelei"]),
    ],
)
def test_wrong_arguments_say_what_there_is(arguments, words):
    with pytest.raises(DataError) as error:
        Avatars(**arguments)
    assert all(word in str(error.value) for word in words)


def test_missing_packages_name_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(DataError, match=re.escape("pip install 'ganzoo[avatars]'")):
        Avatars(count=1).prepare()


@pytest.fixture
def run():
    cli = typer.Typer()
    register_commands(cli)

    def call(*arguments):
        result = CliRunner().invoke(cli, ["data", *map(str, arguments)])
        if isinstance(result.exception, DataError):
            raise result.exception
        assert result.exception is None, result.output
        return result.stdout

    return call


def test_render_writes_images_attributes_attribution_and_a_sheet(run, tmp_path):
    out = tmp_path / "new" / "out"
    said = run("render", "--style", "micah", "--count", 5, "--size", 24, "--seed", 3, "--out", out)
    assert "5 micah avatars" in said
    assert Image.open(out / "00004.png").size == (24, 24)
    rows = list(csv.DictReader((out / "attributes.csv").open()))
    known = json.loads((out / "attributes.json").read_text())
    assert [row.pop("file") for row in rows] == list(known) == [f"{i:05}.png" for i in range(5)]
    assert rows == list(known.values())
    assert {"hair", "skin", "background", "hairstyle", "eyes", "mouth"} <= set(rows[0])
    assert "Micah Lanier" in (out / "ATTRIBUTION.md").read_text()
    assert Image.open(tmp_path / "new" / "out-sheet.png").size == (48, 72)
    assert len(scan(out).names) == len(scan(tmp_path / "new").names) == 5
    same = Avatars(style="micah", count=5, size=24, seed=3)
    pixels = (same[4]["real"].permute(1, 2, 0) + 1).mul(127.5).round().numpy()
    assert np.array_equal(pixels, np.asarray(Image.open(out / "00004.png")))
    with pytest.raises(DataError, match="not empty"):
        run("render", "--out", out)
    with pytest.raises(DataError, match="a file of that name"):
        run("render", "--out", out / "00004.png")
    with pytest.raises(DataError, match="did you mean 'micah'"):
        run("render", "--style", "mica", "--out", tmp_path / "x")
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("style", codes.PARTS)
def test_a_layout_has_each_part_where_its_colour_is(style):
    dataset = Avatars(style=style, count=24, size=64, label=["hair", "skin", "background"])
    assert "layout" not in dataset[0]
    dataset.demand(["layout"])
    batch = dataset.__getitems__(list(range(24)))
    layout, names = batch["layout"], list(dataset.palette)
    assert layout.shape == (24, 1, 64, 64)
    assert layout.dtype == torch.int64
    assert {names[number] for number in layout.unique()} >= {"ground", "skin", "hair", "eyes"}
    colours = LOOKS[style].colors
    columns = dict(zip(dataset.label_values, batch["label"].unbind(1), strict=True))
    for part, attribute in (("ground", "background"), ("skin", "skin"), ("hair", "hair")):
        values = [dataset.label_values[attribute][index] for index in columns[attribute]]
        wanted = np.stack([_rgb(colours[attribute][value]) for value in values])
        pixels = ((batch["real"] + 1) * 127.5).numpy()
        off = np.abs(pixels - wanted[:, :, None, None]).max(1)
        assert np.median(off[layout[:, 0].numpy() == names.index(part)]) < 6, part


def test_styles_of_unknown_parts_have_no_layout():
    dataset = Avatars(style="lorelei", count=2, size=16)
    assert dataset.palette is None
    with pytest.raises(DataError, match="lorelei"):
        dataset.demand(["layout"])
