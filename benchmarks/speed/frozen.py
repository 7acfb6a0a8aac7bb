"""CPU time of a frozen extractor, forward and with the gradient at the image.

EfficientNet-Lite0's maps as a projected discriminator reads them, in float32 and bfloat16, with
contiguous images and in channels_last.  Times are CPU milliseconds of this process, the least of
some passes.

    OMP_NUM_THREADS=1 python benchmarks/speed/frozen.py [--size 64] [--batch 16] [--passes 5]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from ganzoo.interfaces import Extractor
from ganzoo_features.efficientnet import EfficientNetLite0


def least(work: Callable[[], object], passes: int) -> float:
    """Return the CPU milliseconds of the fastest of ``passes``, after one to warm up."""
    work()
    times = []
    for _ in range(passes):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times) * 1000


def look(extractor: Extractor, image: Tensor, is_bf16: bool) -> Tensor:
    """Return the sum of the extractor's maps."""
    with torch.autocast("cpu", torch.bfloat16, enabled=is_bf16):
        maps = extractor(image)
    return torch.stack([one.float().sum() for one in maps.values()]).sum()


def differentiate(extractor: Extractor, image: Tensor, is_bf16: bool) -> None:
    """Add to the image's gradient that of the sum of its maps."""
    look(extractor, image, is_bf16).backward()


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--passes", type=int, default=5)
    options = parser.parse_args()
    extractor = EfficientNetLite0(["stage2", "stage3", "stage5", "stage7"])
    image = torch.rand(options.batch, 3, options.size, options.size) * 2 - 1
    print("format  layout         forward  with gradient")
    for number, is_bf16 in (("fp32", False), ("bf16", True)):
        for layout in (torch.contiguous_format, torch.channels_last):
            plain = image.contiguous(memory_format=layout)
            leaf = plain.clone(memory_format=torch.preserve_format).requires_grad_()
            forward = least(partial(look, extractor, plain, is_bf16), options.passes)
            both = least(partial(differentiate, extractor, leaf, is_bf16), options.passes)
            name = "channels_last" if layout is torch.channels_last else "contiguous"
            print(f"{number}    {name:13s}  {forward:4.0f} ms  {both:10.0f} ms")


if __name__ == "__main__":
    main()
