"""Work out the words that losses and networks may name, before any data is read.

1. every field that the dataset provides, and ``latent`` where the generator is made from noise;
2. ``fake``, the generator's output (detached in the discriminator's update);
3. ``X_logits``, the discriminator's raw logits of ``augment(X)``, for any image X;
4. ``X_features``, the features by layer of any image X, from the recipe's extractor that the
   term names in ``extractor``;
5. the networks themselves by name: ``generator``, ``discriminator``;
6. the recipe's ``views``, pure functions of other words.

``step.py`` computes them, each at most once per update.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ganzoo.errors import nearest, one_of

LOGITS = "_logits"
FEATURES = "_features"
#: suffixes of the words for a network's output on an image X
OF_IMAGES = (LOGITS, FEATURES)


def provided_fields(
    fields: Mapping[str, str], optional: Iterable[str], given: Mapping[str, object]
) -> dict[str, str]:
    """Return the fields that a dataset provides with the arguments ``given``.

    A field that shares its name with an ``optional`` constructor argument (one whose default is
    None) exists only if that argument is given.
    """
    absent = {name for name in optional if given.get(name) is None}
    return {name: what for name, what in fields.items() if name not in absent}


def vocabulary(
    fields: Mapping[str, str],
    views: Mapping[str, str],
    networks: Iterable[str],
    generator_reads: Iterable[str],
    extractors: Iterable[str] = (),
) -> dict[str, str]:
    """Return all words and their kinds: image, label, tensor, logits, features or network.

    ``views`` maps each view to the word it reads; ``generator_reads`` are the parameters of the
    generator's ``forward``.  Views of unknown words are left out: ``explain`` then names them.
    """
    words = dict(fields)
    if "latent" in generator_reads:
        words["latent"] = "tensor"
    words["fake"] = "image"
    pending = dict(views)
    while ready := [view for view, source in pending.items() if words.get(source) == "image"]:
        for view in ready:
            words[view] = "image"
            del pending[view]
    networks = list(networks)
    images = [word for word, what in words.items() if what == "image"]
    if "discriminator" in networks:
        words |= {word + LOGITS: "logits" for word in images}
    if any(extractors):
        words |= {word + FEATURES: "features" for word in images}
    return words | dict.fromkeys(networks, "network")


def aim(parameter: str, inputs: Mapping[str, str]) -> str:
    """Return the word that a loss's parameter reads: itself, or as a term's ``inputs`` say.

    Re-aiming an image re-aims its logits and features too.
    """
    image, suffix = stem(parameter)
    if parameter in inputs or not suffix:
        return inputs.get(parameter, parameter)
    return inputs.get(image, image) + suffix


def stem(word: str) -> tuple[str, str]:
    """Split ``fake_logits`` into ``fake`` and ``_logits``; other words have no suffix."""
    suffix = next((suffix for suffix in OF_IMAGES if word.endswith(suffix)), "")
    return word.removesuffix(suffix), suffix


def explain(word: str, words: Mapping[str, str]) -> str:
    """Say why ``word`` is not available, which words are, and which is closest."""
    if word.endswith(LOGITS) and "discriminator" not in words:
        return f"needs '{word}', but the recipe has no discriminator"
    if word.endswith(FEATURES) and "features" not in words.values():
        return f"needs '{word}', but the recipe has no 'extractors'"
    near = nearest(word, words)
    return f"needs '{word}', which nothing provides{near} Available: {one_of(words)}"
