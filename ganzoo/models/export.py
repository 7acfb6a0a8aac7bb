"""Export a generator as one file for other programs: ONNX, or PyTorch's ``torch.export``.

The file is proved before it is kept: it is read back and run beside the generator.  Its metadata
says, under ``ganzoo.parity``, how far apart the two were and what inputs it takes.  ONNX:
https://onnx.ai/onnx/intro/concepts.html; torch.export:
https://docs.pytorch.org/docs/stable/export.html
"""

from __future__ import annotations

import copy
import inspect
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
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from ganzoo.errors import RunError
from ganzoo.files import atomic_file
from ganzoo.interfaces import Generator
from ganzoo.models import samples
from ganzoo.models.network import RANDOM, reads, stride
from ganzoo.models.randomness import rng
from ganzoo.text import gist

#: In a range of 2, an eighth of one step of an 8-bit picture, so hardly a pixel rounds otherwise.
#: Measured: up to 2e-5 with ONNX Runtime on one core, 0 with torch.export.  CartoonGAN traced with
#: the size of its example is off by more than 1 at other sizes.
TOLERANCE = 1e-3
PARITY = "ganzoo.parity"
BATCHES = (1, 3, 8)

Inputs = dict[str, Tensor]
Run = Callable[[Inputs], Tensor]


@dataclass(frozen=True)
class Parity:
    """How close an exported file is to its generator, and how to use it.

    ``difference`` is the greatest absolute one between two values of images in [-1, 1], over inputs
    of all the ``shapes``; ``inputs`` and ``output`` give type, shape and meaning by name.
    """

    difference: float
    shapes: tuple[dict[str, list[int]], ...]
    inputs: dict[str, str]
    output: dict[str, str]
    versions: dict[str, str]


def export(
    generator: Generator,
    format: Literal["onnx", "torch-export"],
    out: Path,
    about: Mapping[str, str],
) -> Parity:
    """Write ``generator``, in eval mode and fp32, to the file ``out``.

    Inputs have the names of the generator's words, the output is ``image``; a ``torch.export`` file
    takes them by keyword.  The batch size is free, and so are height and width if the generator has
    no fixed size.  ``about`` are further facts for the metadata (ONNX's metadata_props,
    torch.export's extra_files), each under ``ganzoo.`` and its name.

    Raises RunError if a package is missing, the generator cannot be exported, the file's images
    differ by more than ``TOLERANCE``, or ``out`` cannot be written; an earlier ``out`` then stays
    unchanged.
    """
    maker: type[_File] = {"onnx": _Onnx, "torch-export": _TorchExport}[format]
    _require(maker.packages)
    if out.is_dir():
        raise RunError(f"{out} is a folder: name a file, such as {out / 'model'}.{maker.suffix}.")
    network = copy.deepcopy(generator).cpu().float().eval().requires_grad_(False)
    facts = {f"ganzoo.{name}": value for name, value in about.items()}
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(out) as aside, _quiet(), torch.no_grad():
            task = _Task(network)
            file = _made(maker, task, format)
            aside.write_bytes(file.encoded(facts))
            parity = _prove(file.opened(aside.read_bytes()), task, file.packages)
            aside.write_bytes(file.encoded({**facts, PARITY: json.dumps(asdict(parity))}))
    except OSError as error:
        raise RunError(f"{out} cannot be written: {error.strerror or error}.") from error
    return parity


