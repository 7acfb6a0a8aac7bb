"""What the parts of a checked recipe can read: networks, views and words."""

from __future__ import annotations

from collections.abc import Mapping

from ganzoo.formats.containers import Union
from ganzoo.formats.tree import Node, join
from ganzoo.formats.types import Reference
from ganzoo.plugins.signature import Signature
from ganzoo.recipe.checker import Problems, signature_of
from ganzoo.recipe.component import Section
from ganzoo.recipe.grammar import PLAYERS
from ganzoo.recipe.recipe_checker import RecipeChecker
from ganzoo.recipe.recipe_types import Application, View
from ganzoo.recipe.vocabulary import explain, provided_fields, stem, vocabulary


class Scope:
    """The networks, views and words of a recipe, as far as they are sound.

    ``recipe`` is the checked ``root``, without its faulty parts.
    """

    def __init__(self, root: Node, recipe: Section, checker: RecipeChecker):
        self.recipe, self.checker = recipe, checker
        self.problems: Problems = checker.problems
        self.roles, self.players = checker.roles, checker.players
        others = recipe["networks"].value if "networks" in recipe else {}
        #: role -> its section
        self.networks: dict[str, Node] = {
            role: recipe[role] if role in PLAYERS else others[role] for role in self.roles
        }
        self.signatures = {
            role: signature_of(checker.registry, kind, self.networks[role])
            for role, kind in self.roles.items()
        }
        #: role -> the parameters of its ``forward`` and whether each is required, if they are known
        self.reads: dict[str, dict[str, bool]] = {
            role: dict(signature.methods["forward"])
            for role, signature in self.signatures.items()
            if signature and "forward" in signature.methods
        }
        self.dataset = signature_of(checker.registry, "dataset", recipe.get("dataset"))
        #: the dataset's fields and their kinds, if they are known
        self.fields = self._fields(root)
        self.extractors = list(recipe["extractors"].value)
        #: the views that name what they are made of
        self.views: dict[str, View | Application] = {
            name: view
            for name, node in recipe["views"].value.items()
            if (view := self._view(node.value)) is not None
        }
        gaps = dict.fromkeys(recipe["views"].value.keys() - self.views.keys(), "image")
        # an unknown generator may read the latent
        reads: dict[str, Mapping[str, bool]] = {"generator": {"latent": True}, **self.reads}
        self.words = vocabulary(
            (self.fields or {}) | gaps, self.views, self.roles, reads, self.extractors
        )

    def _fields(self, root: Node) -> dict[str, str] | None:
        if self.dataset is None:
            return None
        fields = self.dataset.attributes.get("fields")
        at = self.recipe["dataset"]
        if not isinstance(fields, dict):
            what = "its class attribute 'fields' is no plain dictionary, so its words are unknown"
            self.problems.add(at.name_at, "dataset", f"{what}. Tell the plugin's author.")
            return None
        arguments = at.plain() | root.value["dataset"].plain()  # even arguments with wrong values
        return provided_fields(fields, self.dataset.optional, arguments)

    def _view(self, section: Section) -> View | Application | None:
        if "of" in section:
            return View("", {}, section["of"].value)
        role = section["apply"].value if "apply" in section else None
        if role not in self.reads:
            return None
        return Application(role, targets(section.get("to"), list(self.reads[role])))

    @property
    def knows_words(self) -> bool:
        """Whether every word of the recipe is known."""
        return self.fields is not None and self.checker.whole

    def path_of(self, role: str) -> str:
        """Return the path of a role's network."""
        return role if role in PLAYERS else join("networks", role)

    def name_of(self, role: str) -> str:
        """Say which network a role is: ``generator 'dcgan'``, ``backward (generator 'dcgan')``."""
        kind, use = self.roles[role], self.networks[role].value.get("use")
        name = f"{kind} '{use.value}'" if use else kind
        return name if role == kind else f"{role} ({name})"

    def explain(self, word: str, words: Mapping[str, str]) -> str:
        """Say why a word is missing, and which argument of the dataset would provide it."""
        why = explain(word, words)
        field, _ = stem(word)
        if self.dataset and field in self.dataset.attributes["fields"] and field not in words:
            use = self.recipe["dataset"].value["use"].value
            why += f". Dataset '{use}' provides '{field}' where its argument '{field}' is given"
        return f"{why}."


def targets(to: Node | None, parameters: list[str]) -> dict[str, str]:
    """Return the words that a view hands a network, by parameter."""
    if to is None:
        return {}
    words = to.plain()
    return dict(words) if isinstance(words, dict) else dict.fromkeys(parameters[:1], words)


def extractor_arguments(signature: Signature) -> list[str]:
    """Return the arguments of a constructor that are extractors."""
    return [
        parameter.name
        for parameter in signature.parameters
        for kind in [parameter.type]
        if any(
            isinstance(option, Reference)
            for option in (kind.options if isinstance(kind, Union) else [kind])
        )
    ]
