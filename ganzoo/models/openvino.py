"""Compile networks with OpenVINO, for CPUs: the same function, faster."""

from __future__ import annotations

import copy
import sys
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ganzoo.errors import DataError
from ganzoo.images import pad_to_multiple
from ganzoo.models.network import stride
from ganzoo.models.precision import CPU, native_bf16

Function = Callable[[Tensor], Tensor]  # images (N, 3, H, W) to the same

_HINTS = {"fp32": "f32", "bf16": "bf16"}
_EXAMPLE, _PROOF = (64, 64), (128, 96)  # height and width for tracing and for testing


def compiler(precision: str) -> Callable[[nn.Module], Function]:
    """Return a compiler for networks of images (N, 3, H, W) to images, in ``fp32`` or ``bf16``.

    On a CPU without bf16 it always uses fp32.  Raises DataError if OpenVINO is not installed; the
    compiler raises it if OpenVINO cannot take the network.
    """
    # OpenVINO reports each import to Google Analytics, unless this package is missing.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        import openvino
    except ImportError as error:
        raise DataError(
            "--backend openvino needs OpenVINO: pip install 'ganzoo[openvino]', "
            "or leave --backend out."
        ) from error
    settings = {
        # Without native bf16, OpenVINO emulates it or uses fp32, depending on its version.
        "INFERENCE_PRECISION_HINT": _HINTS[precision if native_bf16(CPU) else "fp32"],
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "PERFORMANCE_HINT": "LATENCY",
    }
    return lambda network: _compile(openvino, network, settings)


def _compile(openvino: Any, network: nn.Module, settings: dict[str, Any]) -> Function:
    network = copy.deepcopy(network).cpu().eval()
    multiple = stride(network)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # about OpenVINO's tracing
            example = torch.zeros(1, 3, *_EXAMPLE)
            model = openvino.convert_model(network, example_input=example, input=[1, 3, -1, -1])
        program = openvino.Core().compile_model(model, "CPU", settings)
    except Exception as error:  # OpenVINO raises anything
        raise DataError(
            f"OpenVINO cannot take this generator: {str(error).strip().splitlines()[0]}. "
            "Leave --backend out."
        ) from error

    def run(photos: Tensor) -> Tensor:
        height, width = photos.shape[2:]
        # A network treats other sides in a way that depends on the size, which tracing has lost.
        pictures = program(pad_to_multiple(photos, multiple).numpy())[0]
        return torch.from_numpy(pictures)[..., :height, :width]

    # Tracing may also have frozen something else that depends on the size.
    photo = torch.rand(1, 3, *_PROOF, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        target = network(photo)
    picture = run(photo)
    if picture.shape != target.shape or not (picture - target).abs().mean() < 0.1:
        raise DataError(
            "OpenVINO gives other pictures than PyTorch with this generator. Leave --backend out."
        )
    return run
