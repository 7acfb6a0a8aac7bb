"""Choose and scale the charts of a run's curves, which ``chart.html`` draws as SVG."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from statistics import fmean
from typing import Any

from ganzoo.training import diagnosis
from ganzoo.training.scores import SCORE

#: most points per curve
POINTS = 400

Points = list[tuple[int, float]]
Stages = Sequence[tuple[str, int]]


def numeric(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Drop everything but numbers from rows of metrics.jsonl; non-finite ones become NaN."""
    return [
        {
            key: float(value) if abs(value) < 1e100 else math.nan
            for key, value in row.items()
            if isinstance(value, int | float) and not isinstance(value, bool)
        }
        | {"step": int(row["step"])}
        for row in rows
        if 0 <= row["step"] < 1e15
    ]


def charts_of(
    rows: Sequence[Mapping[str, float]],
    higher_is_better: Mapping[str, bool] | None = None,
    best: int | None = None,
) -> list[Chart]:
    """Return the charts of ``rows``, which hold numbers and NaN only, most informative first.

    ``higher_is_better`` says how each score ranks; the charts of scores mark the ``best`` step.
    """
    columns: dict[str, Points] = {}
    for row in rows:
        for key in row:
            if key not in ("step", "seconds"):
                columns.setdefault(key, []).append((int(row["step"]), row[key]))
    directions = higher_is_better or {}
    charts: list[Chart] = []
    for key in [key for key in columns if key.startswith(SCORE)]:
        name, points = key.removeprefix(SCORE), columns.pop(key)
        note = ""
        if name in directions:
            note = "higher is better" if directions[name] else "lower is better"
        curve = Curve("score", len(charts) % 6, points, noisy=False)
        charts.append(Chart(name, note, [curve], best=best))
    return [*charts, *_training_charts(columns)]


# -- what is drawn ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Curve:
    """A curve of a chart: its name, colour number and (step, value) points.

    The mean of several curves has these as its ``members``.
    """

    name: str
    colour: int
    points: Points
    noisy: bool = True
    members: Sequence[Curve] = ()

    @cached_property
    def raw(self) -> Points:
        return [point for point in self.points if math.isfinite(point[1])]

    @property
    def faint(self) -> Sequence[Points]:
        """What is drawn faintly behind the smooth curve: its members, or what was logged."""
        if self.members:
            return [member.smooth for member in self.members if member.raw]
        return [self.raw] if self.raw != self.smooth else []

    @property
    def last(self) -> float:
        """The last value; of a mean, the last smooth one."""
        return (self.smooth if self.members else self.points)[-1][1]

    @property
    def ends(self) -> tuple[float, float]:
        """The lowest and the highest last value of the smooth members."""
        values = [member.smooth[-1][1] for member in self.members if member.raw]
        return min(values), max(values)

    @cached_property
    def smooth(self) -> Points:
        """Exponential moving average in both directions, so that it does not lag."""
        decay = 1 - 1 / max(1.0, len(self.raw) ** 0.5 / 2) if self.noisy else 0.0
        values = [value for _, value in self.raw]
        before, after = _sums(values, decay), _sums(values[::-1], decay)[::-1]
        weight = _sums([1.0] * len(values), decay)
        return [
            (step, (before[i] + after[i] - value) / (weight[i] + weight[-1 - i] - 1))
            for i, (step, value) in enumerate(self.raw)
        ]


def _sums(values: Sequence[float], decay: float) -> list[float]:
    return list(accumulate(values, lambda total, value: decay * total + value))


