"""The grammar of recipes and benchmarks as data; the checker and the JSON Schema share it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ganzoo.formats.names import COMPONENT
from ganzoo.plugins.signature import COMPUTED, REQUIRED, Parameter, parameter

Table = dict[str, Parameter]
#: the two roles that stand at the top level of a recipe, each of the kind of its name
PLAYERS = ("generator", "discriminator")
#: the kinds of networks, which are the roles' kinds
NETWORK_KINDS = ("generator", "discriminator", "encoder")
#: arguments that a recipe may leave out of a network -> what the dataset fills them with
FROM_DATASET = {
    "size": "size",
    "label": "label_values",
    "palette": "palette",
    "vocabulary": "vocabulary",
    "phrases": "phrases",
}


def _table(**rows: tuple[Any, ...]) -> Table:
    return {name: parameter(name, *row) for name, row in rows.items()}


_COUNT = "Annotated[int, Ge(1)]"
_POSITIVE = "Annotated[float, Gt(0)]"
_NOT_NEGATIVE = "Annotated[float, Ge(0)]"
_DECAY = "Annotated[float, Interval(ge=0, lt=1)]"

TOP = _table(
    recipe=("str", REQUIRED, "The name of this recipe.", "my-gan"),
    seed=(
        "Annotated[int, Interval(ge=0, le=9223372036854775807)]",
        0,
        "Everything random follows from it: the same seed trains the same weights.",
        "7",
    ),
    batch=(_COUNT, REQUIRED, "Examples per update, over all processes together.", "32"),
    accumulate=(_COUNT, 1, "Work through each batch in so many parts, to save memory.", "2"),
    precision=(
        "Literal['auto', 'fp32', 'bf16', 'fp16']",
        "fp32",
        "Number format of the networks; auto is bf16 where the device is faster with it, or fp32.",
        "auto",
    ),
    init_from=(
        "str | None",
        None,
        "Run, model folder, shipped model or user/repo on the Hub whose weights to start from.",
        "runs/dcgan",
    ),
    plugins=(
        "dict[str, str]",
        {},
        "Distribution: version, of every plugin it needs beside ganzoo; a run fills this in.",
    ),
)
TOP["recipe"] = replace(TOP["recipe"], type=COMPONENT)
#: the other keys of the top level; each has a reader of its own
SECTIONS = {
    "extends": "A recipe to start from, by name or path; this one is merged over it key by key.",
    "dataset": "Where training examples come from.",
    "generator": "The network that makes images.",
    "discriminator": "The network that judges images; leave out to train without one.",
    "networks": "Further networks by role, a name of yours: encoders, a second critic, and so on.",
    "players": "Which roles learn together; a role that is in none is a player of its own.",
    "optimizer": "The optimiser of every network; a section per player overrides it.",
    "ema": "Exponential moving average of generators and encoders, or null; a number is the decay.",
    "augment": "A differentiable transform of whatever the discriminator sees, or null.",
    "views": "New words: a transform of another word, or a network applied to words.",
    "extractors": "Frozen networks by a name of yours, whose features the losses share.",
    "stages": "What is trained, one after the other.",
    "log": "When and where to log.",
    "samples": "When to draw pictures.",
    "checkpoint": "When to save.",
    "evaluate": "When to measure, and under which benchmark, or null.",
    "verify": "What a short form of this recipe scores, or null; `ganzoo verify` reruns it.",
}
#: an example of each
SECTION_EXAMPLES = {
    "extends": "dcgan-avatars",
    "dataset": "{use: folder, path: faces, size: 64}",
    "generator": "{use: dcgan, width: 32}",
    "discriminator": "{use: dcgan, width: 32, norm: none}",
    "networks": "{backward: {kind: generator, use: cartoongan}}",
    "players": "{generator: [generator, backward]}",
    "optimizer": "{use: adam, lr: 2e-4, betas: [0.5, 0.999], discriminator: {lr: 1e-4}}",
    "ema": "{decay: 0.999, ramp: false}",
    "augment": "{use: diffaugment, policy: [color, translation]}",
    "views": "{gray: {use: grayscale, of: real}}",
    "extractors": "{features: {use: efficientnet-lite0}}",
    "stages": "[{name: only, steps: 9, generator: [{use: hinge}], discriminator: [{use: hinge}]}]",
    "log": "{every: 100}",
    "samples": "{every: 250, count: 36}",
    "checkpoint": "{every: 500, keep: 2}",
    "evaluate": "{every: 1000, benchmark: avatars-64, set: [fakes=1000, reference=1000]}",
    "verify": "{benchmark: avatars-64, short: [stages.0.steps=300], seeds: [0, 1], "
    "expected: {kid-efflite0: [1, 4]}}",
}
REQUIRED_SECTIONS = ("dataset", "generator", "optimizer", "stages")
PLAIN_SECTIONS = {
    "log": _table(
        every=(_COUNT, 50, "Steps between two log lines.", "100"),
        trackers=(
            "list[str]",
            [],
            "Trackers of Accelerate to log to, such as tensorboard.",
            "[tensorboard]",
        ),
    ),
    "samples": _table(
        every=(_COUNT, 500, "Steps between two grids.", "250"),
        count=(_COUNT, 64, "Pictures in a grid.", "36"),
    ),
    "checkpoint": _table(
        every=(_COUNT, 1000, "Steps between two checkpoints.", "500"),
        keep=(_COUNT, 3, "How many of the newest checkpoints to keep.", "5"),
    ),
}
_BENCHMARK = {
    "benchmark": ("str", REQUIRED, "A benchmark, by name or path.", "avatars-64"),
    "set": (
        "list[str]",
        [],
        "What differs from it, as fakes=1000, which is another protocol.",
        "[fakes=1000]",
    ),
}
#: sections about scores, which may be null
MEASURING = {
    "evaluate": _table(
        every=(
            _COUNT,
            REQUIRED,
            "Steps between two measurements; the last step has one too.",
            "1000",
        ),
        **_BENCHMARK,
    ),
    "verify": _table(
        **_BENCHMARK,
        short=(
            "list[str]",
            [],
            "What the short form overrides, as stages.0.steps=300.",
            "[stages.0.steps=300]",
        ),
        seeds=("list[Annotated[int, Ge(0)]]", REQUIRED, "The seeds that are trained.", "[0, 1]"),
        expected=(
            "dict[str, tuple[float, float]]",
            REQUIRED,
            "Score: [lowest, highest] that a seed may have.",
            "{kid-efflite0: [1, 4]}",
        ),
    ),
}
EMA = _table(
    decay=("Annotated[float, Interval(gt=0, lt=1)]", REQUIRED, "Share kept per step.", "0.999"),
    ramp=("bool", True, "Whether the decay grows to its value over the first steps.", "false"),
)
STAGE = _table(
    name=("str", REQUIRED, "What the stage is called.", "adversarial"),
    steps=(_COUNT, REQUIRED, "Generator updates in the stage.", "3000"),
    discriminator_steps=(_COUNT, 1, "Discriminator updates for each of the generator's.", "5"),
    updates=(
        "list[str | list[str]]",
        COMPUTED,
        "The players that one step updates, in order; those of an inner list from one forward "
        "pass. Left out, players with a discriminator come first, then the others.",
        "[discriminator, discriminator, generator]",
    ),
)
STAGE_SECTIONS = {
    "generator": "The terms that the generator minimises.",
    "discriminator": "The terms that the discriminator minimises; without any it stays as it is.",
    "optimizer": "What differs from the recipe's optimizer in this stage.",
}
STAGE_EXAMPLES = {
    "generator": "[{use: hinge}]",
    "discriminator": "[{use: hinge}, {use: r1, weight: 10, every: 16}]",
    "optimizer": "{lr: {from: 2e-4, to: 0, over: 500}}",
}
TERM = _table(
    every=(_COUNT, 1, "Steps between two uses (lazy regularisation).", "16"),
    inputs=(
        "dict[str, str]",
        {},
        "Words to read in place of the loss's own, as own: other.",
        "{real: gray}",
    ),
    extractor=(
        "str | None",
        None,
        "Which of the recipe's extractors makes the features it reads.",
        "features",
    ),
    judge=(
        "str",
        COMPUTED,
        "The role whose logits it reads, if that is not the discriminator.",
        "photo_critic",
    ),
)
#: sections of components by names that the recipe chooses, and an example of each
COLLECTIONS = {
    "networks": "{backward: {kind: generator, use: cartoongan}}",
    "views": "{gray: {use: grayscale, of: real}}",
    "extractors": "{vgg: {use: vgg19}}",
}
VIEW = _table(of=("str", REQUIRED, "The image word that is transformed.", "real"))
APPLICATION = _table(
    apply=("str", REQUIRED, "The role of the network that makes the word.", "backward"),
    to=(
        "str | dict[str, str]",
        COMPUTED,
        "The word that its first parameter reads, or a word for each parameter by name; the "
        "others read the words of their own names.",
        "{photo: real}",
    ),
)
NETWORK = _table(
    kind=(
        f"Literal{list(NETWORK_KINDS)}",
        COMPUTED,
        "The kind of the network; left out, the role's name is one.",
        "generator",
    ),
)
#: names that no role or player can have: keys beside them, files and columns of runs
KEYWORDS = frozenset((*STAGE, "optimizer", "use", "lr", "fake", "latent", "ema", "model")) | {
    "share",
    "score",
    "scores",
    "step",
    "stage",
    "seconds",
}
SCHEDULE = {
    "from": parameter("from", "float", help="Value at the stage's start.", example="1"),
    "to": parameter("to", "float", help="Value at the end, and from then on.", example="0.1"),
    "over": parameter("over", _COUNT, help="Steps from the one to the other.", example="1000"),
    "after": parameter(
        "after", "Annotated[int, Ge(0)]", 0, "Steps before it begins to move.", "500"
    ),
}
RATE_SCHEDULE = SCHEDULE | {
    "from": parameter("from", _NOT_NEGATIVE, help="Value at the stage's start.", example="2e-4"),
    "to": parameter("to", _NOT_NEGATIVE, help="Value at the end, and from then on.", example="0"),
}
LR = parameter(
    "lr",
    _POSITIVE,
    help="Learning rate: a number, or {from, to, over, after}.",
    example="{from: 2e-4, to: 0, over: 500}",
)
WEIGHT = parameter(
    "weight",
    "float",
    1.0,
    "Factor of the term: a number, or {from, to, over, after}.",
    "{from: 1, to: 0.1, over: 1000}",
)

_ADAM: dict[str, tuple[Any, ...]] = {
    "betas": (
        f"tuple[{_DECAY}, {_DECAY}]",
        (0.9, 0.999),
        "Decay of both moment averages.",
        "[0.5, 0.999]",
    ),
    "eps": (_POSITIVE, 1e-8, "Added to the denominator."),
    "amsgrad": ("bool", False, "Keep the largest second moment."),
    "fused": ("bool | None", None, "One kernel for all parameters; null lets torch choose."),
}
#: arguments of each optimiser but ``lr``, with torch's names and defaults
OPTIMIZERS: dict[str, Table] = {
    "adam": _table(**_ADAM, weight_decay=(_NOT_NEGATIVE, 0.0, "L2 penalty.")),
    "adamw": _table(**_ADAM, weight_decay=(_NOT_NEGATIVE, 0.01, "Decoupled weight decay.")),
    "sgd": _table(
        momentum=(_NOT_NEGATIVE, 0.0, "Momentum factor."),
        dampening=("float", 0.0, "Dampening of the momentum."),
        weight_decay=(_NOT_NEGATIVE, 0.0, "L2 penalty."),
        nesterov=("bool", False, "Nesterov momentum; needs momentum and no dampening."),
    ),
    "rmsprop": _table(
        alpha=(_DECAY, 0.99, "Smoothing constant."),
        eps=(_POSITIVE, 1e-8, "Added to the denominator."),
        momentum=(_NOT_NEGATIVE, 0.0, "Momentum factor."),
        weight_decay=(_NOT_NEGATIVE, 0.0, "L2 penalty."),
        centered=("bool", False, "Normalise by an estimate of the variance."),
    ),
}

BENCHMARK = _table(
    benchmark=("str", REQUIRED, "The name of this benchmark."),
    version=(_COUNT, REQUIRED, "Raised whenever anything below changes: a new table begins."),
    seed=("Annotated[int, Ge(0)]", 0, "Of the latents, and of the dataset's order."),
    dataset_sha256=("str | None", None, "The dataset's hash, where it must be this one."),
    shuffle=("bool", False, "Split the dataset at random; else in its own order."),
    held_out=(
        "Literal['first', 'last']",
        "last",
        "Which end of the dataset is held out of the reference.",
    ),
    reference=("Annotated[int, Ge(2)]", REQUIRED, "Real images to compare with."),
    fakes=("Annotated[int, Ge(10)]", REQUIRED, "Images that a model makes; intervals want ten."),
    primary=("str", REQUIRED, "The score that ranks, as an evaluator calls it."),
)
BENCHMARK_SECTIONS = {
    "dataset": "The real images.",
    "extractors": "Frozen networks by a name of yours, whose features the evaluators share.",
    "evaluators": "The scores.",
}
EXTRACT = _table(
    optional=("bool", False, "Leave out what needs it where its weights cannot be had."),
)
MEASURE = _table(
    extractor=("str | None", None, "Which of the benchmark's extractors it reads features of."),
)


def own_keys(path: tuple[str, ...]) -> frozenset[str]:
    """Return the keys that a component's section has beside ``use`` and the arguments.

    They belong to its place in the file: when ``use`` changes they stay, and the arguments go.
    """
    match path:
        case ("stages", _, _, _):
            return frozenset(TERM) | {"weight"}
        case ("networks", _):
            return frozenset(NETWORK)
        case ("views", _):
            return frozenset(VIEW)
        case ("extractors", _):
            return frozenset(EXTRACT)
        case ("evaluators", _):
            return frozenset(MEASURE)
    return frozenset()
