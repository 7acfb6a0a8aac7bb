"""Write entries into a model card's ``model-index`` and ``.eval_results``, and read them back.

``model-index`` holds all that ranking needs, so that a leaderboard downloads nothing else.  Readers
must not trust its text.  The formats are the Hub's: https://huggingface.co/docs/hub/eval-results,
https://github.com/huggingface/hub-docs/blob/main/modelcard.md.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, TypeVar

import yaml

from ganzoo.errors import RunError
from ganzoo.evaluation.result import FORMAT, LIMIT, Candidate, Entry, Score, ScoreName
from ganzoo.evaluation.standings import flat
from ganzoo.formats import yaml as yaml12
from ganzoo.formats.json import Wrong, typed
from ganzoo.formats.types import Pattern, written
from ganzoo.models.hub_id import REPO

#: ``dataset.type`` in ``model-index``
KIND = "ganzoo-benchmark"
#: most results in one ``model-index``, and most letters of a text there
MAX_RESULTS, MAX_LETTERS = 100, 500

T = TypeVar("T")

RepoId = Annotated[str, Pattern(REPO, "a name such as user/repo")]
_Version = Annotated[str, Pattern(r"[1-9][0-9]{0,8}", "a version from 1 on, as a text")]


def result(entry: Entry, task: str) -> dict[str, Any]:
    """Write an entry for ``model-index``; huggingface_hub keeps different ``config``s apart."""
    model = {k: v for k, v in _told(entry.model).items() if k not in ("name", "kind")}
    args = {"primary": entry.primary, "counts": asdict(entry.counts), "model": model}
    metrics = []
    for name, score in entry.scores.items():
        fields_set = _told(score)
        metrics.append({"type": name, "value": fields_set.pop("value"), "args": fields_set})
    dataset = {
        "type": KIND,
        "name": entry.benchmark,
        "config": entry.protocol,
        "revision": str(entry.version),
        "args": args | {"date": entry.date, "key": entry.key},
    }
    return {"task": {"type": task}, "dataset": dataset, "metrics": metrics}


def _told(data: Score | Candidate) -> dict[str, Any]:
    """Return the fields that differ from their defaults."""
    return {f.name: v for f in fields(data) if (v := getattr(data, f.name)) != f.default}


def foreign(index: Any) -> list[Any]:
    """Return the results in ``model-index`` that are not ganzoo's."""
    try:
        results = [result for model in index or [] for result in model["results"]]
        return [result for result in results if result["dataset"]["type"] != KIND]
    except (TypeError, KeyError):
        raise Wrong("model-index: expected a list of models with results. Correct it") from None


def scores(repo_id: str, model_index: object) -> list[Entry]:
    """Read a card's ``model-index`` into entries for ranking; ``repo_id`` is the model's name.

    Fields that only entry files have stay empty: record, environment, seconds, sha256.  Results
    that are not ganzoo's are skipped.  Raises RunError, with the place, for a malformed one.
    """
    try:
        name = typed(RepoId, repo_id, "repository")
        entries: list[Entry] = []
        models = [] if model_index is None else model_index
        for i, model in enumerate(_a(list, models, "model-index")):
            at = f"model-index[{i}]"
            results = _a(list, _a(dict, model, at).get("results"), f"{at}.results")
            for j, result in enumerate(results):
                dataset = result.get("dataset") if isinstance(result, dict) else None
                if isinstance(dataset, dict) and dataset.get("type") == KIND:
                    if len(entries) >= MAX_RESULTS:
                        raise Wrong(f"model-index: more than {MAX_RESULTS} results")
                    entries.append(_entry(name, result, f"{at}.results[{j}]"))
        ids = [(entry.benchmark, entry.protocol) for entry in entries]
        if len(set(ids)) < len(ids):
            raise Wrong("model-index: the same benchmark and protocol twice")
    except Wrong as wrong:
        raise RunError(
            f"the scores of {written(repo_id)} cannot be read: {str(wrong)[:300]}"
        ) from None
    return entries


def _a(kind: type[T], value: object, at: str) -> T:
    if not isinstance(value, kind):
        what = "a mapping" if kind is dict else "a list"
        raise Wrong(f"{at}: expected {what}, not {written(value)}")
    return value


