"""Faces out of photos: found, cut out and put upright, each of one size in one place.

Aligned after Karras et al., Progressive Growing of GANs, ICLR 2018, appendix C: the square
around a face follows from its eyes and mouth.  Positions are continuous pixels: a picture of
width W goes from 0 to W, and its first pixel from 0 to 1.
"""

from __future__ import annotations

import csv
import hashlib
import inspect
import io
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ganzoo.errors import DataError
from ganzoo.files import atomic_file, atomic_folder, cache_folder, write_atomic
from ganzoo.images import MOST_PIXELS, BadImage, decode, stem
from ganzoo.progress import progress
from ganzoo.scan import Scan, scan, sheet_beside
from ganzoo_data import files
from ganzoo_data.sheet import contact_sheet

if TYPE_CHECKING:
    from ganzoo.interfaces import Box, Detector, Extractor

Array = NDArray[np.float64]

#: Raise when the same files would give other crops.
VERSION = 2
FOLDER, MANIFEST, REJECTS = "faces", "manifest.json", "rejects.csv"

#: With this margin the crop is that of the paper, for a face both of whose bounds agree: its
#: side is 4 times the distance of the eyes and 3.6 times that from eyes to mouth.
MARGIN = 0.25
EYES_APART, EYES_TO_MOUTH = 1 / 4, 1 / 3.6
#: The paper's centre lies a tenth of the way from the eyes to the mouth.
EYES_ABOVE = 0.1 * EYES_TO_MOUTH
#: Of 68 landmarks: the rings around both eyes, in the image's order, and the mouth's corners.
EYES, MOUTH, POINTS = (range(36, 42), range(42, 48)), (48, 54), 68
#: What a finder of landmarks is shown: the box with this margin, at this size.  With boxes of
#: 'lbp' moved a little at random, the points of 'face68' move least with it.
LANDMARK_MARGIN, LANDMARK_SIZE = 0.1, 256
_SHEET_TILES, _TILE = 64, 128


@dataclass(frozen=True)
class Settings:
    """How crops are made and which faces are left out; all of it is in the manifest."""

    size: int = 256
    margin: float = MARGIN
    min_score: float = 0.5
    min_confidence: float = 0.3
    min_size: float = 0
    max_outside: float = 0.3


@dataclass(frozen=True)
class Component:
    """A detector or extractor as it was chosen: what to record of it, and how to make it."""

    name: str
    plugin: str
    arguments: Mapping[str, Any]
    load: Callable[[], Any]
    #: a hash of the files that its arguments name: its weights
    content: str = ""

    def record(self) -> dict[str, Any]:
        """What the manifest tells of it."""
        arguments = {name: _plain(value) for name, value in self.arguments.items()}
        record = {"name": self.name, "plugin": self.plugin, "arguments": arguments}
        return record | ({"content": self.content} if self.content else {})

    def key(self) -> list[Any]:
        """Everything that decides its results, its source code included."""
        try:
            source = inspect.getsource(inspect.getmodule(self.load()) or self.load())
        except (OSError, TypeError):
            source = ""
        return [self.record(), hashlib.sha256(source.encode()).hexdigest()]

    def make(self) -> Any:
        """Construct it; a refusal names it."""
        try:
            return self.load()(**self.arguments)
        except (TypeError, ValueError) as error:
            raise DataError(f"'{self.name}': {error}.") from error


@dataclass(frozen=True)
class Reject:
    """A file, or the ``face``-th of its boxes, of which there is no crop, and why."""

    file: str
    reason: str
    detail: str
    face: int | None = None


@dataclass
class Found:
    """What became of a folder: ``faces`` are the manifest's entries.

    ``notes`` say what of some files was not used.
    """

    scan: Scan
    faces: list[dict[str, Any]] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    notes: dict[str, list[str]] = field(default_factory=dict)

    def reasons(self) -> Counter[str]:
        """How many were left out, by reason."""
        return Counter(reject.reason for reject in self.rejects)

    def summary(self) -> str:
        """``9 faces from 10 files, 2 rejected: no face found 1, ...``."""
        text = f"{_count(len(self.faces), 'face')} from {_count(len(self.scan.names), 'file')}"
        reasons = ", ".join(f"{reason} {n:,}" for reason, n in self.reasons().most_common())
        return text + f", {len(self.rejects):,} rejected" + (f": {reasons}" if reasons else "")


