"""Build a component under test, and make up its inputs."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ganzoo.errors import DataError, PluginError, RecipeError
from ganzoo.formats import containers
from ganzoo.formats.types import Choice, Number, Type
from ganzoo.interfaces import Extractor
from ganzoo.plugins.manager import Plugins, installed
from ganzoo.plugins.registry import Registration
from ganzoo.plugins.shipped import shipped_recipes
from ganzoo.plugins.signature import REQUIRED, Parameter, Signature, read_signature
from ganzoo.recipe.grammar import NETWORK_KINDS
from ganzoo.recipe.recipe import load_recipe
from ganzoo.recipe.recipe_types import Application, View
from ganzoo.recipe.scope import extractor_arguments
from ganzoo.testing.attempt import Unavailable, attempt
from ganzoo.testing.workspace import Workspace

#: attributes and values that conditional networks are built with
LABEL = {"hair": ["pink", "blue", "none"], "glasses": ["yes", "no"]}

#: how an author gives arguments, for messages
GIVEN = "contracts(..., arguments=...), or pytest_ganzoo_arguments() in conftest.py"

_NUMBERS = (1, 2, 0.5, 32)
_others = itertools.count(1)


@dataclass
class Subject:
    """One registered component, and what its contracts share.

    ``arguments`` are the author's, for constructors, by component; ``found_out`` holds results of
    one contract for the next.
    """

    entry: Registration
    plugins: Plugins
    workspace: Workspace
    arguments: Mapping[str, Mapping[str, Any]]
    found_out: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.entry.kind} {self.entry.name}"

    @property
    def read(self) -> Signature:
        """Its signature, read without importing it; raises PluginError if it cannot be read."""
        return read_signature(self.entry.target)

    @property
    def cls(self) -> Any:
        """The class itself; raises PluginError if it cannot be imported."""
        return self.entry.load()

    @property
    def is_sound(self) -> bool:
        """Whether it can be read and imported."""
        try:
            return bool(self.read and self.cls)
        except PluginError:
            return False

    @property
    def given(self) -> Mapping[str, Any]:
        """The author's arguments of the constructor."""
        return self.arguments.get(str(self), {})

    def needs(self, method: str) -> dict[str, bool]:
        """Return the words that a method reads, and whether each is required."""
        return dict(self.read.methods.get(method, ()))

    def parameter(self, name: str) -> Parameter | None:
        """Return a constructor's parameter."""
        return self.read.by_name.get(name)

    def build(self, salt: int = 0, **arguments: Any) -> Any:
        """Construct it with ``arguments``, the author's, and made-up required ones.

        Raises AssertionError if that fails, Unavailable if something is missing.
        """
        arguments |= {k: v for k, v in self.given.items() if k not in arguments}
        for parameter in self.read.parameters:
            if parameter.default is REQUIRED and parameter.name not in arguments:
                arguments[parameter.name] = made_up(parameter)
        if self.entry.kind in NETWORK_KINDS:
            arguments |= {
                name: Maps()
                for name in extractor_arguments(self.read)
                if arguments.get(name) is not None
            }
        text = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
        cls = self.cls
        seed(salt)

        def construct() -> Any:
            try:
                return cls(**arguments)
            except DataError as error:
                raise Unavailable(str(error)) from error

        return attempt(f"{cls.__name__}({text})", construct)

    @cached_property
    def fields(self) -> dict[str, str]:
        """Every field of some dataset, and its kind."""
        kinds: dict[str, str] = {}
        for entry in of_kind("dataset", self.plugins):
            try:
                kinds |= read_signature(entry.target).attributes.get("fields", {})
            except PluginError:
                continue
        return kinds

    @cached_property
    def views(self) -> dict[str, str]:
        """Every view of a shipped or registered recipe, and the word it reads."""
        registry = self.plugins.registry
        words: dict[str, str] = {}
        for path in shipped_recipes(registry).values():
            try:
                recipe = load_recipe(path, (), registry)
            except RecipeError:
                continue
            words |= {n: view.of for n, view in recipe.views.items() if isinstance(view, View)}
        return words

    @cached_property
    def codes(self) -> frozenset[str]:
        """Every word of a shipped or registered recipe that an encoder makes."""
        words: set[str] = set()
        for path in shipped_recipes(self.plugins.registry).values():
            try:
                recipe = load_recipe(path, (), self.plugins.registry)
            except RecipeError:
                continue
            roles = [role for role, one in recipe.networks.items() if one.kind == "encoder"]
            words |= {
                name
                for name, view in recipe.views.items()
                if isinstance(view, Application) and view.apply in roles
            }
        return frozenset(words)

    def siblings(self, kind: str) -> Iterator[Subject]:
        """Yield the components of one kind in the same plugin."""
        for entry in self.plugins.registry.entries(kind):
            if entry.origin == self.entry.origin:
                other = Subject(entry, self.plugins, self.workspace, self.arguments)
                if other.is_sound:
                    yield other


