"""Every verb with hostile names, and recipes with hostile text: nothing but text comes out."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hostile import HOSTILE, is_plain, look, typed
from PIL import Image
from submitted import score, submit
from typer.main import get_command

from ganzoo.cli import command_line
from ganzoo.evaluation.result import Reported
from ganzoo.plugins.manager import installed
from ganzoo.plugins.shipped import shipped_models

#: in one name: commands to a terminal, turned and unseen letters, a second line, markup
NAME = "\x1b[2J\x9b31m\u202e\u200b\n[bold red]\x07" + os.fsdecode(b"\xff")
#: what texts of JSON may hold
TEXT = "\u202ea\u200b\u2028[bold]<b>&"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a model, a run, entries, images and a recipe of somebody hostile."""
    folder = tmp_path_factory.mktemp("place")
    before = Path.cwd()
    os.chdir(folder)
    model = Path(f"model{NAME}")
    shutil.copytree(shipped_models()["ganzoo/avatars-64"], model)
    config: dict[str, Any] = json.loads((model / "config.json").read_text())
    config["licences"] = dict.fromkeys(config["licences"], f"mit\nlicence: {TEXT}")
    config["training"] |= {"recipe": TEXT, "dataset": {"use": TEXT, TEXT: [TEXT]}}
    (model / "config.json").write_text(json.dumps(config))
    run = Path(f"run{NAME}")
    (run / "samples").mkdir(parents=True)
    (run / "recipe.yaml").write_text(yaml.safe_dump({"recipe": NAME[:-1], TEXT: [TEXT]}))
    row = {"seconds": 1.0, "stage": NAME[:-1], f"share/{NAME[:-1]}": 0.0, f"G/{TEXT}": 1.0}
    lines = [json.dumps({"step": step, **row}) for step in range(301, 320)]
    (run / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    (run / "manifest.json").write_text(json.dumps({"status": "stopped", "reason": NAME[:-1]}))
    claim = {"fid": Reported(1.0, TEXT)}
    odd = score(3.0, unit=TEXT, unreliable=TEXT)
    submit(Path("entries"), "odd", odd, recipe=TEXT, generator=TEXT, notes=TEXT, reported=claim)
    submit(Path("entries"), "good")
    Path(f"entries/avatars-32/x{NAME}.json").write_text("{")
    images = Path(f"images{NAME}")
    images.mkdir()
    for number, evil in enumerate([NAME, *(h for h in HOSTILE if len(h) < 20 and "/" not in h)]):
        with_name = images / f"{number}{evil.replace(chr(0), '')}.png"
        try:
            Image.new("RGB", (16, 16), (number, 0, 0)).save(with_name)
        except (OSError, UnicodeEncodeError):  # this system has no such names
            continue
    (images / f"broken{NAME}.png").write_text("x")
    Path(f"recipe{NAME}.yaml").write_text(yaml.safe_dump({"recipe": NAME[:-1], TEXT: 1}))
    Path(f"weights{NAME}.pt").write_text("x")
    yield folder
    os.chdir(before)


MODEL, RUN, IMAGES, RECIPE = f"model{NAME}", f"run{NAME}", f"images{NAME}", f"recipe{NAME}.yaml"
ENTRIES = ("--entries", "entries")
SET = ("--set", f"{NAME}={NAME}")
WALK: dict[str, list[tuple[str, ...]]] = {
    "list": [(), ("--json",), (NAME,)],
    "show": [(MODEL,), (MODEL, "--json"), (RECIPE,), (NAME,), ("loss", NAME), (NAME, NAME)],
    "plugins list": [(), ("--json",)],
    "plugins new": [(NAME,), ("acme", "--with", NAME), ("acme", "--out", MODEL)],
    "plugins check": [(NAME,)],
    "recipe check": [(RECIPE,), (RECIPE, "--json"), ("dcgan", *SET), (NAME,)],
    "recipe resolve": [(RECIPE,), ("dcgan", *SET)],
    "recipe schema": [()],
    "recipe explain": [(NAME,), (f"dataset.{NAME}",)],
    "recipe new": [(NAME,), (NAME, "--out", RECIPE), ("mine", "--out", RECIPE)],
    "train": [
        (RECIPE,),
        ("dcgan", *SET),
        ("dcgan-avatars", "--out", RUN),
        ("dcgan-avatars", "--seeds", NAME),
        ("dcgan-avatars", "--seeds", "0", "--out", RUN),
    ],
    "resume": [(RUN,), (RUN, *SET), (NAME,)],
    "sample": [
        (NAME,),
        (MODEL, "--label", f"{NAME}=1"),
        (MODEL, "--direction", NAME),
        (MODEL, "--latent", f"weights{NAME}.pt"),
        (MODEL, "--out", f"{NAME}.gif"),
    ],
    "stylize": [
        (NAME, "--style", NAME, "--out", "o"),
        (RECIPE, "--style", RECIPE, "--out", f"o{NAME}"),
        ("images", "--style", "images", "--out", "o", "--extractor", NAME),
    ],
    "directions": [(NAME,), (MODEL, "--label", f"{NAME}=1"), (MODEL, "--out", f"{NAME}.gif")],
    "translate": [(MODEL, IMAGES, "--out", f"out{NAME}"), (NAME, IMAGES, "--out", "o")],
    "avatar": [
        (IMAGES, "--out", f"out{NAME}", "--landmarks", "none"),
        (IMAGES, "--out", "o", "--model", NAME),
        (NAME, "--out", "o"),
        (IMAGES, "--out", "o", "--detector", NAME),
        (IMAGES, "--out", "o", *SET),
    ],
    "encode": [(MODEL, IMAGES, "--out", f"out{NAME}"), (NAME, IMAGES, "--out", "o")],
    "inpaint": [
        (MODEL, NAME, "--mask", NAME),
        (MODEL, "images", "--mask", "images"),
        (MODEL, RECIPE, "--mask", RECIPE, "--label", NAME, "--out", f"{NAME}.png"),
    ],
    "project": [(MODEL, NAME), (MODEL, RECIPE, "--out", f"{NAME}.gif"), (NAME, RECIPE)],
    "import": [(NAME, RECIPE, "--out", "o"), ("dcgan", f"weights{NAME}.pt", "--out", f"o{NAME}")],
    "model new": [(NAME, "--out", "o"), ("xdog", "--set", f"{NAME}=1", "--out", "o")],
    "export": [(MODEL, "--format", "onnx", "--out", NAME), (NAME, "--format", "onnx")],
    "report": [(RUN,), (NAME,)],
    "diagnose": [(RUN,), (RUN, "--json"), (NAME,)],
    "evaluate": [(NAME, "-b", NAME), (NAME, "-b", "avatars-64"), (NAME, "-b", "avatars-64", *SET)],
    "verify": [(RECIPE,), (NAME,)],
    "leaderboard": [
        ENTRIES,
        (*ENTRIES, "--json"),
        (*ENTRIES, "--html", "board.html", "--markdown", "board.md"),
        (*ENTRIES, "--html", f"{NAME}/x.html"),
        ("--entries", NAME),
        (NAME, *ENTRIES),
    ],
    "compare": [
        (RUN, MODEL),
        (RUN, MODEL, "--html", "compared.html"),
        (RUN, MODEL, "--json", *ENTRIES),
        (NAME, MODEL),
        (MODEL, "ganzoo/avatars-64", "--photo", NAME),
        (RUN, MODEL, "--html", f"{NAME}/x.html"),
    ],
    "play": [(NAME,), (RECIPE,), ("--host", NAME), ("--port", NAME)],
    "pull": [(NAME,), ("ann/toy", "--revision", NAME), ("ann/toy", "--token", NAME)],
    "push": [(MODEL, NAME), (MODEL, "ann/toy", "--licence", NAME), (NAME, "ann/toy")],
    "search": [(NAME,)],
    "data check": [(IMAGES,), (IMAGES, "--json"), (IMAGES, "--cartoons", IMAGES), (NAME,)],
    "data faces": [(IMAGES, "--out", f"f{NAME}", "--detector", NAME), (NAME, "--out", "f")],
    "data edges": [(IMAGES, "--out", f"e{NAME}", "--size", "16"), (NAME, "--out", "e")],
    "data render": [("--out", f"r{NAME}", "--style", NAME), ("--out", MODEL)],
}


def verbs(group: Any, above: str = "") -> Iterator[str]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from verbs(command, f"{above}{name} ")
        else:
            yield f"{above}{name}"


def test_every_verb_is_walked() -> None:
    assert set(verbs(get_command(command_line(installed())))) == set(WALK)


@pytest.mark.parametrize("verb", WALK)
def test_a_verb_with_hostile_names(verb: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setenv("GANZOO_CACHE", str(place / "cache"))
    for words in WALK[verb]:
        end, said = typed(*verb.split(), *(word.replace("\0", "") for word in words))
        assert end in (0, 1, 2), words
        assert is_plain(said), words
        assert said, words


def test_pages_hold_no_markup_of_others(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    typed("leaderboard", *ENTRIES, "--html", "b.html", "--markdown", "b.md")
    typed("report", RUN)
    shutil.copytree(RUN, f"again{NAME}")
    typed("compare", RUN, f"again{NAME}", "--html", "c.html")
    for page in (Path("b.html"), Path("b.md"), Path("c.html"), Path(RUN) / "report.html"):
        text = page.read_text(encoding="utf-8")
        assert "[bold]<b>" not in text
        assert "\x1b" not in text.replace(NAME, "")


def test_recipes_with_hostile_text(tmp_path: Path) -> None:
    found = look(1, 200, tmp_path)
    assert (found["traceback"], found["raw"]) == (0, 0)
    assert found["refused"] > 100
    assert found["right"] > 5


def test_the_fuzz_knows_what_is_raw() -> None:
    assert is_plain("a\nb é 💥")
    assert not any(map(is_plain, HOSTILE[:3]))
