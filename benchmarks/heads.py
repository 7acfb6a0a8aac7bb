"""How like photos and like drawings heads are, and how fast they are made.

    python benchmarks/heads.py faces --portraits FOLDER --face68 FOLDER
    python benchmarks/heads.py drawings --anime FOLDER
    python benchmarks/heads.py rate

``faces`` asks two finders whether heads are faces, beside real portraits, and measures their kid.
``drawings`` measures the kid of the drawn twins beside that of avatars.  Kid is on
EfficientNet-Lite0 at 224 px; the same number of other images of the folder says what is best.
``rate`` lets two processes want the same heads at once.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ganzoo import images
from ganzoo.interfaces import GROUPS
from ganzoo.plugins.manager import installed
from ganzoo.plugins.registry import construct
from ganzoo.scan import scan
from ganzoo_avatars.drawing import draw
from ganzoo_avatars.render import AVATARS
from ganzoo_heads.drawn import STYLES

REGISTRY = installed().registry
#: pixels at which faces are sought and features taken, and those of a drawing, as anime faces have
SIZE, DRAWING = 224, 96
#: where a face is if it is framed as in FFHQ
FACE = [0.14, 0.23, 0.86, 0.95]
_HEADS, _OPTIONS = "ganzoo_heads.makers:", "beards glasses"
_PREPARE = "from ganzoo_heads.heads import Heads; Heads(count={count}, size=128).prepare()"


def folder(path: Path, count: int, size: int) -> Tensor:
    """Read ``count`` images spread over a folder: (N, 3, size, size) in [-1, 1]."""
    files = [path / name for name in scan(path).names]
    if len(files) < count:
        raise SystemExit(f"{path} has {len(files)} images, and {count} are needed: lower -n.")
    chosen = [files[i * len(files) // count] for i in range(count)]
    pictures = [images.square(images.decode(file.read_bytes()).image, size) for file in chosen]
    return torch.from_numpy(np.stack(pictures)) / 127.5 - 1


def draw_all(artist: str, style: str, count: int, size: int, seed: int) -> Tensor:
    """Draw pictures with one of the artists of a dataset: (N, 3, size, size) in [-1, 1]."""
    return torch.from_numpy(np.stack(list(draw(artist, style, count, size, seed)))) / 127.5 - 1


def kid(reals: Tensor, fakes: Tensor) -> float:
    """Measure the kid of (N, 3, H, W) against ``reals``."""
    network = construct(
        REGISTRY, "extractor", "efficientnet-lite0", {"layers": ["features"], "size": SIZE}
    )
    score = construct(REGISTRY, "evaluator", "kid", {})
    with torch.no_grad():
        for part in reals.split(10):
            score.real(network(part))
        for i, part in enumerate(fakes.split(10)):
            score.fake(network(part), (torch.arange(len(part)) + 10 * i) % GROUPS)
    return float(score.compute()["kid"])


def finders(pictures: Tensor, weights: Path | None) -> list[str]:
    """Return the share of pictures in which lbp sees a face, and how sure face68 is."""
    detector = construct(REGISTRY, "detector", "lbp", {})
    pixels = ((pictures + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
    share = np.mean([bool(detector.detect(picture)) for picture in pixels])
    if weights is None:
        return [f"{share:.2f}", "", ""]
    network = construct(REGISTRY, "extractor", "face68", {"crop": FACE, "weights": str(weights)})
    with torch.no_grad():
        sure = torch.cat([network(part)["confidence"] for part in pictures.split(10)])
    return [f"{share:.2f}", f"{sure.mean():.2f}", f"{(sure >= 0.5).double().mean():.2f}"]


def faces(options: argparse.Namespace) -> None:
    """Print what finders make of photos of heads and of portraits, and the kid of both."""
    portraits = folder(options.portraits, 2 * options.n, SIZE)
    heads = draw_all(_HEADS + "Photos", f"anime {_OPTIONS}", options.n, SIZE, options.seed)
    print("| | lbp finds | face68 is sure by | face68 finds | kid to portraits |")
    print("| :-- | --: | --: | --: | --: |")
    for name, pictures in (("heads", heads), ("other portraits", portraits[1::2])):
        cells = [*finders(pictures, options.face68), f"{kid(portraits[::2], pictures):.3f}"]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def drawings(options: argparse.Namespace) -> None:
    """Print the kid to anime faces of the drawn twins, of avatars, and of other anime faces."""
    anime = folder(options.anime, 2 * options.n, DRAWING)
    rows = {
        f"heads, {style}": draw_all(
            _HEADS + "Drawings", f"{style} {_OPTIONS}", options.n, DRAWING, options.seed
        )
        for style in STYLES
    }
    rows["avatars, toon-head"] = draw_all(AVATARS, "toon-head", options.n, DRAWING, options.seed)
    rows["other anime faces"] = anime[1::2]
    print("| | kid to anime faces |")
    print("| :-- | --: |")
    for name, pictures in rows.items():
        print(f"| {name} | {kid(anime[::2], pictures):.3f} |", flush=True)


def rate(options: argparse.Namespace) -> None:
    """Print how many pairs of 128 px are made in a second while two processes wait for them."""
    with tempfile.TemporaryDirectory() as cache:
        environment = os.environ | {"GANZOO_CACHE": cache}
        command = [sys.executable, "-c", _PREPARE.format(count=options.n)]
        start, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        both = [subprocess.Popen(command, env=environment) for _ in range(2)]
        codes = [process.wait() for process in both]
        wall, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
        entries = sorted(path.name for path in Path(cache).glob("heads-*"))
    if any(codes) or len(entries) != 2:
        raise SystemExit(f"the processes ended with {codes} and left {entries}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(
        f"{options.n} pairs at 128 px, made once for two processes: {options.n / wall:.1f} a "
        f"second here; {cpu / options.n:.2f} CPU seconds a pair, so {2 * options.n / cpu:.1f} a "
        f"second on two free cores"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(required=True)
    for work in (faces, drawings, rate):
        verb = verbs.add_parser(work.__name__, help=work.__doc__)
        verb.set_defaults(work=work)
        verb.add_argument("-n", type=int, default=100, help="images of each kind")
        verb.add_argument("--seed", type=int, default=1)
        if work is faces:
            verb.add_argument("--portraits", type=Path, required=True)
            verb.add_argument("--face68", type=Path, help="the folder of the landmark net")
        if work is drawings:
            verb.add_argument("--anime", type=Path, required=True)
    options = parser.parse_args()
    options.work(options)


if __name__ == "__main__":
    main()
