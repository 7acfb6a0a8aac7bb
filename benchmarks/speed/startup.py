"""How long ganzoo takes to start, and to draw, against `import torch`: whole processes in turn.

`ganzoo.load` and `model.sample` are then timed in one process, where torch is there already.

python benchmarks/speed/startup.py [--runs 7]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise

MODEL = "ganzoo/avatars-64"
COMMANDS = {
    "import torch": ["-c", "import torch"],
    "ganzoo --help": ["-m", "ganzoo", "--help"],
    "ganzoo list": ["-m", "ganzoo", "list"],
    "ganzoo sample": ["-m", "ganzoo", "sample", MODEL, "-n", "64", "--out", "grid.png"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(parser.parse_args().runs + 1):
        for name, arguments in COMMANDS.items():
            began = time.perf_counter()
            with tempfile.TemporaryDirectory() as folder:
                command = [sys.executable, *arguments]
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder)
            seconds[name].append(time.perf_counter() - began)
    medians = {name: statistics.median(values[1:]) for name, values in seconds.items()}
    for name, median in medians.items():
        share = median / medians["import torch"]
        print(f"{name:14} {median:6.3f} s   {share:5.2f} of import torch")
    _in_process()


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


if __name__ == "__main__":
    main()
