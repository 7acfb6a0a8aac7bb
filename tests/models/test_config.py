"""``config.json``: what is written is read, format 1 too, and all else is refused by its key."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

import jsonschema
import pytest
from configs import noise, painter

from ganzoo.errors import RunError
from ganzoo.models import config
from ganzoo.models.config import Config, Network, View, json_schema, read, text
from ganzoo.models.framing import Framing

ROOT = Path(__file__).parents[2]


def plain(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text(noise()))
    return found | changes


def written(folder: Path, data: Any) -> Path:
    path = folder / config.FILE
    content = data if isinstance(data, bytes) else json.dumps(data).encode()
    path.write_bytes(content)
    return path


def refusal(folder: Path, data: Any) -> str:
    with pytest.raises(RunError) as caught:
        read(written(folder, data))
    return str(caught.value)


@pytest.mark.parametrize("made", [noise(), painter()])
def test_what_is_written_is_read(tmp_path: Path, made: Config) -> None:
    path = written(tmp_path, text(made).encode())
    assert read(path) == made
    assert text(read(path)) == text(made)
    assert next(iter(json.loads(text(made)))) == "ganzoo_format"
    jsonschema.validate(json.loads(text(made)), json_schema())


def test_what_makes_the_generators_words_is_kept(tmp_path: Path) -> None:
    encoder = Network("words", {"vocabulary": ["pink"]}, "text", "ganzoo", "0.1.0", "encoder")
    view = View("encoder", {"text": "text"})
    made = replace(noise(), networks={"encoder": encoder}, views={"meaning": view})
    path = written(tmp_path, text(made).encode())
    assert read(path) == made
    assert json.loads(text(made))["ganzoo_format"] == 5
    jsonschema.validate(json.loads(text(made)), json_schema())
    assert "views" not in json.loads(text(noise()))


@pytest.mark.parametrize("kind", ["discriminator", None])
def test_a_view_of_what_draws_nothing_is_refused(tmp_path: Path, kind: Any) -> None:
    other = Network("words", {}, "text", "ganzoo", "0.1.0", kind or "encoder")
    networks = {"encoder" if kind else "other": other}
    made = replace(noise(), networks=networks, views={"meaning": View("encoder", {})})
    assert "views.meaning.apply" in refusal(tmp_path, json.loads(text(made)))


def test_how_faces_were_cropped_is_kept(tmp_path: Path) -> None:
    face = Framing(128, (0.4, 0.45), (0.6, 0.45), (0.5, 0.7))
    made = replace(painter(), face=face)
    path = written(tmp_path, text(made).encode())
    assert read(path).face == face
    assert json.loads(text(made))["ganzoo_format"] == 4
    jsonschema.validate(json.loads(text(made)), json_schema())
    assert "face" not in json.loads(text(painter()))
    flat = replace(made, face=replace(face, right_eye=face.left_eye, mouth=face.left_eye))
    assert "face" in refusal(tmp_path, json.loads(text(flat)))


def test_how_much_larger_the_output_is_is_kept(tmp_path: Path) -> None:
    made = replace(painter(), output=replace(painter().output, scale=4))
    path = written(tmp_path, text(made).encode())
    assert read(path).output.scale == 4
    assert json.loads(text(made))["ganzoo_format"] == 5
    jsonschema.validate(json.loads(text(made)), json_schema())
    assert "scale" not in json.loads(text(painter()))["output"]
    data = json.loads(text(made))
    data["output"]["scale"] = 0
    assert "output.scale" in refusal(tmp_path, data)
    assert read(written(tmp_path, data | {"ganzoo_format": 4})).output.scale == 1


def test_the_schema_that_is_shipped_is_that_of_the_code() -> None:
    shipped = json.loads((ROOT / "ganzoo/models/model.schema.json").read_text(encoding="utf-8"))
    assert shipped == json_schema()
    jsonschema.Draft202012Validator.check_schema(shipped)


# -- format 1 -----------------------------------------------------------------------------------


def old(**changes: Any) -> dict[str, Any]:
    """A config as ganzoo wrote it before there was a format 2."""
    data = plain(ganzoo_format=1, input="noise")
    for key in ("discriminator", "plugins", "files", "licences"):
        del data[key]
    return data | changes


def test_format_1_is_upgraded(tmp_path: Path) -> None:
    found = read(written(tmp_path, old()))
    assert found.ganzoo_format == 2
    assert (found.input.kind, found.input.words, found.input.size) == (
        "noise",
        ["latent", "label"],
        None,
    )
    assert (found.plugins, found.files, found.discriminator) == ({"ganzoo": "0.1.0"}, {}, None)
    assert found.licences == config.Licences(None, None, None)
    assert (found.generator, found.training) == (noise().generator, noise().training)
    assert read(written(tmp_path, old(labels=None))).input.words == ["latent"]


@pytest.mark.parametrize("size", [None, 64])
def test_format_1_of_a_translator_is_upgraded(tmp_path: Path, size: int | None) -> None:
    output = plain()["output"] | {"size": size}
    found = read(written(tmp_path, old(input="image", labels=None, output=output)))
    assert (found.input.kind, found.input.words, found.input.size) == ("image", ["photo"], size)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"generator": "dcgan"}, "generator, input or output"),
        ({"generator": {"use": "dcgan"}}, "generator.arguments: missing"),
        ({"input": "sound"}, "generator, input or output"),
        ({"input": ["noise"]}, "generator, input or output"),
        ({"output": None}, "generator, input or output"),
        ({"generator": plain()["generator"] | {"distribution": []}}, "generator.distribution"),
        ({"extra": 1}, "extra: unknown key"),
        ({"training": None}, "training: expected a mapping"),
    ],
)
def test_a_broken_format_1_is_refused(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    assert told in refusal(tmp_path, old(**changes))


# -- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize("version", [config.FORMAT + 1, 99, 10**30])
def test_a_newer_format_is_refused_with_the_way_out(tmp_path: Path, version: int) -> None:
    said = refusal(tmp_path, {"ganzoo_format": version, "whatever": "is new"})
    assert f"{tmp_path} has model format {version}" in said
    assert f"reads up to {config.FORMAT}" in said
    assert "pip install --upgrade ganzoo" in said


@pytest.mark.parametrize("version", [0, -1, True, "2", 2.0, [2]])
def test_a_format_that_is_none_is_refused(tmp_path: Path, version: Any) -> None:
    assert f"ganzoo_format: expected 1 to {config.FORMAT}" in refusal(
        tmp_path, plain(ganzoo_format=version)
    )


def test_a_config_of_another_library_is_refused(tmp_path: Path) -> None:
    said = refusal(tmp_path, {"model_type": "bert", "hidden_size": 768})
    assert "ganzoo_format: missing" in said
    assert "not from ganzoo" in said


def test_what_is_no_json_mapping_is_refused(tmp_path: Path) -> None:
    assert "not JSON" in refusal(tmp_path, b"\x80\x04\x95")
    assert f"more than {config.MAX_BYTES} bytes" in refusal(tmp_path, b" " * (config.MAX_BYTES + 1))


Change = Callable[[dict[str, Any]], object]
BROKEN: list[tuple[Change, str]] = [
    (lambda d: d.pop("generator"), "generator: missing"),
    (lambda d: d["generator"].update(use="../x/y"), "generator.use: expected the name"),
    (lambda d: d["generator"].update(distribution="x --index-url y"), "generator.distribution"),
    (lambda d: d["generator"].update(version="1; rm"), "generator.version: expected a version"),
    (lambda d: d["generator"].update(plugin="\x1b[31m"), "generator.plugin: control character"),
    (lambda d: d.update(discriminator={}), "discriminator.use: missing"),
    (lambda d: d.update(input="noise"), "input: expected a mapping, not 'noise'"),
    (lambda d: d["input"].update(kind="nois"), "input.kind: expected one of noise, image, not"),
    (lambda d: d["input"].update(size=0), "input.size: expected an integer of at least 1"),
    (lambda d: d["output"].update(channels=1), "output: expected 3 channels"),
    (lambda d: d["output"].update(range=[0, 1]), "output: expected 3 channels"),
    (lambda d: d.update(plugins={"$(id)": "1"}), "plugins.$(id): expected the name"),
    (lambda d: d["files"]["model.safetensors"].update(sha256="0"), "model.safetensors.sha256: exp"),
    (lambda d: d["licences"].update(data=""), "licences.data: expected some text"),
    (lambda d: d["training"].update(recipe="a\x00"), "training.recipe: control character U+0000"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "told"), BROKEN, ids=[told for _, told in BROKEN])
def test_what_is_wrong_is_told_with_its_key(tmp_path: Path, change: Change, told: str) -> None:
    data = plain()
    change(data)
    said = refusal(tmp_path, data)
    assert said.startswith(f"{tmp_path / config.FILE} is no model's config: ")
    assert told in said
    assert "\n" not in said


def test_a_config_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"config\.json cannot be read: "):
        read(tmp_path / config.FILE)


# -- the page -----------------------------------------------------------------------------------


def keys(kind: Any) -> set[str]:
    """Every key of a dataclass and of those inside of it."""
    found = set()
    hints = get_type_hints(kind)
    for field in fields(kind):
        inner = [hints[field.name], *get_args(hints[field.name])]
        found |= {field.name}.union(*(keys(one) for one in inner if is_dataclass(one)))
    return found


def test_the_page_tells_of_every_key_and_file() -> None:
    page = (ROOT / "docs/model-folder.md").read_text(encoding="utf-8")
    told = {name for code in re.findall(r"`([^`]+)`", page) for name in code.split(".")}
    assert keys(Config) <= told
    for name in (*config.WEIGHTS.values(), config.FILE, "recipe.yaml", "samples.png", "README.md"):
        assert f"| `{name}` |" in page
    assert f"| `ganzoo_format` | `{config.FORMAT}`, or less |" in page
    assert "ganzoo/models/model.schema.json" in page
