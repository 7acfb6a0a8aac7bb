"""``ganzoo data check``."""

import json
import subprocess
import sys

import numpy as np
import pytest
import typer
from pictures import cartoon_like, photo_like
from PIL import Image
from typer.main import get_group
from typer.testing import CliRunner

from ganzoo import progress
from ganzoo.cli import command_line
from ganzoo.errors import DataError
from ganzoo.plugins.manager import installed
from ganzoo.scan import scan
from ganzoo_folders import register_commands


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))


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


def _blots(seed, side=40):
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC)


def test_without_a_terminal_progress_is_a_line_now_and_then(capsys, monkeypatch):
    monkeypatch.setattr(progress, "LINE_EVERY", 0)
    with progress.progress("Counting", 4, "sheep") as advance:
        advance(3)
    assert "Counting: 3 of 4 sheep" in capsys.readouterr().err
    monkeypatch.undo()
    with progress.progress("Counting", 4, "sheep") as advance:
        advance(4)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("package", ["ganzoo_folders", "ganzoo_avatars", "ganzoo_faces"])
def test_registering_imports_nothing_heavy(package):
    code = (
        f"import sys, typer, {package}; {package}.register_commands(typer.Typer());"
        "print([m for m in ('torch', 'numpy', 'PIL', 'dicebear') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "[]"


def test_three_plugins_share_the_group():
    data = get_group(command_line(installed())).commands["data"]
    assert set(data.commands) == {"check", "edges", "faces", "render"}
    assert data.help.startswith("Inspect")


def test_a_sheet_does_not_come_among_the_images(run, tmp_path):
    folder = tmp_path / "images"
    (folder / "deep").mkdir(parents=True)
    _blots(0).save(folder / "a.png")
    for sheet in (folder / "sheet.png", folder / "deep" / "sheet.png"):
        with pytest.raises(DataError, match=r"sheet\.png.* next time"):
            run("check", folder, "--sheet", sheet)
        with pytest.raises(DataError, match=r"sheet\.png.* next time"):
            run("edges", folder, "--out", tmp_path / "smooth", "--sheet", sheet)
    assert [path.name for path in folder.rglob("*.png")] == ["a.png"]
    run("check", folder, "--sheet", tmp_path / "images-sheet.png")
    assert scan(tmp_path).names == ["images/a.png"]


def test_check_counts_everything(run, tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    _blots(0).save(folder / "a.png")
    _blots(0).save(folder / "copy.bmp")
    _blots(0, side=80).save(folder / "larger.png")
    _blots(1, side=60).convert("L").save(folder / "gray.jpg")
    (folder / "broken.png").write_bytes(b"rubbish")
    (folder / "a.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    sheet = tmp_path / "sheet.png"
    report = json.loads(run("check", folder, "--size", 32, "--sheet", sheet, "--json"))
    assert report["files"] == 5
    assert report["usable"] == 4
    assert report["width"] == {"min": 40, "median": 50, "max": 80}
    assert report["formats"] == {"PNG": 2, "BMP": 1, "JPEG": 1}
    assert report["modes"] == {"RGB": 3, "L": 1}
    assert report["gray_share"] == 0.25
    assert report["exact_duplicates"] == 1
    assert report["near_duplicates"] == 1
    assert set(report["rejected"]) == {"broken.png"}
    assert report["not_looked_at"] == {"HEIC": 1}
    assert any("Few usable images: 4" in warning for warning in report["warnings"])
    assert Image.open(sheet).size == (64, 64)
    text = run("check", folder)
    assert "broken.png" in text
    assert "5, of which 4 usable" in text


def test_check_of_what_is_no_folder_of_images_says_so(run, tmp_path):
    with pytest.raises(DataError, match="no folder"):
        run("check", tmp_path / "absent")
    with pytest.raises(DataError, match=r"end the name in \.png"):
        run("check", tmp_path, "--sheet", "sheet.txt")


def _folders(tmp_path):
    photos, cartoons = tmp_path / "photos", tmp_path / "cartoons"
    for folder, make in ((photos, photo_like), (cartoons, cartoon_like)):
        folder.mkdir()
        for i in range(12):
            Image.fromarray(make(i)).save(folder / f"{i}.png")
    return photos, cartoons


def test_check_says_what_a_folder_looks_like(run, tmp_path):
    photos, cartoons = _folders(tmp_path)
    assert json.loads(run("check", photos, "--json"))["looks_like"] == "photos"
    assert json.loads(run("check", cartoons, "--json"))["looks_like"] == "drawings"


def test_check_of_photos_and_cartoons_reports_both(run, tmp_path):
    photos, cartoons = _folders(tmp_path)
    report = json.loads(run("check", photos, "--cartoons", cartoons, "--json"))
    assert set(report) == {"photo", "real", "warnings"}
    assert report["photo"]["looks_like"] == "photos"
    assert report["real"]["usable"] == 12
    few = [warning for warning in report["warnings"] if "Few usable" in warning]
    assert [warning.split(":")[0] for warning in few] == ["photo", "real"]
    assert "authors of CartoonGAN used thousands" in few[1]
    assert len(report["warnings"]) == 2
    text = run("check", photos, "--cartoons", cartoons)
    assert "photo: " in text
    assert "real: " in text


def test_check_recognises_swapped_folders(run, tmp_path):
    photos, cartoons = _folders(tmp_path)
    report = json.loads(run("check", cartoons, "--cartoons", photos, "--json"))
    assert "seem to be swapped" in report["warnings"][0]
    more = tmp_path / "more"
    more.mkdir()
    for i in range(12):
        Image.fromarray(cartoon_like(50 + i)).save(more / f"{i}.png")
    report = json.loads(run("check", more, "--cartoons", cartoons, "--json"))
    assert "looks like drawings" in report["warnings"][0]
    assert not any("seem to be swapped" in warning for warning in report["warnings"])


def test_check_recognises_smoothed_images_that_are_not(run, tmp_path):
    pytest.importorskip("cv2")
    photos, cartoons = _folders(tmp_path)
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in cartoons.iterdir():
        Image.open(path).save(copy / f"{path.stem}.bmp")
    Image.open(photos / "0.png").save(cartoons / "astray.png")
    report = json.loads(run("check", photos, "--cartoons", cartoons, "--smooth", copy, "--json"))
    assert "among the cartoons: 1" in report["warnings"][0]
    assert "equal a cartoon: 12 of 12" in report["warnings"][1]
    run("edges", cartoons, "--out", tmp_path / "smooth")
    arguments = ("check", photos, "--cartoons", cartoons, "--smooth", tmp_path / "smooth")
    report = json.loads(run(*arguments, "--json"))
    assert report["smooth"]["usable"] == 13
    assert not any("true and false" in warning for warning in report["warnings"])
    assert "edges to smooth: 1 of 13" in report["warnings"][1]


def test_check_of_folders_that_make_no_sense_together_says_so(run, tmp_path):
    photos, cartoons = _folders(tmp_path)
    with pytest.raises(DataError, match=r"photo and real .* same"):
        run("check", photos, "--cartoons", photos)
    with pytest.raises(DataError, match="--cartoons DIR"):
        run("check", photos, "--smooth", cartoons)
    with pytest.raises(DataError, match="no folder"):
        run("check", photos, "--cartoons", tmp_path / "absent")
