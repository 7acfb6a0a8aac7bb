"""Say what a model's scores mean: beside real images, blurred ones, and noise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from ganzoo.evaluation.leaderboard import reading
from ganzoo.evaluation.places import entry_folders
from ganzoo.evaluation.result import Entry, entry_files

#: reference rows and their headings
ROWS = {"held-out": "real", "blurred": "blurred", "noise": "noise"}
_SPOILT = ("blurred", "noise")
#: two scores this close say the same, as a share of the distance from real images to noise
_CLOSE = 0.05


def references(entry: Entry, roots: Iterable[Path] | None = None) -> dict[str, Entry]:
    """Find the reference rows of an entry's benchmark, under the same protocol.

    Looks in ``roots``, by default in all ``entry_folders``.
    """
    rows: dict[str, Entry] = {}
    for root in roots or entry_folders():
        for one in entry_files(root, entry.benchmark):
            row = one.entry
            if row and row.model.kind == "reference" and row.protocol == entry.protocol:
                rows.setdefault(row.model.name, row)
    return {name: rows[name] for name in ROWS if name in rows}


def explain(entry: Entry, rows: Mapping[str, Entry]) -> Iterator[str]:
    """Yield a table of 80 columns: every score of ``entry`` beside those of ``rows``."""
    names = [name for name in rows if name in ROWS]
    if not names:
        yield from (f"  {name:24} {reading(score)}" for name, score in entry.scores.items())
        return
    yield f"  {'':24} {'this model':22}{''.join(f'{ROWS[name]:>10}' for name in names)}"
    has_star = False
    for name, score in entry.scores.items():
        arrow = "↑" if score.higher_is_better else "↓"
        line = f"  {name + ' ' + arrow:24} {reading(score):22}"
        ends = [rows[row].scores.get(name) for row in ("held-out", "noise") if row in rows]
        values = [end.value for end in ends if end]
        close = _CLOSE * (max(values) - min(values)) if values else 0.0
        for row in names:
            other = rows[row].scores.get(name)
            star = ""
            if row in _SPOILT and other:
                ahead = other.value - score.value
                star = "*" if (ahead if score.higher_is_better else -ahead) >= -close else ""
            has_star = has_star or bool(star)
            line += f"{f'{other.value:.3g}' if other else '':>9}{star or ' '}"
        yield line.rstrip()
    yield "↓ lower is better, ↑ higher; real: images of the dataset that are held out"
    if has_star:
        yield "* spoilt images score as well or better: this score says little about the model"
    yield from _standing(entry, rows)


def _standing(entry: Entry, rows: Mapping[str, Entry]) -> Iterator[str]:
    """Place the ranking score between real images and noise."""
    name = entry.primary
    values = {row: other.scores[name].value for row, other in rows.items() if name in other.scores}
    if name not in entry.scores or not {"held-out", "noise"} <= values.keys():
        return
    real, noise = values["held-out"], values["noise"]
    if real == noise:
        return

    def share(value: float) -> str:
        return f"{round((value - real) / (noise - real), 2) + 0.0:.0%}"  # avoids -0%

    yield f"in short, by {name}, which ranks models:"
    text = f"{share(entry.scores[name].value)} of the way from real images to noise"
    yield text + (
        f"; blurred ones are at {share(values['blurred'])}" if "blurred" in values else ""
    )
