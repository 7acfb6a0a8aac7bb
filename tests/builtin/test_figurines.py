"""Dataset ``figurines``: two pictures of the same thing, and landmarks that are where they say."""

import io
import pickle
import re
import sys

import numpy as np
import pytest
import torch
from PIL import Image

pytest.importorskip("dicebear", reason="the extra 'avatars' is not installed")
pytest.importorskip("resvg_py", reason="the extra 'avatars' is not installed")

import dicebear
import resvg_py

from ganzoo.errors import DataError
from ganzoo_avatars import drawing, render
from ganzoo_avatars.styles import LOOKS
from ganzoo_figurines import parts, sculpt
from ganzoo_figurines.figurines import Figurines
from ganzoo_figurines.parts import LANDMARKS, STYLES
from ganzoo_folders import edges

COUNT, SIZE = 6, 48
ALL = list(range(COUNT))
#: the fields without options, and those on demand
SIX = {"photo", "real", "landmarks", "real_landmarks", "depth", "normal"}


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANZOO_CACHE", str(folder))
        yield folder


def figurines(**arguments):
    return Figurines(**{"count": COUNT, "size": SIZE} | arguments)


def rows(dataset, indices=ALL):
    return dataset.__getitems__(indices)


def test_examples_are_two_images_and_landmarks():
    dataset = figurines()
    assert len(dataset) == COUNT
    example = dataset[2]
    assert set(example) == {"photo", "real", "landmarks", "real_landmarks"}
    for word in ("photo", "real"):
        assert example[word].shape == (3, SIZE, SIZE)
        assert example[word].dtype == torch.float32
        assert -1 <= example[word].min() < -0.2 < example[word].max() <= 1
    assert example["landmarks"].shape == (len(LANDMARKS), 2)
    assert example["landmarks"].dtype == torch.float32
    batch = rows(dataset, [3, 2])
    assert all(torch.equal(batch[word][1], value) for word, value in example.items())
    with pytest.raises(IndexError):
        dataset[COUNT]


@pytest.mark.parametrize("style", STYLES)
def test_photo_and_avatar_show_the_same_in_the_same_place(style):
    """Of all avatars, a photo's own is the one whose colours lie where the photo's do."""
    batch = rows(figurines(style=style))

    def chroma(images):  # light and dark differ, red and blue against green hardly
        images = (images + 1) ** 0.5
        found = (images[:, [0, 2]] - images[:, 1:2]).flatten(1)
        found = found - found.mean(dim=1, keepdim=True)
        return found / found.norm(dim=1, keepdim=True)

    likeness = chroma(batch["photo"]) @ chroma(batch["real"]).T
    assert likeness.argmax(dim=1).tolist() == ALL
    # and they are not the same picture: flat areas of the avatar are shaded in the photo
    flat = (batch["real"].diff(dim=3) == 0).all(dim=1).double().mean()
    shaded = (batch["photo"].diff(dim=3) == 0).all(dim=1).double().mean()
    assert shaded < 0.1 < 0.4 < flat


@pytest.mark.parametrize("style", STYLES)
def test_landmarks_are_where_the_parts_are_when_drawn_alone(style):
    """DiceBear itself poses the avatar, with every other part left out."""
    raw = render.definition(style)
    names = tuple(raw["components"])
    LOOKS[style].edit(raw)
    drawn = dicebear.Style(raw)
    posed = parts.PosedRenderer(style, SIZE, seed=0)

    def pixels(index, component):
        options = posed.options(index) | {
            f"{name}Probability": 0 for name in names if name != component
        }
        del options["backgroundColor"]
        png = resvg_py.svg_to_bytes(
            svg_string=str(dicebear.Avatar(drawn, options)), width=192, height=192
        )
        alpha = np.asarray(Image.open(io.BytesIO(bytes(png))).convert("RGBA"))[..., 3]
        y, x = np.nonzero(alpha > 100)
        return (np.stack([x, y], axis=1) + 0.5) / 192 * 2 - 1

    landmarks = rows(figurines(style=style))["landmarks"].numpy()
    for index in ALL[:4]:
        points = dict(zip(LANDMARKS, landmarks[index], strict=True))
        for left, right, component in (
            ("left eye", "right eye", "eyes"),
            ("left brow", "right brow", "eyebrows"),
        ):
            found = pixels(index, component)
            ends = found[found[:, 0].argmin()], found[found[:, 0].argmax()]
            far = [np.linalg.norm(found - end, axis=1) for end in ends]
            assert np.abs(found[far[0] < far[1]].mean(axis=0) - points[left]).max() < 0.05
            assert np.abs(found[far[0] >= far[1]].mean(axis=0) - points[right]).max() < 0.05
        mouth = pixels(index, "mouth")
        reach = mouth.min(axis=0) - 0.03, mouth.max(axis=0) + 0.03
        for name in ("mouth", "left mouth corner", "right mouth corner"):
            assert (points[name] > reach[0]).all(), name
            assert (points[name] < reach[1]).all(), name
        assert np.abs(mouth.mean(axis=0) - points["mouth"]).max() < 0.03
        width = np.ptp(mouth[:, 0])
        assert points["right mouth corner"][0] - points["left mouth corner"][0] > 0.8 * width


