"""The model card: ``README.md`` of a model folder, for people and for the Hub.

Every push replaces ganzoo's keys of the metadata and the text between two marker lines; everything
else is its author's and stays.  Scores are in ``model-index`` and in ``.eval_results``, which
``claims.py`` writes and reads.  The formats are the Hub's:
https://huggingface.co/docs/hub/model-cards, https://huggingface.co/docs/hub/eval-results,
https://github.com/huggingface/hub-docs/blob/main/modelcard.md.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import Any

from ganzoo.errors import RecipeError, RunError
from ganzoo.evaluation.result import Entry
from ganzoo.formats import yaml
from ganzoo.formats.json import Wrong, typed
from ganzoo.formats.tree import Node
from ganzoo.formats.types import written
from ganzoo.hub.claims import RepoId, better, dump, foreign, result
from ganzoo.models.config import Config
from ganzoo.progress import duration
from ganzoo.text import md

START = "<!-- ganzoo: generated, do not edit between these lines -->"
END = "<!-- ganzoo: end -->"

_FRONT = re.compile(r"(\s*---(?:\r\n|\r|\n))(.*?)(\r\n|\r|\n)---[ \t]*(?:\r\n|\n|\Z)", re.DOTALL)
_LICENCE_KEYS = ("license", "license_name", "license_link")
_KEYS = ("library_name", "pipeline_tag", "tags", "model-index")
_URL = re.compile(r"https?://[A-Za-z0-9][A-Za-z0-9./?=&%#~_+:,;@!-]*")
#: the Hub's names of licences: https://huggingface.co/docs/hub/repositories-licenses
_LICENCES = """
afl-3.0 agpl-3.0 apache-2.0 artistic-2.0 bigcode-openrail-m bigscience-bloom-rail-1.0
bigscience-openrail-m bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear bsl-1.0 c-uda cc
cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0
cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cc-by-nd-4.0
cc-by-sa-3.0 cc-by-sa-4.0 cc0-1.0 cdla-permissive-1.0 cdla-permissive-2.0 cdla-sharing-1.0
creativeml-openrail-m ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 gfdl gpl gpl-2.0 gpl-3.0
isc lgpl lgpl-2.1 lgpl-3.0 lgpl-lr lppl-1.3c mit mpl-2.0 ms-pl ncsa odbl odc-by ofl-1.1
openrail openrail++ osl-3.0 pddl postgresql unknown unlicense wtfpl zlib
"""


def make(
    config: Config,
    entries: Sequence[Entry],
    repo_id: str,
    *,
    samples: bool,
    base: str | None = None,
) -> str:
    """Write the card of a model published as ``repo_id``, with its ``entries`` as scores.

    ``samples`` says whether there is a ``samples.png``; ``base`` is the previous card, or a
    hand-written one.  Raises RunError if that, or the config, cannot be used; nothing is lost.
    """
    text = (base or "").removeprefix("\ufeff")
    line_end = "\r\n" if re.match(r"[^\n]*\r\n", text) else "\n"
    try:
        typed(RepoId, repo_id, "repo_id")
        typed(Config, asdict(config))
        head, keys, body = _split(text)
        metadata = _metadata(config, entries, repo_id, keys)
        front = _front(metadata, head, keys, line_end)
    except Wrong as wrong:
        raise RunError(f"the model card cannot be made: {wrong}") from None
    lines = [START, "", *_part(config, entries, repo_id, samples), "", END]
    part = line_end.join(lines)
    starts, ends = body.count(START), body.count(END)
    if not starts and not ends:
        theirs = body if body.strip() else ""
        gap = "" if theirs.endswith("\n") or not theirs else line_end
        return front + theirs + gap + line_end + part + line_end
    first, last = body.find(START), body.find(END)
    if (starts, ends) != (1, 1) or last < first:
        raise RunError(
            f"the model card has {starts} x '{START}' and {ends} x '{END}', or not in this order, "
            "so it is not clear which text is yours. Keep one of each, the first before the "
            "second, or remove all of them; then push again."
        )
    return front + body[:first] + part + body[last + len(END) :]


# -- metadata ----------------------------------------------------------------------------------


def _split(text: str) -> tuple[str, dict[str, Node], str]:
    """Split a card into its lines of metadata, their keys, and the rest."""
    match = _FRONT.match(text)
    if match is None:
        if re.match(r"\s*---[ \t]*[\r\n]", text):
            raise Wrong("its metadata begins with a line ---, and no such line ends it: add one")
        return "", {}, text
    before = "\n" * (len(_lines(match[1])) - 1)  # keeps the file's line numbers
    head = before + match[2] + match[3]
    try:
        node = yaml.parse(head, "README.md")
    except RecipeError as error:
        raise Wrong(f"its metadata cannot be read. Correct it: {error}") from None
    if node.value is not None and not isinstance(node.value, dict):
        raise Wrong(f"its metadata is {written(node.plain())}, not keys with values. Correct it")
    return head, node.value or {}, text[match.end() :]


def _lines(text: str) -> list[str]:
    """Split into lines as YAML 1.1 and PyYAML do; the last one has no end."""
    return re.split(r"(?<=[\n\x85\u2028\u2029])|(?<=\r)(?!\n)", text)


def _front(metadata: Mapping[str, Any], head: str, keys: Mapping[str, Node], line_end: str) -> str:
    """Write our ``own`` metadata, then the lines of all other keys unchanged, comments included."""
    lines = _lines(head)
    starts = [(node.name_at.line - 1, key) for key, node in keys.items()]
    ours = (*_KEYS, *_LICENCE_KEYS) if "license" in metadata else _KEYS
    others = lines[: starts[0][0]] if starts else lines
    for (first, key), (last, _) in pairwise([*starts, (len(lines), "")]):
        block = lines[first:last]
        if key in ours:  # but keep the comments after it
            ends = [i for i, line in enumerate(block, 1) if not re.match(r"\s*(#|\Z)", line)]
            block = block[max(ends, default=0) :]
        others += block
    text = dump(metadata).replace("\n", line_end) + "".join(others).lstrip("\r\n")
    content = dict(metadata) | {k: node.plain() for k, node in keys.items() if k not in ours}
    try:
        right = yaml.parse(text, "README.md").plain() == content
    except RecipeError:
        right = False
    if not right:
        raise Wrong(
            "its metadata is written so that no key can be replaced alone. Write every key at the "
            "beginning of a line of its own, without anchors"
        )
    return f"---{line_end}{text}---{line_end}"


def _metadata(
    config: Config, entries: Sequence[Entry], repo_id: str, keys: Mapping[str, Node]
) -> dict[str, Any]:
    before = {key: node.plain() for key, node in keys.items()}
    names = [config.generator.use.rpartition("/")[2], str(config.training.get("recipe", ""))]
    tags = ["ganzoo", "gan", *(n for n in names if re.fullmatch(r"[A-Za-z0-9._-]{1,60}", n))]
    theirs = before.get("tags") or []
    tags += typed(list[str], [theirs] if isinstance(theirs, str) else theirs, "tags")
    is_noise = config.input.kind == "noise"
    task = "unconditional-image-generation" if is_noise else "image-to-image"
    metadata = {"library_name": "ganzoo", "pipeline_tag": task, "tags": [*dict.fromkeys(tags)]}
    if config.licences.weights:
        metadata |= _hub_licence(config.licences.weights)
    results = [result(entry, task) for entry in entries] + foreign(before.get("model-index"))
    return metadata | ({"model-index": [{"name": repo_id, "results": results}]} if results else {})


def other_licence(text: str, weights: str) -> str | None:
    """Return the licence in a card's metadata if it differs from ``weights``."""
    try:
        keys = _split(text.removeprefix("\ufeff"))[1]
    except Wrong:
        return None
    licence = {key: keys[key].plain() for key in _LICENCE_KEYS if key in keys}
    return str(licence.get("license")) if licence and licence != _hub_licence(weights) else None


