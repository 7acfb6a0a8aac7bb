"""Small videos."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

_CODECS = {".gif": ("gif", "rgb8"), ".webm": ("libvpx-vp9", "yuv420p")}
_HERTZ = 48_000


def make_video(
    path: Path, frames: Sequence[Image.Image], rate: int = 10, sound: str | None = None
) -> None:
    """Write a video of ``frames``, with a tone if ``sound`` names a codec.

    A .mpg is a transport stream, in which the size of frames may change.
    """
    av = pytest.importorskip("av")
    path.parent.mkdir(parents=True, exist_ok=True)
    if len({frame.size for frame in frames}) > 1:
        parts = []
        for number, frame in enumerate(frames):
            part = path.with_stem(f"{path.stem}-{number}")
            make_video(part, [frame] * 3, rate)
            parts.append(part.read_bytes())
            part.unlink()
        path.write_bytes(b"".join(parts))
        return
    codec, pixels = _CODECS.get(path.suffix, ("libx264", "yuv420p"))
    form = {"format": "mpegts"} if path.suffix == ".mpg" else {}
    with av.open(str(path), "w", **form) as out:
        pictures = out.add_stream(codec, rate=rate, options={"crf": "10"}) if frames else None
        tones = out.add_stream(sound, rate=_HERTZ) if sound else None
        if pictures:
            pictures.width, pictures.height, pictures.pix_fmt = *frames[0].size, pixels
        for frame in frames:
            out.mux(pictures.encode(av.VideoFrame.from_ndarray(np.asarray(frame), "rgb24")))
        if tones:
            seconds = len(frames) / rate or 1
            wave = np.sin(np.arange(int(_HERTZ * seconds)) * 0.06)[None].astype(np.float32)
            tone = av.AudioFrame.from_ndarray(wave, "fltp", "mono")
            tone.rate = _HERTZ
            out.mux(tones.encode(tone))
        for stream in filter(None, (pictures, tones)):
            out.mux(stream.encode(None))
