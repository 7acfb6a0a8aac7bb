"""Evaluator ``landmark-truth``, and the finder of landmarks that it looks through."""

import json
from importlib import resources

import pytest
import torch
from safetensors.torch import load

from ganzoo.errors import DataError
from ganzoo_heads import drawn, finder, finder_training
from ganzoo_heads.finder_training import errors, examples, varied
from ganzoo_heads.landmark_truth import LandmarkTruth

COUNT = 12
GROUP = torch.arange(COUNT) % 10


@pytest.fixture(scope="module")
def heads() -> finder_training.Examples:
    images, points = examples("anime", COUNT, 31)
    return images.float() / 127.5 - 1, points


def score(points: torch.Tensor, fakes: torch.Tensor) -> float:
    evaluator = LandmarkTruth()
    evaluator.pair(points[:5], fakes[:5], GROUP[:5])
    evaluator.pair(points[5:], fakes[5:], GROUP[5:])
    return evaluator.compute()["landmark-error"]


def test_twins_are_where_they_belong_and_moved_or_other_faces_are_not(
    heads: finder_training.Examples,
) -> None:
    images, points = heads
    own = score(points, images)
    assert own < 0.1
    step = 6
    moved = images.roll(step, 3)
    eyes = (points[:, 36] - points[:, 45]).norm(dim=1)
    assert score(points, moved) == pytest.approx(
        own + (2 * step / images.shape[3] / eyes).mean().item(), abs=0.08
    )
    assert score(points, images.roll(1, 0)) > 2 * own
    assert score(points, images.flip(2)) > 5 * own


def test_the_size_of_the_images_does_not_matter(heads: finder_training.Examples) -> None:
    images, points = heads
    larger = torch.nn.functional.interpolate(images, scale_factor=2, mode="bicubic").clamp(-1, 1)
    assert score(points, larger) == pytest.approx(score(points, images), abs=0.01)


def test_groups_can_be_left_out(heads: finder_training.Examples) -> None:
    images, points = heads
    evaluator = LandmarkTruth()
    evaluator.pair(points, torch.where((GROUP == 3)[:, None, None, None], -images, images), GROUP)
    assert evaluator.compute(without=3)["landmark-error"] < evaluator.compute()["landmark-error"]
    with pytest.raises(DataError, match="at least one pair"):
        LandmarkTruth().compute()


def test_other_landmarks_are_refused(heads: finder_training.Examples) -> None:
    images, points = heads
    with pytest.raises(DataError, match=r"68 landmarks.* has 7\..*heads-64"):
        LandmarkTruth().pair(points[:, :7], images, GROUP)


# -- the finder ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [*drawn.STYLES, "photo"])
def test_the_finder_reads_heads_that_it_has_not_seen(kind: str) -> None:
    known = json.loads((resources.files("ganzoo_heads") / finder.FACTS).read_text())
    assert known["sha256"] == finder.SHA256
    error = known["error"][kind.removesuffix("-white")]["all"]  # whatever the ground is
    assert errors(finder.trained(), examples(kind, 8, 33))["all"] < 1.6 * error
    stated = f"{100 * error:.1f} %"
    assert stated in " ".join(str(LandmarkTruth.__doc__).split())


def test_points_move_with_their_pixels() -> None:
    places = torch.rand(40, 2, generator=torch.Generator().manual_seed(0)) - 0.5
    points = places[:, None].expand(-1, 68, -1).contiguous()
    axis = (2 * torch.arange(64) + 1) / 64 - 1
    far = (axis[:, None] - places[:, 1, None, None]) ** 2 + (axis - places[:, 0, None, None]) ** 2
    images = 2 * torch.exp(-far / 0.005)[:, None].expand(-1, 3, -1, -1) - 1
    images, points = varied(images, points, torch.Generator().manual_seed(1))
    mass = (images.mean(1) - images.mean(1).amin((1, 2), keepdim=True)) ** 4
    middle = torch.stack([(mass.sum(1) * axis).sum(1), (mass.sum(2) * axis).sum(1)], 1)
    inside = points[:, 0].abs().amax(1) < 0.8
    assert inside.sum() > 20
    apart = (middle / mass.sum((1, 2))[:, None] - points[:, 0])[inside]
    assert apart.abs().max() < 0.08


def test_another_file_than_the_shipped_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = finder.SHA256
    monkeypatch.setattr(finder, "SHA256", "0" * 64)
    with pytest.raises(DataError, match="changed or damaged") as error:
        LandmarkTruth()
    assert "\n" not in str(error.value)
    assert shipped[:16] in str(error.value)
    assert "ganzoo_heads.finder_training --out" in str(error.value)


def test_the_command_trains_and_states_what_it_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(finder_training, "KINDS", {"anime": 1.0})
    monkeypatch.setattr(
        "sys.argv", ["x", "--out", f"{tmp_path}/new", "--count", "6", "--steps", "4"]
    )
    finder_training.main()
    known = json.loads(open(f"{tmp_path}/new/finder.json").read())  # noqa: PTH123, SIM115
    assert known["sha256"] in capsys.readouterr().out
    data = open(f"{tmp_path}/new/finder.safetensors", "rb").read()  # noqa: PTH123, SIM115
    assert len(data) < 1_000_000
    finder.LandmarkNet().load_state_dict(load(data))
    assert set(known["error"]["anime"]) == {"all", *finder_training.PARTS}