def extract(
    path: Path,
    out: Path,
    detector: Component,
    landmarks: Component | None = None,
    settings: Settings = Settings(),
) -> Found:
    """Write the faces of every image below ``path`` to ``out``, with a manifest and the rejects.

    ``out`` gets ``faces/NAME.png``, ``manifest.json`` and ``rejects.csv``, all at once at the end,
    and a contact sheet beside it, where it is no image of the folder.  What the detector and the
    landmarks say of a file is kept in the cache, so that no second or interrupted run asks them
    again.  Raises DataError where ``out`` holds anything else than such faces made with the same
    settings, or where no face is usable; then nothing is written.
    """
    chosen = {
        "version": VERSION,
        **asdict(settings),
        "detector": detector.record(),
        "landmarks": landmarks.record() if landmarks else None,
    }
    before = _look(path, out, chosen)
    found = Found(scan(path))
    names = found.scan.names
    digests = dict(zip(names, files.digests(path, names), strict=True))
    if before and before["files"] == digests:
        found.faces, found.notes = before["faces"], before["notes"]
        found.rejects = [Reject(**row) for row in before["rejects"]]
        return found
    finder = _Finder(detector, landmarks, settings, found.notes)
    with atomic_folder(out) as folder, progress(f"Finding faces in {path}", len(names)) as advance:
        writer = _Writer(folder, settings.size)
        for name, digest in digests.items():
            for result in finder.faces(path / name, name, digest):
                if isinstance(result, Reject):
                    found.rejects.append(result)
                else:
                    picture, face = result
                    found.faces.append(writer.add(picture, name, digest, face))
            advance(1)
        if not found.faces:
            raise NoFaces(path, found)
        writer.finish(found, {"source": str(path), "settings": chosen, "files": digests})
    _sheet(out, [face["file"] for face in found.faces])
    return found


def _sheet(out: Path, names: list[str]) -> None:
    """A contact sheet of some crops, spread over all."""
    places = np.linspace(0, len(names) - 1, min(_SHEET_TILES, len(names))).round()
    tiles = []
    for place in places.astype(int):
        with Image.open(out / names[place]) as crop:
            tiles.append(crop.resize((_TILE, _TILE), Image.Resampling.LANCZOS))
    sheet = sheet_beside(out)
    try:
        with atomic_file(sheet) as aside:
            contact_sheet(tiles).save(aside, "PNG")
    except OSError as error:
        raise DataError(f"'{sheet}' cannot be written: {error.strerror or error}.") from error


class NoFaces(DataError):
    """No face of a folder is usable; ``found`` tells what became of each file."""

    def __init__(self, path: Path, found: Found):
        self.found = found
        (first, _), *_ = found.reasons().most_common()
        example = next(reject for reject in found.rejects if reject.reason == first)
        super().__init__(
            f"no usable face in '{path}': {found.summary()} "
            f"(such as {example.file}: {example.detail})."
        )


def _look(path: Path, out: Path, chosen: Mapping[str, Any]) -> dict[str, Any] | None:
    """The manifest in ``out``, None where that is absent or empty; DataError for anything else."""
    if out.resolve().is_relative_to(path.resolve()):
        raise DataError(
            f"--out {out} lies in '{path}': next time its crops would be taken for photos. "
            f"Choose a folder elsewhere."
        )
    try:
        if not out.exists() or (out.is_dir() and not any(out.iterdir())):
            return None
        there = {f.relative_to(out).as_posix() for f in out.rglob("*") if not f.is_dir()}
        manifest = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
        own = {face["file"] for face in manifest["faces"]} | {MANIFEST, REJECTS}
        before = manifest["settings"]
    except NotADirectoryError as error:
        raise DataError(f"--out {out}: there is a file of that name. Choose a folder.") from error
    except (FileNotFoundError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"--out {out} is not empty, and what it holds was not made by `ganzoo data faces`. "
            f"Choose a new folder, or empty this one."
        ) from error
    if strange := sorted(there - own):
        raise DataError(
            f"--out {out} holds faces, but also '{strange[0]}', which would be lost. "
            f"Choose a new folder, or move it away."
        )
    chosen = json.loads(json.dumps(chosen))
    for name in chosen | before:
        if before.get(name) != chosen.get(name):
            raise DataError(
                f"--out {out} holds faces made with {name} {_short(before.get(name))}, not "
                f"{_short(chosen.get(name))}. Choose a new folder, or remove this one."
            )
    return manifest if there == own else {"files": None}


