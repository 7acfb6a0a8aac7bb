"""Reading constructors from source: types, bounds, helps, needs, inheritance; no torch."""

from __future__ import annotations

import math
import re
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import pytest
from annotated_types import Ge, Interval

from ganzoo.errors import PluginError
from ganzoo.plugins.signature import COMPUTED, REQUIRED, parameter, read_signature

Positive = Annotated[int, Ge(1)]
WIDTH = 64


class Base:
    """A base.

    Args:
        depth: how deep, over
            two lines.
    """

    fields: ClassVar = {"real": "image"}

    def __init__(self, depth: Positive = 2):
        self.depth = depth

    def forward(self, latent, label=None):
        return latent


class Derived(Base):
    """Derived in summary.

    And more.

    Args:
        width (int): how wide.
        where: a folder.
    """

    fields: ClassVar = {**Base.fields, "photo": "image"}

    def __init__(self, width: int = 2 * WIDTH, *, where: Path | None = None, **rest: Any):
        super().__init__(**rest)

    def generator(self, fake, photo, gray=None):
        return fake


def kind(annotation: str):
    return parameter("x", annotation).type


def test_reads_a_class_with_its_base():
    found = read_signature(Derived)
    assert found.summary == "Derived in summary."
    width, where, depth = found.parameters
    assert (width.name, width.default, width.help) == ("width", 128, "how wide.")
    assert (where.name, where.default, where.help) == ("where", None, "a folder.")
    assert (depth.name, depth.default, depth.help) == ("depth", 2, "how deep, over two lines.")
    assert str(depth.type.check(0)).endswith("at least 1, not 0")
    assert found.methods == {
        "forward": (("latent", True), ("label", False)),
        "generator": (("fake", True), ("photo", True), ("gray", False)),
    }
    assert found.attributes["fields"] == {"real": "image", "photo": "image"}


def test_reads_a_class_inside_a_function_and_a_dataclass():
    @dataclass
    class Local:
        """Local."""

        size: Literal[32, 64] = 64
        shared: ClassVar[int] = 3

    found = read_signature(Local)
    assert [(p.name, p.default) for p in found.parameters] == [("size", 64)]
    assert str(found.parameters[0].type.check(63)).endswith("32, 64, not 63")


def test_a_class_without_source_is_read_from_its_signature():
    space: dict[str, Any] = {"Annotated": Annotated, "Interval": Interval}
    exec(
        "class Made:\n"
        "  'Made.'\n"
        "  def __init__(self, p: Annotated[float, Interval(gt=0, le=1)] = 1): pass\n"
        "  def generator(self, fake): pass\n",
        space,
    )
    found = read_signature(space["Made"])
    assert found.methods == {"generator": (("fake", True),)}
    assert re.search("above 0 .*most 1, not 2", str(found.parameters[0].type.check(2)))


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package whose modules must not be imported: they raise."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(**modules: str) -> str:
        name = f"pkg_{abs(hash(tmp_path))}"
        (tmp_path / name).mkdir()
        for module, text in modules.items():
            path = tmp_path / name / f"{module}.py"
            path.write_text(textwrap.dedent(text) + "\nraise RuntimeError('imported')\n")
        return name

    return write


def test_follows_imports_without_importing(package):
    name = package(
        __init__="from .b import Child as Shown",
        a="""
            import typing as t
            from typing import Literal as L
            import torch.nn as nn
            from ganzoo.interfaces import Dataset, Loss
            Size = L[32, 64]
            class Parent(nn.Module, Loss):
                '''Parent.'''
                def __init__(self, size: "Size" = 32, names: t.List[str] = ()): ...
                def discriminator(self, real, real_logits): ...
            class Images(Dataset):
                '''Images.'''
        """,
        b="""
            from . import a as everything
            from .a import Size
            class Child(everything.Parent):
                '''Child.'''
                differentiates = ("real",)
                def __init__(self, one: Size, many: int = max(3, 4), **rest): ...
        """,
    )
    found = read_signature(f"{name}:Shown")
    assert [p.name for p in found.parameters] == ["one", "many", "size", "names"]
    one, many, size, names = found.parameters
    assert one.type.describe() == "one of 32, 64"
    assert one.default is REQUIRED
    assert many.default is COMPUTED
    assert size.type == one.type
    assert names.default == []
    assert found.methods == {"discriminator": (("real", True), ("real_logits", True))}
    assert found.attributes["differentiates"] == ("real",)
    assert read_signature(f"{name}.a:Images").attributes["fields"] == {"real": "image"}
    assert name not in sys.modules


