"""The display of a training: two lines at any width, and a log that is neither full nor silent."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

import ganzoo_console
from ganzoo import hookimpl
from ganzoo.progress import Pace, duration, status
from ganzoo.training.run import Run
from ganzoo.training.run_folder import RunFolder
from ganzoo_console import Console
from ganzoo_console.display import Display, Progress, first_line, second_line

Train = Callable[..., Path]
GAN = "generator/non-saturating"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))


# -- durations and paces --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.354, "0.35 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (250, "4 min 10 s"),
        (3599.7, "1 h"),
        (4800, "1 h 20 min"),
        (225_120, "63 h"),
        (-1, ""),
        (float("nan"), ""),
        (float("inf"), ""),
    ],
)
def test_durations_are_in_units_that_people_read(seconds: float, text: str) -> None:
    assert duration(seconds) == text


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def take(pace: Pace, clock: Clock, *seconds: float) -> None:
    for one in seconds:
        pace.begin_step()
        clock.now += one
        pace.end_step()


def test_the_first_steps_say_nothing_of_later_ones(clock: Clock) -> None:
    pace = Pace(clock)
    assert (pace.step, pace.left(10), pace.rate()) == (None, None, "")
    take(pace, clock, 60)
    assert (pace.left(10), pace.rate()) == (600, "60 s/step")  # better than nothing
    take(pace, clock, 20, 5, *[0.1] * 50)
    assert pace.rate() == "10 steps/s"
    assert pace.left(10) == pytest.approx(1)


def test_a_pace_follows_what_changes(clock: Clock) -> None:
    pace = Pace(clock)
    take(pace, clock, *[0.1] * 100, *[0.2] * 1000)
    assert pace.step == pytest.approx(0.2, rel=0.01)
    take(pace, clock, *[75.0] * 30)
    assert pace.step == pytest.approx(75, rel=0.1)


def test_time_passes_within_a_step_and_between_steps(clock: Clock) -> None:
    pace = Pace(clock)
    take(pace, clock, *[10.0] * 10)
    pace.begin_step()
    clock.now += 4
    assert (pace.elapsed, pace.left(3)) == (4, pytest.approx(26))
    clock.now += 100  # longer than ever: what comes after it takes as long as before
    assert pace.left(3) == pytest.approx(20)
    pace = Pace(clock)
    for _ in range(10):
        take(pace, clock, 10.0)
        clock.now += 2  # saving
    take(pace, clock, 10.0)
    assert pace.elapsed is None
    assert pace.left(11) == pytest.approx(11 * 10 + 20)


# -- two lines ------------------------------------------------------------------------------

NOW = Progress(512, 3000, "9.8 steps/s", "4 min 10 s left")


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (12, "512/3000"),
        (26, "512/3000  4 min 10 s left"),
        (40, "512/3000  9.8 steps/s  4 min 10 s left"),
        (48, "512/3000 #--------  9.8 steps/s  4 min 10 s left"),
        (200, f"512/3000 {6 * '#'}{34 * '-'}  9.8 steps/s  4 min 10 s left"),
    ],
)
def test_the_first_line_fits_and_says_the_most_important(width: int, line: str) -> None:
    assert first_line(NOW, width, ascii_only=True).plain == line
    assert first_line(NOW, width, ascii_only=False).plain.isascii() == ("#" not in line)


@pytest.mark.parametrize("width", [1, 5, 20, 79, 200])
def test_the_second_line_is_cut_from_the_right(width: int) -> None:
    terms = "D:hinge 0.512  G:hinge 1.2 (83%)  G:r1 0.01"
    for ascii_only, dots in ((True, "..."), (False, "…")):
        cut = second_line(terms, width, ascii_only).plain
        assert len(cut) <= width
        if width >= len(terms):
            assert cut == terms
        elif width >= 5:
            assert cut.endswith(dots)
            assert terms.startswith(cut.removesuffix(dots))


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """``terminal(act, **environment)``: what ``act()`` writes to stdout, a terminal."""
    pty = pytest.importorskip("pty", reason="needs a system with terminals")

    def run(act: Callable[[], object], **environment: str) -> str:
        seen = bytearray()
        master, slave = pty.openpty()

        def read() -> None:
            with suppress(OSError):  # so Linux tells the end
                while part := os.read(master, 4096):
                    seen.extend(part)

        reader = threading.Thread(target=read)
        reader.start()
        encoding = environment.pop("encoding", "utf-8")
        with os.fdopen(slave, "w", encoding=encoding) as stdout, monkeypatch.context() as patch:
            for name, value in {"TERM": "xterm", "COLUMNS": "80", **environment}.items():
                patch.setenv(name, value)
            patch.setattr(sys, "stdout", stdout)
            act()
            assert sys.stdout is stdout
        reader.join()
        os.close(master)
        return seen.decode()

    return run


def test_a_terminal_shows_two_lines_and_what_is_found_above_them(
    train: Train, terminal: Callable[..., str]
) -> None:
    text = terminal(lambda: train(observers=[Console()]))
    assert "9/9" in text
    assert "━" in text
    assert "\x1b[32m" in text
    assert "samples: " in text
    assert text.index("\x1b[?25l") < text.index("\x1b[?25h") < text.index("toy: 9 steps in")


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"encoding": "ascii"}])
def test_neither_colours_nor_utf_8_are_needed(
    terminal: Callable[..., str], environment: dict[str, str]
) -> None:
    def show() -> None:
        display = Display(lambda: NOW, lambda: "D:hinge 0.5  " * 20)
        display.open()
        display.close()

    text = terminal(show, **environment)
    assert ("\x1b[32m" in text) == ("NO_COLOR" not in environment)
    assert ("━" in text) == ("encoding" not in environment)
    assert "512/3000" in text


def test_a_terminal_that_cannot_move_its_cursor_gets_a_log(
    train: Train, terminal: Callable[..., str]
) -> None:
    text = terminal(lambda: train(observers=[Console()]), TERM="dumb")
    assert "\x1b" not in text
    assert "step 9/9" in text


def test_a_terminal_that_becomes_narrow_keeps_no_piece_of_the_old_lines(
    terminal: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Most terminals wrap lines that are too long: the two of 79 columns are four of 40 then."""

    def show() -> None:
        display = Display(lambda: NOW, lambda: "D:hinge 0.5  " * 20)
        display.open()
        display.console.width = 40
        display.print("above")
        display.close()

    text = terminal(show)
    up = "\x1b[1A\x1b[2K"
    before, _, _ = text.partition("above")
    assert before.count(up) == 3