def _short(value: Any) -> str:
    if isinstance(value, dict) and "name" in value:
        told = [f"{k}={v}" for k, v in value["arguments"].items()]
        if "content" in value:
            told.append(f"content {value['content'][:8]}")
        return f"'{value['name']}'" + (f" ({', '.join(told)})" if told else "")
    return f"{value}"


@dataclass(frozen=True)
class Face:
    """A face to cut out: ``matrix`` maps its crop to the picture, see ``square``."""

    box: Box
    matrix: Array
    landmarks: Array | None = None
    confidence: float | None = None


class _Finder:
    """The detector and the finder of landmarks, made when first asked what nobody knows yet."""

    def __init__(
        self,
        detector: Component,
        landmarks: Component | None,
        settings: Settings,
        notes: dict[str, list[str]],
    ):
        self.settings, self._notes = settings, notes
        self._detector = detector
        self._landmarks = landmarks
        self._made: dict[str, Any] = {}
        self._boxes = _Memory([VERSION, detector.key()])
        marks = [LANDMARK_MARGIN, LANDMARK_SIZE, landmarks.key()] if landmarks else []
        self._points = _Memory([VERSION, detector.key(), marks])

    def faces(
        self, path: Path, name: str, digest: str
    ) -> Iterator[Reject | tuple[Image.Image, Face]]:
        """The usable faces of a file, each with its picture, and why others are not."""
        if digest.startswith(files.UNREADABLE):
            yield Reject(name, "unreadable", digest)
            return
        try:
            decoded = decode(files.read(path, digest), MOST_PIXELS)
        except BadImage as error:
            yield Reject(name, "cannot be decoded", str(error))
            return
        for note in decoded.notes:
            self._notes.setdefault(note, []).append(name)
        picture = decoded.image
        boxes = self._boxes.recall(digest, lambda: self._detect(picture))
        if not boxes:
            yield Reject(name, "no face found", f"'{self._detector.name}' finds none")
        for number, box in enumerate(map(_box, boxes), 1):
            face = self._judge(picture, box, f"{digest}-{number}")
            if isinstance(face, Face):
                yield picture, face
            else:
                yield Reject(name, *face, number if len(boxes) > 1 else None)

    def _judge(self, picture: Image.Image, box: Box, key: str) -> Face | tuple[str, str]:
        """The face in a box, or why it is not used: in a word or two, and with its numbers."""
        wanted = self.settings
        side = max(box.right - box.left, box.bottom - box.top)
        if box.score < wanted.min_score:
            return "score too low", f"score {box.score:.2f} below {wanted.min_score:g}"
        if side < wanted.min_size:
            return "face too small", f"face {side:.0f} px, smaller than {wanted.min_size:g} px"
        face = Face(box, square(box, wanted.margin))
        if self._landmarks is not None:
            points, sure = self._points.recall(key, lambda: self._mark(picture, box))
            landmarks = np.array(points)
            if sure < wanted.min_confidence:
                reason = f"confidence {sure:.2f} below {wanted.min_confidence:g}"
                return "landmarks unsure", reason
            if not _plausible(landmarks, box):
                return "landmarks implausible", "eyes and mouth are not where the face is"
            face = Face(box, align(landmarks, wanted.margin), landmarks, sure)
        share = outside(face.matrix, *picture.size)
        if share > wanted.max_outside:
            reason = f"{share:.0%} of the crop lie outside, more than {wanted.max_outside:.0%}"
            return "too far outside the picture", reason
        return face

    def _detect(self, picture: Image.Image) -> list[list[float]]:
        if "detector" not in self._made:
            self._made["detector"] = self._detector.make()
        detector: Detector = self._made["detector"]
        boxes = detector.detect(np.asarray(picture))
        return [[float(value) for value in _numbers(box)] for box in boxes]

    def _mark(self, picture: Image.Image, box: Box) -> tuple[list[list[float]], float]:
        import torch

        assert self._landmarks is not None
        if "landmarks" not in self._made:
            self._made["landmarks"] = self._landmarks.make().eval()
        extractor: Extractor = self._made["landmarks"]
        matrix = square(box, LANDMARK_MARGIN)
        crop = np.asarray(cut(picture, matrix, LANDMARK_SIZE), np.float32) / 127.5 - 1
        with torch.inference_mode():
            found = extractor(torch.from_numpy(crop.transpose(2, 0, 1)[None]))
        points = found.get("points")
        if points is None or points.shape != (1, POINTS, 2):
            shape = "none" if points is None else "x".join(map(str, points.shape))
            raise DataError(
                f"extractor '{self._landmarks.name}' gives no {POINTS} landmarks, which alignment "
                f"needs: 'points' 1x{POINTS}x2, not {shape}. Choose another --landmarks."
            )
        placed = apply(matrix, (points[0].double().numpy() + 1) / 2)
        confidence = found.get("confidence")
        return placed.tolist(), 1.0 if confidence is None else float(confidence[0])


