"""Do losses made for faces help CartoonGAN?  Train it with each of them, alike in all else.

    python benchmarks/cartoon/compare.py train runs/cartoon --face68 FOLDER
    python benchmarks/cartoon/compare.py measure runs/cartoon --face68 FOLDER --portraits FOLDER
    python benchmarks/cartoon/compare.py table runs/cartoon

`train` makes a common reconstruction for each seed and trains heads.yaml from there, without the
losses that a variant does not have.  What was stopped goes on.  `measure` scores every run on
`heads-64` with drawings on white, at its end and at the checkpoint nearest to the plain one's CPU
time; with --portraits also its drawings of real faces.  `table` prints what each loss changes,
with intervals over seeds.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import resource
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from ganzoo.evaluation.examples import collate
from ganzoo.evaluation.standings import student
from ganzoo.files import sha256
from ganzoo.models import samples
from ganzoo.plugins.manager import installed
from ganzoo.plugins.registry import construct
from ganzoo.recipe.recipe import load_recipe

BASE = Path(__file__).with_name("heads.yaml")
FACE_LOSSES = ("landmark", "gray", "color", "style")
PLAIN = "cartoongan"
#: variant -> the losses that it keeps
VARIANTS = {PLAIN: (), **{name: (name,) for name in FACE_LOSSES}, "all": FACE_LOSSES}
#: the heads of heads-64, whose drawings those of portraits are compared with
HEADS = {"count": 1000, "size": 64, "seed": 10_000}


# -- training -------------------------------------------------------------------------------


def train(arguments: argparse.Namespace) -> None:
    """Train what is not trained yet, resuming stopped runs."""
    out = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    for seed in arguments.seeds:
        for name, recipe in recipes(arguments, seed):
            run = out / name
            manifest = run / "manifest.json"
            if not manifest.is_file():
                timed(run, "train", written(out / f"{name}.yaml", recipe), "--out", run)
            elif json.loads(manifest.read_text())["status"] != "finished":
                timed(run, "resume", run)


def timed(run: Path, *words: object) -> None:
    """Train, and append the steps and the CPU seconds that they took to cpu.json in the run."""
    before, start = last_step(run), cpu_seconds()
    ganzoo(*words)
    parts = [*cpu_parts(run), (last_step(run) - before, cpu_seconds() - start)]
    (run / "cpu.json").write_text(json.dumps(parts) + "\n", encoding="utf-8")


def cpu_parts(run: Path) -> list[tuple[int, float]]:
    file = run / "cpu.json"
    return json.loads(file.read_text()) if file.is_file() else []


def cpu_seconds() -> float:
    """Return the CPU seconds of all processes that this one started and that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def last_step(run: Path) -> int:
    folders = sorted((run / "checkpoints").glob("step-*"))
    return int(folders[-1].name.removeprefix("step-")) if folders else 0


def ganzoo(*words: object) -> None:
    subprocess.run([sys.executable, "-m", "ganzoo", *map(str, words)], check=True)


