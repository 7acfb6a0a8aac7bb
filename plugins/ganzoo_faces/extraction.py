"""Cut the faces out of a folder of photos into a folder of crops, each of one size."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ganzoo.errors import DataError
from ganzoo.faces import IN_BOX, canonical, cut
from ganzoo.files import atomic_file, atomic_folder
from ganzoo.images import stem
from ganzoo.progress import progress
from ganzoo.scan import Scan, scan, sheet_beside
from ganzoo_faces.finding import VERSION, Face, Finder, Reject, Settings, Tool, numbers
from ganzoo_folders import files
from ganzoo_folders.sheet import contact_sheet

FOLDER, MANIFEST, REJECTS = "faces", "manifest.json", "rejects.csv"
_SHEET_TILES, _TILE = 64, 128


@dataclass
class Extraction:
    """The result for a folder: ``faces`` as the manifest lists them, and the rejects.

    ``notes`` say what was left out of some files, such as further frames.
    """

    scan: Scan
    faces: list[dict[str, Any]] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    notes: dict[str, list[str]] = field(default_factory=dict)

    def reasons(self) -> Counter[str]:
        """Count the rejects by reason."""
        return Counter(reject.reason for reject in self.rejects)

    def summary(self) -> str:
        """Return ``9 faces from 10 files, 2 rejected: no face found 1, ...``."""
        text = f"{_count(len(self.faces), 'face')} from {_count(len(self.scan.names), 'file')}"
        reasons = ", ".join(f"{reason} {n:,}" for reason, n in self.reasons().most_common())
        return text + f", {len(self.rejects):,} rejected" + (f": {reasons}" if reasons else "")


def extract(
    path: Path,
    out: Path,
    detector: Tool,
    landmarks: Tool | None,
    settings: Settings,
) -> Extraction:
    """Write the faces of every image below ``path`` to ``out``, with a manifest and the rejects.

    ``out`` gets ``faces/NAME.png``, ``manifest.json`` and ``rejects.csv``, all at once at the end.
    A contact sheet goes beside ``out``, not into it, because it is no face.  The cache keeps what
    the detector and the landmarks found in a file, so a second run does not look again.
    Raises DataError if ``out`` holds anything but such faces made with the same settings, or if no
    face is usable; then nothing is written.
    """
    record = {
        "version": VERSION,
        **asdict(settings),
        "detector": detector.record(),
        "landmarks": landmarks.record() if landmarks else None,
    }
    before = _earlier_manifest(path, out, record)
    result = Extraction(scan(path))
    names = result.scan.names
    digests = dict(zip(names, files.digests(path, names), strict=True))
    if before and before["files"] == digests:
        result.faces, result.notes = before["faces"], before["notes"]
        result.rejects = [Reject(**row) for row in before["rejects"]]
        return result
    finder = Finder(detector, landmarks, settings, result.notes)
    with atomic_folder(out) as folder, progress(f"Finding faces in {path}", len(names)) as advance:
        writer = _Writer(folder, settings.size)
        for name, digest in digests.items():
            for item in finder.faces(path / name, name, digest):
                if isinstance(item, Reject):
                    result.rejects.append(item)
                else:
                    picture, face = item
                    result.faces.append(writer.add(picture, name, digest, face))
            advance(1)
        if not result.faces:
            raise NoFaces(path, result)
        about = {"source": str(path), "settings": record, "files": digests}
        writer.finish(result, {**about, "face": _face(settings.margin, landmarks is not None)})
    _write_sheet(out, [face["file"] for face in result.faces])
    return result


def _face(margin: float, is_aligned: bool) -> list[list[float]]:
    """Return where the eyes and the mouth lie in the crops, on average if these are boxes."""
    places = canonical(margin) if is_aligned else 0.5 + IN_BOX / (1 + 2 * margin)
    return [[round(float(x), 4), round(float(y), 4)] for x, y in places]


def _write_sheet(out: Path, names: list[str]) -> None:
    """Write a contact sheet of some crops, spread over all."""
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
    """No face of a folder is usable; ``result`` has the reasons."""

    def __init__(self, path: Path, result: Extraction):
        self.result = result
        (first, _), *_ = result.reasons().most_common()
        example = next(reject for reject in result.rejects if reject.reason == first)
        super().__init__(
            f"no usable face in '{path}': {result.summary()} "
            f"(such as {example.file}: {example.detail})."
        )


def _earlier_manifest(path: Path, out: Path, record: Mapping[str, Any]) -> dict[str, Any] | None:
    """Read the manifest in ``out``: None if it is absent or empty, DataError for anything else."""
    if out.resolve().is_relative_to(path.resolve()):
        raise DataError(
            f"--out {out} lies in '{path}': next time its crops would count as photos. "
            f"Choose a folder elsewhere."
        )
    try:
        if not out.exists() or (out.is_dir() and not any(out.iterdir())):
            return None
        present = {f.relative_to(out).as_posix() for f in out.rglob("*") if not f.is_dir()}
        manifest = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
        names = {face["file"] for face in manifest["faces"]} | {MANIFEST, REJECTS}
        before = manifest["settings"]
    except NotADirectoryError as error:
        raise DataError(f"--out {out}: there is a file of that name. Choose a folder.") from error
    except (FileNotFoundError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"--out {out} is not empty, and what it holds was not made by `ganzoo data faces`. "
            f"Choose a new folder, or empty this one."
        ) from error
    if strange := sorted(present - names):
        raise DataError(
            f"--out {out} holds faces, but also '{strange[0]}', which would be lost. "
            f"Choose a new folder, or move it away."
        )
    record = json.loads(json.dumps(record))
    for name in record | before:
        if before.get(name) != record.get(name):
            raise DataError(
                f"--out {out} holds faces made with {name} {_short(before.get(name))}, not "
                f"{_short(record.get(name))}. Choose a new folder, or remove this one."
            )
    return manifest if present == names else {"files": None}


def _short(value: object) -> str:
    if isinstance(value, dict) and "name" in value:
        details = [f"{k}={v}" for k, v in value["arguments"].items()]
        if "content" in value:
            details.append(f"content {value['content'][:8]}")
        return f"'{value['name']}'" + (f" ({', '.join(details)})" if details else "")
    return f"{value}"


class _Writer:
    """Writes the crops, the manifest and the rejects of one folder."""

    def __init__(self, folder: Path, size: int):
        self.folder = folder
        self.size = size
        self._names: set[str] = set()
        self._faces: Counter[str] = Counter()

    def add(self, picture: Image.Image, source: str, digest: str, face: Face) -> dict[str, Any]:
        """Write one crop; return its entry in the manifest."""
        # faces/a/b.png for a/b.jpg, faces/a/b-2.png for its second face
        self._faces[source] += 1
        number = self._faces[source]
        name = f"{stem(source)}-{number}" if number > 1 else stem(source)
        while name.casefold() in self._names:  # b.jpg and b.png, or a b-2.jpg
            name += "_"
        self._names.add(name.casefold())
        name = f"{FOLDER}/{name}.png"
        target = self.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        cut(picture, face.matrix, self.size).save(target)
        return {
            "file": name,
            "source": source,
            "sha256": digest,
            "picture": list(picture.size),
            "box": [round(value, 2) for value in numbers(face.box)[:4]],
            "score": face.box.score,
            "confidence": face.confidence,
            "landmarks": None if face.landmarks is None else face.landmarks.round(2).tolist(),
            # from pixels of the crop to pixels of the picture
            "transform": (face.matrix / [self.size, self.size, 1]).tolist(),
            "size": self.size,
        }

    def finish(self, result: Extraction, manifest: dict[str, Any]) -> None:
        """Write the manifest and the rejects."""
        rejects = [asdict(reject) for reject in result.rejects]
        manifest |= {"faces": result.faces, "rejects": rejects, "notes": result.notes}
        manifest |= {"versions": {name: version(name) for name in ("ganzoo", "numpy", "pillow")}}
        text = json.dumps(manifest, indent=1) + "\n"
        (self.folder / MANIFEST).write_text(text, encoding="utf-8")
        table = io.StringIO()
        rows = csv.DictWriter(table, ["file", "face", "reason", "detail"], lineterminator="\n")
        rows.writeheader()
        rows.writerows(rejects)
        (self.folder / REJECTS).write_text(table.getvalue(), encoding="utf-8")


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"
