"""Write the JSON Schema of recipes for editors, with every installed component.

It is the part of the grammar that a schema can express.  Keys that a recipe may inherit by
``extends`` are not required, and needs between components are left to ``ganzoo recipe check``.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from ganzoo.errors import GanzooError
from ganzoo.formats.yaml import parse
from ganzoo.plugins.registry import Registry
from ganzoo.plugins.signature import COMPUTED, REQUIRED, Parameter
from ganzoo.recipe import grammar
from ganzoo.recipe.grammar import NETWORK_KINDS, OPTIMIZERS, PLAYERS, Table

Schema = dict[str, Any]
_KINDS = ("dataset", *PLAYERS, "transform", "extractor")
_ROLE = "^[a-z][a-z0-9_]*$"


def schema(registry: Registry) -> Schema:
    """Return a JSON Schema (draft 2020-12) of recipes built from the components in ``registry``."""
    required = [name for name, p in grammar.TOP.items() if p.default is REQUIRED]
    sections = _sections()
    weight = {"weight": _schedule(grammar.WEIGHT, grammar.SCHEDULE)}
    rate = {"lr": _schedule(grammar.LR, grammar.RATE_SCHEDULE)}
    optimizers = {use: _properties(table) for use, table in OPTIMIZERS.items()}
    player = _by_use(optimizers, rate)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "ganzoo recipe",
        "type": "object",
        "properties": _properties(grammar.TOP)
        | {
            name: sections[name]
            | {"description": text, "examples": [_example(grammar.SECTION_EXAMPLES[name])]}
            for name, text in grammar.SECTIONS.items()
        },
        "additionalProperties": False,
        "if": {"not": {"required": ["extends"]}},
        "then": {
            "required": [*required, *(n for n in grammar.REQUIRED_SECTIONS if n != "generator")],
            "anyOf": [
                {"required": ["generator"]},
                {
                    "required": ["networks"],
                    "properties": {"networks": {"required": ["generator"]}},
                },
            ],
            "properties": {
                name: {"required": ["use"]} for name in ("dataset", "generator", "optimizer")
            },
        },
        "$defs": {kind: _component(kind, registry) for kind in _KINDS}
        | {
            **{
                f"network-{kind}": _component(
                    kind, registry, {"kind": {"const": kind, "description": "The kind."}}
                )
                for kind in NETWORK_KINDS
            },
            "network": _network(),
            "view": {
                "if": {"required": ["apply"]},
                "then": _section(grammar.APPLICATION),
                "else": _component("transform", registry, _properties(grammar.VIEW)),
            },
            "term": _component("loss", registry, weight | _properties(grammar.TERM))
            | {"required": ["use"]},
            "stage": _stage(),
            "optimizer": _by_use(optimizers, rate | dict.fromkeys(PLAYERS, player), others=player),
        },
    }


def _sections() -> Schema:
    """Return the schema of every section of the top level."""
    sections: Schema = {
        "extends": {"type": "string"},
        "dataset": _ref("dataset"),
        "generator": _ref("generator"),
        "discriminator": _or_null(_ref("discriminator")),
        "networks": {
            "type": "object",
            "propertyNames": {"pattern": _ROLE},
            "properties": {kind: _or_null(_ref(f"network-{kind}")) for kind in NETWORK_KINDS},
            "additionalProperties": _or_null(_ref("network")),
        },
        "players": {
            "type": "object",
            "propertyNames": {"pattern": _ROLE},
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        },
        "optimizer": _ref("optimizer"),
        "ema": _or_null(_section(grammar.EMA), grammar.EMA["decay"].type.json_schema()),
        "augment": _or_null(_ref("transform")),
        "views": {"type": "object", "additionalProperties": _ref("view")},
        "extractors": {"type": "object", "additionalProperties": _ref("extractor")},
        "stages": {"type": "array", "minItems": 1, "items": _ref("stage")},
    } | {name: _section(table) for name, table in grammar.PLAIN_SECTIONS.items()}
    return sections | {name: _or_null(_section(t)) for name, t in grammar.MEASURING.items()}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _or_null(*options: Schema) -> Schema:
    return {"anyOf": [*options, {"type": "null"}]}


def _example(text: str) -> Any:
    return parse(text, "an example").plain()


def _properties(table: Mapping[str, Parameter]) -> Schema:
    properties = {}
    for name, parameter in table.items():
        properties[name] = schema = parameter.type.json_schema()
        if parameter.help:
            schema["description"] = parameter.help
        if parameter.example:
            schema["examples"] = [_example(parameter.example)]
        default = parameter.default
        if default is not REQUIRED and default is not COMPUTED:
            schema["default"] = list(default) if isinstance(default, tuple) else default
    return properties


def _section(table: Table) -> Schema:
    required = [name for name, p in table.items() if p.default is REQUIRED]
    return {
        "type": "object",
        "properties": _properties(table),
        "additionalProperties": False,
        "required": required,
    }


def _by_use(choices: Mapping[str, Schema], common: Schema, others: Schema | bool = False) -> Schema:
    """Build an object whose other keys depend on ``use``; ``common`` keys always fit.

    Without ``use``, when it may be inherited, the keys of any choice are offered.  ``others`` is
    the schema of keys by names that the recipe chooses, if there may be any.
    """
    use = {"enum": list(choices), "description": "Which one."}
    every: Schema = {}
    for properties in choices.values():
        every |= dict.fromkeys(properties, True)
    cases = [
        {
            "if": {"properties": {"use": {"const": name}}, "required": ["use"]},
            "then": {
                "properties": {"use": True} | properties | dict.fromkeys(common, True),
                "additionalProperties": others,
            },
        }
        for name, properties in choices.items()
    ]
    result: Schema = {
        "type": "object",
        "properties": every | common | {"use": use},
        "additionalProperties": others,
    }
    return result | ({"allOf": cases} if cases else {})  # a schema allows no empty list


def _component(kind: str, registry: Registry, common: Schema | None = None) -> Schema:
    signatures = {}
    for name in registry.names(kind):
        with suppress(GanzooError):  # `ganzoo plugins` reports it
            signatures[name] = registry.get(kind, name).signature
    choices = {name: _properties(s.by_name) for name, s in signatures.items()}
    result = _by_use(choices, common or {})
    for case, signature in zip(result.get("allOf", ()), signatures.values(), strict=True):
        case["then"]["description"] = signature.summary
    return result


def _schedule(parameter: Parameter, ends: Table) -> Schema:
    either = {"anyOf": [parameter.type.json_schema(), _section(ends)]}
    return {
        **either,
        "description": parameter.help,
        "examples": [_example(parameter.example)],
    }


def _network() -> Schema:
    """Build a network of the stated ``kind``; of any kind if that may be inherited."""
    cases = [
        {
            "if": {"properties": {"kind": {"const": kind}}, "required": ["kind"]},
            "then": _ref(f"network-{kind}"),
        }
        for kind in NETWORK_KINDS
    ]
    return {"type": "object", "properties": _properties(grammar.NETWORK), "allOf": cases}


def _stage() -> Schema:
    stage = _section(grammar.STAGE)
    terms = {"type": "array", "items": _ref("term")}
    stage["additionalProperties"] = terms  # of players by other names
    sections = dict.fromkeys(PLAYERS, terms) | {"optimizer": _ref("optimizer")}
    for name, description in grammar.STAGE_SECTIONS.items():
        example = _example(grammar.STAGE_EXAMPLES[name])
        stage["properties"][name] = sections[name] | {
            "description": description,
            "examples": [example],
        }
    return stage
