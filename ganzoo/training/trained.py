"""The result of ``ganzoo.train``: a run folder, read on demand."""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

from ganzoo.errors import GanzooError
from ganzoo.models import model
from ganzoo.models.model import Model
from ganzoo.models.pictures import figure
from ganzoo.plugins.registry import Registry
from ganzoo.training.run_folder import RunFolder
from ganzoo.training.scores import is_score, scored


class TrainedRun:
    """A run folder after training.  It can be passed wherever a path to a run can.

    In a notebook it shows its last samples and scores.
    """

    def __init__(self, path: Path, registry: Registry):
        self._folder, self._registry = RunFolder.open(path), registry

    def __fspath__(self) -> str:
        return str(self.path)

    @property
    def path(self) -> Path:
        return self._folder.path

    @property
    def report(self) -> Path:
        """The page about the run: curves, samples, findings and recipe."""
        return self._folder.report

    @cached_property
    def model(self) -> Model:
        """The trained model, on the accelerator if there is one."""
        return model.load(self._folder.model, self._registry, model.device())

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """The logged rows, each a dict with its ``step``: ``pandas.DataFrame(metrics)``."""
        return [row for row in self._folder.rows() if not is_score(row)]

    @property
    def scores(self) -> list[dict[str, Any]]:
        """The scores of each measured step, a dict with its ``step``.

        Empty if the recipe has no ``evaluate``.
        """
        scores = scored(self._folder.rows())
        return [{"step": step, **values} for step, values in scores.items()]

    def __repr__(self) -> str:
        """Show its place, progress and last score; never fails."""
        try:
            facts = [f"step {rows[-1]['step']}"] if (rows := self.metrics) else ["nothing logged"]
            if scores := self.scores:
                facts += [f"{k} {v:.4g}" for k, v in scores[-1].items() if k != "step"][:3]
            return f"TrainedRun({str(self.path)!r}: {', '.join(facts)})"
        except Exception:  # the folder may be gone
            return f"TrainedRun({str(self.path)!r})"

    def _repr_html_(self) -> str:
        try:
            newest = max(self._folder.samples.glob("*.png"), default=None)
        except OSError:
            newest = None
        scores: dict[str, Any] = {}
        with suppress(GanzooError, OSError):
            scores = self.scores[-1] if self.scores else {}
        cells = (f"<tr><td>{escape(k)}</td><td>{v:.4g}</td></tr>" for k, v in scores.items())
        table = f"<table><tbody>{''.join(cells)}</tbody></table>" if scores else ""
        return figure(newest, repr(self), table)
