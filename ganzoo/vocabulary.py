"""The words that losses and networks may name, worked out before any data is read.

1. every field that the dataset provides, and ``latent`` where the generator is made from noise;
2. ``fake``, the generator's output (detached in the discriminator's update);
3. ``X_logits``, the discriminator's raw logits of ``augment(X)``, for any image X;
4. the networks themselves by name: ``generator``, ``discriminator``;
5. the recipe's ``views``, pure functions of other words.

``step.py`` computes them, each at most once per update.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ganzoo.errors import nearest, one_of

LOGITS = "_logits"


def provided_fields(
    fields: Mapping[str, str], optional: Iterable[str], given: Mapping[str, object]
) -> dict[str, str]:
    """The fields that a dataset provides with the arguments ``given``.

    A field that shares its name with an ``optional`` constructor argument (one whose default is
    None) exists only where that argument is given.
    """
    absent = {name for name in optional if given.get(name) is None}
    return {name: what for name, what in fields.items() if name not in absent}


def vocabulary(
    fields: Mapping[str, str],
    views: Mapping[str, str],
    networks: Iterable[str],
    generator_reads: Iterable[str],
) -> dict[str, str]:
    """All words and what each is: ``image``, ``label``, ``tensor``, ``logits`` or ``network``.

    ``views`` maps each view to the word it is of; ``generator_reads`` are the parameters of the
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
    if "discriminator" in networks:
        words |= {word + LOGITS: "logits" for word, what in words.items() if what == "image"}
    return words | dict.fromkeys(networks, "network")


def aim(parameter: str, inputs: Mapping[str, str]) -> str:
    """The word that a loss's parameter reads: itself, or where a term's ``inputs`` point it.

    Re-aiming an image re-aims its logits too.
    """
    if parameter in inputs or not parameter.endswith(LOGITS):
        return inputs.get(parameter, parameter)
    image = parameter.removesuffix(LOGITS)
    return inputs.get(image, image) + LOGITS


def explain(word: str, words: Mapping[str, str]) -> str:
    """Why ``word`` cannot be had, what there is, and what is closest."""
    if word.endswith(LOGITS) and "discriminator" not in words:
        return f"needs '{word}', but the recipe has no discriminator"
    return f"needs '{word}', which nothing provides{nearest(word, words)} There is: {one_of(words)}"
