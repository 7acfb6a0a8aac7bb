"""Pull models from the Hub: only a model folder's files, each checked before it is read.

The folder is in huggingface_hub's cache.  A branch or tag moves there only when all files of its
new commit are present and valid.  So a broken pull leaves the old commit, whole.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganzoo.errors import FileError, HubError, HubFailure, RunError, nearest, one_of
from ganzoo.files import atomic_folder, refusals, sha256, write_atomic
from ganzoo.hub.client import TIMEOUT, client, disk_error, telling
from ganzoo.models import config as configs
from ganzoo.models.config import WEIGHTS, Config
from ganzoo.models.folder import CONFIG, check_plugin, refuse_pickle, refuse_taken
from ganzoo.models.hub_id import Id, from_address, is_id, parse_id
from ganzoo.plugins.registry import Registry
from ganzoo.plugins.shipped import shipped_models
from ganzoo.recipe.recipe_types import Recipe
from ganzoo.text import say

if TYPE_CHECKING:
    from huggingface_hub import HfApi

    from ganzoo.models.model import Model

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
#: most files in a repository
FILES = 200
_PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".npy", ".npz", ".h5", ".joblib")
PNG = b"\x89PNG\r\n\x1a\n"
#: form of a commit's hash
COMMIT = re.compile(r"[0-9a-f]{40}")
_WEIGHTS = WEIGHTS["generator"]
#: the default folder of runs; a mistyped one looks like an id
RUNS = "runs"
#: file size in bytes from which on there is a progress bar
_LONG = 1 << 20


@dataclass(frozen=True)
class Pulled:
    """A model folder; if it is from the Hub, also its name, its commit, and notes."""

    folder: Path
    commit: str
    note: str = ""
    what: Id | None = None


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


# -- where a MODEL is --------------------------------------------------------------------------


def locate(
    name: str | Path,
    registry: Registry,
    revision: str | None = None,
    token: str | None = None,
    kinds: Collection[str] = ("generator",),
) -> Pulled:
    """Find MODEL: a run or model folder, a model that came with ganzoo, or one on the Hub.

    ``kinds`` are the networks whose weights are fetched.  Raises RunError or HubError if there is
    none.
    """
    text = from_address(name) if isinstance(name, str) else str(name)
    path = Path(text)
    with refusals():
        here = isinstance(name, Path) or path.exists()
    if here or not (revision or "://" in text or is_id(text)):
        if revision:
            raise HubError(f"{path} is a folder here, and has no revision '{revision}'.")
        return Pulled(path, "")
    what = parse_id(text, revision)
    models = shipped_models()
    if what.repo in models and not text.startswith("hf://"):
        if what.revision:
            raise HubError(
                f"{what.repo} comes with ganzoo and has no revisions. hf://{what} means the Hub."
            )
        return Pulled(models[what.repo], "")
    beside = path.parent
    if not text.startswith("hf://") and (beside.is_dir() or beside.name == RUNS):
        there = [str(found) for found in beside.iterdir()] if beside.is_dir() else []
        raise RunError(
            f"{text} does not exist{nearest(text, [*there, *models])} It is taken for a folder, as "
            f"is all in {beside}/; hf://{text} means the Hub."
        )
    return pull(what, registry, token, kinds)


def with_pinned_weights(recipe: Recipe, registry: Registry) -> Recipe:
    """Pin the recipe's ``init_from`` to a folder or a commit in the cache.

    So a branch that moves changes no run.  Raises HubError if the Hub does not deliver.
    """
    if not (recipe.init_from or "").startswith("hf://"):
        return recipe
    what = parse_id(str(recipe.init_from))
    found = pull(what, registry)
    if found.note:
        say(found.note, err=True)
    return recipe.starting_from(f"hf://{Id(what.repo, found.commit)}")


def load(found: Pulled, registry: Registry, *how: Any) -> Model:
    """Load the model of a located folder with ``model.load``; errors give its name on the Hub."""
    from ganzoo.models import model

    if found.what is None:
        return model.load(found.folder.absolute(), registry, *how)
    with _naming(found.what, found.folder):
        return model.load(found.folder, registry, *how)


# -- pulling -----------------------------------------------------------------------------------


def pull(
    what: Id,
    registry: Registry,
    token: str | None = None,
    kinds: Collection[str] = tuple(WEIGHTS),
) -> Pulled:
    """Fetch the model folder of ``what`` from the Hub or the cache, with weights of ``kinds``.

    Raises HubError if the Hub does not deliver, or delivers an invalid model; nothing invalid is
    kept.  If the Hub cannot be reached, the cached revision is used.
    """
    try:
        return replace(_pull(what, registry, token, kinds), what=what)
    except OSError as error:
        raise disk_error(error, what) from error


def _pull(what: Id, registry: Registry, token: str | None, kinds: Collection[str]) -> Pulled:
    api, with_weights = client(token), "generator" in kinds
    from huggingface_hub.constants import HF_HUB_CACHE
    from huggingface_hub.errors import OfflineModeIsEnabled

    if HF_HUB_CACHE.startswith("~"):
        raise FileError(
            "there is no home folder for the Hub's cache. Set HOME, or HF_HOME to a folder that "
            "may be written."
        )
    if COMMIT.fullmatch(what.revision or "") and (found := _cached(what, with_weights)):
        return found
    try:
        with telling(api, what):
            listing = list_files(api, what)
    except HubError as error:
        offline = isinstance(error.__cause__, OfflineModeIsEnabled)
        if offline or isinstance(error, HubFailure):
            return _from_cache(what, with_weights, error)
        raise
    wanted = _wanted(what, listing)
    folder = _fetch(api, what, listing, wanted.pop(CONFIG)).parent
    with _naming(what, folder):
        config = configs.read(folder / CONFIG)
        check_plugin("generator", config.generator, registry, what.repo)
    _compare(what, config, wanted)
    left = {WEIGHTS[kind] for kind in WEIGHTS if kind not in kinds}
    if not with_weights:
        left |= config.files.keys()
    theirs = config.files.keys() | set(WEIGHTS.values())
    for file in wanted.values():
        is_foreign = file.name.endswith(".safetensors") and file.name not in theirs
        if file.name not in left and not is_foreign:
            _fetch(api, what, listing, file)
    if with_weights:
        _point(what, folder)
    return Pulled(folder, listing.commit)


def _compare(what: Id, config: Config, wanted: Mapping[str, Remote]) -> None:
    """Raise HubError if the weights differ from the config, before fetching them."""
    for name, stated in config.files.items():
        there = wanted.get(name)
        large = there is not None and len(there.sha) == 64
        if there and (there.size != stated.bytes or (large and there.sha != stated.sha256)):
            raise HubError(
                f"{what}: {name} is not the file that its {CONFIG} is about, and was not "
                "fetched. Try again; if it stays so, its author has to push it anew."
            )


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


def _wanted(what: Id, listing: Listing) -> dict[str, Remote]:
    """Select a model folder's files from a repository, weights last.

    So if a commit's weights are in the cache, the rest is too.  Raises HubError if it is not a
    model.
    """
    names = sorted(filter(limit, listing.files), key=lambda n: (n == _WEIGHTS, n))
    wanted = {name: listing.files[name] for name in names}
    if CONFIG not in wanted or _WEIGHTS not in wanted:
        raise HubError(_no_model(what, listing))
    if len(wanted) > FILES:
        raise HubError(f"{what} has {len(wanted)} files, where a model has at most {FILES}.")
    for file in wanted.values():
        if file.size > limit(file.name):
            raise HubError(
                f"{what}: {file.name} has {file.size:,} bytes, and {limit(file.name):,} is the "
                "most that ganzoo takes. Nothing was fetched."
            )
    return wanted


def limit(name: str) -> int:
    """Return the size limit of a file by name; 0 if a model folder has no such file."""
    return next((limit for form, limit in KNOWN.items() if re.fullmatch(form, name)), 0)


def _no_model(what: Id, listing: Listing) -> str:
    missing = next(n for n in (CONFIG, _WEIGHTS) if n not in listing.files)
    text = f"{what} is no ganzoo model: it has no {missing}."
    if pickles := sorted(n for n in listing.files if n.lower().endswith(_PICKLES)):
        text += (
            f" Its weights are in {one_of(pickles[:3])}, a format that can run code, and ganzoo "
            "opens none: ask its author for safetensors."
        )
    return f"{text} `ganzoo search` lists models."


def _fetch(api: HfApi, what: Id, listing: Listing, file: Remote) -> Path:
    """Fetch one file into the cache, or raise HubError and leave nothing of it there."""
    path = download(api, what, listing, file)
    try:
        with _naming(what, path.parent):
            refuse_pickle(path)
            _refuse_disguise(path, file.name)
    except HubError:
        _forget(path)
        raise
    return path


def download(api: HfApi, what: Id, listing: Listing, file: Remote) -> Path:
    """Return a listed file in the cache, fetching it if needed.

    A file that was fetched is hashed, since the client does not.  A faulty one is fetched again
    once: the cache may be at fault.  Raises HubError if the Hub delivers another file.
    """
    from huggingface_hub import try_to_load_from_cache

    known = try_to_load_from_cache(what.repo, file.name, revision=listing.commit)
    if isinstance(known, str) and Path(known).stat().st_size == file.size:
        return Path(known)
    for force in (False, True):
        with telling(api, what):
            found = api.hf_hub_download(
                what.repo,
                file.name,
                revision=listing.commit,
                force_download=force,
                tqdm_class=_bars(file),
            )
        path = Path(found)
        if not (wrong := _damage(path, file)):
            return path
        _forget(path)
    raise HubError(
        f"{what}: {wrong}. Nothing of it was kept. Try again; if it stays so, do not trust "
        "the repository."
    )


def _damage(path: Path, file: Remote) -> str:
    """Say how a file differs from the Hub's listing; empty if it does not."""
    if (size := path.stat().st_size) != file.size:
        return f"{file.name} has {size:,} bytes, and the Hub says {file.size:,}"
    if not same(path, file.sha):
        return f"{file.name} is not what the Hub says: its hash is another"
    return ""


