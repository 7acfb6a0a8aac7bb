"""A model to the Hub: everything is checked, and put together, before the first byte leaves.

A push is one commit on the revision that was looked at, with the files that differ and no others.
So one that breaks off leaves the revision as it was, and can be run again.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from PIL import Image

from ganzoo import card, checkpoint, model, weights
from ganzoo import config as configs
from ganzoo import entry as entries
from ganzoo.build import weights_hash
from ganzoo.checkpoint import write_tensors
from ganzoo.config import WEIGHTS, Config, Licences
from ganzoo.entry import Entry
from ganzoo.errors import GanzooError, HubError, RecipeError, RunError
from ganzoo.hub import Id, client, telling
from ganzoo.model import CARD, CONFIG, RECIPE, SAMPLES, Model
from ganzoo.pull import KNOWN, Listing, list_files, same
from ganzoo.recipe import without_paths
from ganzoo.registry import Registry
from ganzoo.yaml12 import parse

if TYPE_CHECKING:
    from huggingface_hub import HfApi

Action = Literal["new", "changed", "same", "removed"]
#: what the Hub's tokens look like
_TOKEN = re.compile(rb"hf_[A-Za-z0-9]{30,}")
_TRIED = 4  # pictures


@dataclass(frozen=True)
class Options:
    """What is asked of a push; ``licence`` is that of the weights.

    ``card`` is a file whose hand-written parts take the place of those on the Hub, ``entries`` the
    folder with scores, ``tag`` what the new commit shall be called.
    """

    licence: str | None = None
    data_licence: str | None = None
    card: Path | None = None
    entries: Path | None = None
    with_discriminator: bool = False
    private: bool = False
    tag: str | None = None
    message: str | None = None


@dataclass(frozen=True)
class Change:
    """What a push does to a file."""

    name: str
    size: int
    action: Action


@dataclass(frozen=True)
class Plan:
    """What a push would do: ``listing`` is None where the repository is new or was not asked."""

    what: Id
    listing: Listing | None
    changes: tuple[Change, ...]
    card: str
    notes: tuple[str, ...]

    @property
    def empty(self) -> bool:
        """Whether the Hub has it all."""
        return all(change.action == "same" for change in self.changes)


@dataclass(frozen=True)
class Pushed:
    """Where a model is now; ``commit`` is None where nothing had changed."""

    url: str
    commit: str | None
    plan: Plan


def plan(
    source: Path, what: Id, registry: Registry, options: Options, token: str | None = None
) -> Plan:
    """What a push would do; only reads.  Raises as ``push`` does.

    Where the Hub cannot be asked what it has, a note says so.
    """
    api = client(token)
    try:
        before = _Before(api, what)
    except HubError as error:
        before = _Before(None, what, note=f"what the Hub has is not known: {error}")
    with _package(source, what, registry, options, before) as staged:
        return _plan(staged, what, before, options)


def push(
    source: Path, what: Id, registry: Registry, options: Options, token: str | None = None
) -> Pushed:
    """Publish a run or model folder as the repository ``what``, a branch being its revision.

    Raises GanzooError with all that is wrong with the model, HubError where the Hub refuses.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    api = client(token)
    with telling(api, what):
        api.whoami()
    before = _Before(api, what)
    with _package(source, what, registry, options, before) as staged:
        plan = _plan(staged, what, before, options)
        url = f"{api.endpoint}/{what.repo}"
        with telling(api, what):
            listing = plan.listing or _create(api, what, options)
            api.auth_check(what.repo, write=True)
            commit = listing.commit
            operations: list[Any] = [
                CommitOperationDelete(change.name)
                if change.action == "removed"
                else CommitOperationAdd(change.name, str(staged / change.name))
                for change in plan.changes
                if change.action != "same"
            ]
        if operations:
            message = options.message or f"Push from ganzoo: {source.resolve().name}"
            commit = _commit(api, what, operations, message, commit, staged)
        with telling(api, what):
            if options.tag:
                api.create_tag(what.repo, tag=options.tag, revision=commit)
    return Pushed(url, commit if operations else None, plan)


