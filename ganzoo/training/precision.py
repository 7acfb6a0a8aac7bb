"""Choose the number format and the memory layout of a training.

``precision: auto`` measures them.  Bf16 is twice as fast as fp32 on a CPU that computes it
natively, slower on a GPU that small batches do not fill, and up to 20 times slower if it is
emulated.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from torch import Tensor, nn

from ganzoo.errors import RunError
from ganzoo.evaluation.examples import collate
from ganzoo.interfaces import Dataset, Generator
from ganzoo.models.network import Network
from ganzoo.models.precision import native_bf16
from ganzoo.models.randomness import rng
from ganzoo.recipe.recipe_types import Recipe
from ganzoo.training import checkpoint
from ganzoo.training import manifest as manifests
from ganzoo.training.devices import deterministic
from ganzoo.training.fit import outputs
from ganzoo.training.run_folder import RunFolder
from ganzoo.training.words import Made, Words

#: how many times faster something must be than plain fp32 to be chosen; less may be noise
_CLEARLY = 1.1
#: seconds of one measured pass on a CPU; fewer images are measured if needed
_PASS = 0.1
_ROUNDS, _LIMIT = 3, 5.0  # and seconds after which no round begins


@contextmanager
def _one_thread() -> Iterator[None]:
    """Use one thread: its CPU time excludes other processes; several wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@dataclass(frozen=True)