@dataclass(frozen=True)
class Chart:
    """Curves over steps; ``lines`` are levels with their labels."""

    title: str
    note: str
    curves: Sequence[Curve]
    lines: Sequence[tuple[float, str]] = ()
    span: Sequence[float] = ()  # levels that the axis always includes
    best: int | None = None  # a step to mark

    @property
    def lost(self) -> int:
        """The number of points that are not finite."""
        return sum(len(curve.points) - len(curve.raw) for curve in self.curves)

    def axes(self, end: int) -> Axes:
        """Return the axes of steps up to ``end``."""
        return Axes(end, *self.range)

    @cached_property
    def range(self) -> tuple[float, float]:
        """The axis range: all levels and values, except rare spikes that would flatten the rest."""
        levels = [level for level, _ in self.lines] + list(self.span)
        most, every = list(levels), list(levels)
        for curve in self.curves:
            drawn = [curve.raw, *(member.smooth for member in curve.members)]
            raw = sorted(value for points in drawn for _, value in points)
            cut = -(-len(raw) // 50) if curve.noisy and len(raw) > 10 else 0
            most += raw[cut : len(raw) - cut]
            every += raw
        low, high = min(most, default=0.0), max(most, default=1.0)
        if every and max(every) - min(every) < 2 * (high - low):
            low, high = min(every), max(every)
        if high - low <= 1e-9 * max(abs(low), abs(high), 1e-3):
            pad = abs(high) / 10 if abs(high) > 1e-12 else 1.0
            return low - pad, high + pad
        return low, high


def overlaid(
    runs: Mapping[str, Sequence[Chart]], groups: Mapping[str, Sequence[str]]
) -> list[Chart]:
    """Lay the curves of several runs over one another: one chart for each of their curves.

    ``runs`` are the charts of each run by its name.  ``groups`` are names of runs by the name of
    their group: these get one colour, and one curve that is their mean.  A run without a group is
    the only one of its own.
    """
    charts: dict[tuple[str, str], Chart] = {}
    curves: dict[tuple[str, str], dict[str, Curve]] = {}
    for name, each in runs.items():
        for chart in each:
            for curve in chart.curves:
                charts.setdefault((chart.title, curve.name), chart)
                curves.setdefault((chart.title, curve.name), {})[name] = curve
    titles = Counter(title for title, _ in charts)
    return [
        replace(
            chart,
            title=title if titles[title] == 1 else f"{title}: {name}",
            curves=list(_grouped(curves[title, name], groups)),
            best=None,
        )
        for (title, name), chart in charts.items()
    ]


def _grouped(curves: Mapping[str, Curve], groups: Mapping[str, Sequence[str]]) -> Iterator[Curve]:
    """Yield the mean curve of each group, in its colour."""
    for number, (name, members) in enumerate(groups.items()):
        own = [
            replace(curves[one], name=one, colour=number % 6) for one in members if one in curves
        ]
        if len(own) == 1:
            yield own[0]
        elif own:
            tables = [dict(curve.raw) for curve in own]
            steps = [step for step in tables[0] if all(step in table for table in tables)]
            points = [(step, fmean(table[step] for table in tables)) for step in steps]
            if points:
                yield replace(own[0], name=name, points=points, members=own)


_IMAGES = "images in [−1,\u00a01]"
_WON = diagnosis.D_WON_RANKING
# metric: title, note, lines, levels that the axis always includes
_HEALTH: dict[str, tuple[str, str, Sequence[tuple[float, str]], Sequence[float]]] = {
    "D/ranking": (
        "Ranking",
        "share of (real, fake) pairs that D orders rightly",
        [(0.5, "0.5: blind"), (_WON, f"{_WON}: D has won")],
        [0.4, 1],
    ),
    "G/diversity": (
        "Diversity",
        "distance between fakes over that between reals",
        [(1, "as the reals"), (diagnosis.COLLAPSE_DIVERSITY, "collapse")],
        [0, 1.1],
    ),
    "G/identity": (
        "Change",
        f"mean distance from input to output, {_IMAGES}",
        [(diagnosis.IDENTITY_DISTANCE, "identity")],
        [0],
    ),
    "G/std": (
        "Spread",
        f"standard deviation over the batch, {_IMAGES}",
        [(diagnosis.CONSTANT_STD, "one picture")],
        [0],
    ),
    "G/saturation": (
        "Saturation",
        "share of pixel values beyond ±0.99",
        [(diagnosis.SATURATED_SHARE, "saturated")],
        [0, 1],
    ),
}
#: the colours of the usual players; others have those after them
COLOURS = {"discriminator": 0, "generator": 1}


def _training_charts(columns: Mapping[str, Points]) -> Iterator[Chart]:
    """Yield the charts of training, most informative first."""
    rest = dict(columns)
    others = [key.removeprefix("lr/") for key in columns if key.startswith("lr/")]
    players = {p: i % 6 for i, p in enumerate(dict.fromkeys([*COLOURS, *others]))}

    def take(prefix: str, names: Iterable[str] = ()) -> dict[str, Points]:
        keys = [prefix + name for name in names] or list(rest)
        return {
            k.removeprefix(prefix): rest.pop(k) for k in keys if k in rest and k.startswith(prefix)
        }

    def health(*metrics: str) -> Iterator[Chart]:
        for metric in metrics:
            title, note, lines, span = _HEALTH[metric]
            first = COLOURS["generator"] if metric[0] == "G" else COLOURS["discriminator"]
            keys = [key for key in rest if key.partition("@")[0] == metric]
            # D/ranking@critic is that of a judge beside the discriminator
            colours = [first, *range(2, 6)]
            curves = [Curve(key, colours[i % 5], rest.pop(key)) for i, key in enumerate(keys)]
            if curves:
                yield Chart(title, note, curves, lines, span)

    yield from health("D/ranking", "G/diversity")
    for key in [key for key in rest if key.partition("@")[0] == "D/real"]:
        _, at, judge = key.partition("@")
        logits = take("D/", (f"real{at}{judge}", f"fake{at}{judge}"))
        curves = [Curve(name, 2 + i, logits[name]) for i, name in enumerate(logits)]
        yield Chart(f"{judge or 'D'}'s logits", "mean score of reals and of fakes", curves)
    losses = {player: take(f"{player}/") for player in players}
    for term in dict.fromkeys(term for terms in losses.values() for term in terms):
        curves = [Curve(p, players[p], t[term]) for p, t in losses.items() if term in t]
        yield Chart(term, "loss, before its weight", curves)
    if shares := take("share/"):
        curves = [Curve(name, i % 6, shares[name]) for i, name in enumerate(shares)]
        note = "share of each term in the gradient at the fake image"
        yield Chart("Gradient shares", note, curves, span=[0, 1])
    if rates := take("lr/"):
        curves = [Curve(p, players[p], points, noisy=False) for p, points in rates.items()]
        yield Chart("Learning rate", "per update", curves, span=[0])
    yield from health(*_HEALTH)
    for key, points in rest.items():
        yield Chart(key, "", [Curve(key, 2, points)])


# -- how it is drawn --------------------------------------------------------------------------


@dataclass(frozen=True)
class Axes:
    """Where steps up to ``end`` and values from ``low`` to ``high`` lie in the drawing.

    The curves' frame is from ``left`` to ``right`` and ``top`` to ``bottom``.
    """

    end: int
    low: float
    high: float

    width, height = 360, 180
    left, right, top, bottom = 42, 352, 12, 156

    def x(self, step: float) -> float:
        return round(self.left + (self.right - self.left) * step / self.end, 1)

    def y(self, value: float, shift: float = 0.0) -> float:
        """Return the height of a value, at least three units inside the frame, plus ``shift``."""
        share = (value - self.low) / (self.high - self.low)
        return round(self.bottom - 3 - (self.bottom - self.top - 6) * share + shift, 1)

    def points(self, points: Points) -> str:
        """Return a polyline's points, at most ``POINTS`` of them."""
        return " ".join(f"{self.x(step)},{self.y(value)}" for step, value in _thin(points))

    def steps(self) -> list[float]:
        """Return the steps to write below the frame."""
        return _ticks(0, self.end)

    def values(self) -> list[float]:
        """Return the values to write beside the frame."""
        return _ticks(self.low, self.high)

    def starts(self, stages: Stages) -> Iterator[tuple[float, str]]:
        """Yield the place where each of several stages starts, and its name if there is room."""
        start = 0
        for name, steps in stages if len(stages) > 1 else ():
            room = self.x(min(start + steps, self.end)) - self.x(start)
            yield self.x(start), name if 6 * len(name) < room else ""
            start += steps


def _thin(points: Points, most: int = POINTS) -> Points:
    """Keep at most ``most`` points: lowest and highest of each bucket, so that spikes survive."""
    if len(points) <= most:
        return points
    buckets = (most - 1) // 2
    places = {len(points) - 1}
    for number in range(buckets):
        part = range(number * len(points) // buckets, (number + 1) * len(points) // buckets)
        places |= {min(part, key=lambda i: points[i][1]), max(part, key=lambda i: points[i][1])}
    return [points[i] for i in sorted(places)]


def _ticks(low: float, high: float) -> list[float]:
    """Pick about four round numbers between ``low`` and ``high``."""
    rough = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * min((1, 2, 5, 10), key=lambda m: abs(m * power - rough))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def number(value: float) -> str:
    """Format a number for reading: ``0.9312``, ``2e-4``, ``12.5k``, ``−3``."""
    size = abs(value)
    if not math.isfinite(value):
        text = "not finite"
    elif 0 < size < 1e-3 or size >= 1e9:
        mantissa, _, exponent = f"{size:.2e}".partition("e")
        text = f"{float(mantissa):g}e{int(exponent)}"
    elif size >= 1e4:
        text = f"{size / 1e6:.4g}M" if size >= 1e6 else f"{size / 1e3:.4g}k"
    else:
        text = f"{size:.4g}"
    return f"−{text}" if value < 0 and float(f"{size:.3g}") else text
