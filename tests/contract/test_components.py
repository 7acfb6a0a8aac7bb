"""What every registered component keeps, whoever wrote it: registering is what gets it tested."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ganzoo.errors import DataError
from ganzoo.interfaces import Box
from ganzoo.plugins import installed
from ganzoo.registry import KINDS, Entry
from ganzoo.signature import REQUIRED, Signature, read_signature
from ganzoo.vocabulary import FEATURES, LOGITS, OF_IMAGES, vocabulary

pytestmark = pytest.mark.usefixtures("one_thread")

SIZE = 32
LABEL = {"hair": ["pink", "blue", "none"], "glasses": ["yes", "no"]}
YEAR = re.compile(r"\b(19|20)\d\d\b")
#: tried in turn for constructor arguments that have no default
VALUES = (SIZE, 1, 0.5, True, "somewhere", ["a"], {"a": ["b"]})
PLAYERS = ("generator", "discriminator")

ENTRIES = [entry for kind in KINDS for entry in installed().registry.entries(kind)]


def of(*kinds: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Run a test for every component of these kinds."""
    found = [entry for entry in ENTRIES if entry.kind in kinds]
    return pytest.mark.parametrize("entry", found, ids=lambda entry: f"{entry.kind}-{entry.name}")


def signature(entry: Entry) -> Signature:
    return read_signature(entry.target)


def build(entry: Entry, seed: int = 0, **arguments: Any) -> Any:
    """Construct with the least that is allowed: ``size`` where there is one, and what must be."""
    for parameter in signature(entry).parameters:
        if parameter.name == "size":
            arguments.setdefault("size", SIZE)
        elif parameter.default is REQUIRED and parameter.name not in arguments:
            choices = (*getattr(parameter.type, "values", ()), *VALUES)
            arguments[parameter.name] = next(
                value for value in choices if not list(parameter.type.problems(value))
            )
    torch.manual_seed(seed)
    return entry.load()(**arguments)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def words_for(entry: Entry, network: nn.Module, n: int, labelled: bool) -> dict[str, Tensor]:
    """An input for each parameter of a network's ``forward``."""
    found: dict[str, Tensor] = {}
    reads = signature(entry).methods["forward"]
    for place, (word, required) in enumerate(reads):
        if word == "label":
            if labelled:
                found[word] = torch.tensor([[i % 3, i % 2] for i in range(n)])
        elif word == "latent":
            found[word] = network.sample_latent(n, torch.Generator().manual_seed(5))
        elif required or not place:
            found[word] = random(n, 3, SIZE, SIZE, seed=place)
    return found


def networks(entry: Entry) -> Iterator[tuple[Any, bool]]:
    """The network, and its conditional form where it has one."""
    yield build(entry), False
    if "label" in signature(entry).by_name:
        yield build(entry, label=LABEL), True


def test_no_plugin_is_broken() -> None:
    assert [plugin.report() for plugin in installed().broken] == []


@of(*KINDS)
def test_it_is_documented(entry: Entry) -> None:
    found = signature(entry)
    assert re.fullmatch(r"[^\n]{10,110}[.)]", found.summary), found.summary
    undocumented = [p.name for p in found.parameters if not p.help]
    assert not undocumented, f"not in the docstring's Args: {undocumented}"


@of(*KINDS)
def test_what_is_read_from_its_source_is_what_it_is(entry: Entry) -> None:
    cls, found = entry.load(), signature(entry)
    runtime = inspect.signature(cls).parameters
    runtime = {name: p for name, p in runtime.items() if name not in ("args", "kwargs")}
    assert [p.name for p in found.parameters] == list(runtime)
    for p in found.parameters:
        assert (p.default is REQUIRED) == (runtime[p.name].default is inspect.Parameter.empty)
    for method, words in found.methods.items():
        given = list(inspect.signature(getattr(cls, method)).parameters)[1:]
        assert [word for word, _ in words] == given


@of("generator")
def test_a_generator_draws_images(entry: Entry) -> None:
    for network, labelled in networks(entry):
        for n, training in ((1, False), (3, False), (3, True)):
            network.train(training)
            images = network(**words_for(entry, network, n, labelled))
            assert images.shape == (n, 3, SIZE, SIZE)
            assert images.dtype == torch.float32
            assert images.isfinite().all()
            assert images.abs().max() <= 1
        assert network.size in (None, SIZE)
        assert network.label == (LABEL if labelled else None)


