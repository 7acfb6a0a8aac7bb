"""Does a model draw what a layout shows?  Parts, colours, and how far an edit reaches.

    python benchmarks/layouts.py MODEL [--count 300]

The layouts are of avatars that no training has seen, which avatars-layout holds out.  It prints

- ``layout-iou`` of the drawings, of the true avatars, and of both beside the layouts of others,
  which is what layouts have in common;
- the share of drawings with the hair, the skin and the ground that were asked for, if the model
  has such labels;
- how much more a drawing changes within 8 pixels of an edit than elsewhere, where the edit paints a
  mouth over with skin: the median over the drawings.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

import ganzoo
from ganzoo.interfaces import GROUPS
from ganzoo.models import samples
from ganzoo_avatars.attributes import VALUES, read, trained
from ganzoo_layout.overlap import LayoutIoU

#: avatars that the network of layout-iou learns from, and the first that no training has seen
LEARNT, HELD_OUT, DRAWN = 2000, 5000, 7500


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--count", type=int, default=300, help="layouts")
    options = parser.parse_args()
    generator = ganzoo.load(options.model).generator
    data = ganzoo.component("dataset", "avatars", count=DRAWN, size=generator.size)
    data.demand(["layout"])
    data.prepare()
    known = data.__getitems__(list(range(LEARNT)))
    unseen = data.__getitems__(list(range(HELD_OUT, HELD_OUT + options.count)))
    reals, layouts = unseen["real"], unseen["layout"]
    words = samples.inputs(generator, options.count, 5, {}, conditions={"layout": layouts})
    fakes = samples.generate(generator, words)

    for name, images, shift in (
        ("drawings", fakes, 0),
        ("avatars", reals, 0),
        ("drawings, layouts of others", fakes, 1),
        ("avatars, layouts of others", reals, 1),
    ):
        value = overlap(known, layouts.roll(shift, 0), images)
        print(f"layout-iou, {name}: {value:.3f}")
    seen = read(trained(), fakes)
    for column, (name, values) in enumerate((generator.label or {}).items()):
        if name in VALUES:
            asked = torch.tensor([VALUES[name].index(value) for value in values])
            right = seen[name] == asked[words["label"][:, column]]
            print(f"{name}: {right.float().mean():.3f}")
    numbers = list(generator.palette)
    edited = torch.where(layouts == numbers.index("mouth"), numbers.index("skin"), layouts)
    change = (samples.generate(generator, {**words, "layout": edited}) - fakes).abs().mean(1)
    near = max_pool2d((edited != layouts).float(), 17, 1, 8)[:, 0] > 0
    print(f"edit, near over elsewhere: {ratios(change, near).median():.0f}")


def overlap(known: Mapping[str, Tensor], layouts: Tensor, images: Tensor) -> float:
    """Return the layout-iou of images (N, 3, H, W) with layouts (N, 1, H, W)."""
    score = LayoutIoU()
    score.real(known["real"], known["layout"])
    score.pair(layouts, images, torch.arange(len(images)) % GROUPS)
    return score.compute()["layout-iou"]


def ratios(change: Tensor, near: Tensor) -> Tensor:
    """Return how much larger the mean change (N, H, W) is where ``near`` than elsewhere, (N,)."""
    inside = (change * near).sum((1, 2)) / near.sum((1, 2))
    outside = (change * ~near).sum((1, 2)) / (~near).sum((1, 2))
    return inside / outside.clamp(min=1e-9)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