def _commit(
    api: HfApi, what: Id, operations: list[Any], message: str, parent: str, staged: Path
) -> str:
    """Commit, and return its hash; a commit whose answer was lost is looked for."""
    try:
        with telling(api, what):
            made = api.create_commit(
                what.repo,
                operations,
                commit_message=message,
                revision=what.revision,
                parent_commit=parent,
            )
        return str(made.oid)
    except HubError:
        with suppress(Exception):
            now = list_files(api, what)
            files = [path for path in staged.rglob("*") if path.is_file()]
            names = {path: path.relative_to(staged).as_posix() for path in files}
            if all(n in now.files and same(p, now.files[n].sha) for p, n in names.items()):
                return now.commit
        raise


def _create(api: HfApi, what: Id, options: Options) -> Listing:
    """A new repository, or a new branch of one."""
    api.create_repo(what.repo, private=options.private, exist_ok=True)
    if what.revision:
        api.create_branch(what.repo, branch=what.revision, exist_ok=True)
    return list_files(api, what)


# -- what the Hub has --------------------------------------------------------------------------


class _Before:
    """What the Hub has before a push: files, card and licences; nothing where it is new."""

    def __init__(self, api: HfApi | None, what: Id, note: str = ""):
        self.listing: Listing | None = None
        self.card: str | None = None
        self.licences: Licences | None = None
        self.tags: set[str] = set()
        self.note = note
        if api is None:
            return
        from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

        with telling(api, what):
            try:
                refs = api.list_repo_refs(what.repo)
                self.tags = {tag.name for tag in refs.tags}
                self.listing = list_files(api, what)
            except RepositoryNotFoundError as error:
                if getattr(error.response, "status_code", 0) == 401 and "redentials" in str(error):
                    raise
                return
            except RevisionNotFoundError:  # a new branch begins where main is
                self.listing, what = None, Id(what.repo)
                first = list_files(api, what)
            else:
                first = self.listing
            self.card = self._text(api, what, first, CARD)
            self.licences = self._licences(api, what, first)

    def _text(self, api: HfApi, what: Id, listing: Listing, name: str) -> str | None:
        if name not in listing.files:
            return None
        path = Path(api.hf_hub_download(what.repo, name, revision=listing.commit))
        try:
            return path.read_bytes().decode("utf-8")
        except ValueError as error:
            raise HubError(f"{what}: its {name} is no text in UTF-8; mend it there.") from error

    def _licences(self, api: HfApi, what: Id, listing: Listing) -> Licences | None:
        if CONFIG not in listing.files:
            return None
        path = api.hf_hub_download(what.repo, CONFIG, revision=listing.commit)
        try:
            return configs.read(Path(path)).licences
        except RunError:  # it will be replaced
            return None


def _plan(staged: Path, what: Id, before: _Before, options: Options) -> Plan:
    there = before.listing.files if before.listing else {}
    changes = []
    for path in sorted(filter(Path.is_file, staged.rglob("*"))):
        name = path.relative_to(staged).as_posix()
        action: Action = "new"
        if name in there:
            action = "same" if same(path, there[name].sha) else "changed"
        changes.append(Change(name, path.stat().st_size, action))
    ours = {change.name for change in changes}
    for name, file in sorted(there.items()):
        if name not in ours and any(re.fullmatch(form, name) for form in KNOWN):
            changes.append(Change(name, file.size, "removed"))
    notes = [before.note] * bool(before.note)
    if options.private and before.listing and not before.listing.private:
        raise HubError(
            f"{what.repo} exists and is public; --private makes new ones private. Make it private "
            f"first: hf repos settings {what.repo} --private"
        )
    if options.tag in before.tags:
        raise HubError(
            f"{what.repo} has a tag '{options.tag}' already, and tags do not move. Name another."
        )
    text = (staged / CARD).read_text(encoding="utf-8")
    return Plan(what, before.listing, tuple(changes), text, tuple(notes))


