"""Start a command: say what is loading, and let Ctrl-C end it without a traceback.

Only the command line uses this; ``import ganzoo`` does not change the process.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import FrameType, ModuleType
from typing import NoReturn

from ganzoo.progress import status
from ganzoo.text import prepare_streams

#: modules that take a second or more to import
SLOW = frozenset(
    {"accelerate", "cv2", "face_alignment", "gradio", "onnx", "openvino", "skimage", "tensorboard"}
    | {"torch", "torchvision", "wandb"}
)
#: exit code of a command that Ctrl-C or SIGTERM ended
EXIT_CODE = 130


class Stopped(BaseException):
    """Ctrl-C or SIGTERM.  Not a KeyboardInterrupt, which the command parser would catch."""


class Imports(MetaPathFinder):
    """Shows on a terminal which slow module is being imported."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the other finders' spec, wrapped to report its execution."""
        if name not in SLOW:
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        specs = (finder.find_spec(name, path, target) for finder in others)
        spec = next(filter(None, specs), None)
        if spec and spec.loader:
            execute = spec.loader.exec_module

            def announced(module: ModuleType) -> None:
                with self.loading(name):
                    execute(module)

            spec.loader.exec_module = announced  # type: ignore[method-assign]
        return spec

    @contextmanager
    def loading(self, name: str) -> Iterator[None]:
        """Show the name while the block runs; nested blocks keep the first."""
        self.names.append(name)
        try:
            with status(f"loading {name}") if len(self.names) == 1 else nullcontext():
                yield
        finally:
            self.names.pop()


def is_running() -> bool:
    """Whether this process is a command of ``run``, rather than a user's Python."""
    return any(isinstance(finder, Imports) for finder in sys.meta_path)


def run(command: Callable[[], Callable[[], None]]) -> None:
    """Import a command line with ``command()`` and run it; Ctrl-C or SIGTERM exit with 130.

    Finally-blocks run, so that nothing half-written stays.  While modules are imported the process
    just ends, since an interrupted module may raise an error of its own.
    """
    prepare_streams()
    imports = Imports()
    sys.meta_path.insert(0, imports)
    is_starting = True

    def stop(number: int, frame: FrameType | None) -> None:
        name = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
        if is_starting or imports.names:
            _leave(name)
        raise Stopped(name)

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    sys.unraisablehook = _later(sys.unraisablehook)
    try:
        with no_collection():
            main = command()
        is_starting = False
        main()
    except (Stopped, KeyboardInterrupt) as error:
        _leave(str(error) or "Ctrl-C")
    finally:  # errors of ending threads and exit handlers deserve no traceback
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextmanager
def no_collection() -> Iterator[None]:
    """Pause the garbage collector while much is made that stays: modules, syntax trees.

    A command's process never looks at these objects again.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            if is_running():
                gc.freeze()
            gc.enable()


def _leave(name: str) -> NoReturn:
    """Say what ended the command, and end the process silently."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    start = "\r" if sys.stderr.isatty() else ""  # overwrites the terminal's ^C
    with suppress(Exception):
        print(f"{start}stopped by {name}", file=sys.stderr)
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    os._exit(EXIT_CODE)


def _later(
    report: Callable[[sys.UnraisableHookArgs], object],
) -> Callable[[sys.UnraisableHookArgs], object]:
    """Raise later what cannot be raised now, as in ``__del__``."""

    def hook(unraisable: sys.UnraisableHookArgs) -> None:
        if issubclass(unraisable.exc_type, Stopped):
            threading.Timer(0.01, signal.raise_signal, [signal.SIGINT]).start()
        else:
            report(unraisable)

    return hook
