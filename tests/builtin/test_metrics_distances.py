"""Distances between sets of features: what they are by other hands, and by pencil and paper."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ganzoo.errors import DataError
from ganzoo.interfaces import GROUPS, Evaluator
from ganzoo_metrics._rows import Rows
from ganzoo_metrics.density_coverage import DensityCoverage
from ganzoo_metrics.frechet import FrechetDistance, frechet_distance
from ganzoo_metrics.kernel import KernelDistance
from ganzoo_metrics.precision_recall import PrecisionRecall

pytestmark = pytest.mark.usefixtures("one_thread")

ALL: list[Callable[[], Any]] = [FrechetDistance, KernelDistance, PrecisionRecall, DensityCoverage]
GROUPED = torch.arange(10_000) * 7 % GROUPS


def rand(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def features(n: int, dim: int, seed: int, off: float = 0.0) -> Tensor:
    """Correlated, mostly positive and partly 0, as pooled features of a network are."""
    mix = rand(dim // 2, dim, seed=99) / dim**0.5
    return (rand(n, dim // 2, seed=seed) @ mix * (1 + off) + 0.3 + off).relu()


def seen(evaluator: Any, real: Tensor, fake: Tensor, chunk: int = 10_000) -> Any:
    for rows in real.split(chunk):
        evaluator.real({"features": rows})
    for rows, group in zip(fake.split(chunk), GROUPED[: len(fake)].split(chunk), strict=True):
        evaluator.fake({"features": rows}, group)
    return evaluator


def points(*values: float) -> Tensor:
    return torch.tensor(values)[:, None]


# All of them -----------------------------------------------------------------------------------


@pytest.mark.parametrize("make", ALL)
@pytest.mark.parametrize("chunk", [1, 7, 300])
def test_scores_do_not_depend_on_chunks(make: Callable[[], Any], chunk: int) -> None:
    real, fake = features(600, 12, seed=1), features(700, 12, seed=2, off=0.1)
    expected = seen(make(), real, fake).compute()
    assert seen(make(), real, fake, chunk).compute() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("make", ALL)
@pytest.mark.parametrize("count", [700, 1500])  # more than one block of each
def test_a_left_out_group_is_as_if_never_seen(make: Callable[[], Any], count: int) -> None:
    real, fake = features(count, 12, seed=1), features(count - 60, 12, seed=2, off=0.1)
    evaluator = seen(make(), real, fake)
    everything = evaluator.compute()
    for group in (0, 3, 9):
        fresh = make()
        fresh.real({"features": real})
        kept = GROUPED[: len(fake)] != group
        fresh.fake({"features": fake[kept]}, GROUPED[: len(fake)][kept])
        assert evaluator.compute(group) == pytest.approx(fresh.compute(), rel=1e-9)
        assert evaluator.compute(group) != everything
    assert evaluator.compute() == everything


@pytest.mark.parametrize("make", ALL)
def test_fakes_may_follow_a_score(make: Callable[[], Any]) -> None:
    real, fake = features(60, 12, seed=1), features(80, 12, seed=2, off=0.1)
    evaluator = seen(make(), real, fake[:30])
    evaluator.compute()
    evaluator.fake({"features": fake[30:]}, GROUPED[30:80])
    assert evaluator.compute() == pytest.approx(seen(make(), real, fake).compute(), rel=1e-9)


@pytest.mark.parametrize("make", ALL)
@pytest.mark.parametrize(("reals", "fakes"), [(0, 9), (1, 9), (9, 0), (9, 1)])
def test_one_image_is_too_few(make: Callable[[], Any], reals: int, fakes: int) -> None:
    evaluator = seen(make(), features(reals, 4, seed=1), features(fakes, 4, seed=2))
    with pytest.raises(DataError, match=rf"needs at least .* and there are {reals} and {fakes}\."):
        evaluator.compute()


@pytest.mark.parametrize("make", ALL)
def test_too_few_without_a_group_is_told(make: Callable[[], Any]) -> None:
    evaluator = seen(make(), features(9, 4, seed=1), features(0, 4, seed=2))
    evaluator.fake({"features": features(9, 4, seed=2)}, torch.full((9,), 5))
    evaluator.compute()
    with pytest.raises(DataError, match="there are 9 and 0"):
        evaluator.compute(5)


@pytest.mark.parametrize("make", ALL)
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_features_that_are_not_finite_are_refused(make: Callable[[], Any], bad: float) -> None:
    rows = features(5, 4, seed=1)
    rows[2, 1] = bad
    with pytest.raises(DataError, match=r"1 of 5 .* finite"):
        make().real({"features": rows})
    with pytest.raises(DataError, match=r"1 of 5 .* finite"):
        make().fake({"features": rows}, GROUPED[:5])


@pytest.mark.parametrize("make", ALL)
def test_reference_rows_are_worse_than_held_out_unless_blind(make: Callable[[], Any]) -> None:
    """On features in which a reference row is what it is in images: elsewhere, or one point."""
    real, held_out = features(400, 16, seed=1), features(400, 16, seed=2)
    rows = {"noise": rand(400, 16, seed=3) * 0.05 + 4, "repeated": real[:1].repeat(400, 1)}
    floor = seen(make(), real, held_out).compute()
    evaluator: type[Evaluator] = type(make())
    for name, fake in rows.items():
        for score, value in seen(make(), real, fake).compute().items():
            better = floor[score] > value
            if not evaluator.higher_is_better[score]:
                better = floor[score] < value
            assert better or name in evaluator.blind.get(score, ()), (score, name)


# Frechet ---------------------------------------------------------------------------------------


def test_frechet_is_the_closed_form_of_gaussians() -> None:
    # one dimension: (m1 - m2)^2 + (s1 - s2)^2
    one = [torch.tensor([1.5]), torch.tensor([[4.0]]), torch.tensor([-0.5]), torch.tensor([[0.25]])]
    assert frechet_distance(*one) == pytest.approx(4 + 1.5**2, abs=1e-12)
    # covariances of the same axes: the sum over axes
    axes = torch.linalg.qr(rand(30, 30, seed=0).double()).Q
    s1, s2 = torch.linspace(0.1, 3, 30).double(), torch.linspace(2, 0.5, 30).double()
    covariances = [axes @ (s.square()[:, None] * axes.T) for s in (s1, s2)]
    zero = torch.zeros(30)
    found = frechet_distance(zero, covariances[0], zero + 0.5, covariances[1])
    assert found == pytest.approx(30 * 0.25 + (s1 - s2).square().sum().item(), abs=1e-8)
    # and of others, where one is a transport of the other: C2 = T C1 T, trace of (I - T) C1 (I - T)
    half = rand(30, 30, seed=1).double()
    transport = half @ half.T / 30 + torch.eye(30)
    apart = transport - torch.eye(30)
    second = transport @ covariances[0] @ transport
    expected = (apart @ covariances[0] @ apart).trace().item()
    assert frechet_distance(zero, covariances[0], zero, second) == pytest.approx(expected, rel=1e-8)


def test_frechet_of_a_set_with_itself_is_zero_and_symmetric() -> None:
    real, fake = features(500, 24, seed=1), features(500, 24, seed=2, off=0.2)
    assert seen(FrechetDistance(), real, real).compute()["fid"] == pytest.approx(0, abs=1e-6)
    one = seen(FrechetDistance(), real, fake).compute()["fid"]
    assert one == pytest.approx(seen(FrechetDistance(), fake, real).compute()["fid"], rel=1e-9)
    assert one > 0.1


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_moments_are_numpys_far_from_zero_too(offset: float) -> None:
    real, fake = features(700, 10, seed=1) + offset, features(900, 10, seed=2, off=0.1) + offset
    gaussians = [
        (torch.from_numpy(rows.mean(0)), torch.from_numpy(np.cov(rows, rowvar=False)))
        for rows in (real.double().numpy(), fake.double().numpy())
    ]
    expected = frechet_distance(*gaussians[0], *gaussians[1])
    found = seen(FrechetDistance(), real, fake, 13).compute()["fid"]
    assert found == pytest.approx(expected, rel=1e-7)


def nuclear(real: Tensor, fake: Tensor) -> float:
    """Frechet from the rows: the trace of the root is the sum of their product's singular values.

    Heusel's formula with no covariance and no root at all, so that few images do it no harm.
    """
    distance, centred = (real.double().mean(0) - fake.double().mean(0)).square().sum(), []
    for rows in (real.double(), fake.double()):
        centred.append((rows - rows.mean(0)) / (len(rows) - 1) ** 0.5)
        distance += centred[-1].square().sum()
    return (distance - 2 * torch.linalg.svdvals(centred[0] @ centred[1].T).sum()).item()


def dead(rows: Tensor) -> Tensor:
    rows = rows.clone()
    rows[:, 5:9] = 0
    return rows


def doubled(rows: Tensor) -> Tensor:
    return torch.cat([rows[:, 20:], rows], 1)


@pytest.mark.parametrize("of", [Tensor.clone, dead, doubled])
@pytest.mark.parametrize(("reals", "fakes"), [(500, 500), (100, 100), (500, 60), (60, 500), (9, 9)])
def test_frechet_without_full_rank(of: Callable[[Tensor], Tensor], reals: int, fakes: int) -> None:
    real, fake = of(features(reals, 128, seed=1)), of(features(fakes, 128, seed=2, off=0.1))
    found = seen(FrechetDistance(), real, fake).compute()["fid"]
    assert found == pytest.approx(nuclear(real, fake), rel=1e-6)


def test_all_fakes_alike_are_no_trouble() -> None:
    real = features(50, 8, seed=1)
    fake = real[:1].repeat(30, 1)
    spread = real.double().var(0).sum() + (real.double().mean(0) - fake[0]).square().sum()
    found = seen(FrechetDistance(), real, fake).compute()["fid"]
    assert found == pytest.approx(spread.item(), rel=1e-6)


def test_no_more_images_than_features_are_unreliable() -> None:
    enough, few = features(9, 8, seed=1), features(8, 8, seed=2)
    assert seen(FrechetDistance(), enough, enough).unreliable() == {}
    for real, fake in ((few, enough), (enough, few)):
        (told,) = seen(FrechetDistance(), real, fake).unreliable().values()
        assert f"{len(real)} real images and {len(fake)} fakes" in told
        assert "at least 9 of each" in told


def test_frechet_agrees_with_clean_fid_and_torch_fidelity() -> None:
    real, fake = features(400, 64, seed=1), features(300, 64, seed=2, off=0.1)
    found = seen(FrechetDistance(), real, fake).compute()["fid"]
    fidelity = pytest.importorskip("torch_fidelity.metric_fid", reason="torch-fidelity: dev extra")
    moments = [fidelity.fid_features_to_statistics(rows) for rows in (real, fake)]
    (theirs,) = fidelity.fid_statistics_to_metric(*moments, verbose=False).values()
    assert found == pytest.approx(theirs, rel=1e-6)
    clean = pytest.importorskip("cleanfid.fid", reason="clean-fid: the evaluation extra")
    gaussians = [value for pair in moments for value in (pair["mu"], pair["sigma"])]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            theirs = clean.frechet_distance(*gaussians)
        except (TypeError, ValueError) as error:
            pytest.skip(f"clean-fid wants an older scipy, whose sqrtm takes disp ({error})")
    assert found == pytest.approx(theirs, rel=1e-6)


# Kernel ----------------------------------------------------------------------------------------


def test_kernel_distance_by_hand() -> None:
    # D = 1, reals 0 and 1, fakes 1 and 2: pairs give 1; 3^3 = 27; and 1, 1, 2^3, 3^3 between
    found = seen(KernelDistance(), points(0, 1), points(1, 2)).compute()["kid"]
    assert found == pytest.approx(1 + 27 - 2 * (1 + 1 + 8 + 27) / 4)


def test_kernel_distance_is_unbiased() -> None:
    draws = [
        seen(KernelDistance(), rand(20, 6, seed=seed), rand(30, 6, seed=seed + 1000)).compute()
        for seed in range(300)
    ]
    found = torch.tensor([draw["kid"] for draw in draws])
    error = found.std() / len(found) ** 0.5
    assert found.mean().abs() < 3 * error
    assert found.min() < 0
    apart = seen(KernelDistance(), rand(20, 6, seed=0), rand(30, 6, seed=1) + 1).compute()["kid"]
    assert apart > 3 * found.std()


def test_kernel_distance_agrees_with_clean_fid_and_torch_fidelity() -> None:
    real, fake = features(1200, 64, seed=1), features(1200, 64, seed=2, off=0.1)
    found = seen(KernelDistance(), real, fake).compute()["kid"]
    clean = pytest.importorskip("cleanfid.fid", reason="clean-fid: the evaluation extra")
    pair = [rows.double().numpy() for rows in (real, fake)]
    theirs = clean.kernel_distance(*pair, num_subsets=1, max_subset_size=1200)
    assert found == pytest.approx(theirs, rel=1e-6)
    fidelity = pytest.importorskip("torch_fidelity.metric_kid", reason="torch-fidelity: dev extra")
    subsets = {"kid_subsets": 1, "kid_subset_size": 1200, "rng_seed": 0, "verbose": False}
    theirs = fidelity.kid_features_to_metric(real.double(), fake.double(), **subsets)
    assert found == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-6)


# Neighbours ------------------------------------------------------------------------------------


def test_precision_and_recall_of_points_on_a_line() -> None:
    real = points(0, 1, 2, 10)  # balls of k = 1: 1, 1, 1, 8
    fake = points(-1.5, 0.5, 5, 30)  # balls of k = 1: 2, 2, 4.5, 25
    found = seen(PrecisionRecall(k=1), real, fake).compute()
    assert found == {"precision": 0.5, "recall": 1.0}  # 0.5 and, with the far ball of 10, 5
    found = seen(PrecisionRecall(k=1), real, fake[:2]).compute()
    assert found == {"precision": 0.5, "recall": 0.75}


def test_the_edge_of_a_ball_counts_for_precision_and_not_for_density() -> None:
    real, fake = points(0, 1, 3), points(-1, 5, 2.5, 7)  # balls of k = 1: 1, 1, 2
    assert seen(PrecisionRecall(k=1), real, fake).compute()["precision"] == 0.75
    found = seen(DensityCoverage(k=1), real, fake).compute()
    assert found == {"density": 0.25, "coverage": pytest.approx(1 / 3)}


def test_a_point_is_not_its_own_neighbour_and_its_equals_are() -> None:
    real = points(0, 0, 4, 4.5)  # balls of k = 1: 0, 0, 0.5, 0.5
    fake = points(0, 3, 4.25, 100)
    assert seen(PrecisionRecall(k=1), real, fake).compute()["precision"] == 0.5
    found = seen(DensityCoverage(k=1), real, fake).compute()
    assert found == {"density": 0.5, "coverage": 0.5}  # no ball of nothing holds a point


def test_equal_features_are_no_distance_apart_whatever_the_rounding() -> None:
    real = rand(40, 512, seed=1) + 3
    fake = real[:1].repeat(20, 1)
    found = seen(PrecisionRecall(), real, fake).compute()
    assert found == {"precision": 1.0, "recall": 1 / 40}


def test_coverage_and_density_know_their_bounds() -> None:
    real = features(200, 16, seed=1)
    found = seen(DensityCoverage(), real, real).compute()
    assert found == {"density": pytest.approx(1.0), "coverage": 1.0}
    plane, crowd = rand(200, 2, seed=1), 1e-3 * rand(200, 2, seed=2)  # where it is densest
    assert seen(DensityCoverage(), plane, crowd).compute()["density"] > 1


@pytest.mark.parametrize("fewer", ["reals", "fakes"])
def test_k_wants_more_images_than_neighbours(fewer: str) -> None:
    few, many = rand(4, 3, seed=1), rand(9, 3, seed=2)
    real, fake = (few, many) if fewer == "reals" else (many, few)
    seen(PrecisionRecall(k=3), real, fake).compute()
    with pytest.raises(DataError, match=r"5 real .* 5 fakes.* 4 .*\(k\)"):
        seen(PrecisionRecall(k=4), real, fake).compute()
    seen(DensityCoverage(k=3), real, fake).compute()
    if fewer == "reals":
        with pytest.raises(DataError, match=r"5 real .* 2 fakes.* 4 .* 9"):
            seen(DensityCoverage(k=4), real, fake).compute()


@pytest.mark.parametrize("k", [1, 3, 5])
def test_all_four_agree_with_prdc(k: int) -> None:
    prdc = pytest.importorskip("prdc", reason="prdc: the dev extra")
    real, fake = features(700, 32, seed=1), features(600, 32, seed=2, off=0.05)
    theirs = prdc.compute_prdc(real.numpy(), fake.numpy(), nearest_k=k)
    found = seen(PrecisionRecall(k), real, fake).compute()
    found |= seen(DensityCoverage(k), real, fake).compute()
    assert found == pytest.approx(theirs, rel=1e-9)
    assert 0.05 < min(found["precision"], found["recall"]) < 0.95


def test_precision_and_recall_agree_with_torch_fidelity() -> None:
    fidelity = pytest.importorskip("torch_fidelity.metric_prc", reason="torch-fidelity: dev extra")
    real, fake = features(700, 32, seed=1), features(600, 32, seed=2, off=0.05)
    theirs = fidelity.prc_features_to_metric(fake.double(), real.double(), verbose=False)
    found = seen(PrecisionRecall(), real, fake).compute()
    assert found == pytest.approx({score: theirs[score] for score in found}, rel=1e-6)


# Rows ------------------------------------------------------------------------------------------


def test_rows_come_back_in_blocks_of_any_size() -> None:
    values, rows = rand(25, 3, seed=1), Rows()
    for chunk in (values[:1], values[1:1], values[1:20], values[20:]):
        rows.append(chunk)
    assert (len(rows), rows.dim) == (25, 3)
    assert torch.equal(rows.all(), values)
    blocks: Iterable[tuple[int, Tensor]] = rows.blocks(10)
    assert [(start, block.tolist()) for start, block in blocks] == [
        (start, values[start : start + 10].tolist()) for start in (0, 10, 20)
    ]


def test_rows_outlive_what_was_mapped_of_them() -> None:
    values, rows = rand(6, 3, seed=1), Rows()
    rows.append(values[:4])
    mapped = rows.all()
    mapped[0] = 7
    rows.append(values[4:])
    assert torch.equal(rows.all(), values)
    kept = rows.all()
    del rows
    assert torch.equal(kept, values)
    assert len(Rows().all()) == 0
