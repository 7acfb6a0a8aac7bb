"""Text to image: the authors' networks, the reader of texts, and the objectives of the recipe."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from ganzoo.recipe.recipe_types import Schedule
from ganzoo.training.objective import Objective, WeightedLoss
from ganzoo.training.words import Words
from ganzoo_adversarial.non_saturating import NonSaturating
from ganzoo_text.networks import Bottleneck, TextDiscriminator, TextGenerator
from ganzoo_text.reader import Guessing, NamedAttributes, WordEncoder

pytestmark = pytest.mark.usefixtures("one_thread")
WORDS = ["pink", "hair", "dark", "skin", ",", "blue"]
VALUES = {"hair": ["pink", "dark", "blue"], "skin": ["dark", "pink", "blue"]}
PHRASES = {"hair": {"pink": "pink hair", "blue": "blue hair"}, "skin": {"dark": "dark skin"}}


def reader() -> WordEncoder:
    torch.manual_seed(0)
    return WordEncoder(WORDS, PHRASES, meaning=16, width=8).eval()


def images(n: int = 3, size: int = 32) -> Tensor:
    return torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(1)) * 2 - 1


def codes(n: int = 3, length: int = 16) -> Tensor:
    return torch.randn(n, length, generator=torch.Generator().manual_seed(2))


# -- the reader -------------------------------------------------------------------------------


def test_only_the_order_of_words_counts_not_the_gaps() -> None:
    encode = reader()
    plain = encode(torch.tensor([[1, 2, 5, 3, 4]]))
    for row in ([1, 2, 5, 3, 4, 0, 0, 0], [0, 1, 0, 2, 5, 3, 0, 4]):
        assert torch.allclose(encode(torch.tensor([row])), plain, atol=1e-6)
    assert not torch.allclose(encode(torch.tensor([[3, 2, 5, 1, 4]])), plain, atol=1e-2)


def test_colours_belong_to_their_nouns() -> None:
    encode = reader()
    one, other = encode.read_condition("text", ["pink hair, blue skin", "blue hair, pink skin"])
    assert not torch.allclose(encode(one[None]), encode(other[None]), atol=1e-2)


def test_a_label_is_what_its_phrases_say() -> None:
    encode = reader()
    assert encode.label == {"hair": ["pink", "blue"], "skin": ["dark"]}
    said = encode(encode.read_condition("text", "blue hair, dark skin,"))
    assert torch.allclose(encode(label=torch.tensor([[1, 0]])), said, atol=1e-6)


def test_codes_have_mean_0_and_variance_1_and_a_text_halfway_has_the_mean_of_two() -> None:
    encode = reader()
    one, other = torch.tensor([[1, 2]]), torch.tensor([[3, 4]])
    for text in (one, other):
        assert encode(text).mean().abs() < 1e-5
        assert abs(encode(text).var(unbiased=False) - 1) < 0.05
    mean = (encode(one) + encode(other)) / 2
    assert torch.allclose(encode(one, halfway_to=other), mean, atol=1e-6)


def test_guesses_are_of_one_attribute_after_the_other() -> None:
    label = {"hair": ["pink", "blue", "red"], "skin": ["dark", "fair"]}
    guess = NamedAttributes(label, meaning=16)(codes(4))
    assert guess.shape == (4, 2 * 3)
    right = torch.tensor([[0, 1], [2, 0], [1, 1], [0, 0]])
    parts = [cross_entropy(guess[:, 3 * a : 3 * a + 3], right[:, a]) for a in (0, 1)]
    assert Guessing().generator(guess, right).item() == pytest.approx(sum(parts).item() / 2)  # type: ignore[union-attr]


def test_the_reader_soon_knows_what_texts_say() -> None:
    torch.manual_seed(0)
    encode, guesser = WordEncoder(WORDS, PHRASES, meaning=16, width=8), NamedAttributes(VALUES, 16)
    texts = [("pink hair, dark skin", 0, 0), ("dark hair, pink skin", 1, 1)]
    texts += [("blue hair, dark skin", 2, 0), ("dark hair, blue skin", 1, 2)]
    text = encode.read_condition("text", [one for one, *_ in texts])
    label = torch.tensor([row for _, *row in texts])
    optimizer = torch.optim.Adam([*encode.parameters(), *guesser.parameters()], lr=0.01)
    for _ in range(60):
        loss = Guessing().generator(guesser(encode(text)), label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.1


# -- the networks -----------------------------------------------------------------------------


def test_networks_have_the_authors_parameters() -> None:
    def bottleneck(channels: int, fewer: int) -> int:
        return channels * fewer + 9 * fewer**2 + 9 * fewer * channels + 2 * (2 * fewer + channels)

    generator = TextGenerator(64, latent=100, meaning=1024, squeezed=128, width=128)
    up = 16 * (228 * 1024 + 1024 * 512 + 512 * 256 + 256 * 128 + 128 * 3)
    norms = 2 * (1024 + 512 + 256 + 128)
    text = 1024 * 128 + 128
    expected = up + norms + text + bottleneck(1024, 256) + bottleneck(512, 128)
    assert sum(p.numel() for p in generator.parameters()) == expected

    judge = TextDiscriminator(64, meaning=1024, squeezed=128, width=64)
    down = 16 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512)
    joined = (512 + 128) * 512 + 16 * 512
    norms = 2 * (128 + 256 + 512 + 512 + 128)
    expected = down + bottleneck(512, 128) + text + joined + norms
    assert sum(p.numel() for p in judge.parameters()) == expected


def test_a_bottleneck_whose_last_layer_is_zero_is_its_shortcut() -> None:
    layer = Bottleneck(8, 2, torch.nn.ReLU(), norm="none")
    torch.nn.init.zeros_(layer.layers[-1].weight)  # type: ignore[arg-type]
    torch.nn.init.zeros_(layer.layers[-1].bias)  # type: ignore[arg-type]
    x = torch.randn(2, 8, 4, 4)
    assert torch.equal(layer(x), x.relu())


@pytest.mark.parametrize("upsample", ["transposed", "nearest"])
def test_latents_and_texts_both_decide_the_image(upsample: str) -> None:
    torch.manual_seed(0)
    generate = TextGenerator(32, latent=4, meaning=16, width=8, upsample=upsample).eval()  # type: ignore[arg-type]
    latent = generate.sample_latent(2, torch.Generator().manual_seed(0))
    same, other = codes(1).expand(2, -1), codes(3)[1:]
    first = generate(latent, same)
    assert first.shape == (2, 3, 32, 32)
    assert first.abs().max() <= 1
    assert not torch.allclose(first[0], first[1])
    assert not torch.allclose(generate(latent[:1].expand(2, -1), other)[0], first[0])


def test_images_of_a_batch_stay_apart_without_norm() -> None:
    torch.manual_seed(0)
    judge = TextDiscriminator(32, meaning=16, width=8, norm="none").train()
    alone = torch.cat([judge(images()[i : i + 1], codes()[i : i + 1]) for i in range(3)])
    assert torch.allclose(judge(images(), codes()), alone, atol=1e-6)


# -- the objective ----------------------------------------------------------------------------


def test_two_halves_of_the_usual_loss_are_algorithm_1_of_the_paper() -> None:
    """L_D = log s_r + (log(1 - s_w) + log(1 - s_f)) / 2, as a recipe of existing losses says it."""
    logits = {"real_logits": codes(1, 4)[0], "fake_logits": codes(2, 4)[1], "wrong": codes(3, 4)[2]}
    terms = [
        WeightedLoss(name, NonSaturating(), "discriminator", Schedule(0.5, 0.5), 1, inputs)
        for name, inputs in (("fake", {}), ("wrong", {"fake_logits": "wrong"}))
    ]
    terms[0].words = {"real_logits": "real_logits", "fake_logits": "fake_logits"}
    terms[1].words = {"real_logits": "real_logits", "fake_logits": "wrong"}
    total = Objective(terms, logits)(Words(logits, {}, {}), 0).total
    scores = {name: value.sigmoid() for name, value in logits.items()}
    rejected = (1 - scores["fake_logits"]).log() + (1 - scores["wrong"]).log()
    expected = -(scores["real_logits"].log() + rejected / 2).mean()
    assert total.item() == pytest.approx(expected.item(), rel=1e-5)
