"""How long ganzoo takes to start, to draw, and to say something: whole processes in turn.

Starts are compared with `import torch`, in CPU seconds, which other work on the machine disturbs
least.  A first run, which writes the bytecode, does not count.  `ganzoo.load` and `model.sample`
are then timed in one process, where torch is there already.  With `--silence` every command runs on
a terminal instead: seconds to its first output, its longest silence, and its end.

python benchmarks/speed/startup.py [--runs 7] [--silence]
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

MODEL = "ganzoo/avatars-64"
COMMANDS = {
    "import torch": ["-c", "import torch"],
    "ganzoo --help": ["-m", "ganzoo", "--help"],
    "ganzoo list": ["-m", "ganzoo", "list"],
    "ganzoo sample": ["-m", "ganzoo", "sample", MODEL, "-n", "64", "--out", "grid.png"],
}
#: in this order, in one folder
VERBS = (
    "--help",
    "list",
    f"show {MODEL}",
    "show dcgan-avatars",
    "recipe check dcgan-avatars",
    "recipe schema",
    "train nosuch",
    "train dcgan",
    "train dcgan-avatars --set dataset.count=600 --set stages.0.steps=40 --out run",
    "train dcgan-avatars --out run",
    "resume run",
    "resume run --set stages.0.steps=41",
    "report run",
    "diagnose run",
    "sample nosuch",
    f"sample {MODEL}",
    f"sample {MODEL} -n 2000 --out many",
    "translate nosuch photo.png --out drawn",
    f"export {MODEL} --format onnx --out model.onnx",
    f"evaluate {MODEL} -b avatars-64 --set fakes=200 --set reference=200",
    "leaderboard",
    f"push {MODEL} user/repo --dry-run",
    "pull user/repo",
    "data render --count 600 --out rendered",
    "data check rendered",
    "data edges rendered --out smooth",
    "data faces rendered --out faces",
    "plugins",
    "plugins check gan",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--silence", action="store_true")
    options = parser.parse_args()
    if options.silence:
        _silences()
        return
    cpu: dict[str, list[float]] = {name: [] for name in COMMANDS}
    wall: dict[str, list[float]] = {name: [] for name in COMMANDS}
    with tempfile.TemporaryDirectory() as folder:
        bytecode = {"PYTHONPYCACHEPREFIX": f"{folder}/cache", "PYTHONDONTWRITEBYTECODE": ""}
        for _ in range(options.runs + 1):
            for name, arguments in COMMANDS.items():
                cpu_before, began = _cpu_of_children(), time.perf_counter()
                command = [sys.executable, *arguments]
                environment = os.environ | bytecode
                subprocess.run(
                    command, check=True, stdout=subprocess.DEVNULL, cwd=folder, env=environment
                )
                cpu[name].append(_cpu_of_children() - cpu_before)
                wall[name].append(time.perf_counter() - began)
    medians = {name: statistics.median(values[1:]) for name, values in cpu.items()}
    for name, median in medians.items():
        share = median / medians["import torch"]
        waited = statistics.median(wall[name][1:])
        print(f"{name:14} {median:6.3f} CPU s  {share:5.2f} of import torch  ({waited:.3f} s)")
    _in_process()


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _in_process() -> None:
    import torch  # noqa: F401

    import ganzoo

    for again in ("first", "again"):
        times = [time.perf_counter()]
        model = ganzoo.load(MODEL)
        times.append(time.perf_counter())
        model.sample(64)
        times.append(time.perf_counter())
        loaded, drawn = (1000 * (b - a) for a, b in pairwise(times))
        print(f"{again}: ganzoo.load {loaded:.0f} ms, sample(64) {drawn:.0f} ms")


def _silences() -> None:
    print("first  silence    end   after     command")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["GANZOO_CACHE"] = str(Path(folder) / "cache")
        for verb in VERBS:
            heard, texts = _listen(verb.split(), folder)
            longest, after = max(zip((b - a for a, b in pairwise(heard)), texts, strict=True))
            first = heard[1] - heard[0]
            print(
                f"{first:5.1f}  {longest:7.1f}  {heard[-1] - heard[0]:5.1f}   {after:9.9} {verb}",
                flush=True,
            )


def _listen(arguments: list[str], folder: str) -> tuple[list[float], list[str]]:
    """Time when the command began, said something and ended; return its output before each."""
    import pty

    master, slave = pty.openpty()
    heard, texts = [time.perf_counter()], [""]
    command = [sys.executable, "-m", "ganzoo", *arguments]
    with subprocess.Popen(command, stdout=slave, stderr=slave, cwd=folder):
        os.close(slave)
        while part := _read(master):
            heard.append(time.perf_counter())
            texts.append(" ".join(part.decode(errors="replace").split())[-60:])
    os.close(master)
    return [*heard, time.perf_counter()], texts


def _read(master: int) -> bytes:
    try:
        return os.read(master, 65536)
    except OSError:  # Linux reports the end like this
        return b""


if __name__ == "__main__":
    main()
