"""Translators without weights: what their papers promise, on pictures made here."""

import math

import pytest
import torch
from torch import Tensor

from ganzoo.errors import DataError
from ganzoo_npr import flow
from ganzoo_npr._face import FRAME, Face
from ganzoo_npr._palette import labels, palette
from ganzoo_npr._pictures import from_lab, from_linear, to_lab, to_linear, to_unit
from ganzoo_npr.abstraction import Abstraction, draw_lines, quantise
from ganzoo_npr.cel import Cel, lamp_of
from ganzoo_npr.gbuffer_lines import GBufferLines, creases, profiles
from ganzoo_npr.l0 import L0, flatten
from ganzoo_npr.opie import Opie
from ganzoo_npr.portrait_abstraction import PortraitAbstraction
from ganzoo_npr.xdog import XDoG


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def step(low: float, high: float, side: int = 32) -> Tensor:
    """A picture in [0, 1] whose right half is ``high``."""
    image = torch.full((1, 3, side, side), low)
    image[..., side // 2 :] = high
    return image


def sphere(side: int = 64) -> tuple[Tensor, Tensor]:
    """Unit normals (1, 3, S, S) of a sphere that fills the picture, and its mask."""
    axis = (torch.arange(side) + 0.5) * 2 / side - 1
    x, y = axis[None, :].expand(side, side), axis[:, None].expand(side, side)
    inside = x * x + y * y < 0.95
    z = torch.where(inside, (1 - x * x - y * y).clamp_min(0).sqrt(), 1.0)
    found = torch.stack([torch.where(inside, x, 0.0), torch.where(inside, y, 0.0), z])
    return found[None], inside


# -- colours ---------------------------------------------------------------------------------


def test_lab_is_cielab_and_comes_back() -> None:
    rgb = torch.tensor([[1.0, 1, 1], [0, 0, 0], [1, 0, 0], [0.5, 0.5, 0.5]]).mT[None, :, None]
    # scikit-image 0.26's rgb2lab (D65, 2 degrees)
    wanted = [[100, 0, 0], [0, 0, 0], [53.24, 80.09, 67.20], [53.39, 0, 0]]
    assert (to_lab(rgb)[0, :, 0].mT - torch.tensor(wanted)).abs().max() < 0.03
    image = torch.rand(2, 3, 9, 7, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(from_lab(to_lab(image)), image, atol=2e-4)
    assert torch.allclose(from_linear(to_linear(image)), image, atol=1e-5)


# -- XDoG ------------------------------------------------------------------------------------


@pytest.mark.parametrize("tone", [0.45, 0.7, 1.0])
def test_xdog_leaves_light_areas_white(tone: float) -> None:
    assert (XDoG(threshold=0.4).ink(torch.full((2, 1, 20, 24), tone)) == 1).all()


def test_xdog_draws_one_line_along_an_edge_and_sigma_is_its_width() -> None:
    def dark(sigma: float) -> int:
        ink = XDoG(sigma, softness=1000.0).ink(step(0.6, 0.9, 64)[:, :1])
        row = (ink[0, 0, 32] < 0.5).int()
        assert row.diff().abs().sum() == 2  # it begins once and ends once
        return int(row.sum())

    assert 1 <= dark(1.0) < dark(2.0) < dark(4.0)


def test_xdog_is_black_and_white_where_it_is_hard() -> None:
    photo = normal(1, 3, 24, 24).clamp(-1, 1)
    assert set(XDoG(softness=1e9)(photo).unique().tolist()) <= {-1.0, 1.0}
    assert len(XDoG()(photo).unique()) > 10


# -- L0 --------------------------------------------------------------------------------------


def test_l0_makes_two_noisy_levels_flat() -> None:
    clean = step(0.3, 0.7, 48)
    noisy = clean + 0.03 * normal(1, 3, 48, 48)
    smooth = flatten(noisy, 0.02)
    # 0.013 is what independent programs leave; a few of the 2,304 pixels stand out of the noise
    assert (smooth - clean).abs().amax(1).flatten().quantile(0.995) < 0.013
    equal = [(image.diff(dim=-1).abs() < 1e-3).float().mean() for image in (noisy, smooth)]
    assert equal[0] < 0.1 < 0.85 < equal[1]


def test_l0_keeps_the_mean_and_without_smoothness_the_picture() -> None:
    image = 0.25 + 0.5 * torch.rand(2, 3, 21, 33, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(flatten(image, 0.02).mean((2, 3)), image.mean((2, 3)), atol=1e-6)
    assert torch.equal(flatten(image, 0.0), image)
    assert torch.allclose(flatten(image, 1e-9), image, atol=1e-4)


def test_l0_decides_for_all_channels_of_a_pixel_together() -> None:
    image = step(0.5, 0.5)
    image[:, 0, :, 16:] = 0.9  # a strong edge of red
    image[:, 1, :, 16:] = 0.53  # beside a weak one of green, too weak to stay alone
    together, alone = flatten(image, 0.02), flatten(image[:, 1:2], 0.02)
    height = together[0, 1, 16, 24] - together[0, 1, 16, 8]
    assert height > 0.025
    assert (alone[0, 0, 16, 24] - alone[0, 0, 16, 8]).abs() < 0.01 + 0.02


@pytest.mark.parametrize("sides", [(1, 1), (1, 9), (5, 2), (17, 40)])
def test_drawings_have_the_photos_size_however_small(sides: tuple[int, int]) -> None:
    photo = normal(2, 3, *sides).clamp(-1, 1)
    drawings = (XDoG(), L0(), Abstraction(), Abstraction("flow"), Opie("frame"))
    for drawing in (*drawings, PortraitAbstraction("frame")):
        assert drawing(photo).shape == photo.shape
    depth = torch.rand(2, 1, *sides)
    assert Cel()(photo, photo, depth).shape == GBufferLines()(photo, depth).shape == photo.shape


# -- abstraction -----------------------------------------------------------------------------


def test_tones_are_bands_with_soft_steps() -> None:
    ramp = torch.linspace(0, 100, 2000).expand(1, 1, 4, -1)
    tones = quantise(ramp, 8)
    assert (tones - ramp).abs().max() <= 100 / 16 + 1e-3
    flat = (tones.diff(dim=-1).abs() < 0.02).float().mean()
    assert flat > 0.6
    assert (tones.diff(dim=-1) > -1e-4).all()


def test_equal_brightness_draws_no_line_and_adding_some_changes_none() -> None:
    light = 40 + 20 * torch.rand(1, 1, 30, 30, generator=torch.Generator().manual_seed(2))
    lines = draw_lines(light, 1.0, 1.0, 2.0)
    assert torch.allclose(draw_lines(light + 20, 1.0, 1.0, 2.0), lines, atol=1e-3)
    assert (draw_lines(torch.full((1, 1, 9, 9), 50.0), 1.0, 0.98, 2.0) == 1).all()


def test_smoothing_keeps_edges_and_removes_grain() -> None:
    clean = step(0.3, 0.7, 40)
    noisy = (clean + 0.02 * normal(1, 3, 40, 40)).clamp(0, 1) * 2 - 1
    for form in ("plain", "flow"):
        drawn = to_unit(Abstraction(form, tones=50)(noisy))
        left, right = drawn[..., 4:12], drawn[..., 28:36]
        assert left.std() < 0.012
        assert (right.mean() - left.mean() - 0.4).abs() < 0.04


@pytest.mark.parametrize("turned", [False, True])
def test_directions_run_along_an_edge(turned: bool) -> None:
    edge = step(0.2, 0.8)
    along = flow.tangents(edge.mT if turned else edge)[0, :, 16, 16].abs()
    assert along[0 if turned else 1] > 0.99


# -- faces -----------------------------------------------------------------------------------


def portrait(side: int = 96) -> Tensor:
    """A head of skin on blue, with eyes, brows, a mouth and grain, where FRAME has them."""
    face = Face(torch.tensor([FRAME]), side, side)
    image = torch.tensor([0.2, 0.3, 0.7])[:, None, None].expand(3, side, side).clone()
    image[:, face.ellipse(face.nose, 1.2, 1.6)[0, 0] < 1] = torch.tensor([0.85, 0.65, 0.5])[:, None]
    for name, shape in face.shapes().items():
        if name != "nose":
            image[:, shape[0, 0] < 0.5] = torch.tensor([0.3, 0.1, 0.1])[:, None]
    return ((image + 0.02 * normal(3, side, side)).clamp(0, 1) * 2 - 1)[None]


def test_opie_has_few_colours_and_dots_for_eyes() -> None:
    photo = portrait()
    drawn = Opie("frame")(photo)
    colors = drawn[0].flatten(1).mT.unique(dim=0)
    assert len(colors) <= 12
    face = Face(torch.tensor([FRAME]), 96, 96)
    for eye in face.points[0, :2]:
        x, y = (int(value) for value in eye)
        assert (drawn[0, :, y, x] == -1).all()
        # a dot, with skin around it
        assert (drawn[0, :, y, x + 4 : x + 6] > -1).all()
    cheek = [int(v) for v in face.nose[0] + torch.tensor([18.0, 4.0])]
    chin = [int(v) for v in face.points[0, 2] + torch.tensor([0.0, 14.0])]
    assert torch.equal(drawn[0, :, cheek[1], cheek[0]], drawn[0, :, chin[1], chin[0]])


def test_landmarks_of_a_dataset_move_the_drawing() -> None:
    photo, points = portrait(), torch.tensor([FRAME])
    drawing = Opie("frame")
    assert torch.equal(drawing(photo), drawing(photo, landmarks=points))
    moved = drawing(photo, landmarks=points + 0.1)
    x, y = (int(value) for value in Face(points + 0.1, 96, 96).points[0, 0])
    assert (moved[0, :, y, x] == -1).all()


def test_portraits_keep_detail_at_the_eyes_more_than_elsewhere() -> None:
    grain = (0.1 * normal(1, 3, 96, 96)).clamp(-1, 1)
    drawing = PortraitAbstraction("frame")
    salience = drawing.salience(torch.tensor([FRAME]), 96, 96)
    assert salience[0, 0, 45, 36] > 0.8 > 0.1 > salience[0, 0, 5, 5]

    def energy(image: Tensor, where: Tensor) -> float:
        change = image.diff(dim=-1).square().sum(1)[:, :, :95]
        return change[where[:, 0, :, :95]].mean().item()

    drawn = drawing(grain)
    eyes, far = salience > 0.7, salience < 0.05
    kept = [energy(drawn, where) / energy(grain, where) for where in (eyes, far)]
    assert kept[0] > 1.5 * kept[1]


def test_a_portrait_needs_its_finder_or_a_frame(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path))
    with pytest.raises(DataError, match="face68"):
        Opie()


# -- geometry --------------------------------------------------------------------------------


def test_a_cel_shaded_sphere_has_bands_at_the_angles_of_its_steps() -> None:
    normals, inside = sphere()
    drawing = Cel(lamp=(0.0, 0.0, 1.0), steps=[0.8, 0.4], shades=[1.0, 0.6, 0.3])
    shade = drawing.ramp(normals, torch.tensor([[0.0, 0.0, 1.0]]))[0, 0]
    axis = (torch.arange(64) + 0.5) / 32 - 1
    radius = torch.hypot(axis[None], axis[:, None])
    # n . l = cos(angle), and a point at that angle is sin(angle) from the middle
    rims = [math.sin(math.acos(value)) for value in (0.8, 0.4)]
    assert (shade[radius < rims[0] - 1e-3] == 1.0).all()
    assert (shade[(radius > rims[0] + 1e-3) & (radius < rims[1] - 1e-3)] == 0.6).all()
    assert (shade[(radius > rims[1] + 1e-3) & inside] == 0.3).all()


def test_the_lamp_is_found_from_the_shading() -> None:
    normals, inside = sphere()
    lamp = torch.tensor([0.6, -0.48, 0.64])
    facing = (normals * lamp[:, None, None]).sum(1, keepdim=True)
    light = torch.where(inside, (facing * 0.5 + 0.5) ** 2, 0.5).expand(-1, 3, -1, -1)
    found, shading = lamp_of(light, normals)
    assert (found[0, :2] * lamp[:2]).sum() / lamp[:2].norm() / found[0, :2].norm() > 0.99
    assert shading[0, 0, 20, 44] > 1.2 * shading[0, 0, 44, 20]


def test_cel_refuses_a_ramp_that_does_not_fit() -> None:
    with pytest.raises(DataError, match="one shade more"):
        Cel(steps=[0.5], shades=[1.0])
    with pytest.raises(DataError, match="no direction"):
        Cel(lamp=(0.0, 0.0, 0.0))


def box(scale: float = 1.0) -> Tensor:
    """The depth, in pixels, of a block 20 in front of a wall, with a ridge along its middle."""
    depth = torch.full((1, 1, 48, 48), 40.0)
    slope = 8 - (torch.arange(32) - 15.5).abs() / 2
    depth[..., 8:40, 8:40] = 20 - slope
    return depth * scale


def test_profiles_are_the_outline_and_creases_the_ridge() -> None:
    depth = box()
    outline, ridge = profiles(depth, 3.0)[0, 0], creases(depth, 0.5)[0, 0]
    assert (outline[24] > 0.5).nonzero().flatten().tolist() == [7, 8, 39, 40]
    assert outline[24, 12:22].max() < 1e-5  # an even slope draws nothing
    assert ridge[24, 23:25].min() > 0.5
    assert ridge[24, 12:22].max() < 1e-3


def test_depth_and_paper_decide_the_lines() -> None:
    photo = torch.zeros(1, 3, 48, 48)
    flat = torch.full((1, 1, 48, 48), 0.5)
    assert (GBufferLines("white")(photo, flat) == 1).all()
    drawn = GBufferLines("white")(photo, box() / 48)
    assert drawn[0, 0, 24, 8] < -0.5
    assert drawn[0, 0, 2, 2] == 1
    assert GBufferLines("photo")(photo, flat)[0, 0, 24, 24].abs() < 1e-5


# -- palettes --------------------------------------------------------------------------------


def test_a_palette_finds_the_colours_there_are() -> None:
    colors = torch.tensor([[20.0, 0, 0], [60, 40, 10], [80, -30, 20]])
    index = torch.arange(900).reshape(1, 30, 30) % 3
    lab = colors[index[0]].permute(2, 0, 1)[None] + 0.5 * normal(1, 3, 30, 30)
    found = palette(lab, 3)[0]
    nearest = torch.cdist(colors, found).min(1).values
    assert nearest.max() < 0.5
    assert len(labels(lab, found[None]).unique()) == 3
