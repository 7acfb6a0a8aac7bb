"""Write the reference from the source: hooks, kinds, words, commands, errors."""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from myst import code, fence, label, link, needs, page, prose, table, toctree
from typer.main import get_command

from ganzoo import errors, hookspecs, interfaces
from ganzoo.cli import command_line
from ganzoo.formats.yaml import flow
from ganzoo.interfaces import ObservedRun
from ganzoo.plugins.manager import HOOKS, Plugins
from ganzoo.plugins.registry import KINDS, Registration, Registry
from ganzoo.plugins.signature import COMPUTED, REQUIRED, Parameter, Signature, read_signature
from ganzoo.recipe import vocabulary
from ganzoo.recipe.grammar import FROM_DATASET, NETWORK_KINDS
from ganzoo.recipe.language import Key
from ganzoo.recipe.language import keys as recipe_keys
from ganzoo.testing import contracts

#: what a kind's class inherits from, or its methods return
_BESIDE = {"generator": "Conditional", "detector": "Box", "importer": "Imported"}


def pages(plugins: Plugins) -> dict[str, str]:
    """Return every page by its path."""
    registry = plugins.registry
    return {
        "reference/hooks.md": _hooks(),
        **{f"reference/hooks/{hook}.md": _hook(hook, plugins) for hook in HOOKS},
        "reference/kinds.md": _kinds(registry),
        **{f"reference/kinds/{kind}.md": _kind(kind, plugins) for kind in KINDS},
        "reference/recipe-keys.md": _keys(),
        "reference/vocabulary.md": _vocabulary(registry),
        "reference/command-line.md": _command_line(plugins),
        "reference/errors.md": _errors(),
    }


# -- hooks


def _hooks() -> str:
    rows = [[f"[`{hook}`](#hook-{_dashed(hook)})", _summary(_spec(hook))] for hook in HOOKS]
    return page(
        "Hooks",
        prose(inspect.getdoc(hookspecs) or ""),
        "Each page has the least that implements a hook. An argument that you do not need can be "
        "left out.",
        f"This is version {hookspecs.VERSION} of the hooks.",
        table(["hook", "what for"], rows),
        "## What a run tells",
        "Observers are given the run: `run.recipe` is what is trained, `run.step` how far it is.",
        table(["property", "what it is"], _properties(ObservedRun)),
        toctree(f"hooks/{hook}" for hook in HOOKS),
    )


def _properties(cls: type) -> Iterator[list[str]]:
    for name, found in vars(cls).items():
        if isinstance(found, property) and not name.startswith("_"):
            yield [code(f"run.{name}"), prose(inspect.getdoc(found) or "")]


def _hook(hook: str, plugins: Plugins) -> str:
    kind = _kind_of(hook)
    users = ", ".join(code(p.origin.plugin) for p in plugins.plugins if hook in p.hooks)
    text = page(
        hook,
        fence("{eval-rst}", f".. autofunction:: ganzoo.hookspecs.{hook}"),
        f"**Called** {_when(hook)}",
        f"**What is added** is of {{doc}}`the kind {kind} <../kinds/{kind}>`." if kind else "",
        f"**Implemented by** the built-in plugins {users}." if users else "",
        "## The least that implements it",
        fence("python", example(hook)),
    )
    return f"(hook-{_dashed(hook)})=\n\n{text}"


def _when(hook: str) -> str:
    if hook == "register_commands":
        return "once, by the command line, before it reads its arguments."
    if hook.startswith("register_"):
        return (
            "once, when plugins are loaded, which every command does first: import nothing slow "
            "here. Call `register` once for each."
        )
    return (
        "while a recipe is trained, on the main process. An observer that raises is reported once "
        "and switched off; the training goes on."
    )