# -- the folder that goes ----------------------------------------------------------------------


@contextmanager
def _package(
    source: Path, what: Id, registry: Registry, options: Options, before: _Before
) -> Iterator[Path]:
    """The complete folder, in a temporary place.

    Raises RunError with all that is wrong with it, a line each.
    """
    folder = model.find(source)
    problems: list[str] = []
    _refuse_links(folder, problems)
    loaded = model.load(folder, registry)
    _try(loaded, problems)
    licences = _licences(loaded.config, options, before, problems)
    scores = _scores(loaded, options, problems)
    _check_recipe(folder, problems)
    with tempfile.TemporaryDirectory(prefix="ganzoo-push-") as temporary:
        staged = Path(temporary)
        config = replace(loaded.config, licences=licences, ganzoo_format=configs.FORMAT)
        config = _copy_weights(staged, folder, config, loaded)
        if options.with_discriminator:
            config = _add_discriminator(staged, source, config, registry)
        (staged / CONFIG).write_text(configs.text(config), encoding="utf-8")
        for name in (RECIPE, SAMPLES):
            if (folder / name).is_file():
                shutil.copyfile(folder / name, staged / name)
        _add_samples(staged, source)
        for one in scores:
            entries.write(staged / "entries" / f"{one.benchmark}.json", one)
        for name, text in card.eval_results(scores).items():
            (staged / name).parent.mkdir(exist_ok=True)
            (staged / name).write_text(text, encoding="utf-8")
        _write_card(staged, folder, config, scores, what, options, before)
        _check_sizes(staged, problems)
        if problems:
            raise _Unfit(what, problems)
        model.load(staged, registry)  # what goes is what was tried
        yield staged


class _Unfit(RunError):
    def __init__(self, what: Id, problems: Sequence[str]):
        count = f"{len(problems)} problems" if len(problems) > 1 else "a problem"
        super().__init__(
            "\n".join([f"not pushed to {what}, for {count}:", *(f"  {line}" for line in problems)])
        )


def _refuse_links(folder: Path, problems: list[str]) -> None:
    """A link could publish a file from elsewhere; those of huggingface_hub's cache are its own."""
    blobs = folder.resolve().parent.parent / "blobs"
    for path in folder.rglob("*"):
        if path.is_symlink() and not path.resolve().is_relative_to(blobs):
            problems.append(
                f"{path} is a link to {path.resolve()}: put the file there, or remove it"
            )


def _try(loaded: Model, problems: list[str]) -> None:
    """Use the model once, as whoever pulls it will."""
    try:
        if loaded.config.input.kind == "noise":
            made = loaded.sample(_TRIED, as_tensor=True)
        else:
            size = loaded.config.input.size or 64
            loaded.translate(Image.new("RGB", (size, size), "gray"))
            made = loaded.translate(torch.zeros(1, 3, size, size))
    except GanzooError as error:
        problems.append(f"the model cannot be used: {error}")
    else:
        if not made.isfinite().all():
            problems.append("the model makes pictures with NaN or infinity: `ganzoo diagnose RUN`")


def _licences(config: Config, options: Options, before: _Before, problems: list[str]) -> Licences:
    """The three licences, from the options, the folder or the last push."""
    own, last = config.licences, before.licences or Licences(None, None, None)
    found = Licences(
        code=own.code or configs.code_licence(config.generator.distribution) or last.code,
        weights=options.licence or own.weights or last.weights,
        data=options.data_licence or own.data or last.data,
    )
    told = {
        "code": f"plugin {config.generator.distribution} states none; its author must",
        "weights": "you choose it: --licence cc-by-4.0, for example",
        "data": "what the training images are under: --data-licence, for example cc-by-4.0 or "
        "an address with their terms",
    }
    for what, how in told.items():
        stated = getattr(found, what)
        if not stated:
            problems.append(f"the licence of the {what} is not known: {how}")
        elif wrong := card.licence_problem(stated):
            problems.append(f"the licence of the {what}: {wrong}")
    return found