@pytest.mark.parametrize("style", STYLES)
def test_landmarks_lie_in_the_head_and_vary_with_the_pose(style):
    coded = parts.Coded(style, seed=0)
    head = {"head", "hair", "eyes", "eyebrows", "mouth", "glasses"}
    angles = []
    for index in range(5):
        landmarks, codes = coded.landmarks(index), coded.paint_map(index, 96)
        for x, y in ((landmarks + 1) / 2 * 96).astype(int):
            assert codes[y, x] < len(coded.paints)
            assert coded.paints[codes[y, x]].component in head
        eyes = landmarks[1] - landmarks[0]
        assert eyes[0] > 0.2
        assert landmarks[2, 1] > landmarks[:2, 1].max()
        angles.append(np.degrees(np.arctan2(eyes[1], eyes[0])))
    assert np.ptp(angles) > 6


def test_the_avatars_are_those_of_the_dataset_avatars_but_for_their_pose():
    plain = render.Renderer("toon-head", 32, 0)
    posed = parts.PosedRenderer("toon-head", 32, 0)
    pose = set(parts.pose(plain.look, 0, 0).options())
    for index in ALL:
        one, other = plain.options(index), posed.options(index)
        assert {k: v for k, v in one.items() if k not in pose} == {
            k: v for k, v in other.items() if k not in pose
        }
        assert abs(other["rotate"]) <= 10


def test_other_processes_make_the_same_bytes_in_the_same_order(monkeypatch):
    monkeypatch.setattr(drawing, "_ALONE", 1)
    monkeypatch.setattr(drawing, "_cores", lambda: 2)
    artist = "ganzoo_figurines.sculpt:Sculptor"
    apart = np.stack(list(drawing.draw(artist, "toon-head", 3, 16, 5)))
    make = sculpt.Sculptor("toon-head", 16, 5)
    assert np.array_equal(apart, np.stack([make(i) for i in range(3)]))


def test_a_larger_count_begins_with_the_same_figurines_and_a_seed_changes_them():
    few, more, other = figurines(count=3), figurines(), figurines(count=3, seed=1)
    index = [0, 1, 2]
    for word, value in rows(few, index).items():
        assert torch.equal(value, rows(more, index)[word])
        assert not torch.equal(value, rows(other, index)[word])


def test_unpaired_draws_avatars_anew_each_epoch_and_leaves_photos_alone():
    paired, loose = figurines(), figurines(paired=False)
    true = rows(paired)

    def partners(seed, epoch):
        loose.set_epoch(seed, epoch)
        batch = rows(loose)
        assert torch.equal(batch["photo"], true["photo"])
        assert torch.equal(batch["landmarks"], true["landmarks"])
        same = (batch["real"][:, None] == true["real"][None]).flatten(2).all(dim=2)
        assert same.sum(dim=1).tolist() == [1] * COUNT
        order = same.int().argmax(dim=1)
        assert torch.equal(batch["real_landmarks"], true["landmarks"][order])
        return tuple(order.tolist())

    drawn = {(seed, epoch): partners(seed, epoch) for seed in (0, 1) for epoch in range(3)}
    assert len(set(drawn.values())) >= 5
    assert all(sorted(order) == ALL for order in drawn.values())
    assert partners(1, 2) == drawn[1, 2]
    paired.set_epoch(1, 2)
    assert torch.equal(rows(paired)["real"], true["real"])


