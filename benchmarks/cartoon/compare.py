"""Do losses made for faces help CartoonGAN?  Train with each of them, alike in all else.

    python benchmarks/cartoon/compare.py train OUT --photos DIR --cartoons DIR --face68 DIR
    python benchmarks/cartoon/compare.py measure OUT

The last 100 photos by name are held out.  Every variant of a seed starts from the same
reconstruction and trains recipe `cartoongan-portrait` without the terms that it does not have.
Without --photos both domains are the dataset `figurines`, whose landmarks are known.  `measure`
writes scores.json, scores.md and sheet.png into OUT.
"""

from __future__ import annotations

import argparse
import inspect
import json
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor, nn

from ganzoo import images
from ganzoo.evaluation.examples import collate
from ganzoo.models import model, samples
from ganzoo.plugins.manager import installed
from ganzoo.plugins.registry import construct
from ganzoo.recipe.recipe import load_recipe
from ganzoo.scan import scan
from ganzoo.training import diagnosis
from ganzoo.training.run_folder import RunFolder

REGISTRY = installed().registry
RECIPE = "cartoongan-portrait"
FACE_LOSSES = ("landmark", "gray", "color")
#: variant -> the face losses that it keeps
VARIANTS = {
    "cartoongan": (),
    "landmark": ("landmark",),
    "gray": ("gray",),
    "color": ("color",),
    "cartoongan-portrait": FACE_LOSSES,
}
HELD_OUT = 100
#: how far and how like, as benchmarks have it
EVALUATORS = ("landmarks", "edges", "likeness", "color", "kid")
#: the place of a figurine's face: left, top, right, bottom
FIGURINE_FACE = [0.2, 0.3, 0.8, 0.95]


# -- training -------------------------------------------------------------------------------


def train(arguments: argparse.Namespace) -> None:
    """Train what is not trained yet, resuming stopped runs."""
    out = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    if arguments.photos:
        split(arguments.photos, out)
    for seed in arguments.seeds:
        for name, recipe in recipes(arguments, seed):
            run = out / name
            if not (run / "manifest.json").is_file():
                file = out / f"{name}.yaml"
                file.write_text(yaml.safe_dump(recipe, sort_keys=False), encoding="utf-8")
                ganzoo("train", file, "--out", run)
            elif json.loads((run / "manifest.json").read_text())["status"] != "finished":
                ganzoo("resume", run)


def ganzoo(*words: object) -> None:
    main = "from ganzoo.cli import main; main()"
    subprocess.run([sys.executable, "-c", main, *map(str, words)], check=True)


def split(photos: Path, out: Path) -> None:
    """Link the training photos and the held-out photos."""
    names = scan(photos).names
    for folder, part in (("train", names[:-HELD_OUT]), ("held-out", names[-HELD_OUT:])):
        (out / folder).mkdir(exist_ok=True)
        for name in part:
            link = out / folder / name.replace("/", "-")
            if not link.is_symlink():
                link.symlink_to((photos / name).resolve())


