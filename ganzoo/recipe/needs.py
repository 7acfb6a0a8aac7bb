"""Check that a recipe provides the words that its networks and losses read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ganzoo.errors import nearest, one_of
from ganzoo.formats.tree import Node, join
from ganzoo.plugins.registry import Registry
from ganzoo.plugins.signature import Signature
from ganzoo.recipe.checker import Entries, Problems, signature_of
from ganzoo.recipe.grammar import PLAYERS
from ganzoo.recipe.vocabulary import (
    FEATURES,
    OF_IMAGES,
    aim,
    explain,
    provided_fields,
    stem,
    vocabulary,
)


def check_needs(
    root: Node, recipe: Entries, registry: Registry, problems: Problems, whole: bool = True
) -> None:
    """Note every unmet need, and every clash of numbers.

    ``recipe`` is the checked ``root``, without its faulty parts.  If it is not ``whole``, keys that
    may be inherited are not reported.
    """
    _check_numbers(recipe, problems)
    if isinstance(root.value, dict):
        _Needs(root, recipe, registry, problems, whole).check()


def _check_numbers(recipe: Entries, problems: Problems) -> None:
    batch, parts = recipe.get("batch"), recipe.get("accumulate")
    if batch and parts and batch.value % parts.value:
        what = f"a batch of {batch.value} does not split into accumulate: {parts.value} parts"
        problems.add(batch.at, "batch", what)
    seen: dict[str, str] = {}
    for path, stage in _items(recipe.get("stages"), "stages"):
        if name := stage.value.get("name"):
            if name.value in seen:
                what = f"{seen[name.value]} has the name '{name.value}' already"
                problems.add(name.at, join(path, "name"), what)
            seen.setdefault(name.value, path)


def _items(node: Node | None, path: str) -> Iterator[tuple[str, Node]]:
    for i, child in enumerate(node.value if node else ()):
        yield join(path, i), child


class _Needs:
    def __init__(
        self, root: Node, recipe: Entries, registry: Registry, problems: Problems, whole: bool
    ):
        self.root, self.recipe, self.whole = root, recipe, whole
        self.registry, self.problems = registry, problems
        self.networks = [name for name in PLAYERS if name in recipe]
        views = recipe["views"].value if "views" in recipe else {}
        self.views = {n: v.value["of"].value for n, v in views.items() if "of" in v.value}
        self.dataset = signature_of(registry, "dataset", recipe.get("dataset"))
        self.fields = self._fields()
        generator = signature_of(registry, "generator", recipe.get("generator"))
        reads = generator.methods.get("forward") if generator else None
        self.reads = None if reads is None else dict(reads)
        self.extractors = list(recipe["extractors"].value)
        broken = dict.fromkeys(set(views) - set(self.views), "image")
        self.words = vocabulary(
            (self.fields or {}) | broken,
            self.views,
            self.networks,
            {"latent": True} | (self.reads or {}),
            self.extractors,
        )
        if self.reads is not None and "latent" not in self.reads:
            del self.words["latent"]

    def check(self) -> None:
        """Check views, networks, then every term; skip what depends on something broken."""
        self._check_views()
        if self.fields is not None and self.whole:
            self._check_networks()
        for path, stage in _items(self.recipe.get("stages"), "stages"):
            for player in PLAYERS:
                self._check_player(player, stage.value.get(player), join(path, player))

    def _check_networks(self) -> None:
        self._check_size()
        sources = {
            word: what
            for word, what in self.words.items()
            if what in ("image", "label", "tensor") and self._source(word) != "fake"
        }
        if self.reads is not None:
            self._check_network("generator", self.reads, {"latent": "tensor"} | sources)
        judge = signature_of(self.registry, "discriminator", self.recipe.get("discriminator"))
        if judge and "forward" in judge.methods:
            further = dict(judge.methods["forward"][1:])
            self._check_network("discriminator", further, sources)

    def _fields(self) -> dict[str, str] | None:
        if self.dataset is None:
            return None
        fields = self.dataset.attributes.get("fields")
        at = self.recipe["dataset"]
        if not isinstance(fields, dict):
            what = "its class attribute 'fields' is no plain dictionary, so its words are unknown"
            self.problems.add(at.name_at, "dataset", f"{what}. Tell the plugin's author.")
            return None
        given = at.plain() | self.root.value["dataset"].plain()  # even arguments with wrong values
        return provided_fields(fields, self.dataset.optional, given)

    def _source(self, word: str) -> str:
        """Return the word at the end of a chain of views."""
        for _ in self.views:
            word = self.views.get(word, word)
        return word

    def _explain(self, word: str, words: Mapping[str, str]) -> str:
        """Say why a word is missing, and which argument of the dataset would provide it."""
        why = explain(word, words)
        field, _ = stem(word)
        if self.dataset and field in self.dataset.attributes["fields"] and field not in words:
            use = self.recipe["dataset"].value["use"].value
            why += f". Dataset '{use}' provides '{field}' where its argument '{field}' is given"
        return f"{why}."

    def _check_views(self) -> None:
        taken = [*(self.fields or {}), "fake", "latent", *PLAYERS]
        views = self.recipe["views"].value
        for name, view in views.items():
            path = join("views", name)
            if not name.isidentifier() or name.endswith(OF_IMAGES):
                what = (
                    "a view's name is one word of letters, digits and _, and does not end in "
                    f"{one_of(OF_IMAGES)}"
                )
                self.problems.add(view.name_at, path, what)
            elif name in taken:
                what = f"'{name}' is a word already; choose another name"
                self.problems.add(view.name_at, path, what)
            elif name in self.views and self.words.get(self.views[name]) != "image":
                self._check_source(name, view, join(path, "of"))

    def _check_source(self, name: str, view: Node, path: str) -> None:
        source = self.views[name]
        chain = [name]
        while chain[-1] in self.views and chain.count(chain[-1]) == 1:
            chain.append(self.views[chain[-1]])
        if chain.count(chain[-1]) > 1:
            what = f"views go in a circle: {' -> '.join(chain)}"
        elif self.fields is None or not self.whole:
            return  # the dataset might provide the word
        elif source in self.words:
            what = f"'{source}' is a {self.words[source]}, not an image"
        elif source in self.views:
            return  # that view has its own problem
        else:
            images = {word: what for word, what in self.words.items() if what == "image"}
            what = f"view '{name}' {self._explain(source, images)}"
        self.problems.add(view.value["of"].at, path, what)

    def _check_size(self) -> None:
        """Check the dataset's size if a network would inherit it."""
        size = self.recipe["dataset"].value.get("size")
        if size is None or not isinstance(size.value, int):
            return
        for player in self.networks:
            signature = signature_of(self.registry, player, self.recipe.get(player))
            wanted = signature.by_name.get("size") if signature else None
            if wanted is None or "size" in self.recipe[player].value:
                continue
            if complaint := wanted.type.check(size.value):
                use = self.recipe[player].value["use"].value
                what = f"{player} '{use}' cannot have this size: {complaint}"
                self.problems.add(size.at, "dataset.size", what)

    def _check_network(
        self, player: str, reads: Mapping[str, bool], words: Mapping[str, str]
    ) -> None:
        node = self.recipe[player]
        for word, required in reads.items():
            if required and word not in words:
                what = f"{player} '{node.value['use'].value}' {self._explain(word, words)}"
                self.problems.add(node.name_at, player, what)

    def _check_player(self, player: str, terms: Node | None, path: str) -> None:
        missing = player not in self.networks
        if terms and terms.value and missing and self.whole and player == "discriminator":
            what = f"the recipe has no {player}, so there is nothing that these terms could train"
            self.problems.add(terms.name_at, path, what)
        for inner, term in _items(terms, path):
            signature = signature_of(self.registry, "loss", term)
            if signature is not None:
                self._check_term(player, term, inner, signature, missing)

    def _check_term(
        self, player: str, term: Node, path: str, signature: Signature, missing: bool
    ) -> None:
        name = f"loss '{term.value['use'].value}'"
        if player not in signature.methods:
            can = one_of(p for p in PLAYERS if p in signature.methods)
            what = f"{name} is not for the {player}; it has a part for: {can}"
            self.problems.add(term.at, path, what)
            return
        parameters = dict(signature.methods[player])
        inputs = term.value["inputs"].value if "inputs" in term.value else {}
        images = [image for image, suffix in map(stem, parameters) if suffix]
        for key, child in inputs.items():
            own = dict.fromkeys([*parameters, *images])
            if key not in own:
                near = nearest(key, own)
                what = f"{name} does not read '{key}'{near} It reads: {one_of(own)}."
                self.problems.add(child.name_at, join(join(path, "inputs"), key), what)
        if self.whole:
            self._check_extractor(name, term, path, list(parameters))
        if self.fields is None or missing or not self.whole or "inputs" not in term.value:
            return
        aimed = {key: child.value for key, child in inputs.items()}
        for parameter, required in parameters.items():
            word = aim(parameter, aimed)
            if word not in self.words and (required or word != parameter):
                self.problems.add(term.at, path, f"{name} {self._explain(word, self.words)}")

    def _check_extractor(self, name: str, term: Node, path: str, reads: list[str]) -> None:
        """A term names an extractor if it reads features, and only then."""
        chosen = term.value.get("extractor")
        features = [word for word in reads if word.endswith(FEATURES)]
        if chosen is None:  # reported already
            return
        if chosen.value is None:
            if features and self.extractors:
                what = f"{name} reads {one_of(features)}: of which extractor? Add extractor: NAME"
                self.problems.add(term.at, path, f"{what}, which is {one_of(self.extractors)}.")
            return
        if not features:
            what = f"{name} reads no features, so it takes no extractor. Leave it out."
        elif chosen.value not in self.extractors:
            near = nearest(chosen.value, self.extractors)
            what = (
                f"the recipe's 'extractors' has no '{chosen.value}'{near} "
                f"Available: {one_of(self.extractors)}."
                if self.extractors
                else "the recipe has no 'extractors': add e.g. extractors: {vgg: {use: vgg19}}."
            )
        else:
            return
        self.problems.add(chosen.at, join(path, "extractor"), what)
