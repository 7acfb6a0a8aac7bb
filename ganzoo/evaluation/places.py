"""Where entries lie: a run keeps its own, and the user's data folder those of everything else.

A maintainer keeps the entries that come with ganzoo in ``benchmarks/entries`` of a checkout.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from ganzoo.errors import FileError, RunError
from ganzoo.evaluation.result import EntryFile, benchmarks_in, entry_files
from ganzoo.files import data_folder
from ganzoo.models.folder import CONFIG, RECIPE
from ganzoo.plugins.shipped import shipped_folder

#: the entries in a run, those of the user, and those in a checkout
IN_RUN, OF_USER, IN_CHECKOUT = "evaluation", "entries", Path("benchmarks/entries")


def folder_for(source: Path | None) -> Path:
    """Return where ``ganzoo evaluate`` keeps the entries of ``source``, unless it is told where.

    That is ``evaluation`` in a run, and the user's data folder for other models, for images and,
    without a source, for reference rows.  Raises FileError if there is no home folder for it.
    """
    return (source and folder_in_run(source)) or data_folder() / OF_USER


def folder_in_run(path: Path) -> Path | None:
    """Return where a run keeps its entries; ``path`` is the run, or its ``model`` or ``best``.

    None if it is anything else.
    """
    inside = path.name in ("model", "best") and (path / CONFIG).is_file()
    run = path.parent if inside else path
    is_run = (run / RECIPE).is_file() and not (run / CONFIG).is_file()
    return run / IN_RUN if is_run else None


def entry_folders(chosen: Sequence[Path] = ()) -> list[Path]:
    """Return where entries are looked for: the ``chosen``, or all that ganzoo knows of.

    These are the runs in ``runs``, the user's data folder, and the entries of the checkout or those
    that come with ganzoo.  A chosen run or archive means the entries inside.  Raises RunError if a
    chosen folder does not exist.
    """
    if chosen:
        for folder in chosen:
            if not folder.is_dir():
                raise RunError(
                    f"--entries {folder} is no folder. Give a run that `ganzoo evaluate` measured, "
                    "or what was its --out."
                )
        archived = [folder / "entries" for folder in chosen]
        return [
            folder_in_run(folder) or (inside if inside.is_dir() else folder)
            for folder, inside in zip(chosen, archived, strict=True)
        ]
    folders = sorted(Path("runs").glob(f"*/{IN_RUN}"))
    with suppress(FileError):  # without a home, there are none
        folders.append(data_folder() / OF_USER)
    own = IN_CHECKOUT if IN_CHECKOUT.is_dir() else shipped_folder("benchmarks") / "entries"
    return [*folders, own]


def benchmarks_of(folders: Iterable[Path]) -> list[str]:
    """List the benchmarks with entries in ``folders``, good or bad, sorted."""
    return sorted({name for folder in folders for name in benchmarks_in(folder)})


def gather(folders: Iterable[Path], benchmark: str | None = None) -> list[EntryFile]:
    """Read the entries of all ``folders``, each model once and each under a name of its own.

    Where two folders have an entry of one model or reference row under one protocol, the first
    counts.  Another model of the same name is called after its folder: ``dcgan (runs/dcgan)``.
    """
    files: list[EntryFile] = []
    weights: dict[tuple[str, str, str], set[str | None]] = {}
    for folder in folders:
        for file in entry_files(folder, benchmark):
            if file.entry:
                model = file.entry.model
                before = weights.setdefault(
                    (file.entry.benchmark, file.entry.protocol, model.name), set()
                )
                if model.weights_sha256 in before:
                    continue
                if before:
                    named = replace(model, name=f"{model.name} ({_label(folder)})")
                    file = replace(file, entry=replace(file.entry, model=named))
                before.add(model.weights_sha256)
            files.append(file)
    return files


def _label(folder: Path) -> str:
    if folder.name == IN_RUN:
        return str(folder.parent)
    is_own = folder == IN_CHECKOUT or folder.is_relative_to(shipped_folder("benchmarks"))
    return "ganzoo" if is_own else str(folder)