def test_smooth_is_the_avatar_with_smoothed_edges_also_unpaired():
    pytest.importorskip("cv2", reason="the extra 'cartoons' is not installed")
    for paired in (True, False):
        batch = rows(figurines(smooth="edges", paired=paired))
        assert set(batch) == {"photo", "real", "smooth", "landmarks", "real_landmarks"}
        for real, smooth in zip(batch["real"], batch["smooth"], strict=True):
            pixels = ((real + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
            expected, where = edges.smooth(np.ascontiguousarray(pixels))
            assert where.any()
            found = ((smooth + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
            assert np.array_equal(found, expected)


def test_without_opencv_smooth_is_refused_before_anything_is_made(cache, monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    before = sorted(cache.iterdir())
    with pytest.raises(DataError, match=re.escape("ganzoo[cartoons]")):
        figurines(smooth="edges", seed=9).prepare()
    assert sorted(cache.iterdir()) == before


def test_fingerprint_is_the_content():
    same = figurines().fingerprint()
    assert same == figurines().fingerprint()
    others = [{"seed": 1, "count": 3}, {"paired": False}, {"style": "adventurer"}, {"count": 3}]
    assert len({same, *(figurines(**other).fingerprint() for other in others)}) == 5


def test_prepared_datasets_pickle_small_and_read_the_same():
    dataset = figurines(paired=False)
    dataset.set_epoch(3, 4)
    true = dataset[1]
    blob = pickle.dumps(dataset)
    assert len(blob) < 2 * COUNT * SIZE * SIZE
    again = pickle.loads(blob)[1]
    assert all(torch.equal(again[word], value) for word, value in true.items())


def test_attribution_stands_beside_every_picture_and_says_what_it_is(cache):
    figurines().prepare()
    for entry in cache.glob("figurines-*"):
        text = (entry / "ATTRIBUTION.md").read_text()
        assert "creativecommons.org/licenses/by/4.0" in text
        if entry.name.startswith("figurines-photo"):
            assert "synthetic: none is a photograph, and none shows a person" in text
    assert list(cache.glob("figurines-photo-*"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"style": "toonhead"}, ["'toonhead'", "did you mean 'toon-head'?", "adventurer"]),
        ({"style": "lorelei"}, ["'lorelei'", "Available", "toon-head"]),
        ({"smooth": "edge"}, ["'edge'", "'edges'"]),
    ],
)
def test_wrong_arguments_say_what_there_is(arguments, words):
    with pytest.raises(DataError) as error:
        Figurines(**arguments)
    assert all(word in str(error.value) for word in words)


# -- geometry --------------------------------------------------------------------------------


def test_geometry_is_made_only_when_something_reads_it(cache):
    dataset = figurines(seed=3)
    before = dataset.fingerprint()
    assert set(dataset[0]) == SIX - {"depth", "normal"}
    assert not list(cache.glob("figurines-normal-*"))
    dataset.demand(["depth", "mouth"])
    assert set(dataset[0]) == SIX - {"normal"}
    assert not list(cache.glob("figurines-normal-*"))
    dataset.demand(["normal"])
    example = pickle.loads(pickle.dumps(dataset))[1]
    assert set(example) == SIX
    assert dataset.fingerprint() == before == figurines(seed=3).fingerprint()


@pytest.mark.parametrize("style", STYLES)
def test_normals_and_depth_are_of_one_surface(style):
    dataset = figurines(style=style)
    dataset.demand(["depth", "normal"])
    batch = rows(dataset)
    depth, normal = batch["depth"].double(), batch["normal"].double()
    assert depth.shape == (COUNT, 1, SIZE, SIZE)
    assert torch.allclose(normal.norm(dim=1), torch.ones(()).double(), atol=0.01)
    wall = depth == 1
    assert 0.1 < wall.double().mean() < 0.9
    assert (normal[:, 2:][wall] > 0.9).double().mean() > 0.9
    # a height z(x, y) has the normal (-dz/dx, -dz/dy, 1), and depth falls as height rises
    across = (depth[..., 2:] - depth[..., :-2]) * SIZE / 2
    slope = normal[:, :1, :, 1:-1] / normal[:, 2:, :, 1:-1].clamp_min(0.05)
    smooth = (across.abs() < 1) & (depth[..., 1:-1] < 0.75)
    pair = torch.stack([across[smooth], slope[smooth]])
    assert torch.corrcoef(pair)[0, 1] > 0.8
