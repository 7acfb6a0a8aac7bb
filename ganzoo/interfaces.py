"""What a plugin promises: one base class per kind.

The words of a recipe's vocabulary are parameter names.  A generator's ``forward``, a loss's
``generator`` and ``discriminator`` methods and an evaluator's streams ask for what they need by
naming it.  A parameter with a default is optional: it is passed if it exists.  Images are float
``(N, 3, H, W)`` in [-1, 1] unless a name says ``uint8``.

A component's constructor is its schema: recipes are checked against its annotations
(``int float bool str Path Literal[...] list[...] dict[...] X | None`` and
``Annotated[int, Ge(1)]`` of annotated_types), and its docstring's ``Args:`` are its help.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ganzoo.progress import Pace

#: the number of groups into which an evaluation divides the fakes; see ``Evaluator``
GROUPS = 10


class Conditional(nn.Module):
    """A network of which a user can ask something: a generator, or an encoder that feeds it."""

    #: attribute -> its values, if labels can be asked for; see ``Dataset.label_values``
    label: Mapping[str, Sequence[str]] | None = None
    #: words of ``forward`` that a user gives, beside latents and labels: ``("layout",)``.  It can
    #: do without those that have a default
    conditions: ClassVar[tuple[str, ...]] = ()
    #: those of them that say what labels would: labels are for pictures without them
    instead_of_label: ClassVar[tuple[str, ...]] = ()

    def read_condition(self, word: str, value: Any) -> Tensor:
        """Turn what a user gave for one of ``conditions`` into its tensor ``(n, ...)``.

        ``value`` is a text from the command line, or a list of them if the option was repeated,
        and anything from Python; of several, each is a row.  It is None if there must be one and
        the user gave nothing.  Raises RunError if it cannot be used.  What is not understood, but
        left out, is a warning.
        """
        raise NotImplementedError(f"{type(self).__name__} reads no '{word}' of a user")

    def complete_condition(self, word: str, value: Tensor, label: Tensor) -> Tensor:
        """Add to one of ``instead_of_label``, (n, ...), what it leaves unsaid of labels (n, A).

        The labels are drawn at random, so that pictures of one text differ in all else.
        """
        return value

    def show_condition(self, word: str, value: Tensor) -> Tensor | None:
        """Return one of ``conditions`` (N, ...) as images (N, 3, H, W) in [-1, 1], for grids.

        None if it cannot be seen.
        """
        return None


class Generator(Conditional):
    """A network that makes images: ``forward(latent)``, ``forward(photo)``, or more words.

    If the recipe leaves out a constructor parameter named ``size``, ``label``, ``palette``,
    ``vocabulary`` or ``phrases``, the dataset's is used.  Set ``self.size`` if the output size is
    fixed, and ``self.output_scale`` if it is larger than the image that it is made from.
    """

    size: int | None = None
    #: how many times as high and wide the output is as the image that it is made from
    output_scale: int = 1
    #: whether a large picture may be made tile by tile: not if it depends on the whole photo
    tileable: ClassVar[bool] = True

    def sample_latent(self, n: int, rng: torch.Generator) -> Tensor:
        """Draw ``n`` latents on the CPU, ``(n, ...)``, from ``rng`` alone."""
        raise NotImplementedError(f"{type(self).__name__} is not made from noise")


class Discriminator(nn.Module):
    """A network that judges images: ``forward(image)`` gives raw logits of any shape (N, ...).

    Further parameters are words (``forward(image, label)``).  No sigmoid: it belongs to the loss.
    A loss that reads ``discriminator`` may also call the methods named in ``heads``.

    A constructor parameter annotated ``Extractor`` is handed one of the recipe's extractors, which
    the recipe names.  Keep it out of the state dict, for instance in a tuple: it is frozen, and its
    weights are not this network's to save.
    """

    #: methods of an image beside ``forward``, for losses of the same paper; they always run in
    #: float32
    heads: ClassVar[tuple[str, ...]] = ()


class Encoder(Conditional):
    """A network that turns images, or texts, into codes: ``forward(image)`` gives float (N, n).

    Further parameters are words.  Its code may be a word that the generator reads: what a user can
    ask of the encoder, as ``conditions`` and ``label``, can then be asked of the model.  Or the
    code is a generator's latent, by a view of the recipe: ``code: {apply: encoder, to: real}``.
    In training it may draw the code from torch's default generator.  In eval mode it draws nothing:
    ``model.encode``, by the first that reads ``image`` or ``photo``, is a function of the picture.
    The recipe may leave out constructor parameters that a dataset fills, as for a generator.
    """


class Loss(nn.Module):
    """A term of an objective: a method per player, whose parameters are its inputs.

    Define ``generator``, ``discriminator`` or both; each returns a scalar to minimise.
    ``differentiates`` names the image words whose gradients a penalty takes: they arrive as leaves
    that require grad, and ``X_logits`` of the same update are on the same graph.  ``X_features`` is
    a dict of features by layer.  A loss may leave scalars in ``self.measures`` at each call, to be
    logged beside its value.
    """

    differentiates: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        super().__init__()
        self.measures: dict[str, Tensor] = {}


class Dataset(torch.utils.data.Dataset[dict[str, Tensor]]):
    """A map-style source of examples, each a dict with the declared ``fields``.

    ``fields`` maps every word the dataset can provide to its kind: ``image``, ``label`` or
    ``tensor``.  A field that is also the name of an optional constructor argument is provided only
    if that argument is set.  The constructor only stores; ``prepare`` reads.
    """

    fields: ClassVar[Mapping[str, str]] = {"real": "image"}
    #: costly fields, which an example holds only after ``demand`` named them
    on_demand: ClassVar[frozenset[str]] = frozenset()
    #: those of them that were named
    demanded: frozenset[str] = frozenset()
    #: whether the examples are already in random order; if they are in the order of file names, an
    #: evaluation that needs only some draws them at random
    shuffled: ClassVar[bool] = False
    size: int | None = None
    #: attribute -> its values, in the order of the indices in the field ``label``
    label_values: Mapping[str, Sequence[str]] | None = None
    #: part -> its colour, as ``#f58ab4``, in the order of the numbers in the field ``layout``,
    #: int64 (1, size, size), which says what is at each pixel; see ``ganzoo.layouts``
    palette: Mapping[str, str] | None = None
    #: the words of a field of texts: number 1 is the first of them, and 0 is no word
    vocabulary: Sequence[str] | None = None
    #: attribute -> its values -> how such a text says so, for models that are asked for labels
    phrases: Mapping[str, Mapping[str, str]] | None = None
    #: where faces lie in its photos: the left eye, the right eye and the middle of the mouth's
    #: corners, each x and y from 0 to 1; left is the photo's.  ``prepare`` may set it.  `ganzoo
    #: avatar` crops faces alike for a model that was trained on them
    face: Sequence[tuple[float, float]] | None = None
    #: the licence of the images, an SPDX identifier or an address, if known; ``prepare`` may set
    #: this and the next
    licence: str | None = None
    #: the credit due when the images, or a model trained on them, are published (Markdown)
    attribution: str = ""

    def prepare(self) -> None:
        """Read, render or open everything; raises DataError.  May be called more than once."""

    def demand(self, words: Iterable[str]) -> None:
        """Provide those of ``words`` that are fields ``on_demand``, from now on."""
        self.demanded = self.demanded | (self.on_demand & frozenset(words))

    def __len__(self) -> int:
        raise NotImplementedError

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """Example ``index``: images ``(3, size, size)`` in [-1, 1], labels int64 ``(A,)``."""
        raise NotImplementedError

    # A dataset that can gather a whole batch at once may define ``__getitems__(indices)``, which
    # returns the same dict with a batch dimension; training prefers it.

    def set_epoch(self, seed: int, epoch: int) -> None:
        """Called before each epoch; draw anything random from these two numbers alone."""

    def fingerprint(self) -> str:
        """A hash of the content, equal wherever the images are equal."""
        raise NotImplementedError


class Extractor(nn.Module):
    """A frozen network whose features losses and evaluators share.

    ``forward(image)`` takes (N, 3, H, W) in [-1, 1], returns its features by layer, each (N, ...),
    and lets gradients through to the image.  It does its own preprocessing (range, mean, channel
    order, size).  The constructor opens the weights; if it cannot, it raises DataError that says
    what is missing, where to get it and where to put it.

    A finder of landmarks gives ``points`` (N, K, 2), x and y in [-1, 1] from the outer edge of the
    first pixel to that of the last; ``confidence`` (N,) in [0, 1], which tells faces from other
    things (it may be left out for an image that requires grad, since a loss asks for it on the
    photo); and, if it has them, ``heatmaps`` (N, K, h, w).
    """

    #: the tag in names of scores on these features, as in ``kid-efflite0``; weights other than the
    #: published ones need another tag.  If empty, it is the registered name
    tag: str = ""
    #: a hash of the weights' file, if they are changed after loading
    weights_sha256: str | None = None
    #: whether scores on these features may be ranked; not if they are untrained
    rankable: ClassVar[bool] = True
    #: raised when the same weights and arguments give other features
    version: ClassVar[int] = 1

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Features by layer."""
        raise NotImplementedError


