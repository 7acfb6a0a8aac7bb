"""Export a network as one file for other programs: ONNX, or PyTorch's ``torch.export``.

The file is proved before it is kept: it is read back and run beside the network.  Its metadata
says, under ``ganzoo.parity``, how far apart the two were and what inputs it takes.  ONNX:
https://onnx.ai/onnx/intro/concepts.html; torch.export:
https://docs.pytorch.org/docs/stable/export.html
"""

from __future__ import annotations

import copy
import io
import json
import logging
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from ganzoo.errors import RunError
from ganzoo.files import atomic_file
from ganzoo.interfaces import Generator
from ganzoo.models.export_task import TOLERANCE, Inputs, Task
from ganzoo.text import gist

PARITY = "ganzoo.parity"

Run = Callable[[Inputs], Tensor]


@dataclass(frozen=True)
class Parity:
    """How close an exported file is to its network, and how to use it.

    ``difference`` is the greatest absolute one between two values of images in [-1, 1], over inputs
    of all the ``shapes``; that of codes and logits is a share of the greatest if that is above 1.
    ``inputs`` and ``output`` give type, shape and meaning by name.
    """

    difference: float
    shapes: tuple[dict[str, list[int]], ...]
    inputs: dict[str, str]
    output: dict[str, str]
    versions: dict[str, str]


def export(
    network: nn.Module,
    format: Literal["onnx", "torch-export"],
    out: Path,
    about: Mapping[str, str],
    generator: Generator | None = None,
) -> Parity:
    """Write ``network``, in eval mode and fp32, to the file ``out``.

    Inputs have the names of the network's words; the output is ``image`` of a generator, ``code``
    of an encoder, ``logits`` of a discriminator.  A ``torch.export`` file takes inputs by keyword.
    The batch size is free, and so are height and width if the generator has no fixed size.
    ``generator`` is the model's; another network takes latents, labels and images as it does.
    ``about`` are further facts for the metadata (ONNX's metadata_props, torch.export's
    extra_files), each under ``ganzoo.`` and its name.

    Raises RunError if a package is missing, the network cannot be exported, the file's outputs
    differ by more than ``TOLERANCE``, or ``out`` cannot be written; an earlier ``out`` then stays
    unchanged.
    """
    maker: type[_File] = {"onnx": _Onnx, "torch-export": _TorchExport}[format]
    _require(maker.packages)
    if out.is_dir():
        raise RunError(f"{out} is a folder: name a file, such as {out / 'model'}.{maker.suffix}.")
    network = copy.deepcopy(network).cpu().float().eval().requires_grad_(False)
    facts = {f"ganzoo.{name}": value for name, value in about.items()}
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(out) as aside, _quiet(), torch.no_grad():
            task = Task(network, generator)
            file = _made(maker, task, format)
            aside.write_bytes(file.encoded(facts))
            parity = _prove(file.opened(aside.read_bytes()), task, file.packages)
            aside.write_bytes(file.encoded({**facts, PARITY: json.dumps(asdict(parity))}))
    except OSError as error:
        raise RunError(f"{out} cannot be written: {error.strerror or error}.") from error
    return parity


class _File:
    """An exported network, and how to make a file of it."""

    packages: ClassVar[tuple[str, ...]]
    suffix: ClassVar[str]

    def __init__(self, program: ExportedProgram, task: Task):
        raise NotImplementedError

    def encoded(self, facts: Mapping[str, str]) -> bytes:
        """Encode the file's content, with ``facts`` as metadata."""
        raise NotImplementedError

    @staticmethod
    def opened(content: bytes) -> Run:
        """Open such a file's content for running."""
        raise NotImplementedError


class _TorchExport(_File):
    """A file of ``torch.export.save``."""

    packages = ("torch",)
    suffix = "pt2"

    def __init__(self, program: ExportedProgram, task: Task):
        self.program = program

    def encoded(self, facts: Mapping[str, str]) -> bytes:
        file = io.BytesIO()
        torch.export.save(self.program, file, extra_files=dict(facts))
        return file.getvalue()

    @staticmethod
    def opened(content: bytes) -> Run:
        module = torch.export.load(io.BytesIO(content)).module()
        return lambda inputs: module(**inputs)


