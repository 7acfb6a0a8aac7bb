"""AL-CGAN's networks, and whether what it draws is where its layout has it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import max_pool2d
from typed import typist

import ganzoo
from ganzoo import layouts
from ganzoo.errors import RunError
from ganzoo.models import samples
from ganzoo_layout import overlap
from ganzoo_layout.mismatch import Roll
from ganzoo_layout.networks import ALCGANDiscriminator, ALCGANGenerator
from ganzoo_layout.overlap import LayoutIoU

pytestmark = pytest.mark.usefixtures("one_thread")
PALETTE = {"ground": "#dfe7ee", "skin": "#f2b48c", "hair": "#7a3fb0"}
LABEL = {"hue": ["red", "blue"], "tone": ["a", "b", "c"]}
N, SIZE = 48, 32


def layout(n: int = 2, side: int = SIZE, seed: int = 0) -> Tensor:
    return torch.randint(3, (n, 1, side, side), generator=torch.Generator().manual_seed(seed))


def test_the_generator_of_64_pixels_has_nine_layers() -> None:
    network = ALCGANGenerator(64, PALETTE, width=4, latent=8, label=LABEL)
    layers = [m for m in network.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    assert len(layers) == 9
    assert layers[0].weight.shape[1] == 8 + 16 * 2  # noise and attributes
    # the layout joins at 8, 16, 32 and 64 px, and again before the image
    fed = [m.weight.shape[1] for m in layers[1:] if m.weight.shape[1] % 4 == 3]
    assert fed == [32 + 3, 32 + 3, 16 + 3, 8 + 3, 4 + 3]


def test_both_read_a_layout_of_another_size_by_its_nearest_pixels() -> None:
    torch.manual_seed(0)
    generator = ALCGANGenerator(32, PALETTE, width=4, latent=8).eval()
    critic = ALCGANDiscriminator(32, PALETTE, width=4).eval()
    large, latent = layout(side=96), torch.zeros(2, 8)
    small = layouts.resized(large, 32)
    image = generator(latent, small)
    assert torch.equal(generator(latent, large), image)
    assert torch.equal(critic(image, large), critic(image, small))


def test_a_mismatched_pair_is_the_image_of_another() -> None:
    image = torch.rand(4, 3, 2, 2)
    assert torch.equal(Roll()(image)[1:], image[:-1])
    assert torch.equal(Roll()(image)[0], image[-1])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train the recipe for a moment, at 32 px."""
    pytest.importorskip("dicebear", reason="the extra 'avatars' is not installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "set_num_threads", lambda n: None)
        torch.manual_seed(0)
        trained = ganzoo.train(
            "layout-avatars",
            out=tmp_path_factory.mktemp("layout") / "run",
            overrides={
                "precision": "fp32",
                "dataset.count": 320,
                "dataset.size": SIZE,
                "generator.width": 8,
                "discriminator.width": 12,
                "optimizer.lr": 1.5e-3,
                "ema": 0.95,
                "stages.0.steps": 200,
                "samples.every": 200,
                "checkpoint.every": 200,
            },
        )
    return Path(trained.path)


@pytest.fixture(scope="module")
def examples() -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Avatars to learn the parts from, and others."""
    data = ganzoo.component("dataset", "avatars", count=320 + N, size=SIZE)
    data.demand(["layout"])
    data.prepare()
    return data.__getitems__(list(range(320))), data.__getitems__(list(range(320, 320 + N)))


@pytest.fixture(scope="module")
def reader(examples: tuple[dict[str, Tensor], dict[str, Tensor]]) -> LayoutIoU:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(overlap, "STEPS", 120)
        score = LayoutIoU()
        score.real(examples[0]["real"], examples[0]["layout"])
        score.pair(examples[1]["layout"], examples[1]["real"], torch.arange(N) % 10)
    return score


def iou(reader: LayoutIoU, wanted: Tensor, image: Tensor) -> float:
    reader._counts.zero_()
    reader.pair(wanted, image, torch.arange(len(image)) % 10)
    return reader.compute()["layout-iou"]


def drawn(run: Path, wanted: Tensor) -> Tensor:
    generator = ganzoo.load(run, device="cpu").generator
    words = samples.inputs(generator, len(wanted), 5, {}, conditions={"layout": wanted})
    return samples.generate(generator, words)


def test_drawings_have_their_layout_and_not_that_of_another(run, reader, examples) -> None:
    wanted, real = examples[1]["layout"], examples[1]["real"]
    others = wanted.roll(1, 0)
    parts = range(int(wanted.max()) + 1)
    chance = sum(
        float(((wanted == k) & (others == k)).sum() / ((wanted == k) | (others == k)).sum())
        for k in parts
    ) / len(parts)
    image = drawn(run, wanted)
    right, wrong = iou(reader, wanted, image), iou(reader, others, image)
    assert iou(reader, wanted, real) > 0.6
    assert right > wrong + 0.1
    assert wrong < chance + 0.1


def test_the_benchmark_gives_layouts_and_compares_with_them(run, examples, tmp_path) -> None:
    overrides = {
        "dataset": {"use": "avatars", "count": 320 + N, "size": SIZE},
        "reference": 320,
        "fakes": N,
        "extractors": {},
        "evaluators": [{"use": "layout-iou"}],
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(overlap, "STEPS", 120)
        how = {"benchmark": "avatars-layout", "overrides": overrides, "out": tmp_path}
        entry = ganzoo.evaluate(run, **how)
        with pytest.raises(RunError, match="compares pictures with what they are made from"):
            ganzoo.evaluate("ganzoo/avatars-64", **how)
    assert 0.45 < entry.scores["layout-iou"].value <= 1


def test_an_edit_moves_pixels_near_it_more_than_elsewhere(run, examples) -> None:
    before = examples[1]["layout"]
    names = list(ganzoo.load(run, device="cpu").generator.palette)
    after = torch.where(before == names.index("mouth"), names.index("skin"), before)
    change = (drawn(run, before) - drawn(run, after)).abs().mean(1)
    near = max_pool2d((before != after).float(), 9, 1, 4)[:, 0] > 0
    assert change[near].mean() > 5 * change[~near].mean()


def test_a_layout_is_sampled_from_a_file_and_in_python(
    run, examples, tmp_path, monkeypatch, capsys
) -> None:
    model = ganzoo.load(run, device="cpu")
    colours = layouts.draw(examples[1]["layout"][:1], model.generator.palette)
    file = tmp_path / "face.png"
    Image.fromarray(samples.to_uint8(colours)[0].permute(1, 2, 0).numpy()).save(file)
    out = tmp_path / "out.png"
    words = ["sample", str(run), "--layout", str(file), "--label", "hair=pink", "-n", "1"]
    assert typist(monkeypatch, capsys)(*words, "--out", out).code == 0
    python = model.sample(1, layout=file, label={"hair": "pink"})[0]
    assert python.tobytes() == Image.open(out).convert("RGB").tobytes()
    other = ganzoo.sample(model, 1, layout=Image.open(file), label={"hair": "green"})[0]
    assert other.tobytes() != python.tobytes()
    with pytest.raises(RunError, match="--layout"):
        model.sample(1)
    with pytest.raises(RunError, match="poem"):
        model.sample(1, layout=file, poem="roses")
    with pytest.raises(RunError, match="layout"):
        ganzoo.load("ganzoo/avatars-64", device="cpu").sample(1, layout=file)
    with pytest.raises(RunError, match="layout"):
        model.directions()