def square(box: Box, margin: float) -> Array:
    """The square around a box with ``margin`` of its longer side added on all four.

    A crop's place is a matrix (2, 3) that maps its points, from (0, 0) to (1, 1), to the
    picture's pixels.
    """
    side = max(box.right - box.left, box.bottom - box.top) * (1 + 2 * margin)
    x, y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    return np.array([[side, 0, x - side / 2], [0, side, y - side / 2]])


def align(landmarks: Array, margin: float) -> Array:
    """The upright square (2, 3) in which the eyes and mouth of 68 landmarks are in their places.

    Of all rotations, scales and shifts the one with the least squared distance to them.
    """
    there = _anchors(landmarks) @ [1, 1j]  # points as complex numbers: z = a w + b
    here = canonical(margin) @ [1, 1j]
    w, z = here - here.mean(), there - there.mean()
    a = (w.conj() @ z) / (w.conj() @ w).real
    b = there.mean() - a * here.mean()
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def canonical(margin: float) -> Array:
    """Where the crop has its left eye, right eye and mouth: (3, 2), from 0 to 1."""
    eyes = -EYES_ABOVE
    places = np.array([[-EYES_APART / 2, eyes], [EYES_APART / 2, eyes], [0, eyes + EYES_TO_MOUTH]])
    return 0.5 + places * (1 + 2 * MARGIN) / (1 + 2 * margin)


def _anchors(landmarks: Array) -> Array:
    parts = [landmarks[list(part)].mean(axis=0) for part in (*EYES, MOUTH)]
    return np.array(parts)


def _plausible(landmarks: Array, box: Box) -> bool:
    """Whether eyes and mouth are in the box, and as large as a face that fills it has them."""
    anchors = _anchors(landmarks)
    inside = (anchors >= [box.left, box.top]) & (anchors <= [box.right, box.bottom])
    ratio = abs(np.linalg.det(align(landmarks, MARGIN)[:, :2])) ** 0.5 / square(box, MARGIN)[0, 0]
    return bool(inside.all() and 0.5 <= ratio <= 2)


