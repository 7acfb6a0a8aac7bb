"""Check that a recipe provides the words that its networks and losses read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ganzoo.errors import nearest, one_of
from ganzoo.formats.tree import Node, join
from ganzoo.plugins.signature import Signature
from ganzoo.recipe.checker import Problems, signature_of
from ganzoo.recipe.component import Section
from ganzoo.recipe.grammar import PLAYERS
from ganzoo.recipe.recipe_checker import RecipeChecker
from ganzoo.recipe.recipe_types import Application
from ganzoo.recipe.scope import Scope, extractor_arguments
from ganzoo.recipe.views import READABLE, check_views
from ganzoo.recipe.vocabulary import FEATURES, LOGITS, aim, full_word, makers, stem


def check_needs(root: Node, recipe: Section, checker: RecipeChecker) -> None:
    """Note every unmet need, and every clash of numbers.

    ``recipe`` is the checked ``root``, without its faulty parts.  If it is not ``whole``, keys that
    may be inherited are not reported.
    """
    _check_numbers(recipe, checker.problems)
    if isinstance(root.value, dict):
        scope = Scope(root, recipe, checker)
        check_views(scope)
        _Needs(scope).check()


def _check_numbers(recipe: Section, problems: Problems) -> None:
    batch, parts = recipe.get("batch"), recipe.get("accumulate")
    if batch and parts and batch.value % parts.value:
        what = f"a batch of {batch.value} does not split into accumulate: {parts.value} parts"
        problems.add(batch.at, "batch", what)
    paths: dict[str, str] = {}
    for path, stage in _items(recipe.get("stages"), "stages"):
        if name := stage.value.get("name"):
            if name.value in paths:
                what = f"{paths[name.value]} has the name '{name.value}' already"
                problems.add(name.at, join(path, "name"), what)
            paths.setdefault(name.value, path)


def _items(node: Node | None, path: str) -> Iterator[tuple[str, Node]]:
    for i, child in enumerate(node.value if node else ()):
        yield join(path, i), child


class _Needs:
    def __init__(self, scope: Scope):
        self.scope, self.problems = scope, scope.problems
        self.roles, self.players = scope.roles, scope.players
        self.whole = scope.checker.whole
        #: roles that a term of their player depends on
        self.learners: set[str] = set()

    def check(self) -> None:
        """Check networks, then every term; skip what depends on something broken."""
        if self.whole:
            self._check_roles()
        if self.scope.knows_words:
            self._check_size()
            for role in self.roles:
                self._check_network(role)
        for path, stage in _items(self.scope.recipe.get("stages"), "stages"):
            for player in self.scope.checker.keys_of_terms:
                self._check_player(player, stage.value.get(player), join(path, player))
        if self.scope.knows_words and not self.problems.items:
            self._check_trained()

    # -- networks -----------------------------------------------------------------------------

    def _check_roles(self) -> None:
        """Check the names of networks, and that the extractors exist that they name."""
        for role, node in self.scope.networks.items():
            path = self.scope.path_of(role)
            if role in (self.scope.fields or {}):
                what = f"'{role}' is a word of the dataset already; choose another name"
                self.problems.add(node.name_at, path, what)
            signature = self.scope.signatures[role]
            for name in extractor_arguments(signature) if signature else ():
                extractor = node.value.get(name)
                if extractor is not None and isinstance(extractor.value, str):
                    self._find_extractor(extractor, join(path, name))

    def _check_size(self) -> None:
        """Check the dataset's size if a network would inherit it."""
        size = self.scope.recipe["dataset"].value.get("size")
        if size is None or not isinstance(size.value, int):
            return
        for role, signature in self.scope.signatures.items():
            parameter = signature.by_name.get("size") if signature else None
            if parameter is None or "size" in self.scope.networks[role].value:
                continue
            if complaint := parameter.type.check(size.value):
                what = f"{self.scope.name_of(role)} cannot have this size: {complaint}"
                self.problems.add(size.at, "dataset.size", what)

    def _check_network(self, role: str) -> None:
        """Check that the words exist that a generator, or what judges any image, reads by name.

        Of other networks the views that apply them are checked.
        """
        scope, kind = self.scope, self.roles[role]
        reads = scope.reads.get(role)
        views = [view for view in scope.views.values() if isinstance(view, Application)]
        if reads is None or (role != "generator" and kind != "discriminator"):
            return
        if role != "generator" and role in [view.apply for view in views]:
            return
        words = {w: what for w, what in scope.words.items() if what in READABLE}
        if role == "generator":
            words = {
                word: what
                for word, what in words.items()
                if word != "fake" and "generator" not in makers(word, scope.views, scope.reads)
            }
        for place, (word, is_required) in enumerate(reads.items()):
            is_image = kind == "discriminator" and place == 0  # X of X_logits
            if is_required and word not in words and not is_image:
                what = f"{scope.name_of(role)} {scope.explain(word, words)}"
                self.problems.add(scope.networks[role].name_at, scope.path_of(role), what)

    def _find_extractor(self, node: Node, path: str) -> None:
        extractors = self.scope.extractors
        if node.value in extractors:
            return
        what = "the recipe has no 'extractors': add e.g. extractors: {vgg: {use: vgg19}}."
        if extractors:
            near = nearest(node.value, extractors)
            what = f"the recipe's 'extractors' has no '{node.value}'{near} "
            what += f"Available: {one_of(extractors)}."
        self.problems.add(node.at, path, what)

    # -- terms --------------------------------------------------------------------------------

    def _check_player(self, player: str, terms: Node | None, path: str) -> None:
        is_absent = player not in self.players
        if terms and terms.value and is_absent and self.whole and player == "discriminator":
            what = f"the recipe has no {player}, so there is nothing that these terms could train"
            self.problems.add(terms.name_at, path, what)
        for inner, term in _items(terms, path):
            signature = signature_of(self.scope.checker.registry, "loss", term)
            if signature is not None:
                self._check_term(player, term, inner, signature, is_absent)

    def _check_term(
        self, player: str, term: Node, path: str, signature: Signature, is_absent: bool
    ) -> None:
        name = f"loss '{term.value['use'].value}'"
        method = self.scope.checker.method(player)
        if method not in signature.methods:
            can = one_of(p for p in PLAYERS if p in signature.methods)
            what = f"{name} is not for the {method}; it has a part for: {can}"
            self.problems.add(term.at, path, what)
            return
        parameters = dict(signature.methods[method])
        inputs = term.value["inputs"].value if "inputs" in term.value else {}
        images = [image for image, suffix in map(stem, parameters) if suffix]
        for key, child in inputs.items():
            names = dict.fromkeys([*parameters, *images])
            if key not in names:
                near = nearest(key, names)
                what = f"{name} does not read '{key}'{near} It reads: {one_of(names)}."
                self.problems.add(child.name_at, join(join(path, "inputs"), key), what)
        if self.whole:
            self._check_extractor(name, term, path, list(parameters))
            if not self._check_judge(name, term, path, list(parameters)):
                return
        if not self.scope.knows_words or is_absent or "inputs" not in term.value:
            return
        words = {key: child.value for key, child in inputs.items()}
        for parameter, is_required in parameters.items():
            word = aim(parameter, words)
            if word not in self.scope.words and (is_required or word != parameter):
                what = f"{name} {self.scope.explain(word, self.scope.words)}"
                self.problems.add(term.at, path, what)
        self._check_makers(player, name, term, path, list(parameters), words)

    def _check_extractor(self, name: str, term: Node, path: str, reads: list[str]) -> None:
        """A term names an extractor if it reads features, and only then."""
        extractor = term.value.get("extractor")
        features = [word for word in reads if word.endswith(FEATURES)]
        if extractor is None:  # reported already
            return
        if extractor.value is None:
            if features and self.scope.extractors:
                what = f"{name} reads {one_of(features)}: of which extractor? Add extractor: NAME"
                what += f", which is {one_of(self.scope.extractors)}."
                self.problems.add(term.at, path, what)
            return
        path = join(path, "extractor")
        if not features:
            what = f"{name} reads no features, so it takes no extractor. Leave it out."
            self.problems.add(extractor.at, path, what)
        else:
            self._find_extractor(extractor, path)

    def _check_judge(self, name: str, term: Node, path: str, reads: list[str]) -> bool:
        """Check that a term's judge is a discriminator; return whether its words can be found."""
        judges = [role for role, kind in self.roles.items() if kind == "discriminator"]
        verdicts = [word for word in reads if word.endswith(LOGITS) or word == "discriminator"]
        judge = term.value.get("judge")
        if judge is None:
            is_clear = not judges or "discriminator" in judges
            if is_clear or not self.scope.checker.knows_players:
                return True
            if all(word in self.scope.views for word in verdicts):
                return True
            what = f"{name} reads {one_of(verdicts)}: of which judge? Add judge: ROLE, which is"
            self.problems.add(term.at, path, f"{what} {one_of(judges)}.")
            return False
        path = join(path, "judge")
        if not verdicts:
            what = f"{name} reads no logits, so it takes no judge. Leave it out."
        elif judge.value in judges or not self.scope.checker.knows_players:
            return True
        elif judge.value in self.roles:
            what = f"'{judge.value}' judges nothing: it is of the kind {self.roles[judge.value]}"
        else:
            what = f"there is no role '{judge.value}'{nearest(judge.value, judges)}"
        if verdicts:
            what = f"{what.rstrip('.')}. Judges: {one_of(judges)}."
        self.problems.add(judge.at, path, what)
        return False

    def _check_makers(
        self,
        player: str,
        name: str,
        term: Node,
        path: str,
        parameters: list[str],
        inputs: Mapping[str, str],
    ) -> None:
        """Note a term that reads other players' networks and none of its own.

        Those are frozen in this player's update, so the term would have no gradient.
        """
        judge = term.value["judge"].value if "judge" in term.value else None
        words = {p: full_word(p, inputs, judge, None, self.scope.views) for p in parameters}
        makes = {
            word: makers(word, self.scope.views, self.scope.reads)
            for parameter, word in words.items()
            if aim(parameter, inputs) in self.scope.words
        }
        members, roles = set(self.players[player]), frozenset[str]().union(*makes.values())
        self.learners |= roles & members
        if not roles or roles & members:
            return
        word, those = next((word, those) for word, those in makes.items() if those)
        judges = [role for role in self.players[player] if self.roles[role] == "discriminator"]
        others = one_of([p for p, rs in self.players.items() if those & set(rs)])
        remedy = f"Let them learn together in 'players', or give the term to {others}"
        if judges and word.partition("@")[2]:
            remedy = f"Add judge: ROLE, which is {one_of(judges)}"
        what = (
            f"{name} reads '{word.partition('@')[0]}', which has no gradient for player "
            f"'{player}': {one_of(sorted(those))} of player {others} makes it. {remedy}."
        )
        self.problems.add(term.at, path, what)

    def _check_trained(self) -> None:
        """Note every role beside the usual two that no term trains."""
        for player, roles in self.players.items():
            for role in roles:
                if role in PLAYERS or role in self.learners:
                    continue
                what = f"nothing trains '{role}': no term of player '{player}' depends on it"
                if player == role:
                    what += f". Give it terms in a stage, {role}: [...], or a place in 'players'"
                self.problems.add(self.scope.networks[role].name_at, self.scope.path_of(role), what)
