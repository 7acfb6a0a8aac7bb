"""Ctrl-C and SIGTERM during a training: answered at once, obeyed when the state is whole.

Python runs a signal's handler between two of its own instructions, and a backward pass of a large
network is one of them, which may take a minute.  So a thread answers: the C-level handler writes
the signal's number to a socket that it reads.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from ganzoo import startup

#: seconds that the main thread has to react to a second Ctrl-C before the process ends without it
GRACE = 2.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def name(number: int) -> str:
    """What a person calls the signal."""
    return "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name


class Interrupts:
    """What was asked of a run by signals.

    ``answer`` gives the line that the first signal is answered with, and may be empty.
    ``at_once`` says whether it need not be waited for, since everything is saved; ``busy`` whether
    a second Ctrl-C has to wait, as the state is being saved.  ``farewell`` is the last line of a
    process that ends in the middle of a step.
    """

    def __init__(
        self,
        answer: Callable[[], str],
        farewell: Callable[[], str],
        at_once: Callable[[], bool],
        busy: Callable[[], bool],
    ):
        self._answer, self._farewell, self._at_once, self._busy = answer, farewell, at_once, busy
        #: the first signal, 0 before there is one
        self.asked = 0
        #: set when the run was told to end in the middle of what it does
        self.raised = threading.Event()
        self._pressed = 0

    @contextmanager
    def listening(self, speak: bool) -> Iterator[None]:
        """Receive signals while the block runs, and ``speak`` on stderr; main thread only."""
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
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)
            write.close()
            thread.join()
            read.close()

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self._pressed += number == signal.SIGINT
        is_first, self.asked = not self.asked, self.asked or number
        if is_first:
            wanted = self._at_once()
        else:
            wanted = number == signal.SIGINT and (self._pressed > 2 or not self._busy())
        if wanted:
            self.raised.set()
            raise KeyboardInterrupt

    def _listen(self, read: socket.socket, speak: bool) -> None:
        answered = False
        while received := read.recv(1):
            number = received[0]
            if number not in _SIGNALS:
                continue
            if not answered:
                answered = True
                _say(self._answer() if speak else "")
            elif number == signal.SIGINT:
                if self._busy():
                    _say("saving, which takes a moment" if speak else "")
                elif not self.raised.wait(GRACE) and startup.is_running():
                    self._end(speak)

    def _end(self, speak: bool) -> None:
        """End the process, whose main thread does not come back from some operation."""
        if sys.stdout.isatty():
            with suppress(OSError):
                os.write(sys.stdout.fileno(), b"\x1b[?25h")  # the cursor, which a display may hide
        _say(self._farewell() if speak else "")
        os._exit(startup.INTERRUPTED)


def _say(text: str) -> None:
    if text:
        start = "\r" if sys.stderr.isatty() else ""  # a terminal shows ^C already
        with suppress(Exception):
            print(f"{start}{text}", file=sys.stderr, flush=True)
