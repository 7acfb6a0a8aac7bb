"""Pull models from the Hub: only a model folder's files, each checked before it is read.

The folder is in huggingface_hub's cache.  A branch or tag moves there only when all files of its
new commit are present and valid.  So a broken pull leaves the old commit, whole.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ganzoo.errors import FileError, HubError, HubFailure, RunError, one_of
from ganzoo.files import atomic_folder, write_atomic
from ganzoo.hub.client import client, disk_error, telling
from ganzoo.hub.repository import COMMIT, PNG, Listing, Remote, download, forget, limit, list_files
from ganzoo.models import config as configs
from ganzoo.models.config import WEIGHTS
from ganzoo.models.folder import CONFIG, check_plugin, refuse_pickle, refuse_taken
from ganzoo.models.hub_id import Id
from ganzoo.plugins.registry import Registry

if TYPE_CHECKING:
    from huggingface_hub import HfApi

#: most files in a repository
FILES = 200
_PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".npy", ".npz", ".h5", ".joblib")
_WEIGHTS = WEIGHTS["generator"]


@dataclass(frozen=True)
class Pulled:
    """A model folder; if it is from the Hub, also its name, its commit, and notes."""

    folder: Path
    commit: str
    note: str = ""
    what: Id | None = None


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
        api, with_weights = client(token), "generator" in kinds
        from huggingface_hub.constants import HF_HUB_CACHE
        from huggingface_hub.errors import OfflineModeIsEnabled

        if HF_HUB_CACHE.startswith("~"):
            raise FileError(
                "there is no home folder for the Hub's cache. Set HOME, or HF_HOME to a folder "
                "that may be written."
            )
        if COMMIT.fullmatch(what.revision or "") and (hit := _cached(what, with_weights)):
            return hit
        try:
            with telling(api, what):
                listing = list_files(api, what)
        except HubError as error:
            is_offline = isinstance(error.__cause__, OfflineModeIsEnabled)
            if not (is_offline or isinstance(error, HubFailure)):
                raise
            if hit := _cached(what, with_weights):
                commit = hit.commit[:12]
                note = f"{what}: the Hub was not reached; this is commit {commit} of the cache"
                return replace(hit, note=note)
            raise type(error)(f"{error} The model is not whole in the cache either.") from error
        return _fetch_model(api, what, listing, registry, kinds)
    except OSError as error:
        raise disk_error(error, what) from error


def _fetch_model(
    api: HfApi, what: Id, listing: Listing, registry: Registry, kinds: Collection[str]
) -> Pulled:
    """Fetch and check the files of a commit, the config first; then write the ref."""
    files = _model_files(what, listing)
    folder = _fetch(api, what, listing, files.pop(CONFIG)).parent
    with naming(what, folder):
        config = configs.read(folder / CONFIG)
        check_plugin("generator", config.generator, registry, what.repo)
    for name, claim in config.files.items():  # before large files are fetched
        file = files.get(name)
        is_large = file is not None and len(file.sha) == 64
        if file and (file.size != claim.bytes or (is_large and file.sha != claim.sha256)):
            raise HubError(
                f"{what}: {name} is not the file that its {CONFIG} is about, and was not "
                "fetched. Try again; if it happens again, its author has to push again."
            )
    exclusions = {WEIGHTS[kind] for kind in WEIGHTS if kind not in kinds}
    if "generator" not in kinds:
        exclusions |= config.files.keys()
    theirs = config.files.keys() | set(WEIGHTS.values())
    for file in files.values():
        is_foreign = file.name.endswith(".safetensors") and file.name not in theirs
        if file.name not in exclusions and not is_foreign:
            _fetch(api, what, listing, file)
    # For offline use.  huggingface_hub writes the ref itself when asked for a branch, but with the
    # first file, before the others are there.
    if "generator" in kinds and folder.name != what.revision:
        ref = folder.parent.parent / "refs" / (what.revision or "main")
        ref.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(ref, folder.name)
    return Pulled(folder, listing.commit, what=what)


def _model_files(what: Id, listing: Listing) -> dict[str, Remote]:
    """Select a model folder's files from a repository, weights last.

    So if a commit's weights are in the cache, the rest is too.  Raises HubError if it is not a
    model.
    """
    names = sorted(filter(limit, listing.files), key=lambda n: (n == _WEIGHTS, n))
    files = {name: listing.files[name] for name in names}
    if gaps := [name for name in (CONFIG, _WEIGHTS) if name not in files]:
        text = f"{what} is no ganzoo model: it has no {gaps[0]}."
        if pickles := sorted(n for n in listing.files if n.lower().endswith(_PICKLES)):
            text += (
                f" Its weights are in {one_of(pickles[:3])}, a format that can run code, and "
                "ganzoo opens none: ask its author for safetensors."
            )
        raise HubError(f"{text} `ganzoo search` lists models.")
    if len(files) > FILES:
        raise HubError(f"{what} has {len(files)} files, where a model has at most {FILES}.")
    for file in files.values():
        if file.size > limit(file.name):
            raise HubError(
                f"{what}: {file.name} has {file.size:,} bytes, and {limit(file.name):,} is the "
                "most that ganzoo takes. Nothing was fetched."
            )
    return files


def _fetch(api: HfApi, what: Id, listing: Listing, file: Remote) -> Path:
    """Fetch one file into the cache, or raise HubError and leave nothing of it there."""
    path, name = download(api, what, listing, file), file.name
    try:
        with naming(what, path.parent):
            refuse_pickle(path)
            if name.endswith(".safetensors"):
                return path  # its header is read with the network
            content = path.read_bytes()
            if name.endswith(".png"):
                if not content.startswith(PNG):
                    raise RunError(f"{name} is no PNG. Do not trust the repository.")
                return path
            try:
                is_text = "\0" not in content.decode("utf-8")
            except ValueError:
                is_text = False
            if not is_text:
                raise RunError(f"{name} is no text in UTF-8. Do not trust the repository.")
    except HubError:
        forget(path)
        raise
    return path


@contextmanager
def naming(what: Id, folder: Path) -> Iterator[None]:
    """Turn errors in the cached ``folder`` into a HubError that names the repository."""
    try:
        yield
    except RunError as error:
        text = str(error).replace(f"{folder}/", "").replace(str(folder), what.repo)
        raise HubError(text if text.startswith(what.repo) else f"{what}: {text}") from error


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
    return Pulled(folder, folder.name, what=what)


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
