"""Turn a model, a folder of images or a reference row into an entry under a benchmark."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from accelerate import PartialState
from PIL import Image

from ganzoo.errors import RecipeError, RunError
from ganzoo.evaluation import result
from ganzoo.evaluation.environment import environment
from ganzoo.evaluation.image_sources import Fakes, Files, Generated, Reference, refuse_few
from ganzoo.evaluation.measure import Measured, evaluate, key
from ganzoo.evaluation.protocol import Protocol
from ganzoo.evaluation.result import Counts, Entry, Score, Subject
from ganzoo.files import atomic_file
from ganzoo.formats.names import check_name
from ganzoo.formats.yaml import parse
from ganzoo.models import model, samples
from ganzoo.models.folder import CONFIG, RECIPE, find
from ganzoo.models.weights import weights_hash
from ganzoo.plugins.registry import Registry
from ganzoo.recipe.benchmark import Benchmark
from ganzoo.scan import scan

#: pairs of a photo and its picture in an entry's grid
PAIRS = 24


def refuse_unsuited(path: Path, benchmark: Benchmark) -> None:
    """Raise what ``open_subject`` would, as far as possible before a dataset is drawn."""
    if path.is_dir() and not _is_model(path):
        refuse_few(path, len(scan(path).names), benchmark)
    else:
        find(path)


def open_subject(
    path: Path, protocol: Protocol, registry: Registry, name: str | None = None
) -> tuple[Fakes, Subject]:
    """Open what is to be measured at ``path``: a run or model folder, or a folder of images.

    Raises RunError or DataError if it is neither, or does not suit the benchmark.
    """
    if path.is_dir() and not _is_model(path):
        files = Files(path, protocol)
        return files, Subject(name=name or _name(path), kind="images", weights_sha256=files.key)
    loaded = model.load(path, registry)
    loaded.generator.to(protocol.device)
    subject = _subject(loaded, name or _name(path))
    origin = [asdict(loaded.config.generator), subject.recipe_sha256]
    return Generated(loaded.generator, protocol, origin), subject


def reference_row(name: str, protocol: Protocol) -> tuple[Fakes, Subject]:
    """Build a row of real images, whole or spoilt."""
    return Reference(name, protocol), Subject(name=name, kind="reference")


def submit(
    protocol: Protocol, fakes: Fakes, subject: Subject, folder: Path, force: bool = False
) -> tuple[Path, Entry, bool]:
    """Measure, and write ``folder/BENCHMARK/NAME.json`` with a grid beside it.

    Returns the path, the entry, and whether it was measured now: an existing entry with the same
    key is kept.  Raises RunError if another model's entry has the name, unless ``force``.
    """
    _check_name(subject.name)
    path = result.place(folder, protocol.benchmark.name, subject.name)
    wanted, before = key(protocol, fakes), _before(path, force)
    if before and before.key == wanted:
        return path, before, False
    if before and not force:
        raise RunError(
            f"{path} is there already, of another model, protocol or version of ganzoo. Write to "
            "another name with --name, or replace it with --force."
        )
    _make_folder(path.parent)
    measured = evaluate(protocol, fakes, keep=True)
    made = Entry(
        benchmark=protocol.benchmark.name,
        version=protocol.benchmark.version,
        protocol=protocol.id,
        primary=protocol.primary,
        model=subject,
        scores=scores(protocol, measured),
        counts=Counts(protocol.benchmark.reference, protocol.benchmark.fakes),
        record=protocol.record,
        environment={name: str(value) for name, value in environment().items()},
        seconds=round(measured.seconds, 1),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        key=wanted,
        reported=before.reported if before else {},
        notes=before.notes if before else fakes.drawn,
    )
    if PartialState().is_main_process:
        try:
            with atomic_file(path.with_suffix(".jpg")) as aside:  # a fifth of a PNG
                _grid(protocol, measured).save(aside, format="JPEG", quality=90, optimize=True)
            made = result.write(path, made)
        except (OSError, RunError) as error:
            what = str(error)
            if isinstance(error, OSError):
                what = f"{path} cannot be written: {error.strerror or error}"
            raise RunError(
                f"{what}. What was computed is kept: make room and run the same command again, or "
                "name another folder with --out."
            ) from error
        shutil.rmtree(measured.work, ignore_errors=True)
    return path, made, True


def scores(protocol: Protocol, measured: Measured) -> dict[str, Score]:
    """Return every score as it is published, with its interval and protocol id."""
    found = {}
    for scorer in protocol.scorers:
        rankable = scorer.extractor is None or protocol.extractors[scorer.extractor].rankable
        for name, published in scorer.names.items():
            estimate = measured.scores[published]
            found[published] = Score(
                value=estimate.value,
                low=estimate.low,
                high=estimate.high,
                higher_is_better=scorer.type.higher_is_better[name],
                protocol=scorer.ids[published],
                unreliable=measured.unreliable.get(published),
                rankable=rankable,
            )
    return found


def _before(path: Path, force: bool) -> Entry | None:
    """Return the existing entry; a damaged one stays, unless it is to be replaced."""
    if not path.exists():
        return None
    try:
        return result.read(path)
    except RunError as error:
        if force:
            return None
        raise RunError(f"{error} Add --force to replace it, or --name to keep both.") from error


def _check_name(name: str) -> None:
    try:
        check_name(name)
    except RunError as error:
        raise RunError(f"{error}. Give the entry another name with --name.") from error


def _make_folder(path: Path) -> None:
    """Create the folder before the work, not after it."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(
            f"--out: {path} cannot be made: {error.strerror or error}. Name another folder."
        ) from error


def _is_model(path: Path) -> bool:
    return any((path / name).exists() for name in (CONFIG, f"model/{CONFIG}", RECIPE))


def _name(path: Path) -> str:
    """Name a folder for a table; ``model`` and ``best`` of a run are named after the run."""
    found = path.resolve()
    if found.name == "best":
        return f"{found.parent.name}-best"
    return found.parent.name if found.name == "model" else found.name


def _subject(loaded: model.Model, name: str) -> Subject:
    config = loaded.config
    training, part = config.training, config.generator
    recipe = loaded.path / RECIPE
    text = recipe.read_bytes() if recipe.is_file() else None
    return Subject(
        name=name,
        kind="model",
        weights_sha256=weights_hash(loaded.generator),
        recipe=training.get("recipe"),
        recipe_sha256=hashlib.sha256(text).hexdigest() if text else None,
        seed=_seed(text, recipe.name) if text else None,
        generator=part.use,
        distribution=part.distribution,
        version=part.version,
        steps=training.get("steps"),
        images=training.get("images"),
        training_seconds=training.get("seconds"),
    )


def _seed(text: bytes, name: str) -> int | None:
    try:
        seed = parse(text.decode("utf-8", "replace"), name).plain().get("seed")
    except (RecipeError, AttributeError):
        return None
    return seed if isinstance(seed, int) else None


def _grid(protocol: Protocol, measured: Measured) -> Image.Image:
    pictures = measured.pictures
    if "photo" not in protocol.fields:
        return samples.grid(pictures)
    shown = protocol.held_out[: min(PAIRS, len(pictures))]
    photos = samples.to_uint8(protocol.examples(shown)["photo"])
    return samples.pairs(photos, pictures[: len(photos)])