def recipes(arguments: argparse.Namespace, seed: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the recipe of the common reconstruction, then that of each variant."""
    base = load_recipe(BASE).resolved() | {"seed": seed, "verify": None}
    base["extractors"]["face"] |= face68(arguments)
    reconstruct, cartoonize = base.pop("stages")
    start = f"reconstruct-seed{seed}"
    yield start, base | {"recipe": start, "stages": [reconstruct]}
    cartoonize["steps"] = arguments.steps
    base["checkpoint"] = {"every": arguments.steps // 8, "keep": 8}
    for variant in arguments.variants:
        unwanted = set(FACE_LOSSES) - set(VARIANTS[variant])
        terms = [term for term in cartoonize["generator"] if term["use"] not in unwanted]
        name = f"{variant}-seed{seed}"
        yield (
            name,
            base
            | {
                "recipe": f"cartoon-{variant}",
                "init_from": str(arguments.out / start),
                "stages": [cartoonize | {"generator": terms}],
            },
        )


# -- measuring ------------------------------------------------------------------------------


def measure(arguments: argparse.Namespace) -> None:
    """Measure every finished run at its end, and about where the plain variant's CPU time ends."""
    out = arguments.out
    runs = finished(out)
    if not runs:
        sys.exit(f"no finished runs in {out}: train them first")
    models = dict(runs)
    has_plain = any(variant_of(name) == PLAIN for name in runs)
    for name, run in runs.items():
        if has_plain and (step := step_of_equal_time(runs, name)) is not None:
            models[f"{name}-equal-time"] = model_at(run, step)
    benchmarks = [heads_benchmark(arguments)]
    if arguments.portraits:
        benchmarks.append(portraits_benchmark(arguments))
    for name, model in models.items():
        for benchmark in benchmarks:
            words = ("--name", name, "--out", out / "entries")
            ganzoo("evaluate", model, "-b", benchmark, *words)


def finished(out: Path) -> dict[str, Path]:
    """Return the runs of variants that ended, by name."""
    manifests = sorted(out.glob("*-seed*/manifest.json"))
    ended = (m.parent for m in manifests if json.loads(m.read_text())["status"] == "finished")
    return {run.name: run for run in ended if not run.name.startswith("reconstruct")}


def step_of_equal_time(runs: dict[str, Path], name: str) -> int | None:
    """Return the checkpoint nearest to the plain variant's CPU time, if it is not the end.

    Times are means over seeds, so that what else the machine did matters less.
    """
    end = last_step(runs[name])
    affordable = end * step_seconds(runs, PLAIN) / step_seconds(runs, variant_of(name))
    every = end // 8
    step = round(affordable / every) * every
    return step if step < end else None


def step_seconds(runs: dict[str, Path], variant: str) -> float:
    """Return the CPU seconds of a step, the mean over the variant's runs."""
    parts = [cpu_parts(run) for name, run in runs.items() if variant_of(name) == variant]
    steps, seconds = (sum(column) for column in zip(*itertools.chain(*parts), strict=True))
    return seconds / steps


def variant_of(name: str) -> str:
    return name.rpartition("-seed")[0]


def model_at(run: Path, step: int) -> Path:
    """Write the model folder of a checkpoint: its averaged weights with the run's config."""
    model = run / "models" / f"step-{step:08}"
    shutil.copytree(run / "model", model, dirs_exist_ok=True)
    weights, file = model / "model.safetensors", model / "config.json"
    shutil.copy(run / "checkpoints" / model.name / "ema.safetensors", weights)
    config = json.loads(file.read_text())
    config["files"][weights.name]["sha256"] = sha256(weights)
    file.write_text(json.dumps(config))
    return model


def heads_benchmark(arguments: argparse.Namespace) -> Path:
    """Write heads-64 with drawings on white, as the runs have seen them."""
    benchmark = {
        "benchmark": "heads-white-64",
        "extends": "heads-64",
        "version": 1,
        "dataset": style(),
        "extractors": {"face": face68(arguments)},
    }
    return written(arguments.out / "heads-white-64.yaml", benchmark)


def portraits_benchmark(arguments: argparse.Namespace) -> Path:
    """Write a benchmark of the photos of a folder against drawn heads that no run has seen."""
    drawings = arguments.out / "drawings"
    if not drawings.is_dir():
        heads = construct(installed().registry, "dataset", "heads", HEADS | style())
        drawings.mkdir()
        for index in range(len(heads)):
            image = samples.to_uint8(collate(heads, [index])["real"])
            samples.grid(image, columns=1).save(drawings / f"{index:05}.png")
    photos = str(arguments.portraits.resolve())
    benchmark = {
        "benchmark": "portraits-64",
        "extends": "portraits-128",
        "version": 1,
        "dataset": {"photo": photos, "real": str(drawings), "size": 64},
        "extractors": {"face": face68(arguments)},
        "reference": 500,
        "fakes": 500,
    }
    return written(arguments.out / "portraits-64.yaml", benchmark)


def style() -> dict[str, Any]:
    """Return the style of the drawings, that of heads.yaml, as an argument of `heads`."""
    return {"style": load_recipe(BASE).resolved()["dataset"]["style"]}


def face68(arguments: argparse.Namespace) -> dict[str, Any]:
    return {"weights": str(arguments.face68.resolve())}


def written(file: Path, recipe: dict[str, Any]) -> Path:
    file.write_text(yaml.safe_dump(recipe, sort_keys=False), encoding="utf-8")
    return file


# -- tables ---------------------------------------------------------------------------------


def table(arguments: argparse.Namespace) -> None:
    """Print what each loss changes: mean and 95 % t-interval of the differences over seeds."""
    for folder in sorted((arguments.out / "entries").iterdir()):
        entries = {f.stem: json.loads(f.read_text()) for f in sorted(folder.glob("*.json"))}
        for suffix, title in (("", "equal steps"), ("-equal-time", "equal CPU time")):
            print(f"\n{folder.name}, {title}\n")
            for line in rows(entries, suffix, arguments.scores):
                print(f"| {' | '.join(line)} |")
    print("\n| variant | CPU seconds a step | their share of the gradient |\n| :-- | --: | --: |")
    runs = finished(arguments.out)
    for variant in VARIANTS:
        own = [run for name, run in runs.items() if variant_of(name) == variant]
        if own:
            seconds = step_seconds(runs, variant)
            share = statistics.mean(gradient_share(run, VARIANTS[variant]) for run in own)
            print(f"| {variant} | {seconds:.3f} | {share:.1%} |")


def gradient_share(run: Path, losses: tuple[str, ...]) -> float:
    """Return the losses' mean share of the generator's gradient, over the logged steps."""
    with (run / "metrics.jsonl").open(encoding="utf-8") as file:
        logged = [json.loads(line) for line in file]
    return statistics.mean(
        sum(row[f"share/{loss}"] for loss in losses) for row in logged if "share/content" in row
    )


def rows(entries: dict[str, Any], suffix: str, wanted: list[str]) -> Iterator[list[str]]:
    """Yield the header, then a row for each variant, the plain one with its own scores."""
    first = next(iter(entries.values()))["scores"]
    names = [name for name in wanted or first if name in first]
    yield ["variant", *names]
    yield [":--", *["--:"] * len(names)]
    seeds = [name.rpartition("-")[2] for name in entries if variant_of(name) == PLAIN]
    for variant in VARIANTS:
        # whose end is within the plain one's time has no entry of its own
        own = [
            entries.get(f"{variant}-{seed}{suffix}", entries.get(f"{variant}-{seed}"))
            for seed in seeds
        ]
        cells = []
        for score in names:
            plain = [entries[f"{PLAIN}-{seed}"]["scores"][score]["value"] for seed in seeds]
            pairs = [
                (mine["scores"][score]["value"], other)
                for mine, other in zip(own, plain, strict=True)
                if mine is not None
            ]
            if variant == PLAIN:
                cells.append(cell(plain, ""))
            else:
                change = [mine - other for mine, other in pairs]
                higher = first[score]["higher_is_better"]
                cells.append(cell(change, verdict(change, higher)))
        yield [variant, *cells]


def half_width(values: list[float]) -> float:
    """Return half of the 95 % t-interval of the mean, infinite for one value."""
    n = len(values)
    return student(n - 1) * statistics.stdev(values) / math.sqrt(n) if n > 1 else math.inf


def cell(values: list[float], verdict: str) -> str:
    if not values:
        return "–"
    side = half_width(values)
    width = f" ± {side:.3f}" if math.isfinite(side) else ""
    return f"{statistics.mean(values):.3f}{width} {verdict}".strip()


def verdict(change: list[float], higher_is_better: bool) -> str:
    """Say better or worse if the interval leaves out 0, otherwise nothing."""
    if not change or abs(mean := statistics.mean(change)) <= half_width(change):
        return ""
    return "better" if (mean > 0) == higher_is_better else "worse"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=["train", "measure", "table"])
    parser.add_argument("out", type=Path)
    parser.add_argument("--face68", type=Path, help="the folder of the 68-point landmark net")
    parser.add_argument("--steps", type=int, default=4000, help="adversarial steps")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--portraits", type=Path, help="a folder of real faces, for `measure`")
    parser.add_argument("--scores", nargs="+", default=[], help="columns of `table`")
    arguments = parser.parse_args()
    if arguments.action != "table" and not arguments.face68:
        parser.error(f"{arguments.action} needs --face68")
    arguments.out = arguments.out.resolve()
    {"train": train, "measure": measure, "table": table}[arguments.action](arguments)


if __name__ == "__main__":
    main()
