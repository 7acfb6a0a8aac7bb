"""Check a recipe's views: transforms of words, and networks applied to words."""

from __future__ import annotations

from ganzoo.errors import nearest, one_of
from ganzoo.formats.tree import Node, join
from ganzoo.recipe.grammar import PLAYERS
from ganzoo.recipe.recipe_types import Application, View
from ganzoo.recipe.scope import Scope
from ganzoo.recipe.vocabulary import LOGITS, OF_IMAGES, circle

#: the kinds of words that a network reads
READABLE = ("image", "label", "tensor")


def check_views(scope: Scope) -> None:
    """Note views with names that are taken, in a circle, and of words that do not fit."""
    for name, node in scope.recipe["views"].value.items():
        path = join("views", name)
        if complaint := _complaint(name, node, scope):
            scope.problems.add(node.name_at, path, complaint)
            continue
        view = scope.views.get(name)
        if view is None:
            _check_role(node, path, scope)
        elif way := circle(name, scope.views, scope.reads):
            place = "of" if isinstance(view, View) else "to"
            at = node.value.get(place, node).at
            what = f"views go in a circle: {' -> '.join(way)}"
            scope.problems.add(at, join(path, place), what)
        elif isinstance(view, View):
            if scope.words.get(view.of) != "image":
                _check_source(name, view, node, path, scope)
        else:
            _check_application(name, view, node, path, scope)


def _complaint(name: str, node: Node, scope: Scope) -> str:
    """Say what is wrong with a view's name; empty if nothing is."""
    view = scope.views.get(name)
    is_verdict = isinstance(view, Application) and scope.roles[view.apply] == "discriminator"
    may_be_logits = is_verdict and name.endswith(LOGITS)
    if not name.isidentifier() or (name.endswith(OF_IMAGES) and not may_be_logits):
        return (
            "a view's name is one word of letters, digits and _, and does not end in "
            f"{one_of(OF_IMAGES)}"
        )
    if name in (*(scope.fields or {}), "fake", "latent", *PLAYERS, *scope.roles):
        return f"'{name}' is a word already; choose another name"
    return ""


def _check_role(node: Node, path: str, scope: Scope) -> None:
    """Note a view that applies what is no network of the recipe."""
    role = node.value.get("apply")
    if role is None or not scope.checker.knows_players:
        return
    path = join(path, "apply")
    if role.value not in scope.roles:
        near = nearest(role.value, scope.roles)
        what = f"there is no role '{role.value}'{near} Roles: {one_of(scope.roles)}."
        scope.problems.add(role.at, path, what)
    elif scope.signatures[role.value] is not None:
        what = f"the forward of {scope.name_of(role.value)} cannot be read from its source"
        scope.problems.add(role.at, path, f"{what}. Tell the plugin's author.")


def _check_source(name: str, view: View, node: Node, path: str, scope: Scope) -> None:
    """Note a transform of a word that is no image."""
    if not scope.knows_words:
        return  # the dataset might provide the word
    if view.of in scope.words:
        what = f"'{view.of}' is {_a(scope.words[view.of])}, not an image"
    elif view.of in scope.recipe["views"].value:
        return  # that view has its own problem
    else:
        images = {word: what for word, what in scope.words.items() if what == "image"}
        what = f"view '{name}' {scope.explain(view.of, images)}"
    scope.problems.add(node.value["of"].at, join(path, "of"), what)


def _check_application(name: str, view: Application, node: Node, path: str, scope: Scope) -> None:
    """Note words that the network does not read, that do not exist, or of another kind."""
    network, reads = scope.name_of(view.apply), scope.reads[view.apply]
    to = node.value.get("to")
    for parameter, word in view.to.items():
        inner, child = join(path, "to"), to
        if isinstance(to.value, dict):
            inner, child = join(inner, parameter), to.value[parameter]
        if parameter not in reads:
            near = nearest(parameter, reads)
            what = f"{network} does not read '{parameter}'{near} It reads: {one_of(reads)}."
            scope.problems.add(child.name_at, inner, what)
        elif complaint := _misfit(parameter, word, view, scope):
            scope.problems.add(child.at, inner, complaint)
    first = next(iter(reads), "")
    for parameter, is_required in reads.items():
        if not is_required or parameter in view.to or parameter in scope.words:
            continue
        if not scope.knows_words:
            return
        if parameter == first:
            what = f"missing 'to': which word {network} is applied to"
        else:
            what = f"{network} {scope.explain(parameter, _readable(scope))}"
        scope.problems.add(node.value["apply"].at, path, what)


def _misfit(parameter: str, word: str, view: Application, scope: Scope) -> str:
    """Say why a word cannot be a network's parameter; empty if it can."""
    if word not in scope.words:
        if not scope.knows_words or word in scope.recipe["views"].value:
            return ""
        return f"{scope.name_of(view.apply)} {scope.explain(word, _readable(scope))}"
    kind = scope.words[word]
    kinds = {"latent": "tensor"} | scope.words
    kinds.setdefault(next(iter(scope.reads[view.apply])), "image")
    if kind not in READABLE or kinds.get(parameter, kind) != kind:
        network, other = scope.name_of(view.apply), kinds.get(parameter, "image")
        return f"'{word}' is {_a(kind)}, and '{parameter}' of {network} is {_a(other)}"
    return ""


def _readable(scope: Scope) -> dict[str, str]:
    return {word: what for word, what in scope.words.items() if what in READABLE}


def _a(kind: str) -> str:
    articles = {"image": "an ", "logits": "", "features": ""}
    return articles.get(kind, "a ") + kind