class _Task:
    """What to export, an example input, and inputs for the proof."""

    def __init__(self, generator: Generator):
        self.generator = generator
        self.words = _words(generator)
        self.image = next((word for word in self.words if word not in ("latent", "label")), None)
        self.free = self.image is not None and generator.size is None
        self.multiple = stride(generator) if self.free else 1
        self.module: nn.Module = generator
        self.any_side = False
        if self.free and self.image:
            module = _Extended(generator, self.image, self.multiple)
            self.any_side = self.multiple == 1 or _alike(generator, module, self._odd())
            if self.any_side and self.multiple > 1:
                self.module = module

    def example(self) -> Inputs:
        """Inputs for the exporter to trace; no proof has their shapes."""
        return self._inputs(2, 5 * self._unit, 4 * self._unit)

    def proofs(self) -> list[Inputs]:
        """Three batches; if sides are free, a square, a wide and a tall one."""
        if not self.free:
            return [self._inputs(n, 0, 0) for n in BATCHES]
        unit = self._unit
        last = self._odd() if self.any_side else self._inputs(3, 6 * unit, 2 * unit)
        return [self._inputs(1, 4 * unit, 4 * unit), self._inputs(2, 3 * unit, 5 * unit), last]

    def dynamic(self) -> dict[str, Any]:
        """The free dimensions of each input."""
        batch = Dim("batch", min=1)
        shapes: dict[str, Any] = {word: {0: batch} for word in self.words}
        if self.free:
            shapes[self.image or ""] |= {2: self._side("height"), 3: self._side("width")}
        return shapes

    def named(self) -> dict[str, Any]:
        shapes: dict[str, Any] = {word: {0: "batch"} for word in self.words}
        if self.free:
            shapes[self.image or ""] |= {2: "height", 3: "width"}
        return shapes

    def inputs(self) -> dict[str, str]:
        return {word: self._about(word) for word in self.words}

    def output(self) -> str:
        side = self.generator.size
        return f"float32 (N, 3, {side or 'H'}, {side or 'W'}): RGB in [-1, 1]"

    @property
    def _unit(self) -> int:
        """A multiple that makes images of more than a few pixels."""
        return self.multiple * -(-16 // self.multiple)

    def _odd(self) -> Inputs:
        return self._inputs(3, 3 * self._unit + 1, 2 * self._unit + 3)

    def _side(self, name: str) -> Any:
        # A named dimension would have to hold for every size that torch can think of, but torch
        # cannot prove that half of an even side is whole if it is computed with a scale of 0.5.
        least = 2 * self.multiple
        if self.any_side:
            return Dim.DYNAMIC(min=least)
        return self.multiple * Dim(f"{name}_by_{self.multiple}", min=2)

    def _inputs(self, n: int, height: int, width: int) -> Inputs:
        generator, inputs = self.generator, dict[str, Tensor | None]()
        sides = (height, width) if self.free else (generator.size or 0,) * 2
        for word in self.words:
            if word == "latent":
                inputs[word] = samples.latents(generator, 0, n)
            elif word == "label":
                inputs[word] = samples.labels(generator, 0, n, {})
            else:
                inputs[word] = torch.rand(n, 3, *sides, generator=rng(0, word)) * 2 - 1
        return {word: value for word, value in inputs.items() if value is not None}

    def _about(self, word: str) -> str:
        if word == "latent":
            latents = samples.latents(self.generator, 0, 256)
            shape = ", ".join(map(str, latents.shape[1:]))
            return (
                f"float32 (N, {shape}): noise, in 256 draws from {latents.min():.1f} to "
                f"{latents.max():.1f}, mean {latents.mean():.2f}, standard deviation "
                f"{latents.std():.2f}"
            )
        if word == "label":
            labels = self.generator.label or {}
            rows = [f"{name} ({', '.join(values)})" for name, values in labels.items()]
            return f"int64 (N, {len(rows)}): the index, from 0, of {'; '.join(rows)}"
        if not self.free:
            return self.output()
        of = "" if self.any_side else f"multiples of {self.multiple}, "
        return f"float32 (N, 3, H, W): RGB in [-1, 1]; H and W {of}at least {2 * self.multiple}"


def _words(generator: Generator) -> list[str]:
    """Return the generator's words; raises RunError if they are two images."""
    inputs = reads(generator)
    words = [w for w in inputs.words if w in inputs.needed or (w == "label" and generator.label)]
    images = [word for word in words if word not in RANDOM]
    if len(images) > 1:
        raise RunError(
            f"this generator cannot be exported: it needs {' and '.join(images)}, and only "
            "generators from noise or from one image can be."
        )
    return words


class _Extended(nn.Module):
    """A generator that mirrors its image at the right and the bottom, up to multiples.

    A traced network only handles sides like those of its example.  Rows and columns are picked by
    index, so that torch can see that their number is a multiple.
    """

    def __init__(self, generator: Generator, image: str, multiple: int):
        super().__init__()
        self.generator, self.image, self.multiple = generator, image, multiple
        # its own function, because inputs are passed by the names in the signature
        self.forward = self._with_signature(inspect.signature(generator.forward))

    def _with_signature(self, signature: inspect.Signature) -> Callable[..., Tensor]:
        def forward(**inputs: Tensor) -> Tensor:
            photo = inputs[self.image]
            height, width = photo.shape[-2:]
            photo = photo.index_select(2, self._mirrored(height))
            photo = photo.index_select(3, self._mirrored(width))
            image: Tensor = self.generator(**{**inputs, self.image: photo})
            return image.index_select(2, torch.arange(height)).index_select(3, torch.arange(width))

        forward.__signature__ = signature  # type: ignore[attr-defined]
        return forward

    def _mirrored(self, side: int) -> Tensor:
        index = torch.arange((side + self.multiple - 1) // self.multiple * self.multiple)
        return (side - 1) - (index - (side - 1)).abs()


def _alike(one: nn.Module, other: nn.Module, inputs: Inputs) -> bool:
    """Whether two networks agree on ``inputs``; no if either refuses them."""
    try:
        return _difference(one(**inputs), other(**inputs)) <= TOLERANCE
    except Exception:  # plugins raise anything for sides that they do not take
        return False


def _difference(one: Tensor, other: Tensor) -> float:
    """Greatest absolute difference; infinite if shapes differ or a value is not finite."""
    if one.shape != other.shape:
        return float("inf")
    greatest = float((one - other).abs().max())
    return greatest if greatest == greatest else float("inf")


class _File:
    """An exported network, and how to make a file of it."""

    packages: ClassVar[tuple[str, ...]]
    suffix: ClassVar[str]

    def __init__(self, program: ExportedProgram, task: _Task):
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

    def __init__(self, program: ExportedProgram, task: _Task):
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

    def __init__(self, program: ExportedProgram, task: _Task):
        onnx_program = torch.onnx.export(
            program, dynamo=True, verbose=False, output_names=["image"], dynamic_shapes=task.named()
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
            return torch.from_numpy(session.run(["image"], arrays)[0])

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


def _made(maker: type[_File], task: _Task, format: str) -> _File:
    """Export the network; raises RunError if the exporter cannot take it."""
    example, dynamic = task.example(), task.dynamic()
    try:
        program = torch.export.export(task.module, (), example, dynamic_shapes=dynamic)
        for node in program.graph.nodes:  # paths of this machine must not leave it
            node.meta.pop("stack_trace", None)
        return maker(program, task)
    except Exception as error:  # exporters raise anything
        raise RunError(f"this generator cannot be exported as {format}: {_cause(error)}") from error


def _prove(run: Run, task: _Task, packages: tuple[str, ...]) -> Parity:
    """Run the file beside the generator; raises RunError if its images differ."""
    worst, shapes = 0.0, []
    for inputs in task.proofs():
        shape = {word: list(value.shape) for word, value in inputs.items()}
        right = task.generator(**inputs)
        try:
            difference = _difference(run(inputs), right)
        except Exception as error:  # and so do runtimes
            raise RunError(
                f"this generator cannot be exported: at {shape} what came of it fails with "
                f"{_cause(error)}"
            ) from error
        if not difference <= TOLERANCE:
            raise RunError(
                f"this generator cannot be exported: at {shape} what came of it makes images that "
                f"are {difference:.2g} off in [-1, 1], and {TOLERANCE:g} is allowed. It may depend "
                "on the size in a way that exporters cannot see."
            )
        worst = max(worst, difference)
        shapes.append(shape)
    versions = {package: version(package) for package in ("ganzoo", *packages)}
    return Parity(worst, tuple(shapes), task.inputs(), {"image": task.output()}, versions)


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