class Evaluator:
    """A score: a method per stream, whose parameters are its inputs, and ``compute``.

    Define some of these streams.  Each is called with one chunk of images after the other, on the
    CPU, all reals before the fakes.  Every image has been through 8 bits.

    - ``real(...)``, the reference images of a benchmark: the dataset's other fields, ``image`` and
      ``features``;
    - ``fake(...)``, the model's images: ``image``, ``features``, ``group`` and ``labels``, what
      the model was to draw: ``hair=pink`` -> bool (N,), empty for a model without labels;
    - ``pair(...)``, a fake beside its source: the dataset's fields (``photo``, ...), ``fake``,
      ``X_features`` of any image X, and ``group``; not called for models from noise if the
      evaluator has other streams.

    ``features`` come from the benchmark's extractor, a dict by layer.  An instance measures one
    model; anything random comes from a seed of its own.

    Every score gets an interval from its values without each tenth of the fakes (the jackknife over
    groups; Efron and Stein 1981).  To avoid being run ten times over, an evaluator reads ``group``,
    int64 (N,) below ``GROUPS``, and has ``compute(without=None)``, which gives the scores of all
    fakes outside that group.
    """

    #: every score by its name, and whether more is better; the docstring gives units
    higher_is_better: ClassVar[Mapping[str, bool]] = {}
    #: the ``tag`` of the published score's extractor; on other features, a score is named after
    #: them (``kid-efflite0``)
    standard: ClassVar[str | None] = None
    #: score -> the reference rows that it may rank too high, as real images or, of ``repeated``,
    #: above poor images that differ: ``lightly-blurred``, ``blurred``, ``grain``, ``noise``,
    #: ``repeated`` (one image over and over), ``photo`` (the fakes' source)
    blind: ClassVar[Mapping[str, Sequence[str]]] = {}
    #: raised when the same images give other scores
    version: ClassVar[int] = 1

    def compute(self) -> dict[str, float]:
        """The scores of everything seen; raises DataError after too few images.

        A score that these images cannot have, as one of labels, is left out.
        """
        raise NotImplementedError

    def unreliable(self) -> dict[str, str]:
        """Score -> why not to rely on it, as after too few images; shown, not ranked."""
        return {}


