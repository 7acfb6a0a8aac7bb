"""Find and check model folders, without torch.

``model.py`` reads their networks, and ``writing.py`` writes them.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from ganzoo.errors import RecipeError, RunError
from ganzoo.models import config as configs
from ganzoo.models.config import Part
from ganzoo.plugins.registry import Registry

CONFIG, RECIPE, CARD, SAMPLES = configs.FILE, "recipe.yaml", "README.md", "samples.png"


def find(path: Path) -> Path:
    """Find the model folder of a run or model folder; raises RunError if there is none."""
    for folder in (path, path / "model"):
        if (folder / CONFIG).is_file():
            return folder
    if not path.exists():
        raise RunError(
            f"{path} does not exist. Give a run or model folder; `ganzoo train` makes one."
        )
    if (path / RECIPE).is_file():
        raise RunError(
            f"{path} is a run without a model yet: it has not reached its first checkpoint. "
            f"`ganzoo resume {path}` goes on."
        )
    raise RunError(f"{path} is no run and no model: it holds neither {CONFIG} nor model/{CONFIG}.")


def refuse_taken(out: Path, what: str = "the model") -> None:
    """Raise RunError if ``out`` cannot be a new folder for ``what``."""
    try:
        is_taken = out.exists() and (not out.is_dir() or any(out.iterdir()))
    except OSError as error:
        raise RunError(f"--out {out} cannot be read: {error.strerror}.") from error
    if is_taken:
        raise RunError(f"--out {out} exists and is not empty. Name a new folder for {what}.")


def check_plugin(kind: str, part: Part, registry: Registry, where: Path | str) -> str:
    """Return a network's name in the registry, qualified if another plugin took it.

    Raises RunError, with the line that installs it, if its plugin is missing.
    """
    exact = f"{part.plugin}/{part.use.rpartition('/')[2]}"
    with suppress(RecipeError):
        return registry.get(kind, exact).full_name
    try:
        return registry.get(kind, part.use).full_name  # it moved to another plugin
    except RecipeError as error:
        remedy = registry.install_hint({part.distribution: part.version})
        raise RunError(
            f"{where}: {error}",
            f"The model was made with {kind} '{part.use}' of "
            f"{part.distribution} {part.version}."
            f"{remedy or ' That is installed, and has none: is it the same package?'}",
        ) from error


def refuse_pickle(path: Path) -> None:
    """Raise RunError if a file is a pickle or a zip of one, whatever its name."""
    with path.open("rb") as file:
        head = file.read(9)
    # safetensors begins with a length, which may look like the start of either
    tensors = head[4:] == b"\0\0\0\0{"
    if not tensors and (head[:2] == b"PK" or (head[:1] == b"\x80" and head[1:2] <= b"\x05")):
        raise RunError(
            f"{path} is a pickle, as torch.save makes them, whatever it is called. A pickle can "
            "run code; ganzoo opens none, and this one was not opened. Ask for safetensors; "
            "`ganzoo import` reads the formats of `ganzoo list importers`."
        )
