"""What a recipe may read, so that datasets make costly fields for those recipes alone."""

from ganzoo.plugins.manager import installed
from ganzoo.recipe.demand import words_read


def test_words_are_those_of_methods_and_those_that_are_named() -> None:
    registry = installed().registry
    plain = {"generator": {"use": "cel"}, "stages": [{"generator": [{"use": "unknown"}]}]}
    assert {"photo", "normal", "depth"} <= words_read(plain, registry)
    term = {"use": "non-saturating", "inputs": {"fake_logits": "normal_logits"}}
    found = words_read({"generator": {"use": "l0"}, "stages": [{"generator": [term]}]}, registry)
    assert {"photo", "normal"} <= found
    assert "depth" not in found
