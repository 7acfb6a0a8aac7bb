"""Read videos frame by frame, and write them with the same times and sound, by PyAV.

Memory holds one frame.  A video is written aside and renamed at its end.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ganzoo.files import atomic_file
from ganzoo.images import MOST_PIXELS, BadImage
from ganzoo.models.tiling import Pixels
from ganzoo.scan import VIDEO_ENDINGS

#: endings that can be written; the others become .mp4
_CODECS = {
    **dict.fromkeys((".mp4", ".m4v", ".mov", ".mkv", ".avi"), "libx264"),
    ".webm": "libvpx-vp9",
    ".gif": "gif",
}
#: quality of lossy codecs, close to what the eye notices
_QUALITY: dict[str, dict[str, str]] = {
    "libx264": {"crf": "18"},
    "libvpx-vp9": {"crf": "24", "b": "0"},
    "gif": {},
}
#: sound that MP4 players know; other containers say themselves what they hold
_IN_MP4 = frozenset({"aac", "ac3", "alac", "eac3", "mp2", "mp3", "opus"})
#: numbers in FFmpeg: the colours of HDTV, from 16 to 235
_BT709, _LIMITED = 1, 1
#: of levels of 255: a pixel that changes by no more stands still
STILL = 2
NEEDS = "videos need PyAV, which is not installed. Do: pip install 'ganzoo[video]'"


def is_video(path: Path) -> bool:
    """Tell by its ending whether a file is a video, or by its content whether a GIF moves."""
    if path.suffix.lower() == ".gif":
        try:
            with Image.open(path) as image:
                return bool(getattr(image, "is_animated", False))
        except Exception:  # damaged: its reader says how
            return False
    return path.suffix.lower() in VIDEO_ENDINGS


def target(path: Path) -> Path:
    """Return the path to write a video to; .mp4 if its ending cannot be written."""
    return path if path.suffix.lower() in _CODECS else path.with_suffix(".mp4")


class Video:
    """A video file.  Raises BadImage, in a few words, if it cannot be used.

    ``width`` and ``height`` are those of its frames as they are shown, and ``length`` their number.
    """

    def __init__(self, path: Path):
        self.path = path
        self._av = _library()
        with self._open() as (container, stream):
            first = next(self._decoded(container.decode(stream)))[0]
            self.height, self.width = first.shape[:2]
        with self._open() as (container, stream):
            self.length = sum(bool(packet.size) for packet in container.demux(stream))

    @contextmanager
    def _open(self) -> Iterator[tuple[Any, Any]]:
        """Open the file and its first stream of pictures; errors become BadImage."""
        try:
            if not self.path.stat().st_size:
                raise BadImage("the file is empty")
            with self._av.open(str(self.path)) as container:
                if not container.streams.video:
                    raise BadImage("the file has no pictures, only sound or text")
                stream = container.streams.video[0]
                if stream.width * stream.height > MOST_PIXELS:  # which would be decoded
                    raise BadImage(f"frames of {stream.width} x {stream.height} are too large")
                stream.thread_type = "AUTO"
                yield container, stream
        except self._av.FFmpegError as error:
            if error.errno == errno.ENOSPC:
                raise
            raise BadImage(f"damaged, or no video: {error.strerror or error}") from error

    def frames(self) -> Iterator[tuple[float, Pixels]]:
        """Yield the second and the pixels of each frame: upright RGB, transparency on white.

        Raises BadImage at damage, and if the frames change their size.
        """
        with self._open() as (container, stream):
            for pixels, frame in self._decoded(container.decode(stream)):
                yield float(frame.time or 0), pixels

    def _decoded(self, frames: Iterable[Any]) -> Iterator[tuple[Pixels, Any]]:
        shape: tuple[int, ...] | None = None
        for number, frame in enumerate(frames, 1):
            if frame.is_corrupt:
                raise BadImage(f"damaged at frame {number:,}")
            pixels = _upright(frame)
            if shape and pixels.shape != shape:
                raise BadImage(
                    f"its size changes from {shape[1]}x{shape[0]} to "
                    f"{pixels.shape[1]}x{pixels.shape[0]} at frame {number:,}"
                )
            shape = pixels.shape
            yield pixels, frame
        if shape is None:
            raise BadImage("the video has no frames")

    def convert(self, outputs: Sequence[Output]) -> None:
        """Write videos with the times and the sound of this one, each whole or not at all."""
        with ExitStack() as after, self._open() as (container, stream):
            writers = [
                after.enter_context(_writing(output, container, stream)) for output in outputs
            ]
            sounds = container.streams.audio if any(w.sounds for w in writers) else ()

            def frames() -> Iterator[Any]:
                for packet in container.demux([stream, *sounds]):
                    if packet.stream.index == stream.index:
                        yield from packet.decode()
                    else:
                        for writer in writers:
                            writer.add_sound(packet)

            for index, (pixels, frame) in enumerate(self._decoded(frames())):
                for writer in writers:
                    writer.add(index, pixels, frame)
            for writer in writers:
                writer.close()


@dataclass(frozen=True)
class Output:
    """A video to write: ``draw(index, frame)``, width and height ``size``.

    Frames for which ``draw`` returns None are left out.  ``span`` says of which seconds the sound
    is kept, and when the new video begins; by default it lasts as long as the source.
    """

    path: Path
    draw: Callable[[int, Pixels], Pixels | None]
    size: tuple[int, int]
    span: tuple[float, float] | None = None


@contextmanager
def _writing(output: Output, container: Any, stream: Any) -> Iterator[_Writer]:
    ending = output.path.suffix.lower()
    form = {".mkv": "matroska", ".m4v": "mp4"}.get(ending, ending[1:])
    output.path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(output.path) as aside, _library().open(str(aside), "w", format=form) as out:
        yield _Writer(output, out, container, stream)


class _Writer:
    """A video that is being written.  Sound is copied if the container can hold it."""

    def __init__(self, output: Output, out: Any, container: Any, stream: Any):
        self._draw = output.draw
        ending, span = output.path.suffix.lower(), output.span
        self._pictures = _Pictures(out, ending, stream, output.size, span[0] if span else 0.0)
        self.sounds = {
            sound.index: _Sound(out, sound, span)
            for sound in (container.streams.audio if ending != ".gif" else ())
        }

    def add(self, index: int, pixels: Pixels, frame: Any) -> None:
        drawing = self._draw(index, pixels)
        if drawing is not None:
            self._pictures.add(drawing, frame)

    def add_sound(self, packet: Any) -> None:
        if sound := self.sounds.get(packet.stream.index):
            sound.add(packet)

    def close(self) -> None:
        self._pictures.close()
        for sound in self.sounds.values():
            sound.close()


class _Pictures:
    """The pictures of a new video, ``start`` seconds earlier than in the source."""

    def __init__(self, out: Any, ending: str, source: Any, size: tuple[int, int], start: float):
        self._out, self._source, self._start = out, source, start
        self._is_gif = ending == ".gif"
        codec = _CODECS[ending]
        rate = source.average_rate or source.guessed_rate or Fraction(25)
        options = _QUALITY[codec] | ({"bf": "0"} if ending == ".avi" else {})  # AVI has no times
        self._stream = out.add_stream(codec, rate=rate, options=options)
        context = self._stream.codec_context
        width, height = size
        if self._is_gif:
            self._stream.width, self._stream.height = width, height
            self._stream.pix_fmt = "pal8"
        else:  # half as many samples of colour each way: sides are even
            self._stream.width, self._stream.height = width + width % 2, height + height % 2
            self._stream.pix_fmt = "yuv420p"
            context.colorspace = context.color_primaries = context.color_trc = _BT709
            context.color_range = _LIMITED
        context.time_base = self._stream.time_base = source.time_base

    def add(self, pixels: Pixels, source: Any) -> None:
        """Write one picture, at the time of a frame of the source."""
        import av

        if self._is_gif:
            frame = _palette(pixels)
        else:
            height, width = pixels.shape[:2]
            even = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), "edge")
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(even), "rgb24")
            frame = frame.reformat(
                format="yuv420p", dst_colorspace=_BT709, dst_color_range=_LIMITED
            )
            frame.pict_type = 0
        base = self._source.time_base
        frame.pts = (source.pts or 0) - round(self._start / base)
        frame.time_base = base
        frame.duration = source.duration or 0
        self._write(frame)

    def close(self) -> None:
        """Write what the encoder holds back."""
        self._write(None)

    def _write(self, frame: Any) -> None:
        for packet in self._stream.encode(frame):
            self._out.mux(packet)


class _Sound:
    """A stream of sound in a new video: that of ``span``, from its start on."""

    def __init__(self, out: Any, source: Any, span: tuple[float, float] | None):
        self._av = _library()
        self._out, self.source, self._span = out, source, span
        holds = _IN_MP4 if out.format.name == "mp4" else out.supported_codecs
        self._is_copy = source.codec_context.codec.canonical_name in holds
        if self._is_copy:
            self._stream = out.add_stream_from_template(source)
        else:
            codec = "libopus" if out.format.name == "webm" else "aac"
            self._stream = out.add_stream(codec, rate=48_000 if codec == "libopus" else source.rate)

    def add(self, packet: Any) -> None:
        """Write a packet of the source."""
        if self._is_copy:
            if packet.dts is not None and self._holds(packet.pts):
                shift = round((self._span[0] if self._span else 0) / self.source.time_base)
                copy = self._av.Packet(bytes(packet))
                copy.pts, copy.dts = packet.pts - shift, packet.dts - shift
                copy.duration, copy.time_base = packet.duration, packet.time_base
                copy.is_keyframe = packet.is_keyframe
                copy.stream = self._stream
                self._out.mux(copy)
            return
        for frame in self.source.codec_context.decode(packet):
            if self._holds(frame.pts):
                frame.pts = None  # the encoder counts samples
                self._write(frame)

    def _holds(self, pts: int) -> bool:
        return self._span is None or self._span[0] <= pts * self.source.time_base < self._span[1]

    def close(self) -> None:
        """Write what the encoder holds back."""
        if not self._is_copy:
            self._write(None)

    def _write(self, frame: Any) -> None:
        for packet in self._stream.encode(frame):
            self._out.mux(packet)


class Flicker:
    """How much a drawn video flickers: the mean change, in levels of 255, where nothing moved.

    A place of a frame did not move if no channel differs from the frame before by more than
    ``STILL`` levels.
    """

    def __init__(self) -> None:
        self._before: tuple[Pixels, Pixels] | None = None
        self._change = 0.0
        self._still = self._all = 0

    def add(self, frame: Pixels, drawing: Pixels) -> None:
        """Take in the next frame and its drawing, which may be larger by a whole factor."""
        if self._before is not None:
            moved = np.abs(frame.astype(np.int16) - self._before[0]).max(axis=2) > STILL
            scale = len(drawing) // len(frame)
            moved = moved.repeat(scale, axis=0).repeat(scale, axis=1)
            change = np.abs(drawing.astype(np.int16) - self._before[1]).mean(axis=2)
            self._change += float(change[~moved].sum())
            self._still += int((~moved).sum())
            self._all += moved.size
        self._before = frame, drawing

    @property
    def value(self) -> float | None:
        """Return the mean change of still places; None if there are none."""
        return self._change / self._still if self._still else None

    @property
    def share(self) -> float:
        """Return the share of places that are still from one frame to the next."""
        return self._still / self._all if self._all else 0.0

    def facts(self) -> dict[str, float | None]:
        """Return both as plain data."""
        value = self.value
        return {
            "flicker": None if value is None else round(value, 3),
            "still": round(self.share, 4),
        }

    def __str__(self) -> str:
        if self.value is None:
            return "flicker: nothing stands still"
        return f"flicker {self.value:.2f} of 255, where {self.share:.0%} stand still"


def _library() -> Any:
    try:
        import av
    except ImportError as error:
        raise BadImage(NEEDS) from error
    av.logging.set_level(None)  # its errors are reported, and it would print more
    return av


def _upright(frame: Any) -> Pixels:
    """Convert a frame to RGB, turned as its display matrix says, on white."""
    if any(component.is_alpha for component in frame.format.components) or (
        frame.format.name == "pal8"
    ):
        image = Image.fromarray(frame.to_ndarray(format="rgba"))
        white = Image.new("RGBA", image.size, "white")
        pixels = np.asarray(Image.alpha_composite(white, image).convert("RGB"))
    else:
        pixels = frame.to_ndarray(format="rgb24")
    turns = round(frame.rotation / 90) % 4  # counterclockwise
    return np.ascontiguousarray(np.rot90(pixels, turns)) if turns else pixels


def _palette(pixels: Pixels) -> Any:
    """Make a frame of at most 256 colours."""
    import av

    image = Image.fromarray(pixels).quantize(256, Image.Quantize.MEDIANCUT)
    colours = np.zeros((256, 4), np.uint8)
    listed = np.array(image.getpalette(), np.uint8).reshape(-1, 3)
    colours[: len(listed), 1:], colours[:, 0] = listed, 255  # alpha, red, green, blue
    planes: Any = (np.asarray(image), colours)  # as PyAV reads such frames; its types forget it
    return av.VideoFrame.from_ndarray(planes, format="pal8")
