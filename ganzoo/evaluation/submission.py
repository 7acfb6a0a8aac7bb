"""Turn a model, a folder of images or a reference row into an entry under a benchmark."""

from __future__ import annotations

import hashlib
import shutil
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

from accelerate import PartialState

from ganzoo.errors import RecipeError, RunError
from ganzoo.evaluation import result
from ganzoo.evaluation.environment import environment
from ganzoo.evaluation.image_sources import Files, Generated, ImageSource, ReferenceRow, refuse_few
from ganzoo.evaluation.measure import Measurement, key, measure
from ganzoo.evaluation.protocol import Protocol
from ganzoo.evaluation.result import Candidate, Counts, Entry, Score
from ganzoo.files import atomic_file
from ganzoo.formats.names import check_name
from ganzoo.formats.yaml import parse
from ganzoo.models import samples
from ganzoo.models.folder import CONFIG, RECIPE, find
from ganzoo.models.model import load
from ganzoo.plugins.registry import Registry
from ganzoo.recipe.benchmark import Benchmark
from ganzoo.scan import scan

#: pairs of a photo and its picture in an entry's grid
PAIRS = 24


def refuse_unsuited(path: Path, benchmark: Benchmark) -> None:
    """Raise what ``open_candidate`` would, as far as possible before a dataset is drawn."""
    if path.is_dir() and not _is_model(path):
        refuse_few(path, len(scan(path).names), benchmark)
    else:
        find(path)


def open_candidate(
    path: Path, protocol: Protocol, registry: Registry, name: str | None = None
) -> tuple[ImageSource, Candidate]:
    """Open what is to be measured at ``path``: a run or model folder, or a folder of images.

    Raises RunError or DataError if it is neither, or does not suit the benchmark.
    """
    if name is None:  # ``model`` and ``best`` of a run are named after the run
        folder = path.resolve()
        run = folder.parent.name
        name = {"best": f"{run}-best", "model": run}.get(folder.name, folder.name)
    if path.is_dir() and not _is_model(path):
        files = Files(path, protocol)
        return files, Candidate(name=name, kind="images", weights_sha256=files.key)
    model = load(path, registry)
    model.generator.to(protocol.device)
    training, part = model.config.training, model.config.generator
    recipe, recipe_sha256, seed = model.path / RECIPE, None, None
    if recipe.is_file():
        text = recipe.read_bytes()
        recipe_sha256 = hashlib.sha256(text).hexdigest()
        with suppress(RecipeError, AttributeError):
            seed = parse(text.decode("utf-8", "replace"), recipe.name).plain().get("seed")
    candidate = Candidate(
        name=name,
        kind="model",
        weights_sha256=model.weights_sha256,
        recipe=training.get("recipe"),
        recipe_sha256=recipe_sha256,
        seed=seed if isinstance(seed, int) else None,
        generator=part.use,
        distribution=part.distribution,
        version=part.version,
        steps=training.get("steps"),
        images=training.get("images"),
        training_seconds=training.get("seconds"),
        parameters=sum(weight.numel() for weight in model.generator.parameters()),
    )
    origin = [asdict(part), recipe_sha256]
    return Generated(model.generator, protocol, origin), candidate


def reference_row(name: str, protocol: Protocol) -> tuple[ImageSource, Candidate]:
    """Open a reference row."""
    return ReferenceRow(name, protocol), Candidate(name=name, kind="reference")


