"""Does a model draw what a text says?  Attribute accuracy on captions, by what they say.

    python benchmarks/texts.py MODEL [--count 500]

Captions are of avatars that no training has seen (another seed).  A picture is right where the
network of score `attribute-accuracy` reads the hair, the skin or the background that its text says;
what a text leaves unsaid does not count.  Three rows:

- ``held-out``: texts that say a combination which the recipe's ``leave_out`` kept from training,
  counted on the two attributes of the combination;
- ``seen``: all other texts;
- ``shuffled``: the pictures of ``seen`` beside the texts of others, which is chance.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence

import torch

import ganzoo
from ganzoo_avatars import render
from ganzoo_avatars.attributes import VALUES, read, trained
from ganzoo_avatars.captions import Caption, caption
from ganzoo_avatars.styles import LOOKS

#: avatars to look for held-out combinations among, and their seed
AVATARS, UNSEEN = 6000, 12345
Combination = Mapping[str, str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--count", type=int, default=500, help="texts of each row")
    options = parser.parse_args()
    model = ganzoo.load(options.model)
    held_out, seen = texts(left_out(model), options.count)
    both = [{name for name, _ in pair} for _, pair in held_out]
    rows = {
        "held-out": accuracy(model, [one for one, _ in held_out], both),
        "seen": accuracy(model, seen),
        "shuffled": accuracy(model, seen, shift=1),
    }
    print("row        texts  " + "  ".join(f"{name:>14}" for name in VALUES))
    for row, scores in rows.items():
        count = len(held_out) if row == "held-out" else len(seen)
        cells = (f"{right / max(n, 1):7.3f} of {n:<4}" for right, n in scores.values())
        print(f"{row:9}  {count:5}  " + "  ".join(f"{cell:>14}" for cell in cells))


def left_out(model: ganzoo.Model) -> list[Combination]:
    """Return the combinations that the model's training did not see."""
    recipe = model.recipe or {}
    combinations: list[Combination] = recipe.get("dataset", {}).get("leave_out", [])
    return combinations


def texts(
    combinations: Sequence[Combination], count: int
) -> tuple[list[tuple[Caption, frozenset[tuple[str, str]]]], list[Caption]]:
    """Write captions that say a combination, each with it, and captions that say none."""
    look = LOOKS["toon-head"]
    values = look.values(render.definition("toon-head"))
    held_out, seen = [], []
    for index in range(AVATARS):
        avatar = render.choose(look, values, UNSEEN, index)
        pairs = [one for one in combinations if one.items() <= avatar.items()]
        for key in range(4 if pairs else 1):
            text = caption(avatar, f"held-out/{index}/{key}")
            said = [one for one in pairs if one.keys() <= text.said.keys()]
            if said:
                held_out.append((text, frozenset(said[0].items())))
            elif not pairs and len(seen) < count:
                seen.append(text)
    return held_out[:count], seen


def accuracy(
    model: ganzoo.Model,
    captions: Sequence[Caption],
    only: Sequence[Iterable[str]] | None = None,
    shift: int = 0,
) -> dict[str, tuple[int, int]]:
    """Draw each caption once; return attribute -> how often it is right, and of how many."""
    network = trained()
    images = model.sample(text=[one.text for one in captions], as_tensor=True)
    values = {name: index.roll(shift).tolist() for name, index in read(network, images).items()}
    scores = {}
    for name, options in VALUES.items():
        rights = [
            options[values[name][place]] in one.said[name]
            for place, one in enumerate(captions)
            if name in one.said and (only is None or name in only[place])
        ]
        scores[name] = sum(rights), len(rights)
    return scores


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
