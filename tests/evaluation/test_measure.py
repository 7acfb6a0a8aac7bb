"""Measuring: who gets what, the same values however it is done, and nothing done twice."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
import toy
from filelock import FileLock
from short_runs import ranks
from torch import Tensor, nn

from ganzoo import hookimpl
from ganzoo.errors import DataError, RecipeError, RunError
from ganzoo.evaluation import image_store, result
from ganzoo.evaluation import measure as measuring
from ganzoo.evaluation.examples import collate
from ganzoo.evaluation.image_sources import (
    BLURS,
    Generated,
    ImageSource,
    ReferenceRow,
    blur,
    reference_rows,
)
from ganzoo.evaluation.jackknife import Jackknife, interval
from ganzoo.evaluation.measure import Measurement, key
from ganzoo.evaluation.protocol import Protocol
from ganzoo.evaluation.submission import published, submit
from ganzoo.files import cache_folder, may_download
from ganzoo.interfaces import Dataset, Evaluator, Extractor, Generator
from ganzoo.models.samples import from_uint8, to_uint8
from ganzoo.models.weights import weights_hash
from ganzoo.plugins.manager import Plugins
from ganzoo.plugins.registry import Origin
from ganzoo.recipe.benchmark import load_benchmark

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Several chunks of every stream, and a cache of one's own."""
    monkeypatch.setattr(image_store, "CHUNK", 7)
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of images of every batch that the toy extractor has seen."""
    batches: list[int] = []
    forward = toy.ToyExtractor.forward

    def count(self: toy.ToyExtractor, image: Tensor) -> dict[str, Tensor]:
        batches.append(len(image))
        return forward(self, image)

    monkeypatch.setattr(toy.ToyExtractor, "forward", count)
    return batches


def generator(seed: int = 0, **arguments: Any) -> toy.ToyGenerator:
    torch.manual_seed(seed)
    return toy.ToyGenerator(**arguments).eval()


def measure(protocol: Protocol, made: ImageSource, **arguments: Any) -> Measurement:
    return measuring.measure(protocol, made, quiet=True, **arguments)


def values(measured: Measurement) -> dict[str, tuple[float, float, float]]:
    return {name: (e.value, e.low, e.high) for name, e in measured.scores.items()}


def plugins(**components: Any) -> Plugins:
    """The toy plugin, and another that registers ``evaluator_own=Class`` and the like."""

    class Own:
        @hookimpl
        def register_evaluators(self, register: Any) -> None:
            _register("evaluator", register)

        @hookimpl
        def register_extractors(self, register: Any) -> None:
            _register("extractor", register)

        @hookimpl
        def register_datasets(self, register: Any) -> None:
            _register("dataset", register)

    def _register(kind: str, register: Any) -> None:
        for name, component in components.items():
            if name.startswith(kind):
                register(name.removeprefix(f"{kind}_"), component)

    made = toy.plugins()
    assert made.add(lambda: Own(), Origin("own", "own-dist", "1.0")).error is None
    return made


# -- streams ------------------------------------------------------------------------------------


class Faces(toy.ToyDataset):
    """Photos with landmarks, which are their numbers."""

    fields: ClassVar = {**toy.ToyDataset.fields, "landmarks": "tensor"}

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return super().__getitem__(index) | {"landmarks": torch.full((2, 2), float(index))}


class Recorder(Evaluator):
    """Keeps what it is given."""

    higher_is_better: ClassVar = {"nothing": True}
    given: ClassVar[dict[str, list[dict[str, Any]]]] = {}

    def note(self, stream: str, **words: Any) -> None:
        self.given.setdefault(stream, []).append(words)

    def compute(self, without: int | None = None) -> dict[str, float]:
        return {"nothing": 0.0}

    @classmethod
    def whole(cls, stream: str, word: str) -> Any:
        parts = [words[word] for words in cls.given[stream]]
        if isinstance(parts[0], dict):
            assert all(list(part) == ["conv"] for part in parts)
            parts = [part["conv"] for part in parts]
        return torch.cat(parts)


class Everything(Recorder):
    """Reads every word."""

    def real(self, image: Any, features: Any, label: Any, landmarks: Any, hue: Any = None) -> None:
        assert hue is None
        self.note("real", image=image, features=features, label=label, landmarks=landmarks)

    def fake(self, image: Any, features: Any, group: Any, label: Any = None) -> None:
        assert label is None
        self.note("fake", image=image, features=features, group=group)

    def pair(
        self,
        photo: Any,
        fake: Any,
        real: Any,
        photo_features: Any,
        fake_features: Any,
        landmarks: Any,
        group: Any,
        image: Any = None,
        features: Any = None,
    ) -> None:
        assert image is features is None
        words = {"photo": photo, "fake": fake, "real": real, "landmarks": landmarks}
        self.note(
            "pair", **words, photo_features=photo_features, fake_features=fake_features, group=group
        )


class Inverse(toy.ToyTranslator):
    """The photo upside down."""

    def forward(self, photo: Tensor) -> Tensor:  # type: ignore[override]
        return photo.flip(2) + 0 * self.conv.bias.sum()


@pytest.fixture
def recorded(tmp_path: Path) -> Iterator[Protocol]:
    made = plugins(evaluator_all=Everything, dataset_faces=Faces)
    yield toy.protocol(
        tmp_path,
        made,
        dataset={"use": "faces", "count": 60, "label": ["hue"], "photo": True},
        primary="nothing",
        evaluators=[{"use": "all", "extractor": "net"}],
    )
    Recorder.given.clear()


def test_every_stream_gets_what_it_names(recorded: Protocol) -> None:
    measure(recorded, Generated(Inverse(), recorded))
    data, net = Faces(60, label=["hue"], photo=True), toy.ToyExtractor()
    data.set_epoch(0, 0)
    real, rest = collate(data, list(range(30))), collate(data, list(range(30, 50)))
    eight = {word: from_uint8(to_uint8(rest[word])) for word in ("real", "photo")}
    made = from_uint8(to_uint8(eight["photo"].flip(2)))
    groups = torch.arange(20) % 10

    def features(image: Tensor) -> Tensor:
        return net(image)["conv"]

    shown = from_uint8(to_uint8(real["real"]))
    expected = {
        "real": {"image": shown, "features": features(shown)}
        | {word: real[word] for word in ("label", "landmarks")},
        "fake": {"image": made, "features": features(made), "group": groups},
        "pair": {"photo": eight["photo"], "fake": made, "real": eight["real"], "group": groups}
        | {"photo_features": features(eight["photo"]), "fake_features": features(made)}
        | {"landmarks": rest["landmarks"]},
    }
    for stream, words in expected.items():
        for word, value in words.items():
            found = Recorder.whole(stream, word)
            assert found.dtype == value.dtype, (stream, word)
            if word.endswith("features"):  # batches of other sizes only round otherwise
                torch.testing.assert_close(found, value)
            else:
                assert torch.equal(found, value), (stream, word)
    assert [len(words["image"]) for words in Recorder.given["fake"]] == [7, 7, 6]


def test_an_extractor_may_be_read_by_an_optional_word_alone(tmp_path: Path) -> None:
    class Either(Recorder):
        """Wants no features, and takes them."""

        def fake(self, image: Any, group: Any, features: Any = None) -> None:
            self.note("fake", features=features)

    made = plugins(evaluator_either=Either)
    for extractor, expected in ((None, None), ("net", "conv")):
        specs = [{"use": "either", **({"extractor": extractor} if extractor else {})}]
        protocol = toy.protocol(tmp_path, made, primary="nothing", evaluators=specs)
        measure(protocol, Generated(generator(), protocol))
        assert (Recorder.given.pop("fake")[0]["features"] or {expected: 0}).keys() == {expected}


# -- the same values, however it is done --------------------------------------------------------


def test_neither_batches_nor_chunks_change_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    protocol = toy.protocol(tmp_path)
    first = values(measure(protocol, Generated(generator(), protocol)))
    for chunk, batch in ((7, 3), (1, 32), (128, 32), (20, 20)):
        monkeypatch.setattr(image_store, "CHUNK", chunk)
        # the cache holds chunks of other sizes, which are not mistaken for these
        again = values(measure(protocol, Generated(generator(), protocol), batch=batch))
        for name, value in first.items():
            assert again[name] == pytest.approx(value, rel=1e-6), (chunk, batch)
    assert set(first) == {"brightness", "distance-toy"}


def test_all_images_have_been_through_8_bits(tmp_path: Path) -> None:
    protocol = toy.protocol(tmp_path, plugins(evaluator_all=Pictures), **Pictures.benchmark)
    net = generator()
    measured = measure(protocol, Generated(net, protocol))
    for stream in ("real", "fake"):
        image = Recorder.whole(stream, "image")
        assert torch.equal(from_uint8(to_uint8(image)), image)
    assert torch.equal(to_uint8(Recorder.whole("fake", "image")), measured.pictures)
    assert (measured.pictures.shape, measured.pictures.dtype) == ((20, 3, 8, 8), torch.uint8)
    Recorder.given.clear()


class Pictures(Recorder):
    """Reads images alone."""

    benchmark: ClassVar[dict[str, Any]] = {
        "primary": "nothing",
        "evaluators": [{"use": "all"}],
        "extractors": None,
    }

    def real(self, image: Any) -> None:
        self.note("real", image=image)

    def fake(self, image: Any, group: Any) -> None:
        self.note("fake", image=image)


def test_wide_features_are_made_anew_and_give_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    protocol = toy.protocol(tmp_path)
    kept = values(measure(protocol, Generated(generator(), protocol)))
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "other"))
    monkeypatch.setattr(image_store, "MAX_FLOATS", 4 * 6 * 6 - 1)
    assert values(measure(protocol, Generated(generator(), protocol))) == kept
    assert not (tmp_path / "other" / "features").exists()


def test_fakes_are_functions_of_their_numbers(tmp_path: Path) -> None:
    protocol = toy.protocol(tmp_path)
    made = Generated(generator(), protocol)
    assert torch.equal(made.draw(5, 9), made.draw(0, 20)[5:9])
    other = toy.protocol(tmp_path, seed=1)
    assert not torch.equal(Generated(generator(), other).draw(0, 9), made.draw(0, 9))


def test_a_conditional_model_draws_labels_of_its_own(tmp_path: Path) -> None:
    label = {"hue": toy.HUES, "mood": ["glad", "sad", "angry", "bored"]}
    data = {"use": "toy", "count": 80, "label": ["side"]}
    protocol = toy.protocol(tmp_path, dataset=data)
    made = Generated(generator(label=label), protocol)
    assert torch.equal(made.draw(5, 9), made.draw(0, 20)[5:9])


class Asked(Evaluator):
    """How many images were to be of each hue, as a share."""

    higher_is_better: ClassVar = {"share": True, "other": True}

    def __init__(self) -> None:
        self.count = 0
        self.right = 0.0

    def fake(self, image: Any, labels: Any, group: Any) -> None:
        self.count += len(image)
        if labels:
            self.right += float(labels[f"hue={toy.HUES[0]}"].sum())

    def pair(self, photo: Any, fake: Any) -> None:
        raise AssertionError("images from noise have no photo")

    def compute(self, without: int | None = None) -> dict[str, float]:
        return {"share": self.right / self.count} if self.right else {}


def test_evaluators_are_told_what_a_model_was_asked_for(tmp_path: Path) -> None:
    data = {"use": "toy", "count": 80}
    protocol = toy.protocol(
        tmp_path,
        plugins(evaluator_asked=Asked),
        dataset=data,
        primary="share",
        evaluators=[{"use": "asked"}],
    )
    made = Generated(generator(label={"hue": toy.HUES}), protocol)
    labels = made.labels(0, 20)
    shown = torch.stack([labels[f"hue={hue}"] for hue in toy.HUES])
    assert (shown.sum(0) == 1).all()
    assert all(torch.equal(labels[key][5:9], value) for key, value in made.labels(5, 9).items())
    found = values(measure(protocol, made))
    assert set(found) == {"share"}  # what cannot be told is left out
    assert found["share"][0] == pytest.approx(shown[0].double().mean().item())
    with pytest.raises(RunError, match="a model with labels"):
        measure(protocol, Generated(generator(), protocol))


# -- intervals ----------------------------------------------------------------------------------


def test_groups_of_its_own_give_the_same_intervals(tmp_path: Path) -> None:
    both = [{"use": "grouped"}, {"use": "brightness"}]
    protocol = toy.protocol(tmp_path, primary="brightness", evaluators=both, fakes=27)
    found = values(measure(protocol, Generated(generator(), protocol)))
    assert found["grouped-brightness"] == pytest.approx(found["brightness"], rel=1e-12)
    value, low, high = found["brightness"]
    assert low < value < high


def test_the_interval_of_a_mean_is_the_closed_form() -> None:
    numbers = torch.randn(40, generator=torch.Generator().manual_seed(1)).double()
    running = Jackknife(toy.Brightness)
    image = numbers.float()[:, None, None, None].expand(-1, 3, 2, 2)
    for part in torch.arange(40).split(7):
        running.feed("fake", {"image": image[part]}, part % 10)
    found = running.compute()["brightness"]
    # for groups of one size, it is the standard error of the mean of the groups' means
    means = torch.stack(
        [numbers.float().double()[torch.arange(40) % 10 == g].mean() for g in range(10)]
    )
    half = 2.2622 * means.std().item() / 10**0.5
    assert found.value == pytest.approx(numbers.mean().item(), rel=1e-6)
    assert (found.low, found.high) == pytest.approx((found.value - half, found.value + half))


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng = torch.Generator().manual_seed(0)
    covered = 0
    for _ in range(600):
        numbers = torch.empty(50).exponential_(generator=rng).double()
        without = [numbers[torch.arange(50) % 10 != g].mean().item() for g in range(10)]
        found = interval(numbers.mean().item(), without)
        covered += found.low <= 1 <= found.high
    assert 0.91 < covered / 600 < 0.98


def test_a_score_that_is_no_number_is_refused(tmp_path: Path) -> None:
    class Ill(toy.Brightness):
        """Divides by nothing."""

        def compute(self) -> dict[str, float]:
            return {"brightness": float("nan")}

    protocol = toy.protocol(
        tmp_path, plugins(evaluator_ill=Ill), primary="brightness", evaluators=[{"use": "ill"}]
    )
    with pytest.raises(DataError, match="the score 'brightness' is nan"):
        measure(protocol, Generated(generator(), protocol))


def test_a_score_that_a_tenth_of_the_fakes_lacks_is_left_out() -> None:
    class Rare(Recorder):
        """Has ``nothing`` of the third group alone."""

        def fake(self, group: Tensor) -> None:
            self.note("fake", group=group)

        def compute(self, without: int | None = None) -> dict[str, float]:
            return {"often": 1.0} | ({} if without == 3 else {"nothing": 0.0})

    assert Jackknife(Rare).compute().keys() == {"often"}


# -- nothing is done twice ----------------------------------------------------------------------


def test_real_images_are_looked_at_once_for_all_models(tmp_path: Path, seen: list[int]) -> None:
    protocol = toy.protocol(tmp_path)
    measure(protocol, Generated(generator(0), protocol))
    assert sum(seen) == 1 + 20 + 30  # one to see how wide its features are
    seen.clear()
    measure(protocol, Generated(generator(1), protocol))
    measure(toy.protocol(tmp_path, fakes=11), Generated(generator(1), protocol))
    assert sum(seen) == (1 + 20) + (1 + 11)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"held_out": "first"}, {"held_out": "first", "fakes": 13}),
        ({}, {"held_out": "first"}),
        ({}, {"seed": 1}),
        ({"shuffle": True}, {"shuffle": True, "seed": 8}),  # of the same epoch but for the order
        ({}, {"reference": 29}),
        ({}, {"extractors": {"net": {"use": "toy", "seed": 1}}}),
        ({}, {"dataset": {"use": "toy", "count": 81}}),
    ],
)
def test_features_are_those_of_the_reference(
    tmp_path: Path, before: dict[str, Any], after: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for changes in (before, after):
        protocol = toy.protocol(tmp_path, **changes)
        cached = values(measure(protocol, Generated(generator(), protocol)))
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "empty"))
    assert values(measure(protocol, Generated(generator(), protocol))) == cached


def test_a_killed_evaluation_goes_on(tmp_path: Path, seen: list[int]) -> None:
    protocol = toy.protocol(tmp_path)
    expected = values(measure(protocol, Generated(generator(), protocol)))
    made = Dying(generator(), protocol)
    with pytest.raises(KeyboardInterrupt):
        measure(protocol, made)
    (work,) = works()
    (work / "fakes" / ".0000014-0000020.safetensors.writing").write_bytes(b"half")
    made.dies_at = -1
    assert values(measure(protocol, made)) == expected
    assert made.drawn == [0, 7, 14, 14]
    assert not works()


class Dying(Generated):
    """Stopped when it should draw a certain image."""

    dies_at = 14

    def __init__(self, *arguments: Any):
        super().__init__(*arguments)
        self.drawn: list[int] = []

    def draw(self, start: int, stop: int) -> Tensor:
        self.drawn.append(start)
        if start == self.dies_at:
            raise KeyboardInterrupt
        return super().draw(start, stop)


def works() -> list[Path]:
    """The folders of evaluations that were begun and not finished."""
    return list((cache_folder() / "evaluations").iterdir())


def test_a_chunk_that_is_not_whole_is_made_anew(tmp_path: Path) -> None:
    protocol = toy.protocol(tmp_path)
    expected = values(measure(protocol, Generated(generator(), protocol)))
    (folder,) = (cache_folder() / "features").iterdir()
    whole, empty, *_ = sorted(folder.glob("*.safetensors"))
    whole.write_bytes(whole.read_bytes()[:-4])
    empty.write_bytes(b"")
    assert values(measure(protocol, Generated(generator(), protocol))) == expected


def test_what_another_process_measures_now_is_refused(tmp_path: Path) -> None:
    protocol = toy.protocol(tmp_path)
    made = Generated(generator(), protocol)
    work = cache_folder() / "evaluations" / key(protocol, made)[:24]
    work.mkdir(parents=True)
    wanted = pytest.raises(RunError, match="another process measures this model now")
    with FileLock(work / ".lock"), wanted:
        measure(protocol, made)
    measure(protocol, made)


def test_features_that_another_process_makes_are_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    protocol = toy.protocol(tmp_path)
    folder = cache_folder() / "features" / protocol.features_key("net")[:24]
    folder.mkdir(parents=True)
    held, waiting, said = threading.Event(), threading.Event(), []

    def hold() -> None:
        with FileLock(folder / ".lock"):
            held.set()
            waiting.wait(60)

    def hear(text: str, **_: Any) -> None:
        said.append(text)
        waiting.set()

    monkeypatch.setattr(image_store, "say", hear)
    other = threading.Thread(target=hold)
    other.start()
    held.wait(60)
    measure(protocol, Generated(generator(), protocol))
    other.join()
    assert said == [f"another process makes {folder}; waiting for it"]


def test_a_disk_that_is_full_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    protocol = toy.protocol(tmp_path)
    monkeypatch.setattr(image_store, "write_tensors", refuse)
    with pytest.raises(RunError, match=r"No space left .*GANZOO_CACHE"):
        measure(protocol, Generated(generator(), protocol))


def test_a_folder_of_ones_own_is_gone_afterwards(tmp_path: Path) -> None:
    protocol = toy.protocol(tmp_path)
    (tmp_path / "own" / "of-a-killed-one").mkdir(parents=True)
    measure(protocol, Generated(generator(), protocol), folder=tmp_path / "own")
    assert not (tmp_path / "own").exists()


# -- keys and ids -------------------------------------------------------------------------------


def test_every_model_has_a_key_of_its_own(tmp_path: Path) -> None:
    protocol = toy.protocol(tmp_path)
    net = generator()
    keys = [key(protocol, Generated(net, protocol)), key(protocol, Generated(net, protocol, "r"))]
    with torch.no_grad():
        net.outer.bias[3] += 1e-6
    keys.append(key(protocol, Generated(net, protocol)))
    keys += [key(protocol, ReferenceRow(row, protocol)) for row in reference_rows(protocol)]
    keys.append(key(toy.protocol(tmp_path, fakes=21), Generated(net, protocol)))
    scaled = [{"use": "distance", "extractor": "net", "scale": 2.0}]
    keys.append(key(toy.protocol(tmp_path, evaluators=scaled), Generated(net, protocol)))
    assert len(set(keys)) == len(keys) == 11
    assert key(protocol, Generated(generator(), protocol)) == keys[0]


def test_a_key_is_of_one_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    protocol = toy.protocol(tmp_path)
    before = key(protocol, ReferenceRow("noise", protocol))
    monkeypatch.setattr(measuring, "__version__", "99.0")
    assert key(protocol, ReferenceRow("noise", protocol)) != before


CHANGES: list[tuple[str, dict[str, Any]]] = [
    ("seed", {"seed": 1}),
    ("dataset", {"dataset": {"use": "toy", "count": 81}}),
    ("reference", {"reference": 31}),
    ("fakes", {"fakes": 21}),
    ("held_out", {"held_out": "first"}),
    ("shuffle", {"shuffle": True}),
    ("version", {"version": 2}),
    ("benchmark", {"benchmark": "others"}),
    ("weights", {"extractors": {"net": {"use": "toy", "seed": 1}}}),
    (
        "arguments",
        {
            "evaluators": [
                {"use": "brightness"},
                {"use": "distance", "extractor": "net", "scale": 2},
            ]
        },
    ),
]


@pytest.mark.parametrize(("what", "changes"), CHANGES, ids=[what for what, _ in CHANGES])
def test_another_protocol_has_another_id(
    tmp_path: Path, what: str, changes: dict[str, Any]
) -> None:
    before, after = toy.protocol(tmp_path), toy.protocol(tmp_path, **changes)
    assert before.id != after.id
    for name, one in ids(before).items():
        is_its_own = what in ("weights", "arguments") and name == "brightness"
        assert (ids(after)[name] == one) == is_its_own


def ids(protocol: Protocol) -> dict[str, str]:
    return {name: i for scorer in protocol.scorers for name, i in scorer.ids.items()}


def test_the_content_of_a_dataset_is_in_the_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = toy.protocol(tmp_path)
    monkeypatch.setattr(toy.ToyDataset, "fingerprint", lambda self: "0" * 64)
    assert toy.protocol(tmp_path).id != before.id
    with pytest.raises(DataError, match=r"hash is 000.* 111"):
        toy.protocol(tmp_path, dataset_sha256="1" * 64)
    toy.protocol(tmp_path, dataset_sha256="0" * 64)


@pytest.mark.parametrize("kind", ["distance", "net"])
def test_the_version_of_a_component_is_in_the_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    before = toy.protocol(tmp_path)
    component = toy.Distance if kind == "distance" else toy.ToyExtractor
    monkeypatch.setattr(component, "version", 2)
    after = toy.protocol(tmp_path)
    assert before.id != after.id
    changed = {name for name, one in ids(before).items() if ids(after)[name] != one}
    assert changed == {"distance-toy"}


def test_paths_are_not_in_the_id(tmp_path: Path) -> None:
    class Folder(toy.ToyDataset):
        """Images that lie somewhere."""

        def __init__(self, path: Path, more: Path | None = None):
            super().__init__(80)

    class Net(toy.ToyExtractor):
        """A network whose file lies somewhere."""

        def __init__(self, file: Path | None = None):
            super().__init__()

    made = plugins(dataset_folder=Folder, extractor_net=Net)
    found = {
        toy.protocol(
            tmp_path,
            made,
            dataset={"use": "folder", "path": place, "more": place},
            extractors={"net": {"use": "net", "file": place}},
        ).id
        for place in ("here", "there")
    }
    assert len(found) == 1


# -- names of scores, and optional extractors ---------------------------------------------------


class Tagged(toy.ToyExtractor):
    """One with a name in scores."""

    tag = "fine"
    rankable = False


class Published(toy.ToyExtractor):
    """The one that scores are published on."""

    tag = "published"


class Missing(Extractor):
    """One without its file."""

    def __init__(self) -> None:
        raise DataError("missing.pt is not here. Get it.")


MADE = {"extractor_tagged": Tagged, "extractor_published": Published, "extractor_missing": Missing}


def test_scores_are_called_after_their_extractor(tmp_path: Path) -> None:
    uses = {"net": "toy", "tagged": "own/tagged", "published": "published"}
    protocol = toy.protocol(
        tmp_path,
        plugins(**MADE),
        extractors={name: {"use": use} for name, use in uses.items()},
        evaluators=[{"use": "distance", "extractor": name} for name in uses]
        + [{"use": "brightness"}],
    )
    assert list(ids(protocol)) == ["distance-toy", "distance-fine", "distance", "brightness"]
    assert (protocol.primary, protocol.higher_is_better) == ("distance-toy", False)
    weights = weights_hash(protocol.extractors["tagged"])[:8]
    start = f"distance-fine/fine-{weights}/n20-vs-30/toys@1/"
    assert ids(protocol)["distance-fine"].startswith(start)
    assert ids(protocol)["brightness"].startswith("brightness/n20-vs-30/toys@1/")
    found = published(protocol, measure(protocol, Generated(generator(), protocol)))
    assert [name for name, score in found.items() if not score.rankable] == ["distance-fine"]
    assert found["distance-fine"].protocol == ids(protocol)["distance-fine"]
    assert [score.higher_is_better for score in found.values()] == [False, False, False, True]


def test_two_scores_of_one_name_are_refused(tmp_path: Path) -> None:
    twice = [{"use": "distance", "extractor": "net", "scale": s} for s in (1.0, 2.0)]
    with pytest.raises(RecipeError, match="two evaluators give the score 'distance-toy'"):
        toy.protocol(tmp_path, evaluators=twice)


@pytest.mark.parametrize("optional", [True, False])
@pytest.mark.parametrize("download", [True, False])
def test_what_is_optional_is_fetched_only_where_that_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, optional: bool, download: bool
) -> None:
    asked = []

    def note(self: toy.ToyExtractor, seed: int = 0) -> None:
        asked.append(may_download())
        raise DataError("missing")

    monkeypatch.setattr(toy.ToyExtractor, "__init__", note)
    spec = {"net": {"use": "toy", "optional": optional}}
    evaluators = [{"use": "distance", "extractor": "net"}, {"use": "brightness"}]
    path = toy.benchmark(tmp_path, extractors=spec, evaluators=evaluators, primary="brightness")
    registry = toy.plugins().registry
    benchmark = load_benchmark(path, (), registry)
    with nullcontext() if optional else pytest.raises(DataError):
        Protocol(benchmark, registry, torch.device("cpu"), download=download)
    assert asked == [download or not optional]
    assert may_download()


def test_an_optional_extractor_that_is_not_there_is_left_out(tmp_path: Path) -> None:
    def opened(**optional: Any) -> Protocol:
        extractors = {"more": {"use": "missing"} | optional, "net": {"use": "toy"}}
        evaluators = [{"use": "distance", "extractor": name} for name in extractors]
        return toy.protocol(tmp_path, plugins(**MADE), extractors=extractors, evaluators=evaluators)

    without = opened(optional=True)
    assert without.left_out == {"more": "missing.pt is not here. Get it."}
    assert list(ids(without)) == ["distance-toy"]
    with pytest.raises(DataError, match=r"missing\.pt is not here"):
        opened()
    here = opened(use="tagged", optional=True)
    assert list(ids(here)) == ["distance-fine", "distance-toy"]
    assert (here.id, here.primary) == (without.id, without.primary)
    assert ids(here)["distance-toy"] == ids(without)["distance-toy"]


def test_weights_that_are_missing_are_told_before_images_are_prepared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(self: Dataset) -> None:
        raise AssertionError

    monkeypatch.setattr(toy.ToyDataset, "prepare", never)
    with pytest.raises(DataError, match=r"missing\.pt is not here"):
        toy.protocol(tmp_path, plugins(**MADE), extractors={"net": {"use": "missing"}})


def test_too_few_images_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"30 reference .* 60 .* 90"):
        toy.protocol(tmp_path, fakes=60)


def test_a_dataset_without_reals_is_told(tmp_path: Path) -> None:
    class Photos(toy.ToyDataset):
        """Photos alone."""

        fields: ClassVar = {"photo": "image"}

    with pytest.raises(DataError, match="dataset 'photos' gives no 'real'"):
        toy.protocol(tmp_path, plugins(dataset_photos=Photos), dataset={"use": "photos"})


# -- reference rows -----------------------------------------------------------------------------


def test_the_reference_and_the_held_out_share_no_image(tmp_path: Path) -> None:
    for changes in ({}, {"held_out": "first"}, {"shuffle": True}):
        protocol = toy.protocol(tmp_path, **changes)
        both = torch.cat([protocol.reference, protocol.held_out]).tolist()
        assert len(both) == len(set(both)) == 50
    assert toy.protocol(tmp_path, held_out="first").held_out.tolist() == list(range(20))


class ByName(toy.ToyDataset):
    """A dataset in the order of its files' names."""

    shuffled = False


