"""A series: one recipe trained with several seeds, one after the other, into sibling folders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ganzoo.errors import RecipeError, RunError
from ganzoo.plugins.registry import Registry
from ganzoo.recipe.recipe import diff, load_recipe
from ganzoo.recipe.recipe_types import HARMLESS, Recipe
from ganzoo.training.run_folder import RunFolder

#: most seeds of one series
MOST = 1000
#: most differences named between a recipe and the one of a run
_NAMED = 8


@dataclass(frozen=True)
class Member:
    """One seed of a series.

    ``changes`` are the overrides with which a run that was begun goes on; they change no training.
    """

    recipe: Recipe
    path: Path
    is_begun: bool = False
    is_finished: bool = False
    changes: tuple[str, ...] = ()


def read_seeds(text: str, overrides: Sequence[str]) -> list[int]:
    """Read ``0,1,2``.

    Raises RunError for anything but different whole numbers, or if an override sets the seed too.
    """
    for override in overrides:
        if override.partition("=")[0].strip() == "seed":
            raise RunError(f"--seeds {text} and --set {override} both set the seed: give one.")
    seeds = []
    for word in text.split(","):
        if not (word.strip().isascii() and word.strip().isdecimal()):
            raise RunError(
                f"--seeds {text}: '{word.strip()}' is no seed. Write whole numbers from 0 on, "
                "with commas between them: --seeds 0,1,2"
            )
        seeds.append(int(word))
    if twice := [seed for i, seed in enumerate(seeds) if seed in seeds[:i]]:
        raise RunError(f"--seeds {text}: {twice[0]} is there twice, and would train the same.")
    if len(seeds) > MOST:
        raise RunError(f"--seeds: {len(seeds):,} seeds are more than {MOST:,}.")
    return seeds


def members(
    name: str, overrides: Sequence[str], seeds: Sequence[int], out: Path | None, registry: Registry
) -> Iterator[Member]:
    """Yield each seed's recipe and folder: ``out``, or ``runs/RECIPE``, followed by ``-seed0``.

    Raises RecipeError if the recipe is wrong, RunError if a folder holds anything but a run of the
    same recipe and seed, or if ``out`` itself is a run.
    """
    for seed in seeds:
        recipe = load_recipe(name, (*overrides, f"seed={seed}"), registry)
        base = out or Path("runs") / recipe.name
        if not base.name:
            raise RunError(f"--out {base}: give the beginning of names, as runs/{recipe.name}.")
        if out and RunFolder(out).recipe.is_file():
            raise RunError(
                f"{out} holds a run already, and is none of --seeds: these go to {out}-seed{seed} "
                "and so on. --out gives the beginning of other names."
            )
        yield _member(recipe, base.with_name(f"{base.name}-seed{seed}"), overrides, registry)


def _member(recipe: Recipe, path: Path, overrides: Sequence[str], registry: Registry) -> Member:
    folder = RunFolder(path)
    if not (folder.recipe.is_file() or folder.checkpoints.is_dir()):
        folder.refuse_taken()
        return Member(recipe, path)
    changes = tuple(o for o in overrides if o.partition("=")[0].strip().split(".")[0] in HARMLESS)
    try:
        before = load_recipe(RunFolder.open(path).recipe, (), registry)
        now = load_recipe(folder.recipe, changes, registry)
    except RecipeError as error:
        raise RecipeError([f"{path} holds a run whose recipe is wrong:", *error.problems]) from None
    if _repository(recipe.init_from) and _repository(recipe.init_from) == _repository(
        before.init_from
    ):
        recipe = recipe.starting_from(str(before.init_from))  # the commit that the run began with
    if recipe.hash != before.hash:
        old, new = (
            {key: value for key, value in one.resolved().items() if key not in HARMLESS}
            for one in (before, recipe)
        )
        lines = diff(old, new)
        more = [f"  and {len(lines) - _NAMED} more"] * (len(lines) > _NAMED)
        raise RunError(
            f"{path} holds a run of another recipe; what --seeds would train differs:",
            *(f"  {line}" for line in lines[:_NAMED]),
            *more,
            f"--out gives the beginning of other names; `ganzoo resume {path}` goes on with it.",
        )
    is_complete = folder.is_complete(recipe.hash, sum(stage.steps for stage in recipe.stages))
    return Member(recipe, path, True, is_complete and now.evaluate == before.evaluate, changes)


def _repository(source: str | None) -> str:
    """Return the repository on the Hub in ``hf://user/repo@revision``; empty for anything else."""
    return source.partition("@")[0] if source and source.startswith("hf://") else ""
