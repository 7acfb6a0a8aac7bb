"""Dataset ``heads``: faces whose drawings, landmarks, geometry and labels belong together."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ganzoo.errors import DataError
from ganzoo_folders import edges
from ganzoo_heads import attributes, buffers, drawn, framing, landmarks, makers, mesh, people, photo
from ganzoo_heads.heads import Heads

COUNT, SIZE = 5, 48
ALL = list(range(COUNT))


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANZOO_CACHE", str(folder))
        yield folder


def heads(**arguments):
    return Heads(**{"count": COUNT, "size": SIZE} | arguments)


def rows(dataset, indices=ALL):
    return dataset.__getitems__(indices)


def head(index, side=2 * SIZE, **changes):
    person = people.person(0, index, mesh.load().targets)
    return photo.build(replace(person, **changes), side)


def test_examples_are_two_images_and_the_landmarks_of_both():
    dataset = heads()
    example = dataset[2]
    assert set(example) == {"photo", "real", "landmarks", "real_landmarks"}
    for word in ("photo", "real"):
        assert example[word].shape == (3, SIZE, SIZE)
        assert example[word].dtype == torch.float32
        assert -1 <= example[word].min() < 0 < example[word].max() <= 1
    for word in ("landmarks", "real_landmarks"):
        assert example[word].shape == (68, 2)
        assert example[word].dtype == torch.float32
    batch = rows(dataset, [3, 2])
    assert all(torch.equal(batch[word][1], value) for word, value in example.items())
    with pytest.raises(IndexError):
        dataset[COUNT]


def test_smooth_is_the_drawing_with_smoothed_edges_also_unpaired():
    pytest.importorskip("cv2", reason="the extra 'cartoons' is not installed")
    for paired in (True, False):
        batch = rows(heads(smooth="edges", paired=paired))
        for real, smooth in zip(batch["real"], batch["smooth"], strict=True):
            pixels = ((real + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
            expected, where = edges.smooth(np.ascontiguousarray(pixels))
            assert where.any()
            found = ((smooth + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
            assert np.array_equal(found, expected)
    with pytest.raises(DataError, match="'edge'"):
        heads(smooth="edge")


def test_a_head_depends_on_its_seed_and_number_alone():
    few, more, other = heads(count=2), heads(), heads(count=2, seed=1)
    for word in ("photo", "real", "landmarks", "real_landmarks"):
        first = rows(few, [0, 1])[word]
        assert torch.equal(first, rows(more, [0, 1])[word])
        assert not torch.equal(first, rows(other, [0, 1])[word])
    again, labels = makers.Photos("anime beards glasses", SIZE, 0)(1)
    assert np.array_equal(again / np.float32(127.5) - 1, rows(few, [1])["photo"][0].numpy())
    assert len(labels) == makers.Photos.columns


def test_the_landmarks_are_in_the_order_of_300_w_and_inside_the_face():
    for index in ALL:
        one = head(index, yaw=0.0, pitch=0.0, roll=0.0, expression="neutral")
        points = landmarks.of(one)
        assert np.abs(points).max() < 1
        jaw, mouth, nose = points[:17], points[48:60], points[27:36]
        assert (np.diff(jaw[:, 0]) > -0.02).all()
        assert jaw[:, 1].argmax() == 8  # the chin is the lowest
        eyes = points[36:42], points[42:48]
        brows = points[17:22], points[22:27]
        for eye, brow in zip(eyes, brows, strict=True):
            assert eye[0, 0] < eye[1:3, 0].min() <= eye[1:3, 0].max() < eye[3, 0]
            assert eye[1:3, 1].mean() < eye[4:, 1].mean()  # the upper lid is above the lower
            assert brow[:, 1].mean() < eye[:, 1].mean() < nose[:, 1].max() < mouth[:, 1].min()
        assert eyes[0][:, 0].max() < nose[:4, 0].mean() < eyes[1][:, 0].min()


def test_the_eyes_and_the_mouth_are_where_the_landmarks_say():
    for index in ALL:
        one = head(index, glasses=False, cut="buzz", expression="laugh", yaw=0.0)
        parts = buffers.measure(one).parts
        points = (landmarks.of(one) + 1) * SIZE
        for number, name in (
            (slice(36, 42), "eyes"),
            (slice(42, 48), "eyes"),
            (slice(60, 68), "mouth"),
        ):
            shown = points[number]
            y, x = np.nonzero(parts == buffers.PARTS.index(name))
            near = np.abs(x + 0.5 - shown[:, 0].mean()) < SIZE / 5
            middle = np.array([x[near].mean(), y[near].mean()]) + 0.5
            assert np.abs(middle - shown.mean(axis=0)).max() < 0.05 * 2 * SIZE


def test_a_mouth_opens_and_an_eye_closes():
    def gap(points, above, below):
        return float(points[below, 1] - points[above, 1])

    still, loud, wink = (
        landmarks.of(head(1, expression=e)) for e in ("neutral", "surprised", "wink")
    )
    assert gap(loud, 62, 66) > gap(still, 62, 66) + 0.05
    assert gap(wink, 43, 47) < 0.5 * gap(still, 43, 47)


def test_unpaired_drawings_are_those_of_other_heads():
    paired, loose = heads(), heads(paired=False)
    loose.set_epoch(0, 1)
    own, other = rows(paired), rows(loose)
    assert torch.equal(own["photo"], other["photo"])
    assert torch.equal(own["landmarks"], other["landmarks"])
    partner = np.random.default_rng([0, 1]).permutation(COUNT)
    for word in ("real", "real_landmarks"):
        assert torch.equal(other[word], own[word][partner])
    assert paired.fingerprint() != loose.fingerprint()


def test_geometry_is_made_on_demand():
    dataset = heads()
    dataset.demand(["normal", "depth", "layout", "landmarks"])
    batch = rows(dataset)
    assert batch["normal"].shape == (COUNT, 3, SIZE, SIZE)
    assert (batch["normal"].norm(dim=1) - 1).abs().max() < 0.02
    assert batch["depth"].shape == batch["layout"].shape == (COUNT, 1, SIZE, SIZE)
    ground = batch["layout"] == 0
    assert (batch["depth"][ground] > 0.9).double().mean() > 0.9
    assert batch["depth"][batch["layout"] == 1].max() < 1
    assert (batch["normal"][:, 2:][batch["layout"] == 1]).mean() > 0.4  # skin faces the camera
    seen = {list(dataset.palette)[number] for number in batch["layout"].unique()}
    assert {"ground", "skin", "lips", "eyes", "brows"} <= seen


def test_labels_are_the_attributes_that_are_asked_for():
    dataset = heads(label=["hair", "glasses", "cut"])
    example = dataset[3]
    person = people.person(0, 3, mesh.load().targets)
    named = [
        dataset.label_values[n][i] for n, i in zip(dataset.label, example["label"], strict=True)
    ]
    assert named == [person.hair, "yes" if person.glasses else "no", person.cut]
    assert dataset.attributes()["hair"][3] == person.hair
    assert set(dataset.attributes()) == set(attributes.VALUES)
    assert dataset.fingerprint() != heads().fingerprint()


def test_every_value_of_every_attribute_occurs():
    targets = mesh.load().targets
    dyed = people.Options(dyed=True)
    seen = [attributes.of(people.person(0, i, targets, dyed)) for i in range(1500)]
    for name, values in attributes.VALUES.items():
        assert {one[name] for one in seen} == set(values)
    natural = {people.person(0, i, targets).hair for i in range(300)}
    assert natural <= set(people.HAIR)


@pytest.mark.parametrize(("option", "plain"), [("beards", "none"), ("glasses", "no")])
def test_beards_and_glasses_can_be_left_out_and_change_nothing_else(option, plain):
    targets = mesh.load().targets
    name = "beard" if option == "beards" else option
    without = people.Options(**{option: False})
    pairs = [
        [attributes.of(people.person(0, i, targets, o)) for o in (people.DEFAULTS, without)]
        for i in range(100)
    ]
    assert {few[name] for _, few in pairs} == {plain} < {own[name] for own, _ in pairs}
    assert all(own | {name: plain} == few for own, few in pairs)


def test_the_options_change_the_pictures_and_the_cache():
    bare = heads(beards=False, glasses=False, dyed=True)
    person = [
        people.person(0, i, mesh.load().targets, people.Options(True, False, False)) for i in ALL
    ]
    assert bare.attributes()["hair"] == [p.hair for p in person]
    assert bare.fingerprint() != heads().fingerprint()


@pytest.mark.parametrize(
    ("change", "plain"),
    [
        ({"blush": 1.0}, {"blush": 0.0}),
        ({"freckles": True}, {"freckles": False}),
        ({"lips": "red"}, {"lips": "bare"}),
        ({"gaze": (20.0, 0.0)}, {"gaze": (-20.0, 0.0)}),
    ],
)
def test_what_is_of_the_face_shows_in_the_photo_and_in_its_twin(change, plain):
    fair = {"skin": (0.9, 0.75, 0.68), "cut": "buzz", "expression": "neutral", "yaw": 0.0}
    one, other = (head(0, 4 * SIZE, **fair | kind) for kind in (change, plain))
    for make in (photo.take, drawn.draw):
        apart = np.abs(make(one).astype(int) - make(other).astype(int)).max(axis=-1)
        assert 0.0005 < (apart > 8).mean() < 0.2


@pytest.mark.parametrize("cut", people.CUTS)
def test_every_cut_covers_some_of_the_picture_and_not_the_mouth(cut):
    one = head(2, cut=cut, yaw=0.0, beard_cut="none")
    parts = buffers.measure(one).parts
    share = (parts == buffers.PARTS.index("hair")).mean()
    assert share == 0 if cut == "bald" else 0.02 < share < 0.6
    x, y = ((landmarks.of(one)[48:].mean(axis=0) + 1) * SIZE).astype(int)
    assert parts[y, x] != buffers.PARTS.index("hair")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"style": "manga"}, ["style", "manga", "anime"]),
        ({"label": ["hare"]}, ["label", "hare", "hair"]),
        ({"label": []}, ["label", "hair"]),
        ({"label": ["hair", "hair"]}, ["label", "once"]),
    ],
)
def test_what_does_not_exist_is_refused(arguments, words):
    with pytest.raises(DataError) as error:
        heads(**arguments)
    assert all(word in str(error.value) for word in words)


@pytest.mark.parametrize("damage", ["missing", "short", "altered"])
def test_a_damaged_mesh_is_refused_with_one_line(damage, tmp_path, monkeypatch):
    content = mesh.FILE.read_bytes()
    file = tmp_path / "head.npz"
    if damage != "missing":
        file.write_bytes(content[:9000] if damage == "short" else content[:-1] + b"x")
    monkeypatch.setattr(mesh, "FILE", file)
    mesh.load.cache_clear()
    try:
        with pytest.raises(DataError, match=r"heads: .*head\.npz.*Install ganzoo again") as error:
            heads(seed=9).prepare()
    finally:
        mesh.load.cache_clear()
    assert "\n" not in str(error.value)


def test_the_mesh_is_small_and_its_licence_lies_beside_it():
    assert mesh.FILE.stat().st_size < 1_000_000
    assert "CC0" in (mesh.FILE.parent / "LICENSE-head.md").read_text()
    dataset = heads()
    assert dataset.licence == "CC0-1.0"
    assert "MakeHuman" in dataset.attribution


@pytest.mark.parametrize("style", drawn.STYLES)
def test_each_style_is_drawn(style):
    picture, labels = makers.Drawings(style, SIZE, 0)(0)
    assert len(labels) == makers.Drawings.columns
    assert picture.shape == (3, SIZE, SIZE)
    assert picture.std() > 20


def test_a_finder_of_faces_sees_them_where_the_landmarks_are():
    pytest.importorskip("skimage", reason="the extra 'faces' is not installed")
    from ganzoo_faces.lbp import Lbp

    finder, photos, hits = Lbp(), makers.Photos("anime beards glasses", 160, 3), 0
    for index in range(8):
        pixels, labels = photos(index)
        boxes = finder.detect(pixels.transpose(1, 2, 0))
        if boxes:
            eyes = (np.array(labels[72:96]).reshape(-1, 2).mean(axis=0) / makers.FIXED + 1) * 80
            face = boxes[0]
            hits += face.left < eyes[0] < face.right and face.top < eyes[1] < face.bottom
    assert hits >= 7


def test_camera_changes_photos_alone_and_anew_in_each_epoch():
    plain, dataset = rows(heads()), heads(camera=1.0)
    first = rows(dataset)
    assert all(torch.equal(first[word], plain[word]) for word in plain if word != "photo")
    change = (first["photo"] - plain["photo"]).abs().mean(dim=(1, 2, 3))
    assert (change > 0.01).all()
    assert torch.equal(rows(dataset, [-2])["photo"][0], first["photo"][-2])
    dataset.set_epoch(0, 1)
    assert not torch.equal(rows(dataset)["photo"], first["photo"])
    dataset.set_epoch(0, 0)
    assert torch.equal(rows(dataset)["photo"], first["photo"])
    assert dataset.fingerprint() != heads().fingerprint()


def test_jitter_and_mirror_move_pictures_and_landmarks_together():
    """A disc drawn around a landmark is around it still."""
    dataset = heads(jitter=0.2, mirror=True)
    marks = {"landmarks": (30, 36, 54), "real_landmarks": (30, 45, 48)}
    batch = rows(dataset)  # the epoch's own; the discs are moved by the same numbers
    plain = rows(heads())
    place = (torch.arange(SIZE) + 0.5) * 2 / SIZE - 1
    assert any(not torch.equal(batch[w], plain[w]) for w in ("photo", "real"))
    for word, name in (("photo", "landmarks"), ("real", "real_landmarks")):
        for mark in marks[name]:
            at = plain[name][:, mark]
            far = (place[None, None, :] - at[:, 0, None, None]) ** 2
            far = far + (place[None, :, None] - at[:, 1, None, None]) ** 2
            discs = dict(plain)
            discs[word] = (-far / 0.01).exp()[:, None].expand(-1, 3, -1, -1)
            numbers = [framing.rng(0, 0, 0, index) for index in ALL]
            dataset.framing.apply(discs, numbers)
            weight = discs[word][:, 0].clamp(min=0)
            x = (weight * place[None, None, :]).sum(dim=(1, 2)) / weight.sum(dim=(1, 2))
            y = (weight * place[None, :, None]).sum(dim=(1, 2)) / weight.sum(dim=(1, 2))
            moved = torch.stack([x, y], dim=1)
            ends = batch[name]
            nearest = (ends - moved[:, None]).norm(dim=2).argmin(dim=1)
            flips = {mark, framing.OTHER_SIDE[mark]}
            assert {int(one) for one in nearest} <= flips
            assert ((ends[range(COUNT), nearest] - moved).norm(dim=1) < 0.04).all()


def test_mirrored_landmarks_keep_their_sides():
    dataset, plain = heads(mirror=True, label=["light", "hair"]), heads(label=["light", "hair"])
    sided = torch.tensor([True, False])
    flips = 0
    for epoch in range(4):
        dataset.set_epoch(0, epoch)
        batch = rows(dataset)
        for name in ("landmarks", "real_landmarks"):
            points = batch[name]
            assert (points[:, 36:42, 0].mean(1) < points[:, 42:48, 0].mean(1)).all()
            assert (points[:, 0, 0] < points[:, 16, 0]).all()
        photos = zip(batch["photo"], rows(plain)["photo"], strict=True)
        flipped = torch.tensor([torch.equal(one, other.flip(2)) for one, other in photos])
        assert torch.equal(batch["label"] != rows(plain)["label"], flipped[:, None] & sided)
        flips += int(flipped.sum())
    assert 0 < flips < 4 * COUNT


def test_words_that_cannot_be_reframed_are_refused():
    dataset = heads(jitter=0.1)
    dataset.demand(["photo", "landmarks"])
    with pytest.raises(DataError, match="depth"):
        dataset.demand(["depth"])
