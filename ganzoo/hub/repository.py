"""A repository on the Hub: the files that a model may have there, their listing, and downloads."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ganzoo.errors import HubError
from ganzoo.files import sha256
from ganzoo.hub.client import TIMEOUT, telling
from ganzoo.models import config as configs
from ganzoo.models.hub_id import Id

if TYPE_CHECKING:
    from huggingface_hub import HfApi

#: every file that may be fetched, and its size limit in bytes; none can lead out of a folder
KNOWN = {
    r"config\.json": configs.MAX_BYTES,
    r"[a-z][a-z0-9_]{0,40}\.safetensors": 4 << 30,  # a network's, by its role
    r"recipe\.yaml": 1 << 20,
    r"README\.md": 1 << 20,
    r"samples\.png": 20 << 20,
    r"entries/[A-Za-z0-9._@+=-]+\.json": 4 << 20,
    r"\.eval_results/[A-Za-z0-9._@+=-]+\.yaml": 1 << 20,
}
PNG = b"\x89PNG\r\n\x1a\n"
#: form of a commit's hash
COMMIT = re.compile(r"[0-9a-f]{40}")
#: file size in bytes from which on there is a progress bar
_LONG = 1 << 20


@dataclass(frozen=True)
class Remote:
    """A file in the Hub's listing; ``sha`` is SHA-256 if it is large, else git's SHA-1."""

    name: str
    size: int
    sha: str


@dataclass(frozen=True)
class Listing:
    """The files of one commit."""

    commit: str
    files: Mapping[str, Remote]
    private: bool = False


def limit(name: str) -> int:
    """Return the size limit of a file by name; 0 if a model folder has no such file."""
    return next((limit for form, limit in KNOWN.items() if re.fullmatch(form, name)), 0)


def same(path: Path, sha: str) -> bool:
    """Whether a file has this hash on the Hub: SHA-256, or git's shorter SHA-1 of a blob."""
    if len(sha) == 64:
        return sha256(path) == sha
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest() == sha


def list_files(api: HfApi, what: Id) -> Listing:
    """List a revision's files, with sizes and hashes; huggingface_hub's errors pass through."""
    info = api.model_info(what.repo, revision=what.revision, files_metadata=True, timeout=TIMEOUT)
    files = {}
    for sibling in info.siblings or []:
        sha = sibling.lfs.sha256 if sibling.lfs else sibling.blob_id
        files[sibling.rfilename] = Remote(sibling.rfilename, int(sibling.size or 0), sha or "")
    if not COMMIT.fullmatch(info.sha or ""):
        raise HubError(f"{what}: the Hub names no commit: it is not one that ganzoo can read.")
    return Listing(str(info.sha), files, bool(info.private))


def download(api: HfApi, what: Id, listing: Listing, file: Remote) -> Path:
    """Return a listed file in the cache, fetching it if needed.

    A file that was fetched is hashed, since the client does not.  A faulty one is fetched again
    once: the cache may be at fault.  Raises HubError if the Hub delivers another file.
    """
    from huggingface_hub import try_to_load_from_cache

    hit = try_to_load_from_cache(what.repo, file.name, revision=listing.commit)
    if isinstance(hit, str) and Path(hit).stat().st_size == file.size:
        return Path(hit)
    for force in (False, True):
        with telling(api, what), without_bars(file.size <= _LONG):
            path = Path(
                api.hf_hub_download(
                    what.repo, file.name, revision=listing.commit, force_download=force
                )
            )
        if (size := path.stat().st_size) != file.size:
            wrong = f"{file.name} has {size:,} bytes, and the Hub says {file.size:,}"
        elif not same(path, file.sha):
            wrong = f"{file.name} is not what the Hub says: its hash is another"
        else:
            return path
        forget(path)
    raise HubError(
        f"{what}: {wrong}. The file was not kept. Try again; if it happens again, do not trust "
        "the repository."
    )


@contextmanager
def without_bars(is_short: bool) -> Iterator[None]:
    """Hide huggingface_hub's progress bars in a transfer that is short."""
    from huggingface_hub import constants
    from huggingface_hub.utils.tqdm import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    is_set = constants.HF_HUB_DISABLE_PROGRESS_BARS is not None
    if not is_short or is_set or are_progress_bars_disabled():
        yield
        return
    disable_progress_bars()
    try:
        yield
    finally:
        enable_progress_bars()


def forget(path: Path) -> None:
    """Remove a file from the cache, with all that it links to."""
    target = path.parent / path.readlink() if path.is_symlink() else None
    path.unlink(missing_ok=True)
    if target:
        forget(target)