def test_of_images_in_order_of_names_some_are_drawn(tmp_path: Path) -> None:
    made = plugins(dataset_by_name=ByName)
    few = toy.protocol(tmp_path, made, dataset={"use": "by_name", "count": 50})
    assert few.reference.tolist() == list(range(30))  # all are needed: nothing is drawn
    assert (few.record["split"]["shuffle"], few.selection) == (False, "")
    more = toy.protocol(tmp_path, made, dataset={"use": "by_name", "count": 5000})
    assert more.reference.max() > 2500
    assert more.held_out.max() > 2500
    assert more.selection.startswith("50 of the dataset's 5,000 images")
    same = toy.protocol(tmp_path, made, dataset={"use": "by_name", "count": 5000}, shuffle=True)
    assert torch.equal(same.reference, more.reference)
    assert same.id == more.id  # the rule is in the id, whichever way it was asked for
    other = toy.protocol(tmp_path, made, dataset={"use": "by_name", "count": 5000}, seed=1)
    assert not torch.equal(other.reference, more.reference)


def test_reference_rows_are_what_they_say(tmp_path: Path) -> None:
    protocol = toy.protocol(tmp_path, **toy.PAIRS)
    spoilt = ["lightly-blurred", "grain", "blurred", "noise", "repeated"]
    assert reference_rows(protocol) == ["held-out", *spoilt, "photo"]
    assert reference_rows(toy.protocol(tmp_path)) == reference_rows(protocol)[:-1]
    rows = {name: ReferenceRow(name, protocol) for name in reference_rows(protocol)}
    drawn = {name: row.draw(0, 20) for name, row in rows.items()}
    for name, pictures in drawn.items():
        assert (pictures.shape, pictures.dtype) == ((20, 3, 8, 8), torch.uint8)
        assert torch.equal(rows[name].draw(13, 17), pictures[13:17]), name
    held_out = protocol.examples(protocol.held_out)
    assert torch.equal(drawn["held-out"], to_uint8(held_out["real"]))
    assert torch.equal(drawn["photo"], to_uint8(held_out["photo"]))
    for name, share in BLURS.items():
        assert torch.equal(drawn[name], to_uint8(blur(held_out["real"], share)))
    grain = (drawn["grain"].double() - drawn["held-out"])[drawn["held-out"] % 205 > 50]
    assert (grain.mean().item(), grain.std().item()) == pytest.approx((0, 10), abs=1)
    first = to_uint8(protocol.examples(protocol.reference[:1])["real"])
    assert torch.equal(drawn["repeated"], first.expand(20, 3, 8, 8))
    noise = drawn["noise"].double()
    assert (noise.mean().item(), noise.std().item()) == pytest.approx(
        (127.5, 255 / 12**0.5), rel=0.03
    )
    assert len(noise.flatten(1).unique(dim=0)) == 20


