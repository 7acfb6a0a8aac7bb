"""The cost of scores, beside the plain way to compute them.

OMP_NUM_THREADS=1 python benchmarks/speed/metrics.py [--count 10000] [--dim 2048]

The Frechet distance against one by scipy's sqrtm, at 2000 images (fewer than features) and at
5000; kernel distance, and precision and recall, in blocks against whole matrices.  CPU seconds of
one thread.  The blocks of precision and recall are in float64, whole matrices in float32, and the
blocks also give what is left of every score without each tenth of the fakes.

Each of the latter runs in its own process, with its features ready (in ganzoo's file, or as
arrays).  Extra memory is the highest RssAnon less that at the start, read every 2 ms.  Pages mapped
from a file, which the system drops when it needs the room, do not count (Linux only).
"""

from __future__ import annotations

import argparse
import ctypes
import multiprocessing
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from scipy.linalg import sqrtm
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1]))
from agreement import synthetic

from ganzoo.interfaces import GROUPS
from ganzoo_metrics._rows import AllPairs
from ganzoo_metrics.frechet import frechet_distance
from ganzoo_metrics.kernel import KernelDistance
from ganzoo_metrics.precision_recall import PrecisionRecall

Scores = dict[str, float]
Result = TypeVar("Result")


def sqrtm_distance(mean1: Tensor, cov1: Tensor, mean2: Tensor, cov2: Tensor) -> float:
    """The textbook formula."""
    root = np.real(sqrtm((cov1 @ cov2).numpy()))
    apart = (mean1 - mean2).square().sum() + cov1.trace() + cov2.trace()
    return float(apart - 2 * np.trace(root))


def frechet(count: int, dim: int) -> str:
    gaussians: list[Tensor] = []
    for rows in pair(count, dim):
        rows = rows.double()
        gaussians += [rows.mean(0), rows.T.cov()]
    theirs, plain = timed(lambda: sqrtm_distance(*gaussians))
    own, fast = timed(lambda: frechet_distance(*gaussians))
    return (
        f"| Frechet, {count} x {dim}, against sqrtm | {plain:.1f} | {fast:.1f} | "
        f"{plain / fast:.1f} | | | {abs(own / theirs - 1):.0e} |"
    )


def naive_kernel(real: Tensor, fake: Tensor) -> Scores:
    x, y = real.double(), fake.double()
    dim, m, n = x.shape[1], len(x), len(y)
    xx, yy, xy = ((a @ b.T / dim + 1) ** 3 for a, b in ((x, x), (y, y), (x, y)))
    inside = (xx.sum() - xx.trace()) / (m * (m - 1)) + (yy.sum() - yy.trace()) / (n * (n - 1))
    return {"kid": (inside - 2 * xy.mean()).item()}


def naive_precision_recall(real: Tensor, fake: Tensor, k: int = 3) -> Scores:
    real_radius, fake_radius = (torch.cdist(x, x).kthvalue(k + 1).values for x in (real, fake))
    between = torch.cdist(real, fake)
    return {
        "precision": (between <= real_radius[:, None]).any(0).double().mean().item(),
        "recall": (between <= fake_radius).any(1).double().mean().item(),
    }


PLAIN = {KernelDistance: naive_kernel, PrecisionRecall: naive_precision_recall}


def whole(kind: type[AllPairs], count: int, dim: int) -> tuple[Scores, float, float]:
    real, fake = pair(count, dim)
    return measured(lambda: PLAIN[kind](real, fake))


def blocked(kind: type[AllPairs], count: int, dim: int) -> tuple[Scores, float, float]:
    evaluator = kind()
    real, fake = pair(count, dim)
    evaluator.real({"features": real})
    evaluator.fake({"features": fake}, torch.arange(count) % GROUPS)
    del real, fake
    return measured(evaluator.compute)


def compared(kind: type[AllPairs], count: int, dim: int) -> str:
    found = []
    for way in (whole, blocked):
        with multiprocessing.get_context("spawn").Pool(1) as alone:
            found.append(alone.apply(way, (kind, count, dim)))
    (theirs, plain, much), (own, fast, little) = found
    apart = max(abs(own[score] / theirs[score] - 1) for score in own)
    return (
        f"| {', '.join(own)}, {count} x {dim}, against whole matrices | {plain:.1f} | {fast:.1f} "
        f"| {plain / fast:.2f} | {much:.0f} | {little:.0f} | {apart:.0e} |"
    )


def pair(count: int, dim: int) -> tuple[Tensor, Tensor]:
    return synthetic(count, dim, 0), synthetic(count, dim, 1, off=0.02)


def timed(work: Callable[[], Result]) -> tuple[Result, float]:
    began = time.process_time()
    return work(), time.process_time() - began


def measured(work: Callable[[], Scores]) -> tuple[Scores, float, float]:
    """Return the scores, CPU seconds, and MiB of additional memory."""
    ctypes.CDLL(None).malloc_trim(0)  # so that freed memory is not reused
    done, before = threading.Event(), anonymous()
    highest = before

    def watch() -> None:
        nonlocal highest
        while not done.wait(0.002):
            highest = max(highest, anonymous())

    watcher = threading.Thread(target=watch)
    watcher.start()
    scores, seconds = timed(work)
    done.set()
    watcher.join()
    return scores, seconds, highest - before


def anonymous() -> float:
    """Return MiB of this process's own memory."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("RssAnon:")[1].split()[0]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--dim", type=int, default=2048)
    options = parser.parse_args()
    print("| | CPU s, plain | ganzoo | ratio | extra MiB, plain | ganzoo | relative difference |")
    print("|---|---|---|---|---|---|---|")
    for count in (2000, 5000):
        print(frechet(count, options.dim), flush=True)
    for kind in PLAIN:
        print(compared(kind, options.count, options.dim), flush=True)


if __name__ == "__main__":
    main()