def apply(matrix: Array, points: Array) -> Array:
    """``points`` (N, 2) of a crop in pixels of the picture."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def outside(matrix: Array, width: int, height: int) -> float:
    """The share of a crop that lies outside a picture, to about one percent."""
    ticks = (np.arange(100) + 0.5) / 100
    points = apply(matrix, np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2))
    return float(((points < 0) | (points > [width, height])).any(axis=1).mean())


def cut(picture: Image.Image, matrix: Array, size: int) -> Image.Image:
    """The crop, ``size`` pixels square, with antialiasing; the picture mirrors at its border."""
    corners = apply(matrix, np.array([[0, 0], [1, 0], [0, 1], [1, 1]], float))
    low = np.floor(corners.min(axis=0)).astype(int) - 4
    high = np.ceil(corners.max(axis=0)).astype(int) + 4
    part = _mirrored(picture, *low, *high)
    # Twice as large first: one pixel of the picture, or a whole block, is then two or more.
    double = 2 * size
    step = float(np.hypot(*matrix[:, 0])) / double
    block = max(1, int(np.ceil(step)))
    if block > 1:
        part = part.reduce(block)
    linear, shift = matrix[:, :2] / double / block, (matrix[:, 2] - low) / block
    rows = np.column_stack([linear, shift])
    drawn = part.transform(
        (double, double), Image.Transform.AFFINE, tuple(rows.ravel()), Image.Resampling.BICUBIC
    )
    return drawn.resize((size, size), Image.Resampling.LANCZOS)


def _mirrored(picture: Image.Image, left: int, top: int, right: int, bottom: int) -> Image.Image:
    """A part of the picture, which is continued by its mirror image."""
    columns = _mirror(np.arange(left, right), picture.width)
    rows = _mirror(np.arange(top, bottom), picture.height)
    x, y = int(columns.min()), int(rows.min())
    part = picture.crop((x, y, int(columns.max()) + 1, int(rows.max()) + 1))
    if len(columns) == part.width and len(rows) == part.height and left == x and top == y:
        return part
    return Image.fromarray(np.asarray(part)[rows[:, None] - y, columns - x])


def _mirror(index: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Any integer to one from 0 to ``length - 1``: ... 1 0 | 0 1 2 | 2 1 0 | 0 1 ..."""
    index = index % (2 * length)
    return np.minimum(index, 2 * length - 1 - index)


class _Memory:
    """What was found in a file, by its content: kept one by one, so that a kill costs one."""

    def __init__(self, key: Any):
        digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
        self.folder = cache_folder() / f"faces-{digest[:16]}"

    def recall(self, name: str, find: Callable[[], Any]) -> Any:
        """What is known of ``name``; what ``find()`` says, where nothing is."""
        path = self.folder / f"{name}.json"
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            pass
        found = find()
        with suppress(OSError):  # it only saves time
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomic(path, json.dumps(found))
        return found


class _Writer:
    """The crops, manifest and rejects of one folder."""

    def __init__(self, folder: Path, size: int):
        self.folder = folder
        self.size = size
        self._taken: set[str] = set()
        self._faces: Counter[str] = Counter()

    def add(self, picture: Image.Image, source: str, digest: str, face: Face) -> dict[str, Any]:
        """Write one crop; returns its entry in the manifest."""
        name = self._name(source)
        target = self.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        cut(picture, face.matrix, self.size).save(target)
        return {
            "file": name,
            "source": source,
            "sha256": digest,
            "picture": list(picture.size),
            "box": [round(value, 2) for value in _numbers(face.box)[:4]],
            "score": face.box.score,
            "confidence": face.confidence,
            "landmarks": None if face.landmarks is None else face.landmarks.round(2).tolist(),
            # from pixels of the crop to pixels of the picture
            "transform": (face.matrix / [self.size, self.size, 1]).tolist(),
            "size": self.size,
        }

    def finish(self, found: Found, manifest: dict[str, Any]) -> None:
        """Write what goes with the crops."""
        rejects = [asdict(reject) for reject in found.rejects]
        manifest |= {"faces": found.faces, "rejects": rejects, "notes": found.notes}
        manifest |= {"versions": _versions()}
        text = json.dumps(manifest, indent=1) + "\n"
        (self.folder / MANIFEST).write_text(text, encoding="utf-8")
        table = io.StringIO()
        rows = csv.DictWriter(table, ["file", "face", "reason", "detail"], lineterminator="\n")
        rows.writeheader()
        rows.writerows(rejects)
        (self.folder / REJECTS).write_text(table.getvalue(), encoding="utf-8")

    def _name(self, source: str) -> str:
        """``faces/a/b.png`` for ``a/b.jpg``, ``faces/a/b-2.png`` for its second face."""
        self._faces[source] += 1
        number = self._faces[source]
        name = f"{stem(source)}-{number}" if number > 1 else stem(source)
        while name.casefold() in self._taken:  # b.jpg and b.png, or a b-2.jpg
            name += "_"
        self._taken.add(name.casefold())
        return f"{FOLDER}/{name}.png"


def _numbers(box: Box) -> tuple[float, float, float, float, float]:
    return box.left, box.top, box.right, box.bottom, box.score


def _box(numbers: list[float]) -> Box:
    from ganzoo.interfaces import Box  # imports torch

    return Box(*numbers)


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in ("ganzoo", "numpy", "pillow")}
