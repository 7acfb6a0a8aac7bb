"""The processes that train one run together, and what they agree about."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from accelerate import Accelerator
from filelock import FileLock, Timeout
from torch import Tensor

from ganzoo.errors import RunError, TrainingStopped


class Processes:
    """All processes of a run; usually there is one."""

    def __init__(self, accelerator: Accelerator):
        self._accelerator = accelerator
        self.count = accelerator.num_processes
        self.is_main = accelerator.is_main_process

    def anywhere(self, flag: int) -> int:
        """Return the largest ``flag`` of all processes, on each of them."""
        if self.count == 1:
            return flag
        flags = self._accelerator.gather(torch.tensor([flag], device=self._accelerator.device))
        return int(flags.max())

    def on_main(self, act: Callable[[], None]) -> None:
        """Do something on the main process; if it fails, all processes stop together."""
        problem: Exception | None = None
        if self.is_main:
            try:
                act()
            except Exception as error:
                problem = error
        if self.anywhere(problem is not None):
            raise problem or TrainingStopped("the main process could not go on, as it says")

    @contextmanager
    def locked(self, folder: Path) -> Iterator[None]:
        """Keep others from training the run in ``folder``; a killed process holds no lock.

        Raises RunError if another process holds the lock.
        """
        lock = FileLock(folder / ".lock")

        def acquire() -> None:
            try:
                lock.acquire(timeout=0)
            except Timeout:
                raise RunError(
                    f"{folder} is being trained by another process; nothing was changed. "
                    "Wait for it, or stop it."
                ) from None

        self.on_main(acquire)
        try:
            yield
        finally:
            lock.release()

    def averaged(self, values: Mapping[str, Tensor | float]) -> dict[str, float]:
        """Average every value over the processes."""
        device = self._accelerator.device
        means = torch.tensor([v if isinstance(v, float) else 0.0 for v in values.values()])
        tensors = {i: v for i, v in enumerate(values.values()) if isinstance(v, Tensor)}
        if tensors:  # all at once, as each transfer waits for the device
            means[list(tensors)] = torch.stack(
                [v.float().to(device) for v in tensors.values()]
            ).cpu()
        if self.count > 1:
            means = self._accelerator.reduce(means.to(device), "mean")
        return dict(zip(values, means.tolist(), strict=True))

    def average_buffers(self, buffers: Iterable[Tensor]) -> None:
        """Average running statistics, so that all processes hold the same networks."""
        if self.count > 1:
            for buffer in buffers:
                if buffer.is_floating_point():
                    buffer.copy_(self._accelerator.reduce(buffer, "mean"))
