"""The numbers of a run: rows of metrics.jsonl, findings, and values that are not finite."""

from __future__ import annotations

from typing import Any

import torch

from ganzoo.errors import TrainingStopped
from ganzoo.training import diagnosis
from ganzoo.training.objective import Evaluated
from ganzoo.training.run import Run

#: updates that an accelerator may be ahead of the check of their losses
_UNSEEN = 1000


def log(run: Run, stage: str) -> dict[str, Any]:
    """Write ``run.latest`` as a row of metrics.jsonl, and look for findings."""
    refuse_nonfinite(run)
    row = {"step": run.step, "stage": stage, "seconds": round(run.seconds, 3)}
    row |= {key: float(f"{v:.6g}") for key, v in run.processes.averaged(run.latest).items()}
    run.processes.on_main(lambda: write(run, row))
    return row


def write(run: Run, row: dict[str, Any]) -> None:
    """Add a row to metrics.jsonl, and look for findings."""
    run.rows.append(row)
    run.findings = diagnosis.findings(run.rows)
    with run.folder.writing("metrics.jsonl", run.step):
        run.folder.append(row)


def watch(run: Run, player: str, value: Evaluated) -> None:
    """Check an update's losses: at once on a CPU, many updates together elsewhere.

    An accelerator would have to wait for each check.  Raises as ``refuse_nonfinite`` does.
    """
    run.unseen.append((run.step, player, value.detached()))
    if run.looks_at_once or len(run.unseen) >= _UNSEEN:
        refuse_nonfinite(run)


def refuse_nonfinite(run: Run) -> None:
    """Check every loss that was not checked yet; nothing is written before that.

    Raises TrainingStopped with the step and the term that was NaN or infinite first.
    """
    unseen, run.unseen = run.unseen, []
    totals = [value.total.float() for _, _, value in unseen]  # all in one transfer
    is_bad = bool(totals) and not bool(torch.stack(totals).isfinite().all())
    if not run.processes.anywhere(is_bad):
        return
    for step, player, value in unseen:
        if bad := value.first_nonfinite():
            run.step = step
            term = f"the {player}'s term '{bad}'"
            break
    else:
        term = "a term on another process"  # that process names it
    raise TrainingStopped(
        f"NON_FINITE at step {run.step}: {term} is NaN or infinite. "
        f"{run.folder.last_checkpoint()} {lower_rate(run)}"
    )


def lower_rate(run: Run) -> str:
    """Say how to go on after a non-finite value."""
    command = run.folder.new_run(["optimizer.lr=..."])
    return f"Start a new run with a lower learning rate: {command}"