@of("generator")
def test_latents_come_from_the_given_randomness_alone(entry: Entry) -> None:
    if "latent" not in dict(signature(entry).methods["forward"]):
        pytest.skip("not made from noise")
    network = build(entry)
    state = torch.get_rng_state()
    one, same, other = (
        network.sample_latent(4, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert len(one) == 4
    assert one.device.type == "cpu"
    assert torch.equal(state, torch.get_rng_state())


@of("discriminator")
def test_a_discriminator_gives_raw_logits(entry: Entry) -> None:
    for network, labelled in networks(entry):
        for n, training in ((1, False), (3, False), (3, True)):
            network.train(training)
            words = words_for(entry, network, n, labelled)
            logits = network(**words)
            assert len(logits) == n
            assert logits.isfinite().all()
        # far from zero, a sigmoid or a tanh would show
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.mul_(8)
        assert network(**words).abs().max() > 1


@of("discriminator")
def test_a_discriminator_can_be_penalised(entry: Entry) -> None:
    for network, labelled in networks(entry):
        words = words_for(entry, network, 3, labelled)
        image = next(iter(words.values())).requires_grad_()
        (gradient,) = torch.autograd.grad(network(**words).sum(), image, create_graph=True)
        gradient.square().sum().backward()
        assert gradient.abs().sum() > 0
        given = [p.grad for p in network.parameters() if p.grad is not None]
        assert given
        assert all(g.isfinite().all() for g in given)


@of("generator", "discriminator")
def test_gradients_reach_every_parameter(entry: Entry) -> None:
    for network, labelled in networks(entry):
        with torch.no_grad():  # some layers begin at zero and hold gradients back at first
            for parameter in network.parameters():
                parameter.add_(0.05 * torch.randn_like(parameter))
        out = network.train()(**words_for(entry, network, 3, labelled))
        (out * torch.randn_like(out)).sum().backward()
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
            assert parameter.grad.abs().sum() > 0, name


@of("generator", "discriminator")
def test_weights_survive_a_file_bit_for_bit(entry: Entry, tmp_path: Path) -> None:
    for network, labelled in networks(entry):
        arguments = {"label": LABEL} if labelled else {}
        save_file(network.state_dict(), tmp_path / "weights.safetensors")
        other = build(entry, seed=1, **arguments)
        other.load_state_dict(load_file(tmp_path / "weights.safetensors"))
        words = words_for(entry, network, 3, labelled)
        with torch.no_grad():
            assert torch.equal(network.eval()(**words), other.eval()(**words))


@of("generator", "discriminator")
def test_the_seed_decides_the_initial_weights(entry: Entry) -> None:
    one, same, other = (build(entry, seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)


@of("generator", "discriminator")
def test_in_eval_mode_batch_mates_do_not_matter(entry: Entry) -> None:
    for network, labelled in networks(entry):
        words = words_for(entry, network, 3, labelled)
        network.train()(**words)  # so that running statistics are not the initial ones
        mates = {name: torch.cat([v[:1], v[1:].flip(0)]) for name, v in words.items()}
        with torch.no_grad():
            ours, theirs = network.eval()(**words), network(**mates)
        assert torch.equal(ours[0], theirs[0])
        torch.testing.assert_close(ours[1:].flip(0), theirs[1:])


class Judge(nn.Module):
    """A smooth discriminator of any image."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 5, 3), nn.Softplus(), nn.Conv2d(4, 1, 3))

    def forward(self, image: Tensor) -> Tensor:
        return self.layers(image).mean(dim=(1, 2, 3))


def maps(image: Tensor) -> dict[str, Tensor]:
    """Features as an image network has them: a map for each of two layers."""
    weight = random(6, 3, 3, 3, seed=9)
    near = nn.functional.conv2d(image, weight, padding=1)
    return {"near": near, "far": nn.functional.avg_pool2d(near.tanh(), 4)}


def landmarks(image: Tensor) -> dict[str, Tensor]:
    """Features as a finder of landmarks has them, each sure of its face."""
    heat = nn.functional.conv2d(image, random(68, 3, 5, 5, seed=8))
    shares = heat.flatten(2).softmax(2)
    places = random(heat[0, 0].numel(), 2, seed=7)
    return {"points": shares @ places, "confidence": torch.ones(len(image)), "heatmaps": heat}


def loss_words(features: Callable[[Tensor], dict[str, Tensor]] = maps) -> dict[str, Any]:
    """Every word that some dataset, and a recipe with a view and both networks, could provide."""
    fields: dict[str, str] = {}
    for dataset in installed().registry.entries("dataset"):
        fields |= signature(dataset).attributes["fields"]
    words: dict[str, Any] = {}
    torch.manual_seed(0)
    judge = Judge()
    kinds = vocabulary(fields, {"gray": "real"}, PLAYERS, ["latent"])
    for place, (word, what) in enumerate(kinds.items()):
        if what == "image":
            words[word] = random(4, 3, 16, 16, seed=place).requires_grad_()
            words[word + LOGITS] = judge(words[word])
            words[word + FEATURES] = features(words[word])
        elif what == "label":
            words[word] = torch.zeros(4, 1, dtype=torch.int64)
        elif what == "tensor":
            words[word] = random(4, 8, seed=place).requires_grad_()
    return words | {"discriminator": judge, "generator": lambda latent: words["fake"]}


@of("loss")
def test_a_loss_is_a_finite_scalar_of_known_words(entry: Entry) -> None:
    methods = {p: w for p, w in signature(entry).methods.items() if p in PLAYERS}
    assert methods, "it has a part for neither player"
    for player, words in methods.items():
        there_is = loss_words()
        unknown = [word for word, required in words if required and word not in there_is]
        assert not unknown, f"{player} reads {unknown}, which no dataset or recipe provides"
        torch.manual_seed(0)
        loss = build(entry).eval().requires_grad_(False)
        given = {word: there_is[word] for word, _ in words if word in there_is}
        try:
            value = getattr(loss, player)(**given)
        except DataError:  # it is for landmarks, and says so
            there_is = loss_words(landmarks)
            value = getattr(loss, player)(**{word: there_is[word] for word in given})
        assert value.shape == ()
        assert value.isfinite()
        leaves = [v for v in there_is.values() if isinstance(v, Tensor) and v.is_leaf]
        leaves = [leaf for leaf in leaves if leaf.requires_grad]
        leaves += there_is["discriminator"].parameters()
        gradients = torch.autograd.grad(value, leaves, allow_unused=True)
        assert any(g is not None and g.abs().sum() > 0 for g in gradients)
        assert all(g is None or g.isfinite().all() for g in gradients)
        assert set(entry.load().differentiates) <= set(there_is)


@of("loss")
def test_a_loss_cites_its_paper(entry: Entry) -> None:
    module = importlib.import_module(entry.load().__module__)
    assert YEAR.search(f"{module.__doc__} {signature(entry).doc}"), "no year: where is it from?"


@of("transform")
@pytest.mark.parametrize("shape", [(1, 3, 32, 32), (3, 3, 24, 40)])
def test_a_transform_keeps_the_shape_and_is_differentiable(
    entry: Entry, shape: tuple[int, ...]
) -> None:
    transform, image = build(entry), random(*shape).requires_grad_()
    out = transform(image)
    assert out.shape == shape
    assert out.dtype == image.dtype
    assert out.isfinite().all()
    (gradient,) = torch.autograd.grad(out.sum(), image)
    assert gradient.isfinite().all()
    assert gradient.abs().sum() > 0


@of("transform")
def test_a_transform_is_random_by_torchs_seed_alone(entry: Entry) -> None:
    transform, image = build(entry), random(3, 3, SIZE, SIZE)
    before = image.clone()
    outputs = []
    for _ in range(2):
        torch.manual_seed(3)
        outputs.append(transform(image))
    assert torch.equal(*outputs)
    assert torch.equal(image, before), "it changed its input"


@of("dataset")
def test_a_dataset_says_what_it_provides(entry: Entry) -> None:
    fields = signature(entry).attributes["fields"]
    assert fields
    assert set(fields.values()) <= {"image", "label", "tensor"}
    assert dict(entry.load().fields) == fields
    assert all(name.isidentifier() and not name.endswith(OF_IMAGES) for name in fields)


@of("dataset")
def test_a_dataset_reads_nothing_before_it_is_told_to(
    entry: Entry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    build(entry)  # a path it is given does not exist
    assert list(tmp_path.iterdir()) == []


def opened(entry: Entry) -> Any:
    """A component that opens files, where they are; else its complaint is what can be tested."""
    try:
        return build(entry)
    except DataError as error:
        missing = str(error)
    assert len(missing) > 60, "what is missing, from where, and where to put it?"
    pytest.skip(missing)


@of("extractor")
def test_an_extractor_gives_features_of_each_image_alone(entry: Entry) -> None:
    network, images = opened(entry), random(3, 3, 64, 64)
    network.train()  # as what holds it may be told
    one, all_three = network(images[:1]), network(images)
    assert one.keys() == all_three.keys()
    for layer, features in all_three.items():
        assert len(features) == 3
        assert features.dtype == torch.float32
        assert features.isfinite().all()
        torch.testing.assert_close(features[:1], one[layer], atol=1e-4, rtol=1e-4)


@of("extractor")
def test_an_extractor_is_frozen_and_lets_gradients_through(entry: Entry) -> None:
    network, image = opened(entry), random(1, 3, 64, 64).requires_grad_()
    assert not any(parameter.requires_grad for parameter in network.parameters())
    features = network(image)
    (gradient,) = torch.autograd.grad(
        sum(f.square().sum() for f in features.values() if f.requires_grad), image
    )
    assert gradient.isfinite().all()
    assert gradient.abs().sum() > 0


@of("detector")
def test_a_detector_finds_nothing_where_nothing_is(entry: Entry) -> None:
    detector = opened(entry)
    for height, width in ((1, 1), (40, 200), (300, 200)):
        found = detector.detect(np.full((height, width, 3), 200, dtype=np.uint8))
        assert found == [], all(isinstance(box, Box) for box in found)


@of("importer")
def test_an_importer_refuses_what_is_not_there(entry: Entry, tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(DataError, match=re.escape(str(path))):
            build(entry).read(path)
