"""Draw the curves of a run as small SVG charts, for ``report.py``."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

from ganzoo.formats.page import escape
from ganzoo.training import diagnosis
from ganzoo.training.scores import SCORE

#: most points per curve
POINTS = 400

Points = list[tuple[int, float]]
Stages = Sequence[tuple[str, int]]


def draw_all(
    rows: Sequence[Mapping[str, float]],
    stages: Stages,
    higher_is_better: Mapping[str, bool] | None = None,
    best: int | None = None,
) -> str:
    """Draw all charts of ``rows`` (numbers and NaN only) as HTML; ``stages`` are (name, steps).

    ``higher_is_better`` says how each score ranks; the ``best`` step is marked.
    """
    columns: dict[str, Points] = {}
    for row in rows:
        for key in row:
            if key not in ("step", "seconds"):
                columns.setdefault(key, []).append((int(row["step"]), row[key]))
    end = max((int(row["step"]) for row in rows), default=0)
    scores = {key: columns.pop(key) for key in list(columns) if key.startswith(SCORE)}
    charts = [*_scores(scores, higher_is_better or {}, best), *_charts(columns)]
    return "".join(_figure(chart, max(end, 1), stages) for chart in charts)


# -- what is drawn ----------------------------------------------------------------------------


@dataclass(frozen=True)
class _Curve:
    name: str
    colour: int
    points: Points
    noisy: bool = True

    @cached_property
    def raw(self) -> Points:
        """The finite points."""
        return [point for point in self.points if math.isfinite(point[1])]

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
class _Chart:
    title: str
    note: str
    curves: Sequence[_Curve]
    lines: Sequence[tuple[float, str]] = ()
    shown: Sequence[float] = ()  # levels that the axis always includes
    best: int | None = None  # a step to mark

    @cached_property
    def range(self) -> tuple[float, float]:
        """The axis range: all levels and values, except rare spikes that would flatten the rest."""
        levels = [level for level, _ in self.lines] + list(self.shown)
        most, every = list(levels), list(levels)
        for curve in self.curves:
            raw = sorted(value for _, value in curve.raw)
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
_PLAYERS = {"discriminator": 0, "generator": 1}  # and their colours


def _scores(
    columns: Mapping[str, Points], higher_is_better: Mapping[str, bool], best: int | None
) -> Iterator[_Chart]:
    """Yield a chart for each score of the benchmark."""
    for i, (key, points) in enumerate(columns.items()):
        name = key.removeprefix(SCORE)
        note = ""
        if name in higher_is_better:
            note = "higher is better" if higher_is_better[name] else "lower is better"
        yield _Chart(name, note, [_Curve("score", i % 6, points, noisy=False)], best=best)


def _charts(columns: Mapping[str, Points]) -> Iterator[_Chart]:
    """Yield the charts, most informative first."""
    rest = dict(columns)

    def take(prefix: str, names: Iterable[str] = ()) -> dict[str, Points]:
        keys = [prefix + name for name in names] or list(rest)
        return {
            k.removeprefix(prefix): rest.pop(k) for k in keys if k in rest and k.startswith(prefix)
        }

    def health(*metrics: str) -> Iterator[_Chart]:
        for key in metrics:
            if key in rest:
                title, note, lines, shown = _HEALTH[key]
                curve = _Curve(key, _PLAYERS["generator"] if key[0] == "G" else 0, rest.pop(key))
                yield _Chart(title, note, [curve], lines, shown)

    yield from health("D/ranking", "G/diversity")
    if logits := take("D/", ("real", "fake")):
        curves = [_Curve(name, 2 + (name == "fake"), logits[name]) for name in logits]
        yield _Chart("D's logits", "mean score of reals and of fakes", curves)
    losses = {player: take(f"{player}/") for player in _PLAYERS}
    for term in dict.fromkeys(term for terms in losses.values() for term in terms):
        curves = [_Curve(p, _PLAYERS[p], t[term]) for p, t in losses.items() if term in t]
        yield _Chart(term, "loss, before its weight", curves)
    if shares := take("share/"):
        curves = [_Curve(name, i % 6, shares[name]) for i, name in enumerate(shares)]
        note = "share of each of G's terms in the gradient at the fake image"
        yield _Chart("Gradient shares", note, curves, shown=[0, 1])
    if rates := take("lr/"):
        curves = [_Curve(p, _PLAYERS.get(p, 2), points, noisy=False) for p, points in rates.items()]
        yield _Chart("Learning rate", "per update", curves, shown=[0])
    yield from health(*_HEALTH)
    for key, points in rest.items():
        yield _Chart(key, "", [_Curve(key, 2, points)])


# -- how it is drawn --------------------------------------------------------------------------

# the drawing and the frame of the curves in it; the page's script uses the same numbers
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 360, 180, 42, 352, 12, 156


@dataclass(frozen=True)
class _Axes:
    end: int
    low: float
    high: float

    def x(self, step: float) -> str:
        return f"{_LEFT + (_RIGHT - _LEFT) * step / self.end:.1f}"

    def y(self, value: float, shift: float = 0) -> str:
        share = (value - self.low) / (self.high - self.low)
        return f"{_BOTTOM - 3 - (_BOTTOM - _TOP - 6) * share + shift:.1f}"

    def line(self, points: Points, kind: str) -> str:
        dots = " ".join(f"{self.x(step)},{self.y(value)}" for step, value in _thin(points))
        return f'<polyline class="{kind}" points="{dots}"/>'


def _figure(chart: _Chart, end: int, stages: Stages) -> str:
    axes = _Axes(end, *chart.range)
    parts = [*_grid(axes), *_stages(axes, stages), *_best(axes, chart)]
    parts += [_curves(axes, chart), *_lines(axes, chart)]
    legend = "".join(
        f'<li class="k{curve.colour}">{escape(curve.name)} '
        f"<b>{number(curve.points[-1][1])}</b></li>"
        for curve in chart.curves
    )
    lost = sum(len(curve.points) - len(curve.raw) for curve in chart.curves)
    note = chart.note + (f"; {lost} not finite and not drawn" if lost else "")
    return (
        f'<figure class="chart"><figcaption><h3>{escape(chart.title)}</h3>'
        f'<p class="note">{escape(note)}</p><ul>{legend}</ul></figcaption>'
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" data-scale="{end} {axes.low!r} '
        f'{axes.high!r}" aria-label="{escape(chart.title)} over steps">{"".join(parts)}</svg>'
        "</figure>"
    )


def _grid(axes: _Axes) -> Iterator[str]:
    for tick in _ticks(axes.low, axes.high):
        yield f'<path class="rule" d="M{_LEFT} {axes.y(tick)}H{_RIGHT}"/>'
        yield f'<text class="y" x="{_LEFT - 6}" y="{axes.y(tick, 3.5)}">{number(tick)}</text>'
    for tick in _ticks(0, axes.end):
        kind = "x last" if tick > 0.95 * axes.end else "x"
        yield f'<text class="{kind}" x="{axes.x(tick)}" y="{_HEIGHT - 8}">{number(tick)}</text>'


def _stages(axes: _Axes, stages: Stages) -> Iterator[str]:
    """Mark where each stage begins, with its name if there is room."""
    start = 0
    for name, steps in stages if len(stages) > 1 else ():
        width = (_RIGHT - _LEFT) * (min(start + steps, axes.end) - start) / axes.end
        if 0 < start < axes.end:
            yield f'<path class="stage" d="M{axes.x(start)} 0V{_BOTTOM}"/>'
        if 6 * len(name) < width:
            yield f'<text class="stage" x="{axes.x(start)}" dx="4" y="8">{escape(name)}</text>'
        start += steps


def _best(axes: _Axes, chart: _Chart) -> Iterator[str]:
    """Mark the best step."""
    if chart.best is not None:
        place = axes.x(chart.best)
        side = "end" if float(place) > (_LEFT + _RIGHT) / 2 else "start"
        shift = -4 if side == "end" else 4
        yield f'<path class="level" d="M{place} {_TOP}V{_BOTTOM}"/>'
        yield f'<text class="best {side}" x="{place}" dx="{shift}" y="{_TOP + 8}">best</text>'


def _curves(axes: _Axes, chart: _Chart) -> str:
    curves = ""
    for place, curve in enumerate(chart.curves):
        if curve.raw:
            raw = axes.line(curve.raw, "raw") if curve.raw != curve.smooth else ""
            step, value = curve.smooth[-1]
            dot = f'<circle cx="{axes.x(step)}" cy="{axes.y(value)}" r="2.6"/>'
            smooth = axes.line(curve.smooth, "smooth")
            curves += f'<g class="k{curve.colour}" data-curve="{place}">{raw}{smooth}{dot}</g>'
    box = f'viewBox="0 {_TOP - 2} {_WIDTH} {_BOTTOM - _TOP + 2}"'
    size = f'y="{_TOP - 2}" width="{_WIDTH}" height="{_BOTTOM - _TOP + 2}"'
    return f'<svg class="clip" {size} {box}>{curves}</svg>'


def _lines(axes: _Axes, chart: _Chart) -> Iterator[str]:
    for level, label in chart.lines:
        above = float(axes.y(level)) > _TOP + 14
        yield f'<path class="level" d="M{_LEFT} {axes.y(level)}H{_RIGHT}"/>'
        height = axes.y(level, -4 if above else 11)
        yield f'<text class="level" x="{_RIGHT - 2}" y="{height}">{escape(label)}</text>'


def _thin(points: Points, most: int = POINTS) -> Points:
    """Keep at most ``most`` points: lowest and highest of each bucket, so that spikes survive."""
    if len(points) <= most:
        return points
    buckets = (most - 1) // 2
    kept = {len(points) - 1}
    for number in range(buckets):
        part = range(number * len(points) // buckets, (number + 1) * len(points) // buckets)
        kept |= {min(part, key=lambda i: points[i][1]), max(part, key=lambda i: points[i][1])}
    return [points[i] for i in sorted(kept)]


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