@contextmanager
def _naming(what: Id, folder: Path) -> Iterator[None]:
    """Turn errors in the cached ``folder`` into a HubError that names the repository."""
    try:
        yield
    except RunError as error:
        text = str(error).replace(f"{folder}/", "").replace(str(folder), what.repo)
        raise HubError(text if text.startswith(what.repo) else f"{what}: {text}") from error


def _bars(file: Remote) -> Any:
    """Show a progress bar for large files only."""
    from huggingface_hub.utils.tqdm import tqdm

    if file.size > _LONG:
        return tqdm

    class Silent(tqdm):
        def __init__(self, *args: Any, **kwargs: Any):
            super().__init__(*args, **{**kwargs, "disable": True})  # type: ignore[no-untyped-call]

    return Silent


def same(path: Path, sha: str) -> bool:
    """Whether a file has this hash on the Hub."""
    return _hash(path, sha) == sha


def _hash(path: Path, kind: str) -> str:
    """Compute SHA-256, or git's SHA-1 of a blob, whichever has the length of ``kind``."""
    if len(kind) == 64:
        return sha256(path)
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _refuse_disguise(path: Path, name: str) -> None:
    """Raise RunError if a file's content does not match its name."""
    if name.endswith(".safetensors"):
        return  # its header is read with the network
    content = path.read_bytes()
    if name.endswith(".png"):
        if not content.startswith(PNG):
            raise RunError(f"{name} is no PNG. Do not trust the repository.")
        return
    try:
        if "\0" in content.decode("utf-8"):
            raise ValueError
    except ValueError:
        raise RunError(f"{name} is no text in UTF-8. Do not trust the repository.") from None


