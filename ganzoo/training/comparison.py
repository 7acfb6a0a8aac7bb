"""A comparison of runs and models: scores, curves, recipes, and what training took.

The page's template is ``comparison.html`` in this package.
"""

from __future__ import annotations

import json
import math
import re
import shlex
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ganzoo.errors import RunError
from ganzoo.evaluation.interpretation import references
from ganzoo.evaluation.leaderboard import as_data as standings_data
from ganzoo.evaluation.leaderboard import cell_text, heading, means
from ganzoo.evaluation.places import folder_in_run
from ganzoo.evaluation.result import EntryFile, entry_files, read_entry
from ganzoo.evaluation.standings import Standings, rank, student
from ganzoo.formats.page import render
from ganzoo.models import pictures
from ganzoo.models.model import Model
from ganzoo.recipe.recipe import leaves, value_text, without_paths
from ganzoo.recipe.recipe_types import HARMLESS
from ganzoo.training import scores
from ganzoo.training.charts import Axes, Chart, charts_of, number, overlaid
from ganzoo.training.contestant import Contestant
from ganzoo.training.lineup import Lineup

#: most bytes of a grid in the page
PICTURE_BYTES = 600_000
SAME = "the recipes are the same"
SEED_ALONE = "the recipes differ in their seed alone"


@dataclass(frozen=True)
class Spread:
    """A score of a group's last steps: its mean over the seeds, 95 % t-interval, and range."""

    group: str
    score: str
    mean: float
    half: float
    low: float
    high: float

    def __str__(self) -> str:
        return (
            f"{number(self.mean)} ± {number(self.half)} ({number(self.low)} to {number(self.high)})"
        )


@dataclass(frozen=True)
class Comparison:
    """Contestants and what was found out about them."""

    contestants: Sequence[Contestant]
    standings: Sequence[Standings]

    @property
    def names(self) -> list[str]:
        """The names of the contestants, in order."""
        return [one.name for one in self.contestants]

    def unmeasured(self) -> list[Contestant]:
        """Return those with a model and without an entry."""
        rows = (row for board in self.standings for table in board.tables for row in table.rows)
        measured = {row.entry.model.name for row in rows}
        return [one for one in self.contestants if one.config and one.name not in measured]

    def facts(self) -> dict[str, list[str]]:
        """Return what training took: a fact of every contestant by its term."""
        facts = [one.facts() for one in self.contestants]
        terms = dict.fromkeys(term for each in facts for term in each)
        return {term: [each.get(term, "–") for each in facts] for term in terms}

    def differences(self) -> dict[str, list[str]]:
        """Return the values of every contestant by the dotted keys in which recipes differ.

        Of a recipe without paths, such as a model's, only the last part of each is compared.
        """
        recipes = [one.recipe for one in self.contestants]
        if not all(one.is_run for one in self.contestants):
            recipes = [without_paths(recipe) for recipe in recipes]
        flat = [dict(leaves(recipe)) if recipe else None for recipe in recipes]
        keys = dict.fromkeys(key for each in flat for key in each or {})
        texts = {
            key: [
                "?" if each is None else value_text(each[key]) if key in each else "–"
                for each in flat
            ]
            for key in keys
        }
        return {key: row for key, row in texts.items() if len({*row} - {"?"}) > 1}

    def verdict(self) -> str:
        """Say in short how the recipes differ; empty if the keys say it."""
        keys = self.differences().keys()
        known = [one for one in self.contestants if one.recipe]
        if len(known) < 2:
            return "fewer than two of these have a recipe"
        if not keys:
            return SAME
        return SEED_ALONE if keys == {"seed"} else ""

    def groups(self) -> dict[str, list[str]]:
        """Group the names of those that differ in their seed alone, by a name for the group.

        Whoever has no recipe, or another number of steps, is a group of one.
        """
        return groups_of(self.contestants)

    def charts(self) -> list[Chart]:
        """Lay the curves over one another; scores of other protocols have charts of their own."""
        evaluations = [one.manifest.evaluation for one in self.contestants]
        several = len({e.protocol for e in evaluations if e}) > 1
        charts = {}
        for one, evaluation in zip(self.contestants, evaluations, strict=True):
            own = charts_of(one.rows, evaluation.higher_is_better if evaluation else {})
            if several and evaluation:
                where = f"{evaluation.benchmark}, protocol {evaluation.protocol[:8]}"
                own = [
                    replace(c, title=f"{c.title} under {where}") if _is_of_score(c) else c
                    for c in own
                ]
            charts[one.name] = own
        return overlaid(charts, self.groups())

    def spreads(self) -> list[Spread]:
        """Return mean and spread of the last scores that groups measured while they trained."""
        by_name = {one.name: one for one in self.contestants}
        spreads = []
        for group, members in self.groups().items():
            if len(members) < 2:
                continue
            last = [_last_scores(by_name[name]) for name in members]
            for name in last[0]:
                values = [each[name] for each in last if math.isfinite(each.get(name, math.nan))]
                if len(values) == len(members):
                    side = statistics.stdev(values) * student(len(values) - 1)
                    half = side / math.sqrt(len(values))
                    mean = statistics.fmean(values)
                    spreads.append(Spread(group, name, mean, half, min(values), max(values)))
        return spreads

    def as_data(self) -> dict[str, Any]:
        """Return everything but curves and pictures as plain data, for ``--json``."""
        return {
            "contestants": [
                {"name": one.name, "folder": str(one.folder), **one.facts()}
                for one in self.contestants
            ],
            "groups": self.groups(),
            "recipes": self.verdict() or "the recipes differ",
            "differences": {
                key: dict(zip(self.names, values, strict=True))
                for key, values in self.differences().items()
            },
            "over_seeds": [asdict(spread) for spread in self.spreads()],
            "scores": standings_data(self.standings)["benchmarks"],
        }

    def page(self, lineup: Lineup | None) -> str:
        """Write the page, which is self-contained; ``lineup`` are the pictures, if any."""
        charts = self.charts()
        groups, unmeasured = self.groups(), self.unmeasured()
        grids = lineup.grids if lineup else {}
        photos = lineup.photos if lineup else None
        rows = [row for one in self.contestants for row in one.rows]
        return render(
            "training/comparison.html",
            comparison=self,
            colours={name: i % 6 for i, members in enumerate(groups.values()) for name in members},
            groups={name: members for name, members in groups.items() if len(members) > 1},
            grids={name: pictures.embed(grid, PICTURE_BYTES) for name, grid in grids.items()},
            photos=photos and pictures.embed(photos, PICTURE_BYTES),
            notes=lineup.notes if lineup else (),
            charts=charts,
            end=max([1] + [row["step"] for row in rows]),
            stages=(),
            axes=Axes,
            number=number,
            cell_text=cell_text,
            heading=heading,
            means=means,
            unmeasured=unmeasured,
            how_to_measure=how_to_measure(unmeasured),
        )