@dataclass(frozen=True)
class Box:
    """A face in an image, in pixels from the upper left corner; it may extend past the edges."""

    left: float
    top: float
    right: float
    bottom: float
    score: float


class Detector:
    """A finder of faces, in photos or in drawings, for preparing a dataset."""

    def detect(self, image: NDArray[np.uint8]) -> list[Box]:
        """The faces in an RGB image (H, W, 3), surest first; an empty list if there are none."""
        raise NotImplementedError


@dataclass(frozen=True)
class Imported:
    """A generator from elsewhere: its registered name, constructor arguments and weights.

    ``source`` describes the origin for a model folder's ``training``: title, url, licence.
    """

    generator: str
    arguments: dict[str, Any]
    weights: dict[str, Tensor]
    source: dict[str, str]


class Importer:
    """A reader of another project's weights."""

    def read(self, path: Path) -> Imported:
        """Read the file or folder ``path``; raises DataError if it is not of this format."""
        raise NotImplementedError


class Transform:
    """A differentiable image-to-image function, for a recipe's ``augment`` and ``views``.

    ``__call__`` maps (N, 3, H, W) in [-1, 1] to the same.  Randomness comes from ``torch``'s
    default generator, which training seeds by (seed, step, rank).
    """

    def __call__(self, image: Tensor) -> Tensor:
        """The transformed image, (N, 3, H, W)."""
        raise NotImplementedError


class ObservedStage(Protocol):
    """A stage of a recipe, as observers see it."""

    @property
    def name(self) -> str:
        """What the recipe calls it."""

    @property
    def steps(self) -> int:
        """How long it is."""


class ObservedRecipe(Protocol):
    """The recipe of a run, as observers see it."""

    @property
    def name(self) -> str:
        """What the recipe calls itself."""

    @property
    def batch(self) -> int:
        """Examples of one step, over all processes."""

    @property
    def stages(self) -> Sequence[ObservedStage]:
        """The stages in their order."""

    def resolved(self) -> dict[str, Any]:
        """Return plain data in the recipe grammar."""


class ObservedFinding(Protocol):
    """A finding of ``ganzoo diagnose``; its text says what to do."""

    @property
    def name(self) -> str:
        """Its code, as ``D_WON``."""

    @property
    def subject(self) -> str:
        """The term or network concerned."""


class ObservedScores(Protocol):
    """What a run measures while it trains."""

    @property
    def primary(self) -> str:
        """The score that decides which model is best."""

    @property
    def best(self) -> int | None:
        """The step of the best model so far."""


class ObservedRun(Protocol):
    """What an observer may read of a run; it must change nothing."""

    @property
    def recipe(self) -> ObservedRecipe:
        """What is trained."""

    @property
    def path(self) -> Path:
        """The run folder."""

    @property
    def step(self) -> int:
        """Steps done so far."""

    @property
    def steps(self) -> int:
        """The steps of all stages together."""

    @property
    def images(self) -> int:
        """Examples seen so far."""

    @property
    def seconds(self) -> float:
        """Seconds of training so far, over all resumed parts."""

    @property
    def dataset(self) -> Dataset:
        """Where the examples come from."""

    @property
    def device(self) -> torch.device:
        """Where the networks are."""

    @property
    def precision(self) -> object:
        """The number format that the networks compute in; its text says why."""

    @property
    def pace(self) -> Pace:
        """Rate and time left."""

    @property
    def doing(self) -> str:
        """What takes long just now, as "measuring ..."; empty while it trains."""

    @property
    def findings(self) -> Sequence[ObservedFinding]:
        """What ``ganzoo diagnose`` would say now."""

    @property
    def scoring(self) -> ObservedScores | None:
        """What is measured while it trains, if the recipe asks for it."""