def test_what_cannot_be_found_is_named(package):
    name = package(__init__="", a="class Thing: ...", broken="def")
    with pytest.raises(PluginError, match=r"class 'Thign', .*mean 'Thing'"):
        read_signature(f"{name}.a:Thign")
    with pytest.raises(PluginError, match="module 'no_such_module' cannot be found"):
        read_signature("no_such_module:Thing")
    with pytest.raises(PluginError, match=f"module '{name}.c' cannot be found"):
        read_signature(f"{name}.c:Thing")
    with pytest.raises(PluginError, match="broken' cannot be read: SyntaxError"):
        read_signature(f"{name}.broken:Thing")


@pytest.mark.parametrize(
    ("annotation", "good", "bad", "words"),
    [
        ("int", [0, -3], [True, 1.0, "1", None], "integer"),
        ("float", [0, 1.5, -2], [True, math.nan, math.inf, 10**400, "1"], "number"),
        ("bool", [True, False], [0, "yes", None], "true or false"),
        ("str", ["", "no"], [1, None, True], "text"),
        ("Path", ["/x", "a b"], [1, "", "\0"], "path"),
        ("None", [None], [0, ""], "null"),
        ("Literal['a', 2]", ["a", 2], ["b", 2.0, True], "one of a, 2"),
        ("list[float]", [[], [1, 2.5]], [[None], 1, "x", {}], "list of numbers"),
        ("Sequence[str]", [["a"]], [[1], "a"], "list of texts"),
        ("tuple[float, float]", [[1, 2]], [[1], [1, 2, 3], 1], "list of 2 numbers"),
        ("tuple[int, ...]", [[], [1]], [["a"]], "list of integers"),
        (
            "dict[str, list[int]]",
            [{"a": [1]}],
            [{"a": 1}, []],
            "mapping of names to lists of integers",
        ),
        ("list[Literal['a', 'b']]", [["a"]], [["c"]], "list of items, each one of a, b"),
        ("int | None", [1, None], ["a", 1.5], "integer or null"),
        ("Optional[str]", ["a", None], [1], "text or null"),
        ("Union[int, str]", [1, "a"], [None, 1.5], "integer or text"),
        ("Annotated[int, Ge(1)]", [1, 5], [0, "abc"], "integer of at least 1"),
        ("Annotated[float, Gt(0), Lt(1)]", [0.5], [0, 1], "number above 0 and below 1"),
        ("Annotated[float, Interval(ge=0, le=1)]", [0, 1], [-0.1, 1.1], None),
        ("Annotated[int | None, Ge(1)]", [None, 1], [0], "integer of at least 1 or null"),
        ("'int'", [1], ["a"], "integer"),
        ("list", [[1, "a"]], [1], "list"),
        ("torch.Tensor", [1, "a", None, [1]], [math.inf, [math.nan]], "anything"),
        ("Any", [1, {"a": [None]}], [{"a": math.inf}], "anything"),
    ],
)
def test_types(annotation, good, bad, words):
    found = kind(annotation)
    for value in good:
        assert found.check(value) is None
    for value in bad:
        assert found.check(value)
    assert words is None or found.describe() == words


def test_types_agree_with_their_json_schema():
    jsonschema = pytest.importorskip("jsonschema")
    for annotation, values in {
        "Annotated[int, Ge(1)]": [1, 0, "a", None],
        "tuple[float, float]": [[1, 2], [1], ["a", 1]],
        "Literal['a'] | None": ["a", "b", None],
        "dict[str, bool]": [{"a": True}, {"a": 1}, []],
    }.items():
        validator = jsonschema.Draft202012Validator(kind(annotation).json_schema())
        for value in values:
            assert validator.is_valid(value) == (kind(annotation).check(value) is None)


def test_complaints_say_what_and_where():
    few = str(kind("Annotated[int, Ge(1)]").check("abc"))
    assert re.search("integer .*least 1, not 'abc'", few)
    assert kind("list[int]").check([1, "x"]) == "[1]: expected an integer, not 'x'"
    papr = str(kind("Literal['paper', 'pytorch']").check("papr"))
    assert re.search("paper, pytorch, .*'papr', .*mean 'paper'", papr)
    assert kind("list[int] | None").check([None]) == "[0]: expected an integer, not null"


def test_conversion():
    assert kind("float").convert(3) == 3.0
    assert isinstance(kind("float").convert(3), float)
    assert kind("tuple[int, int]").convert([1, 2]) == (1, 2)
    assert kind("Path").convert("x") == str(Path("x").absolute())
    assert kind("Path").convert("~/x") == str(Path("~/x").expanduser())
    assert kind("list[Path] | None").convert(["x"]) == [str(Path("x").absolute())]
    assert kind("Any").convert({"a": (1, 2)}) == {"a": [1, 2]}


def test_a_default_is_always_allowed():
    found = parameter("x", "int", None)
    assert found.type.check(None) is None
    assert found.type.check("a")
    assert parameter("x", "float", 1).default == 1.0


def test_no_torch():
    code = (
        "import sys; from ganzoo.plugins.signature import read_signature;"
        "s = read_signature('ganzoo.interfaces:Dataset');"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
