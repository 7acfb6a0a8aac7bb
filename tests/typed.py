"""Commands as they are typed, in this process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from ganzoo.cli import main


@dataclass
class Result:
    """What a command left: its exit code, and what it said."""

    code: int
    out: str
    err: str


Run = Callable[..., Result]


def typist(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """``typist(...)("list", "loss")`` runs ``ganzoo list loss``."""

    def typed(*words: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["ganzoo", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main()
        said = capsys.readouterr()
        return Result(int(stopped.value.code or 0), said.out, said.err)

    return typed