def by_hand(text: str) -> set[str]:
    """Return the lines of a card's body that ganzoo did not generate."""
    try:
        body = _split(text.removeprefix("\ufeff"))[2]
    except Wrong:
        body = text
    first, last = body.find(START), body.find(END)
    if 0 <= first < last:
        body = body[:first] + body[last + len(END) :]
    return {line.strip() for line in body.splitlines() if line.strip()}


def licence_problem(licence: str) -> str | None:
    """Check a licence: an SPDX identifier, its name, or an address.  Return the problem or None."""
    if licence.strip().lower() in ("unknown", "none", "other"):
        return f"'{licence}' is no licence, and without one nobody may use the model. Ask its owner"
    if _URL.fullmatch(licence) or re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 .,+()/_-]{0,99}", licence):
        return None
    example = "an SPDX identifier, such as CC-BY-4.0, a name, or an address, such as https://..."
    return f"expected {example}, not {written(licence)}"


def _hub_licence(licence: str) -> dict[str, str]:
    """Name a licence as the Hub does, else ``other`` with its name."""
    plain = licence.lower()
    base = re.sub(r"-(only|or-later)$", "", plain)
    for name in (plain, base, re.sub(r"-[\d.]+$", "", base)):
        if name in _LICENCES.split():
            return {"license": name}
    slug = re.sub(r"[^a-z0-9.]+", "-", re.sub(r"^https?://", "", plain))[:60].strip("-.")
    link = {"license_link": licence} if _URL.fullmatch(licence) else {}
    return {"license": "other", "license_name": slug or "other"} | link