def example(hook: str) -> str:
    """Return the shortest implementation of a hook."""
    arguments = ", ".join(inspect.signature(_spec(hook)).parameters)
    head = f"@hookimpl\ndef {hook}({arguments}):\n    "
    if kind := _kind_of(hook):
        body = f'register("acme", "ganzoo_acme.{kind}:Acme{kind.capitalize()}")'
    elif hook == "register_recipes":
        body = 'register("acme", Path(__file__).parent / "acme.yaml")'
    elif hook == "register_benchmarks":
        body = 'register("acme-32", Path(__file__).parent / "acme-32.yaml")'
    elif hook == "register_commands":
        body = '@cli.command()\n    def acme():\n        """Say hello."""\n        print("hello")'
    else:
        shown = [name for name in arguments.split(", ") if name != "run"]
        body = f"print(run.recipe.name, {', '.join(shown) or 'run.step'})"
    path = "from pathlib import Path\n\n" if "Path(" in body else ""
    return f"{path}from ganzoo import hookimpl\n\n\n{head}{body}\n"


def _spec(hook: str) -> Any:
    return getattr(hookspecs, hook)


def _kind_of(hook: str) -> str | None:
    """Return the kind of component that a hook adds."""
    kind = hook.removeprefix("register_").removesuffix("es" if hook.endswith("sses") else "s")
    return kind if kind in KINDS else None


# -- kinds


def _kinds(registry: Registry) -> str:
    rows = [
        [
            f"{{doc}}`{kind} <kinds/{kind}>`",
            _summary(_base(kind)),
            ", ".join(map(link, registry.entries(kind))),
        ]
        for kind in KINDS
    ]
    return page(
        "Kinds of components",
        prose(inspect.getdoc(interfaces) or ""),
        table(["kind", "what it is", "built in"], rows),
        toctree(f"kinds/{kind}" for kind in KINDS),
    )


def _kind(kind: str, plugins: Plugins) -> str:
    base = _base(kind)
    (hook,) = (hook for hook in HOOKS if _kind_of(hook) == kind)
    classes = [base.__name__, *filter(None, [_BESIDE.get(kind)])]
    auto = [
        f".. autoclass:: ganzoo.interfaces.{name}\n"
        "   :members:\n   :undoc-members:\n   :show-inheritance:\n"
        "   :special-members: __len__, __getitem__, __call__\n"
        for name in classes
    ]
    entries = list(plugins.registry.entries(kind))
    rows = [
        [link(e), code(e.origin.plugin), prose(read_signature(e.target).summary)] for e in entries
    ]
    return page(
        kind.capitalize(),
        f"Added by the hook [`{hook}`](#hook-{_dashed(hook)}).",
        fence("{eval-rst}", "\n".join(auto)),
        "## What is tested",
        "What `ganzoo plugins check` and `ganzoo.testing` try, each where it applies:",
        "\n".join(f"- {prose(promise)}" for promise in _promises(kind, plugins)),
        "## Built in",
        table(["name", "plugin", "what it is"], rows),
        *(_component(entry, base) for entry in entries),
    )


def _promises(kind: str, plugins: Plugins) -> dict[str, None]:
    """List the contracts of the built-in components of a kind."""
    names = [p.origin.plugin for p in plugins.plugins if kind in {e.kind for e in p.entries}]
    found = [contract for name in names for contract in contracts(name, plugins)]
    return {c.promise: None for c in found if c.component.startswith(f"{kind} ")}


def _component(entry: Registration, base: type) -> str:
    signature = read_signature(entry.target)
    says = [
        f"{code(method)} reads {needs(words)}" for method, words in signature.methods.items()
    ] + list(_declared(signature, base))
    rows = [
        [code(p.name), p.type.describe(), _default(entry.kind, p), prose(p.help)]
        for p in signature.parameters
    ]
    return "\n\n".join(
        filter(
            None,
            [
                f"({label(entry)})=\n### {entry.name}",
                prose(signature.doc.partition("\nArgs:")[0].strip()),
                table(["argument", "type", "default", "what it is"], rows) or "No arguments.",
                "\n".join(f"- {line}" for line in says),
            ],
        )
    )