def test_a_status_is_gone_when_its_block_is(
    terminal: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def show() -> None:
        monkeypatch.setattr(sys, "stderr", sys.stdout)
        with status("preparing"):
            print("a warning")

    text = terminal(show)
    assert text == f"preparing\ra warning\r\n{' ' * 9}\r"


# -- a log ----------------------------------------------------------------------------------


def test_a_log_has_the_first_and_last_values_and_a_line_now_and_then(
    train: Train, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = train("quiet", observers=[Console()])
    rows = RunFolder(run).rows()
    first, *steps, last = capsys.readouterr().out.splitlines()
    assert first.startswith("toy: new run, 16 images, 9 steps, batch 4, fp32 on")
    assert [line.split()[1] for line in steps] == ["1/9", "9/9"]
    for line, row in zip(steps, (rows[0], rows[-1]), strict=True):
        assert f"G:non-saturating {row[GAN]:.3g}" in line
    assert last.startswith("toy: 9 steps in ")

    monkeypatch.setattr(ganzoo_console, "EVERY", 0)
    train("all", observers=[Console()])
    lines = capsys.readouterr().out.splitlines()[1:-1]
    assert [line.split()[1] for line in lines] == ["1/9", "2/9", "4/9", "6/9", "8/9", "9/9"]


def test_a_slow_step_is_no_silent_one(
    train: Train, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    spoke = threading.Event()

    class Heard(Console):
        def _print(self, text: str) -> None:
            super()._print(text)
            if text.startswith("step 5/9"):
                spoke.set()

    class Slow:
        """Its fifth step ends when the log has spoken of it."""

        @hookimpl
        def step_ended(self, run: Run, step: int) -> None:
            assert step != 5 or spoke.wait(60)

    monkeypatch.setattr(ganzoo_console, "SILENCE", 0.05)
    monkeypatch.setenv("GANZOO_STRICT_PLUGINS", "1")
    train(observers=[Heard(), Slow()])
    assert "\nstep 5/9  " in capsys.readouterr().out


def test_a_line_says_how_long_a_slow_step_has_taken(clock: Clock) -> None:
    pace = Pace(clock)
    run = SimpleNamespace(step=0, steps=2000, pace=pace, doing="")
    pace.begin_step()
    clock.now += 61
    assert ganzoo_console._line(run, "") == "step 0/2000  in its first step for 1 min 1 s"
    clock.now += 14
    pace.end_step()
    run.step = 1
    pace.begin_step()
    clock.now += 30
    assert ganzoo_console._line(run, "D:hinge 0.5") == (
        "step 1/2000  75 s/step  42 h left  in step 2 for 30 s  D:hinge 0.5"
    )
    run.doing = "measuring"
    assert "measuring ..." in ganzoo_console._line(run, "")
