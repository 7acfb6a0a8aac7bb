"""Evaluator ``attribute-accuracy``, and the classifier that it looks through."""

import json

import pytest
import torch

pytest.importorskip("dicebear", reason="the extra 'avatars' is not installed")
pytest.importorskip("resvg_py", reason="the extra 'avatars' is not installed")

from ganzoo.errors import DataError
from ganzoo_avatars import attribute_training, attributes
from ganzoo_avatars.attribute_accuracy import AttributeAccuracy
from ganzoo_avatars.attribute_training import accuracy, confusion, examples
from ganzoo_avatars.attributes import VALUES, AttributeNet, facts, trained


@pytest.fixture(scope="module")
def avatars() -> attribute_training.Examples:
    images, answers = examples("toon-head", 60, 4)
    return images.float() / 127.5 - 1, answers


def asked(answers: dict[str, torch.Tensor], names: list[str]) -> dict[str, torch.Tensor]:
    return {
        f"{name}={value}": answers[name] == i
        for name in names
        for i, value in enumerate(VALUES[name])
    }


GROUP = torch.arange(60) % 10


def test_images_that_show_what_was_asked_are_right(avatars: attribute_training.Examples) -> None:
    images, answers = avatars
    scores = AttributeAccuracy()
    scores.fake(images, asked(answers, [*VALUES]), GROUP)
    found = scores.compute()
    assert found == pytest.approx(dict.fromkeys(AttributeAccuracy.higher_is_better, 1.0), abs=0.04)


def test_only_what_was_asked_for_and_is_known_counts(avatars: attribute_training.Examples) -> None:
    images, answers = avatars
    scores = AttributeAccuracy()
    labels = asked(answers, ["hair"]) | {"mouth=smile": GROUP > 4, "hair=rainbow": GROUP < 0}
    scores.fake(images, labels, GROUP)
    assert set(scores.compute()) == {"attribute-accuracy", "hair-accuracy"}
    wrong = {key: value.roll(1) for key, value in asked(answers, ["hair"]).items()}
    scores = AttributeAccuracy()
    scores.fake(images, wrong, GROUP)
    assert scores.compute()["hair-accuracy"] < 0.4


def test_a_model_without_labels_has_no_such_score(avatars: attribute_training.Examples) -> None:
    scores = AttributeAccuracy()
    scores.fake(avatars[0], {}, GROUP)
    assert scores.compute() == {}
    with pytest.raises(DataError, match="at least one"):
        AttributeAccuracy().compute()


def test_translations_are_read_beside_their_twins(avatars: attribute_training.Examples) -> None:
    images, _ = avatars
    scores = AttributeAccuracy()
    scores.fake(images, {}, GROUP)
    scores.pair(images, images, GROUP)
    assert set(scores.compute().values()) == {1.0}
    scores = AttributeAccuracy()
    scores.fake(images, {}, GROUP)
    scores.pair(images, images.roll(1, 0), GROUP)
    assert scores.compute()["background-accuracy"] < 0.5


# -- the classifier --------------------------------------------------------------------------


def test_what_is_said_of_the_classifier_is_what_was_measured() -> None:
    known, doc = facts(), " ".join(str(AttributeAccuracy.__doc__).split())
    for name, share in known["accuracy"].items():
        assert f"{100 * share:.1f} % of the {name}" in doc
    for name, values in known["values"].items():
        assert tuple(values) == VALUES[name]
        counts = torch.tensor(known["confusion"][name])
        assert accuracy({name: counts}) == {name: known["accuracy"][name]}
        assert counts.sum() == 3600
    assert len(known["attribution"]) == 9
    assert known["sha256"] == attributes.SHA256


def test_the_classifier_reads_avatars_that_it_has_not_seen() -> None:
    data = examples("micah", 40, 11)
    assert min(accuracy(confusion(trained(), data)).values()) >= 0.97


def test_another_file_than_the_shipped_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = attributes.SHA256
    monkeypatch.setattr(attributes, "SHA256", "0" * 64)
    with pytest.raises(DataError, match="changed or damaged") as error:
        AttributeAccuracy()
    message = str(error.value)
    assert "\n" not in message
    assert shipped[:16] in message
    assert "0" * 16 in message
    assert "ganzoo_avatars.attribute_training --out" in message


def test_the_command_trains_and_states_what_it_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(attribute_training, "STYLES", ("toon-head",))
    arguments = ["x", "--out", f"{tmp_path}/new", "--count", "40", "--steps", "25"]
    monkeypatch.setattr("sys.argv", arguments)
    attribute_training.main()
    known = json.loads(open(f"{tmp_path}/new/attributes.json").read())  # noqa: PTH123, SIM115
    assert known["sha256"] in capsys.readouterr().out
    data = open(f"{tmp_path}/new/attributes.safetensors", "rb").read()  # noqa: PTH123, SIM115
    assert len(data) < 1_000_000
    monkeypatch.setattr(attributes, "SHA256", known["sha256"])
    from safetensors.torch import load

    AttributeNet().load_state_dict(load(data))
    assert set(known["accuracy"]) == set(VALUES)