# -- huggingface_hub's cache -------------------------------------------------------------------


def _from_cache(what: Id, with_weights: bool, error: HubError) -> Pulled:
    """Return the cached revision if the Hub cannot be asked; without one, raise ``error``."""
    if found := _cached(what, with_weights):
        note = f"{what}: the Hub was not reached; this is commit {found.commit[:12]} of the cache"
        return replace(found, note=note)
    raise type(error)(f"{error} The model is not whole in the cache either.") from error


def _cached(what: Id, with_weights: bool) -> Pulled | None:
    """Return a revision that is in the cache, its weights as long as its config says."""
    from huggingface_hub import try_to_load_from_cache

    path = try_to_load_from_cache(what.repo, CONFIG, revision=what.revision)
    if not isinstance(path, str):
        return None
    folder = Path(path).parent
    try:
        files = configs.read(folder / CONFIG).files
    except RunError:
        return None
    sizes = {name: file.bytes for name, file in files.items() if (folder / name).exists()}
    if with_weights and not (folder / _WEIGHTS).exists():
        return None
    if any((folder / name).stat().st_size != size for name, size in sizes.items()):
        return None
    return Pulled(folder, folder.name)


def _forget(path: Path) -> None:
    """Remove a file from the cache, with all that it links to."""
    target = path.parent / path.readlink() if path.is_symlink() else None
    path.unlink(missing_ok=True)
    if target:
        _forget(target)


def _point(what: Id, folder: Path) -> None:
    """Write the ref for offline use.

    huggingface_hub writes it itself when asked for a branch, but with the first file, before the
    others are there.
    """
    ref = folder.parent.parent / "refs" / (what.revision or "main")
    if folder.name != what.revision:
        ref.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(ref, folder.name)


# -- a folder of one's own ---------------------------------------------------------------------


def copy(folder: Path, out: Path) -> None:
    """Copy a model folder to the new folder ``out``, whole or not at all; raises RunError."""
    refuse_taken(out)
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*")]
    try:
        with atomic_folder(out) as aside:
            for name in filter(limit, names):
                (aside / name).parent.mkdir(exist_ok=True)
                shutil.copyfile(folder / name, aside / name)  # follows links
    except OSError as error:
        raise RunError(f"--out {out} cannot be written: {error.strerror or error}.") from error