def _entry(name: str, result: dict[str, Any], at: str) -> Entry:
    """Read one result of ``model-index``; raises Wrong, with the place, if it is malformed."""
    dataset = result["dataset"]
    args = _a(dict, dataset.get("args"), f"{at}.dataset.args")
    model = _a(dict, args.get("model"), f"{at}.dataset.args.model")
    metrics: dict[str, Any] = {}
    for i, metric in enumerate(_a(list, result.get("metrics"), f"{at}.metrics")[: MAX_RESULTS + 1]):
        place = f"{at}.metrics[{i}]"
        kind = typed(ScoreName, _a(dict, metric, place).get("type"), f"{place}.type")
        others = _a(dict, metric.get("args"), f"{place}.args")
        if kind in metrics or i >= MAX_RESULTS:
            raise Wrong(f"{place}: {kind} twice, or more than {MAX_RESULTS} scores")
        metrics[kind] = {"unit": None, "unreliable": None, "rankable": True, **others}
        metrics[kind]["value"] = metric.get("value")
    data = {
        "benchmark": dataset.get("name"),
        "version": int(typed(_Version, dataset.get("revision"), f"{at}.dataset.revision")),
        "protocol": dataset.get("config"),
        "model": dict.fromkeys(Candidate.__annotations__) | model | {"name": "x", "kind": "model"},
        "scores": metrics,
        **{key: args.get(key) for key in ("primary", "counts", "date", "key")},
        **{key: {} for key in ("record", "environment", "reported")},
        **{"seconds": 0, "notes": "", "format": FORMAT, "sha256": ""},
    }
    entry: Entry = typed(Entry, data, at)
    # values may have the right type, though ganzoo never writes them
    for path, value in flat(asdict(entry)):
        text = value if isinstance(value, str) else ""
        if len(text) > MAX_LETTERS or not text.isprintable() or set(text) & set("<>"):
            raise Wrong(f"{at}.{path}: expected one line of text without < and >")
        if isinstance(value, int | float) and not -LIMIT <= value <= LIMIT:
            raise Wrong(f"{at}.{path}: no number goes beyond {LIMIT:g}")
    counts = f"n{entry.counts.fakes}-vs-{entry.counts.reference}"
    for kind, score in entry.scores.items():
        if (match := re.search(r"/(n\d+-vs-\d+)/", score.protocol)) and match[1] != counts:
            raise Wrong(f"{at}.scores.{kind}.protocol: it is of {match[1]}, not {counts} images")
        if not score.low <= score.value <= score.high:
            raise Wrong(f"{at}.scores.{kind}.value: not from low to high")
    if entry.primary not in entry.scores:
        raise Wrong(f"{at}.dataset.args.primary: no metric has the type {written(entry.primary)}")
    try:
        when = datetime.fromisoformat(entry.date)
        if when.replace(tzinfo=when.tzinfo or UTC) > datetime.now(UTC) + timedelta(days=1):
            raise Wrong(f"{at}.date: {written(entry.date)} is still to come")
    except Wrong:
        raise
    except (ValueError, OverflowError):
        raise Wrong(f"{at}.date: expected ISO 8601, not {written(entry.date)}") from None
    return replace(entry, model=replace(entry.model, name=name))


def eval_results(entries: Sequence[Entry]) -> dict[str, str]:
    """Build the files of ``.eval_results`` by name: each score of a benchmark is one task."""
    return {
        f".eval_results/ganzoo-{entry.benchmark}.yaml": dump(
            [
                {
                    "dataset": {"id": f"ganzoo/{entry.benchmark}", "task_id": name},
                    "value": score.value,
                    "date": entry.date,
                    "notes": f"{better(score)} is better; 95 % interval {score.low:.6g} to "
                    f"{score.high:.6g}; version {entry.version}, protocol {score.protocol}",
                }
                for name, score in entry.scores.items()
            ]
        )
        for entry in entries
    }


def better(score: Score) -> str:
    return "higher" if score.higher_is_better else "lower"


class _Dumper(yaml.SafeDumper):
    """Quotes text that YAML 1.1 or 1.2 would read as a number, such as a hash like ``1e5``."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, None if yaml12.scalar(text) == text else '"'
    ),
)


def dump(data: Any) -> str:
    """Write YAML that every reader reads back the same."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=math.inf)
