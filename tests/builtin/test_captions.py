"""Captions of avatars: true of their own, untrue of the others, in words that are all known."""

from __future__ import annotations

import pytest
import torch

pytest.importorskip("dicebear", reason="the extra 'avatars' is not installed")
pytest.importorskip("resvg_py", reason="the extra 'avatars' is not installed")

from ganzoo.captions import Vocabulary
from ganzoo.errors import DataError, RunError
from ganzoo_avatars import captions
from ganzoo_avatars.avatars import Avatars
from ganzoo_avatars.styles import STYLES

COUNT = 40


@pytest.fixture(scope="module")
def avatars(tmp_path_factory: pytest.TempPathFactory) -> Avatars:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANZOO_CACHE", str(tmp_path_factory.mktemp("cache")))
        data = Avatars(count=COUNT, size=8)
        data.demand(["text", "other_text"])
        data.prepare()
    return data


def attributes(data: Avatars, index: int) -> dict[str, str]:
    return {name: values[index] for name, values in data.attributes().items()}


@pytest.mark.parametrize("style", STYLES)
def test_every_word_of_every_caption_is_known(style: str) -> None:
    data = Avatars(style=style, count=1, size=8)
    assert {"hair", "skin", "background"} <= data.phrases.keys()
    known = Vocabulary(data.vocabulary)
    for values in data.phrases.values():
        assert not any(known.unknown(phrase) for phrase in values.values())


def test_a_caption_is_true_of_its_avatar_and_a_function_of_seed_epoch_and_index(
    avatars: Avatars,
) -> None:
    known = Vocabulary(avatars.vocabulary)
    texts = []
    for index in range(COUNT):
        one = avatars.captioner().caption(index, "3/1")
        assert one == avatars.captioner().caption(index, "3/1")
        assert one.said
        assert one.fits(attributes(avatars, index))
        assert not known.unknown(one.text)
        texts.append(one.text)
    assert len(set(texts)) > COUNT * 3 / 4
    avatars.set_epoch(3, 1)
    assert avatars[2]["text"].tolist() == known.tokens(texts[2], captions.LENGTH)
    avatars.set_epoch(3, 2)
    assert avatars[2]["text"].tolist() != known.tokens(texts[2], captions.LENGTH)


def test_clauses_vary_and_attributes_are_left_unsaid(avatars: Avatars) -> None:
    said = [avatars.captioner().caption(i, "0/0").said.keys() for i in range(COUNT)]
    shares = {name: sum(name in one for one in said) / COUNT for name in ("hair", "skin", "mouth")}
    assert all(0.1 < share < 0.95 for share in shares.values()), shares
    assert max(map(len, said)) >= 4


def test_another_text_says_something_untrue(avatars: Avatars) -> None:
    avatars.set_epoch(0, 5)
    batch = avatars.__getitems__(list(range(COUNT)))
    assert batch["text"].shape == batch["other_text"].shape == (COUNT, captions.LENGTH)
    known = Vocabulary(avatars.vocabulary)
    others = [avatars.captioner().caption(index, "0/5/another") for index in range(COUNT)]
    by_tokens = {tuple(known.tokens(one.text, captions.LENGTH)): one for one in others}
    for index, tokens in enumerate(batch["other_text"].tolist()):
        assert not by_tokens[tuple(tokens)].fits(attributes(avatars, index))


def test_left_out_combinations_are_in_no_example(avatars: Avatars, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path))
    hair, skin = attributes(avatars, 4)["hair"], attributes(avatars, 4)["skin"]
    rest = Avatars(count=COUNT, size=8, label=["hair"], leave_out=[{"hair": hair, "skin": skin}])
    pairs = zip(rest.attributes()["hair"], rest.attributes()["skin"], strict=True)
    kept = [index for index in range(COUNT) if attributes(avatars, index)["hair"] != hair
            or attributes(avatars, index)["skin"] != skin]  # fmt: skip
    assert (hair, skin) not in set(pairs)
    assert len(rest) == len(kept) < COUNT
    assert torch.equal(rest[-1]["real"], avatars[kept[-1]]["real"])
    values = rest.label_values["hair"]
    assert values[rest[3]["label"][0]] == attributes(avatars, kept[3])["hair"]
    assert rest.fingerprint() != avatars.fingerprint()


@pytest.mark.parametrize(
    ("combination", "noun"), [({"hare": "pink"}, "'hair'"), ({"hair": "pnik"}, "'pink'")]
)
def test_unknown_combinations_name_the_nearest(combination: dict[str, str], noun: str) -> None:
    with pytest.raises(DataError, match=noun):
        Avatars(count=2, size=8, leave_out=[combination])


def test_users_words_are_split_numbered_and_named_if_unknown() -> None:
    known = Vocabulary(["hair", "pink", ","])
    assert known.tokens("Pink-hair; PINK!") == [2, 1, 3, 2]
    assert known.tokens("pink hair pink", 2) == [2, 1]
    with pytest.warns(UserWarning, match=r"'pnik' \(did you mean 'pink'\?\), 'xyzzy'"):
        assert known.read("pnik xyzzy hair").tolist() == [[1]]


@pytest.mark.parametrize("text", ["", " ,; ", "xyzzy", "xyzzy, foo", 3, None])
def test_a_text_without_a_known_word_is_one_line(text: object) -> None:
    with pytest.raises(RunError, match="text") as caught:
        Vocabulary(["hair", ","]).read(text)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
