"""Write pictures as an animation: GIF, or MP4 with PyAV."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ganzoo.errors import RunError
from ganzoo.files import atomic_file

#: frames in a second; a GIF counts hundredths of seconds
RATE = 25
#: the sides to which small pictures are enlarged, by a whole factor: a GIF grows with it
_GIF_SIDE, _MP4_SIDE = 128, 256


def check(out: Path) -> None:
    """Raise RunError, with the line that helps, if a video of this kind cannot be written here."""
    if out.suffix.lower() == ".mp4" and find_spec("av") is None:
        raise RunError(
            f"--out {out}: MP4 needs PyAV: pip install 'ganzoo[video]'. A .gif needs nothing."
        )


def is_video(out: Path) -> bool:
    """Whether ``write`` writes such a file."""
    return out.suffix.lower() in _WRITERS


def write(pictures: Iterable[NDArray[np.uint8]], out: Path) -> None:
    """Write pictures uint8 (H, W, 3) as the frames of a GIF that repeats, or of an MP4.

    The file is whole or absent.  Raises OSError if it cannot be written.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(out) as aside:
        _WRITERS[out.suffix.lower()](pictures, aside)


def _enlarged(picture: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    factor = max(1, side // min(picture.shape[:2]))
    return picture.repeat(factor, 0).repeat(factor, 1)


def _write_gif(frames: Iterable[NDArray[np.uint8]], path: Path) -> None:
    images = (Image.fromarray(_enlarged(frame, _GIF_SIDE)).quantize(256) for frame in frames)
    first = next(images)
    duration = 1000 // RATE
    first.save(path, "GIF", save_all=True, append_images=images, duration=duration, loop=0)


def _write_mp4(frames: Iterable[NDArray[np.uint8]], path: Path) -> None:
    import av

    with av.open(path, "w", format="mp4") as file:
        stream = None
        for frame in frames:
            large = _enlarged(frame, _MP4_SIDE)
            even = np.pad(large, [(0, side % 2) for side in large.shape[:2]] + [(0, 0)], "edge")
            if stream is None:
                stream = file.add_stream("libx264", rate=RATE, options={"crf": "16"})
                stream.height, stream.width = even.shape[:2]
                stream.pix_fmt = "yuv420p"  # the only one that all players show
            file.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="rgb24")))
        assert stream  # there is a picture
        file.mux(stream.encode())


_WRITERS: dict[str, Callable[[Iterable[NDArray[np.uint8]], Path], None]] = {
    ".gif": _write_gif,
    ".mp4": _write_mp4,
}
