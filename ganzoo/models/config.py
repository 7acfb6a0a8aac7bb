"""``config.json`` of a model folder: how to build the generator, and where it comes from.

The dataclasses are the format; older versions can be read too.  ``docs/model-folder.md``
describes the other files.  Nothing here, or anywhere in a model folder, can run code: names are
looked up in the registry, and arguments are plain data.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge

from ganzoo.errors import RunError
from ganzoo.formats import json as formats
from ganzoo.formats.json import Count, Sha256, SomeText, Wrong, parse, typed
from ganzoo.formats.types import Pattern, written
from ganzoo.models.framing import Framing
from ganzoo.plugins.registry import Registration

#: the newest format; a model is written in the oldest that can hold it, see ``ganzoo_format``
FORMAT = 5
FILE = "config.json"
WEIGHTS = {"generator": "model.safetensors", "discriminator": "discriminator.safetensors"}
MAX_BYTES = 1_000_000

#: a Python distribution's name, which is put into an install line
Distribution = Annotated[
    str, Pattern(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,98}[A-Za-z0-9])?", "the name of a distribution")
]
Version = Annotated[str, Pattern(r"[A-Za-z0-9.!+_-]{1,60}", "a version")]
UseName = Annotated[
    str, Pattern(r"[A-Za-z0-9_.-]{1,80}(/[A-Za-z0-9_.-]{1,80})?", "the name of a component")
]
#: a network's role, and the name of its file
Role = Annotated[str, Pattern(r"[a-z][a-z0-9_]{0,40}", "a role: lowercase letters, digits and _")]
Side = Annotated[int, Ge(1)]


@dataclass(frozen=True)
class Part:
    """A network: its registered name, its constructor's arguments, and its plugin."""

    use: UseName
    arguments: dict[str, Any]
    plugin: SomeText
    distribution: Distribution
    version: Version


@dataclass(frozen=True)
class Network(Part):
    """A network beside the generator and its discriminator, of a registered ``kind``."""

    kind: Literal["generator", "discriminator", "encoder"]


@dataclass(frozen=True)
class View:
    """A word that the network of a role makes of other words, by parameter of its ``forward``."""

    apply: Role
    to: dict[SomeText, SomeText]


@dataclass(frozen=True)
class Input:
    """The generator's input: its ``words``, and for images the size, or None for any."""

    kind: Literal["noise", "image"]
    words: list[SomeText]
    size: Side | None


@dataclass(frozen=True)
class Output:
    """Images (N, ``channels``, H, W) in ``range``.

    ``size`` is None if it is ``scale`` times that of the input.
    """

    size: Side | None
    channels: int
    range: list[float]
    order: SomeText
    scale: Side = 1

    def sides(self, any_size: str = "any size") -> str:
        """Say how large the images are."""
        if self.size:
            return f"{self.size}x{self.size}"
        return any_size if self.scale == 1 else f"{self.scale} times the input's size"


@dataclass(frozen=True)
class File:
    """A file of weights."""

    sha256: Sha256
    bytes: Count
    parameters: Count


@dataclass(frozen=True)
class Licences:
    """SPDX identifiers or addresses; unknown is None."""

    code: SomeText | None
    weights: SomeText | None
    data: SomeText | None


@dataclass(frozen=True)
class Config:
    """``config.json``: format 5 if there are ``views``, or the output is larger than the input.

    Otherwise it is 4 if there is a ``face``, 3 if there are ``networks``, else 2.

    ``networks`` are those by role beside the two that have keys of their own.  Weights of those
    that make images or codes are in ``ROLE.safetensors``.

    ``discriminator`` is what the generator was trained against, None if unknown; its weights need
    not be there.  ``plugins`` are the distributions that the networks need, with the versions that
    made them.  ``files`` are those of weights, empty in folders of format 1.  ``training`` holds
    the recipe, steps, images, seconds, data and environment, or the import's source.
    ``views`` are the words of the generator that others of the ``networks`` make, as a text's code.
    ``face`` says how the photos of faces that it was trained on were cropped, None if unknown.
    """

    generator: Part
    discriminator: Part | None
    input: Input
    output: Output
    labels: dict[str, list[str]] | None
    plugins: dict[Distribution, Version]
    files: dict[str, File]
    licences: Licences
    training: dict[str, Any]
    networks: dict[Role, Network] = field(default_factory=dict)
    face: Framing | None = None
    views: dict[SomeText, View] = field(default_factory=dict)

    @property
    def ganzoo_format(self) -> int:
        """The oldest format that can hold this."""
        if self.views or self.output.scale > 1:
            return 5
        if self.face:
            return 4
        return 3 if self.networks else 2


