"""Check that a function of tensors works on any device.

A machine without an accelerator has torch's device ``meta``, whose tensors have no values.  It
accepts much that an accelerator would not, so operations on two devices are refused here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from ganzoo.testing.attempt import Raised, Unavailable, attempt
from ganzoo.testing.subject import tensors

#: operations that may see two devices: moving, and indices on the CPU
_MAY = {"to", "copy_", "type_as", "__getitem__", "__setitem__", "index_put", "index_put_"}


class TwoDevicesError(RuntimeError):
    """One operation on tensors of two devices."""


class _Together(TorchFunctionMode):
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", str(func))
        kinds = {t.device.type for t in tensors([args, kwargs or {}]) if t.ndim}
        if len(kinds) > 1 and name not in _MAY:
            raise TwoDevicesError(
                f"{name} of tensors on {' and '.join(sorted(kinds))}. Make new tensors where the "
                "input is (torch.zeros(..., device=x.device), x.new_zeros), and keep constant "
                "ones with register_buffer"
            )
        return func(*args, **(kwargs or {}))


def devices() -> Iterator[torch.device]:
    """Yield ``meta``, and the accelerator if there is one."""
    yield torch.device("meta")
    if torch.accelerator.is_available():
        yield torch.accelerator.current_accelerator() or torch.device("cpu")


def check_device(what: str, function: Callable[[], Any], device: torch.device) -> None:
    """Check that ``function``, whose tensors are all on ``device``, gives tensors there.

    Raises Unavailable if it asks for what ``meta`` does not have: values, or autocast.
    """
    try:
        with _Together():
            value = attempt(what, function)
    except Raised as error:
        if device.type == "meta" and _is_beyond_meta(error.__cause__):
            raise Unavailable(
                "it looks at the values of tensors, or turns autocast off, so that only an "
                "accelerator can tell, and there is none. Run it on a machine with one."
            ) from error
        raise
    apart = {t.device.type for t in tensors(value) if isinstance(t, Tensor)} - {device.type}
    if apart:
        raise AssertionError(
            f"{what} gives a tensor on {', '.join(sorted(apart))} where all that it was given is "
            f"on {device.type}."
        )


def _is_beyond_meta(error: BaseException | None) -> bool:
    signs = ("meta tensor", "register_meta", "data-independent", "unsupported scalarType")
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in signs)
