"""Recognise from numbers what goes wrong in a GAN, and name it.

Each rule looks at the last rows of ``metrics.jsonl``.  Thresholds are module constants, so ``ganzoo
diagnose`` and the report agree with the messages during training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ganzoo.training.scores import is_score

Row = Mapping[str, Any]

#: rows that must agree before a rule speaks
PATIENCE = 5
#: early steps prove nothing: every generator begins by drawing one picture
WARM_UP = 300
#: share of (real, fake) pairs that D ranks correctly
D_WON_RANKING = 0.995
#: mean distance between fakes over that between reals
COLLAPSE_DIVERSITY = 0.35
#: standard deviation over the batch, of images in [-1, 1]
CONSTANT_STD = 0.02
#: share of pixel values beyond 0.99
SATURATED_SHARE = 0.9
#: mean absolute difference between a generator's input image and its output
IDENTITY_DISTANCE = 0.02
#: share of the gradient at the fake image
DEAD_SHARE = 0.001


@dataclass(frozen=True)
class Finding:
    """One named finding: its first step, the last value, the threshold, and a remedy.

    ``subject`` is the term, or the judge unless that is the discriminator.
    """

    name: str
    subject: str
    step: int
    value: float
    threshold: float
    remedy: str

    def __str__(self) -> str:
        about = f"({self.subject})" if self.subject else ""
        return (
            f"{self.name}{about} since step {self.step}: {self.value:.4g}, "
            f"threshold {self.threshold:g}. {self.remedy}"
        )

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


#: name, metric, is it bad?, threshold, remedy
Rule = tuple[str, str, Callable[[float], bool], float, str]
_RULES: tuple[Rule, ...] = (
    (
        "D_WON",
        "D/ranking",
        lambda v: v >= D_WON_RANKING,
        D_WON_RANKING,
        "D tells every fake from every real: add r1 or DiffAugment, or lower D's lr.",
    ),
    (
        "COLLAPSE",
        "G/diversity",
        lambda v: v < COLLAPSE_DIVERSITY,
        COLLAPSE_DIVERSITY,
        "Fakes are far more alike than reals: add r1, lower both lrs, or use a larger batch.",
    ),
    (
        "CONSTANT_OUTPUT",
        "G/std",
        lambda v: v < CONSTANT_STD,
        CONSTANT_STD,
        "All fakes are one picture: go back to an earlier checkpoint with a lower lr.",
    ),
    (
        "SATURATED",
        "G/saturation",
        lambda v: v > SATURATED_SHARE,
        SATURATED_SHARE,
        "The output's tanh is pinned at its ends: lower G's lr.",
    ),
    (
        "G_IDENTITY",
        "G/identity",
        lambda v: v < IDENTITY_DISTANCE,
        IDENTITY_DISTANCE,
        "The generator returns its input: lower the content weight.",
    ),
)
_DEAD_REMEDY = "It hardly moves the generator: raise its weight or leave it out."


def too_early(rows: Sequence[Row]) -> str | None:
    """Say why ``rows`` show nothing yet, good or bad; None if there are enough."""
    count = sum(row["step"] > WARM_UP for row in rows if not is_score(row))
    if count >= PATIENCE:
        return None
    return f"the rules look at {PATIENCE} logged rows after step {WARM_UP}"


def findings(rows: Sequence[Row]) -> list[Finding]:
    """Find what holds at the end of ``rows``.  Rows with scores say nothing about training."""
    rows = [row for row in rows if not is_score(row)]
    keys = rows[-1] if rows else {}
    results: list[Finding] = []
    for rule in _RULES:
        for key in keys:  # of the role discriminator, or of another judge as metric@judge
            metric, _, judge = key.partition("@")
            if metric == rule[1]:
                results.extend(_lasting(rows, key, rule, judge))
    for key in [key for key in keys if key.startswith("share/")]:
        subject = key.removeprefix("share/")
        dead: Rule = ("DEAD_TERM", key, lambda v: v < DEAD_SHARE, DEAD_SHARE, _DEAD_REMEDY)
        results.extend(_lasting(rows, key, dead, subject))
    return results


def _lasting(rows: Sequence[Row], metric: str, rule: Rule, subject: str = "") -> Iterator[Finding]:
    name, _, bad, threshold, remedy = rule
    if not rows or metric not in rows[-1]:  # of an earlier stage
        return
    history = [row for row in rows if metric in row and row["step"] > WARM_UP]
    since = len(history)
    while since and bad(history[since - 1][metric]):
        since -= 1
    if len(history) - since >= PATIENCE:
        value = float(history[-1][metric])
        yield Finding(name, subject, int(history[since]["step"]), value, threshold, remedy)
