"""Diversity, copies, colours, edges and likeness: hand-computed cases, streaming, and refusals."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ganzoo.errors import DataError
from ganzoo.interfaces import GROUPS, Evaluator
from ganzoo_metrics.color import Color
from ganzoo_metrics.diversity import Diversity
from ganzoo_metrics.edges import Edges
from ganzoo_metrics.landmarks import Landmarks
from ganzoo_metrics.likeness import Likeness
from ganzoo_metrics.lpips_diversity import LPIPSDiversity
from ganzoo_metrics.lpips_photo import LPIPSPhoto
from ganzoo_metrics.nearest import Nearest
from ganzoo_metrics.vendi import Vendi

pytestmark = pytest.mark.usefixtures("one_thread")

Words = dict[str, Any]
N = 40


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def pictures(n: int, seed: int = 0, size: int = 8) -> Tensor:
    """Smooth images (n, 3, size, size) that have been through 8 bits."""
    coarse = normal(n, 3, 3, 3, seed=seed).tanh()
    image = torch.nn.functional.interpolate(coarse, size=size, mode="bilinear")
    return ((image + 1) * 127.5).round() / 127.5 - 1


def groups(n: int) -> Tensor:
    return torch.arange(n) % GROUPS


def layer(rows: Any) -> dict[str, Tensor]:
    return {"features": torch.as_tensor(rows, dtype=torch.float32)}


def found(points: Tensor | list[Tensor], confidence: list[float]) -> dict[str, Tensor]:
    return {
        "points": points if isinstance(points, Tensor) else torch.stack(points),
        "confidence": torch.tensor(confidence),
    }


def plain(value: float) -> Tensor:
    """One image 4x4 of one gray value."""
    return torch.full((1, 3, 4, 4), value)


def step(low: float, high: float) -> Tensor:
    """One image 4x4, black to white from left to right in the middle."""
    image = torch.full((1, 3, 4, 4), low)
    image[..., 2:] = high
    return image


# Streams: what each evaluator gets of N images, by method

FEATURES, OTHERS = normal(N, 6), normal(N, 6, seed=1) + 0.2
FACES = {"points": normal(N, 5, 2), "confidence": torch.linspace(0.2, 1, N)}
DRAWN = {"points": normal(N, 5, 2, seed=1), "confidence": torch.linspace(1, 0, N)}

STREAMS: dict[type[Evaluator], dict[str, Words]] = {
    Vendi: {"fake": {"features": layer(FEATURES), "group": groups(N)}},
    Diversity: {"real": {"features": layer(OTHERS)}, "fake": {"features": layer(FEATURES)}},
    LPIPSDiversity: {"fake": {"features": layer(FEATURES)}},
    Nearest: {
        "real": {"features": layer(OTHERS)},
        "fake": {"features": layer(FEATURES), "group": groups(N)},
    },
    Color: {
        "real": {"image": pictures(N)},
        "fake": {"image": pictures(N, seed=1), "group": groups(N)},
    },
    Edges: {
        "real": {"image": pictures(N)},
        "fake": {"image": pictures(N, seed=1), "group": groups(N)},
    },
    Likeness: {"pair": {"photo": pictures(N), "fake": pictures(N, seed=1)}},
    LPIPSPhoto: {"pair": {"photo_features": layer(OTHERS), "fake_features": layer(FEATURES)}},
    Landmarks: {"pair": {"photo_features": FACES, "fake_features": DRAWN}},
}
GROUPED = [cls for cls, streams in STREAMS.items() if "group" in streams.get("fake", {})]

every = pytest.mark.parametrize("cls", STREAMS, ids=lambda cls: cls.__name__)


def rows(value: Any, chosen: Tensor) -> Any:
    if isinstance(value, dict):
        return {name: tensor[chosen] for name, tensor in value.items()}
    return value[chosen]


def feed(evaluator: Any, streams: dict[str, Words], chunks: Iterable[Tensor]) -> Any:
    parts = list(chunks)
    for method, words in streams.items():
        for part in parts:
            getattr(evaluator, method)(**{name: rows(value, part) for name, value in words.items()})
    return evaluator


@every
def test_scores_do_not_depend_on_the_size_of_chunks(cls: type[Evaluator]) -> None:
    whole = feed(cls(), STREAMS[cls], [torch.arange(N)]).compute()
    assert whole.keys() == cls.higher_is_better.keys()
    for size in (1, 7):
        scores = feed(cls(), STREAMS[cls], torch.arange(N).split(size)).compute()
        assert scores == pytest.approx(whole, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("cls", GROUPED, ids=lambda cls: cls.__name__)
def test_leaving_a_group_out_is_as_if_it_had_never_been(cls: type[Evaluator]) -> None:
    evaluator = feed(cls(), STREAMS[cls], torch.arange(N).split(7))
    for group in (0, 3, 9):
        fresh = cls()
        for method, words in STREAMS[cls].items():
            kept = torch.arange(N)[groups(N) != group] if method == "fake" else torch.arange(N)
            feed(fresh, {method: words}, [kept])
        assert evaluator.compute(without=group) == pytest.approx(fresh.compute(), rel=1e-9)
    assert evaluator.compute() == evaluator.compute(without=None)


@every
def test_nothing_to_score_is_a_clear_error(cls: type[Evaluator]) -> None:
    with pytest.raises(DataError, match=r"Give|Evaluate on more"):
        cls().compute()
    reals_alone = {method: words for method, words in STREAMS[cls].items() if method == "real"}
    with pytest.raises(DataError, match=r"Give|Evaluate on more"):
        feed(cls(), reals_alone, [torch.arange(N)]).compute()


@pytest.mark.parametrize(
    "cls", [Vendi, Diversity, LPIPSDiversity, Nearest, LPIPSPhoto], ids=lambda cls: cls.__name__
)
def test_features_that_are_not_numbers_are_refused(cls: type[Evaluator]) -> None:
    broken = FEATURES.clone()
    broken[5, 2] = math.nan
    for method, words in STREAMS[cls].items():
        words = {n: layer(broken) if n.endswith("features") else v for n, v in words.items()}
        with pytest.raises(DataError, match="not finite"):
            feed(cls(), {method: words}, [torch.arange(N)])


@pytest.mark.parametrize("cls", GROUPED, ids=lambda cls: cls.__name__)
def test_leaving_out_the_only_group_is_a_clear_error(cls: type[Evaluator]) -> None:
    streams = STREAMS[cls] | {"fake": STREAMS[cls]["fake"] | {"group": torch.full((N,), 4)}}
    with pytest.raises(DataError, match=r"1 fake|one fake"):
        feed(cls(), streams, [torch.arange(N)]).compute(without=4)


# Vendi


def vendi(features: Any) -> float:
    evaluator = Vendi()
    evaluator.fake(layer(features), groups(len(features)))
    return evaluator.compute()["vendi"]


def test_vendi_counts_different_directions() -> None:
    eye = torch.eye(4)
    assert vendi(eye) == pytest.approx(4)
    assert vendi(eye * torch.tensor([[1], [5], [0.1], [9]])) == pytest.approx(4)  # not lengths
    assert vendi(eye[[0, 0, 1, 1, 1, 0]]) == pytest.approx(2)
    assert vendi(normal(1, 5).expand(12, -1)) == pytest.approx(1)
    # two of one and one of another: exp of the entropy of 2/3 and 1/3
    assert vendi(eye[[0, 0, 1]]) == pytest.approx(3 / 2 ** (2 / 3))


@pytest.mark.parametrize(("n", "d"), [(30, 5), (5, 30)])
def test_vendi_is_the_entropy_of_the_kernel_as_published(n: int, d: int) -> None:
    features = normal(n, d)
    unit = torch.nn.functional.normalize(features.double())
    shares = torch.linalg.eigvalsh(unit @ unit.mT / n).clamp(min=1e-300)
    expected = torch.exp(-(shares * shares.log()).sum()).item()
    assert vendi(features) == pytest.approx(expected, rel=1e-6)


def test_vendi_refuses_features_without_a_direction() -> None:
    with pytest.raises(DataError, match="all zero"):
        vendi(torch.zeros(3, 4))


# Diversity


def mean_over_pairs(x: Tensor) -> float:
    """The mean squared distance over all pairs, pair by pair."""
    pairs = torch.combinations(torch.arange(len(x)))
    return (x.double()[pairs[:, 0]] - x.double()[pairs[:, 1]]).square().sum(1).mean().item()


def diversity(real: Any, fake: Any) -> float:
    evaluator = Diversity()
    evaluator.real(layer(real))
    evaluator.fake(layer(fake))
    return evaluator.compute()["diversity"]


def test_diversity_is_the_spread_as_a_share_of_the_reals() -> None:
    expected = math.sqrt(mean_over_pairs(FEATURES) / mean_over_pairs(OTHERS))
    assert diversity(OTHERS, FEATURES) == pytest.approx(expected, rel=1e-9)
    assert diversity(OTHERS, OTHERS + 10) == pytest.approx(1, rel=1e-5)
    assert diversity(OTHERS, 3 * OTHERS) == pytest.approx(3, rel=1e-6)
    assert diversity([[0.0], [2.0]], [[1.0], [2.0]]) == 0.5


def test_one_image_over_and_over_has_no_diversity() -> None:
    assert diversity(OTHERS, OTHERS[:1].expand(21, -1)) == 0


def test_diversity_needs_pairs_and_reals_that_differ() -> None:
    with pytest.raises(DataError, match="there are 40 and 1"):
        diversity(OTHERS, FEATURES[:1])
    with pytest.raises(DataError, match="all alike"):
        diversity(OTHERS[:1].expand(21, -1), FEATURES)


def test_lpips_diversity_is_the_mean_over_all_pairs() -> None:
    for phi in (normal(25, 300), 100 + normal(25, 300)):
        evaluator = LPIPSDiversity()
        evaluator.fake(layer(phi))
        expected = pytest.approx(mean_over_pairs(phi), rel=1e-9)
        assert evaluator.compute()["lpips-diversity"] == expected


def test_lpips_diversity_needs_two_images() -> None:
    evaluator = LPIPSDiversity()
    evaluator.fake(layer(FEATURES[:1]))
    with pytest.raises(DataError, match="not 1"):
        evaluator.compute()


# Copies


def nearest(real: Any, fake: Any) -> Nearest:
    evaluator = Nearest()
    evaluator.real(layer(real))
    evaluator.fake(layer(fake), groups(len(fake)))
    return evaluator


def test_nearest_is_over_the_reals_own_distances() -> None:
    line = torch.arange(101.0)[:, None] ** 2  # 1, 1, 3, 5, ... 199 to the nearest other
    fakes = [[4.0], [4.5], [125.5], [-1.5], [101.5]]  # 0, 0.5, 4.5, 1.5, 1.5 to the nearest
    evaluator = nearest(line, fakes)
    scores = evaluator.compute()
    assert scores["nearest"] == pytest.approx(1.5 / 99)
    assert scores["copied"] == 0.4  # the first percentile is 1
    assert evaluator.unreliable() == {}


def test_copies_are_told_from_new_images() -> None:
    real, new = normal(1500, 4), normal(1500, 4, seed=1)
    copies, far = nearest(real, real[:500]), nearest(real, new + 50)
    assert nearest(real, new).compute()["copied"] == pytest.approx(0.01, abs=0.01)
    assert nearest(real, new).compute()["nearest"] == pytest.approx(1, abs=0.1)
    assert copies.compute() == {"nearest": 0, "copied": 1}
    assert far.compute()["copied"] == 0
    assert far.compute()["nearest"] > 10
    repeated = nearest(real, real[:1].expand(30, -1))
    assert repeated.compute()["copied"] == 1


@pytest.mark.parametrize("count", [511, 512, 513, 1300])
def test_distances_in_blocks_are_those_of_all_pairs(count: int) -> None:
    real, fake = 5 + normal(count, 3), 5 + normal(700, 3, seed=1)
    own = (real[:, None] - real).double().norm(dim=2).fill_diagonal_(math.inf).amin(1)
    least = (fake[:, None] - real).double().norm(dim=2).amin(1)
    scores = nearest(real, fake).compute()
    assert scores["nearest"] == pytest.approx(
        (least.quantile(0.5) / own.quantile(0.5)).item(), rel=1e-5
    )
    expected = (least <= own.quantile(0.01)).double().mean().item()
    assert scores["copied"] == pytest.approx(expected, abs=2 / 700)


def test_fakes_that_come_after_a_score_count() -> None:
    evaluator = nearest(OTHERS, FEATURES)
    before = evaluator.compute()["copied"]
    evaluator.fake(layer(OTHERS), groups(N))
    assert evaluator.compute()["copied"] > before


def test_reals_that_are_few_or_there_twice_make_copies_doubtful() -> None:
    assert "copied" in nearest(normal(99, 4), FEATURES[:, :4]).unreliable()
    real = normal(200, 4)
    twins = torch.cat([real, real[:3]])
    assert "there twice" in nearest(twins, FEATURES[:, :4]).unreliable()["copied"]
    with pytest.raises(DataError, match="duplicates"):
        nearest(torch.cat([real, real]), FEATURES[:, :4]).compute()
    with pytest.raises(DataError, match="2 real images"):
        nearest(real[:1], FEATURES[:, :4]).compute()


# Colours and edges


def overlap(real: Tensor, fake: Tensor) -> float:
    evaluator = Color()
    evaluator.real(real)
    evaluator.fake(fake, groups(len(fake)))
    return evaluator.compute()["color-overlap"]


def gap(real: Tensor, fake: Tensor) -> float:
    evaluator = Edges()
    evaluator.real(real)
    evaluator.fake(fake, groups(len(fake)))
    return evaluator.compute()["edge-gap"]


def test_color_overlap_is_the_share_of_pixels_of_common_colours() -> None:
    black, white = plain(-1), plain(1)
    assert overlap(black, white) == 0
    assert overlap(torch.cat([black, white]), black) == 0.5
    half = step(-1, 1)
    assert overlap(torch.cat([black, white]), half) == 1  # where a colour is does not matter
    assert overlap(torch.cat([black, half]), half) == 0.75


def test_colors_are_the_same_in_cells_of_32_values_of_a_channel() -> None:
    def gray(value: int) -> Tensor:
        return plain(value / 127.5 - 1)

    assert overlap(gray(0), gray(31)) == 1
    assert overlap(gray(31), gray(32)) == 0
    assert overlap(gray(224), gray(255)) == 1
    red = gray(0).clone()
    red[:, 0] = 1
    assert overlap(red, red.flip(1)) == 0  # red is not blue


def test_edge_gap_is_how_far_gradients_must_change() -> None:
    # from black to white in two of its two inner columns: (1 - 0) over two pixels
    assert gap(plain(-1), step(-1, 1)) == pytest.approx(0.5)
    assert gap(step(-1, 1), plain(-1)) == pytest.approx(0.5)
    assert gap(step(-1, 1), step(-1, 0)) == pytest.approx(0.25)
    assert gap(step(-1, 1), step(1, -1).mT) == 0  # neither its direction nor its sign matters
    assert gap(torch.cat([plain(-1), step(-1, 1)]), plain(1)) == pytest.approx(0.25)
    # green is brighter than blue
    color = torch.full((1, 3, 4, 4), -1.0)
    color[:, 1, :, 2:] = 1
    assert gap(plain(-1), color) == pytest.approx(0.587 / 2, abs=1 / 1024)


def test_edge_gap_grows_with_blur_and_with_noise() -> None:
    sharp = torch.cat([pictures(30, size=16).sign(), pictures(30, seed=1, size=16)])
    same, blurred = sharp[1::2], torch.nn.functional.avg_pool2d(sharp[1::2], 3, 1, 1)
    noise = torch.rand(30, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    floor = gap(sharp[::2], same)
    assert gap(sharp[::2], blurred) > 2 * floor
    assert gap(sharp[::2], noise) > 2 * floor


def test_the_strongest_edge_there_is_has_its_place() -> None:
    corner = torch.full((1, 3, 4, 4), -1.0)
    corner[:, :, 1:, 2:] = corner[:, :, 2:, 1:] = 1
    corner[:, :, 0, 2] = 1
    assert 0.25 < gap(plain(0), corner) < 0.56


# Likeness


def likeness(photo: Tensor, fake: Tensor) -> dict[str, float]:
    evaluator = Likeness()
    evaluator.pair(photo, fake)
    return evaluator.compute()


def test_likeness_to_itself_is_perfect_and_brightness_does_not_count() -> None:
    photo = pictures(5)
    same, darker = likeness(photo, photo), likeness(photo, photo / 2 - 0.4)
    assert same == {"edges-kept": pytest.approx(1), "color-shift": 0}
    assert darker["edges-kept"] == pytest.approx(1)
    grays = photo.mean(1, keepdim=True).expand(-1, 3, -1, -1)
    assert likeness(grays, grays - 0.2)["color-shift"] == pytest.approx(0, abs=1e-7)


def test_color_shift_is_the_change_of_u_and_v() -> None:
    red, blue = plain(-1), plain(-1)
    red[:, 0] = 1
    blue[:, 2] = 1
    # |U| and |V| of blue minus red
    expected = (abs(0.43601035 + 0.14714119) + abs(-0.10001026 - 0.61497538)) / 2
    assert likeness(red, blue)["color-shift"] == pytest.approx(expected, rel=1e-6)


def test_edges_kept_is_the_mean_correlation_of_edge_maps() -> None:
    photo, fake = pictures(2), pictures(2, seed=1)
    photo[0] = fake[0]
    single = likeness(photo[1:], fake[1:])["edges-kept"]
    assert likeness(photo, fake)["edges-kept"] == pytest.approx((1 + single) / 2)
    assert likeness(fake, plain(0.3).expand(2, -1, -1, -1).repeat(1, 1, 2, 2))["edges-kept"] == 0
    # where the one has its edge the other has none
    left, right = torch.full((1, 3, 3, 8), -1.0), torch.full((1, 3, 3, 8), -1.0)
    left[..., 2:] = right[..., 6:] = 1
    # maps 110000 and 000011 of six pixels: covariance -1/9, variance 2/9
    assert likeness(left, right)["edges-kept"] == pytest.approx(-0.5)


def test_images_of_other_sizes_than_the_photos_are_refused() -> None:
    for size in (4, 12):
        with pytest.raises(DataError, match=rf"8x8 pixels .* {size}x{size} pixels"):
            likeness(pictures(2), pictures(2, size=size))


def test_a_photo_is_enlarged_to_an_output_that_is_larger_by_a_whole_factor() -> None:
    photo = pictures(2)
    large = interpolate(photo, scale_factor=2, mode="bicubic", antialias=True).clamp(-1, 1)
    assert likeness(photo, large) == {"edges-kept": pytest.approx(1), "color-shift": 0}


def test_lpips_to_the_photo_is_the_mean_squared_distance() -> None:
    evaluator = LPIPSPhoto()
    evaluator.pair(layer([[0, 0], [1, 1]]), layer([[3, 4], [1, 2]]))
    assert evaluator.compute() == {"lpips-photo": (25 + 1) / 2}


# Landmarks


def landmarks(photo: Words, fake: Words, **arguments: float) -> dict[str, float]:
    evaluator = Landmarks(**arguments)
    evaluator.pair(photo, fake)
    return evaluator.compute()


SQUARE = torch.tensor([[0.0, 0], [0.3, 0], [0, 0.4], [0.3, 0.4]])  # of diagonal 0.5


def test_drift_is_in_diagonals_of_the_photos_points() -> None:
    moved = SQUARE + torch.tensor([0.03, 0.04])
    scores = landmarks(found([SQUARE], [1.0]), found([moved], [1.0]))
    assert scores == {"landmark-drift": pytest.approx(0.1, rel=1e-5), "face-found": 1}
    one = SQUARE.clone()
    one[0, 0] -= 0.1
    drift = landmarks(found([SQUARE], [1.0]), found([one], [1.0]))["landmark-drift"]
    assert drift == pytest.approx(0.1 / 4 / 0.5, rel=1e-5)


def test_drift_of_68_points_is_in_distances_of_the_outer_eye_corners() -> None:
    points = normal(68, 2)
    points[36], points[45] = torch.tensor([-0.2, 0]), torch.tensor([0.2, 0])
    drift = landmarks(found([points], [1.0]), found([points + torch.tensor([0, 0.1])], [1.0]))
    assert drift["landmark-drift"] == pytest.approx(0.25, rel=1e-4)


def test_a_face_of_no_size_does_not_outweigh_the_others() -> None:
    dot = torch.zeros(4, 2)
    drift = landmarks(found([dot], [1.0]), found([dot + torch.tensor([0.03, 0.04])], [1.0]))
    assert drift["landmark-drift"] == pytest.approx(0.5, rel=1e-5)


def test_faces_count_where_the_photo_has_one_also_where_the_fake_lost_it() -> None:
    nothing = torch.full((4, 2), math.nan)
    photo = found(torch.stack([SQUARE, SQUARE, nothing, SQUARE]), [0.9, 0.5, 0.1, 0.5])
    moved = SQUARE + torch.tensor([0.06, 0.08])
    fake = found(torch.stack([SQUARE, moved, SQUARE, SQUARE]), [0.5, 0.4, 1, 0.7])
    scores = landmarks(photo, fake)
    assert scores["landmark-drift"] == pytest.approx((0 + 0.2 + 0) / 3, rel=1e-5)
    assert scores["face-found"] == pytest.approx(2 / 3)
    assert landmarks(photo, fake, confidence=0.8)["face-found"] == 0


def test_what_is_no_finder_and_photos_without_faces_are_refused() -> None:
    good = found([SQUARE], [1.0])
    unsure = {"points": good["points"]}
    with pytest.raises(DataError, match=r"needs confidence .* gives points"):
        landmarks(unsure, good)
    with pytest.raises(DataError, match=r"needs confidence .* gives points"):
        landmarks(good, unsure)
    with pytest.raises(DataError, match="gives features"):
        landmarks(layer(FEATURES), good)
    with pytest.raises(DataError, match=r"no face .* confidence 0\.5"):
        landmarks(found([SQUARE], [0.4]), good)
    with pytest.raises(DataError, match="not finite"):
        landmarks(good, found([SQUARE * math.nan], [0.9]))


def test_features_of_several_layers_are_refused() -> None:
    two: dict[str, Tensor] = layer(FEATURES) | {"more": FEATURES}
    calls: list[Callable[[], None]] = [
        lambda: Vendi().fake(two, groups(N)),
        lambda: Diversity().fake(two),
        lambda: LPIPSDiversity().fake(two),
        lambda: Nearest().fake(two, groups(N)),
        lambda: LPIPSPhoto().pair(two, two),
    ]
    for call in calls:
        with pytest.raises(DataError, match="one vector for each image"):
            call()