def _is_of_score(chart: Chart) -> bool:
    return [curve.name for curve in chart.curves] == ["score"]


def groups_of(contestants: Sequence[Contestant]) -> dict[str, list[str]]:
    """Group contestants as ``Comparison.groups`` says."""
    groups: dict[str, dict[Any, Contestant]] = {}
    for one in contestants:
        recipe = one.recipe or {}
        settings = {k: v for k, v in recipe.items() if k not in (*HARMLESS, "seed")}
        key = json.dumps([one.step, settings] if settings else one.name, default=str)
        if (seed := str(recipe.get("seed"))) in groups.get(key, {}):  # the same recipe again
            key = one.name
        groups.setdefault(key, {})[seed] = one
    names: dict[str, list[str]] = {}
    for group in groups.values():
        members = [one.name for one in group.values()]
        name = members[0]
        if len(members) > 1:
            seed, first = next(iter(group.items()))
            start = re.sub(rf"[-_.]?(seed|s)?{seed}$", "", first.name)
            name = f"{start or (first.recipe or {}).get('recipe')}, seeds {', '.join(group)}"
            name = f"{name} ({members[0]})" if name in names else name
        names[name] = members
    return names


def _last_scores(one: Contestant) -> dict[str, float]:
    scored = scores.scored(one.rows)
    return scored[max(scored)] if scored else {}


def how_to_measure(contestants: Iterable[Contestant]) -> str:
    """Return the command that gives contestants scores with intervals."""
    sources = shlex.join(one.source for one in contestants)
    return f"ganzoo evaluate {sources} --benchmark NAME"


# -- scores -----------------------------------------------------------------------------------


def standings_of(
    models: Mapping[str, Model], groups: Mapping[str, Sequence[str]], folders: Sequence[Path]
) -> list[Standings]:
    """Rank the entries of models by their names, with the reference rows of their benchmarks.

    An entry of a model's weights counts wherever it is: in its run, in its folder, in ``folders``.
    A table's ``seeds`` are the ``groups`` of several, each named as the ``recipe``.
    """
    group_of = {name: group for group, names in groups.items() for name in names[len(names) == 1 :]}
    everywhere = [item for folder in folders for item in entry_files(folder)]
    latest: dict[tuple[str, str, str], EntryFile] = {}
    for name, model in models.items():
        beside = [_read(path) for path in sorted((model.path / "entries").glob("*.json"))]
        if run := folder_in_run(model.path):
            beside += entry_files(run)
        sha = model.weights_sha256
        for item in (*beside, *everywhere):
            entry = item.entry
            if entry is None or (entry.model.kind, entry.model.weights_sha256) != ("model", sha):
                continue
            key = entry.benchmark, entry.protocol, name
            if key not in latest or _date(latest[key]) < entry.date:
                shown = replace(entry.model, name=name, recipe=group_of.get(name))
                named = replace(entry, model=shown)
                latest[key] = replace(item, entry=named)
    boards: dict[str, list[EntryFile]] = {}
    for (benchmark, _, _), item in latest.items():
        boards.setdefault(benchmark, []).append(item)
    return [
        rank(benchmark, [*items, *_reference_rows(items)])
        for benchmark, items in sorted(boards.items())
    ]


def _read(path: Path) -> EntryFile:
    try:
        return EntryFile(path, read_entry(path))
    except RunError as error:
        return EntryFile(path, None, str(error))


def _date(item: EntryFile) -> str:
    return item.entry.date if item.entry else ""


def _reference_rows(items: Sequence[EntryFile]) -> list[EntryFile]:
    entries = {item.entry.protocol: item.entry for item in items if item.entry}
    return [
        EntryFile(items[0].path.with_name(f"{row.model.name}.json"), row)
        for entry in entries.values()
        for row in references(entry).values()
    ]
