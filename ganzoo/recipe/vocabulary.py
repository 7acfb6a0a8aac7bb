"""Work out the words that losses and networks may name, before any data is read.

1. every field that the dataset provides, and ``latent`` where the generator is made from noise;
2. ``fake``, the generator's output;
3. ``X_logits``, raw logits of ``augment(X)`` for any image X: of the discriminator, or of the role
   that the term names as its ``judge``;
4. ``X_features``, the features by layer of any image X, from the recipe's extractor that the
   term names in ``extractor``;
5. the networks themselves by role: ``generator``, ``discriminator``, ...; in a term with a
   ``judge``, ``discriminator`` is that one;
6. the recipe's ``views``: transforms of other words, and networks applied to words.  A network's
   parameters read the words of their names, or those that the view gives in ``to``.  A view called
   ``X_logits`` takes the place of that word.

In a player's update the networks of others are frozen: a word that only they make carries no
gradient.  Each word is computed at most once per update.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from ganzoo.errors import nearest, one_of
from ganzoo.recipe.recipe_types import Application, View

LOGITS = "_logits"
FEATURES = "_features"
#: suffixes of the words for a network's output on an image X
OF_IMAGES = (LOGITS, FEATURES)
#: what a network of each kind makes of words
MADE_BY = {"generator": "image", "discriminator": "logits", "encoder": "tensor"}
#: the view that every recipe has
FAKE = Application("generator", {})

Views = Mapping[str, View | Application]


def provided_fields(
    fields: Mapping[str, str], optional: Iterable[str], arguments: Mapping[str, object]
) -> dict[str, str]:
    """Return the fields that a dataset provides with these ``arguments``.

    A field that shares its name with an ``optional`` constructor argument (one whose default is
    None) exists only if that argument is given.
    """
    absent = {name for name in optional if arguments.get(name) is None}
    return {name: what for name, what in fields.items() if name not in absent}


def vocabulary(
    fields: Mapping[str, str],
    views: Views,
    networks: Mapping[str, str],
    reads: Mapping[str, Iterable[str]],
    extractors: Iterable[str] = (),
) -> dict[str, str]:
    """Return all words and their kinds: image, label, tensor, logits, features or network.

    ``networks`` maps roles to kinds, ``reads`` roles to the parameters of their ``forward``.  Views
    of unknown words are left out: ``explain`` then names them.
    """
    words = dict(fields)
    if "latent" in reads.get("generator", ()):
        words["latent"] = "tensor"
    words["fake"] = "image"
    rest = dict(views)
    while ready := {view: kind for view in rest if (kind := _kind(rest[view], words, networks))}:
        words |= ready
        for view in ready:
            del rest[view]
    images = [word for word, what in words.items() if what == "image"]
    if "discriminator" in networks.values():
        words |= {word + LOGITS: "logits" for word in images}
    if any(extractors):
        words |= {word + FEATURES: "features" for word in images}
    return words | dict.fromkeys(networks, "network")


def _kind(view: View | Application, words: Mapping[str, str], networks: Mapping[str, str]) -> str:
    """Return the kind of a view, or nothing while its words are unknown."""
    if isinstance(view, View):
        return "image" if words.get(view.of) == "image" else ""
    is_ready = view.apply in networks and all(word in words for word in view.to.values())
    return MADE_BY[networks[view.apply]] if is_ready else ""


def aim(parameter: str, inputs: Mapping[str, str]) -> str:
    """Return the word that a loss's parameter reads: itself, or as a term's ``inputs`` say.

    Re-aiming an image re-aims its logits and features too.
    """
    image, suffix = stem(parameter)
    if parameter in inputs or not suffix:
        return inputs.get(parameter, parameter)
    return inputs.get(image, image) + suffix


def full_word(
    parameter: str,
    inputs: Mapping[str, str],
    judge: str | None,
    extractor: str | None,
    views: Views,
) -> str:
    """Return the word that a term's parameter reads, with the network that makes it.

    ``fake_logits@discriminator`` are its logits of ``fake``, ``fake_features@vgg`` the features
    from the recipe's extractor ``vgg``.  A view called ``X_logits`` stands for itself, unless the
    term has another ``judge``.
    """
    word = aim(parameter, inputs)
    if word == "discriminator":
        return judge or word
    if word.endswith(FEATURES):
        return f"{word}@{extractor}"
    view = views.get(word)
    if not word.endswith(LOGITS) or (isinstance(view, Application) and judge in (None, view.apply)):
        return word
    return f"{word}@{judge or 'discriminator'}"


def makers(word: str, views: Views, reads: Mapping[str, Iterable[str]]) -> frozenset[str]:
    """Return the roles on whose weights a full word depends, through other words too."""
    roles: set[str] = set()
    words, queue = {word}, [word]
    while queue:
        role, sources = made_of(queue.pop(), views, reads)
        roles |= {role} - {""}
        queue += [source for source in sources if source not in words]
        words |= set(sources)
    return frozenset(roles)


def circle(word: str, views: Views, reads: Mapping[str, Iterable[str]]) -> list[str]:
    """Return a way from a word back to itself; empty if there is none."""
    ways, words = [[word]], set[str]()
    while ways:
        way = ways.pop()
        for source in made_of(way[-1], views, reads)[1]:
            if source == word:
                return [*way, word]
            if source not in words:
                words.add(source)
                ways.append([*way, source])
    return []


def made_of(
    word: str, views: Views, reads: Mapping[str, Iterable[str]]
) -> tuple[str, Iterable[str]]:
    """Return the role that makes a full word, if one does, and the words that it is made of."""
    plain, _, maker = word.partition("@")
    view = FAKE if word == "fake" else views.get(word)
    if isinstance(view, View):
        return "", [view.of]
    if isinstance(view, Application):
        names = reads.get(view.apply, ())
        return view.apply, [view.to.get(name, name) for name in names]
    image, suffix = stem(plain)
    if suffix == LOGITS:
        role = maker or "discriminator"
        return role, [image, *list(reads.get(role, ()))[1:]]
    if suffix == FEATURES:
        return "", [image]
    return (word if word in reads else ""), []


def words_of(view: View | Application) -> Iterator[str]:
    """Yield the words that a recipe names in a view."""
    yield from [view.of] if isinstance(view, View) else view.to.values()


def stem(word: str) -> tuple[str, str]:
    """Split ``fake_logits`` into ``fake`` and ``_logits``; other words have no suffix."""
    suffix = next((suffix for suffix in OF_IMAGES if word.endswith(suffix)), "")
    return word.removesuffix(suffix), suffix


def explain(word: str, words: Mapping[str, str]) -> str:
    """Say why ``word`` is not available, which words are, and which is closest."""
    if word.endswith(LOGITS) and "logits" not in words.values():
        return f"needs '{word}', but the recipe has no discriminator"
    if word.endswith(FEATURES) and "features" not in words.values():
        return f"needs '{word}', but the recipe has no 'extractors'"
    near = nearest(word, words)
    return f"needs '{word}', which nothing provides{near} Available: {one_of(words)}"
