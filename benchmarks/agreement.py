"""Distances between sets of features, by ganzoo and by others, as a Markdown table.

python benchmarks/agreement.py [--count 3000] [--dim 2048] [--seed 0]

The features are synthetic: correlated, never below 0, and the fakes a little off.  All candidates
get the same ones.  All images make one subset, for which the kernel distances of clean-fid and
torch-fidelity draw nothing at random; prdc's balls exclude their edge, where no image is here.
Needs pip install 'ganzoo[evaluation,dev]'.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import warnings

import numpy as np
import torch
from torch import Tensor

from ganzoo.interfaces import GROUPS
from ganzoo_metrics.density_coverage import DensityCoverage
from ganzoo_metrics.frechet import FrechetDistance
from ganzoo_metrics.kernel import KernelDistance
from ganzoo_metrics.precision_recall import PrecisionRecall


def synthetic(count: int, dim: int, seed: int, off: float = 0.0) -> Tensor:
    """Make float32 (count, dim) like a network's pooled features: a few directions hold most."""
    draw, fixed = (torch.Generator().manual_seed(s) for s in (seed, 12345))
    rank = dim // 8
    mix = torch.randn(rank, dim, generator=fixed) / torch.arange(1, rank + 1)[:, None] ** 0.5
    mean = torch.randn(dim, generator=fixed) * 0.5 - 0.3
    common = torch.randn(count, rank, generator=draw) @ mix
    own = torch.randn(count, dim, generator=draw)
    return (0.4 * (1 + off) * common + 0.1 * own + mean + off).relu()


def ganzoo(real: Tensor, fake: Tensor) -> dict[str, float]:
    scores: dict[str, float] = {}
    for evaluator in (FrechetDistance(), KernelDistance(), PrecisionRecall(), DensityCoverage()):
        evaluator.real({"features": real})
        evaluator.fake({"features": fake}, torch.arange(len(fake)) % GROUPS)
        scores |= evaluator.compute()
    return scores


def clean_fid(real: Tensor, fake: Tensor) -> dict[str, float]:
    from cleanfid import fid

    x, y = real.double().numpy(), fake.double().numpy()
    scores = {"kid": fid.kernel_distance(x, y, num_subsets=1, max_subset_size=len(x))}
    gaussians = [of for rows in (x, y) for of in (rows.mean(0), np.cov(rows, rowvar=False))]
    # scipy is about to remove, or has removed, the argument that clean-fid gives its sqrtm
    with contextlib.suppress(TypeError, ValueError), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        scores["fid"] = float(fid.frechet_distance(*gaussians))
    return scores


def torch_fidelity(real: Tensor, fake: Tensor) -> dict[str, float]:
    from torch_fidelity import metric_fid, metric_kid, metric_prc

    statistics = [metric_fid.fid_features_to_statistics(rows.double()) for rows in (fake, real)]
    (frechet,) = metric_fid.fid_statistics_to_metric(*statistics, verbose=False).values()
    subset = {"kid_subsets": 1, "kid_subset_size": len(real), "rng_seed": 0, "verbose": False}
    kernel = metric_kid.kid_features_to_metric(fake.double(), real.double(), **subset)
    among = metric_prc.prc_features_to_metric(fake, real, verbose=False)
    return {
        "fid": frechet,
        "kid": kernel["kernel_inception_distance_mean"],
        "precision": among["precision"],
        "recall": among["recall"],
    }


def prdc(real: Tensor, fake: Tensor) -> dict[str, float]:
    from prdc import compute_prdc

    with contextlib.redirect_stdout(io.StringIO()):
        three, five = (compute_prdc(real.numpy(), fake.numpy(), nearest_k=k) for k in (3, 5))
    return {
        "precision": three["precision"],
        "recall": three["recall"],
        "density": five["density"],
        "coverage": five["coverage"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--dim", type=int, default=2048)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    real = synthetic(options.count, options.dim, 2 * options.seed)
    fake = synthetic(options.count, options.dim, 2 * options.seed + 1, off=0.02)
    own = ganzoo(real, fake)
    others = [theirs(real, fake) for theirs in (clean_fid, torch_fidelity, prdc)]
    print(f"{options.count} reals and fakes, {options.dim} features, seed {options.seed}\n")
    print("| score | ganzoo | clean-fid | torch-fidelity | prdc | largest relative difference |")
    print("|---|---|---|---|---|---|")
    for score, value in own.items():
        cells = [f"{theirs[score]:.9g}" if score in theirs else "" for theirs in others]
        apart = max(abs(theirs[score] / value - 1) for theirs in others if score in theirs)
        print(f"| {score} | {value:.9g} | {' | '.join(cells)} | {apart:.1e} |")


if __name__ == "__main__":
    main()
