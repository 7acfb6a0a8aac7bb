"""What a push is asked to do, what the Hub had before, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ganzoo.evaluation.result import Entry
from ganzoo.hub.repository import Listing
from ganzoo.models.config import Licences
from ganzoo.models.hub_id import Id

_UNKNOWN = Licences(None, None, None)
Action = Literal["new", "changed", "same", "removed"]


@dataclass(frozen=True)
class Options:
    """The options of a push; ``licence`` is that of the weights.

    ``card`` is a file whose hand-written parts replace those on the Hub, ``entries`` the folders
    with scores, ``tag`` a name for the new commit.  ``with_discriminator`` sends all networks of
    that kind.  ``half`` stores the generator in 16 bits, which makes it another model, with scores
    of its own.
    """

    licence: str | None = None
    data_licence: str | None = None
    card: Path | None = None
    entries: tuple[Path, ...] = ()
    with_discriminator: bool = False
    half: bool = False
    private: bool = False
    tag: str | None = None
    message: str | None = None


@dataclass(frozen=True)
class Before:
    """The Hub's state before a push; empty if the repository is new, or cannot be asked.

    ``listing`` is of the branch, or of main if the branch is new and begins there; ``tags`` are the
    commits of the repository's tags.
    """

    listing: Listing | None = None
    is_new_branch: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)
    branches: tuple[str, ...] = ()
    card: str | None = None
    licences: Licences = _UNKNOWN
    entries: tuple[Entry, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Change:
    """The effect of a push on a file."""

    name: str
    size: int
    action: Action


@dataclass(frozen=True)
class Plan:
    """What a push would do, the card that it would write, and why it would be refused.

    ``networks`` are the roles whose weights travel, ``left_out`` those that stay; both are empty if
    the model has a problem that hides them.
    """

    what: Id
    changes: tuple[Change, ...]
    card: str
    notes: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def sent(self) -> tuple[Change, ...]:
        """The files to send; none if the Hub has them all."""
        return tuple(change for change in self.changes if change.action != "same")


@dataclass(frozen=True)
class Pushed:
    """Where a model is now; ``commit`` is None if nothing had changed."""

    url: str
    commit: str | None
    plan: Plan
