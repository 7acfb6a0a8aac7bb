"""How long `ganzoo --help` and `ganzoo list` take, against `import torch`: whole processes in turn.

python benchmarks/speed/startup.py [--runs 7]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

COMMANDS = {
    "import torch": ["-c", "import torch"],
    "ganzoo --help": ["-m", "ganzoo", "--help"],
    "ganzoo list": ["-m", "ganzoo", "list"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(parser.parse_args().runs + 1):
        for name, arguments in COMMANDS.items():
            began = time.perf_counter()
            subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
            seconds[name].append(time.perf_counter() - began)
    medians = {name: statistics.median(values[1:]) for name, values in seconds.items()}
    for name, median in medians.items():
        share = median / medians["import torch"]
        print(f"{name:14} {median:6.3f} s   {share:5.2f} of import torch")


if __name__ == "__main__":
    main()
