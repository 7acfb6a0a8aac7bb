"""Follow the faces of a video, so that their crops move smoothly.

A face is looked for in every ``STEP``-th frame, joined with the nearest face of the look before,
and interpolated between.  Then the positions of its eyes and mouth are averaged over time with a
Gaussian of ``SMOOTH`` seconds, which sees the future too: crops neither tremble nor lag.  A face
that is missing for more than ``GAP`` seconds, or jumps, as at a cut, ends its track.  One that is
seen in fewer than ``LOOKS`` looks is taken for a mistake, unless the video is that short, and so is
one that was only ever doubtful.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ganzoo.models.face_finder import SCORE, Face
from ganzoo.models.footage import Video

STEP, LOOKS = 5, 3
SMOOTH, GAP = 0.2, 1.0  # seconds
#: a face that moves by more than this share of its size between two looks is another one
JUMP = 0.6


@dataclass
class Track:
    """A face over time: ``anchors`` (frames, 3, 2) from frame ``first`` on.

    ``span`` is the time that it is seen, in seconds.
    """

    first: int
    anchors: NDArray[np.float64]
    side: float
    span: tuple[float, float]

    def face(self, index: int) -> Face | None:
        """Return the face in frame ``index``; None if it is not there."""
        place = index - self.first
        if not 0 <= place < len(self.anchors):
            return None
        return Face(self.anchors[place], self.side, 1.0)


@dataclass
class _Sightings:
    frames: list[int] = field(default_factory=list)
    faces: list[Face] = field(default_factory=list)


def follow(
    video: Video,
    find: Callable[[Image.Image], list[Face]],
    advance: Callable[[int], None] = lambda n: None,
) -> list[Track]:
    """Return the tracks of a video, in the order in which they begin."""
    times: list[float] = []
    seen: list[_Sightings] = []
    looks = 0
    for index, (time, pixels) in enumerate(video.frames()):
        times.append(time)
        if index % STEP == 0:
            looks += 1
            _join(seen, find(Image.fromarray(pixels)), index, times)
        advance(1)
    enough = [
        each
        for each in seen
        if len(each.frames) >= min(LOOKS, looks) and max(face.score for face in each.faces) >= SCORE
    ]
    return [_track(each, times) for each in enough]


def _join(seen: list[_Sightings], faces: list[Face], index: int, times: list[float]) -> None:
    """Add the faces of a look to the tracks that they continue, nearest first."""
    open_ones = [each for each in seen if times[index] - times[each.frames[-1]] <= GAP]
    pairs = sorted(
        (
            (float(np.hypot(*(face.centre - each.faces[-1].centre))) / face.side, i, j)
            for i, face in enumerate(faces)
            for j, each in enumerate(open_ones)
            if 0.5 < face.side / each.faces[-1].side < 2
        ),
    )
    free = set(range(len(faces)))
    taken: set[int] = set()
    for distance, i, j in pairs:
        if distance < JUMP and i in free and j not in taken:
            free.remove(i)
            taken.add(j)
            open_ones[j].frames.append(index)
            open_ones[j].faces.append(faces[i])
    seen += [_Sightings([index], [faces[i]]) for i in sorted(free)]


def _track(seen: _Sightings, times: list[float]) -> Track:
    """Interpolate and smooth; the track lasts to the frame before the look that missed it."""
    first, last = seen.frames[0], min(seen.frames[-1] + STEP - 1, len(times) - 1)
    frames = np.arange(first, last + 1)
    known = np.array([face.anchors for face in seen.faces]).reshape(len(seen.frames), 6)
    paths = np.stack([np.interp(frames, seen.frames, path) for path in known.T], axis=1)
    when = np.array(times[first : last + 1])
    step = (when[-1] - when[0]) / max(len(when) - 1, 1)
    smooth = _smoothed(paths, SMOOTH / step if step > 0 else 0.0)
    side = float(np.median([face.side for face in seen.faces]))
    return Track(first, smooth.reshape(-1, 3, 2), side, (times[first], times[last] + step))


def _smoothed(paths: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """Average ``paths`` (frames, n) over frames with a Gaussian; at the ends over fewer."""
    reach = min(int(3 * sigma), len(paths) - 1)
    if reach < 1:
        return paths
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)

    def summed(path: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.convolve(path, weights)[reach : reach + len(path)]

    counts = summed(np.ones(len(paths)))
    return np.stack([summed(path) / counts for path in paths.T], axis=1)
