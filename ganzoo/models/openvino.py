"""Compile networks with OpenVINO, for CPUs: the same function, faster."""

from __future__ import annotations

import copy
import sys
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganzoo.errors import DataError
from ganzoo.models.precision import CPU, native_bf16

_HINTS = {"fp32": "f32", "bf16": "bf16"}
_EXAMPLE, _PROOF = (64, 64), (128, 96)  # height and width for tracing and for testing


def compiler(precision: str) -> Callable[[nn.Module], Callable[[Tensor], Tensor]]:
    """Return a compiler for networks of images (N, 3, H, W) to images, in ``fp32`` or ``bf16``.

    On a CPU without bf16 it always uses fp32.  Raises DataError if OpenVINO is not installed; the
    compiler raises it if OpenVINO cannot take the network.
    """
    # It would report each import to Google Analytics; without this package it reports nothing.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        import openvino
    except ImportError as error:
        raise DataError(
            "--backend openvino needs OpenVINO: pip install 'ganzoo[openvino]', "
            "or leave --backend out."
        ) from error
    settings = {
        # without native bf16, OpenVINO emulates it or uses fp32, depending on its version
        "INFERENCE_PRECISION_HINT": _HINTS[precision if native_bf16(CPU) else "fp32"],
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "PERFORMANCE_HINT": "LATENCY",
    }
    return lambda network: _compile(openvino, network, settings)


def _compile(
    openvino: Any, network: nn.Module, settings: dict[str, Any]
) -> Callable[[Tensor], Tensor]:
    network = copy.deepcopy(network).cpu().eval()
    multiple = stride(network)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # about OpenVINO's tracing
            example = torch.zeros(1, 3, *_EXAMPLE)
            model = openvino.convert_model(network, example_input=example, input=[1, 3, -1, -1])
        compiled = openvino.Core().compile_model(model, "CPU", settings)
    except Exception as error:  # OpenVINO raises anything
        raise DataError(
            f"OpenVINO cannot take this generator: {str(error).strip().splitlines()[0]}. "
            "Leave --backend out."
        ) from error

    def run(photos: Tensor) -> Tensor:
        height, width = photos.shape[2:]
        made = compiled(extended(photos, multiple).numpy())[0]
        return torch.from_numpy(made)[..., :height, :width]

    _prove(run, network)
    return run


def _prove(run: Callable[[Tensor], Tensor], network: nn.Module) -> None:
    """Raise DataError if tracing froze something that depends on the size of the image."""
    photo = torch.rand(1, 3, *_PROOF, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        right = network(photo)
    made = run(photo)
    if made.shape != right.shape or not (made - right).abs().mean() < 0.1:
        raise DataError(
            "OpenVINO gives other pictures than PyTorch with this generator. Leave --backend out."
        )


def stride(network: nn.Module) -> int:
    """Return the stride of the network's innermost layer in pixels, at most 32.

    A network treats other sides in a way that depends on the size, which a traced network has
    lost.  So it only gets multiples.
    """
    product = 1
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)):
            by = module.stride
            product *= max(by) if isinstance(by, tuple) else by
    return min(product, 32)


def extended(photos: Tensor, multiple: int) -> Tensor:
    """Extend photos to multiples: mirrored at the right and the bottom if large enough."""
    for axis in (-1, -2):
        side = photos.shape[axis]
        missing = max(2 * multiple - side, -side % multiple)
        if missing:
            edges = (0, missing, 0, 0) if axis == -1 else (0, 0, 0, missing)
            photos = functional.pad(photos, edges, "reflect" if missing < side else "replicate")
    return photos
