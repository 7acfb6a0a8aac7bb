"""The words of an update, the terms that name them, and the weighted sum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from ganzoo.interfaces import Loss
from ganzoo.models.network import Network
from ganzoo.recipe.recipe_types import Schedule, View
from ganzoo.recipe.vocabulary import explain, provided_fields, vocabulary
from ganzoo.training.objective import Objective, WeightedLoss, unique_names
from ganzoo.training.words import Transformed, Words
from ganzoo_adversarial.non_saturating import NonSaturating
from ganzoo_adversarial.r1 import R1, R2


class Judge(nn.Module):
    """Counts its forward passes, and remembers the labels."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(2.0))
        self.seen: list[Any] = []

    def forward(self, image: Tensor, label: Tensor | None = None) -> Tensor:
        self.seen.append(label)
        return self.weight * image.square().flatten(1).sum(1)


class Seen(Loss):
    """Remembers what it was given."""

    differentiates: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        super().__init__()
        self.given: dict[str, Any] = {}

    def generator(
        self, fake: Tensor, real_logits: Tensor, photo: Tensor | None = None, label: Any = None
    ) -> Tensor:
        self.given = {"fake": fake, "real_logits": real_logits, "photo": photo, "label": label}
        return fake.mean()


def term(
    loss: Loss,
    player: str = "discriminator",
    weight: Schedule | float = 1.0,
    every: int = 1,
    inputs: Mapping[str, str] | None = None,
    name: str = "",
) -> WeightedLoss:
    schedule = weight if isinstance(weight, Schedule) else Schedule(weight, weight)
    return WeightedLoss(name or type(loss).__name__, loss, player, schedule, every, inputs or {})


def update(judge: Judge, *, leaves: Any = (), views: Any = None, augment: Any = None) -> Words:
    torch.manual_seed(0)
    words = {"real": torch.rand(4, 3, 2, 2), "fake": torch.rand(4, 3, 2, 2)}
    return Words(words, {"discriminator": Network(judge)}, views or {}, augment, leaves)


def constant(value: float) -> Loss:
    class Constant(Loss):
        def generator(self, fake: Tensor) -> Tensor:
            return fake.sum() * 0 + value

    return Constant()


# -- each word once -------------------------------------------------------------------------


class Eye(nn.Module):
    """Counts the images that it is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(3.0), requires_grad=False)
        self.seen = 0

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        self.seen += 1
        return {"all": self.weight * image}


class Apart(Loss):
    """How far two images' features are apart."""

    def generator(self, fake_features: Any, photo_features: Any) -> Tensor:
        self.measures = {"hangs": torch.tensor(float(photo_features["all"].requires_grad))}
        return (fake_features["all"] - photo_features["all"]).abs().mean()


def test_terms_share_the_features_of_an_extractor():
    one, other = Eye(), Eye()
    fake, photo = torch.ones(1, 3, 2, 2, requires_grad=True), torch.zeros(1, 3, 2, 2)
    words = Words(
        {"fake": fake, "photo": photo}, {}, {}, extractors={"one": one, "of_logits": other}
    )
    one_schedule = Schedule(1.0, 1.0)
    terms = [
        WeightedLoss(name, Apart(), "generator", one_schedule, 1, {}, extractor)
        for name, extractor in (("a", "one"), ("b", "one"), ("c", "of_logits"))
    ]
    value = Objective(terms, ())(words, 0)
    assert (one.seen, other.seen) == (2, 2)  # the fake and the photo, once each
    assert value.raw["a"] == 3
    assert value.measures == {f"{name}.hangs": 0 for name in "abc"}
    value.total.backward()
    assert fake.grad is not None


def test_penalties_share_the_logits_of_the_objective():
    judge = Judge()
    objective = Objective([term(NonSaturating()), term(R1()), term(R2())], ())
    objective(update(judge, leaves=objective.leaves(0)), 0)
    assert objective.leaves(0) == {"real", "fake"}
    assert len(judge.seen) == 2


def test_penalties_have_their_hand_computed_value():
    judge = Judge()
    objective = Objective([term(R1(), weight=3.0)], ())
    words = update(judge, leaves={"real"})
    value = objective(words, 0)
    # D(x) = w |x|^2, so that |grad|^2 = 4 w^2 |x|^2, and R1 is half of its mean
    squares = words["real"].detach().square().flatten(1).sum(1)
    torch.testing.assert_close(value.raw["R1"], (8 * squares).mean())
    torch.testing.assert_close(value.total, 3 * value.raw["R1"])
    value.total.backward()
    torch.testing.assert_close(judge.weight.grad, (3 * 8 * squares).mean())


