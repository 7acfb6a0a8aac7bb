"""The Python front door: one function for each verb that Python needs too.

``ganzoo.load`` and the others live here.  They are imported on first use, so that ``import ganzoo``
takes no time.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, Unpack, overload

import torch
from PIL import Image
from torch import Tensor

from ganzoo.errors import RecipeError, RunError
from ganzoo.evaluation.leaderboard import all_standings
from ganzoo.evaluation.places import entry_folders, folder_for
from ganzoo.evaluation.ranking import Leaderboard
from ganzoo.evaluation.result import Entry
from ganzoo.files import refusals
from ganzoo.formats.yaml import quoted
from ganzoo.hub import locate as places
from ganzoo.hub import push as pushing
from ganzoo.hub import search as catalogue
from ganzoo.hub.push_types import Options, Plan, Pushed
from ganzoo.hub.search import Listed
from ganzoo.models import avatar as avatars
from ganzoo.models import model as models
from ganzoo.models import samples
from ganzoo.models.model import Model
from ganzoo.models.network import anchor
from ganzoo.models.samples import Sampling
from ganzoo.plugins.manager import installed
from ganzoo.plugins.registry import Registry, construct
from ganzoo.recipe.recipe import load_recipe
from ganzoo.training.critics import critic
from ganzoo.training.report import reporting
from ganzoo.training.run_folder import free_folder
from ganzoo.training.trained import TrainedRun

DTYPES = (torch.float32, torch.bfloat16)
#: a run or model folder, ``user/repo`` on the Hub, or the result of ``train``
Source = str | os.PathLike[str]


@refusals()
def load(
    name: Source,
    revision: str | None = None,
    *,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
    token: str | None = None,
    discriminator: bool = False,
) -> Model:
    """Load a model: a run or model folder, or ``user/repo`` from the Hub.

    >>> import ganzoo, PIL.Image
    >>> model = ganzoo.load("ganzoo/avatars-64")          # comes with ganzoo, no download
    >>> model.sample(4, seed=0, label={"hair": "pink"})   # four PIL images
    >>> model = ganzoo.load("user/cartoons", revision="v1")
    >>> model.translate(PIL.Image.open("photo.jpg"))      # a PIL image of the same size

    A model from the Hub is fetched once and kept in huggingface_hub's cache.  ``revision`` is a
    branch, a tag or a commit; with a commit, the Hub is not asked again.  Everything is checked
    when it is fetched, and none of it is ever run.  ``device`` defaults to the accelerator if there
    is one, else the CPU.  ``dtype`` is torch.float32 or torch.bfloat16; without it weights are
    float32, and on a CPU with bf16 photos are translated in bf16, about twice as fast and a level
    or two of 255 off.  With ``discriminator``, ``model.discriminator`` is the critic that it was
    trained against, from its folder or the run around it.  Raises GanzooError, whose text says what
    to do.
    """
    if dtype not in (None, *DTYPES):
        raise RunError(f"dtype {dtype}: a model computes in torch.float32 or torch.bfloat16.")
    where = models.device() if device is None else _usable(device)
    registry = installed().registry
    kinds = ("generator", "discriminator") if discriminator else ("generator",)
    place = places.locate(_place(name), registry, revision, token, kinds)
    if place.note:
        warnings.warn(place.note, stacklevel=2)
    model = places.load(place, registry, where, dtype)
    if discriminator:
        judge = critic(model, registry)
        model.discriminator = judge.to(where, dtype or torch.float32)
    return model


@refusals()
def component(kind: str, name: str, **arguments: Any) -> Any:
    """Build a component of the registry.

    >>> features = ganzoo.component("extractor", "vgg19", layers=["conv4_2"])

    ``ganzoo show KIND NAME`` lists its arguments.  Raises RecipeError if there is none of that
    name or it refuses an argument, DataError if what it needs is missing.
    """
    return construct(installed().registry, kind, name, arguments)


def _usable(device: torch.device | str) -> torch.device:
    """Return a device that works here; raises RunError for another."""
    try:
        torch.zeros(1, device=device).item()
        return torch.device(device)
    except (RuntimeError, AssertionError, TypeError) as error:  # AssertionError: torch without CUDA
        why = str(error).splitlines()[0].partition(". ")[0]
        raise RunError(f"device {device!r} cannot be used: {why}. 'cpu' always can.") from error


def _place(source: Source | Model) -> str | Path:
    """Prepare a source for ``locate``: only a str may name a model on the Hub."""
    if isinstance(source, Model):
        return source.path
    return source if isinstance(source, str) else Path(source)


@refusals()
def train(
    recipe: str | os.PathLike[str] | Mapping[str, Any],
    *,
    out: str | os.PathLike[str] | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> TrainedRun:
    """Train a recipe: a path, the name of a shipped one, or a mapping.

    >>> run = ganzoo.train("dcgan-avatars", overrides={"stages.0.steps": 500})
    >>> run.model.sample(64)
    >>> run.metrics[-1]                                   # also run.scores, run.report, run.path

    ``out`` is the run folder, by default ``runs/RECIPE``.  ``overrides`` are those of ``ganzoo
    train --set``.  Raises RecipeError with every mistake in the recipe, and TrainingStopped if
    training cannot go on; the run is kept.
    """
    from ganzoo.training.loop import start

    plugins = installed()
    pairs = _pairs(overrides)
    relative_to = Path.cwd() if isinstance(recipe, Mapping) else None
    with _as_file(recipe) as path:
        definition = load_recipe(path, pairs, plugins.registry, relative_to)
    folder = Path(out) if out else free_folder(definition.name)
    definition = places.with_pinned_weights(definition, plugins.registry)
    run, warning = reporting(lambda: start(definition, folder, plugins), folder)
    if warning:
        warnings.warn(warning, stacklevel=2)
    return TrainedRun(run.folder.path, plugins.registry)


@contextmanager
def _as_file(recipe: str | os.PathLike[str] | Mapping[str, Any]) -> Iterator[str | Path]:
    """Write a mapping to a file, so that ``load_recipe`` checks it like any other."""
    if not isinstance(recipe, Mapping):
        yield recipe if isinstance(recipe, str) else Path(recipe)
        return
    content = dict(recipe)
    if (base := Path(str(content.get("extends")))).is_file():
        content["extends"] = str(base.absolute())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "recipe.yaml")
        path.write_text(_json(content, indent=1), encoding="utf-8")
        try:
            yield path
        except RecipeError as error:  # it names lines of a temporary file
            place = rf"{re.escape(str(path))}(:\d+)*"
            raise RecipeError([re.sub(place, "recipe:", p) for p in error.problems]) from None


def _pairs(overrides: Mapping[str, Any] | None) -> list[str]:
    """Write overrides as ``--set`` takes them, with texts quoted and escaped for YAML."""
    return [
        f"{key}={quoted(str(value)) if isinstance(value, (str, Path)) else _json(value)}"
        for key, value in (overrides or {}).items()
    ]


def _json(value: object, indent: int | None = None) -> str:
    """Write a value as JSON, which is also YAML; paths become text."""
    return json.dumps(value, default=str, ensure_ascii=False, indent=indent)


@overload
def sample(
    model: Source | Model,
    n: int | None = None,
    *,
    as_tensor: Literal[False] = False,
    **how: Unpack[Sampling],
) -> list[Image.Image]: ...
@overload
def sample(
    model: Source | Model,
    n: int | None = None,
    *,
    as_tensor: Literal[True],
    **how: Unpack[Sampling],
) -> Tensor: ...
@refusals()
def sample(
    model: Source | Model,
    n: int | None = None,
    *,
    seed: int = 0,
    label: Mapping[str, str] | None = None,
    latents: Tensor | None = None,
    truncation: float = 1.0,
    directions: Mapping[int, float] | None = None,
    batch_size: int = samples.CHUNK,
    upscale: int = 1,
    as_tensor: bool = False,
    **conditions: Any,
) -> list[Image.Image] | Tensor:
    """Draw pictures from noise.  Arguments and errors are those of ``Model.sample``.

    >>> ganzoo.sample("ganzoo/avatars-64", 4, label={"hair": "pink"})
    >>> ganzoo.sample(model, latents=model.latents(2, seed=1), as_tensor=True)
    >>> ganzoo.sample("runs/layout-avatars", layout="face.png", label={"hair": "pink"})

    A model given by name is loaded again for each call.
    """
    return _loaded(model).sample(
        n,
        seed=seed,
        label=label,
        latents=latents,
        truncation=truncation,
        directions=directions,
        batch_size=batch_size,
        upscale=upscale,
        as_tensor=as_tensor,
        **conditions,
    )


@overload
def translate(model: Source | Model, photo: Image.Image) -> Image.Image: ...
@overload
def translate(model: Source | Model, photo: Tensor) -> Tensor: ...
@overload
def translate(model: Source | Model, photo: Sequence[Image.Image]) -> list[Image.Image]: ...
@refusals()
def translate(model: Source | Model, photo: Any) -> Any:
    """Turn photos into pictures.  Arguments and errors are those of ``Model.translate``.

    >>> ganzoo.translate("runs/cartoon-avatars", PIL.Image.open("photo.jpg"))

    A model given by name is loaded again for each call.
    """
    return _loaded(model).translate(photo)


@overload
def avatar(
    photo: Image.Image,
    model: Source | Model | None = None,
    *,
    paste: Literal[False] = False,
    detector: str = ...,
    landmarks: str | None = None,
    upscale: int = 1,
) -> list[Image.Image]: ...
@overload
def avatar(
    photo: Image.Image,
    model: Source | Model | None = None,
    *,
    paste: Literal[True],
    detector: str = ...,
    landmarks: str | None = None,
    upscale: int = 1,
) -> Image.Image: ...
@refusals()
def avatar(
    photo: Image.Image,
    model: Source | Model | None = None,
    *,
    paste: bool = False,
    detector: str = avatars.DETECTOR,
    landmarks: str | None = None,
    upscale: int = 1,
) -> Any:
    """Draw the faces in a photo: a list of PIL images from left to right.

    >>> ganzoo.avatar(PIL.Image.open("family.jpg"), "runs/cartoon-avatars", paste=True).show()

    Each is cropped as the ``model`` was trained; without a model, ``ganzoo/photo-avatar`` draws.
    ``paste`` returns the photo with its faces drawn.  ``landmarks`` aligns faces: an
    extractor of 68 points or ``none``, by default face68 if its weights are there.  ``upscale=4``
    makes drawings four times as high and wide with ``ganzoo/upscaler``.  Raises RunError if the
    model takes no photo, and DataError if the photo, or what finds faces, cannot be used.
    """
    registry = installed().registry
    finder = avatars.finder(registry, detector, landmarks)
    gan = None if model is None else _loaded(model)
    artist, _ = avatars.artist(gan, finder, registry, upscale=upscale)
    return artist.pasted(photo) if paste else artist.crops(photo)


def _loaded(model: Source | Model) -> Model:
    if isinstance(model, TrainedRun):
        return model.model
    return model if isinstance(model, Model) else load(model)


@refusals()
def evaluate(
    model: Source | Model,
    benchmark: str | os.PathLike[str],
    *,
    name: str | None = None,
    out: str | os.PathLike[str] | None = None,
    overrides: Mapping[str, Any] | None = None,
    download: bool = False,
    force: bool = False,
) -> Entry:
    """Measure a model, or a folder of images, under a benchmark.

    >>> entry = ganzoo.evaluate("ganzoo/avatars-64", "avatars-64")
    >>> {name: (score.value, score.low, score.high) for name, score in entry.scores.items()}

    The entry is also written to ``out``, by default ``evaluation`` in a run and the user's data
    folder for anything else, as `ganzoo evaluate` does; if the model was measured before, it is
    read from there.  ``name`` is the entry's, by default that of the model's folder.
    ``overrides`` are those of ``ganzoo evaluate --set``.  ``download`` fetches the weights that
    optional scores need.  ``force`` replaces an entry of another model.  Raises RecipeError for a
    wrong benchmark, RunError or DataError for an unusable model or unusable images.
    """
    from accelerate import PartialState

    from ganzoo.evaluation.protocol import Protocol
    from ganzoo.evaluation.submission import refuse_unsuited, submit
    from ganzoo.hub.candidate import candidate_of
    from ganzoo.recipe.benchmark import load_benchmark

    registry = installed().registry
    pairs = _pairs(overrides)
    definition = load_benchmark(os.fspath(benchmark), pairs, registry)
    if isinstance(model, Model):
        _refuse_changed(model, registry)
    place = _place(model)
    if Path(place).exists():
        refuse_unsuited(Path(place), definition)
    state = PartialState(cpu=models.device().type == "cpu")
    with state.main_process_first():
        protocol = Protocol(definition, registry, state.device, download=download)
        source, candidate = candidate_of(place, protocol, registry, name)
    folder = Path(out) if out is not None else folder_for(Path(place))
    return submit(protocol, source, candidate, folder, force)[1]


@refusals()
def pull(
    repo: str,
    revision: str | None = None,
    *,
    out: str | os.PathLike[str] | None = None,
    token: str | None = None,
) -> Path:
    """Fetch a model from the Hub and return its folder.

    >>> ganzoo.pull("user/cartoons", "v1", out="models/cartoons")

    Without ``out`` that is the Hub's cache, which works offline afterwards.  Raises HubError if the
    Hub does not deliver or the model is not valid, RunError if ``out`` is taken.
    """
    target = Path(out) if out else None
    place = places.fetch(repo, installed().registry, revision, token, target)
    if place.note:
        warnings.warn(place.note, stacklevel=2)
    return place.folder


@refusals()
def push(
    source: Source | Model,
    repo: str,
    *,
    licence: str | None = None,
    data_licence: str | None = None,
    card: str | os.PathLike[str] | None = None,
    with_discriminator: bool = False,
    half: bool = False,
    private: bool = False,
    tag: str | None = None,
    message: str | None = None,
    token: str | None = None,
    dry_run: bool = False,
) -> Pushed | Plan:
    """Publish a run, a model folder or a loaded model as ``user/repo`` (or ``user/repo@branch``).

    >>> ganzoo.push("runs/dcgan-avatars", "me/avatars", licence="cc-by-4.0", dry_run=True)

    ``licence`` is that of the weights, ``data_licence`` that of the training images if the dataset
    does not say.  ``card`` is a file whose hand-written parts replace those on the Hub.  ``half``
    stores the generator in 16 bits.  Scores of these weights come from the entries that `ganzoo
    leaderboard` finds.  ``dry_run`` sends nothing and returns what would be sent, with all
    ``problems``.  Raises RunError with every problem before anything is sent, HubError if the Hub
    refuses.
    """
    options = Options(
        licence=licence,
        data_licence=data_licence,
        card=Path(card) if card else None,
        with_discriminator=with_discriminator,
        half=half,
        entries=tuple(entry_folders()),
        private=private,
        tag=tag,
        message=message,
    )
    registry = installed().registry
    if isinstance(source, Model):
        _refuse_changed(source, registry)
    act = pushing.plan if dry_run else pushing.push
    return act(_place(source), repo, registry, options, token)


def _refuse_changed(model: Model, registry: Registry) -> None:
    """Raise RunError if weights were changed in memory, since the folder is what is sent."""
    now = model.generator.state_dict()
    dtype = anchor(model.generator).dtype
    file = models.load(model.path, registry, dtype=dtype).generator.state_dict()
    if not all(torch.equal(file[name], value.cpu()) for name, value in now.items()):
        raise RunError(
            f"the model's weights were changed since it was loaded, and {model.path} is what "
            "would be read. Save them in a model folder first."
        )


@refusals()
def search(
    text: str | None = None, *, author: str | None = None, limit: int = 50, token: str | None = None
) -> Sequence[Listed]:
    """List the Hub's models with the tag ``ganzoo`` and their scores, most downloaded first.

    >>> for model in ganzoo.search("avatars"):
    ...     print(model.id, model.downloads, [entry.primary for entry in model.entries])

    Raises HubError if the Hub does not answer.
    """
    return catalogue.search(text, author, limit, token)


@refusals()
def leaderboard(
    benchmark: str | None = None, *, entries: Sequence[str | os.PathLike[str]] = ()
) -> Leaderboard:
    """Rank measured models: yours, those of ``runs``, and those that come with ganzoo.

    >>> pandas.DataFrame(ganzoo.leaderboard("avatars-64").rows)

    In a notebook it shows tables with pictures.  ``entries`` are the only folders to look in, if
    given.  Raises RunError if a benchmark has no entries, or a folder is none.
    """
    folders = entry_folders([Path(folder) for folder in entries])
    return Leaderboard(all_standings(folders, benchmark))
