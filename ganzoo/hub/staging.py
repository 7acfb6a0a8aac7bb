"""Assemble the folder that a push sends, and report all its problems at once."""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from PIL import Image

from ganzoo.errors import GanzooError, RunError
from ganzoo.evaluation import result as entries
from ganzoo.evaluation.places import folder_in_run
from ganzoo.evaluation.result import Entry
from ganzoo.formats.types import written
from ganzoo.formats.yaml import parse
from ganzoo.hub import card, claims
from ganzoo.hub.push_types import Before, Options
from ganzoo.hub.repository import PNG, limit
from ganzoo.models import config as configs
from ganzoo.models import model, roles, samples, weights, writing
from ganzoo.models.composed import bare
from ganzoo.models.config import WEIGHTS, Config, Licences
from ganzoo.models.folder import CARD, CONFIG, RECIPE, SAMPLES, find
from ganzoo.models.hub_id import Id
from ganzoo.models.model import Model
from ganzoo.models.network import reads
from ganzoo.models.weights import write_tensors
from ganzoo.plugins.registry import Registry
from ganzoo.recipe.recipe import without_paths
from ganzoo.training import checkpoint
from ganzoo.training.critics import checkpoint_of, critics
from ganzoo.training.run_folder import RunFolder

#: the form of the Hub's tokens
_TOKEN = re.compile(rb"hf_[A-Za-z0-9]{30,}")
_TRIED = 4  # number of pictures
#: prefix of temporary folders, their lock, and the seconds that a new one may be without it
_STAGED, _LOCK, _NEW = "ganzoo-push-", ".lock", 60