class Maps(Extractor):
    """An extractor of maps of three sizes, for networks that are handed one."""

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Maps (N, 5, H / 4, W / 4), (N, 6, H / 8, W / 8) and (N, 7, H / 16, W / 16)."""
        maps = {}
        for layer, channels in enumerate((5, 6, 7)):
            weight = noise(channels, 3, 3, 3, salt=layer).to(image)
            small = nn.functional.avg_pool2d(image, 4 << layer, ceil_mode=True)
            maps[f"stage{layer + 1}"] = nn.functional.conv2d(small, weight, padding=1)
        return maps


def of_kind(kind: str, plugins: Plugins) -> Iterator[Registration]:
    """Yield the components of these plugins, and of the installed ones."""
    for registry in dict.fromkeys((plugins.registry, installed().registry)):
        yield from registry.entries(kind)


def made_up(parameter: Parameter) -> Any:
    """Make up a value for a constructor's parameter; raises Unavailable if it cannot."""
    try:
        return parameter.type.convert(_example(parameter.type))
    except LookupError:
        raise Unavailable(
            f"its argument '{parameter.name}' ({parameter.type.describe()}) has no default, and "
            f"no value can be made up for it: give it one by {GIVEN}."
        ) from None


def _example(kind: Type) -> Any:
    """Return a plain value of a type; raises LookupError if there is none."""
    match kind:
        case Choice(values=values):
            return values[0]
        case containers.Union(options=options):
            return _example(options[0])
        case containers.Sequence(item=item, places=None):
            return [_example(item)]
        case containers.Sequence(places=tuple(places)):
            return [_example(place) for place in places]
        case containers.Mapping(item=item):
            return {"a": _example(item)}
        case Number(ge=ge, le=le):
            numbers = [n for n in (*_NUMBERS, ge, le) if n is not None]
            for number in numbers:
                if not kind.check(number):
                    return number
            raise LookupError
    return "somewhere"


def seed(number: int) -> None:
    """Seed torch's default generators; those that must not be used get another seed."""
    torch.manual_seed(number)
    other = next(_others)
    random.seed(other)
    np.random.seed(other)


def noise(*shape: int, salt: int = 0) -> Tensor:
    """Draw uniformly in [-1, 1]."""
    return torch.rand(shape, generator=torch.Generator().manual_seed(salt)) * 2 - 1


def labels(n: int, label: Mapping[str, Any] = LABEL) -> Tensor:
    """Draw indices int64 (n, A) of the values of ``label``."""
    return torch.tensor([[i % len(values) for values in label.values()] for i in range(n)])


def told(words: Mapping[str, Any]) -> str:
    """List words with the shapes of their values, for a message."""
    return ", ".join(
        f"{word} {tuple(value.shape)}" if isinstance(value, Tensor) else word
        for word, value in words.items()
    )


def tensors(value: object) -> Iterator[Tensor]:
    """Yield all tensors in dicts, lists and tuples."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from tensors(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from tensors(item)
