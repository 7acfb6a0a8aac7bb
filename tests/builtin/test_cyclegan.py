"""CycleGAN's networks and its pool of past fakes; the local critics of a face."""

import json
import math
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import toy
import yaml
from safetensors.torch import load, save
from torch import nn

import ganzoo_cyclegan
from ganzoo import hookimpl
from ganzoo.errors import DataError, RecipeError, TrainingStopped
from ganzoo.faces import MARGIN, canonical
from ganzoo.interfaces import Extractor
from ganzoo.plugins.manager import installed
from ganzoo.plugins.registry import Origin
from ganzoo.recipe.recipe import load_recipe
from ganzoo.training.checkpoint import newest
from ganzoo.training.loop import resume, start
from ganzoo_cyclegan.face_parts import ALIGNED, FacePartsDiscriminator, cut_parts
from ganzoo_cyclegan.history import LeastSquaresHistory
from ganzoo_cyclegan.networks import PatchDiscriminator, ResidualGenerator
from ganzoo_cyclegan.pool import ImagePool
from ganzoo_figurines.parts import LANDMARKS

pytestmark = pytest.mark.usefixtures("one_thread")


def random(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


# The generator


def test_the_generator_is_the_papers():
    found = []
    for module in ResidualGenerator(width=4, blocks=1).modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            shape = tuple(module.weight.shape[:3])
            found.append((type(module).__name__, *shape, module.stride[0], module.bias is not None))
        elif isinstance(module, (nn.InstanceNorm2d, nn.ReflectionPad2d)):
            found.append((type(module).__name__, getattr(module, "num_features", None)))
    norm = lambda n: ("InstanceNorm2d", n)  # noqa: E731
    pad = ("ReflectionPad2d", None)
    assert found == [
        *[pad, ("Conv2d", 4, 3, 7, 1, False), norm(4)],
        *[("Conv2d", 8, 4, 3, 2, False), norm(8), ("Conv2d", 16, 8, 3, 2, False), norm(16)],
        *[pad, ("Conv2d", 16, 16, 3, 1, False), norm(16)] * 2,
        *[("ConvTranspose2d", 16, 8, 3, 2, False), norm(8)],
        *[("ConvTranspose2d", 8, 4, 3, 2, False), norm(4)],
        *[pad, ("Conv2d", 3, 4, 7, 1, True)],
    ]


@pytest.mark.parametrize("size", [(1, 1), (3, 20), (16, 16), (33, 47)])
def test_an_image_of_any_size_keeps_it(size):
    drawn = ResidualGenerator(width=2, blocks=1)(random(2, 3, *size))
    assert drawn.shape == (2, 3, *size)
    assert drawn.isfinite().all()


# The pool


def numbered(*numbers):
    """Images that are told apart by their one value."""
    return torch.tensor(numbers, dtype=torch.float32)[:, None, None, None].expand(-1, 3, 2, 2)


def shown(pool, *numbers):
    return [int(image.mean()) for image in pool(numbered(*numbers))]


def test_a_pool_that_is_not_full_keeps_and_shows_every_fake():
    pool = ImagePool(3)
    assert shown(pool, 1, 2) == [1, 2]
    assert shown(pool, 3) == [3]
    assert sorted(pool.images[:, 0, 0, 0].tolist()) == [1, 2, 3]


def test_half_the_fakes_give_way_to_older_ones_whose_place_they_take():
    torch.manual_seed(0)
    pool = ImagePool(50)
    pool(numbered(*range(50)))
    older, seen = 0, set()
    for fake in range(50, 1050):
        kept = set(pool.images[:, 0, 0, 0].int().tolist())
        (image,) = shown(pool, fake)
        now = set(pool.images[:, 0, 0, 0].int().tolist())
        if image == fake:
            assert now == kept
        else:
            assert image in kept
            assert now == kept - {image} | {fake}
            older += 1
            seen.add(image)
    assert 500 - 4 * math.sqrt(250) < older < 500 + 4 * math.sqrt(250)
    assert len(seen) == older  # whoever was shown is gone


def test_a_pool_stays_as_it_is_in_eval_mode():
    pool = ImagePool(2)
    pool(numbered(1, 2))
    assert shown(pool.eval(), *range(3, 40)) == list(range(3, 40))
    assert pool.images[:, 0, 0, 0].tolist() == [1, 2]


def test_a_pool_of_0_passes_all_fakes_and_keeps_none():
    pool = ImagePool(0)
    assert shown(pool, 1, 2, 3) == [1, 2, 3]
    assert len(pool.images) == 0


@pytest.mark.parametrize("before", [0, 2, 5])
def test_a_critic_that_is_saved_and_loaded_shows_the_same_fakes(before):
    torch.manual_seed(0)
    critic = PatchDiscriminator(width=2, layers=1, pool=5)
    if before:
        critic.past(random(before, 3, 8, 8))
    other = PatchDiscriminator(width=2, layers=1, pool=5)
    other.past(random(3, 3, 16, 16))  # it has seen fakes of another size
    other.load_state_dict(load(save(critic.state_dict())))
    for step in range(20):
        fakes = random(3, 3, 8, 8, seed=step)
        images = []
        for network in (critic, other):
            torch.manual_seed(step)
            images.append(network.past(fakes))
        assert torch.equal(*images)
    assert critic.state_dict()["pool.images"].shape == (5, 3, 8, 8)


def test_a_pool_begins_anew_with_fakes_of_another_size():
    pool = ImagePool(2)
    pool(random(2, 3, 8, 8))
    assert pool(random(2, 3, 4, 4)).shape == (2, 3, 4, 4)
    assert pool.images.shape == (2, 3, 4, 4)


CYCLEGAN = {
    "dataset": {"use": "toy", "photo": True},
    "generator": {"use": "toy-translator"},
    "discriminator": {"use": "cyclegan-patch", "width": 2, "layers": 1, "pool": 6},
    "stages": [
        {
            "name": "adversarial",
            "steps": 9,
            "discriminator": [{"use": "lsgan-history"}],
            "generator": [{"use": "lsgan-history"}],
        }
    ],
}


class Stop:
    """Ends a training after a step, as SIGTERM does."""

    @hookimpl
    def step_ended(self, step):
        if step == 5:
            os.kill(os.getpid(), signal.SIGTERM)


def plugins(*observers):
    made = toy.plugins(*observers)
    made.add(lambda: ganzoo_cyclegan, Origin("cyclegan", "ganzoo", "0"))
    return made


def test_a_resumed_training_shows_its_critic_the_same_past_fakes(tmp_path):
    file = tmp_path / "toy.yaml"
    file.write_text(yaml.safe_dump({**toy.GAN, **CYCLEGAN}), encoding="utf-8")
    recipe = load_recipe(file, (), plugins().registry)
    start(recipe, tmp_path / "whole", plugins())
    with pytest.raises(TrainingStopped):
        start(recipe, tmp_path / "stopped", plugins(Stop()))
    resume(tmp_path / "stopped", (), plugins())
    assert toy.contents(tmp_path / "stopped") == toy.contents(tmp_path / "whole")
    saved = newest(tmp_path / "stopped" / "checkpoints")[0]
    assert saved["discriminator"]["pool.images"].shape == (6, 3, 8, 8)


PROCESS = """
import sys, torch
from torch import distributed
from ganzoo_cyclegan.pool import ImagePool
rank, place = int(sys.argv[1]), sys.argv[2]
distributed.init_process_group("gloo", f"file://{place}/store", rank=rank, world_size=2)
pool, shown = ImagePool(5), []
for step in range(12):
    torch.manual_seed(100 * step + rank)
    shown.append(pool(torch.rand(3, 3, 2, 2) + rank))
torch.save([pool.images, torch.stack(shown)], f"{place}/{rank}.pt")
distributed.barrier()
distributed.destroy_process_group()
"""


def test_processes_that_train_together_share_one_pool(tmp_path):
    both = [
        subprocess.Popen([sys.executable, "-c", PROCESS, str(rank), str(tmp_path)])
        for rank in (0, 1)
    ]
    assert [process.wait() for process in both] == [0, 0]
    (one, shown), (other, others) = (torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1))
    assert torch.equal(one, other)
    assert {bool(image.mean() > 1) for image in one} == {False, True}
    assert shown[0].max() < 1 < others[0].min()  # while it is not full, each sees its own
    assert shown.max() > 1 > others.min()