class Problems(list[str]):
    """All problems of a model."""

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Turn an error in this block into a problem."""
        try:
            yield
        except GanzooError as error:
            self.append(str(error))

    def raise_any(self, what: Id) -> None:
        """Raise RunError, with a line for each problem, if there are any."""
        if self:
            count = f"{len(self)} problems" if len(self) > 1 else "a problem"
            lines = [f"  {line}" for problem in self for line in problem.splitlines()]
            raise RunError(f"not pushed to {what}, for {count}:", *lines)


@contextmanager
def package(
    source: Path, what: Id, registry: Registry, options: Options, before: Before
) -> Iterator[tuple[Path, Problems]]:
    """Yield the complete folder, in a temporary place, and all its problems."""
    with ExitStack() as stack:
        try:
            bundle = stack.enter_context(staging())
            problems = _fill(bundle, find(source), what, registry, options, before)
        except OSError as error:
            raise RunError(
                f"{source} cannot be put together for the Hub: {error}. Nothing was sent. Where "
                "there is no room, make some, or set TMPDIR to a folder on another disk."
            ) from error
        yield bundle, problems


@contextmanager
def staging() -> Iterator[Path]:
    """Yield a temporary folder, after removing those of killed processes.

    Each is locked while its process lives; the system frees the lock of a dead one.
    """
    root = Path(tempfile.gettempdir())
    for remnant in root.glob(f"{_STAGED}*"):
        with suppress(OSError, Timeout):
            about = remnant.lstat()
            is_ours = not hasattr(os, "getuid") or about.st_uid == os.getuid()
            # a new one may not be locked yet
            if is_ours and stat.S_ISDIR(about.st_mode) and time.time() - about.st_mtime > _NEW:
                with FileLock(remnant / _LOCK, timeout=0):
                    shutil.rmtree(remnant)
    with (
        tempfile.TemporaryDirectory(prefix=_STAGED) as folder,
        FileLock(Path(folder, _LOCK), timeout=0),
    ):
        bundle = Path(folder, "model")
        bundle.mkdir()
        yield bundle


def _fill(
    bundle: Path, folder: Path, what: Id, registry: Registry, options: Options, before: Before
) -> Problems:
    """Write all files of the push to ``bundle``; return the problems of the model in ``folder``."""
    config = configs.read(folder / CONFIG)
    problems = Problems()
    _refuse_links_and_paths(folder, config, problems)
    config = replace(config, licences=_licences(config, options, before, problems))
    scores: list[Entry] = []
    for path in sorted((folder / "entries").glob("*.json")):
        with problems.noted():
            scores.append(entries.read_entry(path))
    for name in (RECIPE, SAMPLES):
        if (folder / name).is_file():
            shutil.copyfile(folder / name, bundle / name)
    with problems.noted():
        gan = model.load(folder, registry)
        if options.half:
            bare(gan.generator).half().float()  # round as the reader will
            if not samples.needed(gan.generator):
                (bundle / SAMPLES).unlink(missing_ok=True)
        _try(gan, problems)
        in_run = folder_in_run(folder)
        folders = [*([in_run] if in_run else []), *options.entries]
        results = [f.entry for place in folders for f in entries.entry_files(place) if f.entry]
        sha = gan.weights_sha256
        every = sorted([*before.entries, *scores, *results], key=lambda one: one.date)
        ours = [e for e in every if (e.model.kind, e.model.weights_sha256) == ("model", sha)]
        newest = {one.benchmark: one for one in ours}
        scores = [newest[name] for name in sorted(newest)]
        if not (bundle / SAMPLES).exists() and not problems:
            if gan.config.input.kind == "noise" and not samples.needed(gan.generator):
                pictures = samples.stream(gan.generator, writing.SAMPLE_COUNT, seed=0)
                samples.write(pictures, writing.SAMPLE_COUNT, bundle / SAMPLES)
            elif gan.config.licences.data:  # the dataset allows showing its photos
                grids = _run(folder).samples.glob("*.png")
                if newest_grid := max((p for p in grids if not p.is_symlink()), default=None):
                    shutil.copyfile(newest_grid, bundle / SAMPLES)
        config = _write_weights(bundle, gan, config, registry, options)
    for one in scores:
        entries.write_entry(bundle / "entries" / f"{one.benchmark}.json", one)
    for name, text in claims.eval_results(scores).items():
        (bundle / name).parent.mkdir(exist_ok=True)
        (bundle / name).write_text(text, encoding="utf-8")
    (bundle / CONFIG).write_text(configs.text(config), encoding="utf-8")
    with problems.noted():
        base = _base(folder, options, before)
        has_samples = (bundle / SAMPLES).is_file()
        text = card.make(config, scores, what.repo, samples=has_samples, base=base)
        (bundle / CARD).write_bytes(text.encode())  # keeps its line ends
    _check_files(bundle, problems)
    if not problems:
        model.load(bundle, registry)  # check what is sent
    return problems


def _refuse_links_and_paths(folder: Path, config: Config, problems: Problems) -> None:
    """Refuse what could publish a file or a path of this machine, and the recipe of another model.

    Links may only lead into huggingface_hub's cache.
    """
    blobs = folder.resolve().parent.parent / "blobs"
    for path in folder.rglob("*"):
        if path.is_symlink() and not path.resolve().is_relative_to(blobs):
            problems.append(
                f"{path} is a link to {path.resolve()}: put the file there, or remove it"
            )
    data: dict[str, Any] = {CONFIG: asdict(config)}
    if (path := folder / RECIPE).is_file():
        try:
            recipe = data[RECIPE] = parse(path.read_text(encoding="utf-8"), RECIPE).plain()
        except (GanzooError, UnicodeDecodeError) as error:
            problems.append(f"{path} cannot be read: {error}")
        else:
            is_recipe = isinstance(recipe, dict)
            section = recipe.get("generator") if is_recipe else None
            use = section.get("use") if isinstance(section, dict) else None
            ours = config.generator.use.rpartition("/")[2]
            if not is_recipe:
                what = f"is no recipe, but {written(recipe)}: put the right one there, or none"
                problems.append(f"{path} {what}")
            elif str(use).rpartition("/")[2] != ours:
                what = f"its generator is {written(use)}, and this one {ours!r}"
                problems.append(f"{path} is of another model: {what}")
    for name, plain in data.items():
        if without_paths(plain) != plain:
            problems.append(f"{folder / name} names a place on this machine: take its path out")


def _try(gan: Model, problems: Problems) -> None:
    """Use the model once, as those who pull it will."""
    try:
        if samples.needed(gan.generator):
            return  # there is no layout or text here
        if gan.config.input.kind == "noise":
            pictures = gan.sample(_TRIED, as_tensor=True)
        elif len(reads(gan.generator).required) > 1:
            return  # there is no photo with its depth here
        else:
            size = gan.config.input.size or 64
            gan.translate(Image.new("RGB", (size, size), "gray"))
            pictures = gan.translate(torch.zeros(1, 3, size, size))
    except Exception as error:  # a plugin's code
        problems.append(f"the model cannot be used: {error}")
    else:
        if not pictures.isfinite().all():
            problems.append("the model makes pictures with NaN or infinity: `ganzoo diagnose RUN`")


def _licences(config: Config, options: Options, before: Before, problems: Problems) -> Licences:
    """Choose the three licences from the options, the folder or the last push."""
    current, last = config.licences, before.licences
    licences = Licences(
        code=current.code or configs.code_licence(config.generator.distribution) or last.code,
        weights=options.licence or current.weights or last.weights,
        data=options.data_licence or current.data or last.data,
    )
    remedies = {
        "code": f"plugin {config.generator.distribution} states none; its author must, as "
        '`license = "Apache-2.0"` in its pyproject.toml',
        "weights": "you choose it: --licence cc-by-4.0, for example",
        "data": "what the training images are under: --data-licence, for example cc-by-4.0 or "
        "an address with their terms",
    }
    for what, how in remedies.items():
        licence = getattr(licences, what)
        if not licence:
            problems.append(f"the licence of the {what} is not known: {how}")
        elif wrong := card.licence_problem(licence):
            problems.append(f"the licence of the {what}: {wrong}")
    their_card = before.card if licences.weights and not options.licence else None
    if their_card and (other := card.other_licence(their_card, str(licences.weights))):
        problems.append(
            f"the card on the Hub says {other}, and the model {licences.weights}: say which with "
            "--licence"
        )
    return licences


def _write_weights(
    bundle: Path, gan: Model, config: Config, registry: Registry, options: Options
) -> Config:
    """Write the weights that the config states, the generator's in 16 bits if asked for.

    Discriminators are those of the same step: the folder's, or those of the run's checkpoint.
    """
    folder, name, generator = gan.path, WEIGHTS["generator"], bare(gan.generator)
    # format 1 states no files
    every = config.files or {name: weights.describe(folder / name, generator)}
    names = {configs.weights_file(role) for role in config.networks} | set(WEIGHTS.values())
    files = {name: file for name, file in every.items() if name in names}
    for one in files:
        if (folder / one).is_file():
            shutil.copyfile(folder / one, bundle / one)
    if options.half:
        state = generator.state_dict()
        halves = {k: v.half() if v.is_floating_point() else v for k, v in state.items()}
        write_tensors(bundle / name, halves)
        files[name] = weights.describe(bundle / name, generator)
    judges = critics(config)
    if options.with_discriminator and not judges:
        raise RunError(
            f"--with-discriminator: {folder} does not say what the discriminator was; runs of "
            "earlier versions of ganzoo do not."
        )
    for role in judges:
        judge = configs.weights_file(role)
        if judge in files:
            roles.network(role, config, folder, registry)  # check it
        elif options.with_discriminator:
            trained_at = checkpoint_of(folder, config)
            if trained_at is None:
                raise RunError(
                    f"--with-discriminator: {folder} has no {role}, and is no part of a run that "
                    "has a checkpoint of its step. Give the run."
                )
            write_tensors(bundle / judge, checkpoint.read(trained_at)[0][role])
            network = roles.network(role, config, bundle, registry)
            files[judge] = weights.describe(bundle / judge, network)
    return replace(config, files=files)


def _run(folder: Path) -> RunFolder:
    """Return the run around a model folder; without one, a run with no files."""
    return RunFolder(folder.resolve().parent)


def _base(folder: Path, options: Options, before: Before) -> str | None:
    """Return the card whose hand-written parts stay: as named, on the Hub, or in the folder."""
    local = folder / CARD
    path = options.card or (local if local.is_file() else None)
    if path is None:
        return before.card
    try:
        text = path.read_bytes().decode("utf-8")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise RunError(f"the card {path} cannot be read as text in UTF-8: {why}") from error
    if before.card is None or options.card:
        return text
    if card.by_hand(text) - card.by_hand(before.card):
        raise RunError(
            f"{path} has lines that the card on the Hub lacks. --card {path} replaces the Hub's "
            "card by this one; to keep the Hub's, remove the file here."
        )
    return before.card


def _check_files(bundle: Path, problems: Problems) -> None:
    """Refuse files that ``pull`` would refuse, and private ones."""
    for path in filter(Path.is_file, bundle.rglob("*")):
        name, size = path.relative_to(bundle).as_posix(), path.stat().st_size
        if size > limit(name):
            problems.append(f"{name} has {size:,} bytes; {limit(name):,} is the most")
        elif name == SAMPLES and not path.read_bytes().startswith(PNG):
            problems.append(f"{name} is no PNG")
        elif not name.endswith((".safetensors", ".png")) and _TOKEN.search(path.read_bytes()):
            problems.append(f"{name} holds what looks like a token of the Hub: take it out")
