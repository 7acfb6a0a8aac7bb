"""List the Hub's models from their cards, as a table or as a leaderboard."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ganzoo.errors import HubError, RunError
from ganzoo.evaluation.result import Entry, EntryFile
from ganzoo.evaluation.standings import Standings, rank
from ganzoo.hub import claims
from ganzoo.hub.client import TIMEOUT, client, telling
from ganzoo.models.hub_id import Id, is_id
from ganzoo.text import plain, shorten

#: the tag that marks ganzoo's models
TAG = "ganzoo"
#: models on a leaderboard from the Hub, most downloaded first
MOST = 1000
#: not the rest of the card: huggingface_hub's reader fails at the first odd one
_FACTS = [
    "model-index",
    "sha",
    "tags",
    "downloads",
    "likes",
    "lastModified",
    "private",
    "pipeline_tag",
]


@dataclass(frozen=True)
class Listed:
    """A model on the Hub; ``problem`` says why its scores cannot be read."""

    id: str
    commit: str
    private: bool
    kind: str
    licence: str
    downloads: int
    likes: int
    updated: str
    tags: tuple[str, ...]
    entries: tuple[Entry, ...]
    problem: str = ""


def search(
    text: str | None = None, author: str | None = None, limit: int = 50, token: str | None = None
) -> list[Listed]:
    """List models tagged ``ganzoo`` whose id contains ``text``, most downloaded first.

    Raises HubError if the Hub does not answer.
    """
    if limit < 1:
        raise HubError(f"limit={limit}: ask for one model or more.")
    api = client(token)
    with telling(api, Id("the list of models"), TIMEOUT):
        answer = api.list_models(
            filter=TAG,
            search=text or None,
            author=author,
            sort="downloads",
            limit=limit,
            expand=_FACTS,  # type: ignore[arg-type]
        )
        models = []
        for info in islice(answer, limit):  # whose text is untrusted
            if not is_id(info.id):
                continue
            entries: list[Entry] = []
            problem = ""
            try:
                entries = claims.scores(info.id, info.model_index)
            except RunError as error:
                problem = _line(error)
            tags = [_line(tag) for tag in info.tags or []]
            licences = [t.removeprefix("license:") for t in tags if t.startswith("license:")]
            date = info.last_modified
            models.append(
                Listed(
                    id=info.id,
                    commit=_line(info.sha or ""),
                    private=bool(info.private),
                    kind=_line(info.pipeline_tag or ""),
                    licence=licences[0] if licences else "",
                    downloads=int(info.downloads or 0),
                    likes=int(info.likes or 0),
                    updated=date.date().isoformat() if date else "",
                    tags=tuple(tags),
                    entries=tuple(entries),
                    problem=problem,
                )
            )
    return models


def _line(text: object) -> str:
    """Fit someone else's text for a table."""
    return shorten(" ".join(plain(text).split()))


def standings(
    benchmark: str | None = None, token: str | None = None
) -> tuple[list[Standings], list[Listed]]:
    """Build the leaderboard from model cards; also return the models with unreadable cards.

    One table never mixes protocols.
    """
    models = search(limit=MOST, token=token)
    by_name: dict[str, list[EntryFile]] = {}
    for one in models:
        for entry in one.entries:
            if benchmark in (None, entry.benchmark):
                by_name.setdefault(entry.benchmark, []).append(
                    EntryFile(Path("hf:", one.id), entry)
                )
    boards = [rank(name, files) for name, files in sorted(by_name.items())]
    return boards, [one for one in models if one.problem]
