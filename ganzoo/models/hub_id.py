"""The name of a model on the Hub: ``user/repo@revision``, or the address of its page."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from ganzoo.errors import HubError

_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9])?"
#: a model's id on the Hub: ``user/repo``
REPO = rf"{_NAME}/{_NAME}"
_REVISION = r"[A-Za-z0-9][A-Za-z0-9._/-]{0,199}"
_ID = re.compile(rf"(?:hf://)?({REPO})(?:@({_REVISION}))?")
#: in a page's address: what stands before a revision, and what is not a user
_AT_REVISION = ("tree", "blob", "resolve", "raw", "commit", "commits", "blame")
_NO_MODELS = ("datasets", "spaces", "collections", "docs", "blog", "api")


@dataclass(frozen=True)
class Id:
    """A repository on the Hub and its revision: a branch, a tag or a commit."""

    repo: str
    revision: str | None = None

    def __str__(self) -> str:
        return f"{self.repo}@{self.revision}" if self.revision else self.repo


def is_id(text: str) -> bool:
    """Whether ``text`` is ``user/repo``, ``user/repo@revision``, or a repository page's address."""
    return _ID.fullmatch(from_address(text)) is not None


def from_address(text: str) -> str:
    """Turn the address of a Hub page into ``hf://user/repo@revision``; keep other texts."""
    hosts = {"huggingface.co", "www.huggingface.co", "hf.co"}
    try:
        hosts.add(urlsplit(os.environ.get("HF_ENDPOINT", "")).netloc)
        address = urlsplit(text if "://" in text else f"https://{text}")
    except ValueError:  # a bracket that is not closed
        return text
    parts = [unquote(part) for part in address.path.split("/") if part]
    is_page = address.scheme in ("http", "https") and address.netloc.lower() in hosts - {""}
    if not is_page or len(parts) < 2 or parts[0] in _NO_MODELS:
        return text
    repo = f"hf://{parts[0]}/{parts[1]}"
    return f"{repo}@{parts[3]}" if len(parts) > 3 and parts[2] in _AT_REVISION else repo


def parse_id(text: str, revision: str | None = None) -> Id:
    """Parse a repository's id; raises HubError if ``text`` is not one."""
    match = _ID.fullmatch(from_address(text))
    if not match or ".." in match[0] or "--" in match[1]:
        raise HubError(
            f"'{text}' is no name of a model on the Hub: write user/repo or user/repo@revision, "
            "in letters, digits and single ._- between them."
        )
    if match[2] and revision and match[2] != revision:
        raise HubError(f"'{text}' names revision {match[2]}, and revision {revision} is asked for.")
    if revision and (not re.fullmatch(_REVISION, revision) or ".." in revision):
        raise HubError(f"'{revision}' cannot be a revision: give a branch, a tag or a commit.")
    return Id(match[1], revision or match[2])