def test_blurring_melts_outlines_and_keeps_the_mean() -> None:
    stripes = torch.ones(1, 3, 48, 48)
    stripes[..., 24:] = -1
    blurred = blur(stripes, 1 / 24)
    assert blurred[..., :12].min().item() == pytest.approx(1)
    assert blurred.mean().item() == pytest.approx(0, abs=1e-6)
    rise = blurred[0, 0, 24, 23] - blurred[0, 0, 24, 24]
    # of a step of 2 under a Gaussian of 2 pixels: 2 x its density at 0
    assert rise.item() == pytest.approx(2 / (2 * (2 * torch.pi) ** 0.5), rel=0.02)
    even = torch.full((1, 3, 8, 8), 0.25)
    torch.testing.assert_close(blur(even, 1 / 24), even)


# -- models that do not suit --------------------------------------------------------------------


class Bare(Generator):
    """Noise without tanh, as some write their generators."""

    def __init__(self, factor: float, size: int = 8):
        super().__init__()
        self.scale, self.size = nn.Parameter(torch.tensor(factor)), size

    def sample_latent(self, n: int, rng: torch.Generator) -> Tensor:
        return torch.rand(n, 3, self.size, self.size, generator=rng)

    def forward(self, latent: Tensor) -> Tensor:
        return latent * self.scale


