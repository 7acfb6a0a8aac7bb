"""The cost of a batch from the image cache, as a share of a training step.

python benchmarks/speed/loading.py [--size 64] [--batch 64] [--precision bf16]
"""

from __future__ import annotations

import argparse
import statistics
import time

from loop import Bare

from ganzoo.evaluation.examples import collate
from ganzoo.models.randomness import batches


def main() -> None:
    from ganzoo_avatars.avatars import Avatars

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--precision", default="bf16", choices=["fp32", "bf16"])
    options = parser.parse_args()
    dataset = Avatars(size=options.size, count=2000)
    dataset.prepare()
    bare = Bare(options.size, options.batch, options.precision, count=256)
    load, step = [], []
    feed = batches(len(dataset), options.batch, seed=0, start=0)
    for _ in range(15):
        began = time.perf_counter()
        collate(dataset, next(feed)[1])
        load.append(time.perf_counter() - began)
        began = time.perf_counter()
        bare.step()
        step.append(time.perf_counter() - began)
    loading, training = statistics.median(load[2:]), statistics.median(step[2:])
    print(f"{options.size} px, batch {options.batch}, {options.precision}")
    print(f"one batch from the cache {1000 * loading:7.2f} ms, {100 * loading / training:.2f} % of")
    print(f"one training step        {1000 * training:7.1f} ms")


if __name__ == "__main__":
    main()