def text(config: Config) -> str:
    data = {"ganzoo_format": config.ganzoo_format} | asdict(config)
    for key in ("networks", "face", "views"):
        if not data[key]:
            del data[key]
    if config.output.scale == 1:
        del data["output"]["scale"]
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def read(path: Path) -> Config:
    """Read the config in the file ``path``.

    Raises RunError, with the key and what is allowed, if the config is invalid or of a newer
    format.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        return _checked(parse(content, "a model's config", MAX_BYTES), path)
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror or error}") from error
    except Wrong as wrong:
        raise RunError(f"{path} is no model's config: {wrong}") from None


def _checked(data: dict[str, Any], path: Path) -> Config:
    version = data.get("ganzoo_format")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise Wrong(
            "ganzoo_format: missing, so it is not from ganzoo: `ganzoo search` lists models"
            if version is None
            else f"ganzoo_format: expected 1 to {FORMAT}, not {written(version)}"
        )
    if version > FORMAT:
        raise RunError(
            f"{path.parent} has model format {version}; this ganzoo reads up to {FORMAT}. "
            "Update ganzoo: pip install --upgrade ganzoo"
        )
    if version == 1:
        data = _from_1(data)
    data = {key: value for key, value in data.items() if key != "ganzoo_format"}
    for key, since, absent in (("networks", 3, {}), ("face", 4, None), ("views", 5, {})):
        if version < since or key not in data:
            data[key] = absent
    if isinstance(output := data.get("output"), dict):
        data["output"] = output | {"scale": output.get("scale", 1) if version >= 5 else 1}
    config: Config = typed(Config, data)
    if (config.output.channels, config.output.range) != (3, [-1, 1]):
        raise Wrong("output: expected 3 channels in the range [-1, 1]")
    if config.face and not config.face.is_usable:
        raise Wrong("face: expected eyes and mouth apart and near the crop, of at most 4096 pixels")
    for word, view in config.views.items():
        part = config.networks.get(view.apply)
        if part is None or part.kind == "discriminator":
            raise Wrong(f"views.{word}.apply: no generator or encoder '{view.apply}' in `networks`")
    return config


def _from_1(data: dict[str, Any]) -> dict[str, Any]:
    """Convert format 1, which had no plugins, files and licences, and only the input's kind."""
    old = dict(data)
    kind, labels = old.get("input"), old.get("labels")
    words = {"noise": ["latent"] + ["label"] * bool(labels), "image": ["photo"]}
    output = old.get("output")
    generator = old.get("generator")
    is_listed = isinstance(kind, str) and kind in words
    if not (is_listed and isinstance(generator, dict) and isinstance(output, dict)):
        raise Wrong("generator, input or output: missing, or not what format 1 has there")
    size = output.get("size") if kind == "image" else None
    return {
        "discriminator": None,
        "plugins": {str(generator.get("distribution")): generator.get("version")},
        "files": {},
        "licences": {"code": None, "weights": None, "data": None},
        **old,
        "input": {"kind": kind, "words": words[str(kind)], "size": size},
    }


def part(
    entry: Registration, use: str, arguments: Mapping[str, Any], kind: str | None = None
) -> Part | Network:
    """Describe a network for a config; give its ``kind`` if its role does not say it."""
    origin = entry.origin
    about = (use, dict(arguments), origin.plugin, origin.distribution, origin.version)
    return Network(*about, kind) if kind else Part(*about)  # type: ignore[arg-type]


def weights_file(role: str) -> str:
    """Name the file of a role's weights."""
    return WEIGHTS.get(role, f"{role}.safetensors")


def contradictions(config: Config) -> list[str]:
    """Find where a config contradicts its generator's own arguments.

    This needs no generator; ``model.load`` asks the generator itself.
    """
    arguments, lines = config.generator.arguments, []
    size, out = arguments.get("size"), config.output.size
    if out is not None and isinstance(size, int) and size != out:
        lines.append(f"output.size is {out}, and the generator's is {size}")
    if "label" in arguments and (arguments["label"] or None) != (config.labels or None):
        lines.append("labels are not those of the generator's arguments")
    return lines


def code_licence(distribution: str) -> str | None:
    """Return the licence that an installed distribution states, if it is one line."""
    try:
        facts = metadata(distribution)
    except PackageNotFoundError:
        return None
    lines = (facts[key] for key in ("License-Expression", "License") if key in facts)
    return next((line for line in lines if line and "\n" not in line), None)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of ``config.json``: ``model.schema.json``."""
    schema = formats.json_schema(Config, "config.json of a ganzoo model folder")
    schema["properties"]["ganzoo_format"] = {"enum": [2, 3, 4, FORMAT]}
    optional = ("networks", "face", "views")
    schema["required"] = [key for key in schema["required"] if key not in optional]
    schema["required"].append("ganzoo_format")
    schema["properties"]["output"]["required"].remove("scale")
    return schema
