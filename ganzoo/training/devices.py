"""Devices: Accelerate without the environment's additions, and equal runs on CUDA."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from accelerate.state import AcceleratorState

from ganzoo.errors import RecipeError, RunError

_CGROUP = Path("/sys/fs/cgroup")
_FORMATS = {"fp32": "no", "bf16": "bf16", "fp16": "fp16"}
_PREFIX = "ACCELERATE_"
#: variables that say where to compute, not what
_PLACES = {"USE_CPU", "TORCH_DEVICE", "CPU_AFFINITY", "DEBUG_MODE", "BYPASS_DEVICE_MAP"}
#: variables for training without DDP
_FOREIGN = ("USE_FSDP", "USE_DEEPSPEED", "USE_MEGATRON_LM", "USE_PARALLELISM_CONFIG")
#: ignored variables, with the value that needs no message -> the recipe's key for it
_IGNORED = {
    "GRADIENT_ACCUMULATION_STEPS": ("1", "accumulate"),
    "MIXED_PRECISION": ("no", "precision"),
    "DYNAMO_BACKEND": ("no", None),
}


def accelerator(format: str) -> Accelerator:
    """Set up Accelerate's device, processes and mixed precision.

    Of the environment variables that `accelerate launch` sets, only those that choose the device
    count.  Raises RunError for those that change how to train, and RecipeError if ``format`` is not
    available here.
    """
    for name in _FOREIGN:
        if os.environ.get(_PREFIX + name, "").lower() in ("1", "true", "yes", "on"):
            raise RunError(
                f"{_PREFIX}{name}={os.environ[_PREFIX + name]} asks for a training that no recipe "
                "describes. ganzoo trains on one process or, with DDP, on several: unset the "
                "variable, or answer MULTI_GPU, MULTI_CPU or NO in `accelerate config`."
            )
    _check_device()
    _respect_quota()
    AcceleratorState._reset_state()  # the first run's precision would bind the whole process
    try:
        with _without_settings():
            return Accelerator(
                # otherwise CPU processes would not find each other
                cpu=not torch.accelerator.is_available(),
                mixed_precision=_FORMATS[format],
                kwargs_handlers=[DistributedDataParallelKwargs(broadcast_buffers=False)],
            )
    except (ValueError, ImportError) as error:
        raise RecipeError([f"precision '{format}' cannot be had here: {error}"]) from error


def _check_device() -> None:
    """Raise RunError if Accelerate's chosen device cannot be used here."""
    if name := os.environ.get(f"{_PREFIX}TORCH_DEVICE"):
        try:
            torch.zeros(1, device=name).item()
        except (RuntimeError, NotImplementedError, AssertionError) as error:
            device = torch.accelerator.current_accelerator()
            raise RunError(
                f"{_PREFIX}TORCH_DEVICE={name} cannot be used here. Unset it, or name "
                f"{device or 'cpu'}."
            ) from error


def ignored_settings() -> list[str]:
    """Return a line for each variable of Accelerate that would change training and is ignored."""
    lines = []
    for name, (harmless, key) in _IGNORED.items():
        value = os.environ.get(_PREFIX + name, harmless)
        if value.lower() != harmless:
            remedy = f"; the recipe decides: --set {key}=..." if key else ""
            lines.append(f"{_PREFIX}{name}={value} is ignored{remedy}")
    return lines


def computed_on(device: torch.device) -> str:
    """Return what rounding depends on: the kind of GPU, or the CPU's number of threads."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type != "cpu":
        return device.type
    threads = torch.get_num_threads()
    return f"a CPU with {threads} thread{'s' * (threads > 1)}"


def _respect_quota() -> None:
    """Use no more threads than a container has CPUs; torch counts the machine's."""
    if "OMP_NUM_THREADS" in os.environ:
        return
    try:
        quota, period = (_CGROUP / "cpu.max").read_text().split()
        cpus = max(1, int(quota) // int(period))  # without a quota, the first word is "max"
    except (OSError, ValueError):
        return
    if cpus < torch.get_num_threads():
        torch.set_num_threads(cpus)


@contextmanager
def _without_settings() -> Iterator[None]:
    names = {n for n in os.environ if n.startswith(_PREFIX)} - {_PREFIX + n for n in _PLACES}
    settings = {name: os.environ.pop(name) for name in names}
    try:
        yield
    finally:
        os.environ.update(settings)


@contextmanager
def deterministic(device: torch.device) -> Iterator[None]:
    """Make two equal runs on CUDA equal to the bit; GANZOO_DETERMINISTIC=0 turns it off.

    torch warns by name of an operation that has no deterministic form, and goes on.
    """
    if device.type != "cuda" or os.environ.get("GANZOO_DETERMINISTIC") == "0":
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    mode = torch.get_deterministic_debug_mode()
    benchmark, fill = torch.backends.cudnn.benchmark, torch.utils.deterministic
    does_fill = fill.fill_uninitialized_memory  # type: ignore[attr-defined]
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False
    fill.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    try:
        yield
    finally:
        torch.set_deterministic_debug_mode(mode)
        torch.backends.cudnn.benchmark = benchmark
        fill.fill_uninitialized_memory = does_fill  # type: ignore[attr-defined]