# The loss


class Judge:
    """Gives an image's mean, and the number 7 as the past."""

    def __call__(self, image):
        return image.mean(dim=(1, 2, 3))

    def past(self, image):
        return torch.full_like(image, 7.0)


def test_the_critic_learns_from_the_past_and_the_generator_from_now():
    term = LeastSquaresHistory()
    value = term.discriminator(torch.tensor([3.0]), numbered(2), Judge())
    assert value.item() == pytest.approx(2**2 + 7**2)
    assert term.generator(torch.tensor([3.0, 1.0])).item() == pytest.approx(2.0)


# The local critics


def marked(points, side=64):
    """A gray image with a white dot at each point, [-1, 1] from edge to edge."""
    image = torch.zeros(1, 3, side, side)
    for x, y in points:
        image[..., int((y + 1) / 2 * side), int((x + 1) / 2 * side)] = 1.0
    return image


def brightest(patch):
    """Where a patch is brightest, (x, y) in [-1, 1] of it."""
    size = patch.shape[-1]
    place = int(patch.mean(dim=0).argmax())
    return [((place % size) + 0.5) / size * 2 - 1, ((place // size) + 0.5) / size * 2 - 1]


@pytest.mark.parametrize("layout", [3, 7, 68])
def test_parts_are_cut_out_where_the_landmarks_are(layout):
    left, right, mouth = (-0.4, -0.2), (0.0, -0.3), (-0.1, 0.3)
    if layout == 68:
        points = torch.tensor([[9.0, 9.0]] * 36 + [left] * 6 + [right] * 6 + [mouth] * 20)
        points[29:36] = torch.tensor([-0.15, 0.05])
        nose = (-0.15, 0.05)
    else:
        points = torch.tensor([left, right, mouth, *[[9.0, 9.0]] * (layout - 3)])
        nose = (-0.15, 0.025)  # between the eyes and the mouth
    for part, place in {"eyes": (-0.2, -0.25), "nose": nose, "mouth": mouth}.items():
        patch = cut_parts(marked([place]), points[None], [part], 33)[part]
        assert patch.shape == (1, 3, 33, 33)
        assert brightest(patch[0]) == pytest.approx([0, 0], abs=0.2)
    eyes = cut_parts(marked([left]), points[None], ["eyes"], 33)["eyes"]
    # half the distance of the eyes is a quarter of the patch
    assert brightest(eyes[0]) == pytest.approx([-0.485, 0.121], abs=0.1)


def test_a_part_that_reaches_past_the_edge_continues_the_border():
    image = random(1, 3, 16, 16)
    points = torch.tensor([[[-1.5, -1.5], [-1.3, -1.5], [-1.4, -1.2]]])
    patch = cut_parts(image, points, ["eyes"], 8)["eyes"]
    torch.testing.assert_close(patch, image[..., :1, :1].expand(-1, -1, 8, 8))


def test_the_layouts_are_those_of_their_sources():
    assert LANDMARKS[:3] == ("left eye", "right eye", "mouth")
    assert len(LANDMARKS) == 7
    crop = torch.from_numpy(canonical(MARGIN)) * 2 - 1
    torch.testing.assert_close(torch.tensor(ALIGNED).double(), crop, atol=1e-4, rtol=0)


def test_landmarks_of_no_known_layout_are_refused():
    with pytest.raises(DataError, match="5 landmarks"):
        FacePartsDiscriminator()(random(1, 3, 32, 32), torch.zeros(1, 5, 2))


@pytest.mark.parametrize("parts", [[], ["eyes", "eyes"]])
def test_parts_are_named_once(parts):
    with pytest.raises(RecipeError, match="parts"):
        FacePartsDiscriminator(parts=parts)


def test_each_part_has_its_own_critic_and_no_gradient_moves_the_landmarks():
    torch.manual_seed(0)
    network = FacePartsDiscriminator(["mouth", "eyes"], width=2)
    image = random(2, 3, 64, 64).requires_grad_()
    points = torch.tensor(ALIGNED).expand(2, -1, -1).clone().requires_grad_()
    logits = network(image, points)
    assert logits.shape == (2, 2, 6, 6)
    torch.testing.assert_close(logits, network(image))
    for place, inside in ((0, slice(35, 61)), (1, slice(13, 48))):
        (gradient,) = torch.autograd.grad(logits[:, place].sum(), image, retain_graph=True)
        outside = gradient.clone()
        outside[:, :, inside] = 0
        assert gradient.any()
        assert not outside.any()
    assert torch.autograd.grad(logits.sum(), points, allow_unused=True) == (None,)


class Finder(Extractor):
    """Sees the eyes and the mouth of any image 0.3 to the right of where they are expected."""

    def __init__(self, layer="points"):
        super().__init__()
        self.layer = layer
        self.register_buffer("points", torch.tensor(ALIGNED) + torch.tensor([0.3, 0.0]))

    def forward(self, image):
        return {self.layer: self.points.expand(len(image), -1, -1)}


def test_without_landmarks_a_finder_is_asked_who_is_no_part_of_the_critic():
    torch.manual_seed(0)
    finder, image = Finder(), random(2, 3, 64, 64)
    network = FacePartsDiscriminator(width=2, extractor=finder)
    logits = network(image)
    torch.testing.assert_close(logits, network(image, finder.points.expand(2, -1, -1)))
    assert not torch.allclose(logits, network(image, torch.tensor(ALIGNED).expand(2, -1, -1)))
    assert network.state_dict().keys() == FacePartsDiscriminator(width=2).state_dict().keys()
    network.double()
    assert finder.points.dtype == torch.float64


def test_an_extractor_that_finds_no_landmarks_is_refused():
    with pytest.raises(DataError, match="needs points"):
        FacePartsDiscriminator(extractor=Finder("map"))(random(1, 3, 32, 32))


# The recipes


SHARED = Path(__file__).resolve().parents[3] / "shared"
FACE68 = SHARED / "weights" / "face-landmark-68"


@pytest.mark.skipif(not FACE68.is_dir(), reason="the weights of face68 are not in ../shared")
def test_the_papers_recipe_finds_the_landmarks_of_real_portraits(tmp_path):
    """Both stages, with the real finder: local critics and the landmark term see faces."""
    for name in ("portraits", "anime-faces"):
        (tmp_path / name).mkdir()
        for file in sorted((SHARED / "data" / name).iterdir())[:8]:
            shutil.copy(file, tmp_path / name)
    networks = ("generator", "networks.backward", "discriminator", "networks.photo_critic")
    overrides = [
        f"dataset.photo={tmp_path / 'portraits'}",
        f"dataset.real={tmp_path / 'anime-faces'}",
        f"extractors.face.weights={FACE68}",
        *(f"{network}.width=4" for network in (*networks, "networks.parts")),
        *(f"{network}.blocks=1" for network in networks[:2]),
        *("networks.parts.patch=16", "networks.parts.layers=1", "dataset.size=64"),
        *("stages.0.steps=1", "stages.1.steps=1", "batch=2", "precision=fp32", "samples.count=2"),
    ]
    run = start(
        load_recipe("landmark-cyclegan", overrides, installed().registry),
        tmp_path / "run",
        installed(),
    )
    coarse, local = (json.loads(line) for line in (run.path / "metrics.jsonl").open())
    assert coarse["generator/landmark.faces"] == local["generator/landmark.faces"] == 1
    assert 0 < local["generator/landmark"] < 2
    assert local["discriminator/lsgan"] > 0  # of the parts
    assert "discriminator/lsgan" not in coarse