# -- the part for people -----------------------------------------------------------------------


def _part(config: Config, entries: Sequence[Entry], repo_id: str, samples: bool) -> Iterator[str]:
    size = config.output.size or config.input.size
    pictures = f"images of {size} × {size} pixels" if size else "images of any size"
    told = [md(word) for word in config.input.words if word not in ("latent", "label")]
    source = " and ".join(["noise", *told])
    does = f"draws {{}} from {source}" if config.input.kind == "noise" else "turns {} into pictures"
    if config.output.scale > 1:
        does += f" {config.output.scale} times as high and wide"
    labels = f", by the labels {_list(config.labels)}" if config.labels else ""
    yield f"# {md(repo_id.partition('/')[2])}"
    yield ""
    yield f"This {md(config.generator.use)} generator {does.format(pictures)}{labels}."
    if samples:
        yield from ("", "![samples](samples.png)")
    yield from ("", "## Use", "", *_use(config, repo_id))
    yield from ("", "## Training", "", *_training(config.training))
    yield from ("", "## Licences", "", "| | licence |", "|:--|:--|")
    for of, licence in asdict(config.licences).items():
        yield f"| {of} | {_address(licence) if licence else 'not stated'} |"
    if entries:
        yield from ("", "## Scores", "", "In bold is the score that ranks.")
    for entry in entries:
        yield from ("", *_scores(entry))


def _use(config: Config, repo_id: str) -> Iterator[str]:
    noise = config.input.kind == "noise"
    label = next(({name: v[0]} for name, v in (config.labels or {}).items() if v), None)
    argument = json.dumps(label, ensure_ascii=False).replace("<", "\\u003c") if label else ""
    layout = "layout" in config.input.words  # without it there is nothing to draw
    yield from ("```python", "import ganzoo", *([] if noise else ["from PIL import Image"]), "")
    if noise:
        yield f'model = ganzoo.load("{repo_id}")'
        more = ', layout="layout.png"' * layout + ", label=" * bool(label) + argument
        yield f"model.sample(4, seed=0{more})[0].show()"
    else:
        yield f'ganzoo.load("{repo_id}").translate(Image.open("photo.jpg")).show()'
    words = "sample {} -n 64 --out samples.png" if noise else "translate {} photo.jpg --out drawn"
    words += " --layout layout.png" * layout
    others = [f"'{n}=={v}'" for n, v in sorted(config.plugins.items()) if n != "ganzoo"]
    command = " ".join(["pip install ganzoo", *others])
    yield from ("```", "", "```sh", command, f"ganzoo {words.format(repo_id)}", "```", "")
    if config.labels:
        yield from ("| label | values |", "|:--|:--|")
        for name, values in config.labels.items():
            yield f"| {md(name)} | {_list(values)} |"
        yield ""
    makers = [f"{md(name)} {md(version)}" for name, version in sorted(config.plugins.items())]
    if makers:
        yield (
            f"It was made with {', '.join(makers)}."
            + " Plugins are code: trust them first." * bool(others)
        )


