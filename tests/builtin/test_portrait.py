"""Losses for portraits against hand-computed values, finite differences and faces that move."""

import math

import pytest
import torch

import ganzoo_portrait
from ganzoo.errors import DataError
from ganzoo.plugins.manager import Plugins
from ganzoo.plugins.registry import Origin
from ganzoo.plugins.signature import read_signature

pytestmark = pytest.mark.usefixtures("one_thread")


def entry(name):
    plugins = Plugins()
    plugins.add(lambda: ganzoo_portrait, Origin("portrait", "ganzoo", "0"))
    return plugins.registry.get("loss", name)


def loss(name, **arguments):
    return entry(name).load()(**arguments)


def double(x):
    return torch.tensor(x, dtype=torch.float64)


def random(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(shape, generator=generator, dtype=torch.float64) * 2 - 1


# Content


def test_content_is_the_mean_difference_averaged_over_layers_of_any_shape():
    fake = {"maps": double([[[[1, -2], [0, 3]]]]), "vector": double([[4, 0]])}
    photo = {"maps": double([[[[0, 0], [0, 1]]]]), "vector": double([[1, 1]])}
    l1, l2 = loss("content"), loss("content", distance="l2")
    assert l1.generator(fake, photo).item() == ((1 + 2 + 0 + 2) / 4 + (3 + 1) / 2) / 2
    assert l2.generator(fake, photo).item() == ((1 + 4 + 0 + 4) / 4 + (9 + 1) / 2) / 2
    assert l1.generator(fake, fake).item() == 0


# Gram matrices


# one image of 2x2 in two channels: F = [[1, 2, 3, 4], [0, 1, 0, -1]], C·H·W = 8
MAPS = [[[[1, 2], [3, 4]], [[0, 1], [0, -1]]]]
GRAM = [[30 / 8, -2 / 8], [-2 / 8, 2 / 8]]  # F Fᵀ / 8
OTHER = [[[[2, 0], [0, 0]], [[0, 0], [0, 2]]]]
OTHER_GRAM = [[4 / 8, 0], [0, 4 / 8]]
DIFFERENCES = [(30 - 4) / 8, -2 / 8, -2 / 8, (2 - 4) / 8]


def test_gray_is_the_mean_absolute_difference_of_grams_divided_by_chw():
    gray = loss("gray")
    one, other = {"conv4_4": double(MAPS)}, {"conv4_4": double(OTHER)}
    expected = sum(map(abs, DIFFERENCES)) / 4
    assert gray.generator(fake_features=one, gray_features=other).item() == expected
    silent = {"conv4_4": torch.zeros(1, 2, 2, 2, dtype=torch.float64)}
    assert gray.generator(one, silent).item() == double(GRAM).abs().mean().item()


def test_style_is_the_mean_squared_difference_of_grams_averaged_over_layers():
    one = {"low": double(MAPS), "high": double(OTHER)}
    other = {"low": double(OTHER), "high": double(OTHER)}
    value = loss("style").generator(fake_features=one, real_features=other)
    assert value.item() == sum(d**2 for d in DIFFERENCES) / 4 / 2


def test_style_is_a_multiple_of_the_papers_equation_4():
    n, m = 2, 4  # feature maps, places
    f, p = double(MAPS).view(n, m), double(OTHER).view(n, m)
    paper = (f @ f.T - p @ p.T).square().sum() / (4 * n**2 * m**2)
    value = loss("style").generator({"l": double(MAPS)}, {"l": double(OTHER)})
    assert value.item() == pytest.approx(4 / n**2 * paper.item())


def test_styles_target_is_the_mean_gram_of_the_reals_for_each_fake():
    reals = {"l": torch.cat([double(MAPS), double(OTHER), double(OTHER)])}
    mean = (double(GRAM) + 2 * double(OTHER_GRAM)) / 3
    fakes = {"l": torch.cat([double(MAPS), double(OTHER)])}
    expected = torch.stack([double(GRAM), double(OTHER_GRAM)]).sub(mean).square().mean()
    value = loss("style").generator(fakes, reals)
    assert value.item() == pytest.approx(expected.item())
    assert loss("style").generator(fakes, {"l": reals["l"][[2, 0, 1]]}).item() == value.item()


def test_a_gram_knows_what_there_is_but_neither_where_nor_at_which_size():
    maps = random(1, 5, 6, 6)
    places = torch.randperm(36, generator=torch.Generator().manual_seed(1))
    moved = maps.flatten(2)[..., places].view_as(maps)
    larger = maps.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    for other in (moved, larger):
        for name in ("gray", "style"):
            value = loss(name).generator({"l": maps}, {"l": other})
            assert value.item() == pytest.approx(0, abs=1e-15)
    assert loss("content").generator({"l": maps}, {"l": moved}).item() > 0.1


def test_gray_is_zero_for_a_gray_copy_whose_features_are_alike():
    """The finder of edges below is blind to hue, as the loss hopes that conv4_4 is."""
    luma = double([0.299, 0.587, 0.114])[:, None, None]

    def features(image):
        gray = (image * luma).sum(dim=1, keepdim=True)
        return {"edges": torch.cat([gray.diff(dim=2)[..., 1:], gray.diff(dim=3)[..., 1:, :]], 1)}

    photo = random(2, 3, 8, 8)
    copy = (photo * luma).sum(dim=1, keepdim=True).expand_as(photo)
    value = loss("gray").generator(features(photo), features(copy))
    assert value.item() == pytest.approx(0, abs=1e-15)
    assert loss("gray").generator(features(photo), features(copy / 2)).item() > 1e-3


@pytest.mark.parametrize("name", ["gray", "style"])
def test_a_layer_without_places_has_no_gram_and_is_named(name):
    features = {"conv4_4": random(2, 3, 4, 4), "fc7": random(2, 10)}
    with pytest.raises(DataError, match=rf"{name}: layer 'fc7' has the shape \(2, 10\)"):
        loss(name).generator(features, features)


# Color


BLACK, WHITE = (-1, -1, -1), (1, 1, 1)
YUV = {  # of red, green and blue in [0, 1]
    (1, -1, -1): (0.299, -0.14714119, 0.61497538),
    (-1, 1, -1): (0.587, -0.28886916, -0.51496512),
    (-1, -1, 1): (0.114, 0.43601035, -0.10001026),
    WHITE: (1, 0, 0),
}


def pixel(*rgb):
    return double(rgb).view(1, 3, 1, 1)


@pytest.mark.parametrize("rgb", YUV)
def test_color_of_one_pixel_against_black(rgb):
    y, u, v = YUV[rgb]
    value = loss("color").generator(fake=pixel(*rgb), photo=pixel(*BLACK))
    assert value.item() == pytest.approx(y + u**2 / 2 + v**2 / 2, abs=1e-7)
    assert loss("color").generator(pixel(*BLACK), pixel(*rgb)).item() == value.item()


def test_colors_huber_turns_linear_at_a_difference_of_one():
    # from cyan to red V moves by .61497538 + .51496512 + .10001026 = 1.22995076
    value = loss("color").generator(fake=pixel(1, -1, -1), photo=pixel(-1, 1, 1))
    y, u, v = 0.299 - 0.701, 2 * -0.14714119, 1.22995076
    assert value.item() == pytest.approx(abs(y) + u**2 / 2 + (v - 0.5), abs=1e-6)


def test_color_means_over_pixels_and_batch():
    images = torch.cat([torch.cat([pixel(*WHITE), pixel(*BLACK)], 3)] * 2)  # one half is right
    assert loss("color").generator(images, -torch.ones_like(images)).item() == pytest.approx(0.5)


# Total variation


def test_total_variation_of_hand_drawn_images():
    two = double([[1, 3], [2, 7]])  # down: 1, 4; along: 2, 5
    three = double([[0, 0, 0], [0, 3, 0], [0, 0, 0]])  # 2 of 6 differences each way are 3
    tv = loss("total-variation")
    image = two.expand(2, 3, 2, 2)
    assert tv.generator(fake=image).item() == (1 + 16) / 2 / 2 + (4 + 25) / 2 / 2
    assert tv.generator(fake=three.expand(1, 3, 3, 3)).item() == pytest.approx(9 * 2 / 6)
    rows = double([[0, 0, 0], [2, 2, 2]])  # it may be of any shape: each direction has its count
    assert tv.generator(fake=rows.expand(1, 3, 2, 3)).item() == 2**2 / 2


# Landmarks

EYES = range(36, 48)
REGIONS = {
    "jaw": (range(17), 0.05),
    "brows": (range(17, 27), 1),
    "bridge": (range(27, 31), 0.1),
    "nose": (range(31, 36), 1),
    "eyes": (EYES, 1),
    "mouth": (range(48, 68), 1),
}
TOTAL = sum(len(points) * weight for points, weight in REGIONS.values())


def landmarks(confidence=(0.9,), points=None):
    """Faces whose outer corners of the eyes are 0.5 apart."""
    n = len(confidence)
    if points is None:
        points = random(n, 68, 2, seed=3)
        points[:, 45] = points[:, 36] + double([0.3, 0.4])
    return {"points": points, "confidence": double(confidence), "heatmaps": random(n, 68, 3, 3)}


def moved(features, which, by):
    points = features["points"].clone()
    points[:, list(which)] += double(by)
    return features | {"points": points}


@pytest.mark.parametrize("region", REGIONS)
def test_landmark_is_the_drift_in_eye_distances_weighted_by_region(region):
    photo = landmarks()
    points, weight = REGIONS[region]
    fake = moved(photo, points, [0.03, -0.04])  # 0.05, a tenth of the eyes' distance
    value = loss("landmark").generator(fake_features=fake, photo_features=photo)
    assert value.item() == pytest.approx(0.1 * weight * len(points) / TOTAL)
    heavier = loss("landmark", **{region: 3.0}).generator(fake, photo)
    total = TOTAL + (3 - weight) * len(points)
    assert heavier.item() == pytest.approx(0.1 * 3 * len(points) / total)
    assert loss("landmark", **{region: 0.0}).generator(fake, photo).item() == 0


def test_landmark_does_not_depend_on_the_faces_size():
    photo = landmarks()
    fake = moved(photo, range(68), [0.05, 0])
    small, small_fake = (f | {"points": f["points"] * 0.4} for f in (photo, fake))
    landmark = loss("landmark")
    assert landmark.generator(fake, photo).item() == pytest.approx(0.1)
    assert landmark.generator(small_fake, small).item() == pytest.approx(0.1)


def test_the_unit_is_the_photos_eye_distance_whatever_the_fakes_is():
    photo = landmarks()
    fake = moved(photo, [45], [0.3, 0.4])  # the corner goes as far away again
    assert loss("landmark").generator(fake, photo).item() == pytest.approx(1 / TOTAL)


def test_a_face_without_extent_does_not_blow_up():
    photo = landmarks(points=torch.zeros(1, 68, 2, dtype=torch.float64))
    value = loss("landmark").generator(moved(photo, range(68), [0.1, 0]), photo)
    assert value.item() == pytest.approx(1)


def test_heatmaps_are_compared_as_they_are_and_one_face_does_not_change_another():
    photo, fake = landmarks((0.9, 0.9)), landmarks((0.9, 0.9))
    fake["heatmaps"] = fake["heatmaps"].clone()
    fake["heatmaps"][0, 40] += 0.5
    landmark = loss("landmark", space="heatmap")
    assert landmark.generator(fake, photo).item() == pytest.approx(0.5**2 / TOTAL / 2)
    fake["heatmaps"][1, 60] += 100  # a batch's extremes would rescale the other face as well
    expected = (0.5**2 + 100**2) / TOTAL / 2
    assert landmark.generator(fake, photo).item() == pytest.approx(expected)


@pytest.mark.parametrize("space", ["coords", "heatmap"])
def test_a_photo_without_a_sure_face_contributes_nothing_and_is_counted(space):
    photo, fake = landmarks((0.5, 0.49, 0.8, math.nan)), landmarks((0, 0, 0, 0), random(4, 68, 2))
    fake["heatmaps"] = random(4, 68, 3, 3, seed=8)
    for features in (photo, fake):
        for layer in ("points", "heatmaps"):
            features[layer] = features[layer].clone()
            features[layer][3] = math.nan  # what a finder says where there is nothing
            features[layer].requires_grad_()
    landmark = loss("landmark", space=space)
    value = landmark.generator(fake, photo)
    assert landmark.measures["faces"].item() == 0.5
    sure = [{k: v[[0, 2]] for k, v in features.items()} for features in (fake, photo)]
    assert value.item() == landmark.generator(*sure).item() > 0
    assert landmark.measures["faces"].item() == 1
    value.backward()
    gradient = fake[{"coords": "points", "heatmap": "heatmaps"}[space]].grad
    assert gradient[[0, 2]].abs().sum() > 0
    assert not gradient[[1, 3]].any()


@pytest.mark.parametrize("space", ["coords", "heatmap"])
def test_without_any_face_the_loss_is_zero_and_can_still_be_differentiated(space):
    photo, fake = landmarks((0.1, 0.2)), landmarks((0.9, 0.9))
    fake = {layer: value.clone().requires_grad_() for layer, value in fake.items()}
    landmark = loss("landmark", space=space)
    value = landmark.generator(fake, photo)
    assert value.item() == 0
    assert landmark.measures["faces"].item() == 0
    value.backward()
    assert not fake[{"coords": "points", "heatmap": "heatmaps"}[space]].grad.any()


def test_photos_that_never_show_a_face_are_told_once(caplog):
    landmark, nobody, somebody = loss("landmark"), landmarks((0.1,)), landmarks((0.9,))
    for photo in [nobody] * 19 + [somebody] + [nobody] * 19:
        landmark.generator(photo, photo)
    assert not caplog.messages
    for _ in range(30):
        landmark.generator(nobody, nobody)
    (message,) = caplog.messages
    assert "no face in 20 batches" in message
    assert "`ganzoo data faces`" in message


def test_the_floor_can_be_moved():
    photo, fake = landmarks((0.3,)), moved(landmarks((0.3,)), EYES, [0.1, 0])
    assert loss("landmark").generator(fake, photo).item() == 0
    assert loss("landmark", confidence_floor=0.3).generator(fake, photo).item() > 0


def test_other_layouts_have_no_regions_and_their_own_width_as_unit():
    photo = landmarks(points=double([[[-0.4, 0], [0.4, 0.1], [0, 0.3]]]))
    fake = moved(photo, [0], [0, 0.08])
    assert loss("landmark").generator(fake, photo).item() == pytest.approx(0.08 / 0.8 / 3)
    with pytest.raises(DataError, match=r"3 points, .*\(eyes, jaw\)"):
        loss("landmark", eyes=2.0, jaw=0.0).generator(fake, photo)


def test_what_landmark_cannot_do_is_said():
    photo = landmarks()
    maps = photo.pop("heatmaps")
    with pytest.raises(DataError, match=r"gives confidence, points\. Use space: coords"):
        loss("landmark", space="heatmap").generator(photo, photo)
    with pytest.raises(DataError, match=r"confidence, points, .* extractor gives"):
        loss("landmark").generator({"conv4_4": maps}, {"conv4_4": maps})
    with pytest.raises(DataError, match="every region weighs 0"):
        loss("landmark", **dict.fromkeys(REGIONS, 0.0))


def test_regions_are_arguments_that_a_recipe_is_checked_for():
    parameters = read_signature(entry("landmark").target).by_name
    assert {name: parameters[name].default for name in REGIONS} == {
        name: weight for name, (_, weight) in REGIONS.items()
    }
    assert parameters["eyes"].type.check(-1).endswith("at least 0, not -1")
    assert parameters["confidence_floor"].type.check(1.5)


SIDE = 24
AT = (torch.arange(SIDE, dtype=torch.float64) + 0.5) * 2 / SIDE - 1  # centres of pixels
BLOBS = double([[-0.4, -0.3], [0.4, -0.3], [0, 0.4]])  # left eye, right eye, mouth: x, y
#: which blob each of the 68 points sits on
ON = torch.tensor([2] * 36 + [0] * 6 + [1] * 6 + [2] * 20)


def draw(centres):
    """A face (N, 3, SIDE, SIDE): one blob per channel around the centres (N, 3, 2)."""
    x, y = centres[..., 0, None, None], centres[..., 1, None, None]
    return 2 * torch.exp(-((AT - x).square() + (AT[:, None] - y).square()) / 0.02) - 1


def find(image):
    """A differentiable finder of landmarks: brightness is the heatmap, its centroid the point."""
    heat = (image + 1) / 2
    light = heat / heat.sum(dim=(2, 3), keepdim=True)
    centres = torch.stack([(light.sum(dim=2) * AT).sum(-1), (light.sum(dim=3) * AT).sum(-1)], -1)
    return {
        "points": centres[:, ON],
        "confidence": torch.ones(len(image), dtype=image.dtype),
        "heatmaps": heat[:, ON],
    }


@pytest.mark.parametrize("space", ["coords", "heatmap"])
def test_moving_the_face_back_reduces_the_loss(space):
    landmark, photo = loss("landmark", space=space), find(draw(BLOBS[None]))
    away = double([0.2, 0.1])
    values = [
        landmark.generator(find(draw((BLOBS + share * away)[None])), photo).item()
        for share in (1, 0.75, 0.5, 0.25, 0)
    ]
    assert values == sorted(values, reverse=True)
    assert values[-1] == 0
    if space == "coords":  # all points drift alike; the eyes are 0.8 apart
        assert values[0] == pytest.approx(math.hypot(0.2, 0.1) / 0.8, rel=1e-3)


@pytest.mark.parametrize("space", ["coords", "heatmap"])
def test_one_step_on_the_image_moves_the_landmark_towards_the_photos(space):
    landmark, photo = loss("landmark", space=space), find(draw(BLOBS[None]))
    for by in double([[0.1, 0], [-0.1, 0], [0, 0.1], [0, -0.1]]):
        centres = BLOBS.clone()
        centres[2] += by  # the mouth
        image = draw(centres[None]).requires_grad_()
        value = landmark.generator(find(image), photo)
        (gradient,) = torch.autograd.grad(value, image)
        assert gradient[:, 2].abs().sum() > 0
        with torch.no_grad():
            after = find(image - 0.01 * gradient / gradient.abs().max())
        step = (after["points"] - find(image)["points"])[0, 60]
        assert step @ by < 0
        assert landmark.generator(after, photo) < value


# Gradients of all


FEATURES = {
    "content": lambda f, p: ({"a": f, "b": f[:, :1].exp()}, {"a": p, "b": p[:, :1]}),
    "style": lambda f, p: ({"a": f, "b": f[:, :1].exp()}, {"a": p, "b": p[:, :1]}),
    "gray": lambda f, p: ({"a": f, "b": f[:, :1].exp()}, {"a": p, "b": p[:, :1]}),
    "color": lambda f, p: (f, p),
    "total-variation": lambda f, p: (f,),
}


@pytest.mark.parametrize("name", FEATURES)
def test_gradients_agree_with_finite_differences(name):
    fake, photo = random(2, 3, 4, 3, seed=1).requires_grad_(), random(2, 3, 4, 3, seed=2)
    torch.autograd.gradcheck(lambda f: loss(name).generator(*FEATURES[name](f, photo)), (fake,))


@pytest.mark.parametrize("space", ["coords", "heatmap"])
def test_landmarks_gradient_agrees_with_finite_differences(space):
    photo = landmarks((0.9, 0.1))
    shapes = {"coords": ("points", (2, 68, 2)), "heatmap": ("heatmaps", (2, 68, 3, 3))}
    layer, shape = shapes[space]
    landmark = loss("landmark", space=space)
    fake = random(*shape, seed=5).requires_grad_()
    torch.autograd.gradcheck(lambda f: landmark.generator({layer: f}, photo), (fake,))


def test_landmarks_gradient_is_finite_where_the_fake_is_the_photo():
    photo = landmarks()
    points = photo["points"].clone().requires_grad_()
    loss("landmark").generator(photo | {"points": points}, photo).backward()
    assert points.grad.isfinite().all()