@pytest.mark.parametrize(
    ("net", "told"),
    [
        (Bare(255.0), r"values up to 25\d.*\[-1, 1\] is wanted: they look like 0..255"),
        (Bare(float("nan")), "image 0 of the model holds NaN or infinity.*ganzoo diagnose"),
        (Bare(1.0, 16), "makes images of 3x16x16, and benchmark toys is for 3x8x8. Choose one of"),
    ],
)
def test_images_that_are_not_what_they_should_be(tmp_path: Path, net: Bare, told: str) -> None:
    protocol = toy.protocol(tmp_path)
    with pytest.raises(RunError, match=told):
        measure(protocol, Generated(net, protocol))


def test_a_little_beyond_the_range_is_cut(tmp_path: Path) -> None:
    protocol = toy.protocol(tmp_path)
    assert Generated(Bare(1.5), protocol).draw(0, 20).max() == 255


def test_a_model_and_a_benchmark_of_two_kinds(tmp_path: Path) -> None:
    noise, photos = toy.protocol(tmp_path), toy.protocol(tmp_path, **toy.PAIRS)
    with pytest.raises(RunError, match=r"from 'photo', .* toys has none"):
        Generated(toy.ToyTranslator(), noise)
    with pytest.raises(RunError, match=r"from noise, .* toys compares"):
        Generated(generator(), photos)
    assert Generated(toy.ToyTranslator(), photos).draw(0, 3).shape == (3, 3, 8, 8)


