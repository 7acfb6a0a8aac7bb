"""Push a model to the Hub: everything is checked and assembled before the first byte leaves.

A push is one commit on top of the revision that was read, with only the files that differ.  So an
interrupted push leaves the revision unchanged, and can be repeated.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ganzoo import __version__
from ganzoo.errors import HubError, RunError
from ganzoo.evaluation import result as entries
from ganzoo.hub.client import client, is_bad_token, telling
from ganzoo.hub.locate import locate
from ganzoo.hub.pull import copy
from ganzoo.hub.push_types import Action, Before, Change, Options, Plan, Pushed
from ganzoo.hub.repository import COMMIT, Listing, download, limit, list_files, same, without_bars
from ganzoo.models import config as configs
from ganzoo.models.config import WEIGHTS
from ganzoo.models.folder import CARD, CONFIG, find, refuse_taken
from ganzoo.models.hub_id import Id, parse_id
from ganzoo.plugins.registry import Registry

if TYPE_CHECKING:
    from huggingface_hub import HfApi

#: files that a push may remove from the Hub: other folders may hold other people's files
_OURS = re.compile(r"[^/]*|entries/.*|\.eval_results/ganzoo-.*")
#: upload size in bytes from which on there are progress bars
_LONG = 10 << 20


def plan(
    source: str | Path,
    repo: str,
    registry: Registry,
    options: Options,
    token: str | None = None,
    out: Path | None = None,
) -> Plan:
    """Plan a push without sending anything.  The model's faults are in ``problems``.

    If the Hub cannot be asked what it has, a note says so.  If there are no problems, the folder to
    send is written to ``out``.  Raises RunError if there is no model, HubError if the Hub would
    refuse.
    """
    what = parse_id(repo)
    folder = _folder(source, registry, token)
    if out:
        refuse_taken(out)
    try:
        before = _look(client(token), what)
    except HubError as error:
        before = Before(note=f"what the Hub has is not known: {error}")
    from ganzoo.hub.staging import package  # imports torch, so other mistakes come first

    with package(folder, what, registry, options, before) as (bundle, problems):
        if out and not problems:
            copy(bundle, out)
        return replace(_plan(bundle, what, before, options), problems=tuple(problems))


def push(
    source: str | Path,
    repo: str,
    registry: Registry,
    options: Options,
    token: str | None = None,
) -> Pushed:
    """Publish MODEL as ``repo``: ``user/repo``, or ``user/repo@branch``.

    Raises RunError with all the model's problems, HubError if the Hub refuses.
    """
    what = parse_id(repo)
    folder = _folder(source, registry, token)
    api = client(token)
    with telling(api, what):
        api.whoami()
    before = _look(api, what)
    from ganzoo.hub.staging import package  # imports torch, so other mistakes come first

    with package(folder, what, registry, options, before) as (bundle, problems):
        problems.raise_any(what)
        plan = _plan(bundle, what, before, options)
        with telling(api, what):
            if before.listing:
                parent = before.listing.commit
            else:
                api.create_repo(what.repo, private=options.private, exist_ok=True)
                listing = list_files(api, Id(what.repo))
                if set(listing.files) - {".gitattributes"}:
                    raise HubError(f"{what.repo} was made by somebody else just now. Push again.")
                parent = listing.commit
            if before.is_new_branch:
                branch = str(what.revision)
                api.create_branch(what.repo, branch=branch, revision=parent, exist_ok=True)
        commit = parent
        if plan.sent:
            message = options.message or f"Push with ganzoo {__version__}"
            commit = _commit(api, plan, bundle, message, parent)
    if (tag := options.tag) and tag not in before.tags:
        try:
            with telling(api, what):
                api.create_tag(what.repo, tag=tag, revision=commit)
        except HubError:  # was only the answer lost, now or in the last push?
            tags = []
            with suppress(Exception):
                tags = api.list_repo_refs(what.repo).tags
            if (tag, commit) not in [(one.name, one.target_commit) for one in tags]:
                raise
    place = f"{what.repo}/tree/{what.revision}" if what.revision else what.repo
    return Pushed(f"{api.endpoint}/{place}", commit if plan.sent else None, plan)


def _folder(source: str | Path, registry: Registry, token: str | None) -> Path:
    """Locate the run or model to push, with all its weights; raises RunError if there is none."""
    folder = locate(source, registry, token=token, kinds=tuple(WEIGHTS)).folder
    find(folder)
    return folder


# -- what the Hub has --------------------------------------------------------------------------


def _look(api: HfApi, what: Id) -> Before:
    from huggingface_hub.errors import RepositoryNotFoundError

    with telling(api, what):
        try:
            refs = api.list_repo_refs(what.repo)
        except RepositoryNotFoundError as error:
            if is_bad_token(error):
                raise
            return Before(is_new_branch=what.revision not in (None, "main"))
        branches = [ref.name for ref in refs.branches]
        is_new = what.revision is not None and what.revision not in branches
        what = Id(what.repo) if is_new else what
        listing = list_files(api, what)
        tags = {ref.name: ref.target_commit for ref in refs.tags}
        before = Before(listing, is_new, tags, tuple(branches))
        if CARD in listing.files:
            path = download(api, what, listing, listing.files[CARD])
            try:
                before = replace(before, card=path.read_bytes().decode("utf-8"))
            except ValueError as error:
                raise HubError(
                    f"{what}: its {CARD} is no text in UTF-8; correct it there."
                ) from error
        if CONFIG in listing.files:
            with suppress(RunError):  # it will be replaced
                config = configs.read(download(api, what, listing, listing.files[CONFIG]))
                before = replace(before, licences=config.licences)
        for name, file in listing.files.items():
            if name.startswith("entries/") and limit(name):
                with suppress(RunError):
                    entry = entries.read_entry(download(api, what, listing, file))
                    before = replace(before, entries=(*before.entries, entry))
    return before


def _plan(bundle: Path, what: Id, before: Before, options: Options) -> Plan:
    """Decide what to send; raises HubError, before sending, if it cannot be sent."""
    changes = _changes(bundle, before.listing)
    parent = before.listing.commit if before.listing else None
    if what.revision in before.tags or COMMIT.fullmatch(what.revision or ""):
        raise HubError(
            f"{what}: {what.revision} is a tag or a commit, and those do not change. Name a "
            f"branch, or none: {what.repo}"
        )
    if options.tag is not None:
        parse_id(what.repo, options.tag)  # a tag must be pullable
        if options.tag in (*before.branches, "main"):
            raise HubError(f"{what.repo} has a branch '{options.tag}': name the tag otherwise.")
    if options.private and before.listing and not before.listing.private:
        raise HubError(
            f"{what.repo} exists and is public; --private makes new ones private. Make it private "
            f"first: hf repos settings {what.repo} --private"
        )
    is_done = before.tags.get(options.tag or "") == parent and _all_same(changes)
    if options.tag in before.tags and not is_done:  # otherwise only its answer was lost
        raise HubError(
            f"{what.repo} has a tag '{options.tag}' already, and tags do not move. Name another."
        )
    card = bundle / CARD
    text = card.read_bytes().decode("utf-8") if card.is_file() else ""
    config = configs.read(bundle / CONFIG)
    pair = {"generator": config.generator, "discriminator": config.discriminator}
    roles = [*(role for role, part in pair.items() if part), *config.networks]
    networks = tuple(role for role in roles if (bundle / configs.weights_file(role)).is_file())
    stays = tuple(role for role in roles if networks and role not in networks)
    notes = (before.note,) if before.note else ()
    return Plan(what, changes, text, notes, networks=networks, left_out=stays)


def _changes(bundle: Path, listing: Listing | None) -> tuple[Change, ...]:
    on_hub = listing.files if listing else {}
    changes = []
    for path in sorted(filter(Path.is_file, bundle.rglob("*"))):
        name = path.relative_to(bundle).as_posix()
        action: Action = "new"
        if name in on_hub:
            action = "same" if same(path, on_hub[name].sha) else "changed"
        changes.append(Change(name, path.stat().st_size, action))
    ours = {change.name for change in changes}
    roles = {*WEIGHTS, *configs.read(bundle / CONFIG).networks}
    weights = {configs.weights_file(role) for role in roles}
    for name, file in sorted(on_hub.items()):
        is_foreign = name.endswith(".safetensors") and name not in weights
        if name not in ours and limit(name) and _OURS.fullmatch(name) and not is_foreign:
            changes.append(Change(name, file.size, "removed"))
    return tuple(changes)


def _all_same(changes: Sequence[Change]) -> bool:
    return all(change.action == "same" for change in changes)


# -- sending -----------------------------------------------------------------------------------


def _commit(api: HfApi, plan: Plan, bundle: Path, message: str, parent: str) -> str:
    """Commit, and return the hash; if the answer was lost, look for the commit."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    operations = [
        CommitOperationDelete(change.name)
        if change.action == "removed"
        else CommitOperationAdd(change.name, str(bundle / change.name))
        for change in plan.sent
    ]
    what = plan.what
    is_short = sum(change.size for change in plan.sent) < _LONG
    try:
        with telling(api, what), without_bars(is_short):
            commit = api.create_commit(
                what.repo,
                operations,
                commit_message=message,
                revision=what.revision,
                parent_commit=parent,
            )
        return str(commit.oid)
    except HubError as error:
        with suppress(Exception):
            now = list_files(api, what)
            if _all_same(_changes(bundle, now)):
                return now.commit
        if "Invalid metadata" in str(error.__cause__):
            raise HubError(
                f"{what}: the Hub refuses the card's metadata. Correct those lines at its top "
                f"that you wrote: {' '.join(str(error.__cause__).split())}"
            ) from error
        raise