def _scores(loaded: Model, options: Options, problems: list[str]) -> list[Entry]:
    """The newest entry of these very weights under each benchmark, from the folders of entries."""
    sha = weights_hash(loaded.generator)
    newest: dict[str, Entry] = {}
    kept = [item.entry for item in entries.find(options.entries)] if options.entries else []
    for one in (*kept, *_own_entries(loaded.path, problems)):
        if one and one.model.kind == "model" and one.model.weights_sha256 == sha:
            known = newest.setdefault(one.benchmark, one)
            newest[one.benchmark] = max(known, one, key=lambda entry: entry.date)
    return [newest[name] for name in sorted(newest)]


def _own_entries(folder: Path, problems: list[str]) -> list[Entry]:
    found = []
    for path in sorted((folder / "entries").glob("*.json")):
        try:
            found.append(entries.read(path))
        except RunError as error:
            problems.append(str(error))
    return found


def _check_recipe(folder: Path, problems: list[str]) -> None:
    path = folder / RECIPE
    if not path.is_file():
        return
    try:
        plain = parse(path.read_text(encoding="utf-8"), RECIPE).plain()
    except (RecipeError, UnicodeDecodeError) as error:
        problems.append(f"{path} cannot be read: {error}")
        return
    if without_paths(plain) != plain:
        problems.append(f"{path} names a place on this machine: take the folder's path out")


def _copy_weights(staged: Path, folder: Path, config: Config, loaded: Model) -> Config:
    files = {}
    for kind, name in WEIGHTS.items():
        if (folder / name).is_file() and (kind == "generator" or name in config.files):
            shutil.copyfile(folder / name, staged / name)
            files[name] = config.files.get(name) or weights.describe(
                staged / name, loaded.generator
            )
    return replace(config, files=files)


def _add_discriminator(staged: Path, source: Path, config: Config, registry: Registry) -> Config:
    """That of the run's newest checkpoint, for those who train on."""
    if config.discriminator is None or not checkpoint.steps(source / "checkpoints"):
        raise RunError(f"--with-discriminator: {source} is no run with a checkpoint, which has it.")
    file = staged / WEIGHTS["discriminator"]
    write_tensors(file, checkpoint.newest(source / "checkpoints")[0]["discriminator"])
    network = model.network("discriminator", config, staged, registry)
    return replace(config, files=config.files | {file.name: weights.describe(file, network)})


def _add_samples(staged: Path, source: Path) -> None:
    """Of a model that is made from photos, the run's newest grid."""
    grids = sorted((source / "samples").glob("*.png"))
    if grids and not (staged / SAMPLES).exists():
        shutil.copyfile(grids[-1], staged / SAMPLES)


def _write_card(
    staged: Path,
    folder: Path,
    config: Config,
    scores: Sequence[Entry],
    what: Id,
    options: Options,
    before: _Before,
) -> None:
    """The card, with the hand-written parts of the one named, on the Hub, or in the folder."""
    base = before.card
    chosen = options.card or (folder / CARD if base is None else None)
    if chosen and chosen.is_file():
        base = chosen.read_text(encoding="utf-8")
    elif options.card:
        raise RunError(f"--card {options.card}: there is no such file.")
    shown = (staged / SAMPLES).is_file()
    text = card.make(config, scores, what.repo, samples=shown, base=base)
    (staged / CARD).write_text(text, encoding="utf-8")


def _check_sizes(staged: Path, problems: list[str]) -> None:
    for path in filter(Path.is_file, staged.rglob("*")):
        name = path.relative_to(staged).as_posix()
        limit = next((most for form, most in KNOWN.items() if re.fullmatch(form, name)), 0)
        if path.stat().st_size > limit:
            problems.append(f"{name} has {path.stat().st_size:,} bytes; {limit:,} is the most")
        if not name.endswith((".safetensors", ".png")) and _TOKEN.search(path.read_bytes()):
            problems.append(f"{name} holds what looks like a token of the Hub: take it out")