def test_what_a_model_may_do_without_is_no_reason_to_refuse_it(tmp_path: Path) -> None:
    class Guided(toy.ToyGenerator):
        """From noise, and a photo where there is one."""

        def forward(self, latent: Tensor, photo: Tensor | None = None) -> Tensor:  # type: ignore[override]
            return super().forward(latent) * (1 if photo is None else 0.1)

    torch.manual_seed(0)
    net = Guided().eval()
    bright, dim = (
        Generated(net, toy.protocol(tmp_path, **changes)).draw(0, 5).float().std().item()
        for changes in ({}, toy.PAIRS)
    )
    assert dim < 0.2 * bright


def test_a_model_that_cannot_take_the_photos_is_told(tmp_path: Path) -> None:
    class Fixed(toy.ToyTranslator):
        """Of one size alone."""

        def forward(self, photo: Tensor) -> Tensor:  # type: ignore[override]
            return super().forward(photo.view(-1, 3, 5, 5))

    photos = toy.protocol(tmp_path, **toy.PAIRS)
    with pytest.raises(RunError, match="benchmark toys gives it: shape"):
        Generated(Fixed(), photos).draw(0, 3)


# -- two processes ------------------------------------------------------------------------------


def test_two_processes_give_the_same_to_the_bit(tmp_path: Path) -> None:
    if not hasattr(os, "fork"):
        pytest.skip("needs fork")
    protocol = toy.protocol(tmp_path, fakes=40)
    subject = result.Candidate(name="toy", kind="model")
    _, alone, _ = submit(protocol, Generated(generator(), protocol), subject, tmp_path / "alone")
    ranks(tmp_path, "entry", "ill")
    two = result.read_entry(tmp_path / "entry" / "toys" / "toy.json")
    assert two.scores == alone.scores
    assert two.key == alone.key
    pictures = [tmp_path / name / "toys" / "toy.jpg" for name in ("entry", "alone")]
    assert pictures[0].read_bytes() == pictures[1].read_bytes()
    found = [json.loads((tmp_path / f"entry-{rank}.json").read_text()) for rank in (0, 1)]
    expected = {name: [s.value, s.low, s.high] for name, s in alone.scores.items()}
    assert found == [expected, expected]
    # an image that only the second process draws is ill
    said = [(tmp_path / f"ill-{rank}.txt").read_text() for rank in (0, 1)]
    assert all(re.match("image 9 .* NaN", one) for one in said)