def recipes(arguments: argparse.Namespace, seed: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the recipe of the common reconstruction, then that of each variant."""
    reconstruct, cartoonize = load_recipe(RECIPE).resolved()["stages"]
    reconstruct["steps"], cartoonize["steps"] = arguments.reconstruct, arguments.steps
    base: dict[str, Any] = {"extends": RECIPE, "seed": seed}
    face: dict[str, Any] = {"weights": str(arguments.face68.resolve())}
    if arguments.photos:
        real = str(arguments.cartoons.resolve())
        base["dataset"] = {"photo": str(arguments.out / "train"), "real": real}
    else:
        face["crop"] = FIGURINE_FACE
        base["dataset"] = {"use": "figurines", "smooth": "edges", "paired": False}
    base["dataset"]["size"] = arguments.size
    base["extractors"] = {"face": face}
    start = f"seed{seed}-reconstruct"
    yield start, base | {"recipe": start, "stages": [reconstruct]}
    for variant in arguments.variants:
        unwanted = set(FACE_LOSSES) - set(VARIANTS[variant])
        terms = [term for term in cartoonize["generator"] if term["use"] not in unwanted]
        stages = [cartoonize | {"generator": terms}]
        name = f"seed{seed}-{variant}"
        yield (
            name,
            base | {"recipe": name, "stages": stages, "init_from": str(arguments.out / start)},
        )


# -- measuring ------------------------------------------------------------------------------


@torch.no_grad()
def measure(arguments: argparse.Namespace) -> None:
    """Score every run that has a model on the held-out photos."""
    out = arguments.out
    runs = sorted(path.parents[1] for path in out.glob("seed*/model/config.json"))
    if not runs:
        sys.exit(f"no runs in {out}: train them first")
    recipe = yaml.safe_load((runs[0] / "recipe.yaml").read_text(encoding="utf-8"))
    data, known = recipe["dataset"], None
    if data["use"] == "figurines":
        photos, cartoons, known = held_out_figurines(data)
        pointer, error = train_pointer(data)
        print(f"the pointer's error on held-out avatars: {error:.1%} of the eyes' distance")
    else:
        photos = torch.stack([read(p, data["size"]) for p in sorted((out / "held-out").iterdir())])
        names = scan(Path(data["real"])).names
        chosen = names[:: max(1, len(names) // 1000)]
        cartoons = torch.stack([read(Path(data["real"]) / name, data["size"]) for name in chosen])
    face_arguments = {k: v for k, v in recipe["extractors"]["face"].items() if k != "use"}
    face = construct(REGISTRY, "extractor", "face68", face_arguments)
    layers = {"layers": ["stage3", "features"]}
    content = construct(REGISTRY, "extractor", "efficientnet-lite0", layers)
    target, wanted = batched(face, photos), batched(content, photos)
    reals = {"image": cartoons, "features": pooled(batched(content, cartoons))}

    rows, sheet = {}, [samples.to_uint8(photos[:12])]
    for run in runs:
        generator = model.load(run, REGISTRY).generator
        made = samples.to_uint8(torch.cat([generator(part) for part in photos.split(10)]))
        fake = samples.from_uint8(made)
        sheet.append(made[:12])
        features = batched(content, fake)
        words = {
            "image": fake,
            "features": pooled(features),
            "group": torch.zeros(len(fake), dtype=torch.int64),
            "fake": fake,
            "photo": photos,
            "fake_features": batched(face, fake),
            "photo_features": target,
        }
        row = scores(reals, words)
        row["content"] = float((features["stage3"] - wanted["stage3"]).abs().mean())
        if known is not None:
            row["known drift"] = float(eye_units(pointer(fake), known).mean())
        row["minutes"] = json.loads((run / "manifest.json").read_text())["seconds"] / 60
        found_wrong = diagnosis.findings(RunFolder.open(run).rows())
        rows[run.name] = row | {"findings": ", ".join(f.name for f in found_wrong) or "none"}
        print(run.name, rows[run.name], flush=True)
    (out / "scores.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    (out / "scores.md").write_text(table(rows), encoding="utf-8")
    # a row for each run, a column for each photo
    samples.grid(torch.cat(sheet), columns=12).save(out / "sheet.png")


def table(rows: dict[str, dict[str, Any]]) -> str:
    """Write scores as Markdown."""
    columns = list(next(iter(rows.values())))
    lines = [["run", *columns], ["---"] * (len(columns) + 1)]
    for name, row in rows.items():
        cells = [row[c] if isinstance(row[c], str) else f"{row[c]:.3f}" for c in columns]
        lines.append([name, *cells])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def read(path: Path, size: int) -> Tensor:
    """Read the centre of a picture file as (3, size, size) in [-1, 1]."""
    pixels = images.square(images.decode(path.read_bytes()).image, size)
    return torch.from_numpy(pixels.copy()).float() / 127.5 - 1


def batched(extractor: nn.Module, batch: Tensor) -> dict[str, Tensor]:
    """Extract the features of many images, some at a time."""
    parts = [extractor(part) for part in batch.split(20)]
    return {layer: torch.cat([part[layer] for part in parts]) for layer in parts[0]}


def pooled(features: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the layer for comparing sets of images."""
    return {"features": features["features"]}


def scores(reals: dict[str, Any], words: dict[str, Any]) -> dict[str, Any]:
    """Score one run with the evaluators of ganzoo's benchmarks."""
    found: dict[str, Any] = {}
    for use in EVALUATORS:
        evaluator = construct(REGISTRY, "evaluator", use, {})
        for stream, given in (("real", reals), ("fake", words), ("pair", words)):
            if feed := getattr(evaluator, stream, None):
                feed(**{word: given[word] for word in inspect.signature(feed).parameters})
        found |= evaluator.compute()
    found["kid-efflite0"] = found.pop("kid")  # on these features, it is a different score
    return found


# -- figurines, whose landmarks are known ---------------------------------------------------


def figurines(data: dict[str, Any], seed: int, count: int) -> dict[str, Tensor]:
    """Draw pairs that no run was trained on, if ``seed`` is not the recipe's."""
    spec = {"style": data["style"], "size": data["size"], "seed": seed, "count": count}
    held = construct(REGISTRY, "dataset", "figurines", spec)
    held.prepare()
    return collate(held, list(range(count)))


def held_out_figurines(data: dict[str, Any]) -> tuple[Tensor, Tensor, Tensor]:
    batch = figurines(data, 10_000, HELD_OUT)
    return batch["photo"], batch["real"], batch["landmarks"]


def train_pointer(data: dict[str, Any], steps: int = 1500) -> tuple[nn.Module, float]:
    """Train a small network on the known landmarks of avatars; also return its error on others.

    No loss has seen it, so it cannot flatter the landmark loss as that loss's own extractor would.
    It is trained on avatars and figurines alike, since a fake is something between.
    """
    torch.manual_seed(0)
    batch = figurines(data, 20_000, 1500)
    points = batch["landmarks"].shape[1]
    widths = [3, 16, 32, 64, 96, 128]
    layers: list[nn.Module] = []
    for a, b in pairwise(widths):
        layers += [nn.Conv2d(a, b, 3, 2, 1), nn.BatchNorm2d(b), nn.ReLU()]
    pointer = nn.Sequential(*layers, nn.Flatten(), nn.LazyLinear(2 * points))
    pointer.append(nn.Unflatten(1, (points, 2)))
    pointer(batch["photo"][:2])
    optimizer = torch.optim.Adam(pointer.parameters(), 1e-3)
    with torch.enable_grad():
        for step in range(steps):
            chosen = torch.randint(len(batch["photo"]), (32,))
            source = batch["photo" if step % 2 else "real"][chosen]
            noisy = source + 0.1 * torch.rand(32, 1, 1, 1) * torch.randn_like(source)
            loss = (pointer(noisy) - batch["landmarks"][chosen]).abs().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    pointer.eval()
    _, avatars, known = held_out_figurines(data)
    return pointer, float(eye_units(pointer(avatars), known).mean())


def eye_units(points: Tensor, known: Tensor) -> Tensor:
    """Return the landmarks' mean distance, over the distance of the first two: the eyes."""
    unit = (known[:, 0] - known[:, 1]).norm(dim=-1)
    return (points - known).norm(dim=-1).mean(-1) / unit


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=["train", "measure"])
    parser.add_argument("out", type=Path)
    parser.add_argument("--photos", type=Path, help="a folder of portraits; else figurines")
    parser.add_argument("--cartoons", type=Path, help="a folder of drawings, with --photos")
    parser.add_argument("--face68", type=Path, help="the folder of the 68-point landmark net")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--reconstruct", type=int, default=400, help="steps of the first stage")
    parser.add_argument("--steps", type=int, default=1500, help="steps of the second stage")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    arguments = parser.parse_args()
    if arguments.action == "train" and not arguments.face68:
        parser.error("train needs --face68")
    if bool(arguments.photos) != bool(arguments.cartoons):
        parser.error("--photos and --cartoons go together")
    arguments.out = arguments.out.resolve()
    {"train": train, "measure": measure}[arguments.action](arguments)


if __name__ == "__main__":
    main()
