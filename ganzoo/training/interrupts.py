"""Ctrl-C and SIGTERM during training: answered at once, obeyed when the state is whole.

Python runs a signal handler between two of its own instructions, but one of them may be a backward
pass of a minute.  So a thread answers: the C-level handler writes the signal's number to a socket
that the thread reads.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from ganzoo import startup
from ganzoo.errors import Interrupted
from ganzoo.interfaces import ObservedRun
from ganzoo.progress import duration
from ganzoo.text import say
from ganzoo.training import checkpoint
from ganzoo.training.run_folder import RunFolder

#: seconds for the main thread to react to a second Ctrl-C before the process ends without it
GRACE = 2.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


#: what ``Run.doing`` says while a signal has another meaning
SAVING, MEASURING = "saving", "measuring"


class Interrupts:
    """The signals that a run has received."""

    def __init__(self, run: ObservedRun, is_alone: bool):
        self._run, self._folder = run, RunFolder(run.path)
        #: whether no other process trains with this one
        self._is_alone = is_alone
        #: the first signal, or 0
        self.number = 0
        #: set when the run must end in the middle of its work
        self.at_once = threading.Event()
        self._presses = 0

    @contextmanager
    def listening(self, speak: bool) -> Iterator[None]:
        """Receive signals while the block runs, and ``speak`` on stderr; main thread only.

        Ctrl-C and SIGTERM end the run after the step in progress; a second Ctrl-C at once.  Raises
        Interrupted if it ends at once.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        read, write = socket.socketpair()
        write.setblocking(False)
        before = {number: signal.signal(number, self._receive) for number in _SIGNALS}
        wakeup = signal.set_wakeup_fd(write.fileno(), warn_on_full_buffer=False)
        thread = threading.Thread(target=self._listen, args=(read, speak), daemon=True)
        thread.start()
        try:
            yield
        except KeyboardInterrupt:
            if not self.at_once.is_set():  # raised by an observer
                raise
            raise Interrupted(self.farewell()) from None
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)
            write.close()
            thread.join()
            read.close()

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self._presses += number == signal.SIGINT
        is_first, self.number = not self.number, self.number or number
        if is_first:
            ends = self._may_end()
        else:
            is_saving = self._run.doing == SAVING and self._presses == 2
            ends = number == signal.SIGINT and not is_saving
        if ends:
            self.at_once.set()
            raise KeyboardInterrupt

    def _listen(self, read: socket.socket, speak: bool) -> None:
        has_answered = False
        while byte := read.recv(1):
            number = byte[0]
            if number not in _SIGNALS:
                continue
            if not has_answered:
                has_answered = True
                _say(self.answer() if speak else "")
            elif number == signal.SIGINT:
                if self._run.doing == SAVING:
                    _say("saving, which takes a moment" if speak else "")
                elif not self.at_once.wait(GRACE) and startup.is_running():
                    self._end(speak)

    def _end(self, speak: bool) -> None:
        """End the process when its main thread is stuck in some operation."""
        if sys.stdout.isatty():
            with suppress(OSError):
                os.write(sys.stdout.fileno(), b"\x1b[?25h")  # show the cursor again
        _say(self.farewell() if speak else "")
        os._exit(startup.EXIT_CODE)

    def _may_end(self) -> bool:
        """Whether a first signal ends the run at once: while measuring, all is saved."""
        return self._run.doing == MEASURING and self._is_alone

    def answer(self) -> str:
        """Answer the first signal; empty if it is obeyed within a second."""
        run, pace = self._run, self._run.pace
        if self._may_end() or (not run.doing and pace.step is not None and pace.step < 1):
            return ""
        if run.doing:
            return f"{run.doing}, then stopping; press Ctrl-C again to stop now"
        remainder = 0.0 if pace.step is None else pace.step - (pace.elapsed or 0.0)
        about = f", about {duration(max(round(remainder), 1))}" if remainder > 0 else ""
        return f"finishing step {run.step + 1}{about}; press Ctrl-C again to stop now"

    def when_saved(self, number: int) -> str:
        """The last words of a run that had saved its step when the signal came."""
        by = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
        return (
            f"stopped at step {self._run.step} of {self._run.steps} by {by}; everything is saved. "
            f"Go on with: ganzoo resume {self._run.path}"
        )

    def farewell(self) -> str:
        """The last words of a run that ends in the middle of an operation."""
        run = self._run
        last = max(checkpoint.steps(self._folder.checkpoints), default=None)
        if last == run.step:
            return self.when_saved(self.number)
        verb = "Begin again" if last is None else "Go on"
        return (
            f"stopped at once by a second Ctrl-C, in step {run.step + 1} of {run.steps}; what came "
            f"after the last checkpoint is not saved. {self._folder.last_checkpoint()} {verb} "
            f"with: ganzoo resume {run.path}"
        )


def _say(text: str) -> None:
    if text:
        with suppress(Exception):
            sys.stderr.write("\r" * sys.stderr.isatty())  # over the ^C that a terminal shows
            say(text, err=True)