def submit(
    protocol: Protocol,
    source: ImageSource,
    candidate: Candidate,
    folder: Path,
    force: bool = False,
) -> tuple[Path, Entry, bool]:
    """Measure, and write ``folder/BENCHMARK/NAME.json`` with a grid beside it.

    Returns the path, the entry, and whether it was measured now: an existing entry with the same
    key is kept.  Raises RunError if another model's entry has the name, unless ``force``.
    """
    try:
        check_name(candidate.name)
    except RunError as error:
        raise RunError(f"{error}. Give the entry another name with --name.") from error
    path = result.entry_path(folder, protocol.benchmark.name, candidate.name)
    entry_key, before = key(protocol, source), _before(path, force)
    if before and before.key == entry_key:
        if before.model.parameters is None and candidate.parameters is not None:
            before = replace(before, model=replace(before.model, parameters=candidate.parameters))
            before = result.write_entry(path, before)
        return path, before, False
    if before and not force:
        raise RunError(
            f"{path} is there already, of another model, protocol or version of ganzoo. Write to "
            "another name with --name, or replace it with --force."
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)  # before the work, not after it
    except OSError as error:
        raise RunError(
            f"{path.parent} cannot be made: {error.strerror or error}. Name another folder with "
            "--out."
        ) from error
    measurement = measure(protocol, source, keep=True)
    entry = Entry(
        benchmark=protocol.benchmark.name,
        version=protocol.benchmark.version,
        protocol=protocol.id,
        primary=protocol.primary,
        model=candidate,
        scores=published(protocol, measurement),
        counts=Counts(protocol.benchmark.reference, protocol.benchmark.fakes),
        record=protocol.record,
        environment={name: str(value) for name, value in environment().items()},
        seconds=round(measurement.seconds, 1),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        key=entry_key,
        reported=before.reported if before else {},
        notes=before.notes if before else source.selection,
    )
    if PartialState().is_main_process:
        entry = _write(path, entry, protocol, measurement)
        shutil.rmtree(measurement.work, ignore_errors=True)
    return path, entry, True


def published(protocol: Protocol, measurement: Measurement) -> dict[str, Score]:
    """Return every score as an entry publishes it, with its interval and protocol id."""
    scores = {}
    for scorer in protocol.scorers:
        rankable = scorer.extractor is None or protocol.extractors[scorer.extractor].rankable
        for score, name in scorer.names.items():
            estimate = measurement.scores.get(name)
            if estimate is None:  # as a score of labels, for a model without any
                continue
            scores[name] = Score(
                value=estimate.value,
                low=estimate.low,
                high=estimate.high,
                higher_is_better=scorer.type.higher_is_better[score],
                protocol=scorer.ids[name],
                unreliable=measurement.unreliable.get(name),
                rankable=rankable,
            )
    return scores


def _before(path: Path, force: bool) -> Entry | None:
    """Return the existing entry; a damaged one stays, unless it is to be replaced."""
    if not path.exists():
        return None
    try:
        return result.read_entry(path)
    except RunError as error:
        if force:
            return None
        raise RunError(f"{error} Add --force to replace it, or --name to keep both.") from error


def _write(path: Path, entry: Entry, protocol: Protocol, measurement: Measurement) -> Entry:
    """Write the grid and the entry; return the entry with its seal."""
    pictures = measurement.pictures
    sources = [word for word, kind in protocol.fields.items() if kind == "image" and word != "real"]
    if sources:
        indices = protocol.held_out[: min(PAIRS, len(pictures))]
        photos = samples.to_uint8(protocol.examples(indices)[sources[0]])
        grid = samples.pairs(photos, pictures[: len(photos)])
    else:
        grid = samples.grid(pictures)
    try:
        with atomic_file(path.with_suffix(".jpg")) as aside:  # a fifth of a PNG
            grid.save(aside, format="JPEG", quality=90, optimize=True)
        return result.write_entry(path, entry)
    except (OSError, RunError) as error:
        problem = str(error)
        if isinstance(error, OSError):
            problem = f"{path} cannot be written: {error.strerror or error}"
        raise RunError(
            f"{problem}. What was computed is kept: make room and run the same command again, or "
            "name another folder with --out."
        ) from error


def _is_model(path: Path) -> bool:
    return any((path / name).exists() for name in (CONFIG, f"model/{CONFIG}", RECIPE))
