"""Which number formats a device computes natively, and what inference uses."""

from __future__ import annotations

import os
import platform

import torch
from torch import nn

CPU = torch.device("cpu")


#: x86 instruction sets without bf16 arithmetic, as oneDNN's ONEDNN_MAX_CPU_ISA names them
_WITHOUT_BF16 = {"SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE"}


_WITHOUT_BF16 |= {"AVX512_CORE_VNNI"}


def native_bf16(device: torch.device) -> bool:
    """Whether ``device`` computes bf16 natively.

    On a CPU this needs AVX512-BF16, AMX or Arm's bf16, unless ONEDNN_MAX_CPU_ISA excludes them; on
    CUDA, compute capability 8.0 (Ampere) or later.  For other devices the answer is unknown.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu" or not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return False
    if platform.machine().lower() in ("aarch64", "arm64"):
        return True  # oneDNN found the instructions
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA") or os.environ.get("DNNL_MAX_CPU_ISA", "")
    has = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return bool(has) and limit.upper() not in _WITHOUT_BF16


def inference_format(network: nn.Module, device: torch.device) -> str:
    """Choose bf16 or fp32 for pictures that need not be equal to the last bit.

    Bf16 is for convolutions on a CPU that computes it natively, where it is about twice as fast.
    Nothing is timed, so a machine always makes the same pictures.
    """
    kinds = (nn.Conv2d, nn.ConvTranspose2d)
    convolves = any(isinstance(module, kinds) for module in network.modules())
    return "bf16" if device.type == "cpu" and convolves and native_bf16(device) else "fp32"