class Precision:
    """A run's number format and layout; a checkpoint records it, and ``resume`` keeps it.

    ``reason`` says how ``auto`` chose; it is empty if the recipe names a format.
    """

    format: str  # fp32, bf16 or fp16
    channels_last: bool = False
    reason: str = ""

    def __str__(self) -> str:
        layout = " channels_last" if self.channels_last else ""
        return f"{self.format}{layout}{f' ({self.reason})' if self.reason else ''}"

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for a manifest or a checkpoint; ``Precision(**data)`` reads it."""
        return asdict(self)


def decide(
    recipe: Recipe,
    accelerator: Accelerator,
    networks: Mapping[str, nn.Module],
    views: Mapping[str, Made],
    data: Dataset,
    folder: RunFolder,
) -> tuple[Precision, list[str]]:
    """Return the recipe's precision, and warnings; for ``auto``, this run's so far, or the fastest.

    All processes return the main one's choice.
    """
    device, generator = accelerator.device, networks["generator"]

    def example(count: int) -> dict[str, Tensor]:
        words = collate(data, [i % len(data) for i in range(count)])
        if isinstance(generator, Generator) and "latent" in Network(generator).reads:
            words["latent"] = generator.sample_latent(count, rng(0, "trial"))
        return words

    images = recipe.batch // accelerator.num_processes // recipe.accumulate
    trial = Trial(networks, views, example, images, device)
    precision, slow = Precision(recipe.precision), list[str]()
    if recipe.precision == "auto":
        record = folder.saved_state().get("precision")
        if record is None:  # before the first checkpoint
            with suppress(RunError):
                record = manifests.read(folder.manifest).precision
        precision = Precision(**record) if record else precision
    if accelerator.is_main_process:
        with deterministic(device):
            if precision.format == "auto":
                precision = trial.choose()
            elif precision.format == "bf16" and device.type == "cpu" and not native_bf16(device):
                slow.append(_slow(trial.slowdown(), folder))
    decision: Precision = broadcast_object_list([precision])[0]
    return decision, slow


def _slow(factor: float, folder: RunFolder) -> str:
    """Warn of an emulated format, and say what to do."""
    has_begun = checkpoint.steps(folder.checkpoints)
    change = "precision=auto"
    remedy = folder.new_run([change]) if has_begun else f"--set {change}"
    return (
        f"this CPU emulates bf16: a step takes about {factor:.0f} times as long as in fp32. "
        f"{'resume keeps the format; a new run from these weights' if has_begun else 'Better'}: "
        f"{remedy}"
    )


def fastest(seconds: Mapping[tuple[str, bool], float]) -> Precision:
    """Choose for ``auto`` from the seconds of each (format, channels_last) available here."""
    plain = seconds["fp32", False]
    layout, fp32 = _faster_layout(seconds, "fp32")
    why = "bf16 is not native here"
    if ("bf16", False) in seconds:
        bf16_layout, bf16 = _faster_layout(seconds, "bf16")
        if fp32 > _CLEARLY * bf16:
            return Precision("bf16", bf16_layout, f"auto: native, {plain / bf16:.1f}x")
        why = f"bf16 is native, {fp32 / bf16:.1f}x"
    gain = f"; channels_last {plain / fp32:.1f}x" if layout else ""
    return Precision("fp32", layout, f"auto: {why}{gain}")


def _faster_layout(seconds: Mapping[tuple[str, bool], float], format: str) -> tuple[bool, float]:
    plain, last = seconds[format, False], seconds.get((format, True), float("inf"))
    return (True, last) if plain > _CLEARLY * last else (False, plain)


class Trial:
    """Times copies of a run's networks before the training begins.

    ``example`` gives the words of that many images; ``images`` is the size of a micro-batch.  The
    training's networks and random numbers stay untouched.
    """

    def __init__(
        self,
        networks: Mapping[str, nn.Module],
        views: Mapping[str, Made],
        example: Callable[[int], dict[str, Tensor]],
        images: int,
        device: torch.device,
    ):
        self._networks, self._views, self._example = networks, views, example
        self._images, self.device = max(images, 2), device  # batch norm needs two

    def choose(self) -> Precision:
        """Choose the fastest here: fp32 or native bf16, in either memory layout."""
        formats = ("fp32", "bf16") if native_bf16(self.device) else ("fp32",)
        return fastest(self.measure([(f, last) for last in (False, True) for f in formats]))

    def slowdown(self) -> float:
        """Return how many times slower bf16 is than fp32, from two images."""
        self._images = 2
        seconds = self.measure([("fp32", False), ("bf16", False)], rounds=1)
        return seconds["bf16", False] / seconds["fp32", False]

    def measure(
        self, candidates: list[tuple[str, bool]], rounds: int = _ROUNDS
    ) -> dict[tuple[str, bool], float]:
        """Return seconds per pass of each (format, channels_last); those that fail are left out."""
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices), torch.enable_grad(), _one_thread():
            layouts = {layout: self._copies(layout) for layout in {c[1] for c in candidates}}
            words = self._words(layouts[False])
            seconds: dict[tuple[str, bool], float] = {}
            for candidate in candidates:  # the first pass prepares kernels and does not count
                try:
                    self._time(layouts[candidate[1]], words, candidate[0])
                except RuntimeError:  # a network may need contiguous tensors
                    if candidate == ("fp32", False):
                        raise
                else:
                    seconds[candidate] = float("inf")
            began = time.monotonic()
            for number in range(rounds):
                if number and time.monotonic() - began > _LIMIT:
                    break
                for format, layout in seconds:  # in turn, as the machine's speed drifts
                    duration = self._time(layouts[layout], words, format)
                    seconds[format, layout] = min(seconds[format, layout], duration)
        return seconds

    def _copies(self, channels_last: bool) -> dict[str, Network]:
        layout = torch.channels_last if channels_last else torch.preserve_format
        return {
            name: Network(
                copy.deepcopy(network).train().to(self.device).to(memory_format=layout),
                channels_last=channels_last,
            )
            for name, network in self._networks.items()
        }

    def _words(self, networks: Mapping[str, Network]) -> dict[str, Tensor]:
        """Return the words of as many images as a pass of ``_PASS`` seconds takes."""
        few = self._on_device(2)
        self._time(networks, few, "fp32")
        seconds = self._time(networks, few, "fp32")
        images = self._images
        if self.device.type == "cpu":
            images = min(images, max(2, int(2 * _PASS / seconds)))
        return self._on_device(images)

    def _on_device(self, images: int) -> dict[str, Tensor]:
        return {name: value.to(self.device) for name, value in self._example(images).items()}

    def _time(
        self, networks: Mapping[str, Network], words: Mapping[str, Tensor], format: str
    ) -> float:
        """Time a pass through G and D and back; on a CPU, which may be busy, CPU time counts."""
        passes, clock = 5, time.perf_counter
        if self.device.type == "cpu":
            passes, clock = 1, time.thread_time  # ``_measure`` makes sure that there is one thread
        self._wait()
        began = clock()
        for _ in range(passes):
            with torch.autocast(self.device.type, torch.bfloat16, enabled=format == "bf16"):
                update = Words(words, networks, self._views)
                total = torch.zeros((), device=self.device)
                for word in outputs(networks, self._views):
                    value = update[word].float()
                    total = total + (value.square() if word == "fake" else value).mean()
                if "discriminator" in networks and "real" in words:
                    total = total + update["real_logits"].float().mean()
            total.backward()
            for network in networks.values():
                network.bare.zero_grad()
        self._wait()
        return (clock() - began) / passes

    def _wait(self) -> None:
        if self.device.type != "cpu":
            torch.accelerator.synchronize(self.device)