def test_nothing_is_computed_that_no_term_names():
    judge = Judge()
    words = update(judge, views={"gray": Transformed(lambda _: 1 / 0, "real")})
    Objective([term(constant(1.0), "generator")], ())(words, 0)
    assert judge.seen == []


def test_views_of_views_and_their_logits_are_computed_once():
    judge, calls = Judge(), []

    def double(image: Tensor) -> Tensor:
        calls.append(1)
        return 2 * image

    words = update(judge, views={"b": Transformed(double, "a"), "a": Transformed(double, "real")})
    assert torch.equal(words["b"], 4 * words["real"])
    assert torch.equal(words["b_logits"], judge(4 * words["real"]))
    assert words["b_logits"] is words["b_logits"]
    assert len(calls) == 2


def test_the_discriminator_sees_augmented_images_and_the_losses_plain_ones():
    judge = Judge()
    words = update(judge, augment=lambda image: image + 1)
    assert torch.equal(words["real_logits"], judge(words["real"] + 1))


def test_a_leaf_gets_the_gradient_of_its_logits_through_the_augmentation():
    words = update(Judge(), leaves={"real"}, augment=lambda image: 3 * image)
    (gradient,) = torch.autograd.grad(words["real_logits"].sum(), words["real"])
    torch.testing.assert_close(gradient, 2 * 2.0 * 9 * words["real"].detach())


def test_a_leaf_is_cut_from_what_came_before_but_not_from_the_generator():
    judge, source = Judge(), torch.rand(4, 3, 2, 2, requires_grad=True)
    fake = source * 2
    plain = Words({"fake": fake.detach()}, {"discriminator": Network(judge)}, {}, None, {"fake"})
    assert plain["fake"].requires_grad
    own = Words({"fake": fake}, {"discriminator": Network(judge)}, {}, None, {"fake"})
    own["fake_logits"].sum().backward()
    assert source.grad is not None


def test_networks_are_words_and_read_their_labels_and_views():
    judge = Judge()
    words = update(judge)
    words.values["label"] = torch.arange(4)
    image = torch.rand(4, 3, 2, 2)
    assert torch.equal(words["discriminator"](image), judge(image))
    assert torch.equal(judge.seen[0], torch.arange(4))
    _ = words["real_logits"]
    assert torch.equal(judge.seen[-1], torch.arange(4))

    viewed = update(judge, views={"label": Transformed(lambda image: image[:, 0, 0, 0], "real")})
    _ = viewed["fake_logits"]
    assert torch.equal(judge.seen[-1], viewed["real"][:, 0, 0, 0])
    with pytest.raises(KeyError):
        words["nothing"]


# -- terms ----------------------------------------------------------------------------------


def test_inputs_aim_a_parameter_at_another_word_and_its_logits_follow():
    judge, loss = Judge(), Seen()
    words = update(judge)
    words.values["smooth"] = torch.rand(4, 3, 2, 2)
    aimed = term(loss, "generator", inputs={"real": "smooth", "fake": "real"})
    aimed(words, {"real", "fake", "smooth"})
    assert loss.given["fake"] is words["real"]
    assert loss.given["real_logits"] is words["smooth_logits@discriminator"]
    exact = term(loss, "generator", inputs={"real": "smooth", "real_logits": "fake_logits"})
    exact(words, ())
    assert loss.given["real_logits"] is words["fake_logits@discriminator"]
    assert term(R1(), inputs={"real": "smooth"}).leaves == ["smooth"]


def test_an_optional_word_is_given_where_there_is_one():
    loss, words = Seen(), update(Judge())
    words.values["photo"] = torch.rand(1)
    term(loss, "generator")(words, {"real", "fake"})
    assert loss.given["photo"] is None
    term(loss, "generator")(words, {"real", "fake", "photo"})
    assert loss.given["photo"] is words["photo"]