def _declared(signature: Signature, base: type) -> Iterator[str]:
    """Yield the class attributes that differ from their kind's defaults."""
    for name in inspect.get_annotations(base):
        value = signature.attributes.get(name)
        if value is not None and value != getattr(base, name, None):
            yield f"{code(name)} is {code(flow(value))}"


def _default(kind: str, parameter: Parameter) -> str:
    if kind in NETWORK_KINDS and parameter.name in FROM_DATASET:
        return "the dataset's"
    if parameter.default in (REQUIRED, COMPUTED):
        return "required" if parameter.default is REQUIRED else "computed"
    return code(flow(parameter.default))


# -- keys, words, commands, errors


def _keys() -> str:
    words = ("", "required")  # a narrow column breaks code anywhere, and a word nowhere
    rows = [
        [
            code(key.path),
            key.type,
            key.default if key.default in words else code(key.default),
            _meaning(key),
        ]
        for key in recipe_keys()
    ]
    return page(
        "Every key of a recipe",
        "`ganzoo recipe explain KEY` prints the same, with the arguments of components. In a path, "
        "`[]` is any item of a list and `NAME` a name of your own. {doc}`The recipe language "
        "<../recipe-language>` explains by example.",
        table(["key", "type", "default", "what it is"], rows),
    )


def _meaning(key: Key) -> str:
    example = f" For example {code(key.example)}." if key.example else ""
    of = f" Of {', '.join(key.of)}." if key.of else ""
    return prose(key.help) + example + of


def _vocabulary(registry: Registry) -> str:
    readers: defaultdict[str, list[Registration]] = defaultdict(list)
    for kind in KINDS:
        for entry in registry.entries(kind):
            methods = read_signature(entry.target).methods if kind != "transform" else {}
            for word in dict.fromkeys(word for words in methods.values() for word, _ in words):
                readers[word].append(entry)
    rows = [
        [code(word), ", ".join(f"{entry.kind} {link(entry)}" for entry in readers[word])]
        for word in sorted(readers)
    ]
    return page(
        "Vocabulary",
        prose(inspect.getdoc(vocabulary) or ""),
        "## Who reads what",
        "The built-in components; an evaluator's words are those of its streams.",
        table(["word", "read by"], rows),
    )


def _command_line(plugins: Plugins) -> str:
    cli = get_command(command_line(plugins))
    return page("Command line", prose(cli.help or ""), *_commands(cli, "ganzoo"))


def _commands(group: Any, name: str) -> Iterator[str]:
    for verb, command in group.commands.items():
        whole = f"{name} {verb}"
        context = command.make_context(whole, [], resilient_parsing=True)
        records = (parameter.get_help_record(context) for parameter in command.params)
        rows = [[code(left), prose(right)] for left, right in filter(None, records)]
        yield f"## {whole}"
        yield fence("text", command.get_usage(context).removeprefix("Usage: "))
        yield prose(inspect.cleandoc(command.help or ""))
        yield table(["argument or option", "what it does"], rows)
        if hasattr(command, "commands"):
            yield from _commands(command, whole)


def _errors() -> str:
    found = filter(inspect.isclass, vars(errors).values())
    classes = [cls for cls in found if issubclass(cls, errors.GanzooError)]
    rows = [[f"`{cls.__name__}`", str(cls.exit_code), _summary(cls)] for cls in classes]
    codes = [
        ["0", "It is done."],
        ["1", "It failed, or, of `diagnose`, `verify` and `plugins check`, something was found."],
        ["2", "A mistake in what was asked for; nothing was done."],
        ["130", "Ctrl-C or SIGTERM stopped it; training says how to go on."],
    ]
    return page(
        "Errors and exit codes",
        prose(inspect.getdoc(errors) or ""),
        table(["exit code", "meaning"], codes),
        table(["error", "exit code", "what it is"], rows),
    )


def _base(kind: str) -> type:
    base: type = getattr(interfaces, kind.capitalize())
    return base


def _summary(documented: Any) -> str:
    return prose((inspect.getdoc(documented) or "").partition("\n")[0])


def _dashed(hook: str) -> str:
    return hook.replace("_", "-")
