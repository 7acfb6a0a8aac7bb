"""The drawn twins of heads: who they are, where their features lie, that all poses are drawn."""

from dataclasses import replace

import numpy as np
import pytest

from ganzoo_heads import drawn, landmarks, mesh, people, photo
from ganzoo_heads.sketch import Sketch

SIDE = 160
STRAIGHT = {"yaw": 0.0, "pitch": 0.0, "roll": 0.0, "glasses": False, "expression": "neutral"}
EYES = slice(36, 48)


def head(index=7, side=SIDE, **changes):
    person = people.person(0, index, mesh.load().targets)
    return photo.build(replace(person, **changes), side)


def nearest_share(image, colour, box):
    """Return the share of the pixels of ``box`` within 30 of ``colour`` in every channel."""
    left, top, right, bottom = (round(v) for v in box)
    part = image[top:bottom, left:right].astype(int)
    return (np.abs(part - np.array(colour) * 255).max(axis=-1) < 30).mean()


@pytest.mark.parametrize("style", drawn.STYLES)
def test_a_drawing_is_of_the_cameras_side_and_always_the_same(style):
    image = drawn.draw(head(), style)
    assert image.shape == (SIDE, SIDE, 3)
    assert image.dtype == np.uint8
    assert np.array_equal(image, drawn.draw(head(), style))
    assert not np.array_equal(image, drawn.draw(head(8), style))


def test_ink_has_no_colour_and_anime_has():
    spread = {s: np.ptp(drawn.draw(head(), s).astype(int), axis=-1).max() for s in drawn.STYLES}
    assert spread["ink"] < 20 < 60 < spread["anime"]


def test_on_white_only_the_ground_differs():
    own, white = (drawn.draw(head(), style).astype(int) for style in ("anime", "anime-white"))
    assert (white[:8, :8] == 255).all()
    middle = np.s_[SIDE * 2 // 5 : SIDE * 3 // 5, SIDE * 2 // 5 : SIDE * 3 // 5]
    assert np.array_equal(own[middle], white[middle])
    assert not np.array_equal(own, white)


def test_an_unknown_style_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match=r"'oil'.*anime or anime-white or ink"):
        drawn.draw(head(), "oil")


@pytest.mark.parametrize("tone", [0, 2, 4, 6])
def test_skin_is_near_the_persons(tone):
    skin = tuple(people.SKIN[tone])
    drawing = head(cut="bald", skin=skin, beard_cut="none", age=25.0, **STRAIGHT)
    image, points = drawn.draw(drawing), drawn.landmarks(drawing)
    brow, nose = points[17:27, 1].min(), points[27:36, 0].mean()
    wide = 0.08 * SIDE
    assert (
        nearest_share(image, skin, (nose - wide, brow - 2 * wide, nose + wide, brow - wide)) > 0.9
    )


@pytest.mark.parametrize("hair", ["black", "red", "blond", "white", "pink", "blue"])
def test_hair_is_near_the_persons(hair):
    colour = (people.HAIR | people.DYED)[hair]
    coloured = drawn.draw(head(cut="long", hair=hair, hair_colour=colour, **STRAIGHT)).astype(int)
    bald = drawn.draw(head(cut="bald", hair=hair, hair_colour=colour, **STRAIGHT)).astype(int)
    covered = np.abs(coloured - bald).max(axis=-1) > 40
    seen = np.median(coloured[covered], axis=0) / 255
    assert np.abs(seen - colour).max() < 0.2


@pytest.mark.parametrize("style", drawn.STYLES)
@pytest.mark.parametrize("cut", people.CUTS)
def test_every_cut_is_drawn_in_extreme_poses(style, cut):
    plain = drawn.draw(head(cut="bald", yaw=35.0, pitch=15.0, roll=12.0), style)
    for yaw, pitch, roll in ((-35.0, 15.0, 12.0), (35.0, -15.0, -12.0)):
        image = drawn.draw(head(cut=cut, yaw=yaw, pitch=pitch, roll=roll), style)
        assert image.std() > 10
    if cut != "bald":
        same = drawn.draw(head(cut=cut, yaw=35.0, pitch=15.0, roll=12.0), style)
        assert (np.abs(same.astype(int) - plain).max(axis=-1) > 30).mean() > 0.02


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("expression", people.EXPRESSIONS),
        ("clothes", people.CLOTHES),
        ("beard_cut", people.BEARDS),
        ("glasses", (False, True)),
        ("eyes", tuple(people.EYES)),
        ("gaze", ((-20.0, 0.0), (20.0, 0.0))),
    ],
)
def test_what_a_person_does_and_wears_shows(field, values):
    images = [
        drawn.draw(head(**STRAIGHT | {"pitch": -10.0, "male": 0.9, field: v})) for v in values
    ]
    for i, image in enumerate(images):
        for other in images[:i]:
            assert not np.array_equal(image, other)


@pytest.mark.parametrize("index", range(6))
def test_landmarks_lie_in_the_picture_in_the_order_of_300w(index):
    drawing = head(index)
    points = drawn.landmarks(drawing)
    assert points.shape == (68, 2)
    face = points[17:]
    assert (face > 0).all()
    assert (face < SIDE).all()
    straight = drawn.landmarks(head(index, yaw=0.0, pitch=0.0, roll=0.0))
    assert straight[0, 0] < straight[36, 0] < straight[39, 0] < straight[27, 0]
    assert straight[27, 0] < straight[42, 0] < straight[45, 0] < straight[16, 0]
    assert straight[19, 1] < straight[37, 1] < straight[41, 1] < straight[33, 1]
    assert straight[33, 1] < straight[48, 1] < straight[8, 1]


@pytest.mark.parametrize("yaw", [-35.0, 0.0, 35.0])
def test_eyes_and_mouth_lie_where_the_photo_has_them(yaw):
    drawing = head(yaw=yaw, expression="neutral", roll=0.0, pitch=0.0)
    own, true = drawn.landmarks(drawing), (landmarks.of(drawing) + 1) * SIDE / 2
    apart = np.linalg.norm(true[42:48].mean(axis=0) - true[36:42].mean(axis=0))
    for eye in (slice(36, 42), slice(42, 48)):
        assert np.linalg.norm(own[eye].mean(axis=0) - true[eye].mean(axis=0)) < 0.3 * apart
    short = Sketch(drawing, 1).shortness
    eyes = true[EYES, 1].mean()
    mouth = eyes + short * (true[48:68, 1].mean() - eyes)
    assert abs(own[48:68, 1].mean() - mouth) < 0.12 * apart


def test_the_far_eye_of_a_turned_head_is_narrower_and_stays_on_the_face():
    for yaw in (-35.0, 35.0):
        points = drawn.landmarks(head(yaw=yaw, roll=0.0))
        right, left = np.ptp(points[36:42, 0]), np.ptp(points[42:48, 0])
        far, near = (left, right) if yaw > 0 else (right, left)
        assert far < 0.85 * near
        assert points[:17, 0].min() < points[EYES, 0].min()
        assert points[EYES, 0].max() < points[:17, 0].max()
