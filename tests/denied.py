"""Run every verb where files may not be read or written: ``python denied.py FOLDER``.

All commands run in this process, which has no right to pass over permissions; as root it is
started without that right, see ``test_denied.py``.  Prints a JSON list of what each command did.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import pwd
import shutil
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import torch
import toy
from PIL import Image
from tutorial import trained
from typer.main import get_command

import ganzoo.plugins.manager
from ganzoo import cli
from ganzoo.plugins.manager import Plugins
from ganzoo.plugins.registry import Origin
from ganzoo.recipe.recipe import load_recipe
from ganzoo.training.loop import start

LONG = "x" * 300


def everything() -> Plugins:
    """The installed plugins and the toys, with which a command takes milliseconds."""
    plugins = Plugins()
    plugins.load_entry_points()
    plugins.add(toy.Plugin, Origin("toy", "toy-dist", "1.0"))
    return plugins


def prepare(root: Path, plugins: Plugins) -> None:
    """Folders that may be used, not be read, and not be written."""
    (root / "images").mkdir(parents=True)
    for i in range(20):
        Image.effect_noise((8, 8), 60 + i).convert("RGB").save(root / "images" / f"{i}.png")
    (root / "photo.png").write_bytes((root / "images" / "0.png").read_bytes())
    Image.linear_gradient("L").resize((8, 8)).save(root / "mask.png")
    toy.recipe(root)
    toy.benchmark(root)
    folder = {"use": "folder", "path": str(root / "images"), "size": 8}
    (root / "folder.yaml").write_text(json.dumps({**toy.GAN, "dataset": folder}))
    verify = {
        "benchmark": str(root / "toys.yaml"),
        "expected": {"distance-toy": [0, 1e6]},
        "seeds": [0],
    }
    (root / "verified.yaml").write_text(json.dumps({**toy.GAN, "verify": verify}))
    start(load_recipe(root / "toy.yaml", (), plugins.registry), root / "run", plugins)
    translator = {"dataset": {"use": "toy", "photo": True}, "generator": {"use": "toy-translator"}}
    toy.recipe(root / "recipes", **translator)
    shutil.copy(root / "recipes" / "toy.yaml", root / "painter.yaml")
    start(load_recipe(root / "painter.yaml", (), plugins.registry), root / "painter", plugins)
    shutil.copytree(root / "painter" / "model", root / "twin")
    for name in ("closed", "sealed"):
        (root / name).mkdir()
        shutil.copy(root / "toy.yaml", root / name)
        shutil.copytree(root / "images", root / name / "images")
    torch.save(trained().state_dict(), root / "dcgan.pt")
    (root / "secret.yaml").write_text("recipe: secret\n")
    (root / "secret.png").write_bytes((root / "photo.png").read_bytes())


#: what may not be read: a folder, what is in it, a file, and a name that no file can have
UNREADABLE = ("closed", "closed/toy.yaml", "closed/images", "secret.yaml", LONG)
#: what may not be written: in a folder without that right, in one without any, and such a name
UNWRITABLE = ("sealed/new", "closed/new", f"sealed/{LONG}", "secret.yaml/new")
MODES = {"closed": 0o000, "sealed": 0o555, "secret.yaml": 0o000, "secret.png": 0o000}

READING = [
    "show {}",
    "recipe check {}",
    "recipe resolve {}",
    "recipe new fresh --from {}",
    "train {} --out new",
    "train folder.yaml --set dataset.path={} --out new",
    "train toy.yaml --set init_from={} --out new",
    "resume {}",
    "sample {} --out new.png",
    "sample run --latent {} --out new.png",
    "directions {} --out new.png",
    "translate {} photo.png --out new",
    "translate painter {} --out new",
    "avatar {} --out new",
    "avatar photo.png --model {} --out new",
    "encode {} photo.png --out new",
    "inpaint {} photo.png --mask mask.png --steps 1 --out new.png",
    "inpaint run {} --mask mask.png --steps 1 --out new.png",
    "inpaint run photo.png --mask {} --steps 1 --out new.png",
    "project {} photo.png --steps 1 --out new.png",
    "stylize {} --style photo.png --out new --steps 1 --size 32",
    "stylize photo.png --style {} --out new --steps 1 --size 32",
    "project run {} --steps 1 --out new.png",
    "import dcgan-pytorch {} --out new",
    "export {} --format onnx --out new.onnx",
    "report {}",
    "diagnose {}",
    "evaluate {} --benchmark toys.yaml --out new",
    "evaluate run --benchmark {} --out new",
    "verify {} --out new",
    "leaderboard --entries {}",
    "compare run {}",
    "compare run ganzoo/avatars-64 --no-pictures --entries {}",
    "compare painter twin --photo {} --html new.html",
    "play {} --no-browser --port 0",
    "push {} me/it --dry-run",
    "push run me/it --dry-run --licence mit --card {}",
    "push run me/it --dry-run --licence mit --entries {}",
    "data check {}",
    "data check images --cartoons {}",
    "data edges {} --out new",
    "data faces {} --out new",
]
WRITING = [
    "train toy.yaml --out {}",
    "train toy.yaml --seeds 0 --out {}",
    "sample run -n 1 --out {}",
    "sample run -n 1 --out {}.png",
    "sample run -n 2 --interpolate --out {}.gif",
    "directions run --out {}.png",
    "inpaint run photo.png --mask mask.png --steps 1 --out {}.png",
    "project run photo.png --steps 1 --out {}.png",
    "stylize photo.png --style photo.png --steps 1 --size 32 --out {}",
    "translate painter photo.png --out {}",
    "avatar photo.png --out {}",
    "import dcgan-pytorch dcgan.pt --out {}",
    "export painter --format torch-export --out {}.pt2",
    "report run --out {}",
    "evaluate run --benchmark toys.yaml --out {}",
    "verify verified.yaml --out {}",
    "leaderboard --entries entries --markdown {}",
    "leaderboard --entries entries --html {}",
    "compare run ganzoo/avatars-64 --no-pictures --html {}",
    "pull ganzoo/avatars-64 --out {}",
    "push ganzoo/avatars-64 me/it --dry-run --licence mit --data-licence mit --out {}",
    "plugins new acme --out {}",
    "model new xdog --out {}",
    "data render --count 1 --size 32 --out {}",
    "data check images --sheet {}.png",
    "data edges images --out {}",
    "data faces images --out {}",
]
#: a run that may only be read
ONLY_READ = {
    "show run": 0,
    "sample run -n 1 --out free.png": 0,
    "report run --out free.html": 0,
    "compare run ganzoo/avatars-64 --no-pictures --html compared.html": 0,
    "diagnose run": 0,
    "evaluate run --benchmark toys.yaml --out free": 0,
    "train toy.yaml --set init_from=run --out free-run": 0,
    "report run": 2,
    "resume run --set stages.0.steps=12": 2,
}


#: in a folder that was removed
GONE = [
    *("compare {}/painter {}/twin", "compare x y"),
    *("list", "show dcgan", "show {}/run", "recipe check {}/toy.yaml", "train toy.yaml"),
    *(
        "train {}/toy.yaml --out {}/free-2",
        "train {}/toy.yaml",
        "sample {}/run",
        "resume run",
        "directions {}/run",
    ),
    *("translate {}/painter photo.png --out new", "report {}/run --out page.html", "data check x"),
    *(
        "evaluate {}/run --benchmark {}/toys.yaml",
        "leaderboard",
        "plugins new acme",
        "diagnose x",
        "recipe new x",
    ),
    *(
        "data render --count 1 --size 32 --out x",
        "export {}/painter --format torch-export",
        "verify x.yaml",
    ),
    *(
        "data edges {}/images --out x",
        "data faces {}/images --out x",
        "import dcgan-pytorch x --out y",
    ),
    "push x me/it --dry-run --licence mit",
]
#: without HOME and without an entry in the list of users
HOMELESS = [
    *("list", "train {}/folder.yaml --out {}/free-3"),
    *(
        "evaluate {}/images --benchmark {}/toys.yaml",
        "leaderboard",
        "data check {}/images",
        "data check ~/images",
        "data edges ~/images --out x",
        "sample {}/run",
    ),
    *("data faces ~/images --out x", "show {}/run", "pull me/it", "search", "show me/it"),
]


PARTS = [
    *("recipe.yaml", "manifest.json", "metrics.jsonl", "samples", "checkpoints", "model", "best"),
    *("checkpoints/step-00000009/state.json", "checkpoints/step-00000009/ema.safetensors"),
    *("model/config.json", "model/model.safetensors", "model/recipe.yaml", "samples/00000008.png"),
]
VERBS = [
    *("show painter", "diagnose painter", "report painter --out page.html"),
    "compare painter twin --html page.html",
    "translate painter photo.png --out drawn-{}",
]
STARTS = "train painter.yaml --set init_from=painter --out new-{}"


def parts(root: Path) -> Iterator[dict[str, object]]:
    """Every verb that reads a run, where one part of it may not be read."""
    for number, part in enumerate(PARTS):
        path = root / "painter" / part
        if path.exists():
            mode = path.stat().st_mode
            for verb in [*VERBS, *[STARTS] * part.startswith("checkpoints")]:
                path.chmod(0)
                yield {**run(verb.replace("{}", str(number)).split()), "part": part}
                path.chmod(mode)


def without_working_folder(root: Path) -> Iterator[dict[str, object]]:
    for form in GONE:
        (root / "gone").mkdir()
        os.chdir(root / "gone")
        (root / "gone").rmdir()
        yield run(form.replace("{}", str(root)).split())
    os.chdir(root)


def without_home(root: Path) -> Iterator[dict[str, object]]:
    def unknown(uid: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    variables = "HOME USER LOGNAME USERNAME GANZOO_CACHE GANZOO_DATA XDG_CACHE_HOME XDG_DATA_HOME"
    for name in variables.split():
        os.environ.pop(name, None)
    pwd.getpwuid = unknown  # type: ignore[assignment]
    (root / "home").mkdir()
    os.chdir(root / "home")
    for form in HOMELESS:
        yield run(form.replace("{}", str(root)).split())
        if (root / "home" / "~").exists():
            yield {"words": ["~"], "code": "made", "said": form, "seconds": 0}
            shutil.rmtree(root / "home" / "~")
    os.chdir(root)


def commands() -> Iterator[list[str]]:
    for forms, places in ((READING, UNREADABLE), (WRITING, UNWRITABLE)):
        for form in forms:
            for place in places:
                yield form.replace("{}", place).split()


def run(words: list[str]) -> dict[str, object]:
    """One command: its exit code, and what it said."""
    sys.argv = ["ganzoo", *words]
    said = io.StringIO()
    began = time.monotonic()
    code: object = 0
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code or 0
        except BaseException:
            code = "traceback"
            said.write(traceback.format_exc())
    seconds = round(time.monotonic() - began, 2)
    return {"words": words, "code": code, "said": said.getvalue(), "seconds": seconds}


def main() -> None:
    root, chosen = Path(sys.argv[1]), sys.argv[2:]
    os.chdir(root)
    plugins = everything()
    prepare(root, plugins)
    ganzoo.plugins.manager.installed = lambda: plugins
    once = get_command(cli.command_line(plugins))  # building it takes longer than most commands
    cli.command_line = lambda _: once  # type: ignore[assignment, return-value]
    run(["evaluate", "run", "--benchmark", "toys.yaml", "--out", "entries"])
    shut = [*root.glob("run/**/*"), root / "run"]
    for path in shut:
        path.chmod(0o555 if path.is_dir() else 0o444)
    for name, mode in MODES.items():
        (root / name).chmod(mode)
    walks = {
        "places": (run(words) for words in commands()),
        "only-read": (run(words.split()) for words in ONLY_READ),
        "working-folder": without_working_folder(root),
        "parts": parts(root),
        "home": without_home(root),
    }
    try:
        for name in chosen:
            for done in walks[name]:
                print(json.dumps({"walk": name, **done}), flush=True)
    finally:
        for path in (*reversed(shut), *(root / name for name in MODES)):
            path.chmod(0o755)


if __name__ == "__main__":
    main()
