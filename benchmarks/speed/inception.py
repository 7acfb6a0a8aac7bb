"""How much folding batch norms and channels_last speed up Inception's features, against clean-fid.

clean-fid runs as it does for a folder of images: it opens each, resizes it with Pillow and runs the
TorchScript file. ganzoo opens the same images and runs its extractor on the same file.  They take
turns, batch by batch, in one process on one thread; processor time counts.  The weights are random,
which are as slow as trained ones.

    python benchmarks/speed/inception.py [--images 64] [--batch 16] [--size 128] [--folder FOLDER]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from cleanfid.fid import get_folder_features
from cleanfid.inception_torchscript import InceptionV3W
from PIL import Image
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
import inception_file

from ganzoo_features.inception import FILE, Inception


def draw(folder: Path, count: int, size: int) -> None:
    """Draw images of blurred noise."""
    rng = np.random.default_rng(0)
    for i in range(count):
        coarse = Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8))
        coarse.resize((size, size), Image.Resampling.BICUBIC).save(folder / f"{i:04}.png")


def parts(source: Path, batch: int, folder: Path) -> list[Path]:
    """Make a folder of links for each batch of the images in ``source``."""
    files = sorted(p.resolve() for p in source.iterdir() if p.suffix in (".png", ".jpg", ".jpeg"))
    found = []
    for start in range(0, len(files), batch):
        part = folder / f"part{start:05}"
        part.mkdir()
        for file in files[start : start + batch]:
            (part / file.name).symlink_to(file)
        found.append(part)
    return found


def opened(folder: Path) -> Tensor:
    images = [np.array(Image.open(p).convert("RGB")) for p in sorted(folder.iterdir())]
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2) / 127.5 - 1


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--folder", type=Path, help="of images of one size, not drawn ones")
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # TorchScript is deprecated
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        inception_file.write(folder / FILE)
        ours = Inception(folder / FILE)
        theirs = InceptionV3W(name, download=False)
        source = options.folder or folder / "images"
        if options.folder is None:
            source.mkdir()
            draw(source, options.images, options.size)

        def clean_fid(part: Path) -> Tensor:
            plain = {"num_workers": 0, "batch_size": options.batch, "verbose": False}
            features = get_folder_features(str(part), theirs, device=torch.device("cpu"), **plain)
            return torch.from_numpy(features)

        @torch.inference_mode()
        def ganzoo(part: Path) -> Tensor:
            return ours(opened(part))["features"]

        seconds: dict[str, list[float]] = {"clean_fid": [], "ganzoo": []}
        found: dict[str, list[Tensor]] = {"clean_fid": [], "ganzoo": []}
        batches = parts(source, options.batch, folder)
        for part in [batches[0], *batches]:  # the first one twice, to warm up
            for path in (clean_fid, ganzoo):
                began = time.process_time()
                features = path(part)
                seconds[path.__name__].append((time.process_time() - began) / len(features))
                found[path.__name__].append(features)
        expected, features = (torch.cat(found[key][1:]).double() for key in ("clean_fid", "ganzoo"))

    theirs_each, ours_each = (seconds[key][1:] for key in ("clean_fid", "ganzoo"))
    ratios = sorted(b / a for a, b in zip(ours_each, theirs_each, strict=True))
    apart = (features - expected).abs()
    print(
        f"{len(features)} images, batches of {options.batch}, one thread: clean-fid "
        f"{1000 * statistics.median(theirs_each):.0f} ms of processor time an image, ganzoo "
        f"{1000 * statistics.median(ours_each):.0f}; {statistics.median(ratios):.2f} times faster "
        f"[{ratios[0]:.2f} .. {ratios[-1]:.2f}]\n"
        f"features apart: at most {apart.max() / expected.abs().max():.1e} of the largest, "
        f"{apart.mean() / expected.abs().mean():.1e} of the mean on average"
    )


if __name__ == "__main__":
    main()