def test_every_leaves_steps_out_and_multiplies_the_weight():
    lazy = term(constant(1.0), "generator", weight=0.5, every=4)
    assert [lazy.weight_at(step) for step in range(9)] == [2.0, 0, 0, 0, 2.0, 0, 0, 0, 2.0]
    objective = Objective([lazy, term(constant(3.0), "generator", name="other")], ())
    words = update(Judge())
    assert float(objective(words, 4).total) == 5.0
    assert float(objective(words, 5).total) == 3.0
    assert list(objective(words, 5).raw) == ["other"]
    penalty = Objective([term(R1(), every=4)], ())
    assert penalty.leaves(4) == {"real"}
    assert penalty.leaves(5) == set()
    assert not penalty(words, 5).total.requires_grad


def test_a_schedule_moves_linearly_and_stays():
    moving = term(constant(1.0), "generator", weight=Schedule(1.0, 3.0, 4))
    assert [moving.weight_at(step) for step in (0, 1, 2, 4, 9)] == [1.0, 1.5, 2.0, 3.0, 3.0]
    from_zero = Objective([term(R1(), weight=Schedule(0.0, 1.0, 2))], ())
    assert from_zero.leaves(0) == set()
    assert from_zero.leaves(1) == {"real"}


def test_the_first_term_that_is_not_finite_is_named():
    words = update(Judge())

    def first(*values: float, weight: float = 1.0) -> str | None:
        terms = [term(constant(v), "generator", weight, name=f"t{i}") for i, v in enumerate(values)]
        return Objective(terms, ())(words, 0).first_nonfinite()

    assert first(1.0, 2.0) is None
    assert first(1.0, float("inf"), float("nan")) == "t1"
    assert first(float("inf"), -float("inf")) == "t0"
    assert first(3e38, weight=10.0) == "the weighted sum"


def test_gradient_shares_are_those_of_the_norms_at_the_image():
    class Scaled(Loss):
        def __init__(self, factor: float):
            super().__init__()
            self.factor = factor

        def generator(self, fake: Tensor) -> Tensor:
            return self.factor * fake.sum()

    class Elsewhere(Loss):
        def generator(self, real: Tensor) -> Tensor:
            return real.mean()

    fake = torch.zeros(2, 3, 2, 2, requires_grad=True)
    terms = [
        term(Scaled(1.0), "generator", weight=2.0, name="a"),
        term(Scaled(-3.0), "generator", weight=2.0, name="b"),
        term(Elsewhere(), "generator", name="c"),
    ]
    words = Words({"fake": fake, "real": torch.ones(1)}, {}, {})
    shares = Objective(terms, ())(words, 0).gradient_shares([fake])
    assert shares == {"a": pytest.approx(0.25), "b": pytest.approx(0.75), "c": 0.0}
    assert sum(shares.values()) == pytest.approx(1.0)
    silent = Objective([terms[2], term(Elsewhere(), "generator", name="d")], ())(words, 0)
    assert silent.gradient_shares([fake]) == {"c": 0.0, "d": 0.0}


def test_terms_of_one_loss_get_names_of_their_own():
    assert unique_names(["a", "b", "a", "a"]) == ["a", "b", "a#2", "a#3"]


# -- the vocabulary -------------------------------------------------------------------------


def test_the_vocabulary_of_a_gan_with_views():
    words = vocabulary(
        {"real": "image", "label": "label"},
        {
            name: View("", {}, of)
            for name, of in {"gray": "real", "edges": "gray", "lost": "x", "odd": "label"}.items()
        },
        {"generator": "generator", "discriminator": "discriminator"},
        {"generator": ["latent", "label"]},
    )
    images = {"real", "fake", "gray", "edges"}
    assert {word for word, what in words.items() if what == "image"} == images
    assert {word for word, what in words.items() if what == "logits"} == {
        f"{word}_logits" for word in images
    }
    assert words["latent"] == "tensor"
    assert words["generator"] == words["discriminator"] == "network"
    assert {"lost", "odd"}.isdisjoint(words)


def test_the_vocabulary_without_discriminator_or_noise():
    words = vocabulary({"photo": "image"}, {}, {"generator": "generator"}, {"generator": ["photo"]})
    assert set(words) == {"photo", "fake", "generator"}
    assert "but the recipe has no discriminator" in explain("fake_logits", words)
    assert "did you mean 'photo'?" in explain("foto", words)


def test_a_field_named_as_an_argument_needs_the_argument():
    fields = {"real": "image", "label": "label"}
    assert provided_fields(fields, ["label"], {}) == {"real": "image"}
    assert provided_fields(fields, ["label"], {"label": None}) == {"real": "image"}
    assert provided_fields(fields, ["label"], {"label": ["hue"]}) == fields