def _training(training: Mapping[str, Any]) -> Iterator[str]:
    data, origin, around = (
        value if isinstance(value := training.get(key), dict) else {}
        for key in ("dataset", "imported", "environment")
    )
    amounts = [(training.get(unit), unit) for unit in ("steps", "images")]
    length = [f"{n:,} {unit}" for n, unit in amounts if isinstance(n, int)]
    if isinstance(seconds := training.get("seconds"), int | float):
        length.append(duration(seconds))
    facts = {
        "recipe": md(training.get("recipe") or ""),
        "trained for": ", ".join(length),
        "dataset": md(data.get("use") or ""),
        "fingerprint of the dataset": md(data.get("sha256") or ""),
        "environment": ", ".join(f"{md(name)} {md(value)}" for name, value in around.items()),
    }
    if training.get("computed"):
        yield "It was not trained: it has no weights, and the licence of its code covers it all."
        return
    if origin:
        yield from ("It was not trained with ganzoo; its weights were imported.", "")
        facts |= {md(key): _address(value) for key, value in origin.items()}
    rows = [f"- {name}: {fact}" for name, fact in facts.items() if fact]
    yield from rows or ["Nothing is known of it."]
    if words := data.get("attribution"):
        text = str(words).strip().removeprefix("# Attribution").strip().replace("<", "&lt;")
        yield from ("", "### Training data", "")
        yield from (f"> {line}".rstrip() for line in text.splitlines())  # so that it stays quoted


def _scores(entry: Entry) -> Iterator[str]:
    yield f"### {md(entry.benchmark)}, version {entry.version}"
    yield ""
    yield (
        f"{entry.counts.fakes:,} pictures of the model against {entry.counts.reference:,} real "
        f"ones, protocol `{entry.protocol}`. `ganzoo leaderboard --hub` compares."
    )
    yield from ("", "| score | value | 95 % interval | better | protocol |")
    yield "|:--|--:|:-:|:--|:--|"
    notes = []
    for name, score in entry.scores.items():
        title = f"**{md(name)}**" if name == entry.primary else md(name)
        half = (score.high - score.low) / 2
        digits = 1 - math.floor(math.log10(half)) if half > 1e-100 else 99
        form = f".{max(digits, 0)}f" if -3 < digits < 8 else ".4g"  # as exact as the interval
        value, low, high = (f"{number:{form}}" for number in (score.value, score.low, score.high))
        unit = f" {md(score.unit)}" if score.unit else ""
        cells = (f"{value}{unit}", f"{low} to {high}", better(score), f"`{score.protocol}`")
        yield f"| {title} | {' | '.join(cells)} |"
        if score.unreliable:
            notes.append(f"{md(name)} is unreliable: {md(score.unreliable)}")
        elif not score.rankable:
            notes.append(f"{md(name)} does not rank, as its features are untrained.")
    if notes:
        yield from ("", *(f"- {note}" for note in notes))


def _address(value: object) -> str:
    """Link an address; return other text as it is."""
    return f"<{value}>" if isinstance(value, str) and _URL.fullmatch(value) else md(value)


def _list(values: Iterable[str]) -> str:
    return ", ".join(map(md, values))