class _Onnx(_File):
    """A file for ONNX Runtime and others, weights included."""

    packages = ("torch", "onnx", "onnxscript", "onnxruntime")
    suffix = "onnx"

    def __init__(self, program: ExportedProgram, task: Task):
        onnx_program = torch.onnx.export(
            program,
            dynamo=True,
            verbose=False,
            output_names=[task.result],
            dynamic_shapes=task.named(),
        )
        assert onnx_program is not None  # only the older exporter returns None
        self.program = onnx_program

    def encoded(self, facts: Mapping[str, str]) -> bytes:
        self.program.model.metadata_props.update(facts)
        content: bytes = self.program.model_proto.SerializeToString()
        return content

    @staticmethod
    def opened(content: bytes) -> Run:
        runtime = import_module("onnxruntime")
        runtime.disable_telemetry_events()  # builds for Windows report to Microsoft
        options = runtime.SessionOptions()
        options.log_severity_level = 4  # it writes past Python's stderr
        options.intra_op_num_threads = torch.get_num_threads()
        session = runtime.InferenceSession(content, options, ["CPUExecutionProvider"])

        def run(inputs: Inputs) -> Tensor:
            arrays = {name: value.numpy() for name, value in inputs.items()}
            return torch.from_numpy(session.run(None, arrays)[0])

        return run


def _require(packages: tuple[str, ...]) -> None:
    """Raise RunError if a package is missing."""
    try:
        for package in packages:
            import_module(package)
    except ImportError as error:
        raise RunError(
            f"--format onnx needs {error.name}: pip install 'ganzoo[export]', or choose "
            "--format torch-export."
        ) from error


def _made(maker: type[_File], task: Task, format: str) -> _File:
    """Export the network; raises RunError if the exporter cannot take it."""
    example, dynamic = task.example(), task.dynamic()
    try:
        program = torch.export.export(task.module, (), example, dynamic_shapes=dynamic)
        for node in program.graph.nodes:  # paths of this machine must not leave it
            node.meta.pop("stack_trace", None)
        return maker(program, task)
    except Exception as error:  # exporters raise anything
        raise RunError(
            f"this {task.kind} cannot be exported as {format}: {_cause(error)}"
        ) from error


def _prove(run: Run, task: Task, packages: tuple[str, ...]) -> Parity:
    """Run the file beside the network; raises RunError if its outputs differ."""
    worst, shapes, right = 0.0, [], torch.empty(0)
    for inputs in task.proofs():
        shape = {word: list(value.shape) for word, value in inputs.items()}
        right = task.network(**inputs)
        try:
            difference = task.difference(run(inputs), right)
        except Exception as error:  # and so do runtimes
            raise RunError(
                f"this {task.kind} cannot be exported: at {shape} the file fails with "
                f"{_cause(error)}"
            ) from error
        if not difference <= TOLERANCE:
            raise RunError(
                f"this {task.kind} cannot be exported: at {shape} what the file makes is "
                f"{difference:.2g} off in [-1, 1], and {TOLERANCE:g} is allowed. It may depend on "
                "the size in a way that exporters cannot see."
            )
        worst = max(worst, difference)
        shapes.append(shape)
    versions = {package: version(package) for package in ("ganzoo", *packages)}
    return Parity(worst, tuple(shapes), task.inputs(), {task.result: task.output(right)}, versions)


def _cause(error: BaseException) -> str:
    """Return the first cause, without colours."""
    while error.__cause__ is not None:
        error = error.__cause__
    return gist(re.sub(r"\x1b\[[\d;]*m", "", str(error)).strip() or type(error).__name__)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence exporters; what they raise still gets through."""
    before, sink = logging.root.manager.disable, io.StringIO()
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stdout(sink), redirect_stderr(sink):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
