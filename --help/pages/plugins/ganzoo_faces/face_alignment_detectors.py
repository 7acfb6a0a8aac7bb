"""The finders of faces of the package face-alignment, by Bulat and Tzimiropoulos 2017."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.request import Request, urlopen

import numpy as np
from annotated_types import Ge
from numpy.typing import NDArray
from PIL import Image

from ganzoo.errors import DataError
from ganzoo.files import expand, may_download
from ganzoo.foreign import start_of
from ganzoo.interfaces import Box, Detector

#: What face-alignment downloads into torch's hub folder, under these names.
_BLAZEFACE = "https://github.com/hollance/BlazeFace-PyTorch/blob/master"
URLS = {
    "sfd": ("https://www.adrianbulat.com/downloads/python-fan/s3fd-619a316812.pth",),
    "blazeface": (f"{_BLAZEFACE}/blazeface.pth?raw=true", f"{_BLAZEFACE}/anchors.npy?raw=true"),
}
ANCHORS = "anchors.npy"
_TIMEOUT = 5  # seconds to find out that there is no network
_OFFLINE = "Detector 'lbp' works without any download."


class FaceAlignment(Detector):
    """The networks of the package face-alignment: faces of any pose, in photos.

    Without ``weights`` the package downloads its own once, into torch's hub folder.

    Args:
        model: S3FD (Zhang et al. 2017), slow and thorough, or BlazeFace (Bazarevsky et al. 2019),
            quick, for large faces.
        weights: A file of trained weights; for blazeface with its anchors.npy beside it.
        longest: Larger images are reduced to so many pixels on their longer side.
    """

    def __init__(
        self,
        model: Literal["sfd", "blazeface"] = "sfd",
        weights: Path | None = None,
        longest: Annotated[int, Ge(64)] = 1024,
    ):
        if model not in URLS:
            raise ValueError(f"model is {model!r}; it is 'sfd' or 'blazeface'")
        if longest < 64:
            raise ValueError(f"longest is {longest}; it is at least 64")
        self.model = model
        self.longest = longest
        self._network = _load(model, expand(Path(weights)) if weights else None)

    def detect(self, image: NDArray[np.uint8]) -> list[Box]:
        """Find the faces in an RGB image (H, W, 3), the surest first."""
        height, width = image.shape[:2]
        share = min(1.0, self.longest / max(height, width))
        if share < 1:
            size = max(1, round(share * width)), max(1, round(share * height))
            image = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX))
        h, w = image.shape[:2]
        if self.model == "blazeface":  # it looks at the central square alone: make that all
            side = max(h, w)
            image = np.pad(image, ((0, side - h), (0, side - w), (0, 0)))
        scale = np.array([width / w, height / h] * 2 + [1])
        rows = self._network.detect_from_image(image)
        boxes = [Box(*map(float, np.asarray(row, float) * scale)) for row in rows]
        return sorted(boxes, key=lambda box: -box.score)


def _load(model: str, weights: Path | None) -> Any:
    paths: dict[str, Path] = {}
    if weights is not None:
        paths = {"path_to_detector": weights}
        if model == "blazeface":
            paths["path_to_anchor"] = weights.with_name(ANCHORS)
    for path in paths.values():
        start_of(
            path,
            f"get the file itself from {' and '.join(URLS[model])}, or use the detector lbp, which "
            "needs no download",
        )
    try:
        import torch

        package = importlib.import_module(f"face_alignment.detection.{model}")
    except ImportError as error:
        raise DataError(
            f"detector 'face-alignment' needs the package face-alignment, which cannot be imported "
            f"({error}). Do: pip install 'ganzoo[faces]'. {_OFFLINE}"
        ) from error
    hub = Path(torch.hub.get_dir()) / "checkpoints"
    if weights is None:
        for url in URLS[model]:
            _reach(url, hub, model)
    try:
        return package.FaceDetector(
            device="cuda" if torch.cuda.is_available() else "cpu",
            verbose=False,
            **{name: str(path) for name, path in paths.items()},
        )
    except OSError as error:  # the network went away meanwhile, or the disk is full
        raise _missing(model, str(error), hub) from error
    except Exception as error:  # torch and numpy raise all sorts of things on damaged files
        what = str(weights or hub / _name(URLS[model][0]))
        reason = f"{type(error).__name__}: {str(error).strip().splitlines()[0][:160]}"
        raise DataError(
            f"weights '{what}' are not those of {model}, or damaged ({reason}). "
            f"Remove the file and get it again from {URLS[model][0]}. {_OFFLINE}"
        ) from error


def _reach(url: str, hub: Path, model: str) -> None:
    """Raise DataError, within seconds, if a file is missing and cannot be downloaded."""
    if (hub / _name(url)).exists():
        return
    if not may_download():
        raise _missing(model, f"'{hub / _name(url)}' is not there", hub)
    try:
        # the package's own download would wait for minutes where packets are dropped
        with urlopen(Request(url, method="HEAD"), timeout=_TIMEOUT):
            pass
    except OSError as error:
        reason = f"it cannot be reached ({getattr(error, 'reason', None) or error})"
        raise _missing(model, f"'{hub / _name(url)}' is not there, and {reason}", hub) from error


def _missing(model: str, why: str, folder: Path) -> DataError:
    files = " and ".join(f"{url} as '{folder / _name(url)}'" for url in URLS[model])
    return DataError(
        f"the trained weights of detector 'face-alignment' ({model}) are missing: {why}. "
        f"Get {files}, or name your copy: --set weights=PATH. {_OFFLINE}"
    )


def _name(url: str) -> str:
    return url.partition("?")[0].rpartition("/")[2]
